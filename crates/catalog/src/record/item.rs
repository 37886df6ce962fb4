//! A protected database.

use std::collections::BTreeMap;

use faults::Fault;
use jiff::Timestamp;
use schedule::BackupKind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::{ContainerId, DatabaseId, ItemId, JobId, PointId, PolicyId, ServerId};

/// A protected database. Keys: `a` its database (unique), `b` [`Item::next_due`], `c` its policy, `d` its server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Which.
    pub id: ItemId,
    /// Counts what users decide about it: a change is held against this. The record's own version changes with every slot.
    #[serde(default)]
    pub edition: i64,
    /// The database.
    pub database: DatabaseId,
    /// Its instance.
    pub server: ServerId,
    /// Its policy.
    pub policy: PolicyId,
    /// The version of the policy that it follows; behind the policy's own, it is inconsistent.
    pub policy_version: i64,
    /// Why it could not be brought to the policy's version.
    pub inconsistent: Option<Fault>,
    /// Where it stands.
    pub protection: Protection,
    /// Where its backups go.
    pub container: ContainerId,
    /// When it was protected.
    pub since: Timestamp,
    /// The user took the log chain and the differential base over from another tool.
    pub took_over: Option<Timestamp>,
    /// Who else owns the log or the base, while the user did not take them over.
    pub foreign_owner: Option<ForeignOwner>,
    /// The slot up to which schedules have been turned into jobs or misses, by kind.
    pub scheduled: BTreeMap<BackupKind, Timestamp>,
    /// When the next slot of each kind begins, jitter included.
    pub due: BTreeMap<BackupKind, Timestamp>,
    /// The slots that begin then: one that came already is owed, whatever the policy says meanwhile.
    #[serde(default)]
    pub slots: BTreeMap<BackupKind, Timestamp>,
    /// The newest successful backup of each kind.
    pub last: BTreeMap<BackupKind, LastBackup>,
    /// Consecutive failures of each kind.
    pub failures: BTreeMap<BackupKind, u32>,
    /// LastLSN of the vault's newest log backup, as a decimal number: where the next must begin.
    pub log_end: Option<String>,
    /// BackupSetGUID of the vault's newest full that is a base for differentials.
    pub base: Option<Uuid>,
    /// A backup that heals, wanted and not yet taken.
    pub healing: Option<Healing>,
    /// When the vault last took a healing full.
    pub healed: Option<Timestamp>,
    /// Jobs that were given up while nobody could say what became of their backups, the newest [`UNKNOWN_MAX`] in their order: what
    /// of them SQL Server finished is kept as soon as it tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<JobId>,
}

/// The most jobs that [`Item::unknown`] names.
pub const UNKNOWN_MAX: usize = 8;

impl Item {
    /// When the vault must look at it next: the earliest slot, or the healing backup that waits. None while its schedules rest.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.protection != Protection::Protected {
            return None;
        }
        let healing = self.healing.as_ref().map(|healing| healing.not_before);
        self.due.values().copied().chain(healing).min()
    }
}

/// Where a protected database stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Protection {
    /// Its schedules run.
    Protected,
    /// Its schedules rest until they are resumed.
    Suspended {
        /// Since when.
        since: Timestamp,
    },
    /// No more backups; what there is stays.
    Stopped {
        /// Since when.
        since: Timestamp,
    },
    /// Deleted, and kept for a while.
    SoftDeleted {
        /// Since when.
        since: Timestamp,
        /// Until when; what was in force at the deletion counts.
        until: Timestamp,
    },
}

/// Another tool that takes log backups, or fulls that are not copy-only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForeignOwner {
    /// It takes log backups.
    pub owns_log: bool,
    /// It takes fulls that are bases for differentials.
    pub owns_base: bool,
    /// Who took the newest, where to and when: for people.
    pub who: String,
    /// Log shipping.
    pub is_log_shipping: bool,
    /// Nobody knows: the history of its instance could not be read yet, so it counts as somebody's.
    #[serde(default)]
    pub is_unknown: bool,
}

/// The newest successful backup of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastBackup {
    /// Its job.
    pub job: JobId,
    /// Its recovery point.
    pub point: PointId,
    /// When it ended.
    pub at: Timestamp,
}

/// A backup that puts a chain right again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Healing {
    /// Full, or differential where the base is a full of this vault.
    pub kind: BackupKind,
    /// Why.
    pub reason: HealingReason,
    /// Since when it is wanted.
    pub since: Timestamp,
    /// Not before this (windows, one a day, one per instance at a time, staggering).
    pub not_before: Timestamp,
}

/// Why a chain has to be put right: the six of Azure Backup, and the vault's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HealingReason {
    /// LSNs do not meet.
    LsnValidation,
    /// There is no full.
    FullMissing,
    /// The newest full is too old.
    FullTooOld,
    /// The vault was interrupted.
    Interrupted,
    /// The database was restored over.
    Overwritten,
    /// The recovery model changed.
    RecoveryModelChanged,
    /// A log was taken and is lost or not usable.
    LogLost,
    /// The host was put back to a snapshot.
    SnapshotPutBack,
    /// The database's log is full, and waits for a log backup.
    LogFull,
    /// The vault's disk was full, and a log lies on the server's.
    StoreFull,
}
