//! What is in the files: structure, checksums, LSNs, pages; full, differential, log, copy-only, striped, compressed.

use bak::stripes;
use bak::{BackupType, Verdict};
use simsql::instance::Version;
use simsql::value::Value;

use crate::support::{Place, SHOP, With, full, log, settings, texts, told, word};

const FULL: &str = "/sql/backup/full.bak";
const LOG: &str = "/sql/backup/log.trn";

#[test]
fn a_full_backup_is_sound_and_says_what_it_did() {
    let place = Place::new();
    let answers = place.backup_ok(&full(FULL));
    assert_eq!(told(&answers), [4035, 4035, 3014]);
    let report = place.report(FULL);
    assert_eq!(
        report.verdict,
        Verdict::Ok,
        "{:?} {:?}",
        report.reasons,
        report.damage
    );
    let set = &report.sets[0];
    assert_eq!(set.backup_type, BackupType::Full);
    assert_eq!(set.database_name, SHOP);
    assert_eq!(set.database_backup_lsn, None);
    assert!(set.first_lsn <= set.checkpoint_lsn && set.checkpoint_lsn < set.last_lsn);
    // Builds from 2019 on send some extents twice: pages in the file are more than pages in the messages.
    let pages: u64 = texts(&answers)[0].split(' ').nth(1).unwrap().parse().unwrap();
    assert!(report.pages.total > pages && report.pages.total <= pages + 128);
    assert!(
        texts(&answers)[0].ends_with("for database 'Shop', file 'Shop' on file 1."),
        "{:?}",
        texts(&answers)
    );
    // The base is the backup now, in the engine and so for the next differential.
    let base = place
        .engine(SHOP, |engine| engine.boot().differential_base)
        .unwrap();
    assert_eq!(
        (Some(base.0), Some(base.1)),
        (set.checkpoint_lsn, set.backup_set_guid)
    );
}

#[test]
fn a_build_before_2019_sends_every_page_once() {
    let place = Place::of(settings(Version::V2017));
    let answers = place.backup_ok(&full(FULL));
    let report = place.report(FULL);
    let pages: u64 = texts(&answers)[0].split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(report.pages.total, pages);
    assert_eq!(report.verdict, Verdict::Ok);
}

#[test]
fn the_chain_of_lsns() {
    let place = Place::new();
    place.backup_ok(&full(FULL));
    let first_full = place.report(FULL).sets.remove(0);
    let mut last = first_full.first_lsn;
    for name in ["/sql/backup/1.trn", "/sql/backup/2.trn", "/sql/backup/3.trn"] {
        place.add_rows(3);
        place.backup_ok(&log(name));
        let report = place.report(name);
        assert_eq!(
            report.verdict,
            Verdict::Ok,
            "{:?} {:?}",
            report.reasons,
            report.damage
        );
        let set = &report.sets[0];
        // Each log begins where the one before it ended, and names the full's checkpoint.
        assert_eq!(set.first_lsn, last);
        assert!(set.first_lsn < set.last_lsn);
        assert_eq!(set.database_backup_lsn, first_full.checkpoint_lsn);
        last = set.last_lsn;
    }
    // A full between logs changes nothing about them, and names the full before it.
    place.backup_ok(&full("/sql/backup/second.bak"));
    let second = place.report("/sql/backup/second.bak").sets.remove(0);
    assert_eq!(second.database_backup_lsn, first_full.checkpoint_lsn);
    place.backup_ok(&log(LOG));
    let log = place.report(LOG).sets.remove(0);
    assert_eq!(log.first_lsn, last);
    assert!(log.first_lsn <= second.last_lsn && second.last_lsn <= log.last_lsn);
    assert_eq!(log.database_backup_lsn, second.checkpoint_lsn);
}

#[test]
fn a_differential_holds_what_changed_and_names_its_base() {
    let place = Place::new();
    let whole = place.backup_ok(&full(FULL));
    let base = place.report(FULL).sets.remove(0);
    place.add_rows(4);
    let path = "/sql/backup/diff.bak";
    // COPY_ONLY is ignored with DIFFERENTIAL.
    let answers = place.backup_ok(&full(path).with(|options| {
        options.differential = true;
        options.copy_only = true;
    }));
    assert!(texts(&answers)[2].starts_with("BACKUP DATABASE WITH DIFFERENTIAL successfully processed"));
    let report = place.report(path);
    assert_eq!(
        report.verdict,
        Verdict::Ok,
        "{:?} {:?}",
        report.reasons,
        report.damage
    );
    let set = &report.sets[0];
    assert_eq!(set.backup_type, BackupType::Differential);
    assert!(!set.is_copy_only);
    assert_eq!(set.differential_base_guid, base.backup_set_guid);
    assert_eq!(set.differential_base_lsn, base.checkpoint_lsn);
    assert_eq!(set.database_backup_lsn, base.checkpoint_lsn);
    let pages = |answers: &simsql::answers::Transcript| -> u64 {
        texts(answers)[0].split(' ').nth(1).unwrap().parse().unwrap()
    };
    assert!(pages(&answers) < pages(&whole));
}

