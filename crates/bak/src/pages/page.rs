//! One database page: its header and what protects it.
//!
//! | bytes | field |
//! |---|---|
//! | 0 | version, 1 |
//! | 1 | type |
//! | 4..6 | flag bits: 0x200 checksum, 0x100 torn-page bits, neither: unprotected |
//! | 32..36, 36..38 | page id, file id |
//! | 60..64 | checksum or torn-page bits |
//!
//! A page is judged against the id that its slot in the extent must have. A page that does not look formatted (it may never have
//! been: allocated extents carry stale bytes) is still damaged where one step brings its checksum back: header fields set to what they
//! must be, or a single flipped bit anywhere. The page checksum is linear over XOR, so that a single flipped bit shows as a
//! difference of exactly one bit between the stored and the computed sum, at no cost.

use crate::bytes::{u16_at, u32_at};
use crate::checksum::{PAGE, SECTOR};

const FLAG_TORN: u16 = 0x100;
const FLAG_CHECKSUM: u16 = 0x200;
const SECTORS: usize = PAGE / SECTOR;
/// Page type of a filler: not in any document; SQL Server fills up the last transfer of a data stream with such pages, whose id is
/// 0:0 (58 extents in the real backups, all at the end of their stream).
const TYPE_FILLER: u8 = 101;

/// Which page: file and page number within the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PageId {
    pub(crate) file: u16,
    pub(crate) page: u32,
}

impl std::fmt::Display for PageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.page)
    }
}

/// The header fields that tell a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageHeader {
    pub(crate) version: u8,
    pub(crate) page_type: u8,
    flags: u16,
    pub(crate) id: PageId,
    stored: u32,
}

impl PageHeader {
    pub(crate) fn read(page: &[u8; PAGE]) -> Self {
        Self {
            version: page[0],
            page_type: page[1],
            flags: u16_at(page, 4),
            id: PageId {
                file: u16_at(page, 36),
                page: u32_at(page, 32),
            },
            stored: u32_at(page, 60),
        }
    }

    /// A filler by all that tells one.
    pub(crate) fn is_filler(&self) -> bool {
        self.version == 1 && self.page_type == TYPE_FILLER && self.id == PageId { file: 0, page: 0 }
    }

    /// Whether it says of itself that it is a formatted page.
    pub(crate) fn is_formatted(&self) -> bool {
        let known_type = matches!(self.page_type, 1..=4 | 7..=11 | 13..=20);
        self.version == 1 && known_type && self.id.file != 0
    }

    /// Whether its checksum holds as it stands.
    pub(crate) fn checksum_holds(&self, computed: u32) -> bool {
        self.version == 1 && self.flags & FLAG_CHECKSUM != 0 && self.stored == computed
    }
}

/// What a page turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    ChecksumOk,
    ChecksumBad,
    TornOk,
    TornBad,
    /// Formatted, nothing to check.
    Unprotected,
    /// Not formatted, and nothing says that it should be.
    Unformatted,
    /// A sound page of another id.
    Stranger,
    /// Looks unformatted or unprotected, but its protection shows that a header field is damaged.
    HeaderDamaged,
}

/// Judges `page`, whose computed checksum is `computed`, in the slot where `expected` belongs.
pub(crate) fn judge(page: &[u8; PAGE], computed: u32, expected: PageId) -> Judgement {
    let header = PageHeader::read(page);
    let in_place = header.version == 1 && header.id == expected;
    if in_place && header.flags & FLAG_CHECKSUM != 0 {
        return if header.stored == computed {
            Judgement::ChecksumOk
        } else {
            Judgement::ChecksumBad
        };
    }
    if in_place && header.flags & FLAG_TORN != 0 && header.is_formatted() {
        return if torn_bits_agree(page, header.stored) {
            Judgement::TornOk
        } else {
            Judgement::TornBad
        };
    }
    if header_is_damaged(page, &header, computed, expected) {
        return Judgement::HeaderDamaged;
    }
    if in_place && header.is_formatted() {
        return Judgement::Unprotected;
    }
    if header.is_formatted() && header.checksum_holds(computed) {
        return Judgement::Stranger;
    }
    Judgement::Unformatted
}

/// Whether one step brings the protection back that the header denies.
fn header_is_damaged(page: &[u8; PAGE], header: &PageHeader, computed: u32, expected: PageId) -> bool {
    if (header.stored ^ computed).count_ones() == 1 {
        return true;
    }
    // A zero checksum would hold for pages of zeros with the right number; it is none that can be trusted.
    if header.stored != 0 && header.stored == computed_with_expected_header(page, computed, expected) {
        return true;
    }
    let wrong_bits = (u32::from(header.version ^ 1)).count_ones()
        + (header.id.page ^ expected.page).count_ones()
        + u32::from(header.id.file ^ expected.file).count_ones()
        + u32::from(header.flags & FLAG_TORN == 0);
    wrong_bits == 1 && torn_bits_show(header.stored) && torn_bits_agree(page, header.stored)
}

