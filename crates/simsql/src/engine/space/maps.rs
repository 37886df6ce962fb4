//! The maps at fixed places: their pages, bytes and bits.

use bak::writer::page::{self, BITMAP_BYTES, PageType};

use super::{identity, unfit};
use crate::engine::Result;
use crate::engine::access::PageRead;
use crate::engine::boot_page::BOOT_PAGE;
use crate::engine::file_header::FileHeader;
use crate::engine::pages::{EXTENT, PAGE, Page, PageId};

/// Extents that a GAM, SGAM, DCM, BCM or IAM page covers: a bit each.
pub(crate) const EXTENTS: u32 = BITMAP_BYTES as u32 * 8;
/// Pages that a PFS page covers: a byte each.
const PFS_INTERVAL: u32 = 8088;
/// Where the bytes of a PFS page begin: behind the 4 bytes of its record's header.
const PFS_BYTES_AT: usize = page::HEADER + 4;
/// Object that the fixed pages of real databases name as theirs.
const SYSTEM_OBJECT: u32 = 99;

/// The page is allocated.
pub(super) const ALLOCATED: u8 = 0x40;
/// It is an IAM page.
pub(super) const IAM: u8 = 0x10;
/// How full it is.
pub(super) const FULLNESS: u8 = 0x07;
/// A fixed page: allocated and full.
const FIXED: u8 = ALLOCATED | 4;

/// What a byte of a PFS page says, in the words of message 8906.
pub(crate) fn pfs_flags(byte: u8) -> String {
    let mut words = Vec::new();
    for (bit, word) in [(0x20, "MIXED_EXT"), (IAM, "IAM_PG"), (ALLOCATED, "ALLOCATED")] {
        if byte & bit != 0 {
            words.push(word.to_owned());
        }
    }
    let percent = [0, 50, 80, 95, 100].get(usize::from(byte & FULLNESS));
    words.push(format!("{:>3}_PCT_FULL", percent.copied().unwrap_or(100)));
    words.join(" ")
}

/// How full a page is, as PFS pages count: 0 empty, up to 50, 80, 95 and 100 percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fullness(pub(crate) u8);

impl Fullness {
    /// Over 95 percent.
    pub(crate) const FULL: Self = Self(4);

    /// Of a page with so many free bytes.
    pub(crate) fn of(free: usize) -> Self {
        let body = PAGE - page::HEADER;
        let used = body.saturating_sub(free) * 100;
        Self(match used.div_ceil(body) {
            0 => 0,
            1..=50 => 1,
            51..=80 => 2,
            81..=95 => 3,
            _ => 4,
        })
    }
}

/// The fixed pages of a new data file: number and content, without LSN and protection. Everything that is not among them is zero.
/// File 1 has the boot page's place allocated; its content is the caller's.
pub(crate) fn new_file(header: &FileHeader) -> Vec<(u32, Box<Page>)> {
    let (file, size) = (header.file_id, header.size);
    let mut first = Box::new([0; PAGE]);
    header.encode(&mut first);
    let bitmap = |number, page_type, bit: &dyn Fn(u32) -> bool| {
        let mut content = Box::new([0; PAGE]);
        let id = PageId { file, page: number };
        page::write_bitmap(&mut content, &identity(id, page_type, SYSTEM_OBJECT), bit);
        (number, content)
    };
    let in_use = |extent: u32| is_fixed(file, extent) && extent < size / EXTENT;
    let mut pages = vec![
        (0, first),
        (1, pfs_page(file, 1, size)),
        bitmap(2, PageType::Gam, &|extent| !in_use(extent)),
        bitmap(3, PageType::Sgam, &|_| false),
        bitmap(6, PageType::Dcm, &in_use),
        bitmap(7, PageType::Bcm, &|_| false),
    ];
    pages.extend(pfs_pages(EXTENT, size).map(|number| (number, pfs_page(file, number, size))));
    pages
}

/// Numbers of the PFS pages but the first, from page `old` on and before `new`.
pub(super) fn pfs_pages(old: u32, new: u32) -> impl Iterator<Item = u32> {
    let first = old.max(1).next_multiple_of(PFS_INTERVAL);
    (first..new).step_by(PFS_INTERVAL as usize)
}

/// A new PFS page, on which the fixed pages alone are allocated.
pub(super) fn pfs_page(file: u16, number: u32, size: u32) -> Box<Page> {
    const RECORD: usize = 4 + PFS_INTERVAL as usize;
    let mut content = Box::new([0; PAGE]);
    let id = PageId { file, page: number };
    let header = identity(id, PageType::Pfs, SYSTEM_OBJECT);
    page::write_header(&mut content, &header, 1, (page::HEADER + RECORD) as u16);
    content[page::HEADER + 2..PFS_BYTES_AT].copy_from_slice(&(RECORD as u16).to_le_bytes());
    let first = number / PFS_INTERVAL * PFS_INTERVAL;
    for (covered, byte) in (first..).zip(&mut content[PFS_BYTES_AT..PFS_BYTES_AT + PFS_INTERVAL as usize]) {
        if covered < size && is_fixed_page(file, covered) {
            *byte = FIXED;
        }
    }
    page::put_slots(&mut content, &[page::HEADER as u16]);
    content
}

