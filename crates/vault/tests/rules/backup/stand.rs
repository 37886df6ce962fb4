//! A protected database in the simulated world, its registration written down by hand.

use std::sync::Arc;
use std::time::Duration;

use azblob::names::ContainerName;
use catalog::record::{
    Container, Database, DatabaseId, DatabaseState, Facts, Item, ItemId, Job, JobState, Login, Point,
    Server as ServerRecord, ServerId, ServerSettings, ServerState, Trust,
};
use catalog::{Record, insert};
use faults::Code;
use mssql::{Secret, Session};
use schedule::{BackupKind, Policy};
use simsql::instance::Version;
use uuid::Uuid;
use vault::Vault;

use crate::world::{Cluster, PASSWORD, Server};

/// A database of an instance, protected.
pub(super) struct Stand {
    pub(super) cluster: Cluster,
    pub(super) server: Arc<Server>,
}

pub(super) const DATABASE: &str = "Shop";

/// Fulls at night, differentials at noon, logs every quarter of an hour. The first slot of a log is due soon after midnight.
pub(super) const STANDARD: &str = r#"{"version": 1, "name": "standard",
    "full": {"schedule": {"frequency": "weekly", "days": ["sunday"], "times": ["22:00"]},
             "retention": {"weekly": {"count": 4, "days": ["sunday"]}}},
    "differential": {"days": ["monday", "wednesday"], "times": ["12:00"]},
    "log": {"every": "15m"}, "running": {"jitter": "0s"}}"#;

/// One full a week, and nothing else: what a test wants, it asks for.
pub(super) const QUIET: &str = r#"{"version": 1, "name": "quiet",
    "full": {"schedule": {"frequency": "weekly", "days": ["sunday"], "times": ["22:00"]},
             "retention": {"weekly": {"count": 4, "days": ["sunday"]}}}, "running": {"jitter": "0s"}}"#;

impl Stand {
    pub(super) fn new(seed: u64) -> Self {
        Self::of(seed, Version::V2019)
    }

    pub(super) fn of(seed: u64, version: Version) -> Self {
        let cluster = Cluster::new(seed);
        let server = cluster.server_of("sql1", None, version);
        Self { cluster, server }
    }

    pub(super) fn run<T>(&self, scenario: impl Future<Output = T>) -> T {
        self.cluster.run(scenario)
    }

