//! The engine behind one database: 8 KiB pages in data files, tables as rows on pages, and a write-ahead log in virtual log files.
//!
//! Synchronous and single-threaded: whoever holds the [`Engine`] (one at a time, behind the database's mutex) calls; nothing here
//! waits, and the only thing outside is the [`Disk`](crate::world::Disk). Long work (backup, restore) is cut into calls of bounded size by its callers, so that
//! others get their turn between them.
//!
//! Invariants: no changed page reaches its file before the log record of the change is durable; a commit returns after its log
//! is durable; each page in a file has its identity and a checksum (by the database's page verify option); an extent is in the GAM or it is free.
//!
//! The layers, lowest first: pages in data files, `log` records in blocks, pages in memory under the write-ahead rule, `access` how the rest
//! reaches them, allocation, rows of a table, which tables there are, then the deeds here.

use std::ops::ControlFlow;

use bak::Lsn;
use uuid::Uuid;

use crate::moment::Moment;
use crate::value::Value;
use crate::world::{OsError, World};

pub mod access;
pub mod boot;
pub(crate) mod boot_page;
pub(crate) mod catalog;
pub(crate) mod check;
pub(crate) mod data_file;
pub(crate) mod file_header;
pub(crate) mod heap;
pub(crate) mod log;
pub mod pages;
pub(crate) mod row;
pub(crate) mod space;
pub mod table;
pub(crate) mod tables;

pub use boot::{Boot, RecoveryModel};
pub use pages::PageId;
pub use table::{RowId, TableDefinition, TableFacts, TableId};

/// What went wrong below the statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The operating system refused: messages 823, 5120, 5123, 17053, 18210 as the case may be.
    #[error("operating system error {error} on {path}")]
    Disk {
        /// The file.
        path: String,
        /// Why.
        error: OsError,
    },
    /// A page read from its file is not what it should be: message 824.
    #[error("page {page} of {path} is damaged: {detail}")]
    Page {
        /// The file.
        path: String,
        /// Which page.
        page: PageId,
        /// `incorrect checksum (expected: 0x...; actual: 0x...)`, `torn page`, `incorrect pageid`.
        detail: String,
    },
    /// The log cannot grow: message 9002 with the reason of [`LogFacts::reuse_wait`].
    #[error("the log is full")]
    LogFull,
    /// A data file cannot grow: message 1105.
    #[error("the data files are full")]
    DataFull,
    /// The log is damaged or not one that this engine wrote: recovery stops, the database is SUSPECT (or a restore is refused).
    #[error("the log cannot be read at {lsn}: {detail}")]
    Log {
        /// Where.
        lsn: Lsn,
        /// What is wrong.
        detail: String,
    },
    /// A row is longer than a page holds: message 511.
    #[error("a row of {0} bytes does not fit a page")]
    RowTooLong(usize),
    /// The table is not there, or no longer: message 208.
    #[error("there is no table {}", .0.0)]
    NoTable(TableId),
}

/// What the engine answers with.
pub type Result<T> = std::result::Result<T, EngineError>;

/// A transaction that is open in this engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub u64);

/// A point within a transaction, to undo a statement that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(pub u64);

/// A file of a database.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DatabaseFile {
    /// 1 the primary data file, 2 the log, from 3 on further data files.
    pub file_id: u16,
    /// Name in T-SQL.
    pub logical_name: String,
    /// Path.
    pub physical_name: String,
    /// Pages or log.
    pub file_type: bak::FileType,
    /// Identity.
    pub unique_id: Uuid,
    /// Size in pages of 8 KiB.
    pub size: u32,
    /// Largest size in pages; `u32::MAX` for no limit of its own.
    pub max_size: u32,
    /// Growth in pages; 0 for a file that does not grow.
    pub growth: u32,
    /// When the file was added; `None` for those of CREATE DATABASE.
    pub create_lsn: Option<Lsn>,
}

/// A database to be made.
#[derive(Clone, Debug)]
pub struct NewDatabase {
    /// Facts that the boot page holds.
    pub boot: Boot,
    /// Files; the first is the primary data file, one is the log.
    pub files: Vec<DatabaseFile>,
}

