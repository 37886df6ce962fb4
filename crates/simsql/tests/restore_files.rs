//! The files of a database that is restored or dropped: which of them are made, which stay, and that nobody else's are touched.
#![allow(missing_docs, clippy::unwrap_used)]

mod restoring;

use std::sync::Arc;

use bak::content::{Event, SetHeader};
use bak::writer::{BlockSize, MediaDescription, MediaWriter, SetDetails, SetPlan};
use bak::{ContentReader, FileType};
use restoring::{Bench, statement, word};
use simsql::engine::{RecoveryModel, side_files};
use simsql::instance::{DatabaseState, Version, alter_database, drop_database};
use simsql::tsql::restore::{RestoreStatement, RestoreWhat};
use simsql::tsql::statement::{AlterDatabase, DatabaseOption, Termination};
use uuid::Uuid;

const ADDED: &str = "/sim/data/more.ndf";

fn restore(what: RestoreWhat, name: &str, path: &str) -> RestoreStatement {
    let mut restore = statement(what, Some(name), &[path]);
    restore.options.norecovery = true;
    restore
}

fn moved(mut restore: RestoreStatement, files: &[(&str, &str)]) -> RestoreStatement {
    let moves = files.iter().map(|(logical, path)| (word(logical), word(path)));
    restore.options.moves.extend(moves);
    restore
}

/// `Copy` of a full backup, not recovered.
fn copy_of(bench: &mut Bench, path: &str) {
    let files = [("Shop", "/sim/data/copy.mdf"), ("Shop_log", "/sim/data/copy.ldf")];
    bench.does(&moved(restore(RestoreWhat::Database, "Copy", path), &files));
}

fn shop() -> Bench {
    let mut bench = Bench::new(Version::V2022);
    bench.make_shop();
    bench.add_rows("old", 20);
    bench.back_up("full", &["full.bak"], |_| {});
    bench
}

#[test]
fn a_file_that_was_added_never_goes_over_one_of_another_database() {
    let mut bench = shop();
    let now = bench.instance.world.clock.now();
    bench.engine("Shop", |engine| {
        let mut file = engine.files()[0].clone();
        file.logical_name = "More".to_owned();
        file.physical_name = ADDED.to_owned();
        file.unique_id = Uuid::from_u128(9);
        engine.add_file(file, now).unwrap();
    });
    bench.add_rows("new", 20);
    bench.back_up("log", &["log.trn"], |_| {});
    copy_of(&mut bench, "full.bak");
    let before = bench.memory.disk.bytes(ADDED).unwrap();
    let log = restore(RestoreWhat::Log, "Copy", "log.trn");
    assert_eq!(bench.fails(&log), [1834, 3156, 3119, 3013]);
    let taken = moved(log.clone(), &[("More", "/sim/data/copy.mdf")]);
    assert_eq!(bench.fails(&taken), [3176, 3119, 3013]);
    assert_eq!(
        bench.fails(&moved(log.clone(), &[("None", "/sim/data/x")])),
        [3234, 3013]
    );
    assert_eq!(bench.memory.disk.bytes(ADDED).unwrap(), before);
    bench.does(&moved(log, &[("More", "/sim/data/copy.ndf")]));
    bench.does(&statement(RestoreWhat::Database, Some("Copy"), &[]));
    assert_eq!(bench.rows("Copy").len(), 40);
    bench.check("Copy");
    assert!(bench.memory.disk.bytes("/sim/data/copy.ndf").is_some());
    assert_eq!(bench.memory.disk.bytes(ADDED).unwrap(), before);
}

#[test]
fn a_dropped_or_replaced_database_leaves_nothing_beside_its_files() {
    let mut bench = shop();
    let is_there = |bench: &Bench, paths: &[String]| {
        let there = paths
            .iter()
            .filter(|path| bench.memory.disk.bytes(path).is_some());
        there.count()
    };
    let beside = bench.engine("Shop", |engine| side_files(&engine.files()));
    assert!(
        is_there(&bench, &beside) > 0,
        "an open database has a file beside it"
    );
    copy_of(&mut bench, "full.bak");
    let of_copy = bench.engine("Copy", |engine| side_files(&engine.files()));
    let elsewhere = [("Shop", "/sim/data/2.mdf"), ("Shop_log", "/sim/data/2.ldf")];
    bench.does(&moved(
        restore(RestoreWhat::Database, "Copy", "full.bak"),
        &elsewhere,
    ));
    assert_eq!(is_there(&bench, &of_copy), 0);
    drop_database(&bench.session, &["Shop".to_owned()], false).unwrap();
    assert_eq!(is_there(&bench, &beside), 0);
}

