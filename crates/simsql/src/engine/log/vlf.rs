//! A virtual log file (VLF) and its header, one sector at the start of the 8 KiB before its first block. A sector reaches the
//! disk whole or not at all, so each change of a header is atomic.
//!
//! | offset | |
//! |---|---|
//! | 0 | `bac2vlf` and a zero byte |
//! | 8 | u16 version of this layout: 1 |
//! | 10 | u8 status as DBCC LOGINFO counts: 0 reusable, 2 in use |
//! | 11 | u8 parity of its sectors: 0x40 |
//! | 12 | u32 sequence number; 0 for one never used |
//! | 16 | u64 length in bytes, this header included |
//! | 24 | u64 place in the log file |
//! | 32 | u32 first block that it holds: 16, or where a restored log begins |
//! | 36 | u32 where the log ended in the VLF before, as a block number |
//! | 40 | u32 generation: how many cuts the log had seen when the VLF was taken into use |
//! | 44 | u8 1 for log received by a restore |
//! | 48 | u32 block of a cut, 0 for none; u32 where that block ends; u16 the first slot that is gone; at 60 u32 generation after the cut |
//! | 508 | u32 checksum: the sum of log blocks over the sector, these four bytes as zero |

use bak::checksum::{SECTOR, sector_sum};
use bak::writer::log_block::PARITY_EVEN;

/// Bytes of a VLF before its first block.
pub(super) const VLF_HEADER: u64 = 8192;
/// The first block of a VLF: the sector behind the header.
pub(super) const FIRST_BLOCK: u32 = 16;
/// Shortest VLF that this log makes for itself: room for a block with the longest record.
pub(super) const VLF_MIN: u64 = 65_536;

const MAGIC: [u8; 8] = *b"bac2vlf\0";
const VERSION: u16 = 1;
const IN_USE: u8 = 2;
const SUM_AT: usize = SECTOR - 4;

/// Where the log of a VLF was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// The block that is the last one.
    pub(super) block: u32,
    /// Behind it.
    pub(super) end: u32,
    /// The first slot of it that is gone.
    pub(super) slot: u16,
    /// VLFs that follow and are of an older generation are gone, too.
    pub(super) generation: u32,
}

/// A VLF as its header tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vlf {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) is_active: bool,
    pub(super) sequence: u32,
    pub(super) first_block: u32,
    pub(super) previous_end: u32,
    pub(super) generation: u32,
    pub(super) is_received: bool,
    pub(super) cut: Option<Cut>,
}

impl Vlf {
    /// One that was never used.
    pub(super) fn new(offset: u64, length: u64) -> Self {
        Self {
            offset,
            length,
            is_active: false,
            sequence: 0,
            first_block: FIRST_BLOCK,
            previous_end: 0,
            generation: 0,
            is_received: false,
            cut: None,
        }
    }

    /// Sectors, those of the header included: the block number behind its last possible block.
    pub(super) fn sectors(&self) -> u32 {
        u32::try_from(self.length / SECTOR as u64).expect("lengths are checked when a VLF is made or read")
    }

    /// Where a block lies in the log file.
    pub(super) fn place(&self, block: u32) -> u64 {
        self.offset + u64::from(block) * SECTOR as u64
    }

    /// The header's sector.
    pub(super) fn to_sector(self) -> [u8; SECTOR] {
        let mut sector = [0; SECTOR];
        let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(10, &[if self.is_active { IN_USE } else { 0 }, PARITY_EVEN]);
        put(12, &self.sequence.to_le_bytes());
        put(16, &self.length.to_le_bytes());
        put(24, &self.offset.to_le_bytes());
        put(32, &self.first_block.to_le_bytes());
        put(36, &self.previous_end.to_le_bytes());
        put(40, &self.generation.to_le_bytes());
        put(44, &[u8::from(self.is_received)]);
        if let Some(cut) = self.cut {
            put(48, &cut.block.to_le_bytes());
            put(52, &cut.end.to_le_bytes());
            put(56, &cut.slot.to_le_bytes());
            put(60, &cut.generation.to_le_bytes());
        }
        let sum = sector_sum(&sector);
        sector[SUM_AT..].copy_from_slice(&sum.to_le_bytes());
        sector
    }

