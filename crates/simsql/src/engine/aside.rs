//! Pages written aside before they are written to their places, so that a loss of power in the midst of a page leaves one whole
//! copy of it.
//!
//! A page is sixteen sectors, and the power may go between any two of them. Log records tell only the bytes that changed; they
//! cannot mend a page of which half is old. So a batch of pages goes to a file beside the database first, is made durable there,
//! and only then goes to its places; these are durable before the next batch overwrites the file. When the database is opened, a
//! page whose place holds something older than its copy, or as old, gets the copy: the header sector with the page's LSN is
//! written whole or not at all.
//!
//! The file has a header of whole sectors (what the batch holds, with a checksum of each page and of itself) and the pages. A
//! header or a page that does not agree with its checksum was never finished, and then nothing was written to that place. A real
//! server has no such file (it finds torn pages and leaves them to a restore); it goes when the database is closed.

use std::sync::Arc;

use bak::Lsn;
use bak::checksum::{SECTOR, sector_sum};

use super::pages::{PAGE, Page, PageId};
use super::{EngineError, Result};
use crate::world::{Disk, DiskFile, Kind, Open, OsError};

/// Pages of a batch.
pub(super) const BATCH: usize = 128;
/// Bytes before the pages: "bac2" and a version, a count, then 10 bytes a page, and the sum in the last four.
const HEADER: usize = 3 * SECTOR;
const MAGIC: &[u8; 8] = b"ASIDE\0\0\x01";
const ENTRY: usize = 10;

/// The path of the file for a database whose primary data file is at `primary`.
pub(crate) fn path(primary: &str) -> String {
    format!("{primary}.aside")
}

/// The file.
pub(super) struct Aside {
    disk: Arc<dyn Disk>,
    path: String,
    /// Made when the first batch comes.
    file: Option<Arc<dyn DiskFile>>,
}

impl Aside {
    pub(super) fn new(disk: Arc<dyn Disk>, primary: &str) -> Self {
        Self {
            disk,
            path: path(primary),
            file: None,
        }
    }

    fn refused(&self, error: OsError) -> EngineError {
        EngineError::Disk {
            path: self.path.clone(),
            error,
        }
    }

    fn file(&mut self) -> Result<Arc<dyn DiskFile>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let opened = self.disk.open(&self.path, Open::Replace);
        let file = opened.map_err(|error| self.refused(error))?;
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Makes copies of at most [`BATCH`] pages durable. The pages of the batch before must be durable in their places.
    pub(super) fn put(&mut self, pages: &[(PageId, Box<Page>)]) -> Result<()> {
        assert!(pages.len() <= BATCH, "a batch fits its header");
        let mut bytes = vec![0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&(pages.len() as u32).to_le_bytes());
        for (index, (id, page)) in pages.iter().enumerate() {
            let entry = &mut bytes[16 + index * ENTRY..][..ENTRY];
            entry[..2].copy_from_slice(&id.file.to_le_bytes());
            entry[2..6].copy_from_slice(&id.page.to_le_bytes());
            entry[6..].copy_from_slice(&sector_sum(&page[..]).to_le_bytes());
        }
        let sum = sector_sum(&bytes);
        bytes[HEADER - 4..].copy_from_slice(&sum.to_le_bytes());
        for (_, page) in pages {
            bytes.extend_from_slice(&page[..]);
        }
        let file = self.file()?;
        file.write_at(0, &bytes)
            .and_then(|()| file.sync())
            .map_err(|error| self.refused(error))
    }

    /// The whole pages of the batch that a lost process left, none where it left nothing.
    pub(super) fn left_behind(&self) -> Result<Vec<(PageId, Box<Page>)>> {
        if self.disk.look(&self.path) != Some(Kind::File) {
            return Ok(Vec::new());
        }
        let file = self
            .disk
            .open(&self.path, Open::Read)
            .map_err(|error| self.refused(error))?;
        let length = file.len().map_err(|error| self.refused(error))?;
        let mut header = vec![0; HEADER];
        if length < HEADER as u64 || file.read_at(0, &mut header).is_err() {
            return Ok(Vec::new());
        }
        Ok(entries(&mut header)
            .into_iter()
            .enumerate()
            .filter_map(|(index, (id, sum))| {
                let mut page = Box::new([0; PAGE]);
                let at = (HEADER + index * PAGE) as u64;
                file.read_at(at, &mut page[..]).ok()?;
                (sector_sum(&page[..]) == sum).then_some((id, page))
            })
            .collect())
    }

    /// Removes the file; every page must be durable in its place.
    pub(super) fn remove(&mut self) -> Result<()> {
        self.file = None;
        if self.disk.look(&self.path) == Some(Kind::File) {
            self.disk
                .remove(&self.path)
                .map_err(|error| self.refused(error))?;
        }
        Ok(())
    }
}

/// The entries of a header that agrees with its sum.
fn entries(header: &mut [u8]) -> Vec<(PageId, u32)> {
    let stored = word(header, HEADER - 4);
    header[HEADER - 4..].fill(0);
    let count = word(header, 8) as usize;
    if header[..8] != *MAGIC || sector_sum(header) != stored || count > BATCH {
        return Vec::new();
    }
    (0..count)
        .map(|index| {
            let at = 16 + index * ENTRY;
            let id = PageId {
                file: u16::from_le_bytes([header[at], header[at + 1]]),
                page: word(header, at + 2),
            };
            (id, word(header, at + 6))
        })
        .collect()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The LSN in a page's header.
pub(super) fn lsn_of(page: &[u8]) -> Lsn {
    let mut bytes = [0; Lsn::SIZE];
    bytes.copy_from_slice(&page[40..50]);
    Lsn::from_bytes(bytes)
}

/// Sets it.
pub(super) fn set_lsn(page: &mut Page, lsn: Lsn) {
    page[40..50].copy_from_slice(&lsn.to_bytes());
}
