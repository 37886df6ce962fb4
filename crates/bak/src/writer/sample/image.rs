//! The data file of a sample database, extent by extent.
//!
//! Every eighth extent or so is free. The GAM of each interval has exactly the allocated extents, the DCM of a differential
//! backup exactly the changed ones, each page carries its own id: what a reader can check is right.

use super::{Noise, Sample, SampleKind};
use crate::checksum::PAGE;
use crate::writer::page::{self, Page, PageIdentity, PageType};

/// Bytes of an extent.
pub const EXTENT: usize = 8 * PAGE;
const PAGES_IN_EXTENT: u32 = 8;
/// Extents that one GAM page covers.
const INTERVAL: u32 = 63_904;
/// Distance of PFS pages, in pages.
const PFS_INTERVAL: u32 = 8_088;

/// The data file.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    sample: &'a Sample,
    /// The extent behind the last allocated one.
    limit: u32,
}

impl<'a> Image<'a> {
    pub(super) fn new(sample: &'a Sample) -> Self {
        let mut image = Self {
            sample,
            limit: u32::MAX,
        };
        image.limit = image.extents(SampleKind::Full).last().map_or(0, |last| last + 1);
        image
    }

    /// Extents of the file up to the last allocated one.
    #[must_use]
    pub fn file_extents(&self) -> u32 {
        self.limit
    }

    /// The extents a backup sends, ascending; none for a log backup.
    pub fn extents(self, kind: SampleKind) -> impl Iterator<Item = u32> + use<'a> {
        let allocated = (0u32..)
            .filter(move |extent| self.is_allocated(*extent))
            .take(self.sample.extents as usize);
        allocated.filter(move |extent| match kind {
            SampleKind::Full => true,
            SampleKind::Differential => self.is_changed(*extent),
            SampleKind::Log => false,
        })
    }

    fn is_allocated(self, extent: u32) -> bool {
        is_system(extent) || !self.draw(extent, 1).is_multiple_of(8)
    }

    fn is_changed(self, extent: u32) -> bool {
        is_system(extent) || self.draw(extent, 2).is_multiple_of(6)
    }

    fn draw(self, extent: u32, what: u64) -> u64 {
        Noise::new(self.sample.seed, what << 40 | u64::from(extent)).next()
    }

    /// Writes an extent as the backup sends it in this pass.
    pub fn fill(self, extent: u32, kind: SampleKind, pass: u32, buffer: &mut [u8]) {
        for (index, page) in buffer.as_chunks_mut::<PAGE>().0.iter_mut().enumerate() {
            let page_id = extent * PAGES_IN_EXTENT + index as u32;
            self.fill_page(page_id, kind, pass, page);
        }
    }

    fn fill_page(self, page_id: u32, kind: SampleKind, pass: u32, page: &mut Page) {
        page.fill(0);
        let system = system_type(page_id);
        if !self.is_formatted(page_id) {
            return;
        }
        let mut noise = Noise::new(self.sample.seed, u64::from(pass) << 56 | u64::from(page_id));
        let page_type = system.unwrap_or(if page_id.is_multiple_of(5) {
            PageType::Index
        } else {
            PageType::Data
        });
        let object_id = if system.is_some() { 99 } else { 1000 + page_id / 64 };
        let identity = PageIdentity {
            file_id: 1,
            page_id,
            page_type,
            object_id,
            lsn: SampleKind::Full.first_lsn(),
        };
        match page_type {
            PageType::Gam => self.fill_bitmap(page, &identity, |image, extent| !image.is_in_use(extent)),
            PageType::Dcm => self.fill_bitmap(page, &identity, |image, extent| {
                kind == SampleKind::Differential && image.is_in_use(extent) && image.is_changed(extent)
            }),
            PageType::Sgam | PageType::Bcm => self.fill_bitmap(page, &identity, |_, _| false),
            PageType::Pfs => self.fill_free_space(page, &identity),
            PageType::Boot => self.fill_boot(page, &identity),
            _ => fill_rows(page, &identity, &mut noise),
        }
        page::protect(page, self.sample.protection);
    }

    /// In use by an object, so that its PFS page says so and it has a header.
    fn is_formatted(self, page_id: u32) -> bool {
        let never = matches!(page_id, 4 | 5) || self.draw(page_id, 3).is_multiple_of(16);
        system_type(page_id).is_some() || !(never && self.sample.unformatted_pages)
    }

    /// A PFS page: one record with a byte for each page of its interval, of which 0x40 means allocated and 0x04 full.
    fn fill_free_space(self, page: &mut Page, identity: &PageIdentity) {
        const RECORD: usize = 4 + PFS_INTERVAL as usize;
        page::write_header(page, identity, 1, (page::HEADER + RECORD) as u16);
        page[page::HEADER + 2..page::HEADER + 4].copy_from_slice(&0x1F9Cu16.to_le_bytes());
        let first = identity.page_id / PFS_INTERVAL * PFS_INTERVAL;
        for (page_id, byte) in (first..first + PFS_INTERVAL).zip(&mut page[page::HEADER + 4..]) {
            let in_use = self.is_in_use(page_id / PAGES_IN_EXTENT) && self.is_formatted(page_id);
            *byte = if in_use { 0x44 } else { 0 };
        }
        page::put_slots(page, &[page::HEADER as u16]);
    }

    /// Allocated, and not behind the last extent that the sample has.
    fn is_in_use(self, extent: u32) -> bool {
        self.is_allocated(extent) && extent < self.limit
    }

    fn fill_bitmap(self, page: &mut Page, identity: &PageIdentity, bit: impl Fn(Self, u32) -> bool) {
        let first = identity.page_id / PAGES_IN_EXTENT / INTERVAL * INTERVAL;
        page::write_bitmap(page, identity, |index| bit(self, first + index));
    }

    /// The boot page, with what a reader looks for at the places where real ones have it (offsets from its record).
    fn fill_boot(self, page: &mut Page, identity: &PageIdentity) {
        const RECORD: usize = 0x06E8;
        page::write_header(page, identity, 1, (page::HEADER + RECORD) as u16);
        let set = self.sample.set(SampleKind::Full);
        let mut put = |at: usize, bytes: &[u8]| {
            page[page::HEADER + at..page::HEADER + at + bytes.len()].copy_from_slice(bytes);
        };
        put(0, &[0, 0]);
        put(2, &(RECORD as u16).to_le_bytes());
        put(4, &set.database_version.to_le_bytes());
        put(6, &set.database_version.to_le_bytes());
        let name = self
            .sample
            .database_name
            .encode_utf16()
            .chain(std::iter::repeat(0x2020))
            .take(128);
        for (index, unit) in name.enumerate() {
            put(52 + 2 * index, &unit.to_le_bytes());
        }
        put(348, &set.checkpoint_lsn.unwrap_or_default().to_bytes());
        put(408, &set.family_guid.unwrap_or_default().to_bytes_le());
        page::put_slots(page, &[page::HEADER as u16]);
    }
}

