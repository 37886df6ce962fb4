//! What breaks a chain behind the vault's back, and what a backup makes of it.

use std::time::Duration;

use catalog::record::{Database, HealingReason, JobState};
use faults::Code;
use schedule::BackupKind::{self, Full, Log};
use vault::shelf::Shelf as _;

use super::stand::{DATABASE, QUIET, STANDARD, Stand};
use super::{codes, work};

const SLOT: Duration = Duration::from_secs(15 * 60);

#[test]
fn a_database_that_was_restored_over_gets_a_full_with_its_next_log() {
    let stand = Stand::new(90);
    stand.run(async {
        let (vault, item) = stand.protect(STANDARD).await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        let sql = stand.cluster.sql(&stand.server);
        sql.foreign_backup("DATABASE", DATABASE, "a.bak", "COPY_ONLY")
            .await;
        let before = stand.cluster.records::<Database>().await.remove(0);
        sql.go("DROP DATABASE [Shop]").await;
        sql.go("RESTORE DATABASE [Shop] FROM DISK = '/sql/backup/a.bak'")
            .await;
        let seen = stand.seen(DATABASE).await.chain.unwrap();
        assert_ne!(
            seen.database_guid, before.database_guid,
            "a restore makes another one"
        );
        stand.cluster.pass(SLOT + Duration::from_secs(60)).await;
        let job = stand.cluster.jobs().await.pop().unwrap();
        assert_eq!(job.state, JobState::CompletedWithWarnings, "{job:#?}");
        assert_eq!(
            (work(&job).asked, work(&job).kind, work(&job).converted),
            (Log, Full, Some(HealingReason::Overwritten))
        );
        let known = stand.cluster.records::<Database>().await.remove(0);
        assert_eq!(
            (known.database_guid, known.recovery_fork),
            (seen.database_guid, seen.recovery_fork)
        );
        // It is whole with that: logs go on, and nothing more is wanted.
        for _ in 0..2 {
            sql.add_rows(DATABASE, 3).await;
            stand.cluster.pass(SLOT).await;
            let job = stand.cluster.jobs().await.pop().unwrap();
            assert_eq!(
                (work(&job).kind, job.state),
                (Log, JobState::Completed),
                "{job:#?}"
            );
        }
        assert_eq!(stand.cluster.item(item).await.healing, None);
    });
}

#[test]
fn a_host_that_was_put_back_is_found_though_no_log_was_taken_since() {
    let stand = Stand::new(91);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        stand.back_up(&vault, item, Full).await;
        stand.back_up(&vault, item, Log).await;
        stand.cluster.pass(Duration::from_secs(60)).await;
        stand.server.fault("snapshot before").await;
        stand.cluster.pass(Duration::from_secs(60)).await;
        let lost = stand.back_up(&vault, item, Full).await;
        assert_eq!(lost.state, JobState::Completed);
        stand.server.fault("rollback before").await;
        let job = stand.back_up(&vault, item, Log).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        let fault = job.fault.unwrap();
        assert_eq!(fault.code(), Code::UserErrorSQLLSNValidationFailure);
        assert!(fault.happened().contains("put back"), "{}", fault.happened());
        let told = async || {
            let notices = stand.cluster.notices().await;
            notices
                .iter()
                .any(|one| one.fault.code() == Code::Bac2SnapshotPutBack)
        };
        assert!(told().await);
        let full = stand.back_up(&vault, item, Full).await;
        assert_eq!(full.state, JobState::Completed, "{full:#?}");
        assert!(!told().await, "its new full begins another chain");
        let log = stand.back_up(&vault, item, Log).await;
        assert_eq!(log.state, JobState::Completed, "{log:#?}");
    });
}

#[test]
fn another_tools_full_is_no_sign_of_that() {
    let stand = Stand::new(92);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        let sql = stand.cluster.sql(&stand.server);
        sql.foreign_backup("DATABASE", DATABASE, "old.bak", "COPY_ONLY")
            .await;
        stand.cluster.pass(Duration::from_secs(60)).await;
        stand.back_up(&vault, item, Full).await;
        sql.foreign_backup("DATABASE", DATABASE, "a.bak", "").await;
        let log = stand.back_up(&vault, item, Log).await;
        assert_eq!(log.state, JobState::Completed, "{log:#?}");
    });
}

