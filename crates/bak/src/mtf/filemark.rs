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
//! Both layouts were read off the real backups (11 filemarks of 2005, 239 later ones). What lies behind the used entries is not
//! zero in every file and says nothing.

use super::block::Block;
use crate::bytes::{u32_at, u64_at};

/// Attribute of every filemark from 2008 on.
const WIDE: u32 = 0x8000_0000;
const FIRST_ENTRY_2005: usize = 60;

/// Sizes that a filemark can have: the values that BACKUP accepts for BLOCKSIZE.
pub(crate) fn physical_block_size(block: &Block) -> Option<u32> {
    let size = u32::try_from(block.bytes.len()).ok()?;
    (size.is_power_of_two() && (512..=65536).contains(&size)).then_some(size)
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
    if used != count.min(room) || first < 60 || first > bytes.len() {
        return false;
    }
    let entries = bytes[first..].as_chunks::<8>().0;
    used <= entries.len() as u64
        && entries
            .iter()
            .take(used as usize)
            .zip(earlier.iter().rev())
            .all(|(entry, offset)| u64_at(entry, 0) == *offset)
}
