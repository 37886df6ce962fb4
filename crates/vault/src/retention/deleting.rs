//! Deleting points softly, taking that back, and the point of no return.
//!
//! The catalog says so before anything is done: first that a point is deleted and until when it can be had back, then, when that is
//! over and nothing keeps it still, that it is gone for good. Between the two it is looked at again each time: what is needed again, or
//! kept longer after all, comes back. How long it can be had back is what was in force when it was deleted, whatever is set later.

use std::collections::BTreeSet;

use catalog::record::{
    DeletedFor, Deletion, Item, ItemId, Point, PointId, Policy, Protection, Vault as VaultRecord,
};
use catalog::{Transaction, demand, get, scoped, update};
use faults::{Code, Fault};
use jiff::Timestamp;

use super::Reason;
use super::judging::{Stock, Terms};
use crate::protection::kept_until;
use crate::records::Trouble;
use crate::vault::Vault;

/// Points that one transaction changes.
const AT_ONCE: usize = 200;

/// What is to be done with a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// Nothing keeps it.
    Delete,
    /// Something keeps it again.
    Undelete,
    /// Nothing does, and its time is over.
    End,
}

impl Vault {
    /// Looks at all points of an item: deletes what nothing keeps any more, takes back what something keeps again, and ends what was
    /// deleted long enough ago.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn age(&self, item: ItemId) -> Result<(), Fault> {
        let Some(found) = self.find::<Item>(item).await? else {
            return Ok(());
        };
        let item = found.record;
        let policy = self.get::<Policy>(item.policy).await?.record.policy;
        let points = self.points_of(item.id).await?;
        let now = self.now();
        let deeds = deeds(&policy, &item.protection, &points, now);
        for some in deeds.chunks(AT_ONCE) {
            self.transact(move |tx| scoped(async move { self.age_some_in(tx, some, now).await }))
                .await?;
        }
        Ok(())
    }

    async fn age_some_in(
        &self,
        tx: &mut dyn Transaction,
        deeds: &[(PointId, Deed)],
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let vault = demand::<VaultRecord>(tx, &self.key, &self.key).await?.record;
        for (id, deed) in deeds {
            let Some(mut found) = get::<Point>(tx, &self.key, &id.to_string()).await? else {
                continue;
            };
            let deletion = &mut found.record.deletion;
            match (deed, deletion.as_mut()) {
                (Deed::Delete, None) => {
                    *deletion = Some(Deletion {
                        since: now,
                        until: kept_until(now, vault.soft_delete),
                        why: DeletedFor::Age,
                        is_final: false,
                    });
                }
                (Deed::Undelete, Some(some)) if !some.is_final => *deletion = None,
                (Deed::End, Some(some)) if some.until <= now => some.is_final = true,
                _ => continue,
            }
            update(tx, found).await?;
        }
        Ok(())
    }

    /// Deletes a point that a user does not want any more, softly, whatever rules keep it.
    ///
    /// # Errors
    /// `Bac2PointNeeded`: what is kept stands on it, or it is part of the newest chain; it is not there, or deleted already; its
    /// database is not protected any more, or its backups are deleted as a whole; the catalog cannot be written.
    pub async fn delete_point(&self, point: PointId) -> Result<Point, Fault> {
        let at = format!("recovery point {point}");
        let found = self.get::<Point>(point).await?.record;
        if found.deletion.is_some() {
            return Err(Fault::new(Code::Bac2SoftDeleted).at(&at));
        }
        let item = self.get::<Item>(found.item).await?.record;
        let policy = self.get::<Policy>(item.policy).await?.record.policy;
        let now = self.now();
        let rule = self.settings().await?.0.soft_delete;
        let deletion = Deletion {
            since: now,
            until: kept_until(now, rule),
            why: DeletedFor::User,
            is_final: false,
        };
        let mut points = self.points_of(item.id).await?;
        for one in points.iter_mut().filter(|one| one.id == point) {
            one.deletion = Some(deletion.clone());
        }
        let terms = Terms::of(&policy, &item.protection);
        let judged = Stock::of(&points).judge(&terms, &members(&points), now);
        let reasons = judged.iter().filter(|(place, _)| points[**place].id == point);
        if let Some(reason) = reasons.flat_map(|(_, one)| &one.reasons).next() {
            let why = said(reason);
            return Err(Fault::new(Code::Bac2PointNeeded).at(&at).because(&why));
        }
        let changed = self
            .change::<Point, _>(point, |point| {
                if point.deletion.is_none() {
                    point.deletion = Some(deletion.clone());
                }
                Ok(())
            })
            .await?;
        Ok(changed.0.record)
    }

    /// Takes the deletion of a point back, and keeps it, with all that it stands on, until a moment.
    ///
    /// # Errors
    /// It is not there, not deleted, or gone for good; its database's backups are deleted as a whole; the moment is over; the catalog
    /// cannot be written.
    pub async fn undelete_point(&self, point: PointId, until: Timestamp) -> Result<Point, Fault> {
        let at = format!("recovery point {point}");
        if until <= self.now() {
            let why = format!("it would be kept until {until}, which is over");
            return Err(Fault::new(Code::Bac2InputInvalid).at(&at).because(&why));
        }
        let at = &at;
        let changed = self
            .transact(move |tx| {
                scoped(async move {
                    let mut found = demand::<Point>(tx, &self.key, &point.to_string()).await?;
                    let item = get::<Item>(tx, &self.key, &found.record.item.to_string()).await?;
                    let is_item_deleted = item
                        .is_some_and(|item| matches!(item.record.protection, Protection::SoftDeleted { .. }));
                    if is_item_deleted {
                        return Err(Fault::new(Code::Bac2SoftDeleted).at(at).into());
                    }
                    if found
                        .record
                        .deletion
                        .as_ref()
                        .is_none_or(|deletion| deletion.is_final)
                    {
                        let why = "it is not deleted, or was deleted too long ago";
                        return Err(Fault::new(Code::Bac2NotFound).at(at).because(why).into());
                    }
                    found.record.deletion = None;
                    found.record.keep_until = found.record.keep_until.max(Some(until));
                    Ok(update(tx, found).await?.record)
                })
            })
            .await?;
        // A lost catalog is made again with it; where that fails, the next comparison with the store does it.
        let _ = self.record_wish(&changed).await;
        // What it stands on comes back with it; a crash here leaves that to the next look.
        self.age(changed.item).await?;
        Ok(changed)
    }

    /// Ends all points of an item that was deleted, when its time is over; says how many there are.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn end_points_of(&self, item: ItemId) -> Result<Vec<Point>, Fault> {
        let points = self.points_of(item).await?;
        let open = |point: &&Point| !point.deletion.as_ref().is_some_and(|deletion| deletion.is_final);
        let ids: Vec<PointId> = points.iter().filter(open).map(|point| point.id).collect();
        for some in ids.chunks(AT_ONCE) {
            self.transact(move |tx| scoped(async move { self.end_some_in(tx, item, some).await }))
                .await?;
        }
        self.points_of(item).await
    }

    async fn end_some_in(
        &self,
        tx: &mut dyn Transaction,
        item: ItemId,
        ids: &[PointId],
    ) -> Result<(), Trouble> {
        let now = self.now();
        let item = demand::<Item>(tx, &self.key, &item.to_string()).await?.record;
        if !matches!(item.protection, Protection::SoftDeleted { until, .. } if until <= now) {
            return Ok(());
        }
        for id in ids {
            let Some(mut found) = get::<Point>(tx, &self.key, &id.to_string()).await? else {
                continue;
            };
            found.record.deletion = Some(Deletion {
                since: now,
                until: now,
                why: DeletedFor::Item,
                is_final: true,
            });
            update(tx, found).await?;
        }
        Ok(())
    }
}

