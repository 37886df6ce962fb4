//! Stopping, suspending and resuming; deleting, softly first, and taking that back.

use catalog::record::{
    Database, Item, ItemId, Job, JobState, Policy, Protection, Server, SoftDelete, SoftDeleteMode, Trigger,
    Vault as VaultRecord, Work,
};
use catalog::{Range, Slot, Transaction, demand, scoped, update};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};
use schedule::{BackupKind, Schedule};

use crate::jobs::NewJob;
use crate::records::{Trouble, edit, refuse_changed};
use crate::scheduler::place_next;
use crate::vault::Vault;

/// What becomes of the recovery points when protection stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// They stay.
    Retain,
    /// They are deleted: softly first, where the vault does that.
    Delete,
}

impl Vault {
    /// Ends protection. Jobs of the item that have not ended are cancelled. What is deleted is removed when its time is over.
    /// `seen` is the edition of the item that the user saw (none: whatever it is), as in all deeds here.
    ///
    /// # Errors
    /// It is not protected; it is deleted already; somebody else changed it; the catalog cannot be written.
    pub async fn unprotect(&self, item: ItemId, data: Data, seen: Option<i64>) -> Result<Item, Fault> {
        let now = self.now();
        let changed = self
            .transact(move |tx| {
                scoped(async move {
                    let rule = demand::<VaultRecord>(tx, &self.key, &self.key)
                        .await?
                        .record
                        .soft_delete;
                    let mut found = demand::<Item>(tx, &self.key, &item.to_string()).await?;
                    edit(&mut found.record, seen)?;
                    may_stop(&found.record, data)?;
                    found.record.healing = None;
                    found.record.protection = match data {
                        Data::Retain => Protection::Stopped { since: now },
                        Data::Delete => {
                            let until = kept_until(now, rule);
                            self.enqueue_in(tx, &purging(&found.record, until)).await?;
                            Protection::SoftDeleted { since: now, until }
                        }
                    };
                    self.resolve_item_in(tx, item).await?;
                    Ok(update(tx, found).await?.record)
                })
            })
            .await?;
        let why = Fault::new(Code::Bac2JobCancelled).because("protection of the database was stopped");
        for job in self.open_jobs_of(item).await? {
            self.cancel_if_open(job.id, &why).await?;
        }
        self.bell.ring();
        Ok(changed)
    }

    /// Lets the schedules of an item rest. What waits by schedule is cancelled; what runs, and what a user wants, goes on.
    ///
    /// # Errors
    /// It is not protected; somebody else changed it; the catalog cannot be written.
    pub async fn suspend(&self, item: ItemId, seen: Option<i64>) -> Result<Item, Fault> {
        let since = self.now();
        let changed = self
            .transact(move |tx| {
                scoped(async move {
                    let mut found = demand::<Item>(tx, &self.key, &item.to_string()).await?;
                    edit(&mut found.record, seen)?;
                    if found.record.protection != Protection::Protected {
                        return Err(not_possible(&found.record).into());
                    }
                    found.record.protection = Protection::Suspended { since };
                    Ok(update(tx, found).await?.record)
                })
            })
            .await?;
        let why = Fault::new(Code::Bac2JobCancelled).because("protection of the database was suspended");
        for job in self.open_jobs_of(item).await? {
            if job.state == JobState::Queued && job.trigger != Trigger::OnDemand {
                self.cancel_if_open(job.id, &why).await?;
            }
        }
        self.bell.ring();
        Ok(changed)
    }

