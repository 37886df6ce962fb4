//! Which tables there are: the simulation's own catalog, a heap like any table, and what is known of it in memory.
//!
//! A table is one row of kind [`TABLE`] and one of kind [`COLUMN`] for each of its columns. The next object id is on the
//! catalog's first IAM page, where a rollback does not reach it: an id is never used twice. SQL Server's own catalog (sysschobjs
//! and the rest) is deliberately absent: real databases have no table here.

mod entry;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::access::{PageAccess, PageRead};
use super::heap::{self, Heap, Place};
use super::pages::PageId;
use super::row::RowFormat;
use super::space::{Space, unfit};
use super::table::{RowId, TableDefinition, TableFacts, TableId};
use super::{EngineError, Result, TransactionId};
use crate::value::Value;

/// The catalog itself, as a table to be locked by those who create and drop tables.
pub(crate) const CATALOG: TableId = TableId(1);
/// Id of the first user table.
const FIRST_USER_TABLE: u32 = 1_000_000;
/// Where the next object id is on the catalog's first IAM page: in its first record, behind the number in the chain.
const NEXT_ID_AT: usize = 104;

/// How the catalog's own rows are laid out.
pub(crate) fn row_format() -> RowFormat {
    RowFormat::new(&entry::columns())
}

/// A table that is known.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) facts: TableFacts,
    pub(crate) format: RowFormat,
    /// Its rows in the catalog.
    rows: Vec<RowId>,
}

impl Entry {
    /// The table as its rows need it.
    pub(crate) fn place(&self) -> Place {
        Place {
            table: self.facts.id,
            first_iam: self.facts.first_iam,
            fixed_end: self.format.fixed_end(),
        }
    }
}

/// The catalog of one database.
#[derive(Debug)]
pub(crate) struct Catalog {
    place: Place,
    format: RowFormat,
    tables: BTreeMap<TableId, Entry>,
    /// Tables that open transactions created or dropped, with their chains.
    pending: BTreeMap<TransactionId, Vec<(TableId, PageId)>>,
    /// Next values of identity columns, which no rollback takes back.
    identities: BTreeMap<TableId, i64>,
}

impl Catalog {
    /// Makes the catalog of a new database.
    pub(crate) fn create(pages: &mut dyn PageAccess, space: &mut Space) -> Result<Self> {
        let first_iam = space.create_chain(pages, CATALOG)?;
        pages.begin_system();
        let written = pages.write(first_iam, NEXT_ID_AT, &FIRST_USER_TABLE.to_le_bytes());
        pages.end_system();
        written?;
        Ok(Self::empty(first_iam))
    }

    /// Reads the catalog.
    pub(crate) fn open(pages: &mut dyn PageRead, first_iam: PageId) -> Result<Self> {
        let mut catalog = Self::empty(first_iam);
        catalog.reload(pages)?;
        Ok(catalog)
    }

    fn empty(first_iam: PageId) -> Self {
        let format = row_format();
        Self {
            place: Place {
                table: CATALOG,
                first_iam,
                fixed_end: format.fixed_end(),
            },
            format,
            tables: BTreeMap::new(),
            pending: BTreeMap::new(),
            identities: BTreeMap::new(),
        }
    }

    /// Its first IAM page.
    pub(crate) fn first_iam(&self) -> PageId {
        self.place.first_iam
    }

