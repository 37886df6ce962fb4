//! Discovery: what is found, what became of what was known, and when.

use std::time::Duration;

use catalog::record::{Database, HealingReason, Item, Server as ServerRecord, ServerId};
use faults::Code;
use simsql::instance::Version;

use super::registration::{Discovers, fault, of, policy, record};
use crate::world::{Cluster, End};

async fn databases(cluster: &Cluster, name: &str) -> Vec<Database> {
    let mut found = cluster.records::<Database>().await;
    found.retain(|one| one.name == name);
    found.sort_by_key(|one| (one.gone.is_none(), one.first_seen));
    found
}

async fn only(cluster: &Cluster, name: &str) -> Database {
    let mut found = databases(cluster, name).await;
    assert_eq!(found.len(), 1, "{name}: {found:#?}");
    found.remove(0)
}

async fn codes(cluster: &Cluster) -> Vec<Code> {
    cluster
        .notices()
        .await
        .iter()
        .map(|one| one.fault.code())
        .collect()
}

#[test]
fn new_dropped_renamed_and_recreated_databases_are_told_apart() {
    let cluster = Cluster::new(21);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.start_vault().await;
        let sql = cluster.sql(&server);
        for name in ["Shop", "Crm", "Old"] {
            sql.make_database(name).await;
        }
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let (policy, _) = vault.create_policy(policy()).await.unwrap();
        let (shop, crm) = (only(&cluster, "Shop").await, only(&cluster, "Crm").await);
        vault.protect(shop.id, policy).await.unwrap();
        vault.protect(crm.id, policy).await.unwrap();
        sql.go("ALTER DATABASE [Shop] MODIFY NAME = [Web Shop]").await;
        sql.go("DROP DATABASE [Crm]").await;
        sql.make_database("Crm").await;
        sql.go("DROP DATABASE [Old]").await;
        sql.make_database("bac2-test-Shop").await;
        vault.start(&cluster, id).await;
        let renamed = only(&cluster, "Web Shop").await;
        assert_eq!(
            (renamed.id, renamed.former_names[0].0.as_str()),
            (shop.id, "Shop")
        );
        let two = databases(&cluster, "Crm").await;
        assert_eq!(
            (two[0].id, two[0].gone.is_some(), two[1].gone.is_some()),
            (crm.id, true, false)
        );
        assert!(only(&cluster, "Old").await.gone.is_some());
        assert!(only(&cluster, "bac2-test-Shop").await.is_test_copy);
        let codes = codes(&cluster).await;
        assert!(codes.contains(&Code::Bac2DatabaseRenamed), "{codes:?}");
        assert!(codes.contains(&Code::Bac2DatabaseRecreated), "{codes:?}");
        // Once more: nothing is new.
        let before = cluster.records::<Database>().await.len();
        vault.start(&cluster, id).await;
        assert_eq!(cluster.records::<Database>().await.len(), before);
    });
}

#[test]
fn auto_protection_takes_up_what_is_new_and_never_a_test_copy() {
    let cluster = Cluster::new(22);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.start_vault().await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let (policy, _) = vault.create_policy(policy()).await.unwrap();
        vault
            .auto_protect(id, policy, vec!["mod%".to_owned(), "msdb".to_owned()])
            .await
            .unwrap();
        let sql = cluster.sql(&server);
        sql.make_database("New").await;
        sql.make_database("bac2-test-New").await;
        vault.start(&cluster, id).await;
        cluster.pass(Duration::from_secs(60)).await;
        let items = cluster.records::<Item>().await;
        let mut protected: Vec<_> = items.iter().map(|item| item.database).collect();
        protected.sort();
        let mut expected = vec![only(&cluster, "New").await.id, only(&cluster, "master").await.id];
        expected.sort();
        assert_eq!(protected, expected, "system databases too, tempdb never");
    });
}

