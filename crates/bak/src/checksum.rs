//! The checksums of the backup format: pages, log blocks, backup streams and compressed records.
//!
//! All but the last are one primitive, written `S` here: over 512-byte sectors,
//! `acc = rotate_left(acc, 1) ^ (XOR of the sector's 128 little-endian u32)`, starting at 0. It was established on real
//! backups of builds 9 to 17 (18,634 pages, 1,008 log blocks, 49 backup stream checksums, none failing); a compressed
//! record uses the same step per u32 (488 of 488 records).
//!
//! Rotation and XOR are both linear over bits. Three things follow, and all of the speed here rests on them:
//! - the XOR of a sector can wait: sixteen lanes are rotated and folded side by side, and joined once at the end;
//! - bytes that count as zero are taken out afterwards, by XOR of their own contribution;
//! - a running sum advances over a page of 16 sectors as `rotate_left(running, 16) ^ S(page)`, so that the checksum of a
//!   page and the one of the stream around it cost a single pass.
//!
//! Because `S` is linear, a damage that cancels itself out (two equal flips at the same position of the word in one
//! sector) is not seen by it. That is a property of the format, not of this code. Any single flipped bit is seen.

/// Bytes in a sector, the unit of `S`.
pub const SECTOR: usize = 512;
/// Bytes in a database page.
pub const PAGE: usize = 8192;
/// Offset of the checksum in a page; its four bytes count as zero.
pub const PAGE_CHECKSUM_AT: usize = 60;
/// Offset of the checksum in a log block; its four bytes count as zero.
pub const LOG_BLOCK_CHECKSUM_AT: usize = 24;

const LANES: usize = 16;
const SECTORS_IN_PAGE: u32 = (PAGE / SECTOR) as u32;
/// A word rotated 32 times is the word again, so 32 lanes hold a record of any length.
const RECORD_LANES: usize = 32;

/// `S` over `data`, starting at 0.
///
/// `data` is a whole number of 512-byte sectors; bytes past the last whole sector do not count.
#[must_use]
pub fn sector_sum(data: &[u8]) -> u32 {
    let (sectors, rest) = data.as_chunks::<SECTOR>();
    debug_assert!(rest.is_empty(), "S is defined over whole sectors");
    let mut lanes = [0u32; LANES];
    for sector in sectors {
        fold_sector(&mut lanes, sector);
    }
    join(&lanes)
}

/// Goes on with a running `S` over further whole sectors: what `sector_sum` gives for the bytes before and `data` together.
#[must_use]
pub fn sector_sum_continue(running: u32, data: &[u8]) -> u32 {
    let sectors = (data.len() / SECTOR) as u64;
    running.rotate_left((sectors % 32) as u32) ^ sector_sum(data)
}

/// The checksum of a page, with its own four checksum bytes as zero; advances `running`, the `S` of the stream the page lies
/// in, over the page's raw bytes.
#[must_use]
pub fn page_sums(page: &[u8; PAGE], running: &mut u32) -> u32 {
    let raw = sector_sum(page);
    *running = running.rotate_left(SECTORS_IN_PAGE) ^ raw;
    raw ^ word_at(page, PAGE_CHECKSUM_AT).rotate_left(SECTORS_IN_PAGE - 1)
}

/// The checksum of a page alone.
#[must_use]
pub fn page_sum(page: &[u8; PAGE]) -> u32 {
    page_sums(page, &mut 0)
}

/// The checksum of a log block, with its own four checksum bytes as zero.
///
/// `block` is the whole block (a multiple of 512 bytes); an empty one has the sum 0.
#[must_use]
pub fn log_block_sum(block: &[u8]) -> u32 {
    let raw = sector_sum(block);
    match (block.len() / SECTOR) as u64 {
        0 => raw,
        sectors => raw ^ word_at(block, LOG_BLOCK_CHECKSUM_AT).rotate_left(((sectors - 1) % 32) as u32),
    }
}

/// The checksum of the data of a compressed record: the step of `S` for each little-endian u32, the last one padded with
/// zeros.
#[must_use]
pub fn record_sum(data: &[u8]) -> u32 {
    let mut lanes = [0u32; RECORD_LANES];
    let (rows, rest) = data.as_chunks::<{ RECORD_LANES * 4 }>();
    for row in rows {
        fold_words(&mut lanes, row);
    }
    if !rest.is_empty() {
        let mut row = [0u8; RECORD_LANES * 4];
        row[..rest.len()].copy_from_slice(rest);
        fold_words(&mut lanes, &row);
    }
    // The word with index i is rotated once for each word after it. Lane j holds the words whose index leaves j over 32.
    let after_first = data.len().div_ceil(4).wrapping_sub(1);
    lanes.iter().enumerate().fold(0, |acc, (index, lane)| {
        let rotation = after_first.wrapping_sub(index) % RECORD_LANES;
        acc ^ lane.rotate_left(rotation as u32)
    })
}

