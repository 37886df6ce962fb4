//! Restores over TDS that are refused before anything is touched, each with its code; the target is as it was.

use std::time::Duration;

use catalog::record::{Allowed, FileMove, JobState, Place, RestoreEnd, RestoreTarget};
use faults::Code;
use mssql::Value;
use schedule::BackupKind::{Full, Log};

use super::lab::{Lab, Release, latest, over, run, to};

#[test]
fn what_is_there_and_where_files_would_lie() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        let code = lab
            .refuses(&server, latest(item, Place::new(id, "Shop")), true)
            .await
            .code();
        assert_eq!(code, Code::UserErrorCannotRestoreExistingDBWithoutForceOverwrite);
        let shop = match server
            .value("SELECT physical_name AS p FROM sys.master_files WHERE name = 'Shop'")
            .await
        {
            Value::Text(path) => path,
            other => panic!("{other:?}"),
        };
        for (path, expected) in [
            ("/nowhere/shop.mdf", Code::Bac2RestorePathUnusable),
            ("shop.mdf", Code::Bac2RestorePathUnusable),
            (
                shop.as_str(),
                Code::UserErrorCannotRestoreExistingDBWithoutForceOverwrite,
            ),
        ] {
            let mut place = Place::new(id, "Copy ] 'of' Sh\u{f6}p");
            place.moves = vec![FileMove {
                logical: "Shop".to_owned(),
                path: path.to_owned(),
            }];
            let code = lab.refuses(&server, latest(item, place), true).await.code();
            assert_eq!(code, expected, "{path}");
        }
        let mut standby = Place::new(id, "Copy");
        standby.end = RestoreEnd::Standby {
            undo: "/nowhere/x.undo".to_owned(),
        };
        let code = lab.refuses(&server, latest(item, standby), true).await.code();
        assert_eq!(code, Code::Bac2RestorePathUnusable);
        let master = Place {
            overwrite: true,
            ..Place::new(id, "master")
        };
        let code = lab.refuses(&server, latest(item, master), true).await.code();
        assert_eq!(code, Code::Bac2SystemDatabaseAsFiles);
    });
}

#[test]
fn what_the_target_takes_part_in() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2019).await;
        lab.proved(item, Full).await;
        let mut place = over(id);
        for (fault, allowed) in [
            ("database capture Shop", Allowed::ChangeDataCapture),
            ("database publish Shop", Allowed::Replicated),
        ] {
            server.fault(fault).await;
            let order = latest(item, place.clone());
            assert_eq!(
                lab.refuses(&server, order, true).await.code(),
                Code::Bac2TargetRefused
            );
            place.allowed.push(allowed);
        }
        server.fault("database mirror Shop principal").await;
        let mirrored = latest(item, place.clone());
        assert_eq!(
            lab.refuses(&server, mirrored, true).await.code(),
            Code::UserErrorOperationNotAllowedDatabaseMirroringEnabled
        );
        server.fault("database unmirror Shop").await;
        server.fault("group join Shop G").await;
        let of_group = latest(item, place);
        assert_eq!(
            lab.refuses(&server, of_group, true).await.code(),
            Code::Bac2TargetRefused
        );
    });
}

#[test]
fn moments_that_no_backup_leads_to() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        let early = lab.now();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        lab.proved(item, Full).await;
        server.add_rows("Shop", 3).await;
        lab.proved(item, Log).await;
        let place = || Place::new(id, "Copy");
        for at in [early, lab.now() + Duration::from_secs(3600)] {
            let order = to(item, RestoreTarget::Moment { at }, place());
            assert_eq!(
                lab.refuses(&server, order, true).await.code(),
                Code::Bac2MomentNotRestorable
            );
        }
        let point = catalog::record::PointId(uuid::Uuid::from_u128(7));
        let gone = to(item, RestoreTarget::Point { point }, place());
        assert_eq!(
            lab.refuses(&server, gone, true).await.code(),
            Code::UserErrorInstantRpNotFound
        );
        // Two moments apart within a log that holds bulk-logged changes.
        server.sql("ALTER DATABASE Shop SET RECOVERY BULK_LOGGED").await;
        server.fault("database bulk Shop").await;
        server.add_rows("Shop", 2).await;
        tokio::time::sleep(Duration::from_millis(2100)).await;
        let at = lab.now();
        tokio::time::sleep(Duration::from_millis(2100)).await;
        server.add_rows("Shop", 2).await;
        let job = lab.back_up(item, Log).await;
        assert!(lab.point(&job).await.set.is_bulk_logged, "{job:#?}");
        let within = to(item, RestoreTarget::Moment { at }, place());
        assert_eq!(
            lab.refuses(&server, within, true).await.code(),
            Code::UserErrorRestoreNotPossibleBecauseLogBackupContainsBulkLoggedChanges
        );
    });
}

#[test]
fn targets_that_are_too_old_lack_a_certificate_or_are_not_well() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, source, item) = lab.shop(Release::V2022).await;
        server.encrypt_shop().await;
        lab.back_up(item, Full).await;
        let older = lab.server(Release::V2019).await;
        let id = lab.register(&older).await;
        let order_to = |id| latest(item, Place::new(id, "Copy"));
        assert_eq!(
            lab.refuses(&older, order_to(id), true).await.code(),
            Code::Bac2TargetTooOld
        );
        let same = lab.server(Release::V2022).await;
        let id = lab.register(&same).await;
        // A plan reads no backup on the target, which alone can tell what it is encrypted with.
        assert_eq!(
            lab.refuses(&same, order_to(id), false).await.code(),
            Code::UserErrorCannotFindServerCertificateWithThumbprint
        );
        assert_eq!(same.credentials().await, 0);
        // At home the certificate is there.
        let job = lab.vault().restore(order_to(source)).await.unwrap();
        let job = lab.ended(job).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(server.rows("Copy").await, 5);
    });
}
