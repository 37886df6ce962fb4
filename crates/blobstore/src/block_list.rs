//! The committed block list of a blob: which stretches of its file are its content, in which order.
//!
//! Payload of a list frame, little-endian: number of entries (8), then for each: offset of the block's frame
//! (8), bytes of data (8), sequence number of the frame (8), length of the block id (2), the id. The body of a
//! Put Blob is an entry without an id.

use azblob::block::{BlockId, MAX_BLOCK_ID_BYTES};

use crate::copy::Part;
use crate::extents::Piece;
use crate::frame::{BLOCK_PAYLOAD_MAX, FILE_END_MAX, Header, Kind, frame_len};

/// Where a block's frame lies, and enough to know it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) sequence: u64,
    /// The frame changed the content by itself: pages, or an appended block.
    pub(crate) is_change: bool,
}

impl Span {
    pub(crate) fn of(header: &Header) -> Self {
        Self {
            offset: header.offset,
            len: header.payload_len,
            sequence: header.sequence,
            is_change: header.kind.is_change(),
        }
    }

    /// As much of the frame's header as finding and checking its trailer takes.
    pub(crate) fn header(&self, identity: u128) -> Header {
        // Among the changes the kind makes no difference to a trailer.
        let kind = if self.is_change { Kind::Append } else { Kind::Block };
        Header {
            kind,
            identity,
            offset: self.offset,
            payload_len: self.len,
            frame_len: frame_len(kind, self.len),
            sequence: self.sequence,
            generation: 0,
            durable_below: 0,
            moment_ms: 0,
            block_id: Vec::new(),
            place: (0, 0),
            root_at: 0,
        }
    }
}

/// One block of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: Option<BlockId>,
    pub(crate) span: Span,
}

/// A committed list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CommittedList {
    pub(crate) entries: Vec<Entry>,
    /// Position in the content of the first byte of each entry.
    starts: Vec<u64>,
    size: u64,
}

impl CommittedList {
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        let mut size = 0;
        let starts = entries
            .iter()
            .map(|entry| {
                let start = size;
                size += entry.span.len;
                start
            })
            .collect();
        Self {
            entries,
            starts,
            size,
        }
    }

    /// What a copy of the content consists of.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let parts = self.entries.iter().zip(&self.starts).map(|(entry, start)| Part {
            start: *start,
            len: entry.span.len,
            frame: entry.span.offset,
            id: entry.id.clone(),
        });
        parts.collect()
    }

    /// Bytes of content.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The entry that holds the byte at `position` (which is below [`Self::size`]), and where in it.
    pub(crate) fn locate(&self, position: u64) -> (usize, u64) {
        assert!(position < self.size);
        let index = self.starts.partition_point(|start| *start <= position) - 1;
        (index, position - self.starts[index])
    }

    /// What lies from `at` on, `len` bytes, all of it below [`Self::size`].
    pub(crate) fn pieces(&self, at: u64, len: u64) -> impl Iterator<Item = Piece> {
        let mut done = 0;
        std::iter::from_fn(move || {
            if done == len {
                return None;
            }
            let (index, within) = self.locate(at + done);
            let span = self.entries[index].span;
            let len = (span.len - within).min(len - done);
            done += len;
            Some(Piece::Data { span, within, len })
        })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.entries.len() * 48);
        bytes.extend_from_slice(&(self.entries.len() as u64).to_le_bytes());
        for entry in &self.entries {
            let id = entry.id.as_ref().map_or(&[][..], BlockId::as_bytes);
            for value in [entry.span.offset, entry.span.len, entry.span.sequence] {
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            bytes.extend_from_slice(&(id.len() as u16).to_le_bytes());
            bytes.extend_from_slice(id);
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, mut rest) = take_u64(bytes)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let (offset, after) = take_u64(rest)?;
            let (len, after) = take_u64(after)?;
            let (sequence, after) = take_u64(after)?;
            let (id_len, after) = after.split_first_chunk::<2>()?;
            let id_len = usize::from(u16::from_le_bytes(*id_len));
            if id_len > MAX_BLOCK_ID_BYTES {
                return None;
            }
            let (id, after) = after.split_at_checked(id_len)?;
            rest = after;
            if offset > FILE_END_MAX || len > BLOCK_PAYLOAD_MAX {
                return None;
            }
            entries.push(Entry {
                id: if id.is_empty() {
                    None
                } else {
                    Some(BlockId::from_bytes(id).ok()?)
                },
                span: Span {
                    offset,
                    len,
                    sequence,
                    is_change: false,
                },
            });
        }
        rest.is_empty().then(|| Self::new(entries))
    }
}

fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (value, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*value), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &[u8], offset: u64, len: u64) -> Entry {
        Entry {
            id: BlockId::from_bytes(id).ok(),
            span: Span {
                offset,
                len,
                sequence: 9,
                is_change: false,
            },
        }
    }

    #[test]
    fn a_list_comes_back() {
        let list = CommittedList::new(vec![
            entry(b"a", 4096, 10),
            entry(b"", 8192, 5),
            entry(b"b", 0, 1),
        ]);
        let bytes = list.encode();
        assert_eq!(CommittedList::decode(&bytes), Some(list));
        for cut in 0..bytes.len() {
            assert_eq!(CommittedList::decode(&bytes[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn no_hostile_list_is_taken() {
        for (offset, len) in [(u64::MAX - 4095, 1), (4096, u64::MAX), (4096, 1 << 41)] {
            let bytes = [1, offset, len, 9].map(u64::to_le_bytes).concat();
            let bytes = [bytes.as_slice(), &[1, 0, b'a']].concat();
            assert_eq!(CommittedList::decode(&bytes), None, "{offset} + {len}");
        }
    }

    #[test]
    fn every_byte_is_located() {
        let list = CommittedList::new(vec![entry(b"a", 0, 3), entry(b"b", 0, 1), entry(b"c", 0, 2)]);
        let places: Vec<_> = (0..list.size()).map(|at| list.locate(at)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0), (2, 1)]);
    }
}
