//! An instance in memory, and statements of RESTORE made by hand.
#![allow(missing_docs, clippy::unwrap_used, dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use bak::ContentReader;
use bak::content::Event;
use simsql::answers::Transcript;
use simsql::engine::{Boot, Engine, RecoveryModel, TableDefinition};
use simsql::instance::{DatabaseState, Instance, Settings, Version, create_database};
use simsql::memory::Memory;
use simsql::message::Failure;
use simsql::session::Session;
use simsql::tsql::backup::{BackupOptions, BackupStatement, BackupWhat};
use simsql::tsql::device::DeviceName;
use simsql::tsql::restore::{RestoreOptions, RestoreStatement, RestoreWhat};
use simsql::tsql::statement::{CreateDatabase, Word};
use simsql::value::{Column, Length, SqlType, Value};

pub(crate) const PAGE: usize = 8192;

/// An instance and one session of `sa`.
pub(crate) struct Bench {
    pub(crate) memory: Memory,
    pub(crate) instance: Arc<Instance>,
    pub(crate) session: Session,
}

impl Bench {
    pub(crate) fn new(version: Version) -> Self {
        let memory = Memory::new(7);
        let settings = Settings {
            initial_pages: 128,
            ..Settings::new(version, "/sim")
        };
        let instance = Instance::start(memory.world.clone(), settings).unwrap();
        let session = instance.attach("sa").unwrap();
        Self {
            memory,
            instance,
            session,
        }
    }

    /// Runs a statement; its messages and rows, and how it ended.
    pub(crate) fn run(&mut self, statement: &RestoreStatement) -> (Transcript, Result<(), Failure>) {
        let mut transcript = Transcript::default();
        let clock = Arc::clone(&self.memory.clock);
        let done = clock.run_one(simsql::restore::run(
            &mut self.session,
            statement,
            &mut transcript,
        ));
        (transcript, done)
    }

    /// Runs a statement that succeeds; the numbers of its messages.
    pub(crate) fn does(&mut self, statement: &RestoreStatement) -> Vec<i32> {
        let (transcript, done) = self.run(statement);
        if let Err(failure) = done {
            panic!("{statement:?}: {failure:?}");
        }
        transcript.messages.iter().map(|message| message.number).collect()
    }

    /// Runs a statement that fails; the numbers of its errors.
    pub(crate) fn fails(&mut self, statement: &RestoreStatement) -> Vec<i32> {
        let (_, done) = self.run(statement);
        let failure = done.expect_err("it fails");
        failure.messages.iter().map(|message| message.number).collect()
    }

    /// The bytes of page `page` of a file on the disk.
    pub(crate) fn page(&self, path: &str, page: u32) -> Vec<u8> {
        let bytes = self.memory.disk.bytes(path).unwrap();
        bytes[page as usize * PAGE..][..PAGE].to_vec()
    }
}

pub(crate) fn word(text: &str) -> Word {
    Word::Literal(text.to_owned())
}

pub(crate) fn statement(what: RestoreWhat, database: Option<&str>, paths: &[&str]) -> RestoreStatement {
    RestoreStatement {
        what,
        database: database.map(word),
        files: Vec::new(),
        pages: None,
        devices: paths.iter().map(|path| DeviceName::Disk(word(path))).collect(),
        snapshot: None,
        options: RestoreOptions::default(),
    }
}

/// A column of a row by its name.
pub(crate) fn cell<'a>(transcript: &'a Transcript, row: usize, column: &str) -> &'a Value {
    let result = &transcript.results[0];
    let index = result
        .columns
        .iter()
        .position(|known| known.name == column)
        .unwrap_or_else(|| panic!("there is no column {column}"));
    &result.rows[row][index]
}

/// A page: file, number, and bytes.
type Place = ((u16, u32), Vec<u8>);

/// The pages of a set by file and number, later passes over earlier ones.
pub(crate) fn pages_of(files: &[&[u8]], position: u16) -> BTreeMap<(u16, u32), Vec<u8>> {
    let mut passes: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
    for file in files {
        let mut reader = ContentReader::of_set(position);
        let mut take = |event: Event| {
            if let Event::Extent(extent) = event {
                for (page, slot) in extent.pages.chunks(PAGE).zip(0..) {
                    let id = (extent.file_id, extent.first_page + slot);
                    passes.entry(extent.pass).or_default().push((id, page.to_vec()));
                }
            }
        };
        for slice in file.chunks(60_000) {
            reader.push(slice, &mut take);
        }
        let _ = reader.finish(&mut take);
    }
    passes.into_values().flatten().collect()
}

/// What tests do with a database.
impl Bench {
    /// A database under FULL.
    pub(crate) fn make_database(&mut self, name: &str) {
        let create = CreateDatabase {
            name: name.to_owned(),
            data: Vec::new(),
            log: Vec::new(),
            collation: None,
            attach: false,
        };
        create_database(&self.session, &create).unwrap();
        self.engine(name, |engine| {
            engine
                .change_boot(&mut |boot| boot.recovery_model = RecoveryModel::Full)
                .unwrap();
        });
    }

