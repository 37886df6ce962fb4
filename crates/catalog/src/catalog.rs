//! The seam: a catalog gives transactions, and a transaction reads and writes rows.
//!
//! Rules that every catalog keeps, and the contract suite proves:
//! - A writing transaction is serializable: of two that read and wrote the same rows, one gets
//!   [`CatalogError::Conflict`], at the read, at the write or at the commit, and nothing of it is kept.
//! - A reading transaction sees one moment, waits for no writer and makes none wait.
//! - What `commit` returned as done survives the death of the process and of the machine.
//! - A transaction that is dropped is rolled back, at whatever await that happens; one whose `commit` is dropped
//!   while it is under way may be there or not.
//! - An error whose [`CatalogError::ends_transaction`] says so repeats itself until the transaction is dropped.
//!
//! Deliberately absent: savepoints, joins, and writes by condition. A transaction reads, decides in Rust, and writes.

use async_trait::async_trait;

use crate::error::CatalogError;
use crate::kind::{Kind, Slot};
use crate::query::{Query, Range, RowPage, Scope};
use crate::row::{NewRow, Row};

/// Where rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// In memory, for simulation.
    Memory,
    /// A file of SQLite.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// What an open catalog is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Where rows are kept.
    pub engine: Engine,
    /// The file, or the server without its password.
    pub name: String,
    /// Which catalog this is: 32 hexadecimal digits, made once.
    pub catalog_id: String,
    /// The version of the tables.
    pub schema: i64,
    /// Counts the starts, from 1; every row carries that of its last writer.
    pub generation: i64,
}

/// The vault's records.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// What this is.
    fn info(&self) -> &Info;

    /// A transaction that may write. SQLite has one writer: it waits for the one before, some seconds at most.
    ///
    /// # Errors
    /// `Unreachable`, `NotWritable`; `Conflict` when the wait for the writer before took too long.
    async fn begin(&self) -> Result<Box<dyn Transaction>, CatalogError>;

    /// A transaction that sees one moment and writes nothing; its `commit` does nothing.
    ///
    /// # Errors
    /// `Unreachable`.
    async fn read(&self) -> Result<Box<dyn Transaction>, CatalogError>;

    /// Asks the engine for a sign of life.
    ///
    /// # Errors
    /// `Unreachable`, or `NotWritable` when an earlier failure of the disk put an end to writing.
    async fn health(&self) -> Result<(), CatalogError>;
}

/// Reads and writes that are kept all together or not at all.
#[async_trait]
pub trait Transaction: Send {
    /// One row; nothing when there is none.
    ///
    /// # Errors
    /// What the engine failed with.
    async fn get(&mut self, kind: Kind, vault: &str, id: &str) -> Result<Option<Row>, CatalogError>;

    /// A page of rows.
    ///
    /// # Errors
    /// `Misuse` for a limit out of range; what the engine failed with.
    async fn scan(&mut self, kind: Kind, query: &Query) -> Result<RowPage, CatalogError>;

    /// How many rows have a key in this range of a slot.
    ///
    /// # Errors
    /// What the engine failed with.
    async fn count(
        &mut self,
        kind: Kind,
        scope: &Scope,
        slot: Slot,
        range: &Range,
    ) -> Result<i64, CatalogError>;

    /// Writes a row that is not there yet. It gets version 1.
    ///
    /// # Errors
    /// `Exists` with the unique key that is taken; `TooLarge`; `Misuse` in a reading transaction.
    async fn insert(&mut self, row: NewRow) -> Result<Row, CatalogError>;

    /// Writes over the row of this version. It gets the next one.
    ///
    /// # Errors
    /// `Conflict` when the row has another version, `Missing` when there is none; as [`Transaction::insert`].
    async fn update(&mut self, row: NewRow, expected: i64) -> Result<Row, CatalogError>;

    /// Removes the row of this version. An id that is inserted again starts at version 1 again.
    ///
    /// # Errors
    /// `Conflict` when the row has another version, `Missing` when there is none.
    async fn delete(&mut self, kind: Kind, vault: &str, id: &str, expected: i64) -> Result<(), CatalogError>;

    /// Keeps all of it.
    ///
    /// # Errors
    /// `Conflict`, `DiskFull`, `NotWritable`, `Unreachable`: nothing was kept. `CommitUnknown`: all or nothing was.
    async fn commit(self: Box<Self>) -> Result<(), CatalogError>;
}
