//! Which extents changed since the differential base: bits of the DCM pages, gathered in memory.
//!
//! The bits are not logged. They reach their pages at every checkpoint, before the checkpoint's record, so that what a crash
//! loses are at most bits of changes that are in the log behind it; redo sets those again for every record it sees, also where
//! the page itself already has the change (the page may have reached its file before the power went, its bit had not). A bit too
//! many costs a differential backup an extent, one too few would cost its restore a page.

use std::collections::BTreeSet;

use super::Result;
use super::core::Core;
use super::pages::{EXTENT, PageId};
use super::space::{bit_of, cleared_dcm, dcm_page};

/// An extent: file and first page / 8.
type Extent = (u16, u32);

/// Extents that changed.
#[derive(Default)]
pub(super) struct Differential {
    /// Their bits are on the DCM pages in memory.
    noted: BTreeSet<Extent>,
    /// Their bits are not.
    fresh: BTreeSet<Extent>,
    /// Those that changed since the checkpoint of the data backup under way.
    since_backup: Option<BTreeSet<Extent>>,
}

impl Differential {
    /// The extent of a page changed.
    pub(super) fn mark(&mut self, page: PageId) {
        let extent = (page.file, page.page / EXTENT);
        if let Some(since) = &mut self.since_backup {
            since.insert(extent);
        }
        if !self.noted.contains(&extent) {
            self.fresh.insert(extent);
        }
    }

    /// What changed since the data backup under way began.
    pub(super) fn since_backup(&self) -> impl Iterator<Item = Extent> {
        self.since_backup.iter().flatten().copied()
    }

    /// A data backup begins or ends: what changes from here on is noted apart.
    pub(super) fn note_apart(&mut self, apart: bool) {
        self.since_backup = apart.then(BTreeSet::new);
    }
}

impl Core {
    /// Brings the DCM pages in memory up to date.
    pub(super) fn note_differential(&mut self) -> Result<()> {
        while let Some((file, extent)) = self.differential.fresh.first().copied() {
            let frame = self.fetch(dcm_page(file, extent))?;
            if let Some((byte, bit)) = bit_of(&frame.page, extent)
                && frame.page[byte] & bit == 0
            {
                frame.page[byte] |= bit;
                frame.is_dirty = true;
            }
            self.differential.fresh.remove(&(file, extent));
            self.differential.noted.insert((file, extent));
        }
        Ok(())
    }

    /// A new differential base: no extent is marked but those that changed since the base's checkpoint. The boot page must name
    /// the base already: should the power go in between, too many bits are set and not too few.
    pub(super) fn clear_differential(&mut self) -> Result<()> {
        self.note_differential()?;
        for (file, size) in self.files.sizes() {
            if size <= dcm_page(file, 0).page {
                continue;
            }
            let frame = self.fetch(dcm_page(file, 0))?;
            frame.page = cleared_dcm(&frame.page);
            frame.is_dirty = true;
        }
        let since = self.differential.since_backup.take().unwrap_or_default();
        self.differential.noted.clear();
        self.differential.fresh = since;
        self.note_differential()
    }
}
