//! One backup, from the look at the database to the recovery point with its proof.

use catalog::record::{Database, ItemId, JobId};
use faults::Fault;
use schedule::BackupKind;

use crate::jobs::{Doing, Ending};
use crate::vault::Vault;

impl Vault {
    /// Takes a backup because a user wants one.
    ///
    /// # Errors
    /// The item is not protected, or one of that kind runs already.
    pub async fn back_up(
        &self,
        _item: ItemId,
        _kind: BackupKind,
        _keep_days: Option<u32>,
    ) -> Result<JobId, Fault> {
        unimplemented!()
    }

    /// Does a backup job.
    pub(crate) async fn perform_backup(&self, _doing: &mut Doing<'_>) -> Ending {
        unimplemented!()
    }
}

/// A database as policies judge it.
pub(crate) fn schedule_facts(_database: &Database) -> schedule::database::Facts {
    unimplemented!()
}