#[test]
fn copy_only_backups_leave_base_and_chain_alone() {
    let place = Place::new();
    place.backup_ok(&full(FULL));
    let before = place.engine(SHOP, |engine| engine.boot().clone());
    place.add_rows(2);
    place.backup_ok(&full("/sql/backup/copy.bak").with(|options| options.copy_only = true));
    place.backup_ok(&log("/sql/backup/copy.trn").with(|options| options.copy_only = true));
    let after = place.engine(SHOP, |engine| engine.boot().clone());
    assert_eq!(before.differential_base, after.differential_base);
    assert_eq!(before.last_log_backup_lsn, after.last_log_backup_lsn);
    for path in ["/sql/backup/copy.bak", "/sql/backup/copy.trn"] {
        let report = place.report(path);
        assert_eq!(
            report.verdict,
            Verdict::Ok,
            "{:?} {:?}",
            report.reasons,
            report.damage
        );
        assert!(report.sets[0].is_copy_only);
    }
    place.backup_ok(&log(LOG));
    assert_eq!(place.report(LOG).sets[0].first_lsn, before.last_log_backup_lsn);
}

#[test]
fn nul_counts_as_a_backup() {
    let place = Place::new();
    place.backup_ok(&full("NUL"));
    assert!(
        place
            .engine(SHOP, |engine| engine.boot().differential_base)
            .is_some()
    );
    let first = place.engine(SHOP, |engine| engine.boot().last_log_backup_lsn);
    place.backup_ok(&log("nul"));
    assert!(place.engine(SHOP, |engine| engine.boot().last_log_backup_lsn) > first);
}

#[test]
fn stripes_are_sound_together_and_hold_each_extent_once() {
    let place = Place::of(settings(Version::V2017));
    place.add_rows(200);
    for (kind, compressed) in [("plain", false), ("packed", true)] {
        let paths: Vec<String> = (1..=3).map(|n| format!("/sql/backup/{kind}{n}.bak")).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let answers = place.backup_ok(&full("").to(&paths).with(|options| {
            options.compression = Some(compressed);
            options.checksum = Some(true);
        }));
        let reports: Vec<_> = paths.iter().map(|path| place.report(path)).collect();
        for (judged, report) in stripes::judge(&reports).iter().zip(&reports) {
            assert_eq!(
                judged.verdict,
                Verdict::Ok,
                "{:?} {:?}",
                report.reasons,
                report.damage
            );
            assert_eq!(report.sets[0].backup_size, reports[0].sets[0].backup_size);
        }
        let pages: u64 = texts(&answers)[0].split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(
            reports.iter().map(|report| report.pages.total).sum::<u64>(),
            pages
        );
        assert!(reports.iter().all(|report| report.pages.total > 0));
    }
}

#[test]
fn compressed_and_checked_backups_are_sound_in_every_block_size() {
    let place = Place::new();
    for size in [512, 1024, 4096, 65_536] {
        for compressed in [false, true] {
            let path = format!("/sql/backup/{size}{compressed}.bak");
            place.backup_ok(&full(&path).with(|options| {
                options.block_size = Some(size);
                options.compression = Some(compressed);
                options.checksum = Some(true);
                options.max_transfer_size = Some(65_536);
            }));
            let report = place.report(&path);
            assert_eq!(
                report.verdict,
                Verdict::Ok,
                "{:?} {:?}",
                report.reasons,
                report.damage
            );
            assert_eq!(u64::from(report.media.unwrap().physical_block_size), size);
            assert!(report.stream_checksums.ok > 0 && report.stream_checksums.bad == 0);
            assert_eq!(report.sets[0].compressed, compressed);
        }
    }
}

#[test]
fn percent_messages_come_before_the_pages_and_the_last_before_the_log() {
    let place = Place::new();
    place.add_rows(100);
    let statement = full(FULL).with(|options| {
        options.stats = Some(10);
        options.max_transfer_size = Some(65_536);
    });
    let answers = place.backup_ok(&statement);
    let told = told(&answers);
    let first_pages = told.iter().position(|number| *number == 4035).unwrap();
    assert!(
        told[..first_pages].iter().all(|number| *number == 3211),
        "{told:?}"
    );
    assert_eq!(told[first_pages..], [4035, 3211, 4035, 3014]);
    assert_eq!(texts(&answers)[first_pages + 1], "100 percent processed.");
}

