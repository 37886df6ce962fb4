//! What people should know: alerts and schedules that were not kept; and backups that other tools took.

use faults::Fault;
use jiff::Timestamp;
use jiff::civil::DateTime;
use schedule::BackupKind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::{DatabaseId, ForeignId, ItemId, JobId, NoticeId, ServerId};

/// A notice. Keys: `a` when it was raised, `b` item, `c` what it is about while it is open (unique), `d` open or not and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Which.
    pub id: NoticeId,
    /// When it was raised first.
    pub raised: Timestamp,
    /// When it was raised last.
    pub again: Timestamp,
    /// How often.
    pub times: u32,
    /// What it is about, in a few ASCII words with slashes (`missed/ITEM/log`): of one matter, one notice is open at a time.
    pub about: String,
    /// What.
    pub fault: Fault,
    /// Instance.
    pub server: Option<ServerId>,
    /// Protected database.
    pub item: Option<ItemId>,
    /// Job.
    pub job: Option<JobId>,
    /// A schedule that was not kept: the kind and its slot.
    pub missed: Option<(BackupKind, Timestamp)>,
    /// When it was over.
    pub resolved: Option<Timestamp>,
}

/// A backup that another tool took. Keys: `a` database and when it ended, `b` server and BackupSetGUID (unique).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Foreign {
    /// Which.
    pub id: ForeignId,
    /// Instance whose `msdb` tells of it.
    pub server: ServerId,
    /// Database, where it is known.
    pub database: Option<DatabaseId>,
    /// `database_name`.
    pub name: String,
    /// BackupSetGUID.
    pub set: Uuid,
    /// `type`: D, I, L, F, G, P, Q.
    pub kind: char,
    /// `is_copy_only`.
    pub is_copy_only: bool,
    /// `backup_finish_date`, server-local.
    pub finished: DateTime,
    /// FirstLSN as a decimal number.
    pub first_lsn: Option<String>,
    /// LastLSN as a decimal number.
    pub last_lsn: Option<String>,
    /// `user_name`.
    pub user: String,
    /// `physical_device_name` of its first family.
    pub device: String,
    /// `device_type`.
    pub device_type: i32,
}
