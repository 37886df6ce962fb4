//! The sets of one branch in time.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::bounds::{Bounds, Times};
use super::choice::Choice;
use super::dial::{Dial, dial_of, in_zone, instant, may_be_one_clock, recorded};
use super::narrow::{Place, narrow};
use crate::set::{Set, SetId};

/// The sets of one branch in time. Built in n log n for n sets.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// In the order in which the sets came.
    times: Vec<Times>,
    /// By id: the index into `times`.
    by_id: Vec<(SetId, usize)>,
    /// When each set began at the earliest, and its clock, in the order of time.
    pub(super) begun: Vec<(Timestamp, Dial)>,
    /// The offsets that the clocks of the sets may stand at, ascending, without repetition; of sets that follow the zone's rules none.
    pub(super) offsets: Vec<Offset>,
    pub(super) zone: Option<TimeZone>,
    floats: bool,
}

impl Timeline {
    /// Places the sets of one branch, in the order of the log: by `last`, then by `first`. `zone`: the rules of the server's zone,
    /// where the user names it.
    #[must_use]
    pub fn of(sets: &[&Set], zone: Option<&TimeZone>) -> Self {
        let dials = dials(sets, zone);
        let seen = Seen::of(sets, &dials);
        let mut places: Vec<Place> = sets
            .iter()
            .zip(&dials)
            .map(|(set, dial)| place(set, *dial, zone, &seen))
            .collect();
        narrow(sets, &mut places);
        let times: Vec<Times> = places
            .iter()
            .zip(&dials)
            .zip(sets)
            .map(|((place, dial), set)| times(set, place, *dial))
            .collect();
        let mut by_id: Vec<(SetId, usize)> = sets.iter().map(|set| set.id).zip(0..).collect();
        by_id.sort_unstable();
        let mut begun: Vec<(Timestamp, Dial)> = times
            .iter()
            .map(|times| (times.start.earliest, times.dial))
            .collect();
        begun.sort_by_key(|(start, _)| *start);
        Self {
            by_id,
            begun,
            offsets: seen.offsets,
            zone: zone.cloned(),
            floats: zone.is_none() && dials.iter().all(|dial| *dial == Dial::Floating),
            times,
        }
    }

    /// The times of a set; none where it is not on this timeline.
    #[must_use]
    pub fn times(&self, id: SetId) -> Option<&Times> {
        let index = self.by_id.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.times.get(self.by_id[index].1)
    }

    /// The times of all sets, in the order in which the sets came.
    #[must_use]
    pub fn all(&self) -> &[Times] {
        &self.times
    }

    /// Whether nothing relates these times to UTC: no set carries an offset and no zone is given. The times are then local ones,
    /// written as if they were UTC, and are comparable to each other alone.
    #[must_use]
    pub fn floats(&self) -> bool {
        self.floats
    }
}

/// The clock of each set. One without an offset of its own, where no zone is given, goes by the nearest ones with an offset before and
/// behind it.
fn dials(sets: &[&Set], zone: Option<&TimeZone>) -> Vec<Dial> {
    let mut before = None;
    let before: Vec<Option<Offset>> = sets
        .iter()
        .map(|set| {
            before = recorded(set).or(before);
            before
        })
        .collect();
    let mut behind = None;
    let mut dials: Vec<Dial> = sets
        .iter()
        .zip(&before)
        .rev()
        .map(|(set, before)| {
            let own = recorded(set);
            behind = own.or(behind);
            dial_of(&set.clock, own, zone).unwrap_or(match (*before, behind) {
                (Some(one), Some(other)) if one != other => Dial::Offsets(one, Some(other)),
                (Some(one), _) | (None, Some(one)) => Dial::Offsets(one, None),
                (None, None) => Dial::Floating,
            })
        })
        .collect();
    dials.reverse();
    dials
}

/// What the recorded offsets say of the clock at any time.
struct Seen {
    /// When a set with an offset began, and the offset, in the order of time.
    at: Vec<(Timestamp, Offset)>,
    /// All of them, ascending, without repetition.
    offsets: Vec<Offset>,
}

