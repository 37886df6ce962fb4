//! A range of a blob on its way out. What lies in page cache is read and verified by the worker itself when the socket
//! wants it: no disk is waited for, and a hop to another thread and its cache would cost as much as the work. What
//! does not is read and verified on blocking threads, a few chunks ahead of the socket.
//!
//! One blocking call reads up to [`limits::READ_AHEAD`] chunks and passes each on as soon as it is verified, so the first
//! leaves while the next is read, and a slow client holds buffers but no thread. The next call starts when half of what
//! was read ahead has gone; it may run beside the one before, so each call has a channel of its own and the channels are
//! emptied in order. A chunk that cannot be read, or whose checksum does not hold, breaks the body off; nothing
//! that was not verified is ever sent.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::spawn_blocking;

use crate::answer::BrokenOff;
use crate::buffers::Buffers;
use crate::limits;

/// Where a download's bytes come from.
pub(crate) trait Source: Send + Sync + 'static {
    /// Fills `into` with the bytes at `offset`, verified. Called on blocking threads.
    ///
    /// # Errors
    /// [`BrokenOff`] once the source has reported why.
    fn fill(&self, offset: u64, into: &mut [u8]) -> Result<(), BrokenOff>;

    /// The same without waiting for a disk, on any thread. False where it cannot, for whatever reason.
    fn fill_at_once(&self, offset: u64, into: &mut [u8]) -> bool;
}

/// The bytes of a range, as they become available.
pub(crate) struct Download {
    source: Arc<dyn Source>,
    buffers: Arc<Buffers>,
    /// Next byte to ask the source for.
    next: u64,
    end: u64,
    /// Bytes not yet handed to hyper.
    left: u64,
    /// Chunks asked for and not yet handed to hyper.
    ahead: usize,
    first: Option<Bytes>,
    calls: VecDeque<UnboundedReceiver<Result<Bytes, BrokenOff>>>,
}

impl Download {
    /// The bytes from `start` to `end` (exclusive) of `source`, beginning with `first`, which has been read already.
    pub(crate) fn new(
        source: Arc<dyn Source>,
        buffers: Arc<Buffers>,
        first: Bytes,
        start: u64,
        end: u64,
    ) -> Self {
        Download {
            source,
            buffers,
            next: start + first.len() as u64,
            end,
            left: end - start,
            ahead: 1,
            first: Some(first),
            calls: VecDeque::new(),
        }
    }

    /// Bytes in the first chunk of a range.
    pub(crate) fn first_length(start: u64, end: u64) -> usize {
        chunk_length(start, end)
    }

    /// Bytes that hyper has not got yet.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// The next chunk.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if self.ahead == 0
            && let Some(chunk) = self.read_at_once()
        {
            self.left -= chunk.len() as u64;
            return Poll::Ready(Some(Ok(chunk)));
        }
        if self.ahead == 0 {
            self.read_on();
        }
        let chunk = ready!(self.poll_calls(cx));
        self.ahead -= 1;
        self.left = chunk.as_ref().map_or(0, |bytes| self.left - bytes.len() as u64);
        if chunk.is_ok() && (1..=limits::READ_AHEAD / 2).contains(&self.ahead) {
            self.read_on();
        }
        Poll::Ready(Some(chunk))
    }

    /// The next chunk, where it is in memory. Only asked for when nothing is being read ahead.
    fn read_at_once(&mut self) -> Option<Bytes> {
        let length = chunk_length(self.next, self.end);
        let mut buffer = self.buffers.take();
        if !self.source.fill_at_once(self.next, &mut buffer.space()[..length]) {
            return None;
        }
        self.next += length as u64;
        Some(buffer.into_bytes(length))
    }

    fn poll_calls(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, BrokenOff>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Ok(first));
        }
        while let Some(call) = self.calls.front_mut() {
            match ready!(call.poll_recv(cx)) {
                Some(chunk) => return Poll::Ready(chunk),
                None => self.calls.pop_front(),
            };
        }
        // A call ended early without a word: it panicked.
        Poll::Ready(Err(BrokenOff))
    }

    /// Asks for as many chunks as may be ahead.
    fn read_on(&mut self) {
        let (from, mut to) = (self.next, self.next);
        // Clients that are slow to take what was read ahead for them share a bound; beyond it each has one chunk.
        let ahead = if self.buffers.bytes_out() < limits::READ_BYTES {
            limits::READ_AHEAD
        } else {
            1
        };
        while to < self.end && self.ahead < ahead {
            to = chunk_end(to, self.end);
            self.ahead += 1;
        }
        if from == to {
            return;
        }
        self.next = to;
        let (sender, chunks) = unbounded_channel();
        self.calls.push_back(chunks);
        let (source, buffers) = (Arc::clone(&self.source), Arc::clone(&self.buffers));
        spawn_blocking(move || {
            let mut at = from;
            while at < to {
                let chunk = read_chunk(source.as_ref(), &buffers, at, to);
                at = chunk_end(at, to);
                let failed = chunk.is_err();
                if sender.send(chunk).is_err() || failed {
                    return;
                }
            }
        });
    }
}

