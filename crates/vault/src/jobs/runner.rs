//! Running jobs, as many at a time as vault and instances have room for.
//!
//! What waits is kept in memory by instance, logs before all else, in the order of its time; the catalog is asked only for what came
//! since, and for everything again when a clock went back. A job takes a seat of its instance and one of the vault, and its record says
//! that it runs before its work begins.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use catalog::keys::tuple;
use catalog::record::{Job, JobId, JobState, Server, ServerId, Vault as VaultRecord, Work, moment};
use catalog::{Query, Range, Scope, Slot, page};
use faults::{Code, Fault};
use futures::future::{BoxFuture, Either, select};
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use schedule::BackupKind;

use super::{Doing, Ending};
use crate::records::fault;
use crate::vault::Vault;

/// How often everything that waits is read again.
const READ_ALL_EVERY: Duration = Duration::from_secs(300);

/// How long ago what became due is read again: more than a transaction takes.
const OVERLAP: SignedDuration = SignedDuration::from_mins(2);

/// What waits for a seat.
#[derive(Default)]
struct Waiting {
    /// By instance: logs, and all else.
    queues: BTreeMap<Option<ServerId>, [VecDeque<JobId>; 2]>,
    known: BTreeSet<JobId>,
    /// Of these nobody knows whether it was written that they run: the catalog failed in the middle of it.
    doubtful: Vec<JobId>,
    /// Up to which time to run the catalog was read.
    read_up_to: Option<Timestamp>,
    read_all_at: Duration,
}

/// Seats that are taken.
#[derive(Default)]
struct Seats {
    all: u32,
    by_server: BTreeMap<Option<ServerId>, u32>,
}

impl Seats {
    fn take(&mut self, server: Option<ServerId>) {
        self.all += 1;
        *self.by_server.entry(server).or_default() += 1;
    }

    fn free(&mut self, server: Option<ServerId>) {
        self.all = self.all.saturating_sub(1);
        if let Some(taken) = self.by_server.get_mut(&server) {
            *taken = taken.saturating_sub(1);
        }
    }
}

impl Vault {
    /// Runs jobs, for ever.
    pub(crate) async fn run_jobs(&self) {
        let (mut waiting, mut seats) = (Waiting::default(), Seats::default());
        let mut at_work: FuturesUnordered<BoxFuture<'_, Option<ServerId>>> = FuturesUnordered::new();
        let mut is_looked_back = false;
        loop {
            let heard = self.bell.rings();
            if !is_looked_back {
                if let Ok(left) = self.interrupted().await {
                    is_looked_back = true;
                    for job in left {
                        seats.take(job.server);
                        at_work.push(Box::pin(self.work(job)));
                    }
                }
            }
            if is_looked_back && self.read_waiting(&mut waiting).await.is_ok() {
                while let Some(job) = self.next_job(&mut waiting, &seats).await {
                    seats.take(job.server);
                    at_work.push(Box::pin(self.work(job)));
                }
            }
            let rest = Box::pin(self.rest(self.next_run_at().await, heard));
            if at_work.is_empty() {
                rest.await;
                continue;
            }
            if let Either::Left((Some(server), _)) = select(at_work.next(), rest).await {
                seats.free(server);
            }
        }
    }

    /// Reads what became due since the last time.
    async fn read_waiting(&self, waiting: &mut Waiting) -> Result<(), Fault> {
        let (now, uptime) = (self.now(), self.world.clock.uptime());
        let is_stale = uptime.saturating_sub(waiting.read_all_at) >= READ_ALL_EVERY
            || waiting.read_up_to.is_none_or(|read| read > now);
        if is_stale {
            waiting.read_up_to = None;
            waiting.read_all_at = uptime;
        }
        // A job may be committed a little later than the time to run that it was given.
        let from = waiting
            .read_up_to
            .and_then(|read| read.checked_sub(OVERLAP).ok())
            .map_or_else(String::new, moment);
        let range = Range::between(
            tuple(&[JobState::Queued.name(), &from]),
            tuple(&[JobState::Queued.name(), &format!("{}\u{1}", moment(now))]),
        );
        let mut query = Query::of(Scope::vault(&self.key), Slot::A, range);
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        loop {
            let page = page::<Job>(tx.as_mut(), &query).await.map_err(fault)?;
            for job in page.records.into_iter().map(|job| job.record) {
                if waiting.known.insert(job.id) {
                    let queues = waiting.queues.entry(job.server).or_default();
                    queues[usize::from(!is_log(&job))].push_back(job.id);
                }
            }
            match page.next {
                Some(next) => query = query.after(next),
                None => break,
            }
        }
        waiting.read_up_to = Some(now);
        Ok(())
    }

