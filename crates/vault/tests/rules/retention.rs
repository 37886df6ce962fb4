//! How long recovery points live, and how they end, in the simulated world. The vault is away while days pass: what it does at its next
//! start is what a day of it would have come to.

use std::collections::BTreeSet;
use std::time::Duration;

use azblob::lease::{LeaseAction, LeaseDuration, LeaseId};
use azblob::names::{BlobName, ContainerName};
use catalog::record::{
    Container, DeletedFor, Item, ItemId, Job, JobState, Point, PointId, PolicyId, Protection, Work,
};
use faults::Code;
use schedule::BackupKind::{self, CopyOnlyFull, Differential, Full, Log};
use schedule::{Days, Policy};
use vault::Vault;
use vault::backup::record::SetRecord;
use vault::protection::Data;
use vault::retention::Reason;
use vault::shelf::Shelf as _;

use super::healing::protected;
use crate::world::{Cluster, Server};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Logs are kept for seven days; its schedule comes in nobody's way, since items are suspended here.
fn weekly() -> Policy {
    let mut policy = Policy::from_json(
        r#"{"version": 1, "name": "weekly",
            "full": {"schedule": {"frequency": "weekly", "days": ["sunday"], "times": ["22:00"]},
                     "retention": {"weekly": {"count": 4, "days": ["sunday"]}}},
            "log": {"every": "15m", "retention": "7d"}, "running": {"jitter": "0s"}}"#,
    )
    .unwrap();
    policy.healing.enabled = false;
    policy
}

/// A day without the vault, and a look at everything at the end of it.
async fn days(cluster: &Cluster, days: u32) {
    cluster.crash_vault();
    cluster.pass(days * DAY).await;
    cluster.start_vault().await;
    cluster.pass(MINUTE).await;
}

/// A suspended item with so many backups of these kinds, a day apart.
async fn backed_up(cluster: &Cluster, server: &Server, kinds: &[BackupKind]) -> ItemId {
    let item = protected(cluster, server, &["Shop"], weekly()).await[0];
    cluster.vault().await.suspend(item, None).await.unwrap();
    cluster.start_vault().await;
    take(cluster, server, item, kinds).await;
    item
}

async fn take(cluster: &Cluster, server: &Server, item: ItemId, kinds: &[BackupKind]) {
    for kind in kinds {
        cluster.sql(server).add_rows("Shop", 3).await;
        let vault = cluster.vault().await;
        let keep = kind.is_full().then_some(7);
        let job = vault.back_up(item, *kind, keep).await.unwrap();
        cluster.done(job).await;
        drop(vault);
        days(cluster, 1).await;
    }
}

async fn container(cluster: &Cluster) -> ContainerName {
    let containers = cluster.records::<Container>().await;
    ContainerName::new(containers[0].name.clone()).unwrap()
}

/// What lies in the store: names of blobs, and the points of the records.
async fn stored(cluster: &Cluster) -> (BTreeSet<String>, BTreeSet<PointId>) {
    let container = container(cluster).await;
    let blobs = cluster.shelf.list(&container, None, 1_000).await.unwrap();
    let records = cluster.shelf.records(&container, None, 1_000).await.unwrap();
    (
        blobs.iter().map(|blob| blob.name.to_string()).collect(),
        records
            .iter()
            .map(|(_, body)| SetRecord::decode(body).unwrap().point)
            .collect(),
    )
}

/// Catalog and store name the same.
async fn agree(cluster: &Cluster, points: &[Point]) {
    let (blobs, records) = stored(cluster).await;
    let named: BTreeSet<String> = points.iter().flat_map(|point| point.blobs.clone()).collect();
    assert_eq!(blobs, named);
    let ids: BTreeSet<PointId> = points.iter().map(|point| point.id).collect();
    assert_eq!(records, ids);
}

async fn version(vault: &Vault, policy: PolicyId) -> i64 {
    let policies = vault.policies().await.unwrap();
    policies.into_iter().find(|(one, _)| one.id == policy).unwrap().1
}

fn deleted(points: &[Point]) -> Vec<bool> {
    points.iter().map(|point| point.deletion.is_some()).collect()
}

