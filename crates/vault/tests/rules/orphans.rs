//! Complete blobs that no recovery point names: a set where SQL Server says so, and else none.

use std::time::Duration;

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Container, Grade, ItemId, JobState, Point, Work};
use faults::Code;
use schedule::BackupKind;
use vault::shelf::{Blob, Shelf};

use super::healing::{late, protected};
use crate::world::{Cluster, Server};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

async fn container(cluster: &Cluster) -> ContainerName {
    let containers = cluster.records::<Container>().await;
    ContainerName::new(containers[0].name.clone()).unwrap()
}

/// All blobs of backups that are there.
async fn blobs(cluster: &Cluster) -> Vec<Blob> {
    let container = container(cluster).await;
    cluster.shelf.list(&container, None, 100).await.unwrap()
}

/// A protected database with a full, and rows behind it.
async fn with_full(cluster: &Cluster, server: &Server) -> ItemId {
    let item = protected(cluster, server, &["Shop"], late()).await[0];
    let vault = cluster.start_vault().await;
    let full = vault.back_up(item, BackupKind::Full, None).await.unwrap();
    cluster.done(full).await;
    cluster.sql(server).add_rows("Shop", 3).await;
    item
}

/// What is open of complete blobs without a point: how often it was raised, and its words.
async fn told(cluster: &Cluster) -> Vec<(u32, String)> {
    let open = cluster.notices().await.into_iter();
    open.filter(|one| one.about.starts_with("strangeBlobs/"))
        .map(|one| (one.times, one.fault.detail().to_owned()))
        .collect()
}

/// BACKUP LOG under the mark of a job, as if the job had sent it and had heard of a failure.
async fn log_under_the_mark_of(
    cluster: &Cluster,
    server: &Server,
    job: &str,
    stripes: usize,
) -> Vec<BlobName> {
    let vault = cluster.vault().await.id();
    let url = cluster.shelf.url(&container(cluster).await);
    let names: Vec<String> = (1..=stripes)
        .map(|stripe| format!("shop-1/20260101T000500Z-log-0-{stripe}.trn"))
        .collect();
    let urls: Vec<String> = names.iter().map(|name| format!("URL = '{url}/{name}'")).collect();
    let text = format!(
        "BACKUP LOG [Shop] TO {} WITH DESCRIPTION = 'bac2 {job} attempt 1 vault {vault}'",
        urls.join(", ")
    );
    cluster.sql(server).go(&text).await;
    names
        .into_iter()
        .map(|name| BlobName::new(name).unwrap())
        .collect()
}

/// A log that fails since there is no full, and then the full.
async fn failed_log(cluster: &Cluster, server: &Server) -> (ItemId, String) {
    let item = protected(cluster, server, &["Shop"], late()).await[0];
    let vault = cluster.start_vault().await;
    let log = vault.back_up(item, BackupKind::Log, None).await.unwrap();
    assert_eq!(cluster.ended(log).await.state, JobState::Failed);
    let full = vault.back_up(item, BackupKind::Full, None).await.unwrap();
    cluster.done(full).await;
    cluster.sql(server).add_rows("Shop", 3).await;
    (item, log.to_string())
}

#[test]
fn complete_blobs_of_a_backup_that_sql_server_calls_failed_are_let_go_and_removed_after_a_week() {
    let cluster = Cluster::new(41);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = with_full(&cluster, &server).await;
        let vault = cluster.vault().await;
        cluster.door.trouble(|trouble| trouble.are_commits_unheard = true);
        let log = vault.back_up(item, BackupKind::Log, None).await.unwrap();
        let failed = async || match cluster.job(log).await.work {
            Work::Backup(work) => work.failed.len(),
            _ => 0,
        };
        while failed().await == 0 {
            cluster.pass(Duration::from_secs(1)).await;
        }
        cluster
            .door
            .trouble(|trouble| trouble.are_commits_unheard = false);
        let log = cluster.done(log).await;
        assert_eq!(log.attempt, 2);
        let points: Vec<Vec<String>> = cluster
            .points()
            .await
            .into_iter()
            .map(|point| point.blobs)
            .collect();
        let left = async || {
            let all = blobs(&cluster).await.into_iter();
            all.filter(|blob| !points.iter().flatten().any(|name| blob.name.as_str() == name))
                .collect::<Vec<Blob>>()
        };
        let at_first = left().await;
        assert_eq!(at_first.len(), 1, "{at_first:?}");
        assert!(at_first[0].is_committed && at_first[0].lease.is_some());
        cluster.pass(45 * MINUTE).await;
        let freed = left().await;
        assert_eq!(
            (freed.len(), freed[0].lease, freed[0].is_sealed),
            (1, None, false)
        );
        let words = told(&cluster).await;
        assert_eq!(words.len(), 1, "{words:?}");
        assert!(words[0].1.contains("calls failed"), "{words:?}");
        // The next sweeps find the same, and a start too: told once by each.
        cluster.pass(60 * MINUTE).await;
        assert_eq!(told(&cluster).await, words);
        vault.suspend(item, None).await.unwrap();
        drop(vault);
        cluster.crash_vault();
        cluster.pass(6 * DAY).await;
        cluster.start_vault().await;
        cluster.pass(60 * MINUTE).await;
        assert_eq!(left().await.len(), 1, "people may look at it for a week");
        let again = told(&cluster).await;
        assert_eq!((again.len(), again[0].0), (1, 2), "{again:?}");
        cluster.crash_vault();
        cluster.pass(DAY).await;
        cluster.start_vault().await;
        cluster.pass(60 * MINUTE).await;
        assert!(left().await.is_empty());
        assert!(told(&cluster).await.is_empty());
        assert_eq!(cluster.points().await.len(), 2);
    });
}

