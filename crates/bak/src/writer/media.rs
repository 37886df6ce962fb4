//! One media family: the file. Knows the position in it, aligns and pads, and writes what stands outside of the sets.

use uuid::Uuid;

use super::block::{Block, Text, utf16};
use super::media_end::MediaEnd;
use super::set::{SetPlan, SetWriter};
use super::sink::{Piece, Sink};
use super::stream;
use crate::LocalTime;

/// Format logical block: what SPAD fills up to within a set.
pub(super) const LOGICAL_BLOCK: u64 = 1024;
const VENDOR: u16 = 0x1200;
const SOFTWARE: &str = "Microsoft SQL Server";
/// What follows the GUID of the media set in RAID.
const RAID_TAG: u32 = 0xF000_00AD;
const FILEMARK_ATTRIBUTES: u32 = 0x8000_0000;
/// The soft filemark behind MSLS where the set is compressed.
const COMPRESSED_FILEMARK_ATTRIBUTES: u32 = 0x8004_0000;
/// Offset of the list in a soft filemark.
const FILEMARK_LIST: usize = 72;
const ZEROS: [u8; 4096] = [0; 4096];

/// Physical block size of the media: BLOCKSIZE of the BACKUP statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockSize {
    /// 512 bytes.
    B512 = 512,
    /// 1,024 bytes.
    B1024 = 1024,
    /// 2,048 bytes.
    B2048 = 2048,
    /// 4,096 bytes.
    B4096 = 4096,
    /// 8,192 bytes.
    B8192 = 8192,
    /// 16,384 bytes.
    B16384 = 16384,
    /// 32,768 bytes.
    B32768 = 32768,
    /// 65,536 bytes, as for a backup to a URL.
    B65536 = 65536,
}

impl BlockSize {
    /// All that BACKUP accepts, ascending.
    pub const ALL: [Self; 8] = [
        Self::B512,
        Self::B1024,
        Self::B2048,
        Self::B4096,
        Self::B8192,
        Self::B16384,
        Self::B32768,
        Self::B65536,
    ];

    /// The size of so many bytes; `None` where BACKUP does not accept it.
    #[must_use]
    pub fn of(bytes: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.bytes() == bytes)
    }

    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self as u64
    }
}

/// What a media header says.
#[derive(Clone, Debug)]
pub struct MediaDescription {
    /// Shared by all families of a striped backup.
    pub media_set_id: Uuid,
    /// This family, from 1.
    pub family_number: u16,
    /// Number of families (stripes).
    pub family_count: u16,
    /// Physical block size.
    pub block_size: BlockSize,
    /// When the media was formatted, by the server's clock.
    pub date: LocalTime,
    /// Whether the stream goes into the compressed container, which shows in the soft filemarks.
    pub compressed: bool,
    /// MEDIANAME.
    pub name: String,
    /// MEDIADESCRIPTION.
    pub description: String,
}

/// Writes one media family.
pub struct MediaWriter<S: Sink> {
    sink: S,
    offset: u64,
    pub(super) media: MediaDescription,
    /// Where soft filemarks stand in the file, the newest last.
    filemarks: Vec<u64>,
    pub(super) sets: u16,
    /// Entries of the set map so far.
    pub(super) set_map: Vec<u8>,
}

impl<S: Sink> MediaWriter<S> {
    /// Writes the media header.
    pub fn new(sink: S, media: MediaDescription) -> Self {
        let mut writer = Self {
            sink,
            offset: 0,
            media,
            filemarks: Vec::new(),
            sets: 0,
            set_map: Vec::new(),
        };
        writer.write_tape();
        writer.filemark(FILEMARK_ATTRIBUTES);
        writer
    }

    /// Goes on behind the last set of media that are `end` already; the sink stands there, too.
    pub fn append(sink: S, media: MediaDescription, end: MediaEnd) -> Self {
        Self {
            sink,
            offset: end.offset,
            media,
            filemarks: end.filemarks,
            sets: end.sets,
            set_map: end.set_map,
        }
    }

    /// Where the bytes go, to take away what came so far.
    pub fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Counts bytes that came to the sink by another way.
    pub(super) fn advance(&mut self, length: u64) {
        self.offset += length;
    }