    /// All tables, by id.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Entry> {
        self.tables.values()
    }

    /// A table.
    pub(crate) fn table(&self, table: TableId) -> Result<&Entry> {
        self.tables.get(&table).ok_or(EngineError::NoTable(table))
    }

    /// Remembers the next value of an identity column.
    pub(crate) fn set_next_identity(&mut self, table: TableId, next: i64) {
        if let Some(entry) = self.tables.get_mut(&table) {
            entry.facts.next_identity = next;
            self.identities.insert(table, next);
        }
    }

    /// By schema and name, compared without regard to case.
    pub(crate) fn find(&self, schema: &str, name: &str) -> Option<&Entry> {
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        self.tables.values().find(|entry| {
            let definition = &entry.facts.definition;
            same(&definition.name, name) && same(&definition.schema, schema)
        })
    }

    /// Makes a table, with its first extent.
    pub(crate) fn create_table(
        &mut self,
        pages: &mut dyn PageAccess,
        heap: &mut Heap,
        space: &mut Space,
        transaction: TransactionId,
        definition: &TableDefinition,
    ) -> Result<TableId> {
        let id = self.next_id(pages)?;
        let first_iam = space.create_chain(pages, id)?;
        self.pending.entry(transaction).or_default().push((id, first_iam));
        let facts = TableFacts {
            id,
            definition: definition.clone(),
            first_iam,
            next_identity: definition.identity.map_or(0, |(_, seed, _)| seed),
        };
        let mut rows = Vec::new();
        for row in entry::to_rows(&facts) {
            let bytes = self.format.encode(&row)?;
            rows.push(heap.insert(pages, space, &self.place, &bytes)?);
        }
        let format = RowFormat::new(&definition.columns);
        self.tables.insert(id, Entry { facts, format, rows });
        Ok(id)
    }

    fn next_id(&self, pages: &mut dyn PageAccess) -> Result<TableId> {
        let page = pages.read(self.first_iam())?;
        let found = page[NEXT_ID_AT..NEXT_ID_AT + 4].try_into().unwrap_or_default();
        let id = u32::from_le_bytes(found).max(FIRST_USER_TABLE);
        pages.begin_system();
        let written = pages.write(self.first_iam(), NEXT_ID_AT, &(id + 1).to_le_bytes());
        pages.end_system();
        written.map(|()| TableId(id))
    }

    /// Takes a table out of the catalog.
    pub(crate) fn drop_table(
        &mut self,
        pages: &mut dyn PageAccess,
        heap: &mut Heap,
        transaction: TransactionId,
        table: TableId,
    ) -> Result<()> {
        let entry = self.table(table)?.clone();
        for row in entry.rows {
            heap.delete(pages, &self.place, row)?;
        }
        let chain = (table, entry.facts.first_iam);
        self.pending.entry(transaction).or_default().push(chain);
        self.tables.remove(&table);
        heap.forget(table);
        Ok(())
    }

    /// Chains that the transaction, which has ended, dropped or made in vain: those whose table is not there now.
    pub(crate) fn ended(&mut self, transaction: TransactionId) -> Vec<PageId> {
        let mut chains: Vec<PageId> = self
            .pending
            .remove(&transaction)
            .unwrap_or_default()
            .into_iter()
            .filter(|(table, _)| !self.tables.contains_key(table))
            .map(|(table, first_iam)| {
                self.identities.remove(&table);
                first_iam
            })
            .collect();
        // A table that one transaction made and dropped is there twice.
        chains.sort_unstable();
        chains.dedup();
        chains
    }

    /// Chains that open transactions have dropped or made.
    pub(crate) fn pending(&self) -> Vec<PageId> {
        let chains = self.pending.values().flatten();
        let gone = chains.filter(|(table, _)| !self.tables.contains_key(table));
        gone.map(|(_, first_iam)| *first_iam).collect()
    }

    /// Whether an open transaction created or dropped a table, so that an undo may concern the catalog.
    pub(crate) fn is_changing(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Reads the catalog again; what is known of identities stays.
    pub(crate) fn reload(&mut self, pages: &mut dyn PageRead) -> Result<()> {
        let mut found: Vec<(RowId, Vec<Value>)> = Vec::new();
        let mut damaged = None;
        let format = &self.format;
        heap::scan(pages, CATALOG, self.place.first_iam, &mut |at, bytes| {
            match format.decode(bytes) {
                Some(row) => found.push((at, row)),
                None => damaged = Some(at),
            }
            ControlFlow::Continue(())
        })?;
        let rebuilt = match damaged {
            None => entry::from_rows(found),
            Some(at) => Err(at),
        };
        let rebuilt = match rebuilt {
            Ok(rebuilt) => rebuilt,
            Err(at) => return Err(unfit(pages, at.page, "a row of the catalog cannot be read")),
        };
        let mut tables = BTreeMap::new();
        for (facts, rows) in rebuilt {
            let format = RowFormat::new(&facts.definition.columns);
            tables.insert(facts.id, Entry { facts, format, rows });
        }
        for (id, entry) in &mut tables {
            if let Some(next) = self.identities.get(id) {
                entry.facts.next_identity = *next;
            }
        }
        self.tables = tables;
        Ok(())
    }
}
