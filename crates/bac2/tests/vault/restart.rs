//! The vault's process ends in the midst and is started again: what SQL Server did meanwhile is found, and nothing is done twice.

use std::time::Duration;

use catalog::record::{Grade, JobState};
use mssql::Value;
use schedule::BackupKind::{Full, Log};

use super::lab::{Lab, Release, run};

#[test]
fn a_backup_that_ran_while_the_vault_was_down_becomes_its_point() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        for slow in ["1ms", "300ms"] {
            server.fault(&format!("network slow vault.example {slow}")).await;
            let job = lab.vault().back_up(item, Full, None).await.unwrap();
            lab.sent(job).await;
            lab.crash().await;
            lab.open().await;
            server.fault("network back vault.example").await;
            let job = lab.ended_in_time(job).await;
            assert_eq!(job.state, JobState::Completed, "{job:#?}");
            assert_eq!(lab.point(&job).await.grade, Grade::Proved);
        }
        server.add_rows("Shop", 2).await;
        lab.proved(item, Log).await;
        let points = lab.points().await;
        let mut sets: Vec<_> = points.iter().map(|point| point.set.guid).collect();
        sets.sort_unstable();
        sets.dedup();
        assert_eq!((points.len(), sets.len()), (4, 4));
        let rows = "SELECT COUNT(*) AS n FROM msdb.dbo.backupset WHERE database_name = 'Shop'";
        assert_eq!(
            server.value(rows).await,
            Value::Integer(4),
            "nothing was sent twice"
        );
    });
}

#[test]
fn a_job_that_was_not_sent_runs_after_the_restart() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2019).await;
        let job = lab.vault().back_up(item, Full, None).await.unwrap();
        lab.crash().await;
        lab.open().await;
        let job = lab.ended_in_time(job).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(lab.points().await.len(), 1);
        assert!(server.is_running());
    });
}

#[test]
fn a_success_that_the_vault_did_not_live_to_hear_of_is_found_in_the_history() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.add_rows("Shop", 2).await;
        let unheard = lab.way.hold("BACKUP ");
        let id = lab.vault().back_up(item, Log, None).await.unwrap();
        lab.sent(id).await;
        let rows =
            format!("SELECT COUNT(*) AS n FROM msdb.dbo.backupset WHERE description LIKE 'bac2 {id}%'");
        lab.until("SQL Server is done", || async {
            (server.value(&rows).await == Value::Integer(1)).then_some(())
        })
        .await;
        lab.crash().await;
        drop(unheard);
        lab.open().await;
        let ended = lab.ended(id).await;
        assert_eq!(ended.state, JobState::Completed, "{ended:#?}");
        assert_eq!(lab.point(&ended).await.grade, Grade::Proved);
        assert_eq!(server.value(&rows).await, Value::Integer(1), "it was sent once");
        server.add_rows("Shop", 2).await;
        lab.proved(item, Log).await;
        assert!(lab.notices().await.is_empty(), "{:#?}", lab.notices().await);
    });
}

#[test]
fn whenever_the_vault_crashes_each_backup_ends_as_one_point() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2019).await;
        lab.proved(item, Full).await;
        let moments = [0, 30, 60, 90, 130, 180, 250, 400];
        for after in moments {
            server.add_rows("Shop", 2).await;
            let job = lab.vault().back_up(item, Log, None).await.unwrap();
            tokio::time::sleep(Duration::from_millis(after)).await;
            lab.crash().await;
            lab.open().await;
            let ended = lab.ended_in_time(job).await;
            assert_eq!(ended.state, JobState::Completed, "{after} ms: {ended:#?}");
        }
        let logs: Vec<_> = lab
            .points()
            .await
            .into_iter()
            .filter(|point| point.kind == Log)
            .collect();
        assert_eq!(logs.len(), moments.len());
        for pair in logs.windows(2) {
            assert_eq!(
                pair[0].set.last_lsn, pair[1].set.first_lsn,
                "one chain without a hole"
            );
        }
        // What SQL Server calls a success is a point, and nothing else is.
        let rows = "SELECT COUNT(*) AS n FROM msdb.dbo.backupset WHERE database_name = 'Shop' AND type = 'L'";
        let count = i64::try_from(moments.len()).unwrap();
        assert_eq!(server.value(rows).await, Value::Integer(count));
    });
}
