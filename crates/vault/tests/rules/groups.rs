//! Availability groups over two and three instances: which replica takes what, and that it all is one database with one chain.

use std::sync::Arc;
use std::time::Duration;

use catalog::record::{Container, Database, Item, ItemId, Job, JobState, Point, ServerId, ServerState};
use faults::Code;
use schedule::BackupKind::{self, CopyOnlyFull, Differential, Full, Log};
use schedule::Policy;
use simsql::instance::Version;
use vault::Vault;
use vault::protection::Data;

use super::registration::{Discovers, of, record};
use crate::world::{Cluster, End, Group, Server};

/// One full a week, and nothing else: what a test wants, it asks for.
const QUIET: &str = r#"{"version": 1, "name": "quiet",
    "full": {"schedule": {"frequency": "weekly", "days": ["sunday"], "times": ["22:00"]},
             "retention": {"weekly": {"count": 4, "days": ["sunday"]}}}, "running": {"jitter": "0s"}}"#;

/// A group over `sql1`, `sql2` and so on, all registered unless `skip` names them by their places.
struct Stand {
    cluster: Cluster,
    servers: Vec<Arc<Server>>,
}

/// What a scenario works with.
struct Scene {
    vault: Arc<Vault>,
    group: Group,
    ids: Vec<ServerId>,
}

impl Stand {
    fn new(seed: u64, replicas: usize) -> Self {
        Self::of(seed, replicas, Version::V2022)
    }

    fn of(seed: u64, replicas: usize, version: Version) -> Self {
        let cluster = Cluster::new(seed);
        let servers = (1..=replicas).map(|at| cluster.server_of(&format!("sql{at}"), None, version));
        Self {
            servers: servers.collect(),
            cluster,
        }
    }

    /// Forms the group and registers its first instances.
    async fn set(&self, registered: usize) -> Scene {
        let group = Group::form("AG1", "Shop", &self.servers).await;
        let vault = self.cluster.start_vault().await;
        let mut ids = Vec::new();
        for server in &self.servers[..registered] {
            ids.push(vault.add_server(of(server, &server.address)).await.unwrap());
        }
        Scene { vault, group, ids }
    }

    /// The one record of the group's database that is there.
    async fn shop(&self) -> Database {
        let mut found = self.cluster.records::<Database>().await;
        found.retain(|one| one.name == "Shop" && one.gone.is_none());
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    }

    async fn protect(&self, scene: &Scene) -> ItemId {
        let policy = Policy::from_json(QUIET).unwrap();
        let (policy, _) = scene.vault.create_policy(policy).await.unwrap();
        scene.vault.protect(self.shop().await.id, policy).await.unwrap()
    }

    async fn back_up(&self, scene: &Scene, item: ItemId, kind: BackupKind) -> Job {
        let job = scene.vault.back_up(item, kind, None).await.unwrap();
        self.cluster.ended(job).await
    }

    /// The place of the instance that took a backup.
    async fn taken_on(&self, scene: &Scene, item: ItemId, kind: BackupKind) -> usize {
        let job = self.back_up(scene, item, kind).await;
        assert_eq!(job.state, JobState::Completed, "{kind}: {job:#?}");
        let at = scene.ids.iter().position(|id| Some(*id) == job.server).unwrap();
        // SQL Server's own word for it: the row of history is where the backup was taken.
        let point = self.point(&job).await;
        for (other, server) in self.servers.iter().enumerate() {
            if server.instance().is_some() {
                let row = format!(
                    "SELECT COUNT(*) FROM msdb.dbo.backupset WHERE backup_set_uuid = '{}'",
                    point.set.guid
                );
                let count = self.cluster.sql(server).value(&row).await;
                assert_eq!(
                    count,
                    simsql::value::Value::Integer(i64::from(other == at)),
                    "{kind}"
                );
            }
        }
        scene.group.carry(at).await;
        at
    }

    async fn point(&self, job: &Job) -> Point {
        let id = job.point.unwrap_or_else(|| panic!("{job:#?}"));
        let points = self.cluster.points().await;
        points.into_iter().find(|point| point.id == id).unwrap()
    }

    async fn refused(&self, scene: &Scene, item: ItemId, kind: BackupKind) -> (Code, String) {
        let job = self.back_up(scene, item, kind).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        let fault = job.fault.expect("why it failed");
        (fault.code(), fault.to_string())
    }
}

#[test]
fn a_database_of_a_group_is_one_item_with_one_chain_over_all_replicas() {
    let stand = Stand::new(41, 3);
    stand.cluster.run(async {
        let scene = stand.set(3).await;
        let item = stand.protect(&scene).await;
        let again = scene
            .vault
            .protect(stand.shop().await.id, stand.cluster.item(item).await.policy);
        assert_eq!(again.await.unwrap_err().code(), Code::Bac2AlreadyProtected);
        assert_eq!(
            stand.taken_on(&scene, item, Full).await,
            0,
            "fulls are the primary's"
        );
        let mut on = Vec::new();
        for (preference, primary) in [
            ("secondary", 0),
            ("primary", 0),
            ("secondary_only", 1),
            ("none", 2),
            ("primary", 2),
        ] {
            scene.group.set(&format!("preference {preference}")).await;
            scene.group.fail_over(primary).await;
            scene.group.write(3).await;
            on.push(stand.taken_on(&scene, item, Log).await);
        }
        assert_eq!((on[1], on[4]), (0, 2), "{on:?}");
        assert!(on[0] != 0 && on[2] != 1, "{on:?}");
        let logs: Vec<Point> = stand
            .cluster
            .points()
            .await
            .into_iter()
            .filter(|point| point.kind == Log)
            .collect();
        assert_eq!(logs.len(), 5);
        for pair in logs.windows(2) {
            assert_eq!(pair[0].set.last_lsn, pair[1].set.first_lsn);
        }
        assert_eq!(stand.cluster.records::<Container>().await.len(), 1, "the group's");
        assert_eq!(stand.cluster.records::<Item>().await.len(), 1);
        assert!(
            stand.cluster.notices().await.is_empty(),
            "{:#?}",
            stand.cluster.notices().await
        );
    });
}
