//! Start and stop of an instance.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::birth::Birth;
use super::locks::SessionId;
use super::server::{Login, Server};
use super::state::{DatabaseEntry, DatabaseState, State};
use super::{Instance, Settings, msdb, opening, record};
use crate::engine::{Engine, EngineError, RecoveryModel};
use crate::faults::{Faults, Switches};
use crate::message::{Failure, Message};
use crate::world::{OsError, World};

/// Entries of the error log that are kept.
const ERROR_LOG: usize = 10_000;

/// The system databases: id, name, logical names of data and log, file names, recovery model.
const SYSTEM: [(u16, &str, &str, &str, &str, &str, RecoveryModel); 3] = [
    (
        1,
        "master",
        "master",
        "mastlog",
        "master.mdf",
        "mastlog.ldf",
        RecoveryModel::Simple,
    ),
    (
        3,
        "model",
        "modeldev",
        "modellog",
        "model.mdf",
        "modellog.ldf",
        RecoveryModel::Full,
    ),
    (
        4,
        "msdb",
        "MSDBData",
        "MSDBLog",
        "msdbdata.mdf",
        "msdblog.ldf",
        RecoveryModel::Simple,
    ),
];

impl Instance {
    /// Starts the instance: makes master, model, msdb and tempdb at the first start, recovers all databases at each.
    ///
    /// # Errors
    /// Where its directory cannot be used or the system databases cannot be opened. A user database that cannot be opened is
    /// RECOVERY_PENDING or SUSPECT, and the instance starts.
    #[allow(clippy::needless_pass_by_value)] // The world is the instance's from here on, with its faults around it.
    pub fn start(world: World, settings: Settings) -> Result<Arc<Self>, Failure> {
        let switches = Arc::new(Switches::new(Arc::clone(&world.power)));
        let world = crate::faults::wrap(&world, &switches);
        let started = world.clock.now();
        let state = State {
            databases: BTreeMap::new(),
            server: Server::default(),
            sessions: BTreeMap::new(),
            keys: crate::session::KeyCache::default(),
            faults: Faults::default(),
            error_log: VecDeque::new(),
            started,
        };
        let instance = Self {
            world,
            settings,
            switches,
            state: Mutex::new(state),
            stopping: AtomicBool::new(false),
            shut_down: AtomicBool::new(false),
        };
        for directory in ["data", "log", "backup"] {
            let path = instance.settings.path(&[directory]);
            instance
                .world
                .disk
                .create_directory(&path)
                .map_err(|error| disk_failure(&path, &error))?;
        }
        let path = |name: &str| instance.settings.path(&[name]);
        let record = record::load(instance.world.disk.as_ref(), &path)
            .map_err(|error| disk_failure(&path(record::FILE), &error))?;
        match record {
            None => instance.first_start()?,
            Some(mut record) => {
                if let (Some(sa), Some(_)) =
                    (record.server.logins.get_mut("sa"), &instance.settings.sa_password)
                {
                    // Whoever starts the instance says what the password is.
                    sa.password.clear();
                }
                instance.start_again(record)?;
            }
        }
        instance.make_tempdb()?;
        instance.log(Message::new(17_126, &[]));
        Ok(Arc::new(instance))
    }

    fn first_start(&self) -> Result<(), Failure> {
        let mut state = self.state();
        state.server.logins.insert("sa".to_owned(), self.administrator());
        for (id, name, data, log, data_file, log_file, recovery_model) in SYSTEM {
            let files = vec![
                self.default_file(1, data, self.settings.path(&["data", data_file])),
                self.default_file(2, log, self.settings.path(&["data", log_file])),
            ];
            // A first start that was interrupted left files behind, and no record of them.
            for file in &files {
                drop(self.world.disk.remove(&file.physical_name));
            }
            let birth = Birth {
                id,
                name: name.to_owned(),
                recovery_model,
                files,
                owner: "sa".to_owned(),
            };
            let entry = self.give_birth(birth).map_err(|error| engine_failure(&error))?;
            state.databases.insert(id, entry);
        }
        self.make_history(&mut state)
            .map_err(|error| engine_failure(&error))?;
        self.save(&state)
    }

