//! What interrupted backups leave behind, and what a crash of the vault left between catalog and store.
//!
//! `agreeing` makes recovery points again whose records the store has, and reports points whose blobs it has not; `blobs` removes
//! what interrupted backups wrote; `purging` ends deleted items; `pruning` forgets old jobs and notices, `tidying`
//! shortens those of which there is nothing to say.
//!
//! Invariants: the store is believed; nothing that is sealed or complete is ever removed here, nothing that a connection uses, and
//! nothing that a job that is not over names. Every sweep goes by pages and can be dropped at any await.
//!
//! Deliberately absent: how long recovery points live, and their removal.

mod agreeing;
mod blobs;
mod pruning;
mod purging;
mod tidying;

use std::collections::BTreeSet;
use std::time::Duration;

use azblob::names::ContainerName;
use catalog::record::Container;
use faults::{Code, Fault};

use crate::vault::{LOOK_EVERY, Vault};

/// How often containers are swept.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// How often every recovery point is held against its blobs.
const COMPARE_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// Blobs, records or rows that one step takes up.
const PAGE: usize = 500;

impl Vault {
    /// Makes catalog and store agree after a start: what the store has a record of is a recovery point, before a schedule looks
    /// for the newest one. The other way, points whose blobs are gone, is the first sweep's, since it may take long and nothing
    /// waits for it.
    pub(crate) async fn reconcile(&self) {
        // A store or a catalog that fails now is met again by the first sweep, which begins with the same.
        let _ = self.adopt_records().await;
    }

    /// Finds and removes blobs of interrupted backups, and what is too old to be of use, for ever.
    pub(crate) async fn run_cleaning(&self) {
        let mut seen = blobs::Seen::default();
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
            let _ = self.purge_due().await;
            let _ = self.forget_unnamed(&mut unnamed).await;
            let _ = self.prune().await;
            let _ = self.tidy_jobs().await;
            let left = SWEEP_EVERY.saturating_sub(self.world.clock.uptime().saturating_sub(uptime));
            self.world.clock.sleep(left.max(LOOK_EVERY)).await;
        }
    }

    async fn compare(&self) -> Result<(), Fault> {
        self.adopt_records().await?;
        self.look_for_lost_blobs().await
    }
}

fn name_of(container: &Container) -> Result<ContainerName, Fault> {
    ContainerName::new(container.name.clone()).map_err(|_| {
        Fault::new(Code::Bac2InternalError).because(&format!("{} is no name of a container", container.name))
    })
}
