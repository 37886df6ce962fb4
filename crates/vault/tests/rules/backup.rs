//! One backup: what is taken, what is refused with which code, what a broken chain becomes, and what is kept of it.

mod chains;
mod credentials;
mod grades;
mod keeping;
mod late;
mod pages;
mod stand;
mod stripes;
mod trouble;

use std::time::Duration;

use azblob::names::BlobName;
use catalog::record::{ForeignOwner, Grade, HealingReason, Job, JobState, Work};
use faults::Code;
use schedule::BackupKind::{self, CopyOnlyFull, Differential, Full, Log};
use simsql::instance::Version;
use uuid::Uuid;
use vault::backup::record::SetRecord;
use vault::shelf::Shelf;

use crate::world::{End, PASSWORD};
use stand::{DATABASE, QUIET, STANDARD, Stand};

fn work(job: &Job) -> catalog::record::BackupWork {
    match &job.work {
        Work::Backup(work) => work.clone(),
        other => panic!("{other:?}"),
    }
}

fn codes(job: &Job) -> Vec<Code> {
    job.warnings.iter().map(faults::Fault::code).collect()
}

#[test]
fn a_full_is_proved_sealed_and_recorded() {
    let stand = Stand::new(21);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        let job = stand.back_up(&vault, item, BackupKind::Full).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert!(job.bytes > 0 && job.percent == Some(100.0));
        let point = stand.point(&job).await;
        assert_eq!(
            (point.grade, point.kind, point.blobs.len()),
            (Grade::Proved, BackupKind::Full, 1)
        );
        assert!(point.reasons.is_empty());
        assert!(point.keep_until.is_some(), "wanted by a user");
        assert!(point.blobs[0].starts_with("shop-") && point.blobs[0].ends_with("-1.bak"));
        let container = stand.container().await;
        let blob = BlobName::new(point.blobs[0].clone()).unwrap();
        let seen = stand
            .cluster
            .shelf
            .look(&container, &blob)
            .await
            .unwrap()
            .unwrap();
        assert!(seen.is_sealed && seen.is_committed && seen.lease.is_none());
        assert_eq!(seen.size, point.bytes);
        let records = stand.cluster.shelf.records(&container, None, 10).await.unwrap();
        assert_eq!(records.len(), 1);
        let record = SetRecord::decode(&records[0].1).unwrap();
        assert_eq!((record.name(), record.set.guid), (records[0].0.clone(), point.set.guid));
        assert_eq!(record.point(point.container), point);
        let kept = stand.cluster.item(item).await;
        assert_eq!(kept.base, Some(point.set.guid));
        assert_eq!(kept.last[&BackupKind::Full].point, point.id);
        // SQL Server says the same of it.
        let row = format!(
            "SELECT CAST(first_lsn AS varchar(30)) + ' ' + CAST(last_lsn AS varchar(30)) FROM msdb.dbo.backupset \
             WHERE backup_set_uuid = '{}'",
            point.set.guid
        );
        let value = stand.cluster.sql(&stand.server).value(&row).await;
        let expected = format!("{} {}", point.set.first_lsn, point.set.last_lsn);
        assert!(format!("{value:?}").contains(&expected), "{value:?} {expected}");
        // No secret is kept in the open.
        let shown = format!("{:?}", stand.cluster.jobs().await);
        assert!(!shown.contains("sig=") && !shown.contains(PASSWORD), "{shown}");
    });
}

#[test]
fn a_chain_of_full_differential_and_logs_goes_on() {
    let stand = Stand::new(22);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        let sql = stand.cluster.sql(&stand.server);
        let full = stand.back_up(&vault, item, BackupKind::Full).await;
        let full = stand.point(&full).await;
        sql.add_rows(DATABASE, 5).await;
        let first = stand.back_up(&vault, item, BackupKind::Log).await;
        assert_eq!(first.state, JobState::Completed, "{first:#?}");
        sql.add_rows(DATABASE, 5).await;
        let differential = stand.back_up(&vault, item, BackupKind::Differential).await;
        assert_eq!(differential.state, JobState::Completed, "{differential:#?}");
        let second = stand.back_up(&vault, item, BackupKind::Log).await;
        assert_eq!(second.state, JobState::Completed, "{second:#?}");
        let (first, second) = (stand.point(&first).await, stand.point(&second).await);
        assert_eq!(first.set.last_lsn, second.set.first_lsn);
        assert_eq!(
            stand.cluster.item(item).await.log_end,
            Some(second.set.last_lsn.clone())
        );
        let differential = stand.point(&differential).await;
        assert_eq!(differential.set.base_guid, Some(full.set.guid));
        assert!(second.blobs[0].ends_with(".trn"));
        assert!(stand.cluster.notices().await.is_empty());
    });
}

