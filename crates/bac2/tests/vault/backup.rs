//! Backups that go well, and those that a database or its chain does not allow: each with its code.

use azblob::names::BlobName;
use catalog::record::{Grade, HealingReason, Job, JobState};
use faults::Code;
use mssql::Value;
use schedule::BackupKind::{CopyOnlyFull, Differential, Full, Log};
use std::time::Duration;
use vault::backup::record::SetRecord;
use vault::shelf::Shelf as _;

use super::lab::{Lab, PASSWORD, Release, quiet, run, standard};

fn codes(job: &Job) -> Vec<Code> {
    job.warnings.iter().map(faults::Fault::code).collect()
}

#[test]
fn a_chain_is_proved_sealed_recorded_and_known_to_sql_server() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2019).await;
        let full = lab.proved(item, Full).await;
        server.add_rows("Shop", 5).await;
        let first = lab.proved(item, Log).await;
        server.add_rows("Shop", 5).await;
        let differential = lab.proved(item, Differential).await;
        let second = lab.proved(item, Log).await;
        let copy = lab.proved(item, CopyOnlyFull).await;
        assert_eq!(first.set.last_lsn, second.set.first_lsn);
        assert_eq!(differential.set.base_guid, Some(full.set.guid));
        assert!(copy.set.is_copy_only && second.blobs[0].ends_with(".trn"));
        let kept = lab.item(item).await;
        assert_eq!(
            (kept.base, kept.log_end),
            (Some(full.set.guid), Some(second.set.last_lsn.clone()))
        );
        let container = azblob::names::ContainerName::new(lab.containers().await[0].name.as_str()).unwrap();
        for point in [&full, &first, &differential, &second, &copy] {
            let blob = BlobName::new(point.blobs[0].as_str()).unwrap();
            let seen = lab.door.shelf.look(&container, &blob).await.unwrap().unwrap();
            assert!(
                seen.is_sealed && seen.lease.is_none() && seen.size == point.bytes,
                "{seen:?}"
            );
            let rows = format!(
                "SELECT CAST(last_lsn AS varchar(30)) AS lsn FROM msdb.dbo.backupset WHERE backup_set_uuid = '{}'",
                point.set.guid
            );
            assert_eq!(
                server.value(&rows).await,
                Value::Text(point.set.last_lsn.to_string())
            );
        }
        let records = lab.door.shelf.records(&container, None, 10).await.unwrap();
        let mut recorded: Vec<_> = records
            .iter()
            .map(|(_, body)| SetRecord::decode(body).unwrap().set.guid)
            .collect();
        let mut known = [full, first, differential, second, copy].map(|point| point.set.guid);
        recorded.sort_unstable();
        known.sort_unstable();
        assert_eq!(recorded, known);
        assert!(lab.notices().await.is_empty());
        let shown = format!("{:?}", lab.jobs().await);
        assert!(!shown.contains("sig=") && !shown.contains(PASSWORD));
    });
}

#[test]
fn every_version_backs_up_over_https() {
    run(|| async {
        let lab = Lab::new().await;
        for release in [
            Release::V2012,
            Release::V2014,
            Release::V2016,
            Release::V2017,
            Release::V2022,
            Release::V2025,
        ] {
            let (server, _, item) = lab.shop(release).await;
            lab.proved(item, Full).await;
            server.add_rows("Shop", 5).await;
            lab.proved(item, Log).await;
        }
        assert!(lab.notices().await.is_empty(), "{:#?}", lab.notices().await);
    });
}

#[test]
fn what_needs_a_full_fails_on_demand_without_one() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, _, item) = lab.shop(Release::V2022).await;
        for kind in [Log, Differential] {
            assert_eq!(
                lab.refused(item, kind).await,
                Code::UserErrorParentFullBackupMissing
            );
        }
        assert_eq!(
            lab.notice_codes().await,
            [Code::UserErrorParentFullBackupMissing; 2]
        );
        lab.proved(item, CopyOnlyFull).await;
        assert_eq!(
            lab.refused(item, Differential).await,
            Code::UserErrorParentFullBackupMissing
        );
        lab.proved(item, Full).await;
        lab.proved(item, Log).await;
        lab.proved(item, Differential).await;
        assert!(lab.notices().await.is_empty());
    });
}

#[test]
fn types_that_a_database_cannot_have() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.sql("ALTER DATABASE Shop SET RECOVERY SIMPLE").await;
        assert_eq!(
            lab.refused(item, Log).await,
            Code::UserErrorSQLPODoesNotSupportBackupType
        );
        lab.proved(item, Differential).await;
        server.sql("ALTER DATABASE Shop SET RECOVERY FULL").await;
        assert_eq!(
            lab.refused(item, Log).await,
            Code::UserErrorParentFullBackupMissing
        );
        let master = lab.protect(id, "master").await;
        for kind in [Log, Differential] {
            assert_eq!(
                lab.refused(master, kind).await,
                Code::UserErrorSQLPODoesNotSupportBackupType
            );
        }
        lab.proved(master, Full).await;
        server.sql("ALTER DATABASE Shop SET OFFLINE").await;
        assert_eq!(lab.refused(item, Full).await, Code::Bac2DatabaseNotAvailable);
        server.sql("ALTER DATABASE Shop SET ONLINE").await;
        server.fault("database mirror Shop principal").await;
        assert_eq!(
            lab.refused(item, Full).await,
            Code::UserErrorOperationNotAllowedDatabaseMirroringEnabled
        );
    });
}

