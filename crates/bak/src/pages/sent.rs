//! Which extents a pass over the data files has sent: one bit each.
//!
//! The bits are kept in pieces of 512 extents that come into being with their first one, so that memory follows the bytes read and
//! not the page numbers that a broken file claims.

use std::collections::BTreeMap;

use super::page::PageId;

const WORDS: usize = 8;
const PIECE: u32 = WORDS as u32 * 64;

/// Extents sent so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct SentExtents {
    pieces: BTreeMap<(u16, u32), [u64; WORDS]>,
}

impl SentExtents {
    /// Marks the extent that begins with `first`; `false` where it was marked before.
    pub(crate) fn mark(&mut self, first: PageId) -> bool {
        let extent = first.page / 8;
        let words = self.pieces.entry((first.file, extent / PIECE)).or_default();
        let bit = extent % PIECE;
        let word = &mut words[(bit / 64) as usize];
        let mask = 1_u64 << (bit % 64);
        let fresh = *word & mask == 0;
        *word |= mask;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::{PageId, SentExtents};

    #[test]
    fn an_extent_is_fresh_once() {
        let mut sent = SentExtents::default();
        for page in [0, 8, 4096, u32::MAX - 7] {
            assert!(sent.mark(PageId { file: 1, page }));
            assert!(!sent.mark(PageId { file: 1, page }));
            assert!(sent.mark(PageId { file: 2, page }));
        }
    }
}
