//! The life of a database through the engine's own deeds, where one thing at a time goes wrong: a full log, a boot page that the
//! power tears, a file that is being added.

#![allow(missing_docs, clippy::unwrap_used)]

use std::ops::ControlFlow;

use bak::FileType;
use simsql::engine::{
    DataKind, DatabaseFile, Engine, EngineError, Opening, RecoveryModel, Stop, TableId, TransactionId,
    side_files,
};
use simsql::memory::Disk;
use simsql::moment::Moment;
use simsql::value::Value;
use simsql::world::Disk as _;
use uuid::Uuid;

#[allow(dead_code)] // Shared by several judges, each of which uses its part.
mod workload;

use workload::{Chance, assert_sound, definition, files, plan, read, world};

const DATA: &str = "/data";
const AT: Moment = Moment(1_767_225_600_000_000);

fn new_disk() -> Disk {
    let disk = Disk::new();
    disk.create_directory(DATA).unwrap();
    disk
}

fn reopen(disk: &Disk) -> Engine {
    Engine::open(&world(disk), files(DATA), Opening::Recover { at: AT }).unwrap()
}

fn insert(
    engine: &mut Engine,
    transaction: TransactionId,
    table: TableId,
    key: i64,
    bytes: usize,
) -> Result<(), EngineError> {
    let row = [Value::Integer(key), Value::Text("x".repeat(bytes))];
    engine.insert(transaction, table, &row).map(drop)
}

fn keys(engine: &mut Engine, table: TableId) -> Vec<i64> {
    let mut keys = Vec::new();
    let visit = &mut |_, values: Vec<Value>| {
        if let Some(Value::Integer(key)) = values.first() {
            keys.push(*key);
        }
        ControlFlow::Continue(())
    };
    engine.scan(table, visit).unwrap();
    keys.sort_unstable();
    keys
}

fn new_table(engine: &mut Engine) -> TableId {
    let transaction = engine.begin(AT).unwrap();
    let table = engine.create_table(transaction, &definition("t")).unwrap();
    engine.commit(transaction, AT).unwrap();
    table
}

/// Takes a full backup and a log backup as far as the engine is concerned.
fn backed_up(engine: &mut Engine) {
    let backup = engine.begin_data_backup(DataKind::Full, AT).unwrap();
    engine
        .end_data_backup(&backup, Some(Uuid::from_u128(5)), AT)
        .unwrap();
}

#[test]
fn a_full_log_refuses_work_and_lets_it_be_undone() {
    let disk = new_disk();
    let mut plan = plan(DATA, RecoveryModel::Full);
    for file in &mut plan.files {
        if file.file_type == FileType::Log {
            file.growth = 0;
        }
    }
    let mut engine = Engine::create(&world(&disk), plan, AT).unwrap();
    let table = new_table(&mut engine);
    backed_up(&mut engine);
    let transaction = engine.begin(AT).unwrap();
    let mut done = Vec::new();
    let full = (0..10_000).find_map(|key| {
        let mark = engine.mark(transaction);
        match insert(&mut engine, transaction, table, key, 500) {
            Ok(()) => {
                done.push(key);
                None
            }
            Err(error) => {
                engine.rollback_to(transaction, mark).unwrap();
                Some(error)
            }
        }
    });
    assert_eq!(full, Some(EngineError::LogFull));
    assert_eq!(keys(&mut engine, table), done);
    // Another transaction that has work in the log can still commit, this one be undone as a whole.
    engine.rollback(transaction, AT).unwrap();
    assert!(keys(&mut engine, table).is_empty());
    assert_sound(&mut engine);
    // A log backup makes room.
    let end = engine.close_log(AT).unwrap();
    engine.checkpoint(AT).unwrap();
    engine.end_log_backup(end, AT).unwrap();
    let transaction = engine.begin(AT).unwrap();
    insert(&mut engine, transaction, table, 1, 500).unwrap();
    engine.commit(transaction, AT).unwrap();
    drop(engine);
    let mut engine = reopen(&disk);
    assert_eq!(keys(&mut engine, table), [1]);
    assert_sound(&mut engine);
}

