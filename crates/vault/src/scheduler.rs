//! The scheduler: turns each slot of each policy into exactly one job, or one reported miss.
//!
//! An item says when it is due next, and the catalog finds it by that; so a look costs what is due and not what is protected. The
//! slot, the job or the miss, and the item's next time are written in one transaction: a crash leaves all of it or nothing.
//!
//! `aligning` puts items right after a clock went back, `watching` looks after jobs that take too long.
//!
//! An item that cannot be read, or whose slot cannot be written, is told of and holds up no other.

mod aligning;
#[cfg(test)]
mod tests;
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalog::record::{
    BackupWork, Database, Item, ItemId, Job, JobId, Policy, PolicyId, Protection, Trigger, Work, moment,
};
use catalog::{Query, Range, Scope, Slot, Transaction, demand, scoped, update};
use faults::{Code, Fault};
use jiff::Timestamp;
use schedule::due::{Dealt, Due, Missed};
use schedule::{BackupKind, Schedule};

use crate::jobs::{Entered, NewJob};
use crate::notices::About;
use crate::records::{Trouble, fault, readable};
use crate::vault::{LOOK_EVERY, Vault};

/// The least time between two looks: one costs as much as waits, and every job rings.
const LOOK_APART: Duration = Duration::from_secs(1);
/// Items that are read at a time.
const ITEMS_AT_ONCE: u32 = 500;

/// What matters of items that cannot be scheduled begin with.
const UNSCHEDULED: &str = "unscheduled/";

/// How often items that are behind their policy are looked for.
const REPAIR_EVERY: Duration = Duration::from_secs(6 * 3_600);

/// What the scheduler remembers between two looks; it may forget all of it.
#[derive(Default)]
pub(crate) struct Memory {
    /// Schedules of policies, each of a version: made once.
    schedules: BTreeMap<PolicyId, (i64, Schedule)>,
    /// Items that could not be scheduled and were told of.
    told: BTreeSet<String>,
}

impl Memory {
    fn schedule(&mut self, policy: &catalog::Versioned<Policy>) -> &Schedule {
        let made = || (policy.version(), Schedule::of(&policy.record.policy));
        let entry = self.schedules.entry(policy.record.id).or_insert_with(made);
        if entry.0 != policy.version() {
            *entry = made();
        }
        &entry.1
    }
}

impl Vault {
    /// Schedules, for ever.
    pub(crate) async fn run_scheduler(&self) {
        let mut memory = Memory::default();
        let mut watch = aligning::Watch::default();
        let mut watched = Duration::ZERO;
        let mut repaired = None;
        if let Ok(open) = self.open_matters(UNSCHEDULED).await {
            let told = open.iter().filter_map(|matter| matter.strip_prefix(UNSCHEDULED));
            memory.told = told.map(str::to_owned).collect();
        }
        loop {
            let heard = self.bell.rings();
            if watch.went_back(self.now(), self.world.clock.uptime()) && self.align().await.is_ok() {
                watch.is_aligned();
            }
            // Whatever fails here is found again: an item stays due until its transaction is through.
            drop(self.schedule_due(&mut memory).await);
            let uptime = self.world.clock.uptime();
            if uptime.saturating_sub(watched) >= LOOK_EVERY * 2 && self.watch_jobs().await.is_ok() {
                watched = uptime;
                drop(self.settle_policies().await);
            }
            let is_time = repaired.is_none_or(|at| uptime.saturating_sub(at) >= REPAIR_EVERY);
            if is_time && self.repair_policies().await.is_ok() {
                repaired = Some(uptime);
            }
            self.world.clock.sleep(LOOK_APART).await;
            self.rest(self.first_due().await, heard).await;
        }
    }

    /// When the next item becomes due. Those that are due already were tried in this look, and are again in the next.
    async fn first_due(&self) -> Option<Timestamp> {
        let mut tx = self.world.catalog.read().await.ok()?;
        let later = Range::from(format!("{}\u{1}", moment(self.now())));
        let query = Query::of(Scope::vault(&self.key), Slot::B, later).limit(1);
        let first = readable::<Item>(tx.as_mut(), &query).await.ok()?;
        first.records.first()?.record.next_due()
    }

