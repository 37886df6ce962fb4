//! Jobs: how many run at a time, what runs beside what, and what their records tell.

use std::time::Duration;

use catalog::record::{ItemId, Job, JobId, JobState, ServerId, ServerSettings};
use faults::Code;
use schedule::BackupKind::{self, Full, Log};

use super::lab::{Gate, Lab, Release, code, quiet, run};

/// The jobs of fulls of these databases, all of one instance, when the vault has begun as many as it will: those that it began stay
/// under way until the gate is dropped.
async fn under_way(lab: &Lab, server: ServerId, items: &[ItemId]) -> (Gate, Vec<JobId>) {
    let gate = lab.way.shut("BACKUP ");
    let mut jobs = Vec::new();
    for item in items {
        jobs.push(lab.vault().back_up(*item, Full, None).await.unwrap());
    }
    // It takes no seat of theirs, and begins after every backup that there is room for.
    let discovery = lab.rediscover(server).await;
    assert_eq!(discovery.state, JobState::Completed, "{discovery:#?}");
    (gate, jobs)
}

#[test]
fn no_more_run_on_an_instance_than_instance_policy_and_vault_allow() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        for name in ["one", "two", "three"] {
            server.make_database(name).await;
        }
        let id = lab.register(&server).await;
        let vault = lab.vault();
        let few = quiet().replace(
            "\"jitter\": \"0s\"",
            "\"jitter\": \"0s\", \"concurrencyPerInstance\": 2",
        );
        let policy = vault
            .create_policy(schedule::Policy::from_json(&few).unwrap())
            .await
            .unwrap()
            .0;
        let mut items = Vec::new();
        for name in ["one", "two", "three"] {
            let database = lab.database(id, name).await;
            items.push(vault.protect(database.id, policy).await.unwrap());
        }
        // By the policy two, by the instance one, by the vault one.
        let seen = vault.vault_settings().await.unwrap();
        for (place, expected) in [2, 1, 1].into_iter().enumerate() {
            let settings = ServerSettings {
                jobs_at_once: if place == 1 { 1 } else { 20 },
                ..ServerSettings::default()
            };
            vault.set_server(id, settings).await.unwrap();
            if place == 2 {
                let mut one = seen.clone();
                one.jobs_at_once = Some(1);
                vault.set_vault(&seen, one).await.unwrap();
            }
            // Limits are read again after ten seconds.
            lab.advance(Duration::from_secs(11));
            let (gate, jobs) = under_way(&lab, id, &items).await;
            let mut waiting = Vec::new();
            for job in &jobs {
                if lab.job(*job).await.state == JobState::Queued {
                    waiting.push(*job);
                } else {
                    lab.sent(*job).await;
                }
            }
            assert_eq!(waiting.len(), jobs.len() - expected);
            // One that waits is cancelled at once.
            let cancelled = waiting[0];
            let last = vault.cancel_job(cancelled).await.unwrap();
            assert_eq!(last.state, JobState::Cancelled);
            drop(gate);
            for job in jobs.iter().filter(|job| **job != cancelled) {
                assert_eq!(lab.ended(*job).await.state, JobState::Completed);
            }
        }
    });
}

#[test]
fn a_log_does_not_wait_for_the_full_of_its_database() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        for _ in 0..5 {
            server.add_rows("Shop", 200).await;
        }
        server.fault("network slow vault.example 3s").await;
        let full = lab.vault().back_up(item, Full, None).await.unwrap();
        lab.until("the full runs", || server.backup_session()).await;
        // A differential is a data backup as well, and waits; a second full is refused.
        let second = lab.vault().back_up(item, Full, None).await;
        assert_eq!(
            code(second),
            Code::OperationCancelledBecauseConflictingOperationRunningUserError
        );
        let log = lab.vault().back_up(item, Log, None).await.unwrap();
        lab.sent(log).await;
        let both = lab
            .until("both run", || async {
                let asked = "SELECT COUNT(*) AS n FROM sys.dm_exec_requests WHERE command LIKE 'BACKUP%'";
                match server.value(asked).await {
                    mssql::Value::Integer(2) => Some(2),
                    _ => None,
                }
            })
            .await;
        assert_eq!(both, 2);
        server.fault("network back vault.example").await;
        for job in [full, log] {
            let job = lab.ended(job).await;
            assert_eq!(job.state, JobState::Completed, "{job:#?}");
        }
        server.add_rows("Shop", 1).await;
        lab.proved(item, Log).await;
    });
}

#[test]
fn a_job_tells_what_was_done_with_which_words_and_how_fast() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        let job: Job = lab.back_up(item, Full).await;
        let point = lab.point(&job).await;
        let names: Vec<&str> = job.tasks.iter().map(|task| task.name.as_str()).collect();
        assert_eq!(names, ["Look at the database", "Back up", "Prove"]);
        for pair in job.tasks.windows(2) {
            let ended = pair[0].ended.unwrap();
            assert!(pair[0].started <= ended && ended <= pair[1].started, "{job:#?}");
        }
        assert_eq!(job.statements.len(), 1);
        let (sent, said) = (&job.statements[0], &job.said);
        assert!(
            sent.starts_with("BACKUP DATABASE [Shop] TO URL") && !sent.contains("sig="),
            "{sent}"
        );
        assert!(said.iter().any(|said| said.number() == 3014), "{said:?}");
        assert_eq!((job.bytes, job.percent), (point.bytes, Some(100.0)));
        assert!(job.bytes_per_second.unwrap() > 0);
        assert_eq!(
            (job.server, job.item, job.point),
            (Some(id), Some(item), Some(point.id))
        );
        assert!(job.created <= job.started.unwrap() && job.started < job.ended);
        // One that failed has its code, what SQL Server said, why that can be, and what to do.
        server.fault("network lost vault.example after 50000 bytes").await;
        let failed = lab.back_up(item, BackupKind::CopyOnlyFull).await;
        let fault = failed.fault.as_ref().unwrap();
        assert_eq!(fault.code(), Code::UserErrorVMInternetConnectivityIssue);
        assert!(fault.said().iter().any(faults::Said::is_error), "{fault:?}");
        let entry = fault.entry();
        assert!(!entry.causes.is_empty() && !entry.actions.is_empty());
        assert_eq!(failed.statements.len(), 3, "three attempts: {failed:#?}");
    });
}