fn fold_sector(lanes: &mut [u32; LANES], sector: &[u8; SECTOR]) {
    for lane in lanes.iter_mut() {
        *lane = lane.rotate_left(1);
    }
    for row in sector.as_chunks::<{ LANES * 4 }>().0 {
        fold_words(lanes, row);
    }
}

#[inline]
fn fold_words(lanes: &mut [u32], row: &[u8]) {
    for (lane, word) in lanes.iter_mut().zip(row.as_chunks::<4>().0) {
        *lane ^= u32::from_le_bytes(*word);
    }
}

fn join(lanes: &[u32; LANES]) -> u32 {
    lanes.iter().fold(0, |acc, lane| acc ^ lane)
}

fn word_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition word for word: one sector after the other, one bit after the other.
    fn naive_sum(data: &[u8]) -> u32 {
        let mut acc = [false; 32];
        for sector in data.chunks(512) {
            acc.rotate_right(1);
            for (position, byte) in sector.iter().enumerate() {
                for bit in 0..8 {
                    acc[position % 4 * 8 + bit] ^= byte >> bit & 1 == 1;
                }
            }
        }
        acc.iter()
            .rev()
            .fold(0, |value, bit| value << 1 | u32::from(*bit))
    }

    fn naive_record_sum(data: &[u8]) -> u32 {
        let mut acc = 0u32;
        for word in data.chunks(4) {
            let mut bytes = [0; 4];
            bytes[..word.len()].copy_from_slice(word);
            acc = acc << 1 ^ acc >> 31 ^ u32::from_le_bytes(bytes);
        }
        acc
    }

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    fn page(seed: u64) -> [u8; PAGE] {
        noise(seed, PAGE).try_into().unwrap()
    }

    #[test]
    fn a_sum_of_hand_written_sectors() {
        let mut data = [0u8; 3 * 512];
        data[0] = 1; // first sector: rotated twice
        data[512 + 3] = 0x80; // second: bit 31, rotated once, becomes bit 0
        data[1024 + 508] = 0x10;
        assert_eq!(sector_sum(&data), 0b100 ^ 1 ^ 0x10);
        assert_eq!(sector_sum(&[]), 0);
    }

    #[test]
    fn sums_follow_the_definition_whatever_the_length() {
        for sectors in 0..70 {
            let data = noise(sectors as u64 + 1, sectors * 512);
            assert_eq!(sector_sum(&data), naive_sum(&data), "{sectors} sectors");
            let cut = sectors / 3 * 512;
            assert_eq!(
                sector_sum_continue(sector_sum(&data[..cut]), &data[cut..]),
                naive_sum(&data)
            );
        }
    }

    #[test]
    fn a_page_counts_its_checksum_as_zero_and_its_stream_counts_it() {
        let (first, second) = (page(1), page(2));
        let mut running = 0;
        let sums = [page_sums(&first, &mut running), page_sums(&second, &mut running)];
        for (bytes, sum) in [first, second].iter().zip(sums) {
            let mut without = *bytes;
            without[60..64].fill(0);
            assert_eq!(sum, naive_sum(&without));
        }
        assert_eq!(running, naive_sum(&[first, second].concat()));
    }

    #[test]
    fn a_log_block_counts_its_checksum_as_zero() {
        for sectors in 1..=120 {
            let block = noise(sectors as u64, sectors * 512);
            let mut without = block.clone();
            without[24..28].fill(0);
            assert_eq!(log_block_sum(&block), naive_sum(&without), "{sectors} sectors");
        }
        assert_eq!(log_block_sum(&[]), 0);
    }

    #[test]
    fn a_record_of_any_length_follows_the_definition() {
        for length in 0..700 {
            let data = noise(length as u64 + 7, length);
            assert_eq!(record_sum(&data), naive_record_sum(&data), "{length} bytes");
        }
    }

    #[test]
    fn every_flipped_bit_of_a_page_changes_its_sum() {
        let mut bytes = page(5);
        let sum = page_sum(&bytes);
        for bit in 0..PAGE * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let own = (60 * 8..64 * 8).contains(&bit);
            assert_eq!(page_sum(&bytes) == sum, own, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
