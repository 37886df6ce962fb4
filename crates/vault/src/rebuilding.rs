//! A lost catalog, made again of the records beside the blobs.
//!
//! Each set's record says whose it is, and that of a full what its database, its policy and the address of its instance were like. From
//! these come the vault's own record, policies, instances, containers, databases and items; the recovery points come as they do after
//! any start (`cleaning`), from the same records.
//!
//! What cannot be known is put so that nothing is lost by it: instances have no login and count as unregistered, until somebody
//! registers them again; their marker still names the vault, so each finds its old place. Protection is stopped and its data retained,
//! so no schedule runs and nothing expires, until somebody resumes it. Deletions that were under way are taken back. A policy that no
//! full was taken by keeps its name alone.
//!
//! Doing it again after a crash goes on where it stood: the vault's own record is written last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use azblob::names::ContainerName;
use catalog::record::{
    Container, ContainerId, Database, DatabaseId, DatabaseState, Item, ItemId, Login, Policy, PolicyId,
    Protection, Server, ServerId, ServerSettings, ServerState, Trust, Vault as VaultRecord, VaultId,
};
use catalog::{Query, Range, Record, Scope, Slot, get, insert, page, scoped};
use faults::{Code, Fault};
use jiff::Timestamp;
use schedule::{Days, LocalTime};
use serde::Serialize;

use crate::backup::record::{Around, SetRecord};
use crate::cleaning::store_fault;
use crate::shelf::ShelfError;
use crate::vault::{Vault, new_record};
use crate::world::World;

/// Records that one question to the store asks for.
const PAGE: usize = 500;

/// What a catalog was made again of, and what it lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rebuilt {
    /// Records that were read.
    pub records: u64,
    /// Instances; each is to be registered again.
    pub servers: usize,
    /// Databases that were protected; each is to be resumed.
    pub items: usize,
    /// What could not be known, or read, in sentences.
    pub unknown: Vec<String>,
}

/// What the records tell, the newest word of each.
#[derive(Default)]
struct Told {
    servers: BTreeMap<ServerId, (Timestamp, String)>,
    addresses: BTreeMap<ServerId, (Timestamp, String)>,
    policies: BTreeMap<PolicyId, (Timestamp, String)>,
    rules: BTreeMap<PolicyId, (Timestamp, schedule::Policy)>,
    databases: BTreeMap<DatabaseId, (Timestamp, SetRecord)>,
    seen: BTreeMap<DatabaseId, (Timestamp, Database)>,
    items: BTreeMap<ItemId, (Timestamp, SetRecord, ContainerName)>,
    vaults: BTreeSet<VaultId>,
    first: Option<Timestamp>,
    rebuilt: Rebuilt,
}

impl Vault {
    /// Makes the vault of a lost catalog again. `vault`: which, where the store has records of several. `name`: what it shall be
    /// called, since no record says so.
    ///
    /// # Errors
    /// The catalog has it, the store has no records of it, or those of several vaults and nobody said which; store or catalog do not
    /// answer.
    pub async fn rebuild(
        world: World,
        vault: Option<VaultId>,
        name: &str,
    ) -> Result<(Arc<Self>, Rebuilt), Fault> {
        let told = read(&world, vault).await?;
        let id = match (vault, told.vaults.first(), told.vaults.len()) {
            (Some(vault), Some(_), _) => vault,
            (None, Some(only), 1) => *only,
            (_, None, _) => {
                return Err(Fault::new(Code::Bac2NotFound)
                    .because("the store has no record of a backup of that vault"));
            }
            (None, Some(_), _) => {
                let names: Vec<String> = told.vaults.iter().map(ToString::to_string).collect();
                let why = format!(
                    "the store has records of several vaults, say which: {}",
                    names.join(", ")
                );
                return Err(Fault::new(Code::Bac2InputInvalid).because(&why));
            }
        };
        let rebuilt = Self::over(world, id);
        if rebuilt.find::<VaultRecord>(id).await?.is_some() {
            let why = "the catalog has this vault: only what is lost is made again";
            return Err(Fault::new(Code::Bac2NameTaken).at(name).because(why));
        }
        let summary = rebuilt.rebuild_of(told, name).await?;
        Ok((rebuilt, summary))
    }

