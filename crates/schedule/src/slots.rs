//! When the backups of a policy are due.
//!
//! A slot is the moment for which a policy asks for one type of backup. Fulls and differentials are due when a clock of the
//! policy's zone reaches their time of day ([`Zone::reaches`]: a time that the clock skips right after the gap, one that it shows
//! twice the first time), logs in steps of elapsed time from the beginning of each local day. So their spacing is never more than
//! the interval, on days of 23 and 25 hours too; the last step of a day that the interval does not divide is shorter.
//!
//! A backup of one item starts behind its slot by a delay of its own (`jitter.rs`), always before the next slot of that type.

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Span, Timestamp};

use crate::calendar::Weekday;
use crate::jitter;
use crate::kind::BackupKind;
use crate::period::Period;
use crate::policy::{LogPolicy, Mode, Policy};
use crate::zone::Zone;

/// Days within which every schedule that has slots has one: a week, a day that a clock skips, and the edges.
const HORIZON_DAYS: i64 = 10;

/// A moment for which a policy asks for a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The moment.
    pub at: Timestamp,
    /// The type of backup.
    pub kind: BackupKind,
}

/// When one item is to begin for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The slot.
    pub slot: Slot,
    /// The slot's moment and the item's delay.
    pub at: Timestamp,
}

/// The slot that a backup began for, and how late it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The slot, and when the item was to begin.
    pub start: Start,
    /// From then to when it began; never negative.
    pub late: SignedDuration,
}

/// The schedules of a policy, ready to be asked.
#[derive(Debug, Clone)]
pub struct Schedule {
    zone: Zone,
    rhythms: Vec<(BackupKind, Rhythm)>,
    jitter: Period,
}

#[derive(Debug, Clone)]
enum Rhythm {
    /// At local times, ascending, on weekdays from Monday on.
    Clock { days: [bool; 7], times: Vec<Time> },
    /// By elapsed time from the beginning of each local day, in seconds; `every` is not 0.
    Steps { every: i64, offset: i64 },
}

impl Schedule {
    /// The schedules of a policy. Of one that [`crate::validate()`] refuses, the impossible ones have no slots.
    pub fn of(policy: &Policy) -> Self {
        let full = &policy.full.schedule;
        let days = Weekday::ALL.map(|day| full.runs_on(day));
        let mut rhythms = Vec::new();
        let mut clock = |kind, days, times: &[crate::LocalTime]| {
            let mut times: Vec<Time> = times.iter().map(|time| time.civil()).collect();
            times.sort_unstable();
            rhythms.push((kind, Rhythm::Clock { days, times }));
        };
        if policy.mode == Mode::Shadow {
            clock(BackupKind::CopyOnlyFull, days, &full.times);
        } else {
            clock(BackupKind::Full, days, &full.times);
            if let Some(differential) = &policy.differential {
                let days = Weekday::ALL.map(|day| differential.days.contains(&day));
                clock(BackupKind::Differential, days, &differential.times);
            }
            if let Some(log) = policy.log.as_ref().filter(|log| is_possible(log)) {
                let [every, offset] = [log.every, log.offset].map(|period| i64::from(period.as_seconds()));
                rhythms.push((BackupKind::Log, Rhythm::Steps { every, offset }));
            }
        }
        Self {
            zone: policy.time_zone.clone(),
            rhythms,
            jitter: policy.running.jitter,
        }
    }

    /// The zone of the local times.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The types that have a schedule, in the order of [`BackupKind`].
    pub fn kinds(&self) -> impl Iterator<Item = BackupKind> {
        self.rhythms.iter().map(|(kind, _)| *kind)
    }

