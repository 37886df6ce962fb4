//! What is refused before anything is touched, each with its code; and the target is as it was.

use catalog::record::{Allowed, FileMove, JobState, Place, RestoreEnd, RestoreTarget};
use faults::Code;
use schedule::BackupKind::{Full, Log};
use simsql::instance::Version;
use simsql::world::Disk as _;

use super::stand::{SHOP, Set, Stand};

/// A restore that must be refused: as a plan and as a job, with one code, and the database on the target keeps its state and its rows.
async fn refused(stand: &Stand, set: &Set, target: RestoreTarget, place: Place) -> Code {
    let server = if place.server == set.source {
        &stand.source
    } else {
        &stand.other
    };
    let sql = stand.cluster.sql(server);
    let state = format!(
        "SELECT COUNT(*) * 1000000 + ISNULL(SUM(state * 100 + user_access), 0) FROM sys.databases WHERE name = N'{}'",
        place.name.replace('\'', "''")
    );
    let before = sql.value(&state).await;
    let order = stand.order(set, target.clone(), place.clone());
    let planned = set.vault.plan_restore(&order).await.unwrap_err();
    let job = stand.restore(set, target, place).await;
    assert_eq!(job.state, JobState::Failed, "{job:#?}");
    let fault = job.fault.unwrap();
    assert_eq!(fault.code(), planned.code(), "{fault} {planned}");
    assert_eq!(sql.value(&state).await, before, "the target was touched");
    fault.code()
}

#[test]
fn an_existing_database_is_not_overwritten_unless_that_was_said() {
    let stand = Stand::new(511);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        let sql = stand.cluster.sql(&stand.source);
        sql.add_rows(SHOP, 3).await;
        let code = refused(&stand, &set, RestoreTarget::Latest, Place::new(set.source, SHOP)).await;
        assert_eq!(code, Code::UserErrorCannotRestoreExistingDBWithoutForceOverwrite);
        assert_eq!(sql.rows(SHOP).await, 8);
    });
}

#[test]
fn paths_are_looked_at_before_anything_is_touched() {
    let stand = Stand::new(512);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        let path = |logical: &str, path: &str| FileMove {
            logical: logical.to_owned(),
            path: path.to_owned(),
        };
        let taken = stand.path_of(&stand.source, SHOP).await;
        let stray = taken.replace("Shop", "stray");
        stand.source.disk().put(&stray, vec![0]);
        for (moves, code) in [
            (
                vec![path("Shop", "/nowhere/shop.mdf")],
                Code::Bac2RestorePathUnusable,
            ),
            (
                vec![path("Shop", "C:\\Data\\shop.mdf")],
                Code::Bac2RestorePathUnusable,
            ),
            (vec![path("Shop", &stray)], Code::Bac2RestorePathUnusable),
            (vec![path("none", "/sql/data/shop.mdf")], Code::Bac2InputInvalid),
            (
                vec![path("Shop", &taken)],
                Code::UserErrorCannotRestoreExistingDBWithoutForceOverwrite,
            ),
        ] {
            let mut place = Place::new(set.source, "Copy");
            place.moves.clone_from(&moves);
            assert_eq!(
                refused(&stand, &set, RestoreTarget::Latest, place).await,
                code,
                "{moves:?}"
            );
        }
        let mut standby = Place::new(set.source, "Copy");
        standby.end = RestoreEnd::Standby {
            undo: "/nowhere/shop.undo".to_owned(),
        };
        let code = refused(&stand, &set, RestoreTarget::Latest, standby).await;
        assert_eq!(code, Code::Bac2RestorePathUnusable);
    });
}

#[test]
fn a_disk_that_is_too_full_is_seen_before_the_restore() {
    let stand = Stand::new(513);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        // Some room is left, and less than the database needs.
        let disk = stand.other.disk();
        disk.set_capacity(disk.space("/").total - disk.space("/").free + 100_000);
        let code = refused(&stand, &set, RestoreTarget::Latest, Place::new(set.other, SHOP)).await;
        assert_eq!(code, Code::WlExtGenericIOFaultUserError);
    });
}

#[test]
fn an_older_target_is_refused() {
    let stand = Stand::of(514, Version::V2022, Version::V2019);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        let code = refused(&stand, &set, RestoreTarget::Latest, Place::new(set.other, SHOP)).await;
        assert_eq!(code, Code::Bac2TargetTooOld);
    });
}