/// What is to be done with the points of an item, each at most once.
fn deeds(
    policy: &schedule::Policy,
    protection: &Protection,
    points: &[Point],
    now: Timestamp,
) -> Vec<(PointId, Deed)> {
    let terms = Terms::of(policy, protection);
    let judged = Stock::of(points).judge(&terms, &members(points), now);
    let deeds = judged.into_iter().filter_map(|(place, judged)| {
        let point = &points[place];
        let deed = match (&point.deletion, judged.reasons.is_empty()) {
            (None, true) => Deed::Delete,
            (Some(_), false) => Deed::Undelete,
            (Some(deletion), true) if deletion.until <= now => Deed::End,
            (None, false) | (Some(_), true) => return None,
        };
        Some((point.id, deed))
    });
    deeds.collect()
}

/// The places of the points that are not gone for good.
pub(super) fn members(points: &[Point]) -> BTreeSet<usize> {
    let is_there = |point: &Point| !point.deletion.as_ref().is_some_and(|deletion| deletion.is_final);
    (0..points.len())
        .filter(|place| is_there(&points[*place]))
        .collect()
}

/// Why a point cannot be deleted, for people.
fn said(reason: &Reason) -> String {
    match reason {
        Reason::Needed { by } => format!("recovery point {by} stands on it"),
        Reason::NewestChain | Reason::Rule { .. } | Reason::Wish { .. } => {
            "it is part of the newest chain of its database".to_owned()
        }
        Reason::Stopped => "the data of its database are retained as they are".to_owned(),
        Reason::ItemDeleted => "the backups of its database are deleted as a whole".to_owned(),
        Reason::Unplannable => "nobody can tell what it is needed for".to_owned(),
    }
}
