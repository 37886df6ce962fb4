//! Jobs: durable deeds of the vault, one state machine for all.
//!
//! A job is a record that is changed step by step; what runs it is a future in [`Vault::run`], which a crash may drop at any await. So a
//! step writes what it is about to do before it does it, and the next start finds out what became of it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use catalog::record::{Job, JobId, JobState, ServerId, Trigger, Work};
use faults::Fault;
use jiff::Timestamp;

use crate::vault::Vault;

/// Jobs that run in this process, and how each is told to end.
#[derive(Default)]
pub(crate) struct Running {
    /// By job: what cancels the statement that it runs.
    pub(crate) cancellers: Mutex<BTreeMap<JobId, Vec<mssql::Canceller>>>,
}

/// A job to be.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What it does.
    pub work: Work,
    /// Who wants it.
    pub trigger: Trigger,
    /// The instance it works on.
    pub server: Option<ServerId>,
    /// The protected database.
    pub item: Option<catalog::record::ItemId>,
    /// When it may begin.
    pub run_at: Timestamp,
}

/// How a job's work ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// Done; with warnings, it is `CompletedWithWarnings`.
    Done(Vec<Fault>),
    /// Not done.
    Failed(Fault),
    /// Not done, and worth another attempt at that time.
    Again(Fault, Timestamp),
    /// Ended because somebody wanted it.
    Cancelled(Fault),
}

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Only of this item.
    pub item: Option<catalog::record::ItemId>,
    /// Only of this instance.
    pub server: Option<ServerId>,
    /// Only in these states; empty: in all.
    pub states: Vec<JobState>,
    /// Only made since.
    pub since: Option<Timestamp>,
    /// At most so many, the newest first; 1 to 1,000.
    pub limit: u32,
}

/// A job under way, as the work sees it.
pub(crate) struct Doing<'v> {
    /// The vault.
    pub(crate) vault: &'v Vault,
    /// The job as it was written last.
    pub(crate) job: Job,
}

impl Doing<'_> {
    /// Changes the job's record, durably; the change is made to the newest version.
    pub(crate) async fn write(&mut self, work: impl Fn(&mut Job) + Send + Sync) -> Result<(), Fault> {
        let (changed, ()) = self
            .vault
            .change::<Job, _>(self.job.id, |job| {
                work(job);
                Ok(())
            })
            .await?;
        self.job = changed.record;
        Ok(())
    }
}

impl Vault {
    /// Puts a job into the queue.
    ///
    /// # Errors
    /// One of that work is open for the item already; the catalog cannot be written.
    pub(crate) async fn enqueue(&self, _new: NewJob) -> Result<JobId, Fault> {
        unimplemented!()
    }

    /// Runs jobs, for ever.
    pub(crate) async fn run_jobs(&self) {
        unimplemented!()
    }
}
