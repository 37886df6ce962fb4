//! Waiting for the verifier, which reads a backup while it arrives and mostly ends with it.

use std::time::Duration;

use azblob::names::{BlobName, ContainerName};
use catalog::record::Grade;
use faults::Fault;

use super::grade::{Judged, Judgement, judge};
use crate::vault::Vault;

/// The first pause between two looks; it doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// How long a stripe that is missing after a success is waited for.
const MISSING: Duration = Duration::from_secs(30);
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
                        reasons: vec![format!("not judged after {hours} h: {why}")],
                        set: None,
                        log: None,
                        bytes: stripes.iter().flatten().map(|blob| blob.size).sum(),
                        is_lost: false,
                    });
                }
                Judgement::Done(_) | Judgement::Wait(_) => {}
            }
            self.world.clock.sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}
