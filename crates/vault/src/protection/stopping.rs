//! Stopping, suspending and resuming; deleting, softly first, and taking that back.

use catalog::record::{
    Item, ItemId, Job, Policy, Protection, SoftDelete, SoftDeleteMode, Trigger, Vault as VaultRecord, Work,
};
use catalog::{Range, Slot, demand, scoped, update};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};
use schedule::Schedule;

use crate::jobs::NewJob;
use crate::scheduler::next_starts;
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
    /// Ends protection. Jobs of the item that have not ended are cancelled.
    ///
    /// # Errors
    /// It is not protected; the catalog cannot be written.
    pub async fn unprotect(&self, item: ItemId, data: Data) -> Result<Item, Fault> {
        let rule = self.get::<VaultRecord>(self.id).await?.record.soft_delete;
        let now = self.now();
        let after = match data {
            Data::Retain => Protection::Stopped { since: now },
            Data::Delete => Protection::SoftDeleted {
                since: now,
                until: kept_until(now, rule),
            },
        };
        let (changed, ()) = self
            .change::<Item, _>(item, |item| {
                let is_possible = match (&item.protection, data) {
                    (Protection::Protected | Protection::Suspended { .. }, _) => true,
                    (Protection::Stopped { .. }, data) => data == Data::Delete,
                    (Protection::SoftDeleted { .. }, _) => false,
                };
                if !is_possible {
                    return Err(Fault::new(Code::Bac2NotProtected).at(&item.id.to_string()));
                }
                item.protection = after.clone();
                item.healing = None;
                Ok(())
            })
            .await?;
        self.cancel_jobs_of(item).await?;
        if data == Data::Delete && rule.mode == SoftDeleteMode::Disabled {
            self.want_purge(&changed.record, now).await?;
        }
        self.bell.ring();
        Ok(changed.record)
    }

    /// Lets the schedules of an item rest.
    ///
    /// # Errors
    /// It is not protected; the catalog cannot be written.
    pub async fn suspend(&self, item: ItemId) -> Result<Item, Fault> {
        let since = self.now();
        let (changed, ()) = self
            .change::<Item, _>(item, |item| {
                if item.protection != Protection::Protected {
                    return Err(Fault::new(Code::Bac2NotProtected).at(&item.id.to_string()));
                }
                item.protection = Protection::Suspended { since };
                Ok(())
            })
            .await?;
        self.bell.ring();
        Ok(changed.record)
    }

    /// Lets the schedules of a suspended or stopped item run again, from now on: slots in between are not missed.
    ///
    /// # Errors
    /// It is deleted, or was never stopped; the catalog cannot be written.
    pub async fn resume(&self, item: ItemId) -> Result<Item, Fault> {
        let now = self.now();
        let resumed = self
            .transact(move |tx| {
                scoped(async move {
                    let mut found = demand::<Item>(tx, &self.key, &item.to_string()).await?;
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
                    found.record.due = next_starts(&Schedule::of(rules), &found.record, &rules.kinds(), now);
                    Ok(update(tx, found).await?.record)
                })
            })
            .await?;
        self.bell.ring();
        Ok(resumed)
    }

    /// Takes a deletion back. Protection stays stopped; [`Vault::resume`] begins it again.
    ///
    /// # Errors
    /// It is not deleted, or its time is over; the catalog cannot be written.
    pub async fn undelete(&self, item: ItemId) -> Result<Item, Fault> {
        let now = self.now();
        let (changed, ()) = self
            .change::<Item, _>(item, |item| match item.protection {
                Protection::SoftDeleted { until, .. } if now < until => {
                    item.protection = Protection::Stopped { since: now };
                    Ok(())
                }
                _ => Err(Fault::new(Code::Bac2NotFound)
                    .at(&item.id.to_string())
                    .because("it is not deleted, or was deleted too long ago")),
            })
            .await?;
        Ok(changed.record)
    }

    /// Changes what becomes of deleted data. What is deleted already keeps its time.
    ///
    /// # Errors
    /// Soft deletion is always on, and this would switch it off or shorten it; the days are out of range.
    pub async fn set_soft_delete(&self, wanted: SoftDelete) -> Result<(), Fault> {
        if !(14..=180).contains(&wanted.days) {
            return Err(Fault::new(Code::Bac2InputInvalid)
                .at("soft delete")
                .because(&format!("{} days; 14 to 180 are possible", wanted.days)));
        }
        self.change::<VaultRecord, _>(self.id, |vault| {
            let is_less = wanted.mode != SoftDeleteMode::AlwaysOn || wanted.days < vault.soft_delete.days;
            if vault.soft_delete.mode == SoftDeleteMode::AlwaysOn && is_less {
                return Err(Fault::new(Code::Bac2SoftDeleteLocked));
            }
            vault.soft_delete = wanted;
            Ok(())
        })
        .await?;
        Ok(())
    }

    async fn cancel_jobs_of(&self, item: ItemId) -> Result<(), Fault> {
        for job in self
            .list::<Job>(Slot::B, Range::members(&[&item.to_string()]))
            .await?
        {
            if !job.record.state.is_ended() {
                match self.cancel_job(job.record.id).await {
                    // It ended meanwhile.
                    Err(fault) if fault.code() != Code::Bac2JobNotCancellable => return Err(fault),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn want_purge(&self, item: &Item, run_at: Timestamp) -> Result<(), Fault> {
        let new = NewJob {
            work: Work::Purge,
            trigger: Trigger::OnDemand,
            server: Some(item.server),
            item: Some(item.id),
            run_at,
        };
        self.enqueue(new).await?;
        Ok(())
    }
}

/// Until when something deleted now is kept.
fn kept_until(now: Timestamp, rule: SoftDelete) -> Timestamp {
    match rule.mode {
        SoftDeleteMode::Disabled => now,
        SoftDeleteMode::Enabled | SoftDeleteMode::AlwaysOn => now
            .checked_add(SignedDuration::from_hours(24 * i64::from(rule.days)))
            .unwrap_or(Timestamp::MAX),
    }
}
