//! The states that a restore leaves a database in: where its process ends in the midst of it, where it is cancelled, on another
//! recovery path, READ_ONLY and in standby.
#![allow(missing_docs, clippy::unwrap_used)]

mod restoring;

use std::sync::Arc;

use restoring::{Bench, statement, word};
use simsql::instance::locks::Bulk;
use simsql::instance::{DatabaseState, Instance, Settings, Version, alter_database};
use simsql::memory::{Disk, Memory};
use simsql::tsql::restore::{RestoreStatement, RestoreWhat, StopOption};
use simsql::tsql::statement::{AlterDatabase, DatabaseOption, Termination};
use simsql::world::World;
use uuid::Uuid;

const UNDO: &str = "/sim/data/undo";
/// No message.
const NONE: [i32; 0] = [];

fn restore(what: RestoreWhat, name: &str, path: &str) -> RestoreStatement {
    let mut restore = statement(what, Some(name), &[path]);
    restore.options.norecovery = true;
    restore
}

/// RESTORE DATABASE ... WITH RECOVERY.
fn end(name: &str) -> RestoreStatement {
    statement(RestoreWhat::Database, Some(name), &[])
}

/// `Copy` of a full backup, not recovered.
fn copy_of(bench: &mut Bench, path: &str) {
    let mut copy = restore(RestoreWhat::Database, "Copy", path);
    for (logical, extension) in [("Shop", "mdf"), ("Shop_log", "ldf")] {
        let path = format!("/sim/data/copy.{extension}");
        copy.options.moves.push((word(logical), word(&path)));
    }
    bench.does(&copy);
}

fn shop() -> Bench {
    let mut bench = Bench::new(Version::V2022);
    bench.make_shop();
    bench.add_rows("old", 20);
    bench.back_up("full", &["full.bak"], |_| {});
    bench
}

/// An instance that starts on a disk as it is.
fn started_on(bench: &Bench, disk: Disk) -> Bench {
    let disk = Arc::new(disk);
    let memory = Memory {
        clock: Arc::clone(&bench.memory.clock),
        disk: Arc::clone(&disk),
        world: World {
            disk,
            ..bench.memory.world.clone()
        },
    };
    let settings = Settings {
        initial_pages: 128,
        ..Settings::new(Version::V2022, "/sim")
    };
    let instance = Instance::start(memory.world.clone(), settings).unwrap();
    let session = instance.attach("sa").unwrap();
    Bench {
        memory,
        instance,
        session,
    }
}

/// What is found after a start behind a loss of power, for each operation of the disk that `statement` may end at.
fn cut_everywhere(bench: &Bench, statement: &RestoreStatement, mut judge: impl FnMut(Bench)) {
    for operations in (0..).step_by(2) {
        let mut cut = started_on(bench, bench.memory.disk.snapshot());
        let before = cut.memory.disk.operations();
        cut.memory.disk.cut_power_after(Some(operations));
        let _ = cut.run(statement);
        let is_over = cut.memory.disk.operations() < before + operations;
        judge(started_on(bench, cut.memory.disk.after_power_loss(&mut || true)));
        if is_over {
            assert!(operations > 10, "the statement was cut off now and then");
            return;
        }
    }
}

fn alter(bench: &mut Bench, name: &str, option: DatabaseOption) -> Vec<i32> {
    let clock = Arc::clone(&bench.memory.clock);
    let set = AlterDatabase::Set(vec![option], Termination::NoWait);
    let done = clock.run_one(alter_database(&mut bench.session, name, &set));
    let messages = done.err().map(|failure| failure.messages).unwrap_or_default();
    messages.iter().map(|message| message.number).collect()
}

#[test]
fn a_recovery_that_was_cut_off_is_ended_after_a_restart() {
    let mut bench = shop();
    bench.add_rows("new", 5);
    bench.back_up("log", &["log.trn"], |_| {});
    copy_of(&mut bench, "full.bak");
    bench.does(&restore(RestoreWhat::Log, "Copy", "log.trn"));
    let mut again = 0;
    cut_everywhere(&bench, &end("Copy"), |mut found| {
        if found.state("Copy") == DatabaseState::Restoring {
            found.does(&end("Copy"));
            again += 1;
        }
        assert_eq!(found.state("Copy"), DatabaseState::Online);
        assert_eq!(found.rows("Copy").len(), 25);
        found.check("Copy");
    });
    assert!(again > 1);
}

