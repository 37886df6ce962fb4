//! What people want of the vault.

use std::sync::Arc;

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Container, Database, Item, Point, Policy, Server as ServerRecord};
use vault::protection::Data;
use vault::registration::{MARKER_NAME, ServerChange};
use vault::shelf::{Proof, Shelf as _};

use super::setting::wanted_policy;
use super::{Actor, uptime};
use crate::story::{Change, Terms, database};
use crate::world::Server;

impl Actor {
    pub(super) async fn item_of(&self, server: usize, number: usize) -> Option<Item> {
        let databases: Vec<Database> = self.cluster.records().await;
        let name = self.name(server, number);
        let known = databases
            .iter()
            .find(|one| one.name == name && one.gone.is_none())?;
        let items: Vec<Item> = self.cluster.records().await;
        items.into_iter().find(|item| item.database == known.id)
    }

    async fn change_policy_to(&mut self, terms: Terms) -> bool {
        let Some(vault) = self.vault_if_up().await else {
            return false;
        };
        let Ok(policies) = vault.policies().await else {
            return false;
        };
        let found = policies.into_iter().find(|(one, _)| Some(one.id) == self.policy);
        let Some((policy, version)) = found else {
            return false;
        };
        let changed = wanted_policy(&self.story, terms);
        let done = vault.change_policy(policy.id, version, changed).await.is_ok();
        // Where it failed, nobody knows: what is true is in the catalog.
        let now = uptime(&self.cluster);
        if done || self.has_policy(terms).await {
            self.truth.terms.push((now, terms));
        }
        done
    }

    async fn has_policy(&self, terms: Terms) -> bool {
        let policies: Vec<Policy> = self.cluster.records().await;
        let wanted = wanted_policy(&self.story, terms);
        policies.iter().any(|one| one.policy == wanted)
    }

    pub(super) async fn change_policy(&mut self, change: Change) -> bool {
        let mut terms = self.terms();
        match change {
            Change::LogDays(days) => terms.log_days = days,
            Change::Jitter(minutes) => terms.jitter_minutes = minutes,
            Change::FullAt(at) => terms.full_at = at,
            Change::LogEvery(minutes) => terms.log_minutes = minutes,
        }
        self.change_policy_to(terms).await
    }

    /// The policy is what it was.
    pub(super) async fn restore_policy(&mut self) {
        let terms = self.story.stage.terms;
        if self.terms() != terms {
            assert!(
                self.change_policy_to(terms).await,
                "a policy changes while all is well"
            );
        }
    }

    pub(super) async fn suspend(&self, server: usize, number: usize, rests: bool) -> bool {
        if !self.cluster.vault_runs() {
            return false;
        }
        let Some(item) = self.item_of(server, number).await else {
            return false;
        };
        let vault = self.cluster.vault().await;
        let done = if rests {
            vault.suspend(item.id, None).await
        } else {
            vault.resume(item.id, None).await
        };
        done.is_ok()
    }

    async fn vault_if_up(&self) -> Option<Arc<vault::Vault>> {
        match self.cluster.vault_runs() {
            true => Some(self.cluster.vault().await),
            false => None,
        }
    }

    pub(super) async fn unprotect(&self, server: usize, number: usize, is_deleted: bool) -> bool {
        let (Some(vault), Some(item)) = (self.vault_if_up().await, self.item_of(server, number).await) else {
            return false;
        };
        let data = if is_deleted { Data::Delete } else { Data::Retain };
        vault.unprotect(item.id, data, None).await.is_ok()
    }

    pub(super) async fn undelete(&self, server: usize, number: usize) -> bool {
        let (Some(vault), Some(item)) = (self.vault_if_up().await, self.item_of(server, number).await) else {
            return false;
        };
        // One that was stopped only is there already.
        drop(vault.undelete(item.id, None).await);
        vault.resume(item.id, None).await.is_ok()
    }

    pub(super) async fn take_over(&self, server: usize, number: usize) -> bool {
        let (Some(vault), Some(item)) = (self.vault_if_up().await, self.item_of(server, number).await) else {
            return false;
        };
        vault.take_over_chain(item.id).await.is_ok()
    }

    /// Somebody makes a database.
    pub(super) async fn new_database(&mut self, server: usize, is_excluded: bool) -> bool {
        if self.servers[server].instance().is_none() {
            return false;
        }
        let born = self.truth.rows.keys().filter(|(of, _)| *of == server);
        let number = 1 + born.map(|(_, number)| *number).max().unwrap_or(0);
        let name = match is_excluded {
            true => format!("Scratch {server}{number}"),
            false => database(server, number),
        };
        let sql = self.cluster.sql(&self.servers[server]);
        sql.make_database(&name).await;
        let rows = vec![(uptime(&self.cluster), sql.rows(&name).await)];
        if is_excluded {
            self.truth.excluded.insert(name.clone());
        }
        self.names.insert((server, number), name);
        self.truth.rows.insert((server, number), rows);
        true
    }

