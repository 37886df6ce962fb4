//! Pages in memory: a bounded number of frames, and which of them may go.
//!
//! A frame is clean (as in its file), dirty (newer than its file), or held (part of a section of system changes whose records are
//! not in the log yet). Clean frames make room for others first, those not looked at since the hand last came by before the rest;
//! dirty ones must be written by the [`Core`](super::core::Core), which knows the log; held ones stay, and if need be the pool
//! outgrows its bound until their section ends. Everything goes in the order of the page ids, so that the same calls leave the
//! same frames.

use std::collections::BTreeMap;
use std::ops::Bound;

use bak::Lsn;

use super::pages::{PAGE, Page, PageId};

/// Frames of a database: 64 MiB.
pub(super) const FRAMES: usize = 64 * 1024 * 1024 / PAGE;
/// How many frames make room at once, so that the hand does not pass the same dirty frames for every page that is read.
const ROOM: usize = 16;

/// A page in memory.
#[derive(Clone)]
pub(super) struct Frame {
    /// Without protection: that comes when it is written.
    pub(super) page: Box<Page>,
    /// Newer than its file.
    pub(super) is_dirty: bool,
    /// Changed by a section that is still open.
    pub(super) is_held: bool,
    /// Looked at since the hand last came by.
    pub(super) is_wanted: bool,
    /// The newest record that must be durable before the page goes to its file.
    pub(super) wal: Lsn,
    /// The record that made the page anew, zero where none is known: redo from before it needs nothing of what the file holds.
    pub(super) formatted: Lsn,
}

impl Frame {
    /// A page as its file has it.
    pub(super) fn clean(page: Box<Page>) -> Self {
        Self {
            page,
            is_dirty: false,
            is_held: false,
            is_wanted: true,
            wal: Lsn::ZERO,
            formatted: Lsn::ZERO,
        }
    }
}

/// The frames.
pub(super) struct Pool {
    frames: BTreeMap<PageId, Frame>,
    hand: PageId,
    limit: usize,
}

impl Pool {
    /// An empty pool of at most `limit` frames.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            frames: BTreeMap::new(),
            hand: PageId { file: 0, page: 0 },
            limit,
        }
    }

    /// Changes the bound, at least 1; it is kept from the next page on.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.max(1);
    }

    /// Whether another page needs room made first.
    pub(super) fn is_full(&self) -> bool {
        self.frames.len() >= self.limit
    }

    /// A page, if it is here.
    pub(super) fn get(&self, id: PageId) -> Option<&Frame> {
        self.frames.get(&id)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, id: PageId) -> Option<&mut Frame> {
        let frame = self.frames.get_mut(&id)?;
        frame.is_wanted = true;
        Some(frame)
    }

    /// Puts a page in the place of whatever was there.
    pub(super) fn put(&mut self, id: PageId, frame: Frame) {
        self.frames.insert(id, frame);
    }

    /// Takes a page out.
    pub(super) fn remove(&mut self, id: PageId) {
        self.frames.remove(&id);
    }

    /// Takes all pages out, whatever they hold.
    pub(super) fn clear(&mut self) {
        self.frames.clear();
    }

    /// Takes out clean frames until there is room, `false` where there are none: two rounds of the hand at most.
    pub(super) fn evict(&mut self) -> bool {
        let mut victims = Vec::new();
        let rounds = [
            (Bound::Excluded(self.hand), Bound::Unbounded),
            (Bound::Unbounded, Bound::Included(self.hand)),
        ];
        for range in rounds.into_iter().chain(rounds) {
            for (id, frame) in self.frames.range_mut(range) {
                let is_wanted = std::mem::replace(&mut frame.is_wanted, false);
                let may_go = !is_wanted && !frame.is_dirty && !frame.is_held;
                if may_go && !victims.contains(id) {
                    victims.push(*id);
                    if victims.len() >= ROOM.min(self.limit) {
                        break;
                    }
                }
            }
            if victims.len() >= ROOM.min(self.limit) {
                break;
            }
        }
        if let Some(last) = victims.last() {
            self.hand = *last;
        }
        for id in &victims {
            self.frames.remove(id);
        }
        !victims.is_empty()
    }

    /// Dirty pages that may be written, at most `count`, from the hand on.
    pub(super) fn dirty_from_hand(&self, count: usize) -> Vec<PageId> {
        let after = self.frames.range((Bound::Excluded(self.hand), Bound::Unbounded));
        let before = self.frames.range(..=self.hand);
        let writable = |(_, frame): &(&PageId, &Frame)| frame.is_dirty && !frame.is_held;
        let ids = after.chain(before).filter(writable).map(|(id, _)| *id);
        ids.take(count).collect()
    }

    /// All dirty pages, ascending.
    pub(super) fn dirty(&self) -> Vec<PageId> {
        let dirty = self.frames.iter().filter(|(_, frame)| frame.is_dirty);
        dirty.map(|(id, _)| *id).collect()
    }

    /// The pages of a run of a file that are newer than the file.
    pub(super) fn dirty_in(&self, first: PageId, count: u32) -> impl Iterator<Item = (PageId, &Frame)> {
        let end = PageId {
            file: first.file,
            page: first.page.saturating_add(count),
        };
        let run = self.frames.range(first..end);
        run.filter(|(_, frame)| frame.is_dirty)
            .map(|(id, frame)| (*id, frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(page: u32) -> PageId {
        PageId { file: 1, page }
    }

    fn pool(limit: usize, pages: u32) -> Pool {
        let mut pool = Pool::new(limit);
        for page in 0..pages {
            pool.put(id(page), Frame::clean(Box::new([0; PAGE])));
        }
        pool
    }

    #[test]
    fn clean_frames_go_and_those_looked_at_go_last() {
        let mut pool = pool(4, 4);
        for page in 0..4 {
            pool.get_mut(id(page)).unwrap().is_wanted = page == 2;
        }
        pool.get_mut(id(0)).unwrap().is_dirty = true;
        pool.frames.get_mut(&id(2)).unwrap().is_wanted = true;
        for page in [0, 1, 3] {
            pool.frames.get_mut(&id(page)).unwrap().is_wanted = false;
        }
        assert!(pool.is_full());
        assert!(pool.evict());
        assert!(
            pool.get(id(0)).is_some(),
            "a dirty page went without being written"
        );
        assert!(pool.get(id(1)).is_none());
    }

    #[test]
    fn dirty_and_held_frames_stay() {
        let mut pool = pool(2, 2);
        pool.get_mut(id(0)).unwrap().is_dirty = true;
        let held = pool.get_mut(id(1)).unwrap();
        held.is_dirty = true;
        held.is_held = true;
        assert!(!pool.evict());
        assert_eq!(pool.dirty_from_hand(9), [id(0)]);
        assert_eq!(pool.dirty(), [id(0), id(1)]);
    }

    #[test]
    fn a_run_of_a_file_ends_with_it() {
        let mut pool = pool(9, 9);
        pool.get_mut(id(8)).unwrap().is_dirty = true;
        pool.get_mut(id(3)).unwrap().is_dirty = true;
        let found: Vec<_> = pool.dirty_in(id(0), 8).map(|(id, _)| id.page).collect();
        assert_eq!(found, [3]);
    }
}