#[test]
fn a_log_that_msdb_has_is_a_link_of_the_chain_though_its_job_failed() {
    for stripes in [1, 2] {
        let cluster = Cluster::new(42);
        let server = cluster.server("sql1");
        cluster.run(async {
            let (item, job) = failed_log(&cluster, &server).await;
            let names = log_under_the_mark_of(&cluster, &server, &job, stripes).await;
            cluster.pass(45 * MINUTE).await;
            let points = cluster.points().await;
            assert_eq!(points.len(), 2, "{points:#?}");
            let log: &Point = points.iter().find(|point| point.kind == BackupKind::Log).unwrap();
            let of_log: Vec<&str> = log.blobs.iter().map(String::as_str).collect();
            assert_eq!(of_log, names.iter().map(BlobName::as_str).collect::<Vec<_>>());
            assert_eq!(log.grade, Grade::Proved);
            assert!(
                blobs(&cluster)
                    .await
                    .iter()
                    .all(|blob| blob.is_sealed && blob.lease.is_none())
            );
            let after = cluster.item(item).await;
            assert_eq!(after.log_end.as_ref(), Some(&log.set.last_lsn));
            assert!(told(&cluster).await.is_empty());
            // The chain goes on from it.
            cluster.sql(&server).add_rows("Shop", 2).await;
            let next = cluster
                .vault()
                .await
                .back_up(item, BackupKind::Log, None)
                .await
                .unwrap();
            let next = cluster.done(next).await;
            assert_eq!(
                (next.state, next.warnings.len()),
                (JobState::Completed, 0),
                "{next:#?}"
            );
            assert_eq!(cluster.points().await[2].set.first_lsn, log.set.last_lsn);
            // A start makes nothing of it again.
            cluster.crash_vault();
            cluster.start_vault().await;
            cluster.pass(45 * MINUTE).await;
            assert_eq!(cluster.points().await.len(), 3);
        });
    }
}

#[test]
fn logs_that_could_not_go_on_do_once_the_link_is_found() {
    let cluster = Cluster::new(43);
    let server = cluster.server("sql1");
    cluster.run(async {
        let (item, job) = failed_log(&cluster, &server).await;
        log_under_the_mark_of(&cluster, &server, &job, 1).await;
        cluster.sql(&server).add_rows("Shop", 2).await;
        let vault = cluster.vault().await;
        let early = vault.back_up(item, BackupKind::Log, None).await.unwrap();
        let early = cluster.ended(early).await;
        assert_eq!(
            early.fault.unwrap().code(),
            Code::UserErrorSQLLSNValidationFailure
        );
        cluster.pass(45 * MINUTE).await;
        let found = cluster.points().await;
        assert_eq!(
            found.iter().filter(|point| point.kind == BackupKind::Log).count(),
            1
        );
        let next = vault.back_up(item, BackupKind::Log, None).await.unwrap();
        let next = cluster.done(next).await;
        assert!(next.warnings.is_empty(), "{:?}", next.warnings);
    });
}

#[test]
fn what_nobody_can_be_asked_about_stays_and_is_told() {
    let cluster = Cluster::new(44);
    let server = cluster.server("sql1");
    cluster.run(async {
        let (_, job) = failed_log(&cluster, &server).await;
        log_under_the_mark_of(&cluster, &server, &job, 1).await;
        server.cut_off(true);
        cluster.pass(45 * MINUTE).await;
        assert_eq!(cluster.points().await.len(), 1);
        let words = told(&cluster).await;
        assert!(words[0].1.contains("stay as they are"), "{words:?}");
        // Not even the week makes anything of it.
        cluster.crash_vault();
        cluster.pass(8 * DAY).await;
        cluster.start_vault().await;
        cluster.pass(45 * MINUTE).await;
        assert_eq!(
            blobs(&cluster)
                .await
                .iter()
                .filter(|blob| !blob.is_sealed)
                .count(),
            1
        );
        server.cut_off(false);
        cluster.pass(45 * MINUTE).await;
        assert!(told(&cluster).await.is_empty());
        let points = cluster.points().await;
        assert!(points.iter().any(|point| point.kind == BackupKind::Log));
    });
}

#[test]
fn a_backup_whose_job_nobody_remembers_is_none_that_failed() {
    // As after the catalog was lost and the instance's history was pruned.
    let cluster = Cluster::new(45);
    let server = cluster.server("sql1");
    cluster.run(async {
        failed_log(&cluster, &server).await;
        let job = "0d9f2c1e-3a44-4c7b-9d55-6b1f0e8a7c21";
        log_under_the_mark_of(&cluster, &server, job, 1).await;
        let sql = cluster.sql(&server);
        sql.go("DELETE FROM msdb.dbo.backupset WHERE type = 'L'").await;
        cluster.pass(45 * MINUTE).await;
        let words = told(&cluster).await;
        assert!(words[0].1.contains("stay as they are"), "{words:?}");
        cluster.crash_vault();
        cluster.pass(9 * DAY).await;
        cluster.start_vault().await;
        cluster.pass(45 * MINUTE).await;
        let unsealed = blobs(&cluster).await.into_iter().filter(|blob| !blob.is_sealed);
        assert_eq!(unsealed.count(), 1);
    });
}
