//! Media that are there already: appended to, overwritten, refused; and mirrors.

use bak::Verdict;

use crate::support::{Place, With, disk, full, log, texts, word};

const FILE: &str = "/sql/backup/a.bak";

#[test]
fn a_second_backup_goes_behind_the_first() {
    let place = Place::new();
    for compressed in [false, true] {
        let path = format!("/sql/backup/{compressed}.bak");
        let options = |statement: simsql::tsql::backup::BackupStatement| {
            statement.with(|options| options.compression = Some(compressed))
        };
        place.backup_ok(&options(full(&path)));
        place.add_rows(2);
        let answers = place.backup_ok(&options(log(&path)));
        assert!(
            texts(&answers)[0].ends_with("on file 2."),
            "{:?}",
            texts(&answers)
        );
        let report = place.report(&path);
        assert_eq!(
            report.verdict,
            Verdict::Ok,
            "{:?} {:?}",
            report.reasons,
            report.damage
        );
        assert_eq!(report.sets.len(), 2);
        assert_eq!(report.sets[1].position, 2);
    }
}

#[test]
fn init_overwrites_the_sets_and_keeps_the_media_and_format_makes_new_ones() {
    let place = Place::new();
    place.backup_ok(&full(FILE).with(|options| options.media_name = word("shelf")));
    let first = place.report(FILE).media.unwrap().media_set_id;
    place.backup_ok(&full(FILE).with(|options| options.init = Some(true)));
    let report = place.report(FILE);
    assert_eq!(
        (report.sets.len(), report.media.unwrap().media_set_id),
        (1, first)
    );
    place.backup_ok(&full(FILE).with(|options| options.format = Some(true)));
    let report = place.report(FILE);
    assert_eq!(report.sets.len(), 1);
    assert_ne!(report.media.unwrap().media_set_id, first);
    // Another name than the media have.
    place.backup_ok(&full(FILE).with(|options| {
        options.format = Some(true);
        options.media_name = word("shelf");
    }));
    let other = full(FILE).with(|options| options.media_name = word("rack"));
    assert_eq!(place.refused(&other), [4037, 3013]);
}

#[test]
fn media_that_do_not_fit_are_refused_before_a_byte_is_written() {
    let place = Place::new();
    place.backup_ok(&full(FILE));
    place.backup_ok(&full("").to(&["/sql/backup/s1.bak", "/sql/backup/s2.bak"]));
    let before = place.bytes(FILE);
    let packed = full(FILE).with(|options| options.compression = Some(true));
    assert_eq!(place.refused(&packed), [3098, 3013]);
    let blocks = full(FILE).with(|options| options.block_size = Some(512));
    assert_eq!(place.refused(&blocks), [3272, 3013]);
    // One of two families; two of which one is new; twice the same.
    assert_eq!(place.refused(&full("/sql/backup/s1.bak")), [3231, 3013]);
    let new = full("").to(&["/sql/backup/s1.bak", "/sql/backup/new.bak"]);
    assert_eq!(place.refused(&new), [3132, 3013]);
    let twice = full("").to(&["/sql/backup/s1.bak", "/sql/backup/s1.bak"]);
    assert_eq!(place.refused(&twice), [3227, 3013]);
    place.backup_ok(&full("").to(&["/sql/backup/t1.bak", "/sql/backup/t2.bak"]));
    let mixed = full("").to(&["/sql/backup/s1.bak", "/sql/backup/t2.bak"]);
    assert_eq!(place.refused(&mixed), [3258, 3013]);
    assert!(before == place.bytes(FILE));
    // What is no backup, and one that was cut off.
    place.memory.disk.put("/sql/backup/text", vec![b'x'; 9000]);
    assert_eq!(place.refused(&full("/sql/backup/text")), [3242, 3013]);
    let cut = before[..before.len() - 4096].to_vec();
    place.memory.disk.put("/sql/backup/cut", cut);
    assert_eq!(place.refused(&full("/sql/backup/cut")), [3266, 3013]);
    place.backup_ok(&full("/sql/backup/cut").with(|options| options.init = Some(true)));
}

#[test]
fn a_mirror_is_the_same_again() {
    let place = Place::new();
    let mut statement = full(FILE).with(|options| options.format = Some(true));
    statement.mirrors = vec![vec![disk("/sql/backup/mirror.bak")]];
    place.backup_ok(&statement);
    assert!(place.bytes(FILE) == place.bytes("/sql/backup/mirror.bak"));
    statement.options.format = None;
    statement.mirrors = vec![vec![disk("/sql/backup/n.bak")]];
    statement.devices = vec![disk("/sql/backup/m.bak")];
    assert_eq!(place.refused(&statement), [3215, 3013]);
}

#[test]
fn a_full_disk_ends_the_backup_and_nothing_is_based_on_it() {
    let place = Place::new();
    place.add_rows(400);
    let space = place.memory.world.disk.space("/sql");
    let used = space.total - space.free;
    // Enough for the checkpoint that a backup begins with.
    place.memory.disk.set_capacity(used + (1 << 20));
    let (outcome, _) = place.backup(&full(FILE));
    let failure = outcome.unwrap_err();
    assert_eq!(
        failure.messages[0].text,
        "Write on \"/sql/backup/a.bak\" failed: 112(There is not enough space on the disk.)"
    );
    place.memory.disk.set_capacity(used + (1 << 30));
    let logged = place.instance.state().error_log.clone();
    assert!(logged.iter().any(|(_, line)| {
        line.text
            == "BackupIoRequest::ReportIoError: write failure on backup device '/sql/backup/a.bak'. Operating system error 112(There is not enough space on the disk.)."
    }));
    let base = place.engine(crate::support::SHOP, |engine| engine.boot().differential_base);
    assert_eq!(base, None);
    // The next one begins anew on what the failed one left.
    place.backup_ok(&full(FILE).with(|options| options.init = Some(true)));
}

#[test]
fn a_set_that_has_not_expired_is_overwritten_only_when_asked_twice() {
    let place = Place::new();
    for compressed in [false, true] {
        let path = format!("/sql/backup/{compressed}");
        place.backup_ok(&full(&path).with(|options| {
            options.retain_days = Some(3);
            options.compression = Some(compressed);
        }));
        let again = full(&path).with(|options| {
            options.init = Some(true);
            options.compression = Some(compressed);
        });
        let (outcome, _) = place.backup(&again);
        let failure = outcome.unwrap_err();
        assert_eq!(
            failure.messages[0].text,
            format!(
                "The medium on device '{path}' expires on Jan  4 2026 12:00:00:000AM and cannot be overwritten."
            )
        );
        assert_eq!(failure.messages[1].number, 3013);
        place.backup_ok(&again.clone().with(|options| options.skip = Some(true)));
        // The one that is there now never expires.
        place.backup_ok(&again);
    }
    let until = full("/sql/backup/until").with(|options| options.expire_date = word("2026-01-02 06:00"));
    place.backup_ok(&until);
    let again = full("/sql/backup/until").with(|options| options.init = Some(true));
    assert_eq!(place.refused(&again), [4030, 3013]);
    place
        .memory
        .clock
        .advance(std::time::Duration::from_secs(2 * 86_400));
    place.backup_ok(&again);
}
