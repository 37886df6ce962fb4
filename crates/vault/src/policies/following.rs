//! Items and the version of the policy that they follow.
//!
//! What the old schedule asked for until it ended is dealt with by it, before the change. A slot that came and waits for its place
//! within the jitter is owed: it stays where it is one of the new schedule too, and becomes a job for its old place where it is not
//! (`owed`).

use catalog::record::{
    Database, Item, ItemId, Job, JobId, JobState, Policy, PolicyId, Protection, Trigger, Work,
};
use catalog::{Range, Slot, Transaction, Versioned, demand, get, scoped, update};
use faults::{Code, Fault};
use jiff::Timestamp;
use schedule::due::Due;
use schedule::{BackupKind, Schedule};

use super::owed::align;
use crate::jobs::{DAY, Doing, Ending, Entered, NewJob};
use crate::notices::About;
use crate::records::{Trouble, edit};
use crate::vault::Vault;

/// Jobs that are written in one transaction.
const AT_ONCE: usize = 50;

/// Whom a policy reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached {
    /// Items that are being brought to it, one job each.
    pub begun: usize,
    /// How many of these wait for the next day, by the limit of configurations in 24 hours.
    pub put_off: usize,
}

impl Vault {
    /// Items that are not at the present version of their policy.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn inconsistent_items(&self, id: PolicyId) -> Result<Vec<Item>, Fault> {
        let version = self.get::<Policy>(id).await?.version();
        let items = self.list_readable::<Item>(Slot::C, Range::exactly(id.to_string()));
        let items = items.await?.into_iter().map(|item| item.record);
        Ok(items.filter(|item| is_behind(item, version)).collect())
    }

    /// Begins to bring every item of a policy to its present version, one job each. Where that is more than may be configured in
    /// 24 hours, the rest waits for the next day, with a notice.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub async fn repair_policy(&self, id: PolicyId) -> Result<Reached, Fault> {
        let behind = self.inconsistent_items(id).await?;
        let matter = format!("inconsistent/{id}");
        if behind.is_empty() {
            self.resolve(&matter).await?;
            return Ok(Reached::default());
        }
        let about = About {
            matter,
            ..About::default()
        };
        let why = format!("{} items do not follow its present version yet", behind.len());
        let fault = Fault::new(Code::Bac2PolicyInconsistent);
        self.raise(about, fault.at(&format!("policy {id}")).because(&why))
            .await?;
        let mut put_off = 0;
        for lot in behind.chunks(AT_ONCE) {
            put_off += self.bring(lot, id, put_off).await?;
        }
        self.bell.ring();
        if put_off > 0 {
            self.tell_put_off(&format!("policy {id}"), put_off).await?;
        }
        Ok(Reached {
            begun: behind.len(),
            put_off,
        })
    }

    /// Notes for the items of a policy's version that they follow the next one, which asks nothing else of them.
    pub(super) async fn carry_over(&self, id: PolicyId, from: i64, to: i64) -> Result<(), Fault> {
        let items = self
            .list_readable::<Item>(Slot::C, Range::exactly(id.to_string()))
            .await?;
        let ids: Vec<ItemId> = items.iter().map(|item| item.record.id).collect();
        for lot in ids.chunks(AT_ONCE) {
            self.transact(move |tx| {
                scoped(async move {
                    for item in lot {
                        let Some(mut found) = get::<Item>(tx, &self.key, &item.to_string()).await? else {
                            continue;
                        };
                        if found.record.policy == id && found.record.policy_version == from {
                            found.record.policy_version = to;
                            update(tx, found).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await?;
        }
        Ok(())
    }

    /// Queues the jobs of a lot; gives how many of them wait for the limit.
    async fn bring(&self, lot: &[Item], policy: PolicyId, before: usize) -> Result<usize, Fault> {
        self.transact(move |tx| {
            scoped(async move {
                let mut to_do = Vec::new();
                for item in lot {
                    let new = configuring(item, policy, self.now());
                    // One that is open already will read the newest version.
                    if self.open_job(tx, &new).await?.is_none() {
                        to_do.push(new);
                    }
                }
                let granted = self.spend_in(tx, to_do.len()).await?;
                for (place, mut new) in to_do.into_iter().enumerate() {
                    if place >= granted.now {
                        new.run_at = granted.later(self.now(), before + place - granted.now);
                    }
                    let (Entered::Queued(_) | Entered::InTheWay { .. }) = self.enqueue_in(tx, &new).await?;
                }
                Ok(granted.put_off)
            })
        })
        .await
    }

    /// Repairs every policy that has items behind it.
    pub(crate) async fn repair_policies(&self) -> Result<(), Fault> {
        for policy in self.list_readable::<Policy>(Slot::A, Range::ALL).await? {
            let id = policy.record.id;
            if !self.inconsistent_items(id).await?.is_empty() {
                self.repair_policy(id).await?;
            }
        }
        Ok(())
    }

    /// Gives a protected item another policy, by a job, if the item is still of the version that the user saw (none: whatever it
    /// is).
    ///
    /// # Errors
    /// There is no such item or policy; it is not protected; somebody else changed it; it is being configured; more was
    /// configured in the last 24 hours than is allowed.
    pub async fn change_item_policy(
        &self,
        item: ItemId,
        policy: PolicyId,
        seen: Option<i64>,
    ) -> Result<JobId, Fault> {
        let entered = self
            .transact(move |tx| {
                scoped(async move {
                    let mut found = demand::<Item>(tx, &self.key, &item.to_string()).await?;
                    demand::<Policy>(tx, &self.key, &policy.to_string()).await?;
                    edit(&mut found.record, seen)?;
                    may_change(&found.record)?;
                    let new = configuring(&found.record, policy, self.now());
                    // What only waits, to bring it to the old policy, is in nobody's way.
                    self.drop_waiting_in(tx, &new).await?;
                    self.spend_or_refuse_in(tx, &format!("item {item}")).await?;
                    let entered = self.enqueue_in(tx, &new).await?;
                    if matches!(entered, Entered::Queued(_)) {
                        update(tx, found).await?;
                    }
                    Ok(entered)
                })
            })
            .await?;
        self.bell.ring();
        match entered {
            Entered::Queued(job) => Ok(job),
            Entered::InTheWay { fault, .. } => Err(fault),
        }
    }

    /// Brings an item to a policy's present version.
    pub(crate) async fn follow_policy(
        &self,
        doing: &mut Doing<'_>,
        item: ItemId,
        policy: PolicyId,
    ) -> Ending {
        let (told, job) = (&doing.told, &doing.job);
        let done = self
            .transact(move |tx| {
                scoped(async move {
                    if told.is_cancelled() {
                        return Ok(None);
                    }
                    self.spend_late_in(tx, job).await?;
                    let policy = demand::<Policy>(tx, &self.key, &policy.to_string()).await?;
                    let mut item = demand::<Item>(tx, &self.key, &item.to_string()).await?;
                    self.bring_in(tx, &mut item.record, &policy).await?;
                    update(tx, item).await?;
                    Ok(Some(()))
                })
            })
            .await;
        self.bell.ring();
        match done {
            Ok(Some(())) => Ending::Done(Vec::new()),
            Ok(None) => Ending::Cancelled(Fault::new(Code::Bac2JobCancelled)),
            Err(fault) => self.stays_behind(doing, item, fault).await,
        }
    }

    /// Has an item follow a policy as it is now. What the old schedule still owes becomes jobs, which begin when they were to.
    pub(crate) async fn bring_in(
        &self,
        tx: &mut dyn Transaction,
        item: &mut Item,
        policy: &Versioned<Policy>,
    ) -> Result<(), Trouble> {
        let (rules, now) = (&policy.record.policy, self.now());
        let from = if item.policy == policy.record.id {
            policy.record.changed.min(now)
        } else {
            self.deal_by_old_policy_in(tx, item).await?;
            now
        };
        let owed = align(item, &Schedule::of(rules), &rules.kinds(), from, now);
        item.policy = policy.record.id;
        item.policy_version = policy.version();
        item.inconsistent = None;
        if !owed.is_empty() {
            let database = demand::<Database>(tx, &self.key, &item.database.to_string()).await?;
            for start in owed {
                let due = Due { start, missed: None };
                self.let_in_or_skip(tx, item, &database.record, &due).await?;
            }
        }
        for kind in BackupKind::ALL {
            if !rules.kinds().contains(&kind) {
                let matter = crate::scheduler::about("unsupported", item, kind).matter;
                self.resolve_in(tx, &matter).await?;
            }
        }
        Ok(())
    }

    /// What an item is due by the policy that it leaves for another, where that is still as the item knows it.
    async fn deal_by_old_policy_in(&self, tx: &mut dyn Transaction, item: &mut Item) -> Result<(), Trouble> {
        let Some(old) = get::<Policy>(tx, &self.key, &item.policy.to_string()).await? else {
            return Ok(());
        };
        if item.protection != Protection::Protected || item.policy_version != old.version() {
            return Ok(());
        }
        let rules = &old.record.policy;
        self.deal_in(tx, item, &Schedule::of(rules), &rules.kinds()).await
    }

    async fn stays_behind(&self, doing: &Doing<'_>, item: ItemId, fault: Fault) -> Ending {
        if let Some(ending) = crate::jobs::tried_again(doing, &fault, self.now()) {
            return ending;
        }
        let left = &fault;
        let marked = self
            .change::<Item, _>(item, |item| {
                item.inconsistent = Some(left.clone());
                Ok(())
            })
            .await;
        // Where even that cannot be written, its old version says the same.
        drop(marked);
        Ending::Failed(fault)
    }

    /// Resolves the notices of policies that no item is behind any more.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn settle_policies(&self) -> Result<(), Fault> {
        for matter in self.open_matters("inconsistent/").await? {
            let id = matter
                .strip_prefix("inconsistent/")
                .and_then(|id| id.parse().ok());
            let is_settled = match id {
                Some::<uuid::Uuid>(id) if self.find::<Policy>(id).await?.is_some() => {
                    self.inconsistent_items(PolicyId(id)).await?.is_empty()
                }
                _ => true,
            };
            if is_settled {
                self.resolve(&matter).await?;
            }
        }
        Ok(())
    }

    /// Says that configurations wait for the limit of 24 hours.
    pub(crate) async fn tell_put_off(&self, target: &str, count: usize) -> Result<(), Fault> {
        let about = About {
            matter: "limit/configurations".to_owned(),
            ..About::default()
        };
        let why = format!("{count} configurations are tried again after 24 hours");
        let fault = Fault::new(Code::CloudDosAbsoluteLimitReachedWithRetry)
            .at(target)
            .because(&why);
        self.raise(about, fault).await
    }

    /// Ends what waits for the same item and of the same work, and has not begun.
    async fn drop_waiting_in(&self, tx: &mut dyn Transaction, new: &NewJob) -> Result<(), Trouble> {
        let Some(other) = self.open_job(tx, new).await? else {
            return Ok(());
        };
        let Some(mut job) = get::<Job>(tx, &self.key, &other.to_string()).await? else {
            return Ok(());
        };
        if job.record.state == JobState::Queued {
            let why = Fault::new(Code::Bac2JobCancelled).because("the item gets another policy");
            job.record.state = JobState::Cancelled;
            job.record.ended = Some(self.now());
            job.record.fault = Some(why);
            update(tx, job).await?;
        }
        Ok(())
    }
}

fn is_behind(item: &Item, version: i64) -> bool {
    let is_live = matches!(
        item.protection,
        Protection::Protected | Protection::Suspended { .. }
    );
    is_live && (item.policy_version != version || item.inconsistent.is_some())
}

fn may_change(item: &Item) -> Result<(), Fault> {
    let target = format!("item {}", item.id);
    match item.protection {
        Protection::Protected | Protection::Suspended { .. } => Ok(()),
        Protection::Stopped { .. } => Err(Fault::new(Code::Bac2NotProtected).at(&target)),
        Protection::SoftDeleted { .. } => Err(Fault::new(Code::Bac2SoftDeleted).at(&target)),
    }
}

fn configuring(item: &Item, policy: PolicyId, now: Timestamp) -> NewJob {
    NewJob {
        work: Work::Configure {
            database: item.database,
            policy,
            intent: None,
        },
        trigger: Trigger::OnDemand,
        server: Some(item.server),
        item: Some(item.id),
        run_at: now,
    }
}

/// A day later, and one more for each time that the limit goes into what waits.
pub(crate) fn days_later(now: Timestamp, place: usize, a_day: u32) -> Timestamp {
    let days = i32::try_from(place / usize::try_from(a_day.max(1)).unwrap_or(1)).unwrap_or(i32::MAX - 1);
    let wait = DAY.checked_mul(days.saturating_add(1)).unwrap_or(DAY);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}