#[test]
fn a_file_that_the_log_adds_is_known_wherever_the_process_ends() {
    let mut bench = shop();
    let now = bench.instance.world.clock.now();
    bench.engine("Shop", |engine| {
        let mut file = engine.files()[0].clone();
        file.logical_name = "More".to_owned();
        file.physical_name = "/sim/data/more.ndf".to_owned();
        file.unique_id = Uuid::from_u128(9);
        engine.add_file(file, now).unwrap();
    });
    bench.add_rows("new", 5);
    bench.back_up("log", &["log.trn"], |_| {});
    copy_of(&mut bench, "full.bak");
    let mut log = restore(RestoreWhat::Log, "Copy", "log.trn");
    log.options.moves.push((word("More"), word("/sim/data/copy.ndf")));
    cut_everywhere(&bench, &log, |mut found| {
        if let (_, Err(failure)) = found.run(&log) {
            assert_eq!(failure.messages[0].number, 4326, "{failure:?}");
        }
        found.does(&end("Copy"));
        assert_eq!(found.rows("Copy").len(), 25);
        assert_eq!(found.engine("Copy", |engine| engine.files()).len(), 3);
        found.check("Copy");
    });
}

#[test]
fn a_tail_is_the_last_of_its_database_wherever_the_process_ends() {
    let mut bench = shop();
    bench.add_rows("new", 5);
    // Its undo file has no directory: the database is given up, but not readable.
    let mut order = simsql::tsql::backup::BackupStatement {
        what: simsql::tsql::backup::BackupWhat::Log,
        database: word("Shop"),
        files: Vec::new(),
        filegroups: Vec::new(),
        read_write_filegroups: false,
        devices: statement(RestoreWhat::Log, None, &["tail.trn"]).devices,
        mirrors: Vec::new(),
        options: simsql::tsql::backup::BackupOptions::default(),
    };
    order.options.standby = Some(word("/nowhere/undo"));
    let mut answers = simsql::answers::Transcript::default();
    let clock = Arc::clone(&bench.memory.clock);
    let done = clock.run_one(simsql::backup::run(&mut bench.session, &order, &mut answers));
    assert!(done.is_err());
    assert_eq!(bench.state("Shop"), DatabaseState::Restoring);
    let mut found = started_on(&bench, bench.memory.disk.snapshot());
    assert_eq!(found.state("Shop"), DatabaseState::Restoring);
    for bench in [&mut bench, &mut found] {
        bench.does(&end("Shop"));
        assert_eq!(bench.rows("Shop").len(), 25);
    }
}

#[test]
fn a_recovery_hears_that_it_is_cancelled_and_is_begun_again() {
    let mut bench = shop();
    copy_of(&mut bench, "full.bak");
    bench.session.canceller.cancel();
    let (_, done) = bench.run(&end("Copy"));
    assert_eq!(done.unwrap_err().messages, []);
    assert_eq!(bench.state("Copy"), DatabaseState::Restoring);
    bench.session.canceller.reset();
    bench.does(&end("Copy"));
    assert_eq!(bench.rows("Copy").len(), 20);
    bench.check("Copy");
}

#[test]
fn a_differential_of_another_recovery_path_goes_over_its_base_alone() {
    let mut bench = shop();
    bench.add_rows("left behind", 20);
    bench.pass(2);
    bench.back_up("diff", &["left.bak"], |_| {});
    // Back to the full backup: another path begins.
    let mut back = statement(RestoreWhat::Database, Some("Shop"), &["full.bak"]);
    back.options.replace = true;
    bench.does(&back);
    bench.add_rows("new", 5);
    bench.back_up("diff", &["new.bak"], |_| {});
    bench.add_rows("newer", 200);
    bench.back_up("diff", &["newer.bak"], |_| {});
    copy_of(&mut bench, "full.bak");
    bench.does(&restore(RestoreWhat::Database, "Copy", "new.bak"));
    bench.does(&restore(RestoreWhat::Database, "Copy", "newer.bak"));
    bench.does(&end("Copy"));
    assert_eq!(bench.rows("Copy").len(), 225);
    // The other way round: that of the first path ends the second one's.
    copy_of_again(&mut bench);
    bench.does(&restore(RestoreWhat::Database, "Copy", "left.bak"));
    let numbers = bench.fails(&restore(RestoreWhat::Database, "Copy", "newer.bak"));
    assert_eq!(numbers, [3121, 3013]);
    bench.does(&end("Copy"));
    assert_eq!(bench.rows("Copy").len(), 40);
    bench.check("Copy");
}

fn copy_of_again(bench: &mut Bench) {
    let mut copy = restore(RestoreWhat::Database, "Copy", "full.bak");
    copy.options.replace = true;
    bench.does(&copy);
}

