//! Availability groups over two and three instances: which replica takes what, and that it all is one database with one chain.

use std::sync::Arc;

use catalog::record::{Container, Database, Item, ItemId, Job, JobState, Point, ServerId};
use faults::Code;
use schedule::BackupKind::{self, CopyOnlyFull, Differential, Full, Log};
use schedule::Policy;
use simsql::instance::Version;
use vault::Vault;

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

#[test]
fn each_preference_has_its_replica_for_each_kind() {
    let stand = Stand::new(42, 2);
    stand.cluster.run(async {
        let scene = stand.set(2).await;
        let item = stand.protect(&scene).await;
        // Fulls and differentials are the primary's, by SQL Server's own rule; logs and copies go where the group wants them.
        for (preference, of_logs) in [("secondary", 1), ("secondary_only", 1), ("primary", 0)] {
            scene.group.set(&format!("preference {preference}")).await;
            for (kind, expected) in [
                (Full, 0),
                (Differential, 0),
                (Log, of_logs),
                (CopyOnlyFull, of_logs),
            ] {
                scene.group.write(1).await;
                let taken = stand.taken_on(&scene, item, kind).await;
                assert_eq!(taken, expected, "{preference} {kind}");
            }
        }
        // No secondary takes a full that is a base, so after a fail-over the other instance does.
        scene.group.fail_over(1).await;
        assert_eq!(stand.taken_on(&scene, item, Full).await, 1);
        assert_eq!(
            stand.taken_on(&scene, item, CopyOnlyFull).await,
            1,
            "preference primary"
        );
        scene.group.set("preference secondary").await;
        assert_eq!(stand.taken_on(&scene, item, Log).await, 0);
    });
}

#[test]
fn where_no_replica_that_is_allowed_is_there_the_backup_fails_with_its_code() {
    let stand = Stand::new(43, 2);
    stand.cluster.run(async {
        let mut scene = stand.set(1).await;
        let item = stand.protect(&scene).await;
        let unmet = Code::FabricSvcBackupPreferenceCheckFailedUserError;
        scene.group.set("preference secondary_only").await;
        assert_eq!(stand.taken_on(&scene, item, Full).await, 0);
        let (code, why) = stand.refused(&scene, item, Log).await;
        assert_eq!(code, unmet, "the secondary is not registered: {why}");
        scene.group.set("preference secondary").await;
        assert_eq!(
            stand.taken_on(&scene, item, Log).await,
            0,
            "the primary is allowed"
        );
        // The primary is the one that is not registered.
        scene.group.fail_over(1).await;
        let (code, why) = stand.refused(&scene, item, Full).await;
        assert_eq!(code, unmet);
        assert!(why.contains("primary SQL2"), "{why}");
        let second = scene
            .vault
            .add_server(of(&stand.servers[1], "sql2"))
            .await
            .unwrap();
        scene.ids.push(second);
        assert_eq!(stand.taken_on(&scene, item, Full).await, 1);
        // A secondary that is registered, and out of touch with its group.
        scene.group.set("preference secondary_only").await;
        stand.servers[1].fault("group apart AG1 SQL1").await;
        assert_eq!(
            stand.refused(&scene, item, Log).await.0,
            Code::FabricSvcBackupPreferenceCheckFailedUserError
        );
        stand.servers[1].fault("group together AG1 SQL1").await;
        assert_eq!(stand.taken_on(&scene, item, Log).await, 0);
        // Or that is down.
        stand.cluster.end(&stand.servers[0], End::Kill);
        let (code, why) = stand.refused(&scene, item, Log).await;
        assert_eq!(code, unmet, "{why}");
    });
}

#[test]
fn when_the_primary_is_gone_the_new_one_takes_the_backups_at_once() {
    let stand = Stand::new(44, 3);
    stand.cluster.run(async {
        let scene = stand.set(3).await;
        let item = stand.protect(&scene).await;
        assert_eq!(stand.taken_on(&scene, item, Full).await, 0);
        scene.group.set("preference primary").await;
        stand.cluster.end(&stand.servers[0], End::Power);
        // Nobody has taken over yet: the group still names the one that does not answer.
        let (code, why) = stand.refused(&scene, item, Log).await;
        assert_eq!(code, Code::FabricSvcBackupPreferenceCheckFailedUserError, "{why}");
        assert!(why.contains("SQL1"), "{why}");
        scene.group.fail_over(2).await;
        scene.group.write(2).await;
        for kind in [Log, Full, Log] {
            assert_eq!(stand.taken_on(&scene, item, kind).await, 2, "{kind}");
        }
        // What the new primary's discovery finds is the same item, which is at home there from then on.
        scene.vault.start(&stand.cluster, scene.ids[2]).await;
        assert_eq!(stand.shop().await.server, scene.ids[2]);
        assert_eq!(stand.cluster.item(item).await.server, scene.ids[2]);
        assert_eq!(stand.cluster.records::<Item>().await.len(), 1);
        // The old primary comes back as a secondary.
        stand.servers[0].start();
        scene.group.fail_over(2).await;
        scene.group.carry(2).await;
        scene.vault.start(&stand.cluster, scene.ids[0]).await;
        assert_eq!(stand.shop().await.server, scene.ids[2]);
        scene.group.set("preference secondary").await;
        assert_ne!(stand.taken_on(&scene, item, Log).await, 2);
    });
}

