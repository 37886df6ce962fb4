//! The fixed part of MSTL: which bytes of which log file its MQTL stream holds. Without MQTL it only describes a virtual log file.
//!
//! | bytes | field |
//! |---|---|
//! | 52..60 | 0, 0, 0, 0, 0, 0, 1, 0 |
//! | 60..68, 68..76 | start and end, byte offsets in the log file |
//! | 76..80 | file id |
//! | 80..84 | tape address of the descriptor of the virtual log file, from 92 to the end |
//! | 92..96 | sequence number of the virtual log file |
//! | 96..104, 104..112 | its length, its offset in the log file |
//! | 112..114 | file id again |
//! | 114 | parity: 0x40 or 0x80, in the first byte of every sector |
//!
//! Read off 372 blocks of real backups. No checksum covers any of it behind the common header; what a log stream follows is held by
//! the chain of its blocks, the others by nothing but what is fixed here.

use crate::bytes::{u16_at, u32_at, u64_at};
use crate::mtf::block::Block;
use crate::mtf::oddity::bits_set;
use crate::writer::LogSegment;

const DESCRIPTOR: usize = 92;
const SHORTEST: usize = 128;

/// What MSTL says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) file_id: u16,
    /// First byte in the log file.
    pub(crate) start: u64,
    /// Behind the last byte in the log file.
    pub(crate) end: u64,
    /// Sequence number of the virtual log file.
    pub(crate) vlf: u32,
    pub(crate) vlf_length: u64,
    pub(crate) vlf_offset: u64,
    pub(crate) parity: u8,
}

/// Bits that are set behind the known part of a long descriptor, where every real one is zero.
pub(crate) fn bits_behind_known(bytes: &[u8]) -> u64 {
    bits_set(bytes.get(SHORTEST..).unwrap_or(&[]))
}

impl Segment {
    /// Reads MSTL; the error is a sentence about what cannot be.
    pub(crate) fn parse(block: &Block) -> Result<Self, &'static str> {
        let bytes = &block.bytes;
        if bytes.len() < SHORTEST {
            return Err("a log block header is too short");
        }
        let descriptor = (usize::from(u16_at(bytes, 80)), usize::from(u16_at(bytes, 82)));
        if descriptor != (bytes.len() - DESCRIPTOR, DESCRIPTOR) {
            return Err("a log block header does not address its own descriptor");
        }
        if u32_at(bytes, 76) != u32::from(u16_at(bytes, 112)) {
            return Err("a log block header names two log files");
        }
        let segment = Self {
            file_id: u16_at(bytes, 112),
            start: u64_at(bytes, 60),
            end: u64_at(bytes, 68),
            vlf: u32_at(bytes, 92),
            vlf_length: u64_at(bytes, 96),
            vlf_offset: u64_at(bytes, 104),
            parity: bytes[114],
        };
        // A virtual log file that was never written to has no parity yet.
        let is_possible = match segment.parity {
            0x40 | 0x80 => segment.start <= segment.end,
            0 => segment.start == segment.end,
            _ => false,
        };
        let vlf_end = segment.vlf_offset.saturating_add(segment.vlf_length);
        let is_inside = segment.end == 0 || (segment.vlf_offset <= segment.start && segment.end <= vlf_end);
        if !is_possible || !is_inside {
            return Err("a log block header names an impossible range of the log");
        }
        Ok(segment)
    }

    /// In the words of the writer.
    pub(crate) fn described(&self) -> LogSegment {
        LogSegment {
            file_id: self.file_id,
            vlf_sequence: self.vlf,
            vlf_offset: self.vlf_offset,
            vlf_length: self.vlf_length,
            start: self.start,
            end: self.end,
        }
    }

    /// The block number of the sector `position` bytes into the segment; `None` where the numbers do not fit each other.
    pub(crate) fn block_number(&self, position: u64) -> Option<u32> {
        let in_vlf = self.start.checked_add(position)?.checked_sub(self.vlf_offset)?;
        (in_vlf % 512 == 0)
            .then(|| u32::try_from(in_vlf / 512).ok())
            .flatten()
    }
}