    pub(super) async fn write<R: Record + Sync>(&self, catalog: &dyn catalog::Catalog, record: R) {
        let mut tx = catalog.begin().await.unwrap();
        insert(tx.as_mut(), &self.cluster.vault_id().to_string(), record)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Makes the database and the records of a registration by hand, protects it, and starts the vault.
    pub(super) async fn protect(&self, policy: &str) -> (Arc<Vault>, ItemId) {
        self.cluster.sql(&self.server).make_database(DATABASE).await;
        self.protect_named(policy, DATABASE).await
    }

    pub(super) async fn protect_named(&self, policy: &str, name: &str) -> (Arc<Vault>, ItemId) {
        let vault = self.cluster.vault().await;
        let database = self.register(name).await;
        let policy = Policy::from_json(policy).unwrap();
        let (policy, _) = vault.create_policy(policy).await.unwrap();
        let item = vault.protect(database, policy).await.unwrap();
        drop(vault);
        (self.cluster.start_vault().await, item)
    }

    pub(super) async fn register(&self, name: &str) -> DatabaseId {
        let catalog = self.cluster.open_catalog();
        let now = self.cluster.now();
        let (sealed, secret) = self.cluster.password();
        self.write(catalog.as_ref(), sealed).await;
        let seen = self.seen(name).await;
        let server = ServerId(Uuid::from_u128(1));
        let version = self.version().await;
        self.write(
            catalog.as_ref(),
            ServerRecord {
                id: server,
                name: "sql1".to_owned(),
                address: self.server.address.clone(),
                login: Login::Sql {
                    user: "sa".to_owned(),
                    password: secret,
                },
                restore_login: None,
                trust: Trust::Any,
                state: ServerState::Ready,
                host: None,
                facts: Some(facts(&version)),
                marker: None,
                readiness: Vec::new(),
                registered: now,
                discovered: None,
                discovery_due: now + Duration::from_secs(400 * 86_400),
                history_read: 0,
                history_set: None,
                error_log_read: None,
                settings: ServerSettings::default(),
                groups: Vec::new(),
            },
        )
        .await;
        let id = DatabaseId(Uuid::from_u128(2));
        self.write(catalog.as_ref(), record_of(id, server, &seen, now))
            .await;
        id
    }

    pub(super) async fn version(&self) -> String {
        let sql = self.cluster.sql(&self.server);
        let value = sql
            .value("SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128))")
            .await;
        match value {
            simsql::value::Value::Text(text) => text.to_string(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn seen(&self, name: &str) -> mssql::databases::Database {
        let target = mssql::Target::new(
            self.server.address.parse().unwrap(),
            mssql::Authentication::Password {
                user: "sa".to_owned(),
                password: Secret::new(PASSWORD.to_owned()),
            },
            mssql::Trust::Anyone,
        );
        let mut session = Session::open(&*self.cluster.network, &target).await.unwrap();
        let name = mssql::quoting::Identifier::new(name).unwrap();
        mssql::databases::ask_named(&mut session, &name)
            .await
            .unwrap()
            .unwrap()
    }

    pub(super) async fn back_up(&self, vault: &Vault, item: ItemId, kind: BackupKind) -> Job {
        let job = vault.back_up(item, kind, None).await.unwrap();
        self.cluster.ended(job).await
    }

    pub(super) async fn refused(&self, vault: &Vault, item: ItemId, kind: BackupKind) -> Code {
        let job = self.back_up(vault, item, kind).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        assert_eq!(job.point, None);
        job.fault.expect("why it failed").code()
    }

    pub(super) async fn point(&self, job: &Job) -> Point {
        let points = self.cluster.points().await;
        let id = job.point.unwrap_or_else(|| panic!("{job:#?}"));
        points.into_iter().find(|point| point.id == id).unwrap()
    }

    /// Whether an open notice says this.
    pub(super) async fn is_told(&self, code: Code) -> bool {
        let notices = self.cluster.notices().await;
        notices.iter().any(|notice| notice.fault.code() == code)
    }

    pub(super) async fn container(&self) -> ContainerName {
        let containers = self.cluster.records::<Container>().await;
        ContainerName::new(containers[0].name.clone()).unwrap()
    }

    pub(super) async fn change_item(&self, item: ItemId, change: impl Fn(&mut Item)) {
        self.change(&item.to_string(), change).await;
    }

    pub(super) async fn change_container(&self, change: impl Fn(&mut Container)) {
        let containers = self.cluster.records::<Container>().await;
        self.change(&containers[0].id.to_string(), change).await;
    }

    /// What the catalog believes the instance's version to be.
    pub(super) async fn change_version(&self, version: &str) {
        let server = Uuid::from_u128(1).to_string();
        self.change::<ServerRecord>(&server, |server| {
            server.facts.as_mut().unwrap().version = version.to_owned();
        })
        .await;
    }

    pub(super) async fn change<R: Record>(&self, id: &str, change: impl Fn(&mut R)) {
        let catalog = self.cluster.open_catalog();
        let key = self.cluster.vault_id().to_string();
        let mut tx = catalog.begin().await.unwrap();
        let mut found = catalog::demand::<R>(tx.as_mut(), &key, id).await.unwrap();
        change(&mut found.record);
        catalog::update(tx.as_mut(), found).await.unwrap();
        tx.commit().await.unwrap();
    }
}

pub(super) fn facts(version: &str) -> Facts {
    Facts {
        server_name: "SQL1".to_owned(),
        machine_name: "SQL1".to_owned(),
        instance_name: None,
        version: version.to_owned(),
        edition: "Developer Edition (64-bit)".to_owned(),
        engine_edition: 3,
        collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
        data_path: None,
        log_path: None,
        backup_path: None,
        offset_minutes: 0,
        clock_ahead_seconds: 0,
        started: None,
        is_hadr: false,
        is_clustered: false,
        is_linux: false,
    }
}

pub(super) fn record_of(
    id: DatabaseId,
    server: ServerId,
    seen: &mssql::databases::Database,
    now: jiff::Timestamp,
) -> Database {
    let chain = seen.chain.clone().unwrap();
    Database {
        id,
        server,
        group: None,
        name: seen.name.clone(),
        former_names: Vec::new(),
        database_guid: chain.database_guid,
        family_guid: chain.family_guid,
        recovery_fork: chain.recovery_fork,
        number: seen.id,
        created: seen.created.to_string().parse().unwrap(),
        state: DatabaseState {
            state: "ONLINE".to_owned(),
            recovery_model: match seen.recovery_model {
                mssql::databases::RecoveryModel::Simple => "SIMPLE",
                _ => "FULL",
            }
            .to_owned(),
            user_access: "MULTI_USER".to_owned(),
            is_read_only: false,
            is_standby: false,
            is_mirrored: false,
            is_snapshot: false,
            is_system: seen.id <= 4,
            is_encrypted: false,
            last_log_backup_lsn: None,
            differential_base: None,
            is_log_shipped: false,
        },
        data_bytes: seen.data_bytes(),
        log_bytes: seen.log_bytes(),
        files: Vec::new(),
        first_seen: now,
        last_seen: now,
        gone: None,
        is_test_copy: false,
    }
}