#[test]
fn a_database_that_was_read_only_is_so_again() {
    let mut bench = shop();
    assert_eq!(alter(&mut bench, "Shop", DatabaseOption::ReadOnly(true)), NONE);
    bench.back_up("full", &["readonly.bak"], |_| {});
    for path in ["readonly.bak", "full.bak"] {
        if bench.instance.state().database("Copy").is_some() {
            let mut again = restore(RestoreWhat::Database, "Copy", path);
            again.options.replace = true;
            bench.does(&again);
        } else {
            copy_of(&mut bench, path);
        }
        let mut standby = end("Copy");
        standby.options.standby = Some(word(UNDO));
        bench.does(&standby);
        bench.does(&end("Copy"));
        let state = bench.instance.state();
        let is_read_only = state.database("Copy").unwrap().is_read_only;
        assert_eq!(is_read_only, path == "readonly.bak", "{path}");
    }
}

#[test]
fn a_database_in_standby_comes_online_again() {
    let mut bench = shop();
    copy_of(&mut bench, "full.bak");
    let mut standby = end("Copy");
    standby.options.standby = Some(word(UNDO));
    bench.does(&standby);
    assert_eq!(alter(&mut bench, "Copy", DatabaseOption::Offline), NONE);
    assert_eq!(bench.state("Copy"), DatabaseState::Offline);
    assert_eq!(alter(&mut bench, "Copy", DatabaseOption::Online), NONE);
    assert_eq!(bench.state("Copy"), DatabaseState::Online);
    assert_eq!(bench.rows("Copy").len(), 20);
    let state = bench.instance.state();
    assert_eq!(state.database("Copy").unwrap().standby.as_deref(), Some(UNDO));
}

#[test]
fn the_undo_file_of_another_database_is_not_written_over() {
    let mut bench = shop();
    copy_of(&mut bench, "full.bak");
    let mut standby = end("Copy");
    standby.options.standby = Some(word(UNDO));
    bench.does(&standby);
    let mut other = restore(RestoreWhat::Database, "Other", "full.bak");
    for (logical, extension) in [("Shop", "mdf"), ("Shop_log", "ldf")] {
        let path = format!("/sim/data/other.{extension}");
        other.options.moves.push((word(logical), word(&path)));
    }
    bench.does(&other);
    let mut stands_by = end("Other");
    // However it is written.
    for path in [UNDO, "/sim/./DATA/undo"] {
        stands_by.options.standby = Some(word(path));
        assert_eq!(bench.fails(&stands_by), [5123, 3013], "{path}");
    }
    stands_by.options.standby = Some(word("/sim/data/undo2"));
    bench.does(&stands_by);
    // Its own it may write anew, and goes on from it.
    bench.does(&standby);
    bench.does(&end("Copy"));
    assert_eq!(bench.rows("Copy").len(), 20);
}

#[test]
fn a_stop_before_the_end_of_a_copy_only_backup_is_too_early() {
    let mut bench = shop();
    let before = bench.time();
    bench.pass(10);
    bench.add_rows("copied", 5);
    bench.back_up("full", &["copy.bak"], |order| order.options.copy_only = true);
    bench.add_rows("behind", 5);
    bench.pass(10);
    bench.back_up("log", &["log.trn"], |_| {});
    copy_of(&mut bench, "copy.bak");
    let mut log = restore(RestoreWhat::Log, "Copy", "log.trn");
    log.options.stop = Some(StopOption::At(word(&before)));
    assert_eq!(bench.fails(&log), [4335, 3013]);
    log.options.stop = None;
    bench.does(&log);
    bench.does(&end("Copy"));
    assert_eq!(bench.rows("Copy").len(), 30);
}

#[test]
fn a_commit_before_the_time_that_getdate_told_is_redone() {
    let mut bench = shop();
    let rest = 1_000_000 - bench.instance.world.clock.now().0.rem_euclid(1_000_000);
    let clock = Arc::clone(&bench.memory.clock);
    // 4.9 ms behind a whole second a datetime reads 3.33 ms.
    clock.advance(std::time::Duration::from_micros(rest as u64 + 4_900));
    bench.add_rows("in time", 5);
    let stop = format!("{}.003", bench.time());
    clock.advance(std::time::Duration::from_micros(200));
    bench.add_rows("too late", 5);
    bench.back_up("log", &["log.trn"], |_| {});
    copy_of(&mut bench, "full.bak");
    let mut log = restore(RestoreWhat::Log, "Copy", "log.trn");
    log.options.stop = Some(StopOption::At(word(&stop)));
    bench.does(&log);
    bench.does(&end("Copy"));
    assert_eq!(bench.rows("Copy").len(), 25);
}

