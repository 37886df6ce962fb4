//! Nothing that SQL Server says it has backed up is lost, and nothing bad passes as good.

use std::time::Duration;

use azblob::names::BlobName;
use blobstore::{Permit, Properties};
use catalog::record::{Grade, HealingReason, ItemId, Job, JobId, JobState, Login, Server as ServerRecord};
use faults::Code;
use schedule::BackupKind::{self, CopyOnlyFull, Differential, Full, Log};
use vault::Vault;
use vault::shelf::{Blob, Shelf};

use super::stand::{DATABASE, QUIET, Stand};
use super::{codes, work};
use crate::world::End;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// What one full leaves behind in the day that its compare waits for.
const DAY: Duration = Duration::from_secs(24 * 3_600 + 1_200);

impl Stand {
    fn read_only(&self, is_so: bool) {
        self.cluster.door.trouble(|trouble| trouble.is_read_only = is_so);
    }

    fn verifier_rests(&self, is_so: bool) {
        self.cluster
            .door
            .trouble(|trouble| trouble.verifier_rests = is_so);
    }

    /// The blob of a name, as the vault sees it.
    async fn blob(&self, name: &str) -> Option<Blob> {
        let name = BlobName::new(name.to_owned()).unwrap();
        let container = self.container().await;
        self.cluster.shelf.look(&container, &name).await.unwrap()
    }

    /// Waits until a job says so of itself.
    pub(super) async fn until(&self, id: JobId, is_so: impl Fn(&Job) -> bool) -> Job {
        for _ in 0..36_000 {
            let job = self.cluster.job(id).await;
            if is_so(&job) {
                return job;
            }
            assert!(!job.state.is_ended(), "{job:#?}");
            self.cluster.pass(Duration::from_millis(100)).await;
        }
        panic!("{:#?}", self.cluster.job(id).await);
    }

    /// A full and some rows after it.
    pub(super) async fn with_full(&self, policy: &str) -> (std::sync::Arc<Vault>, ItemId) {
        let (vault, item) = self.protect(policy).await;
        self.back_up(&vault, item, Full).await;
        self.cluster.sql(&self.server).add_rows(DATABASE, 5).await;
        (vault, item)
    }

    /// Rows that `msdb` has of the database.
    async fn taken(&self) -> String {
        let rows = "SELECT COUNT(*) FROM msdb.dbo.backupset WHERE database_name = 'Shop'";
        format!("{:?}", self.cluster.sql(&self.server).value(rows).await)
    }
}

fn has_succeeded(job: &Job) -> bool {
    work(job).outcome == Some(catalog::record::Outcome::Succeeded)
}

#[test]
fn what_succeeded_is_kept_though_it_was_cancelled() {
    for when in [JobState::InProgress, JobState::Queued] {
        let stand = Stand::new(61);
        stand.run(async {
            let (vault, item) = stand.with_full(QUIET).await;
            stand.verifier_rests(when == JobState::InProgress);
            stand.read_only(true);
            let id = vault.back_up(item, Log, None).await.unwrap();
            stand
                .until(id, |job| has_succeeded(job) && job.state == when)
                .await;
            vault.cancel_job(id).await.unwrap();
            stand.cluster.pass(MINUTE).await;
            stand.verifier_rests(false);
            stand.cluster.pass(10 * MINUTE).await;
            let open = stand.cluster.job(id).await;
            assert!(open.cancel.is_some() && !open.state.is_ended(), "{open:#?}");
            stand.read_only(false);
            let job = stand.cluster.done(id).await;
            let point = stand.point(&job).await;
            assert_eq!((point.kind, point.grade), (Log, Grade::Proved));
            assert_eq!(
                stand.cluster.item(item).await.log_end,
                Some(point.set.last_lsn.clone())
            );
            // What was cancelled is told from what was not, and the chain goes on.
            assert!(job.cancel.is_some());
            let next = stand.back_up(&vault, item, Log).await;
            assert_eq!(next.state, JobState::Completed, "{next:#?}");
        });
    }
}

