//! Reading a part of one frame's payload: every byte is checked before it is given out.
//!
//! Whole checksum chunks go straight into the caller's buffer; the chunks at the ragged ends of a part go through a small
//! one, because a checksum covers all of its chunk. The checksums of the frames read last are kept with the open file:
//! many small reads of one block would otherwise each read and check its trailer again. They never go stale, because a
//! place in a file is written once and a sequence number given once.
//!
//! Two ways: [`BlobFile::read_span`] waits for the disk and says what is wrong; [`BlobFile::read_span_cached`] does
//! neither.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::blob_file::{BlobFile, read_trailer};
use crate::block_list::Span;
use crate::error::StoreError;
use crate::frame::{PAGE, Trailer, crc64};
use crate::health::read_failed;
use crate::limits::{CHECKSUM_BYTES, KNOWN_CHECKSUMS_MAX};

/// The checksums of the frames read last, newest first.
#[derive(Default)]
pub(crate) struct KnownChecksums(Mutex<VecDeque<(Span, Arc<Vec<u64>>)>>);

impl KnownChecksums {
    fn get(&self, span: Span) -> Option<Arc<Vec<u64>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|(of, _)| *of == span);
        found.map(|(_, checksums)| Arc::clone(checksums))
    }

    fn put(&self, span: Span, checksums: Vec<u64>) -> Arc<Vec<u64>> {
        let checksums = Arc::new(checksums);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.iter().all(|(of, _)| *of != span) {
            known.push_front((span, Arc::clone(&checksums)));
        }
        // The newest one stays however long it is: the next read is of the same block as a rule.
        while known.len() > 1 && known.iter().map(|(_, sums)| sums.len()).sum::<usize>() > KNOWN_CHECKSUMS_MAX
        {
            known.pop_back();
        }
        checksums
    }
}

/// Why a part could not be given out.
enum Unread {
    /// The file ends before it.
    Short,
    /// The bytes of one chunk do not match their checksum.
    Mismatch {
        chunk: usize,
        bytes: usize,
    },
    Failed(std::io::Error),
}

impl BlobFile {
    /// Fills `buf` from byte `within` of a frame's payload, verified.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] past its end, [`StoreError::Damaged`], [`StoreError::Io`].
    pub(crate) fn read_span(&self, span: Span, within: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        let checksums = match self.known_checksums().get(span) {
            Some(checksums) => checksums,
            None => self.known_checksums().put(span, self.trailer_of(span)?),
        };
        if within + buf.len() as u64 > span.len {
            return Err(StoreError::Misuse("past the end of the block"));
        }
        fill(span, &checksums, within, buf, |part, at| {
            let n = self.file().read_at(part, at).map_err(Unread::Failed)?;
            if n < part.len() {
                Err(Unread::Short)
            } else {
                Ok(())
            }
        })
        .map_err(|why| self.describe(span, why))
    }

    /// The same where that takes no waiting for the disk. False where it would, or where something is wrong.
    pub(crate) fn read_span_cached(&self, span: Span, within: u64, buf: &mut [u8]) -> bool {
        let Some(checksums) = self
            .known_checksums()
            .get(span)
            .or_else(|| self.trailer_cached(span))
        else {
            return false;
        };
        let read = |part: &mut [u8], at| {
            let n = self.file().read_cached_at(part, at);
            if n < part.len() {
                Err(Unread::Short)
            } else {
                Ok(())
            }
        };
        within + buf.len() as u64 <= span.len && fill(span, &checksums, within, buf, read).is_ok()
    }

    fn trailer_of(&self, span: Span) -> Result<Vec<u64>, StoreError> {
        let header = span.header(self.identity());
        let trailer = read_trailer(self.file(), &header).map_err(|error| read_failed(self.path(), error))?;
        trailer
            .and_then(Trailer::checksums)
            .ok_or_else(|| self.damaged(&format!("trailer of the block at {}", span.offset)))
    }

    fn trailer_cached(&self, span: Span) -> Option<Arc<Vec<u64>>> {
        let header = span.header(self.identity());
        let mut bytes = vec![0; header.trailer_bytes() as usize];
        if self.file().read_cached_at(&mut bytes, header.trailer_at()) < bytes.len() {
            return None;
        }
        let checksums = Trailer::decode(&bytes, &header)?.checksums()?;
        Some(self.known_checksums().put(span, checksums))
    }

    fn describe(&self, span: Span, why: Unread) -> StoreError {
        match why {
            Unread::Failed(error) => read_failed(self.path(), error),
            Unread::Short => self.damaged(&format!("the file ends within the block at {}", span.offset)),
            Unread::Mismatch { chunk, bytes } => {
                let first = chunk * CHECKSUM_BYTES;
                let last = first + bytes - 1;
                self.damaged(&format!(
                    "bytes {first} to {last} of the block at {}",
                    span.offset
                ))
            }
        }
    }

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged {
            what: format!("{}: {what}", self.path().display()),
        }
    }
}

