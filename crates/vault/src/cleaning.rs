//! What interrupted backups leave behind, and what a crash of the vault left between catalog and store.
//!
//! `agreeing` makes recovery points again whose records the store has, and reports points whose blobs it has not; `recorded` brings
//! what changes of a point to its record; `blobs` removes what interrupted backups wrote, `strange` finds out what complete blobs are
//! that no point names; `purging` ends deleted items; `pruning` forgets old jobs and notices, `tidying` shortens those of which there is
//! nothing to say.
//!
//! Invariants: the store is believed; nothing that is sealed is ever removed here, nothing complete but what SQL Server itself calls
//! failed, nothing that a connection uses, and nothing that a job that is not over names. Every sweep goes by pages and can be
//! dropped at any await.
//!
//! Deliberately absent: how long recovery points live, and their removal (`retention`), which runs in the same loop.

mod agreeing;
mod blobs;
mod pruning;
mod purging;
mod recorded;
mod strange;
mod tidying;

use std::collections::BTreeSet;
use std::time::Duration;

use azblob::names::ContainerName;
use catalog::record::Container;
use faults::{Code, Fault};
use futures::future::{Either, select};

pub(crate) use agreeing::store_fault;

use crate::retention::Looked;
use crate::vault::{LOOK_EVERY, Vault};

/// How often containers are swept.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// How often every recovery point is held against its blobs.
const COMPARE_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// For how long a start waits until catalog and store agree. A crash leaves at most a few records without points, whose jobs make
/// them by themselves; it is a catalog from an older copy that lacks many.
const RECONCILE_MAX: Duration = Duration::from_secs(60);

/// Blobs, records or rows that one step takes up.
const PAGE: usize = 500;

impl Vault {
    /// Makes catalog and store agree after a start: what the store has a record of is a recovery point, before a schedule looks
    /// for the newest one. Schedules wait for that no longer than [`RECONCILE_MAX`]: 2,000 databases with logs for 15 days have
    /// 2.9 million records, and the first sweep begins with the same. The other way, points whose blobs are gone, is the sweep's
    /// alone.
    pub(crate) async fn reconcile(&self) {
        let adopting = Box::pin(self.adopt_records());
        let enough = self.world.clock.sleep(RECONCILE_MAX);
        match select(adopting, enough).await {
            // A store or a catalog that fails now is met again by the first sweep.
            Either::Left((_, _)) | Either::Right(((), _)) => {}
        }
    }

    /// Finds and removes blobs of interrupted backups, and what is too old to be of use, for ever.
    pub(crate) async fn run_cleaning(&self) {
        let mut seen = blobs::Seen::default();
        let mut looked = Looked::default();
        let mut compared: Option<Duration> = None;
        let mut unnamed = BTreeSet::new();
        loop {
            let uptime = self.world.clock.uptime();
            if compared.is_none_or(|compared| uptime.saturating_sub(compared) >= COMPARE_EVERY)
                && self.compare().await.is_ok()
            {
                compared = Some(uptime);
            }
            // What fails now is tried again by the next sweep.
            let _ = self.sweep(&mut seen).await;
            let _ = self.retain(&mut looked).await;
            let _ = self.purge_due().await;
            let _ = self.bring_server_logs().await;
            let _ = self.forget_unnamed(&mut unnamed).await;
            let _ = self.take_back_left().await;
            let _ = self.prune().await;
            let _ = self.tidy_jobs().await;
            let left = SWEEP_EVERY.saturating_sub(self.world.clock.uptime().saturating_sub(uptime));
            self.world.clock.sleep(left.max(LOOK_EVERY)).await;
        }
    }

    /// Catalog and store agree after this, grades included: what the look at the blobs changes, the records tell too.
    async fn compare(&self) -> Result<(), Fault> {
        let looked = self.look_for_lost_blobs().await;
        self.adopt_records().await?;
        looked
    }
}

pub(crate) fn name_of(container: &Container) -> Result<ContainerName, Fault> {
    ContainerName::new(container.name.clone()).map_err(|_| {
        Fault::new(Code::Bac2InternalError).because(&format!("{} is no name of a container", container.name))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RECONCILE_MAX;
    use crate::staged::{Stage, policy};

    #[test]
    fn a_start_does_not_wait_for_a_store_for_ever() {
        let stage = Stage::new();
        stage.run(async {
            let vault = stage.vault().await;
            // Its container is one whose records never come.
            vault.add_item(policy("one")).await;
            let before = vault.world.clock.uptime();
            vault.reconcile().await;
            assert_eq!(vault.world.clock.uptime() - before, RECONCILE_MAX);
            assert!(RECONCILE_MAX <= Duration::from_secs(60), "schedules wait for it");
        });
    }
}
