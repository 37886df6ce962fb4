//! Chains of sample backups: every file is sound, says what it was told to say, and has the log of its history.

use bak::stripes::judge;
use bak::writer::sample::{ChainSample, ChainSet, lsn};
use bak::{LocalTime, LogAgreement, LogFingerprint, Report, Verdict, Verifier};
use uuid::Uuid;

fn at(text: &str) -> LocalTime {
    text.parse().expect("a local time")
}

fn verify(bytes: &[u8]) -> Report {
    let mut verifier = Verifier::new();
    verifier.push(bytes);
    verifier.finish()
}

/// The report on a file with these sets, which is sound and says of each what it was told.
fn sound(sample: &ChainSample, sets: &[&ChainSet]) -> Report {
    let report = verify(&sample.file(sets));
    assert_eq!(report.verdict, Verdict::Ok, "{:?}", report.reasons);
    assert_eq!(report.sets.len(), sets.len());
    for (index, (found, told)) in report.sets.iter().zip(sets).enumerate() {
        let mut told = told.set.clone();
        told.position = index as u16 + 1;
        told.compressed = found.compressed;
        told.complete = true;
        told.backup_size = found.backup_size;
        assert_eq!(*found, told);
    }
    report
}

fn print(sample: &ChainSample, set: &ChainSet) -> LogFingerprint {
    let report = sound(sample, &[set]);
    report.log_fingerprint(0).expect("log").clone()
}

fn sales() -> ChainSample {
    ChainSample::new("Sales", lsn(40, 100))
}

#[test]
fn a_whole_chain_is_sound() {
    for sample in [sales(), sales().with(true, false), sales().with(true, true)] {
        let full = sample.full(lsn(40, 100), lsn(40, 110), at("2026-03-15T02:00:00"));
        let log = sample.log(lsn(40, 100), lsn(40, 150), at("2026-03-15T02:15:00"));
        let differential = sample.differential(&full, lsn(40, 140), lsn(40, 145), at("2026-03-15T02:10:00"));
        let over_files = sample.log(lsn(40, 150), lsn(42, 30), at("2026-03-15T02:30:00"));
        let to_the_end = sample.log(lsn(42, 30), lsn(43, 16), at("2026-03-15T02:45:00"));
        let empty = sample.log(lsn(43, 16), lsn(43, 16), at("2026-03-15T03:00:00"));
        let all = [&full, &log, &differential, &over_files, &to_the_end, &empty];
        for set in all {
            sound(&sample, &[set]);
        }
        let report = sound(&sample, &all);
        let print = |index: usize| report.log_fingerprint(index).expect("log");
        assert_eq!(print(0).compare(print(1)), LogAgreement::Same);
        assert_eq!(print(2).compare(print(1)), LogAgreement::Same);
        assert_eq!(print(3).compare(print(1)), LogAgreement::Unknown);
        assert_eq!(report.log_fingerprint(5), None);
        let base = report.sets[2].differential_base_guid;
        assert_eq!(base, report.sets[0].backup_set_guid);
    }
}

#[test]
fn any_header_can_be_told() {
    let sample = sales();
    let mut log = sample.log(lsn(41, 700), lsn(41, 701), at("2026-03-15T02:15:00"));
    log.set.has_bulk_logged_data = true;
    log.set.is_copy_only = true;
    log.set.backup_finish_date = Some(at("2026-03-15T02:16:59"));
    log.set.time_zone_offset_minutes = Some(-210);
    log.set.database_name = "Verkäufe".to_owned();
    log.set.log_chain_lsn = None;
    log.set.recovery_model = bak::RecoveryModel::BulkLogged;
    sound(&sample, &[&log]);
}

#[test]
fn a_hidden_fork_shows_from_where_it_began() {
    let sample = sales();
    let log = sample.log(lsn(40, 100), lsn(40, 300), at("2026-03-15T02:15:00"));
    let twin = log.clone().rewritten(lsn(40, 200), 1);
    let before = sample.log(lsn(40, 50), lsn(40, 200), at("2026-03-15T02:05:00"));
    assert_ne!(log.set.backup_set_guid, twin.set.backup_set_guid);
    let [log, twin, before] = [&log, &twin, &before].map(|set| print(&sample, set));
    assert_eq!(log.compare(&twin), LogAgreement::Differs(lsn(40, 200)));
    assert_eq!(before.compare(&twin), LogAgreement::Same);
    assert_eq!(before.compare(&log), LogAgreement::Same);
}

#[test]
fn a_fork_has_its_own_log_and_says_so() {
    let sample = sales();
    let fork = Uuid::from_u128(77);
    let parent = sample.log(lsn(40, 100), lsn(40, 200), at("2026-03-15T02:15:00"));
    let child = sample
        .log(lsn(40, 150), lsn(40, 250), at("2026-03-15T02:30:00"))
        .forked(fork, lsn(40, 170));
    assert_eq!(child.set.recovery_fork_id, Some(fork));
    assert_eq!(child.set.first_recovery_fork_id, parent.set.recovery_fork_id);
    assert_eq!(
        print(&sample, &parent).compare(&print(&sample, &child)),
        LogAgreement::Differs(lsn(40, 170))
    );
}

#[test]
fn other_databases_have_other_log() {
    let (sales, stock) = (sales(), ChainSample::new("Stock", lsn(40, 100)));
    let [ours, theirs] = [&sales, &stock].map(|sample| {
        let log = sample.log(lsn(40, 100), lsn(40, 120), at("2026-03-15T02:15:00"));
        (log.set.family_guid, print(sample, &log))
    });
    assert_ne!(ours.0, theirs.0);
    assert_eq!(ours.1.compare(&theirs.1), LogAgreement::Differs(lsn(40, 100)));
}

#[test]
fn stripes_are_sound_together() {
    let sample = sales();
    let full = sample.full(lsn(40, 100), lsn(40, 110), at("2026-03-15T02:00:00"));
    let log = sample.log(lsn(40, 100), lsn(41, 150), at("2026-03-15T02:15:00"));
    let reports: Vec<Report> = sample
        .files(&[&full, &log], 3)
        .iter()
        .map(|bytes| verify(bytes))
        .collect();
    assert!(reports.iter().all(|report| report.verdict == Verdict::Incomplete));
    assert!(judge(&reports).iter().all(|judged| judged.verdict == Verdict::Ok));
    // The first family has all log; the others only describe it, and know nothing of how it looks.
    let whole = print(&sample, &log);
    let print = |family: usize| reports[family].log_fingerprint(1);
    assert_eq!(print(0).map(|log| log.compare(&whole)), Some(LogAgreement::Same));
    assert_eq!(print(1), None);
}