#[test]
fn a_cancelled_backup_whose_instance_is_away_ends_as_the_instance_says() {
    let stand = Stand::new(62);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        stand.server.goes_on_without_client(true);
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::from_secs(1));
        let id = vault.back_up(item, Log, None).await.unwrap();
        stand.until(id, |job| work(job).sent.is_some()).await;
        stand.server.cut_off(true);
        stand.cluster.pass(MINUTE).await;
        vault.cancel_job(id).await.unwrap();
        stand.cluster.pass(HOUR).await;
        assert!(!stand.cluster.job(id).await.state.is_ended());
        stand.server.cut_off(false);
        let job = stand.cluster.done(id).await;
        assert_eq!(stand.point(&job).await.kind, Log);
    });
}

#[test]
fn what_succeeded_waits_for_its_store_whatever_the_clock_says() {
    let stand = Stand::new(63);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        stand.read_only(true);
        let id = vault.back_up(item, Log, None).await.unwrap();
        stand.until(id, has_succeeded).await;
        stand.cluster.pass(10 * MINUTE).await;
        stand.cluster.clock.jump(72 * 3_600_000_000);
        stand.cluster.pass(10 * MINUTE).await;
        assert!(!stand.cluster.job(id).await.state.is_ended());
        stand.read_only(false);
        let job = stand.cluster.done(id).await;
        assert_eq!(stand.point(&job).await.grade, Grade::Proved);
    });
}

#[test]
fn a_lease_that_was_not_given_back_is_broken_by_its_own_job() {
    let stand = Stand::new(64);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.releases_forgotten = 1);
        let id = vault.back_up(item, Log, None).await.unwrap();
        let job = stand.until(id, has_succeeded).await;
        let name = work(&job).blobs[0].clone();
        assert!(stand.blob(&name).await.unwrap().lease.is_some());
        stand.cluster.pass(10 * MINUTE).await;
        let job = stand.cluster.job(id).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        assert_eq!(stand.point(&job).await.grade, Grade::Proved);
        let blob = stand.blob(&name).await.unwrap();
        assert!(blob.is_sealed && blob.lease.is_none(), "{blob:?}");
    });
}

#[test]
fn a_crash_at_any_poll_leaves_the_chain_as_it_would_be_without() {
    for kind in [Log, Differential] {
        let stand = Stand::new(65);
        stand.run(async {
            let (vault, item) = stand.with_full(QUIET).await;
            stand.server.goes_on_without_client(true);
            stand.cluster.crash_vault();
            drop(vault);
            for polls in (1..150).step_by(5) {
                let vault = stand.cluster.vault().await;
                stand.cluster.sql(&stand.server).add_rows(DATABASE, 1).await;
                let id = vault.back_up(item, kind, None).await.unwrap();
                drop(vault);
                stand.cluster.crash_vault();
                assert!(stand.cluster.try_start_vault_for(polls).await);
                stand.cluster.pass(Duration::from_secs(3)).await;
                stand.cluster.crash_vault();
                drop(stand.cluster.start_vault().await);
                let job = stand.cluster.done(id).await;
                stand.cluster.crash_vault();
                assert_eq!(codes(&job), [], "after {polls} polls: {job:#?}");
                let kept = stand.cluster.item(item).await;
                assert_eq!(kept.healing, None, "after {polls} polls");
                let point = stand.point(&job).await;
                assert_eq!(kept.last[&kind].point, point.id);
                if kind == Log {
                    assert_eq!(kept.log_end, Some(point.set.last_lsn));
                }
            }
            let points = stand.cluster.points().await;
            assert_eq!(stand.taken().await, format!("Integer({})", points.len()));
            let logs: Vec<_> = points.iter().filter(|point| point.kind == Log).collect();
            for pair in logs.windows(2) {
                assert_eq!(pair[0].set.last_lsn, pair[1].set.first_lsn);
            }
        });
    }
}