#[test]
fn pages_that_are_sent_twice_count_once() {
    let mut bench = Bench::new(Version::V2022);
    bench.make_shop();
    let told = bench.back_up("full", &["full.bak"], |_| {});
    let counts = |texts: Vec<String>| -> Vec<u64> {
        let lines = texts.into_iter().filter(|text| text.starts_with("Processed "));
        lines
            .map(|text| text.split(' ').nth(1).unwrap().parse().unwrap())
            .collect()
    };
    let backed_up = counts(told.messages.into_iter().map(|message| message.text).collect());
    let mut again = statement(RestoreWhat::Database, Some("Shop"), &["full.bak"]);
    again.options.replace = true;
    let (told, done) = bench.run(&again);
    assert_eq!(done, Ok(()));
    let restored = counts(told.messages.into_iter().map(|message| message.text).collect());
    assert_eq!(restored, backed_up);
}

#[test]
fn a_differential_begins_the_log_chain_that_simple_broke() {
    let mut bench = shop();
    for model in [RecoveryModel::Simple, RecoveryModel::Full] {
        bench.engine("Shop", |engine| {
            engine
                .change_boot(&mut |boot| boot.recovery_model = model)
                .unwrap();
        });
    }
    assert_eq!(bench.boot("Shop").last_log_backup_lsn, None);
    bench.add_rows("between", 20);
    bench.back_up("diff", &["diff.bak"], |_| {});
    bench.add_rows("behind", 20);
    bench.back_up("log", &["log.trn"], |_| {});
    copy_of(&mut bench, "full.bak");
    bench.does(&restore(RestoreWhat::Database, "Copy", "diff.bak"));
    bench.does(&restore(RestoreWhat::Log, "Copy", "log.trn"));
    bench.does(&statement(RestoreWhat::Database, Some("Copy"), &[]));
    assert_eq!(bench.rows("Copy").len(), 60);
}

#[test]
fn a_restoring_database_is_not_opened_by_altering_it() {
    let mut bench = shop();
    copy_of(&mut bench, "full.bak");
    let clock = Arc::clone(&bench.memory.clock);
    for option in [
        DatabaseOption::Offline,
        DatabaseOption::Online,
        DatabaseOption::Emergency,
    ] {
        let alter = AlterDatabase::Set(vec![option], Termination::None);
        let failure = clock
            .run_one(alter_database(&mut bench.session, "Copy", &alter))
            .unwrap_err();
        let numbers: Vec<i32> = failure.messages.iter().map(|message| message.number).collect();
        assert_eq!(numbers, [5052, 5069]);
        assert_eq!(bench.state("Copy"), DatabaseState::Restoring);
    }
}

/// The headers of a backup.
fn header_of(bytes: &[u8]) -> SetHeader {
    let mut found = None;
    let mut reader = ContentReader::headers_only();
    let mut take = |event: Event| {
        if let Event::Commit(header) = event {
            found = Some(*header);
        }
    };
    reader.push(bytes, &mut take);
    let _ = reader.finish(&mut take);
    found.unwrap()
}

#[test]
fn a_set_whose_files_are_no_database_is_refused() {
    let mut bench = shop();
    let header = header_of(&bench.memory.disk.bytes("/sim/backup/full.bak").unwrap());
    let changes: [fn(&mut Vec<bak::DatabaseFile>); 4] = [
        |files| files.retain(|file| file.file_type == FileType::Data),
        |files| files.retain(|file| file.file_type == FileType::Log),
        |files| files[1].file_id = 1,
        |files| files[1].file_id = 70_000,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut set = header.set.clone();
        change(&mut set.files);
        let media = MediaDescription {
            media_set_id: Uuid::from_u128(1),
            family_number: 1,
            family_count: 1,
            block_size: BlockSize::B4096,
            date: set.backup_finish_date.unwrap(),
            compressed: false,
            name: String::new(),
            description: String::new(),
        };
        let mut writer = MediaWriter::new(Vec::new(), media);
        let plan = SetPlan {
            set: set.clone(),
            data_pages: Vec::new(),
            details: SetDetails::default(),
        };
        writer.begin_set(plan).commit(set);
        let path = format!("/sim/backup/{number}.bak");
        bench.memory.disk.put(&path, writer.sink_mut().clone());
        let files = [("Shop", "/sim/data/x.mdf"), ("Shop_log", "/sim/data/x.ldf")];
        let hostile = moved(restore(RestoreWhat::Database, "New", &path), &files);
        assert_eq!(bench.fails(&hostile), [3241, 3013], "{number}");
        assert!(bench.instance.state().database("New").is_none());
    }
}
