//! An instance in memory with a database, and statements against it.

use std::sync::Arc;

use bak::{Report, Verifier};
use simsql::answers::Transcript;
use simsql::backup;
use simsql::engine::{Engine, RecoveryModel, TableDefinition, TableId};
use simsql::instance::{Instance, Settings, Version, create_database};
use simsql::memory::Memory;
use simsql::message::Failure;
use simsql::session::Session;
use simsql::tsql::backup::{BackupOptions, BackupStatement, BackupWhat};
use simsql::tsql::device::DeviceName;
use simsql::tsql::statement::{CreateDatabase, Word};
use simsql::value::{Column, Length, SqlType, Value};

/// An instance and the world it is in.
pub(crate) struct Place {
    pub(crate) memory: Memory,
    pub(crate) instance: Arc<Instance>,
}

/// The database that tests back up.
pub(crate) const SHOP: &str = "Shop";

pub(crate) fn settings(version: Version) -> Settings {
    let mut settings = Settings::new(version, "/sql");
    settings.initial_pages = 128;
    settings
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::of(settings(Version::V2022))
    }

    /// With the database `Shop` under FULL and one table of some rows in it.
    pub(crate) fn of(settings: Settings) -> Self {
        Self::in_world(Memory::new(7), settings)
    }

    pub(crate) fn in_world(memory: Memory, settings: Settings) -> Self {
        let instance = Instance::start(memory.world.clone(), settings).unwrap();
        let place = Self { memory, instance };
        let session = place.session();
        let statement = CreateDatabase {
            name: SHOP.to_owned(),
            data: Vec::new(),
            log: Vec::new(),
            collation: None,
            attach: false,
        };
        create_database(&session, &statement).unwrap();
        place.engine(SHOP, |engine| {
            engine
                .change_boot(&mut |boot| boot.recovery_model = RecoveryModel::Full)
                .unwrap();
        });
        place.make_table();
        place.add_rows(20);
        place
    }

    pub(crate) fn session(&self) -> Session {
        self.instance.attach("sa").unwrap()
    }

    pub(crate) fn engine<T>(&self, database: &str, deed: impl FnOnce(&mut Engine) -> T) -> T {
        let mut state = self.instance.state();
        let entry = state.database_mut(database).unwrap();
        deed(entry.engine.as_mut().unwrap())
    }

    fn make_table(&self) {
        let now = self.instance.world.clock.now();
        self.engine(SHOP, |engine| {
            let transaction = engine.begin(now).unwrap();
            let definition = TableDefinition {
                schema: "dbo".to_owned(),
                name: "Orders".to_owned(),
                columns: vec![
                    Column::new("id", SqlType::Int),
                    Column::new("what", SqlType::VarChar(Length::Of(4000))),
                ],
                primary_key: Vec::new(),
                identity: None,
                defaults: vec![None, None],
            };
            engine.create_table(transaction, &definition).unwrap();
            engine.commit(transaction, now).unwrap();
        });
    }

    pub(crate) fn table(&self) -> TableId {
        self.engine(SHOP, |engine| engine.find_table("dbo", "Orders").unwrap().id)
    }

    /// Rows of some 3 KB, so that two fill a page.
    pub(crate) fn add_rows(&self, count: i64) {
        let now = self.instance.world.clock.now();
        let table = self.table();
        self.engine(SHOP, |engine| {
            let transaction = engine.begin(now).unwrap();
            for id in 0..count {
                let row = [Value::Integer(id), Value::Text("x".repeat(3000))];
                engine.insert(transaction, table, &row).unwrap();
            }
            engine.commit(transaction, now).unwrap();
        });
    }

    /// Runs one BACKUP in a session of its own.
    pub(crate) fn backup(&self, statement: &BackupStatement) -> (Result<(), Failure>, Transcript) {
        let mut session = self.session();
        let mut answers = Transcript::default();
        let outcome = self
            .memory
            .clock
            .run_one(backup::run(&mut session, statement, &mut answers));
        (outcome, answers)
    }

    pub(crate) fn backup_ok(&self, statement: &BackupStatement) -> Transcript {
        let (outcome, answers) = self.backup(statement);
        assert_eq!(outcome, Ok(()), "{:?}", answers.messages);
        answers
    }

    /// The numbers of the errors of a BACKUP that fails.
    pub(crate) fn refused(&self, statement: &BackupStatement) -> Vec<i32> {
        let (outcome, _) = self.backup(statement);
        numbers(&outcome.unwrap_err())
    }

    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        self.memory.disk.bytes(path).unwrap()
    }

    pub(crate) fn report(&self, path: &str) -> Report {
        let mut verifier = Verifier::new();
        verifier.push(&self.bytes(path));
        verifier.finish()
    }

    /// Rows of one of msdb's tables as maps of their columns.
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

pub(crate) fn numbers(failure: &Failure) -> Vec<i32> {
    failure.messages.iter().map(|message| message.number).collect()
}

pub(crate) fn told(answers: &Transcript) -> Vec<i32> {
    answers.messages.iter().map(|message| message.number).collect()
}

pub(crate) fn texts(answers: &Transcript) -> Vec<&str> {
    answers
        .messages
        .iter()
        .map(|message| message.text.as_str())
        .collect()
}

pub(crate) fn value<'a>(row: &'a [(String, Value)], column: &str) -> &'a Value {
    &row.iter().find(|(name, _)| name == column).unwrap().1
}

pub(crate) fn disk(path: &str) -> DeviceName {
    DeviceName::Disk(Word::Literal(path.to_owned()))
}

fn statement(what: BackupWhat, path: &str) -> BackupStatement {
    BackupStatement {
        what,
        database: Word::Literal(SHOP.to_owned()),
        files: Vec::new(),
        filegroups: Vec::new(),
        read_write_filegroups: false,
        devices: vec![disk(path)],
        mirrors: Vec::new(),
        options: BackupOptions::default(),
    }
}

pub(crate) fn full(path: &str) -> BackupStatement {
    statement(BackupWhat::Database, path)
}

pub(crate) fn log(path: &str) -> BackupStatement {
    statement(BackupWhat::Log, path)
}

/// Statements with options, the way T-SQL hangs them on.
pub(crate) trait With {
    fn with(self, change: impl FnOnce(&mut BackupOptions)) -> Self;
    fn on(self, database: &str) -> Self;
    fn to(self, paths: &[&str]) -> Self;
}

impl With for BackupStatement {
    fn with(mut self, change: impl FnOnce(&mut BackupOptions)) -> Self {
        change(&mut self.options);
        self
    }

    fn on(mut self, database: &str) -> Self {
        self.database = Word::Literal(database.to_owned());
        self
    }

    fn to(mut self, paths: &[&str]) -> Self {
        self.devices = paths.iter().map(|path| disk(path)).collect();
        self
    }
}

pub(crate) fn word(text: &str) -> Option<Word> {
    Some(Word::Literal(text.to_owned()))
}
