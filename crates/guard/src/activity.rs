//! Whether the holder of a lease shows signs of life.

use std::time::Duration;

use azblob::time::UnixMillis;

/// What two or more looks say, or the vault's own door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// The content changed between the last two looks, or the door has a connection open on which the blob is used.
    Growing,
    /// Nothing changed for this long, as watched by this process or by the vault's own door: never from a blob's
    /// Last-Modified and a clock.
    Quiet {
        /// The length of the quiet that was watched.
        lasting: Duration,
        /// When the watched quiet began, by this machine's clock: for people.
        since: UnixMillis,
    },
    /// Looked at once so far; or a restore on an account that does not tell of reads.
    Unknown,
}

impl Activity {
    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Growing => "growing",
            Self::Quiet { .. } => "quiet",
            Self::Unknown => "unknown",
        }
    }
}
