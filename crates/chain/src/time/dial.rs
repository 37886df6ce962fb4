//! What is known of the clock that a set's times were read from.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::choice::Choice;
use crate::set::{Clock, Set};

/// By how much summer time moves a clock at most (Antarctica/Troll; half as much nearly everywhere). Offsets further apart are those of
/// different servers.
pub(super) const SHIFT_MAX: SignedDuration = SignedDuration::from_hours(2);

/// Seconds by which nearly every clock is moved for summer.
const HOUR: i32 = 3600;

/// Seconds in a minute.
const MINUTE: i32 = 60;

/// How a server's clock relates to UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dial {
    /// By the rules of the zone that the timeline was made with.
    Zone,
    /// By the first offset, recorded in the set or that of the sets around; or, where those before and behind it differ, by either.
    Offsets(Offset, Option<Offset>),
    /// By an offset that is known of the sets on one side alone: the clock may have been moved an hour since, or before, either way.
    Near(Offset),
    /// Not at all.
    Floating,
}

impl Dial {
    /// Whether this clock may stand at `offset` when its set begins.
    pub(super) fn may_stand_at(self, offset: Offset) -> bool {
        match self {
            Self::Offsets(one, other) => one == offset || other == Some(offset),
            Self::Near(one) => (one.seconds() - offset.seconds()).abs() <= HOUR,
            Self::Zone | Self::Floating => false,
        }
    }
}

/// The offset that a set carries, where it is one.
pub(super) fn recorded(set: &Set) -> Option<Offset> {
    let minutes = i32::from(set.clock.offset_minutes?);
    Offset::from_seconds(minutes * MINUTE).ok()
}

/// The point in time of a local time at an offset; at the ends of time the nearest one there is.
pub(super) fn instant(local: DateTime, offset: Offset) -> Timestamp {
    offset.to_timestamp(local).unwrap_or(if local.year() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// The points in time of a local time at one offset or another.
pub(super) fn by_offsets(local: DateTime, one: Offset, other: Option<Offset>) -> Choice {
    let choice = Choice::one(instant(local, one));
    other.map_or(choice, |other| choice.or(instant(local, other)))
}

/// Whether two offsets are so close that one server's clock may stand at both in the course of a year.
pub(super) fn may_be_one_clock(one: Offset, other: Offset) -> bool {
    one.duration_since(other).abs() <= SHIFT_MAX
}

/// The points in time at which a clock of this zone shows `local`: none, one or two.
pub(super) fn shown(zone: &TimeZone, local: DateTime) -> impl Iterator<Item = Timestamp> {
    let offsets = match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => [Some(offset), None],
        AmbiguousOffset::Gap { .. } => [None, None],
        AmbiguousOffset::Fold { before, after } => [Some(before), Some(after)],
    };
    offsets
        .into_iter()
        .flatten()
        .map(move |offset| instant(local, offset))
}

/// The points in time that a set's local time can be in this zone. A time that the clock skipped stands in a set where the clock was
/// changed late; it is either of the two that the offsets before and after give.
pub(super) fn in_zone(zone: &TimeZone, local: DateTime) -> Choice {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => Choice::one(instant(local, offset)),
        AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
            Choice::one(instant(local, before)).or(instant(local, after))
        }
    }
}

/// Which clock a set was written by.
pub(super) fn dial_of(clock: &Clock, recorded: Option<Offset>, zone: Option<&TimeZone>) -> Option<Dial> {
    match (recorded, zone) {
        (Some(offset), Some(zone)) if zone.to_offset(instant(clock.start, offset)) == offset => {
            Some(Dial::Zone)
        }
        (Some(offset), _) => Some(Dial::Offsets(offset, None)),
        (None, Some(_)) => Some(Dial::Zone),
        (None, None) => None,
    }
}

/// The bounds of the points in time that a local time can be on a clock near `offset`.
pub(super) fn near(local: DateTime, offset: Offset) -> Choice {
    let moved = |seconds: i32| Offset::from_seconds(offset.seconds() + seconds).unwrap_or(offset);
    by_offsets(local, moved(HOUR), Some(moved(-HOUR)))
}
