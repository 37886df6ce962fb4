//! Jobs that take too long: shown as stuck, and cancelled where their policy gives them a time.
//!
//! How long a job runs is measured by the clock that never jumps, from when this process took it up.

use std::time::Duration;

use catalog::record::{Item, Job, JobState, Policy, Work};
use catalog::{Range, Slot};
use faults::{Code, Fault};

use crate::notices::About;
use crate::vault::Vault;

/// What matters of jobs that take too long begin with.
const STUCK: &str = "stuck/";

/// After this time a job of no policy is called stuck: what a policy has by default.
const STUCK_AFTER: Duration = Duration::from_secs(4 * 3_600);

impl Vault {
    /// Looks at all jobs in progress.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn watch_jobs(&self) -> Result<(), Fault> {
        for state in [JobState::InProgress, JobState::Cancelling] {
            let jobs = self.list_readable::<Job>(Slot::A, Range::members(&[state.name()]));
            for job in jobs.await? {
                self.watch_job(&job.record).await?;
            }
        }
        // One that ended right after a start was not watched by it.
        for matter in self.open_matters(STUCK).await? {
            let id = matter.strip_prefix(STUCK).unwrap_or_default();
            let is_open = self
                .find::<Job>(id)
                .await?
                .is_some_and(|job| !job.record.state.is_ended());
            if !is_open {
                self.resolve(&matter).await?;
            }
        }
        Ok(())
    }

    async fn watch_job(&self, job: &Job) -> Result<(), Fault> {
        let Some(ran) = self.running.ran(job.id, self.world.clock.uptime()) else {
            return Ok(());
        };
        let (stuck_after, timeout) = self.patience(job).await;
        if job.state == JobState::InProgress && timeout.is_some_and(|most| ran > most) {
            let fault = Fault::new(Code::Bac2JobTimedOut)
                .at(&format!("job {}", job.id))
                .because(&format!("it ran for {} s", ran.as_secs()));
            self.raise(self.about_job("timedOut", job), fault.clone()).await?;
            return self.cancel_if_open(job.id, &fault).await;
        }
        if ran > stuck_after {
            let fault = Fault::new(Code::Bac2JobStuck)
                .at(&format!("job {}", job.id))
                .because(&format!("it is {} for {} s", job.state.name(), ran.as_secs()));
            self.raise(self.about_job("stuck", job), fault).await?;
        }
        Ok(())
    }

    /// After which time a job is stuck, and after which it is cancelled. What cannot be read has the default.
    async fn patience(&self, job: &Job) -> (Duration, Option<Duration>) {
        let policy = async {
            let item = self.find::<Item>(job.item?).await.ok()??;
            self.find::<Policy>(item.record.policy).await.ok()?
        };
        let Some(policy) = policy.await else {
            return (STUCK_AFTER, None);
        };
        let policy = &policy.record.policy;
        let time = |period: schedule::Period| period.duration().unsigned_abs();
        // What a policy says is for backups: a restore that is cut off leaves no database at all.
        let is_restore = matches!(job.work, Work::Restore(_));
        let timeout = policy.running.timeout.filter(|_| !is_restore);
        (time(policy.watching.stuck_after), timeout.map(time))
    }

    /// A job that is over is not stuck any more.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn unwatch_job(&self, job: &Job, ran: Duration) -> Result<(), Fault> {
        // Most jobs are over long before anybody calls them stuck, and cost nothing here.
        if ran >= Duration::from_secs(60) {
            self.resolve(&self.about_job("stuck", job).matter).await?;
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
