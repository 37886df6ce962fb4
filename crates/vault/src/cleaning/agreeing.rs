//! Catalog and store, held against each other.
//!
//! A crash between the record beside the blobs and the catalog, or a catalog that was restored from an older copy, leaves records
//! without points: the points are made again, each once by its container and BackupSetGUID. A point whose blobs are gone or
//! changed stays, and its grade says so; so does its record, from which a catalog that is lost is made again.

use std::collections::BTreeSet;

use azblob::names::ContainerName;
use catalog::keys::tuple;
use catalog::record::{Container, ContainerId, Grade, HealingReason, Item, Point};
use catalog::{Query, Range, Scope, Slot, Transaction, demand, get, insert, page, scoped, update};
use faults::{Code, Fault};
use schedule::BackupKind;

use super::{PAGE, name_of};
use crate::backup::record::SetRecord;
use crate::backup::{Regrade, advance, regrade};
use crate::notices::About;
use crate::records::{Trouble, fault};
use crate::shelf::{Blob, ShelfError};
use crate::vault::Vault;

/// What matters of points whose blobs are not what they were begin with.
const LOST: &str = "lostBlobs/";

/// Why a point's blobs are not what they were.
enum Lost {
    Gone(String),
    Changed(String),
}

impl Vault {
    /// Makes the recovery points again that the store has records of and the catalog has not.
    ///
    /// # Errors
    /// The catalog or the store does not answer.
    pub(crate) async fn adopt_records(&self) -> Result<(), Fault> {
        for container in self.list::<Container>(Slot::Id, Range::ALL).await? {
            let container = container.record;
            let name = name_of(&container)?;
            let mut adopted = 0_u64;
            let mut after = None;
            let mut unreadable = BTreeSet::new();
            loop {
                let records = match self.world.shelf.records(&name, after.as_ref(), PAGE).await {
                    Ok(records) => records,
                    // It is made in the store by its first backup.
                    Err(ShelfError::Missing(_)) => break,
                    Err(error) => return Err(store_fault(&error)),
                };
                for (record, body) in &records {
                    match SetRecord::decode(body) {
                        Ok(set) if set.vault == self.id => {
                            adopted += u64::from(self.adopt(&name, &set, container.id).await?);
                        }
                        Ok(_) => {}
                        Err(fault) => {
                            let matter = format!("setRecord/{}/{record}", container.id);
                            self.raise(about(matter.clone(), None), fault.at(record.as_str()))
                                .await?;
                            unreadable.insert(matter);
                        }
                    }
                }
                match records.last() {
                    Some((last, _)) if records.len() == PAGE => after = Some(last.clone()),
                    _ => break,
                }
            }
            for matter in self.open_matters(&format!("setRecord/{}/", container.id)).await? {
                if !unreadable.contains(&matter) {
                    self.resolve(&matter).await?;
                }
            }
            if adopted > 0 {
                let why = format!(
                    "{adopted} recovery points that the store had records of were not in the catalog and are again"
                );
                let fault = Fault::new(Code::Bac2CatalogDisagrees)
                    .at(&container.name)
                    .because(&why);
                self.raise(about(format!("adopted/{}", container.id), None), fault)
                    .await?;
            }
        }
        Ok(())
    }

    /// Makes a point of a record; false where it is there, or its item is no more.
    async fn adopt(
        &self,
        name: &ContainerName,
        set: &SetRecord,
        container: ContainerId,
    ) -> Result<bool, Fault> {
        let known = {
            // Nearly all are there: they must not hold up who writes.
            let mut tx = self.world.catalog.read().await.map_err(fault)?;
            self.point_of(tx.as_mut(), set, container)
                .await
                .map_err(Trouble::fault)?
        };
        if let Some(known) = known {
            if !is_gone(&known) && set.point == known.id {
                self.agree_on(name, set, &known).await?;
            }
            return Ok(false);
        }
        self.transact(move |tx| scoped(async move { self.adopt_in(tx, set, container).await }))
            .await
    }

