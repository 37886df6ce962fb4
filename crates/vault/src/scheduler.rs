//! The scheduler: turns each slot of each policy into exactly one job, or one reported miss.
//!
//! An item says when it is due next, and the catalog finds it by that; so a look costs what is due and not what is protected. The slot,
//! the job or the miss, and the item's next time are written in one transaction: a crash leaves all of it or nothing.
//!
//! `aligning` puts items right after a clock went back, `watching` looks after jobs that take too long.

mod aligning;
mod watching;

use std::collections::BTreeMap;
use std::time::Duration;

use catalog::record::{
    BackupWork, Database, Item, ItemId, Policy, PolicyId, Protection, Trigger, Work, moment,
};
use catalog::{Query, Range, Scope, Slot, Transaction, demand, page, scoped, update};
use faults::{Code, Fault};
use jiff::Timestamp;
use schedule::due::{Dealt, Due};
use schedule::{BackupKind, Schedule};

use crate::jobs::{Entered, NewJob};
use crate::notices::About;
use crate::records::{Trouble, fault};
use crate::vault::{LOOK_EVERY, Vault};

/// Items that one look takes up.
const ITEMS_AT_ONCE: u32 = 500;

/// The schedules of policies, by id and version: made once.
type Schedules = BTreeMap<PolicyId, (i64, Schedule)>;

/// What one look at an item needs besides the item.
struct Rules<'r> {
    policy: &'r Policy,
    schedule: &'r Schedule,
}

impl Vault {
    /// Schedules, for ever.
    pub(crate) async fn run_scheduler(&self) {
        let mut schedules = Schedules::new();
        let mut watch = aligning::Watch::default();
        let mut watched = Duration::ZERO;
        loop {
            let heard = self.bell.rings();
            if watch.went_back(self.now(), self.world.clock.uptime()) && self.align().await.is_ok() {
                watch.is_aligned();
            }
            // Whatever fails here is found again: an item stays due until its transaction is through.
            while let Ok(true) = self.schedule_some(&mut schedules).await {}
            let uptime = self.world.clock.uptime();
            if uptime.saturating_sub(watched) >= LOOK_EVERY * 2 && self.watch_jobs().await.is_ok() {
                watched = uptime;
            }
            self.rest(self.first_due().await, heard).await;
        }
    }

    /// When the first item is due.
    async fn first_due(&self) -> Option<Timestamp> {
        let mut tx = self.world.catalog.read().await.ok()?;
        let query = Query::all(&self.key, Slot::B).limit(1);
        let first = page::<Item>(tx.as_mut(), &query).await.ok()?;
        // What is due already was tried in this look; it is tried again in the next.
        first
            .records
            .first()?
            .record
            .next_due()
            .filter(|due| *due > self.now())
    }

    /// Takes up items that are due; true where there may be more.
    async fn schedule_some(&self, schedules: &mut Schedules) -> Result<bool, Fault> {
        let range = Range::before(format!("{}\u{1}", moment(self.now())));
        let query = Query::of(Scope::vault(&self.key), Slot::B, range).limit(ITEMS_AT_ONCE);
        let due = {
            let mut tx = self.world.catalog.read().await.map_err(fault)?;
            page::<Item>(tx.as_mut(), &query).await.map_err(fault)?.records
        };
        let mut any = false;
        for item in &due {
            // A healing backup that waits makes an item due as well, and is not the scheduler's.
            if !item.record.due.values().any(|at| *at <= self.now()) {
                continue;
            }
            let policy = self.get::<Policy>(item.record.policy).await?;
            let entry = schedules
                .entry(item.record.policy)
                .or_insert_with(|| (policy.version(), Schedule::of(&policy.record.policy)));
            if entry.0 != policy.version() {
                *entry = (policy.version(), Schedule::of(&policy.record.policy));
            }
            let rules = Rules {
                policy: &policy.record,
                schedule: &entry.1,
            };
            self.schedule_item(item.record.id, &rules).await?;
            any = true;
        }
        if any {
            self.bell.ring();
        }
        Ok(any && due.len() == ITEMS_AT_ONCE as usize)
    }

