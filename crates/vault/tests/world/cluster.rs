//! Everything together, and a vault in the midst of it that can be started, crashed and started again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalog::memory::{MemoryStore, NoTrouble};
use catalog::record::{Item, ItemId, Job, JobId, JobState, Notice, Point, VaultId};
use catalog::{Catalog, Query, Range, Record, Scope, Slot, all, get};
use faults::Fault;
use jiff::Timestamp;
use simsql::instance::{Settings, Version};
use simsql::memory::Clock;
use vault::keyring::{KEY_BYTES, Keyring};
use vault::rebuilding::Rebuilt;
use vault::world::Clock as _;
use vault::{Vault, World};

use super::door::Door;
use super::history::{History, Watched};
use super::lag::Lag;
use super::servers::{End, Network, Server};
use super::shelf::Shelves;
use super::sql::Sql;
use super::sqlite::Files;
use super::tasks::{CrashAfter, TaskId, Tasks};
use super::time::{Dice, MachineClock};

/// The name of the vault.
pub(crate) const VAULT: &str = "vault";

/// The simulation.
pub(crate) struct Cluster {
    /// Time itself; [`MachineClock`]s show it.
    pub(crate) time: Arc<Clock>,
    /// The vault's clock; it may jump.
    pub(crate) clock: Arc<MachineClock>,
    /// Chance for the test.
    pub(crate) dice: Arc<Dice>,
    /// The front door with its store.
    pub(crate) door: Arc<Door>,
    /// The vault's way to the store.
    pub(crate) shelf: Arc<Shelves>,
    /// The way to the instances.
    pub(crate) network: Arc<Network>,
    /// Everything that was written into the catalog.
    pub(crate) history: Arc<History>,
    /// What survives of the catalog in memory.
    pub(crate) catalog: MemoryStore,
    /// The catalog in SQLite, where that is the vault's.
    files: Option<Files>,
    /// The catalog in memory takes its time.
    is_slow: bool,
    tasks: Arc<Tasks>,
    pub(crate) keyring: Arc<Keyring>,
    /// The catalog as the vault has it open.
    pub(crate) opened: Mutex<Option<Arc<dyn Catalog>>>,
    seed: u64,
    process: Mutex<Process>,
}

/// The vault's process.
#[derive(Default)]
struct Process {
    id: Option<VaultId>,
    vault: Option<Arc<Vault>>,
    run: Option<TaskId>,
    starts: u64,
}

impl Cluster {
    /// A world from a seed, without servers, its vault not made yet, at 2026-01-01 00:00 UTC.
    pub(crate) fn new(seed: u64) -> Self {
        let time = Arc::new(Clock::new());
        let clock = MachineClock::new(&time);
        let door = Door::new(&MachineClock::new(&time), seed);
        let tasks = Arc::new(Tasks::default());
        Self {
            dice: Dice::new(seed ^ 0x5EED),
            shelf: Shelves::new(&door),
            network: Network::new(&MachineClock::new(&time), &tasks, &door),
            history: Arc::default(),
            catalog: MemoryStore::new(seed),
            keyring: keyring(seed),
            files: None,
            is_slow: false,
            opened: Mutex::default(),
            process: Mutex::default(),
            time,
            clock,
            door,
            tasks,
            seed,
        }
    }

    /// The same, its vault's catalog in SQLite.
    pub(crate) fn with_sqlite(seed: u64) -> Self {
        let mut cluster = Self::new(seed);
        cluster.files = Some(Files::new());
        cluster
    }

    /// The same for a story: of every third seed the catalog takes its time.
    pub(crate) fn of_story(seed: u64) -> Self {
        let mut cluster = Self::new(seed);
        cluster.is_slow = seed % 3 == 1;
        cluster.calm_catalog();
        cluster
    }

    /// Nothing goes wrong with the catalog any more, but that it takes its time where it does.
    pub(crate) fn calm_catalog(&self) {
        self.catalog.set_plan(match self.is_slow {
            true => Box::new(Lag::new(&self.time, self.seed ^ uptime_of(&self.clock))),
            false => Box::new(NoTrouble),
        });
    }

