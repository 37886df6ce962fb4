//! Writing how a job ended.

use catalog::record::{Job, JobId, JobState};
use faults::{Code, Fault};
use jiff::Timestamp;

use super::Ending;
use crate::vault::Vault;

impl Vault {
    /// Writes how a job ended. Where the catalog cannot be written the job stays in progress, and the next start finds it.
    pub(crate) async fn end_job(&self, id: JobId, ending: Ending) -> Result<Job, Fault> {
        let (now, ending) = (self.now(), &ending);
        let (changed, ()) = self
            .change::<Job, _>(id, |job| {
                finish(job, ending, now);
                Ok(())
            })
            .await?;
        Ok(changed.record)
    }
}

fn finish(job: &mut Job, ending: &Ending, now: Timestamp) {
    let wanted = job.state == JobState::Cancelling;
    let (state, fault) = match ending {
        Ending::Done(warnings) => {
            job.warnings.extend(warnings.iter().cloned());
            let state = if job.warnings.is_empty() {
                JobState::Completed
            } else {
                JobState::CompletedWithWarnings
            };
            (state, None)
        }
        Ending::Failed(fault) => (JobState::Failed, Some(fault.clone())),
        Ending::Again(fault, _) if wanted => (
            JobState::Cancelled,
            Some(Fault::new(Code::Bac2JobCancelled).because(&fault.to_string())),
        ),
        Ending::Again(fault, _) => (JobState::Queued, Some(fault.clone())),
        Ending::Cancelled(fault) => (JobState::Cancelled, Some(fault.clone())),
    };
    if !job.state.may_become(state) {
        return;
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
