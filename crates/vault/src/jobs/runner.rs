//! Running jobs, as many at a time as vault, instances and policies have room for.
//!
//! A job takes its seats, and its record says that it runs before its work begins.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::record::{Job, JobId, JobState, PolicyId, Work};
use faults::Fault;
use futures::FutureExt;
use futures::future::{BoxFuture, Either, select};
use futures::stream::{FuturesUnordered, StreamExt};

use super::cancel::Told;
use super::seats::{Seat, Seats};
use super::waiting::{Waiting, class_of};
use super::{Doing, Ending};
use crate::vault::Vault;

/// What jobs do. The runner knows only this of it.
#[async_trait]
pub(crate) trait Deeds: Send + Sync {
    /// Does a job's work.
    async fn perform(&self, doing: &mut Doing<'_>) -> Ending;
}

/// The vault's own deeds.
struct Own;

#[async_trait]
impl Deeds for Own {
    async fn perform(&self, doing: &mut Doing<'_>) -> Ending {
        let vault = doing.vault;
        match doing.job.work {
            Work::Backup(_) => vault.perform_backup(doing).await,
            Work::Discover => vault.discover(doing).await,
            Work::Configure { .. } => vault.configure(doing).await,
            Work::Purge => vault.purge(doing).await,
            Work::Restore(_) => vault.perform_restore(doing).await,
        }
    }
}

/// Jobs under way; each gives its seat back.
type AtWork<'v> = FuturesUnordered<BoxFuture<'v, Seat>>;

/// Waits for the runner's own work while the jobs go on. Without that, a job that has the catalog's one writer and is not polled
/// would keep the runner waiting for it.
async fn beside<T>(at_work: &mut AtWork<'_>, seats: &mut Seats, own: impl Future<Output = T> + Send) -> T {
    let mut own = Box::pin(own);
    loop {
        if at_work.is_empty() {
            return own.await;
        }
        match select(own.as_mut(), at_work.next()).await {
            Either::Left((done, _)) => return done,
            Either::Right((seat, _)) => {
                if let Some(seat) = seat {
                    seats.free(seat);
                }
            }
        }
    }
}

impl Vault {
    /// Runs jobs, for ever.
    pub(crate) async fn run_jobs(&self) {
        self.run_jobs_by(&Own).await;
    }

    pub(super) async fn run_jobs_by(&self, deeds: &dyn Deeds) {
        let (mut waiting, mut seats) = (Waiting::default(), Seats::default());
        let mut at_work = AtWork::new();
        let mut is_looked_back = false;
        loop {
            let heard = self.bell.rings();
            if !is_looked_back && let Ok(left) = self.left_behind().await {
                is_looked_back = true;
                for (job, policy) in left {
                    self.go_on(job, policy, &mut seats, &mut at_work, deeds);
                }
            }
            let is_read = is_looked_back && {
                let read = self.read_waiting(&mut waiting, heard);
                beside(&mut at_work, &mut seats, read).await.is_ok()
            };
            if is_read {
                self.take_up_unsure(&mut waiting, &mut seats, &mut at_work, deeds)
                    .await;
                // One that may run already has its seat before others take theirs.
                if waiting.unsure.is_empty() {
                    self.begin_all(&mut waiting, &mut seats, &mut at_work, deeds)
                        .await;
                }
            }
            let mut is_freed = false;
            while let Some(Some(seat)) = at_work.next().now_or_never() {
                seats.free(seat);
                is_freed = true;
            }
            if is_freed {
                continue;
            }
            let rest = Box::pin(self.rest(waiting.next_at, heard));
            if at_work.is_empty() {
                rest.await;
            } else if let Either::Left((Some(seat), _)) = select(at_work.next(), rest).await {
                seats.free(seat);
            }
        }
    }

    /// Jobs that an earlier start left in progress, each with the policy whose seat it takes.
    async fn left_behind(&self) -> Result<Vec<(Job, Option<PolicyId>)>, Fault> {
        let mut left = Vec::new();
        for job in self.interrupted().await? {
            let policy = self.policy_of_running(&job).await?;
            left.push((job, policy));
        }
        Ok(left)
    }