/// Chunks end at multiples of their size, where the store's checksummed pieces end too.
fn chunk_end(start: u64, end: u64) -> u64 {
    let size = limits::READ_CHUNK as u64;
    end.min((start / size + 1) * size)
}

fn chunk_length(start: u64, end: u64) -> usize {
    usize::try_from(chunk_end(start, end) - start).expect("a chunk is small")
}

fn read_chunk(source: &dyn Source, buffers: &Arc<Buffers>, start: u64, end: u64) -> Result<Bytes, BrokenOff> {
    let length = chunk_length(start, end);
    let mut buffer = buffers.take();
    source.fill(start, &mut buffer.space()[..length])?;
    Ok(buffer.into_bytes(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::future::poll_fn;

    struct Pattern {
        broken_at: u64,
        in_memory: std::ops::Range<u64>,
    }

    impl Source for Pattern {
        fn fill(&self, offset: u64, into: &mut [u8]) -> Result<(), BrokenOff> {
            if offset + into.len() as u64 > self.broken_at {
                return Err(BrokenOff);
            }
            for (byte, at) in into.iter_mut().zip(offset..) {
                *byte = (at % 251) as u8;
            }
            Ok(())
        }

        fn fill_at_once(&self, offset: u64, into: &mut [u8]) -> bool {
            self.in_memory.contains(&offset) && self.fill(offset, into).is_ok()
        }
    }

    async fn read(start: u64, end: u64, broken_at: u64, in_memory: std::ops::Range<u64>) -> (Vec<u8>, bool) {
        let source = Arc::new(Pattern { broken_at, in_memory });
        let buffers = Buffers::new(limits::READ_CHUNK, 4);
        let first = read_chunk(source.as_ref(), &buffers, start, end).unwrap();
        let mut download = Download::new(source, buffers, first, start, end);
        let mut all = Vec::new();
        while let Some(chunk) = poll_fn(|cx| download.poll_chunk(cx)).await {
            match chunk {
                Ok(bytes) => all.extend_from_slice(&bytes),
                Err(BrokenOff) => return (all, true),
            }
        }
        (all, false)
    }

    #[tokio::test]
    async fn a_range_arrives_whole_and_in_order() {
        let (start, end) = (77, 5_000_003);
        for in_memory in [0..0, 0..end, 0..2_000_000, 3_000_000..end, 1_000_000..2_000_000] {
            let (all, broken) = read(start, end, u64::MAX, in_memory).await;
            assert!(!broken);
            assert!(
                all.iter()
                    .zip(start..)
                    .all(|(byte, at)| u64::from(*byte) == at % 251)
            );
            assert_eq!(all.len() as u64, end - start);
        }
    }

    #[tokio::test]
    async fn beyond_the_bound_a_download_has_one_chunk_and_goes_on() {
        let source = Arc::new(Pattern {
            broken_at: u64::MAX,
            in_memory: 0..0,
        });
        let buffers = Buffers::new(limits::READ_CHUNK, 4);
        let others: Vec<_> = (0..limits::READ_BYTES / limits::READ_CHUNK)
            .map(|_| buffers.take())
            .collect();
        let end = 5_000_003;
        let first = read_chunk(source.as_ref(), &buffers, 0, end).unwrap();
        let mut download = Download::new(source, Arc::clone(&buffers), first, 0, end);
        let mut bytes = 0;
        while let Some(chunk) = poll_fn(|cx| download.poll_chunk(cx)).await {
            bytes += chunk.unwrap_or_default().len() as u64;
            assert!(download.ahead <= 1 && buffers.bytes_out() <= limits::READ_BYTES + limits::READ_CHUNK);
        }
        assert_eq!(bytes, end);
        drop(others);
    }

    #[tokio::test]
    async fn what_cannot_be_read_breaks_off() {
        let (all, broken) = read(0, 4_000_000, 2_000_000, 0..1_000_000).await;
        assert!(broken);
        assert!(all.len() < 2_000_000);
    }
}