#[test]
fn what_needs_a_full_fails_on_demand_without_one() {
    let stand = Stand::new(23);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        for kind in [Log, Differential] {
            assert_eq!(
                stand.refused(&vault, item, kind).await,
                Code::UserErrorParentFullBackupMissing
            );
        }
        let failures = stand.cluster.item(item).await.failures;
        assert_eq!((failures[&Log], failures[&Differential]), (1, 1));
        assert_eq!(stand.cluster.notices().await.len(), 2);
        // A copy-only full is no base, and its logs stand on nothing that SQL Server knows.
        stand.back_up(&vault, item, CopyOnlyFull).await;
        assert_eq!(
            stand.refused(&vault, item, Differential).await,
            Code::UserErrorParentFullBackupMissing
        );
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
        assert_eq!(stand.back_up(&vault, item, Log).await.state, JobState::Completed);
        let kept = stand.cluster.item(item).await;
        assert!(!kept.failures.contains_key(&Log) && kept.failures.contains_key(&Differential));
        let open: Vec<String> = stand
            .cluster
            .notices()
            .await
            .into_iter()
            .map(|one| one.about)
            .collect();
        assert_eq!(open, [format!("failed/{item}/differential")]);
    });
}

#[test]
fn types_that_a_database_cannot_have() {
    let stand = Stand::new(24);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        stand.back_up(&vault, item, Full).await;
        stand.server.fault("database simple Shop").await;
        assert_eq!(
            stand.refused(&vault, item, Log).await,
            Code::UserErrorSQLPODoesNotSupportBackupType
        );
        assert_eq!(
            stand.back_up(&vault, item, Differential).await.state,
            JobState::Completed
        );
        stand
            .cluster
            .sql(&stand.server)
            .go("ALTER DATABASE [Shop] SET RECOVERY FULL")
            .await;
        assert_eq!(
            stand.refused(&vault, item, Log).await,
            Code::UserErrorParentFullBackupMissing,
            "the chain ended under SIMPLE"
        );
        stand
            .cluster
            .sql(&stand.server)
            .go("ALTER DATABASE [Shop] SET OFFLINE")
            .await;
        assert_eq!(
            stand.refused(&vault, item, Full).await,
            Code::Bac2DatabaseNotAvailable
        );
    });
}

#[test]
fn of_master_fulls_alone() {
    let stand = Stand::new(25);
    stand.run(async {
        let (vault, item) = stand.protect_named(QUIET, "master").await;
        for kind in [Log, Differential] {
            assert_eq!(
                stand.refused(&vault, item, kind).await,
                Code::UserErrorSQLPODoesNotSupportBackupType
            );
        }
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
    });
}

#[test]
fn mirrored_moved_into_a_group_and_not_permitted() {
    let stand = Stand::new(26);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        stand.server.fault("database mirror Shop principal").await;
        assert_eq!(
            stand.refused(&vault, item, Full).await,
            Code::UserErrorOperationNotAllowedDatabaseMirroringEnabled
        );
        stand.server.fault("database unmirror Shop").await;
        stand.server.fault("group join Shop AG1").await;
        assert_eq!(
            stand.refused(&vault, item, Full).await,
            Code::UserErrorBackupFailedStandaloneDatabaseMovedInToAG
        );
        stand.server.fault("group leave Shop").await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
    });
}

#[test]
fn dropped_made_again_or_renamed() {
    let stand = Stand::new(27);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        stand.server.fault("database rename Shop Store").await;
        let job = stand.back_up(&vault, item, Full).await;
        assert_eq!(job.state, JobState::CompletedWithWarnings, "{job:#?}");
        assert_eq!(codes(&job), [Code::Bac2DatabaseRenamed]);
        stand.server.fault("database drop Store").await;
        assert_eq!(
            stand.refused(&vault, item, Full).await,
            Code::UserErrorSQLPODoesNotExist
        );
        stand.cluster.sql(&stand.server).make_database(DATABASE).await;
        assert_eq!(
            stand.refused(&vault, item, Full).await,
            Code::Bac2DatabaseRecreated
        );
    });
}

