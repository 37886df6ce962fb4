//! Instances and their databases written into the catalog by hand: for tests of what comes after registration and discovery.

use std::sync::Arc;

use catalog::record::{
    Database, DatabaseId, DatabaseState, Facts, FileSeen, Item, ItemId, Login, Secret as SecretRecord,
    SecretId, Server, ServerId, ServerSettings, ServerState, Trust, Vault as VaultRecord,
};
use catalog::{Catalog, CatalogError, Record, demand, insert, update};
use jiff::Timestamp;
use jiff::civil::DateTime;
use mssql::databases::{self, State};
use mssql::{Address, Authentication, Secret, Session, Target};
use vault::world::Chance as _;

use super::cluster::Cluster;
use super::servers::{self, PASSWORD};

impl Cluster {
    /// Writes an instance and all its user databases down as registered and discovered. Nothing is asked of it again for a year.
    pub(crate) async fn enrol(&self, server: &servers::Server) -> (ServerId, Vec<Database>) {
        let vault = self.vault().await;
        let key = vault.id().to_string();
        let (secret, password) = self.password();
        let record = self.server_record(&server.address, password);
        let databases = self.databases_of(server, record.id).await;
        // Its own way into the catalog: what the vault has open is one of several clients.
        let catalog = self.open_catalog();
        let mut tx = catalog.begin().await.unwrap();
        insert(tx.as_mut(), &key, secret).await.unwrap();
        insert(tx.as_mut(), &key, record.clone()).await.unwrap();
        for database in &databases {
            insert(tx.as_mut(), &key, database.clone()).await.unwrap();
        }
        tx.commit().await.unwrap();
        (record.id, databases)
    }

    /// Writes another database of an instance down that is enrolled.
    pub(crate) async fn enrol_database(
        &self,
        server: &servers::Server,
        id: ServerId,
        name: &str,
    ) -> DatabaseId {
        let databases = self.databases_of(server, id).await;
        let database = databases.into_iter().find(|one| one.name == name).unwrap();
        let found = database.id;
        let catalog = self.open_catalog();
        let mut tx = catalog.begin().await.unwrap();
        insert(tx.as_mut(), &self.vault_id().to_string(), database)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        found
    }

    /// Takes the wish for a healing backup from an item, for tests of what else begins a chain.
    pub(crate) async fn drop_wish(&self, item: ItemId) {
        self.rewrite::<Item>(&item.to_string(), |item| item.healing = None)
            .await;
    }

    /// The password of `sa`, sealed.
    pub(crate) fn password(&self) -> (SecretRecord, SecretId) {
        let id = SecretId(self.dice.uuid());
        let secret = Secret::new(PASSWORD.to_owned());
        (self.keyring.seal(id, &secret, &*self.dice).unwrap(), id)
    }

    /// An instance as registration writes it down.
    pub(crate) fn server_record(&self, address: &str, password: SecretId) -> Server {
        let now = self.now();
        let year = std::time::Duration::from_secs(365 * 86_400);
        Server {
            id: ServerId(self.dice.uuid()),
            name: address.to_owned(),
            address: address.to_owned(),
            login: Login::Sql {
                user: "sa".to_owned(),
                password,
            },
            restore_login: None,
            trust: Trust::Any,
            state: ServerState::Ready,
            host: None,
            facts: Some(facts(address, now)),
            marker: None,
            readiness: Vec::new(),
            registered: now,
            discovered: Some(now),
            discovery_due: now + year,
            history_read: 0,
            history_set: None,
            error_log_read: None,
            settings: ServerSettings::default(),
            groups: Vec::new(),
        }
    }

