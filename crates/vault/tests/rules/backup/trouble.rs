//! What goes wrong on the way of a backup, what the vault does about it by itself, and what it never gives up.

use std::time::Duration;

use catalog::record::{Container, HealingReason, Job, JobState, Trigger};
use faults::Code;
use mssql::Message;
use schedule::BackupKind::{Full, Log};
use vault::shelf::Shelf;

use super::stand::{DATABASE, QUIET, Stand};
use super::work;

fn error(number: i32, class: u8, text: &str) -> Message {
    Message {
        number,
        state: 1,
        class,
        line: 1,
        procedure: String::new(),
        text: text.to_owned(),
    }
}

/// The next full meets a log that is full. simsql needs no room in the log for a backup, as SQL Server does for its checkpoint.
fn meets_a_full_log(stand: &Stand) {
    let messages = vec![
        error(
            9002,
            17,
            "The transaction log for database 'Shop' is full due to 'LOG_BACKUP'.",
        ),
        error(3013, 16, "BACKUP DATABASE is terminating abnormally."),
    ];
    stand.server.refuse_next("BACKUP DATABASE [Shop] TO", messages);
}

async fn logs(stand: &Stand) -> Vec<Job> {
    let jobs = stand.cluster.jobs().await;
    jobs.into_iter().filter(|job| work(job).kind == Log).collect()
}

const LOG_IS_FULL: Code = Code::UserErrorBackupFailedAsTransactionLogIsFull;

#[test]
fn a_log_that_is_full_gets_a_log_backup_once() {
    let stand = Stand::new(81);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        let sql = stand.cluster.sql(&stand.server);
        let use_log = async || {
            for _ in 0..20 {
                sql.add_rows(DATABASE, 100).await;
            }
            let waits = "SELECT log_reuse_wait_desc FROM sys.databases WHERE name = 'Shop'";
            let waits = format!("{:?}", sql.value(waits).await);
            assert!(waits.contains("LOG_BACKUP"), "{waits}");
        };
        use_log().await;
        meets_a_full_log(&stand);
        let job = stand.back_up(&vault, item, Full).await;
        assert_eq!((job.state, job.attempt), (JobState::Completed, 2), "{job:#?}");
        assert_eq!(work(&job).failed, [LOG_IS_FULL]);
        let taken = logs(&stand).await;
        assert_eq!(taken.len(), 1, "{taken:#?}");
        let reason = HealingReason::LogFull;
        assert_eq!(taken[0].trigger, Trigger::Healing { reason });
        assert_eq!(taken[0].state, JobState::Completed, "{taken:#?}");
        assert!(
            taken[0].ended < Some(job.ended.unwrap()),
            "at once, not after the full"
        );
        // It does not come to be well: no second log is taken for the same job.
        use_log().await;
        for _ in 0..3 {
            meets_a_full_log(&stand);
        }
        let job = stand.back_up(&vault, item, Full).await;
        assert_eq!((job.state, job.attempt), (JobState::Failed, 2), "{job:#?}");
        assert_eq!(logs(&stand).await.len(), 2);
        let fault = job.fault.unwrap();
        assert_eq!(fault.code(), LOG_IS_FULL);
        assert!(
            fault.happened().contains("what holds the log"),
            "{}",
            fault.happened()
        );
    });
}

#[test]
fn a_log_that_waits_for_something_else_says_for_what() {
    let stand = Stand::new(84);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        stand.back_up(&vault, item, Log).await;
        meets_a_full_log(&stand);
        let job = stand.back_up(&vault, item, Full).await;
        assert_eq!((job.state, job.attempt), (JobState::Failed, 1), "{job:#?}");
        let why = job.fault.unwrap().happened();
        assert!(why.contains("what holds the log is NOTHING"), "{why}");
        assert_eq!(logs(&stand).await.len(), 1);
    });
}

#[test]
fn another_backup_of_the_database_is_named_and_waited_for() {
    let stand = Stand::new(82);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        // Somebody's own, in 20 seconds for each request.
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::from_secs(20));
        let url = stand.cluster.shelf.url(&stand.container().await);
        let other = stand.cluster.sql(&stand.server);
        stand.cluster.spawn(async move {
            other
                .go(&format!(
                    "BACKUP DATABASE [{DATABASE}] TO URL = '{url}/other.bak' WITH COPY_ONLY"
                ))
                .await;
        });
        stand.cluster.pass(Duration::from_secs(1)).await;
        let job = vault.back_up(item, Full, None).await.unwrap();
        let failed = stand.until(job, |job| work(job).failed.len() == 1).await;
        assert_eq!(
            work(&failed).failed,
            [Code::UserErrorFileManipulationIsNotAllowedDuringBackup]
        );
        let why = failed.tasks.last().unwrap().result.clone().unwrap();
        assert!(
            why.contains("BACKUP DATABASE") && why.contains("login sa"),
            "{why}"
        );
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::ZERO);
        let job = stand.cluster.done(job).await;
        assert!(job.attempt > 1, "{job:#?}");
    });
}

#[test]
fn a_signature_that_was_revoked_is_granted_anew_once() {
    let stand = Stand::new(83);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        let container = stand.container().await;
        let policy = stand.cluster.records::<Container>().await[0]
            .access_policy
            .clone();
        stand.cluster.shelf.revoke(&container, &policy).await.unwrap();
        let job = stand.back_up(&vault, item, Log).await;
        assert_eq!((job.state, job.attempt), (JobState::Completed, 2), "{job:#?}");
        assert_eq!(work(&job).failed, [Code::Bac2CredentialRefused]);
        // A door that refuses whatever is shown.
        stand.server.fault("network expired vault.test").await;
        let job = stand.back_up(&vault, item, Log).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        assert_eq!(job.fault.unwrap().code(), Code::Bac2CredentialRefused);
        assert_eq!(job.attempt, 3);
    });
}
