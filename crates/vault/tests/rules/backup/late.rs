//! Backups of which nobody could say what became of them, and that are kept when the instance tells: nothing newer is undone.

use std::time::Duration;

use azblob::names::BlobName;
use blobstore::Permit;
use catalog::record::{Grade, Item, ItemId, Job, JobId, JobState, Outcome, Server as ServerRecord, Work};
use faults::Code;
use schedule::BackupKind::{self, Full, Log};
use vault::Vault;

use super::stand::{DATABASE, QUIET, Stand};
use super::work;

impl Stand {
    /// A backup that SQL Server finishes, whose job is given up: its session is lost, and the login may not read the history.
    async fn given_up(&self, vault: &Vault, item: ItemId, kind: BackupKind) -> JobId {
        self.server.goes_on_without_client(true);
        let verb = if kind == Log { "LOG" } else { "DATABASE" };
        self.server
            .lose_next(&format!("BACKUP {verb} [Shop] TO"), Duration::from_millis(1));
        let id = vault.back_up(item, kind, None).await.unwrap();
        self.until(id, |job| work(job).outcome == Some(Outcome::Unknown))
            .await;
        // A day of looks is over but for one.
        self.change::<Job>(&id.to_string(), |job| {
            if let Work::Backup(work) = &mut job.work {
                work.looks = 199;
            }
        })
        .await;
        let job = self.cluster.ended(id).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        assert_eq!(job.fault.unwrap().code(), Code::Bac2OutcomeUnknown);
        id
    }

    /// The login may read the history from now on, and the instance is looked at again; the job that keeps what `id` took.
    async fn told(&self, vault: &Vault, id: JobId) -> Job {
        self.let_read_history().await;
        let server = self.cluster.records::<ServerRecord>().await[0].id;
        let discovery = vault.rediscover(server).await.unwrap();
        self.cluster.ended(discovery).await;
        let jobs = self.cluster.jobs().await;
        let adopts = |job: &&Job| matches!(&job.work, Work::Backup(work) if work.adopts == Some(id));
        let job = jobs.iter().find(adopts).map(|job| job.id);
        self.cluster.ended(job.expect("a job that keeps it")).await
    }
}

/// What backups to come stand on.
fn stands_on(item: &Item) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        item.last.clone(),
        item.base,
        item.log_end.clone(),
        item.healing.is_some(),
    )
}

#[test]
fn a_log_that_was_given_up_is_kept_and_the_chain_goes_on() {
    let stand = Stand::new(181);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        stand.with_small_login(false).await;
        let id = stand.given_up(&vault, item, Log).await;
        assert_eq!(stand.cluster.item(item).await.unknown, [id]);
        let job = stand.told(&vault, id).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        let point = stand.point(&job).await;
        assert_eq!((point.kind, point.grade), (Log, Grade::Proved));
        let kept = stand.cluster.item(item).await;
        assert_eq!(kept.log_end, Some(point.set.last_lsn.clone()));
        assert!(kept.unknown.is_empty() && kept.healing.is_none(), "{kept:#?}");
        let next = stand.back_up(&vault, item, Log).await;
        assert_eq!(next.state, JobState::Completed, "{next:#?}");
        assert_eq!(stand.point(&next).await.set.first_lsn, point.set.last_lsn);
    });
}

#[test]
fn a_full_that_is_kept_late_is_no_base_for_what_comes() {
    let stand = Stand::new(182);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        stand.with_small_login(false).await;
        let id = stand.given_up(&vault, item, Full).await;
        stand.cluster.sql(&stand.server).add_rows(DATABASE, 5).await;
        let newer = stand.back_up(&vault, item, Full).await;
        assert_eq!(newer.state, JobState::Completed, "{newer:#?}");
        stand.cluster.sql(&stand.server).add_rows(DATABASE, 5).await;
        stand.back_up(&vault, item, Log).await;
        let before = stands_on(&stand.cluster.item(item).await);
        let job = stand.told(&vault, id).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        let point = stand.point(&job).await;
        assert_eq!((point.kind, point.grade), (Full, Grade::Proved));
        assert!(point.keep_until.is_some(), "a user wanted it");
        assert_eq!(stands_on(&stand.cluster.item(item).await), before);
        for kind in [BackupKind::Differential, Log] {
            let next = stand.back_up(&vault, item, kind).await;
            assert_eq!(next.state, JobState::Completed, "{next:#?}");
        }
    });
}

#[test]
fn a_log_that_was_given_up_and_is_gone_is_told_and_anchored_anew() {
    let stand = Stand::new(183);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        stand.with_small_login(false).await;
        let id = stand.given_up(&vault, item, Log).await;
        let name = BlobName::new(work(&stand.cluster.job(id).await).blobs[0].clone()).unwrap();
        let path = stand.cluster.door.path(&stand.container().await, &name);
        let store = stand.cluster.door.store().unwrap();
        store.delete_blob(&path, &Permit::NONE).unwrap();
        let job = stand.told(&vault, id).await;
        assert_eq!(job.fault.map(|fault| fault.code()), Some(Code::Bac2LogReanchored));
        stand.cluster.pass(Duration::from_secs(600)).await;
        let healed = stand.cluster.points().await.pop().unwrap();
        assert_eq!(
            (healed.kind, healed.grade),
            (BackupKind::Differential, Grade::Proved)
        );
        let next = stand.back_up(&vault, item, Log).await;
        assert_eq!(next.state, JobState::Completed, "{next:#?}");
    });
}
