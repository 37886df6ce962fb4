//! SFMB, the soft filemark. It fills one physical block, so its length is the BLOCKSIZE of the backup, and it lists the offsets of
//! all filemarks before it, the latest first.
//!
//! | bytes | field |
//! |---|---|
//! | 52..56 | room for entries |
//! | 56..60 | entries used |
//! | 60..64 | offset of the first entry (72), from 2008 on; the entries of 2005 begin at 60 |
//! | ... | entries: u64 byte offset of an earlier filemark |
//!
//! Both layouts were read off the real backups (11 filemarks of 2005, 245 later ones). Behind the used entries all is zero from
//! 2008 on; in 2005 it is whatever lay there.

use super::block::Block;
use super::oddity::bits_set;
use crate::bytes::{u32_at, u64_at};

/// Attribute of every filemark from 2008 on.
const WIDE: u32 = 0x8000_0000;
const FIRST_ENTRY: usize = 72;
const FIRST_ENTRY_2005: usize = 60;

fn first_entry(block: &Block) -> usize {
    if block.attributes & WIDE != 0 {
        FIRST_ENTRY
    } else {
        FIRST_ENTRY_2005
    }
}

/// Bits in which what is alike in all real filemarks differs: room for entries, their offset, zeros behind the used ones.
pub(crate) fn bits_apart_from_known(block: &Block) -> u64 {
    let bytes = &block.bytes;
    let first = first_entry(block);
    let room = u32::try_from(bytes.len().saturating_sub(first) / 8).unwrap_or(u32::MAX);
    let mut bits = u64::from((u32_at(bytes, 52) ^ room).count_ones());
    if first == FIRST_ENTRY {
        bits += u64::from((u32_at(bytes, 60) ^ FIRST_ENTRY as u32).count_ones());
        bits += bits_set(bytes.get(64..FIRST_ENTRY).unwrap_or(&[]));
        let behind = first.saturating_add((u32_at(bytes, 56) as usize).saturating_mul(8));
        bits += bits_set(bytes.get(behind..).unwrap_or(&[]));
    }
    bits
}

/// Sizes that a filemark can have: the values that BACKUP accepts for BLOCKSIZE.
pub(crate) fn physical_block_size(block: &Block) -> Option<u32> {
    let size = u32::try_from(block.bytes.len()).ok()?;
    (size.is_power_of_two() && (512..=65536).contains(&size)).then_some(size)
}

/// How many filemarks it says there are before it.
pub(crate) fn count(block: &Block) -> u32 {
    u32_at(&block.bytes, 56)
}

/// Whether the entries name the filemarks before this one (`earlier`, in the order of the file, perhaps only the latest of them, at
/// their offsets in the file, which is not the tape-format stream where it is compressed).
pub(crate) fn lists(block: &Block, earlier: &[u64], count: u64) -> bool {
    let bytes = &block.bytes;
    let first = if block.attributes & WIDE != 0 {
        u32_at(bytes, 60) as usize
    } else {
        FIRST_ENTRY_2005
    };
    let room = u64::from(u32_at(bytes, 52));
    let used = u64::from(u32_at(bytes, 56));
    if used != count.min(room) {
        return false;
    }
    let entries = bytes.get(first..).unwrap_or(&[]).as_chunks::<8>().0;
    used <= entries.len() as u64
        && entries
            .iter()
            .take(used as usize)
            .zip(earlier.iter().rev())
            .all(|(entry, offset)| u64_at(entry, 0) == *offset)
}
