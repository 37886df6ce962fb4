//! What became of one locked blob, or of one container that could not be read.

use azblob::time::UnixMillis;

use crate::fault::Fault;
use crate::finding::Finding;
use crate::ruling::{Ruling, Why};

/// What a run did about one blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// Only looked.
    Listed,
    /// Would have broken the lease (a dry run).
    WouldBreak,
    /// Would have broken the lease and deleted the blob (a dry run).
    WouldDelete,
    /// Broke the lease.
    Broke,
    /// Broke the lease and deleted the blob.
    Deleted,
    /// Left it alone.
    Skipped(Skip),
    /// Broke the lease; the deletion did not work.
    BrokeNotDeleted(Fault),
    /// Tried and failed.
    Failed(Fault),
}

/// Why a blob was left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The rules forbid it.
    Ruled(Why),
    /// It was not quiet for long enough when the run ended.
    NotQuietYet,
    /// It changed between the look and the act.
    Stirred,
    /// Its lease was released or broken by somebody else.
    Released,
    /// It is gone.
    Gone,
    /// It holds a backup that ended, or one that cannot be followed to its end and may have ended, and deleting such was not
    /// asked for.
    CompleteBackup,
    /// It could not be read whether it holds a complete backup; one sentence why.
    NotVerified(String),
    /// The user said no.
    Declined,
    /// SQL Server could not be asked; the sentence.
    NotAsked(String),
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A locked blob.
    Blob {
        /// What is known of it.
        finding: Box<Finding>,
        /// What the rules say, under the terms of the run.
        ruling: Ruling,
        /// What was done.
        did: Did,
        /// When, by this machine's clock.
        at: UnixMillis,
    },
    /// A container, or the account, that could not be read to its end.
    Unread {
        /// The fault, which names it.
        fault: Fault,
        /// When.
        at: UnixMillis,
    },
}

/// The figures of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Containers read.
    pub containers: u64,
    /// Blobs seen.
    pub blobs: u64,
    /// Locked ones among them.
    pub locked: u64,
}

impl Did {
    /// `action` of the JSON contract.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::WouldBreak => "wouldBreak",
            Self::WouldDelete => "wouldDelete",
            Self::Broke => "broken",
            Self::Deleted => "deleted",
            Self::Skipped(_) => "skipped",
            Self::BrokeNotDeleted(_) => "brokenNotDeleted",
            Self::Failed(_) => "failed",
        }
    }
}
