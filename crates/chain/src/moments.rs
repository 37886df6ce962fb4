//! What the times of sets mean for what can be restored: bounds, never a single reading.
//!
//! All bounds lean to the safe side. A data backup serves from the latest its finish can have been; a log serves up to the earliest
//! its start can have been, since records after it may not exist although the log's finish time says so.
//!
//! The header of a backup tells its times cut to whole seconds ([`Grain::Second`]). For a start that is the safe side: all that was
//! committed before the second it names is in the log. What was committed in that second need not be, not even at its first
//! millisecond: a log that began at it may lack a commit of the same millisecond. So a log reaches to the millisecond before
//! ([`Span::reach`]), and a moment in that second takes the next log too. A finish may lie up to a second later, so that a data backup
//! may hold, and a log may go on to, what was committed in all of that second: it counts as over at the next one ([`Span::over`]).
//! Likewise nothing is known to have begun on a new fork before the second after its log's start ([`Span::begun`]). Where two such times
//! are compared with each other, nothing is added: of two that were cut alike, the earlier is the earlier.

use jiff::Timestamp;

use crate::set::{Clock, Grain};
use crate::time::Times;

/// The times of one set, in milliseconds of UTC (or of the server's clock where no offset is known).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    /// The earliest its start can have been.
    pub(crate) start_earliest: i64,
    /// The latest start as it is told.
    pub(crate) start_latest: i64,
    /// The latest finish as it is told.
    pub(crate) finish_latest: i64,
    /// It had surely begun by then.
    pub(crate) begun: i64,
    /// It was surely over by then.
    pub(crate) over: i64,
    /// The last moment at which it may still have been written.
    pub(crate) last: i64,
    /// The last moment that a log surely tells all about: the time of its last record where that is known, else the last before its
    /// start; that start itself where it is told exactly.
    pub(crate) reach: i64,
}

impl Span {
    pub(crate) fn of(times: &Times, clock: &Clock) -> Self {
        let grain = clock.grain;
        let reach = times.reach.as_millisecond();
        let is_start_cut = grain == Grain::Second && clock.last_restorable.is_none();
        let start_latest = times.start.latest.as_millisecond();
        let finish_latest = times.finish.latest.as_millisecond();
        Self {
            start_earliest: times.start.earliest.as_millisecond(),
            start_latest,
            finish_latest,
            begun: start_latest.saturating_add(grain.milliseconds()),
            over: finish_latest.saturating_add(grain.milliseconds()),
            last: finish_latest.saturating_add((grain.milliseconds() - 1).max(0)),
            reach: reach.saturating_sub(i64::from(is_start_cut)),
        }
    }
}

/// A bound as a timestamp.
pub(crate) fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
}
