//! One backup set: header, pages, log, commit record, trailer.

use super::block::{Block, Text};
use super::configuration::{self, Phase};
use super::media::{LOGICAL_BLOCK, MediaWriter};
use super::set_map::{self, MappedSet};
use super::sink::{Buffer, Piece, Sink};
use super::stream;
use crate::checksum::{PAGE, SECTOR, sector_sum_continue};
use crate::{BackupSet, BackupType, LocalTime, Lsn};

/// Payload of pages and of log comes in units of 64 KiB, behind two zero bytes.
const PAYLOAD_UNIT: u64 = 65_536;
const PAYLOAD_PREFIX: u64 = 2;
const VENDOR: u16 = 0x1200;
/// Device that VOLB names.
const DEVICE: &str = "C:";
/// MTF's "no time zone".
const NO_TIME_ZONE: i8 = 127;
/// Bytes of MSTL from 2012 on; the description of the virtual log file takes all behind 92.
const LOG_BLOCK: usize = 596;
const LOG_BLOCK_FIXED: usize = 92;

/// What is known of a backup set when it starts.
#[derive(Clone, Debug)]
pub struct SetPlan {
    /// The set as its first configuration tells it: first and last LSN as far as known, no finish date. `position`,
    /// `backup_size`, `compressed` and `complete` are the writer's to know.
    pub set: BackupSet,
    /// For each data file: its id, and how many pages of it the first pass sends, over all families.
    pub data_pages: Vec<(u32, u32)>,
    /// What the media say beyond that.
    pub details: SetDetails,
}

/// What a backup set's blocks say beyond [`BackupSet`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetDetails {
    /// Bits of `Flags` as RESTORE HEADERONLY prints them, beyond those that follow from the set: 2 snapshot, 4 read-only, 8 single user,
    /// 0x20 damaged, 0x40 tail of the log, 0x80 incomplete metadata, 0x100 NORECOVERY (documented; no real sample).
    pub flags: u32,
    /// Number of the database on its server; 5, a first user database, where it is not told.
    pub database_id: Option<u16>,
    /// When the set may be overwritten. By its place, behind the set's GUID: no real sample expires.
    pub expiration: Option<LocalTime>,
    /// CheckpointLSN and BackupSetGUID of the last conventional full backup before this set.
    pub last_full: Option<(Lsn, uuid::Uuid)>,
    /// Growth of files in bytes by their id; 64 MiB where it is not told.
    pub growth: Vec<(u32, u32)>,
    /// Bytes of log in the set, over all families.
    pub log_bytes: u64,
    /// Thumbprint of the certificate that protects the database's encryption key, which RESTORE asks for. No real sample: where SQL Server keeps
    /// it is not known; here a tape address at 392 of SCIN leads to it.
    pub tde_thumbprint: Option<[u8; 20]>,
    /// Bytes of the set in other families: what BackupSize counts beside this one's.
    pub bytes_elsewhere: u64,
}

/// A piece of one virtual log file, in bytes from the start of the log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSegment {
    /// Id of the log file.
    pub file_id: u16,
    /// Sequence number of the virtual log file; 0 for one that holds no log.
    pub vlf_sequence: u32,
    /// Where the virtual log file starts.
    pub vlf_offset: u64,
    /// How long it is.
    pub vlf_length: u64,
    /// Start of the log that this backup holds.
    pub start: u64,
    /// Its end; equal to `start` where there is none.
    pub end: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payload {
    None,
    Pages { left: u64 },
    Log { left: u64, filler: u64 },
}

/// Writes one backup set. Calls come in the order of the format: page passes, log segments, [`commit`](Self::commit).
pub struct SetWriter<'a, S: Sink> {
    media: &'a mut MediaWriter<S>,
    plan: SetPlan,
    /// Offset of SSET.
    start: u64,
    blocks: u32,
    payload: Payload,
    running: u32,
    /// Bytes of pages in the latest pass.
    pass_pages: u64,
}

impl<'a, S: Sink> SetWriter<'a, S> {
    pub(super) fn begin(media: &'a mut MediaWriter<S>, mut plan: SetPlan) -> Self {
        media.sets += 1;
        plan.set.position = media.sets;
        plan.set.compressed = media.media.compressed;
        let start = media.offset();
        let mut writer = Self {
            media,
            plan,
            start,
            blocks: 0,
            payload: Payload::None,
            running: 0,
            pass_pages: 0,
        };
        writer.write_set_header();
        writer.write_volume();
        let pages: u64 = writer
            .plan
            .data_pages
            .iter()
            .map(|(_, pages)| u64::from(*pages) * PAGE as u64)
            .sum();
        writer.write_configuration(b"MSCI", Phase::Start { size: pages + 0x4000 });
        writer.media.pad_to(start, LOGICAL_BLOCK);
        writer
    }