    /// Lets the schedules of a suspended or stopped item run again, from now on: slots in between are not missed. Who owns its
    /// chain by now is asked again, unless a user took it over.
    ///
    /// # Errors
    /// It is deleted, or was never stopped; somebody else changed it; the catalog cannot be written.
    pub async fn resume(&self, item: ItemId, seen: Option<i64>) -> Result<Item, Fault> {
        let now = self.now();
        let database = self.get::<Item>(item).await?.record.database;
        let unread = &self.read_history_of(database).await?;
        let resumed = self
            .transact(move |tx| {
                scoped(async move {
                    let mut found = demand::<Item>(tx, &self.key, &item.to_string()).await?;
                    edit(&mut found.record, seen)?;
                    match found.record.protection {
                        Protection::Suspended { .. } | Protection::Stopped { .. } => {}
                        Protection::Protected => {
                            return Err(Fault::new(Code::Bac2AlreadyProtected)
                                .at(&item.to_string())
                                .into());
                        }
                        Protection::SoftDeleted { .. } => {
                            return Err(Fault::new(Code::Bac2SoftDeleted).at(&item.to_string()).into());
                        }
                    }
                    let policy = demand::<Policy>(tx, &self.key, &found.record.policy.to_string()).await?;
                    let rules = &policy.record.policy;
                    found.record.protection = Protection::Protected;
                    found.record.policy_version = policy.version();
                    found.record.inconsistent = None;
                    found.record.since = now;
                    if found.record.took_over.is_none() {
                        let database = demand::<Database>(tx, &self.key, &database.to_string())
                            .await?
                            .record;
                        let server = demand::<Server>(tx, &self.key, &database.server.to_string())
                            .await?
                            .record;
                        let owner = self.owner_or_unknown(tx, &server, &database, unread.as_ref());
                        found.record.foreign_owner = owner.await?;
                    }
                    place_next(&Schedule::of(rules), &mut found.record, &rules.kinds(), now);
                    update(tx, found).await?;
                    self.want_first_full_in(tx, item).await?;
                    Ok(demand::<Item>(tx, &self.key, &item.to_string()).await?.record)
                })
            })
            .await?;
        self.bell.ring();
        Ok(resumed)
    }

    /// Takes a deletion back. Protection stays stopped; [`Vault::resume`] begins it again.
    ///
    /// # Errors
    /// It is not deleted, or its time is over; somebody else changed it; the catalog cannot be written.
    pub async fn undelete(&self, item: ItemId, seen: Option<i64>) -> Result<Item, Fault> {
        let now = self.now();
        self.transact(move |tx| {
            scoped(async move {
                let mut found = demand::<Item>(tx, &self.key, &item.to_string()).await?;
                edit(&mut found.record, seen)?;
                let is_in_time = matches!(found.record.protection,
                    Protection::SoftDeleted { until, .. } if now < until);
                if !is_in_time || !self.take_purge_back_in(tx, &found.record).await? {
                    return Err(Fault::new(Code::Bac2NotFound)
                        .at(&item.to_string())
                        .because("it is not deleted, or was deleted too long ago")
                        .into());
                }
                found.record.protection = Protection::Stopped { since: now };
                Ok(update(tx, found).await?.record)
            })
        })
        .await
    }

    /// Ends the job that waits to remove an item's data; false where it has begun.
    async fn take_purge_back_in(&self, tx: &mut dyn Transaction, item: &Item) -> Result<bool, Trouble> {
        let Some(id) = self.open_job(tx, &purging(item, self.now())).await? else {
            return Ok(true);
        };
        let mut job = demand::<Job>(tx, &self.key, &id.to_string()).await?;
        if job.record.state != JobState::Queued {
            return Ok(false);
        }
        job.record.state = JobState::Cancelled;
        job.record.ended = Some(self.now());
        job.record.fault = Some(Fault::new(Code::Bac2JobCancelled).because("the deletion was taken back"));
        update(tx, job).await?;
        Ok(true)
    }

