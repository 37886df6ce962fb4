//! Healing: a chain that broke is anchored again, without a storm of fulls.
//!
//! `wanting` notes what an item needs and when that may run, `taking` turns it into jobs, one full of an instance at a time by the
//! claim of `claiming`, `looking` finds items whose full is missing or too old without anybody having met that.
//!
//! Invariants: of an item one healing backup is wanted at most, the stronger of those that were; a database gets one healing full
//! a day that SQL Server took, and one that failed is tried again after an hour, doubled with each failure; what is large waits
//! for its policy's window. Log backups go on meanwhile: they keep the server's log from growing, and
//! are restorable from the next full on.

mod claiming;
mod looking;
mod taking;
#[cfg(test)]
mod tests;
mod wanting;

use std::time::Duration;

use crate::vault::{LOOK_EVERY, Vault};

pub(crate) use wanting::disabled_matter;

/// How often all items are looked at for fulls that are missing or too old.
const LOOK_AT_ALL_EVERY: Duration = Duration::from_secs(3_600);

/// The least time between two looks: one costs as much as waits, which after an outage may be everything, and every job rings.
const LOOK_APART: Duration = Duration::from_secs(5);

impl Vault {
    /// Turns wanted healings into jobs when they may run, for ever.
    pub(crate) async fn run_healing(&self) {
        // Whatever was put off until the vault was there again does not begin all at once. Whatever fails here is found again.
        while self.stagger_healing().await.is_err() {
            self.world.clock.sleep(LOOK_EVERY).await;
        }
        let mut looked: Option<Duration> = None;
        loop {
            let heard = self.bell.rings();
            let uptime = self.world.clock.uptime();
            if looked.is_none_or(|looked| uptime.saturating_sub(looked) >= LOOK_AT_ALL_EVERY)
                && self.look_for_broken().await.is_ok()
            {
                looked = Some(uptime);
            }
            let _ = self.take_healing().await;
            self.world.clock.sleep(LOOK_APART).await;
            self.rest(None, heard).await;
        }
    }
}

/// A protected database, with a full of that time.
#[cfg(test)]
fn item_of_tests(full: Option<jiff::Timestamp>) -> catalog::record::Item {
    use catalog::record::{
        ContainerId, DatabaseId, Item, ItemId, JobId, LastBackup, PointId, PolicyId, Protection, ServerId,
    };
    use uuid::Uuid;

    let last = full.map(|at| {
        let last = LastBackup {
            job: JobId(Uuid::nil()),
            point: PointId(Uuid::nil()),
            at,
        };
        (schedule::BackupKind::Full, last)
    });
    Item {
        id: ItemId(Uuid::nil()),
        database: DatabaseId(Uuid::nil()),
        server: ServerId(Uuid::nil()),
        policy: PolicyId(Uuid::nil()),
        policy_version: 1,
        inconsistent: None,
        protection: Protection::Protected,
        container: ContainerId(Uuid::nil()),
        since: jiff::Timestamp::UNIX_EPOCH,
        took_over: None,
        foreign_owner: None,
        scheduled: std::collections::BTreeMap::new(),
        due: std::collections::BTreeMap::new(),
        slots: std::collections::BTreeMap::new(),
        last: last.into_iter().collect(),
        failures: std::collections::BTreeMap::new(),
        log_end: None,
        base: None,
        healing: None,
        healed: None,
        unknown: Vec::new(),
        edition: 1,
    }
}
