//! Jobs that take too long: shown as stuck, and cancelled where their policy gives them a time.

use catalog::record::{Item, Job, JobState, Policy};
use catalog::{Range, Slot};
use faults::{Code, Fault};

use crate::notices::About;
use crate::vault::Vault;

impl Vault {
    /// Looks at all jobs in progress.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn watch_jobs(&self) -> Result<(), Fault> {
        for job in self
            .list::<Job>(Slot::A, Range::members(&[JobState::InProgress.name()]))
            .await?
        {
            self.watch_job(&job.record).await?;
        }
        Ok(())
    }

    async fn watch_job(&self, job: &Job) -> Result<(), Fault> {
        let (Some(item), Some(started)) = (job.item, job.started) else {
            return Ok(());
        };
        let Some(item) = self.find::<Item>(item).await? else {
            return Ok(());
        };
        let Some(policy) = self.find::<Policy>(item.record.policy).await? else {
            return Ok(());
        };
        let policy = &policy.record.policy;
        let ran = self.now().duration_since(started);
        if policy.running.timeout.is_some_and(|most| ran > most.duration()) {
            let fault = Fault::new(Code::Bac2JobTimedOut).at(&format!("job {}", job.id));
            self.raise(self.about_job("timedOut", job), fault).await?;
            return self.cancel_job(job.id).await.map(|_| ());
        }
        if ran > policy.watching.stuck_after.duration() {
            let fault = Fault::new(Code::Bac2JobStuck)
                .at(&format!("job {}", job.id))
                .because(&format!("in progress since {started}"));
            self.raise(self.about_job("stuck", job), fault).await?;
        }
        Ok(())
    }

    fn about_job(&self, matter: &str, job: &Job) -> About {
        About {
            matter: format!("{matter}/{}", job.id),
            server: job.server,
            item: job.item,
            job: Some(job.id),
            missed: None,
        }
    }
}
