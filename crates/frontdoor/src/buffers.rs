//! Read buffers that are used again.
//!
//! A fresh 256 KiB buffer costs more in page faults than reading the bytes into it, so a download takes its chunks from
//! here. A filled buffer goes to hyper as [`Bytes`] without a copy and comes back when the socket has taken it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers of one size.
#[derive(Debug)]
pub(crate) struct Buffers {
    size: usize,
    keep: usize,
    idle: Mutex<Vec<Vec<u8>>>,
    out: AtomicUsize,
}

impl Buffers {
    /// Buffers of `size` bytes, of which at most `keep` lie idle.
    pub(crate) fn new(size: usize, keep: usize) -> Arc<Self> {
        Arc::new(Buffers {
            size,
            keep,
            idle: Mutex::new(Vec::new()),
            out: AtomicUsize::new(0),
        })
    }

    /// Bytes of buffers in use, over all downloads.
    pub(crate) fn bytes_out(&self) -> usize {
        self.out.load(Ordering::Relaxed) * self.size
    }

    /// A buffer; what it holds is left over from its last use.
    pub(crate) fn take(self: &Arc<Self>) -> Buffer {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        self.out.fetch_add(1, Ordering::Relaxed);
        Buffer {
            memory: idle.unwrap_or_else(|| vec![0; self.size]),
            filled: 0,
            home: Arc::clone(self),
        }
    }
}

/// One buffer of a pool.
#[derive(Debug)]
pub(crate) struct Buffer {
    memory: Vec<u8>,
    filled: usize,
    home: Arc<Buffers>,
}

impl Buffer {
    /// All of it, to be filled from the start.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    /// The first `filled` bytes, as a frame.
    pub(crate) fn into_bytes(mut self, filled: usize) -> Bytes {
        self.filled = filled.min(self.memory.len());
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.out.fetch_sub(1, Ordering::Relaxed);
        let mut idle = self.home.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.home.keep {
            idle.push(std::mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_frame_is_dropped() {
        let pool = Buffers::new(8, 1);
        let mut buffer = pool.take();
        buffer.space()[..3].copy_from_slice(b"abc");
        let frame = buffer.into_bytes(3);
        let other = pool.take();
        assert_eq!(pool.bytes_out(), 16);
        assert_eq!(frame.as_ref(), b"abc");
        drop(frame);
        drop(other);
        assert_eq!(pool.idle.lock().unwrap().len(), 1, "no more than `keep` lie idle");
        assert_eq!(pool.bytes_out(), 0);
    }
}
