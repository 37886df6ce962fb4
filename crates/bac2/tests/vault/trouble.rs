//! What goes wrong while a backup runs: at the instance, on the way, in the store. Each comes out with its code, and ends well
//! where it can.

use std::time::Duration;

use catalog::record::{JobState, Work};
use faults::Code;
use schedule::BackupKind::{Full, Log};
use vault::shelf::{Blob, Shelf as _, ShelfError};

use super::lab::{ACCOUNT, Lab, Release, code, run, standard};

impl Lab {
    /// The blobs of the only container.
    async fn blobs(&self) -> Vec<Blob> {
        let name = self.containers().await[0].name.clone();
        let container = azblob::names::ContainerName::new(name.as_str()).unwrap();
        match self.door.shelf.list(&container, None, 100).await {
            Ok(blobs) => blobs,
            Err(ShelfError::Missing(_)) => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn an_instance_that_dies_leaves_a_lease_that_is_cleaned_up() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2019).await;
        for _ in 0..5 {
            server.add_rows("Shop", 200).await;
        }
        server.fault("kill after 100000 bytes to vault.example").await;
        let job = lab.vault().back_up(item, Full, None).await.unwrap();
        lab.sent(job).await;
        lab.until("the instance is dead", || async {
            (!server.is_running()).then_some(())
        })
        .await;
        let left = lab
            .until("its connections are seen to be gone", || async {
                let blobs = lab.blobs().await;
                let lease = blobs.first()?.lease?;
                (lease.connections == 0).then(|| blobs[0].clone())
            })
            .await;
        assert!(!left.is_committed && !left.is_sealed, "{left:?}");
        server.start_again();
        lab.advance(Duration::from_secs(60));
        let ended = lab.ended(job).await;
        assert_eq!(ended.state, JobState::Completed, "{ended:#?}");
        assert!(ended.attempt > 1, "{ended:#?}");
        // What the first attempt left goes, at the latest when nobody has used it for a while.
        let quiet = Duration::from_secs(16 * 60);
        lab.in_time("what was left is gone", quiet, || async {
            let blobs = lab.blobs().await;
            blobs.iter().all(|blob| blob.name != left.name).then_some(())
        })
        .await;
        let blobs = lab.blobs().await;
        assert!(blobs.iter().all(|blob| blob.is_sealed), "{blobs:#?}");
        assert_eq!((blobs.len(), lab.points().await.len()), (1, 1));
    });
}

#[test]
fn a_signature_that_is_revoked_between_two_backups_is_replaced() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        let container = lab.containers().await.remove(0);
        let name = azblob::names::ContainerName::new(container.name.as_str()).unwrap();
        let account = azblob::names::AccountName::new(ACCOUNT).unwrap();
        let policies = lab.door.store.container_policies(&account, &name).unwrap();
        assert_eq!(policies.len(), 1, "one revocable signature for a container");
        lab.door
            .shelf
            .revoke(&name, policies[0].id.as_str())
            .await
            .unwrap();
        server.add_rows("Shop", 1).await;
        let job = lab.back_up(item, Log).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        let Work::Backup(work) = &job.work else {
            panic!("a backup")
        };
        assert_eq!(
            work.failed,
            [Code::Bac2CredentialRefused],
            "it was tried, and refused"
        );
        let after = lab.containers().await.remove(0);
        assert!(after.sas_until > container.sas_until || after.sas != container.sas);
        // The chain has no hole, and no instance is asked to show what is void.
        server.add_rows("Shop", 1).await;
        lab.proved(item, Log).await;
        assert!(lab.notices().await.is_empty(), "{:#?}", lab.notices().await);
    });
}

#[test]
fn an_instance_that_does_not_trust_the_door_or_does_not_find_it() {
    run(|| async {
        let lab = Lab::new().await;
        let stranger = lab
            .server_with(Release::V2022, |start| start.trust_ca = None)
            .await;
        let lost = lab.server_with(Release::V2019, |start| start.door = None).await;
        for server in [&stranger, &lost] {
            server.make_database("Shop").await;
            let id = lab.register(server).await;
            let item = lab.protect(id, "Shop").await;
            let job = lab.vault().back_up(item, Full, None).await.unwrap();
            let job = lab.ended(job).await;
            assert_eq!(job.state, JobState::Failed, "{job:#?}");
            assert_eq!(
                job.fault.as_ref().unwrap().code(),
                Code::UserErrorVMInternetConnectivityIssue,
                "{job:#?}"
            );
        }
    });
}

#[test]
fn rights_that_are_taken_and_given_back() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        server
            .sql(
                "CREATE LOGIN bk WITH PASSWORD = 'Correct-Horse-2'; ALTER SERVER ROLE sysadmin ADD MEMBER bk",
            )
            .await;
        let mut new = lab.registration(&server);
        new.login = super::lab::login("bk", "Correct-Horse-2");
        let id = lab.vault().add_server(new).await.unwrap();
        let item = lab.protect(id, "Shop").await;
        lab.proved(item, Full).await;
        server.sql("ALTER SERVER ROLE sysadmin DROP MEMBER bk").await;
        assert_eq!(
            lab.refused(item, Full).await,
            Code::UserErrorSQLNoSysadminMembership
        );
        server.sql("ALTER SERVER ROLE sysadmin ADD MEMBER bk").await;
        lab.proved(item, Full).await;
    });
}

