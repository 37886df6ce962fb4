//! Page headers and the three ways a page is protected.
//!
//! | offset | |
//! |---|---|
//! | 0 | u8 1, version |
//! | 1 | u8 type |
//! | 4 | u16 flags: 0x100 torn-page bits, 0x200 checksum |
//! | 14 | u16 bytes of the fixed part of records |
//! | 22 | u16 slots |
//! | 24 | u32 object |
//! | 28 | u16 free bytes |
//! | 30 | u16 start of free space |
//! | 32 | u32 page id, u16 file id |
//! | 40 | LSN of the last change |
//! | 60 | u32 checksum or torn-page bits |

use crate::Lsn;
use crate::checksum::{PAGE, PAGE_CHECKSUM_AT, SECTOR, page_sum};

/// A page.
pub type Page = [u8; PAGE];

/// Bytes of a page header.
pub const HEADER: usize = 96;
const FLAG_TORN: u16 = 0x100;
const FLAG_CHECKSUM: u16 = 0x200;

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageType {
    /// Rows.
    Data = 1,
    /// Index rows.
    Index = 2,
    /// Which extents are free (bit set) or allocated (bit clear).
    Gam = 8,
    /// Which extents are mixed and have a free page.
    Sgam = 9,
    /// Which extents an object owns.
    Iam = 10,
    /// How full pages are.
    Pfs = 11,
    /// Facts about the database.
    Boot = 13,
    /// Facts about the file.
    FileHeader = 15,
    /// Which extents changed since the last full backup.
    Dcm = 16,
    /// Which extents minimally logged operations changed.
    Bcm = 17,
}

/// How a page shows that it is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protection {
    /// PAGE_VERIFY CHECKSUM.
    Checksum,
    /// PAGE_VERIFY TORN_PAGE_DETECTION.
    Torn,
    /// PAGE_VERIFY NONE.
    None,
}

/// Where a page belongs and what it is.
#[derive(Clone, Copy, Debug)]
pub struct PageIdentity {
    /// File of the database.
    pub file_id: u16,
    /// Page within the file.
    pub page_id: u32,
    /// What it is.
    pub page_type: PageType,
    /// Object that owns it.
    pub object_id: u32,
    /// Last change.
    pub lsn: Lsn,
}

/// Writes the header of a page whose slots end at `free_data`; the protection comes last, with [`protect`].
pub fn write_header(page: &mut Page, identity: &PageIdentity, slots: u16, free_data: u16) {
    page[..HEADER].fill(0);
    page[0] = 1;
    page[1] = identity.page_type as u8;
    page[22..24].copy_from_slice(&slots.to_le_bytes());
    page[24..28].copy_from_slice(&identity.object_id.to_le_bytes());
    let free = (PAGE as u16).saturating_sub(free_data).saturating_sub(2 * slots);
    page[28..30].copy_from_slice(&free.to_le_bytes());
    page[30..32].copy_from_slice(&free_data.to_le_bytes());
    page[32..36].copy_from_slice(&identity.page_id.to_le_bytes());
    page[36..38].copy_from_slice(&identity.file_id.to_le_bytes());
    page[38..40].copy_from_slice(&1u16.to_le_bytes());
    page[40..50].copy_from_slice(&identity.lsn.to_bytes());
}

/// Protects a page whose content is final; flags of another meaning stay.
pub fn protect(page: &mut Page, protection: Protection) {
    let flag = match protection {
        Protection::Checksum => FLAG_CHECKSUM,
        Protection::Torn => FLAG_TORN,
        Protection::None => 0,
    };
    let others = u16::from_le_bytes([page[4], page[5]]) & !(FLAG_CHECKSUM | FLAG_TORN);
    let flags = others | flag;
    page[4..6].copy_from_slice(&flags.to_le_bytes());
    let word = match protection {
        Protection::Checksum => page_sum(page),
        Protection::Torn => tear(page),
        Protection::None => 0,
    };
    page[PAGE_CHECKSUM_AT..PAGE_CHECKSUM_AT + 4].copy_from_slice(&word.to_le_bytes());
}

/// Puts the pattern 01 into the last two bits of sectors 1 to 15; gives the word that holds it and what it replaced.
fn tear(page: &mut Page) -> u32 {
    const PATTERN: u8 = 1;
    let mut word = u32::from(PATTERN);
    for sector in 1..PAGE / SECTOR {
        let last = &mut page[(sector + 1) * SECTOR - 1];
        word |= u32::from(*last & 3) << (2 * sector);
        *last = *last & !3 | PATTERN;
    }
    word
}

/// Bytes of the bitmap of a GAM, SGAM, DCM or BCM page, and where it starts: behind 4 bytes of the second record.
pub const BITMAP_BYTES: usize = 7988;
/// Where the bitmap starts.
pub const BITMAP_AT: usize = 194;

/// Writes a GAM, SGAM, DCM or BCM page: two records, the second of which is a bitmap over the extents of the interval.
///
/// `bit` tells the bit of the extent with this index in the interval.
pub fn write_bitmap(page: &mut Page, identity: &PageIdentity, bit: impl Fn(u32) -> bool) {
    page.fill(0);
    write_header(page, identity, 2, (BITMAP_AT + BITMAP_BYTES) as u16);
    page[14..16].copy_from_slice(&90u16.to_le_bytes());
    page[HEADER..HEADER + 4].copy_from_slice(&[0, 0, 0x5E, 0]);
    page[BITMAP_AT - 4..BITMAP_AT].copy_from_slice(&[0, 0, 0x38, 0x1F]);
    for (index, byte) in page[BITMAP_AT..BITMAP_AT + BITMAP_BYTES].iter_mut().enumerate() {
        *byte = (0..8).fold(0, |byte, shift| {
            byte | u8::from(bit(index as u32 * 8 + shift)) << shift
        });
    }
    put_slots(page, &[HEADER as u16, BITMAP_AT as u16 - 4]);
}

/// Writes the slot array: offsets of records, from the end of the page backwards.
pub fn put_slots(page: &mut Page, offsets: &[u16]) {
    for (slot, offset) in offsets.iter().enumerate() {
        let at = PAGE - 2 * (slot + 1);
        page[at..at + 2].copy_from_slice(&offset.to_le_bytes());
    }
}
