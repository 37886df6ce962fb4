//! The boot page, (1:9): [`Boot`] in bytes, at the offsets where SQL Server has it as far as they are known, the rest in a block of our own.

use super::boot::Boot;
use super::pages::{Page, PageId};

/// Where it is.
pub(crate) const BOOT_PAGE: PageId = PageId { file: 1, page: 9 };

/// What the boot page holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BootPage {
    /// Facts of the database.
    pub(crate) boot: Boot,
    /// First IAM page of the simulation's catalog; `None` for a database that a real server made.
    pub(crate) catalog_iam: Option<PageId>,
}

#[allow(clippy::unimplemented, unused_variables, dead_code)]
impl BootPage {
    /// Writes itself onto the boot page. What is there and is not ours to know stays; a page of zeros is formatted. LSN and protection of the page are
    /// the caller's.
    pub(crate) fn encode(&self, page: &mut Page) {
        unimplemented!()
    }

    /// Reads a boot page, ours or a real one's; `None` where it is none.
    pub(crate) fn decode(page: &Page) -> Option<Self> {
        unimplemented!()
    }
}
