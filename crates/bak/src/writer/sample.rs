//! A small but whole database to back up: system pages that fit the extents, data pages, log, and backups of all of it.
//!
//! Everything follows from a [`Sample`], seed included, and is made while it is written: a backup of several GiB needs no more
//! memory than one extent. The rows on its data pages are of no table; no SQL Server can restore it. It is for tests, the demo
//! and the bench, which say so.

use uuid::Uuid;

use super::log_block::{self, LogPlace};
use super::media::{BlockSize, MediaDescription, MediaWriter};
use super::page::Protection;
use super::set::{LogSegment, SetDetails, SetPlan, SetWriter};
use super::sink::Sink;
use crate::checksum::SECTOR;
use crate::compressed::Encoder;
use crate::{BackupSet, BackupType, DatabaseFile, FileType, LocalTime, Lsn, RecoveryModel, SoftwareVersion};

mod chain;
mod image;

pub use chain::{ChainSample, ChainSet, lsn};
pub use image::{EXTENT, Image};

/// Which backup of the sample database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SampleKind {
    /// All allocated extents.
    Full,
    /// The extents changed since the full backup.
    Differential,
    /// The log since the full backup, over two virtual log files.
    Log,
}

/// A sample database and how it is backed up.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Everything random comes from it.
    pub seed: u64,
    /// Name of the database.
    pub database_name: String,
    /// Allocated extents of 64 KiB; at least 1.
    pub extents: u32,
    /// Page verification of the database.
    pub protection: Protection,
    /// Whether some pages were never formatted, as in every real database.
    pub unformatted_pages: bool,
    /// Extents that changed while the backup ran and are sent a second time.
    pub second_pass_extents: u32,
    /// BACKUP ... WITH CHECKSUM.
    pub checksums: bool,
    /// Physical block size.
    pub block_size: BlockSize,
    /// Families (stripes) the backup is spread over.
    pub families: u16,
    /// Into the compressed container.
    pub compressed: bool,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            seed: 1,
            database_name: "Sample".to_owned(),
            extents: 16,
            protection: Protection::Checksum,
            unformatted_pages: true,
            second_pass_extents: 1,
            checksums: true,
            block_size: BlockSize::B4096,
            families: 1,
            compressed: false,
        }
    }
}

/// Sectors of a virtual log file; its first 16 hold no log.
const VLF_SECTORS: u32 = 496;
const VLF_FIRST_BLOCK: u32 = 16;
const VLF_FIRST_OFFSET: u64 = 0x2000;
const VLF_FIRST_SEQUENCE: u32 = 40;
const LOG_FILE: u16 = 2;

/// Log of a backup: virtual log file, first sector, and the blocks' sizes in sectors.
type LogPart = (u32, u32, &'static [u16]);
const LOG_OF_FULL: [LogPart; 1] = [(40, 470, &[8, 1, 5])];
const LOG_OF_DIFFERENTIAL: [LogPart; 1] = [(41, 40, &[4, 4])];
const LOG_OF_LOG: [LogPart; 2] = [(40, 470, &[8, 1, 5, 2, 10]), (41, 16, &[1, 24, 15])];

impl SampleKind {
    fn log(self) -> &'static [LogPart] {
        match self {
            Self::Full => &LOG_OF_FULL,
            Self::Differential => &LOG_OF_DIFFERENTIAL,
            Self::Log => &LOG_OF_LOG,
        }
    }

    fn first_lsn(self) -> Lsn {
        let (vlf, block, _) = self.log()[0];
        Lsn { vlf, block, slot: 1 }
    }

    fn last_lsn(self) -> Lsn {
        let log = self.log();
        let (vlf, block, sizes) = log[log.len() - 1];
        Lsn {
            vlf,
            block: block + sectors(sizes),
            slot: 1,
        }
    }
}

fn sectors(sizes: &[u16]) -> u32 {
    sizes.iter().map(|size| u32::from(*size)).sum()
}

impl Sample {
    /// The backup as bytes; `family` counts from 1.
    #[must_use]
    pub fn backup(&self, kind: SampleKind, family: u16) -> Vec<u8> {
        self.backup_sets(&[kind], family)
    }

    /// Several backup sets in one file, as bytes.
    #[must_use]
    pub fn backup_sets(&self, kinds: &[SampleKind], family: u16) -> Vec<u8> {
        if self.compressed {
            self.write(kinds, family, Encoder::new()).finish()
        } else {
            self.write(kinds, family, Vec::new())
        }
    }