#[test]
fn what_nothing_keeps_is_deleted_softly_and_leaves_the_store_when_its_time_is_over() {
    let cluster = Cluster::new(51);
    let server = cluster.server("sql1");
    cluster.run(async {
        backed_up(&cluster, &server, &[Full, Full]).await;
        let before = cluster.points().await;
        // The first is eight days old, the second seven.
        days(&cluster, 6).await;
        let points = cluster.points().await;
        assert_eq!(deleted(&points), [true, false]);
        let deletion = points[0].deletion.clone().unwrap();
        assert_eq!((deletion.why, deletion.is_final), (DeletedFor::Age, false));
        assert_eq!(deletion.until.duration_since(deletion.since).as_hours(), 14 * 24);
        agree(&cluster, &points).await;
        days(&cluster, 13).await;
        assert_eq!(cluster.points().await, points, "13 days are not 14");
        // However old the newest chain is.
        days(&cluster, 2).await;
        let left = cluster.points().await;
        assert_eq!(left, before[1..]);
        agree(&cluster, &left).await;
        days(&cluster, 4_000).await;
        assert_eq!(cluster.points().await, left);
    });
}

#[test]
fn a_base_lives_as_long_as_what_stands_on_it() {
    let cluster = Cluster::new(52);
    let server = cluster.server("sql1");
    cluster.run(async {
        // Differentials are kept for 30 days where the policy does not say.
        let kinds = [Full, Log, Differential, Full, Log];
        let item = backed_up(&cluster, &server, &kinds).await;
        days(&cluster, 3).await;
        let points = cluster.points().await;
        assert_eq!(
            deleted(&points),
            [false; 5],
            "the first log leads to where the second full is"
        );
        days(&cluster, 3).await;
        let points = cluster.points().await;
        assert_eq!(
            deleted(&points),
            [false, true, false, false, false],
            "the differential does still"
        );
        let vault = cluster.vault().await;
        let plan = vault.retention_plan(item).await.unwrap();
        drop(vault);
        assert_eq!(plan[0].reasons, [Reason::Needed { by: points[2].id }]);
        assert!(plan[1].reasons.is_empty() && plan[1].deletion.is_some());
        assert_eq!(
            plan[1].gone,
            points[1].deletion.as_ref().map(|deletion| deletion.until)
        );
        assert!(matches!(plan[2].reasons[..], [Reason::Rule { .. }]));
        // 30 days after it ended the differential goes, and its full with it.
        let ends = points[2].ended + 30 * DAY;
        assert_eq!(plan[2].expires, Some(ends));
        let of_base = plan[0].expires.unwrap().duration_since(ends).as_hours();
        assert!((0..=48).contains(&of_base), "{plan:#?}");
        assert!(plan[3].reasons.contains(&Reason::NewestChain) && plan[3].expires.is_none());
        assert!(plan[4].reasons.contains(&Reason::NewestChain) && plan[4].gone.is_none());
        days(&cluster, 22).await;
        let points = cluster.points().await;
        let kinds: Vec<BackupKind> = points
            .iter()
            .filter(|point| point.deletion.is_none())
            .map(|point| point.kind)
            .collect();
        assert_eq!(kinds, [Full, Log]);
    });
}

#[test]
fn what_is_kept_longer_after_all_comes_back() {
    let cluster = Cluster::new(53);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = backed_up(&cluster, &server, &[Full, Log, Full]).await;
        days(&cluster, 6).await;
        assert_eq!(deleted(&cluster.points().await), [true, true, false]);
        // A longer retention applies to what there is.
        let vault = cluster.vault().await;
        let policy = cluster.item(item).await.policy;
        let mut rules = weekly();
        rules.log.as_mut().unwrap().retention = Days(35);
        let seen = version(&vault, policy).await;
        vault.change_policy(policy, seen, rules).await.unwrap();
        drop(vault);
        cluster.pass(11 * MINUTE).await;
        assert_eq!(
            deleted(&cluster.points().await),
            [false; 3],
            "the log, and its full"
        );
        // And a shorter one.
        let vault = cluster.vault().await;
        let seen = version(&vault, policy).await;
        vault.change_policy(policy, seen, weekly()).await.unwrap();
        cluster.pass(11 * MINUTE).await;
        let points = cluster.points().await;
        assert_eq!(deleted(&points), [true, true, false]);
        // A user wants it.
        let until = cluster.now() + 30 * DAY;
        let early = vault
            .undelete_point(points[0].id, cluster.now())
            .await
            .unwrap_err();
        assert_eq!(early.code(), Code::Bac2InputInvalid);
        let back = vault.undelete_point(points[0].id, until).await.unwrap();
        assert_eq!((back.deletion, back.keep_until), (None, Some(until)));
        let twice = vault.undelete_point(points[0].id, until).await.unwrap_err();
        assert_eq!(twice.code(), Code::Bac2NotFound);
        drop(vault);
        days(&cluster, 29).await;
        let left = cluster.points().await;
        assert_eq!(
            (left.len(), deleted(&left)),
            (2, vec![false, false]),
            "the log is gone"
        );
        days(&cluster, 3).await;
        assert_eq!(deleted(&cluster.points().await), [true, false]);
    });
}

