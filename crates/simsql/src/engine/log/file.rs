//! The log file below its blocks: reads and writes whose errors name the path.

use std::sync::Arc;

use bak::Lsn;

use crate::engine::{EngineError, Result};
use crate::world::{DiskFile, OsError};

/// An open log file.
pub(super) struct LogFile {
    file: Arc<dyn DiskFile>,
    path: String,
}

impl LogFile {
    pub(super) fn new(file: Arc<dyn DiskFile>, path: String) -> Self {
        Self { file, path }
    }

    /// An operating system error on this file.
    pub(super) fn error(&self, error: OsError) -> EngineError {
        EngineError::Disk {
            path: self.path.clone(),
            error,
        }
    }

    /// Damage at `lsn`, with the path in its text.
    pub(super) fn damaged(&self, lsn: Lsn, detail: &str) -> EngineError {
        EngineError::Log {
            lsn,
            detail: format!("{detail} ({})", self.path),
        }
    }

    /// Reads exactly `bytes.len()` bytes.
    pub(super) fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.file
            .read_at(offset, bytes)
            .map_err(|error| self.error(error))
    }

    /// Writes; not durable until [`LogFile::sync`].
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> std::result::Result<(), OsError> {
        self.file.write_at(offset, bytes)
    }

    pub(super) fn sync(&self) -> std::result::Result<(), OsError> {
        self.file.sync()
    }

    pub(super) fn set_len(&self, length: u64) -> std::result::Result<(), OsError> {
        self.file.set_len(length)
    }

    /// Bytes.
    pub(super) fn len(&self) -> Result<u64> {
        self.file.len().map_err(|error| self.error(error))
    }
}
