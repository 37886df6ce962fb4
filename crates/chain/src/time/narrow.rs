//! Which reading of an hour that occurs twice is meant, by the sets around.
//!
//! Only what must hold is used: a set begins before it ends; of two logs of one branch the one that ends first in the log was finished
//! before the other one began; a data backup ends after every log before it began, and begins before any log behind it ended. Logs
//! that end at the same record (copies of each other, logs without a record) have no order among themselves. Where a rule contradicts
//! every reading of a set, a clock was put back there, and the rule tells nothing. Sets of different forks tell nothing of each other:
//! where a fork leaves its parent, what the parent's last log holds behind that point was written before the fork's first.

use bak::Lsn;
use jiff::Timestamp;
use uuid::Uuid;

use super::choice::Choice;
use crate::set::Set;

/// Where a set lies in time: the readings of its times that are still possible.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) start: Choice,
    pub(super) finish: Choice,
    /// Of `last_restorable`.
    pub(super) last: Option<Choice>,
    /// The readings are the ends of a range: to rule out one of them tells nothing of what lies between.
    pub(super) is_range: bool,
}

impl Place {
    /// It begins before it ends, and its last record is written before it ends.
    fn settle(&mut self) {
        if self.is_range {
            return;
        }
        let latest = self.finish.latest();
        self.start.narrow(|at| at <= latest);
        let earliest = self.start.earliest();
        self.finish.narrow(|at| at >= earliest);
        let latest = self.finish.latest();
        if let Some(last) = &mut self.last {
            last.narrow(|at| at <= latest);
        }
    }
}

/// Logs of one fork that end at the same record, those with records apart from those without.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Rank {
    fork: Uuid,
    last: Lsn,
    is_empty: bool,
}

impl Rank {
    fn of(set: &Set) -> Self {
        Self {
            fork: set.fork.id,
            last: set.last,
            is_empty: set.is_empty_log(),
        }
    }
}

/// Drops readings of sets that the sets around rule out. `sets` are those of `places`, in the order of the log.
pub(super) fn narrow(sets: &[&Set], places: &mut [Place]) {
    for place in &mut *places {
        place.settle();
    }
    forwards(sets, places);
    backwards(sets, places);
}

/// What the logs of one rank, and those before, tell the sets behind (or the other way round).
#[derive(Clone, Copy)]
struct Witness {
    rank: Rank,
    /// The latest start (backwards: the earliest finish).
    start: Timestamp,
    /// The latest finish (backwards: the earliest start).
    finish: Timestamp,
}

fn forwards(sets: &[&Set], places: &mut [Place]) {
    // The logs of the rank before the newest, and of the newest.
    let mut before: Option<Witness> = None;
    let mut newest: Option<Witness> = None;
    for (set, place) in sets.iter().zip(places) {
        let rank = Rank::of(set);
        if !set.is_log() {
            let ends_before = |log: &Witness| log.rank.last < set.last;
            let witness = [newest, before].into_iter().flatten().find(ends_before);
            if let Some(log) = witness.filter(|log| log.rank.fork == rank.fork && !place.is_range) {
                place.finish.narrow(|at| at >= log.start);
                place.settle();
            }
            continue;
        }
        if newest.is_some_and(|log| log.rank != rank) {
            before = newest.take();
        }
        if let Some(log) = before.filter(|log| log.rank.fork == rank.fork && !place.is_range) {
            place.start.narrow(|at| at >= log.finish);
            if let Some(last) = &mut place.last {
                last.narrow(|at| at >= log.start);
            }
            place.settle();
        }
        let (start, finish) = (place.start.earliest(), place.finish.earliest());
        newest = Some(newest.map_or(Witness { rank, start, finish }, |log| Witness {
            rank,
            start: log.start.max(start),
            finish: log.finish.max(finish),
        }));
    }
}

fn backwards(sets: &[&Set], places: &mut [Place]) {
    let mut behind: Option<Witness> = None;
    let mut newest: Option<Witness> = None;
    for (set, place) in sets.iter().zip(places).rev() {
        let rank = Rank::of(set);
        if !set.is_log() {
            let ends_behind = |log: &Witness| log.rank.last > set.last;
            let witness = [newest, behind].into_iter().flatten().find(ends_behind);
            if let Some(log) = witness.filter(|log| log.rank.fork == rank.fork && !place.is_range) {
                place.start.narrow(|at| at <= log.start);
                place.settle();
            }
            continue;
        }
        if newest.is_some_and(|log| log.rank != rank) {
            behind = newest.take();
        }
        if let Some(log) = behind.filter(|log| log.rank.fork == rank.fork && !place.is_range) {
            place.finish.narrow(|at| at <= log.finish);
            place.settle();
        }
        let (start, finish) = (place.finish.latest(), place.start.latest());
        newest = Some(newest.map_or(Witness { rank, start, finish }, |log| Witness {
            rank,
            start: log.start.min(start),
            finish: log.finish.min(finish),
        }));
    }
}
