//! Forgetting what is over and too old to be of use: ended jobs and resolved notices, in steps.

use catalog::record::{Job, Notice, Vault as VaultRecord, moment};
use catalog::{Query, Range, Record, Scope, Slot, Versioned, delete, scoped};
use faults::Fault;
use jiff::{SignedDuration, Timestamp};

use crate::records::{Trouble, fault, readable};
use crate::vault::Vault;

/// Records that one sweep removes at most, of each kind.
const REMOVED_MAX: usize = 5_000;

/// Records that one transaction removes.
const AT_ONCE: usize = 200;

impl Vault {
    /// Removes what is too old.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn prune(&self) -> Result<(), Fault> {
        self.forget_gone().await?;
        let keeping = self.get::<VaultRecord>(self.id).await?.record.keeping;
        let before = days_before(self.now(), keeping.days);
        let range = Range::before(moment(before));
        self.prune_of::<Job>(Slot::C, range, |job| {
            job.state.is_ended() && job.ended.is_none_or(|ended| ended < before)
        })
        .await?;
        self.end_events().await?;
        let range = Range::between(
            catalog::keys::tuple(&["resolved", ""]),
            catalog::keys::tuple(&["resolved", &moment(before)]),
        );
        self.prune_of::<Notice>(Slot::D, range, |notice| {
            notice.resolved.is_some_and(|resolved| resolved < before)
        })
        .await
    }

    /// Removes the records of a range that are over.
    async fn prune_of<R: Record + Sync>(
        &self,
        slot: Slot,
        range: Range,
        is_over: impl Fn(&R) -> bool + Send + Sync,
    ) -> Result<(), Fault> {
        let mut query = Query::of(Scope::vault(&self.key), slot, range);
        let mut removed = 0;
        loop {
            let found = {
                let mut tx = self.world.catalog.read().await.map_err(fault)?;
                readable::<R>(tx.as_mut(), &query).await.map_err(fault)?
            };
            let over: Vec<Versioned<R>> = found
                .records
                .into_iter()
                .filter(|one| is_over(&one.record))
                .collect();
            for some in over.chunks(AT_ONCE) {
                self.transact(move |tx| {
                    scoped(async move {
                        for one in some {
                            delete(tx, one).await?;
                        }
                        Ok::<(), Trouble>(())
                    })
                })
                .await?;
                removed += some.len();
            }
            match found.next {
                Some(next) if removed < REMOVED_MAX => query = query.after(next),
                _ => return Ok(()),
            }
        }
    }
}

/// So many days before a moment.
pub(super) fn days_before(now: Timestamp, days: u16) -> Timestamp {
    let hours = SignedDuration::from_hours(24 * i64::from(days));
    now.checked_sub(hours).unwrap_or(Timestamp::MIN)
}
