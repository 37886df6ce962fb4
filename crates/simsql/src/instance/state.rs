//! The state of an instance behind its mutex.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::locks::{Locks, SessionId};
use super::server::Server;
use crate::engine::{DatabaseFile, Engine};
use crate::faults::Faults;
use crate::message::Message;
use crate::moment::Moment;

/// `state` in sys.databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DatabaseState {
    /// 0
    Online,
    /// 1
    Restoring,
    /// 2
    Recovering,
    /// 3
    RecoveryPending,
    /// 4
    Suspect,
    /// 5
    Emergency,
    /// 6
    Offline,
}

/// `user_access` in sys.databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum UserAccess {
    /// 0
    Multi,
    /// 1
    Single,
    /// 2
    Restricted,
}

/// A database of the instance.
pub struct DatabaseEntry {
    /// `database_id`: 1 master, 2 tempdb, 3 model, 4 msdb, from 5 on users'.
    pub id: u16,
    /// Name.
    pub name: String,
    /// Files as the server knows them while the database is not open.
    pub files: Vec<DatabaseFile>,
    /// State.
    pub state: DatabaseState,
    /// Undo file of STANDBY.
    pub standby: Option<String>,
    /// Who may use it.
    pub user_access: UserAccess,
    /// READ_ONLY.
    pub is_read_only: bool,
    /// Login that owns it.
    pub owner: String,
    /// When it was created or last restored under this name, in UTC.
    pub created: Moment,
    /// Users of the database (name in lower case): login, roles.
    pub users: BTreeMap<String, DatabaseUser>,
    /// Switches (`AUTO_CLOSE`, `ENCRYPTION`, `TRUSTWORTHY`, ...) that are on.
    pub switches: std::collections::BTreeSet<String>,
    /// Certificate of its database encryption key.
    pub encryption_certificate: Option<String>,
    /// Database mirroring: its guid and whether this is the principal.
    pub mirroring: Option<(Uuid, bool)>,
    /// Open files; `None` while offline, suspect or not yet recovered.
    pub engine: Option<Engine>,
    /// Locks.
    pub locks: Locks,
}

/// A user of a database.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DatabaseUser {
    /// Name as written.
    pub name: String,
    /// Its login.
    pub login: Option<String>,
    /// Roles, lower case.
    pub roles: std::collections::BTreeSet<String>,
    /// Permissions granted, upper case.
    pub granted: std::collections::BTreeSet<String>,
    /// Permissions denied.
    pub denied: std::collections::BTreeSet<String>,
}

/// What `sys.dm_exec_sessions` shows.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionFacts {
    /// Login.
    pub login: String,
    /// Program.
    pub program: String,
    /// Host.
    pub host: String,
    /// Process on the host.
    pub process: u32,
    /// When it logged in.
    pub login_time: Moment,
    /// Database it is in.
    pub database: u16,
    /// Open transactions.
    pub transactions: u32,
    /// What it runs; `None` while it sleeps.
    pub request: Option<RequestFacts>,
    /// Told to end: KILL by another session, or ROLLBACK IMMEDIATE.
    pub killed: bool,
}

/// What `sys.dm_exec_requests` shows.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestFacts {
    /// Since when.
    pub start: Moment,
    /// `BACKUP DATABASE`, `SELECT`, ...
    pub command: String,
    /// Text of the batch.
    pub text: String,
    /// Database it works on.
    pub database: u16,
    /// 0 to 100.
    pub percent_complete: f32,
    /// Milliseconds to go, by what was done.
    pub estimated_completion_ms: i64,
    /// `LCK_M_U`, `BACKUPIO`, ...; `None` while it runs.
    pub wait_type: Option<String>,
    /// `DATABASE: 5 [BULKOP_BACKUP_DB]`.
    pub wait_resource: String,
    /// Since when it waits.
    pub wait_since: Option<Moment>,
    /// Who holds what it waits for.
    pub blocked_by: SessionId,
}

/// The state.
pub struct State {
    /// By id.
    pub databases: BTreeMap<u16, DatabaseEntry>,
    /// The server's records.
    pub server: Server,
    /// By session.
    pub sessions: BTreeMap<SessionId, SessionFacts>,
    /// Primary keys in use.
    pub keys: crate::session::KeyCache,
    /// Trouble on demand.
    pub faults: Faults,
    /// The error log, newest last; bounded.
    pub error_log: std::collections::VecDeque<(Moment, Message)>,
    /// When the instance started.
    pub started: Moment,
}

impl State {
    /// A database by name, without regard to case.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<&DatabaseEntry> {
        self.databases
            .values()
            .find(|database| database.name.eq_ignore_ascii_case(name))
    }

    /// The same, to be changed.
    pub fn database_mut(&mut self, name: &str) -> Option<&mut DatabaseEntry> {
        self.databases
            .values_mut()
            .find(|database| database.name.eq_ignore_ascii_case(name))
    }
}
