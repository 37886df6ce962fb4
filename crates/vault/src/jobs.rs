//! Jobs: durable deeds of the vault, one state machine for all.
//!
//! A job is a record that is changed step by step; what runs it is a future in [`Vault::run`](crate::Vault::run), which a crash
//! may drop at any await. So a step writes what it is about to do before it does it, and the next start finds out what became of
//! it.
//!
//! `queue` lets jobs in, `listing` shows them, `waiting` is what waits for its `seats`, `runner` runs what has some, `doing` is a
//! job as its work sees it, `ending` writes how it ended, `cancel` ends it early, `restart` makes good what a crash left.
//!
//! Invariants: the state goes only where [`JobState::may_become`] allows; of one item and one kind of work, one job is open at a
//! time; a job that was let in ends.

mod cancel;
mod doing;
mod ending;
mod listing;
mod queue;
mod restart;
mod retrying;
mod runner;
mod seats;
#[cfg(test)]
mod tests;
mod waiting;

use catalog::record::{ItemId, Job, JobId, JobState, ServerId, Trigger, Work};
use faults::Fault;
use jiff::Timestamp;

pub(crate) use cancel::Running;
pub(crate) use doing::Doing;
pub(crate) use queue::{DAY, Entered};
pub(crate) use retrying::{pause_after, tried_again};

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
    pub item: Option<ItemId>,
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
    pub item: Option<ItemId>,
    /// Only of this instance.
    pub server: Option<ServerId>,
    /// Only in these states; empty: in all.
    pub states: Vec<JobState>,
    /// Only made since.
    pub since: Option<Timestamp>,
    /// Only those behind this place, where the page before ended.
    pub before: Option<JobPlace>,
    /// At most so many, the newest first; 1 to 1,000.
    pub limit: usize,
}

/// A place in a list of jobs: when one was made, and which.
pub type JobPlace = (Timestamp, JobId);

/// A page of jobs.
#[derive(Debug, Clone)]
pub struct JobPage {
    /// The jobs, the newest first. May be fewer than asked for, and none, with more behind them.
    pub jobs: Vec<Job>,
    /// Where the next page begins; none where there is none.
    pub next: Option<JobPlace>,
}