#[test]
fn a_point_that_comes_back_brings_what_it_stands_on() {
    let cluster = Cluster::new(54);
    let server = cluster.server("sql1");
    cluster.run(async {
        backed_up(&cluster, &server, &[Full, Log, Log, Full]).await;
        days(&cluster, 17).await;
        let points = cluster.points().await;
        assert_eq!(deleted(&points), [true, true, true, false]);
        let vault = cluster.vault().await;
        let until = cluster.now() + 30 * DAY;
        vault.undelete_point(points[2].id, until).await.unwrap();
        assert_eq!(deleted(&cluster.points().await), [false; 4]);
    });
}

#[test]
fn a_full_that_turns_out_to_be_damaged_brings_the_chain_before_it_back() {
    let cluster = Cluster::new(55);
    let server = cluster.server("sql1");
    cluster.run(async {
        backed_up(&cluster, &server, &[Full, Full]).await;
        days(&cluster, 10).await;
        let points = cluster.points().await;
        assert_eq!(deleted(&points), [true, false]);
        cluster.crash_vault();
        let key = cluster.vault().await.id().to_string();
        {
            let catalog = cluster.open_catalog();
            let mut tx = catalog.begin().await.unwrap();
            let mut found = catalog::demand::<Point>(tx.as_mut(), &key, &points[1].id.to_string())
                .await
                .unwrap();
            found.record.grade = catalog::record::Grade::Disputed;
            catalog::update(tx.as_mut(), found).await.unwrap();
            tx.commit().await.unwrap();
        }
        cluster.start_vault().await;
        cluster.pass(MINUTE).await;
        assert_eq!(
            deleted(&cluster.points().await),
            [false, false],
            "nothing else restores, and a damaged one goes no sooner"
        );
    });
}

#[test]
fn users_delete_what_nothing_needs_alone() {
    let cluster = Cluster::new(56);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = backed_up(&cluster, &server, &[Full, Log, CopyOnlyFull, Full]).await;
        let points = cluster.points().await;
        let vault = cluster.vault().await;
        for needed in [0, 3] {
            let refused = vault.delete_point(points[needed].id).await.unwrap_err();
            assert_eq!(refused.code(), Code::Bac2PointNeeded, "{needed}");
        }
        let gone = vault.delete_point(points[2].id).await.unwrap();
        assert_eq!(gone.deletion.unwrap().why, DeletedFor::User);
        let again = vault.delete_point(points[2].id).await.unwrap_err();
        assert_eq!(again.code(), Code::Bac2SoftDeleted);
        vault.unprotect(item, Data::Retain, None).await.unwrap();
        let retained = vault.delete_point(points[1].id).await.unwrap_err();
        assert_eq!(retained.code(), Code::Bac2PointNeeded);
        vault.resume(item, None).await.unwrap();
        vault.suspend(item, None).await.unwrap();
        drop(vault);
        days(&cluster, 1).await;
        assert_eq!(deleted(&cluster.points().await), [false, false, true, false]);
        let vault = cluster.vault().await;
        let until = cluster.now() + 3 * DAY;
        vault.undelete_point(points[2].id, until).await.unwrap();
        assert_eq!(deleted(&cluster.points().await), [false; 4]);
    });
}

#[test]
fn what_is_retained_when_protection_stops_stays_for_ever() {
    let cluster = Cluster::new(57);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = backed_up(&cluster, &server, &[Full, Full]).await;
        let vault = cluster.vault().await;
        vault.unprotect(item, Data::Retain, None).await.unwrap();
        drop(vault);
        let before = cluster.points().await;
        days(&cluster, 2_000).await;
        assert_eq!(cluster.points().await, before);
    });
}