#[test]
fn somebody_elses_backups_break_the_chain() {
    let stand = Stand::new(28);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        let sql = stand.cluster.sql(&stand.server);
        stand.back_up(&vault, item, Full).await;
        stand.back_up(&vault, item, Log).await;
        sql.add_rows(DATABASE, 3).await;
        sql.foreign_backup("LOG", DATABASE, "a.trn", "").await;
        assert_eq!(
            stand.refused(&vault, item, Log).await,
            Code::UserErrorSQLLSNValidationFailure
        );
        // A full anchors the logs anew, also one that nobody took to heal.
        let full = stand.back_up(&vault, item, Full).await;
        assert_eq!(full.state, JobState::Completed, "{full:#?}");
        let log = stand.back_up(&vault, item, Log).await;
        assert_eq!(log.state, JobState::Completed, "{log:#?}");
        sql.foreign_backup("DATABASE", DATABASE, "a.bak", "").await;
        assert_eq!(
            stand.refused(&vault, item, Differential).await,
            Code::UserErrorSQLLSNValidationFailure
        );
        assert_eq!(stand.back_up(&vault, item, Log).await.state, JobState::Completed);
    });
}

#[test]
fn what_belongs_to_another_tool_is_left_to_it() {
    let stand = Stand::new(29);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        stand.back_up(&vault, item, Full).await;
        stand
            .change_item(item, |item| {
                item.foreign_owner = Some(ForeignOwner {
                    owns_log: true,
                    owns_base: true,
                    who: "another tool".to_owned(),
                    is_log_shipping: false,
                    is_unknown: false,
                });
            })
            .await;
        for kind in [Log, Differential] {
            assert_eq!(
                stand.refused(&vault, item, kind).await,
                Code::Bac2ForeignChainOwner
            );
        }
        let now = stand.cluster.now();
        stand.change_item(item, |item| item.took_over = Some(now)).await;
        for kind in [Log, Differential] {
            assert_eq!(stand.back_up(&vault, item, kind).await.state, JobState::Completed);
        }
    });
}

#[test]
fn in_shadow_mode_copies_alone() {
    let stand = Stand::new(30);
    stand.run(async {
        let policy = QUIET.replace("\"version\": 1", "\"version\": 1, \"mode\": \"shadow\"");
        let (vault, item) = stand.protect(&policy).await;
        for kind in [Full, Log, Differential] {
            assert_eq!(
                stand.refused(&vault, item, kind).await,
                Code::Bac2ForeignChainOwner
            );
        }
        let job = stand.back_up(&vault, item, CopyOnlyFull).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert!(stand.point(&job).await.set.is_copy_only);
        assert_eq!(stand.cluster.item(item).await.base, None);
    });
}

#[test]
fn a_credential_that_somebody_else_made_is_never_altered() {
    let stand = Stand::new(31);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        let url = stand.cluster.shelf.url(&stand.container().await);
        let sql = stand.cluster.sql(&stand.server);
        sql.go(&format!(
            "CREATE CREDENTIAL [{url}] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 'theirs'"
        ))
        .await;
        let when = "SELECT CONVERT(varchar(40), modify_date, 126) FROM sys.credentials";
        let before = format!("{:?}", sql.value(when).await);
        assert_eq!(
            stand.refused(&vault, item, Full).await,
            Code::Bac2ForeignCredential
        );
        assert_eq!(format!("{:?}", sql.value(when).await), before);
        sql.go(&format!("DROP CREDENTIAL [{url}]")).await;
        assert_eq!(stand.back_up(&vault, item, Full).await.state, JobState::Completed);
    });
}

#[test]
fn an_instance_that_is_down_is_tried_three_times() {
    let stand = Stand::new(32);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        stand.cluster.end(&stand.server, End::Kill);
        let job = stand.back_up(&vault, item, Full).await;
        assert_eq!((job.state, job.attempt), (JobState::Failed, 3), "{job:#?}");
        assert_eq!(job.fault.unwrap().code(), Code::UserErrorOpeningSQLConnection);
        // The same, up again before the third attempt.
        let job = vault.back_up(item, Full, None).await.unwrap();
        stand.cluster.pass(Duration::from_secs(60)).await;
        stand.server.start();
        let job = stand.cluster.done(job).await;
        assert_eq!(job.attempt, 3);
        assert!(stand.cluster.notices().await.is_empty());
    });
}