/// How files are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Recovery: redo from the last checkpoint, undo of what did not commit. After it the engine takes changes.
    Recover {
        /// The time of day for the log records that recovery writes.
        at: Moment,
    },
    /// As RESTORE WITH NORECOVERY left it: no redo, no undo.
    Restoring,
}

/// What the log is held back by, as `log_reuse_wait` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReuseWait {
    /// 0 NOTHING.
    Nothing,
    /// 1 CHECKPOINT.
    Checkpoint,
    /// 2 LOG_BACKUP.
    LogBackup,
    /// 3 ACTIVE_BACKUP_OR_RESTORE.
    ActiveBackupOrRestore,
    /// 4 ACTIVE_TRANSACTION.
    ActiveTransaction,
}

/// The log as the catalog shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFacts {
    /// Bytes of the log file.
    pub size: u64,
    /// Bytes that cannot be reused yet.
    pub used: u64,
    /// Bytes since the last log backup (or since the chain began).
    pub since_last_backup: u64,
    /// Virtual log files in all, and those in use.
    pub vlf_count: u32,
    /// Of them in use.
    pub active_vlf_count: u32,
    /// The oldest LSN that is still there.
    pub min_lsn: Lsn,
    /// Where the next record goes.
    pub end_lsn: Lsn,
    /// Why it is not shorter.
    pub reuse_wait: ReuseWait,
}

/// Which pages a data backup takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// All allocated extents; a new differential base when it succeeds.
    Full,
    /// All allocated extents; nothing changes.
    CopyOnly,
    /// The extents of the DCM.
    Differential,
}

/// The extents of one data file that a backup sends, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileExtents {
    /// The file.
    pub file_id: u16,
    /// First page / 8 of each.
    pub extents: Vec<u32>,
}

/// A data backup under way. While it is, the log is kept from `first_lsn` on and changed extents are noted for the next
/// differential. It ends with [`Engine::end_data_backup`], whatever happens.
#[derive(Clone, Debug)]
pub struct DataBackup {
    /// Which.
    pub kind: DataKind,
    /// The checkpoint that it began with.
    pub checkpoint_lsn: Lsn,
    /// Start of the oldest transaction that was open then, else `checkpoint_lsn`: where its log begins (a block's start).
    pub first_lsn: Lsn,
    /// What it sends.
    pub files: Vec<FileExtents>,
}

/// A piece of the log to back up: one virtual log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPiece {
    /// As the backup describes it: file, sequence, place and bounds in bytes of the log file.
    pub segment: bak::writer::LogSegment,
}

/// Up to where redo goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The end of what there is.
    End,
    /// Before the first commit later than this (STOPAT).
    At(Moment),
    /// Behind the record with this LSN (STOPATMARK = 'lsn:').
    Including(Lsn),
    /// Before the record with this LSN (STOPBEFOREMARK = 'lsn:').
    Before(Lsn),
}

/// What redo did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redone {
    /// The next LSN that a further RESTORE LOG must contain.
    pub next_lsn: Lsn,
    /// Whether it met its stop; after that no further log is taken.
    pub stopped: bool,
    /// Time of the last commit that was redone.
    pub last_commit: Option<Moment>,
}

/// An open database.
pub struct Engine {
    /// Files, boot page, pool, log: see the layers.
    pub(crate) core: core::Core,
}

pub(crate) mod core {
    //! The parts of an [`Engine`](super::Engine).

    /// The parts.
    pub(crate) struct Core {}
}

#[allow(
    clippy::unimplemented,
    unused_variables,
    clippy::needless_pass_by_value,
    missing_docs
)]
impl Engine {
    // ---- life ----

    /// Makes the files of a new database (80 where one exists), its fixed pages, its catalog and its log, and makes them durable.
    pub fn create(world: &World, plan: NewDatabase, at: Moment) -> Result<Self> {
        unimplemented!()
    }

    /// Opens existing files.
    pub fn open(world: &World, files: Vec<DatabaseFile>, how: Opening) -> Result<Self> {
        unimplemented!()
    }

