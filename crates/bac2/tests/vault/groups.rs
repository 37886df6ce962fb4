//! Availability groups, over replicas that are processes: what they tell of their group decides who takes which backup, and with
//! which code nobody does.

use catalog::record::{Container, ItemId, JobState, Point, ServerId};
use faults::Code;
use mssql::Value;
use schedule::BackupKind::{self, CopyOnlyFull, Differential, Full, Log};

use super::lab::{Group, Lab, Release, Server, code, run};

/// Who takes a backup, by the job's record and by SQL Server's own: the row of history is where it was taken.
async fn taken_on(lab: &Lab, servers: &[(ServerId, &Server)], item: ItemId, kind: BackupKind) -> usize {
    let job = lab.back_up(item, kind).await;
    assert_eq!(job.state, JobState::Completed, "{kind}: {job:#?}");
    let at = servers
        .iter()
        .position(|(id, _)| Some(*id) == job.server)
        .unwrap();
    let guid = lab.point(&job).await.set.guid;
    let row = format!("SELECT COUNT(*) AS n FROM msdb.dbo.backupset WHERE backup_set_uuid = '{guid}'");
    for (place, (_, server)) in servers.iter().enumerate() {
        if server.is_running() {
            assert_eq!(
                server.value(&row).await,
                Value::Integer(i64::from(place == at)),
                "{kind}"
            );
        }
    }
    at
}

#[test]
fn each_backup_is_taken_by_the_replica_that_the_group_wants() {
    run(|| async {
        let lab = Lab::new().await;
        let (one, two) = (lab.server(Release::V2022).await, lab.server(Release::V2022).await);
        let group = Group::form("AG1", "Shop", &[&one, &two]).await;
        let mut servers = Vec::new();
        for server in [&one, &two] {
            servers.push((lab.register(server).await, server));
        }
        let shop = lab.database(servers[0].0, "Shop").await;
        let quiet = lab.quiet().await;
        let item = lab.vault().protect(shop.id, quiet).await.unwrap();
        let again = lab.vault().protect(shop.id, quiet).await;
        assert_eq!(code(again), Code::Bac2AlreadyProtected);
        // Fulls and differentials are the primary's, by SQL Server's own rule; logs and copies go where the group wants them.
        for (preference, of_logs) in [("secondary_only", 1), ("primary", 0)] {
            group.set(&format!("preference {preference}")).await;
            for (kind, expected) in [
                (Full, 0),
                (Differential, 0),
                (Log, of_logs),
                (CopyOnlyFull, of_logs),
            ] {
                group.write().await;
                let taken = taken_on(&lab, &servers, item, kind).await;
                assert_eq!(taken, expected, "{preference} {kind}");
                group.carry(taken).await;
            }
        }
        // After a fail-over the other instance takes what the first did, and the chain goes on.
        group.fail_over(1).await;
        group.write().await;
        let taken = taken_on(&lab, &servers, item, Log).await;
        assert_eq!(taken, 1);
        group.carry(taken).await;
        assert_eq!(taken_on(&lab, &servers, item, Full).await, 1);
        let logs: Vec<Point> = lab
            .points()
            .await
            .into_iter()
            .filter(|point| point.kind == Log)
            .collect();
        assert_eq!(logs.len(), 3);
        for pair in logs.windows(2) {
            assert_eq!(pair[0].set.last_lsn, pair[1].set.first_lsn, "one chain over both");
        }
        assert_eq!(lab.records::<Container>().await.len(), 1, "the group's");
        for (id, _) in &servers {
            assert_eq!(
                code(lab.vault().unregister(*id).await),
                Code::Bac2UnregisterRefused
            );
        }
    });
}

#[test]
fn where_no_replica_that_the_group_allows_is_there_the_backup_fails_with_its_code() {
    run(|| async {
        let lab = Lab::new().await;
        let (one, two) = (lab.server(Release::V2019).await, lab.server(Release::V2019).await);
        let group = Group::form("AG1", "Shop", &[&one, &two]).await;
        let first = lab.register(&one).await;
        let item = lab.protect(first, "Shop").await;
        let unmet = Code::FabricSvcBackupPreferenceCheckFailedUserError;
        let waiting = lab.noticed(Code::Bac2ReplicaNotReady).await;
        assert!(waiting.fault.to_string().contains("SQL2"), "{}", waiting.fault);
        group.set("preference secondary_only").await;
        lab.proved(item, Full).await;
        group.carry(0).await;
        assert_eq!(
            lab.refused(item, Log).await,
            unmet,
            "the secondary is not registered"
        );
        let second = lab.register(&two).await;
        lab.rediscover(second).await;
        let servers = [(first, &one), (second, &two)];
        assert_eq!(taken_on(&lab, &servers, item, Log).await, 1);
        group.carry(1).await;
        lab.rediscover(first).await;
        lab.until("the replica is ready", || async {
            let codes = lab.notice_codes().await;
            (!codes.contains(&Code::Bac2ReplicaNotReady)).then_some(())
        })
        .await;
        // Out of touch with its group, or down.
        two.fault("group apart AG1 SQL1").await;
        one.fault("group apart AG1 SQL2").await;
        assert_eq!(lab.refused(item, Log).await, unmet);
        two.fault("group together AG1 SQL1").await;
        one.fault("group together AG1 SQL2").await;
        two.kill();
        assert_eq!(lab.refused(item, Log).await, unmet);
        // The group gives way: then the primary may.
        group.set("preference secondary").await;
        assert_eq!(taken_on(&lab, &servers, item, Log).await, 0);
    });
}

#[test]
fn a_backup_that_the_group_wants_elsewhere() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        server.foreign_backup("DATABASE", "Shop", "before.bak", "").await;
        server.fault("group join Shop AG1").await;
        let id = lab.register(&server).await;
        let item = lab.protect(id, "Shop").await;
        lab.proved(item, Full).await;
        server.fault("group preference AG1 secondary_only").await;
        assert_eq!(
            lab.refused(item, Log).await,
            Code::FabricSvcBackupPreferenceCheckFailedUserError
        );
        server.fault("group preference AG1 primary").await;
        lab.proved(item, Log).await;
        server.fault("group role AG1 secondary").await;
        assert_eq!(
            lab.refused(item, Full).await,
            Code::FabricSvcBackupPreferenceCheckFailedUserError
        );
        server.fault("group role AG1 primary").await;
        lab.proved(item, CopyOnlyFull).await;
    });
}

#[test]
fn into_a_group_and_out_of_it() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.fault("group join Shop AG1").await;
        assert_eq!(
            lab.refused(item, Log).await,
            Code::UserErrorBackupFailedStandaloneDatabaseMovedInToAG
        );
        lab.rediscover(id).await;
        lab.noticed(Code::UserErrorBackupFailedStandaloneDatabaseMovedInToAG)
            .await;
        let item = lab.protect(id, "Shop").await;
        lab.proved(item, Full).await;
        server.fault("group leave Shop").await;
        assert_eq!(
            lab.refused(item, Full).await,
            Code::UserErrorBackupFailedDatabaseMovedOutOfAG
        );
    });
}
