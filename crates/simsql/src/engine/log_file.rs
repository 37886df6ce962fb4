//! The log file as the catalog shows it: its virtual log files one by one.

use bak::Lsn;

use super::Engine;

/// A virtual log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualLogFile {
    /// Where it begins in the log file, in bytes.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Its sequence number; 0 for one never used.
    pub sequence: u32,
    /// Whether its log is still needed.
    pub is_active: bool,
    /// The number of its first block.
    pub first_block: u32,
}

impl Engine {
    /// All virtual log files, in the order of the file.
    #[must_use]
    pub fn log_files(&self) -> Vec<VirtualLogFile> {
        self.core.log.virtual_files()
    }

    /// Bytes of log between two LSNs of this log.
    #[must_use]
    pub fn log_between(&self, from: Lsn, to: Lsn) -> u64 {
        self.core.log.bytes_between(from, to)
    }
}
