//! A world for tests of what is not public: a catalog in memory and a clock that tests move; no instance answers, and no store: it
//! refuses, but for its records, for which who asks waits for ever.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use azblob::names::{BlobName, ContainerName};
use catalog::Range;
use catalog::memory::MemoryStore;
use catalog::record::{
    Database, DatabaseId, DatabaseState, Item, ItemId, Job, JobId, Login, Notice, PolicyId, SecretId, Server,
    ServerId, ServerSettings, ServerState, Trust,
};
use jiff::{SignedDuration, Timestamp};
use mssql::{ConnectError, Connection, Connector, Secret, Target};
use schedule::{BackupKind, Days, LocalTime, Period};
use simsql::memory::Clock as Time;
use simsql::world::Clock as _;
use uuid::Uuid;

use crate::keyring::{KEY_BYTES, Keyring};
use crate::shelf::{Blob, Shelf, ShelfError, Space};
use crate::vault::Vault;
use crate::world::{Chance, Clock, World};

/// The stage.
pub(crate) struct Stage {
    pub(crate) time: Arc<Time>,
    pub(crate) store: MemoryStore,
    starts: Mutex<u64>,
}

struct Shown(Arc<Time>);

#[async_trait]
impl Clock for Shown {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.now().0).unwrap()
    }

    fn uptime(&self) -> Duration {
        self.0.uptime()
    }

    async fn sleep(&self, time: Duration) {
        self.0.sleep(time).await;
    }
}

struct Counter(Mutex<u64>);

impl Chance for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for eight in bytes.chunks_mut(8) {
            let mut state = self.0.lock().unwrap();
            // SplitMix64.
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            eight.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..eight.len()]);
        }
    }
}

struct Nothing;

fn nothing<T>() -> Result<T, ShelfError> {
    Err(ShelfError::Failed("there is no store on this stage".to_owned()))
}

#[async_trait]
impl Connector for Nothing {
    async fn connect(&self, _: &Target) -> Result<Box<dyn Connection>, ConnectError> {
        Err(ConnectError::Unreachable {
            address: "nowhere".to_owned(),
            reason: "nothing answers on this stage".to_owned(),
        })
    }
}

#[async_trait]
impl Shelf for Nothing {
    fn url(&self, container: &ContainerName) -> String {
        format!("https://vault.test/{container}")
    }
    async fn make_container(&self, _: &ContainerName) -> Result<(), ShelfError> {
        nothing()
    }
    async fn grant(&self, _: &ContainerName, _: &str, _: Timestamp) -> Result<Secret, ShelfError> {
        nothing()
    }
    async fn revoke(&self, _: &ContainerName, _: &str) -> Result<(), ShelfError> {
        nothing()
    }
    async fn look(&self, _: &ContainerName, _: &BlobName) -> Result<Option<Blob>, ShelfError> {
        nothing()
    }
    async fn list(&self, _: &ContainerName, _: Option<&BlobName>, _: usize) -> Result<Vec<Blob>, ShelfError> {
        nothing()
    }
    async fn unsealed(
        &self,
        _: &ContainerName,
        _: Option<&BlobName>,
        _: usize,
    ) -> Result<Vec<Blob>, ShelfError> {
        nothing()
    }
    async fn put_piece(&self, _: &ContainerName, _: &BlobName, _: u32, _: Vec<u8>) -> Result<(), ShelfError> {
        nothing()
    }
    async fn join(&self, _: &ContainerName, _: &BlobName, _: u32) -> Result<(), ShelfError> {
        nothing()
    }
    async fn seal(&self, _: &ContainerName, _: &BlobName) -> Result<(), ShelfError> {
        nothing()
    }
    async fn free(&self, _: &ContainerName, _: &BlobName, _: &Blob) -> Result<(), ShelfError> {
        nothing()
    }
    async fn clean(&self, _: &ContainerName, _: &BlobName, _: &Blob) -> Result<(), ShelfError> {
        nothing()
    }
    async fn remove_sealed(&self, _: &ContainerName, _: &BlobName) -> Result<(), ShelfError> {
        nothing()
    }
    async fn remove_record(&self, _: &ContainerName, _: &BlobName) -> Result<(), ShelfError> {
        nothing()
    }
    async fn containers(&self) -> Result<Vec<ContainerName>, ShelfError> {
        nothing()
    }
    async fn put_record(&self, _: &ContainerName, _: &BlobName, _: Vec<u8>) -> Result<(), ShelfError> {
        nothing()
    }
    async fn read(&self, _: &ContainerName, _: &BlobName, _: u64, _: usize) -> Result<Vec<u8>, ShelfError> {
        nothing()
    }
    async fn records(
        &self,
        _: &ContainerName,
        _: Option<&BlobName>,
        _: usize,
    ) -> Result<Vec<(BlobName, Vec<u8>)>, ShelfError> {
        std::future::pending().await
    }
    async fn space(&self) -> Result<Space, ShelfError> {
        nothing()
    }
}

impl Stage {
    /// 2026-01-01 00:00 UTC.
    pub(crate) fn new() -> Self {
        Self {
            time: Arc::new(Time::new()),
            store: MemoryStore::new(1),
            starts: Mutex::new(0),
        }
    }

