//! What is due for an item now, after however long an outage.
//!
//! Of each type at most one backup runs, for the newest slot; the older ones that were not kept are missed and counted, never
//! made up for one by one. Those that are due at once begin in the order of [`BackupKind`]: a full before a differential before a
//! log. A full takes the place of a differential that is due with it, or has the same slot, which would hold nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::jitter;
use crate::kind::BackupKind;
use crate::slots::{Schedule, Slot, Start};

/// How far back missed slots are counted: a year and a day. Those of an item that was forgotten for longer are a few too few.
const BACK: SignedDuration = SignedDuration::from_hours(24 * 366);

/// What was dealt with so far, for one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dealt {
    /// Since when the item follows its policy; slots at or before it are none of its own.
    pub since: Timestamp,
    /// The moment of the last slot of each type that was run, skipped, superseded or counted as missed.
    pub last: BTreeMap<BackupKind, Timestamp>,
}

impl Dealt {
    /// Nothing, since a moment.
    pub fn since(since: Timestamp) -> Self {
        Self {
            since,
            last: BTreeMap::new(),
        }
    }

    /// Notes that a slot was dealt with. An earlier one than known changes nothing.
    pub fn note(&mut self, slot: Slot) {
        let last = self.last.entry(slot.kind).or_insert(slot.at);
        *last = slot.at.max(*last);
    }

    fn until(&self, kind: BackupKind) -> Timestamp {
        self.last
            .get(&kind)
            .map_or(self.since, |last| self.since.max(*last))
    }
}

/// A backup that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Its slot, and when the item was to begin.
    pub start: Start,
    /// The slots before it that nothing ran for, where there are any.
    pub missed: Option<Missed>,
}

/// Slots of one type that nothing ran for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// How many; counted for a year back at most.
    pub count: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
}

/// All that is due for an item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agenda {
    /// What to run, in this order.
    pub run: Vec<Due>,
    /// What need not run, as a full does that runs with it; to be noted as dealt with as well.
    pub superseded: Vec<Due>,
}

impl Schedule {
    /// What is due at `now` for an item that takes these types of backup.
    pub fn due(&self, item: &str, kinds: &[BackupKind], dealt: &Dealt, now: Timestamp) -> Agenda {
        let mut run: Vec<Due> = self
            .kinds()
            .filter(|kind| kinds.contains(kind))
            .filter_map(|kind| self.due_of(kind, item, dealt.until(kind), now))
            .collect();
        run.sort_by_key(|due| due.start.slot.kind);
        let full_runs = run.iter().any(|due| due.start.slot.kind == BackupKind::Full);
        let takes_fulls = kinds.contains(&BackupKind::Full);
        let superseded = run
            .extract_if(.., |due| {
                let slot = due.start.slot;
                let same_slot = || {
                    self.latest(BackupKind::Full, slot.at)
                        .is_some_and(|full| full.at == slot.at)
                };
                slot.kind == BackupKind::Differential && (full_runs || takes_fulls && same_slot())
            })
            .collect();
        Agenda { run, superseded }
    }

    fn due_of(&self, kind: BackupKind, item: &str, dealt: Timestamp, now: Timestamp) -> Option<Due> {
        let start = self.placed(kind, item, now)?.start;
        if start.slot.at <= dealt {
            return None;
        }
        let oldest = start.slot.at.checked_sub(BACK).unwrap_or(Timestamp::MIN);
        let behind = dealt
            .max(oldest)
            .checked_add(SignedDuration::from_nanos(1))
            .ok()?;
        let missed = self
            .slots(kind, behind, start.slot.at)
            .fold(None, |missed, slot| {
                let missed: Missed = missed.unwrap_or(Missed {
                    count: 0,
                    first: slot.at,
                    last: slot.at,
                });
                Some(Missed {
                    count: missed.count + 1,
                    last: slot.at,
                    ..missed
                })
            });
        Some(Due { start, missed })
    }
}

/// Spreads items evenly over a window from `from` on: each item with the moment at which it may begin, in this order. Which comes
/// first depends on the ids alone, so that it is fair over the instances and the same for everybody who asks. For what is due all
/// at once and has no slot of its own, as healing fulls after an outage.
pub fn stagger<'a>(
    items: impl IntoIterator<Item = &'a str>,
    from: Timestamp,
    window: SignedDuration,
) -> Vec<(&'a str, Timestamp)> {
    let mut items: Vec<&str> = items.into_iter().collect();
    items.sort_unstable();
    items.dedup();
    items.sort_by_key(|item| jitter::hash(item));
    let count = i128::try_from(items.len().max(1)).expect("fewer items than that");
    let place = |index: usize| {
        let nanos = window.as_nanos().max(0) * i128::try_from(index).expect("below the count") / count;
        from.checked_add(SignedDuration::from_nanos_i128(nanos))
            .unwrap_or(from)
    };
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| (item, place(index)))
        .collect()
}
