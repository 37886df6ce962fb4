//! One data file: whole pages at their places, checked when they are read and protected when they are written.
//!
//! A page says itself how it is protected (flags 0x200 checksum, 0x100 torn-page bits), so that a database which changed its
//! option, or came from an older server, is read page by page as it is. Pages that were never formatted are no damage where only
//! the file is looked at: an extent that is in use carries zeros or stale bytes in its unused pages.

use std::sync::Arc;

use bak::checksum::{PAGE, SECTOR, page_sum};
use bak::writer::page::{self, Protection};

use super::pages::{EXTENT, Page, PageId};
use super::{EngineError, Result};
use crate::world::{DiskFile, OsError};

const FLAG_TORN: u16 = 0x100;
const FLAG_CHECKSUM: u16 = 0x200;

/// A data file that is open.
#[derive(Clone)]
pub(crate) struct DataFile {
    file: Arc<dyn DiskFile>,
    path: String,
    file_id: u16,
}

impl DataFile {
    /// An open file of a database; nothing is read yet.
    pub(crate) fn new(file: Arc<dyn DiskFile>, path: String, file_id: u16) -> Self {
        Self { file, path, file_id }
    }

    /// Its id within the database.
    pub(crate) fn id(&self) -> u16 {
        self.file_id
    }

    /// Its path, for errors.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its size in whole pages.
    pub(crate) fn pages(&self) -> Result<u32> {
        let bytes = self.file.len().map_err(|error| self.refused(error))?;
        Ok(u32::try_from(bytes / PAGE as u64).unwrap_or(u32::MAX))
    }

    /// Sets its size in pages; new pages are zero.
    pub(crate) fn set_pages(&self, pages: u32) -> Result<()> {
        self.file
            .set_len(offset(pages))
            .map_err(|error| self.refused(error))
    }

    /// Makes what was written survive a loss of power.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync().map_err(|error| self.refused(error))
    }

    /// A page that is in use, checked ([`verify_in_use`]), with the bits that torn-page detection had moved away back in their
    /// places.
    pub(crate) fn read_page(&self, number: u32) -> Result<Box<Page>> {
        let mut content = Box::new([0; PAGE]);
        self.file
            .read_at(offset(number), &mut content[..])
            .map_err(|error| self.refused(error))?;
        verify_in_use(&content, self.page_id(number)).map_err(|detail| self.damaged(number, detail))?;
        mend(&mut content);
        Ok(content)
    }

    /// Appends pages as they stand in the file. With `verify` each is checked ([`verify_as_found`]); the first damaged one is the
    /// error, and `out` is as it was.
    pub(crate) fn read_run(&self, first: u32, count: u32, verify: bool, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        out.resize(start + count as usize * PAGE, 0);
        let read = self.file.read_at(offset(first), &mut out[start..]);
        let outcome = read.map_err(|error| self.refused(error)).and_then(|()| {
            if verify {
                self.verify_run(first, &out[start..])
            } else {
                Ok(())
            }
        });
        if outcome.is_err() {
            out.truncate(start);
        }
        outcome
    }

    /// The same for whole extents.
    pub(crate) fn read_extents(&self, first: u32, count: u32, verify: bool, out: &mut Vec<u8>) -> Result<()> {
        self.read_run(first * EXTENT, count * EXTENT, verify, out)
    }

    fn verify_run(&self, first: u32, bytes: &[u8]) -> Result<()> {
        for (number, content) in (first..).zip(bytes.as_chunks::<PAGE>().0) {
            verify_as_found(content, self.page_id(number)).map_err(|detail| self.damaged(number, detail))?;
        }
        Ok(())
    }

    /// Writes a page under the protection given; `content` itself stays without it.
    pub(crate) fn write_page(&self, number: u32, content: &Page, protection: Protection) -> Result<()> {
        let mut protected = *content;
        page::protect(&mut protected, protection);
        self.write_as_is(number, &protected)
    }

    /// Writes whole pages as they are: those of a backup.
    pub(crate) fn write_as_is(&self, first: u32, pages: &[u8]) -> Result<()> {
        debug_assert!(pages.len().is_multiple_of(PAGE), "pages are whole");
        self.file
            .write_at(offset(first), pages)
            .map_err(|error| self.refused(error))
    }

    fn page_id(&self, number: u32) -> PageId {
        PageId {
            file: self.file_id,
            page: number,
        }
    }

    fn refused(&self, error: OsError) -> EngineError {
        EngineError::Disk {
            path: self.path.clone(),
            error,
        }
    }

    fn damaged(&self, number: u32, detail: String) -> EngineError {
        EngineError::Page {
            path: self.path.clone(),
            page: self.page_id(number),
            detail,
        }
    }
}

