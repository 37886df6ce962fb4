//! A point that cannot be relied on any more: its grade says so, people are told, and nothing stands on it from then on.

use catalog::record::{Grade, HealingReason, Item, Point, PointId};
use catalog::{Transaction, demand, get, scoped, update};
use faults::Fault;
use schedule::BackupKind;

use crate::records::Trouble;
use crate::scheduler::about;
use crate::vault::Vault;

impl Vault {
    /// Disputes a point. Where the chain stood on it, a backup that heals is wanted; done already is done.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn dispute(&self, point: PointId, why: &str, fault: &Fault) -> Result<(), Fault> {
        self.transact(move |tx| scoped(async move { self.dispute_in(tx, point, why, fault).await }))
            .await?;
        self.bell.ring();
        Ok(())
    }

    async fn dispute_in(
        &self,
        tx: &mut dyn Transaction,
        point: PointId,
        why: &str,
        fault: &Fault,
    ) -> Result<(), Trouble> {
        let mut point = demand::<Point>(tx, &self.key, &point.to_string()).await?;
        if point.record.grade == Grade::Disputed {
            return Ok(());
        }
        point.record.grade = Grade::Disputed;
        point.record.reasons.push(why.to_owned());
        let point = update(tx, point).await?.record;
        // Retention may have removed it: then nothing stands on the point either.
        let Some(mut item) = get::<Item>(tx, &self.key, &point.item.to_string()).await? else {
            return Ok(());
        };
        let mut about = about("disputed", &item.record, point.kind);
        about.job = point.job;
        self.raise_in(tx, &about, fault).await?;
        let wanted = forget(&mut item.record, &point);
        let item = update(tx, item).await?.record;
        if let Some((kind, reason)) = wanted {
            self.want_healing_in(tx, item.id, kind, reason).await?;
        }
        Ok(())
    }
}

/// Takes a point out of what backups to come stand on; what has to be taken in its place, if anything.
fn forget(item: &mut Item, point: &Point) -> Option<(BackupKind, HealingReason)> {
    let is_newest = item
        .last
        .get(&point.kind)
        .is_some_and(|last| last.point == point.id);
    if is_newest {
        item.last.remove(&point.kind);
    }
    if point.kind == BackupKind::Full && item.base == Some(point.set.guid) {
        item.base = None;
    }
    let is_of_living_chain = item
        .last
        .get(&BackupKind::Full)
        .is_none_or(|full| full.at <= point.ended);
    match point.kind {
        BackupKind::Full if is_newest => Some((BackupKind::Full, HealingReason::FullMissing)),
        BackupKind::Log if is_of_living_chain => Some((BackupKind::Differential, HealingReason::LogLost)),
        _ => None,
    }
}
