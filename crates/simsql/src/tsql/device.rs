//! Backup devices as statements name them.

use super::statement::Word;

/// Where a backup goes to or comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceName {
    /// `DISK = '...'`; `NUL` discards.
    Disk(Word),
    /// `URL = '...'`.
    Url(Word),
    /// `TAPE = '...'`.
    Tape(Word),
    /// A logical device.
    Logical(String),
}
