//! The ends of notices that no single step sees: a full that puts much right at once, an item or an instance that goes, events of
//! which nothing more is heard, and people who have read them.

use catalog::record::{Item, ItemId, Notice, NoticeId, ServerId};
use catalog::{Query, Range, Scope, Slot, Transaction, page, scoped, update};
use faults::Fault;
use jiff::SignedDuration;
use schedule::BackupKind;

use crate::records::Trouble;
use crate::vault::Vault;

/// What begins the matters that tell of something past, and after how many days without another of the kind they are over.
const EVENTS: [(&str, i64); 8] = [
    ("clock", 1),
    ("limit/", 1),
    ("timedOut/", 7),
    ("adopted/", 7),
    ("restore/", 7),
    ("foreignUrl/", 7),
    ("serverLogLost/", 7),
    // Of a kind that no schedule takes: what is scheduled succeeds or fails again within a week.
    ("failed/", 15),
];

impl Vault {
    /// What is over with a sound backup of an item, beside that such backups were missed or failed.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn resolve_after_in(
        &self,
        tx: &mut dyn Transaction,
        item: &Item,
        kind: BackupKind,
    ) -> Result<(), Trouble> {
        let disputed: &[BackupKind] = match kind {
            BackupKind::Full => &BackupKind::ALL,
            BackupKind::Differential => &[BackupKind::Differential, BackupKind::Log],
            BackupKind::CopyOnlyFull => &[BackupKind::CopyOnlyFull],
            BackupKind::Log => &[],
        };
        for kind in disputed {
            self.resolve_in(tx, &format!("disputed/{}/{}", item.id, kind.name()))
                .await?;
        }
        if kind != BackupKind::Full {
            return Ok(());
        }
        for matter in ["restored", "model", "renamed"] {
            self.resolve_in(tx, &format!("{matter}/{}", item.database))
                .await?;
        }
        for class in ["log", "full"] {
            self.resolve_in(tx, &format!("foreignBackup/{}/{class}", item.id))
                .await?;
        }
        for matter in [
            format!("putBack/{}/full", item.id),
            crate::healing::disabled_matter(item.id),
        ] {
            self.resolve_in(tx, &matter).await?;
        }
        Ok(())
    }

    /// All open matters of an item are over: nobody waits for its backups any more.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn resolve_item_in(
        &self,
        tx: &mut dyn Transaction,
        item: ItemId,
    ) -> Result<(), Trouble> {
        self.resolve_where_in(tx, |notice| notice.item == Some(item))
            .await
    }

    /// All open matters of an instance are over: it is not the vault's any more.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn resolve_server_in(
        &self,
        tx: &mut dyn Transaction,
        server: ServerId,
    ) -> Result<(), Trouble> {
        self.resolve_where_in(tx, |notice| notice.server == Some(server))
            .await
    }

    async fn resolve_where_in(
        &self,
        tx: &mut dyn Transaction,
        is_over: impl Fn(&Notice) -> bool + Send + Sync,
    ) -> Result<(), Trouble> {
        let now = self.now();
        let mut query = Query::of(Scope::vault(&self.key), Slot::D, Range::members(&["open"]));
        loop {
            let found = page::<Notice>(tx, &query).await?;
            for mut open in found.records {
                if is_over(&open.record) {
                    open.record.resolved = Some(now);
                    update(tx, open).await?;
                }
            }
            match found.next {
                Some(next) => query = query.after(next),
                None => return Ok(()),
            }
        }
    }

    /// Ends notices of events of which nothing more was heard.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn end_events(&self) -> Result<(), Fault> {
        let now = self.now();
        self.transact(move |tx| {
            scoped(async move {
                self.resolve_where_in(tx, |notice| {
                    EVENTS.iter().any(|(beginning, days)| {
                        let quiet = now.duration_since(notice.again);
                        notice.about.starts_with(beginning) && quiet >= SignedDuration::from_hours(24 * days)
                    })
                })
                .await
            })
        })
        .await
    }

    /// Somebody has read a notice and wants it shown no more. Where what it tells of is so still, the next look raises another.
    ///
    /// # Errors
    /// There is none of this id; the catalog cannot be written.
    pub async fn acknowledge(&self, id: NoticeId) -> Result<Notice, Fault> {
        let now = self.now();
        let (changed, ()) = self
            .change::<Notice, _>(id, |notice| {
                notice.resolved.get_or_insert(now);
                Ok(())
            })
            .await?;
        Ok(changed.record)
    }
}