#[test]
fn a_set_that_its_record_made_a_point_again_is_met_by_its_own_job() {
    let stand = Stand::new(66);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        stand.back_up(&vault, item, Log).await;
        let sql = stand.cluster.sql(&stand.server);
        sql.add_rows(DATABASE, 5).await;
        let before = stand.cluster.item(item).await.log_end;
        let job = stand.back_up(&vault, item, Log).await;
        let point = stand.point(&job).await;
        drop(vault);
        stand.cluster.crash_vault();
        // As where the crash came when the record lay beside the blobs and the catalog knew of nothing; the start adopts it then.
        stand.forget_point(&job, &point, before).await;
        let vault = stand.cluster.start_vault().await;
        let again = stand.cluster.done(job.id).await;
        assert_eq!((again.point, codes(&again)), (Some(point.id), Vec::new()));
        let kept = stand.cluster.item(item).await;
        assert_eq!(
            (kept.healing, kept.log_end),
            (None, Some(point.set.last_lsn.clone()))
        );
        let next = stand.back_up(&vault, item, Log).await;
        assert_eq!(next.state, JobState::Completed, "{next:#?}");
    });
}

impl Stand {
    /// Takes a job's point out of the catalog, and the job back to where SQL Server had succeeded.
    async fn forget_point(&self, job: &Job, point: &catalog::record::Point, log_end: Option<String>) {
        let _ = self.cluster.vault().await;
        let catalog = self.cluster.open_catalog();
        let key = self.cluster.vault_id().to_string();
        let mut tx = catalog.begin().await.unwrap();
        let found = catalog::demand::<catalog::record::Point>(tx.as_mut(), &key, &point.id.to_string()).await;
        catalog::delete(tx.as_mut(), &found.unwrap()).await.unwrap();
        let mut found = catalog::demand::<Job>(tx.as_mut(), &key, &job.id.to_string())
            .await
            .unwrap();
        (found.record.state, found.record.ended, found.record.point) = (JobState::InProgress, None, None);
        catalog::update(tx.as_mut(), found).await.unwrap();
        let id = point.item.to_string();
        let mut found = catalog::demand::<catalog::record::Item>(tx.as_mut(), &key, &id)
            .await
            .unwrap();
        found.record.log_end = log_end;
        found.record.last.remove(&point.kind);
        catalog::update(tx.as_mut(), found).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn verified() -> String {
    let writing = "\"writing\": {\"verifyOnly\": true, \"compression\": \"off\"}, \"running\"";
    QUIET.replace("\"running\"", writing)
}

fn uncompressed() -> String {
    QUIET.replace(
        "\"running\"",
        "\"writing\": {\"compression\": \"off\"}, \"running\"",
    )
}

#[test]
fn an_instance_that_goes_before_it_verifies_takes_no_point_with_it() {
    let stand = Stand::new(67);
    stand.run(async {
        let (vault, item) = stand.protect(&verified()).await;
        let id = vault.back_up(item, Full, None).await.unwrap();
        stand.until(id, has_succeeded).await;
        stand.cluster.end(&stand.server, End::Kill);
        let job = stand.cluster.done(id).await;
        assert_eq!(job.state, JobState::CompletedWithWarnings, "{job:#?}");
        assert_eq!(codes(&job), [Code::UserErrorOpeningSQLConnection]);
        let point = stand.point(&job).await;
        assert_eq!(point.grade, Grade::Proved);
        assert!(stand.blob(&point.blobs[0]).await.unwrap().is_sealed);
    });
}

#[test]
fn what_the_engine_cannot_read_is_disputed_though_the_reader_proved_it() {
    let stand = Stand::new(68);
    stand.run(async {
        let (vault, item) = stand.protect(&verified()).await;
        stand.verifier_rests(true);
        let id = vault.back_up(item, Full, None).await.unwrap();
        stand.until(id, has_succeeded).await;
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.reads_damaged = 1_000);
        stand.verifier_rests(false);
        let job = stand.cluster.done(id).await;
        assert_eq!(codes(&job), [Code::Bac2StreamDisputed], "{job:#?}");
        let point = stand.point(&job).await;
        assert_eq!(point.grade, Grade::Disputed);
        let kept = stand.cluster.item(item).await;
        assert_eq!((kept.base, kept.last.get(&Full)), (None, None));
        assert_eq!(
            kept.healing.map(|one| one.reason),
            Some(HealingReason::FullMissing)
        );
        assert!(stand.is_told(Code::Bac2StreamDisputed).await);
    });
}

#[test]
fn what_was_not_judged_in_time_is_judged_when_the_verifier_is_done() {
    for is_damaged in [false, true] {
        let stand = Stand::new(69);
        stand.run(async {
            let (vault, item) = stand.protect(&uncompressed()).await;
            stand.verifier_rests(true);
            if is_damaged {
                stand.damage_blocks_behind_the_first(&vault, item).await;
            } else {
                vault.back_up(item, Full, None).await.unwrap();
            }
            stand.cluster.pass(7 * HOUR).await;
            let point = stand.cluster.points().await.remove(0);
            assert_eq!(point.grade, Grade::Accepted, "{point:?}");
            stand.verifier_rests(false);
            stand.cluster.pass(DAY).await;
            let points = stand.cluster.points().await;
            let now = points.iter().find(|one| one.id == point.id).unwrap();
            match is_damaged {
                false => assert_eq!((now.grade, now.reasons.as_slice()), (Grade::Proved, &[][..])),
                true => {
                    assert_eq!(now.grade, Grade::Disputed);
                    let kept = stand.cluster.item(item).await;
                    // The next full is what heals, or heals already.
                    assert_ne!(kept.base, Some(point.set.guid));
                }
            }
        });
    }
}

impl Stand {
    /// Takes a full whose blocks are damaged on the way, but for the first with its headers.
    async fn damage_blocks_behind_the_first(&self, vault: &Vault, item: ItemId) {
        let sql = self.cluster.sql(&self.server);
        for _ in 0..20 {
            sql.add_rows(DATABASE, 100).await;
        }
        self.cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::from_secs(1));
        let id = vault.back_up(item, Full, None).await.unwrap();
        self.until_some_arrived(id).await;
        self.cluster.door.trouble(|trouble| {
            trouble.slow = Duration::ZERO;
            trouble.blocks_damaged = 100;
        });
        self.until(id, has_succeeded).await;
        self.cluster.door.trouble(|trouble| trouble.blocks_damaged = 0);
    }

