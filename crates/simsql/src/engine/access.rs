//! How rows and allocation reach pages: every change is logged and undone with its transaction, without either knowing of log or
//! pool.

use super::pages::{Page, PageId};
use super::{DatabaseFile, Result};

/// Pages of one database to be read: all that a scan needs.
pub trait PageRead {
    /// A page as it is now.
    ///
    /// # Errors
    /// Where it cannot be read or is damaged.
    fn read(&mut self, page: PageId) -> Result<&Page>;

    /// The database's files with their present sizes.
    fn files(&self) -> Vec<DatabaseFile>;
}

/// Pages of one database within a transaction.
///
/// A change is redone by its bytes when the log is replayed and undone by the bytes it replaced, so that nothing but the
/// transaction's own changes may overlap with them until it ends: rows of a table under its write lock are such bytes, shared
/// allocation maps are not; those change between [`PageAccess::begin_system`] and [`PageAccess::end_system`], which are never
/// undone. The page's LSN, its checksum and the differential bitmap are not the caller's business.
pub trait PageAccess: PageRead {
    /// Replaces bytes of a page; not those of its LSN (40..50) and checksum (60..64), nor flag bits 4..6.
    ///
    /// # Errors
    /// Where the page cannot be read or the log is full.
    fn write(&mut self, page: PageId, offset: usize, bytes: &[u8]) -> Result<()>;

    /// Makes a page anew, whatever was there. Not undone.
    ///
    /// # Errors
    /// Where the log is full.
    fn format(&mut self, page: PageId, content: &Page) -> Result<()>;

    /// Changes from here on stay, even if the transaction is rolled back. Calls nest.
    fn begin_system(&mut self);

    /// Ends that.
    fn end_system(&mut self);

    /// Grows a data file by its growth, in whole extents; the new pages are zero. Gives its new size in pages.
    ///
    /// # Errors
    /// [`super::EngineError::DataFull`] where it may not grow, or the disk's error.
    fn grow(&mut self, file_id: u16) -> Result<u32>;
}
