//! Backups that other tools take, as `msdb` tells of them: who owns the log, who owns the differential base.

use catalog::Transaction;
use catalog::record::{Database, ForeignOwner, Item, ItemId, Server};
use faults::Fault;

use crate::records::Trouble;
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

    /// Who else owns the log or the differential base of a database, by the last 14 days of its instance's `msdb`.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn owner_of_chain(
        &self,
        _tx: &mut dyn Transaction,
        _server: &Server,
        _database: &Database,
    ) -> Result<Option<ForeignOwner>, Trouble> {
        unimplemented!()
    }
}
