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
    /// Backups that may run at the same time over all instances.
    pub jobs_at_once: u32,
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