#[test]
fn a_session_that_is_lost_is_looked_for_in_msdb() {
    let stand = Stand::new(33);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        stand.server.goes_on_without_client(true);
        stand
            .server
            .lose_next("BACKUP DATABASE [Shop] TO", Duration::from_millis(1));
        let job = stand.back_up(&vault, item, Full).await;
        assert_eq!((job.state, job.attempt), (JobState::Completed, 1), "{job:#?}");
        assert_eq!(stand.point(&job).await.grade, Grade::Proved);
        stand.server.goes_on_without_client(false);
        let slow = |time| stand.cluster.door.trouble(|trouble| trouble.slow = time);
        slow(Duration::from_secs(2));
        stand
            .server
            .lose_next("BACKUP LOG [Shop] TO", Duration::from_secs(3));
        let job = vault.back_up(item, Log, None).await.unwrap();
        stand.cluster.pass(Duration::from_secs(20)).await;
        slow(Duration::ZERO);
        let job = stand.cluster.ended(job).await;
        assert_eq!((job.state, job.attempt), (JobState::Completed, 2), "{job:#?}");
        assert_eq!(work(&job).blobs.len(), 1);
        assert_eq!(stand.cluster.points().await.len(), 2);
    });
}

#[test]
fn a_crash_at_any_poll_makes_one_point() {
    let stand = Stand::new(34);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        stand.server.goes_on_without_client(true);
        drop(vault);
        for polls in (1..120).step_by(14) {
            let vault = stand.cluster.vault().await;
            let job = vault.back_up(item, Full, None).await.unwrap();
            drop(vault);
            stand.cluster.crash_vault();
            assert!(stand.cluster.try_start_vault_for(polls).await);
            stand.cluster.pass(Duration::from_secs(3)).await;
            stand.cluster.crash_vault();
            drop(stand.cluster.start_vault().await);
            let job = stand.cluster.done(job).await;
            stand.cluster.crash_vault();
            let point = stand.point(&job).await;
            assert_eq!(point.job, Some(job.id));
        }
        let points = stand.cluster.points().await;
        let mut sets: Vec<Uuid> = points.iter().map(|point| point.set.guid).collect();
        sets.sort_unstable();
        sets.dedup();
        assert_eq!(sets.len(), points.len());
        let rows = "SELECT COUNT(*) FROM msdb.dbo.backupset WHERE database_name = 'Shop'";
        let taken = stand.cluster.sql(&stand.server).value(rows).await;
        assert_eq!(
            format!("{taken:?}"),
            format!("Integer({})", points.len()),
            "nothing was sent twice"
        );
    });
}

#[test]
fn a_scheduled_log_without_a_full_becomes_one() {
    let stand = Stand::new(35);
    stand.run(async {
        let (_vault, item) = stand.protect(STANDARD).await;
        // Or the vault would take its first full by itself before any log is due.
        stand.cluster.drop_wish(item).await;
        stand.cluster.pass(Duration::from_secs(16 * 60)).await;
        let jobs = stand.cluster.jobs().await;
        let first = stand.cluster.ended(jobs[0].id).await;
        assert_eq!(first.state, JobState::CompletedWithWarnings, "{first:#?}");
        assert_eq!(codes(&first), [Code::Bac2BackupConverted]);
        assert_eq!(
            (work(&first).asked, work(&first).kind, work(&first).converted),
            (Log, Full, Some(HealingReason::FullMissing))
        );
        assert_eq!(stand.point(&first).await.kind, Full);
        stand.cluster.pass(Duration::from_secs(31 * 60)).await;
        let points = stand.cluster.points().await;
        let kinds: Vec<BackupKind> = points.iter().map(|point| point.kind).collect();
        assert_eq!(kinds, [Full, Log, Log]);
        assert_eq!(points[1].set.last_lsn, points[2].set.first_lsn);
        // Another tool takes a log: the next slot cannot heal within a day of the last, and takes the log meanwhile.
        let sql = stand.cluster.sql(&stand.server);
        sql.add_rows(DATABASE, 3).await;
        sql.foreign_backup("LOG", DATABASE, "a.trn", "").await;
        stand.cluster.pass(Duration::from_secs(15 * 60)).await;
        let last = stand.cluster.jobs().await.pop().unwrap();
        assert_eq!(last.state, JobState::CompletedWithWarnings, "{last:#?}");
        assert!(
            codes(&last).contains(&Code::UserErrorSQLLSNValidationFailure),
            "{last:#?}"
        );
        assert_eq!(stand.point(&last).await.kind, Log);
        assert!(stand.cluster.item(item).await.healing.is_some());
    });
}

