//! One open vault: its world, its id, and the future in which everything runs.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use catalog::record::{Daily, Keeping, SoftDelete, Tidied, Vault as VaultRecord, VaultId};
use catalog::{Slot, page};
use faults::Fault;
use futures::future::{Either, select};
use jiff::Timestamp;

use crate::bell::Bell;
use crate::errorlog::ErrorLogs;
use crate::foreign::Histories;
use crate::jobs::Running;
use crate::restoring::{Lending, Restores};
use crate::world::World;

/// How long a loop sleeps at most before it looks again at a clock that may jump.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(30);

/// An open vault. All deeds are methods of it, one module each.
pub struct Vault {
    pub(crate) world: World,
    pub(crate) id: VaultId,
    /// The id as the catalog wants it.
    pub(crate) key: String,
    /// Something changed that the loops should look at: a job, a policy, a registration.
    pub(crate) bell: Bell,
    /// Jobs that run in this process.
    pub(crate) running: Running,
    /// When the history of each instance was last read to its end.
    pub(crate) histories: Histories,
    /// Instances whose error logs are to be read soon.
    pub(crate) error_logs: ErrorLogs,
    /// Databases that are restored into.
    pub(crate) restores: Restores,
    /// Who makes and drops credentials for restores.
    pub(crate) lending: Lending,
}

impl Vault {
    /// Makes a vault.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub async fn create(world: World, name: &str) -> Result<Arc<Self>, Fault> {
        let id = VaultId(world.chance.uuid());
        let record = new_record(id, name, world.clock.now());
        let vault = Self::over(world, id);
        vault.insert(record).await?;
        Ok(vault)
    }

    /// Opens a vault that is there.
    ///
    /// # Errors
    /// There is none of this id, or the catalog does not answer.
    pub async fn open(world: World, id: VaultId) -> Result<Arc<Self>, Fault> {
        let vault = Self::over(world, id);
        vault.get::<VaultRecord>(id).await?;
        Ok(vault)
    }

    /// The vaults of a catalog, at most 1,000, in the order of their ids.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn all(world: &World) -> Result<Vec<VaultRecord>, Fault> {
        let mut tx = world.catalog.read().await.map_err(crate::records::fault)?;
        let query = catalog::Query::of(catalog::Scope::All, Slot::Id, catalog::Range::ALL);
        let found = page::<VaultRecord>(tx.as_mut(), &query)
            .await
            .map_err(crate::records::fault)?;
        Ok(found.records.into_iter().map(|one| one.record).collect())
    }

    pub(crate) fn over(world: World, id: VaultId) -> Arc<Self> {
        Arc::new(Self {
            key: id.to_string(),
            world,
            id,
            bell: Bell::default(),
            running: Running::default(),
            histories: Histories::default(),
            error_logs: ErrorLogs::default(),
            restores: Restores::default(),
            lending: Lending::default(),
        })
    }

    /// Which vault this is.
    #[must_use]
    pub fn id(&self) -> VaultId {
        self.id
    }

    /// Runs everything that a vault does by itself, until `stop` is done: first makes good what the last run left unfinished, then
    /// schedules, runs jobs, discovers and tidies. Dropped at any await, it leaves nothing that the next run does not find.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let everything = Box::pin(async {
            self.reconcile().await;
            futures::join!(
                self.run_scheduler(),
                self.run_jobs(),
                self.run_discovery(),
                self.run_healing(),
                self.run_cleaning(),
                self.run_error_logs(),
            );
        });
        match select(everything, Box::pin(stop)).await {
            Either::Left(((), _)) | Either::Right(((), _)) => {}
        }
    }

    /// Now, by the vault's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// Sleeps until a moment, the bell's next ring after `heard`, or [`LOOK_EVERY`], whatever is first.
    pub(crate) async fn rest(&self, until: Option<Timestamp>, heard: u64) {
        let wait = until.map_or(LOOK_EVERY, |at| wait_until(at, self.now()));
        let asleep = self.world.clock.sleep(wait);
        match select(asleep, self.bell.after(heard)).await {
            Either::Left(((), _)) | Either::Right(((), _)) => {}
        }
    }
}

/// How long to wait for a moment: up to [`LOOK_EVERY`], and to the next microsecond, since a clock that tells no less would still show
/// a time before it, and the wait for the rest would be none, again and again.
fn wait_until(at: Timestamp, now: Timestamp) -> Duration {
    match Duration::try_from(at.duration_since(now)) {
        Ok(left) if !left.is_zero() => (left + Duration::from_micros(1)).min(LOOK_EVERY),
        _ => Duration::ZERO,
    }
}

/// The record of a vault that nobody has set anything of yet.
pub(crate) fn new_record(id: VaultId, name: &str, created: Timestamp) -> VaultRecord {
    VaultRecord {
        id,
        name: name.to_owned(),
        created,
        soft_delete: SoftDelete::default(),
        limits: schedule::Limits::default(),
        discovery_minutes: 480,
        jobs_at_once: None,
        databases_max: 2_000,
        daily: Daily::default(),
        spent: Vec::new(),
        keeping: Keeping::default(),
        tidied: Tidied::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{LOOK_EVERY, Vault, wait_until};

    /// The product's runtime moves the future between threads: that it can is checked by the compiler.
    #[test]
    fn what_runs_a_vault_can_move_between_threads() {
        fn moves<T: Send>(_: impl Fn(&'static Vault) -> T) {}
        moves(|vault| vault.run(std::future::pending()));
    }

    #[test]
    fn a_wait_ends_behind_its_moment_on_a_clock_that_tells_microseconds() {
        let now = Timestamp::from_microsecond(1_000_000).unwrap();
        for nanos in [1, 750, 999, 1_000, 1_001, 5_000_000] {
            let at = now + Duration::from_nanos(nanos);
            let then = now + wait_until(at, now);
            let shown = Timestamp::from_microsecond(then.as_microsecond()).unwrap();
            assert!(shown >= at, "{nanos}: {shown}");
        }
        assert_eq!(wait_until(now, now), Duration::ZERO);
        assert_eq!(wait_until(now - Duration::from_secs(5), now), Duration::ZERO);
        assert_eq!(wait_until(Timestamp::MAX, now), LOOK_EVERY);
    }
}