#[test]
fn a_replica_is_not_ready_until_login_credential_and_way_are_there() {
    let stand = Stand::new(45, 2);
    stand.cluster.run(async {
        let mut scene = stand.set(2).await;
        let item = stand.protect(&scene).await;
        scene.group.set("preference secondary").await;
        assert_eq!(stand.taken_on(&scene, item, Full).await, 0);
        let waiting = async || -> Vec<String> {
            let notices = stand.cluster.notices().await;
            let of_replicas = notices
                .into_iter()
                .filter(|one| one.fault.code() == Code::Bac2ReplicaNotReady);
            of_replicas.map(|one| one.fault.to_string()).collect()
        };
        assert_eq!(waiting().await, Vec::<String>::new());
        // The secondary has not been looked at since the group has a container.
        scene.vault.start(&stand.cluster, scene.ids[0]).await;
        let found = waiting().await;
        assert!(
            found.len() == 1 && found[0].contains("SQL2") && found[0].contains("credential"),
            "{found:?}"
        );
        scene.vault.start(&stand.cluster, scene.ids[1]).await;
        assert_eq!(waiting().await, Vec::<String>::new());
        // A third replica joins.
        let third = stand.cluster.server("sql3");
        scene.group.add(&third).await;
        scene.vault.start(&stand.cluster, scene.ids[0]).await;
        let found = waiting().await;
        assert!(
            found.len() == 1 && found[0].contains("SQL3") && found[0].contains("not registered"),
            "{found:?}"
        );
        // It is registered, and does not get to the store.
        let container = stand.cluster.records::<Container>().await.remove(0);
        let url = stand.cluster.url(&container);
        let sql = stand.cluster.sql(&third);
        sql.go(&format!(
            "CREATE CREDENTIAL [{url}] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 'mine'"
        ))
        .await;
        let id = scene.vault.add_server(of(&third, "sql3")).await.unwrap();
        let found = waiting().await;
        assert!(found.len() == 1 && found[0].contains("SQL3"), "{found:?}");
        let probes = record(&stand.cluster, id).await.readiness;
        let failed: Vec<_> = probes.iter().filter_map(|probe| probe.fault.as_ref()).collect();
        assert_eq!(failed.len(), 1, "{probes:#?}");
        assert_eq!(failed[0].code(), Code::Bac2ForeignCredential);
        sql.go(&format!("DROP CREDENTIAL [{url}]")).await;
        scene.vault.start(&stand.cluster, id).await;
        assert_eq!(waiting().await, Vec::<String>::new());
        assert!(
            record(&stand.cluster, id)
                .await
                .readiness
                .iter()
                .all(|probe| probe.passed)
        );
    });
}

#[test]
fn what_leaves_a_group_is_not_waited_for() {
    let stand = Stand::new(46, 2);
    stand.cluster.run(async {
        let scene = stand.set(1).await;
        let open = async || stand.cluster.notices().await.len();
        assert_eq!(open().await, 1, "the replica that is not registered");
        stand.servers[0].fault("group leave Shop").await;
        stand.servers[0].instance().unwrap().state().server.groups.clear();
        scene.vault.start(&stand.cluster, scene.ids[0]).await;
        assert_eq!(open().await, 0);
    });
}

#[test]
fn a_database_put_into_the_group_in_the_place_of_another_is_another() {
    let stand = Stand::new(47, 2);
    stand.cluster.run(async {
        let scene = stand.set(2).await;
        let item = stand.protect(&scene).await;
        assert_eq!(stand.taken_on(&scene, item, Full).await, 0);
        let before = stand.shop().await;
        for server in &stand.servers {
            server.fault("group leave Shop").await;
            stand.cluster.sql(server).go("DROP DATABASE Shop").await;
        }
        stand.cluster.sql(&stand.servers[0]).make_database("Shop").await;
        stand.servers[0].fault("group join Shop AG1").await;
        // No discovery has found that yet: its backups would be points of the other one.
        let (code, why) = stand.refused(&scene, item, Full).await;
        assert_eq!(code, Code::Bac2DatabaseRecreated, "{why}");
        scene.vault.start(&stand.cluster, scene.ids[0]).await;
        let after = stand.shop().await;
        assert_ne!(after.id, before.id);
        assert_eq!(after.group, before.group);
        let codes: Vec<Code> = stand
            .cluster
            .notices()
            .await
            .iter()
            .map(|one| one.fault.code())
            .collect();
        assert!(codes.contains(&Code::Bac2DatabaseRecreated), "{codes:?}");
    });
}

