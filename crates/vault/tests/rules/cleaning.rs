//! What interrupted backups leave, and what a crash left between catalog and store.

use std::time::Duration;

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Container, Grade, Item, ItemId, Job, JobState, Point, Trigger};
use catalog::{Kind, Record, delete, demand, update};
use faults::Code;
use mssql::{Address, Authentication, Secret, Session, Target, Trust};
use schedule::BackupKind;
use vault::backup::record::SetRecord;
use vault::protection::Data;
use vault::shelf::Shelf;

use super::healing::{late, protected, with_logs};
use crate::world::{Cluster, End, PASSWORD, Server};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// A protected database with one full.
pub(super) async fn backed_up(cluster: &Cluster, server: &Server) -> ItemId {
    backed_up_by(cluster, server, late()).await
}

/// The same by another policy.
async fn backed_up_by(cluster: &Cluster, server: &Server, policy: schedule::Policy) -> ItemId {
    let item = protected(cluster, server, &["Shop"], policy).await[0];
    let vault = cluster.start_vault().await;
    let job = vault.back_up(item, BackupKind::Full, None).await.unwrap();
    cluster.done(job).await;
    item
}

async fn container(cluster: &Cluster) -> ContainerName {
    let containers = cluster.records::<Container>().await;
    ContainerName::new(containers[0].name.clone()).unwrap()
}

/// Writes a record as if it had always been so.
async fn by_hand<R: Record>(cluster: &Cluster, id: String, change: impl FnOnce(&mut R)) {
    let key = cluster.vault().await.id().to_string();
    let catalog = cluster.open_catalog();
    let mut tx = catalog.begin().await.unwrap();
    let mut found = demand::<R>(tx.as_mut(), &key, &id).await.unwrap();
    change(&mut found.record);
    update(tx.as_mut(), found).await.unwrap();
    tx.commit().await.unwrap();
}

async fn codes(cluster: &Cluster) -> Vec<Code> {
    let notices = cluster.notices().await;
    notices.iter().map(|one| one.fault.code()).collect()
}

/// Somebody's BACKUP into the vault's container, by its credential.
async fn stray(cluster: &Cluster, server: &Server, name: &BlobName) -> Result<(), ()> {
    let authentication = Authentication::Password {
        user: "sa".to_owned(),
        password: Secret::new(PASSWORD.to_owned()),
    };
    let address: Address = server.address.parse().unwrap();
    let target = Target::new(address, authentication, Trust::Anyone);
    let mut session = Session::open(&*cluster.network, &target).await.unwrap();
    let url = cluster.shelf.url(&container(cluster).await);
    let text = format!("BACKUP DATABASE [Shop] TO URL = '{url}/{name}' WITH COPY_ONLY");
    session.execute(&text).await.map(drop).map_err(drop)
}

