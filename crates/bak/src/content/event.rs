//! What a reader of content gives out.

use super::header::{MediaHeader, SetHeader};
use crate::damage::Damage;
use crate::writer::LogSegment;

/// Something that was read, in the order of the media.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The media header.
    Media(Box<MediaHeader>),
    /// A backup set begins; its configuration is the one of the start: no finish date, and LSNs and sizes as they were known then.
    SetStart(Box<SetHeader>),
    /// Eight pages.
    Extent(Extent),
    /// A virtual log file, of which [`Event::LogBlock`]s follow where `start` is not `end`.
    LogSegment(LogSegment),
    /// One block of the latest segment.
    LogBlock(LogBlock),
    /// A checksum that BACKUP WITH CHECKSUM wrote over what came before it.
    StreamChecksum {
        /// Of pages, not of log.
        of_pages: bool,
        /// Whether it agrees.
        holds: bool,
    },
    /// The commit record: the configuration with its final values.
    Commit(Box<SetHeader>),
    /// A backup set ends.
    SetEnd {
        /// Its position in the media, from 1.
        position: u16,
        /// It was read to its last filemark; else the media ended before.
        complete: bool,
    },
    /// Something that is not as it was written.
    Damage(Damage),
    /// Something that this reader does not know, as a sentence.
    Unknown(String),
}

/// 64 KiB of a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Which pass over the data files sends it, from 1: the later one is the newer.
    pub pass: u32,
    /// File id within the database.
    pub file_id: u16,
    /// Its first page, a multiple of eight.
    pub first_page: u32,
    /// Its own pages say where it belongs. Where they do not (none of them was ever formatted) the maps of the stream do, which can be
    /// wrong: such an extent may only go where no other one is.
    pub is_named: bool,
    /// 65,536 bytes.
    pub pages: Vec<u8>,
}

/// A log block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogBlock {
    /// Where it begins, in bytes from the start of the log file.
    pub start: u64,
    /// Its checksum and form hold (or none was computed).
    pub is_sound: bool,
    /// A multiple of 512 bytes.
    pub bytes: Vec<u8>,
}