#[test]
fn names_and_descriptions_are_in_the_file() {
    let place = Place::new();
    place.backup_ok(&full(FULL).with(|options| {
        options.name = word("nightly");
        options.description = word("job 17");
        options.media_name = word("shelf");
    }));
    let set = place.report(FULL).sets.remove(0);
    assert_eq!(
        (set.backup_name.as_str(), set.backup_description.as_str()),
        ("nightly", "job 17")
    );
    assert_eq!(set.user_name, "sa");
    assert_eq!(set.server_name, "BAC2SIM");
}

#[test]
fn a_tail_with_norecovery_leaves_the_database_restoring() {
    let place = Place::new();
    place.backup_ok(&full(FULL));
    place.add_rows(2);
    place.backup_ok(&log(LOG).with(|options| options.norecovery = true));
    let report = place.report(LOG);
    assert_eq!(
        report.verdict,
        Verdict::Ok,
        "{:?} {:?}",
        report.reasons,
        report.damage
    );
    let state = place.instance.state();
    let entry = state.database(SHOP).unwrap();
    assert_eq!(entry.state, simsql::instance::DatabaseState::Restoring);
    let redo = entry.engine.as_ref().unwrap().boot().redo_start;
    assert_eq!(redo.map(|(lsn, _)| lsn), report.sets[0].last_lsn);
    drop(state);
    assert_eq!(place.refused(&log(LOG)), [927, 3013]);
}

#[test]
fn an_open_transaction_puts_the_first_lsn_before_the_checkpoint() {
    let place = Place::new();
    let now = place.instance.world.clock.now();
    let table = place.table();
    let transaction = place.engine(SHOP, |engine| {
        let transaction = engine.begin(now).unwrap();
        let row = [Value::Integer(1), Value::Text("open".to_owned())];
        engine.insert(transaction, table, &row).unwrap();
        transaction
    });
    place.backup_ok(&full(FULL));
    let report = place.report(FULL);
    assert_eq!(
        report.verdict,
        Verdict::Ok,
        "{:?} {:?}",
        report.reasons,
        report.damage
    );
    let set = &report.sets[0];
    assert!(set.first_lsn < set.checkpoint_lsn, "{set:?}");
    place.engine(SHOP, |engine| engine.rollback(transaction, now).unwrap());
}

#[test]
fn every_data_file_has_its_pages_and_its_message() {
    let place = Place::new();
    let now = place.instance.world.clock.now();
    place.engine(SHOP, |engine| {
        let mut file = engine.files()[0].clone();
        file.logical_name = "Shop2".to_owned();
        file.physical_name = "/sql/data/Shop2.ndf".to_owned();
        file.unique_id = uuid::Uuid::from_u128(9);
        engine.add_file(file, now).unwrap();
    });
    let answers = place.backup_ok(&full(FULL).with(|options| options.checksum = Some(true)));
    assert_eq!(told(&answers), [4035, 4035, 4035, 3014]);
    assert!(texts(&answers)[1].contains("file 'Shop2' on file 1."));
    let report = place.report(FULL);
    assert_eq!(
        report.verdict,
        Verdict::Ok,
        "{:?} {:?}",
        report.reasons,
        report.damage
    );
    assert_eq!(report.sets[0].files.len(), 3);
}

#[test]
fn a_tail_with_standby_leaves_the_database_to_be_read() {
    let place = Place::new();
    place.backup_ok(&full(FULL));
    place.add_rows(2);
    let tail = log(LOG).with(|options| options.standby = word("/sql/data/Shop.undo"));
    place.backup_ok(&tail);
    let report = place.report(LOG);
    assert_eq!(
        report.verdict,
        Verdict::Ok,
        "{:?} {:?}",
        report.reasons,
        report.damage
    );
    {
        let state = place.instance.state();
        let entry = state.database(SHOP).unwrap();
        assert_eq!(entry.state, simsql::instance::DatabaseState::Online);
        assert_eq!(entry.standby.as_deref(), Some("/sql/data/Shop.undo"));
    }
    assert!(place.engine(SHOP, |engine| engine.find_table("dbo", "Orders").is_some()));
    assert_eq!(place.refused(&log("/sql/backup/next.trn")), [3036, 3013]);
}