#[test]
fn a_boot_page_that_the_power_tears_is_the_old_or_the_new_one() {
    let start = new_disk();
    let engine = Engine::create(&world(&start), plan(DATA, RecoveryModel::Full), AT).unwrap();
    drop(engine);
    for operations in 0..30 {
        for seed in 0..6 {
            let disk = start.snapshot();
            let mut engine = reopen(&disk);
            disk.cut_power_after(Some(operations));
            let changed = engine.change_boot(&mut |boot| {
                boot.name = "another".to_owned();
                boot.binding_id = Uuid::from_u128(77);
                boot.option_bits = 9;
            });
            let chance = Chance::new(seed);
            let found = disk.after_power_loss(&mut || chance.one_in(2));
            let mut engine = reopen(&found);
            let name = engine.boot().name.clone();
            if changed.is_ok() {
                assert_eq!(name, "another", "{operations} operations, seed {seed}");
            }
            assert!(name == "db" || name == "another");
            assert_sound(&mut engine);
        }
    }
}

fn second_file() -> DatabaseFile {
    DatabaseFile {
        file_id: 0,
        logical_name: "db2".to_owned(),
        physical_name: format!("{DATA}/db2.ndf"),
        file_type: FileType::Data,
        unique_id: Uuid::from_u128(3),
        size: 64,
        max_size: u32::MAX,
        growth: 64,
        create_lsn: None,
    }
}

#[test]
fn a_file_that_is_added_when_the_power_goes_is_there_or_not() {
    let start = new_disk();
    let engine = Engine::create(&world(&start), plan(DATA, RecoveryModel::Full), AT).unwrap();
    drop(engine);
    for operations in 0..25 {
        let disk = start.snapshot();
        let mut engine = reopen(&disk);
        disk.cut_power_after(Some(operations));
        let added = engine.add_file(second_file(), AT);
        let chance = Chance::new(operations);
        let found = disk.after_power_loss(&mut || chance.one_in(2));
        // Whoever keeps the list of files did not learn of it.
        let mut engine = reopen(&found);
        let present = engine.files().iter().any(|file| file.file_id == 3);
        assert!(present || added.is_err(), "{operations} operations");
        assert_sound(&mut engine);
        let table = new_table(&mut engine);
        let transaction = engine.begin(AT).unwrap();
        for key in 0..50 {
            insert(&mut engine, transaction, table, key, 3000).unwrap();
        }
        engine.commit(transaction, AT).unwrap();
        assert_eq!(keys(&mut engine, table).len(), 50);
        assert_sound(&mut engine);
    }
}

#[test]
fn a_file_added_since_the_full_comes_with_the_log() {
    let disk = new_disk();
    let mut engine = Engine::create(&world(&disk), plan(DATA, RecoveryModel::Full), AT).unwrap();
    let table = new_table(&mut engine);
    let full = engine.begin_data_backup(DataKind::Full, AT).unwrap();
    let mut extents = Vec::new();
    for file in &full.files {
        for extent in &file.extents {
            let mut bytes = Vec::new();
            engine
                .read_extents(file.file_id, *extent, 1, true, &mut bytes)
                .unwrap();
            extents.push((file.file_id, *extent, bytes));
        }
    }
    engine
        .end_data_backup(&full, Some(Uuid::from_u128(5)), AT)
        .unwrap();
    assert_eq!(engine.add_file(second_file(), AT), Ok(3));
    let transaction = engine.begin(AT).unwrap();
    for key in 0..400 {
        insert(&mut engine, transaction, table, key, 3000).unwrap();
    }
    engine.commit(transaction, AT).unwrap();
    let used = engine.space(3).unwrap().0;
    assert!(used > 8, "the second file is used: {used} pages");
    let expected = read(&mut engine);
    let end = engine.close_log(AT).unwrap();
    let pieces = engine.log_pieces(full.first_lsn, end).unwrap();
    let disk = Disk::new();
    disk.create_directory("/target").unwrap();
    let mut target = Engine::begin_restore(&world(&disk), files("/target")).unwrap();
    for (file, extent, bytes) in &extents {
        target.restore_extent(*file, *extent, bytes).unwrap();
    }
    target.end_restore_pages().unwrap();
    for piece in pieces {
        let (start, end) = (piece.segment.start, piece.segment.end);
        let mut bytes = Vec::new();
        engine
            .read_log(start, (end - start) as usize, &mut bytes)
            .unwrap();
        target.restore_log(&piece.segment, start, &bytes).unwrap();
    }
    // Where it lay may be anybody's here: whoever restores says where it is to be.
    let refused = target.redo(Stop::End);
    assert!(matches!(refused, Err(EngineError::Log { .. })), "{refused:?}");
    target.move_added_file("DB2", "/target/db2.ndf");
    assert_eq!(target.redo(Stop::End).unwrap().next_lsn, end);
    target.recover(Uuid::from_u128(8), AT).unwrap();
    assert_eq!(read(&mut target), expected);
    assert_sound(&mut target);
    let names: Vec<_> = target
        .files()
        .into_iter()
        .map(|file| file.physical_name)
        .collect();
    assert!(names.contains(&"/target/db2.ndf".to_owned()));
}

