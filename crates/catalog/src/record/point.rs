//! A recovery point: one backup set of a protected database, with its proof.

use jiff::Timestamp;
use jiff::civil::DateTime;
use schedule::BackupKind;
use schedule::keep::Origin;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::{ContainerId, DatabaseId, ItemId, JobId, PointId, PolicyId};

/// A recovery point. Keys: `a` item and LastLSN (zero-padded), `b` container and BackupSetGUID (unique), `c` until when its
/// deletion can be taken back, `d` item and end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// Which.
    pub id: PointId,
    /// The protected database.
    pub item: ItemId,
    /// The database's incarnation.
    pub database: DatabaseId,
    /// The job that took it; none where it was adopted.
    pub job: Option<JobId>,
    /// Policy at that time.
    pub policy: PolicyId,
    /// Where its blobs are.
    pub container: ContainerId,
    /// Its blobs, in the order of the stripes.
    pub blobs: Vec<String>,
    /// Kind.
    pub kind: BackupKind,
    /// What is known of its set.
    pub set: SetFacts,
    /// How sure it is.
    pub grade: Grade,
    /// Why the grade is not "proved".
    pub reasons: Vec<String>,
    /// The slot that it was taken for, without jitter; where there was none, when it began. None in records of before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Timestamp>,
    /// Who wanted it. None in records of before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// When it ended, by the vault's clock.
    pub ended: Timestamp,
    /// Bytes in the vault.
    pub bytes: u64,
    /// Wanted by a user, and kept until this.
    pub keep_until: Option<Timestamp>,
    /// It is deleted, and kept for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
}

/// What is deleted, and kept for a while: it can be had back until then, and nothing is restored of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// Since when.
    pub since: Timestamp,
    /// Until when it can be had back; what was in force at the deletion counts. After that its blobs go, then its record.
    pub until: Timestamp,
    /// Why.
    pub why: DeletedFor,
    /// Its blobs are being removed: it cannot be had back any more.
    #[serde(default)]
    pub is_final: bool,
}

/// Why a point is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeletedFor {
    /// Nothing keeps it any more.
    Age,
    /// A user does not want it any more.
    User,
    /// Its database's backups were deleted.
    Item,
}

/// How sure a recovery point is; success is SQL Server's word, proof is the vault's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Grade {
    /// The vault read the stream to its commit record, without damage.
    Proved,
    /// SQL Server verified what the vault cannot read.
    EngineVerified,
    /// SQL Server succeeded; the stream cannot be verified.
    Accepted,
    /// SQL Server succeeded; the vault found damage.
    Disputed,
}

/// What a planner needs of a set; LSNs are decimal numbers as SQL Server prints them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetFacts {
    /// BackupSetGUID.
    pub guid: Uuid,
    /// FirstLSN.
    pub first_lsn: String,
    /// LastLSN.
    pub last_lsn: String,
    /// CheckpointLSN.
    pub checkpoint_lsn: String,
    /// DatabaseBackupLSN.
    pub database_backup_lsn: Option<String>,
    /// `database_guid`.
    pub database_guid: Option<Uuid>,
    /// `family_guid`.
    pub family_guid: Option<Uuid>,
    /// RecoveryForkID: the fork at its end.
    pub fork: Uuid,
    /// FirstRecoveryForkID, where the database forked.
    pub first_fork: Option<Uuid>,
    /// ForkPointLSN, where the database forked.
    pub fork_point: Option<String>,
    /// Base of a differential: BackupSetGUID of the full.
    pub base_guid: Option<Uuid>,
    /// Base of a differential: its CheckpointLSN.
    pub base_lsn: Option<String>,
    /// Begin, server-local.
    pub started: DateTime,
    /// End, server-local.
    pub finished: DateTime,
    /// Minutes that the server was ahead of UTC.
    pub offset_minutes: Option<i16>,
    /// `last_valid_restore_time`, server-local (2022 and later).
    pub last_restorable: Option<DateTime>,
    /// `FULL`, `BULK_LOGGED`, `SIMPLE`.
    pub recovery_model: String,
    /// HasBulkLoggedData.
    pub is_bulk_logged: bool,
    /// IsCopyOnly.
    pub is_copy_only: bool,
    /// The set says that it begins a log chain.
    pub begins_log_chain: bool,
    /// Stripes.
    pub families: u16,
    /// `SoftwareVersion`: `16.0.4165`.
    pub software_version: String,
    /// Thumbprint of the certificate that it needs, in hexadecimal digits.
    pub thumbprint: Option<String>,
    /// The log's fingerprint, as `bak` writes it in JSON.
    pub log: Option<String>,
}