    /// Changes what becomes of deleted data. What is deleted already keeps its time. `seen` is the version of the vault's record.
    ///
    /// # Errors
    /// Soft deletion is always on, and this would switch it off or shorten it; the days are out of range; somebody else changed
    /// the vault's settings.
    pub async fn set_soft_delete(&self, wanted: SoftDelete, seen: Option<i64>) -> Result<(), Fault> {
        if !(14..=180).contains(&wanted.days) {
            return Err(Fault::new(Code::Bac2InputInvalid)
                .at("soft delete")
                .because(&format!("{} days; 14 to 180 are possible", wanted.days)));
        }
        self.transact(move |tx| {
            scoped(async move {
                let mut found = demand::<VaultRecord>(tx, &self.key, &self.key).await?;
                refuse_changed(found.version(), seen, "soft delete")?;
                let before = found.record.soft_delete;
                let is_less = wanted.mode != SoftDeleteMode::AlwaysOn || wanted.days < before.days;
                if before.mode == SoftDeleteMode::AlwaysOn && is_less {
                    return Err(Fault::new(Code::Bac2SoftDeleteLocked).into());
                }
                found.record.soft_delete = wanted;
                update(tx, found).await?;
                Ok(())
            })
        })
        .await
    }

    /// The vault's own record and its version.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn settings(&self) -> Result<(VaultRecord, i64), Fault> {
        let found = self.get::<VaultRecord>(self.id).await?;
        Ok((found.record.clone(), found.version()))
    }

    /// An item and its edition, which users' changes are held against: what the vault notes with each slot is none of them.
    ///
    /// # Errors
    /// There is none; the catalog does not answer.
    pub async fn protected(&self, item: ItemId) -> Result<(Item, i64), Fault> {
        let found = self.get::<Item>(item).await?.record;
        let edition = found.edition;
        Ok((found, edition))
    }

    /// Open jobs of an item, but the one that removes its data.
    async fn open_jobs_of(&self, item: ItemId) -> Result<Vec<Job>, Fault> {
        let works = BackupKind::ALL
            .map(BackupKind::name)
            .into_iter()
            .chain(["configure"]);
        let mut open = Vec::new();
        for work in works {
            let range = Range::members(&[&item.to_string(), work, "open"]);
            let found = self.list_readable::<Job>(Slot::B, range).await?;
            open.extend(found.into_iter().map(|job| job.record));
        }
        Ok(open)
    }

    /// Has an item's data removed, where no job does that already.
    pub(crate) async fn want_purge(&self, item: &Item, run_at: Timestamp) -> Result<(), Fault> {
        let new = &purging(item, run_at);
        self.transact(move |tx| {
            scoped(async move {
                // One waits since the deletion, as a rule.
                if self.open_job(tx, new).await?.is_none() {
                    self.enqueue_in(tx, new).await?;
                }
                Ok(())
            })
        })
        .await?;
        self.bell.ring();
        Ok(())
    }
}

fn purging(item: &Item, run_at: Timestamp) -> NewJob {
    NewJob {
        work: Work::Purge,
        trigger: Trigger::OnDemand,
        server: Some(item.server),
        item: Some(item.id),
        run_at,
    }
}

fn may_stop(item: &Item, data: Data) -> Result<(), Fault> {
    match (&item.protection, data) {
        (Protection::Protected | Protection::Suspended { .. }, _) => Ok(()),
        (Protection::Stopped { .. }, Data::Delete) => Ok(()),
        _ => Err(not_possible(item)),
    }
}

/// What is said of an item that is not protected.
fn not_possible(item: &Item) -> Fault {
    let code = match item.protection {
        Protection::SoftDeleted { .. } => Code::Bac2SoftDeleted,
        _ => Code::Bac2NotProtected,
    };
    Fault::new(code).at(&format!("item {}", item.id))
}

/// Until when something deleted now is kept.
pub(crate) fn kept_until(now: Timestamp, rule: SoftDelete) -> Timestamp {
    match rule.mode {
        SoftDeleteMode::Disabled => now,
        SoftDeleteMode::Enabled | SoftDeleteMode::AlwaysOn => now
            .checked_add(SignedDuration::from_hours(24 * i64::from(rule.days)))
            .unwrap_or(Timestamp::MAX),
    }
}
