//! A protected database that was restored over, or brought back after it was dropped: its record is the one that is there now, and its
//! chain begins anew with a full.
//!
//! Only a database of the same family is the same one: what another database was restored over is a matter for discovery.

use catalog::keys::tuple;
use catalog::record::{Database, HealingReason, Item, RestoreEnd, Server, name_key};
use catalog::{Range, Slot};
use faults::Fault;
use mssql::Session;
use schedule::BackupKind;

use super::running::look;
use super::work_of;
use crate::backup::civil;
use crate::jobs::Doing;
use crate::registration::Purpose;
use crate::vault::Vault;

impl Vault {
    /// Relinks the target where it is a database that the vault knows. What cannot be looked at now, the next discovery sees.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(super) async fn relink(&self, doing: &mut Doing<'_>, server: &Server) -> Result<(), Fault> {
        if work_of(doing)?.order.place.end != RestoreEnd::Recovered {
            return Ok(());
        }
        let Ok(mut session) = self.session(server, Purpose::Restore).await else {
            return Ok(());
        };
        let relinked = self.relink_seen(doing, &mut session, server).await;
        session.close().await;
        relinked
    }

    /// The same by a session that is there.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(super) async fn relink_seen(
        &self,
        doing: &mut Doing<'_>,
        session: &mut Session,
        server: &Server,
    ) -> Result<(), Fault> {
        let work = work_of(doing)?;
        let Ok(Some(seen)) = look(session, &work, server).await else {
            return Ok(());
        };
        let Some(chain) = &seen.chain else {
            return Ok(());
        };
        let range = Range::exactly(tuple(&[
            &server.id.to_string(),
            &name_key(&work.order.place.name),
        ]));
        let known = self.list_readable::<Database>(Slot::A, range).await?;
        let same = known.into_iter().map(|one| one.record).filter(|one| {
            one.group.is_none() && one.family_guid.is_some() && one.family_guid == chain.family_guid
        });
        let Some(database) = same.max_by_key(|one| (one.gone.is_none(), one.last_seen)) else {
            return Ok(());
        };
        let is_same = database.database_guid == chain.database_guid
            && database.recovery_fork == chain.recovery_fork
            && database.gone.is_none();
        if is_same {
            return Ok(());
        }
        let of_it = Range::exactly(database.id.to_string());
        // Before the record changes: after a crash in between the same difference is found again.
        for item in self.list_readable::<Item>(Slot::A, of_it).await? {
            self.want_healing(item.record.id, BackupKind::Full, HealingReason::Overwritten)
                .await?;
        }
        let now = self.now();
        self.change::<Database, _>(database.id, |record| {
            record.database_guid = chain.database_guid;
            record.recovery_fork = chain.recovery_fork;
            record.number = seen.id;
            if let Some(created) = civil(seen.created) {
                record.created = created;
            }
            record.state.state = "ONLINE".to_owned();
            record.gone = None;
            record.last_seen = now;
            Ok(())
        })
        .await
        .map(drop)
    }
}
