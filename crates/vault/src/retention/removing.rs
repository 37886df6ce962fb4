//! What is gone for good leaves the store: its blobs first, then the record beside them, then its own.
//!
//! In this order a crash leaves a point that says itself that it is gone, and the next look goes on; a record beside blobs that are
//! gone has such a point too, so it is never made into one again.

use azblob::names::BlobName;
use catalog::record::{Container, Point};
use catalog::{Query, Range, Scope, Slot, delete, get, scoped};
use faults::{Code, Fault};

use crate::backup::record::SetRecord;
use crate::cleaning::{name_of, store_fault};
use crate::records::{fault, readable};
use crate::shelf::ShelfError;
use crate::vault::Vault;

/// Points that one look removes at most.
const REMOVED_MAX: usize = 5_000;

impl Vault {
    /// Removes what is gone for good, as far as the store lets it.
    ///
    /// # Errors
    /// The catalog cannot be read or written; the store takes no changes.
    pub(super) async fn remove_ended(&self) -> Result<(), Fault> {
        let until = Range::before(catalog::record::moment(self.now()));
        let mut query = Query::of(Scope::vault(&self.key), Slot::C, until);
        let mut removed = 0;
        loop {
            let found = {
                let mut tx = self.world.catalog.read().await.map_err(fault)?;
                readable::<Point>(tx.as_mut(), &query).await.map_err(fault)?
            };
            for point in &found.records {
                if point
                    .record
                    .deletion
                    .as_ref()
                    .is_some_and(|deletion| deletion.is_final)
                {
                    // One that is being read, or is leased, is met again.
                    match self.remove_point(&point.record).await {
                        Ok(()) => removed += 1,
                        Err(fault) if fault.code() == Code::Bac2UrlLeased => {}
                        Err(fault) => return Err(fault),
                    }
                }
            }
            match found.next {
                Some(next) if removed < REMOVED_MAX => query = query.after(next),
                _ => return Ok(()),
            }
        }
    }

    /// Removes a point that is gone for good.
    ///
    /// # Errors
    /// One of its blobs is read or leased (`Bac2UrlLeased`); the store or the catalog cannot be changed.
    pub(crate) async fn remove_point(&self, point: &Point) -> Result<(), Fault> {
        if let Some(container) = self.find::<Container>(point.container).await? {
            let name = name_of(&container.record)?;
            for blob in point
                .blobs
                .iter()
                .filter_map(|blob| BlobName::new(blob.clone()).ok())
            {
                done(self.world.shelf.remove_sealed(&name, &blob).await)?;
            }
            let record = SetRecord::name_of(&point.blobs, point.set.guid);
            done(self.world.shelf.remove_record(&name, &record).await)?;
        }
        let id = point.id;
        self.transact(move |tx| {
            scoped(async move {
                let Some(found) = get::<Point>(tx, &self.key, &id.to_string()).await? else {
                    return Ok(());
                };
                if found
                    .record
                    .deletion
                    .as_ref()
                    .is_some_and(|deletion| deletion.is_final)
                {
                    delete(tx, &found).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

/// What is not there any more was removed before.
fn done(removed: Result<(), ShelfError>) -> Result<(), Fault> {
    match removed {
        Ok(()) | Err(ShelfError::Missing(_)) => Ok(()),
        Err(error) => Err(store_fault(&error)),
    }
}
