//! A lost catalog is made again of what lies beside the blobs.

use std::sync::Arc;
use std::time::Duration;

use azblob::names::ContainerName;
use catalog::record::{
    Container, Database, Item, ItemId, Point, PointId, Policy, Protection, Server as ServerRecord,
    ServerState, Vault as VaultRecord,
};
use catalog::{Catalog, Query, Range, Record, Scope, Slot, all};
use faults::Code;
use schedule::BackupKind::{CopyOnlyFull, Differential, Full, Log};
use vault::Vault;
use vault::backup::record::SetRecord;
use vault::shelf::Shelf as _;

use super::healing::{protected, with_logs};
use crate::world::{Cluster, Server};

async fn records<R: Record>(catalog: &Arc<dyn Catalog>, vault: &Vault) -> Vec<R> {
    let mut tx = catalog.read().await.unwrap();
    let query = Query::of(Scope::vault(vault.id().to_string()), Slot::Id, Range::ALL);
    let found = all::<R>(tx.as_mut(), query, 100_000).await.unwrap();
    found.into_iter().map(|one| one.record).collect()
}

/// Backups of all kinds of two databases.
async fn backed_up(cluster: &Cluster, server: &Server) -> Vec<ItemId> {
    let items = protected(cluster, server, &["Shop", "Crm"], with_logs()).await;
    for item in &items {
        cluster.vault().await.suspend(*item, None).await.unwrap();
    }
    let vault = cluster.start_vault().await;
    for kind in [Full, Log, Differential, CopyOnlyFull, Log] {
        for (item, name) in items.iter().zip(["Shop", "Crm"]) {
            cluster.sql(server).add_rows(name, 3).await;
            let days = (kind == CopyOnlyFull).then_some(90);
            let job = vault.back_up(*item, kind, days).await.unwrap();
            cluster.done(job).await;
        }
    }
    items
}

#[test]
fn everything_that_the_store_knows_is_there_again() {
    let cluster = Cluster::new(71);
    let server = cluster.server("sql1");
    cluster.run(async {
        let items = backed_up(&cluster, &server).await;
        let before = cluster.vault().await;
        let world = cluster.other_world();
        let catalog = Arc::clone(&world.catalog);
        let (again, told) = Vault::rebuild(world.clone(), None, "again").await.unwrap();
        assert_eq!((told.records, told.servers, told.items), (10, 1, 2));
        assert_eq!(again.id(), before.id());
        let mut points = records::<Point>(&catalog, &again).await;
        points.sort_by_key(|point| (point.ended, point.id));
        let known = cluster.points().await;
        assert_eq!(points.len(), known.len());
        for (known, point) in known.iter().zip(&points) {
            // The id of a container is lost; everything else is as it was.
            let of_before = Point {
                container: known.container,
                ..point.clone()
            };
            assert_eq!(*known, of_before);
        }
        for item in &items {
            assert_eq!(
                again.coverage(*item).await.unwrap().0,
                before.coverage(*item).await.unwrap().0
            );
        }
        let known = cluster.records::<Item>().await;
        for item in records::<Item>(&catalog, &again).await {
            let known = known.iter().find(|known| known.id == item.id).unwrap();
            assert!(matches!(item.protection, Protection::Stopped { .. }));
            assert_eq!(
                (
                    item.database,
                    item.server,
                    item.policy,
                    &item.last,
                    &item.log_end,
                    item.base
                ),
                (
                    known.database,
                    known.server,
                    known.policy,
                    &known.last,
                    &known.log_end,
                    known.base
                )
            );
        }
        let rules = |policies: Vec<Policy>| -> Vec<schedule::Policy> {
            let mut rules: Vec<_> = policies.into_iter().map(|policy| policy.policy).collect();
            rules.sort_by(|one, other| one.name.cmp(&other.name));
            rules
        };
        assert_eq!(
            rules(records(&catalog, &again).await),
            rules(cluster.records::<Policy>().await)
        );
        let servers = records::<ServerRecord>(&catalog, &again).await;
        let known = cluster.records::<ServerRecord>().await;
        assert_eq!(
            (servers[0].id, &servers[0].name, &servers[0].address),
            (known[0].id, &known[0].name, &known[0].address)
        );
        assert!(matches!(servers[0].state, ServerState::Unregistered { .. }));
        let names = |databases: Vec<Database>| -> Vec<(String, Option<uuid::Uuid>, bool)> {
            let mut names: Vec<_> = databases
                .into_iter()
                .filter(|one| known.len() == 1 && ["Shop", "Crm"].contains(&one.name.as_str()))
                .map(|one| (one.name, one.database_guid, one.gone.is_some()))
                .collect();
            names.sort();
            names
        };
        assert_eq!(
            names(records(&catalog, &again).await),
            names(cluster.records::<Database>().await)
        );
        assert_eq!(records::<VaultRecord>(&catalog, &again).await[0].name, "again");
        // Whoever asks twice has it already.
        drop(again);
        let twice = Vault::rebuild(world, None, "twice").await;
        assert_eq!(twice.map(drop).unwrap_err().code(), Code::Bac2NameTaken);
    });
}