/// Rows of 64 bytes: a counter, a number out of the blue, and text that compresses, as page data does.
fn fill_rows(page: &mut Page, identity: &PageIdentity, noise: &mut Noise) {
    const ROW: usize = 64;
    const ROWS: u16 = 120;
    const TEXT: &[u8; 48] = b"a row of the sample database, of no table at all";
    let rows = if identity.page_type == PageType::FileHeader {
        12
    } else {
        ROWS
    };
    for (index, row) in page[page::HEADER..]
        .chunks_exact_mut(ROW)
        .take(usize::from(rows))
        .enumerate()
    {
        row[..4].copy_from_slice(&[0x30, 0, ROW as u8, 0]);
        row[4..8].copy_from_slice(&(index as u32).to_le_bytes());
        row[8..16].copy_from_slice(&noise.next().to_le_bytes());
        row[16..].copy_from_slice(TEXT);
    }
    let end = page::HEADER + usize::from(rows) * ROW;
    page::write_header(page, identity, rows, end as u16);
    let offsets: Vec<u16> = (0..rows)
        .map(|row| (page::HEADER + usize::from(row) * ROW) as u16)
        .collect();
    page::put_slots(page, &offsets);
}

/// What a page is by its place in the file alone.
fn system_type(page_id: u32) -> Option<PageType> {
    let in_interval = page_id % (INTERVAL * PAGES_IN_EXTENT);
    let first = page_id < INTERVAL * PAGES_IN_EXTENT;
    match (in_interval, first) {
        (0, true) => Some(PageType::FileHeader),
        (1, true) => Some(PageType::Pfs),
        (2, true) | (0, false) => Some(PageType::Gam),
        (3, true) | (1, false) => Some(PageType::Sgam),
        (6, _) => Some(PageType::Dcm),
        (7, _) => Some(PageType::Bcm),
        (9, true) => Some(PageType::Boot),
        _ if page_id.is_multiple_of(PFS_INTERVAL) => Some(PageType::Pfs),
        _ => None,
    }
}

/// Extents with system pages are always there.
fn is_system(extent: u32) -> bool {
    let first = extent * PAGES_IN_EXTENT;
    (first..first + PAGES_IN_EXTENT).any(|page_id| system_type(page_id).is_some())
}