    /// The slots of a type from `from` on and before `to`, ascending, each moment once.
    pub fn slots(&self, kind: BackupKind, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Slot> {
        let first = back_two_days(self.zone.local(from).date());
        let mut last = None;
        first
            .series(Span::new().days(1))
            .take_while(move |date| self.zone.day_start(*date) < to)
            .flat_map(move |date| self.of_day(kind, date, from))
            .filter(move |at| (from..to).contains(at) && last.replace(*at) != Some(*at))
            .map(move |at| Slot { at, kind })
    }

    /// The first slot of a type after a moment; none where the type has no schedule.
    pub fn next_after(&self, kind: BackupKind, after: Timestamp) -> Option<Slot> {
        let from = after.checked_add(SignedDuration::from_nanos(1)).ok()?;
        let to = from
            .checked_add(SignedDuration::from_hours(24 * HORIZON_DAYS))
            .unwrap_or(Timestamp::MAX);
        self.slots(kind, from, to).next()
    }

    /// The last slot of a type at or before a moment; none where the type has no schedule.
    pub fn latest(&self, kind: BackupKind, at: Timestamp) -> Option<Slot> {
        let mut date = self.zone.local(at).date().tomorrow().unwrap_or(Date::MAX);
        for _ in 0..HORIZON_DAYS + 2 {
            if let Some(at) = self.last_of_day(kind, date, at) {
                return Some(Slot { at, kind });
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    /// When an item is to begin for a slot. The delay is the item's own and the same for each slot, so that it does not change
    /// the time between two backups; it is shorter than the jitter of the policy, and than the time to the next slot of the type.
    pub fn start_of(&self, slot: Slot, item: &str) -> Start {
        let next = self.next_after(slot.kind, slot.at);
        let gap = next.map(|next| next.at.duration_since(slot.at));
        let window = gap.map_or(self.jitter.duration(), |gap| gap.min(self.jitter.duration()));
        let at = slot
            .at
            .checked_add(jitter::delay(item, window))
            .unwrap_or(slot.at);
        Start { slot, at }
    }

    /// The first start of a type for an item after a moment; none where the type has no schedule.
    pub fn next_start(&self, kind: BackupKind, item: &str, after: Timestamp) -> Option<Start> {
        let pending = self.latest(kind, after).map(|slot| self.start_of(slot, item));
        match pending.filter(|start| start.at > after) {
            Some(start) => Some(start),
            None => Some(self.start_of(self.next_after(kind, after)?, item)),
        }
    }

    /// The slot that a backup of an item belongs to which began at `began`: the last one whose start is not later. None where the
    /// type has no schedule.
    pub fn placed(&self, kind: BackupKind, item: &str, began: Timestamp) -> Option<Placed> {
        let latest = self.start_of(self.latest(kind, began)?, item);
        let start = if latest.at <= began {
            latest
        } else {
            let before = latest.slot.at.checked_sub(SignedDuration::from_nanos(1)).ok()?;
            self.start_of(self.latest(kind, before)?, item)
        };
        let late = began.duration_since(start.at);
        Some(Placed { start, late })
    }

    /// The slots that belong to a local day and are not before `from`, ascending.
    fn of_day(
        &self,
        kind: BackupKind,
        date: Date,
        from: Timestamp,
    ) -> Box<dyn Iterator<Item = Timestamp> + '_> {
        match self.rhythm(kind) {
            Some(Rhythm::Clock { days, times }) if days[Weekday::of(date).index()] => {
                let reached = times
                    .iter()
                    .map(move |time| self.zone.reaches(DateTime::from_parts(date, *time)));
                Box::new(reached.filter(move |at| *at >= from))
            }
            Some(Rhythm::Steps { every, offset }) => {
                let Some(steps) = self.steps(date, *every, *offset) else {
                    return Box::new(std::iter::empty());
                };
                let skipped = steps.before(from);
                Box::new((skipped..steps.count).filter_map(move |step| steps.at(step)))
            }
            _ => Box::new(std::iter::empty()),
        }
    }

    /// The last slot that belongs to a local day and is not after `until`.
    fn last_of_day(&self, kind: BackupKind, date: Date, until: Timestamp) -> Option<Timestamp> {
        if let Some(Rhythm::Steps { every, offset }) = self.rhythm(kind) {
            let steps = self.steps(date, *every, *offset)?;
            let behind = until.checked_add(SignedDuration::from_nanos(1)).unwrap_or(until);
            return steps.at(steps.before(behind).checked_sub(1)?);
        }
        self.of_day(kind, date, Timestamp::MIN)
            .take_while(|slot| *slot <= until)
            .last()
    }

    fn rhythm(&self, kind: BackupKind) -> Option<&Rhythm> {
        self.rhythms
            .iter()
            .find(|(of, _)| *of == kind)
            .map(|(_, rhythm)| rhythm)
    }

    /// The steps of a local day; none at the end of the calendar.
    fn steps(&self, date: Date, every: i64, offset: i64) -> Option<Steps> {
        let [begins, ends] = [date, date.tomorrow().ok()?].map(|date| self.zone.day_start(date).as_second());
        // As many as begin before the next day's first one, which comes as long after its midnight as the first of this one.
        let count = u64::try_from(ends - begins)
            .unwrap_or(0)
            .div_ceil(every.unsigned_abs());
        Some(Steps {
            first: begins + offset,
            every,
            count,
        })
    }
}

/// The slots of one day that lie one interval apart, in seconds since the epoch.
struct Steps {
    first: i64,
    every: i64,
    count: u64,
}

impl Steps {
    fn at(&self, step: u64) -> Option<Timestamp> {
        let step = i64::try_from(step).ok()?;
        Timestamp::from_second(self.first + step * self.every).ok()
    }

    /// How many of them lie before a moment.
    fn before(&self, moment: Timestamp) -> u64 {
        let whole = moment.as_second() + i64::from(moment.subsec_nanosecond() > 0);
        let passed = u64::try_from(whole - self.first).unwrap_or(0);
        passed.div_ceil(self.every.unsigned_abs()).min(self.count)
    }
}

/// Whether the arithmetic of steps holds: each day has its anchor, and the first step of a day is its own.
fn is_possible(log: &LogPolicy) -> bool {
    (Period::minutes(1)..=Period::hours(24)).contains(&log.every) && log.offset < log.every
}

fn back_two_days(date: Date) -> Date {
    date.checked_sub(Span::new().days(2)).unwrap_or(Date::MIN)
}