impl Seen {
    fn of(sets: &[&Set], dials: &[Dial]) -> Self {
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

    /// The points in time, not before `from`, that a local time can be that a set tells whose clock stood at one of `offsets` when it
    /// began: by that offset, and by another one that the clock had near then. None where what was seen explains none.
    fn explained(&self, local: DateTime, offsets: [Option<Offset>; 2], from: Timestamp) -> Option<Choice> {
        let own = offsets.into_iter().flatten();
        let near = |other: Offset| own.clone().any(|own| may_be_one_clock(own, other));
        let possible = self
            .offsets
            .iter()
            .filter(|other| near(**other))
            .map(|other| (instant(local, *other), *other))
            .filter(|(at, other)| *at >= from && self.may_stand_at(*at, *other))
            .map(|(at, _)| at);
        Choice::of(possible)
    }
}

/// Where a set lies by itself.
fn place(set: &Set, dial: Dial, zone: Option<&TimeZone>, seen: &Seen) -> Place {
    let clock = &set.clock;
    let start = match (recorded(set), dial, zone) {
        (Some(offset), ..) => Choice::one(instant(clock.start, offset)),
        (None, Dial::Offsets(one, other), _) => Choice::of(
            [Some(one), other]
                .into_iter()
                .flatten()
                .map(|offset| instant(clock.start, offset)),
        )
        .unwrap_or_else(|| Choice::one(instant(clock.start, one))),
        (None, Dial::Zone, Some(zone)) => in_zone(zone, clock.start),
        (None, ..) => Choice::one(instant(clock.start, Offset::UTC)),
    };
    // Of the time of the last record, which may be older than the start, and of the finish, which is not.
    let other = |local: DateTime, from: Timestamp| match (dial, zone) {
        (Dial::Zone, Some(zone)) => in_zone(zone, local),
        (Dial::Offsets(one, other), _) => seen
            .explained(local, [Some(one), other], from)
            .unwrap_or_else(|| unexplained(local, [Some(one), other], from)),
        _ => Choice::one(instant(local, Offset::UTC)),
    };
    Place {
        start,
        finish: other(clock.finish, start.earliest()),
        last: clock.last_restorable.map(|local| other(local, Timestamp::MIN)),
    }
}

/// A local time by the offsets of its set alone. Before `from`, the start of the set, it can be that the clock was put back an hour for
/// winter in the set and no set behind it tells; both readings are possible then.
fn unexplained(local: DateTime, offsets: [Option<Offset>; 2], from: Timestamp) -> Choice {
    let own = offsets.into_iter().flatten();
    let readings = own.flat_map(|own| {
        let reading = instant(local, own);
        let winter = reading.saturating_add(SignedDuration::from_hours(1)).ok();
        [
            Some(reading),
            winter.filter(|winter| reading < from && *winter >= from),
        ]
    });
    Choice::of(readings.flatten()).unwrap_or_else(|| Choice::one(instant(local, Offset::UTC)))
}

fn times(set: &Set, place: &Place, dial: Dial) -> Times {
    let start = Bounds::from(place.start);
    let finish = Bounds::from(place.finish);
    // Where the sets around left one reading of the start, its offset is known.
    let dial = match dial {
        Dial::Offsets(one, Some(other)) if start.earliest == start.latest => {
            let stood = [one, other]
                .into_iter()
                .find(|offset| instant(set.clock.start, *offset) == start.earliest);
            Dial::Offsets(stood.unwrap_or(one), None)
        }
        dial => dial,
    };
    let may_shift = match dial {
        Dial::Offsets(offset, None) => {
            let unchanged = instant(set.clock.finish, offset);
            finish.earliest != unchanged || finish.latest != unchanged
        }
        _ => false,
    };
    Times {
        start,
        finish,
        reach: place.last.unwrap_or(place.start).earliest(),
        dial,
        may_shift,
    }
}
