//! What a moment that a user names means on a branch.

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::dial::{Dial, instant, shown};
use super::timeline::Timeline;
use crate::target::Moment;

/// The points in time at which the server's clock showed a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readings {
    /// The clock never showed it: it was put forward over it.
    Skipped,
    /// This one alone.
    One(Timestamp),
    /// Each of these, ascending, two or more: the clock was put back, or nothing tells which of two offsets it had.
    Several(Vec<Timestamp>),
}

/// Nothing relates the sets' times to UTC, so that a moment with an offset means nothing among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no backup set tells the offset of the server's clock, and no time zone is given")]
pub struct OffsetUnknown;

impl Timeline {
    /// What `moment` means. On a timeline that floats a local moment is itself, written as if it were UTC.
    ///
    /// A local moment counts at a point in time where the clock may then have stood so: the zone's rules, or the set that began last
    /// before that point or the one that began next, say so.
    ///
    /// # Errors
    /// [`OffsetUnknown`] for a moment with an offset on a timeline that floats.
    pub fn readings(&self, moment: Moment) -> Result<Readings, OffsetUnknown> {
        match moment {
            Moment::Universal(_) if self.floats() => Err(OffsetUnknown),
            Moment::Universal(at) => Ok(Readings::One(at)),
            Moment::Local(local) => Ok(self.local(local)),
        }
    }

    fn local(&self, local: DateTime) -> Readings {
        if self.floats() {
            return Readings::One(instant(local, jiff::tz::Offset::UTC));
        }
        let by_zone = self
            .zone
            .iter()
            .flat_map(|zone| shown(zone, local))
            .filter(|at| self.any_clock_at(*at, |dial| dial == Dial::Zone));
        let by_offset = self
            .offsets
            .iter()
            .map(|offset| (instant(local, *offset), *offset))
            .filter(|(at, offset)| self.any_clock_at(*at, |dial| dial.may_stand_at(*offset)))
            .map(|(at, _)| at);
        let mut all: Vec<Timestamp> = by_zone.chain(by_offset).collect();
        all.sort_unstable();
        all.dedup();
        match all.as_slice() {
            [] => Readings::Skipped,
            [one] => Readings::One(*one),
            _ => Readings::Several(all),
        }
    }

    /// Whether `is` holds of the clock of the set that began last before `at` or of the one that began next. Without any set the zone's
    /// rules are all there is.
    fn any_clock_at(&self, at: Timestamp, is: impl Fn(Dial) -> bool) -> bool {
        let next = self.begun.partition_point(|(begun, _)| *begun <= at);
        let before = next.checked_sub(1).and_then(|last| self.begun.get(last));
        let mut around = [before, self.begun.get(next)].into_iter().flatten();
        if self.begun.is_empty() {
            return is(Dial::Zone);
        }
        around.any(|(_, dial)| is(*dial))
    }
}
