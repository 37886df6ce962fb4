//! A job under way, as its work sees it.

use std::sync::Arc;

use catalog::record::{Job, Task};
use faults::{Fault, Said};

use super::cancel::Told;
use crate::vault::Vault;

/// The most tasks that a job keeps: the first half and the last half.
const TASKS_MAX: usize = 200;

/// The most messages that a job keeps: the first half and the last half.
const SAID_MAX: usize = 200;

/// The most statements that a job keeps.
const STATEMENTS_MAX: usize = 50;

/// A job under way.
pub(crate) struct Doing<'v> {
    /// The vault.
    pub(crate) vault: &'v Vault,
    /// The job as it was written last.
    pub(crate) job: Job,
    /// Whether it was told to end, and what it runs.
    pub(crate) told: Arc<Told>,
}

impl Doing<'_> {
    /// Changes the job's record, durably; the change is made to the newest version, so it must not depend on what was read before.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn write(&mut self, work: impl Fn(&mut Job) + Send + Sync) -> Result<(), Fault> {
        let (changed, ()) = self
            .vault
            .change::<Job, _>(self.job.id, |job| {
                work(job);
                Ok(())
            })
            .await?;
        self.job = changed.record;
        // Told by the record as well: by somebody whose word came before this process ran the job.
        if self.job.cancel.is_some() && !self.told.is_cancelled() {
            self.told.tell();
        }
        Ok(())
    }

    /// Whether somebody wants it to end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.told.is_cancelled()
    }

    /// Begins a task: the one before it is over.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn begin(&mut self, name: &str) -> Result<(), Fault> {
        let now = self.vault.now();
        self.write(|job| {
            if let Some(last) = job.tasks.last_mut() {
                last.ended.get_or_insert(now);
            }
            if job.tasks.len() >= TASKS_MAX {
                job.tasks.remove(TASKS_MAX / 2);
            }
            job.tasks.push(Task {
                name: name.to_owned(),
                started: now,
                ended: None,
                result: None,
            });
        })
        .await
    }

    /// What came of the task under way; it is over with it.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn end(&mut self, result: &str) -> Result<(), Fault> {
        let now = self.vault.now();
        self.write(|job| {
            if let Some(last) = job.tasks.last_mut() {
                last.ended.get_or_insert(now);
                last.result = Some(result.to_owned());
            }
        })
        .await
    }

    /// Keeps what SQL Server said.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn said(&mut self, said: &[Said]) -> Result<(), Fault> {
        self.write(|job| {
            job.said.extend_from_slice(said);
            let beyond = job.said.len().saturating_sub(SAID_MAX);
            if beyond > 0 {
                job.said.drain(SAID_MAX / 2..SAID_MAX / 2 + beyond);
            }
        })
        .await
    }

    /// Keeps a statement that is about to run. It must hold no secret.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn statement(&mut self, text: &str) -> Result<(), Fault> {
        self.write(|job| {
            if job.statements.len() < STATEMENTS_MAX {
                job.statements.push(faults::scrub(text));
            }
        })
        .await
    }
}
