//! When a set was written, as far as that can be told.

use jiff::Timestamp;

use super::choice::Choice;
use super::dial::Dial;

/// A point in time known to lie between two points, both included; equal where it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Not before this.
    pub earliest: Timestamp,
    /// Not after this.
    pub latest: Timestamp,
}

impl From<Choice> for Bounds {
    fn from(choice: Choice) -> Self {
        Self {
            earliest: choice.earliest(),
            latest: choice.latest(),
        }
    }
}

/// The times of one set. On a timeline that floats they are local times written as if they were UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When it began. A log is only known to hold what was committed before its `earliest`.
    pub start: Bounds,
    /// When it ended. A data backup is only known to hold nothing that was committed after its `latest`.
    pub finish: Bounds,
    /// Up to when a log is known to reach: the time of its last record where SQL Server recorded it, else its start; the earliest
    /// reading of it. After the `latest` finish only where the clock was put back between the last record and the finish, so that no
    /// moment in the log is sure.
    pub reach: Timestamp,
    /// How the clock of its server relates to UTC.
    pub(super) dial: Dial,
    /// Whether the clock may have been changed, as for summer time, while the set was written; known exactly, and not here, where the
    /// zone's rules are.
    pub(super) may_shift: bool,
}
