//! The meaning of what the [walker](crate::mtf::walker) finds: one media, its backup sets, their pages and log.
//!
//! [`blocks`] takes descriptor blocks, [`streams`] their streams, [`set`] puts a backup set together, [`conclusion`] draws the verdict.
//! The reader compares every fact that the format repeats: addresses with offsets, dates and numbers of a set at its start and end,
//! its configuration at its start and in its commit record, texts with the set map, LSNs with the log.

pub(crate) mod blocks;
pub(crate) mod conclusion;
pub(crate) mod set;
pub(crate) mod streams;

use std::collections::VecDeque;

use crate::backup_set::{BackupSet, Media};
use crate::findings::Findings;
use crate::log::fingerprint::LogFingerprint;
use crate::mtf::block::BlockType;
use crate::mtf::order::Place;
use crate::mtf::stream_order::StreamOrder;
use crate::mtf::tape::{Family, Tape};
use crate::report::{LogBlockCounts, PageCounts, StreamChecksumCounts};
use crate::verifier::Reading;
use set::OpenSet;
use streams::Content;

/// Reads one media.
#[derive(Debug, Clone)]
pub(crate) struct MediaReader {
    pub(crate) findings: Findings,
    /// Whose pages and log are read.
    reading: Reading,
    compressed: bool,
    /// Compressed files: where in the file the latest filemark stands, and the byte behind it.
    file_offset: Option<u64>,
    after_filemark: Option<u64>,
    place: Place,
    /// A block of an unknown type was met, and after it one that is not in its place.
    unknown_block: bool,
    unknown_order: bool,
    tape: Option<Tape>,
    family: Option<Family>,
    media: Option<Media>,
    /// Offsets of the latest filemarks, in the order of the file.
    filemarks: VecDeque<u64>,
    filemark_count: u64,
    sets: Vec<BackupSet>,
    /// Of each of `sets`.
    log_fingerprints: Vec<Option<LogFingerprint>>,
    set_count: u64,
    /// Bytes of configuration of all sets read.
    configuration_bytes: u64,
    open: Option<OpenSet>,
    /// The block whose streams are being read.
    block: BlockType,
    order: StreamOrder,
    content: Content,
    /// Where the first ESET of a pair stands.
    set_end: Option<u64>,
    pages: PageCounts,
    log_blocks: LogBlockCounts,
    stream_checksums: StreamChecksumCounts,
    content_bad: u64,
    encrypted_looking: u64,
}

impl MediaReader {
    /// `with_events`: what is read is passed on through the findings.
    pub(crate) fn new(reading: Reading, compressed: bool, with_events: bool) -> Self {
        Self {
            findings: Findings::new(with_events),
            reading,
            compressed,
            file_offset: None,
            after_filemark: None,
            place: Place::Start,
            unknown_block: false,
            unknown_order: false,
            tape: None,
            family: None,
            media: None,
            filemarks: VecDeque::new(),
            filemark_count: 0,
            sets: Vec::new(),
            log_fingerprints: Vec::new(),
            set_count: 0,
            configuration_bytes: 0,
            open: None,
            block: BlockType::Tape,
            order: StreamOrder::default(),
            content: Content::Ignored,
            set_end: None,
            pages: PageCounts::default(),
            log_blocks: LogBlockCounts::default(),
            stream_checksums: StreamChecksumCounts::default(),
            content_bad: 0,
            encrypted_looking: 0,
        }
    }

    /// In a compressed file the coming filemark stands at `offset` of the file. Filemarks and the ends of sets are named by that offset,
    /// not by the one in the tape-format stream.
    pub(crate) fn filemark_at(&mut self, offset: u64) {
        self.file_offset = Some(offset);
    }

    /// Whether pages and log of the current set are passed over unread.
    pub(crate) fn passes_over(&self) -> bool {
        match self.reading {
            Reading::All => false,
            Reading::Headers => true,
            Reading::Set(position) => self.set_count != u64::from(position),
        }
    }

    /// Whether all of the media is in this one file.
    fn is_single_family(&self) -> bool {
        self.family.is_some_and(|family| family.count == 1)
    }
}