    /// Takes a job up that is in progress by its record: its work finds out how far it came.
    fn go_on<'v>(
        &'v self,
        job: Job,
        policy: Option<PolicyId>,
        seats: &mut Seats,
        at_work: &mut AtWork<'v>,
        deeds: &'v dyn Deeds,
    ) {
        let told = self.running.begin(job.id, self.world.clock.uptime());
        let seat = Seat {
            class: class_of(&job),
            server: job.server,
            policy,
        };
        seats.take(seat);
        at_work.push(Box::pin(self.work(job, seat, told, deeds)));
    }

    /// Begins whatever there is room for.
    async fn begin_all<'v>(
        &'v self,
        waiting: &mut Waiting,
        seats: &mut Seats,
        at_work: &mut AtWork<'v>,
        deeds: &'v dyn Deeds,
    ) {
        while let Some((id, seat)) = waiting.take(seats) {
            let told = self.running.begin(id, self.world.clock.uptime());
            match beside(at_work, seats, self.begin_job(id)).await {
                Ok(Some(job)) => {
                    seats.take(seat);
                    at_work.push(Box::pin(self.work(job, seat, told, deeds)));
                    continue;
                }
                // It was cancelled, or put off, meanwhile.
                Ok(None) => {}
                Err(_) => {
                    // Perhaps it is written and perhaps not; what waits still is read again with everything else.
                    waiting.unsure.insert(id);
                    waiting.forget();
                    self.running.end(id);
                    return;
                }
            }
            self.running.end(id);
        }
    }

    /// Looks at jobs of which nobody could say whether it was written that they run, and takes up those of which it was.
    async fn take_up_unsure<'v>(
        &'v self,
        waiting: &mut Waiting,
        seats: &mut Seats,
        at_work: &mut AtWork<'v>,
        deeds: &'v dyn Deeds,
    ) {
        for id in std::mem::take(&mut waiting.unsure) {
            match beside(at_work, seats, self.find::<Job>(id)).await {
                Ok(Some(job)) if matches!(job.record.state, JobState::InProgress | JobState::Cancelling) => {
                    if self.running.ran(id, self.world.clock.uptime()).is_some() {
                        continue;
                    }
                    match self.policy_of_running(&job.record).await {
                        Ok(policy) => self.go_on(job.record, policy, seats, at_work, deeds),
                        Err(_) => {
                            waiting.unsure.insert(id);
                        }
                    }
                }
                Ok(_) => {}
                Err(_) => {
                    waiting.unsure.insert(id);
                }
            }
        }
    }

    /// Writes that a job runs; none where it must not begin now.
    async fn begin_job(&self, id: JobId) -> Result<Option<Job>, Fault> {
        let (now, generation) = (self.now(), self.world.catalog.info().generation);
        let (changed, begun) = self
            .change::<Job, _>(id, |job| {
                if job.state != JobState::Queued || job.run_at > now {
                    return Ok(false);
                }
                job.state = JobState::InProgress;
                job.started = Some(now);
                job.attempt += 1;
                job.generation = generation;
                if job.cancel.is_none() {
                    job.fault = None;
                }
                Ok(true)
            })
            .await?;
        Ok(begun.then_some(changed.record))
    }

    /// Does a job's work and writes how it ended. Gives the seat that is free then.
    async fn work(&self, job: Job, seat: Seat, told: Arc<Told>, deeds: &dyn Deeds) -> Seat {
        let (id, attempt) = (job.id, job.attempt);
        if job.cancel.is_some() {
            told.tell();
        }
        let mut doing = Doing {
            vault: self,
            job,
            told,
        };
        let ending = deeds.perform(&mut doing).await;
        self.end_surely(id, attempt, &ending).await;
        // A notice that cannot be resolved stays open, and says what was so.
        let ran = self
            .running
            .ran(id, self.world.clock.uptime())
            .unwrap_or_default();
        drop(self.unwatch_job(&doing.job, ran).await);
        self.running.end(id);
        if let (Work::Backup(work), Some(item)) = (&doing.job.work, doing.job.item)
            && work.brings().is_some()
        {
            // What fails here is found again by the next sweep.
            drop(self.bring_next(item).await);
        }
        if let (
            Work::Configure {
                intent: Some(intent), ..
            },
            Some(server),
        ) = (&doing.job.work, doing.job.server)
        {
            // The next lot of an auto-protection. What fails here is found again by the next discovery.
            drop(self.next_lot(server, *intent).await);
        }
        seat
    }
}
