//! The way from an address to a proved backup.

use catalog::record::{Grade, JobState};
use schedule::BackupKind::Full;
use vault::shelf::Shelf as _;

use super::lab::{Lab, Release, run};

#[test]
fn an_instance_is_registered_and_its_database_backed_up_over_https_and_proved() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, id, item) = lab.shop(Release::V2022).await;
        let record = lab.server_record(id).await;
        assert!(
            record.readiness.iter().all(|probe| probe.passed),
            "{:#?}",
            record.readiness
        );
        let job = lab.back_up(item, Full).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        let point = lab.point(&job).await;
        assert_eq!((point.grade, point.blobs.len()), (Grade::Proved, 1));
        let containers = lab.containers().await;
        let container = azblob::names::ContainerName::new(containers[0].name.as_str()).unwrap();
        let blobs = lab.door.shelf.list(&container, None, 10).await.unwrap();
        assert_eq!(blobs.len(), 1);
        assert!(blobs[0].is_sealed && blobs[0].lease.is_none() && blobs[0].size == point.bytes);
        assert_eq!(
            lab.door.shelf.records(&container, None, 10).await.unwrap().len(),
            1
        );
        let space = lab.door.shelf.space().await.unwrap();
        assert!(space.free > 0 && space.free <= space.total);
        assert!(lab.notices().await.is_empty());
        assert!(server.is_running());
    });
}