    async fn adopt_in(
        &self,
        tx: &mut dyn Transaction,
        set: &SetRecord,
        container: ContainerId,
    ) -> Result<bool, Trouble> {
        let is_there = self.point_of(tx, set, container).await?.is_some();
        // Without its item nobody would see it; what retention removed goes with its record.
        let item = get::<Item>(tx, &self.key, &set.item.to_string()).await?;
        let (false, Some(mut item)) = (is_there, item) else {
            return Ok(false);
        };
        let point = set.point(container);
        // Records come in the order of their names.
        if self.is_newest_in(tx, &item.record, &point, None).await? {
            let end = item.record.log_end.clone();
            advance(&mut item.record, &point);
            if self.is_of_server_log(tx, set.server, set.set.guid).await? {
                // The chain went on when it was written on the server's disk.
                item.record.log_end = end;
            }
        }
        insert(tx, &self.key, point).await?;
        update(tx, item).await?;
        Ok(true)
    }

    /// A record's point, by its set or by its id.
    async fn point_of(
        &self,
        tx: &mut dyn Transaction,
        set: &SetRecord,
        container: ContainerId,
    ) -> Result<Option<Point>, Trouble> {
        let key = tuple(&[&container.to_string(), &set.set.guid.to_string()]);
        let by_set = Query::of(Scope::vault(&self.key), Slot::B, Range::exactly(key)).limit(1);
        if let Some(found) = page::<Point>(tx, &by_set).await?.records.pop() {
            return Ok(Some(found.record));
        }
        let by_id = get::<Point>(tx, &self.key, &set.point.to_string()).await?;
        Ok(by_id.map(|found| found.record))
    }

    /// Holds every point against its blobs.
    ///
    /// # Errors
    /// The catalog or the store does not answer.
    pub(super) async fn look_for_lost_blobs(&self) -> Result<(), Fault> {
        for matter in self.open_matters(LOST).await? {
            let id = matter.strip_prefix(LOST).unwrap_or_default();
            if self.find::<Point>(id).await?.is_none() {
                self.resolve(&matter).await?;
            }
        }
        for container in self.list::<Container>(Slot::Id, Range::ALL).await? {
            let prefix = Range::members(&[&container.record.id.to_string()]);
            let page_size = u32::try_from(PAGE).unwrap_or(1_000);
            let mut query = Query::of(Scope::vault(&self.key), Slot::B, prefix).limit(page_size);
            loop {
                let found = {
                    let mut tx = self.world.catalog.read().await.map_err(fault)?;
                    page::<Point>(tx.as_mut(), &query).await.map_err(fault)?
                };
                for point in found.records.iter().filter(|point| !is_gone(&point.record)) {
                    self.hold_against_blobs(&container.record, &point.record).await?;
                }
                match found.next {
                    Some(next) => query = query.after(next),
                    None => break,
                }
            }
        }
        Ok(())
    }

    async fn hold_against_blobs(&self, container: &Container, point: &Point) -> Result<(), Fault> {
        let name = name_of(container)?;
        let mut bytes = 0;
        let mut lost = None;
        let mut stripes = Vec::with_capacity(point.blobs.len());
        for blob in &point.blobs {
            let seen = match azblob::names::BlobName::new(blob.clone()) {
                Ok(blob) => self.world.shelf.look(&name, &blob).await,
                Err(_) => Ok(None),
            };
            let seen = match seen {
                Ok(seen) => seen,
                Err(ShelfError::Missing(_)) => None,
                Err(error) => return Err(store_fault(&error)),
            };
            match &seen {
                None => lost = Some(Lost::Gone(blob.clone())),
                Some(seen) => {
                    bytes += seen.size;
                    if !seen.is_committed {
                        lost.get_or_insert(Lost::Changed(format!("{blob}: it is not complete")));
                    }
                }
            }
            stripes.push(seen);
        }
        if lost.is_none() && bytes != point.bytes {
            lost = Some(Lost::Changed(format!("{bytes} bytes where {} were", point.bytes)));
        }
        match lost {
            Some(lost) => self.report_lost(point, &lost).await,
            None => self.judge_again(point, &stripes).await,
        }
    }