    fn attributes(&self) -> u32 {
        match self.plan.set.backup_type {
            BackupType::Differential | BackupType::DifferentialFile | BackupType::DifferentialPartial => 8,
            _ => 4,
        }
    }

    fn time_zone(&self) -> i8 {
        self.plan
            .set
            .time_zone_offset_minutes
            .map_or(NO_TIME_ZONE, |minutes| (minutes / 15) as i8)
    }

    fn date(&self) -> crate::LocalTime {
        self.plan.set.backup_start_date.unwrap_or(self.media.media.date)
    }

    /// The next block of this set, which starts on a logical block.
    fn block(&mut self, letters: &[u8; 4], fixed: usize, text: Text) -> Block {
        let mut block = Block::new(letters, fixed, text);
        block.address((self.media.offset() - self.start) / LOGICAL_BLOCK, self.blocks);
        self.blocks += 1;
        block
    }

    fn write_set_header(&mut self) {
        let set = self.plan.set.clone();
        let mut block = self.block(b"SSET", 98, Text::Utf16);
        block.put(52, &self.attributes().to_le_bytes());
        block.put(60, &VENDOR.to_le_bytes());
        block.put(62, &set.position.to_le_bytes());
        block.put(80, &self.media.physical_address().to_le_bytes());
        block.put(88, &self.date().to_bytes());
        block.put(93, &[set.software_version.major, set.software_version.minor]);
        block.put(95, &self.time_zone().to_le_bytes());
        block.put(97, &[2]);
        block.align(4);
        let guid = set.backup_set_guid.unwrap_or_default();
        let expiration = self.plan.details.expiration.map_or([0; 5], LocalTime::to_bytes);
        block.append(44, &[&guid.to_bytes_le()[..], &expiration].concat());
        block.align(2);
        block.append_text(64, &set.backup_name);
        block.append_text(68, &set.backup_description);
        block.append_text(76, &set.user_name);
        self.media.put(Piece::Block, &block.finish());
        self.media.pad_to(self.start, LOGICAL_BLOCK);
    }

    fn write_volume(&mut self) {
        let mut block = self.block(b"VOLB", 73, Text::Utf16);
        block.put(52, &2u32.to_le_bytes());
        block.put(68, &self.date().to_bytes());
        block.append_text(56, DEVICE);
        // The volume has no label; its place is told all the same.
        block.append_nothing(60);
        block.append_text(64, &self.plan.set.machine_name);
        self.media.put(Piece::Block, &block.finish());
        self.media.pad_to(self.start, LOGICAL_BLOCK);
    }

    fn write_configuration(&mut self, letters: &[u8; 4], phase: Phase) {
        let block = self.block(letters, 56, Text::Utf16);
        self.media.put(Piece::Block, &block.finish());
        let content = configuration::content(&self.plan, phase);
        self.media
            .stream(b"MQCI", stream::PLAIN, Piece::Configuration, &content);
    }

    /// Starts a pass over pages: `extents` times 64 KiB follow through [`pages`](Self::pages).
    pub fn begin_pages(&mut self, extents: u64) {
        assert_eq!(self.payload, Payload::None, "one payload at a time");
        let mut block = self.block(b"MSDA", 60, Text::None);
        block.put(58, &1u16.to_le_bytes());
        self.media.put(Piece::Block, &block.finish());
        let length = extents * PAYLOAD_UNIT;
        self.begin_payload(b"MQDA", stream::VARIABLE, length);
        self.payload = Payload::Pages { left: length };
        self.pass_pages = length / PAGE as u64;
    }

    /// The next whole pages of the pass.
    pub fn pages(&mut self, pages: &[u8]) {
        self.count_pages(pages.len());
        self.take(Piece::Pages, pages);
    }

    fn count_pages(&mut self, length: usize) {
        let Payload::Pages { left } = self.payload else {
            panic!("pages belong into a pass over pages")
        };
        assert!(length.is_multiple_of(PAGE), "pages are whole");
        let left = left
            .checked_sub(length as u64)
            .expect("no more pages than announced");
        self.payload = Payload::Pages { left };
    }

