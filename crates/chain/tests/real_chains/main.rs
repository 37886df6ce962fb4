//! Chains that real SQL Servers wrote, and what can be restored of them: plans and coverage written down by hand from the LSNs in
//! `expected.json`, whose numbers another program read.
//!
//! The files are not part of this project. The folder that holds them comes from the variable `BAC2_REAL_BACKUPS`; without it every
//! trial is counted as ignored, not as passed. Each chain is judged twice: from what our reader finds in the headers of the files,
//! through [`chain::Set::from_backup`], and from `expected.json` alone.

use std::path::PathBuf;

use chain::Target;
use libtest_mimic::{Arguments, Trial};

use chain_files::{Chain, Source};
use notation::History;

#[path = "../notation/mod.rs"]
mod notation;

mod chain_files;
mod forked;
mod logged;
mod partial;
mod rotated;

/// Every chain: its files and what is expected of it.
const CHAINS: [&Chain; 13] = [
    &rotated::SIMPLE,
    &rotated::COMPLEX,
    &logged::RESTORE_TIME_CLEAN,
    &logged::RESTORE_TIME_STRIPE,
    &logged::STOP_AT,
    &logged::CUBE_QUERY_HISTORY,
    &logged::ORPHAN_USERS,
    &partial::DOUBLE_DIFFING,
    &partial::SIMPLE_RECOVERY,
    &partial::DB1,
    &partial::DB2,
    &partial::HALF_OF_THE_STRIPES,
    &forked::STRIPE_TEST,
];

fn main() {
    let arguments = Arguments::from_args();
    let folder = std::env::var_os("BAC2_REAL_BACKUPS").map(PathBuf::from);
    let mut trials = Vec::new();
    for chain in CHAINS {
        for source in [Source::Headers, Source::Expected] {
            trials.push(trial(
                &format!("{} {}", chain.name, source.name()),
                folder.as_ref(),
                move |folder| (chain.expect)(&chain.history(folder, source)),
            ));
        }
        trials.push(trial(
            &format!("{} each set is a target", chain.name),
            folder.as_ref(),
            |folder| each_set_is_a_target(&chain.history(folder, Source::Headers)),
        ));
        trials.push(trial(
            &format!("{} both sources agree", chain.name),
            folder.as_ref(),
            |folder| chain.sources_agree(folder),
        ));
    }
    trials.push(trial(
        "two names, one family",
        folder.as_ref(),
        forked::two_names_one_family,
    ));
    trials.push(trial(
        "two sets in one file",
        folder.as_ref(),
        forked::two_sets_in_one_file,
    ));
    libtest_mimic::run(&arguments, trials).exit();
}

/// Where anything can be restored at all, the end of each set can, by the set and by its LSN; nothing of these chains is in vain.
fn each_set_is_a_target(history: &History) {
    let is_restorable = !history.coverage().spans.is_empty();
    for set in &history.sets {
        let given = history.plans(&Target::Set(set.id));
        let by_lsn = history.plans(&Target::Lsn(set.last));
        assert_eq!(
            (given.is_ok(), by_lsn.is_ok()),
            (is_restorable, is_restorable),
            "{:?}",
            set.id
        );
        let (Ok(given), Ok(by_lsn)) = (given, by_lsn) else {
            continue;
        };
        assert_eq!((given.best.reaches, by_lsn.best.reaches), (set.last, set.last));
        if !set.is_empty_log() {
            let last = given.best.steps.last().expect("a step");
            assert_eq!((last.set, &last.stop), (set.id, &None));
        }
        assert!(
            by_lsn.best.steps.iter().all(|step| step.stop.is_none()),
            "{:?}",
            set.id
        );
        assert!(by_lsn.best.steps.len() <= given.best.steps.len(), "{:?}", set.id);
    }
}

fn trial(name: &str, folder: Option<&PathBuf>, judge: impl Fn(&std::path::Path) + Send + 'static) -> Trial {
    let name = name.replace(' ', "_");
    match folder.cloned() {
        Some(folder) => Trial::test(name, move || {
            judge(&folder);
            Ok(())
        }),
        None => Trial::test(name, || Ok(())).with_ignored_flag(true),
    }
}
