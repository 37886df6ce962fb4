//! Writing how a job ended.
//!
//! A cancelled job ends as cancelled, but for a backup whose statement may have succeeded: that one is queued again until SQL
//! Server's last word is known and written down.
//!
//! An end is written for one attempt of a job and for no other: written twice, because nobody could say whether the first was
//! written, it never ends the attempt that began in between.

use std::time::Duration;

use catalog::record::{Job, JobId, JobState};
use faults::{Code, Fault};
use jiff::Timestamp;

use super::Ending;
use super::cancel::is_pending;
use crate::vault::Vault;

/// The longest pause between two tries to write how a job ended.
const PAUSE_MAX: Duration = Duration::from_secs(60);

impl Vault {
    /// Writes how an attempt of a job ended. Where the catalog cannot be written the job stays in progress, and the next start
    /// finds it.
    pub(crate) async fn end_job(&self, id: JobId, attempt: u32, ending: &Ending) -> Result<Job, Fault> {
        let now = self.now();
        let (changed, ()) = self
            .change::<Job, _>(id, |job| {
                if job.attempt == attempt {
                    finish(job, ending, now);
                }
                Ok(())
            })
            .await?;
        if matches!(ending, Ending::Again(..)) {
            self.bell.ring();
        }
        Ok(changed.record)
    }

    /// The same, for as long as it takes: a catalog that fails for a while must not make a job of the dead.
    pub(super) async fn end_surely(&self, id: JobId, attempt: u32, ending: &Ending) {
        let mut wait = Duration::from_secs(1);
        loop {
            let code = match self.end_job(id, attempt, ending).await {
                Ok(_) => return,
                Err(fault) => fault.code(),
            };
            match code {
                // The job is gone, with whoever removed it.
                Code::Bac2NotFound => return,
                // Its record grew too large: how it ended matters more than what was said on the way.
                Code::Bac2LimitReached => drop(self.change::<Job, _>(id, shorten).await),
                _ => {}
            }
            self.world.clock.sleep(wait).await;
            wait = (wait * 2).min(PAUSE_MAX);
        }
    }
}

#[allow(clippy::unnecessary_wraps)] // It is what `change` takes.
fn shorten(job: &mut Job) -> Result<(), Fault> {
    job.said.clear();
    job.statements.clear();
    let beyond = job.tasks.len().saturating_sub(10);
    job.tasks.drain(..beyond);
    Ok(())
}

/// Who wanted a job to end said why; what it failed with meanwhile is the detail.
fn cancelled(job: &Job, fault: &Fault) -> Fault {
    match &job.fault {
        Some(why) if why.code() != fault.code() => why.clone().because(&fault.to_string()),
        Some(why) => why.clone(),
        None => Fault::new(Code::Bac2JobCancelled).because(&fault.to_string()),
    }
}

fn finish(job: &mut Job, ending: &Ending, now: Timestamp) {
    let wanted = job.cancel.is_some();
    let (state, fault) = match ending {
        Ending::Done(warnings) => {
            let has_warnings = !(job.warnings.is_empty() && warnings.is_empty());
            let state = match has_warnings {
                true => JobState::CompletedWithWarnings,
                false => JobState::Completed,
            };
            (state, None)
        }
        Ending::Again(fault, _) if wanted && is_pending(job) => {
            (JobState::Queued, Some(cancelled(job, fault)))
        }
        Ending::Failed(fault) | Ending::Again(fault, _) | Ending::Cancelled(fault) if wanted => {
            (JobState::Cancelled, Some(cancelled(job, fault)))
        }
        Ending::Failed(fault) => (JobState::Failed, Some(fault.clone())),
        Ending::Again(fault, _) => (JobState::Queued, Some(fault.clone())),
        Ending::Cancelled(fault) => (JobState::Cancelled, Some(fault.clone())),
    };
    if !job.state.may_become(state) {
        return;
    }
    if let Ending::Done(warnings) = ending {
        job.warnings.extend(warnings.iter().cloned());
    }
    job.state = state;
    job.fault = fault;
    if let Some(last) = job.tasks.last_mut() {
        last.ended.get_or_insert(now);
    }
    match ending {
        Ending::Again(_, at) if state == JobState::Queued => job.run_at = *at,
        _ => job.ended = Some(now),
    }
}
