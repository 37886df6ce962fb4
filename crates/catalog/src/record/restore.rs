//! A restore: what a user ordered, the plan that was made of it, and how far it came.
//!
//! The plan is written down before the target is touched, and each statement before it is sent, so that a vault that was killed in
//! the middle goes on where it was, or brings the target back.

use faults::Fault;
use jiff::Timestamp;
use jiff::civil::DateTime;
use schedule::BackupKind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::{ContainerId, ItemId, JobId, PointId, ServerId};

/// A restore to do; filled in as it goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreWork {
    /// What was ordered.
    pub order: RestoreOrder,
    /// The statements, in their order, each WITH NORECOVERY; none while it is not planned. The end ([`Place::end`]) follows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<RestoreStep>,
    /// How many of `steps` SQL Server has done, those left out counted.
    #[serde(default)]
    pub done: u32,
    /// The next statement was sent: from now on it must be asked how far it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Timestamp>,
    /// The database that bore the name when the target was looked at; set before it is touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
    /// The job of its tail-log backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<JobId>,
    /// Containers whose credential was made on the target for this restore alone; noted before it is made, dropped afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lent: Vec<ContainerId>,
    /// How far the plan gets in the log at most, as a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaches: Option<String>,
    /// The newest row of `msdb.dbo.restorehistory` when the statement was sent: what it made is newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<i32>,
    /// Sessions are drained: who may enter is put back, whatever the end.
    #[serde(default, skip_serializing_if = "is_false")]
    pub drained: bool,
    /// How often it failed with what may pass by itself, one after the other.
    #[serde(default)]
    pub tries: u32,
    /// Why it is given up: no further step is taken, and the target is brought back where it was not touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<Fault>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Reached>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // It is what serde gives.
fn is_false(flag: &bool) -> bool {
    !flag
}

impl RestoreWork {
    /// An order of which nothing has been done yet.
    #[must_use]
    pub fn of(order: RestoreOrder) -> Self {
        Self {
            order,
            steps: Vec::new(),
            done: 0,
            sent: None,
            before: None,
            tail: None,
            lent: Vec::new(),
            reaches: None,
            history: None,
            drained: false,
            tries: 0,
            given_up: None,
            reached: None,
        }
    }

    /// Whether something on the target may have changed: a crash must be followed up on the instance.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.is_touched() || !self.lent.is_empty() || self.given_up.is_some()
    }

    /// Whether the target database itself may be another than it was: the job does not end before that is known.
    #[must_use]
    pub fn is_touched(&self) -> bool {
        self.is_restoring() || self.tail.is_some() || self.drained
    }

    /// Whether a RESTORE was sent.
    #[must_use]
    pub fn is_restoring(&self) -> bool {
        self.sent.is_some() || self.done > 0
    }
}

/// What a user ordered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreOrder {
    /// Whose recovery points.
    pub item: ItemId,
    /// Where to get to.
    pub target: RestoreTarget,
    /// Into what.
    pub place: Place,
    /// Disputed points that the user named: only these are used although they are damaged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept_damaged: Vec<PointId>,
}

/// Where to get to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum RestoreTarget {
    /// As far as the points go.
    Latest,
    /// Every transaction committed up to this moment.
    Moment {
        /// In UTC.
        at: Timestamp,
    },
    /// The same on the clock of the server that was backed up.
    Local {
        /// Its local time.
        at: DateTime,
    },
    /// The end of one recovery point.
    Point {
        /// Which.
        point: PointId,
    },
    /// Up to and including a log record.
    Lsn {
        /// A decimal number as SQL Server prints it.
        lsn: String,
    },
}

/// Into what a restore goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Instance.
    pub server: ServerId,
    /// Name of the database there.
    pub name: String,
    /// A database of that name may be given up for it.
    #[serde(default)]
    pub overwrite: bool,
    /// Before a database in FULL or BULK_LOGGED is given up, its tail is backed up; false where the user said so.
    #[serde(default = "yes")]
    pub tail: bool,
    /// Paths that the user named, by logical name. All other files lie where the target's mapping or its defaults say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<FileMove>,
    /// How the database is left.
    #[serde(default)]
    pub end: RestoreEnd,
    /// What the user allows although it is refused by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Allowed>,
    /// Adds to a database that an earlier restore left restoring or in standby; nothing is overwritten.
    #[serde(default)]
    pub continues: bool,
}

fn yes() -> bool {
    true
}

impl Place {
    /// A new database of a name: nothing is overwritten, and it is open at the end.
    #[must_use]
    pub fn new(server: ServerId, name: &str) -> Self {
        Self {
            server,
            name: name.to_owned(),
            overwrite: false,
            tail: true,
            moves: Vec::new(),
            end: RestoreEnd::default(),
            allowed: Vec::new(),
            continues: false,
        }
    }
}

/// A file that shall lie somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileMove {
    /// Its logical name.
    pub logical: String,
    /// Its path on the target.
    pub path: String,
}

/// How the database is left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum RestoreEnd {
    /// Open.
    #[default]
    Recovered,
    /// RESTORING: more can be added.
    Restoring,
    /// Readable, and more can be added.
    Standby {
        /// Path of the undo file on the target.
        undo: String,
    },
}

/// What is refused unless the user allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Allowed {
    /// The target is published for replication: KEEP_REPLICATION.
    Replicated,
    /// The target, or the source, has change data capture: KEEP_CDC.
    ChangeDataCapture,
    /// The target is a database of log shipping.
    LogShipped,
}

/// One RESTORE statement of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreStep {
    /// Its recovery point.
    pub point: PointId,
    /// Full (copy-only too), differential or log.
    pub kind: BackupKind,
    /// Where its blobs are.
    pub container: ContainerId,
    /// Its blobs, in the order of the stripes.
    pub blobs: Vec<String>,
    /// FirstLSN.
    pub first_lsn: String,
    /// LastLSN.
    pub last_lsn: String,
    /// Bytes in the vault.
    pub bytes: u64,
    /// Written WITH CHECKSUM, as its header says.
    pub has_checksums: bool,
    /// It is damaged, and the user takes it as it is (CONTINUE_AFTER_ERROR).
    #[serde(default)]
    pub is_damaged: bool,
    /// Where it stops; none where it is applied whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<RestoreStop>,
    /// It is left out where `redo_start_lsn` of file 1 is less than this: the log before it stopped at the moment already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_from: Option<String>,
    /// Files of it that lie elsewhere than its header says; on a log those alone that are new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<FileMove>,
}

/// Where a log is not applied any further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum RestoreStop {
    /// STOPAT, on the clock of the server that wrote the log.
    At {
        /// When.
        at: DateTime,
    },
    /// STOPATMARK = 'lsn:...'.
    AtLsn {
        /// A decimal number.
        lsn: String,
    },
}

/// The database that bore the target's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Before {
    /// `database_id`.
    pub id: i32,
    /// `database_guid`, where it was told.
    pub database_guid: Option<Uuid>,
    /// `state_desc`.
    pub state: String,
    /// `user_access_desc`: `MULTI_USER`, `SINGLE_USER` or `RESTRICTED_USER`.
    pub access: String,
}

/// What came of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reached {
    /// `state_desc` at the end.
    pub state: String,
    /// How far it got in the log, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsn: Option<String>,
    /// `database_guid` at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_guid: Option<Uuid>,
}
