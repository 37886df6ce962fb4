//! What an item is owed by the schedule that it leaves for another one.
//!
//! Slots of the new schedule before it began are none of the item's, so nothing is reported as missed that was never asked for;
//! those since then are, whenever the item comes to follow it: an outage may lie between. Types of backup that the new policy does
//! not take are not owed any more: it may be a shadow, which must not take them.
//!
//! Deliberately absent: slots of the old schedule before the one that is pending. They are dealt with by it, before it ends.

use catalog::record::{Item, Protection};
use jiff::{SignedDuration, Timestamp};
use schedule::slots::{Slot, Start};
use schedule::{BackupKind, Schedule};

/// Aligns an item with a schedule that is in force since `from`; gives the slots of the old one that came, that nobody dealt with,
/// and that are none of the new one, each with when the item was to begin.
pub(super) fn align(
    item: &mut Item,
    schedule: &Schedule,
    kinds: &[BackupKind],
    from: Timestamp,
    now: Timestamp,
) -> Vec<Start> {
    let id = item.id.to_string();
    let mut owed = Vec::new();
    for &kind in kinds {
        let latest = schedule.latest(kind, now).map(|slot| slot.at);
        let dealt = item.scheduled.get(&kind).copied();
        let up_to = match pending(item, kind, from) {
            Some(old) if stays(schedule, old, latest, &id) => before(old.slot.at),
            Some(old) => {
                owed.push(old);
                from.max(old.slot.at)
            }
            None if latest.is_none_or(|latest| dealt.is_some_and(|dealt| dealt >= latest)) => continue,
            None => from,
        };
        item.scheduled
            .insert(kind, dealt.map_or(up_to, |dealt| dealt.max(up_to)));
    }
    // A full takes the place of a differential that is due with it.
    if owed.iter().any(|start| start.slot.kind == BackupKind::Full) {
        owed.retain(|start| start.slot.kind != BackupKind::Differential);
    }
    crate::scheduler::place_next(schedule, item, kinds, now);
    for &kind in kinds {
        let latest = schedule
            .latest(kind, now)
            .map(|slot| schedule.start_of(slot, &id));
        let is_dealt = |at| item.scheduled.get(&kind).is_some_and(|dealt| *dealt >= at);
        if let Some(start) = latest
            && start.slot.at > item.since
            && start.at <= now
            && !is_dealt(start.slot.at)
        {
            // It must not wait for the next one.
            item.due.insert(kind, now);
            item.slots.insert(kind, start.slot.at);
        }
    }
    owed
}

/// The slot of a kind that came before the old schedule ended, and was not dealt with, by what the item noted when it followed it.
fn pending(item: &Item, kind: BackupKind, ended: Timestamp) -> Option<Start> {
    if item.protection != Protection::Protected {
        return None;
    }
    let (at, begins) = (*item.slots.get(&kind)?, *item.due.get(&kind)?);
    let is_dealt = item.scheduled.get(&kind).is_some_and(|dealt| *dealt >= at);
    (at <= ended && at > item.since && !is_dealt).then_some(Start {
        slot: Slot { at, kind },
        at: begins,
    })
}

/// Whether a slot is one of the new schedule: its newest, or one that would begin when it was to begin before.
fn stays(schedule: &Schedule, old: Start, latest: Option<Timestamp>, id: &str) -> bool {
    let at = old.slot.at;
    let is_slot = || schedule.latest(old.slot.kind, at) == Some(old.slot);
    latest == Some(at) || is_slot() && schedule.start_of(old.slot, id).at == old.at
}

fn before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(at)
}
