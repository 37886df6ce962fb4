//! Notices: what people should know, one open notice for each matter.
//!
//! The same matter raised again is the same notice, counted; resolved, it is over, and the next time is a new one. Success is no
//! matter for a notice. What ends one, by the first word of its matter, and beside that for each: who acknowledges it
//! ([`Vault::acknowledge`]), and the end of its item's protection or of its instance's registration:
//!
//! | matter | over when |
//! |---|---|
//! | `missed`, `failed` | a backup of that kind, or what was taken in its place, succeeds |
//! | `unsupported` | a slot finds the kind supported, or the policy does not want it |
//! | `unscheduled` | the item can be scheduled |
//! | `stuck` | the job is over |
//! | `serverLogs` | no log waits on the instance's disk for room in the vault |
//! | `timedOut`, `adopted`, `restore`, `foreignUrl`, `serverLogLost` | nothing of the kind happened for a week: they tell of what is past |
//! | `clock`, `limit` | the same for a day |
//! | `inconsistent` | no item is behind the policy |
//! | `disputed` | a sound full; a sound one of the kind, but for logs, which a differential anchors anew |
//! | `lostBlobs` | the recovery point is no more |
//! | `setRecord` | the record can be read, or is no more |
//! | `strangeBlobs` | a sweep finds none |
//! | `restored`, `putBack`, `model`, `renamed`, `foreignBackup` | the vault's next full: the chain, and the name, are its own from there on |
//! | `recreated`, `moved` | protection of what the item stood for ends: it is not there to be backed up |
//! | `foreignOwner` | the chain is taken over, or is nobody else's when a healing backup is wanted next |
//! | `healingDisabled` | a healing backup may be taken, or a full was |
//! | `faulty`, `host`, `replica`, `certificate` | a look finds it mended |

mod ending;
#[cfg(test)]
mod tests;

use catalog::keys::text;
use catalog::record::{ItemId, JobId, Notice, NoticeId, ServerId};
use catalog::{Query, Range, Scope, Slot, Transaction, Versioned, insert, page, scoped, update};
use faults::Fault;
use jiff::Timestamp;
use schedule::BackupKind;

use crate::records::{Trouble, fault};
use crate::vault::Vault;

/// What a notice is about.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The matter, in a few ASCII words with slashes: `missed/ITEM/log`.
    pub matter: String,
    /// Instance.
    pub server: Option<ServerId>,
    /// Protected database.
    pub item: Option<ItemId>,
    /// Job.
    pub job: Option<JobId>,
    /// A schedule that was not kept: its kind and the newest slot.
    pub missed: Option<(BackupKind, Timestamp)>,
}

impl Vault {
    /// Raises a notice, or raises the open one of that matter again.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn raise(&self, about: About, fault: Fault) -> Result<(), Fault> {
        let (about, fault) = (&about, &fault);
        self.transact(move |tx| scoped(async move { self.raise_in(tx, about, fault).await }))
            .await
    }

    /// The same within a transaction.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn raise_in(
        &self,
        tx: &mut dyn Transaction,
        about: &About,
        fault: &Fault,
    ) -> Result<(), Trouble> {
        let now = self.now();
        if let Some(mut open) = self.open_notice(tx, &about.matter).await? {
            open.record.again = now;
            open.record.times = open.record.times.saturating_add(1);
            open.record.fault = fault.clone();
            open.record.missed = about.missed;
            open.record.job = about.job;
            update(tx, open).await?;
            return Ok(());
        }
        let notice = Notice {
            id: NoticeId(self.world.chance.uuid()),
            raised: now,
            again: now,
            times: 1,
            about: about.matter.clone(),
            fault: fault.clone(),
            server: about.server,
            item: about.item,
            job: about.job,
            missed: about.missed,
            resolved: None,
        };
        insert(tx, &self.key, notice).await?;
        Ok(())
    }

    /// The matter is over. Nothing where no notice of it is open.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn resolve(&self, matter: &str) -> Result<(), Fault> {
        self.transact(move |tx| scoped(async move { self.resolve_in(tx, matter).await }))
            .await
    }

    /// The same within a transaction.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn resolve_in(&self, tx: &mut dyn Transaction, matter: &str) -> Result<(), Trouble> {
        if let Some(mut open) = self.open_notice(tx, matter).await? {
            open.record.resolved = Some(self.now());
            update(tx, open).await?;
        }
        Ok(())
    }

    /// Open matters that begin so.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub(crate) async fn open_matters(&self, beginning: &str) -> Result<Vec<String>, Fault> {
        let open = self.list_readable::<Notice>(Slot::C, Range::prefix(text(beginning)));
        Ok(open
            .await?
            .into_iter()
            .map(|notice| notice.record.about)
            .collect())
    }

    async fn open_notice(
        &self,
        tx: &mut dyn Transaction,
        matter: &str,
    ) -> Result<Option<Versioned<Notice>>, Trouble> {
        let query = Query::of(Scope::vault(&self.key), Slot::C, Range::exactly(text(matter))).limit(1);
        Ok(page::<Notice>(tx, &query).await?.records.pop())
    }

    /// Notices, the newest first, at most `limit` (1 to 1,000): those that are open, or all.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn notices(&self, only_open: bool, limit: u32) -> Result<Vec<Notice>, Fault> {
        let (slot, range) = if only_open {
            (Slot::D, Range::members(&["open"]))
        } else {
            (Slot::A, Range::ALL)
        };
        let query = Query::of(Scope::vault(&self.key), slot, range)
            .descending()
            .limit(limit.clamp(1, 1_000));
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let found = page::<Notice>(tx.as_mut(), &query).await.map_err(fault)?;
        Ok(found.records.into_iter().map(|one| one.record).collect())
    }
}
