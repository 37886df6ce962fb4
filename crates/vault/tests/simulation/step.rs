//! Where a backup or a restore stands, as the record of its job tells: what an event meets, and what a crash leaves.

use catalog::Kind;
use catalog::record::{Job, JobState, RestoreWork, Work};

use crate::world::history::Write;

/// The steps, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// It waits for its time or for room.
    Queued,
    /// It runs, and has sent nothing.
    Begun,
    /// It says which blobs it will write.
    Named,
    /// Its statement was sent.
    Sent,
    /// SQL Server said what became of it.
    Told,
    /// Its recovery point is written.
    Kept,
    /// It was told to end.
    Cancelling,
    /// A restore waits for its time or for room.
    RestoreQueued,
    /// It runs, and has sent nothing.
    RestoreBegun,
    /// A statement of it was sent.
    RestoreSent,
    /// Some of its statements are done.
    RestoreBetween,
}

impl Step {
    /// All, as they are printed.
    pub(crate) const ALL: [Self; 11] = [
        Self::Queued,
        Self::Begun,
        Self::Named,
        Self::Sent,
        Self::Told,
        Self::Kept,
        Self::Cancelling,
        Self::RestoreQueued,
        Self::RestoreBegun,
        Self::RestoreSent,
        Self::RestoreBetween,
    ];

    /// Of a job; none where it is over, or neither a backup nor a restore.
    pub(crate) fn of(job: &Job) -> Option<Self> {
        let work = match &job.work {
            Work::Backup(work) => work,
            Work::Restore(work) => return Self::of_restore(job.state, work),
            _ => return None,
        };
        Some(match job.state {
            JobState::Queued => Self::Queued,
            JobState::Cancelling => Self::Cancelling,
            JobState::InProgress if job.point.is_some() => Self::Kept,
            JobState::InProgress if work.outcome.is_some() => Self::Told,
            JobState::InProgress if work.sent.is_some() => Self::Sent,
            JobState::InProgress if work.marker.is_some() => Self::Named,
            JobState::InProgress => Self::Begun,
            _ => return None,
        })
    }

    fn of_restore(state: JobState, work: &RestoreWork) -> Option<Self> {
        Some(match state {
            JobState::Queued => Self::RestoreQueued,
            JobState::Cancelling => Self::Cancelling,
            JobState::InProgress if work.sent.is_some() => Self::RestoreSent,
            JobState::InProgress if work.done > 0 => Self::RestoreBetween,
            JobState::InProgress => Self::RestoreBegun,
            _ => return None,
        })
    }

    /// Of a write; none where it is not of such a job that is open.
    pub(crate) fn of_write(write: &Write) -> Option<Self> {
        if write.kind != Kind::Job {
            return None;
        }
        let job: Job = serde_json::from_str(write.body.as_ref()?).ok()?;
        Self::of(&job)
    }
}