    /// The database `Shop` with the table `Orders` of one column.
    pub(crate) fn make_shop(&mut self) {
        self.make_database("Shop");
        let now = self.instance.world.clock.now();
        self.engine("Shop", |engine| {
            let transaction = engine.begin(now).unwrap();
            let definition = TableDefinition {
                schema: "dbo".to_owned(),
                name: "Orders".to_owned(),
                columns: vec![
                    Column::new("what", SqlType::VarChar(Length::Of(40))),
                    Column::new("filler", SqlType::VarChar(Length::Of(4000))),
                ],
                primary_key: Vec::new(),
                identity: None,
                defaults: vec![None, None],
            };
            engine.create_table(transaction, &definition).unwrap();
            engine.commit(transaction, now).unwrap();
        });
    }

    pub(crate) fn engine<T>(&self, database: &str, deed: impl FnOnce(&mut Engine) -> T) -> T {
        let mut state = self.instance.state();
        deed(state.database_mut(database).unwrap().engine.as_mut().unwrap())
    }

    pub(crate) fn add_rows(&mut self, text: &str, count: usize) {
        self.add_rows_to("Shop", text, count);
    }

    pub(crate) fn add_rows_to(&mut self, database: &str, text: &str, count: usize) {
        let now = self.instance.world.clock.now();
        self.engine(database, |engine| {
            let table = engine.find_table("dbo", "Orders").unwrap().id;
            let transaction = engine.begin(now).unwrap();
            for _ in 0..count {
                let row = [Value::from(text), Value::Text("x".repeat(2000))];
                engine.insert(transaction, table, &row).unwrap();
            }
            engine.commit(transaction, now).unwrap();
        });
    }

    /// The first column of all rows.
    pub(crate) fn rows(&self, database: &str) -> Vec<String> {
        self.engine(database, |engine| {
            let table = engine.find_table("dbo", "Orders").unwrap().id;
            let mut rows = Vec::new();
            engine
                .scan(table, &mut |_, row| {
                    if let Value::Text(text) = &row[0] {
                        rows.push(text.clone());
                    }
                    std::ops::ControlFlow::Continue(())
                })
                .unwrap();
            rows
        })
    }

    /// Lets seconds pass.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.memory.clock.advance(std::time::Duration::from_secs(seconds));
    }

    /// The server's clock, as STOPAT takes it.
    pub(crate) fn time(&self) -> String {
        let clock = &self.instance.world.clock;
        clock
            .now()
            .local(clock.offset_minutes(clock.now()))
            .to_local_time()
            .to_string()
    }

    /// BACKUP of `Shop`: `full`, `diff` or `log`; what it said.
    pub(crate) fn back_up(
        &mut self,
        kind: &str,
        paths: &[&str],
        change: impl FnOnce(&mut BackupStatement),
    ) -> Transcript {
        let mut order = BackupStatement {
            what: if kind == "log" {
                BackupWhat::Log
            } else {
                BackupWhat::Database
            },
            database: word("Shop"),
            files: Vec::new(),
            filegroups: Vec::new(),
            read_write_filegroups: false,
            devices: paths.iter().map(|path| DeviceName::Disk(word(path))).collect(),
            mirrors: Vec::new(),
            options: BackupOptions {
                differential: kind == "diff",
                ..BackupOptions::default()
            },
        };
        change(&mut order);
        let mut transcript = Transcript::default();
        let clock = Arc::clone(&self.memory.clock);
        let done = clock.run_one(simsql::backup::run(&mut self.session, &order, &mut transcript));
        assert_eq!(done, Ok(()), "{order:?}");
        transcript
    }

    pub(crate) fn state(&self, database: &str) -> DatabaseState {
        self.instance.state().database(database).unwrap().state
    }

    pub(crate) fn boot(&self, database: &str) -> Boot {
        self.engine(database, |engine| engine.boot().clone())
    }

    /// DBCC CHECKDB finds nothing to complain of.
    pub(crate) fn check(&self, database: &str) {
        let found = self.engine(database, |engine| engine.check(database, 5));
        let errors: Vec<&str> = found
            .iter()
            .filter(|message| message.is_error())
            .map(|message| message.text.as_str())
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
    }

    /// Rows of one of msdb's tables, with the names of their columns.
    pub(crate) fn msdb(&self, table: &str) -> Vec<Vec<(String, Value)>> {
        self.engine("msdb", |engine| {
            let facts = engine.find_table("dbo", table).unwrap();
            let mut rows = Vec::new();
            engine
                .scan(facts.id, &mut |_, row| {
                    let names = facts.definition.columns.iter().map(|column| column.name.clone());
                    rows.push(names.zip(row).collect());
                    std::ops::ControlFlow::Continue(())
                })
                .unwrap();
            rows
        })
    }
}