    /// Waits until bytes of a job's blob are in the store; its name.
    async fn until_some_arrived(&self, id: JobId) -> String {
        loop {
            let job = self.until(id, |job| !work(job).blobs.is_empty()).await;
            let name = work(&job).blobs[0].clone();
            let container = self.container().await;
            let blob = BlobName::new(name.clone()).unwrap();
            let seen = self.cluster.shelf.look(&container, &blob).await;
            if matches!(seen, Ok(Some(seen)) if seen.arrived > 0) {
                return name;
            }
            self.cluster.pass(Duration::from_millis(100)).await;
        }
    }
}

#[test]
fn a_login_that_does_not_see_what_runs_finds_its_backup_in_msdb() {
    for goes_on in [true, false] {
        let stand = Stand::new(70);
        stand.run(async {
            let (vault, item) = stand.with_full(QUIET).await;
            stand.with_small_login(true).await;
            stand.server.goes_on_without_client(goes_on);
            stand
                .cluster
                .door
                .trouble(|trouble| trouble.slow = Duration::from_secs(2));
            let id = vault.back_up(item, Log, None).await.unwrap();
            stand.until_some_arrived(id).await;
            drop(vault);
            stand.cluster.crash_vault();
            stand
                .cluster
                .door
                .trouble(|trouble| trouble.slow = Duration::ZERO);
            stand.cluster.pass(MINUTE).await;
            drop(stand.cluster.start_vault().await);
            let job = stand.cluster.done(id).await;
            // What did not finish is taken once more, when the door has seen nobody for long.
            assert_eq!(work(&job).failed.len(), usize::from(!goes_on), "{job:#?}");
            assert_eq!(stand.taken().await, "Integer(2)");
        });
    }
}

