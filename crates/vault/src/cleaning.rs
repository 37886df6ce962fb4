//! What interrupted backups leave behind, and what a crash of the vault left between catalog and store.

use crate::jobs::{Doing, Ending};
use crate::vault::Vault;

impl Vault {
    /// Makes catalog and store agree after a start.
    pub(crate) async fn reconcile(&self) {
        unimplemented!()
    }

    /// Finds and removes blobs of interrupted backups, for ever.
    pub(crate) async fn run_cleaning(&self) {
        unimplemented!()
    }

    /// Does a job that removes the data of a deleted item, when its time is over.
    pub(crate) async fn purge(&self, _doing: &mut Doing<'_>) -> Ending {
        unimplemented!()
    }
}
