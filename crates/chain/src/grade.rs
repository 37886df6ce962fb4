//! How sure a backup set is: the proof grades of the design (2.1, 2.2), from best to worst.

use serde::{Deserialize, Serialize};

/// What is known of a set's content. Ordered: a better grade is smaller, and a plan takes better sets first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Grade {
    /// Read to its commit record by our own reader, without damage.
    Proved,
    /// SQL Server succeeded and RESTORE VERIFYONLY held; our reader cannot verify the stream.
    EngineVerified,
    /// SQL Server succeeded; our reader cannot verify the stream.
    Accepted,
    /// The headers say that the set is whole; its content was not read, and SQL Server's word is not known.
    HeadersOnly,
    /// SQL Server succeeded or the headers say so, but our reader finds damage. Planned only where the set is named.
    Disputed,
    /// No success is known, or the set breaks off. Never planned.
    None,
}

impl Grade {
    /// Whether a plan may take such a set without being told to.
    #[must_use]
    pub fn is_usable(self) -> bool {
        self < Self::Disputed
    }
}
