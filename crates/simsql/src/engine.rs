//! The engine behind one database: 8 KiB pages in data files, tables as rows on pages, and a write-ahead log in virtual log files.
//!
//! Synchronous and single-threaded: whoever holds the [`Engine`] (one at a time, behind the database's mutex) calls; nothing here
//! waits, and the only thing outside is the [`Disk`](crate::world::Disk). Long work (backup, restore) is cut into calls of
//! bounded size by its callers, so that others get their turn between them.
//!
//! Invariants: no changed page reaches its file before the log record of the change is durable; a commit returns after its log is
//! durable; each page in a file has its identity and a checksum (by the database's page verify option); an extent is in the GAM
//! or it is free.
//!
//! The layers, lowest first: pages in data files, `log` records in blocks, pages in memory under the write-ahead rule, `access`
//! how the rest reaches them, allocation, rows of a table, which tables there are, then the deeds here.

use bak::Lsn;
use uuid::Uuid;

use crate::moment::Moment;
use crate::world::OsError;

pub mod access;
mod aside;
mod backup;
pub mod boot;
pub(crate) mod boot_page;
pub(crate) mod catalog;
mod change;
pub(crate) mod check;
mod checkpoint;
mod core;
mod create;
pub(crate) mod data_file;
mod differential;
pub(crate) mod file_header;
mod files;
pub(crate) mod heap;
pub(crate) mod log;
mod log_file;
mod open;
pub mod pages;
mod pool;
mod record;
mod recovery;
mod redo;
mod restore;
pub(crate) mod row;
mod rows;
mod section;
pub(crate) mod space;
mod standby;
pub mod table;
pub(crate) mod tables;
#[cfg(test)]
pub(crate) mod test_pages;
mod transaction;

pub use boot::{Boot, RecoveryModel, RestoredData};
pub use check::Checking;
pub use log_file::VirtualLogFile;
pub use open::side_files;
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

/// An open database. Its deeds are in the modules that each stand for one part of them: `create`, `open`, `transaction`, `rows`,
/// `checkpoint`, `backup`, `restore`, `standby`.
pub struct Engine {
    core: core::Core,
    tables: tables::Tables,
}