    /// Follows the verifier where it came to its end, or found damage, after the point was written.
    async fn judge_again(&self, point: &Point, stripes: &[Option<Blob>]) -> Result<(), Fault> {
        match regrade(point, stripes) {
            Regrade::Stays => Ok(()),
            Regrade::Damaged(why) => {
                let fault = Fault::new(Code::Bac2StreamDisputed)
                    .at(&format!("recovery point {}", point.id))
                    .because(&why);
                self.dispute(point.id, &why, &fault).await
            }
            Regrade::Judged(grade, reasons) => {
                let (changed, ()) = self
                    .change::<Point, _>(point.id, |point| {
                        point.grade = grade;
                        point.reasons.clone_from(&reasons);
                        Ok(())
                    })
                    .await?;
                drop(changed);
                Ok(())
            }
        }
    }

    /// Says in the point's grade that it cannot be relied on, tells people, and wants a full where the chain stood on it.
    async fn report_lost(&self, point: &Point, lost: &Lost) -> Result<(), Fault> {
        let (code, why) = match lost {
            Lost::Gone(blob) => (Code::Bac2CatalogDisagrees, format!("{blob} is not in the store")),
            Lost::Changed(why) => (Code::Bac2StoreDamaged, why.clone()),
        };
        let (id, item, why) = (point.id, point.item, &why);
        let fault = &Fault::new(code).at(&format!("recovery point {id}")).because(why);
        let wanted = self
            .transact(move |tx| {
                scoped(async move {
                    let mut found = demand::<Point>(tx, &self.key, &id.to_string()).await?;
                    if found.record.grade == Grade::Disputed && found.record.reasons.contains(why) {
                        return Ok(None);
                    }
                    found.record.grade = Grade::Disputed;
                    found.record.reasons.push(why.clone());
                    update(tx, found).await?;
                    let about = about(format!("{LOST}{id}"), Some(item));
                    self.raise_in(tx, &about, fault).await?;
                    let Some(mut item) = get::<Item>(tx, &self.key, &item.to_string()).await? else {
                        return Ok(None);
                    };
                    let wanted = heals(&item.record, point);
                    if item.record.base == Some(point.set.guid) {
                        // No differential stands on it from now on.
                        item.record.base = None;
                        update(tx, item).await?;
                    }
                    Ok(wanted)
                })
            })
            .await?;
        if let Some((kind, reason)) = wanted {
            self.want_healing(item, kind, reason).await?;
        }
        Ok(())
    }
}

/// Whether its blobs, and its record before them, are being removed.
fn is_gone(point: &Point) -> bool {
    point.deletion.as_ref().is_some_and(|deletion| deletion.is_final)
}

/// What puts the living chain right that a point was part of; nothing where newer ones stand without it.
fn heals(item: &Item, point: &Point) -> Option<(BackupKind, HealingReason)> {
    let is_last = |kind| item.last.get(&kind).is_some_and(|last| last.point == point.id);
    let is_behind = |kind| item.last.get(&kind).is_none_or(|last| last.at < point.ended);
    match point.kind {
        BackupKind::Full if is_last(BackupKind::Full) => Some((BackupKind::Full, HealingReason::FullMissing)),
        BackupKind::Differential if is_last(BackupKind::Differential) => {
            Some((BackupKind::Differential, HealingReason::LogLost))
        }
        BackupKind::Log if is_behind(BackupKind::Full) && is_behind(BackupKind::Differential) => {
            Some((BackupKind::Differential, HealingReason::LogLost))
        }
        _ => None,
    }
}

fn about(matter: String, item: Option<catalog::record::ItemId>) -> About {
    About {
        matter,
        item,
        ..About::default()
    }
}

/// What the store failed with, as people see it.
pub(crate) fn store_fault(error: &ShelfError) -> Fault {
    let code = match error {
        ShelfError::ReadOnly(_) => Code::Bac2StoreReadOnly,
        ShelfError::Full => Code::Bac2StoreDiskFull,
        ShelfError::Refused(_) => Code::Bac2UrlLeased,
        ShelfError::Missing(_) => Code::Bac2NotFound,
        ShelfError::Failed(_) => Code::Bac2InternalError,
    };
    Fault::new(code).because(&error.to_string())
}