fn offset(page: u32) -> u64 {
    u64::from(page) * PAGE as u64
}

/// Checks a page that must have been formatted: identity, then checksum or torn-page bits. A page of zeros only is one that was
/// allocated and not written before a loss of power, which is for recovery to make good. The error is the detail of message 824.
pub(crate) fn verify_in_use(content: &Page, id: PageId) -> std::result::Result<(), String> {
    if content.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    let found = own_id(content);
    if content[0] != 1 || found != id {
        return Err(format!(
            "incorrect pageid (expected {}:{}; actual {}:{})",
            id.file, id.page, found.file, found.page
        ));
    }
    verify_protection(content)
}

/// Checks a page of which nobody knows whether it was ever formatted, as BACKUP WITH CHECKSUM does: one that does not say that it
/// is the page of its place is passed over, unless a single flipped bit is all that is wrong with it.
pub(crate) fn verify_as_found(content: &Page, id: PageId) -> std::result::Result<(), String> {
    if content[0] == 1 && own_id(content) == id {
        return verify_protection(content);
    }
    // The checksum is linear over XOR: one flipped bit in the page is one bit of difference.
    let looks_like_one_bit = (stored_sum(content) ^ page_sum(content)).count_ones() == 1;
    if looks_like_one_bit {
        verify_in_use(content, id)
    } else {
        Ok(())
    }
}

fn verify_protection(content: &Page) -> std::result::Result<(), String> {
    let flags = flags(content);
    let stored = stored_sum(content);
    if flags & FLAG_CHECKSUM != 0 {
        let computed = page_sum(content);
        if computed != stored {
            return Err(format!(
                "incorrect checksum (expected: 0x{stored:08x}; actual: 0x{computed:08x})"
            ));
        }
    } else if flags & FLAG_TORN != 0 {
        let (actual, expected) = (signature(content), (stored & 3) * 0x5555_5555);
        if actual != expected {
            return Err(format!(
                "torn page (expected signature: 0x{expected:08x}; actual signature: 0x{actual:08x})"
            ));
        }
    }
    Ok(())
}

/// The last two bits of each sector, two bits a sector; those of the first, which has none, as in the stored field.
fn signature(content: &Page) -> u32 {
    let sectors = content.as_chunks::<SECTOR>().0.iter().enumerate().skip(1);
    sectors.fold(stored_sum(content) & 3, |all, (sector, bytes)| {
        all | u32::from(bytes[SECTOR - 1] & 3) << (2 * sector)
    })
}

/// Puts the bits back that torn-page detection replaced, and forgets the protection: in memory a page has none.
pub(crate) fn mend(content: &mut Page) {
    if flags(content) & (FLAG_TORN | FLAG_CHECKSUM) == FLAG_TORN {
        let stored = stored_sum(content);
        for sector in 1..PAGE / SECTOR {
            let last = &mut content[(sector + 1) * SECTOR - 1];
            *last = *last & !3 | (stored >> (2 * sector) & 3) as u8;
        }
    }
    let bare = flags(content) & !(FLAG_TORN | FLAG_CHECKSUM);
    content[4..6].copy_from_slice(&bare.to_le_bytes());
    content[60..64].fill(0);
}

fn flags(content: &Page) -> u16 {
    u16::from_le_bytes([content[4], content[5]])
}

fn stored_sum(content: &Page) -> u32 {
    u32::from_le_bytes([content[60], content[61], content[62], content[63]])
}

/// The id that a page says it has.
pub(crate) fn own_id(content: &Page) -> PageId {
    PageId {
        page: u32::from_le_bytes([content[32], content[33], content[34], content[35]]),
        file: u16::from_le_bytes([content[36], content[37]]),
    }
}
