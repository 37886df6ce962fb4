//! Where in its file the content of a page or append blob lies: stretches of the blob, each a stretch of the payload of
//! one frame. What no stretch covers reads as zeros.
//!
//! Payload of a map frame, little-endian: number of stretches (8), then for each, in the order of the blob: offset in
//! the blob (8), offset of the frame (8), sequence number of the frame (8), bytes (4), where in the payload they begin
//! (4), bytes of the whole payload (4).

use std::collections::BTreeMap;
use std::ops::Range;

use crate::block_list::Span;
use crate::copy::Part;
use crate::frame::{FILE_END_MAX, Kind, PAGE, frame_len, to_pages};
use crate::limits::CHECKSUM_BYTES;

/// Bytes of one stretch in a map frame.
const ENTRY_BYTES: usize = 36;

/// A stretch of the content. Kept small: a blob may have millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Offset of the frame in the file.
    pub(crate) frame: u64,
    pub(crate) sequence: u64,
    /// Bytes of content.
    pub(crate) len: u32,
    /// Where they begin in the payload.
    pub(crate) within: u32,
    /// Bytes of the whole payload.
    pub(crate) payload_len: u32,
}

impl Extent {
    /// A whole frame.
    pub(crate) fn whole(span: Span) -> Self {
        let len = u32::try_from(span.len).expect("no change of content carries 4 GiB");
        Self {
            frame: span.offset,
            sequence: span.sequence,
            len,
            within: 0,
            payload_len: len,
        }
    }

    fn span(&self) -> Span {
        Span {
            offset: self.frame,
            len: u64::from(self.payload_len),
            sequence: self.sequence,
            is_change: true,
        }
    }

    fn part(&self, skip: u64, len: u64) -> Self {
        Self {
            len: len as u32,
            within: self.within + skip as u32,
            ..*self
        }
    }

    fn is_consistent(&self) -> bool {
        self.len > 0
            && self
                .within
                .checked_add(self.len)
                .is_some_and(|end| end <= self.payload_len)
    }
}

/// What a read meets, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Zeros.
    Hole {
        /// Bytes.
        len: u64,
    },
    /// Bytes of a frame.
    Data {
        /// The frame.
        span: Span,
        /// Where in its payload.
        within: u64,
        /// Bytes.
        len: u64,
    },
}

impl Piece {
    /// Bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Hole { len } | Self::Data { len, .. } => *len,
        }
    }
}

/// Stretches by their offset in the blob; none overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extents {
    by_start: BTreeMap<u64, Extent>,
}

impl Extents {
    pub(crate) fn count(&self) -> usize {
        self.by_start.len()
    }

    /// Offset behind the last byte that is there.
    pub(crate) fn end(&self) -> u64 {
        self.by_start
            .last_key_value()
            .map_or(0, |(start, extent)| start + u64::from(extent.len))
    }

    /// How many stretches more there can be after a write or a clear of this range.
    pub(crate) fn growth(&self, at: u64, len: u64, writes: bool) -> usize {
        let splits = self
            .before(at)
            .is_some_and(|(start, extent)| start + u64::from(extent.len) > at + len);
        usize::from(splits) + usize::from(writes)
    }

    /// Puts a stretch where others may be. `freed` gains the ranges of the file (offset, length) that nothing needs
    /// any more.
    pub(crate) fn write(&mut self, at: u64, extent: Extent, freed: &mut Vec<(u64, u64)>) {
        let removed = self.remove(at, at + u64::from(extent.len));
        self.by_start.insert(at, extent);
        self.free(&removed, freed);
    }

    /// Makes a hole from `from` up to `end`.
    pub(crate) fn clear(&mut self, from: u64, end: u64, freed: &mut Vec<(u64, u64)>) {
        let removed = self.remove(from, end);
        self.free(&removed, freed);
    }

    /// The stretch that begins before `at`, if any.
    fn before(&self, at: u64) -> Option<(u64, Extent)> {
        let (start, extent) = self.by_start.range(..at).next_back()?;
        Some((*start, *extent))
    }

    /// Takes out what lies between the two offsets and returns it.
    fn remove(&mut self, from: u64, end: u64) -> Vec<(u64, Extent)> {
        let mut removed = Vec::new();
        if let Some((start, extent)) = self.before(from) {
            let stop = start + u64::from(extent.len);
            if stop > from {
                self.by_start.insert(start, extent.part(0, from - start));
                removed.push((from, extent.part(from - start, stop.min(end) - from)));
                if stop > end {
                    self.by_start.insert(end, extent.part(end - start, stop - end));
                }
            }
        }
        while let Some((start, extent)) = self.by_start.range(from..end).next().map(|(s, e)| (*s, *e)) {
            self.by_start.remove(&start);
            let stop = start + u64::from(extent.len);
            removed.push((start, extent.part(0, stop.min(end) - start)));
            if stop > end {
                self.by_start.insert(end, extent.part(end - start, stop - end));
            }
        }
        removed
    }

