//! What was being done when SQL Server spoke: the same message means different things at different times.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An operation of the vault on an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Opening a session, registration included.
    Connect,
    /// Reading what an instance has: facts, databases, history, readiness; and setting protection up.
    Discovery,
    /// BACKUP, and what comes before and after it in the same job.
    Backup,
    /// RESTORE in all its forms, VERIFYONLY and HEADERONLY too, and what comes before and after it.
    Restore,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connect, Self::Discovery, Self::Backup, Self::Restore];

    /// As in the catalogue and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Discovery => "discovery",
            Self::Backup => "backup",
            Self::Restore => "restore",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
