//! Page blobs: pages of 512 bytes, and the sequence number that writers can agree on.
//!
//! The sequence number belongs to the clients: the service keeps it, compares it and changes it on request, and gives
//! it no meaning. Rules and numbers are those of Put Page, Put Blob and Set Blob Properties.

use crate::error::ErrorCode;

/// Bytes of a page. Offsets, lengths and sizes of page blobs are multiples of it.
pub const PAGE_BYTES: u64 = 512;
/// Largest size of a page blob (scale targets): 8 TiB.
pub const MAX_PAGE_BLOB_BYTES: u64 = 8 << 40;
/// Most bytes that one Put Page writes (Put Page reference). Clearing has no such limit.
pub const MAX_PAGE_WRITE_BYTES: u64 = 4 << 20;
/// Largest sequence number: 2^63 - 1 (Put Blob reference).
pub const MAX_SEQUENCE_NUMBER: u64 = i64::MAX as u64;

/// A run of whole pages, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageRange {
    start: u64,
    len: u64,
}

/// What the sequence number must be for a Put Page to go ahead: all that are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceCondition {
    /// `x-ms-if-sequence-number-le`: at most this.
    pub le: Option<u64>,
    /// `x-ms-if-sequence-number-lt`: less than this.
    pub lt: Option<u64>,
    /// `x-ms-if-sequence-number-eq`: this.
    pub eq: Option<u64>,
}

/// `x-ms-sequence-number-action` of Set Blob Properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceChange {
    /// The greater of this and the present one.
    Max(u64),
    /// This.
    Update(u64),
    /// One more than the present one.
    Increment,
}

impl PageRange {
    /// The pages from byte `first` to byte `last`, included.
    ///
    /// # Errors
    /// 416 [`ErrorCode::InvalidPageRange`] unless both fall on the borders of pages.
    pub fn new(first: u64, last: u64) -> Result<Self, ErrorCode> {
        let whole = first.is_multiple_of(PAGE_BYTES)
            && last > first
            && last
                .checked_add(1)
                .is_some_and(|end| end.is_multiple_of(PAGE_BYTES));
        if !whole {
            return Err(ErrorCode::InvalidPageRange);
        }
        Ok(Self {
            start: first,
            len: last - first + 1,
        })
    }

    /// Offset of the first byte.
    pub fn start(self) -> u64 {
        self.start
    }

    /// Bytes, at least [`PAGE_BYTES`].
    // A range without pages does not exist.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> u64 {
        self.len
    }

    /// Offset behind the last byte.
    pub fn end(self) -> u64 {
        self.start + self.len
    }

    /// The header value a client sends.
    pub fn header(self) -> String {
        format!("bytes={}-{}", self.start, self.end() - 1)
    }
}

impl SequenceCondition {
    /// Whether none is given.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Judges the present sequence number of a blob.
    ///
    /// # Errors
    /// 412 [`ErrorCode::SequenceNumberConditionNotMet`].
    pub fn check(self, current: u64) -> Result<(), ErrorCode> {
        let met = self.le.is_none_or(|most| current <= most)
            && self.lt.is_none_or(|bound| current < bound)
            && self.eq.is_none_or(|wanted| current == wanted);
        if met {
            Ok(())
        } else {
            Err(ErrorCode::SequenceNumberConditionNotMet)
        }
    }
}

impl SequenceChange {
    /// The sequence number after the change.
    ///
    /// # Errors
    /// 409 [`ErrorCode::SequenceNumberIncrementTooLarge`] past [`MAX_SEQUENCE_NUMBER`].
    pub fn apply(self, current: u64) -> Result<u64, ErrorCode> {
        let next = match self {
            Self::Max(number) => number.max(current),
            Self::Update(number) => number,
            Self::Increment => current.saturating_add(1),
        };
        if next > MAX_SEQUENCE_NUMBER {
            return Err(ErrorCode::SequenceNumberIncrementTooLarge);
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pages_are_a_range() {
        let range = PageRange::new(512, 1535).unwrap();
        assert_eq!((range.start(), range.len(), range.end()), (512, 1024, 1536));
        assert_eq!(range.header(), "bytes=512-1535");
        for (first, last) in [(0, 510), (1, 512), (0, 0), (512, 511), (0, 512)] {
            assert_eq!(
                PageRange::new(first, last),
                Err(ErrorCode::InvalidPageRange),
                "{first}-{last}"
            );
        }
        assert_eq!(
            PageRange::new(512, u64::MAX),
            Err(ErrorCode::InvalidPageRange),
            "the end is no number"
        );
    }

    #[test]
    fn every_condition_given_must_hold() {
        let not_met = Err(ErrorCode::SequenceNumberConditionNotMet);
        let condition = |le, lt, eq| SequenceCondition { le, lt, eq }.check(7);
        assert_eq!(condition(None, None, None), Ok(()));
        assert_eq!(condition(Some(7), None, None), Ok(()));
        assert_eq!(condition(Some(6), None, None), not_met);
        assert_eq!(condition(None, Some(8), None), Ok(()));
        assert_eq!(condition(None, Some(7), None), not_met);
        assert_eq!(condition(None, None, Some(7)), Ok(()));
        assert_eq!(condition(None, None, Some(8)), not_met);
        assert_eq!(condition(Some(7), Some(7), None), not_met);
    }

    #[test]
    fn the_three_actions() {
        assert_eq!(SequenceChange::Max(3).apply(7), Ok(7));
        assert_eq!(SequenceChange::Max(9).apply(7), Ok(9));
        assert_eq!(SequenceChange::Update(3).apply(7), Ok(3));
        assert_eq!(SequenceChange::Increment.apply(7), Ok(8));
        let full = SequenceChange::Increment.apply(MAX_SEQUENCE_NUMBER);
        assert_eq!(full, Err(ErrorCode::SequenceNumberIncrementTooLarge));
    }
}
