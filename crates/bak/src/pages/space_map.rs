//! Which pages are in use, from the PFS (page free space) pages of the stream: page 1 of each file and every 8,088th, one byte a page
//! from byte 100 on, bit 0x40 set where the page is allocated.
//!
//! A page that its PFS page calls allocated has been formatted: in the real backups no exception among 7,313 allocated and 797
//! unformatted pages. That is what tells an extent lost to zeros from one that was never used. It holds only for what was allocated
//! before the backup's checkpoint, which wrote all pages to disk; later the PFS page may get there before the pages it speaks of. So a
//! map is believed only where its own LSN is not behind that checkpoint (as in 51 of 51 real ones).

use std::collections::BTreeMap;

use super::page::PageId;
use crate::bytes::lsn_at;
use crate::checksum::PAGE;
use crate::limits::SPACE_MAPS;
use crate::lsn::Lsn;

const INTERVAL: u32 = 8088;
const FIRST_BYTE: usize = 100;
const ALLOCATED: u8 = 0x40;
const TYPE_PFS: u8 = 11;
/// Offset in the page header of the LSN of its last change.
const PAGE_LSN: usize = 40;

/// The latest map of each file.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpaceMaps {
    /// By file: the interval's number, and its bytes.
    maps: BTreeMap<u16, (u32, Vec<u8>)>,
    checkpoint: Lsn,
}

impl SpaceMaps {
    /// For a set with this CheckpointLSN.
    pub(crate) fn new(checkpoint: Lsn) -> Self {
        Self {
            checkpoint,
            ..Self::default()
        }
    }

    /// Remembers `page` where it is a PFS page in its place.
    pub(crate) fn learn(&mut self, id: PageId, page_type: u8, page: &[u8; PAGE]) {
        let in_place = id.page == 1 || (id.page != 0 && id.page.is_multiple_of(INTERVAL));
        if page_type != TYPE_PFS || !in_place {
            return;
        }
        if self.maps.len() >= SPACE_MAPS && !self.maps.contains_key(&id.file) {
            self.maps.pop_first();
        }
        if lsn_at(page, PAGE_LSN) > self.checkpoint {
            self.maps.remove(&id.file);
            return;
        }
        let bytes = &page[FIRST_BYTE..FIRST_BYTE + INTERVAL as usize];
        let map = self.maps.entry(id.file).or_default();
        map.0 = id.page / INTERVAL;
        map.1.clear();
        map.1.extend_from_slice(bytes);
    }

    /// Whether the page is in use; `false` also where no map tells.
    pub(crate) fn is_allocated(&self, id: PageId) -> bool {
        match self.maps.get(&id.file) {
            Some((interval, bytes)) if *interval == id.page / INTERVAL => bytes
                .get((id.page % INTERVAL) as usize)
                .is_some_and(|byte| byte & ALLOCATED != 0),
            _ => false,
        }
    }

    /// Forgets all maps.
    pub(crate) fn clear(&mut self) {
        self.maps.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{ALLOCATED, FIRST_BYTE, Lsn, PAGE, PAGE_LSN, PageId, SpaceMaps, TYPE_PFS};

    const CHECKPOINT: Lsn = Lsn {
        vlf: 37,
        block: 430,
        slot: 37,
    };

    fn map(lsn: Lsn) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        page[PAGE_LSN..PAGE_LSN + Lsn::SIZE].copy_from_slice(&lsn.to_bytes());
        page[FIRST_BYTE + 20] = ALLOCATED;
        page
    }

    #[test]
    fn a_map_is_believed_up_to_the_checkpoint() {
        let (id, used, free) = (
            PageId { file: 1, page: 1 },
            PageId { file: 1, page: 20 },
            PageId { file: 1, page: 21 },
        );
        let mut maps = SpaceMaps::new(CHECKPOINT);
        maps.learn(id, TYPE_PFS, &map(CHECKPOINT));
        assert!(maps.is_allocated(used) && !maps.is_allocated(free));
        assert!(
            !maps.is_allocated(PageId {
                file: 1,
                page: 8088 + 20
            }) && !maps.is_allocated(PageId { file: 2, page: 20 })
        );
        // A later change may have reached the disk before the pages it speaks of.
        maps.learn(
            id,
            TYPE_PFS,
            &map(Lsn {
                slot: 38,
                ..CHECKPOINT
            }),
        );
        assert!(!maps.is_allocated(used));
    }
}
