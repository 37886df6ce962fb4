//! Waiting for the verifier, which reads a backup while it arrives and mostly ends with it.
//!
//! SQL Server has succeeded when this begins, so it holds nothing any more: a lease that it did not give back, because its last
//! request or the answer was lost, is broken here as soon as no connection uses the blob.

use std::time::Duration;

use azblob::names::{BlobName, ContainerName};
use catalog::record::Grade;
use faults::Fault;

use super::grade::{Judged, Judgement, NOT_JUDGED, judge};
use crate::shelf::Blob;
use crate::vault::Vault;

/// The first pause between two looks; it doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// How long a stripe that is missing after a success is waited for.
const MISSING: Duration = Duration::from_secs(30);
/// So long nobody must have used a blob before a lease is broken that was not given back: an answer that is under way arrives in less.
const LEFT_AFTER: Duration = Duration::from_secs(60);
/// How long the verifier is waited for. Blocks that came out of order are read again from disk: 6 TB at 300 MB/s are six hours.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);

impl Vault {
    /// Waits until all stripes are judged. What is not judged after hours is accepted, and says so.
    ///
    /// # Errors
    /// The store does not answer.
    pub(super) async fn wait_for_proof(
        &self,
        container: &ContainerName,
        blobs: &[BlobName],
    ) -> Result<Judged, Fault> {
        let began = self.world.clock.uptime();
        let mut pause = PAUSE;
        loop {
            let mut stripes = Vec::with_capacity(blobs.len());
            for blob in blobs {
                let seen = self.world.shelf.look(container, blob).await;
                stripes.push(seen.map_err(super::shelf_fault)?);
            }
            let waited = self.world.clock.uptime().saturating_sub(began);
            let is_there =
                |stripe: &Option<crate::shelf::Blob>| stripe.as_ref().is_some_and(|blob| blob.is_committed);
            match judge(&stripes) {
                Judgement::Done(judged) if stripes.iter().all(is_there) || waited >= MISSING => {
                    return Ok(*judged);
                }
                Judgement::Wait(why) if waited >= PATIENCE => {
                    let hours = PATIENCE.as_secs() / 3600;
                    return Ok(Judged {
                        grade: Grade::Accepted,
                        reasons: vec![format!("{NOT_JUDGED} {hours} h: {why}")],
                        set: None,
                        log: None,
                        bytes: stripes.iter().flatten().map(|blob| blob.size).sum(),
                        is_lost: false,
                    });
                }
                Judgement::Done(_) | Judgement::Wait(_) => {}
            }
            for (blob, stripe) in blobs.iter().zip(&stripes) {
                self.free_left(container, blob, stripe.as_ref()).await;
            }
            self.world.clock.sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Breaks a lease that nobody holds any more.
    async fn free_left(&self, container: &ContainerName, blob: &BlobName, seen: Option<&Blob>) {
        let Some(seen) = seen else { return };
        if seen
            .lease
            .is_some_and(|lease| lease.connections == 0 && lease.quiet >= LEFT_AFTER)
        {
            // One that is used or changed after all is looked at again.
            drop(self.world.shelf.free(container, blob, seen).await);
        }
    }
}
