//! Which extents a pass sends, from the maps in the stream itself: the GAM page (allocated extents, bit 0) for a full backup, the DCM
//! page (changed extents, bit 1) for a differential one. In all 46 real single-family backups the first pass sends exactly these.
//!
//! It names extents that do not name themselves, so that an extent lost to zeros is known by its place.

use std::collections::BTreeMap;

use super::page::PageId;
use crate::bytes::u16_at;
use crate::checksum::PAGE;
use crate::limits::SPACE_MAPS;

/// Pages between two GAM (or DCM) pages.
const INTERVAL: u32 = 511_232;
/// GAM is page 2 of a file, then the first page of each interval; DCM is the seventh page of each.
const FIRST_GAM: u32 = 2;
const DCM: u32 = 6;
const TYPE_GAM: u8 = 8;
const TYPE_DCM: u8 = 16;
/// Where the slot array says the second record of the page begins: the bitmap behind four bytes of record header.
const SECOND_SLOT: usize = PAGE - 4;
const RECORD_HEADER: usize = 4;
const BITMAP: usize = INTERVAL as usize / 8 / 8;

/// The latest map of each file.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExtentMaps {
    differential: bool,
    /// By file: the interval's number, and a bit for each of its extents, set where it is sent.
    maps: BTreeMap<u16, (u32, Vec<u8>)>,
}

impl ExtentMaps {
    pub(crate) fn new(differential: bool) -> Self {
        Self {
            differential,
            ..Self::default()
        }
    }

    /// Remembers `page` where it is the map of its interval.
    pub(crate) fn learn(&mut self, id: PageId, page_type: u8, page: &[u8; PAGE]) {
        let in_interval = id.page % INTERVAL;
        let is_map = if self.differential {
            page_type == TYPE_DCM && in_interval == DCM
        } else {
            page_type == TYPE_GAM && (id.page == FIRST_GAM || (id.page != 0 && in_interval == 0))
        };
        if !is_map {
            return;
        }
        let start = usize::from(u16_at(page, SECOND_SLOT)) + RECORD_HEADER;
        let Some(bits) = page.get(start..start + BITMAP) else {
            return;
        };
        if self.maps.len() >= SPACE_MAPS && !self.maps.contains_key(&id.file) {
            self.maps.pop_first();
        }
        let invert = if self.differential { 0 } else { 0xff };
        let map = self.maps.entry(id.file).or_default();
        map.0 = id.page / INTERVAL;
        map.1.clear();
        map.1.extend(bits.iter().map(|byte| byte ^ invert));
    }

    /// The first page of the next extent of `file` that is sent after the one that begins with `last`; `None` where no map tells.
    pub(crate) fn next_after(&self, file: u16, last: u32) -> Option<u32> {
        let (interval, bits) = self.maps.get(&file)?;
        let next = last.checked_add(8)? / 8;
        let base = interval * (INTERVAL / 8);
        let from = next.checked_sub(base)? as usize;
        let found = (from..BITMAP * 8).find(|bit| bits[bit / 8] >> (bit % 8) & 1 == 1)?;
        (base + found as u32).checked_mul(8)
    }

    /// Forgets all maps.
    pub(crate) fn clear(&mut self) {
        self.maps.clear();
    }
}
