//! Backups that other tools take, as `msdb` tells of them: who owns the log, who owns the differential base.

use catalog::record::{Item, ItemId, Server};
use faults::Fault;

use crate::vault::Vault;

impl Vault {
    /// Reads what is new in the `msdb` of an instance.
    ///
    /// # Errors
    /// It cannot be asked; the catalog cannot be written.
    pub(crate) async fn read_history(
        &self,
        _server: &Server,
        _session: &mut mssql::Session,
    ) -> Result<(), Fault> {
        unimplemented!()
    }

    /// Takes log and differential base over from another tool.
    ///
    /// # Errors
    /// There is no such item; the catalog cannot be written.
    pub async fn take_over_chain(&self, _item: ItemId) -> Result<Item, Fault> {
        unimplemented!()
    }
}
