//! Who owns a chain is asked of a history of now: another tool may have begun since the last discovery.
//!
//! Where the history cannot be read, a chain counts as somebody's until it can: logs and differentials wait, fulls that are copies
//! go on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use catalog::record::{Database, ForeignOwner, Item, Server, ServerId};
use catalog::{Range, Slot, Transaction, demand, get, scoped, update};
use faults::Fault;

use crate::records::Trouble;
use crate::registration::Purpose;
use crate::vault::Vault;

/// For how long a history that was read is one of now.
const FRESH: Duration = Duration::from_secs(60);

/// When the history of each instance was last read to its end, by the time that passed and never by a clock that may jump. It may
/// be forgotten: it is read again then.
#[derive(Debug, Default)]
pub(crate) struct Histories(Mutex<BTreeMap<ServerId, Duration>>);

impl Histories {
    /// It was read to its end.
    pub(super) fn note(&self, server: ServerId, uptime: Duration) {
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(server, uptime);
    }

    fn is_fresh(&self, server: ServerId, uptime: Duration) -> bool {
        let read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = read.get(&server);
        at.is_some_and(|at| uptime.saturating_sub(*at) < FRESH)
    }
}

impl Vault {
    /// Reads the history of a database's instance to its end, unless that was done a moment ago; gives why it could not be read.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn read_history_of(
        &self,
        database: impl std::fmt::Display + Send,
    ) -> Result<Option<Fault>, Fault> {
        let database = self.get::<Database>(database).await?.record;
        let server = self.get::<Server>(database.server).await?.record;
        if self.histories.is_fresh(server.id, self.world.clock.uptime()) {
            return Ok(None);
        }
        let read = async {
            let mut session = self.session(&server, Purpose::Backup).await?;
            self.read_history(&server, &mut session).await?;
            session.close().await;
            Ok::<(), Fault>(())
        };
        let Err(fault) = read.await else {
            return Ok(None);
        };
        // As soon as it can be asked again, and not only at the next discovery by its time.
        let now = self.now();
        self.change::<Server, _>(server.id, |server| {
            server.discovery_due = server.discovery_due.min(now);
            Ok(())
        })
        .await?;
        self.bell.ring();
        Ok(Some(fault))
    }

    /// Who else owns the chain of a database; somebody, where the history could not be read.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn owner_or_unknown(
        &self,
        tx: &mut dyn Transaction,
        server: &Server,
        database: &Database,
        unread: Option<&Fault>,
    ) -> Result<Option<ForeignOwner>, Trouble> {
        match unread {
            None => self.owner_of_chain(tx, server, database).await,
            Some(fault) => Ok(Some(ForeignOwner {
                owns_log: true,
                owns_base: true,
                who: format!(
                    "the history of {} could not be read: {}",
                    server.name,
                    fault.happened()
                ),
                is_log_shipping: false,
                is_unknown: true,
            })),
        }
    }

    /// Decides for items of which nobody knew who owns their chains, now that the history of their instance is read.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn settle_owners(&self, server: &Server) -> Result<(), Fault> {
        let is_unknown = |item: &Item| item.foreign_owner.as_ref().is_some_and(|owner| owner.is_unknown);
        let items = self
            .list_readable::<Item>(Slot::D, Range::exactly(server.id.to_string()))
            .await?;
        for id in items
            .iter()
            .map(|one| &one.record)
            .filter(|item| is_unknown(item))
            .map(|item| item.id)
        {
            self.transact(move |tx| {
                scoped(async move {
                    let mut item = demand::<Item>(tx, &self.key, &id.to_string()).await?;
                    let database = get::<Database>(tx, &self.key, &item.record.database.to_string()).await?;
                    let Some(database) = database.filter(|_| is_unknown(&item.record)) else {
                        return Ok(());
                    };
                    item.record.foreign_owner = self.owner_of_chain(tx, server, &database.record).await?;
                    update(tx, item).await?;
                    // What nobody could say when it was protected.
                    self.want_first_full_in(tx, id).await
                })
            })
            .await?;
        }
        self.bell.ring();
        Ok(())
    }
}
