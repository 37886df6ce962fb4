//! The body of Get Page Ranges: which pages of a page blob hold something.

use crate::page::PageRange;
use crate::request::Marker;
use crate::xml::{self, Step, Walker, XmlError};

/// Ranges and what became of each.
pub type Ranges = Vec<(PageRange, PageState)>;

/// Ranges in order, none touching the next of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageList {
    /// In order of offset.
    pub ranges: Ranges,
    /// Where the next part of the list begins; `None` in the last one.
    pub next: Option<Marker>,
}

/// What became of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageState {
    /// Written.
    Written,
    /// Cleared since the earlier snapshot that the list compares with.
    Cleared,
}

impl PageState {
    fn element(self) -> &'static str {
        match self {
            Self::Written => "PageRange",
            Self::Cleared => "ClearRange",
        }
    }
}

impl PageList {
    /// The body. `in_pages` says that the request's version knows lists in parts.
    pub fn render(&self, in_pages: bool) -> String {
        let mut out = String::with_capacity(128 + self.ranges.len() * 80);
        out.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
        xml::open(&mut out, "PageList");
        for (range, state) in &self.ranges {
            xml::open(&mut out, state.element());
            xml::element(&mut out, "Start", &range.start().to_string());
            xml::element(&mut out, "End", &(range.end() - 1).to_string());
            xml::close(&mut out, state.element());
        }
        if in_pages {
            let next = self.next.as_ref().map_or(String::new(), Marker::to_wire);
            xml::element(&mut out, "NextMarker", &next);
        }
        xml::close(&mut out, "PageList");
        out
    }

    /// Reads the body, as a client of this server does; the marker of another service is not understood.
    ///
    /// # Errors
    /// [`XmlError`].
    pub fn parse(body: &[u8]) -> Result<Self, XmlError> {
        let (ranges, next) = Self::parse_any(body)?;
        let next = next.map(|text| Marker::from_wire(&text).ok_or(XmlError::Syntax));
        Ok(Self {
            ranges,
            next: next.transpose()?,
        })
    }

    /// Reads the body of any Blob service: the ranges, and the marker of the next part as it stands there.
    ///
    /// # Errors
    /// [`XmlError`].
    pub fn parse_any(body: &[u8]) -> Result<(Ranges, Option<String>), XmlError> {
        let text = xml::decode_reply(body)?;
        let mut walker = Walker::new(&text);
        let (mut ranges, mut next) = (Ranges::new(), None);
        let (mut start, mut last) = (None, None);
        loop {
            let (name, text) = match walker.step()? {
                Step::Open { .. } => continue,
                Step::Close { name, text } => (name, text),
                Step::End => return Ok((ranges, next)),
            };
            match name.as_str() {
                "Start" => start = text.trim().parse().ok(),
                "End" => last = text.trim().parse().ok(),
                "PageRange" | "ClearRange" => {
                    let (first, last) = (
                        start.take().ok_or(XmlError::Syntax)?,
                        last.take().ok_or(XmlError::Syntax)?,
                    );
                    let range = PageRange::new(first, last).map_err(|_| XmlError::Syntax)?;
                    let state = match name.as_str() {
                        "PageRange" => PageState::Written,
                        _ => PageState::Cleared,
                    };
                    ranges.push((range, state));
                }
                "NextMarker" => next = Some(text).filter(|text| !text.is_empty()),
                _ => {}
            }
        }
    }
}