#[test]
fn moments_that_no_backup_holds_are_refused_with_the_nearest() {
    let stand = Stand::new(515);
    stand.run(async {
        let set = stand.set().await;
        let early = stand.cluster.now();
        stand.cluster.pass(std::time::Duration::from_secs(60)).await;
        stand.back_up(&set, Full).await;
        stand.cluster.pass(std::time::Duration::from_secs(60)).await;
        stand.back_up(&set, Log).await;
        let late = stand.cluster.now() + std::time::Duration::from_secs(3600);
        for at in [early, late] {
            let target = RestoreTarget::Moment { at };
            let place = Place::new(set.other, SHOP);
            let planned = set
                .vault
                .plan_restore(&stand.order(&set, target.clone(), place.clone()))
                .await;
            assert!(planned.unwrap_err().happened().contains("the nearest"));
            let code = refused(&stand, &set, target, place).await;
            assert_eq!(code, Code::Bac2MomentNotRestorable);
        }
        let gone = RestoreTarget::Point {
            point: catalog::record::PointId(uuid::Uuid::from_u128(7)),
        };
        let code = refused(&stand, &set, gone, Place::new(set.other, SHOP)).await;
        assert_eq!(code, Code::UserErrorInstantRpNotFound);
    });
}

#[test]
fn a_moment_within_bulk_logged_changes_is_refused() {
    let stand = Stand::new(516);
    stand.run(async {
        let set = stand.set().await;
        let sql = stand.cluster.sql(&stand.source);
        stand.back_up(&set, Full).await;
        stand.cluster.pass(std::time::Duration::from_secs(60)).await;
        sql.go(&format!("ALTER DATABASE [{SHOP}] SET RECOVERY BULK_LOGGED"))
            .await;
        stand.source.fault("database bulk Shop").await;
        sql.add_rows(SHOP, 3).await;
        stand.cluster.pass(std::time::Duration::from_secs(60)).await;
        let at = stand.cluster.now();
        stand.cluster.pass(std::time::Duration::from_secs(60)).await;
        let log = stand.back_up(&set, Log).await;
        assert!(log.set.is_bulk_logged, "{log:#?}");
        let code = refused(
            &stand,
            &set,
            RestoreTarget::Moment { at },
            Place::new(set.other, SHOP),
        )
        .await;
        assert_eq!(
            code,
            Code::UserErrorRestoreNotPossibleBecauseLogBackupContainsBulkLoggedChanges
        );
    });
}

#[test]
fn what_takes_part_in_something_is_refused() {
    let stand = Stand::new(517);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        let mut place = Place::new(set.source, SHOP);
        place.overwrite = true;
        for (fault, allowed, kept) in [
            ("database capture Shop", Allowed::ChangeDataCapture, "KEEP_CDC"),
            ("database publish Shop", Allowed::Replicated, "KEEP_REPLICATION"),
        ] {
            stand.source.fault(fault).await;
            let code = refused(&stand, &set, RestoreTarget::Latest, place.clone()).await;
            assert_eq!(code, Code::Bac2TargetRefused, "{fault}");
            place.allowed.push(allowed);
            let order = stand.order(&set, RestoreTarget::Latest, place.clone());
            let plan = set.vault.plan_restore(&order).await.unwrap();
            assert!(plan.takes_tail && plan.overwrites.is_some());
            assert!(plan.script.contains(kept), "{}", plan.script);
        }
        stand.source.fault("database mirror Shop principal").await;
        let code = refused(&stand, &set, RestoreTarget::Latest, place.clone()).await;
        assert_eq!(code, Code::UserErrorOperationNotAllowedDatabaseMirroringEnabled);
        stand.source.fault("database unmirror Shop").await;
        stand.source.fault("group join Shop G").await;
        let code = refused(&stand, &set, RestoreTarget::Latest, place).await;
        assert_eq!(code, Code::Bac2TargetRefused);
    });
}

#[test]
fn master_comes_as_files() {
    let stand = Stand::new(518);
    stand.run(async {
        let set = stand.set().await;
        stand.back_up(&set, Full).await;
        let mut place = Place::new(set.other, "master");
        place.overwrite = true;
        let code = refused(&stand, &set, RestoreTarget::Latest, place).await;
        assert_eq!(code, Code::Bac2SystemDatabaseAsFiles);
    });
}