impl Stand {
    /// Has the vault log in as somebody who may back up, and sees no requests of others.
    pub(super) async fn with_small_login(&self, reads_history: bool) {
        let sql = self.cluster.sql(&self.server);
        let password = crate::world::PASSWORD;
        sql.go(&format!("CREATE LOGIN small WITH PASSWORD = '{password}'"))
            .await;
        for text in [
            "GRANT VIEW ANY DEFINITION TO small",
            "GRANT ALTER ANY CREDENTIAL TO small",
            "GRANT CONNECT ANY DATABASE TO small",
            "USE Shop; CREATE USER small FOR LOGIN small; ALTER ROLE db_backupoperator ADD MEMBER small",
            "USE msdb; CREATE USER small FOR LOGIN small",
        ] {
            sql.go(text).await;
        }
        if reads_history {
            self.let_read_history().await;
        }
        let catalog = self.cluster.open_catalog();
        let key = self.cluster.vault_id().to_string();
        let server = self.cluster.records::<ServerRecord>().await.remove(0);
        let mut tx = catalog.begin().await.unwrap();
        let mut found = catalog::demand::<ServerRecord>(tx.as_mut(), &key, &server.id.to_string())
            .await
            .unwrap();
        if let Login::Sql { user, .. } = &mut found.record.login {
            *user = "small".to_owned();
        }
        catalog::update(tx.as_mut(), found).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(super) async fn let_read_history(&self) {
        let text = "USE msdb; ALTER ROLE db_datareader ADD MEMBER small";
        self.cluster.sql(&self.server).go(text).await;
    }
}

#[test]
fn waiting_for_an_instance_is_no_attempt() {
    let stand = Stand::new(71);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::from_secs(2));
        let id = vault.back_up(item, Full, None).await.unwrap();
        stand.until_some_arrived(id).await;
        stand.cluster.end(&stand.server, End::Kill);
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::ZERO);
        stand.cluster.pass(HOUR).await;
        stand.server.start();
        let job = stand.cluster.done(id).await;
        assert!(job.attempt > 3, "it looked again and again");
        assert_eq!(work(&job).failed, [Code::Bac2JobInterrupted]);
    });
}

#[test]
fn another_set_under_the_jobs_url_is_not_taken_for_its_own() {
    let stand = Stand::new(72);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        let other = stand.back_up(&vault, item, Log).await;
        let other = stand.point(&other).await;
        stand.cluster.sql(&stand.server).add_rows(DATABASE, 5).await;
        stand.verifier_rests(true);
        let id = vault.back_up(item, Log, None).await.unwrap();
        let job = stand.until(id, has_succeeded).await;
        stand.copy(&other.blobs[0], &work(&job).blobs[0]).await;
        stand.verifier_rests(false);
        let job = stand.cluster.done(id).await;
        assert_eq!(codes(&job), [Code::Bac2StreamDisputed], "{job:#?}");
        let point = stand.point(&job).await;
        assert_eq!(point.grade, Grade::Disputed);
        // What is kept is what SQL Server says of it.
        assert_ne!(point.set.guid, other.set.guid);
        assert_eq!(point.set.first_lsn, other.set.last_lsn);
        let kept = stand.cluster.item(item).await;
        assert_eq!(kept.log_end, Some(point.set.last_lsn));
        assert_eq!(kept.healing.map(|one| one.reason), Some(HealingReason::LogLost));
    });
}

impl Stand {
    /// Puts the bytes of one blob into another, as somebody with the account's key may.
    async fn copy(&self, from: &str, to: &str) {
        let container = self.container().await;
        let path = |name: &str| {
            let blob = BlobName::new(name.to_owned()).unwrap();
            self.cluster.door.path(&container, &blob)
        };
        let store = self.cluster.door.store().unwrap();
        let reader = store.open_blob(&path(from), &Permit::NONE).unwrap();
        let mut bytes = vec![0; usize::try_from(reader.size()).unwrap()];
        reader.read_at(0, &mut bytes).unwrap();
        let mut writer = store
            .begin_blob(&path(to), bytes.len() as u64, &Permit::NONE)
            .unwrap();
        writer.write(&bytes).unwrap();
        writer.commit(Properties::default(), &Permit::NONE).unwrap();
    }
}