#[test]
fn the_blob_of_an_interrupted_backup_goes_and_complete_ones_stay() {
    let cluster = Cluster::new(21);
    let server = cluster.server("sql1");
    cluster.run(async {
        backed_up(&cluster, &server).await;
        let vault = cluster.vault().await;
        let container = container(&cluster).await;
        let complete = BlobName::new("stray/complete.bak").unwrap();
        stray(&cluster, &server, &complete).await.unwrap();
        let broken = BlobName::new("stray/broken.bak").unwrap();
        server.fault("kill after 900000 bytes to vault.test").await;
        stray(&cluster, &server, &broken).await.unwrap_err();
        cluster.end(&server, End::Kill);
        let look = async |name: &BlobName| cluster.shelf.look(&container, name).await.unwrap();
        assert!(look(&broken).await.unwrap().lease.is_some());
        let unsealed = async |after: Option<&BlobName>| -> Vec<BlobName> {
            let found = cluster.shelf.unsealed(&container, after, 1).await.unwrap();
            found.into_iter().map(|blob| blob.name).collect()
        };
        // The vault's own full lies among them, sealed.
        let all = cluster.shelf.list(&container, None, 10).await.unwrap();
        assert_eq!(all.iter().filter(|blob| blob.is_sealed).count(), 1);
        assert_eq!(unsealed(None).await, std::slice::from_ref(&broken));
        assert_eq!(unsealed(Some(&broken)).await, std::slice::from_ref(&complete));
        assert_eq!(unsealed(Some(&complete)).await, []);
        let early = vault.clean_blob(&container, &broken).await.unwrap_err();
        assert_eq!(early.code(), Code::Bac2UrlLeased);
        let taken = vault.clean_blob(&container, &complete).await.unwrap_err();
        assert_eq!(taken.code(), Code::Bac2UrlTaken);
        cluster.pass(10 * MINUTE).await;
        assert!(look(&broken).await.is_some(), "not quiet for long enough");
        cluster.pass(20 * MINUTE).await;
        assert_eq!(look(&broken).await, None);
        cluster.pass(20 * MINUTE).await;
        assert!(look(&complete).await.is_some());
        assert_eq!(codes(&cluster).await, [Code::Bac2CatalogDisagrees]);
        let point = &cluster.points().await[0];
        assert_eq!(point.grade, Grade::Proved, "the vault's own is as it was");
    });
}

#[test]
fn a_point_that_the_catalog_lost_is_made_again_of_its_record() {
    let cluster = Cluster::new(22);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = backed_up(&cluster, &server).await;
        let (point, before) = (cluster.points().await.remove(0), cluster.item(item).await);
        cluster.crash_vault();
        // The catalog is put back to a copy from before the backup.
        let key = cluster.vault().await.id().to_string();
        {
            let catalog = cluster.open_catalog();
            let mut tx = catalog.begin().await.unwrap();
            let found = demand::<Point>(tx.as_mut(), &key, &point.id.to_string())
                .await
                .unwrap();
            delete(tx.as_mut(), &found).await.unwrap();
            tx.commit().await.unwrap();
        }
        by_hand::<Item>(&cluster, item.to_string(), |item| {
            item.last.clear();
            item.base = None;
        })
        .await;
        cluster.start_vault().await;
        cluster.pass(MINUTE).await;
        assert_eq!(cluster.points().await, [point]);
        let after = cluster.item(item).await;
        assert_eq!((after.last, after.base), (before.last, before.base));
        assert_eq!(codes(&cluster).await, [Code::Bac2CatalogDisagrees]);
    });
}

#[test]
fn a_point_whose_blobs_are_gone_or_changed_says_so() {
    let cluster = Cluster::new(23);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = backed_up(&cluster, &server).await;
        let vault = cluster.vault().await;
        let job = vault
            .back_up(item, BackupKind::CopyOnlyFull, Some(30))
            .await
            .unwrap();
        cluster.done(job).await;
        drop(vault);
        let points = cluster.points().await;
        cluster.crash_vault();
        by_hand::<Point>(&cluster, points[0].id.to_string(), |point| {
            point.blobs = vec!["shop/gone.bak".to_owned()];
        })
        .await;
        by_hand::<Point>(&cluster, points[1].id.to_string(), |point| point.bytes += 1).await;
        cluster.start_vault().await;
        cluster.pass(MINUTE).await;
        let points = cluster.points().await;
        assert!(points.iter().take(2).all(|point| point.grade == Grade::Disputed));
        // So do their records: a catalog that is made of them believes no more than this one.
        for record in records(&cluster).await {
            let point = points.iter().find(|point| point.id == record.point).unwrap();
            assert_eq!((record.grade, &record.reasons), (point.grade, &point.reasons));
        }
        let codes = codes(&cluster).await;
        assert!(codes.contains(&Code::Bac2StoreDamaged) && codes.contains(&Code::Bac2CatalogDisagrees));
        // The chain stood on the one that is gone: a full is taken.
        cluster.pass(30 * MINUTE).await;
        let points = cluster.points().await;
        assert_eq!(points.len(), 3, "{points:#?}");
        assert_eq!(
            (points[2].kind, points[2].grade),
            (BackupKind::Full, Grade::Proved)
        );
    });
}