    /// Runs a scenario to its end, with everything beside it that runs.
    pub(crate) fn run<T>(&self, scenario: impl Future<Output = T>) -> T {
        self.driver().run(scenario)
    }

    /// What runs scenarios, apart from the rest, so that a scenario may change the rest.
    pub(crate) fn driver(&self) -> Driver {
        Driver {
            time: Arc::clone(&self.time),
            tasks: Arc::clone(&self.tasks),
        }
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    /// Begins something that runs beside the scenario.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> TaskId {
        self.tasks.spawn(future)
    }

    /// Drops something that runs beside the scenario.
    pub(crate) fn drop_task(&self, task: TaskId) {
        self.tasks.drop_task(task);
    }

    /// Now, by the vault's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.timestamp()
    }

    /// Adds a machine with a default instance of SQL Server 2022 that answers at `HOST`, its own clock in UTC.
    pub(crate) fn server(&self, host: &str) -> Arc<Server> {
        self.server_of(host, None, Version::V2022)
    }

    /// Adds an instance: `HOST`, or `HOST\INSTANCE`.
    pub(crate) fn server_of(&self, host: &str, instance: Option<&str>, version: Version) -> Arc<Server> {
        self.server_with(host, instance, version, |_| {})
    }

    /// Adds an instance whose settings `change` has its way with.
    pub(crate) fn server_with(
        &self,
        host: &str,
        instance: Option<&str>,
        version: Version,
        change: impl FnOnce(&mut Settings),
    ) -> Arc<Server> {
        let mut settings = Settings::new(version, "/sql");
        settings.machine = host.to_uppercase();
        settings.instance = instance.map(str::to_owned);
        settings.initial_pages = 128;
        change(&mut settings);
        let address = match instance {
            Some(instance) => format!("{host}\\{instance}"),
            None => host.to_owned(),
        };
        self.network
            .add(&address, settings, MachineClock::new(&self.time))
    }

    /// Ends an instance.
    pub(crate) fn end(&self, server: &Server, end: End) {
        server.end(end, &self.dice);
    }

    /// T-SQL on an instance as `sa`, without a network.
    pub(crate) fn sql(&self, server: &Server) -> Sql {
        Sql::on(server)
    }

    /// What the vault is given.
    pub(crate) fn world(&self) -> World {
        let starts = {
            let mut process = self.process.lock().unwrap();
            process.starts += 1;
            process.starts
        };
        let catalog: Arc<dyn Catalog> = Arc::new(Watched {
            inner: match &self.files {
                Some(files) => Arc::new(files.open()),
                None => Arc::new(self.catalog.open().expect("one vault at a time")),
            },
            history: Arc::clone(&self.history),
            clock: Arc::clone(&self.clock),
        });
        *self.opened.lock().unwrap() = Some(Arc::clone(&catalog));
        World {
            clock: Arc::clone(&self.clock) as Arc<_>,
            chance: Dice::new(self.seed ^ starts << 32 ^ 0xC0DE),
            connector: Arc::clone(&self.network) as Arc<_>,
            shelf: Arc::clone(&self.shelf) as Arc<_>,
            catalog,
            keyring: Arc::clone(&self.keyring),
        }
    }

    /// What a second vault is given: the same world, and a catalog of its own.
    pub(crate) fn other_world(&self) -> World {
        let catalog = MemoryStore::new(self.seed ^ 0x07E2);
        World {
            clock: Arc::clone(&self.clock) as Arc<_>,
            chance: Dice::new(self.seed ^ uptime_of(&self.clock) ^ 0x07E3),
            connector: Arc::clone(&self.network) as Arc<_>,
            shelf: Arc::clone(&self.shelf) as Arc<_>,
            catalog: Arc::new(catalog.open().expect("nobody has it")),
            keyring: Arc::clone(&self.keyring),
        }
    }

    /// The open vault; it is made or opened where it is not.
    pub(crate) async fn vault(&self) -> Arc<Vault> {
        self.try_vault().await.unwrap()
    }

    async fn try_vault(&self) -> Result<Arc<Vault>, Fault> {
        if let Some(vault) = &self.process.lock().unwrap().vault {
            return Ok(Arc::clone(vault));
        }
        let id = self.process.lock().unwrap().id;
        let world = self.world();
        let vault = match id {
            Some(id) => Vault::open(world, id).await?,
            None => Vault::create(world, VAULT).await?,
        };
        let mut process = self.process.lock().unwrap();
        process.id = Some(vault.id());
        process.vault = Some(Arc::clone(&vault));
        Ok(vault)
    }

    /// The vault, opened and with everything running that it does by itself.
    pub(crate) async fn start_vault(&self) -> Arc<Vault> {
        self.vault().await;
        assert!(self.try_start_vault_for(u64::MAX).await, "the vault is open");
        self.vault().await
    }

    /// Opens the vault and runs it; its run is dropped at its `polls`-th poll, as by a crash there. Call [`Self::crash_vault`]
    /// then, and where it cannot be opened.
    pub(crate) async fn try_start_vault_for(&self, polls: u64) -> bool {
        let Ok(vault) = self.try_vault().await else {
            return false;
        };
        let run = async move { vault.run(std::future::pending()).await };
        let task = self.tasks.spawn(async move {
            CrashAfter::new(run, polls).await;
        });
        self.process.lock().unwrap().run = Some(task);
        true
    }

    /// Whether the vault's run goes on.
    pub(crate) fn vault_runs(&self) -> bool {
        let run = self.process.lock().unwrap().run;
        run.is_some_and(|task| self.tasks.is_running(task))
    }

    /// Whether its process has it open, running or not.
    pub(crate) fn is_vault_open(&self) -> bool {
        self.process.lock().unwrap().vault.is_some()
    }

    /// The vault's process ends where it stands. Drop your own `Arc<Vault>` as well.
    pub(crate) fn crash_vault(&self) {
        let (run, vault) = {
            let mut process = self.process.lock().unwrap();
            (process.run.take(), process.vault.take())
        };
        if let Some(run) = run {
            self.tasks.drop_task(run);
        }
        drop(vault);
        *self.opened.lock().unwrap() = None;
        self.catalog.crash();
    }

    /// The vault's process ends, and its catalog is gone. Drop your own `Arc<Vault>` as well.
    pub(crate) fn lose_catalog(&mut self) {
        self.crash_vault();
        let starts = self.process.lock().unwrap().starts;
        self.catalog = MemoryStore::new(self.seed ^ starts << 16 ^ 0x1057);
        self.calm_catalog();
        if let Some(files) = &self.files {
            files.lose();
        }
    }

    /// Makes a lost catalog again of the store; no vault is open then. None where it was cut off at its `polls`-th poll.
    pub(crate) async fn rebuild(&self, polls: u64) -> Option<Result<Rebuilt, Fault>> {
        let rebuilding = Vault::rebuild(self.world(), None, VAULT);
        let done = CrashAfter::new(rebuilding, polls).await;
        let done = done.map(|done| done.map(|(_, rebuilt)| rebuilt));
        self.crash_vault();
        done
    }

    /// Which vault it is.
    ///
    /// # Panics
    /// Where none was made yet.
    pub(crate) fn vault_id(&self) -> VaultId {
        self.process.lock().unwrap().id.expect("a vault was made")
    }

    /// The vault's records of one type, as they are committed, whether it runs or not.
    pub(crate) async fn records<R: Record>(&self) -> Vec<R> {
        let copy = self.as_committed();
        let mut tx = copy.read().await.unwrap();
        let query = Query::of(Scope::vault(self.vault_id().to_string()), Slot::Id, Range::ALL);
        let found = all::<R>(tx.as_mut(), query, 1_000_000).await.unwrap();
        found.into_iter().map(|one| one.record).collect()
    }

    /// What is committed, for reading.
    fn as_committed(&self) -> Arc<dyn Catalog> {
        match (&self.files, self.opened.lock().unwrap().clone()) {
            (None, _) => Arc::new(self.catalog.snapshot().open().unwrap()),
            (Some(_), Some(opened)) => opened,
            (Some(files), None) => Arc::new(files.open()),
        }
    }

    async fn record<R: Record>(&self, id: String) -> R {
        let copy = self.as_committed();
        let mut tx = copy.read().await.unwrap();
        let key = self.vault_id().to_string();
        let found = get::<R>(tx.as_mut(), &key, &id).await.unwrap();
        found.unwrap_or_else(|| panic!("there is no record {id}")).record
    }

    /// A job.
    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.record(id.to_string()).await
    }

    /// A protected database.
    pub(crate) async fn item(&self, id: ItemId) -> Item {
        self.record(id.to_string()).await
    }

    /// All jobs, the oldest first.
    pub(crate) async fn jobs(&self) -> Vec<Job> {
        let mut jobs = self.records::<Job>().await;
        jobs.sort_by_key(|job| (job.created, job.id));
        jobs
    }

    /// All recovery points, the oldest first.
    pub(crate) async fn points(&self) -> Vec<Point> {
        let mut points = self.records::<Point>().await;
        points.sort_by_key(|point| (point.ended, point.id));
        points
    }

    /// The URL of a container, as instances write it.
    pub(crate) fn url(&self, container: &catalog::record::Container) -> String {
        let name = azblob::names::ContainerName::new(container.name.clone()).unwrap();
        vault::shelf::Shelf::url(&*self.shelf, &name)
    }

    /// Open notices, the oldest first.
    pub(crate) async fn notices(&self) -> Vec<Notice> {
        let mut notices = self.records::<Notice>().await;
        notices.retain(|notice| notice.resolved.is_none());
        notices.sort_by_key(|notice| (notice.raised, notice.id));
        notices
    }

    /// Waits until a job has ended.
    ///
    /// # Panics
    /// Where it has not within a simulated day.
    pub(crate) async fn ended(&self, id: JobId) -> Job {
        for _ in 0..86_400 {
            let job = self.job(id).await;
            if job.state.is_ended() {
                return job;
            }
            self.pass(Duration::from_secs(1)).await;
        }
        panic!("job {id} has not ended within a day: {:#?}", self.job(id).await);
    }

    /// Waits until a job has succeeded.
    ///
    /// # Panics
    /// Where it ended otherwise.
    pub(crate) async fn done(&self, id: JobId) -> Job {
        let job = self.ended(id).await;
        let is_done = matches!(job.state, JobState::Completed | JobState::CompletedWithWarnings);
        assert!(is_done, "{job:#?}");
        job
    }
}

impl Drop for Cluster {
    /// What runs holds what it runs on, and that holds it: thousands of stories would fill the memory.
    fn drop(&mut self) {
        // After a panic, what it held may not be touched.
        if !std::thread::panicking() {
            self.crash_vault();
            self.tasks.end();
        }
    }
}

fn uptime_of(clock: &MachineClock) -> u64 {
    u64::try_from(clock.uptime().as_micros()).unwrap_or(u64::MAX)
}

/// Runs scenarios.
pub(crate) struct Driver {
    time: Arc<Clock>,
    tasks: Arc<Tasks>,
}

impl Driver {
    /// See [`Cluster::run`].
    pub(crate) fn run<T>(&self, scenario: impl Future<Output = T>) -> T {
        self.time.run_one(self.tasks.beside(scenario))
    }
}

/// The key of secrets at rest.
fn keyring(seed: u64) -> Arc<Keyring> {
    let mut key = [0; KEY_BYTES];
    vault::world::Chance::fill(&*Dice::new(seed ^ 0x4E1), &mut key);
    Arc::new(Keyring::new(&key))
}