/// The checksum of the page if version, ids and the checksum flag were what they must be.
fn computed_with_expected_header(page: &[u8; PAGE], computed: u32, expected: PageId) -> u32 {
    let flags = (u16_at(page, 4) | FLAG_CHECKSUM) & !FLAG_TORN;
    let change = u32::from(page[0] ^ 1)
        ^ u32::from(u16_at(page, 4) ^ flags)
        ^ (u32_at(page, 32) ^ expected.page)
        ^ u32::from(u16_at(page, 36) ^ expected.file);
    // All of these words lie in the first of 16 sectors, which the sum rotates 15 times.
    computed ^ change.rotate_left(SECTORS as u32 - 1)
}

/// Torn-page protection: the low two bits of the last byte of each sector but the first are the same pattern, 01 or 10, and the low
/// two bits of the stored field.
fn torn_bits_agree(page: &[u8; PAGE], stored: u32) -> bool {
    let pattern = (stored & 3) as u8;
    (1..SECTORS).all(|sector| page[sector * SECTOR + SECTOR - 1] & 3 == pattern)
}

/// Whether the pattern is one that torn-page protection writes, and the stored field holds more than it.
fn torn_bits_show(stored: u32) -> bool {
    matches!(stored & 3, 1 | 2)
}

/// Whether the page's body has the even spread of byte values that encryption leaves: each value near 32 times in 8,096 bytes.
/// Rows, even of compressed tables, are nowhere near it.
pub(crate) fn looks_encrypted(page: &[u8; PAGE]) -> bool {
    let mut counts = [0_u16; 256];
    // The expected count is 31.6 with a deviation of 5.6; twice the mean is nearly six deviations away. Rows are there soon.
    page[96..].iter().all(|byte| {
        let count = &mut counts[usize::from(*byte)];
        *count += 1;
        *count < 64
    })
}

#[cfg(test)]
mod tests {
    use super::{Judgement, PAGE, PageId, judge};
    use crate::checksum::page_sum;

    const ID: PageId = PageId { file: 1, page: 4242 };

    fn page_with_checksum() -> [u8; PAGE] {
        let mut page = [0_u8; PAGE];
        for (at, byte) in page.iter_mut().enumerate() {
            *byte = (at * 7 % 251) as u8;
        }
        page[..64].fill(0);
        page[0] = 1;
        page[1] = 1;
        page[5] = 2;
        page[32..36].copy_from_slice(&ID.page.to_le_bytes());
        page[36..38].copy_from_slice(&ID.file.to_le_bytes());
        let sum = page_sum(&page);
        page[60..64].copy_from_slice(&sum.to_le_bytes());
        page
    }

    #[test]
    fn every_single_flipped_bit_of_a_page_with_a_checksum_is_seen() {
        let mut page = page_with_checksum();
        assert_eq!(judge(&page, page_sum(&page), ID), Judgement::ChecksumOk);
        for bit in 0..PAGE * 8 {
            page[bit / 8] ^= 1 << (bit % 8);
            let judgement = judge(&page, page_sum(&page), ID);
            assert!(
                matches!(judgement, Judgement::ChecksumBad | Judgement::HeaderDamaged),
                "bit {bit}: {judgement:?}"
            );
            page[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_header_overwritten_in_its_ids_and_flags_is_seen() {
        let mut page = page_with_checksum();
        page[0] = 9;
        page[5] = 0;
        page[32..38].fill(0xee);
        assert_eq!(judge(&page, page_sum(&page), ID), Judgement::HeaderDamaged);
    }

    #[test]
    fn pages_of_zeros_are_unformatted_wherever_they_lie() {
        let page = [0_u8; PAGE];
        for number in 0..2000 {
            assert_eq!(
                judge(
                    &page,
                    0,
                    PageId {
                        file: 1,
                        page: number
                    }
                ),
                Judgement::Unformatted,
                "1:{number}"
            );
        }
    }

    #[test]
    fn a_torn_page_is_seen_and_its_header_is_held_by_its_pattern() {
        let mut page = page_with_checksum();
        page[5] = 1;
        page[60..64].copy_from_slice(&0x1234_5672_u32.to_le_bytes());
        for sector in 1..16 {
            page[sector * 512 + 511] = page[sector * 512 + 511] & !3 | 2;
        }
        assert_eq!(judge(&page, page_sum(&page), ID), Judgement::TornOk);
        for bit in [0, 3, 32 * 8 + 2, 36 * 8 + 1, 5 * 8] {
            page[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                judge(&page, page_sum(&page), ID),
                Judgement::HeaderDamaged,
                "bit {bit}"
            );
            page[bit / 8] ^= 1 << (bit % 8);
        }
        page[7 * 512 + 511] ^= 1;
        assert_eq!(judge(&page, page_sum(&page), ID), Judgement::TornBad);
    }
}