    /// The login `sa`. Its password is the settings' until ALTER LOGIN gives it another, which holds until the next start.
    fn administrator(&self) -> Login {
        Login {
            password: String::new(),
            salt: String::new(),
            enabled: true,
            default_database: "master".to_owned(),
            roles: std::collections::BTreeSet::from(["sysadmin".to_owned()]),
            granted: std::collections::BTreeSet::new(),
            denied: std::collections::BTreeSet::new(),
            sid: self.world.chance.guid(),
            created: self.world.clock.now(),
        }
    }

    /// The tables of msdb.
    fn make_history(&self, state: &mut State) -> Result<(), EngineError> {
        let now = self.world.clock.now();
        let engine = state
            .databases
            .get_mut(&4)
            .and_then(|msdb| msdb.engine.as_mut())
            .expect("msdb was made before its tables");
        let transaction = engine.begin(now)?;
        for table in msdb::tables(self.settings.version) {
            engine.create_table(transaction, &table)?;
        }
        engine.commit(transaction, now)?;
        Ok(())
    }

    fn start_again(&self, record: record::Record) -> Result<(), Failure> {
        let mut state = self.state();
        state.server = record.server;
        for database in record.databases {
            let mut entry = database.into_entry();
            if entry.id == TEMPDB || entry.state == DatabaseState::Offline {
                if entry.id != TEMPDB {
                    state.databases.insert(entry.id, entry);
                }
                continue;
            }
            if let Err(failure) = opening::open(&self.world, &mut entry) {
                if entry.id <= 4 {
                    return Err(failure);
                }
                for message in failure.messages {
                    let now = self.world.clock.now();
                    note(&mut state, now, message);
                }
            }
            state.databases.insert(entry.id, entry);
        }
        self.save(&state)
    }

    /// tempdb is made anew at each start.
    fn make_tempdb(&self) -> Result<(), Failure> {
        let files = vec![
            self.default_file(1, "tempdev", self.settings.path(&["data", "tempdb.mdf"])),
            self.default_file(2, "templog", self.settings.path(&["data", "templog.ldf"])),
        ];
        for file in &files {
            drop(self.world.disk.remove(&file.physical_name));
        }
        let birth = Birth {
            id: TEMPDB,
            name: "tempdb".to_owned(),
            recovery_model: RecoveryModel::Simple,
            files,
            owner: "sa".to_owned(),
        };
        let entry = self.give_birth(birth).map_err(|error| engine_failure(&error))?;
        self.state().databases.insert(TEMPDB, entry);
        Ok(())
    }

    /// Tells all sessions to end but the one that asks, and lets nobody in any more.
    pub fn end_sessions(&self, but: Option<SessionId>) {
        self.stopping.store(true, Ordering::SeqCst);
        let mut state = self.state();
        for (id, session) in &mut state.sessions {
            session.killed |= Some(*id) != but;
        }
    }

    /// Whether nobody can log in any more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// SHUTDOWN: lets what runs end where it is asked to, then stops.
    pub(crate) async fn shut_down(&self, by: SessionId, waits: bool) {
        self.end_sessions(Some(by));
        let clock = &self.world.clock;
        let end = clock.uptime() + PATIENCE;
        while waits && clock.uptime() < end && self.runs_something(by) {
            clock.sleep(LOOK).await;
        }
        self.stop();
        self.shut_down.store(true, Ordering::SeqCst);
    }

    fn runs_something(&self, but: SessionId) -> bool {
        let state = self.state();
        let mut sessions = state.sessions.iter();
        sessions.any(|(id, facts)| *id != but && facts.request.is_some())
    }