fn is_fixed_page(file: u16, number: u32) -> bool {
    matches!(number, 0..=3 | 6 | 7)
        || number.is_multiple_of(PFS_INTERVAL)
        || PageId { file, page: number } == BOOT_PAGE
}

/// Whether an extent holds a fixed page, so that no table can have it.
pub(crate) fn is_fixed(file: u16, extent: u32) -> bool {
    (extent * EXTENT..(extent + 1) * EXTENT).any(|number| is_fixed_page(file, number))
}

/// The GAM page of an extent of a file.
pub(crate) fn gam_page(file: u16, extent: u32) -> PageId {
    let interval = extent / EXTENTS * EXTENTS * EXTENT;
    PageId {
        file,
        page: if interval == 0 { 2 } else { interval },
    }
}

/// The DCM page of an extent of a file.
pub(crate) fn dcm_page(file: u16, extent: u32) -> PageId {
    PageId {
        file,
        page: extent / EXTENTS * EXTENTS * EXTENT + 6,
    }
}

/// The PFS page of a page, and where its byte is there.
pub(crate) fn pfs_place(file: u16, number: u32) -> (PageId, usize) {
    let page = (number / PFS_INTERVAL * PFS_INTERVAL).max(1);
    (
        PageId { file, page },
        PFS_BYTES_AT + (number % PFS_INTERVAL) as usize,
    )
}

/// Where the bitmap of a map begins: behind the header of its second record. The slot array tells, since real IAM pages have it
/// at two places.
fn bitmap_at(map: &Page) -> Option<usize> {
    let record = usize::from(u16::from_le_bytes([map[PAGE - 4], map[PAGE - 3]]));
    let is_map = matches!(map[1], 8 | 9 | 10 | 16 | 17);
    (is_map && record >= page::HEADER && record + 4 + BITMAP_BYTES <= PAGE - 4).then_some(record + 4)
}

/// The byte and the bit of an extent on its GAM, DCM, BCM or IAM page; the page itself tells where its bitmap begins. `None`
/// where it is no such page.
pub(crate) fn bit_of(map: &Page, extent: u32) -> Option<(usize, u8)> {
    let index = extent % EXTENTS;
    Some((bitmap_at(map)? + (index / 8) as usize, 1 << (index % 8)))
}

/// Extents whose bit on a map is `set`, of the first `extents` of its interval, ascending, counted from the interval's start.
pub(crate) fn extents_of(map: &Page, set: bool, extents: u32) -> Vec<u32> {
    let Some(start) = bitmap_at(map) else {
        return Vec::new();
    };
    let uninteresting = if set { 0 } else { 0xFF };
    let mut found = Vec::new();
    for (index, byte) in (0_u32..).zip(&map[start..start + BITMAP_BYTES]) {
        if *byte == uninteresting {
            continue;
        }
        let bits = (0..8).filter(|bit| (byte >> bit & 1 == 1) == set);
        found.extend(bits.map(|bit| index * 8 + bit).filter(|extent| *extent < extents));
    }
    found
}

/// The first extent from `from` on and before `to` whose bit is set.
pub(super) fn first_set(map: &Page, from: u32, to: u32) -> Option<u32> {
    let start = bitmap_at(map)?;
    let mut extent = from;
    while extent < to {
        let byte = map[start + (extent / 8) as usize] >> (extent % 8);
        if byte == 0 {
            extent = (extent / 8 + 1) * 8;
            continue;
        }
        extent += byte.trailing_zeros();
        return (extent < to).then_some(extent);
    }
    None
}

/// Extents of a data file that are allocated, ascending: what a full backup sends. `size` in pages.
pub(crate) fn allocated(pages: &mut dyn PageRead, file: u16, size: u32) -> Result<Vec<u32>> {
    marked(pages, size, false, &|extent| gam_page(file, extent))
}

/// Extents of a data file that changed since the differential base, ascending; extent 0 is always among them: what a differential
/// backup sends.
pub(crate) fn changed(pages: &mut dyn PageRead, file: u16, size: u32) -> Result<Vec<u32>> {
    let mut found = marked(pages, size, true, &|extent| dcm_page(file, extent))?;
    if size >= EXTENT && found.first() != Some(&0) {
        found.insert(0, 0);
    }
    Ok(found)
}

fn marked(
    pages: &mut dyn PageRead,
    size: u32,
    set: bool,
    map_of: &dyn Fn(u32) -> PageId,
) -> Result<Vec<u32>> {
    let extents = size / EXTENT;
    let mut found = Vec::new();
    for first in (0..extents).step_by(EXTENTS as usize) {
        let id = map_of(first);
        let map = pages.read(id)?;
        if bitmap_at(map).is_none() {
            return Err(unfit(pages, id, "an allocation map is expected here"));
        }
        let here = extents_of(map, set, (extents - first).min(EXTENTS));
        found.extend(here.into_iter().map(|extent| first + extent));
    }
    Ok(found)
}

/// A DCM page with no extent marked but the first, in the place of `old`.
pub(crate) fn cleared_dcm(old: &Page) -> Box<Page> {
    let mut content = Box::new(*old);
    if let Some(start) = bitmap_at(old) {
        content[start..start + BITMAP_BYTES].fill(0);
        content[start] = 1;
    }
    content
}