    /// The registration of an instance.
    pub(super) async fn server_record(&self, server: &Server) -> Option<ServerRecord> {
        let records: Vec<ServerRecord> = self.cluster.records().await;
        let mut found = records.into_iter().filter(ServerRecord::is_registered);
        found.find(|one| one.address == server.address)
    }

    /// An instance is registered again; and nobody lets it go while something on it is protected.
    pub(super) async fn reregister(&mut self, server: usize) -> bool {
        let Some(vault) = self.vault_if_up().await else {
            return false;
        };
        let Some(record) = self.server_record(&self.servers[server]).await else {
            return false;
        };
        let items: Vec<Item> = self.cluster.records().await;
        if items.iter().any(|item| item.server == record.id) && vault.unregister(record.id).await.is_ok() {
            let name = &record.name;
            self.truth
                .wrong
                .push(format!("{name} was let go with protected databases"));
        }
        vault.reregister(record.id, ServerChange::default()).await.is_ok()
    }

    /// The instance without protected databases comes, or goes and keeps nothing of the vault.
    pub(super) async fn spare(&mut self, comes: bool) -> bool {
        let Some(vault) = self.vault_if_up().await else {
            return false;
        };
        let record = self.server_record(&self.spare).await;
        match (comes, record) {
            (true, None) => vault.add_server(self.new_server(&self.spare)).await.is_ok(),
            (false, Some(record)) => {
                let gone = vault.unregister(record.id).await;
                let is_clean = gone.as_ref().is_ok_and(Vec::is_empty);
                if is_clean && self.is_marked(&self.spare).await {
                    let name = &record.name;
                    self.truth
                        .wrong
                        .push(format!("{name} was let go, and is marked still"));
                }
                gone.is_ok()
            }
            _ => false,
        }
    }

    async fn is_marked(&self, server: &Server) -> bool {
        let text = format!("SELECT COUNT(*) FROM sys.credentials WHERE name = '{MARKER_NAME}'");
        let count = self.cluster.sql(server).value(&text).await;
        count != simsql::value::Value::Integer(0)
    }

    /// A second vault wants an instance of the first, and must not get it.
    pub(super) async fn other_vault(&mut self, server: usize) -> bool {
        let server = Arc::clone(&self.servers[server]);
        if server.instance().is_none() || !self.is_marked(&server).await {
            return false;
        }
        let world = self.cluster.other_world();
        let Ok(other) = vault::Vault::create(world, "other").await else {
            return false;
        };
        let got = other.add_server(self.new_server(&server)).await;
        if got.is_ok() {
            let name = &server.address;
            self.truth.wrong.push(format!("another vault was given {name}"));
        }
        got.is_err_and(|fault| fault.code() == faults::Code::Bac2InstanceOfAnotherVault)
    }

    /// A byte under a recovery point changes on the store's disk, and somebody reads the blob.
    pub(super) async fn rot(&mut self) -> bool {
        let points: Vec<Point> = self.cluster.records().await;
        if points.is_empty() {
            return false;
        }
        let point = &points[self.dice.below(points.len() as u64) as usize];
        let containers: Vec<Container> = self.cluster.records().await;
        let container = containers.iter().find(|one| one.id == point.container);
        let container = container.expect("a point's container is there");
        let place = self.dice.below(1000);
        let door = &self.cluster.door;
        if !door.rot(&container.name, &point.blobs[0], place) {
            return false;
        }
        // A store without room cannot write down what a reader found; who reads it next finds it.
        let name = ContainerName::new(container.name.as_str()).unwrap();
        let blob = BlobName::new(point.blobs[0].as_str()).unwrap();
        let seen = self.cluster.shelf.look(&name, &blob).await;
        let is_noted = matches!(&seen, Ok(Some(seen)) if matches!(seen.proof,
            Proof::Judged { verdict: Some(bak::Verdict::Damaged), .. }));
        let can_write =
            !self.is_short_of_room && door.store().is_some_and(|store| store.read_only().is_none());
        match (is_noted, can_write) {
            (true, _) => {}
            (false, false) => drop(self.truth.unnoted.insert(door.path(&name, &blob))),
            (false, true) => {
                let why = format!("a reader found {blob} damaged, and the store did not note it");
                self.truth.wrong.push(why);
            }
        }
        true
    }
}