    fn world(&self) -> World {
        let mut starts = self.starts.lock().unwrap();
        *starts += 1;
        World {
            clock: Arc::new(Shown(Arc::clone(&self.time))),
            chance: Arc::new(Counter(Mutex::new(*starts << 32))),
            connector: Arc::new(Nothing),
            shelf: Arc::new(Nothing),
            catalog: Arc::new(self.store.open().unwrap()),
            keyring: Arc::new(Keyring::new(&[7; KEY_BYTES])),
        }
    }

    pub(crate) async fn vault(&self) -> Arc<Vault> {
        Vault::create(self.world(), "vault").await.unwrap()
    }

    /// The vault again, after everything of it was dropped.
    pub(crate) async fn again(&self, id: catalog::record::VaultId) -> Arc<Vault> {
        self.store.crash();
        Vault::open(self.world(), id).await.unwrap()
    }

    pub(crate) fn run<T>(&self, scenario: impl Future<Output = T>) -> T {
        self.time.run_one(scenario)
    }

    pub(crate) async fn pass(&self, seconds: u64) {
        self.time.sleep(Duration::from_secs(seconds)).await;
    }
}

/// Runs a scenario to its end, with something beside it.
pub(crate) async fn beside<T>(scenario: impl Future<Output = T>, other: impl Future<Output = ()>) -> T {
    use futures::future::{Either, select};
    match select(Box::pin(scenario), Box::pin(other)).await {
        Either::Left((output, _)) => output,
        Either::Right(((), scenario)) => scenario.await,
    }
}

/// Fulls at 22:00, logs every 15 minutes, no jitter.
pub(crate) fn policy(name: &str) -> schedule::Policy {
    let mut policy = schedule::Policy::daily(name, LocalTime::new(22, 0).unwrap(), Days(30));
    policy.log = Some(schedule::policy::LogPolicy {
        every: Period::minutes(15),
        offset: Period::default(),
        retention: Days(15),
    });
    policy.running.jitter = Period::default();
    policy
}

/// An instance that is registered and well.
pub(crate) fn server(id: ServerId, name: &str, now: Timestamp, password: SecretId) -> Server {
    Server {
        id,
        name: name.to_owned(),
        address: name.to_owned(),
        login: Login::Sql {
            user: "sa".to_owned(),
            password,
        },
        restore_login: None,
        trust: Trust::Any,
        state: ServerState::Ready,
        host: None,
        facts: None,
        marker: None,
        readiness: Vec::new(),
        registered: now,
        discovered: Some(now),
        discovery_due: now + SignedDuration::from_hours(8_000),
        history_read: 0,
        history_set: None,
        error_log_read: None,
        settings: ServerSettings::default(),
        groups: Vec::new(),
    }
}

impl Vault {
    pub(crate) async fn enrol(&self, name: &str) -> ServerId {
        let now = self.now();
        let id = ServerId(self.world.chance.uuid());
        let server = server(id, name, now, SecretId(self.world.chance.uuid()));
        self.insert(server).await.unwrap();
        id
    }

    pub(crate) async fn add_database(
        &self,
        server: ServerId,
        name: &str,
        change: impl Fn(&mut Database),
    ) -> DatabaseId {
        let now = self.now();
        let mut database = Database {
            id: DatabaseId(self.world.chance.uuid()),
            server,
            group: None,
            name: name.to_owned(),
            former_names: Vec::new(),
            database_guid: Some(self.world.chance.uuid()),
            family_guid: Some(self.world.chance.uuid()),
            recovery_fork: None,
            number: 5,
            created: "2025-01-01T00:00:00".parse().unwrap(),
            state: DatabaseState {
                state: "ONLINE".to_owned(),
                recovery_model: "FULL".to_owned(),
                user_access: "MULTI_USER".to_owned(),
                is_read_only: false,
                is_standby: false,
                is_mirrored: false,
                is_snapshot: false,
                is_system: false,
                is_encrypted: false,
                last_log_backup_lsn: None,
                differential_base: None,
                is_log_shipped: false,
            },
            data_bytes: 1 << 20,
            log_bytes: 1 << 20,
            files: Vec::new(),
            first_seen: now,
            last_seen: now,
            gone: None,
            is_test_copy: false,
        };
        change(&mut database);
        let id = database.id;
        self.insert(database).await.unwrap();
        id
    }

    /// An instance with one database, protected by a policy of these.
    pub(crate) async fn add_item(&self, policy: schedule::Policy) -> (ItemId, PolicyId) {
        let server = self.enrol("sql1").await;
        let database = self.add_database(server, "Shop", |_| ()).await;
        let (policy, _) = self.create_policy(policy).await.unwrap();
        (self.protect(database, policy).await.unwrap(), policy)
    }

    pub(crate) async fn all_jobs(&self) -> Vec<Job> {
        let found = self.list::<Job>(catalog::Slot::C, Range::ALL).await.unwrap();
        found.into_iter().map(|job| job.record).collect()
    }

    pub(crate) async fn open_notices(&self) -> Vec<Notice> {
        self.notices(true, 1_000).await.unwrap()
    }

    pub(crate) async fn item(&self, id: ItemId) -> Item {
        self.get::<Item>(id).await.unwrap().record
    }

    /// A user's job.
    pub(crate) async fn ask_for(&self, item: ItemId, kind: BackupKind) -> Result<JobId, faults::Fault> {
        self.back_up(item, kind, None).await
    }
}

/// An id that nothing has.
pub(crate) fn nobody() -> Uuid {
    Uuid::from_u128(0xDEAD)
}
