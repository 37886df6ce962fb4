//! Tables as the engine's deeds use them: rows of values over pages, found by table id.
//!
//! Everything here is over [`PageAccess`], and every change is undone with its transaction by bytes. What is remembered in memory (which tables there are, where
//! there is room, the next identity) follows by [`Tables::undone`] after every undo.
//!
//! The rules of locks: whoever writes to a table has it alone until its transaction ends, and whoever creates or drops one has the catalog
//! ([`CATALOG`]) alone in the same way.

use std::ops::ControlFlow;

use super::access::{PageAccess, PageRead};
use super::pages::PageId;
use super::table::{RowId, TableDefinition, TableFacts, TableId};
use super::{Result, TransactionId};
use crate::value::Value;

/// The catalog itself, as a table to be locked by those who create and drop tables.
pub(crate) const CATALOG: TableId = TableId(1);

/// The tables of one database.
#[derive(Debug)]
pub(crate) struct Tables {}

#[allow(clippy::unimplemented, unused_variables, dead_code)]
impl Tables {
    /// Makes the catalog of a new database; its first IAM page belongs on the boot page.
    pub(crate) fn create(pages: &mut dyn PageAccess) -> Result<(Self, PageId)> {
        unimplemented!()
    }

    /// The tables of an existing database; none where it has no catalog of ours. To be called when redo and undo are done.
    pub(crate) fn open(pages: &mut dyn PageRead, catalog_iam: Option<PageId>) -> Result<Self> {
        unimplemented!()
    }

    /// Whether tables can be made: not in a database that a real server made.
    pub(crate) fn has_catalog(&self) -> bool {
        unimplemented!()
    }

    /// All tables, by id.
    pub(crate) fn list(&self) -> Vec<TableFacts> {
        unimplemented!()
    }

    /// By schema and name, compared without regard to case.
    pub(crate) fn find(&self, schema: &str, name: &str) -> Option<TableFacts> {
        unimplemented!()
    }

    /// Makes a table, with its first extent.
    pub(crate) fn create_table(
        &mut self,
        pages: &mut dyn PageAccess,
        transaction: TransactionId,
        definition: &TableDefinition,
    ) -> Result<TableId> {
        unimplemented!()
    }

    /// Takes a table out of the catalog; its extents are free when the transaction has committed ([`Tables::ended`]).
    pub(crate) fn drop_table(
        &mut self,
        pages: &mut dyn PageAccess,
        transaction: TransactionId,
        table: TableId,
    ) -> Result<()> {
        unimplemented!()
    }

    /// One value a column, of the column's type.
    pub(crate) fn insert(
        &mut self,
        pages: &mut dyn PageAccess,
        table: TableId,
        row: &[Value],
    ) -> Result<RowId> {
        unimplemented!()
    }

    /// The row may move.
    pub(crate) fn update(
        &mut self,
        pages: &mut dyn PageAccess,
        table: TableId,
        place: RowId,
        row: &[Value],
    ) -> Result<RowId> {
        unimplemented!()
    }

    pub(crate) fn delete(&mut self, pages: &mut dyn PageAccess, table: TableId, place: RowId) -> Result<()> {
        unimplemented!()
    }

    /// Calls `visit` for each row in the order of its pages until it breaks.
    pub(crate) fn scan(
        &self,
        pages: &mut dyn PageRead,
        table: TableId,
        visit: &mut dyn FnMut(RowId, Vec<Value>) -> ControlFlow<()>,
    ) -> Result<()> {
        unimplemented!()
    }

    /// To be called after every undo, of a transaction or of a part of it: reads the catalog again.
    pub(crate) fn undone(&mut self, pages: &mut dyn PageRead) -> Result<()> {
        unimplemented!()
    }

    /// To be called when a transaction has ended, its commit durable or its rollback's end logged (and [`Tables::undone`] called): frees the extents of
    /// tables that it dropped or made in vain. A crash before this leaves extents that [`Tables::reclaim`] finds.
    pub(crate) fn ended(&mut self, pages: &mut dyn PageAccess, transaction: TransactionId) -> Result<()> {
        unimplemented!()
    }

    /// Frees extents that no table has: what a crash left between a commit and the freeing of what it dropped. To be called at the end of
    /// recovery; does nothing in a database without a catalog of ours.
    pub(crate) fn reclaim(&mut self, pages: &mut dyn PageAccess) -> Result<()> {
        unimplemented!()
    }
}
