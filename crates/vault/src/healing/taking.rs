//! Turning wanted healings into jobs: one healing full of an instance at a time, the longest wanted first.

use std::collections::BTreeSet;

use catalog::record::{BackupWork, Healing, Item, ItemId, Job, Protection, ServerId, Trigger, Work, moment};
use catalog::{Query, Range, Scope, Slot, Transaction, scoped, update};
use faults::Fault;
use jiff::{SignedDuration, Timestamp};
use schedule::BackupKind;

use super::wanting::strength;
use crate::jobs::NewJob;
use crate::records::{Trouble, fault, readable};
use crate::vault::Vault;

/// Over how long healings that waited for the vault are spread.
const STAGGER: SignedDuration = SignedDuration::from_hours(1);

/// A vault that did nothing for so long was out.
const OUTAGE: SignedDuration = SignedDuration::from_mins(10);

/// Among so many of the newest jobs a sign of life is looked for: more than run at a time on most vaults.
const LIFE_AMONG: u32 = 200;

/// So long after a job that healed nothing the next is tried; doubled with each failure, up to a day.
const AGAIN_AFTER_HOURS: i64 = 1;

/// What became of an item that waits.
enum Turn {
    /// Its job is in the queue, or it wants nothing any more.
    Done,
    /// A full of its instance is under way.
    Busy,
}

impl Vault {
    /// Spreads the healings that are due already over the next hour.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn stagger_healing(&self) -> Result<(), Fault> {
        let now = self.now();
        if !self.is_after_outage(now).await? {
            return Ok(());
        }
        let due = self.due_healings(now).await?;
        let ids: Vec<String> = due.iter().map(|item| item.id.to_string()).collect();
        for (id, at) in schedule::due::stagger(ids.iter().map(String::as_str), now, STAGGER) {
            self.change::<Item, _>(id, |item| {
                if let Some(healing) = item.healing.as_mut() {
                    healing.not_before = healing.not_before.max(at);
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Makes jobs of the healings that may run now.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn take_healing(&self) -> Result<(), Fault> {
        let mut due = self.due_healings(self.now()).await?;
        due.sort_by_key(|item| (item.healing.as_ref().map(|healing| healing.since), item.id));
        let mut busy: BTreeSet<ServerId> = BTreeSet::new();
        let mut failed = Ok(());
        for item in due {
            let is_full = item
                .healing
                .as_ref()
                .is_some_and(|healing| healing.kind.is_full());
            if is_full && busy.contains(&item.server) {
                continue;
            }
            let id = item.id;
            let turn = self
                .transact(move |tx| scoped(async move { self.take_healing_in(tx, id).await }))
                .await;
            match turn {
                Ok(Turn::Busy) => drop(busy.insert(item.server)),
                Ok(Turn::Done) => self.bell.ring(),
                // One whose policy or database cannot be read holds up no other; the scheduler tells people of it.
                Err(fault) => failed = Err(fault),
            }
        }
        failed
    }

    /// Whether the vault did nothing for some time before this start: no job was made, begun or over.
    async fn is_after_outage(&self, now: Timestamp) -> Result<bool, Fault> {
        let query = Query::of(Scope::vault(&self.key), Slot::C, Range::ALL)
            .descending()
            .limit(LIFE_AMONG);
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let newest = readable::<Job>(tx.as_mut(), &query).await.map_err(fault)?;
        let signs = newest.records.iter().flat_map(|job| {
            let job = &job.record;
            [Some(job.created), job.started, job.ended].into_iter().flatten()
        });
        Ok(signs.max().is_none_or(|last| now.duration_since(last) > OUTAGE))
    }

    /// A scheduled backup had become a full that heals, and it failed: the next is not the next slot's, it is tried again as any
    /// healing that came to nothing.
    pub(crate) fn put_healing_off(&self, item: &mut Item, failed: &BackupWork) {
        let Some(reason) = failed.converted.filter(|_| failed.kind != failed.asked) else {
            return;
        };
        let now = self.now();
        let not_before = again(item, failed.kind, now);
        let failures = item.failures.entry(failed.kind).or_default();
        *failures = failures.saturating_add(1);
        let since = item.healing.as_ref().map_or(now, |wanted| wanted.since);
        item.healing = Some(Healing {
            kind: failed.kind,
            reason,
            since,
            not_before,
        });
    }

    /// Items whose wanted healing may begin.
    async fn due_healings(&self, now: Timestamp) -> Result<Vec<Item>, Fault> {
        let range = Range::before(format!("{}\u{1}", moment(now)));
        let mut query = Query::of(Scope::vault(&self.key), Slot::B, range);
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let is_due = |item: &Item| {
            item.healing
                .as_ref()
                .is_some_and(|healing| healing.not_before <= now)
        };
        let mut due = Vec::new();
        loop {
            let page = readable::<Item>(tx.as_mut(), &query).await.map_err(fault)?;
            due.extend(page.records.into_iter().map(|item| item.record).filter(is_due));
            match page.next {
                Some(next) => query = query.after(next),
                None => return Ok(due),
            }
        }
    }

    async fn take_healing_in(&self, tx: &mut dyn Transaction, id: ItemId) -> Result<Turn, Trouble> {
        let now = self.now();
        let mut case = self.healing_case(tx, id).await?;
        let item = &case.item.record;
        let wanted = item.healing.clone().filter(|healing| healing.not_before <= now);
        let Some(mut wanted) = wanted.filter(|_| item.protection == Protection::Protected) else {
            return Ok(Turn::Done);
        };
        if let Some((about, fault)) = case.refusal(wanted.reason) {
            case.item.record.healing = None;
            update(tx, case.item).await?;
            self.raise_in(tx, &about, &fault).await?;
            return Ok(Turn::Done);
        }
        // The base may be another one by now, and the window closed while others had their turn.
        wanted.kind = strength(wanted.kind, item, &case.database);
        let not_before = case.not_before(wanted.kind, now);
        if not_before <= now {
            if wanted.kind.is_full() && self.claimed_by(tx, item.server, None).await?.is_some() {
                return Ok(Turn::Busy);
            }
            let new = NewJob {
                work: Work::Backup(BackupWork::of(wanted.kind)),
                trigger: Trigger::Healing {
                    reason: wanted.reason,
                },
                server: Some(item.server),
                item: Some(id),
                run_at: now,
            };
            // One that is in its way heals as well, or fails and leaves the wish.
            self.enqueue_in(tx, &new).await?;
            wanted.not_before = again(item, wanted.kind, now);
        } else {
            wanted.not_before = not_before;
        }
        case.item.record.healing = Some(wanted);
        update(tx, case.item).await?;
        Ok(Turn::Done)
    }
}

/// When a healing is tried again that comes to nothing.
fn again(item: &Item, kind: BackupKind, now: Timestamp) -> Timestamp {
    let failures = item.failures.get(&kind).copied().unwrap_or(0).min(5);
    let hours = (AGAIN_AFTER_HOURS << failures).min(24);
    now.checked_add(SignedDuration::from_hours(hours)).unwrap_or(now)
}
