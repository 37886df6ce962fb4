//! Everything that a vault needs on this machine, in one test: processes of `bac2 sim`, a front door with TLS over a store, a
//! catalog in SQLite, and the vault itself in this process, which can crash and come back.
//!
//! ```text
//! Lab --- Server... (processes of bac2 sim) --- https, port 443 by --host-at ---+
//!   |---- Door (frontdoor::Server, blobstore::Store, StoreShelf) ---------------+
//!   |---- SqlCatalog (a file)
//!   |---- LabClock: the machine's, and what the test adds
//!   +---- Vault, its run as a task that a crash aborts
//! ```

#![allow(dead_code)] // Each test uses a part of it.

mod asking;
mod clock;
mod disk;
mod door;
mod group;
mod restoring;
mod server;
mod way;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog::record::{ItemId, PolicyId, ServerId, ServerSettings, Trust, VaultId};
use catalog::sql::{Location, SqlCatalog};
use catalog::{Catalog, CatalogError};
use mssql::Secret;
use schedule::Policy;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use vault::keyring::{KEY_BYTES, Keyring};
use vault::machine::MachineChance;
use vault::rebuilding::Rebuilt;
use vault::registration::{NewLogin, NewServer};
use vault::world::Clock as _;
use vault::{Vault, World};

pub(crate) use asking::code;
pub(crate) use clock::LabClock;
pub(crate) use door::{ACCOUNT, Door, KEY};
pub(crate) use group::Group;
pub(crate) use restoring::{codes, latest, over, to};
pub(crate) use server::{PASSWORD, Release, Server, Start, quoted};
pub(crate) use way::{Gate, Way};

/// A policy of one full a week, three days from now, and nothing else: what a test wants, it asks for.
pub(crate) fn quiet() -> String {
    policy("quiet", "")
}

/// A policy of fulls in three days, and logs every quarter of an hour.
pub(crate) fn standard() -> String {
    policy("standard", "\"log\": {\"every\": \"15m\"},")
}

/// A test that lets a day or two pass must not meet the weekly full, whenever it runs.
fn policy(name: &str, more: &str) -> String {
    let in_days = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(3 * 24);
    let day = in_days.strftime("%A").to_string().to_lowercase();
    format!(
        r#"{{"version": 1, "name": "{name}",
    "full": {{"schedule": {{"frequency": "weekly", "days": ["{day}"], "times": ["22:00"]}},
             "retention": {{"weekly": {{"count": 4, "days": ["{day}"]}}}}}},
    {more} "running": {{"jitter": "0s"}}}}"#
    )
}

/// How long a test waits for anything: long for a slow machine, since it costs time only where something is wrong.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);
/// How long it waits at least between two times that it puts the clock forward.
const PAUSE: Duration = Duration::from_millis(50);

/// A thread's stack: futures of tests are large before they are optimised.
const STACK: usize = 16 << 20;

/// Runs a scenario on a runtime of its own.
pub(crate) fn run<F: Future<Output = ()>>(scenario: impl FnOnce() -> F + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let runs = thread.spawn_scoped(scope, || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .thread_stack_size(STACK)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(Box::pin(scenario()));
            runtime.shutdown_timeout(Duration::from_secs(5));
        });
        if let Err(panic) = runs.unwrap().join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// The laboratory.
pub(crate) struct Lab {
    pub(crate) clock: Arc<LabClock>,
    pub(crate) door: Door,
    pub(crate) way: Arc<Way>,
    keyring: Mutex<Arc<Keyring>>,
    /// The size that the catalog may grow to, in bytes, from its next opening on; none: the disk's.
    catalog_room: Mutex<Option<u64>>,
    process: Mutex<Process>,
    servers: Mutex<u32>,
    folder: TempDir,
}

/// The vault's process, so to speak.
#[derive(Default)]
struct Process {
    id: Option<VaultId>,
    catalog: Option<Arc<SqlCatalog>>,
    vault: Option<Arc<Vault>>,
    run: Option<JoinHandle<()>>,
    quiet: Option<PolicyId>,
}

