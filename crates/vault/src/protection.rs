//! Protection: which database follows which policy, from its first day to the last of its recovery points.

use catalog::record::{DatabaseId, ItemId, PolicyId};
use faults::Fault;

use crate::jobs::{Doing, Ending};
use crate::vault::Vault;

impl Vault {
    /// Protects a database by a policy.
    ///
    /// # Errors
    /// The database is gone, protected already, or cannot be protected (mirrored, a snapshot, tempdb).
    pub async fn protect(&self, _database: DatabaseId, _policy: PolicyId) -> Result<ItemId, Fault> {
        unimplemented!()
    }

    /// Does a job that protects a database or brings an item to its policy's version.
    pub(crate) async fn configure(&self, _doing: &mut Doing<'_>) -> Ending {
        unimplemented!()
    }

    /// Does a job that removes the data of a deleted item.
    pub(crate) async fn purge(&self, _doing: &mut Doing<'_>) -> Ending {
        unimplemented!()
    }
}
