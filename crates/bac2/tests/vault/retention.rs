//! What becomes of recovery points where the catalog is lost, over TDS and a real store.

use catalog::record::{Point, ServerState};
use faults::Code;
use schedule::BackupKind::{Full, Log};

use super::lab::{Lab, Release, code, run};

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