#[test]
fn a_rebuilding_that_was_cut_off_is_done_again() {
    let cluster = Cluster::new(72);
    let server = cluster.server("sql1");
    cluster.run(async {
        let items = backed_up(&cluster, &server).await;
        let before = cluster.vault().await;
        let covered = before.coverage(items[0]).await.unwrap().0;
        let world = cluster.other_world();
        let catalog = Arc::clone(&world.catalog);
        let mut cut = 0;
        for milliseconds in 0.. {
            let rebuilding = Box::pin(Vault::rebuild(world.clone(), None, "again"));
            let time = Duration::from_micros(50 + 100 * milliseconds);
            let pause = Box::pin(cluster.pass(time));
            match futures::future::select(rebuilding, pause).await {
                futures::future::Either::Left((done, _)) => {
                    match done {
                        Ok(_) => {}
                        // The vault's own record was written before it was cut off: the next start does the rest.
                        Err(fault) => assert_eq!(fault.code(), Code::Bac2NameTaken),
                    }
                    break;
                }
                futures::future::Either::Right(_) => cut += 1,
            }
        }
        assert!(cut >= 2, "{cut}");
        let again = Vault::open(world, before.id()).await.unwrap();
        let run = Box::pin(again.run(std::future::pending()));
        let pause = Box::pin(cluster.pass(Duration::from_secs(60)));
        drop(futures::future::select(run, pause).await);
        assert_eq!(again.coverage(items[0]).await.unwrap().0, covered);
        assert_eq!(records::<Item>(&catalog, &again).await.len(), 2);
        assert_eq!(records::<Point>(&catalog, &again).await.len(), 10);
        assert_eq!(records::<Container>(&catalog, &again).await.len(), 1);
    });
}

/// The container of the one instance, and the records beside its blobs.
async fn beside(cluster: &Cluster) -> (ContainerName, Vec<SetRecord>) {
    let containers = cluster.records::<Container>().await;
    let name = ContainerName::new(containers[0].name.clone()).unwrap();
    let found = cluster.shelf.records(&name, None, 100).await.unwrap();
    let records = found.iter().map(|(_, body)| SetRecord::decode(body).unwrap());
    (name, records.collect())
}

/// The point of a set, as a catalog that is made again has it.
async fn rebuilt(cluster: &Cluster, id: PointId) -> Point {
    let world = cluster.other_world();
    let catalog = Arc::clone(&world.catalog);
    let (again, _) = Vault::rebuild(world, None, "again").await.unwrap();
    let points = records::<Point>(&catalog, &again).await;
    points.into_iter().find(|point| point.id == id).unwrap()
}

#[test]
fn until_when_a_user_wants_a_point_outlives_the_catalog() {
    let cluster = Cluster::new(74);
    let server = cluster.server("sql1");
    cluster.run(async {
        let items = backed_up(&cluster, &server).await;
        let vault = cluster.vault().await;
        // Of the newest chain nothing can be deleted.
        cluster
            .done(vault.back_up(items[0], Full, None).await.unwrap())
            .await;
        let points = cluster.points().await;
        let is_wanted = |point: &&Point| point.kind == CopyOnlyFull && point.item == items[0];
        let wanted = points.iter().find(is_wanted).unwrap();
        vault.delete_point(wanted.id).await.unwrap();
        let until = cluster.now() + Duration::from_secs(300 * 86_400);
        vault.undelete_point(wanted.id, until).await.unwrap();
        drop(vault);
        assert_eq!(rebuilt(&cluster, wanted.id).await.keep_until, Some(until));
        // One of the two could not be written then, and the other says what was wanted.
        let later = until + Duration::from_secs(86_400);
        for (word, kept) in [(wanted.keep_until, until), (Some(later), later)] {
            let (container, records) = beside(&cluster).await;
            let mut record = records.into_iter().find(|one| one.point == wanted.id).unwrap();
            record.keep_until = word;
            let (name, body) = (record.name(), record.encode().unwrap());
            cluster.shelf.put_record(&container, &name, body).await.unwrap();
            cluster.pass(Duration::from_secs(25 * 3_600)).await;
            let points = cluster.points().await;
            let point = points.iter().find(|point| point.id == wanted.id).unwrap();
            assert_eq!(point.keep_until, Some(kept));
            assert_eq!(rebuilt(&cluster, wanted.id).await.keep_until, Some(kept));
        }
    });
}

#[test]
fn what_nobody_can_know_is_said_and_what_is_not_there_is_refused() {
    let cluster = Cluster::new(73);
    let server = cluster.server("sql1");
    cluster.run(async {
        let nothing = Vault::rebuild(cluster.other_world(), None, "again").await;
        assert_eq!(nothing.map(drop).unwrap_err().code(), Code::Bac2NotFound);
        backed_up(&cluster, &server).await;
        // Another vault has a set in the store, and a record that nobody can read lies there.
        let (container, mut records) = beside(&cluster).await;
        let mut other = records.remove(0);
        let shelf = &cluster.shelf;
        other.vault = catalog::record::VaultId(uuid::Uuid::from_u128(9));
        other.set.guid = uuid::Uuid::from_u128(10);
        shelf
            .put_record(&container, &other.name(), other.encode().unwrap())
            .await
            .unwrap();
        let broken = azblob::names::BlobName::new("shop/broken.json").unwrap();
        shelf
            .put_record(&container, &broken, b"{".to_vec())
            .await
            .unwrap();
        let several = Vault::rebuild(cluster.other_world(), None, "again").await;
        assert_eq!(several.map(drop).unwrap_err().code(), Code::Bac2InputInvalid);
        let id = cluster.vault().await.id();
        let (_, told) = Vault::rebuild(cluster.other_world(), Some(id), "again")
            .await
            .unwrap();
        assert_eq!(told.records, 10);
        let said = told.unknown.join("; ");
        assert!(
            said.contains("shop/broken.json") && said.contains("log in to"),
            "{said}"
        );
    });
}