#[test]
fn a_deleted_item_takes_all_its_points_with_it_when_its_time_is_over() {
    let cluster = Cluster::new(58);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = backed_up(&cluster, &server, &[Full, Log, Full]).await;
        let vault = cluster.vault().await;
        let points = cluster.points().await;
        vault.unprotect(item, Data::Delete, None).await.unwrap();
        let refused = vault
            .undelete_point(points[0].id, cluster.now() + DAY)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::Bac2SoftDeleted);
        drop(vault);
        days(&cluster, 13).await;
        let kept = cluster.points().await;
        assert_eq!(kept, points);
        agree(&cluster, &kept).await;
        days(&cluster, 2).await;
        cluster.pass(11 * MINUTE).await;
        assert_eq!(cluster.points().await, []);
        assert!(cluster.records::<Item>().await.is_empty());
        agree(&cluster, &[]).await;
        let purge = cluster
            .records::<Job>()
            .await
            .into_iter()
            .find(|job| job.work == Work::Purge);
        assert_eq!(purge.unwrap().state, JobState::Completed);
    });
}

#[test]
fn a_blob_that_is_leased_is_removed_when_the_lease_is() {
    let cluster = Cluster::new(59);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = backed_up(&cluster, &server, &[Full]).await;
        let container = container(&cluster).await;
        let blob = BlobName::new(cluster.points().await[0].blobs[0].clone()).unwrap();
        let vault = cluster.vault().await;
        vault.unprotect(item, Data::Delete, None).await.unwrap();
        drop(vault);
        cluster.crash_vault();
        cluster.pass(15 * DAY).await;
        let path = cluster.door.path(&container, &blob);
        let acquire = LeaseAction::Acquire {
            proposed: Some(LeaseId::from_u128(7)),
            duration: LeaseDuration::Infinite,
        };
        let store = cluster.door.store().unwrap();
        store.lease_blob(&path, &acquire, &|_| Ok(())).unwrap();
        drop(store);
        let uptime = cluster.door.uptime();
        cluster.door.uses().used("somebody", &path, uptime);
        cluster.start_vault().await;
        cluster.pass(30 * MINUTE).await;
        let points = cluster.points().await;
        assert!(
            points[0]
                .deletion
                .as_ref()
                .is_some_and(|deletion| deletion.is_final)
        );
        assert!(cluster.shelf.look(&container, &blob).await.unwrap().is_some());
        assert!(matches!(
            cluster.item(item).await.protection,
            Protection::SoftDeleted { .. }
        ));
        // Nobody has used it for an hour.
        cluster.pass(150 * MINUTE).await;
        assert_eq!(cluster.points().await, []);
        assert_eq!(cluster.shelf.look(&container, &blob).await.unwrap(), None);
        assert!(cluster.records::<Item>().await.is_empty());
    });
}

#[test]
fn a_crash_at_any_moment_of_a_removal_leaves_what_the_next_start_ends() {
    let cluster = Cluster::new(60);
    let server = cluster.server("sql1");
    cluster.run(async {
        backed_up(&cluster, &server, &[Full, Log, Full]).await;
        days(&cluster, 17).await;
        assert_eq!(deleted(&cluster.points().await), [true, true, false]);
        cluster.crash_vault();
        cluster.pass(15 * DAY).await;
        let mut polls = 3;
        let mut seen = BTreeSet::new();
        let mut before = BTreeSet::new();
        for _ in 0..4_000 {
            assert!(cluster.try_start_vault_for(polls).await);
            cluster.pass(Duration::from_secs(1)).await;
            cluster.crash_vault();
            let points = cluster.points().await;
            let (blobs, records) = stored(&cluster).await;
            let mut states = BTreeSet::new();
            for point in &points {
                let is_whole = point.blobs.iter().all(|blob| blobs.contains(blob));
                let is_final = point.deletion.as_ref().is_some_and(|deletion| deletion.is_final);
                assert!(is_whole && records.contains(&point.id) || is_final, "{point:#?}");
                states.insert((point.id, is_final, is_whole, records.contains(&point.id)));
            }
            // What was done is not done again: the next crash comes as early as before.
            polls = if states == before { polls + 1 } else { 3 };
            seen.extend(states.iter().copied());
            before = states;
            if points.len() == 1 {
                break;
            }
        }
        let points = cluster.points().await;
        assert_eq!(points.len(), 1, "after {polls} polls");
        agree(&cluster, &points).await;
        // Both were met with their blobs, and without them; between the record and the catalog nothing is waited for in this world.
        let seen: Vec<_> = seen
            .into_iter()
            .map(|(_, one, two, three)| (one, two, three))
            .collect();
        let expected = [(false, true, true), (true, false, true), (true, true, true)];
        for state in expected {
            assert!(
                seen.iter().filter(|seen| **seen == state).count() >= 2,
                "{state:?}: {seen:?}"
            );
        }
        cluster.start_vault().await;
        cluster.pass(30 * MINUTE).await;
        assert_eq!(cluster.points().await, points, "nothing is made again");
    });
}
