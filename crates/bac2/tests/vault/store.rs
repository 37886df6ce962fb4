//! The store under the backups: URLs that others are in the way of, blobs that go or change, a disk that fails. What SQL Server
//! called a success is looked for, and what is not there is told.

use std::sync::Arc;
use std::time::Duration;

use azblob::lease::{LeaseAction, LeaseDuration};
use azblob::names::{AccountName, BlobName, ContainerName};
use blobstore::disk::simulated::Fault as DiskFault;
use blobstore::{BlobPath, Permit, Properties};
use catalog::record::{Grade, HealingReason, ItemId, Job, JobId, JobState, Work};
use faults::{Code, Fault};
use schedule::BackupKind::{self, Differential, Full, Log};
use tokio::sync::Notify;
use vault::shelf::Shelf as _;

use super::lab::{ACCOUNT, Lab, Release, Server, code, run};

const DAY: Duration = Duration::from_secs(86_400);

impl Lab {
    /// A blob of the only container, as the store names it.
    pub(super) async fn path(&self, blob: &str) -> BlobPath {
        let container = ContainerName::new(self.containers().await[0].name.as_str()).unwrap();
        path_of(container, BlobName::new(blob).unwrap())
    }

    /// Somebody writes something else there.
    pub(super) fn overwrite(&self, path: &BlobPath, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).unwrap();
        let mut writer = self.door.store.begin_blob(path, length, &Permit::NONE).unwrap();
        writer.write(bytes).unwrap();
        writer.commit(Properties::default(), &Permit::NONE).unwrap();
    }

    /// Begins a backup and has SQL Server come to its end, which the vault has not heard of yet; gives the job, the path of its
    /// blob, and what lets the vault hear it.
    async fn unheard(
        &self,
        server: &Server,
        item: ItemId,
        kind: BackupKind,
    ) -> (JobId, BlobPath, Arc<Notify>) {
        let release = self.way.hold("BACKUP ");
        let id = self.vault().back_up(item, kind, None).await.unwrap();
        let job = self.sent(id).await;
        let path = self.path(&work(&job).blobs[0]).await;
        let rows = format!(
            "SELECT COUNT(*) AS n FROM msdb.dbo.backupset WHERE description = '{}'",
            work(&job).marker.clone().unwrap()
        );
        self.until("SQL Server is done", || async {
            let is_there = server.value(&rows).await == mssql::Value::Integer(1);
            (is_there && server.backup_session().await.is_none()).then_some(())
        })
        .await;
        (id, path, release)
    }
}

fn path_of(container: ContainerName, blob: BlobName) -> BlobPath {
    BlobPath {
        account: AccountName::new(ACCOUNT).unwrap(),
        container,
        blob,
    }
}

fn work(job: &Job) -> &catalog::record::BackupWork {
    match &job.work {
        Work::Backup(work) => work,
        other => panic!("a backup: {other:?}"),
    }
}

#[test]
fn a_url_that_somebody_else_has_taken_or_leased_is_left_to_him() {
    run(|| async {
        let lab = Lab::new().await;
        let leased = LeaseAction::Acquire {
            proposed: None,
            duration: LeaseDuration::Infinite,
        };
        // SQL Server looks first whether there is a blob; whoever comes after that is in the way with his lease.
        for (release, is_leased, expected) in [
            (Release::V2014, false, Code::Bac2UrlTaken),
            (Release::V2022, true, Code::Bac2UrlLeased),
        ] {
            let (server, _, item) = lab.shop(release).await;
            let looked = lab.door.answered("GetBlobProperties", 404).await;
            server.fault("network slow vault.example 8s").await;
            let id = lab.vault().back_up(item, Full, None).await.unwrap();
            let job = lab.sent(id).await;
            let blob = BlobName::new(work(&job).blobs[0].clone()).unwrap();
            let container = lab.item(item).await.container;
            let containers = lab.containers().await;
            let container = containers.iter().find(|one| one.id == container).unwrap();
            let container = ContainerName::new(container.name.as_str()).unwrap();
            let path = path_of(container.clone(), blob.clone());
            if is_leased {
                // Between the look, which is over, and the first write, which waits for eight seconds.
                lab.until("it looks at the URL", || async {
                    (lab.door.answered("GetBlobProperties", 404).await > looked).then_some(())
                })
                .await;
            }
            lab.overwrite(&path, b"theirs");
            if is_leased {
                lab.door.store.lease_blob(&path, &leased, &|_| Ok(())).unwrap();
            }
            server.fault("network back vault.example").await;
            let ended = lab.ended(id).await;
            assert_eq!(ended.state, JobState::Completed, "{ended:#?}");
            assert_eq!(work(&ended).failed, [expected], "{ended:#?}");
            assert_ne!(work(&ended).blobs[0], blob.as_str(), "another name");
            let theirs = lab.door.store.open_blob(&path, &Permit::NONE).unwrap();
            assert_eq!(theirs.size(), 6, "nobody wrote over it");
            let refused = lab.vault().clean_blob(&container, &blob).await;
            assert_eq!(code(refused), Code::Bac2UrlTaken);
        }
    });
}