    /// Takes up all items that are due.
    ///
    /// # Errors
    /// The catalog cannot be read or written; what an item alone is the reason of, is told and passed over.
    pub(crate) async fn schedule_due(&self, memory: &mut Memory) -> Result<(), Fault> {
        let range = Range::before(format!("{}\u{1}", moment(self.now())));
        let mut query = Query::of(Scope::vault(&self.key), Slot::B, range).limit(ITEMS_AT_ONCE);
        loop {
            let page = {
                let mut tx = self.world.catalog.read().await.map_err(fault)?;
                readable::<Item>(tx.as_mut(), &query).await.map_err(fault)?
            };
            for (id, fault) in page.unreadable {
                self.tell_unscheduled(memory, id, fault).await?;
            }
            for item in page.records.into_iter().map(|item| item.record) {
                // A healing backup that waits makes an item due as well, and is not the scheduler's.
                if item.due.values().any(|at| *at <= self.now()) {
                    self.schedule_or_tell(memory, &item).await?;
                }
            }
            match page.next {
                Some(next) => query = query.after(next),
                None => return Ok(()),
            }
        }
    }

    /// Takes up the items of a policy that are due.
    ///
    /// # Errors
    /// The catalog cannot be read or written; what an item alone is the reason of, is told and passed over.
    pub(crate) async fn schedule_items_of(&self, policy: PolicyId) -> Result<(), Fault> {
        let mut memory = Memory::default();
        let items = self.list_readable::<Item>(Slot::C, Range::exactly(policy.to_string()));
        for item in items.await? {
            if item.record.due.values().any(|at| *at <= self.now()) {
                self.schedule_or_tell(&mut memory, &item.record).await?;
            }
        }
        Ok(())
    }

    async fn schedule_or_tell(&self, memory: &mut Memory, item: &Item) -> Result<(), Fault> {
        let scheduled = match self.find::<Policy>(item.policy).await {
            Ok(Some(policy)) => {
                let schedule = memory.schedule(&policy);
                self.schedule_item(item.id, policy.version(), schedule).await
            }
            Ok(None) => {
                let why = format!("its policy {} is not there", item.policy);
                Err(Fault::new(Code::Bac2NotFound).because(&why))
            }
            Err(fault) => Err(fault),
        };
        let Err(fault) = scheduled else {
            self.bell.ring();
            if memory.told.remove(&item.id.to_string()) {
                self.resolve(&unscheduled(&item.id.to_string())).await?;
            }
            return Ok(());
        };
        // Somebody changed the policy meanwhile: the next look is as good.
        if fault.code() == Code::Bac2VersionConflict {
            return Ok(());
        }
        // Where even the notice cannot be written, it is the catalog and not this item.
        self.tell_unscheduled(memory, item.id.to_string(), fault).await
    }

    async fn tell_unscheduled(&self, memory: &mut Memory, id: String, fault: Fault) -> Result<(), Fault> {
        if memory.told.contains(&id) {
            return Ok(());
        }
        let about = About {
            matter: unscheduled(&id),
            ..About::default()
        };
        self.raise(about, fault.at(&format!("item {id}"))).await?;
        memory.told.insert(id);
        Ok(())
    }

    async fn schedule_item(&self, id: ItemId, version: i64, schedule: &Schedule) -> Result<(), Fault> {
        self.transact(move |tx| scoped(async move { self.schedule_item_in(tx, id, version, schedule).await }))
            .await
    }

    async fn schedule_item_in(
        &self,
        tx: &mut dyn Transaction,
        id: ItemId,
        version: i64,
        schedule: &Schedule,
    ) -> Result<(), Trouble> {
        let mut item = demand::<Item>(tx, &self.key, &id.to_string()).await?;
        if item.record.protection != Protection::Protected {
            return Ok(());
        }
        let policy = demand::<Policy>(tx, &self.key, &item.record.policy.to_string()).await?;
        if policy.version() != version {
            let why = "its policy changed meanwhile";
            return Err(Fault::new(Code::Bac2VersionConflict).because(why).into());
        }
        let kinds = policy.record.policy.kinds();
        if item.record.policy_version != version {
            // Its own job comes later; what the old schedule owes is told apart from what the new one asks for before that.
            self.bring_in(tx, &mut item.record, &policy).await?;
        }
        self.deal_in(tx, &mut item.record, schedule, &kinds).await?;
        update(tx, item).await?;
        Ok(())
    }