#[test]
fn a_disk_that_fills_keeps_room_for_logs() {
    run(|| async {
        let lab = Lab::on_simulated_disk().await;
        let (_server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        let disk = lab.door.disk.clone().unwrap();
        let used = disk.used();
        disk.set_capacity(used + used / 15);
        assert_eq!(lab.refused(item, Full).await, Code::Bac2StoreDiskFilling);
        disk.set_capacity(used + used / 100);
        assert_eq!(lab.refused(item, Log).await, Code::Bac2StoreDiskFull);
        disk.set_capacity(1 << 40);
        lab.proved(item, Log).await;
    });
}

#[test]
fn a_log_that_is_full_is_freed_by_its_backup() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.fault("log full Shop").await;
        let rows = vec!["(REPLICATE('x', 3900))"; 100].join(", ");
        let insert = format!("INSERT INTO dbo.Orders (what) VALUES {rows}");
        assert_eq!(server.until_it_fails("Shop", &insert).await, 9002);
        lab.proved(item, Log).await;
        server.add_rows("Shop", 1).await;
        lab.proved(item, Full).await;
    });
}

#[test]
fn a_backup_is_cancelled_and_a_second_one_of_the_kind_is_refused() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        server.fault("network slow vault.example 2s").await;
        let vault = lab.vault();
        let first = vault.back_up(item, Full, None).await.unwrap();
        lab.sent(first).await;
        let second = vault.back_up(item, Full, None).await;
        assert_eq!(
            code(second),
            Code::OperationCancelledBecauseConflictingOperationRunningUserError
        );
        vault.cancel_job(first).await.unwrap();
        server.fault("network back vault.example").await;
        let first = lab.ended(first).await;
        assert_eq!(first.state, JobState::Cancelled, "{first:#?}");
        assert_eq!(first.fault.unwrap().code(), Code::Bac2JobCancelled);
        assert!(lab.points().await.is_empty());
        let again = vault.cancel_job(first.id).await.unwrap_err();
        assert_eq!(again.code(), Code::Bac2JobNotCancellable);
        lab.proved(item, Full).await;
    });
}

#[test]
fn a_snapshot_that_is_put_back_is_noticed_and_healed() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        server.make_database("Shop").await;
        let id = lab.register(&server).await;
        let item = lab.protect_by(&standard(), id, "Shop").await;
        lab.proved(item, Full).await;
        server.fault("snapshot before").await;
        server.add_rows("Shop", 3).await;
        lab.proved(item, Log).await;
        server.fault("rollback before").await;
        if !server.is_running() {
            server.start_again();
        }
        assert_eq!(
            lab.refused(item, Log).await,
            Code::UserErrorSQLLSNValidationFailure
        );
        let before = lab.jobs_of(item).await.len();
        server.fault("clock jump 15m").await;
        lab.advance(Duration::from_secs(15 * 60));
        let healed = lab
            .until("the next slot heals it", || async {
                let jobs = lab.jobs_of(item).await;
                jobs.into_iter().skip(before).find(|job| job.state.is_ended())
            })
            .await;
        assert_eq!(lab.point(&healed).await.kind, Full, "{healed:#?}");
        let said: Vec<Code> = healed.warnings.iter().map(faults::Fault::code).collect();
        assert_eq!(
            said,
            [Code::Bac2BackupConverted, Code::Bac2SnapshotPutBack],
            "{healed:#?}"
        );
    });
}

#[test]
fn a_credential_that_somebody_else_made_is_never_altered() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        let container = azblob::names::ContainerName::new(lab.containers().await[0].name.as_str()).unwrap();
        let url = lab.door.shelf.url(&container);
        server
            .sql(&format!(
                "CREATE CREDENTIAL [{url}] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 'theirs'"
            ))
            .await;
        let when = "SELECT CONVERT(varchar(40), modify_date, 126) AS at FROM sys.credentials WHERE name LIKE 'https%'";
        let before = server.value(when).await;
        assert_eq!(lab.refused(item, Full).await, Code::Bac2ForeignCredential);
        assert_eq!(server.value(when).await, before);
        server.sql(&format!("DROP CREDENTIAL [{url}]")).await;
        lab.proved(item, Full).await;
    });
}

#[test]
fn two_first_jobs_of_an_instance_make_one_credential() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        for name in ["one", "two"] {
            server.make_database(name).await;
        }
        let id = lab.register(&server).await;
        let (one, two) = (lab.protect(id, "one").await, lab.protect(id, "two").await);
        // The first has read that nothing is noted, and waits for the time of the instance, with which it makes a note itself.
        let time = lab.way.hold("SELECT GETDATE() AS now");
        let first = lab.vault().back_up(one, Full, None).await.unwrap();
        lab.until("the first job asks for the time", || async {
            lab.way.is_holding().then_some(())
        })
        .await;
        let second = lab.back_up(two, Full).await;
        assert_eq!(second.state, JobState::Completed, "{second:#?}");
        time.notify_one();
        let first = lab.ended(first).await;
        assert_eq!(first.state, JobState::Completed, "{first:#?}");
        assert_eq!(server.credentials().await, 1);
    });
}
