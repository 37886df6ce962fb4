//! Which extents and pages are in use: GAM, PFS and IAM pages, and the maps of changed extents.
//!
//! Extents are uniform: each belongs to one table, so that SGAM pages are empty. A data file holds at most one GAM interval. A table has
//! one IAM page a file, the first page of its first extent there. All of this changes between `begin_system` and `end_system`: it stays
//! when the transaction is rolled back, an extent given to a table stays with it.

use super::Result;
use super::access::PageRead;
use super::pages::{Page, PageId};
use crate::engine::file_header::FileHeader;

/// Pages of the largest data file: one GAM interval.
pub(crate) const MOST_PAGES: u32 = 511_232;

/// What is remembered of the files' free space, so that no map is searched twice. Nothing of it must be right: maps decide.
#[derive(Debug, Default)]
pub(crate) struct Space {}

/// The fixed pages of a new data file: number and content, without LSN and protection. Everything that is not among them is zero. File 1 has
/// the boot page's place allocated; its content is the caller's.
#[allow(clippy::unimplemented, unused_variables, dead_code)]
pub(crate) fn new_file(header: &FileHeader) -> Vec<(u32, Box<Page>)> {
    unimplemented!()
}

/// The GAM page of an extent of a file.
#[allow(clippy::unimplemented, unused_variables, dead_code)]
pub(crate) fn gam_page(file: u16, extent: u32) -> PageId {
    unimplemented!()
}

/// The DCM page of an extent of a file.
#[allow(clippy::unimplemented, unused_variables, dead_code)]
pub(crate) fn dcm_page(file: u16, extent: u32) -> PageId {
    unimplemented!()
}

/// The byte and the bit of an extent on its GAM, DCM, BCM or IAM page; the page itself tells where its bitmap begins. `None` where it is no such page.
#[allow(clippy::unimplemented, unused_variables, dead_code)]
pub(crate) fn bit_of(map: &Page, extent: u32) -> Option<(usize, u8)> {
    unimplemented!()
}

/// Extents whose bit on a map is `set`, of the first `extents` of its interval, ascending, counted from the interval's start.
#[allow(clippy::unimplemented, unused_variables, dead_code)]
pub(crate) fn extents_of(map: &Page, set: bool, extents: u32) -> Vec<u32> {
    unimplemented!()
}

/// Extents of a data file that are allocated, ascending: what a full backup sends. `size` in pages.
#[allow(clippy::unimplemented, unused_variables, dead_code)]
pub(crate) fn allocated(pages: &mut dyn PageRead, file: u16, size: u32) -> Result<Vec<u32>> {
    unimplemented!()
}

/// Extents of a data file that changed since the differential base, ascending; extent 0 is always among them: what a differential backup sends.
#[allow(clippy::unimplemented, unused_variables, dead_code)]
pub(crate) fn changed(pages: &mut dyn PageRead, file: u16, size: u32) -> Result<Vec<u32>> {
    unimplemented!()
}

/// A DCM page with no extent marked but the first, in the place of `old`.
#[allow(clippy::unimplemented, unused_variables, dead_code)]
pub(crate) fn cleared_dcm(old: &Page) -> Box<Page> {
    unimplemented!()
}