#[test]
fn a_stream_that_is_damaged_on_the_way_is_disputed() {
    let stand = Stand::new(36);
    stand.run(async {
        let policy = QUIET.replace(
            "\"running\"",
            "\"writing\": {\"compression\": \"off\"}, \"running\"",
        );
        let (vault, item) = stand.protect(&policy).await;
        let sql = stand.cluster.sql(&stand.server);
        for _ in 0..20 {
            sql.add_rows(DATABASE, 100).await;
        }
        let trouble = |slow, blocks| {
            stand.cluster.door.trouble(|trouble| {
                trouble.slow = Duration::from_secs(slow);
                trouble.blocks_damaged = blocks;
            });
        };
        trouble(1, 0);
        let job = vault.back_up(item, Full, None).await.unwrap();
        let container = stand.container().await;
        // Behind the first block, whose headers a flipped bit makes another format of.
        loop {
            stand.cluster.pass(Duration::from_millis(100)).await;
            let blobs = stand
                .cluster
                .shelf
                .list(&container, None, 10)
                .await
                .unwrap_or_default();
            if blobs.iter().any(|blob| blob.arrived > 0) {
                break;
            }
        }
        trouble(0, 100);
        let job = stand.cluster.ended(job).await;
        assert_eq!(stand.point(&job).await.grade, Grade::Disputed, "{job:#?}");
        assert_eq!(job.state, JobState::CompletedWithWarnings, "{job:#?}");
        assert_eq!(codes(&job), [Code::Bac2StreamDisputed]);
        let point = stand.point(&job).await;
        assert!(!point.reasons.is_empty());
        let kept = stand.cluster.item(item).await;
        assert_ne!(kept.base, Some(point.set.guid));
        assert_ne!(kept.last.get(&Full).map(|last| last.point), Some(point.id));
        assert_eq!(
            kept.healing.map(|wanted| (wanted.kind, wanted.reason)),
            Some((Full, HealingReason::FullMissing))
        );
        assert!(stand.is_told(Code::Bac2StreamDisputed).await);
    });
}

#[test]
fn a_disk_that_fills_keeps_room_for_logs() {
    let stand = Stand::new(38);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        stand.back_up(&vault, item, Full).await;
        let used = stand.cluster.door.disk.used();
        stand.cluster.door.set_free(Some(used / 15));
        assert_eq!(
            stand.refused(&vault, item, Full).await,
            Code::Bac2StoreDiskFilling
        );
        stand.cluster.door.set_free(Some(used / 100));
        assert_eq!(stand.refused(&vault, item, Log).await, Code::Bac2StoreDiskFull);
        stand.cluster.door.set_free(None);
        assert_eq!(stand.back_up(&vault, item, Log).await.state, JobState::Completed);
    });
}

#[test]
fn from_2022_on_the_last_restorable_moment_is_known() {
    let stand = Stand::of(40, Version::V2022);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        let full = stand.back_up(&vault, item, Full).await;
        assert_eq!(full.state, JobState::Completed, "{full:#?}");
        let log = stand.back_up(&vault, item, Log).await;
        assert!(stand.point(&log).await.set.last_restorable.is_some());
    });
}

#[test]
fn a_cancelled_backup_is_cancelled_and_leaves_no_point() {
    let stand = Stand::new(41);
    stand.run(async {
        let (vault, item) = stand.protect(QUIET).await;
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::from_secs(20));
        let id = vault.back_up(item, Full, None).await.unwrap();
        stand.cluster.pass(Duration::from_secs(30)).await;
        vault.cancel_job(id).await.unwrap();
        let job = stand.cluster.ended(id).await;
        assert_eq!(job.state, JobState::Cancelled, "{job:#?}");
        assert!(stand.cluster.points().await.is_empty());
        assert!(stand.cluster.item(item).await.failures.is_empty());
    });
}

#[test]
fn verify_only_is_run_where_the_policy_wants_it() {
    let stand = Stand::new(42);
    stand.run(async {
        let policy = QUIET.replace("\"running\"", "\"writing\": {\"verifyOnly\": true}, \"running\"");
        let (vault, item) = stand.protect(&policy).await;
        let job = stand.back_up(&vault, item, Full).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        let verified = job.tasks.iter().find(|task| task.name == "RESTORE VERIFYONLY");
        assert!(verified.is_some_and(|task| task.result.is_some()), "{job:#?}");
        assert_eq!(stand.point(&job).await.grade, Grade::Proved);
    });
}
