//! What a crash left: jobs in progress that nobody runs.

use catalog::record::{Job, JobState, Work};
use catalog::{Range, Slot};
use faults::{Code, Fault};

use super::Ending;
use crate::vault::Vault;

impl Vault {
    /// Looks at every job that was in progress when the vault last stopped. Those whose statement was never sent are queued again, or
    /// over if somebody wanted them to end; those whose statement was sent are given back, for their work to find out what became of
    /// it.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn interrupted(&self) -> Result<Vec<Job>, Fault> {
        let mut to_ask = Vec::new();
        for state in [JobState::InProgress, JobState::Cancelling] {
            for job in self.list::<Job>(Slot::A, Range::members(&[state.name()])).await? {
                let job = job.record;
                let fault = Fault::new(Code::Bac2JobInterrupted).at(&format!("job {}", job.id));
                if matches!(&job.work, Work::Backup(work) if work.sent.is_some()) {
                    to_ask.push(job);
                } else if state == JobState::Cancelling {
                    self.end_job(job.id, Ending::Cancelled(fault)).await?;
                } else {
                    self.end_job(job.id, Ending::Again(fault, self.now())).await?;
                }
            }
        }
        Ok(to_ask)
    }
}
