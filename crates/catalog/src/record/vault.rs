//! A vault: what holds for all that hangs under it.

use jiff::Timestamp;
use schedule::Limits;
use serde::{Deserialize, Serialize};

use super::id::VaultId;

/// A vault. Keys: `a` its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vault {
    /// Which.
    pub id: VaultId,
    /// What people call it; 1 to 50 characters.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// What becomes of what people delete.
    pub soft_delete: SoftDelete,
    /// Bounds of policies, where they differ from the documented ones.
    pub limits: Limits,
    /// How often instances are looked at for new and changed databases, in minutes; 480 (8 h), as Azure Backup does.
    pub discovery_minutes: u32,
    /// Backups that may run at the same time over all instances. Without it, by the vault's size: 8 for each registered instance,
    /// and 64 at least. How many run on one instance, and so how much of its memory they take, its own setting says.
    #[serde(default)]
    pub jobs_at_once: Option<u32>,
    /// How many databases it protects at most; 2,000, as Azure Backup.
    #[serde(default = "databases_max")]
    pub databases_max: u32,
    /// How much may be done in 24 hours.
    #[serde(default)]
    pub daily: Daily,
    /// What was done in the last 24 hours, by hour.
    #[serde(default)]
    pub spent: Vec<Spent>,
    /// For how long jobs are kept that are over.
    #[serde(default)]
    pub keeping: Keeping,
    /// How far old jobs were gone through.
    #[serde(default)]
    pub tidied: Tidied,
}

const fn databases_max() -> u32 {
    2_000
}

/// For how long jobs are kept that are over. With 2,000 databases and logs every 15 minutes there are 192,000 a day, nearly all
/// of them logs of which there is nothing to say but what their recovery points say. All figures are the vault's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Keeping {
    /// Days that every ended job and every resolved notice is kept; 90.
    pub days: u16,
    /// Days that the job of a scheduled log backup is kept which completed without warnings; 14, and no more than `days`.
    pub log_days: u16,
    /// Days after which a scheduled job that completed without warnings keeps its outcome, times, bytes and point alone, without
    /// steps, messages and statements; 2. All others keep them.
    pub detail_days: u16,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            days: 90,
            log_days: 14,
            detail_days: 2,
        }
    }
}

/// How far old jobs were gone through, by when they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tidied {
    /// Those before it are shortened where they may be.
    pub shortened: Option<Timestamp>,
    /// Logs before it are removed where they may be.
    pub logs: Option<Timestamp>,
}

/// How much may be done in 24 hours. Azure Backup has such limits and publishes no number but that of fulls on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Daily {
    /// Configurations: databases protected, or brought to another policy or version. 10,000: each of 2,000 databases five times.
    pub configurations: u32,
    /// Fulls on demand of one database, copy-only ones among them. 9, as Azure Backup.
    pub fulls_on_demand: u32,
}

impl Default for Daily {
    fn default() -> Self {
        Self {
            configurations: 10_000,
            fulls_on_demand: 9,
        }
    }
}

/// What was done in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spent {
    /// The hour's beginning.
    pub hour: Timestamp,
    /// Configurations.
    pub configurations: u32,
}

/// What becomes of what people delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SoftDelete {
    /// Whether it is kept for a while.
    pub mode: SoftDeleteMode,
    /// For how many days: 14 to 180. What was deleted keeps the time that was in force then.
    pub days: u16,
}

impl Default for SoftDelete {
    fn default() -> Self {
        Self {
            mode: SoftDeleteMode::Enabled,
            days: 14,
        }
    }
}

/// Whether deleted data are kept for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SoftDeleteMode {
    /// No.
    Disabled,
    /// Yes.
    Enabled,
    /// Yes, and nobody can change that any more.
    AlwaysOn,
}
