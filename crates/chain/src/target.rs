//! Where a restore shall get to, and on what terms.

use bak::Lsn;
use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::coverage::BranchId;
use crate::set::SetId;

/// A moment as a user names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// With an offset, so that it is one point in time.
    Universal(Timestamp),
    /// On the clock of the server whose log covers it.
    Local(DateTime),
}

/// Where to get to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// Every transaction committed up to this moment.
    Moment(Moment),
    /// Up to and including this log record, as STOPATMARK = 'lsn:...' has it; the LastLSN of a set means the end of that set.
    Lsn(Lsn),
    /// Up to this log record, which is left out, as STOPBEFOREMARK = 'lsn:...' has it.
    BeforeLsn(Lsn),
    /// A named mark (BEGIN TRANSACTION ... WITH MARK), included; where a name was used more than once, the first one at or after the moment.
    Mark {
        /// Its name.
        name: String,
        /// STOPATMARK ... AFTER.
        after: Option<Moment>,
    },
    /// As far as the sets go.
    Latest,
    /// The end of this set, whole.
    Set(SetId),
}

/// On what terms a plan is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Disputed sets that the user has named: only these are used although they are damaged, with CONTINUE_AFTER_ERROR.
    pub accept_damaged: Vec<SetId>,
    /// Only this branch; without one, of several that reach the target the one that was written last.
    pub branch: Option<BranchId>,
}