    /// When the next job of the queue may begin, where that lies ahead.
    async fn next_run_at(&self) -> Option<Timestamp> {
        let range = Range::between(
            tuple(&[JobState::Queued.name(), &moment(self.now())]),
            tuple(&[JobState::Queued.name(), "\u{10FFFD}"]),
        );
        let query = Query::of(Scope::vault(&self.key), Slot::A, range).limit(1);
        let mut tx = self.world.catalog.read().await.ok()?;
        let found = page::<Job>(tx.as_mut(), &query).await.ok()?;
        let at = found.records.first()?.record.run_at;
        (at > self.now()).then_some(at)
    }

    /// Takes the next job for which there is room, and writes that it runs.
    async fn next_job(&self, waiting: &mut Waiting, seats: &Seats) -> Option<Job> {
        let most = self.get::<VaultRecord>(self.id).await.ok()?.record.jobs_at_once;
        if seats.all >= most {
            return None;
        }
        if let Some(job) = self.begun_all_the_same(waiting).await {
            return Some(job);
        }
        let servers: Vec<_> = waiting.queues.keys().copied().collect();
        // Logs of all instances first, then the rest.
        for class in [0, 1] {
            for &server in &servers {
                let Some(&id) = waiting
                    .queues
                    .get(&server)
                    .and_then(|queues| queues[class].front())
                else {
                    continue;
                };
                if !self.has_seat(server, seats).await {
                    continue;
                }
                if let Some(queues) = waiting.queues.get_mut(&server) {
                    queues[class].pop_front();
                }
                waiting.known.remove(&id);
                match self.begin_job(id).await {
                    Ok(Some(job)) => return Some(job),
                    // It was cancelled, or put off, meanwhile.
                    Ok(None) => return Box::pin(self.next_job(waiting, seats)).await,
                    Err(_) => {
                        // It is read again with everything else, or runs already as far as its record goes.
                        waiting.doubtful.push(id);
                        waiting.read_up_to = None;
                        return None;
                    }
                }
            }
        }
        None
    }

    /// A job whose record says since an error of the catalog that it runs, and that nobody runs.
    async fn begun_all_the_same(&self, waiting: &mut Waiting) -> Option<Job> {
        while let Some(&id) = waiting.doubtful.first() {
            let job = self.find::<Job>(id).await.ok()?;
            waiting.doubtful.remove(0);
            let generation = self.world.catalog.info().generation;
            let is_begun = |job: &Job| {
                matches!(job.state, JobState::InProgress | JobState::Cancelling)
                    && job.generation == generation
            };
            if let Some(job) = job.map(|job| job.record).filter(is_begun) {
                return Some(job);
            }
        }
        None
    }

    async fn has_seat(&self, server: Option<ServerId>, seats: &Seats) -> bool {
        let taken = seats.by_server.get(&server).copied().unwrap_or(0);
        let Some(id) = server else {
            return true;
        };
        match self.find::<Server>(id).await {
            Ok(Some(server)) => taken < server.record.settings.jobs_at_once,
            Ok(None) => true,
            Err(_) => false,
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
                job.fault = None;
                Ok(true)
            })
            .await?;
        Ok(begun.then_some(changed.record))
    }

    /// Does a job's work and writes how it ended. Gives the instance whose seat is free then.
    async fn work(&self, job: Job) -> Option<ServerId> {
        let (id, server) = (job.id, job.server);
        let told = self.running.begin(id);
        let mut doing = Doing {
            vault: self,
            job,
            told,
        };
        let ending = match doing.job.work.clone() {
            Work::Backup(_) => self.perform_backup(&mut doing).await,
            Work::Discover => self.discover(&mut doing).await,
            Work::Configure { .. } => self.configure(&mut doing).await,
            Work::Purge => self.purge(&mut doing).await,
        };
        let ending = match ending {
            Ending::Failed(fault) | Ending::Again(fault, _) if doing.is_cancelled() => {
                Ending::Cancelled(Fault::new(Code::Bac2JobCancelled).because(&fault.to_string()))
            }
            other => other,
        };
        // A catalog that fails for a while must not make a job of the dead.
        let mut wait = Duration::from_secs(1);
        while self.end_job(id, ending.clone()).await.is_err() {
            self.world.clock.sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(60));
        }
        self.running.end(id);
        server
    }
}

fn is_log(job: &Job) -> bool {
    matches!(&job.work, Work::Backup(work) if work.asked == BackupKind::Log)
}
