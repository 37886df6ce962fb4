//! Byte ranges of Get Blob.
//!
//! `x-ms-range` wins over `Range`. Only `bytes=a-b` and `bytes=a-` are ranges to Azure; what does not read
//! as one (suffix ranges, several ranges, other units, an end before the start) is ignored and the whole
//! blob is answered with 200. A start at or past the end is 416 InvalidRange.

use crate::error::ErrorCode;

/// A range as a request asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset of the last byte, included; to the end without one.
    pub last: Option<u64>,
}

/// A range that lies inside a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedRange {
    /// Offset of the first byte.
    pub start: u64,
    /// Bytes, at least 1.
    pub len: u64,
    /// Bytes of the whole blob.
    pub total: u64,
}

impl ByteRange {
    /// The range of a request's two headers.
    pub fn from_headers(x_ms_range: Option<&str>, range: Option<&str>) -> Option<Self> {
        Self::parse(x_ms_range.filter(|r| !r.trim().is_empty()).or(range)?)
    }

    /// Reads `bytes=a-b` or `bytes=a-`.
    pub fn parse(text: &str) -> Option<Self> {
        let (unit, range) = text.trim().split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (start, last) = range.trim().split_once('-')?;
        let start = number(start)?;
        let last = match last.trim() {
            "" => None,
            last => Some(number(last)?),
        };
        last.is_none_or(|last| start <= last)
            .then_some(Self { start, last })
    }

    /// The part of a blob of `total` bytes that the range means, clipped to its end.
    ///
    /// # Errors
    /// 416 [`ErrorCode::InvalidRange`] when it begins at or past the end.
    pub fn resolve(self, total: u64) -> Result<ResolvedRange, ErrorCode> {
        if self.start >= total {
            return Err(ErrorCode::InvalidRange);
        }
        let last = self.last.unwrap_or(u64::MAX).min(total - 1);
        Ok(ResolvedRange {
            start: self.start,
            len: last - self.start + 1,
            total,
        })
    }

    /// The header value a client sends.
    pub fn header(self) -> String {
        match self.last {
            Some(last) => format!("bytes={}-{last}", self.start),
            None => format!("bytes={}-", self.start),
        }
    }
}

impl ResolvedRange {
    /// `Content-Range` of a 206.
    pub fn content_range(self) -> String {
        format!(
            "bytes {}-{}/{}",
            self.start,
            self.start + self.len - 1,
            self.total
        )
    }
}

/// `Content-Range` of a 416 for a blob of `total` bytes.
pub fn unsatisfied_content_range(total: u64) -> String {
    format!("bytes */{total}")
}

/// Digits only: `parse` alone would let a sign through.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::*;

    #[test]
    fn ranges_and_what_is_ignored() {
        assert_eq!(
            ByteRange::parse("bytes=0-511"),
            Some(ByteRange {
                start: 0,
                last: Some(511)
            })
        );
        assert_eq!(
            ByteRange::parse("bytes=512-"),
            Some(ByteRange {
                start: 512,
                last: None
            })
        );
        for ignored in [
            "",
            "bytes",
            "bytes=",
            "bytes=-5",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=+1-2",
            "bytes=0-99999999999999999999999",
        ] {
            assert_eq!(ByteRange::parse(ignored), None, "{ignored}");
        }
        let both = ByteRange::from_headers(Some("bytes=1-2"), Some("bytes=3-4"));
        assert_eq!(
            both,
            Some(ByteRange {
                start: 1,
                last: Some(2)
            })
        );
        assert_eq!(ByteRange::from_headers(Some("nonsense"), Some("bytes=3-4")), None);
        assert_eq!(
            ByteRange::from_headers(None, Some("bytes=3-4")).map(|r| r.start),
            Some(3)
        );
    }

    #[test]
    fn clipped_or_unsatisfiable() {
        let range = ByteRange {
            start: 10,
            last: Some(99),
        };
        let inside = range.resolve(50).unwrap();
        assert_eq!((inside.start, inside.len), (10, 40));
        assert_eq!(inside.content_range(), "bytes 10-49/50");
        assert_eq!(range.resolve(10), Err(ErrorCode::InvalidRange));
        assert_eq!(
            ByteRange { start: 0, last: None }.resolve(0),
            Err(ErrorCode::InvalidRange)
        );
        assert_eq!(ByteRange { start: 9, last: None }.resolve(10).unwrap().len, 1);
        assert_eq!(unsatisfied_content_range(10), "bytes */10");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(bytes=)?[0-9, -]{0,50}", total: u64) {
            if let Some(resolved) = ByteRange::parse(&text).and_then(|r| r.resolve(total).ok()) {
                assert!(resolved.len >= 1 && resolved.start + (resolved.len - 1) < total);
            }
        }
    }
}
