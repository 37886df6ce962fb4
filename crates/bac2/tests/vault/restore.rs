//! Restores over TDS: what runs on the target, over what is there, and what is left where it breaks off.

use std::time::Duration;

use catalog::record::{ItemId, JobState, Place, Point, ServerId, Work};
use faults::{Code, Fault};
use mssql::Value;
use schedule::BackupKind::{Full, Log};

use super::lab::{Lab, Release, Server, codes, latest, over, run};

/// A full of 5 rows, a log of 3, and 4 rows that no backup has.
async fn written(lab: &Lab, release: Release) -> (Server, ServerId, ItemId) {
    let (server, id, item) = lab.shop(release).await;
    lab.proved(item, Full).await;
    server.add_rows("Shop", 3).await;
    lab.proved(item, Log).await;
    server.add_rows("Shop", 4).await;
    (server, id, item)
}

#[test]
fn a_newer_instance_is_lent_a_credential_for_as_long_as_it_restores() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, _, item) = written(&lab, Release::V2016).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        let job = lab.restored(latest(item, Place::new(id, "Copy"))).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(other.rows("Copy").await, 5 + 3);
        assert_eq!(other.credentials().await, 0);
    });
}

#[test]
fn before_2016_the_keys_of_the_account_are_lent() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = written(&lab, Release::V2012).await;
        let job = lab.restored(latest(item, over(id))).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(server.rows("Shop").await, 5 + 3 + 4, "its tail is in it");
        let other = lab.server(Release::V2012).await;
        let id = lab.register(&other).await;
        // Such an instance lies on Windows, but for this one: its default folders are put together otherwise.
        let file = |logical: &str, name: &str| catalog::record::FileMove {
            logical: logical.to_owned(),
            path: other.data().join("data").join(name).display().to_string(),
        };
        let place = Place {
            moves: vec![file("Shop", "Copy.mdf"), file("Shop_log", "Copy_log.ldf")],
            ..Place::new(id, "Copy")
        };
        let job = lab.restored(latest(item, place)).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(other.rows("Copy").await, 5 + 3 + 4);
        let credentials = "SELECT COUNT(*) AS n FROM sys.credentials WHERE name LIKE 'bac2 %'";
        let left = other.value(credentials).await;
        assert_eq!(left, Value::Integer(1), "the marker alone");
    });
}

#[test]
fn over_a_database_in_use_nothing_is_lost() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = written(&lab, Release::V2022).await;
        let mut busy = server.session().await;
        busy.execute("USE Shop; BEGIN TRANSACTION; DELETE FROM dbo.Orders")
            .await
            .unwrap();
        let job = lab.restored(latest(item, over(id))).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(
            server.rows("Shop").await,
            5 + 3 + 4,
            "what was not committed was rolled back"
        );
        assert_eq!(server.state("Shop").await, "ONLINE MULTI_USER 0");
        let tail = match &job.work {
            Work::Restore(work) => lab.job(work.tail.unwrap()).await,
            other => panic!("{other:?}"),
        };
        assert_eq!(tail.state, JobState::Completed, "{tail:#?}");
        let (reason, _) = lab.healed(item).await;
        assert_eq!(reason, catalog::record::HealingReason::Overwritten);
    });
}

#[test]
fn a_tail_that_cannot_be_taken_stops_the_restore() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = written(&lab, Release::V2019).await;
        // Its log cannot be read any more.
        let log = server.data().join("data").join("Shop_log.ldf");
        server
            .fault(&format!("disk unreadable {} 23", log.display()))
            .await;
        let job = lab.vault().restore(latest(item, over(id))).await.unwrap();
        let job = lab
            .until("the restore ends", || async {
                lab.advance(Duration::from_secs(30));
                let job = lab.job(job).await;
                job.state.is_ended().then_some(job)
            })
            .await;
        assert_eq!(
            codes(&job),
            (Some(Code::Bac2TailLogFailed), Vec::new()),
            "{job:#?}"
        );
        let said = job.fault.as_ref().unwrap().said();
        assert!(said.iter().any(|said| said.number() == 823), "{job:#?}");
        server.fault(&format!("disk well {}", log.display())).await;
        assert_eq!(server.rows("Shop").await, 5 + 3 + 4);
        assert_eq!(server.state("Shop").await, "ONLINE MULTI_USER 0");
    });
}

#[test]
fn a_disk_that_fills_in_the_middle_leaves_it_restoring() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, _, item) = written(&lab, Release::V2022).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        let data = other.data().join("data");
        let held = lab.way.hold("RESTORE DATABASE [Copy] FROM");
        let job = lab
            .vault()
            .restore(latest(item, Place::new(id, "Copy")))
            .await
            .unwrap();
        // Its answer is held back, so that the disk fills between the full and the log.
        let count = "SELECT COUNT(*) AS n FROM msdb.dbo.restorehistory";
        lab.until("the full is restored", || async {
            (other.value(count).await == Value::Integer(1)).then_some(())
        })
        .await;
        other.fault(&format!("disk full {}", data.display())).await;
        held.notify_one();
        let job = lab.ended(job).await;
        other.fault(&format!("disk well {}", data.display())).await;
        let expected = (
            Some(Code::WlExtGenericIOFaultUserError),
            vec![Code::Bac2LeftRestoring],
        );
        assert_eq!(codes(&job), expected, "{job:#?}");
        assert!(other.state("Copy").await.starts_with("RESTORING"));
        // What broke off is finished where it was.
        let place = Place {
            continues: true,
            ..Place::new(id, "Copy")
        };
        let job = lab.restored(latest(item, place)).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(other.rows("Copy").await, 5 + 3);
    });
}