    /// Whether SHUTDOWN has closed everything: whoever serves the instance should end.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::SeqCst)
    }

    /// Ends all sessions, checkpoints and closes all databases. Whoever serves the instance lets their batches end before
    /// ([`end_sessions`](Self::end_sessions)): one that still runs finds its database closed.
    pub fn stop(&self) {
        self.end_sessions(None);
        let mut state = self.state();
        let now = self.world.clock.now();
        let mut told = Vec::new();
        for entry in state.databases.values_mut() {
            if let Err(failure) = opening::close(&self.world, entry) {
                told.extend(failure.messages);
            }
        }
        for message in told {
            note(&mut state, now, message);
        }
        // What cannot be written now is found by recovery at the next start.
        drop(self.save(&state));
    }

    /// Closes all databases but tempdb; gives the files of the instance.
    ///
    /// # Errors
    /// 40510 while a transaction is open in one of them or somebody has a lock on it: both belong to the engine that goes. Where
    /// a database cannot be closed.
    pub(crate) fn pause(&self) -> Result<Vec<String>, Failure> {
        let mut state = self.state();
        let is_busy = |entry: &DatabaseEntry| {
            let transaction = entry.engine.as_ref().and_then(Engine::oldest_transaction);
            let locks = &entry.locks;
            let is_locked = locks.exclusive.is_some() || !locks.bulk.is_empty() || !locks.tables.is_empty();
            entry.id != TEMPDB && (transaction.is_some() || is_locked)
        };
        if state.databases.values().any(is_busy) {
            let what = "a snapshot of the instance while a transaction, a backup or a restore is under way";
            return Err(Failure::new(40_510, &[&what]));
        }
        let mut files = vec![self.settings.path(&[record::FILE])];
        for entry in state.databases.values_mut().filter(|entry| entry.id != TEMPDB) {
            opening::close(&self.world, entry)?;
            files.extend(entry.files.iter().map(|file| file.physical_name.clone()));
        }
        self.save(&state)?;
        Ok(files)
    }

    /// Opens all databases by the record as it is now. Sessions stay, in master.
    ///
    /// # Errors
    /// Where the system databases cannot be opened.
    pub(crate) fn resume(&self) -> Result<(), Failure> {
        let path = |name: &str| self.settings.path(&[name]);
        let record = record::load(self.world.disk.as_ref(), &path)
            .map_err(|error| disk_failure(&path(record::FILE), &error))?;
        self.state().databases.retain(|id, _| *id == TEMPDB);
        if let Some(record) = record {
            self.start_again(record)?;
        }
        let mut state = self.state();
        // Rows may have changed under the same fork.
        state.keys = crate::session::KeyCache::default();
        let sessions: Vec<_> = state.sessions.keys().copied().collect();
        for facts in state.sessions.values_mut() {
            facts.database = 1;
        }
        if let Some(master) = state.databases.get_mut(&1) {
            master.locks.users.extend(sessions);
        }
        Ok(())
    }

    /// Writes what the instance remembers of itself; durable when it returns. Every deed that changes the server or the list of
    /// databases ends with it.
    ///
    /// # Errors
    /// 823 with the disk's error.
    pub fn save(&self, state: &State) -> Result<(), Failure> {
        let path = |name: &str| self.settings.path(&[name]);
        record::save(self.world.disk.as_ref(), &path, state)
            .map_err(|error| disk_failure(&path(record::FILE), &error))
    }

    /// Writes to the error log.
    pub fn log(&self, message: Message) {
        let now = self.world.clock.now();
        note(&mut self.state(), now, message);
    }
}

/// How long SHUTDOWN waits for what runs.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// `database_id` of tempdb.
const TEMPDB: u16 = 2;

/// Adds to the error log, whose oldest entries go.
pub fn note(state: &mut State, at: crate::moment::Moment, message: Message) {
    state.error_log.push_back((at, message));
    while state.error_log.len() > ERROR_LOG {
        state.error_log.pop_front();
    }
}

fn disk_failure(path: &str, error: &OsError) -> Failure {
    Failure::new(823, &[error, &path])
}

/// A system database could not be made or opened.
fn engine_failure(error: &EngineError) -> Failure {
    match error {
        EngineError::Disk { path, error } => Failure::new(5123, &[error, path]),
        other => Failure::new(3414, &[other, &1]),
    }
}
