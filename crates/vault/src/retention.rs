//! How long recovery points live, and how they end.
//!
//! By age a policy says how long (`ages`); `needs` finds what those that are kept stand on, `judging` puts both together with a user's
//! wishes and the newest chain, `foreseeing` tells people what will go when, and why the rest is still there. What nothing keeps is
//! deleted softly (`deleting`): the catalog says so first, nothing is restored of it, and it comes back by itself where it is needed
//! again or kept longer after all. When its time is over its blobs go, then the record beside them, then its own (`removing`).
//!
//! Invariants: nothing goes that the planner of restores needs for a point that is kept: all that such a point could be restored to, by
//! LSN and by moment, it can be restored to afterwards. The newest restorable chain of a database never expires. What users wish is
//! kept until then. A disputed point ages as any other. Sealed blobs are removed here and nowhere else, and only those of a point whose
//! own record says that it is gone for good. Every step can be done again after a crash.
//!
//! Deliberately absent: how long what users delete is kept (`protection`).

mod ages;
mod deleting;
mod foreseeing;
mod judging;
mod looking;
mod needs;
mod removing;
#[cfg(test)]
mod tests;

use catalog::record::{Deletion, ItemId, Point, PointId, Policy, Protection};
use catalog::{Query, Range, Scope, Slot};
use faults::{Code, Fault};
use jiff::Timestamp;
use schedule::BackupKind;
use serde::Serialize;

use crate::records::{fault, readable};
use crate::vault::Vault;
use judging::{Stock, Terms};

pub(crate) use looking::Looked;

/// Why a recovery point is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Reason {
    /// A rule of the policy, by its age.
    Rule {
        /// Which.
        rule: schedule::Why,
        /// Until when; none: for as long as the rule holds.
        until: Option<Timestamp>,
    },
    /// A user wants it.
    Wish {
        /// Until when.
        until: Timestamp,
    },
    /// It is part of the newest chain of its database that can be restored, which never expires.
    NewestChain,
    /// A point that is kept stands on it.
    Needed {
        /// Which; the first of several.
        by: PointId,
    },
    /// Its database is not protected any more, and its data are retained.
    Stopped,
    /// Its database's backups are deleted softly: it goes with them.
    ItemDeleted,
    /// What is written of it does not tell what it is needed for.
    Unplannable,
}

/// What becomes of a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prospect {
    /// Which.
    pub point: PointId,
    /// Its kind.
    pub backup: BackupKind,
    /// When it ended.
    pub ended: Timestamp,
    /// Why it is still there; none where it is deleted, or will be with the next look.
    pub reasons: Vec<Reason>,
    /// When nothing will keep it any more and it is deleted, softly, as things stand: no later point, no change of the policy. To a day,
    /// and to a twentieth of the time from now where that is more. None: as things stand, never.
    pub expires: Option<Timestamp>,
    /// When its blobs go, as things stand.
    pub gone: Option<Timestamp>,
    /// It is deleted.
    pub deletion: Option<Deletion>,
}

impl Vault {
    /// What becomes of the recovery points of an item, the oldest first: what will be deleted when, and why it is still there.
    ///
    /// # Errors
    /// There is no such item; the catalog does not answer; a recovery point cannot be read.
    pub async fn retention_plan(&self, item: ItemId) -> Result<Vec<Prospect>, Fault> {
        let found = self.get::<catalog::record::Item>(item).await?.record;
        let policy = self.get::<Policy>(found.policy).await?.record.policy;
        let rule = self.settings().await?.0.soft_delete;
        let points = self.points_of(item).await?;
        let terms = Terms::of(&policy, &found.protection);
        let mut prospects = Stock::of(&points).foresee(&terms, self.now(), rule);
        if let Protection::SoftDeleted { until, .. } = found.protection {
            for prospect in &mut prospects {
                prospect.expires = Some(until);
                prospect.gone = Some(until);
            }
        }
        Ok(prospects)
    }

    /// All recovery points of an item, the deleted ones too, in the order of their ends.
    ///
    /// # Errors
    /// The catalog does not answer; one cannot be read: nobody knows what the others are needed for then.
    pub(crate) async fn points_of(&self, item: ItemId) -> Result<Vec<Point>, Fault> {
        let range = Range::members(&[&item.to_string()]);
        let mut query = Query::of(Scope::vault(&self.key), Slot::D, range);
        let mut points = Vec::new();
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        loop {
            let found = readable::<Point>(tx.as_mut(), &query).await.map_err(fault)?;
            if let Some((id, why)) = found.unreadable.into_iter().next() {
                return Err(Fault::new(Code::Bac2CatalogUnavailable)
                    .at(&format!("recovery point {id}"))
                    .because(&why.to_string()));
            }
            points.extend(found.records.into_iter().map(|point| point.record));
            match found.next {
                Some(next) => query = query.after(next),
                None => return Ok(points),
            }
        }
    }
}
