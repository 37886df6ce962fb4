//! The vault itself in this process: its catalog in SQLite, the future that it runs in, and what the demo asks of it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use catalog::record::{Container, Database, Item, ItemId, Job, JobId, Point, Server, ServerId};
use catalog::sql::{Location, SqlCatalog};
use catalog::{Catalog, Query, Range, Record, Scope, Slot, all};
use mssql::tds::Tds;
use schedule::BackupKind;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use vault::keyring::{KEY_BYTES, Keyring};
use vault::machine::{MachineChance, MachineClock};
use vault::world::Chance as _;
use vault::{Vault, World};

use super::door::Door;

/// How long anything may take that the demo waits for: far more than it needs.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// How often it looks.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// The most records of a kind that the demo can have.
const RECORDS_MAX: usize = 10_000;

/// A vault that runs.
pub(super) struct Keeper {
    /// The vault.
    pub(super) vault: Arc<Vault>,
    catalog: Arc<SqlCatalog>,
    stop: Option<oneshot::Sender<()>>,
    run: JoinHandle<()>,
}

impl Keeper {
    /// Makes a vault with a catalog in `file`, behind this door, and lets it run.
    pub(super) async fn open(file: &Path, door: &Door) -> Result<Self> {
        let catalog = Arc::new(SqlCatalog::open(&Location::file(file)).await?);
        let mut key = [0; KEY_BYTES];
        MachineChance.fill(&mut key);
        let world = World {
            clock: Arc::new(MachineClock::new()),
            chance: Arc::new(MachineChance),
            connector: Arc::new(Tds::default()),
            shelf: Arc::clone(&door.shelf) as Arc<_>,
            catalog: Arc::clone(&catalog) as Arc<_>,
            keyring: Arc::new(Keyring::new(&key)),
        };
        let vault = Vault::create(world, "demo").await?;
        let (stop, stopped) = oneshot::channel::<()>();
        let runs = Arc::clone(&vault);
        let run = tokio::spawn(async move {
            let stopped = async {
                // An error means that the other end is gone, which is a reason to stop as well.
                let _ = stopped.await;
            };
            runs.run(stopped).await;
        });
        Ok(Self {
            vault,
            catalog,
            stop: Some(stop),
            run,
        })
    }

    /// The vault's records of one type.
    async fn records<R: Record>(&self) -> Result<Vec<R>> {
        let mut tx = self.catalog.read().await?;
        let vault = self.vault.id().to_string();
        let query = Query::of(Scope::vault(&vault), Slot::Id, Range::ALL);
        let found = all::<R>(tx.as_mut(), query, RECORDS_MAX).await?;
        Ok(found.into_iter().map(|one| one.record).collect())
    }

    /// A registered instance.
    pub(super) async fn server(&self, id: ServerId) -> Result<Server> {
        let servers = self.records::<Server>().await?;
        let found = servers.into_iter().find(|one| one.id == id);
        found.context("the vault does not know an instance that it registered")
    }

    /// The databases of users that the vault discovered on an instance, by name.
    pub(super) async fn databases(&self, server: ServerId) -> Result<Vec<Database>> {
        let mut databases = self.records::<Database>().await?;
        databases.retain(|one| one.server == server && one.gone.is_none() && !one.state.is_system);
        databases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(databases)
    }

    /// The item that protects a database of an instance.
    pub(super) async fn item(&self, server: ServerId, database: &str) -> Result<ItemId> {
        let databases = self.databases(server).await?;
        let database = databases.into_iter().find(|one| one.name == database);
        let database = database.context("a database was not discovered")?;
        let items = self.records::<Item>().await?;
        let found = items.into_iter().find(|one| one.database == database.id);
        found.map(|one| one.id).context("a database is not protected")
    }

    /// The container that a protected database's backups go to.
    pub(super) async fn container(&self, item: ItemId) -> Result<Container> {
        let items = self.records::<Item>().await?;
        let item = items.into_iter().find(|one| one.id == item);
        let item = item.context("the vault does not know a database that it protects")?;
        let containers = self.records::<Container>().await?;
        let found = containers.into_iter().find(|one| one.id == item.container);
        found.context("the vault does not know its container")
    }

    /// All recovery points, the oldest first.
    pub(super) async fn points(&self) -> Result<Vec<Point>> {
        let mut points = self.records::<Point>().await?;
        points.sort_by_key(|point| (point.ended, point.id));
        Ok(points)
    }

    /// The recovery point that came of a job.
    pub(super) async fn point(&self, job: &Job) -> Result<Option<Point>> {
        let Some(id) = job.point else { return Ok(None) };
        Ok(self.points().await?.into_iter().find(|point| point.id == id))
    }

    /// Asks for a backup and waits for its end.
    pub(super) async fn back_up(&self, item: ItemId, kind: BackupKind) -> Result<Job> {
        let job = self.vault.back_up(item, kind, None).await?;
        self.ended(job).await
    }

    /// Waits until a job has ended.
    pub(super) async fn ended(&self, job: JobId) -> Result<Job> {
        until("a job of the vault ends", || async {
            let job = self.vault.job(job).await?;
            Ok(job.state.is_ended().then_some(job))
        })
        .await
    }

    /// Ends the vault in order.
    pub(super) async fn close(mut self) -> Result<()> {
        if let Some(stop) = self.stop.take() {
            // The vault may have ended by itself, which the join tells.
            let _ = stop.send(());
        }
        (&mut self.run).await.context("the vault broke down")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.run.abort();
    }
}

/// Looks until `is_so` gives something.
pub(super) async fn until<T, F: Future<Output = Result<Option<T>>>>(
    what: &str,
    mut is_so: impl FnMut() -> F,
) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = is_so().await? {
            return Ok(found);
        }
        ensure!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        sleep(LOOK).await;
    }
}