    /// Starts the next backup set.
    pub fn begin_set(&mut self, plan: SetPlan) -> SetWriter<'_, S> {
        SetWriter::begin(self, plan)
    }

    /// Bytes written so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Ends the file and gives back its sink.
    pub fn finish(self) -> S {
        assert!(self.sets > 0, "a media family holds a backup set");
        self.sink
    }

    /// Identifies the family; any number does, and the one from its media set and number is stable.
    pub(super) fn family_id(&self) -> u32 {
        let [a, b, c, d, ..] = *self.media.media_set_id.as_bytes();
        u32::from_le_bytes([a, b, c, d]) ^ u32::from(self.media.family_number)
    }

    /// Where the block right behind a soft filemark stands in the file.
    pub(super) fn physical_address(&self) -> u64 {
        self.filemarks
            .last()
            .map_or(0, |offset| offset + self.media.block_size.bytes())
    }

    fn write_tape(&mut self) {
        let mut tape = Block::new(b"TAPE", 94, Text::Utf16);
        tape.put(4, &0x0003_0000u32.to_le_bytes());
        tape.put(52, &self.family_id().to_le_bytes());
        tape.put(56, &5u32.to_le_bytes());
        tape.put(60, &1u16.to_le_bytes());
        tape.put(64, &((self.media.block_size.bytes() / 512) as u16).to_le_bytes());
        tape.put(66, &3u16.to_le_bytes());
        tape.put(84, &(LOGICAL_BLOCK as u16).to_le_bytes());
        tape.put(86, &VENDOR.to_le_bytes());
        tape.put(88, &self.media.date.to_bytes());
        tape.put(93, &[1]);
        tape.append_text(68, &self.media.name.clone());
        tape.append_text(72, &self.media.description.clone());
        // Two terminators belong to the text.
        tape.append(80, &[&utf16(SOFTWARE)[..], &[0; 4]].concat());
        self.put(Piece::Block, &tape.finish());
        let mut raid = [0u8; 32];
        raid[..16].copy_from_slice(&self.media.media_set_id.to_bytes_le());
        raid[16..20].copy_from_slice(&RAID_TAG.to_le_bytes());
        raid[20..22].copy_from_slice(&self.media.family_count.to_le_bytes());
        raid[22] = 1;
        raid[24..26].copy_from_slice(&self.media.family_number.to_le_bytes());
        raid[30] = 1;
        self.stream(b"RAID", stream::PLAIN, Piece::Family, &raid);
        self.pad_to(0, self.unit());
    }

    /// What blocks outside of a set are padded to.
    pub(super) fn unit(&self) -> u64 {
        self.media.block_size.bytes().max(LOGICAL_BLOCK)
    }

    pub(super) fn put(&mut self, piece: Piece, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.sink.write(piece, bytes);
            self.offset += bytes.len() as u64;
        }
    }

    pub(super) fn zeros(&mut self, mut length: u64) {
        while length > 0 {
            let now = length.min(ZEROS.len() as u64);
            self.put(Piece::Filler, &ZEROS[..now as usize]);
            length -= now;
        }
    }

    /// A stream header, aligned to 4 bytes.
    pub(super) fn stream_header(&mut self, letters: &[u8; 4], attributes: u16, length: u64) {
        self.zeros(self.offset.next_multiple_of(4) - self.offset);
        self.put(Piece::StreamHeader, &stream::header(letters, attributes, length));
    }

    pub(super) fn stream(&mut self, letters: &[u8; 4], attributes: u16, piece: Piece, content: &[u8]) {
        self.stream_header(letters, attributes, content.len() as u64);
        self.put(piece, content);
    }

    /// SPAD: up to the next multiple of `unit` counted from `origin` that its header leaves room for.
    pub(super) fn pad_to(&mut self, origin: u64, unit: u64) {
        let from = self.offset.next_multiple_of(4) + stream::HEADER as u64 - origin;
        let length = from.next_multiple_of(unit) - from;
        self.stream_header(b"SPAD", stream::PLAIN, length);
        self.zeros(length);
    }

    /// A stream of zeros after which a further stream header and `prefix` bytes end on a multiple of `unit` from `origin`.
    pub(super) fn align_payload(
        &mut self,
        letters: &[u8; 4],
        attributes: u16,
        origin: u64,
        unit: u64,
        prefix: u64,
    ) {
        let from = self.offset.next_multiple_of(4) + stream::HEADER as u64 + prefix - origin;
        let length = from.next_multiple_of(unit) - from;
        self.stream_header(letters, attributes, length);
        self.zeros(length);
    }

    /// The soft filemark behind the commit record of a set.
    pub(super) fn commit_filemark(&mut self) {
        let compressed = self.media.compressed;
        self.filemark(if compressed {
            COMPRESSED_FILEMARK_ATTRIBUTES
        } else {
            FILEMARK_ATTRIBUTES
        });
    }

    /// The soft filemark that ends a set.
    pub(super) fn set_filemark(&mut self) {
        self.filemark(FILEMARK_ATTRIBUTES);
    }

    /// A physical block that lists the soft filemarks before it, the newest first.
    fn filemark(&mut self, attributes: u32) {
        let size = self.media.block_size as usize;
        let room = (size - FILEMARK_LIST) / 8;
        let used = self.filemarks.len().min(room);
        let mut block = Block::new(b"SFMB", size, Text::None);
        block.put(4, &attributes.to_le_bytes());
        block.put(52, &(room as u32).to_le_bytes());
        block.put(56, &(used as u32).to_le_bytes());
        block.put(60, &(FILEMARK_LIST as u32).to_le_bytes());
        for (index, offset) in self.filemarks.iter().rev().take(room).enumerate() {
            block.put(FILEMARK_LIST + 8 * index, &offset.to_le_bytes());
        }
        assert!(
            self.offset.is_multiple_of(size as u64),
            "a soft filemark stands on a physical block"
        );
        let offset = self.sink.filemark_offset(size).unwrap_or(self.offset);
        self.filemarks.push(offset);
        self.put(Piece::Filemark, &block.finish());
    }
}
