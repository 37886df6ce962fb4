//! The sets of one branch in time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::bounds::{Bounds, Times};
use super::choice::Choice;
use super::dial::{Dial, by_offsets, dial_of, in_zone, instant, near, recorded};
use super::narrow::{Place, narrow};
use super::seen::Seen;
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
            offsets: seen.into_offsets(),
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
    let before = nearest(sets.iter());
    let behind = nearest(sets.iter().rev()).into_iter().rev();
    let around = before.into_iter().zip(behind);
    sets.iter()
        .zip(around)
        .map(|(set, around)| {
            dial_of(&set.clock, recorded(set), zone).unwrap_or(match around {
                (Some(one), Some(other)) if one != other => Dial::Offsets(one, Some(other)),
                (Some(one), Some(_)) => Dial::Offsets(one, None),
                (Some(one), None) | (None, Some(one)) => Dial::Near(one),
                (None, None) => Dial::Floating,
            })
        })
        .collect()
}

/// For each set the offset of the last log that carries one, itself included; where there is none, of the last data backup: a data
/// backup began long before its place in the log.
fn nearest<'a>(sets: impl Iterator<Item = &'a &'a Set>) -> Vec<Option<Offset>> {
    let (mut of_log, mut of_data) = (None, None);
    sets.map(|set| {
        let last = if set.is_log() { &mut of_log } else { &mut of_data };
        *last = recorded(set).or(*last);
        of_log.or(of_data)
    })
    .collect()
}

/// Where a set lies by itself.
fn place(set: &Set, dial: Dial, zone: Option<&TimeZone>, seen: &Seen) -> Place {
    let clock = &set.clock;
    let start = match (recorded(set), dial, zone) {
        (Some(offset), ..) => Choice::one(instant(clock.start, offset)),
        (None, Dial::Offsets(one, other), _) => by_offsets(clock.start, one, other),
        (None, Dial::Zone, Some(zone)) => in_zone(zone, clock.start),
        (None, Dial::Near(offset), _) => near(clock.start, offset),
        (None, ..) => Choice::one(instant(clock.start, Offset::UTC)),
    };
    // Of the time of the last record, which may be older than the start, and of the finish, which is not.
    let other = |local: DateTime, from: Timestamp| match (dial, zone) {
        (Dial::Zone, Some(zone)) => in_zone(zone, local),
        (Dial::Near(offset), _) => near(local, offset),
        (Dial::Offsets(one, other), _) => seen.readings(local, one, other, from),
        _ => Choice::one(instant(local, Offset::UTC)),
    };
    Place {
        start,
        finish: other(clock.finish, start.earliest()),
        last: clock.last_restorable.map(|local| other(local, Timestamp::MIN)),
        is_range: matches!(dial, Dial::Near(_)),
    }
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
