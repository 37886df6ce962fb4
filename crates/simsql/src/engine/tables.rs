//! Tables as the engine's deeds use them: rows of values over pages, found by table id.
//!
//! Everything here is over [`PageAccess`], and every change is undone with its transaction by bytes. What is remembered in memory
//! (which tables there are, where there is room, the next identity) follows by [`Tables::undone`] after every undo.
//!
//! The rules of locks: whoever writes to a table has it alone until its transaction ends, and whoever creates or drops one has
//! the catalog ([`CATALOG`]) alone in the same way.

use std::ops::ControlFlow;

use super::access::{PageAccess, PageRead};
use super::catalog::{Catalog, Entry};
use super::heap::{self, Heap};
use super::pages::PageId;
use super::space::{Space, unfit};
use super::table::{RowId, TableDefinition, TableFacts, TableId};
use super::{EngineError, Result, TransactionId};
use crate::value::Value;

pub(crate) use super::catalog::CATALOG;

/// The tables of one database.
#[derive(Debug)]
pub(crate) struct Tables {
    /// `None` for a database that a real server made.
    catalog: Option<Catalog>,
    heap: Heap,
    space: Space,
}

impl Tables {
    /// Makes the catalog of a new database; its first IAM page belongs on the boot page.
    pub(crate) fn create(pages: &mut dyn PageAccess) -> Result<(Self, PageId)> {
        let mut space = Space::default();
        let catalog = Catalog::create(pages, &mut space)?;
        let first_iam = catalog.first_iam();
        let tables = Self {
            catalog: Some(catalog),
            heap: Heap::default(),
            space,
        };
        Ok((tables, first_iam))
    }

    /// The tables of an existing database; none where it has no catalog of ours. To be called when redo and undo are done.
    pub(crate) fn open(pages: &mut dyn PageRead, catalog_iam: Option<PageId>) -> Result<Self> {
        let mut tables = Self {
            catalog: catalog_iam.map(|iam| Catalog::open(pages, iam)).transpose()?,
            heap: Heap::default(),
            space: Space::default(),
        };
        tables.find_identities(pages)?;
        Ok(tables)
    }

    /// All tables, by id.
    pub(crate) fn list(&self) -> Vec<TableFacts> {
        let tables = self.catalog.iter().flat_map(Catalog::tables);
        tables.map(|entry| entry.facts.clone()).collect()
    }

    /// Chains of tables that open transactions have dropped: their extents have an owner still.
    pub(crate) fn pending(&self) -> Vec<PageId> {
        self.catalog.as_ref().map(Catalog::pending).unwrap_or_default()
    }

    /// By schema and name, compared without regard to case.
    pub(crate) fn find(&self, schema: &str, name: &str) -> Option<TableFacts> {
        let entry = self.catalog.as_ref()?.find(schema, name)?;
        Some(entry.facts.clone())
    }

    /// Makes a table, with its first extent.
    ///
    /// # Errors
    /// [`EngineError::NoTable`] with the catalog's id where there is no catalog; [`EngineError::RowTooLong`] for a default that
    /// long.
    pub(crate) fn create_table(
        &mut self,
        pages: &mut dyn PageAccess,
        transaction: TransactionId,
        definition: &TableDefinition,
    ) -> Result<TableId> {
        let catalog = self.catalog.as_mut().ok_or(EngineError::NoTable(CATALOG))?;
        catalog.create_table(pages, &mut self.heap, &mut self.space, transaction, definition)
    }

    /// Takes a table out of the catalog; its extents are free when the transaction has committed ([`Tables::ended`]).
    pub(crate) fn drop_table(
        &mut self,
        pages: &mut dyn PageAccess,
        transaction: TransactionId,
        table: TableId,
    ) -> Result<()> {
        let catalog = self.catalog.as_mut().ok_or(EngineError::NoTable(table))?;
        catalog.drop_table(pages, &mut self.heap, transaction, table)
    }

    /// One value a column, of the column's type.
    pub(crate) fn insert(
        &mut self,
        pages: &mut dyn PageAccess,
        table: TableId,
        row: &[Value],
    ) -> Result<RowId> {
        let entry = entry(&self.catalog, table)?;
        let (place, bytes) = (entry.place(), entry.format.encode(row)?);
        let next = next_identity(entry, row);
        let at = self.heap.insert(pages, &mut self.space, &place, &bytes)?;
        if let (Some(next), Some(catalog)) = (next, &mut self.catalog) {
            catalog.set_next_identity(table, next);
        }
        Ok(at)
    }

    /// The row may move.
    pub(crate) fn update(
        &mut self,
        pages: &mut dyn PageAccess,
        table: TableId,
        place: RowId,
        row: &[Value],
    ) -> Result<RowId> {
        let entry = entry(&self.catalog, table)?;
        let bytes = entry.format.encode(row)?;
        self.heap
            .update(pages, &mut self.space, &entry.place(), place, &bytes)
    }

