//! A reader of what a backup holds, not only whether it is sound: headers, pages with their places, log blocks.
//!
//! The same walk and the same judgements as the [`Verifier`]'s; beside them everything read comes out as [`Event`]s, in the order of the media.
//! Sans-I/O: bytes of one family are pushed in any slicing. Memory stays as bounded as the verifier's: events come out after every
//! 64 KiB of the tape-format stream at the latest.
//!
//! Of a striped set each family gives its own extents and its own part of the log; whoever wants the whole reads all families. Deliberately
//! absent: joining families, and full with differential.

mod event;
mod header;

pub use event::{Event, Extent, LogBlock};
pub use header::{FileHeader, MediaHeader, SetHeader};

use crate::report::Report;
use crate::verifier::{Reading, Verifier};

/// Reads one media family.
#[derive(Debug, Clone)]
pub struct ContentReader {
    verifier: Verifier,
}

impl ContentReader {
    /// Gives the content of all sets.
    #[must_use]
    pub fn new() -> Self {
        Self {
            verifier: Verifier::reading(Reading::All, true),
        }
    }

    /// Gives the headers of all sets and the pages and log of the set at `position` (from 1); those of others are passed over, and may be
    /// [skipped](Self::skip).
    #[must_use]
    pub fn of_set(position: u16) -> Self {
        Self {
            verifier: Verifier::reading(Reading::Set(position), true),
        }
    }

    /// Gives headers only.
    #[must_use]
    pub fn headers_only() -> Self {
        Self {
            verifier: Verifier::reading(Reading::Headers, true),
        }
    }

    /// Takes the next bytes of the file; what they hold goes to `out`.
    pub fn push(&mut self, input: &[u8], out: &mut dyn FnMut(Event)) {
        self.verifier.push_out(input, out);
    }

    /// How many of the coming bytes need not be looked at; see [`Verifier::skippable`].
    #[must_use]
    pub fn skippable(&self) -> u64 {
        self.verifier.skippable()
    }

    /// Counts `count` bytes as passed, at most [`Self::skippable`].
    pub fn skip(&mut self, count: u64) {
        self.verifier.skip(count);
    }

    /// See [`Verifier::is_lost`].
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.verifier.is_lost()
    }

    /// Bytes pushed and skipped.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.verifier.bytes()
    }

    /// The file ends here. The last events go to `out`; the report is the verifier's on what was read.
    #[must_use]
    pub fn finish(self, out: &mut dyn FnMut(Event)) -> Report {
        self.verifier.finish_out(out)
    }
}

impl Default for ContentReader {
    fn default() -> Self {
        Self::new()
    }
}