    /// Writes everything, with a checkpoint, so that the files can be opened without recovery (a clean shutdown, OFFLINE).
    pub fn close(self, at: Moment) -> Result<()> {
        unimplemented!()
    }

    /// Facts on the boot page.
    pub fn boot(&self) -> &Boot {
        unimplemented!()
    }

    /// Changes facts on the boot page (and BindingID in the file headers); durable when it returns.
    pub fn change_boot(&mut self, change: &mut dyn FnMut(&mut Boot)) -> Result<()> {
        unimplemented!()
    }

    /// The files with their present sizes.
    pub fn files(&self) -> Vec<DatabaseFile> {
        unimplemented!()
    }

    /// ADD FILE: `file_id` is given by the engine and returned.
    pub fn add_file(&mut self, file: DatabaseFile, at: Moment) -> Result<u16> {
        unimplemented!()
    }

    // ---- transactions ----

    pub fn begin(&mut self, at: Moment) -> Result<TransactionId> {
        unimplemented!()
    }

    /// Ends a transaction; its log is durable when this returns. The LSN is its commit record's.
    pub fn commit(&mut self, transaction: TransactionId, at: Moment) -> Result<Lsn> {
        unimplemented!()
    }

    pub fn rollback(&mut self, transaction: TransactionId, at: Moment) -> Result<()> {
        unimplemented!()
    }

    /// Where the transaction stands.
    pub fn mark(&self, transaction: TransactionId) -> Mark {
        unimplemented!()
    }

    /// Undoes what the transaction did since `mark`; it stays open.
    pub fn rollback_to(&mut self, transaction: TransactionId, mark: Mark) -> Result<()> {
        unimplemented!()
    }

    /// The LSN and the time of the oldest open transaction.
    pub fn oldest_transaction(&self) -> Option<(Lsn, Moment)> {
        unimplemented!()
    }

    // ---- tables ----

    pub fn tables(&self) -> Vec<TableFacts> {
        unimplemented!()
    }

    /// By schema and name, compared without regard to case.
    pub fn find_table(&self, schema: &str, name: &str) -> Option<TableFacts> {
        unimplemented!()
    }

    pub fn create_table(&mut self, transaction: TransactionId, table: &TableDefinition) -> Result<TableId> {
        unimplemented!()
    }

    pub fn drop_table(&mut self, transaction: TransactionId, table: TableId) -> Result<()> {
        unimplemented!()
    }

    /// The row has one value a column, already converted to the column's type.
    pub fn insert(&mut self, transaction: TransactionId, table: TableId, row: &[Value]) -> Result<RowId> {
        unimplemented!()
    }

    /// The row may move; its new place is returned.
    pub fn update(
        &mut self,
        transaction: TransactionId,
        table: TableId,
        place: RowId,
        row: &[Value],
    ) -> Result<RowId> {
        unimplemented!()
    }

    pub fn delete(&mut self, transaction: TransactionId, table: TableId, place: RowId) -> Result<()> {
        unimplemented!()
    }

    /// Calls `visit` for each row in the order of its pages until it breaks.
    pub fn scan(
        &mut self,
        table: TableId,
        visit: &mut dyn FnMut(RowId, Vec<Value>) -> ControlFlow<()>,
    ) -> Result<()> {
        unimplemented!()
    }

    /// What DBCC CHECKDB finds: each damage as text of its message (8928, 8939, 8946 and so on), over all pages of all data files, and
    /// the sums (8990, 8989). Messages print the database's name and id, which the caller knows.
    pub fn check(&mut self, database: &str, database_id: i32) -> Vec<crate::message::Message> {
        unimplemented!()
    }

    /// Pages of a file: allocated, and changed since the differential base (`sys.dm_db_file_space_usage`).
    pub fn space(&mut self, file_id: u16) -> Result<(u64, u64)> {
        unimplemented!()
    }

    // ---- log ----

