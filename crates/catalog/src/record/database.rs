//! One incarnation of a database, as discovery found it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::{DatabaseId, ServerId};

/// A database. Keys: `a` server and name in lower case, `b` its `database_guid`, `c` its `family_guid`, `d` its server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// Which.
    pub id: DatabaseId,
    /// On which instance it was found; of an availability group's, the replica that was asked last.
    pub server: ServerId,
    /// The availability group that it belongs to.
    pub group: Option<Uuid>,
    /// Its name now.
    pub name: String,
    /// Names that it had before, the oldest first, and until when.
    pub former_names: Vec<(String, Timestamp)>,
    /// `database_guid`: this incarnation on this server. None where the database could not be asked (offline, closed).
    pub database_guid: Option<Uuid>,
    /// `family_guid`: its lineage, shared with all copies; never its identity.
    pub family_guid: Option<Uuid>,
    /// `recovery_fork_guid`.
    pub recovery_fork: Option<Uuid>,
    /// `database_id` on its server.
    pub number: i32,
    /// `create_date`, server-local.
    pub created: DateTime,
    /// What it is like.
    pub state: DatabaseState,
    /// Bytes of its data files.
    pub data_bytes: u64,
    /// Bytes of its log files.
    pub log_bytes: u64,
    /// Its files.
    pub files: Vec<FileSeen>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// When it was first missed; none while it is there.
    pub gone: Option<Timestamp>,
    /// A copy that the vault restored in order to test a restore: never protected by itself.
    pub is_test_copy: bool,
}

/// State and options that decide which backups are possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseState {
    /// `state_desc`: `ONLINE`, `RESTORING`, ...
    pub state: String,
    /// `recovery_model_desc`: `FULL`, `BULK_LOGGED`, `SIMPLE`.
    pub recovery_model: String,
    /// `user_access_desc`.
    pub user_access: String,
    /// `is_read_only`.
    pub is_read_only: bool,
    /// `is_in_standby`.
    pub is_standby: bool,
    /// It mirrors or is mirrored.
    pub is_mirrored: bool,
    /// A snapshot of another database.
    pub is_snapshot: bool,
    /// master, model, msdb or tempdb.
    pub is_system: bool,
    /// `is_encrypted` (TDE).
    pub is_encrypted: bool,
    /// `last_log_backup_lsn` as a decimal number; none where no log backup is possible.
    pub last_log_backup_lsn: Option<String>,
    /// `differential_base_guid` of its first file.
    pub differential_base: Option<Uuid>,
    /// The primary of a log-shipping pair.
    pub is_log_shipped: bool,
}

/// A file of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileSeen {
    /// Logical name.
    pub logical: String,
    /// Path on the server.
    pub path: String,
    /// Whether it is log.
    pub is_log: bool,
    /// Bytes.
    pub bytes: u64,
}