    /// Reads a header found at `offset`; `None` where none was ever written, the error says what is wrong.
    pub(super) fn parse(sector: &[u8; SECTOR], offset: u64) -> Result<Option<Self>, &'static str> {
        if sector.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let mut summed = *sector;
        summed[SUM_AT..].fill(0);
        if u32_at(sector, SUM_AT) != sector_sum(&summed) || sector[..8] != MAGIC {
            return Err("the header of a virtual log file is damaged");
        }
        if u16_at(sector, 8) != VERSION {
            return Err("the log was written by another version");
        }
        let vlf = Self {
            offset: u64_at(sector, 24),
            length: u64_at(sector, 16),
            is_active: sector[10] == IN_USE,
            sequence: u32_at(sector, 12),
            first_block: u32_at(sector, 32),
            previous_end: u32_at(sector, 36),
            generation: u32_at(sector, 40),
            is_received: sector[44] != 0,
            cut: (u32_at(sector, 48) != 0).then(|| Cut {
                block: u32_at(sector, 48),
                end: u32_at(sector, 52),
                slot: u16_at(sector, 56),
                generation: u32_at(sector, 60),
            }),
        };
        if vlf.offset != offset || !is_length(vlf.length) {
            return Err("the header of a virtual log file is of another place");
        }
        Ok(Some(vlf))
    }
}

/// Whether a VLF can have this length: whole sectors, room behind the header, block numbers that fit their field.
pub(super) fn is_length(length: u64) -> bool {
    length > VLF_HEADER
        && length.is_multiple_of(SECTOR as u64)
        && u32::try_from(length / SECTOR as u64).is_ok()
}

/// The lengths of the VLFs that `bytes` more of log are split into, as SQL Server does: 4 up to 64 MB, 8 up to 1 GB, 16 beyond
/// ("SQL Server transaction log architecture and management guide"); the last takes the rest. Fewer where they would be shorter
/// than [`VLF_MIN`]. Its later rule, one VLF for growth of less than an eighth of the log, is not followed.
pub(super) fn split(bytes: u64) -> Vec<u64> {
    let usual = match bytes {
        0..=0x400_0000 => 4,
        0x400_0001..=0x4000_0000 => 8,
        _ => 16,
    };
    let whole = bytes / VLF_HEADER * VLF_HEADER;
    let count = usual.min(whole / VLF_MIN);
    if count == 0 {
        return Vec::new();
    }
    let each = whole / count / VLF_HEADER * VLF_HEADER;
    let mut lengths = vec![each; count as usize];
    lengths[count as usize - 1] = whole - each * (count - 1);
    lengths
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::{Cut, Vlf, split};

    #[test]
    fn a_log_of_one_megabyte_has_the_vlfs_that_sql_server_gives_it() {
        // DBCC LOGINFO of a new database with a log of 1 MB shows 253952, 253952, 253952, 278528.
        assert_eq!(split(1_048_576 - 8192), [253_952, 253_952, 253_952, 278_528]);
        assert_eq!(split(64 << 20).len(), 4);
        assert_eq!(split((64 << 20) + 8192).len(), 8);
        assert_eq!(split(1 << 30).len(), 8);
        assert_eq!(split((1 << 30) + 8192).len(), 16);
        assert_eq!(split(65_536), [65_536]);
        assert!(split(60_000).is_empty());
    }

    #[test]
    fn a_header_comes_back_and_every_flipped_bit_of_it_is_seen() {
        let vlf = Vlf {
            is_active: true,
            sequence: 40,
            previous_end: 496,
            generation: 3,
            is_received: true,
            cut: Some(Cut {
                block: 20,
                end: 24,
                slot: 7,
                generation: 4,
            }),
            ..Vlf::new(8192, 253_952)
        };
        let mut sector = vlf.to_sector();
        assert_eq!(Vlf::parse(&sector, 8192), Ok(Some(vlf)));
        assert!(Vlf::parse(&sector, 16_384).is_err());
        for bit in 0..sector.len() * 8 {
            sector[bit / 8] ^= 1 << (bit % 8);
            assert!(Vlf::parse(&sector, 8192).is_err(), "bit {bit}");
            sector[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(Vlf::parse(&[0; 512], 8192), Ok(None));
    }
}
