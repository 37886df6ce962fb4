//! What a crash left: jobs in progress that nobody runs.

use catalog::record::{Job, JobState, Work};
use catalog::{Range, Slot};
use faults::{Code, Fault};

use super::Ending;
use crate::vault::Vault;

impl Vault {
    /// Looks at every job that was in progress when the vault last stopped. Those whose statement was never sent are queued
    /// again, or over if somebody wanted them to end; those whose statement was sent are given back, for their work to find out
    /// what became of it.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn interrupted(&self) -> Result<Vec<Job>, Fault> {
        let mut to_ask = Vec::new();
        for state in [JobState::InProgress, JobState::Cancelling] {
            let left = self.list_readable::<Job>(Slot::A, Range::members(&[state.name()]));
            for job in left.await? {
                let job = job.record;
                let is_begun = match &job.work {
                    Work::Backup(work) => work.sent.is_some(),
                    Work::Restore(work) => work.is_begun(),
                    _ => false,
                };
                if is_begun {
                    to_ask.push(job);
                    continue;
                }
                let fault = Fault::new(Code::Bac2JobInterrupted).at(&format!("job {}", job.id));
                // A job that was told to end is over with this as well: it ends as cancelled.
                let ended = self
                    .end_job(job.id, job.attempt, &Ending::Again(fault, self.now()))
                    .await?;
                if ended.state == JobState::Queued && ended.attempt == job.attempt {
                    self.forget_attempt(&ended).await?;
                }
            }
        }
        Ok(to_ask)
    }

    /// An attempt that sent nothing is none of those that are allowed.
    async fn forget_attempt(&self, ended: &Job) -> Result<(), Fault> {
        let attempt = ended.attempt;
        self.change::<Job, _>(ended.id, |job| {
            if job.state == JobState::Queued && job.attempt == attempt {
                job.attempt = attempt.saturating_sub(1);
            }
            Ok(())
        })
        .await?;
        Ok(())
    }
}