#[test]
fn a_restore_over_and_another_recovery_model_want_healing() {
    let cluster = Cluster::new(23);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.start_vault().await;
        let sql = cluster.sql(&server);
        sql.make_database("Shop").await;
        sql.make_database("Crm").await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let (policy, _) = vault.create_policy(policy()).await.unwrap();
        for name in ["Shop", "Crm"] {
            vault
                .protect(only(&cluster, name).await.id, policy)
                .await
                .unwrap();
        }
        for item in cluster.records::<Item>().await {
            cluster.drop_wish(item.id).await;
        }
        let before = only(&cluster, "Shop").await;
        sql.foreign_backup("DATABASE", "Shop", "shop.bak", "COPY_ONLY")
            .await;
        sql.go("RESTORE DATABASE [Shop] FROM DISK = '/sql/backup/shop.bak' WITH REPLACE")
            .await;
        sql.go("ALTER DATABASE [Crm] SET RECOVERY SIMPLE").await;
        sql.make_database("Etl").await;
        vault.start(&cluster, id).await;
        let after = only(&cluster, "Shop").await;
        assert_eq!(after.id, before.id, "it is the same database");
        assert_ne!(
            (after.database_guid, after.recovery_fork),
            (before.database_guid, before.recovery_fork)
        );
        assert_eq!(only(&cluster, "Crm").await.state.recovery_model, "SIMPLE");
        let lsn = codes(&cluster).await;
        let count = lsn
            .iter()
            .filter(|one| **one == Code::UserErrorSQLLSNValidationFailure)
            .count();
        assert_eq!(count, 2, "{lsn:?}");
        let wanted = async |name: &str| {
            let database = only(&cluster, name).await.id;
            let items = cluster.records::<Item>().await;
            let item = items.into_iter().find(|item| item.database == database).unwrap();
            item.healing.map(|wanted| wanted.reason)
        };
        assert_eq!(wanted("Shop").await, Some(HealingReason::Overwritten));
        // Under SIMPLE a full would begin no chain; after it, it does.
        assert_eq!(wanted("Crm").await, None);
        sql.go("ALTER DATABASE [Crm] SET RECOVERY FULL").await;
        vault.start(&cluster, id).await;
        assert_eq!(wanted("Crm").await, Some(HealingReason::RecoveryModelChanged));
        // To BULK_LOGGED and back the chain goes on, and nobody need know.
        let etl = vault.protect(only(&cluster, "Etl").await.id, policy).await;
        cluster.drop_wish(etl.unwrap()).await;
        for model in ["BULK_LOGGED", "FULL"] {
            sql.go(&format!("ALTER DATABASE [Etl] SET RECOVERY {model}"))
                .await;
            vault.start(&cluster, id).await;
            assert_eq!(only(&cluster, "Etl").await.state.recovery_model, model);
            assert_eq!(wanted("Etl").await, None);
        }
        let lsn = codes(&cluster).await;
        let count = lsn
            .iter()
            .filter(|one| **one == Code::UserErrorSQLLSNValidationFailure)
            .count();
        assert_eq!(count, 2, "{lsn:?}");
    });
}

#[test]
fn what_cannot_be_asked_stays_as_it_was_known() {
    let cluster = Cluster::new(24);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.start_vault().await;
        let sql = cluster.sql(&server);
        sql.make_database("Shop").await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let before = only(&cluster, "Shop").await;
        sql.go("ALTER DATABASE [Shop] SET OFFLINE").await;
        vault.start(&cluster, id).await;
        let after = only(&cluster, "Shop").await;
        assert_eq!(after.state.state, "OFFLINE");
        assert_eq!(
            (
                after.id,
                after.database_guid,
                after.state.recovery_model.as_str(),
                after.gone
            ),
            (before.id, before.database_guid, "FULL", None)
        );
        assert!(before.database_guid.is_some());
        sql.go("ALTER DATABASE [Shop] SET ONLINE").await;
        vault.start(&cluster, id).await;
        assert_eq!(only(&cluster, "Shop").await.state.state, "ONLINE");
    });
}

