//! How long a restore takes, by those that were done before.

use catalog::record::{Job, JobState, Server, Work};
use catalog::{Query, Range, Scope, Slot, page};
use faults::Fault;

use crate::records::fault;
use crate::vault::Vault;

/// So many of the instance's newest jobs are looked through for a restore.
const LOOKED_THROUGH: u32 = 500;

impl Vault {
    /// Seconds for so many bytes on an instance, by the speed of the newest restore there; none where there was none lately.
    pub(super) async fn seconds_of(&self, server: &Server, bytes: u64) -> Result<Option<u64>, Fault> {
        let range = Range::members(&[&server.id.to_string(), "ended"]);
        let query = Query::of(Scope::vault(&self.key), Slot::D, range)
            .descending()
            .limit(LOOKED_THROUGH);
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let jobs = page::<Job>(tx.as_mut(), &query).await.map_err(fault)?.records;
        let is_one = |job: &&Job| matches!(job.work, Work::Restore(_)) && job.state == JobState::Completed;
        let speed = jobs
            .iter()
            .map(|job| &job.record)
            .filter(is_one)
            .find_map(|job| job.bytes_per_second.filter(|speed| *speed > 0));
        Ok(speed.map(|speed| bytes.div_ceil(speed).max(1)))
    }
}