    async fn schedule_item(&self, id: ItemId, rules: &Rules<'_>) -> Result<(), Fault> {
        self.transact(move |tx| scoped(async move { self.schedule_item_in(tx, id, rules).await }))
            .await
    }

    async fn schedule_item_in(
        &self,
        tx: &mut dyn Transaction,
        id: ItemId,
        rules: &Rules<'_>,
    ) -> Result<(), Trouble> {
        let mut item = demand::<Item>(tx, &self.key, &id.to_string()).await?;
        if item.record.protection != Protection::Protected {
            return Ok(());
        }
        let now = self.now();
        let database = demand::<Database>(tx, &self.key, &item.record.database.to_string())
            .await?
            .record;
        let kinds = rules.policy.policy.kinds();
        let dealt = Dealt {
            since: item.record.since,
            last: item.record.scheduled.clone(),
        };
        let agenda = rules.schedule.due(&id.to_string(), &kinds, &dealt, now);
        for due in &agenda.superseded {
            item.record
                .scheduled
                .insert(due.start.slot.kind, due.start.slot.at);
        }
        for due in &agenda.run {
            let kind = due.start.slot.kind;
            item.record.scheduled.insert(kind, due.start.slot.at);
            match unsupported(kind, &database) {
                Some(fault) => {
                    self.raise_in(tx, &about("unsupported", &item.record, kind), &fault)
                        .await?
                }
                None => self.let_in(tx, &item.record, due).await?,
            }
        }
        item.record.due = next_starts(rules.schedule, &item.record, &kinds, now);
        update(tx, item).await?;
        Ok(())
    }

    /// One job for the slot, or the report that it is missed; and the report of those before it.
    async fn let_in(&self, tx: &mut dyn Transaction, item: &Item, due: &Due) -> Result<(), Trouble> {
        let slot = due.start.slot;
        let new = NewJob {
            work: Work::Backup(BackupWork::of(slot.kind)),
            trigger: Trigger::Scheduled { slot: due.start.at },
            server: Some(item.server),
            item: Some(item.id),
            run_at: self.now(),
        };
        let entered = self.enqueue_in(tx, &new).await?;
        let missed = match (&entered, due.missed) {
            (Entered::InTheWay { other, .. }, _) => Some((
                slot.at,
                format!("job {other} of the same kind was not over at {}", slot.at),
            )),
            (Entered::Queued(_), Some(missed)) => Some((
                missed.last,
                format!("{} slots from {} to {}", missed.count, missed.first, missed.last),
            )),
            (Entered::Queued(_), None) => None,
        };
        if let Some((at, why)) = missed {
            let mut about = about("missed", item, slot.kind);
            about.missed = Some((slot.kind, at));
            self.raise_in(tx, &about, &Fault::new(Code::Bac2ScheduleMissed).because(&why))
                .await?;
        }
        Ok(())
    }
}

/// The notice of a matter that concerns one kind of backup of an item.
pub(crate) fn about(matter: &str, item: &Item, kind: BackupKind) -> About {
    About {
        matter: format!("{matter}/{}/{}", item.id, kind.name()),
        server: Some(item.server),
        item: Some(item.id),
        ..About::default()
    }
}

/// When each kind begins next for an item.
pub(crate) fn next_starts(
    schedule: &Schedule,
    item: &Item,
    kinds: &[BackupKind],
    now: Timestamp,
) -> BTreeMap<BackupKind, Timestamp> {
    let id = item.id.to_string();
    kinds
        .iter()
        .filter_map(|kind| Some((*kind, schedule.next_start(*kind, &id, now)?.at)))
        .collect()
}

/// Why a scheduled backup of a kind is skipped with a warning: what the database is does not allow it. A state that passes is no
/// reason: the job is made, and says so.
pub(crate) fn unsupported(kind: BackupKind, database: &Database) -> Option<Fault> {
    let facts = crate::backup::schedule_facts(database);
    match schedule::database::supports(kind, &facts) {
        Err(reason) if !reason.is_passing() => Some(
            Fault::new(Code::BackupTypeUnsupported)
                .at(&database.name)
                .because(&format!("{}: {reason}", kind.name())),
        ),
        _ => None,
    }
}
