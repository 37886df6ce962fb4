//! Discovery: which databases an instance holds, and what became of those that were known.

use catalog::record::{JobId, ServerId};
use faults::Fault;

use crate::jobs::{Doing, Ending};
use crate::vault::Vault;

impl Vault {
    /// Lists the databases of an instance now, by a job.
    ///
    /// # Errors
    /// There is no such instance; the catalog cannot be written.
    pub async fn rediscover(&self, _server: ServerId) -> Result<JobId, Fault> {
        unimplemented!()
    }

    /// Does a discovery job.
    pub(crate) async fn discover(&self, _doing: &mut Doing<'_>) -> Ending {
        unimplemented!()
    }

    /// Queues discoveries when they are due, for ever.
    pub(crate) async fn run_discovery(&self) {
        unimplemented!()
    }
}
