//! A job: one deed of the vault, from its queue to its end, durable at every step.

use faults::{Code, Fault, Said};
use jiff::Timestamp;
use schedule::BackupKind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::{DatabaseId, IntentId, ItemId, JobId, PointId, PolicyId, ServerId, ServerLogId};
use super::item::HealingReason;
use super::restore::RestoreWork;

/// A job. Keys: `a` state and time to run, `b` item, name of its work, `open` or `ended`, when it was made, `c` when it was made,
/// `d` server, `open` or `ended`, when it was made. What is empty is not written: there are 192,000 a day of 2,000 databases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Which.
    pub id: JobId,
    /// What it does.
    pub work: Work,
    /// Who or what wanted it.
    pub trigger: Trigger,
    /// Where it stands.
    pub state: JobState,
    /// Instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerId>,
    /// Protected database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// When it was made.
    pub created: Timestamp,
    /// When it may begin.
    pub run_at: Timestamp,
    /// When it began, the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Attempts begun.
    pub attempt: u32,
    /// Generation of the vault's start that runs it: another one's job was interrupted.
    pub generation: i64,
    /// Somebody wants it to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Timestamp>,
    /// What it did, step by step; the last may be under way. At most 200, the first 100 and the last 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Task>,
    /// What SQL Server said, in order; at most 200, the first 100 and the last 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
    /// T-SQL that ran, without secrets; at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<String>,
    /// Bytes that arrived.
    pub bytes: u64,
    /// Bytes a second, over the time of the statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// Per cent, as SQL Server tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f32>,
    /// Why it failed or was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// What else people should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Fault>,
    /// The recovery point that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<PointId>,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobState {
    /// It waits for its time, or for room.
    Queued,
    /// It runs.
    InProgress,
    /// It was told to end and has not ended.
    Cancelling,
    /// Done.
    Completed,
    /// Done, with something that people should know.
    CompletedWithWarnings,
    /// Not done.
    Failed,
    /// Ended because somebody wanted it.
    Cancelled,
}

impl JobState {
    /// Its name in keys and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "inProgress",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::CompletedWithWarnings => "completedWithWarnings",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::CompletedWithWarnings | Self::Failed | Self::Cancelled
        )
    }

    /// Whether a job may go from this state to `next`. An ended one goes nowhere; a running one is queued again for another
    /// attempt, and one that was told to end where SQL Server's last word is not known or not written down yet.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Queued => matches!(next, Self::InProgress | Self::Cancelled | Self::Failed),
            Self::InProgress => next != Self::InProgress,
            Self::Cancelling => next.is_ended() || next == Self::Queued,
            _ => false,
        }
    }
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
// The tag is not called "kind", which a backup has as a field of its own: JSON would have it twice, and nobody could read it.
#[serde(tag = "does", rename_all = "camelCase")]
#[allow(clippy::large_enum_variant)] // Nearly all jobs are backups.
pub enum Work {
    /// Takes a backup.
    Backup(BackupWork),
    /// Lists the databases of an instance.
    Discover,
    /// Protects a database, or brings an item to its policy's present version.
    Configure {
        /// The database.
        database: DatabaseId,
        /// The policy.
        policy: PolicyId,
        /// The auto-protection that wanted it.
        intent: Option<IntentId>,
    },
    /// Removes the data of a deleted item.
    Purge,
    /// Restores a database.
    Restore(Box<RestoreWork>),
}

impl Work {
    /// Its name in keys: two open jobs of an item and of one name are in each other's way. A backup goes by what runs: a log that
    /// becomes a full is in the way of fulls, and of no log. One that brings a log from a server's disk is in the way of neither.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Backup(work) if work.brings().is_some() => "adopt",
            Self::Backup(work) => work.kind.name(),
            Self::Discover => "discover",
            Self::Configure { .. } => "configure",
            Self::Purge => "purge",
            Self::Restore(_) => "restore",
        }
    }
}