    /// Deals with every slot of an item that is due by a schedule: a job, or the report of a miss. The item is to be written with it.
    ///
    /// # Errors
    /// Its database is not there; the catalog cannot be written.
    pub(crate) async fn deal_in(
        &self,
        tx: &mut dyn Transaction,
        item: &mut Item,
        schedule: &Schedule,
        kinds: &[BackupKind],
    ) -> Result<(), Trouble> {
        let now = self.now();
        let database = demand::<Database>(tx, &self.key, &item.database.to_string())
            .await?
            .record;
        let dealt = Dealt {
            since: item.since,
            last: item.scheduled.clone(),
        };
        let agenda = schedule.due(&item.id.to_string(), kinds, &dealt, now);
        for due in &agenda.superseded {
            let slot = due.start.slot;
            item.scheduled.insert(slot.kind, slot.at);
            // A full takes the place of this one; of those before it none.
            if let Some(missed) = due.missed {
                self.report_missed(tx, item, slot.kind, missed.last, &counted(missed))
                    .await?;
            }
        }
        for due in &agenda.run {
            item.scheduled.insert(due.start.slot.kind, due.start.slot.at);
            self.let_in_or_skip(tx, item, &database, due).await?;
        }
        place_next(schedule, item, kinds, now);
        Ok(())
    }

    /// One job for the slot, where the database supports such backups, and one warning where it does not.
    pub(crate) async fn let_in_or_skip(
        &self,
        tx: &mut dyn Transaction,
        item: &Item,
        database: &Database,
        due: &Due,
    ) -> Result<(), Trouble> {
        let kind = due.start.slot.kind;
        let matter = about("unsupported", item, kind);
        match unsupported(kind, database) {
            Some(fault) => self.raise_in(tx, &matter, &fault).await,
            None => {
                self.resolve_in(tx, &matter.matter).await?;
                self.let_in(tx, item, due).await
            }
        }
    }

    /// One job for the slot, or the report that it is missed; and the report of those before it.
    async fn let_in(&self, tx: &mut dyn Transaction, item: &Item, due: &Due) -> Result<(), Trouble> {
        let slot = due.start.slot;
        let new = NewJob {
            work: Work::Backup(BackupWork::of(slot.kind)),
            trigger: Trigger::Scheduled { slot: due.start.at },
            server: Some(item.server),
            item: Some(item.id),
            run_at: due.start.at.max(self.now()),
        };
        let in_the_way = match self.enqueue_in(tx, &new).await? {
            // A restore takes the tail of the log, and the slot with it.
            Entered::InTheWay { other, .. } if is_tail(tx, &self.key, other).await? => None,
            Entered::InTheWay { other, .. } => Some(format!(
                "{} was not started: job {other} of the same kind was not over",
                slot.at
            )),
            Entered::Queued(_) => None,
        };
        let before = due.missed.map(counted);
        let last = match (&in_the_way, due.missed) {
            (Some(_), _) => slot.at,
            (None, Some(missed)) => missed.last,
            (None, None) => return Ok(()),
        };
        let why: Vec<String> = before.into_iter().chain(in_the_way).collect();
        self.report_missed(tx, item, slot.kind, last, &why.join("; "))
            .await
    }

    async fn report_missed(
        &self,
        tx: &mut dyn Transaction,
        item: &Item,
        kind: BackupKind,
        last: Timestamp,
        why: &str,
    ) -> Result<(), Trouble> {
        let mut about = about("missed", item, kind);
        about.missed = Some((kind, last));
        let fault = Fault::new(Code::Bac2ScheduleMissed).because(why);
        self.raise_in(tx, &about, &fault).await
    }
}

async fn is_tail(tx: &mut dyn Transaction, vault: &str, job: JobId) -> Result<bool, Trouble> {
    let job = demand::<Job>(tx, vault, &job.to_string()).await?.record;
    Ok(matches!(&job.work, Work::Backup(work) if work.tail.is_some()))
}

fn counted(missed: Missed) -> String {
    format!(
        "{} slots from {} to {} were missed",
        missed.count, missed.first, missed.last
    )
}

/// The matter of an item that cannot be scheduled.
fn unscheduled(id: &str) -> String {
    format!("{UNSCHEDULED}{id}")
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

/// Notes when each kind begins next for an item, and for which slot.
pub(crate) fn place_next(schedule: &Schedule, item: &mut Item, kinds: &[BackupKind], now: Timestamp) {
    let id = item.id.to_string();
    let next: Vec<_> = kinds
        .iter()
        .filter_map(|kind| schedule.next_start(*kind, &id, now))
        .collect();
    item.due = next.iter().map(|start| (start.slot.kind, start.at)).collect();
    item.slots = next
        .iter()
        .map(|start| (start.slot.kind, start.slot.at))
        .collect();
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