#[test]
fn a_failed_attempt_takes_its_blob_away_and_no_other() {
    let stand = Stand::new(73);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        let sql = stand.cluster.sql(&stand.server);
        for _ in 0..20 {
            sql.add_rows(DATABASE, 100).await;
        }
        let door = &stand.cluster.door;
        door.trouble(|trouble| trouble.slow = Duration::from_secs(5));
        let id = vault.back_up(item, Full, None).await.unwrap();
        let name = stand.until_some_arrived(id).await;
        // The way between instance and door breaks: what arrived stays, and so does its lease.
        door.trouble(|trouble| trouble.is_down = true);
        let failed = stand
            .until(id, |job| {
                !work(job).failed.is_empty() && work(job).left.is_empty()
            })
            .await;
        assert!(work(&failed).blobs.is_empty());
        assert!(
            stand.blob(&name).await.is_none(),
            "the sweep waits for 15 minutes"
        );
        door.trouble(|trouble| trouble.is_down = false);
        // The next attempt writes: nobody touches what it writes.
        let second = stand.until_some_arrived(id).await;
        assert_ne!(second, name);
        assert!(stand.blob(&second).await.unwrap().lease.is_some());
        door.trouble(|trouble| trouble.slow = Duration::ZERO);
        let job = stand.cluster.done(id).await;
        assert_eq!(stand.point(&job).await.blobs, [second]);
        assert_eq!(work(&job).failed.len(), 1);
    });
}

#[test]
fn a_blob_that_a_connection_uses_waits_until_it_does_not() {
    let stand = Stand::new(74);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::from_secs(5));
        let id = vault.back_up(item, CopyOnlyFull, None).await.unwrap();
        let name = stand.until_some_arrived(id).await;
        stand.server.lose_connections();
        let job = stand.until(id, |job| !work(job).failed.is_empty()).await;
        // The instance's connections to the door idle on for a while.
        let seen = stand.blob(&name).await.unwrap();
        assert!(seen.lease.unwrap().connections > 0, "{seen:?}");
        assert_eq!(work(&job).left, std::slice::from_ref(&name));
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::from_secs(30));
        let job = stand.cluster.done(id).await;
        assert_eq!(work(&job).left, Vec::<String>::new());
        assert!(stand.blob(&name).await.is_none());
    });
}

#[test]
fn a_job_that_is_cancelled_before_its_next_attempt_takes_away_what_the_last_one_left() {
    let stand = Stand::new(76);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::from_secs(5));
        let id = vault.back_up(item, CopyOnlyFull, None).await.unwrap();
        let name = stand.until_some_arrived(id).await;
        stand.server.lose_connections();
        let job = stand.until(id, |job| !work(job).left.is_empty()).await;
        assert_eq!(job.state, JobState::Queued, "{job:#?}");
        // Its connections go with the instance.
        stand.cluster.end(&stand.server, End::Kill);
        assert_eq!(stand.blob(&name).await.unwrap().lease.unwrap().connections, 0);
        vault.cancel_job(id).await.unwrap();
        assert!(
            stand.blob(&name).await.is_none(),
            "the sweep waits for 15 minutes"
        );
    });
}

/// Kinds that a chain is made of are named here as their jobs are.
#[test]
fn a_differential_that_was_cancelled_in_time_leaves_nothing() {
    let stand = Stand::new(75);
    stand.run(async {
        let (vault, item) = stand.with_full(QUIET).await;
        stand
            .cluster
            .door
            .trouble(|trouble| trouble.slow = Duration::from_secs(20));
        let id = vault.back_up(item, BackupKind::Differential, None).await.unwrap();
        stand.cluster.pass(Duration::from_secs(30)).await;
        vault.cancel_job(id).await.unwrap();
        let job = stand.cluster.ended(id).await;
        assert_eq!(job.state, JobState::Cancelled, "{job:#?}");
        assert_eq!(
            job.fault.as_ref().map(faults::Fault::code),
            Some(Code::Bac2JobCancelled)
        );
        assert!(work(&job).blobs.is_empty() && work(&job).sent.is_none());
    });
}