    /// Finds out what of the file nothing needs any more, now that these are gone: whole frames, or chunks that lie
    /// under one checksum. A chunk of which a byte is left must stay whole, or the checksum would not hold.
    fn free(&self, removed: &[(u64, Extent)], freed: &mut Vec<(u64, u64)>) {
        // By frame: where its payload begins in the blob, and the chunks of which something went.
        let mut frames: BTreeMap<u64, (u64, u32, u64)> = BTreeMap::new();
        for (start, extent) in removed {
            let frame = frames.entry(extent.frame).or_insert((
                start - u64::from(extent.within),
                extent.payload_len,
                0,
            ));
            frame.2 |= chunks(extent.within, extent.len);
        }
        for (frame, (start, payload_len, gone)) in frames {
            let payload_len = u64::from(payload_len);
            let left = self
                .by_start
                .range(start..start + payload_len)
                .filter(|(_, extent)| extent.frame == frame)
                .fold(0, |chunks_left, (_, extent)| {
                    chunks_left | chunks(extent.within, extent.len)
                });
            if left == 0 {
                freed.push((frame, frame_len(Kind::Pages, payload_len)));
                continue;
            }
            for chunk in (0..64).filter(|chunk| (gone & !left) >> chunk & 1 == 1) {
                let from = chunk * CHECKSUM_BYTES as u64;
                let len = (to_pages(payload_len) - from).min(CHECKSUM_BYTES as u64);
                freed.push((frame + PAGE + from, len));
            }
        }
    }

    /// What lies from `at` on, `len` bytes.
    pub(crate) fn pieces(&self, at: u64, len: u64) -> Vec<Piece> {
        let end = at + len;
        let mut pieces = Vec::new();
        let mut done = at;
        let first = self.before(at).filter(|(start, e)| start + u64::from(e.len) > at);
        let from_here = self.by_start.range(at..end).map(|(s, e)| (*s, *e));
        for (start, extent) in first.into_iter().chain(from_here) {
            if start > done {
                pieces.push(Piece::Hole { len: start - done });
                done = start;
            }
            let skip = done - start;
            let len = (start + u64::from(extent.len)).min(end) - done;
            pieces.push(Piece::Data {
                span: extent.span(),
                within: u64::from(extent.within) + skip,
                len,
            });
            done += len;
        }
        if done < end {
            pieces.push(Piece::Hole { len: end - done });
        }
        pieces
    }

    /// Whether bytes `within` to `within + len` of a frame's payload are all still content. `start` is where the
    /// payload began in the blob.
    pub(crate) fn holds(&self, start: u64, span: Span, within: u64, len: u64) -> bool {
        let held: u64 = self
            .by_start
            .range(start..start + span.len)
            .filter(|(_, extent)| extent.frame == span.offset && extent.sequence == span.sequence)
            .map(|(_, extent)| {
                let start = u64::from(extent.within).max(within);
                let end = (u64::from(extent.within) + u64::from(extent.len)).min(within + len);
                end.saturating_sub(start)
            })
            .sum();
        held == len
    }

    /// The ranges that are there within a window, merged where they touch, at most `max`; and where to go on.
    pub(crate) fn ranges(&self, window: Range<u64>, max: usize) -> (Vec<Range<u64>>, Option<u64>) {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let first = self.before(window.start);
        let from_here = self.by_start.range(window.clone()).map(|(s, e)| (*s, *e));
        for (start, extent) in first.into_iter().chain(from_here) {
            let end = (start + u64::from(extent.len)).min(window.end);
            let start = start.max(window.start);
            if end <= start {
                continue;
            }
            if let Some(last) = ranges.last_mut().filter(|last| last.end == start) {
                last.end = end;
            } else if ranges.len() == max {
                return (ranges, Some(start));
            } else {
                ranges.push(start..end);
            }
        }
        (ranges, None)
    }

    /// Every stretch before `size`, as a part of a copy.
    pub(crate) fn parts(&self, size: u64) -> Vec<Part> {
        let before = self.by_start.range(..size);
        let part = |(start, extent): (&u64, &Extent)| Part {
            start: *start,
            len: u64::from(extent.len).min(size - start),
            frame: extent.frame,
            id: None,
        };
        before.map(part).collect()
    }