#[test]
fn the_blob_of_a_backup_that_runs_is_nobodys_to_clean() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        server.fault("network slow vault.example 500ms").await;
        let id = lab.vault().back_up(item, Full, None).await.unwrap();
        let job = lab.sent(id).await;
        let blob = BlobName::new(work(&job).blobs[0].clone()).unwrap();
        let container = ContainerName::new(lab.containers().await[0].name.as_str()).unwrap();
        let vault = lab.vault();
        let refused = lab
            .until("SQL Server has made its blob", || async {
                vault.clean_blob(&container, &blob).await.err()
            })
            .await;
        assert_eq!(refused.code(), Code::Bac2UrlLeased);
        server.fault("network back vault.example").await;
        let ended = lab.ended(id).await;
        assert_eq!(ended.state, JobState::Completed, "{ended:#?}");
        let refused = vault.clean_blob(&container, &blob).await;
        assert_eq!(code(refused), Code::Bac2UrlTaken);
        let nothing = BlobName::new("nothing/here.bak").unwrap();
        assert!(vault.clean_blob(&container, &nothing).await.is_ok());
    });
}

#[test]
fn a_log_that_is_not_in_the_store_is_anchored_anew_by_a_differential() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        let full = lab.proved(item, Full).await;
        server.add_rows("Shop", 3).await;
        let (job, path, release) = lab.unheard(&server, item, Log).await;
        lab.door.store.delete_blob(&path, &Permit::NONE).unwrap();
        release.notify_one();
        let lost = lab.ended_in_time(job).await;
        assert_eq!(
            (lost.state, lost.fault.as_ref().map(Fault::code)),
            (JobState::Failed, Some(Code::Bac2LogReanchored)),
            "{lost:#?}"
        );
        let (reason, point) = lab.healed(item).await;
        assert_eq!((reason, point.kind), (HealingReason::LogLost, Differential));
        assert_eq!(
            (point.grade, point.set.base_guid),
            (Grade::Proved, Some(full.set.guid))
        );
        // The next log begins where the lost one ended, and the differential bridges it.
        server.add_rows("Shop", 1).await;
        let next = lab.proved(item, Log).await;
        assert!(next.set.first_lsn <= point.set.last_lsn, "{next:#?} {point:#?}");
        assert!(lab.item(item).await.healing.is_none());
    });
}

#[test]
fn a_blob_that_is_not_what_sql_server_wrote_is_disputed_and_a_full_taken_in_its_place() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2019).await;
        let (job, path, release) = lab.unheard(&server, item, Full).await;
        // Another tool takes the URL for its own.
        let url = format!("https://vault.example/{}/{}", path.container, path.blob);
        server
            .sql(&format!(
                "BACKUP DATABASE model TO URL = '{url}' WITH COPY_ONLY, FORMAT"
            ))
            .await;
        release.notify_one();
        let ended = lab.ended_in_time(job).await;
        assert_eq!(ended.state, JobState::CompletedWithWarnings, "{ended:#?}");
        assert!(
            ended
                .warnings
                .iter()
                .any(|warning| warning.code() == Code::Bac2StreamDisputed)
        );
        let disputed = lab.point(&ended).await;
        assert_eq!(disputed.grade, Grade::Disputed, "{disputed:#?}");
        lab.noticed(Code::Bac2StreamDisputed).await;
        assert_ne!(lab.item(item).await.base, Some(disputed.set.guid));
        let (_, healed) = lab.healed(item).await;
        assert_eq!((healed.kind, healed.grade), (Full, Grade::Proved));
        server.add_rows("Shop", 1).await;
        lab.proved(item, Log).await;
        lab.proved(item, Differential).await;
    });
}