/// A backup to take; filled in as it goes on, and enough to find out what became of it after a crash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupWork {
    /// What was asked for.
    pub asked: BackupKind,
    /// What runs: a log or differential may become a full.
    pub kind: BackupKind,
    /// Why it became another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converted: Option<HealingReason>,
    /// The chain of logs was broken before this full, and begins anew with it.
    #[serde(default)]
    pub anchors: bool,
    /// Days to keep it, where the user said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
    /// The blobs that it writes, in the order of the stripes; set before the statement runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<String>,
    /// The name given to the backup set (`NAME`): how it is found in `msdb` when the session was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// The statement was sent: from now on the outcome must be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Timestamp>,
    /// What became of it, by SQL Server's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// BackupSetGUID, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Uuid>,
    /// The item's `log_end` when the statement was sent: what a log must meet, however often its point is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_end_before: Option<String>,
    /// The codes that attempts ended with so far, in order; waiting is no attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Code>,
    /// How often nobody could say what became of the statement, one after the other.
    #[serde(default)]
    pub looks: u32,
    /// Blobs that failed attempts left in the store, and that are still there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// The job that began it and was given up, while nobody could say what became of it: this one keeps what it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopts: Option<JobId>,
    /// It is the tail of a database that a restore overwrites (`NORECOVERY`): the database is left RESTORING by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<Tail>,
    /// It has to do with a file on the server in place of blobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_server: Option<Box<OnServer>>,
}

/// What a log backup has to do with a file on its server's disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "does", rename_all = "camelCase")]
pub enum OnServer {
    /// It is written there, since the vault's disk is full; set before the statement runs.
    Writes {
        /// The file, as the server knows it.
        path: String,
    },
    /// It is brought from there into the vault. Until it is here whole, nothing counts as sent.
    Brings {
        /// Which.
        log: ServerLogId,
    },
}

/// The tail of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tail {
    /// The restore that wants it.
    pub restore: JobId,
    /// Its data files are damaged or not there (`NO_TRUNCATE`).
    pub is_damaged: bool,
    /// `user_access_desc` before sessions were drained: what is put back where the tail cannot be taken.
    pub access: String,
}

impl BackupWork {
    /// A backup of a kind, of which nothing has been done yet.
    #[must_use]
    pub fn of(kind: BackupKind) -> Self {
        Self {
            asked: kind,
            kind,
            converted: None,
            anchors: false,
            keep_days: None,
            blobs: Vec::new(),
            marker: None,
            sent: None,
            outcome: None,
            set: None,
            log_end_before: None,
            failed: Vec::new(),
            looks: 0,
            left: Vec::new(),
            adopts: None,
            tail: None,
            on_server: None,
        }
    }

    /// The file that it writes on the server.
    #[must_use]
    pub fn writes(&self) -> Option<&str> {
        match self.on_server.as_deref() {
            Some(OnServer::Writes { path }) => Some(path),
            _ => None,
        }
    }

    /// The log that it brings from the server's disk.
    #[must_use]
    pub fn brings(&self) -> Option<ServerLogId> {
        match self.on_server.as_deref() {
            Some(OnServer::Brings { log }) => Some(*log),
            _ => None,
        }
    }

    /// Whether SQL Server may have succeeded, or has, with what was sent: until that is known and written down, the job does not
    /// end.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.sent.is_some() && self.outcome != Some(Outcome::Failed)
    }
}

/// What became of a backup, by SQL Server's word: message 3014, or the row in `msdb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It succeeded.
    Succeeded,
    /// It did not.
    Failed,
    /// Nobody can say: the session was lost and the instance does not answer.
    Unknown,
}

/// Who or what wanted a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Trigger {
    /// The policy.
    Scheduled {
        /// The slot, jitter included.
        slot: Timestamp,
    },
    /// A user.
    OnDemand,
    /// The vault itself.
    Healing {
        /// Why.
        reason: HealingReason,
    },
}

/// One step of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// What, in a few words.
    pub name: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

#[cfg(test)]
mod tests {
    use faults::Code;
    use schedule::BackupKind;

    use super::{BackupWork, OnServer, Work};

    #[test]
    fn the_work_of_a_backup_is_read_back() {
        let work = Work::Backup(BackupWork {
            asked: BackupKind::Log,
            kind: BackupKind::Full,
            converted: None,
            anchors: false,
            keep_days: Some(7),
            blobs: vec!["shop/one.bak".to_owned()],
            marker: None,
            sent: None,
            outcome: None,
            set: None,
            log_end_before: Some("289000004659700000".to_owned()),
            failed: vec![Code::Bac2UrlBlockLimit],
            looks: 2,
            left: vec!["shop/none.bak".to_owned()],
            adopts: Some(super::JobId(uuid::Uuid::from_u128(3))),
            tail: None,
            on_server: Some(Box::new(OnServer::Writes {
                path: "/spare/one.trn".to_owned(),
            })),
        });
        let text = serde_json::to_string(&work).unwrap();
        assert_eq!(serde_json::from_str::<Work>(&text).unwrap(), work, "{text}");
    }
}