/// The records beside the blobs.
async fn records(cluster: &Cluster) -> Vec<SetRecord> {
    let container = container(cluster).await;
    let found = cluster.shelf.records(&container, None, 100).await.unwrap();
    let decoded = found.iter().map(|(_, body)| SetRecord::decode(body).unwrap());
    decoded.collect()
}

#[test]
fn a_catalog_from_an_older_copy_believes_the_newer_grade() {
    let cluster = Cluster::new(28);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = backed_up(&cluster, &server).await;
        let of_copy = async |grade: Grade| {
            let point = cluster.points().await.remove(0);
            cluster.crash_vault();
            by_hand::<Point>(&cluster, point.id.to_string(), |point| {
                point.grade = grade;
                point.reasons = vec!["as the copy has it".to_owned()];
            })
            .await;
            cluster.start_vault().await;
            cluster.pass(MINUTE).await;
        };
        // What was accepted then was read to its end since.
        of_copy(Grade::Accepted).await;
        let point = cluster.points().await.remove(0);
        assert_eq!((point.grade, point.reasons.as_slice()), (Grade::Proved, &[][..]));
        // What was proved then was found to be damaged since.
        of_copy(Grade::Disputed).await;
        assert_eq!(records(&cluster).await[0].grade, Grade::Disputed);
        of_copy(Grade::Proved).await;
        let damaged = cluster.points().await.remove(0);
        assert_eq!(damaged.grade, Grade::Disputed);
        let base = cluster.item(item).await.base;
        assert_ne!(base, Some(damaged.set.guid), "nothing stands on it");
    });
}

#[test]
fn a_log_of_the_living_chain_that_is_gone_is_healed_by_a_differential() {
    let cluster = Cluster::new(27);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = backed_up(&cluster, &server).await;
        let vault = cluster.vault().await;
        for _ in 0..2 {
            cluster.sql(&server).add_rows("Shop", 3).await;
            let job = vault.back_up(item, BackupKind::Log, None).await.unwrap();
            cluster.done(job).await;
        }
        drop(vault);
        let points = cluster.points().await;
        cluster.crash_vault();
        by_hand::<Point>(&cluster, points[1].id.to_string(), |point| {
            point.blobs = vec!["shop/gone.trn".to_owned()];
        })
        .await;
        cluster.start_vault().await;
        cluster.pass(30 * MINUTE).await;
        let points = cluster.points().await;
        assert_eq!(
            (points[1].kind, points[1].grade),
            (BackupKind::Log, Grade::Disputed)
        );
        assert_eq!(points.len(), 4, "{points:#?}");
        assert_eq!(
            (points[3].kind, points[3].grade, points[3].set.base_guid),
            (BackupKind::Differential, Grade::Proved, Some(points[0].set.guid))
        );
    });
}

#[test]
fn a_deleted_item_ends_when_its_time_is_over_with_its_points() {
    let cluster = Cluster::new(24);
    let server = cluster.server("sql1");
    cluster.run(async {
        let items = protected(&cluster, &server, &["Shop", "Empty"], late()).await;
        let vault = cluster.start_vault().await;
        let job = vault.back_up(items[0], BackupKind::Full, None).await.unwrap();
        cluster.done(job).await;
        for item in &items {
            vault.unprotect(*item, Data::Delete, None).await.unwrap();
        }
        drop(vault);
        cluster.crash_vault();
        cluster.pass(13 * DAY).await;
        cluster.start_vault().await;
        cluster.pass(30 * MINUTE).await;
        assert_eq!(cluster.records::<Item>().await.len(), 2, "14 days are not over");
        cluster.crash_vault();
        cluster.pass(DAY).await;
        cluster.start_vault().await;
        cluster.pass(30 * MINUTE).await;
        assert!(cluster.records::<Item>().await.is_empty());
        assert!(cluster.points().await.is_empty());
        assert!(records(&cluster).await.is_empty());
    });
}