    /// Ends the pass, all of whose pages have come.
    pub fn end_pages(&mut self) {
        assert_eq!(
            self.payload,
            Payload::Pages { left: 0 },
            "all pages announced have come"
        );
        self.end_payload();
        self.media
            .stream(b"MQDA", stream::VARIABLE_END, Piece::Filler, &[]);
        self.media.pad_to(self.start, LOGICAL_BLOCK);
    }

    /// Describes a virtual log file without any log: it holds none that this backup needs, or another family of the media
    /// set holds it.
    pub fn describe_log(&mut self, segment: &LogSegment) {
        assert_eq!(self.payload, Payload::None, "one payload at a time");
        let block = self.log_block(segment);
        self.media.put(Piece::Block, &block.finish());
        self.media.pad_to(self.start, LOGICAL_BLOCK);
    }

    /// Starts the log of a segment, which is not empty and follows through [`log`](Self::log).
    pub fn begin_log(&mut self, segment: &LogSegment) {
        assert_eq!(self.payload, Payload::None, "one payload at a time");
        let length = segment
            .end
            .checked_sub(segment.start)
            .filter(|length| *length > 0)
            .expect("a segment holds log");
        let block = self.log_block(segment);
        self.media.put(Piece::Block, &block.finish());
        let whole = length.next_multiple_of(PAYLOAD_UNIT);
        self.begin_payload(b"MQTL", stream::PLAIN, whole);
        self.payload = Payload::Log {
            left: length,
            filler: whole - length,
        };
    }

    fn log_block(&mut self, segment: &LogSegment) -> Block {
        let mut block = self.block(b"MSTL", LOG_BLOCK_FIXED, Text::None);
        block.put(58, &1u16.to_le_bytes());
        block.put(60, &segment.start.to_le_bytes());
        block.put(68, &segment.end.to_le_bytes());
        block.put(76, &u32::from(segment.file_id).to_le_bytes());
        let mut file = [0u8; LOG_BLOCK - LOG_BLOCK_FIXED];
        file[..4].copy_from_slice(&segment.vlf_sequence.to_le_bytes());
        file[4..12].copy_from_slice(&segment.vlf_length.to_le_bytes());
        file[12..20].copy_from_slice(&segment.vlf_offset.to_le_bytes());
        file[20..22].copy_from_slice(&segment.file_id.to_le_bytes());
        file[22] = if segment.vlf_sequence == 0 {
            0
        } else {
            super::log_block::PARITY_EVEN
        };
        file[34] = 5;
        block.append(80, &file);
        block
    }

    /// The next whole log blocks of the segment.
    pub fn log(&mut self, blocks: &[u8]) {
        self.count_log(blocks.len());
        self.take(Piece::LogBlocks, blocks);
    }

    fn count_log(&mut self, length: usize) {
        let Payload::Log { left, filler } = self.payload else {
            panic!("log belongs into a log segment")
        };
        assert!(length.is_multiple_of(SECTOR), "log blocks are whole");
        let left = left
            .checked_sub(length as u64)
            .expect("no more log than announced");
        self.payload = Payload::Log { left, filler };
    }

    /// Where the bytes go, to take away what came so far.
    pub fn sink_mut(&mut self) -> &mut S {
        self.media.sink_mut()
    }

    /// Ends the segment, all of whose log has come.
    pub fn end_log(&mut self) {
        let Payload::Log { left: 0, filler } = self.payload else {
            panic!("all log announced has come")
        };
        // Less than a unit, and covered by the checksum of the stream.
        let zeros = vec![0; filler as usize];
        self.take(Piece::Filler, &zeros);
        self.end_payload();
        self.media.pad_to(self.start, LOGICAL_BLOCK);
    }

    fn begin_payload(&mut self, letters: &[u8; 4], attributes: u16, length: u64) {
        let unit = self.media.unit();
        let ahead = stream::HEADER as u64 + PAYLOAD_PREFIX;
        self.media
            .align_payload(b"APAD", stream::PADDING, self.start, unit, ahead);
        let summed = if self.plan.set.has_backup_checksums {
            stream::CHECKSUMMED
        } else {
            0
        };
        self.media
            .stream_header(letters, attributes | summed, PAYLOAD_PREFIX + length);
        self.media
            .put(Piece::PayloadPrefix, &[0; PAYLOAD_PREFIX as usize]);
        self.running = 0;
    }

    fn take(&mut self, piece: Piece, bytes: &[u8]) {
        if self.plan.set.has_backup_checksums {
            self.running = sector_sum_continue(self.running, bytes);
        }
        self.media.put(piece, bytes);
    }

