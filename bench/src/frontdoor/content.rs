//! The bytes that every subject of the bench gets.
//!
//! Noise: incompressible, the same in every run, and different in every block, so that a block which lands in
//! the wrong place is noticed when it is read back. One buffer of 8 MiB serves for any size: a block is a 4 MiB
//! window of it that starts at an odd stride. The buffer stays in the processor's cache, so the client's part of
//! the two cores stays small. Or a backup, whole in memory, which a vault proves while it arrives.
//!
//! Deliberately absent: a source of true randomness; a bench must be repeatable.

use std::path::Path;

use anyhow::Result;

/// Bytes in one block: what SQL Server sends with MAXTRANSFERSIZE=4194304.
pub(crate) const BLOCK: usize = 4 << 20;

/// Distance between the windows of neighbouring blocks, in bytes: prime, so that windows start at 4,194,304
/// different places before they repeat, and never at the same place of a page or a sector.
const STRIDE: usize = 4_099;

/// The source of all blocks.
pub(crate) struct Content {
    bytes: Vec<u8>,
    blocks: usize,
    windows: bool,
}

impl Content {
    /// Noise for `blocks` blocks (takes about 2 ms).
    pub(crate) fn noise(blocks: usize) -> Self {
        let mut bytes = vec![0u8; 2 * BLOCK];
        // xorshift64* (Vigna 2014): any generator will do, as long as disks and codecs cannot compress it.
        let mut state = 0x0BAC_2BAC_2BAC_2BACu64;
        for word in bytes.chunks_exact_mut(8) {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            word.copy_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
        }
        Self {
            bytes,
            blocks,
            windows: true,
        }
    }

    /// The blocks of a file, the last one as short as it is.
    pub(crate) fn file(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path)?;
        let blocks = bytes.len().div_ceil(BLOCK);
        Ok(Self {
            bytes,
            blocks,
            windows: false,
        })
    }

    /// How many blocks there are.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks
    }

    /// How many of them are 4 MiB long.
    pub(crate) fn whole_blocks(&self) -> usize {
        if self.windows {
            self.blocks
        } else {
            self.bytes.len() / BLOCK
        }
    }

    /// The bytes of block `index`.
    pub(crate) fn block(&self, index: usize) -> &[u8] {
        if self.windows {
            let start = index.wrapping_mul(STRIDE) % BLOCK;
            return &self.bytes[start..start + BLOCK];
        }
        let start = index * BLOCK;
        &self.bytes[start..self.bytes.len().min(start + BLOCK)]
    }

    /// Whether `bytes` is what block `index` holds from `offset` on.
    pub(crate) fn agrees(&self, index: usize, offset: usize, bytes: &[u8]) -> bool {
        self.block(index).get(offset..offset + bytes.len()) == Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Content};

    #[test]
    fn every_block_is_its_own() {
        let content = Content::noise(600);
        for index in 1..600 {
            assert_ne!(
                content.block(index)[..64],
                content.block(index - 1)[..64],
                "block {index}"
            );
        }
        assert_eq!(content.block(3).len(), BLOCK);
    }

    #[test]
    fn a_window_of_another_block_does_not_agree() {
        let content = Content::noise(9);
        assert!(content.agrees(7, 65_536, &content.block(7)[65_536..131_072]));
        assert!(!content.agrees(7, 65_536, &content.block(8)[65_536..131_072]));
        assert!(
            !content.agrees(7, BLOCK - 1, &content.block(7)[..2]),
            "past the end of the block"
        );
    }

    #[test]
    fn a_file_ends_with_a_short_block() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![7; BLOCK + 100]).unwrap();
        let content = Content::file(file.path()).unwrap();
        assert_eq!((content.blocks(), content.whole_blocks()), (2, 1));
        assert_eq!(content.block(1), [7; 100]);
    }
}
