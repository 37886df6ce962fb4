//! The end of deleted items, when the time for which they were kept is over.
//!
//! An item that has no recovery points ends: its record goes, and its database can be protected anew. One that has them stays
//! until they are removed, chain by chain, as retention does.

use catalog::record::{Item, ItemId, Point, Protection};
use catalog::{Query, Range, Scope, Slot, delete, get, page, scoped};
use faults::{Code, Fault};
use jiff::Timestamp;

use crate::jobs::{Doing, Ending};
use crate::records::fault;
use crate::vault::Vault;

/// What a purge came to.
enum Purged {
    /// The item is no more.
    Gone,
    /// It is not deleted.
    Kept,
    /// Its time is not over.
    Early(Timestamp),
    /// It has recovery points.
    HasPoints,
}

impl Vault {
    /// Does a job that removes the data of a deleted item, when its time is over.
    pub(crate) async fn purge(&self, doing: &mut Doing<'_>) -> Ending {
        let Some(item) = doing.job.item else {
            return Ending::Failed(Fault::new(Code::Bac2InternalError).because("a purge of no item"));
        };
        let at = format!("item {item}");
        if doing.is_cancelled() {
            return Ending::Cancelled(Fault::new(Code::Bac2JobCancelled).at(&at));
        }
        match self.purge_item(item).await {
            Ok(Purged::Gone) => Ending::Done(Vec::new()),
            Ok(Purged::Kept) => {
                let why = "its deletion was taken back";
                Ending::Cancelled(Fault::new(Code::Bac2JobCancelled).at(&at).because(why))
            }
            Ok(Purged::Early(until)) => {
                let why = format!("it is kept until {until}");
                Ending::Again(Fault::new(Code::Bac2SoftDeleted).at(&at).because(&why), until)
            }
            Ok(Purged::HasPoints) => {
                let why = "it has recovery points; they are removed with retention, and the item with the last of them";
                Ending::Done(vec![Fault::new(Code::Bac2PointNeeded).at(&at).because(why)])
            }
            Err(fault) => Ending::Failed(fault),
        }
    }

    async fn purge_item(&self, item: ItemId) -> Result<Purged, Fault> {
        let now = self.now();
        self.transact(move |tx| {
            scoped(async move {
                let Some(found) = get::<Item>(tx, &self.key, &item.to_string()).await? else {
                    return Ok(Purged::Gone);
                };
                match found.record.protection {
                    Protection::SoftDeleted { until, .. } if until > now => return Ok(Purged::Early(until)),
                    Protection::SoftDeleted { .. } => {}
                    _ => return Ok(Purged::Kept),
                }
                let range = Range::members(&[&item.to_string()]);
                let points = Query::of(Scope::vault(&self.key), Slot::A, range).limit(1);
                if !page::<Point>(tx, &points).await?.records.is_empty() {
                    return Ok(Purged::HasPoints);
                }
                self.leave_out_in(tx, &found.record).await?;
                self.resolve_item_in(tx, item).await?;
                delete(tx, &found).await?;
                Ok(Purged::Gone)
            })
        })
        .await
    }

    /// Queues the end of items whose time is over and that nothing keeps.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn purge_due(&self) -> Result<(), Fault> {
        let now = self.now();
        let mut query = Query::of(Scope::vault(&self.key), Slot::Id, Range::ALL);
        loop {
            let found = {
                let mut tx = self.world.catalog.read().await.map_err(fault)?;
                page::<Item>(tx.as_mut(), &query).await.map_err(fault)?
            };
            for item in &found.records {
                let is_over =
                    matches!(item.record.protection, Protection::SoftDeleted { until, .. } if until <= now);
                if is_over
                    && !self.has_points(item.record.id).await?
                    && !self.is_purging(item.record.id).await?
                {
                    self.want_purge(&item.record, now).await?;
                }
            }
            match found.next {
                Some(next) => query = query.after(next),
                None => return Ok(()),
            }
        }
    }

    async fn has_points(&self, item: ItemId) -> Result<bool, Fault> {
        let range = Range::members(&[&item.to_string()]);
        let query = Query::of(Scope::vault(&self.key), Slot::A, range).limit(1);
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let found = page::<Point>(tx.as_mut(), &query).await.map_err(fault)?;
        Ok(!found.records.is_empty())
    }

    async fn is_purging(&self, item: ItemId) -> Result<bool, Fault> {
        let range = Range::members(&[&item.to_string(), catalog::record::Work::Purge.name(), "open"]);
        let query = Query::of(Scope::vault(&self.key), Slot::B, range).limit(1);
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let found = page::<catalog::record::Job>(tx.as_mut(), &query)
            .await
            .map_err(fault)?;
        Ok(!found.records.is_empty())
    }
}