    /// Writes backup sets of one family into a sink. For a compressed sample the sink is an [`Encoder`].
    pub fn write<S: Sink>(&self, kinds: &[SampleKind], family: u16, sink: S) -> S {
        assert!(
            self.extents >= 1 && (1..=self.families).contains(&family),
            "a sample that can be"
        );
        let mut media = MediaWriter::new(sink, self.media(family));
        for kind in kinds {
            self.write_set(&mut media, *kind, family);
        }
        media.finish()
    }

    /// The media header of one family.
    #[must_use]
    pub fn media(&self, family: u16) -> MediaDescription {
        MediaDescription {
            media_set_id: self.guid(1),
            family_number: family,
            family_count: self.families,
            block_size: self.block_size,
            date: time(0),
            compressed: self.compressed,
            name: String::new(),
            description: String::new(),
        }
    }

    /// The set as its configuration tells it at the end. Position, size, `compressed` and `complete` are left at their zeros.
    #[must_use]
    pub fn set(&self, kind: SampleKind) -> BackupSet {
        let full = SampleKind::Full;
        let differential = kind == SampleKind::Differential;
        let minutes = match kind {
            SampleKind::Full => 0,
            SampleKind::Differential => 30,
            SampleKind::Log => 15,
        };
        BackupSet {
            position: 0,
            backup_type: match kind {
                SampleKind::Full => BackupType::Full,
                SampleKind::Differential => BackupType::Differential,
                SampleKind::Log => BackupType::Log,
            },
            backup_name: format!("{} sample backup", self.database_name),
            backup_description: "written by bac2, not by SQL Server".to_owned(),
            user_name: "SAMPLE\\backup".to_owned(),
            machine_name: "SAMPLE".to_owned(),
            server_name: "SAMPLE".to_owned(),
            database_name: self.database_name.clone(),
            software_version: SoftwareVersion {
                major: 15,
                minor: 0,
                build: 4312,
            },
            database_version: 904,
            compatibility_level: 150,
            recovery_model: RecoveryModel::Full,
            compressed: false,
            has_backup_checksums: self.checksums,
            is_copy_only: false,
            first_lsn: Some(kind.first_lsn()),
            last_lsn: Some(kind.last_lsn()),
            checkpoint_lsn: Some(if differential {
                kind.first_lsn()
            } else {
                full.first_lsn()
            }),
            database_backup_lsn: (kind != full).then(|| full.first_lsn()),
            differential_base_lsn: differential.then(|| full.first_lsn()),
            fork_point_lsn: None,
            backup_set_guid: Some(self.guid(16 + kind as u64)),
            binding_id: Some(self.guid(2)),
            family_guid: Some(self.guid(3)),
            recovery_fork_id: Some(self.guid(3)),
            first_recovery_fork_id: None,
            differential_base_guid: differential.then(|| self.guid(16)),
            backup_start_date: Some(time(minutes)),
            backup_finish_date: Some(time(minutes + 1)),
            database_creation_date: Some(LocalTime {
                year: 2024,
                ..time(0)
            }),
            time_zone_offset_minutes: Some(60),
            backup_size: 0,
            complete: false,
            files: self.files(),
            has_bulk_logged_data: false,
            log_chain_lsn: Some(full.first_lsn()),
        }
    }