    fn end_payload(&mut self) {
        self.payload = Payload::None;
        if self.plan.set.has_backup_checksums {
            let sum = self.running.to_le_bytes();
            self.media.stream(b"CSUM", stream::PLAIN, Piece::Checksum, &sum);
        }
    }

    /// The details, which may still change until the commit record.
    pub fn details_mut(&mut self) -> &mut SetDetails {
        &mut self.plan.details
    }

    /// Writes the commit record and the trailer. `set` is the set as it is now: with its last LSN and finish date.
    pub fn commit(mut self, set: BackupSet) {
        assert_eq!(self.payload, Payload::None, "the last payload has ended");
        let position = self.plan.set.position;
        let compressed = self.plan.set.compressed;
        self.plan.set = BackupSet {
            position,
            compressed,
            ..set
        };
        let size = self.size_behind_commit();
        let pages = u32::try_from(self.pass_pages).expect("a database file has less than 2^32 pages");
        self.write_configuration(
            b"MSLS",
            Phase::Final {
                size: size + self.plan.details.bytes_elsewhere,
                last_pass_pages: pages,
            },
        );
        let unit = self.media.unit();
        self.media.pad_to(self.start, unit);
        assert_eq!(
            self.media.offset() - self.start,
            size,
            "the size told is the size written"
        );
        self.media.commit_filemark();
        self.write_trailer(size);
    }

    /// Bytes from SSET to the soft filemark behind the commit record, if that comes next.
    #[must_use]
    pub fn size_behind_commit(&self) -> u64 {
        let content = configuration::content(
            &self.plan,
            Phase::Final {
                size: 0,
                last_pass_pages: 0,
            },
        )
        .len() as u64;
        let streams = 56 + stream::HEADER as u64 + content;
        let end = self.media.offset() - self.start + streams.next_multiple_of(4) + stream::HEADER as u64;
        end.next_multiple_of(self.media.unit())
    }

    fn write_trailer(mut self, size: u64) {
        let unit = self.media.unit();
        let first = self.media.offset();
        let first_address = self.media.physical_address();
        self.write_set_end(0);
        self.media.align_payload(b"OTCP", stream::PLAIN, first, unit, 0);
        let map = self.set_map(size);
        self.media.stream(b"TSMP", stream::PLAIN, Piece::SetMap, &map);
        self.media.pad_to(first, unit);
        let second = self.media.offset();
        self.write_set_end(first_address);
        self.media.pad_to(second, unit);
        self.media.set_filemark();
    }

    fn write_set_end(&mut self, first_copy: u64) {
        let mut block = Block::new(b"ESET", 88, Text::None);
        block.put(52, &self.attributes().to_le_bytes());
        block.put(60, &first_copy.to_le_bytes());
        block.put(78, &self.plan.set.position.to_le_bytes());
        block.put(80, &self.date().to_bytes());
        self.media.put(Piece::Block, &block.finish());
    }

    fn set_map(&mut self, size: u64) -> Vec<u8> {
        let set = &self.plan.set;
        let entries = set_map::entries(&MappedSet {
            number: set.position,
            attributes: self.attributes(),
            offset: self.start,
            size,
            name: &set.backup_name,
            description: &set.backup_description,
            user: &set.user_name,
            machine: &set.machine_name,
            device: DEVICE,
            date: self.date(),
            time_zone: self.time_zone(),
        });
        self.media.set_map.extend(entries);
        set_map::content(
            self.media.family_id(),
            u32::from(self.media.sets),
            &self.media.set_map,
        )
    }
}

impl<S: Buffer> SetWriter<'_, S> {
    /// The next whole pages of the pass, which `fill` appends to the sink's buffer: the way without a copy.
    ///
    /// # Errors
    /// Those of `fill`, which then has to leave the buffer as it was.
    pub fn pages_in_place<E>(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let length = self.fill(fill)?;
        self.count_pages(length);
        Ok(())
    }

    /// The next whole log blocks of the segment, in the same way.
    ///
    /// # Errors
    /// Those of `fill`, which then has to leave the buffer as it was.
    pub fn log_in_place<E>(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let length = self.fill(fill)?;
        self.count_log(length);
        Ok(())
    }

    fn fill<E>(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<usize, E> {
        let buffer = self.media.sink_mut().buffer();
        let before = buffer.len();
        fill(buffer)?;
        let new = &buffer[before..];
        let length = new.len();
        if self.plan.set.has_backup_checksums {
            self.running = sector_sum_continue(self.running, new);
        }
        self.media.advance(length as u64);
        Ok(length)
    }
}
