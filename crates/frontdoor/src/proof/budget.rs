//! The memory that blocks may keep for the verifier, shared by all blobs.
//!
//! A block asks for its room before its body arrives. It gets all of it or nothing, at once: nothing here waits, because
//! proof never delays an answer. The frames that hyper read are kept as they are, so keeping a block copies nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// A number of bytes that may be kept at once.
#[derive(Debug)]
pub(crate) struct Budget {
    free: AtomicUsize,
}

impl Budget {
    /// A budget of `bytes`.
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Budget {
            free: AtomicUsize::new(bytes),
        })
    }

    /// Room for a block of `bytes`, or `None` when there is not that much at the moment.
    pub(crate) fn room(self: &Arc<Self>, bytes: u64) -> Option<Kept> {
        let bytes = usize::try_from(bytes).ok()?;
        self.free
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| {
                free.checked_sub(bytes)
            })
            .ok()?;
        Some(Kept {
            frames: Vec::new(),
            room: bytes,
            budget: Arc::clone(self),
        })
    }

    /// Bytes that nobody holds.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.free.load(Ordering::Acquire)
    }
}

/// The frames of one block, kept; the room is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Kept {
    frames: Vec<Bytes>,
    room: usize,
    budget: Arc<Budget>,
}

impl Kept {
    /// Keeps one more frame. The caller asked for room for all frames of the block.
    pub(crate) fn push(&mut self, frame: Bytes) {
        self.frames.push(frame);
    }

    /// The frames in order.
    pub(crate) fn frames(&self) -> &[Bytes] {
        &self.frames
    }

    /// Bytes of room that this holds.
    pub(crate) fn room(&self) -> usize {
        self.room
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.budget.free.fetch_add(self.room, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_all_or_nothing_and_comes_back() {
        let budget = Budget::new(10);
        let mut kept = budget.room(7).unwrap();
        kept.push(Bytes::from_static(b"abcdefg"));
        assert_eq!(kept.frames().concat(), b"abcdefg");
        assert!(budget.room(4).is_none());
        assert_eq!(budget.free(), 3);
        drop(kept);
        assert_eq!(budget.free(), 10);
        assert!(budget.room(u64::MAX).is_none());
    }
}
