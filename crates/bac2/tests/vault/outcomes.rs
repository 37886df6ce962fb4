//! How a statement ended, where SQL Server's answer does not come or is not the usual one: killed, cut off, its instance gone,
//! its history not written, its time over.

use std::time::Duration;

use catalog::record::{Grade, Job, JobState, Work};
use faults::{Code, Fault};
use schedule::BackupKind::{Full, Log};

use super::lab::{Lab, Release, Server, quiet, run};

/// The codes of a job's attempts that failed.
fn attempts(job: &Job) -> Vec<Code> {
    match &job.work {
        Work::Backup(work) => work.failed.clone(),
        other => panic!("a backup: {other:?}"),
    }
}

/// An instance with a database whose full takes a while, since the way to the store is slow.
async fn slow(lab: &Lab, release: Release) -> (Server, catalog::record::ItemId) {
    let (server, _, item) = lab.shop(release).await;
    for _ in 0..5 {
        server.add_rows("Shop", 200).await;
    }
    server.fault("network slow vault.example 700ms").await;
    (server, item)
}

/// Waits until an attempt of a job is over; the pause before the next one is not skipped.
async fn attempt_over(lab: &Lab, job: &Job) -> Job {
    lab.until("the attempt is over", || async {
        let job = lab.job(job.id).await;
        (job.state == JobState::Queued || job.state.is_ended()).then_some(job)
    })
    .await
}

#[test]
fn a_statement_that_is_killed_at_the_server_is_not_sent_again() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, item) = slow(&lab, Release::V2022).await;
        let job = lab.vault().back_up(item, Full, None).await.unwrap();
        let session = lab.until("the backup runs", || server.backup_session()).await;
        server.sql(&format!("KILL {session}")).await;
        server.fault("network back vault.example").await;
        let job = lab.ended(job).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        let fault = job.fault.as_ref().unwrap();
        assert_eq!(fault.code(), Code::Bac2StoppedOnServer, "{job:#?}");
        assert!(fault.said().iter().any(|said| said.number() == 3204), "{fault:?}");
        assert_eq!(
            attempts(&job),
            [Code::Bac2StoppedOnServer],
            "whoever did it meant it"
        );
        assert!(lab.points().await.is_empty());
        lab.proved(item, Full).await;
    });
}

#[test]
fn a_connection_that_breaks_off_is_found_out_about_and_the_backup_taken_again() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, item) = slow(&lab, Release::V2019).await;
        let cut = lab.way.cut("BACKUP DATABASE");
        let job = lab.vault().back_up(item, Full, None).await.unwrap();
        lab.until("the backup runs", || server.backup_session()).await;
        cut.notify_one();
        // The instance notices that its client is gone, and ends the backup.
        server.fault("network back vault.example").await;
        let first = lab
            .until("the attempt is over", || async {
                lab.advance(Duration::from_secs(5));
                let job = lab.job(job).await;
                (job.attempt > 1 || job.state == JobState::Queued || job.state.is_ended()).then_some(job)
            })
            .await;
        let ended = lab.ended(first.id).await;
        assert_eq!(ended.state, JobState::Completed, "{ended:#?}");
        // What it came to is known, whichever it was: the row is there, or it was taken again.
        match attempts(&ended).as_slice() {
            [] => {}
            codes => assert_eq!(codes, [Code::Bac2SessionLost], "{ended:#?}"),
        }
        let points = lab.points().await;
        assert_eq!((points.len(), points[0].grade), (1, Grade::Proved));
    });
}

#[test]
fn an_instance_that_is_gone_leaves_the_outcome_unknown_until_it_is_back() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, item) = slow(&lab, Release::V2022).await;
        let job = lab.vault().back_up(item, Full, None).await.unwrap();
        let sent = lab.sent(job).await;
        lab.until("the backup runs", || server.backup_session()).await;
        server.kill();
        // Nobody answers: what became of it is asked for some minutes, and again and again after that.
        let unknown = lab
            .in_time("the vault does not know", Duration::from_secs(60), || async {
                let job = lab.job(job).await;
                let code = job.fault.as_ref().map(Fault::code);
                (code == Some(Code::Bac2OutcomeUnknown)).then_some(job)
            })
            .await;
        assert!(!unknown.state.is_ended(), "{unknown:#?}");
        assert_eq!(attempts(&unknown), [], "it may have succeeded");
        let (Work::Backup(before), Work::Backup(now)) = (&sent.work, &unknown.work) else {
            panic!("backups")
        };
        assert_eq!(before.marker, now.marker, "nothing else was sent");
        server.start_again();
        server.fault("network back vault.example").await;
        let ended = lab.ended(job).await;
        assert_eq!(ended.state, JobState::Completed, "{ended:#?}");
        assert_eq!(attempts(&ended), [Code::Bac2JobInterrupted], "{ended:#?}");
        assert_eq!(lab.points().await.len(), 1);
    });
}

