//! Ending a job early.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catalog::record::{Job, JobId, JobState, Work};
use faults::{Code, Fault};
use mssql::Canceller;

use crate::vault::Vault;

/// Jobs that run in this process, and how each is told to end.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<BTreeMap<JobId, Arc<Told>>>);

/// Whether one running job was told to end, and what it runs meanwhile.
#[derive(Debug)]
pub(crate) struct Told {
    /// When it began to run in this process, by the clock that never jumps.
    began: Duration,
    cancelled: AtomicBool,
    cancellers: Mutex<Vec<Canceller>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Running {
    /// A job begins to run. Called before its record says so, so that no cancellation falls in between.
    pub(crate) fn begin(&self, id: JobId, uptime: Duration) -> Arc<Told> {
        let told = Arc::new(Told {
            began: uptime,
            cancelled: AtomicBool::new(false),
            cancellers: Mutex::default(),
        });
        lock(&self.0).insert(id, Arc::clone(&told));
        told
    }

    /// It runs no more.
    pub(crate) fn end(&self, id: JobId) {
        lock(&self.0).remove(&id);
    }

    /// For how long it has run in this process; none where it does not.
    pub(crate) fn ran(&self, id: JobId, uptime: Duration) -> Option<Duration> {
        lock(&self.0)
            .get(&id)
            .map(|told| uptime.saturating_sub(told.began))
    }

    fn tell(&self, id: JobId) {
        let told = lock(&self.0).get(&id).cloned();
        if let Some(told) = told {
            told.tell();
        }
    }
}

impl Told {
    /// Whether it was told to end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// The job runs something that this cancels.
    pub(crate) fn runs(&self, canceller: Canceller) {
        let mut cancellers = lock(&self.cancellers);
        if self.is_cancelled() {
            canceller.cancel();
        }
        cancellers.push(canceller);
    }

    /// What it ran is over.
    pub(crate) fn rests(&self) {
        lock(&self.cancellers).clear();
    }

    /// Tells it to end.
    pub(super) fn tell(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        for canceller in lock(&self.cancellers).iter() {
            canceller.cancel();
        }
    }
}

/// Whether a job must not end before SQL Server's last word is known and written down.
pub(super) fn is_pending(job: &Job) -> bool {
    match &job.work {
        Work::Backup(work) => work.is_pending(),
        // The target may be another than it was: that is made good, or said, before the job is over.
        Work::Restore(work) => work.is_touched(),
        _ => false,
    }
}

/// The first who cancels a job says why.
fn say_why(job: &mut Job, why: &Fault) {
    if job.cancel.is_none() {
        job.fault = Some(why.clone());
    }
}

impl Vault {
    /// Cancels a job: one that waits is over at once, one that runs is told to end and ends as `Cancelled`, or as what it was
    /// done with before it heard. One whose backup may have succeeded stays open until that is known, and ends as SQL Server says.
    ///
    /// # Errors
    /// There is no such job, or it is over; the catalog cannot be written.
    pub async fn cancel_job(&self, id: JobId) -> Result<Job, Fault> {
        let why = Fault::new(Code::Bac2JobCancelled).at(&format!("job {id}"));
        self.cancel_job_because(id, &why).await
    }

    /// The same with the code that the job ends with. The first who cancels a job says why.
    ///
    /// # Errors
    /// As for [`Vault::cancel_job`].
    pub(crate) async fn cancel_job_because(&self, id: JobId, why: &Fault) -> Result<Job, Fault> {
        let now = self.now();
        let (changed, ()) = self
            .change::<Job, _>(id, |job| {
                match job.state {
                    JobState::Queued if is_pending(job) => say_why(job, why),
                    JobState::Queued => {
                        job.state = JobState::Cancelled;
                        job.ended = Some(now);
                        job.fault = Some(why.clone());
                    }
                    JobState::InProgress => {
                        job.state = JobState::Cancelling;
                        say_why(job, why);
                    }
                    JobState::Cancelling => {}
                    state => {
                        return Err(Fault::new(Code::Bac2JobNotCancellable)
                            .at(&format!("job {id}"))
                            .because(&format!("it is {}", state.name())));
                    }
                }
                job.cancel.get_or_insert(now);
                Ok(())
            })
            .await?;
        self.running.tell(id);
        self.bell.ring();
        if changed.record.state == JobState::Cancelled {
            // There is no next attempt, which would have removed what the last one left.
            self.clean_left_of(&changed.record).await;
        }
        Ok(changed.record)
    }

    /// Cancels a job where it is not over yet.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn cancel_if_open(&self, id: JobId, why: &Fault) -> Result<(), Fault> {
        match self.cancel_job_because(id, why).await {
            Err(fault) if !matches!(fault.code(), Code::Bac2JobNotCancellable | Code::Bac2NotFound) => {
                Err(fault)
            }
            _ => Ok(()),
        }
    }
}