/// Fills `buf` from byte `within` of the payload by `read`, which takes a buffer and an offset in the file.
fn fill(
    span: Span,
    checksums: &[u64],
    within: u64,
    buf: &mut [u8],
    read: impl Fn(&mut [u8], u64) -> Result<(), Unread>,
) -> Result<(), Unread> {
    let chunk = CHECKSUM_BYTES as u64;
    let end = within + buf.len() as u64;
    let mut at = within;
    while at < end {
        let first = at / chunk;
        let filled = (at - within) as usize;
        let chunk_end = ((first + 1) * chunk).min(span.len);
        if at.is_multiple_of(chunk) && chunk_end <= end {
            // As many whole chunks as the buffer takes, in one read.
            let stop = if end == span.len { end } else { end - end % chunk };
            let part = &mut buf[filled..(stop - within) as usize];
            read(part, span.offset + PAGE + at)?;
            for (index, bytes) in part.chunks(CHECKSUM_BYTES).enumerate() {
                verify(first as usize + index, bytes, checksums)?;
            }
            at = stop;
        } else {
            let start = first * chunk;
            let mut whole = vec![0; (chunk_end - start) as usize];
            read(&mut whole, span.offset + PAGE + start)?;
            verify(first as usize, &whole, checksums)?;
            let stop = chunk_end.min(end);
            let part = &whole[(at - start) as usize..(stop - start) as usize];
            buf[filled..filled + part.len()].copy_from_slice(part);
            at = stop;
        }
    }
    Ok(())
}

fn verify(chunk: usize, bytes: &[u8], checksums: &[u64]) -> Result<(), Unread> {
    if checksums.get(chunk) == Some(&crc64(bytes)) {
        return Ok(());
    }
    Err(Unread::Mismatch {
        chunk,
        bytes: bytes.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(offset: u64) -> Span {
        Span {
            offset,
            len: 1,
            sequence: offset,
            is_change: false,
        }
    }

    #[test]
    fn what_is_known_is_bounded_and_the_newest_stays() {
        let known = KnownChecksums::default();
        for frame in 0..10 {
            known.put(span(frame), vec![frame; KNOWN_CHECKSUMS_MAX / 4]);
        }
        let kept: Vec<bool> = (0..10).map(|frame| known.get(span(frame)).is_some()).collect();
        assert_eq!(kept, [[false; 6].as_slice(), &[true; 4]].concat());
        known.put(span(77), vec![7; 2 * KNOWN_CHECKSUMS_MAX]);
        assert_eq!(known.get(span(77)).unwrap().len(), 2 * KNOWN_CHECKSUMS_MAX);
        assert!(known.get(span(9)).is_none());
    }

    #[test]
    fn any_part_of_a_payload_is_cut_out_right_and_a_flipped_bit_is_seen() {
        let payload: Vec<u8> = (0..3 * CHECKSUM_BYTES + 100)
            .map(|i| (i * 7 % 251) as u8)
            .collect();
        let checksums: Vec<u64> = payload.chunks(CHECKSUM_BYTES).map(crc64).collect();
        let span = Span {
            len: payload.len() as u64,
            ..span(8192)
        };
        let read = |payload: &[u8], within: usize, len: usize| {
            let mut buf = vec![0; len];
            fill(span, &checksums, within as u64, &mut buf, |part, at| {
                let from = (at - span.offset - PAGE) as usize;
                part.copy_from_slice(&payload[from..from + part.len()]);
                Ok(())
            })
            .map(|()| buf)
        };
        let edges = [
            0,
            1,
            511,
            CHECKSUM_BYTES - 1,
            CHECKSUM_BYTES,
            2 * CHECKSUM_BYTES + 5,
            payload.len() - 1,
        ];
        for within in edges {
            for len in [1, 100, CHECKSUM_BYTES, 2 * CHECKSUM_BYTES, payload.len()] {
                let len = len.min(payload.len() - within);
                let got = read(&payload, within, len).ok().expect("sound");
                assert_eq!(got, payload[within..within + len], "{within} + {len}");
            }
        }
        let mut rotten = payload.clone();
        rotten[CHECKSUM_BYTES + 9] ^= 1;
        assert!(read(&rotten, 0, CHECKSUM_BYTES).is_ok(), "another chunk");
        let seen = read(&rotten, CHECKSUM_BYTES + 20, 1);
        assert!(matches!(seen, Err(Unread::Mismatch { chunk: 1, .. })));
    }
}
