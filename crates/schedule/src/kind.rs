//! The types of backup that a policy can ask for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A type of backup. In the order in which those that are due at once begin: what a later one stands on comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BackupKind {
    /// The whole database; the base of the differentials after it.
    Full,
    /// The whole database, without becoming anybody's base: it disturbs no other backup tool.
    CopyOnlyFull,
    /// What changed since the last full that was not copy-only.
    Differential,
    /// Transaction log.
    Log,
}

impl BackupKind {
    /// All of them, in the order above.
    pub const ALL: [Self; 4] = [Self::Full, Self::CopyOnlyFull, Self::Differential, Self::Log];

    /// As the command line and JSON write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::CopyOnlyFull => "copyOnlyFull",
            Self::Differential => "differential",
            Self::Log => "log",
        }
    }

    /// Whether a restore can begin with it.
    pub const fn is_full(self) -> bool {
        matches!(self, Self::Full | Self::CopyOnlyFull)
    }
}

impl fmt::Display for BackupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
