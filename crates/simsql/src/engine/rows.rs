//! Tables and rows: the engine's deeds over [`Tables`], each within its transaction.

use std::ops::ControlFlow;

use super::change::Access;
use super::check::{Checked, Checking, go_on};
use super::space::{allocated, changed};
use super::tables::Tables;
use super::{Engine, Result, RowId, TableDefinition, TableFacts, TableId, TransactionId};
use crate::value::Value;

/// Tables.
impl Engine {
    fn with<T>(
        &mut self,
        transaction: Option<TransactionId>,
        deed: impl FnOnce(&mut Tables, &mut Access<'_>) -> Result<T>,
    ) -> Result<T> {
        self.core.settle(Ok(()))?;
        let mut access = Access {
            core: &mut self.core,
            transaction,
        };
        let outcome = deed(&mut self.tables, &mut access);
        self.core.settle(outcome)
    }

    /// Part of a transaction was undone.
    pub(super) fn undone(&mut self) -> Result<()> {
        self.with(None, |tables, access| tables.undone(access))
    }

    /// A transaction has ended, whatever happens here: what it left to be freed and is not is found by the next recovery.
    pub(super) fn ended(&mut self, transaction: TransactionId) {
        let _ = self.with(None, |tables, access| tables.ended(access, transaction));
    }

    /// All tables, by id; none in a database that a real server made.
    #[must_use]
    pub fn tables(&self) -> Vec<TableFacts> {
        self.tables.list()
    }

    /// By schema and name, compared without regard to case.
    #[must_use]
    pub fn find_table(&self, schema: &str, name: &str) -> Option<TableFacts> {
        self.tables.find(schema, name)
    }

    /// Makes a table. The transaction must have the catalog to itself until it ends.
    ///
    /// # Errors
    /// Where there is no room in data files or log, or a file cannot be used.
    pub fn create_table(&mut self, transaction: TransactionId, table: &TableDefinition) -> Result<TableId> {
        self.with(Some(transaction), |tables, access| {
            tables.create_table(access, transaction, table)
        })
    }

    /// Drops a table; its pages are free once the transaction has committed.
    ///
    /// # Errors
    /// As [`Engine::create_table`], and where there is no such table.
    pub fn drop_table(&mut self, transaction: TransactionId, table: TableId) -> Result<()> {
        self.with(Some(transaction), |tables, access| {
            tables.drop_table(access, transaction, table)
        })
    }

    /// The row has one value a column, already converted to the column's type.
    ///
    /// # Errors
    /// As [`Engine::drop_table`], and where the row is too long.
    pub fn insert(&mut self, transaction: TransactionId, table: TableId, row: &[Value]) -> Result<RowId> {
        self.with(Some(transaction), |tables, access| {
            tables.insert(access, table, row)
        })
    }

    /// The row may move; its new place is returned.
    ///
    /// # Errors
    /// As [`Engine::insert`].
    pub fn update(
        &mut self,
        transaction: TransactionId,
        table: TableId,
        place: RowId,
        row: &[Value],
    ) -> Result<RowId> {
        self.with(Some(transaction), |tables, access| {
            tables.update(access, table, place, row)
        })
    }

    /// Removes a row.
    ///
    /// # Errors
    /// As [`Engine::drop_table`].
    pub fn delete(&mut self, transaction: TransactionId, table: TableId, place: RowId) -> Result<()> {
        self.with(Some(transaction), |tables, access| {
            tables.delete(access, table, place)
        })
    }

    /// Calls `visit` for each row in the order of its pages until it breaks.
    ///
    /// # Errors
    /// Where a page cannot be read.
    pub fn scan(
        &mut self,
        table: TableId,
        visit: &mut dyn FnMut(RowId, Vec<Value>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.with(None, |tables, access| tables.scan(access, table, visit))
    }

    /// What DBCC CHECKDB finds, all at once: see [`Engine::check_some`] and [`Checking::summary`].
    pub fn check(&mut self, database: &str, database_id: i32) -> Vec<crate::message::Message> {
        let mut checking = Checking::new(database);
        while self.check_some(&mut checking, database_id, u32::MAX) {}
        checking.summary()
    }

    /// Lets a DBCC CHECKDB go on for up to `pages` pages, in whole extents; whether there are more. Each damage is found as its
    /// message (8928, 8939, 8946 and so on). Messages print the id of the database, which the caller knows.
    pub fn check_some(&mut self, checking: &mut Checking, database_id: i32, pages: u32) -> bool {
        // What cannot be written is found as it is in the file.
        let _ = self.core.note_differential().and_then(|()| self.core.write_all());
        let checked = Checked {
            database_id,
            files: &self.core.files.data(),
            catalog_iam: self.core.boot.catalog_iam,
            pending: &self.tables.pending(),
        };
        let state = (self.core.boot.boot.binding_id, self.core.log.next_lsn());
        go_on(checking, &checked, state, pages)
    }

    /// Pages of a file: allocated, and changed since the differential base (`sys.dm_db_file_space_usage`).
    ///
    /// # Errors
    /// Where a map cannot be read.
    pub fn space(&mut self, file_id: u16) -> Result<(u64, u64)> {
        self.core.note_differential()?;
        let size = self.core.files.of(file_id).map_or(0, |file| file.size);
        self.with(None, |_, access| {
            let pages = |extents: Vec<u32>| extents.len() as u64 * u64::from(super::pages::EXTENT);
            let allocated = allocated(access, file_id, size)?;
            let changed = changed(access, file_id, size)?;
            Ok((pages(allocated), pages(changed)))
        })
    }
}
