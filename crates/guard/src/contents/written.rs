//! Where a blob's committed content lies: all of a block or append blob, the written ranges of a page blob.

use std::ops::Range;

use azblob::response::BlobType;

use crate::account::{Account, Properties};
use crate::fault::{Cause, Fault, Operation};
use crate::place::Place;

/// The written ranges, in order, not touching each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written(Vec<Range<u64>>);

/// What lies at an offset of the content, and up to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// Bytes that were written.
    Bytes(u64),
    /// Bytes of a page blob that never were, or were cleared: zeros.
    Zeros(u64),
}

/// Bytes of a gap that a read does not stop at.
const SHORT_GAP: u64 = 64 << 10;

impl Written {
    /// Of this blob.
    ///
    /// # Errors
    /// The fault of the request; [`Cause::Unusable`] for ranges that are no such.
    pub(crate) async fn of<A: Account>(
        account: &A,
        place: &Place,
        properties: &Properties,
    ) -> Result<Self, Fault> {
        let size = properties.size;
        let ranges = match properties.kind {
            BlobType::Page => account.page_ranges(place, size).await?,
            BlobType::Block | BlobType::Append => {
                std::iter::once(0..size).filter(|all| !all.is_empty()).collect()
            }
        };
        Self::new(ranges, size).ok_or_else(|| Fault {
            operation: Operation::PageRanges,
            target: place.to_string(),
            cause: Cause::Unusable(
                "the ranges overlap, or are out of order or beyond the blob's end".to_owned(),
            ),
            status: None,
            code: None,
        })
    }

    fn new(ranges: Vec<Range<u64>>, size: u64) -> Option<Self> {
        let is_sound = ranges.iter().all(|range| range.start < range.end)
            && ranges.windows(2).all(|pair| pair[0].end <= pair[1].start)
            && ranges.last().is_none_or(|last| last.end <= size);
        is_sound.then_some(Self(ranges))
    }

    /// Whether nothing was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the content ends.
    pub(crate) fn end(&self) -> u64 {
        self.0.last().map_or(0, |range| range.end)
    }

    /// Whether the first byte was written.
    pub(super) fn has_its_start(&self) -> bool {
        self.0.first().is_some_and(|range| range.start == 0)
    }

    /// How far one read from `at`, where bytes were written, may reach: up to `limit`, and over short gaps. Their zeros
    /// cost less than another request.
    pub(super) fn reach(&self, at: u64, limit: u64) -> u64 {
        let next = self.0.partition_point(|range| range.end <= at);
        let mut reach = at;
        for range in &self.0[next..] {
            if reach >= limit || range.start.saturating_sub(reach) > SHORT_GAP {
                break;
            }
            reach = range.end;
        }
        reach.min(limit)
    }

    /// What lies at `at`, which is below the end.
    pub(super) fn run(&self, at: u64) -> Run {
        let next = self.0.partition_point(|range| range.end <= at);
        match self.0.get(next) {
            Some(range) if range.start <= at => Run::Bytes(range.end),
            Some(range) => Run::Zeros(range.start),
            None => Run::Zeros(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::{Run, Written};

    #[test]
    fn what_lies_where() {
        let written = Written::new(vec![512..1024, 1024..1536, 4096..4608], 1 << 40).unwrap();
        assert_eq!(written.end(), 4608);
        assert!(!written.has_its_start());
        for (at, run) in [
            (0, Run::Zeros(512)),
            (511, Run::Zeros(512)),
            (512, Run::Bytes(1024)),
            (1024, Run::Bytes(1536)),
            (1536, Run::Zeros(4096)),
            (4607, Run::Bytes(4608)),
        ] {
            assert_eq!(written.run(at), run, "{at}");
        }
        assert!(Written::new(Vec::new(), 512).unwrap().is_empty());
        assert_eq!(written.reach(512, 768), 768);
        // Over a short gap, or into it.
        assert_eq!(written.reach(512, 1 << 20), 4608);
        assert_eq!(written.reach(512, 2048), 2048);
    }

    #[test]
    fn a_read_does_not_reach_over_a_long_gap() {
        let far = 1 << 30;
        let written = Written::new(vec![0..512, far..far + 512], 1 << 40).unwrap();
        assert_eq!(written.reach(0, 4 << 20), 512);
        assert_eq!(written.reach(far, far + (4 << 20)), far + 512);
    }

    #[test]
    fn ranges_that_make_no_sense_are_refused() {
        let refused: [&[Range<u64>]; 4] = [
            &[512..512, 1024..2048],
            &[0..1024, 512..2048],
            &[1024..2048, 0..512],
            std::slice::from_ref(&(0..8192)),
        ];
        for ranges in refused {
            assert_eq!(Written::new(ranges.to_vec(), 4096), None, "{ranges:?}");
        }
    }
}
