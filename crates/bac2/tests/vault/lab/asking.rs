//! What the vault wrote down, and waiting for it.

use std::time::{Duration, Instant};

use catalog::record::{
    BackupWork, Container, Database, DatabaseId, Grade, HealingReason, Item, ItemId, Job, JobId, JobState,
    Notice, Point, Server, ServerId, ServerState, Trigger, Work,
};
use catalog::{Query, Range, Record, Scope, Slot, all};
use faults::{Code, Fault};
use schedule::BackupKind;

use super::{LOOK, Lab, PATIENCE, PAUSE};

impl Lab {
    /// The vault's records of one type.
    pub(crate) async fn records<R: Record>(&self) -> Vec<R> {
        let catalog = self.world().catalog;
        let mut tx = catalog.read().await.unwrap();
        let vault = self.vault().id().to_string();
        let query = Query::of(Scope::vault(&vault), Slot::Id, Range::ALL);
        let found = all::<R>(tx.as_mut(), query, 100_000).await.unwrap();
        found.into_iter().map(|one| one.record).collect()
    }

    /// A job.
    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.vault().job(id).await.unwrap()
    }

    /// All jobs, the oldest first.
    pub(crate) async fn jobs(&self) -> Vec<Job> {
        let mut jobs = self.records::<Job>().await;
        jobs.sort_by_key(|job| (job.created, job.id));
        jobs
    }

    /// The jobs of one item, the oldest first.
    pub(crate) async fn jobs_of(&self, item: ItemId) -> Vec<Job> {
        let mut jobs = self.jobs().await;
        jobs.retain(|job| job.item == Some(item));
        jobs
    }

    /// Open notices, the oldest first.
    pub(crate) async fn notices(&self) -> Vec<Notice> {
        let mut notices = self.records::<Notice>().await;
        notices.retain(|notice| notice.resolved.is_none());
        notices.sort_by_key(|notice| (notice.raised, notice.id));
        notices
    }

    /// Their codes.
    pub(crate) async fn notice_codes(&self) -> Vec<Code> {
        let notices = self.notices().await;
        notices.iter().map(|notice| notice.fault.code()).collect()
    }

    /// All recovery points, the oldest first.
    pub(crate) async fn points(&self) -> Vec<Point> {
        let mut points = self.records::<Point>().await;
        points.sort_by_key(|point| (point.ended, point.id));
        points
    }

    /// What came of a job.
    pub(crate) async fn point(&self, job: &Job) -> Point {
        let id = job.point.unwrap_or_else(|| panic!("{job:#?}"));
        let points = self.points().await;
        points.into_iter().find(|point| point.id == id).unwrap()
    }

    /// An instance's record.
    pub(crate) async fn server_record(&self, id: ServerId) -> Server {
        let servers = self.records::<Server>().await;
        servers.into_iter().find(|one| one.id == id).unwrap()
    }

    /// Why an instance is faulty, if it is.
    pub(crate) async fn server_fault(&self, id: ServerId) -> Option<Code> {
        match self.server_record(id).await.state {
            ServerState::Faulty { fault, .. } => Some(fault.code()),
            _ => None,
        }
    }

    /// The databases that an instance has, by name.
    pub(crate) async fn databases(&self, server: ServerId) -> Vec<Database> {
        let mut databases = self.records::<Database>().await;
        databases.retain(|one| one.server == server && one.gone.is_none());
        databases.sort_by(|a, b| a.name.cmp(&b.name));
        databases
    }

    /// A database that is there.
    pub(crate) async fn database(&self, server: ServerId, name: &str) -> Database {
        let databases = self.databases(server).await;
        let found = databases.into_iter().find(|one| one.name == name);
        found.unwrap_or_else(|| panic!("{name} was not discovered"))
    }

    /// A database by its id.
    pub(crate) async fn database_of(&self, id: DatabaseId) -> Database {
        let databases = self.records::<Database>().await;
        databases.into_iter().find(|one| one.id == id).unwrap()
    }

    /// A protected database.
    pub(crate) async fn item(&self, id: ItemId) -> Item {
        let items = self.records::<Item>().await;
        items.into_iter().find(|one| one.id == id).unwrap()
    }

    /// The containers.
    pub(crate) async fn containers(&self) -> Vec<Container> {
        self.records::<Container>().await
    }

    /// Looks until `is_so` gives something.
    ///
    /// # Panics
    /// Where it does not within some minutes; `what` was waited for.
    pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
        &self,
        what: &str,
        mut is_so: impl FnMut() -> F,
    ) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = is_so().await {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Looks until `is_so` gives something, and lets so much time pass at the vault between two looks.
    ///
    /// # Panics
    /// Where it does not within some minutes; `what` was waited for.
    pub(crate) async fn in_time<T, F: Future<Output = Option<T>>>(
        &self,
        what: &str,
        step: Duration,
        mut is_so: impl FnMut() -> F,
    ) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = is_so().await {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
            self.advance(step);
            // Longer and longer, so that on a slow machine too everybody has the time to do what the vault's clock gives him.
            tokio::time::sleep(PAUSE.max(began.elapsed() / 8)).await;
        }
    }

    /// Waits until a job has ended, and lets time pass meanwhile.
    pub(crate) async fn ended_in_time(&self, id: JobId) -> Job {
        self.in_time("the job has ended", Duration::from_secs(20), || async {
            let job = self.job(id).await;
            job.state.is_ended().then_some(job)
        })
        .await
    }

    /// Waits until a job has ended; the pauses before its next attempts are skipped.
    pub(crate) async fn ended(&self, id: JobId) -> Job {
        let began = Instant::now();
        loop {
            let job = self.job(id).await;
            if job.state.is_ended() {
                return job;
            }
            let pause = job.run_at.duration_since(self.now());
            if job.state == JobState::Queued && pause.is_positive() {
                self.advance(pause.unsigned_abs());
            }
            assert!(began.elapsed() < PATIENCE, "{job:#?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until a job's statement is with the instance.
    pub(crate) async fn sent(&self, id: JobId) -> Job {
        self.until("the statement is sent", || async {
            let job = self.job(id).await;
            assert!(!job.state.is_ended(), "{job:#?}");
            let is_sent = matches!(&job.work, Work::Backup(work) if work.sent.is_some());
            is_sent.then_some(job)
        })
        .await
    }

    /// Waits for an open notice with a code.
    pub(crate) async fn noticed(&self, code: Code) -> Notice {
        self.until(code.as_str(), || async {
            let notices = self.notices().await;
            notices.into_iter().find(|notice| notice.fault.code() == code)
        })
        .await
    }

    /// Asks for a backup and waits for its end. One of the vault's own that is under way, such as the first full of a new item, is let
    /// go first.
    pub(crate) async fn back_up(&self, item: ItemId, kind: BackupKind) -> Job {
        let began = Instant::now();
        loop {
            let fault = match self.vault().back_up(item, kind, None).await {
                Ok(job) => return self.ended(job).await,
                Err(fault) => fault,
            };
            let is_in_the_way = Code::OperationCancelledBecauseConflictingOperationRunningUserError;
            assert_eq!(fault.code(), is_in_the_way, "{fault}");
            assert!(began.elapsed() < PATIENCE, "{fault}");
            for job in self.jobs_of(item).await {
                let is_it = |work: &BackupWork| work.kind == kind || work.asked == kind;
                if !job.state.is_ended() && matches!(&job.work, Work::Backup(work) if is_it(work)) {
                    self.ended(job.id).await;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A backup that must be completed and proved.
    pub(crate) async fn proved(&self, item: ItemId, kind: BackupKind) -> Point {
        let job = self.back_up(item, kind).await;
        assert_eq!(job.state, JobState::Completed, "{job:#?}");
        let point = self.point(&job).await;
        assert_eq!(point.grade, Grade::Proved, "{point:#?}");
        point
    }

    /// The point of the backup that heals an item.
    pub(crate) async fn healed(&self, item: ItemId) -> (HealingReason, Point) {
        let job = self
            .in_time("it is healed", Duration::from_secs(60), || async {
                let jobs = self.jobs_of(item).await;
                let heals =
                    |job: &&Job| matches!(job.trigger, Trigger::Healing { .. }) && job.state.is_ended();
                jobs.iter().find(heals).cloned()
            })
            .await;
        let Trigger::Healing { reason } = job.trigger else {
            panic!("a healing")
        };
        (reason, self.point(&job).await)
    }

    /// A backup that must fail; with which code.
    pub(crate) async fn refused(&self, item: ItemId, kind: BackupKind) -> Code {
        let job = self.back_up(item, kind).await;
        assert_eq!(job.state, JobState::Failed, "{job:#?}");
        assert_eq!(job.point, None);
        job.fault.expect("why it failed").code()
    }

    /// Has an instance discovered now, and waits for the end.
    pub(crate) async fn rediscover(&self, server: ServerId) -> Job {
        let job = self.vault().rediscover(server).await.unwrap();
        self.ended(job).await
    }
}

/// The code of what was refused.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Fault>) -> Code {
    result.unwrap_err().code()
}