    async fn rebuild_of(&self, mut told: Told, name: &str) -> Result<Rebuilt, Fault> {
        let now = self.now();
        for policy in told.all_policies(now) {
            self.insert_missing(policy).await?;
        }
        for server in told.all_servers(now) {
            self.insert_missing(server).await?;
        }
        let groups = told.groups();
        let mut containers = BTreeMap::new();
        for (_, record, name) in told.items.values() {
            if !containers.contains_key(name.as_str()) {
                let group = groups.get(&record.database).copied().flatten();
                let id = self.container_again(name, record.server, group).await?;
                containers.insert(name.to_string(), id);
            }
        }
        for database in told.all_databases() {
            self.insert_missing(database).await?;
        }
        for (_, record, name) in told.items.values() {
            if let Some(container) = containers.get(name.as_str()) {
                self.insert_missing(item_of(record, *container, now)).await?;
            }
        }
        let vault = new_record(self.id, name, told.first.unwrap_or(now));
        self.insert_missing(vault).await?;
        self.adopt_records().await?;
        told.rebuilt.servers = told.servers.len();
        told.rebuilt.items = told.items.len();
        Ok(told.rebuilt)
    }

    /// Writes a record unless one of its id is there.
    async fn insert_missing<R: Record + Sync>(&self, record: R) -> Result<(), Fault> {
        let record = &record;
        self.transact(move |tx| {
            scoped(async move {
                if get::<R>(tx, &self.key, &record.id()).await?.is_none() {
                    insert(tx, &self.key, record.clone()).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// The record of a container of the store; by its name, since its id is lost.
    async fn container_again(
        &self,
        name: &ContainerName,
        server: ServerId,
        group: Option<uuid::Uuid>,
    ) -> Result<ContainerId, Fault> {
        let id = ContainerId(self.world.chance.uuid());
        self.transact(move |tx| {
            scoped(async move {
                let range = Range::exactly(name.to_string());
                let query = Query::of(Scope::vault(&self.key), Slot::A, range).limit(1);
                if let Some(found) = page::<Container>(tx, &query).await?.records.pop() {
                    return Ok(found.record.id);
                }
                let container = Container {
                    id,
                    name: name.to_string(),
                    server: group.is_none().then_some(server),
                    group,
                    access_policy: "bac2".to_owned(),
                    sas: None,
                    sas_until: None,
                    credentials: Vec::new(),
                    // Nobody can tell; the first sweep sees to it.
                    has_lent_policy: true,
                };
                insert(tx, &self.key, container).await?;
                Ok(id)
            })
        })
        .await
    }
}

/// Reads all records of the store, page by page, and keeps the newest word of each matter.
async fn read(world: &World, vault: Option<VaultId>) -> Result<Told, Fault> {
    let mut told = Told::default();
    let containers = world
        .shelf
        .containers()
        .await
        .map_err(|error| store_fault(&error))?;
    for container in containers {
        let mut after = None;
        loop {
            let records = match world.shelf.records(&container, after.as_ref(), PAGE).await {
                Ok(records) => records,
                Err(ShelfError::Missing(_)) => break,
                Err(error) => return Err(store_fault(&error)),
            };
            for (name, body) in &records {
                match SetRecord::decode(body) {
                    Ok(record) if vault.is_none_or(|vault| vault == record.vault) => {
                        told.take_in(record, &container);
                    }
                    Ok(_) => {}
                    Err(fault) => told.rebuilt.unknown.push(format!("{container}/{name}: {fault}")),
                }
            }
            match records.last() {
                Some((last, _)) if records.len() == PAGE => after = Some(last.clone()),
                _ => break,
            }
        }
    }
    Ok(told)
}

/// Keeps what was said last.
fn newer<K: Ord, T>(map: &mut BTreeMap<K, (Timestamp, T)>, key: K, at: Timestamp, what: impl FnOnce() -> T) {
    if map.get(&key).is_none_or(|(known, _)| *known <= at) {
        map.insert(key, (at, what()));
    }
}

impl Told {
    fn take_in(&mut self, record: SetRecord, container: &ContainerName) {
        let at = record.ended;
        self.rebuilt.records += 1;
        self.vaults.insert(record.vault);
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        newer(&mut self.servers, record.server, at, || {
            record.server_name.clone()
        });
        newer(&mut self.policies, record.policy, at, || {
            record.policy_name.clone()
        });
        newer(&mut self.databases, record.database, at, || record.clone());
        if let Some(around) = &record.around {
            let Around {
                database,
                policy,
                address,
            } = around.as_ref();
            newer(&mut self.addresses, record.server, at, || address.clone());
            newer(&mut self.rules, record.policy, at, || policy.clone());
            newer(&mut self.seen, record.database, at, || database.clone());
        }
        let known = self.items.get(&record.item);
        if known.is_none_or(|(known, ..)| *known <= at) {
            self.items.insert(record.item, (at, record, container.clone()));
        }
    }

    /// The availability group of each database.
    fn groups(&self) -> BTreeMap<DatabaseId, Option<uuid::Uuid>> {
        let seen = self.seen.iter();
        seen.map(|(id, (_, database))| (*id, database.group)).collect()
    }

    fn all_policies(&mut self, now: Timestamp) -> Vec<Policy> {
        let mut names = BTreeSet::new();
        let mut policies = Vec::new();
        for (id, (_, name)) in &self.policies {
            let rules = match self.rules.get(id) {
                Some((_, rules)) => rules.clone(),
                None => {
                    self.rebuilt.unknown.push(format!(
                        "what the policy {name} said: set it before protection is resumed"
                    ));
                    unknown(name)
                }
            };
            let mut policy = Policy {
                id: *id,
                policy: rules,
                created: now,
                changed: now,
            };
            // Two that had one name, one after the other.
            if !names.insert(policy.policy.name.to_lowercase()) {
                policy.policy.name = format!("{} ({})", policy.policy.name, &id.0.simple().to_string()[..8]);
                names.insert(policy.policy.name.to_lowercase());
            }
            policies.push(policy);
        }
        policies
    }

    fn all_servers(&mut self, now: Timestamp) -> Vec<Server> {
        let mut names = BTreeSet::new();
        let mut servers = Vec::new();
        for (id, (_, name)) in &self.servers {
            let address = self.addresses.get(id).map(|(_, address)| address.clone());
            let mut name = name.clone();
            if !names.insert(name.to_lowercase()) {
                name = format!("{name} ({})", &id.0.simple().to_string()[..8]);
                names.insert(name.to_lowercase());
            }
            self.rebuilt.unknown.push(format!(
                "how to log in to {name}, and that the credential for its container there is the vault's: register it again, and drop that \
                 credential, which is made anew"
            ));
            servers.push(Server {
                id: *id,
                address: address.unwrap_or_else(|| name.clone()),
                name,
                login: Login::Windows,
                restore_login: None,
                trust: Trust::Verify,
                state: ServerState::Unregistered { at: now },
                host: None,
                facts: None,
                marker: None,
                readiness: Vec::new(),
                registered: now,
                discovered: None,
                discovery_due: now,
                history_read: 0,
                history_set: None,
                error_log_read: None,
                settings: ServerSettings::default(),
                groups: Vec::new(),
            });
        }
        servers
    }

    fn all_databases(&self) -> Vec<Database> {
        let databases = self.databases.iter().map(|(id, (at, record))| {
            let seen = self.seen.get(id).map(|(_, database)| database.clone());
            let mut database = seen.unwrap_or_else(|| bare(record));
            database.name.clone_from(&record.database_name);
            database.server = record.server;
            database.last_seen = *at;
            database
        });
        databases.collect()
    }
}

/// A database of which no full tells.
fn bare(record: &SetRecord) -> Database {
    let set = &record.set;
    Database {
        id: record.database,
        server: record.server,
        group: None,
        name: record.database_name.clone(),
        former_names: Vec::new(),
        database_guid: record.database_guid,
        family_guid: set.family_guid,
        recovery_fork: Some(set.fork),
        number: 0,
        created: set.started,
        state: DatabaseState {
            state: "ONLINE".to_owned(),
            recovery_model: set.recovery_model.clone(),
            user_access: "MULTI_USER".to_owned(),
            is_read_only: false,
            is_standby: false,
            is_mirrored: false,
            is_snapshot: false,
            is_system: false,
            is_encrypted: set.thumbprint.is_some(),
            last_log_backup_lsn: None,
            differential_base: None,
            is_log_shipped: false,
        },
        data_bytes: 0,
        log_bytes: 0,
        files: Vec::new(),
        first_seen: record.ended,
        last_seen: record.ended,
        gone: None,
        is_test_copy: false,
    }
}

/// An item whose newest set this is. Its points bring back by themselves what the next backups stand on.
fn item_of(record: &SetRecord, container: ContainerId, now: Timestamp) -> Item {
    Item {
        id: record.item,
        edition: 1,
        database: record.database,
        server: record.server,
        policy: record.policy,
        policy_version: 1,
        inconsistent: None,
        protection: Protection::Stopped { since: now },
        container,
        since: now,
        took_over: None,
        foreign_owner: None,
        scheduled: BTreeMap::new(),
        due: BTreeMap::new(),
        slots: BTreeMap::new(),
        last: BTreeMap::new(),
        failures: BTreeMap::new(),
        log_end: None,
        base: None,
        healing: None,
        healed: None,
        unknown: Vec::new(),
    }
}

/// A policy of a name, of which nothing else is known: daily fulls, kept for as long as a policy can.
fn unknown(name: &str) -> schedule::Policy {
    let midnight = LocalTime::new(0, 0).expect("midnight is a time of day");
    schedule::Policy::daily(name, midnight, Days(9_999))
}
