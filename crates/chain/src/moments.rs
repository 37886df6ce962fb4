//! What the times of sets mean for what can be restored: bounds, never a single reading.
//!
//! All bounds lean to the safe side. A data backup serves from the latest its finish can have been; a log serves up to the earliest
//! its start can have been, since records after it may not exist although the log's finish time says so.

use jiff::Timestamp;

use crate::time::Times;

/// The times of one set, in milliseconds of UTC (or of the server's clock where no offset is known).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    /// The earliest its start can have been.
    pub(crate) start_earliest: i64,
    /// The latest.
    pub(crate) start_latest: i64,
    /// The latest its finish can have been.
    pub(crate) finish_latest: i64,
    /// The last moment that a log surely tells all about.
    pub(crate) reach: i64,
}

impl Span {
    pub(crate) fn of(times: &Times) -> Self {
        Self {
            start_earliest: times.start.earliest.as_millisecond(),
            start_latest: times.start.latest.as_millisecond(),
            finish_latest: times.finish.latest.as_millisecond(),
            reach: times.reach.as_millisecond(),
        }
    }
}

/// A bound as a timestamp.
pub(crate) fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
}
