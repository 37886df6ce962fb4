//! What can go wrong, sorted by what the caller can do about it.

use std::io;

use azblob::error::ErrorCode;

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The rules of the Blob service refuse it; the client is to be told so.
    #[error("{0}")]
    Protocol(ErrorCode),
    /// No space. Nothing was half done; the store goes on, and works again when there is space.
    #[error("the disk is full")]
    DiskFull,
    /// An earlier write or sync failed, so nothing is changed any more until the store is opened anew.
    #[error("the store is read-only: {why}")]
    ReadOnly {
        /// What failed, and where.
        why: String,
    },
    /// Bytes at rest are not what was written. Other blobs are not affected.
    #[error("damaged at rest: {what}")]
    Damaged {
        /// Which file and which part of it.
        what: String,
    },
    /// A block is no longer part of its blob: dropped or replaced in the meantime.
    #[error("the block is no longer part of the blob")]
    BlockIsGone,
    /// The caller asked for what no client can ask for, such as more bytes than announced.
    #[error("{0}")]
    Misuse(&'static str),
    /// Reading failed, in a way that says nothing about what is stored.
    #[error("input/output error on {path}")]
    Io {
        /// The file or directory.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl From<ErrorCode> for StoreError {
    fn from(code: ErrorCode) -> Self {
        Self::Protocol(code)
    }
}

/// Why a data directory was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody holds it.
    #[error(
        "{dir} is in use by another bac2 process{holder}; stop that one first, or use another --data directory"
    )]
    InUse {
        /// The data directory.
        dir: String,
        /// ` (process 123)`, or nothing where that is not known.
        holder: String,
    },
    /// Written by a later version of the program.
    #[error(
        "{dir} has format {found}, and this version of bac2 knows formats up to {known}; use the version that wrote it, or a newer one"
    )]
    NewerFormat {
        /// The data directory.
        dir: String,
        /// Its format.
        found: u64,
        /// The newest format known here.
        known: u64,
    },
    /// Not a data directory, or one whose record is damaged.
    #[error("{dir} is no bac2 data directory: {why}")]
    NotAStore {
        /// The data directory.
        dir: String,
        /// What is missing or unreadable.
        why: String,
    },
    /// The operating system refused.
    #[error("cannot open {path}")]
    Io {
        /// The file or directory.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}
