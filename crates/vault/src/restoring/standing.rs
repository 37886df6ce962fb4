//! Which databases restores are under way for: their scheduled backups are left out meanwhile.
//!
//! Kept in memory alone, since a job that a crash left is taken up again before a schedule runs; whether the restore has touched the
//! database its record says.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use catalog::record::{Job, JobId, ServerId, Work};
use faults::Fault;

use crate::vault::Vault;

/// The targets of restores, by job: instance and name in lower case.
#[derive(Debug, Default)]
pub(crate) struct Restores(Mutex<BTreeMap<JobId, (ServerId, String)>>);

impl Restores {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, (ServerId, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A restore begins, or goes on.
    pub(super) fn begin(&self, job: JobId, server: ServerId, name: &str) {
        self.lock().insert(job, (server, name.to_lowercase()));
    }

    /// It is over.
    pub(super) fn end(&self, job: JobId) {
        self.lock().remove(&job);
    }

    fn of(&self, server: ServerId, name: &str) -> Vec<JobId> {
        let name = name.to_lowercase();
        let over = self.lock();
        let jobs = over
            .iter()
            .filter(|(_, target)| **target == (server, name.clone()));
        jobs.map(|(id, _)| *id).collect()
    }
}

impl Vault {
    /// The restore that has begun to change a database and is not over; none where there is none.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn restore_over(&self, server: ServerId, name: &str) -> Result<Option<JobId>, Fault> {
        for id in self.restores.of(server, name) {
            match self.find::<Job>(id).await? {
                Some(job) if !job.record.state.is_ended() => {
                    if matches!(&job.record.work, Work::Restore(work) if work.is_touched()) {
                        return Ok(Some(id));
                    }
                }
                _ => self.restores.end(id),
            }
        }
        Ok(None)
    }
}