#[test]
fn dropped_made_again_or_renamed() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        server.sql("ALTER DATABASE Shop MODIFY NAME = Store").await;
        let job = lab.back_up(item, Full).await;
        assert_eq!(
            (job.state, codes(&job)),
            (JobState::CompletedWithWarnings, vec![Code::Bac2DatabaseRenamed])
        );
        server.sql("DROP DATABASE Store").await;
        assert_eq!(lab.refused(item, Full).await, Code::UserErrorSQLPODoesNotExist);
        server.make_database("Shop").await;
        assert_eq!(lab.refused(item, Full).await, Code::Bac2DatabaseRecreated);
    });
}

#[test]
fn backups_of_another_tool_break_the_chain_and_are_told() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2019).await;
        lab.proved(item, Full).await;
        lab.proved(item, Log).await;
        server.add_rows("Shop", 3).await;
        server.foreign_backup("LOG", "Shop", "a.trn", "").await;
        assert_eq!(
            lab.refused(item, Log).await,
            Code::UserErrorSQLLSNValidationFailure
        );
        lab.rediscover(id).await;
        lab.noticed(Code::Bac2ForeignBackupSeen).await;
        lab.proved(item, Full).await;
        lab.proved(item, Log).await;
        server.foreign_backup("DATABASE", "Shop", "a.bak", "").await;
        assert_eq!(
            lab.refused(item, Differential).await,
            Code::UserErrorSQLLSNValidationFailure
        );
        lab.proved(item, Log).await;
    });
}

#[test]
fn a_chain_that_another_tool_owns_is_left_to_it_until_it_is_taken_over() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        server.foreign_backup("DATABASE", "Shop", "a.bak", "").await;
        server.foreign_backup("LOG", "Shop", "a.trn", "").await;
        let id = lab.register(&server).await;
        let item = lab.protect(id, "Shop").await;
        assert!(lab.item(item).await.foreign_owner.is_some());
        lab.proved(item, CopyOnlyFull).await;
        for kind in [Log, Differential] {
            assert_eq!(lab.refused(item, kind).await, Code::Bac2ForeignChainOwner);
        }
        lab.vault().take_over_chain(item).await.unwrap();
        lab.proved(item, Full).await;
        lab.proved(item, Log).await;
    });
}

#[test]
fn the_first_full_comes_by_itself_and_the_log_of_the_next_slot_goes_on_from_it() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let item = lab.protect_by(&standard(), id, "Shop").await;
        // Nobody asks, and the weekly full is days ahead.
        server.fault("clock jump 6m").await;
        lab.advance(Duration::from_secs(6 * 60));
        let (reason, full) = lab.healed(item).await;
        assert_eq!((reason, full.kind), (HealingReason::FullMissing, Full));
        server.add_rows("Shop", 3).await;
        server.fault("clock jump 15m").await;
        lab.advance(Duration::from_secs(15 * 60));
        let log = lab
            .until("the slot has its log", || async {
                lab.points().await.into_iter().find(|point| point.kind == Log)
            })
            .await;
        assert_eq!((full.grade, log.grade), (Grade::Proved, Grade::Proved));
        let lsn = |text: &str| text.parse::<u128>().unwrap();
        assert!(lsn(&log.set.first_lsn) <= lsn(&full.set.last_lsn), "{log:#?}");
    });
}

#[test]
fn in_shadow_mode_copies_alone() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let policy = quiet().replace("\"version\": 1", "\"version\": 1, \"mode\": \"shadow\"");
        let item = lab.protect_by(&policy, id, "Shop").await;
        for kind in [Full, Log, Differential] {
            assert_eq!(lab.refused(item, kind).await, Code::Bac2ForeignChainOwner);
        }
        assert!(lab.proved(item, CopyOnlyFull).await.set.is_copy_only);
    });
}

#[test]
fn stripes_checksums_and_verify_only() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let policy = quiet().replace("\"running\"", "\"writing\": {\"verifyOnly\": true}, \"running\"");
        let item = lab.protect_by(&policy, id, "Shop").await;
        let job = lab.back_up(item, Full).await;
        let verified = job.tasks.iter().find(|task| task.name == "RESTORE VERIFYONLY");
        assert!(verified.is_some_and(|task| task.result.is_some()), "{job:#?}");
        assert_eq!(lab.point(&job).await.grade, Grade::Proved);
    });
}