#[test]
fn a_log_is_taken_where_only_its_full_has_no_room() {
    let stand = Stand::new(93);
    stand.run(async {
        // A store that is large beside a log.
        let policy = STANDARD.replace(
            "\"running\"",
            "\"writing\": {\"compression\": \"off\"}, \"running\"",
        );
        let (vault, item) = stand.protect(&policy).await;
        let sql = stand.cluster.sql(&stand.server);
        for _ in 0..200 {
            sql.add_rows(DATABASE, 100).await;
        }
        stand.back_up(&vault, item, Full).await;
        stand.back_up(&vault, item, Log).await;
        sql.add_rows(DATABASE, 3).await;
        sql.foreign_backup("LOG", DATABASE, "a.trn", "").await;
        let used = stand.cluster.door.disk.used();
        stand.cluster.door.set_free(Some(used / 15));
        stand.cluster.pass(SLOT + Duration::from_secs(60)).await;
        let job = stand
            .cluster
            .jobs()
            .await
            .into_iter()
            .rfind(|job| work(job).asked == Log)
            .unwrap();
        assert_eq!(job.state, JobState::CompletedWithWarnings, "{job:#?}");
        assert_eq!(work(&job).kind, Log);
        assert!(
            codes(&job).contains(&Code::UserErrorSQLLSNValidationFailure),
            "{job:#?}"
        );
        assert!(stand.cluster.item(item).await.healing.is_some());
        assert!(stand.cluster.shelf.space().await.is_ok());
    });
}

#[test]
fn a_full_that_was_asked_for_is_no_conversion() {
    let stand = Stand::new(94);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        let first = stand.back_up(&vault, item, Full).await;
        assert_eq!(
            (work(&first).converted, work(&first).anchors),
            (None, true),
            "logs begin with it"
        );
        let second = stand.back_up(&vault, item, Full).await;
        assert_eq!((work(&second).converted, work(&second).anchors), (None, false));
        stand.server.fault("database simple Shop").await;
        let third = stand.back_up(&vault, item, BackupKind::Full).await;
        assert_eq!(
            (third.state, work(&third).converted, work(&third).anchors),
            (JobState::Completed, None, false),
            "it has no logs that could break"
        );
    });
}

#[test]
fn a_log_that_becomes_a_full_is_in_the_way_of_fulls_and_of_no_log() {
    let stand = Stand::new(97);
    stand.run(async {
        let (vault, item) = stand.protect(STANDARD).await;
        let full = stand.back_up(&vault, item, Full).await;
        assert_eq!(full.state, JobState::Completed);
        stand.cluster.pass(SLOT).await;
        let sql = stand.cluster.sql(&stand.server);
        sql.add_rows(DATABASE, 3).await;
        sql.foreign_backup("LOG", DATABASE, "a.trn", "").await;
        // The next slot's full is not over when the slot after it comes.
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.verifier_rests = true);
        stand.cluster.pass(SLOT + Duration::from_secs(60)).await;
        let converted = stand.cluster.jobs().await.pop().unwrap();
        assert!(!converted.state.is_ended(), "{converted:#?}");
        assert_eq!((work(&converted).asked, work(&converted).kind), (Log, Full));
        // A user's full would end in 3023 beside it.
        let fault = vault.back_up(item, Full, None).await.unwrap_err();
        assert_eq!(
            fault.code(),
            Code::OperationCancelledBecauseConflictingOperationRunningUserError
        );
        sql.add_rows(DATABASE, 3).await;
        stand.cluster.pass(SLOT).await;
        let log = stand.cluster.jobs().await.pop().unwrap();
        assert_eq!(work(&log).kind, Log);
        assert!(work(&log).sent.is_some() && log.id != converted.id, "{log:#?}");
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.verifier_rests = false);
        let converted = stand.cluster.done(converted.id).await;
        assert_eq!(codes(&converted), [Code::Bac2BackupConverted]);
        stand.cluster.done(log.id).await;
        let missed = stand.cluster.notices().await;
        assert!(missed.iter().all(|notice| notice.missed.is_none()), "{missed:#?}");
        // The chain is whole: the next log goes on.
        stand.cluster.pass(SLOT).await;
        let next = stand.cluster.jobs().await.pop().unwrap();
        assert_eq!(
            (work(&next).kind, next.state),
            (Log, JobState::Completed),
            "{next:#?}"
        );
        assert_eq!(stand.cluster.item(item).await.healing, None);
    });
}