    /// The first bytes in a window that are there. A run is followed until `enough` of it are known, so that walking a
    /// blob run by run takes no longer than walking its stretches once.
    pub(crate) fn run(&self, window: Range<u64>, enough: u64) -> Option<Range<u64>> {
        let first = self
            .before(window.start)
            .filter(|(start, e)| start + u64::from(e.len) > window.start);
        let from_here = self.by_start.range(window.clone()).map(|(s, e)| (*s, *e));
        let mut run: Option<Range<u64>> = None;
        for (start, extent) in first.into_iter().chain(from_here) {
            let (start, end) = (
                start.max(window.start),
                (start + u64::from(extent.len)).min(window.end),
            );
            match &mut run {
                None => run = Some(start..end),
                Some(run) if run.end == start => run.end = end,
                Some(_) => break,
            }
            if end - run.as_ref().map_or(end, |run| run.start) >= enough {
                break;
            }
        }
        run
    }

    /// The frames in use, each with its length: by offset, without doubles.
    pub(crate) fn frames(&self) -> Vec<(u64, u64)> {
        let mut frames: Vec<(u64, u64)> = self
            .by_start
            .values()
            .map(|extent| {
                let payload_len = u64::from(extent.payload_len);
                (extent.frame, frame_len(Kind::Pages, payload_len))
            })
            .collect();
        frames.sort_unstable();
        frames.dedup();
        frames
    }

    /// The payload of a map frame, of what lies before `size`.
    pub(crate) fn encode(&self, size: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.by_start.len() * ENTRY_BYTES);
        bytes.extend_from_slice(&0_u64.to_le_bytes());
        let mut count = 0_u64;
        for (start, extent) in self.by_start.range(..size) {
            let extent = extent.part(0, u64::from(extent.len).min(size - start));
            for value in [*start, extent.frame, extent.sequence] {
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            for value in [extent.len, extent.within, extent.payload_len] {
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            count += 1;
        }
        bytes[..8].copy_from_slice(&count.to_le_bytes());
        bytes
    }

    /// The opposite of [`Self::encode`].
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, entries) = bytes.split_first_chunk::<8>()?;
        let count = u64::from_le_bytes(*count);
        if entries.len() as u64 != count.checked_mul(ENTRY_BYTES as u64)? {
            return None;
        }
        let mut by_start = BTreeMap::new();
        let mut end = 0;
        for entry in entries.chunks_exact(ENTRY_BYTES) {
            let wide = |at: usize| entry[at..].first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
            let narrow = |at: usize| entry[at..].first_chunk::<4>().map(|b| u32::from_le_bytes(*b));
            let start = wide(0)?;
            let extent = Extent {
                frame: wide(8)?,
                sequence: wide(16)?,
                len: narrow(24)?,
                within: narrow(28)?,
                payload_len: narrow(32)?,
            };
            let fits =
                start >= u64::from(extent.within) && start <= FILE_END_MAX && extent.frame <= FILE_END_MAX;
            if start < end || !fits || !extent.is_consistent() {
                return None;
            }
            end = start.checked_add(u64::from(extent.len))?;
            by_start.insert(start, extent);
        }
        Some(Self { by_start })
    }
}