    /// Writes all changed pages and a checkpoint record; truncates the log where the recovery model lets it. Gives the checkpoint's LSN.
    pub fn checkpoint(&mut self, at: Moment) -> Result<Lsn> {
        unimplemented!()
    }

    pub fn log_facts(&self) -> LogFacts {
        unimplemented!()
    }

    // ---- backup ----

    /// Checkpoint, extents, and the pins described at [`DataBackup`].
    pub fn begin_data_backup(&mut self, kind: DataKind, at: Moment) -> Result<DataBackup> {
        unimplemented!()
    }

    /// Appends `count` consecutive extents as they are now to `out`. With `verify` pages are checked as BACKUP WITH CHECKSUM does; a damaged one
    /// is an error ([`EngineError::Page`]), after which the same call without `verify` gives the bytes as they are.
    pub fn read_extents(
        &mut self,
        file_id: u16,
        first: u32,
        count: u32,
        verify: bool,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        unimplemented!()
    }

    /// Closes the current log block, makes the log durable and tells where it ends: the (exclusive) LastLSN of a backup, slot 1 of the next block.
    pub fn close_log(&mut self, at: Moment) -> Result<Lsn> {
        unimplemented!()
    }

    /// The log from `first` to `end` in pieces, one a virtual log file, ascending; each starts and ends at a block's bounds.
    pub fn log_pieces(&self, first: Lsn, end: Lsn) -> Vec<LogPiece> {
        unimplemented!()
    }

    /// Appends `length` bytes of a piece from `offset` (bytes in the log file) on.
    pub fn read_log(&mut self, offset: u64, length: usize, out: &mut Vec<u8>) -> Result<()> {
        unimplemented!()
    }

    /// Ends a data backup. With `success` a full one becomes the differential base with `guid`, and the log chain begins where there was none.
    pub fn end_data_backup(&mut self, backup: &DataBackup, success: Option<Uuid>, at: Moment) -> Result<()> {
        unimplemented!()
    }

    /// Keeps the log from `from` on for a log backup under way; `None` lets it go.
    pub fn pin_log(&mut self, from: Option<Lsn>) {
        unimplemented!()
    }

    /// A log backup up to `end` succeeded: `last_log_backup_lsn` moves there and the log is truncated.
    pub fn end_log_backup(&mut self, end: Lsn, at: Moment) -> Result<()> {
        unimplemented!()
    }

    // ---- restore ----

    /// Makes empty files for a restore (existing ones are replaced); the boot page comes with the backup's pages.
    pub fn begin_restore(world: &World, files: Vec<DatabaseFile>) -> Result<Self> {
        unimplemented!()
    }

    /// Writes an extent as the backup holds it.
    pub fn restore_extent(&mut self, file_id: u16, extent: u32, pages: &[u8]) -> Result<()> {
        unimplemented!()
    }

    /// All extents of a set have come: reads the boot page, makes the pages durable.
    pub fn end_restore_pages(&mut self) -> Result<()> {
        unimplemented!()
    }

    /// Takes whole log blocks of a backup: `segment` as the backup describes it, `start` the byte of the log file where they begin. What
    /// is there already is passed over.
    pub fn restore_log(
        &mut self,
        segment: &bak::writer::LogSegment,
        start: u64,
        blocks: &[u8],
    ) -> Result<()> {
        unimplemented!()
    }

    /// Redoes the restored log from where the pages stand.
    pub fn redo(&mut self, stop: Stop) -> Result<Redone> {
        unimplemented!()
    }

    /// RECOVERY: undoes what did not commit, cuts off log beyond the stop, and opens the database for changes under a new fork
    /// (`fork`), beginning at the end of what was redone.
    pub fn recover(&mut self, fork: Uuid, at: Moment) -> Result<()> {
        unimplemented!()
    }

    /// STANDBY: undoes what did not commit and puts what that changed aside into a file, so that [`Engine::leave_standby`] brings it back
    /// before further log is restored. The database can be read meanwhile.
    pub fn enter_standby(&mut self, undo_file: &str) -> Result<()> {
        unimplemented!()
    }

    pub fn leave_standby(&mut self) -> Result<()> {
        unimplemented!()
    }
}
