//! The offsets that the sets' clocks were seen at.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::choice::Choice;
use super::dial::{Dial, by_offsets, instant, may_be_one_clock, recorded};
use crate::set::Set;

/// What the recorded offsets say of the clock at any time.
pub(super) struct Seen {
    /// When a set with an offset began, and the offset, in the order of time.
    at: Vec<(Timestamp, Offset)>,
    /// All of them, ascending, without repetition.
    offsets: Vec<Offset>,
}

impl Seen {
    pub(super) fn of(sets: &[&Set], dials: &[Dial]) -> Self {
        let mut at: Vec<(Timestamp, Offset)> = sets
            .iter()
            .zip(dials)
            .filter(|(_, dial)| **dial != Dial::Zone)
            .filter_map(|(set, _)| {
                let offset = recorded(set)?;
                Some((instant(set.clock.start, offset), offset))
            })
            .collect();
        at.sort_by_key(|(at, _)| *at);
        let mut offsets: Vec<Offset> = at.iter().map(|(_, offset)| *offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        Self { at, offsets }
    }

    /// Whether the clock may have stood at `offset` at `at`: the set that began last, or the one that begins next, says so.
    fn may_stand_at(&self, at: Timestamp, offset: Offset) -> bool {
        let next = self.at.partition_point(|(begun, _)| *begun <= at);
        let before = next.checked_sub(1).and_then(|last| self.at.get(last));
        [before, self.at.get(next)]
            .into_iter()
            .flatten()
            .any(|(_, seen)| *seen == offset)
    }

    /// The points in time that a local time can be that a set tells whose clock stood at `one`, or maybe at `other`, when it began. The
    /// time is not before `from`, where the set's clock was not put back.
    pub(super) fn readings(
        &self,
        local: DateTime,
        one: Offset,
        other: Option<Offset>,
        from: Timestamp,
    ) -> Choice {
        self.explained(local, one, other, from).unwrap_or_else(|| {
            let own = by_offsets(local, one, other);
            own.as_slice().iter().fold(own, |all, at| {
                winter(*at, from).map_or(all, |winter| all.or(winter))
            })
        })
    }

    /// By the offsets that the set's clock may have had, and others near them, where they were seen around that time.
    fn explained(
        &self,
        local: DateTime,
        one: Offset,
        other: Option<Offset>,
        from: Timestamp,
    ) -> Option<Choice> {
        let near = |offset: Offset| {
            may_be_one_clock(one, offset) || other.is_some_and(|own| may_be_one_clock(own, offset))
        };
        let seen = self
            .offsets
            .iter()
            .filter(|offset| near(**offset))
            .map(|offset| (instant(local, *offset), *offset))
            .filter(|(at, offset)| *at >= from && self.may_stand_at(*at, *offset));
        Choice::of(seen.map(|(at, _)| at))
    }

    /// All offsets that were seen, ascending.
    pub(super) fn into_offsets(self) -> Vec<Offset> {
        self.offsets
    }
}

/// A reading that lies before the start of its set, an hour later, where that is not: the clock may have been put back for winter in
/// the set, and no set behind it tells.
fn winter(at: Timestamp, from: Timestamp) -> Option<Timestamp> {
    let later = at.saturating_add(SignedDuration::from_hours(1)).ok()?;
    (at < from && later >= from).then_some(later)
}
