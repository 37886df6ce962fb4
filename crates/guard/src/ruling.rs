//! The one decision of the guard: may this lease be broken.
//!
//! Pure: what is known of a blob, the terms of the run, and what SQL Server answered go in; a ruling with its reason
//! comes out. `list`, `break`, `delete` and `watch` ask the same function.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::place::Place;

/// Under which terms a run may break leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long a blob must have been quiet, as watched.
    pub min_quiet: Duration,
    /// Restore leases too.
    pub include_restore: bool,
    /// Blobs that the user named one by one: an unknown holder is broken only here.
    pub named: BTreeSet<Place>,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// May be broken now.
    Break(Grounds),
    /// Could be broken if nothing stirs for so much longer.
    Wait(Duration),
    /// Must not be broken.
    Keep(Why),
}

/// Why a lease may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Grounds {
    /// A backup, quiet for long enough. Evidence, not proof.
    QuietBackup,
    /// A backup that no asked instance runs, quiet for long enough.
    QuietBackupNotRunning,
    /// A backup without connection and job on the vault's own door, quiet for long enough.
    AbandonedAtOurDoor,
    /// A restore lease that the user wanted included.
    IncludedRestore,
    /// An unknown holder on a blob that the user named.
    NamedByUser,
}

/// Why a lease must not be broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// Nothing to break.
    NotLocked,
    /// A SQL Server data file in use.
    DataFile,
    /// A SQL Server log file in use.
    LogFile,
    /// A virtual machine's disk.
    Disk,
    /// A lease of 15 to 60 seconds: it runs out by itself, and if it does not, somebody renews it.
    FixedLease,
    /// Already being broken, over within a minute.
    Breaking,
    /// Nothing shows who holds it, and it was not named.
    UnknownHolder,
    /// A restore lease, and they are not included.
    Restore,
    /// The content grows.
    Growing,
    /// A connection that uses the blob is open on the vault's own door.
    ConnectionOpen,
    /// A job of the vault uses the blob.
    JobRunning,
    /// An asked instance runs a statement that names the blob, or may: instance and session.
    Running {
        /// The instance.
        server: String,
        /// Its session.
        session: i32,
    },
    /// It has no tag, so nothing can be made conditional on it.
    NoTag,
    /// What it holds could not be read, so it may be a database file.
    ContentUnread,
}