    /// The pages of the database.
    #[must_use]
    pub fn image(&self) -> Image<'_> {
        Image::new(self)
    }

    fn files(&self) -> Vec<DatabaseFile> {
        let data = DatabaseFile {
            file_id: 1,
            logical_name: self.database_name.clone(),
            physical_name: format!("D:\\Data\\{}.mdf", self.database_name),
            file_type: FileType::Data,
            filegroup: Some("PRIMARY".to_owned()),
            size: u64::from(self.image().file_extents()) * EXTENT as u64,
            max_size: 35_184_372_080_640,
            unique_id: Some(self.guid(4)),
        };
        let log = DatabaseFile {
            file_id: u32::from(LOG_FILE),
            logical_name: format!("{}_log", self.database_name),
            physical_name: format!("L:\\Log\\{}_log.ldf", self.database_name),
            file_type: FileType::Log,
            filegroup: None,
            size: VLF_FIRST_OFFSET + 4 * u64::from(VLF_SECTORS) * SECTOR as u64,
            max_size: 2_199_023_255_552,
            unique_id: Some(self.guid(5)),
        };
        vec![data, log]
    }

    pub(super) fn write_set<S: Sink>(&self, media: &mut MediaWriter<S>, kind: SampleKind, family: u16) {
        let set = self.set(kind);
        let start = BackupSet {
            backup_finish_date: None,
            ..set.clone()
        };
        let mut writer = media.begin_set(SetPlan {
            set: start,
            data_pages: vec![(1, self.pages(kind))],
            details: SetDetails::default(),
        });
        self.write_pages(&mut writer, kind, family);
        for part in kind.log() {
            let segment = segment(part);
            if family > 1 {
                writer.describe_log(&segment);
                continue;
            }
            writer.begin_log(&segment);
            self.log_blocks(part, |block| writer.log(block));
            writer.end_log();
        }
        writer.describe_log(&unused_vlf());
        writer.commit(set);
    }

    /// Pages that the first pass sends, over all families.
    fn pages(&self, kind: SampleKind) -> u32 {
        self.image().extents(kind).count() as u32 * 8
    }

    /// The page passes of a set; none of a log backup.
    fn write_pages<S: Sink>(&self, writer: &mut SetWriter<'_, S>, kind: SampleKind, family: u16) {
        if kind == SampleKind::Log {
            return;
        }
        let image = self.image();
        let mine = |(index, _): &(usize, u32)| index % usize::from(self.families) + 1 == usize::from(family);
        let mut passes = vec![
            image
                .extents(kind)
                .enumerate()
                .filter(mine)
                .map(|(_, extent)| extent)
                .collect(),
        ];
        let again: Vec<u32> = image
            .extents(kind)
            .take(self.second_pass_extents as usize)
            .collect();
        if family == 1 && !again.is_empty() {
            passes.push(again);
        }
        for (pass, extents) in passes.iter().enumerate() {
            writer.begin_pages(extents.len() as u64);
            let mut buffer = vec![0; EXTENT];
            for extent in extents {
                image.fill(*extent, kind, pass as u32, &mut buffer);
                writer.pages(&buffer);
            }
            writer.end_pages();
        }
    }

    fn log_blocks(&self, (vlf, first, sizes): &LogPart, mut write: impl FnMut(&[u8])) {
        let mut place = LogPlace {
            vlf: *vlf,
            block: *first,
            previous_size: 0,
        };
        for size in *sizes {
            let mut block = vec![0u8; usize::from(*size) * SECTOR];
            let mut noise = Noise::new(self.seed, u64::from(place.vlf) << 32 | u64::from(place.block));
            for word in block.chunks_exact_mut(8) {
                word.copy_from_slice(&noise.next().to_le_bytes());
            }
            log_block::format(&mut block, place, *size, true);
            write(&block);
            place.block += u32::from(*size);
            place.previous_size = *size * SECTOR as u16;
        }
    }

    fn guid(&self, what: u64) -> Uuid {
        let mut noise = Noise::new(self.seed, what << 48);
        Uuid::from_u64_pair(noise.next(), noise.next())
    }
}

fn segment((vlf, first, sizes): &LogPart) -> LogSegment {
    let length = u64::from(VLF_SECTORS) * SECTOR as u64;
    let vlf_offset = VLF_FIRST_OFFSET + u64::from(vlf - VLF_FIRST_SEQUENCE) * length;
    let start = vlf_offset + u64::from(*first) * SECTOR as u64;
    let end = start + u64::from(sectors(sizes)) * SECTOR as u64;
    assert!(
        (VLF_FIRST_BLOCK..VLF_SECTORS).contains(first),
        "log lies inside its virtual log file"
    );
    LogSegment {
        file_id: LOG_FILE,
        vlf_sequence: *vlf,
        vlf_offset,
        vlf_length: length,
        start,
        end,
    }
}

/// The virtual log file behind those in use.
fn unused_vlf() -> LogSegment {
    let vlf_length = u64::from(VLF_SECTORS) * SECTOR as u64;
    let vlf_offset = VLF_FIRST_OFFSET + 2 * vlf_length;
    LogSegment {
        file_id: LOG_FILE,
        vlf_sequence: 0,
        vlf_offset,
        vlf_length,
        start: 0,
        end: 0,
    }
}

/// So many minutes after two in the night of a Sunday.
fn time(minutes: u8) -> LocalTime {
    LocalTime {
        year: 2026,
        month: 3,
        day: 15,
        hour: 2,
        minute: minutes,
        second: 7,
    }
}

/// A stream of numbers that follow from two others (splitmix64).
struct Noise(u64);

impl Noise {
    fn new(seed: u64, stream: u64) -> Self {
        let mut noise = Self(seed ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        noise.next();
        noise
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }
}