#[test]
fn into_a_group_and_out_of_it_a_database_is_another_item() {
    let cluster = Cluster::new(25);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.start_vault().await;
        let sql = cluster.sql(&server);
        sql.make_database("Shop").await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let (policy, _) = vault.create_policy(policy()).await.unwrap();
        let alone = only(&cluster, "Shop").await;
        vault.protect(alone.id, policy).await.unwrap();
        sql.foreign_backup("DATABASE", "Shop", "shop.bak", "").await;
        server.fault("group join Shop AG1").await;
        vault.start(&cluster, id).await;
        let two = databases(&cluster, "Shop").await;
        assert_eq!((two.len(), two[0].id, two[0].gone.is_some()), (2, alone.id, true));
        assert!(two[1].group.is_some());
        let found = codes(&cluster).await;
        assert!(
            found.contains(&Code::UserErrorBackupFailedStandaloneDatabaseMovedInToAG),
            "{found:?}"
        );
        vault.protect(two[1].id, policy).await.unwrap();
        server.fault("group leave Shop").await;
        vault.start(&cluster, id).await;
        let found = codes(&cluster).await;
        assert!(
            found.contains(&Code::UserErrorBackupFailedDatabaseMovedOutOfAG),
            "{found:?}"
        );
    });
}

async fn discovered(cluster: &Cluster, id: ServerId) -> jiff::Timestamp {
    record(cluster, id).await.discovered.unwrap()
}

#[test]
fn instances_are_discovered_every_eight_hours_and_not_all_at_once() {
    let cluster = Cluster::new(26);
    let servers: Vec<_> = (0..4)
        .map(|at| cluster.server_of(&format!("sql{at}"), None, Version::V2022))
        .collect();
    cluster.run(async {
        let vault = cluster.start_vault().await;
        let mut ids = Vec::new();
        for (at, server) in servers.iter().enumerate() {
            ids.push(vault.add_server(of(server, &format!("s{at}"))).await.unwrap());
        }
        cluster.sql(&servers[0]).make_database("Late").await;
        let before = discovered(&cluster, ids[0]).await;
        cluster.pass(Duration::from_secs(7 * 3_600)).await;
        assert_eq!(discovered(&cluster, ids[0]).await, before, "not before its time");
        cluster.pass(Duration::from_secs(3_700)).await;
        assert!(only(&cluster, "Late").await.gone.is_none());
        let mut times = Vec::new();
        for id in &ids {
            times.push(discovered(&cluster, *id).await);
        }
        times.sort();
        for pair in times.windows(2) {
            assert!(pair[1].duration_since(pair[0]).as_secs() > 5, "{times:?}");
        }
    });
}

#[test]
fn a_clock_that_showed_next_year_for_a_minute_does_not_end_discovery() {
    let cluster = Cluster::new(28);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.start_vault().await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        let year = 365 * 86_400_000_000;
        cluster.clock.jump(year);
        vault.start(&cluster, id).await;
        cluster.clock.jump(-year);
        cluster.sql(&server).make_database("Late").await;
        cluster.pass(Duration::from_secs(9 * 3_600)).await;
        assert!(only(&cluster, "Late").await.gone.is_none());
        assert!(discovered(&cluster, id).await <= cluster.now());
    });
}

#[test]
fn a_faulty_instance_is_asked_again_and_clears_by_itself() {
    let cluster = Cluster::new(27);
    let server = cluster.server("sql1");
    cluster.run(async {
        let vault = cluster.start_vault().await;
        let id = vault.add_server(of(&server, "sql")).await.unwrap();
        cluster.end(&server, End::Stop);
        vault.start(&cluster, id).await;
        assert_eq!(
            fault(&cluster, id).await,
            Some(Code::UserErrorOpeningSQLConnection)
        );
        cluster.pass(Duration::from_secs(3_600)).await;
        let asked = cluster.jobs().await.len();
        assert!((4..=8).contains(&asked), "{asked} attempts in an hour");
        assert_eq!(codes(&cluster).await, [Code::UserErrorOpeningSQLConnection]);
        cluster.pass(Duration::from_secs(25 * 3_600)).await;
        assert_eq!(
            codes(&cluster).await,
            [Code::WorkloadExtensionNotReachable],
            "it is no trouble of the moment"
        );
        server.start();
        cluster.pass(Duration::from_secs(3_700)).await;
        assert_eq!(fault(&cluster, id).await, None);
        assert!(codes(&cluster).await.is_empty());
        assert_eq!(cluster.records::<ServerRecord>().await.len(), 1);
    });
}