impl Lab {
    /// A laboratory whose vault runs; no server yet.
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = LabClock::new();
        let door = Door::open(&folder.path().join("store"), &clock).await;
        Self::over(folder, clock, door).await
    }

    /// One whose store lies on a simulated disk, which can be full.
    pub(crate) async fn on_simulated_disk() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = LabClock::new();
        let door = Door::simulated(&folder.path().join("store"), &clock).await;
        Self::over(folder, clock, door).await
    }

    async fn over(folder: TempDir, clock: Arc<LabClock>, door: Door) -> Self {
        let lab = Self {
            clock,
            door,
            way: Arc::default(),
            keyring: Mutex::new(any_keyring()),
            catalog_room: Mutex::default(),
            process: Mutex::default(),
            servers: Mutex::default(),
            folder,
        };
        lab.open().await;
        lab
    }

    /// Where the laboratory keeps its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The catalog's file.
    pub(crate) fn catalog_file(&self) -> PathBuf {
        self.folder().join("catalog.db")
    }

    /// Lets the catalog grow by so many bytes and no more, or by as many as it likes, from the next opening on.
    pub(crate) fn give_catalog(&self, room: Option<u64>) {
        let size = std::fs::metadata(self.catalog_file()).unwrap().len();
        *self.catalog_room.lock().unwrap() = room.map(|room| size + room);
    }

    /// Puts another key in the place of the one that secrets are encrypted with; gives the one that was there. From the next
    /// opening on.
    pub(crate) fn change_key(&self, keyring: Arc<Keyring>) -> Arc<Keyring> {
        std::mem::replace(&mut self.keyring.lock().unwrap(), keyring)
    }

    /// What the vault is given.
    pub(crate) fn world(&self) -> World {
        let catalog = self.process.lock().unwrap().catalog.clone();
        World {
            clock: Arc::clone(&self.clock) as Arc<_>,
            chance: Arc::new(MachineChance),
            connector: Arc::clone(&self.way) as Arc<_>,
            shelf: Arc::clone(&self.door.shelf) as Arc<_>,
            catalog: catalog.expect("the vault has its catalog open"),
            keyring: Arc::clone(&self.keyring.lock().unwrap()),
        }
    }

    /// The open vault. Do not keep it over [`Lab::crash`].
    pub(crate) fn vault(&self) -> Arc<Vault> {
        let vault = self.process.lock().unwrap().vault.clone();
        vault.expect("the vault is open")
    }

    /// Opens the catalog and the vault, which is made where there is none, and lets it run.
    pub(crate) async fn open(&self) {
        let location = Location::Sqlite {
            path: self.catalog_file(),
            max_bytes: *self.catalog_room.lock().unwrap(),
        };
        let catalog = loop {
            match SqlCatalog::open(&location).await {
                Ok(catalog) => break Arc::new(catalog),
                // A transaction of the vault that crashed is being rolled back.
                Err(CatalogError::InUse { .. }) => tokio::time::sleep(LOOK).await,
                Err(error) => panic!("{error}"),
            }
        };
        self.process.lock().unwrap().catalog = Some(catalog);
        let id = self.process.lock().unwrap().id;
        let vault = match id {
            Some(id) => Vault::open(self.world(), id).await,
            None => Vault::create(self.world(), "lab").await,
        };
        let vault = vault.unwrap();
        let runs = Arc::clone(&vault);
        let run = tokio::spawn(async move { runs.run(std::future::pending()).await });
        let mut process = self.process.lock().unwrap();
        process.id = Some(vault.id());
        process.vault = Some(vault);
        process.run = Some(run);
    }

    /// The vault's process ends where it stands.
    pub(crate) async fn crash(&self) {
        let (run, vault, catalog) = {
            let mut process = self.process.lock().unwrap();
            (process.run.take(), process.vault.take(), process.catalog.take())
        };
        if let Some(run) = run {
            run.abort();
            assert!(run.await.is_err_and(|error| error.is_cancelled()));
        }
        drop(vault);
        let Some(mut catalog) = catalog else { return };
        // SQLite's connections are closed by threads of their own, which write its file once more and take its WAL away: whoever
        // puts another file in its place must come after them. A future that was aborted may hold the catalog for a moment yet.
        let patience = Instant::now() + PATIENCE;
        let catalog = loop {
            match Arc::try_unwrap(catalog) {
                Ok(last) => break last,
                Err(held) => catalog = held,
            }
            assert!(
                Instant::now() < patience,
                "somebody keeps the vault over its crash"
            );
            tokio::time::sleep(LOOK).await;
        };
        catalog.close().await;
    }

    /// The vault's process ends, and its catalog is lost; it is made again of the store, and runs.
    pub(crate) async fn lose_catalog_and_rebuild(&self) -> Rebuilt {
        self.crash().await;
        let name = self.catalog_file();
        let mut gone = 0;
        for entry in std::fs::read_dir(self.folder()).unwrap() {
            let path = entry.unwrap().path();
            let is_of_it = path.to_string_lossy().starts_with(&*name.to_string_lossy());
            if is_of_it && path.is_file() {
                std::fs::remove_file(path).unwrap();
                gone += 1;
            }
        }
        assert!(gone > 0, "there was a catalog");
        let catalog = Arc::new(
            SqlCatalog::open(&Location::file(self.catalog_file()))
                .await
                .unwrap(),
        );
        self.process.lock().unwrap().catalog = Some(catalog);
        let (again, told) = Vault::rebuild(self.world(), None, "again").await.unwrap();
        drop(again);
        self.process.lock().unwrap().catalog = None;
        self.open().await;
        told
    }

    /// Another vault with a catalog of its own, over the same store; it does not run.
    pub(crate) async fn other_vault(&self) -> Arc<Vault> {
        let catalog = SqlCatalog::open(&Location::file(self.folder().join("other.db"))).await;
        let world = World {
            catalog: Arc::new(catalog.unwrap()) as Arc<dyn Catalog>,
            ..self.world()
        };
        Vault::create(world, "other").await.unwrap()
    }

    /// Starts a default instance.
    pub(crate) async fn server(&self, release: Release) -> Server {
        self.server_with(release, |_| {}).await
    }

    /// Starts an instance, as `change` wants it.
    pub(crate) async fn server_with(&self, release: Release, change: impl FnOnce(&mut Start)) -> Server {
        let number = {
            let mut servers = self.servers.lock().unwrap();
            *servers += 1;
            *servers
        };
        let mut start = Start::new(release, number, self.folder(), &self.door);
        change(&mut start);
        Server::start(start).await
    }

    /// How an instance is registered as `sa`, whatever its certificate.
    pub(crate) fn registration(&self, server: &Server) -> NewServer {
        NewServer {
            name: server.name().to_owned(),
            address: server.address(),
            login: login("sa", PASSWORD),
            restore_login: None,
            trust: Trust::Any,
            take_over: false,
            settings: ServerSettings::default(),
        }
    }

    /// Registers an instance.
    pub(crate) async fn register(&self, server: &Server) -> ServerId {
        self.vault().add_server(self.registration(server)).await.unwrap()
    }

    /// The policy that does nothing for days.
    pub(crate) async fn quiet(&self) -> PolicyId {
        let known = self.process.lock().unwrap().quiet;
        if let Some(known) = known {
            return known;
        }
        let policy = Policy::from_json(&quiet()).unwrap();
        let (id, _) = self.vault().create_policy(policy).await.unwrap();
        self.process.lock().unwrap().quiet = Some(id);
        id
    }

    /// Protects a database that was discovered, with [`quiet`].
    pub(crate) async fn protect(&self, server: ServerId, database: &str) -> ItemId {
        let policy = self.quiet().await;
        let database = self.database(server, database).await;
        self.vault().protect(database.id, policy).await.unwrap()
    }

    /// Protects a database with a policy of its own, in JSON.
    pub(crate) async fn protect_by(&self, policy: &str, server: ServerId, database: &str) -> ItemId {
        let vault = self.vault();
        let (policy, _) = vault
            .create_policy(Policy::from_json(policy).unwrap())
            .await
            .unwrap();
        let database = self.database(server, database).await;
        vault.protect(database.id, policy).await.unwrap()
    }

    /// An instance with a database `Shop` in the full recovery model, registered and protected.
    pub(crate) async fn shop(&self, release: Release) -> (Server, ServerId, ItemId) {
        let server = self.server(release).await;
        server.make_database("Shop").await;
        let id = self.register(&server).await;
        let item = self.protect(id, "Shop").await;
        (server, id, item)
    }

    /// Puts the vault's clock forward; who sleeps wakes in time. Instances keep theirs: see [`Server::fault`], `clock jump`.
    pub(crate) fn advance(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// The vault's clock shows something else by so many seconds; no time passes.
    pub(crate) fn show_wrong(&self, seconds: i64) {
        self.clock.show_wrong(seconds);
    }

    /// Now, by the vault's clock.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }
}

/// A key for secrets like no other.
pub(crate) fn any_keyring() -> Arc<Keyring> {
    let mut key = [0; KEY_BYTES];
    vault::world::Chance::fill(&MachineChance, &mut key);
    Arc::new(Keyring::new(&key))
}

/// A login of SQL Server's own.
pub(crate) fn login(user: &str, password: &str) -> NewLogin {
    NewLogin::Sql {
        user: user.to_owned(),
        password: Secret::new(password.to_owned()),
    }
}