#[test]
fn a_restore_waits_for_whoever_writes_to_the_history() {
    let mut bench = shop();
    let lock = |bench: &Bench, table: &str, owner: Option<u16>| {
        let mut state = bench.instance.state();
        let entry = state.database_mut("msdb").unwrap();
        let table = entry
            .engine
            .as_ref()
            .unwrap()
            .find_table("dbo", table)
            .unwrap()
            .id;
        match owner {
            Some(owner) => drop(entry.locks.tables.insert(table, owner)),
            None => drop(entry.locks.tables.remove(&table)),
        }
    };
    bench.session.lock_timeout = 100;
    lock(&bench, "restorehistory", Some(200));
    copy_of(&mut bench, "full.bak");
    assert_eq!(bench.msdb("restorehistory").len(), 0);
    lock(&bench, "restorehistory", None);
    // One that is not written to is in nobody's way.
    lock(&bench, "suspect_pages", Some(200));
    copy_of_again(&mut bench);
    assert_eq!(bench.msdb("restorehistory").len(), 1);
}

#[test]
fn a_log_that_makes_files_longer_than_the_disk_is_refused() {
    let mut bench = shop();
    bench.engine("Shop", |engine| assert!(engine.files()[0].size < 4096));
    bench.add_rows("much", 800);
    bench.back_up("log", &["log.trn"], |_| {});
    copy_of(&mut bench, "full.bak");
    let used = {
        let space = bench.memory.world.disk.space("/sim/data");
        space.total - space.free
    };
    bench.memory.disk.set_capacity(used + (1 << 20));
    let log = restore(RestoreWhat::Log, "Copy", "log.trn");
    assert_eq!(bench.fails(&log), [3257, 3119, 3013]);
    bench.memory.disk.set_capacity(1 << 40);
    bench.does(&log);
    // And no page lies far beyond what a set says of its files.
    bench.engine("Copy", |engine| {
        let far = engine.restore_extent(1, 1 << 27, &vec![0; 8 * restoring::PAGE]);
        assert_eq!(far, Err(simsql::engine::EngineError::DataFull));
    });
    bench.does(&end("Copy"));
    assert_eq!(bench.rows("Copy").len(), 820);
}

#[test]
fn all_log_files_of_a_database_are_made() {
    let bench = shop();
    let mut files = bench.engine("Shop", |engine| engine.files());
    files[1].physical_name = "/sim/data/a.ldf".to_owned();
    files[0].physical_name = "/sim/data/a.mdf".to_owned();
    let second = simsql::engine::DatabaseFile {
        file_id: 3,
        logical_name: "More".to_owned(),
        physical_name: "/sim/data/b.ldf".to_owned(),
        size: 24,
        ..files[1].clone()
    };
    files.push(second);
    let made = simsql::engine::Engine::begin_restore(&bench.memory.world, files).unwrap();
    assert_eq!(made.files()[2].size, 24);
    assert_eq!(
        bench.memory.disk.bytes("/sim/data/b.ldf").unwrap().len(),
        24 * restoring::PAGE
    );
}

#[test]
fn a_database_that_is_backed_up_is_not_taken_away_from_below() {
    let mut bench = shop();
    let lock = |bench: &Bench, other: Option<u16>| {
        let mut state = bench.instance.state();
        let bulk = &mut state.database_mut("Shop").unwrap().locks.bulk;
        match other {
            Some(session) => drop(bulk.insert(Bulk::Database, session)),
            None => bulk.clear(),
        }
    };
    lock(&bench, Some(200));
    assert_eq!(alter(&mut bench, "Shop", DatabaseOption::Emergency), [5061, 5069]);
    lock(&bench, None);
    assert_eq!(alter(&mut bench, "Shop", DatabaseOption::Emergency), NONE);
    lock(&bench, Some(200));
    assert_eq!(alter(&mut bench, "Shop", DatabaseOption::Online), [5061, 5069]);
    lock(&bench, None);
    assert_eq!(alter(&mut bench, "Shop", DatabaseOption::Online), NONE);
    assert_eq!(bench.rows("Shop").len(), 20);
    // Log that is gone is not passed over in silence.
    bench.engine("Shop", |engine| {
        let end = engine.log_facts().end_lsn;
        assert!(engine.log_pieces(bak::Lsn::ZERO, end).is_err());
    });
}

#[test]
fn what_was_logged_minimally_behind_a_log_backup_is_in_the_next_one() {
    let bench = shop();
    let now = bench.instance.world.clock.now();
    bench.engine("Shop", |engine| {
        let end = engine.close_log(now).unwrap();
        let newest = engine.checkpoint(now).unwrap();
        assert!(newest >= end);
        engine
            .change_boot(&mut |boot| boot.bulk_logged = Some(newest))
            .unwrap();
        engine.end_log_backup(end, now).unwrap();
        assert_eq!(engine.boot().bulk_logged, Some(newest));
        let end = engine.close_log(now).unwrap();
        engine.end_log_backup(end, now).unwrap();
        assert_eq!(engine.boot().bulk_logged, None);
    });
}
