//! What of a database is restorable: intervals of LSN and of time for each branch, and why each hole is one.

use bak::Lsn;
use jiff::Timestamp;
use uuid::Uuid;

use crate::set::{ForkOrigin, SetId};

/// A branch of a database's history, numbered from 0 in the order of their first set's LSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchId(pub u32);

/// One line of a database's history: a recovery fork, or, where a server was put back to a snapshot and wrote the same LSNs again
/// under the same fork id, one history of a fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its number.
    pub id: BranchId,
    /// RecoveryForkID.
    pub fork: Uuid,
    /// Which history of the fork, from 1; more than one means a hidden fork.
    pub history: u32,
    /// The branch it left, and up to where the two are one.
    pub parent: Option<(BranchId, Lsn)>,
    /// What the headers say of the fork's origin, even where no set of the parent is there.
    pub origin: Option<ForkOrigin>,
    /// Why this is a history of its own, in one sentence; none for a fork that SQL Server itself declared.
    pub evidence: Option<String>,
}

/// An interval of moments, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan {
    /// First restorable moment.
    pub from: Timestamp,
    /// Last restorable moment.
    pub to: Timestamp,
}

/// A stretch of log that a plan reaches any point of, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The branch.
    pub branch: BranchId,
    /// First LSN that can be restored to: LastLSN of a data backup, or where the branch leaves its parent, or behind a hole.
    pub from: Lsn,
    /// The last one.
    pub to: Lsn,
    /// The moments in it. None where only LSNs name a point: the server's clock was turned back inside, or nothing but a data backup
    /// leads there, whose state is that of no known moment.
    pub times: Option<TimeSpan>,
    /// Of a span without moments that a data backup makes: its state is that of some moment between these two.
    pub within: Option<TimeSpan>,
}

/// Why nothing in a hole can be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoleReason {
    /// No full backup (and differential) ends early enough for the logs here.
    NoFull,
    /// These LSNs are in no log that is there.
    MissingLog,
    /// The log holds bulk-logged changes and can only be applied whole: of it, only the end.
    BulkLogged(SetId),
    /// The log was truncated by a switch to the SIMPLE recovery model; a new chain began at the hole's end.
    SwitchedToSimple,
    /// What follows belongs to another fork that does not continue what is there.
    OtherFork(Uuid),
    /// The set that covers it lacks these stripes.
    FamiliesMissing(SetId, Box<[u16]>),
    /// The set that covers it is not known to have succeeded, or breaks off.
    NotProved(SetId),
    /// The set that covers it is damaged.
    Damaged(SetId),
    /// The differential's base is not there.
    BaseMissing(SetId, Option<Uuid>),
}

/// A stretch of a branch that cannot be restored to; both ends excluded where a span touches them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// The branch.
    pub branch: BranchId,
    /// Where it begins.
    pub from: Lsn,
    /// Where it ends.
    pub to: Lsn,
    /// Why.
    pub reason: HoleReason,
}

/// What is restorable of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The branches, by number.
    pub branches: Vec<Branch>,
    /// By branch, then by LSN. Within a branch they do not overlap, but that a data backup that stands for moments which no log serves
    /// is a point of its own, with those moments, even inside a longer span. What a branch shares with its parent is listed with the
    /// parent.
    pub spans: Vec<Span>,
    /// By branch, then by LSN.
    pub holes: Vec<Hole>,
}