/// The chunks that a stretch of a payload lies in, one bit each. Payloads of pages have at most 64; of longer ones
/// (appended blocks, which nothing replaces) the last bit stands for all others.
fn chunks(within: u32, len: u32) -> u64 {
    let chunk = |at: u32| (at / CHECKSUM_BYTES as u32).min(63);
    let (first, last) = (chunk(within), chunk(within + len - 1));
    (u64::MAX >> (63 - last)) & (u64::MAX << first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, proptest};

    use super::*;

    /// Bytes of a page of the model.
    const UNIT: u64 = 16 << 10;
    const UNITS: usize = 64;

    fn extent(frame: u64, units: u64) -> Extent {
        Extent::whole(Span {
            offset: frame,
            len: units * UNIT,
            sequence: frame,
            is_change: true,
        })
    }

    /// Where the content of each unit lies: frame, and offset in its payload.
    fn model_of(extents: &Extents) -> Vec<Option<(u64, u64)>> {
        let mut model = Vec::new();
        for piece in extents.pieces(0, UNITS as u64 * UNIT) {
            for unit in 0..piece.len() / UNIT {
                model.push(match piece {
                    Piece::Hole { .. } => None,
                    Piece::Data { span, within, .. } => Some((span.offset, within + unit * UNIT)),
                });
            }
        }
        model
    }

    fn step() -> impl Strategy<Value = (bool, u64, u64)> {
        (proptest::bool::weighted(0.7), 0..UNITS as u64, 1..20_u64)
    }

    proptest! {
        #[test]
        fn stretches_are_a_vector_and_no_byte_in_use_is_freed(
            steps in proptest::collection::vec(step(), 1..60)
        ) {
            let mut extents = Extents::default();
            let mut model = vec![None; UNITS];
            let mut freed = Vec::new();
            for (n, (writes, at, len)) in steps.into_iter().enumerate() {
                let len = len.min(UNITS as u64 - at);
                // Each frame in a place of its own.
                let frame = (n as u64 + 1) << 20;
                let most = extents.count() + extents.growth(at * UNIT, len * UNIT, writes);
                if writes {
                    extents.write(at * UNIT, extent(frame, len), &mut freed);
                } else {
                    extents.clear(at * UNIT, (at + len) * UNIT, &mut freed);
                }
                for unit in 0..len {
                    model[(at + unit) as usize] = writes.then_some((frame, unit * UNIT));
                }
                assert!(extents.count() <= most);
                assert_eq!(model_of(&extents), model);
                assert_eq!(Extents::decode(&extents.encode(u64::MAX)), Some(extents.clone()));
            }
            let is_freed = |at: u64| freed.iter().any(|(offset, len)| (*offset..offset + len).contains(&at));
            for (frame, within) in model.iter().flatten() {
                // Nothing under the checksum of a byte in use may go, nor what says where the payload is.
                let chunk = within - within % CHECKSUM_BYTES as u64;
                for at in (chunk..chunk + CHECKSUM_BYTES as u64).step_by(UNIT as usize) {
                    let whole = extents.frames().iter().any(|(f, len)| f == frame && PAGE + at + PAGE < *len);
                    assert!(!whole || !is_freed(frame + PAGE + at));
                }
                assert!(!is_freed(*frame), "its header");
            }
            let used = extents.frames();
            for n in 1..=60_u64 {
                let (frame, written) = (n << 20, freed.iter().any(|(offset, _)| offset >> 20 == n));
                if written && !used.iter().any(|(offset, _)| *offset == frame) {
                    assert!(is_freed(frame), "frame {n} is in no use, and kept");
                }
            }
            let valid: Vec<bool> = model.iter().map(Option::is_some).collect();
            let mut held = vec![false; UNITS];
            let (ranges, _) = extents.ranges(0..UNITS as u64 * UNIT, usize::MAX);
            assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
            for range in ranges {
                held[(range.start / UNIT) as usize..(range.end / UNIT) as usize].fill(true);
            }
            assert_eq!(held, valid);
            // Run by run, the same comes out, whatever is enough.
            for enough in [1, 5 * UNIT, u64::MAX] {
                let (mut held, mut at) = (vec![false; UNITS], 0);
                while let Some(run) = extents.run(at..UNITS as u64 * UNIT, enough) {
                    assert!(run.start >= at && run.end > run.start);
                    held[(run.start / UNIT) as usize..(run.end / UNIT) as usize].fill(true);
                    at = run.end;
                }
                assert_eq!(held, valid);
            }
        }
    }

    #[test]
    fn a_chunk_goes_when_its_last_byte_does() {
        let (mut extents, mut freed) = (Extents::default(), Vec::new());
        extents.write(0, extent(1 << 20, 12), &mut freed);
        // The second chunk of 65,536 bytes but for its last unit.
        extents.clear(4 * UNIT, 7 * UNIT, &mut freed);
        assert_eq!(freed, []);
        extents.clear(7 * UNIT, 8 * UNIT, &mut freed);
        assert_eq!(freed, [((1 << 20) + PAGE + 65_536, 65_536)]);
        freed.clear();
        extents.clear(0, 12 * UNIT, &mut freed);
        assert_eq!(freed, [(1 << 20, frame_len(Kind::Pages, 12 * UNIT))]);
    }

    #[test]
    fn no_damaged_map_is_taken() {
        let mut extents = Extents::default();
        extents.write(UNIT, extent(1 << 20, 2), &mut Vec::new());
        extents.write(9 * UNIT, extent(2 << 20, 1), &mut Vec::new());
        let bytes = extents.encode(u64::MAX);
        assert_eq!(
            bytes.len(),
            8 + 2 * 36,
            "docs/format.md: 36 bytes for each of two"
        );
        for cut in 0..bytes.len() {
            assert_eq!(Extents::decode(&bytes[..cut]), None, "cut at {cut}");
        }
        // The second begins within the first.
        let mut overlapping = bytes.clone();
        overlapping[44..52].copy_from_slice(&(2 * UNIT).to_le_bytes());
        assert_eq!(Extents::decode(&overlapping), None);
        // Numbers with which nothing can be reckoned: offset in the blob, frame, where in a payload that begins before 0.
        for (at, value) in [
            (8, u64::MAX),
            (16, u64::MAX),
            (36, ((4 * UNIT) << 32) | (2 * UNIT)),
        ] {
            let mut hostile = extents.encode(2 * UNIT);
            hostile[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
            assert_eq!(Extents::decode(&hostile), None, "{value} at {at}");
        }
    }
}