#[test]
fn a_secondary_that_nobody_reads_takes_logs_and_is_no_second_database() {
    let stand = Stand::new(48, 2);
    stand.cluster.run(async {
        let group = Group::form("AG1", "Shop", &stand.servers).await;
        group.set("closed").await;
        let vault = stand.cluster.start_vault().await;
        let mut ids = Vec::new();
        // The secondary first: what it says of the database is all that is known of it then.
        for server in stand.servers.iter().rev() {
            ids.push(vault.add_server(of(server, &server.address)).await.unwrap());
        }
        ids.reverse();
        let scene = Scene { vault, group, ids };
        assert_eq!(stand.shop().await.server, scene.ids[0], "its primary keeps it");
        let entered = stand
            .cluster
            .sql(&stand.servers[1])
            .run("SELECT COUNT(*) FROM Shop.dbo.Orders")
            .await;
        assert!(entered.errors().any(|error| error.number == 976));
        let item = stand.protect(&scene).await;
        assert_eq!(stand.taken_on(&scene, item, Full).await, 0);
        assert_eq!(stand.taken_on(&scene, item, Log).await, 1);
    });
}

#[test]
fn of_a_basic_group_the_primary_takes_everything() {
    let stand = Stand::new(49, 2);
    stand.cluster.run(async {
        let scene = stand.set(2).await;
        scene.group.set("basic").await;
        let item = stand.protect(&scene).await;
        for kind in [Full, Log, CopyOnlyFull] {
            assert_eq!(stand.taken_on(&scene, item, kind).await, 0, "{kind}");
        }
        // SQL Server would have refused.
        let refused = stand
            .cluster
            .sql(&stand.servers[1])
            .run("BACKUP LOG Shop TO DISK = '/sql/backup/no.trn'")
            .await;
        assert!(refused.errors().any(|error| error.number == 3059));
    });
}

#[test]
fn before_2016_there_are_no_basic_groups_to_ask_for() {
    let stand = Stand::of(50, 2, Version::V2014);
    stand.cluster.run(async {
        let scene = stand.set(2).await;
        let groups = record(&stand.cluster, scene.ids[0]).await.groups;
        assert_eq!((groups.len(), groups[0].is_primary), (1, true));
    });
}

#[test]
fn into_the_group_and_out_of_it_with_their_codes() {
    let stand = Stand::new(51, 2);
    stand.cluster.run(async {
        let scene = stand.set(2).await;
        let sql = stand.cluster.sql(&stand.servers[0]);
        sql.make_database("Crm").await;
        sql.foreign_backup("DATABASE", "Crm", "crm.bak", "COPY_ONLY")
            .await;
        scene.vault.start(&stand.cluster, scene.ids[0]).await;
        let item = stand.protect(&scene).await;
        assert_eq!(stand.taken_on(&scene, item, Full).await, 0);
        // A database that was protected by itself joins before anybody looks, and fails with its code at its next backup.
        let databases = stand.cluster.records::<Database>().await;
        let crm = databases.iter().find(|one| one.name == "Crm").unwrap();
        let policy = stand.cluster.item(item).await.policy;
        let alone = scene.vault.protect(crm.id, policy).await.unwrap();
        stand.servers[0].fault("group join Crm AG1").await;
        let (code, _) = stand.refused(&scene, alone, Full).await;
        assert_eq!(code, Code::UserErrorBackupFailedStandaloneDatabaseMovedInToAG);
        // One of the group leaves it.
        for server in &stand.servers {
            server.fault("group leave Shop").await;
        }
        let (code, _) = stand.refused(&scene, item, Log).await;
        assert_eq!(code, Code::UserErrorBackupFailedDatabaseMovedOutOfAG);
        scene.vault.start(&stand.cluster, scene.ids[0]).await;
        let open: Vec<Code> = stand
            .cluster
            .notices()
            .await
            .iter()
            .map(|one| one.fault.code())
            .collect();
        for code in [
            Code::UserErrorBackupFailedStandaloneDatabaseMovedInToAG,
            Code::UserErrorBackupFailedDatabaseMovedOutOfAG,
        ] {
            assert!(open.contains(&code), "{code}: {open:?}");
        }
    });
}

#[test]
fn a_node_of_a_protected_group_is_not_let_go() {
    let stand = Stand::new(52, 2);
    stand.cluster.run(async {
        let scene = stand.set(2).await;
        let item = stand.protect(&scene).await;
        for id in &scene.ids {
            assert_eq!(
                scene.vault.unregister(*id).await.unwrap_err().code(),
                Code::Bac2UnregisterRefused
            );
        }
        assert!(stand.cluster.item(item).await.protection == catalog::record::Protection::Protected);
    });
}