    async fn databases_of(&self, server: &servers::Server, id: ServerId) -> Vec<Database> {
        let address: Address = server.address.parse().unwrap();
        let authentication = Authentication::Password {
            user: "sa".to_owned(),
            password: Secret::new(PASSWORD.to_owned()),
        };
        let target = Target::new(address, authentication, mssql::Trust::Anyone);
        let mut session = Session::open(&*self.network, &target).await.unwrap();
        let found = databases::ask(&mut session).await.unwrap();
        let users = found.into_iter().filter(|one| one.id > 4);
        users.map(|one| self.database_record(id, &one)).collect()
    }

    fn database_record(&self, server: ServerId, seen: &databases::Database) -> Database {
        let chain = seen.chain.as_ref();
        Database {
            id: DatabaseId(self.dice.uuid()),
            server,
            group: None,
            name: seen.name.clone(),
            former_names: Vec::new(),
            database_guid: chain.and_then(|chain| chain.database_guid),
            family_guid: chain.and_then(|chain| chain.family_guid),
            recovery_fork: chain.and_then(|chain| chain.recovery_fork),
            number: seen.id,
            created: seen.created.to_string().parse::<DateTime>().unwrap(),
            state: DatabaseState {
                state: if seen.state == State::Online {
                    "ONLINE"
                } else {
                    "OFFLINE"
                }
                .to_owned(),
                recovery_model: match seen.recovery_model {
                    databases::RecoveryModel::Full => "FULL",
                    databases::RecoveryModel::BulkLogged => "BULK_LOGGED",
                    databases::RecoveryModel::Simple | databases::RecoveryModel::Unknown => "SIMPLE",
                }
                .to_owned(),
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
            data_bytes: seen
                .files
                .iter()
                .filter(|file| file.kind == 0)
                .map(|file| file.size)
                .sum(),
            log_bytes: seen
                .files
                .iter()
                .filter(|file| file.kind == 1)
                .map(|file| file.size)
                .sum(),
            files: seen
                .files
                .iter()
                .map(|file| FileSeen {
                    logical: file.logical_name.clone(),
                    path: file.physical_name.clone(),
                    is_log: file.kind == 1,
                    bytes: file.size,
                })
                .collect(),
            first_seen: self.now(),
            last_seen: self.now(),
            gone: None,
            is_test_copy: false,
        }
    }

    /// Changes what the vault says of itself.
    pub(crate) async fn change_vault(&self, change: impl Fn(&mut VaultRecord)) {
        self.rewrite(&self.vault_id().to_string(), change).await;
    }

    /// Changes a record; again where somebody else changed it meanwhile.
    async fn rewrite<R: Record>(&self, id: &str, change: impl Fn(&mut R)) {
        let (key, catalog) = (self.vault_id().to_string(), self.open_catalog());
        loop {
            let mut tx = catalog.begin().await.unwrap();
            let mut found = demand::<R>(tx.as_mut(), &key, id).await.unwrap();
            change(&mut found.record);
            let written = match update(tx.as_mut(), found).await {
                Ok(_) => tx.commit().await,
                Err(error) => Err(error),
            };
            match written {
                Ok(()) => return,
                Err(CatalogError::Conflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The catalog that the vault has open.
    pub(crate) fn open_catalog(&self) -> Arc<dyn Catalog> {
        self.opened
            .lock()
            .unwrap()
            .clone()
            .expect("a vault has the catalog open")
    }
}

fn facts(address: &str, now: Timestamp) -> Facts {
    let machine = address.split('\\').next().unwrap_or(address).to_uppercase();
    Facts {
        server_name: address.to_uppercase(),
        machine_name: machine,
        instance_name: None,
        version: "16.0.4175.0".to_owned(),
        edition: "Developer Edition (64-bit)".to_owned(),
        engine_edition: 3,
        collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
        data_path: Some("/sql/data".to_owned()),
        log_path: Some("/sql/log".to_owned()),
        backup_path: Some("/sql/backup".to_owned()),
        offset_minutes: 0,
        clock_ahead_seconds: 0,
        started: Some(now),
        is_hadr: false,
        is_clustered: false,
        is_linux: true,
    }
}