#[test]
fn a_closed_database_leaves_its_files_alone_behind() {
    let disk = new_disk();
    let mut engine = Engine::create(&world(&disk), plan(DATA, RecoveryModel::Simple), AT).unwrap();
    let table = new_table(&mut engine);
    let transaction = engine.begin(AT).unwrap();
    insert(&mut engine, transaction, table, 1, 10).unwrap();
    engine.commit(transaction, AT).unwrap();
    let open = engine.begin(AT).unwrap();
    insert(&mut engine, open, table, 2, 10).unwrap();
    let beside = side_files(&engine.files());
    engine.close(AT).unwrap();
    assert!(beside.iter().all(|path| disk.look(path).is_none()));
    // What was open when it was closed is rolled back.
    assert_eq!(keys(&mut reopen(&disk), table), [1]);
    // A database that could not be made leaves nothing.
    disk.set_capacity(1);
    let mut refused = plan(DATA, RecoveryModel::Simple);
    for file in &mut refused.files {
        file.physical_name = file.physical_name.replace("db", "other");
    }
    assert!(Engine::create(&world(&disk), refused, AT).is_err());
    assert!(
        disk.list(DATA)
            .unwrap()
            .iter()
            .all(|name| !name.contains("other"))
    );
}

/// The page reached its file before the power went, the bit of its extent had no reason to: redo has to set it.
#[test]
fn an_extent_that_changed_before_a_crash_is_in_the_next_differential() {
    let disk = new_disk();
    let mut engine = Engine::create(&world(&disk), plan(DATA, RecoveryModel::Full), AT).unwrap();
    let table = new_table(&mut engine);
    let transaction = engine.begin(AT).unwrap();
    let row = [Value::Integer(1), Value::Text("x".repeat(100))];
    let place = engine.insert(transaction, table, &row).unwrap();
    engine.commit(transaction, AT).unwrap();
    backed_up(&mut engine);
    engine.checkpoint(AT).unwrap();
    let extent = place.page.page / 8;
    let differential = |engine: &mut Engine| {
        let backup = engine.begin_data_backup(DataKind::Differential, AT).unwrap();
        engine.end_data_backup(&backup, None, AT).unwrap();
        backup.files[0].extents.clone()
    };
    assert!(
        !differential(&mut engine).contains(&extent),
        "nothing of it changed"
    );
    engine.set_pool_limit(1);
    let transaction = engine.begin(AT).unwrap();
    let row = [Value::Integer(1), Value::Text("y".repeat(100))];
    engine.update(transaction, table, place, &row).unwrap();
    engine.commit(transaction, AT).unwrap();
    assert_eq!(keys(&mut engine, table), [1]);
    let disk = disk.snapshot();
    let mut engine = reopen(&disk);
    assert!(differential(&mut engine).contains(&extent));
    // A further full takes all of it, and the extent is as good as unchanged again.
    backed_up(&mut engine);
    assert!(!differential(&mut engine).contains(&extent));
}