    /// Takes a row away.
    pub(crate) fn delete(&mut self, pages: &mut dyn PageAccess, table: TableId, place: RowId) -> Result<()> {
        let entry = entry(&self.catalog, table)?;
        self.heap.delete(pages, &entry.place(), place)
    }

    /// Calls `visit` for each row in the order of its pages until it breaks.
    pub(crate) fn scan(
        &self,
        pages: &mut dyn PageRead,
        table: TableId,
        visit: &mut dyn FnMut(RowId, Vec<Value>) -> ControlFlow<()>,
    ) -> Result<()> {
        let entry = entry(&self.catalog, table)?;
        let mut damaged = None;
        heap::scan(
            pages,
            table,
            entry.facts.first_iam,
            &mut |at, bytes| match entry.format.decode(bytes) {
                Some(row) => visit(at, row),
                None => {
                    damaged = Some(at);
                    ControlFlow::Break(())
                }
            },
        )?;
        damaged.map_or(Ok(()), |at: RowId| {
            Err(unfit(
                pages,
                at.page,
                &format!("the row in slot {} cannot be read", at.slot),
            ))
        })
    }

    /// To be called after every undo, of a transaction or of a part of it: reads the catalog again.
    pub(crate) fn undone(&mut self, pages: &mut dyn PageRead) -> Result<()> {
        self.heap.undone();
        match &mut self.catalog {
            Some(catalog) if catalog.is_changing() => catalog.reload(pages),
            _ => Ok(()),
        }
    }

    /// To be called when a transaction has ended, its commit durable or its rollback's end logged (and [`Tables::undone`]
    /// called): frees the extents of tables that it dropped or made in vain. A crash before this leaves extents that
    /// [`Tables::reclaim`] finds.
    pub(crate) fn ended(&mut self, pages: &mut dyn PageAccess, transaction: TransactionId) -> Result<()> {
        let chains = self.catalog.as_mut().map(|catalog| catalog.ended(transaction));
        for first_iam in chains.unwrap_or_default() {
            self.space.free_chain(pages, first_iam)?;
        }
        Ok(())
    }

    /// Frees extents that no table has: what a crash left between a commit and the freeing of what it dropped. To be called at
    /// the end of recovery; does nothing in a database without a catalog of ours.
    pub(crate) fn reclaim(&mut self, pages: &mut dyn PageAccess) -> Result<()> {
        let Some(catalog) = &self.catalog else {
            return Ok(());
        };
        let tables = catalog.tables().map(|entry| entry.facts.first_iam);
        let chains: Vec<PageId> = std::iter::once(catalog.first_iam()).chain(tables).collect();
        self.space.reclaim(pages, &chains)
    }

    /// Reads the next identity of each table from the values in use.
    fn find_identities(&mut self, pages: &mut dyn PageRead) -> Result<()> {
        let Some(catalog) = &mut self.catalog else {
            return Ok(());
        };
        let mut found = Vec::new();
        for entry in catalog.tables() {
            let Some((column, _, increment)) = entry.facts.definition.identity else {
                continue;
            };
            let mut next = entry.facts.next_identity;
            heap::scan(pages, entry.facts.id, entry.facts.first_iam, &mut |_, bytes| {
                let value = entry.format.decode_column(bytes, column);
                next = value.map_or(next, |value| identity_after(next, &value, increment));
                ControlFlow::Continue(())
            })?;
            found.push((entry.facts.id, next));
        }
        for (table, next) in found {
            catalog.set_next_identity(table, next);
        }
        Ok(())
    }
}

fn entry(catalog: &Option<Catalog>, table: TableId) -> Result<&Entry> {
    let catalog = catalog.as_ref().ok_or(EngineError::NoTable(table))?;
    catalog.table(table)
}

/// The next identity after a row was inserted; `None` in a table that has none.
fn next_identity(entry: &Entry, row: &[Value]) -> Option<i64> {
    let (column, _, increment) = entry.facts.definition.identity?;
    Some(identity_after(
        entry.facts.next_identity,
        row.get(column)?,
        increment,
    ))
}

/// The later one, in the direction of the increment, of what is next already and what follows `value`.
fn identity_after(next: i64, value: &Value, increment: i64) -> i64 {
    let used = match value {
        Value::Integer(number) => *number,
        Value::Decimal(number) if number.scale == 0 => i64::try_from(number.unscaled).unwrap_or(next),
        _ => return next,
    };
    let following = used.saturating_add(increment);
    if increment < 0 {
        next.min(following)
    } else {
        next.max(following)
    }
}

#[cfg(test)]
mod tests;
