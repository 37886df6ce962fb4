//! The first bad day: the instance dies in the middle of a backup. Its lease outlives it, and the vault cleans up.

use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use azblob::names::{BlobName, ContainerName};
use catalog::record::{Job, JobId, Work};
use schedule::BackupKind;
use vault::shelf::{Blob, Shelf as _, ShelfError};

use super::door::HOST;
use super::keeper::until;
use super::outcome::Killed;
use super::stage::{Stage, Subject};
use crate::quantity::{duration, size};

impl Stage<'_> {
    /// Has the instance die in the first full of a database, starts it again, and watches the vault clean up. The job goes on.
    pub(super) async fn kill(&self, subject: &Subject) -> Result<(JobId, Killed)> {
        let say = &self.narrator;
        say.chapter(&format!(
            "Bad day one: the instance dies in the middle of the full of {}",
            subject.name
        ))?;
        let dies = format!("kill after {} bytes to {HOST}", subject.dies_after);
        self.source.fault(&dies).await?;
        let job = self
            .keeper
            .vault
            .back_up(subject.item, BackupKind::Full, None)
            .await?;
        let died = until("the instance dies", || async {
            let is_over = self.keeper.vault.job(job).await?.state.is_ended();
            anyhow::ensure!(!is_over, "the backup ended, and its instance did not die");
            Ok(self.source.has_died()?.then_some(()))
        });
        died.await?;
        let blob = first_blob(&self.keeper.vault.job(job).await?)?;
        let left = until("its connections are gone", || async {
            let seen = self.look(&subject.container, &blob).await?;
            let seen = seen.context("the backup that was killed left no blob")?;
            let is_used = seen.lease.is_some_and(|lease| lease.connections > 0);
            Ok((!is_used).then_some(seen))
        });
        let left = left.await?;
        let listed = self.door.listed(&subject.container).await?;
        let listed = listed.into_iter().find(|entry| entry.name == blob);
        let listed = listed.context("the blob that was left is not listed")?;
        let lease = listed.lease_duration.map_or("", |kind| kind.as_str());
        say.fact(
            "killed",
            &format!(
                "{} had arrived, and nobody can read any of it",
                size(left.arrived)
            ),
        )?;
        say.fact(
            "left",
            &format!(
                "a blob that is {} ({lease}): nobody can write or delete there",
                listed.lease_state.as_str()
            ),
        )?;
        self.source.start_again().await?;
        let began = Instant::now();
        say.fact(
            "instance",
            "started again, as whoever watches over services would",
        )?;
        let gone = until("the vault removes what was left", || async {
            Ok(self
                .look(&subject.container, &blob)
                .await?
                .is_none()
                .then_some(()))
        });
        gone.await?;
        let seconds = began.elapsed().as_secs_f64();
        say.fact(
            "vault",
            &format!(
                "asked the instance what became of it, broke the lease, removed the blob: {}",
                duration(seconds)
            ),
        )?;
        say.fact("", "and takes the backup again by itself, half a minute later")?;
        let killed = Killed {
            database: subject.name.clone(),
            blob,
            bytes: left.arrived,
            readable_bytes: listed.size,
            lease_state: listed.lease_state,
            lease_duration: listed.lease_duration,
            cleaned_up: true,
            clean_up_seconds: seconds,
            attempts: Vec::new(),
            taken_again: None,
        };
        Ok((job, killed))
    }

    /// Waits for the attempt that the vault makes by itself.
    pub(super) async fn await_retry(&self, subject: &Subject, job: JobId, killed: &mut Killed) -> Result<()> {
        self.narrator.chapter(&format!(
            "The full of {} that was killed, once more",
            subject.name
        ))?;
        let job = self.keeper.ended(job).await?;
        if let Work::Backup(work) = &job.work {
            killed.attempts.clone_from(&work.failed);
        }
        let taken = self.taken(subject, BackupKind::Full, &job).await?;
        let failed: Vec<&str> = killed.attempts.iter().map(|code| code.as_str()).collect();
        self.narrator.fact(
            "attempts",
            &format!("{} failed with {}", failed.len(), failed.join(", ")),
        )?;
        self.tell_taken(&taken)?;
        killed.taken_again = Some(taken);
        Ok(())
    }

    /// A blob as the vault sees it; none where there is none.
    async fn look(&self, container: &str, blob: &str) -> Result<Option<Blob>> {
        let container = ContainerName::new(container).map_err(|code| anyhow!("{code}"))?;
        let blob = BlobName::new(blob).map_err(|code| anyhow!("{code}"))?;
        match self.door.shelf.look(&container, &blob).await {
            Ok(seen) => Ok(seen),
            Err(ShelfError::Missing(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The blob that the running attempt of a job writes.
fn first_blob(job: &Job) -> Result<String> {
    let Work::Backup(work) = &job.work else {
        anyhow::bail!("the job is no backup");
    };
    work.blobs.first().cloned().context("the job names no blob")
}