#[test]
fn a_session_that_comes_back_is_named() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = written(&lab, Release::V2022).await;
        let place = Place {
            tail: false,
            ..over(id)
        };
        let job = lab.vault().restore(latest(item, place)).await.unwrap();
        let mut others = Vec::new();
        for _ in 0..3 {
            // Between the statement that drains and the one that restores the single seat is free.
            let held = lab
                .way
                .hold("SET LOCK_TIMEOUT 30000;\nALTER DATABASE [Shop] SET SINGLE_USER");
            lab.until("sessions are drained", || async {
                lab.way.is_holding().then_some(())
            })
            .await;
            let mut other = server.session().await;
            other.execute("USE Shop").await.unwrap();
            others.push(other);
            held.notify_one();
        }
        let job = lab.ended(job).await;
        let expected = Code::UserErrorRestoreFailedDatabaseCannotBeOfflined;
        assert_eq!(codes(&job), (Some(expected), Vec::new()), "{job:#?}");
        assert!(job.fault.unwrap().detail().contains("session"), "who holds it");
        assert_eq!(server.state("Shop").await, "ONLINE MULTI_USER 0");
        assert_eq!(server.rows("Shop").await, 5 + 3 + 4);
    });
}

#[test]
fn a_vault_that_ends_in_the_middle_goes_on() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = written(&lab, Release::V2022).await;
        server.fault("network slow vault.example 300ms").await;
        let job = lab.vault().restore(latest(item, over(id))).await.unwrap();
        lab.until("the first set is on its way", || async {
            let job = lab.job(job).await;
            matches!(&job.work, Work::Restore(work) if work.sent.is_some()).then_some(())
        })
        .await;
        lab.crash().await;
        server.fault("network back vault.example").await;
        lab.open().await;
        let job = lab.ended(job).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(server.rows("Shop").await, 5 + 3 + 4);
        assert_eq!(server.state("Shop").await, "ONLINE MULTI_USER 0");
    });
}

#[test]
fn one_that_is_cancelled_says_what_it_leaves() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = written(&lab, Release::V2022).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        let databases = "SELECT COUNT(*) AS n FROM sys.databases WHERE name = 'Copy'";
        // While the target opens the sets nothing is touched; behind the first of them it is.
        for (held, left) in [
            ("RESTORE HEADERONLY", None),
            ("RESTORE DATABASE [Copy] FROM", Some(Code::Bac2LeftRestoring)),
        ] {
            let answer = lab.way.hold(held);
            let job = lab
                .vault()
                .restore(latest(item, Place::new(id, "Copy")))
                .await
                .unwrap();
            lab.until("its answer is held back", || async {
                lab.way.is_holding().then_some(())
            })
            .await;
            if left.is_some() {
                let count = "SELECT COUNT(*) AS n FROM msdb.dbo.restorehistory";
                lab.until("the full is restored", || async {
                    (other.value(count).await == Value::Integer(1)).then_some(())
                })
                .await;
            }
            lab.vault().cancel_job(job).await.unwrap();
            answer.notify_one();
            let job = lab.ended(job).await;
            assert_eq!(job.state, JobState::Cancelled, "{job:#?}");
            let warnings: Vec<Code> = job.warnings.iter().map(Fault::code).collect();
            assert_eq!(warnings, Vec::from_iter(left), "{job:#?}");
            let there = i64::from(left.is_some());
            assert_eq!(other.value(databases).await, Value::Integer(there), "{held}");
        }
        assert!(other.state("Copy").await.starts_with("RESTORING"));
        assert_eq!(server.rows("Shop").await, 5 + 3 + 4);
    });
}

#[test]
fn a_point_that_was_promised_and_not_reached_is_not_opened() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, _, item) = written(&lab, Release::V2022).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        // A record that promises more than its set holds.
        let last = lab.points().await.pop().unwrap();
        let key = lab.vault().id().to_string();
        let mut tx = lab.world().catalog.begin().await.unwrap();
        let mut found = catalog::demand::<Point>(tx.as_mut(), &key, &last.id.to_string())
            .await
            .unwrap();
        let end: u128 = found.record.set.last_lsn.parse().unwrap();
        found.record.set.last_lsn = (end + 100_000).to_string();
        catalog::update(tx.as_mut(), found).await.unwrap();
        tx.commit().await.unwrap();
        let job = lab.restored(latest(item, Place::new(id, "Copy"))).await;
        let expected = (
            Some(Code::Bac2RestoredPointDiffers),
            vec![Code::Bac2LeftRestoring],
        );
        assert_eq!(codes(&job), expected, "{job:#?}");
        assert!(other.state("Copy").await.starts_with("RESTORING"));
    });
}
