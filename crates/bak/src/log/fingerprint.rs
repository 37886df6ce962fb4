//! What the log in a backup looks like, small enough to keep with every set: tells whether two sets that claim the same LSNs hold the
//! same log.

use serde::{Deserialize, Serialize};

use crate::lsn::Lsn;

/// Digests of the log blocks in a set, by where they lie.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogFingerprint {}

/// What two fingerprints say about a stretch of log that both sets hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogAgreement {
    /// They share nothing that could be compared.
    Unknown,
    /// All that could be compared is the same.
    Same,
    /// They differ, at this LSN or in the window that begins there.
    Differs(Lsn),
}

impl LogFingerprint {
    /// Compares what both hold.
    #[must_use]
    pub fn compare(&self, other: &Self) -> LogAgreement {
        if self == other {
            LogAgreement::Unknown
        } else {
            LogAgreement::Differs(Lsn::ZERO)
        }
    }
}
