//! Pages: their names and their bytes.

use std::fmt;

/// Bytes of a page.
pub use bak::checksum::PAGE;
/// Pages of an extent.
pub const EXTENT: u32 = 8;
/// A page's bytes.
pub type Page = bak::writer::page::Page;

/// A page by file and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId {
    /// File of the database.
    pub file: u16,
    /// Page within the file.
    pub page: u32,
}

impl fmt::Display for PageId {
    /// As messages print it: `(1:42)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}:{})", self.file, self.page)
    }
}
