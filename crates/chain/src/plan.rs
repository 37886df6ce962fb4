//! A plan: the sets to restore, in order, and where to stop; or why there is none.

use bak::Lsn;
use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::coverage::{BranchId, TimeSpan};
use crate::grade::Grade;
use crate::set::{Kind, SetId};
use crate::target::Moment;

/// Where a RESTORE LOG stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// STOPAT: on the clock of the instance that wrote this log.
    At(DateTime),
    /// STOPATMARK = 'lsn:...': this record included.
    AtLsn(Lsn),
    /// STOPBEFOREMARK = 'lsn:...': this record excluded.
    BeforeLsn(Lsn),
    /// STOPATMARK = 'name', AFTER where the name alone could mean an earlier mark.
    AtMark {
        /// The mark's name.
        name: String,
        /// On the clock of the instance that wrote this log.
        after: Option<DateTime>,
    },
}

/// One RESTORE statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The set.
    pub set: SetId,
    /// What it holds.
    pub kind: Kind,
    /// How sure it is; [`Grade::Disputed`] needs CONTINUE_AFTER_ERROR.
    pub grade: Grade,
    /// Where it stops; `None` where it is applied whole.
    pub stop: Option<Stop>,
    /// Set on a log behind one that stops at a moment too: its FirstLSN. The log before may get to that moment already, nobody can tell
    /// beforehand: the database then stands before this LSN, has what was asked for, and SQL Server refuses this log with message
    /// 4305. So it is left out where `redo_start_lsn` of file 1 in `sys.master_files` is less, and applied everywhere else.
    pub only_from: Option<Lsn>,
}

/// Sets to restore in this order, each WITH NORECOVERY, and then recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// A full, at most one differential of it, logs.
    pub steps: Vec<Step>,
    /// The branch it ends on.
    pub branch: BranchId,
    /// How far it gets in the log at most: the end of the last set, or the LSN it stops at.
    pub reaches: Lsn,
    /// Bytes to read.
    pub bytes: u64,
}

/// The cheapest plan, and others that cost the same number of steps of the same grades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plans {
    /// The one to take: best grades, then fewest steps, then fewest bytes, then the newest data backup.
    pub best: Plan,
    /// Equal in grades and steps, at most [`Plans::ALTERNATIVES_MAX`], nearest to the best first.
    pub alternatives: Vec<Plan>,
    /// Plans that reach the same target on other branches, where the target did not name one.
    pub other_branches: Vec<Plan>,
}

impl Plans {
    /// How many alternatives are listed.
    pub const ALTERNATIVES_MAX: usize = 8;
}

/// A point that can be restored to, offered in place of one that cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restorable {
    /// The branch.
    pub branch: BranchId,
    /// Its LSN, for `Target::Lsn`, where the point is the end of a set.
    pub lsn: Option<Lsn>,
    /// Its moment, where it has one.
    pub at: Option<Timestamp>,
    /// Where it has none: the moments between which its state was that of the database, where they are known.
    pub within: Option<TimeSpan>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// There is no usable backup set at all, or none on the branch asked for.
    Nothing,
    /// Before the first restorable point.
    TooEarly,
    /// After the last one.
    TooLate,
    /// In a hole.
    Hole(crate::coverage::Hole),
    /// The server's clock showed this moment more than once: all these are meant by it. An offset, a branch or an LSN tells which.
    Ambiguous(Vec<Timestamp>),
    /// Both readings of the moment lie in one log, so that STOPAT cannot tell them apart.
    AmbiguousInLog(SetId),
    /// The server's clock never showed this moment.
    Skipped,
    /// No offset of the server's clock is known, so that a moment with an offset means nothing here; name a local one.
    OffsetUnknown,
    /// No such mark is known.
    UnknownMark,
    /// No such set, or it cannot be used, for the reason of the hole it leaves.
    SetUnusable(Option<crate::coverage::HoleReason>),
    /// No such branch.
    UnknownBranch,
}

/// No plan, and what can be had instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The nearest restorable point before the target.
    pub before: Option<Restorable>,
    /// The nearest one after it.
    pub after: Option<Restorable>,
    /// The moment as it was understood, where it was one.
    pub moment: Option<Moment>,
}
