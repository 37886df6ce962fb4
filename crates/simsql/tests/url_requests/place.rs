//! An instance in memory whose network is the service of these tests, with a database and the credentials for both clients.

use std::sync::Arc;

use simsql::answers::Transcript;
use simsql::engine::{Engine, RecoveryModel, TableDefinition};
use simsql::instance::server::StoredCredential;
use simsql::instance::{Instance, Settings, Version, create_database};
use simsql::memory::Memory;
use simsql::message::Failure;
use simsql::moment::Moment;
use simsql::session::Session;
use simsql::tsql;
use simsql::tsql::statement::{CreateDatabase, Statement};
use simsql::value::{Column, Length, SqlType, Value};
use simsql::{backup, restore};

use crate::service::{ACCOUNT, KEY, SAS, Seen, Service};

/// Where backups go to.
pub(crate) const CONTAINER: &str = "https://vault.example/sqlbackup";
/// A blob and its path.
pub(crate) const URL: &str = "https://vault.example/sqlbackup/shop.bak";
pub(crate) const PATH: &str = "/sqlbackup/shop.bak";

pub(crate) struct Place {
    pub(crate) memory: Memory,
    pub(crate) service: Arc<Service>,
    pub(crate) instance: Arc<Instance>,
}

impl Place {
    pub(crate) fn new(version: Version) -> Self {
        Self::of(version, 7)
    }

    /// A database `Shop` under FULL, of some 1 MB.
    pub(crate) fn of(version: Version, seed: u64) -> Self {
        let memory = Memory::new(seed);
        let service = Service::new(Arc::clone(&memory.world.clock));
        let mut world = memory.world.clone();
        world.wire = Arc::clone(&service) as Arc<_>;
        let mut settings = Settings::new(version, "/sql");
        settings.initial_pages = 128;
        let instance = Instance::start(world, settings).unwrap();
        let place = Self {
            memory,
            service,
            instance,
        };
        place.credential(CONTAINER, "SHARED ACCESS SIGNATURE", SAS);
        place.credential("key", ACCOUNT, KEY);
        place.make_database();
        place
    }

    pub(crate) fn credential(&self, name: &str, identity: &str, secret: &str) {
        let stored = StoredCredential {
            id: 1,
            identity: identity.to_owned(),
            secret: secret.to_owned(),
            created: Moment(0),
            modified: Moment(0),
        };
        let mut state = self.instance.state();
        state.server.credentials.insert(name.to_owned(), stored);
    }

    fn make_database(&self) {
        let statement = CreateDatabase {
            name: "Shop".to_owned(),
            data: Vec::new(),
            log: Vec::new(),
            collation: None,
            attach: false,
        };
        create_database(&self.session(), &statement).unwrap();
        let now = self.instance.world.clock.now();
        self.engine(|engine| {
            engine
                .change_boot(&mut |boot| boot.recovery_model = RecoveryModel::Full)
                .unwrap();
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
        self.add_rows(100);
    }

    /// Rows of some 3 KB.
    pub(crate) fn add_rows(&self, count: i64) {
        let now = self.instance.world.clock.now();
        self.engine(|engine| {
            let table = engine.find_table("dbo", "Orders").unwrap().id;
            let transaction = engine.begin(now).unwrap();
            for id in 0..count {
                let row = [Value::Integer(id), Value::Text("x".repeat(3000))];
                engine.insert(transaction, table, &row).unwrap();
            }
            engine.commit(transaction, now).unwrap();
        });
    }

    fn engine<T>(&self, deed: impl FnOnce(&mut Engine) -> T) -> T {
        let mut state = self.instance.state();
        deed(state.database_mut("Shop").unwrap().engine.as_mut().unwrap())
    }

    pub(crate) fn session(&self) -> Session {
        self.instance.attach("sa").unwrap()
    }

    /// Runs a BACKUP or RESTORE in a session of its own.
    pub(crate) fn run(&self, text: &str) -> Result<Transcript, Failure> {
        let mut session = self.session();
        self.memory.clock.run_one(run(&mut session, text))
    }

    /// The requests of a statement that works, and the same in a few words.
    pub(crate) fn requests(&self, text: &str) -> (Vec<Seen>, Vec<String>) {
        self.service.take();
        let outcome = self.run(text);
        assert!(outcome.is_ok(), "{text}: {outcome:?}");
        let seen = self.service.take();
        let lines = seen.iter().map(Seen::line).collect();
        (seen, lines)
    }

    /// The requests of a statement that fails, and its messages.
    pub(crate) fn fails(&self, text: &str) -> (Vec<String>, Vec<(i32, String)>) {
        self.service.take();
        let failure = self.run(text).expect_err(text);
        let lines = self.service.take().iter().map(Seen::line).collect();
        let told = failure.messages.into_iter();
        (
            lines,
            told.map(|message| (message.number, message.text)).collect(),
        )
    }
}

/// Runs a BACKUP or RESTORE.
pub(crate) async fn run(session: &mut Session, text: &str) -> Result<Transcript, Failure> {
    let mut answers = Transcript::default();
    for located in tsql::parse(text, true)? {
        match located.statement {
            Statement::Backup(statement) => backup::run(session, &statement, &mut answers).await?,
            Statement::Restore(statement) => restore::run(session, &statement, &mut answers).await?,
            other => panic!("{other:?}"),
        }
    }
    Ok(answers)
}