#[test]
fn old_jobs_are_forgotten() {
    let cluster = Cluster::new(25);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = backed_up(&cluster, &server).await;
        let vault = cluster.vault().await;
        vault.suspend(item, None).await.unwrap();
        drop(vault);
        cluster.crash_vault();
        cluster.pass(89 * DAY).await;
        cluster.start_vault().await;
        cluster.pass(MINUTE).await;
        assert_eq!(cluster.records::<Job>().await.len(), 1);
        cluster.crash_vault();
        cluster.pass(2 * DAY).await;
        cluster.start_vault().await;
        cluster.pass(MINUTE).await;
        assert!(cluster.records::<Job>().await.is_empty());
        assert_eq!(cluster.points().await.len(), 1);
    });
}

/// The bodies of a kind of record, as they lie in the catalog.
fn bodies(cluster: &Cluster, kind: Kind) -> Vec<usize> {
    let rows = cluster.catalog.rows().into_iter();
    rows.filter(|row| row.kind == kind)
        .map(|row| row.body.len())
        .collect()
}

fn mean(bytes: &[usize]) -> usize {
    bytes.iter().sum::<usize>() / bytes.len()
}

#[test]
fn plain_scheduled_jobs_are_shortened_after_two_days_and_those_of_logs_go_after_fourteen() {
    let cluster = Cluster::new(26);
    let server = cluster.server("sql1");
    cluster.run(async {
        let item = backed_up_by(&cluster, &server, with_logs()).await;
        let vault = cluster.vault().await;
        cluster.pass(12 * 15 * MINUTE).await;
        vault.suspend(item, None).await.unwrap();
        drop(vault);
        let is_log = |job: &Job| matches!(job.trigger, Trigger::Scheduled { .. });
        let before = cluster.jobs().await;
        let logs = before.iter().filter(|job| is_log(job)).count();
        assert!(logs >= 11, "{logs}");
        assert!(
            before
                .iter()
                .all(|job| job.state == JobState::Completed && !job.tasks.is_empty())
        );
        let whole = mean(&bodies(&cluster, Kind::Job));
        let later = async |days: u32| {
            cluster.crash_vault();
            cluster.pass(days * DAY).await;
            cluster.start_vault().await;
            cluster.pass(MINUTE).await;
        };
        later(2).await;
        let after = cluster.jobs().await;
        assert_eq!(after.len(), before.len());
        for (old, new) in before.iter().zip(&after) {
            // What a user asked for is as it was.
            let is_short = new.tasks.is_empty() && new.said.is_empty() && new.statements.is_empty();
            assert_eq!(is_short, is_log(new));
            let told = |job: &Job| {
                (
                    job.state,
                    job.started,
                    job.ended,
                    job.bytes,
                    job.point,
                    job.run_at,
                )
            };
            assert_eq!(told(old), told(new));
            assert!(is_log(new) || old == new);
        }
        let of_logs: Vec<usize> = after
            .iter()
            .filter(|job| is_log(job))
            .map(|job| serde_json::to_string(job).unwrap().len())
            .collect();
        let (short, point) = (mean(&of_logs), mean(&bodies(&cluster, Kind::Point)));
        println!("bytes of JSON: a job {whole}, shortened {short}; a point {point}");
        // 2,000 databases with logs every 15 minutes, by default: two days whole, twelve shortened.
        let sum = 192_000 * (2 * whole + 12 * short);
        println!("192,000 jobs a day for 14 days: {} MB", sum / 1_000_000);
        assert!(whole < 2_000 && short < 800 && sum < 2_500_000_000);
        later(11).await;
        assert_eq!(cluster.jobs().await.len(), before.len());
        later(2).await;
        let left = cluster.jobs().await;
        assert_eq!(left, before[..1], "the full that a user asked for");
        assert_eq!(cluster.points().await.len(), logs + 1, "points are none of this");
    });
}