#[test]
fn a_vault_that_was_away_while_its_statement_died_takes_the_backup_again() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, item) = slow(&lab, Release::V2022).await;
        let job = lab.vault().back_up(item, Full, None).await.unwrap();
        lab.sent(job).await;
        let session = lab.until("the backup runs", || server.backup_session()).await;
        lab.crash().await;
        server.try_sql(&format!("KILL {session}")).await;
        server.fault("network back vault.example").await;
        lab.until("the statement is over", || async {
            server.backup_session().await.is_none().then_some(())
        })
        .await;
        lab.open().await;
        let ended = lab.ended(job).await;
        assert_eq!(ended.state, JobState::Completed, "{ended:#?}");
        // Whether the instance ended it before its last request went out is the instance's affair.
        assert!(
            attempts(&ended)
                .iter()
                .all(|code| *code == Code::Bac2JobInterrupted),
            "{ended:#?}"
        );
        assert_eq!(lab.points().await.len(), 1);
    });
}

#[test]
fn a_backup_whose_history_is_not_written_is_a_backup() {
    run(|| async {
        let lab = Lab::new().await;
        lab.way.be_impatient();
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.add_rows("Shop", 3).await;
        // Somebody tidies msdb up, and does not come to an end.
        let mut tidying = server.session().await;
        tidying
            .execute("BEGIN TRANSACTION; UPDATE msdb.dbo.backupset SET description = description")
            .await
            .unwrap();
        let job = lab.vault().back_up(item, Log, None).await.unwrap();
        lab.until("SQL Server has come to its end", || async {
            (!lab.job(job).await.warnings.is_empty()).then_some(())
        })
        .await;
        tidying.execute("ROLLBACK").await.unwrap();
        tidying.close().await;
        let job = lab.ended(job).await;
        assert_eq!(job.state, JobState::CompletedWithWarnings, "{job:#?}");
        assert_eq!(
            job.warnings.iter().map(Fault::code).collect::<Vec<_>>(),
            [Code::Bac2HistoryNotWritten]
        );
        let point = lab.point(&job).await;
        assert_eq!(
            point.grade,
            Grade::Proved,
            "the stream says what it is: {point:#?}"
        );
        let rows = format!(
            "SELECT COUNT(*) AS n FROM msdb.dbo.backupset WHERE backup_set_uuid = '{}'",
            point.set.guid
        );
        assert_eq!(server.value(&rows).await, mssql::Value::Integer(0));
        // The chain goes on over it.
        server.add_rows("Shop", 3).await;
        let next = lab.proved(item, Log).await;
        assert_eq!(next.set.first_lsn, point.set.last_lsn);
        assert!(lab.notices().await.is_empty(), "{:#?}", lab.notices().await);
    });
}

#[test]
fn a_backup_that_takes_too_long_is_told_and_then_stopped() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let policy = quiet()
            .replace("\"jitter\": \"0s\"", "\"jitter\": \"0s\", \"timeout\": \"3h\"")
            .replace(
                "\"running\"",
                "\"watching\": {\"stuckAfter\": \"1h\"}, \"running\"",
            );
        let item = lab.protect_by(&policy, id, "Shop").await;
        server.fault("network slow vault.example 15s").await;
        let job = lab.vault().back_up(item, Full, None).await.unwrap();
        lab.sent(job).await;
        for code in [Code::Bac2JobStuck, Code::Bac2JobTimedOut] {
            lab.advance(Duration::from_secs(2 * 3_600));
            let told = lab
                .until("it is told of", || async {
                    // Who rests looks again.
                    lab.advance(Duration::from_secs(30));
                    let notices = lab.notices().await;
                    notices.into_iter().find(|notice| notice.fault.code() == code)
                })
                .await;
            assert_eq!(told.job, Some(job));
        }
        lab.until("it is being stopped", || async {
            let job = lab.job(job).await;
            job.cancel.is_some().then_some(())
        })
        .await;
        server.fault("network back vault.example").await;
        let ended = attempt_over(&lab, &lab.job(job).await).await;
        assert_eq!(ended.state, JobState::Cancelled, "{ended:#?}");
        assert_eq!(ended.fault.unwrap().code(), Code::Bac2JobTimedOut);
        lab.until("it is not stuck any more", || async {
            lab.advance(Duration::from_secs(30));
            let codes = lab.notice_codes().await;
            (!codes.contains(&Code::Bac2JobStuck)).then_some(())
        })
        .await;
        lab.proved(item, Full).await;
    });
}

#[test]
fn a_database_that_goes_in_the_middle_of_its_backup() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, item) = slow(&lab, Release::V2022).await;
        let job = lab.vault().back_up(item, Full, None).await.unwrap();
        lab.until("the backup runs", || server.backup_session()).await;
        // SQL Server lets nobody drop what is being backed up; a disk that is torn out asks nobody.
        let said = server.try_sql("SET LOCK_TIMEOUT 100; DROP DATABASE Shop").await;
        assert!(said.iter().any(mssql::Message::is_error), "{said:?}");
        server.fault("database drop Shop").await;
        server.fault("network back vault.example").await;
        let ended = lab.ended(job).await;
        assert_eq!(ended.state, JobState::Failed, "{ended:#?}");
        assert_eq!(
            ended.fault.as_ref().unwrap().code(),
            Code::UserErrorSQLPODoesNotExist,
            "{ended:#?}"
        );
        assert!(lab.points().await.is_empty());
    });
}
