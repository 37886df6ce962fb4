//! The end of deleted items, when the time for which they were kept is over.
//!
//! Its recovery points go first, all of them, the newest chain too; then its record, and its database can be protected anew.

use catalog::record::{Item, ItemId, Point, Protection};
use catalog::{Query, Range, Scope, Slot, delete, get, page, scoped};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};

use crate::jobs::{Doing, Ending};
use crate::records::fault;
use crate::vault::Vault;

/// When a purge goes on that met a point in use.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What a purge came to.
enum Purged {
    /// The item is no more.
    Gone,
    /// It is not deleted.
    Kept,
    /// Its time is not over.
    Early(Timestamp),
    /// One of its recovery points is being read, or is leased.
    Used(Fault),
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
            Ok(Purged::Used(fault)) => {
                let again = self.now().checked_add(AGAIN_AFTER).unwrap_or(Timestamp::MAX);
                Ending::Again(fault, again)
            }
            Err(fault) => Ending::Failed(fault),
        }
    }

    async fn purge_item(&self, item: ItemId) -> Result<Purged, Fault> {
        if let Some(used) = self.purge_points(item).await? {
            return Ok(Purged::Used(used));
        }
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
                    // One came from its record meanwhile.
                    let why = "another recovery point of it was found";
                    return Ok(Purged::Used(Fault::new(Code::Bac2UrlLeased).because(why)));
                }
                for log in self.server_logs_in(tx, item).await? {
                    delete(tx, &log).await?;
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
                if is_over && !self.is_purging(item.record.id).await? {
                    self.want_purge(&item.record, now).await?;
                }
            }
            match found.next {
                Some(next) => query = query.after(next),
                None => return Ok(()),
            }
        }
    }

    /// Removes all points of an item whose time is over; why not, where one is in use.
    async fn purge_points(&self, item: ItemId) -> Result<Option<Fault>, Fault> {
        let now = self.now();
        let found = self.find::<Item>(item).await?;
        let is_over = found.is_some_and(
            |item| matches!(item.record.protection, Protection::SoftDeleted { until, .. } if until <= now),
        );
        if !is_over {
            return Ok(None);
        }
        let mut used = None;
        for point in self.end_points_of(item).await? {
            match self.remove_point(&point).await {
                Ok(()) => {}
                Err(fault) if fault.code() == Code::Bac2UrlLeased => used = Some(fault),
                Err(fault) => return Err(fault),
            }
        }
        Ok(used)
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
