//! A transaction log block: 512-byte sectors under one header, with a checksum.
//!
//! | offset | |
//! |---|---|
//! | 0 | u8 parity 0x40, with 0x10 in the first sector; so begins each sector, the last one with 0x08 |
//! | 2 | u16 number of records |
//! | 4 | u16 bytes in use |
//! | 6 | u16 size of the block, a multiple of 512 |
//! | 8 | u16 3 |
//! | 10 | u16 size of the block before |
//! | 12 | u32 sequence number of the virtual log file |
//! | 16 | u32 block number: sector within the virtual log file |
//! | 20 | u32 1 |
//! | 24 | u32 checksum |

use crate::checksum::{LOG_BLOCK_CHECKSUM_AT, SECTOR, log_block_sum};

/// Parity of the sectors of a virtual log file that is written for the first, third, fifth time.
pub const PARITY_EVEN: u8 = 0x40;
const FIRST_SECTOR: u8 = 0x10;
const LAST_SECTOR: u8 = 0x08;
/// Bytes before the records.
pub const HEADER: usize = 72;

/// Where a log block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPlace {
    /// Sequence number of the virtual log file.
    pub vlf: u32,
    /// Sector within it.
    pub block: u32,
    /// Size of the block before, in bytes.
    pub previous_size: u16,
}

/// Makes a log block of what `block` holds from [`HEADER`] on: header, parity of the sectors, checksum.
///
/// `block` is one to 120 whole sectors. The first byte of each sector but the first is lost to the parity, as in a real log
/// (which keeps those bytes elsewhere in the block).
pub fn format(block: &mut [u8], place: LogPlace, records: u16, with_checksum: bool) {
    assert!(
        block.len().is_multiple_of(SECTOR) && !block.is_empty(),
        "a log block is whole sectors"
    );
    let size = u16::try_from(block.len()).expect("a log block has at most 60 KiB");
    block[..HEADER].fill(0);
    for sector in block.chunks_mut(SECTOR) {
        sector[0] = PARITY_EVEN;
    }
    block[0] |= FIRST_SECTOR;
    block[usize::from(size) - SECTOR] |= LAST_SECTOR;
    block[2..4].copy_from_slice(&records.to_le_bytes());
    block[4..6].copy_from_slice(&(size - 2 * records).to_le_bytes());
    block[6..8].copy_from_slice(&size.to_le_bytes());
    block[8..10].copy_from_slice(&3u16.to_le_bytes());
    block[10..12].copy_from_slice(&place.previous_size.to_le_bytes());
    block[12..16].copy_from_slice(&place.vlf.to_le_bytes());
    block[16..20].copy_from_slice(&place.block.to_le_bytes());
    block[20..24].copy_from_slice(&1u32.to_le_bytes());
    if with_checksum {
        let sum = log_block_sum(block);
        block[LOG_BLOCK_CHECKSUM_AT..LOG_BLOCK_CHECKSUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
    }
}
