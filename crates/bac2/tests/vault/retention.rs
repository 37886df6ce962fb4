//! How long recovery points live, and what becomes of them where the catalog is lost, over TDS and a real store.

use std::time::Duration;

use azblob::names::{BlobName, ContainerName};
use catalog::record::{DeletedFor, ItemId, Point, ServerState};
use faults::Code;
use schedule::BackupKind::{Full, Log};
use schedule::Policy;
use vault::retention::Reason;
use vault::shelf::Shelf as _;

use super::lab::{Lab, Release, code, quiet, run};

const DAY: Duration = Duration::from_secs(86_400);

async fn is_stored(lab: &Lab, point: &Point) -> bool {
    let container = ContainerName::new(lab.containers().await[0].name.clone()).unwrap();
    for blob in &point.blobs {
        let blob = BlobName::new(blob.clone()).unwrap();
        if lab.door.shelf.look(&container, &blob).await.unwrap().is_some() {
            return true;
        }
    }
    false
}

/// A full that a user asks for and wants for so many days.
async fn full_kept(lab: &Lab, item: ItemId, days: u32) {
    let job = lab.vault().back_up(item, Full, Some(days)).await.unwrap();
    lab.ended(job).await;
}

#[test]
fn what_nothing_keeps_goes_softly_and_then_leaves_the_store() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        full_kept(&lab, item, 7).await;
        server.add_rows("Shop", 3).await;
        full_kept(&lab, item, 7).await;
        server.add_rows("Shop", 2).await;
        lab.proved(item, Log).await;
        let vault = lab.vault();
        vault.suspend(item, None).await.unwrap();
        // The log leads to moments between the two as long as it lives by itself; that needs the first.
        lab.advance(DAY * 20);
        let deleted = lab
            .in_time("the first full is deleted", Duration::from_secs(60), || async {
                let point = lab.points().await.remove(0);
                point.deletion.is_some().then_some(point)
            })
            .await;
        assert_eq!(deleted.deletion.as_ref().unwrap().why, DeletedFor::Age);
        assert!(is_stored(&lab, &deleted).await);
        let plan = vault.retention_plan(item).await.unwrap();
        let newest = |place: usize| plan[place].reasons.contains(&Reason::NewestChain);
        assert_eq!(
            [newest(0), newest(1), newest(2)],
            [false, true, true],
            "{plan:#?}"
        );
        let needed = vault.delete_point(plan[1].point).await;
        assert_eq!(code(needed), Code::Bac2PointNeeded);
        // Had back, and given up again.
        let until = lab.now() + DAY;
        let back = vault.undelete_point(deleted.id, until).await.unwrap();
        assert_eq!(back.deletion, None);
        lab.advance(DAY * 2);
        lab.in_time("it is deleted again", Duration::from_secs(60), || async {
            lab.points().await[0].deletion.is_some().then_some(())
        })
        .await;
        lab.advance(DAY * 14);
        lab.in_time("it is gone", Duration::from_secs(60), || async {
            (lab.points().await.len() == 2).then_some(())
        })
        .await;
        assert!(!is_stored(&lab, &deleted).await);
        for point in lab.points().await {
            assert!(is_stored(&lab, &point).await && point.deletion.is_none());
        }
    });
}

#[test]
fn a_changed_policy_holds_for_the_points_that_are_there() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        full_kept(&lab, item, 7).await;
        server.add_rows("Shop", 3).await;
        lab.proved(item, Log).await;
        full_kept(&lab, item, 60).await;
        lab.vault().suspend(item, None).await.unwrap();
        let keeps = |days: u32| {
            let log = format!("\"log\": {{\"every\": \"24h\", \"retention\": \"{days}d\"}}, \"running\"");
            Policy::from_json(&quiet().replace("\"running\"", &log)).unwrap()
        };
        let (lab, keeps) = (&lab, &keeps);
        let change = |days| async move {
            let (policy, version) = lab.vault().policies().await.unwrap().remove(0);
            lab.vault()
                .change_policy(policy.id, version, keeps(days))
                .await
                .unwrap();
        };
        let are_deleted = |expected: [bool; 3]| async move {
            lab.in_time(
                "retention follows the policy",
                Duration::from_secs(60),
                || async {
                    let points = lab.points().await;
                    let deleted: Vec<bool> = points.iter().map(|point| point.deletion.is_some()).collect();
                    (deleted == expected).then_some(())
                },
            )
            .await;
        };
        change(7).await;
        lab.advance(DAY * 10);
        are_deleted([true, true, false]).await;
        // The log lives again, and with it the full that it stands on.
        change(35).await;
        lab.advance(Duration::from_secs(1_200));
        are_deleted([false; 3]).await;
        change(7).await;
        lab.advance(Duration::from_secs(1_200));
        are_deleted([true, true, false]).await;
    });
}

#[test]
fn a_lost_catalog_is_made_again_of_the_store_and_goes_on() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        lab.proved(item, Full).await;
        for _ in 0..2 {
            server.add_rows("Shop", 3).await;
            lab.proved(item, Log).await;
        }
        let (points, covered) = (lab.points().await, lab.vault().coverage(item).await.unwrap().0);
        assert_eq!(covered.spans.len(), 1);
        let there = lab.vault().id();
        let refused = vault::Vault::rebuild(lab.world(), None, "again").await;
        assert_eq!(code(refused.map(drop)), Code::Bac2NameTaken);
        let told = lab.lose_catalog_and_rebuild().await;
        assert_eq!((told.records, told.servers, told.items), (3, 1, 1));
        assert_eq!(lab.vault().id(), there);
        let again = lab.points().await;
        assert_eq!(points.len(), again.len());
        for (before, after) in points.iter().zip(&again) {
            // The container has its name alone; its id is new.
            let after = Point {
                container: before.container,
                ..after.clone()
            };
            assert_eq!(*before, after);
        }
        assert_eq!(lab.vault().coverage(item).await.unwrap().0, covered);
        assert!(matches!(
            lab.server_record(id).await.state,
            ServerState::Unregistered { .. }
        ));
        // Registered again it is the instance that it was.
        assert_eq!(lab.register(&server).await, id);
    });
}
