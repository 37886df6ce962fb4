//! Restores over TDS that cannot be done as they were ordered: moments in a hole, sets that are damaged or gone, a disk without room.

use std::time::Duration;

use blobstore::Permit;
use catalog::record::{Grade, JobState, Place, Point, RestoreTarget};
use faults::Code;
use schedule::BackupKind::{Full, Log};

use super::lab::{Lab, Release, latest, run, to};

/// Longer than the second in which headers tell time, twice: what lies between two such pauses belongs to neither side.
const APART: Duration = Duration::from_millis(2_100);

#[test]
fn a_moment_in_a_hole_is_refused_with_its_neighbours() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.add_rows("Shop", 3).await;
        tokio::time::sleep(APART).await;
        let before = lab.now();
        tokio::time::sleep(APART).await;
        lab.proved(item, Log).await;
        tokio::time::sleep(APART).await;
        // Another tool takes the log that would cover what is written now.
        server.add_rows("Shop", 4).await;
        tokio::time::sleep(APART).await;
        let within = lab.now();
        tokio::time::sleep(APART).await;
        server.foreign_backup("LOG", "Shop", "theirs.trn", "").await;
        lab.proved(item, Full).await;
        server.add_rows("Shop", 2).await;
        lab.proved(item, Log).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        let order = to(item, RestoreTarget::Moment { at: within }, Place::new(id, "Copy"));
        let fault = lab.refuses(&other, order, true).await;
        assert_eq!(fault.code(), Code::Bac2MomentNotRestorable, "{fault}");
        assert!(fault.happened().contains("the nearest"), "{fault}");
        // On both sides of it there is a way.
        for (name, target, rows) in [
            ("Before", RestoreTarget::Moment { at: before }, 5 + 3),
            ("After", RestoreTarget::Latest, 5 + 3 + 4 + 2),
        ] {
            lab.restores(to(item, target, Place::new(id, name))).await;
            assert_eq!(other.rows(name).await, rows, "{name}");
        }
    });
}

#[test]
fn sets_that_are_gone_or_changed_are_met_before_the_target_is_touched() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        let full = lab.proved(item, Full).await;
        server.add_rows("Shop", 3).await;
        let log = lab.proved(item, Log).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        let store = &lab.door.store;
        let order = || latest(item, Place::new(id, "Copy"));
        // Somebody with the disk in his hands: the log is another file now, and then none at all.
        let path = lab.path(&log.blobs[0]).await;
        store.seal(&path, false).unwrap();
        lab.overwrite(&path, &[7; 1000]);
        let fault = lab.refuses(&other, order(), false).await;
        assert_eq!(fault.code(), Code::Bac2BackupUnreadable, "{fault}");
        store.delete_blob(&path, &Permit::NONE).unwrap();
        let fault = lab.refuses(&other, order(), true).await;
        assert_eq!(fault.code(), Code::Bac2BackupUnreadable, "{fault}");
        // What does not need it is restored.
        let target = RestoreTarget::Point { point: full.id };
        lab.restores(to(item, target, Place::new(id, "Copy"))).await;
        assert_eq!(other.rows("Copy").await, 5);
    });
}

#[test]
fn a_disk_without_room_leaves_nothing_behind() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        let folder = other.data().join("data").join("full");
        std::fs::create_dir(&folder).unwrap();
        other.fault(&format!("disk full {}", folder.display())).await;
        let moves = ["Shop", "Shop_log"].map(|logical| catalog::record::FileMove {
            logical: logical.to_owned(),
            path: folder.join(logical).display().to_string(),
        });
        let place = || Place {
            moves: moves.to_vec(),
            ..Place::new(id, "Copy")
        };
        let fault = lab.refuses(&other, latest(item, place()), false).await;
        assert_eq!(fault.code(), Code::WlExtGenericIOFaultUserError, "{fault}");
        other.fault(&format!("disk well {}", folder.display())).await;
        let job = lab.restored(latest(item, place())).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(other.rows("Copy").await, 5);
    });
}

#[test]
fn a_disputed_backup_is_taken_only_where_it_is_named() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        server.add_rows("Shop", 3).await;
        let log = lab.proved(item, Log).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        // SQL Server called it a success, and the verifier found damage in it.
        let key = lab.vault().id().to_string();
        let mut tx = lab.world().catalog.begin().await.unwrap();
        let mut found = catalog::demand::<Point>(tx.as_mut(), &key, &log.id.to_string())
            .await
            .unwrap();
        found.record.grade = Grade::Disputed;
        catalog::update(tx.as_mut(), found).await.unwrap();
        tx.commit().await.unwrap();
        let target = RestoreTarget::Point { point: log.id };
        let mut order = to(item, target, Place::new(id, "Copy"));
        let fault = lab.refuses(&other, order.clone(), true).await;
        assert_eq!(fault.code(), Code::Bac2DamagedSetInPlan, "{fault}");
        // Without it the way ends before it.
        lab.restores(latest(item, Place::new(id, "Before"))).await;
        assert_eq!(other.rows("Before").await, 5);
        order.accept_damaged = vec![log.id];
        let plan = lab.vault().plan_restore(&order).await.unwrap();
        assert!(plan.script.contains("CONTINUE_AFTER_ERROR"), "{}", plan.script);
        let job = lab.restored(order).await;
        assert!(
            matches!(job.state, JobState::Completed | JobState::CompletedWithWarnings),
            "{job:#?}"
        );
        assert_eq!(other.rows("Copy").await, 5 + 3);
    });
}

#[test]
fn a_disk_that_fails_under_it_is_told_as_what_it_is() {
    run(|| async {
        let lab = Lab::new().await;
        let (_server, _, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        let other = lab.server(Release::V2022).await;
        let id = lab.register(&other).await;
        let folder = other.data().join("data").join("sick");
        std::fs::create_dir(&folder).unwrap();
        // The operating system's word for a device that does not work; it ends the session as well.
        other.fault(&format!("disk fail {} 1117", folder.display())).await;
        let moves = ["Shop", "Shop_log"].map(|logical| catalog::record::FileMove {
            logical: logical.to_owned(),
            path: folder.join(logical).display().to_string(),
        });
        let place = Place {
            moves: moves.to_vec(),
            ..Place::new(id, "Copy")
        };
        let job = lab.restored(latest(item, place)).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        let fault = job.fault.as_ref().unwrap();
        assert_eq!(fault.code(), Code::WlExtGenericIOFaultUserError, "{job:#?}");
        assert!(fault.said().iter().any(|said| said.number() == 823), "{job:#?}");
    });
}
