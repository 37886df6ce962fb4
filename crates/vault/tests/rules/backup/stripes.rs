//! Several blobs of one backup: as many as its size asks for, proved together, and twice as many where one was full.

use std::sync::Arc;

use catalog::record::{Grade, ItemId, JobState, Point};
use faults::Code;
use schedule::BackupKind::{Full, Log};
use simsql::instance::Version;
use vault::Vault;
use vault::shelf::Shelf;

use super::stand::{DATABASE, QUIET, Stand};
use super::work;
use crate::world::door::Trouble;

/// Stripes of 64 MiB, the least that a policy allows.
fn striped(writing: &str) -> String {
    let writing = format!("\"writing\": {{\"stripes\": {{\"sizeMax\": \"64MiB\"}}{writing}}}, \"running\"");
    QUIET.replace("\"running\"", &writing)
}

/// A protected database whose files ask for three stripes: 150 MB.
async fn protect(stand: &Stand, policy: &str) -> (Arc<Vault>, ItemId) {
    let sql = stand.cluster.sql(&stand.server);
    let files = "ON (NAME = Shop, FILENAME = '/sql/shop.mdf', SIZE = 150MB) LOG ON (NAME = Shop_log, FILENAME = '/sql/shop.ldf', SIZE = 4MB)";
    sql.go(&format!(
        "CREATE DATABASE [Shop] {files}; ALTER DATABASE [Shop] SET RECOVERY FULL"
    ))
    .await;
    sql.go("CREATE TABLE [Shop].dbo.Orders (id int IDENTITY(1,1), what varchar(4000))")
        .await;
    sql.add_rows(DATABASE, 100).await;
    stand.protect_named(policy, DATABASE).await
}

async fn restores(stand: &Stand, point: &Point) -> i64 {
    let sql = stand.cluster.sql(&stand.server);
    let url = stand.cluster.shelf.url(&stand.container().await);
    let urls: Vec<String> = point
        .blobs
        .iter()
        .map(|blob| format!("URL = '{url}/{blob}'"))
        .collect();
    sql.go(&format!(
        "RESTORE DATABASE [Copy] FROM {} WITH MOVE 'Shop' TO '/sql/copy.mdf', MOVE 'Shop_log' TO '/sql/copy.ldf'",
        urls.join(", ")
    ))
    .await;
    sql.rows("Copy").await
}

#[test]
fn a_large_database_goes_into_several_blobs_that_are_proved_together() {
    let stand = Stand::of(65, Version::V2019);
    stand.run(async {
        let (vault, item) = protect(&stand, &striped("")).await;
        let full = stand.back_up(&vault, item, Full).await;
        assert_eq!(full.state, JobState::Completed, "{full:#?}");
        let point = stand.point(&full).await;
        // 150 MB are more than two and fewer than three times 64 MiB.
        assert_eq!(
            (point.grade, point.blobs.len(), point.set.families),
            (Grade::Proved, 3, 3)
        );
        let log = stand.back_up(&vault, item, Log).await;
        assert_eq!(
            stand.point(&log).await.blobs.len(),
            1,
            "a log is estimated by its own files"
        );
        let rows = stand.cluster.sql(&stand.server).rows(DATABASE).await;
        assert_eq!(restores(&stand, &point).await, rows);
        // Held against its blobs once a day, it stays what it is.
        stand
            .cluster
            .pass(std::time::Duration::from_secs(25 * 3_600))
            .await;
        assert_eq!(stand.point(&full).await.grade, Grade::Proved);
    });
}

#[test]
fn a_stripe_that_is_missing_makes_it_incomplete() {
    let stand = Stand::of(66, Version::V2019);
    stand.run(async {
        let (vault, item) = protect(&stand, &striped("")).await;
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.verifier_rests = true);
        let job = vault.back_up(item, Full, None).await.unwrap();
        stand
            .until(job, |job| job.tasks.iter().any(|task| task.name == "Prove"))
            .await;
        let blobs = work(&stand.cluster.job(job).await).blobs;
        let blob = azblob::names::BlobName::new(blobs[1].clone()).unwrap();
        let path = stand.cluster.door.path(&stand.container().await, &blob);
        let store = stand.cluster.door.store().unwrap();
        store.delete_blob(&path, &blobstore::Permit::NONE).unwrap();
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.verifier_rests = false);
        let job = stand.cluster.ended(job).await;
        assert_eq!(job.state, JobState::CompletedWithWarnings, "{job:#?}");
        let point = stand.point(&job).await;
        assert_eq!((point.grade, point.blobs.len()), (Grade::Disputed, 3));
        assert!(
            point.reasons.contains(&"stripe 2 is missing".to_owned()),
            "{point:?}"
        );
        assert_eq!(stand.cluster.item(item).await.base, None);
    });
}

#[test]
fn a_blob_that_is_full_asks_for_twice_as_many() {
    let stand = Stand::of(67, Version::V2019);
    stand.run(async {
        let (vault, item) = protect(&stand, &striped(", \"compression\": \"off\"")).await;
        let blocks_max = |most| move |trouble: &mut Trouble| trouble.blocks_max = most;
        stand.cluster.door.trouble(blocks_max(Some(3)));
        let job = vault.back_up(item, Full, None).await.unwrap();
        let failed = stand.until(job, |job| work(job).failed.len() == 1).await;
        assert_eq!(work(&failed).failed, [Code::Bac2UrlBlockLimit]);
        stand.cluster.door.trouble(blocks_max(None));
        let job = stand.cluster.done(job).await;
        let point = stand.point(&job).await;
        assert_eq!((point.grade, point.blobs.len()), (Grade::Proved, 6), "{job:#?}");
    });
}