#[test]
fn points_whose_blobs_are_gone_or_changed_are_told_within_a_day() {
    run(|| async {
        let lab = Lab::new().await;
        let server = lab.server(Release::V2022).await;
        let mut items = Vec::new();
        for name in ["Gone", "Changed"] {
            server.make_database(name).await;
        }
        let id = lab.register(&server).await;
        for name in ["Gone", "Changed"] {
            let item = lab.protect(id, name).await;
            items.push((item, lab.proved(item, Full).await));
        }
        let store = &lab.door.store;
        let gone = lab.path(&items[0].1.blobs[0]).await;
        let changed = lab.path(&items[1].1.blobs[0]).await;
        assert!(
            store.delete_blob(&gone, &Permit::NONE).is_err(),
            "what is sealed stays"
        );
        for path in [&gone, &changed] {
            // Somebody with the disk in his hands.
            store.seal(path, false).unwrap();
        }
        store.delete_blob(&gone, &Permit::NONE).unwrap();
        lab.overwrite(&changed, &[7; 1000]);
        server.fault("clock jump 24h").await;
        lab.advance(DAY + Duration::from_secs(3_600));
        lab.noticed(Code::Bac2CatalogDisagrees).await;
        lab.noticed(Code::Bac2StoreDamaged).await;
        for (_, point) in &items {
            let points = lab.points().await;
            let now = points.iter().find(|one| one.id == point.id).unwrap();
            assert_eq!(now.grade, Grade::Disputed, "{now:#?}");
        }
        for (item, _) in &items {
            let (_, healed) = lab.healed(*item).await;
            assert_eq!((healed.kind, healed.grade), (Full, Grade::Proved));
        }
    });
}

#[test]
fn a_catalog_from_an_older_copy_learns_from_the_store_what_it_lacks() {
    run(|| async {
        let lab = Lab::new().await;
        let (server, _, item) = lab.shop(Release::V2022).await;
        let full = lab.proved(item, Full).await;
        lab.crash().await;
        let older = lab.folder().join("older");
        std::fs::copy(lab.catalog_file(), &older).unwrap();
        lab.open().await;
        let mut lacking = Vec::new();
        for _ in 0..2 {
            server.add_rows("Shop", 2).await;
            lacking.push(lab.proved(item, Log).await);
        }
        lab.crash().await;
        std::fs::copy(&older, lab.catalog_file()).unwrap();
        lab.open().await;
        lab.noticed(Code::Bac2CatalogDisagrees).await;
        let sets: Vec<_> = lab.points().await.iter().map(|point| point.set.guid).collect();
        let expected = [&full, &lacking[0], &lacking[1]].map(|point| point.set.guid);
        assert_eq!(sets, expected);
        server.add_rows("Shop", 2).await;
        let next = lab.proved(item, Log).await;
        assert_eq!(next.set.first_lsn, lacking[1].set.last_lsn);
    });
}

#[test]
fn a_store_that_takes_no_writes_any_more_says_so() {
    run(|| async {
        let lab = Lab::on_simulated_disk().await;
        let (_server, id, item) = lab.shop(Release::V2022).await;
        let kept = lab.proved(item, Full).await;
        let disk = lab.door.disk.clone().unwrap();
        for call in 0..20 {
            disk.plan_fault(call, DiskFault::Broken);
        }
        let job = lab.back_up(item, Full).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        disk.clear_faults();
        assert!(lab.door.store.read_only().is_some());
        assert_eq!(
            job.fault.as_ref().map(Fault::code),
            Some(Code::Bac2StoreReadOnly),
            "{job:#?}"
        );
        assert_eq!(lab.refused(item, Log).await, Code::Bac2StoreReadOnly);
        lab.rediscover(id).await;
        let probes = lab.server_record(id).await.readiness;
        let missed: Vec<Code> = probes
            .iter()
            .filter_map(|probe| probe.fault.as_ref())
            .map(Fault::code)
            .collect();
        assert!(missed.contains(&Code::Bac2StoreReadOnly), "{probes:#?}");
        // What was kept can be read still.
        let path = lab.path(&kept.blobs[0]).await;
        let blob = lab.door.store.open_blob(&path, &Permit::NONE).unwrap();
        assert_eq!(blob.size(), kept.bytes);
    });
}

#[test]
fn signatures_that_are_asked_for_at_once_are_all_given() {
    run(|| async {
        let lab = Lab::new().await;
        let (shelf, name) = (&lab.door.shelf, ContainerName::new("many").unwrap());
        shelf.make_container(&name).await.unwrap();
        let until = lab.now() + DAY;
        let (one, two, three, four, five) = tokio::join!(
            shelf.grant(&name, "one", until),
            shelf.grant(&name, "two", until),
            shelf.grant(&name, "three", until),
            shelf.grant(&name, "four", until),
            shelf.grant(&name, "five", until),
        );
        for given in [one, two, three, four, five] {
            assert!(given.is_ok(), "{given:?}");
        }
        let account = AccountName::new(ACCOUNT).unwrap();
        let policies = lab.door.store.container_policies(&account, &name).unwrap();
        assert_eq!(policies.len(), 5, "none is lost");
    });
}
