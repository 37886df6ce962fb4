//! Healing: a chain that broke is anchored again, without a storm of fulls.

use catalog::record::{HealingReason, ItemId};
use faults::Fault;
use schedule::BackupKind;

use crate::vault::Vault;

impl Vault {
    /// Notes that an item needs a backup that heals, and when it may run.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn want_healing(
        &self,
        _item: ItemId,
        _kind: BackupKind,
        _reason: HealingReason,
    ) -> Result<(), Fault> {
        unimplemented!()
    }

    /// Turns wanted healings into jobs when they may run, for ever.
    pub(crate) async fn run_healing(&self) {
        unimplemented!()
    }
}
