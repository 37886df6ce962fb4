//! Backups that belong together: fulls, differentials and logs of one small database, each with the LSNs, times and identities that a
//! test wants, and with log whose content follows from its history.
//!
//! A [`ChainSample`] is the database; it makes [`ChainSet`]s, whose headers are open to any change, and writes them into files that
//! verify as sound. Log blocks are one sector each, so that a set may begin and end anywhere; a block's bytes follow from where it
//! lies and from the history it was written in. Two sets of one history agree wherever they overlap, and two of a hidden fork
//! (same LSNs, same recovery fork, other log) differ from where [`ChainSet::rewritten`] says.
//!
//! ```
//! use bak::writer::sample::{ChainSample, lsn};
//!
//! let sales = ChainSample::new("Sales", lsn(40, 100));
//! let at = |text: &str| text.parse().expect("a local time");
//! let full = sales.full(lsn(40, 100), lsn(40, 110), at("2026-03-15T02:00:00"));
//! let log = sales.log(lsn(40, 100), lsn(40, 150), at("2026-03-15T02:15:00"));
//! let mut twin = log.clone().rewritten(lsn(40, 130), 1);
//! twin.set.has_bulk_logged_data = true;
//! for file in sales.files(&[&full, &log, &twin], 2) {
//!     assert_eq!(&file[..4], b"TAPE");
//! }
//! ```

use uuid::Uuid;

use super::{LOG_FILE, Noise, Sample, SampleKind, VLF_FIRST_BLOCK};
use crate::checksum::SECTOR;
use crate::compressed::Encoder;
use crate::writer::log_block::{self, LogPlace};
use crate::writer::media::{BlockSize, MediaDescription, MediaWriter};
use crate::writer::set::{LogSegment, SetDetails, SetPlan, SetWriter};
use crate::writer::sink::Sink;
use crate::{BackupSet, BackupType, LocalTime, Lsn};

/// Sectors of a virtual log file of a chain; its first 16 hold no log.
const VLF_SECTORS: u32 = 1024;

/// The first record of a block: virtual log file from 1, block from 16 to 1024. The end of a log at the end of its virtual log file is
/// block 16 of the next.
#[must_use]
pub fn lsn(vlf: u32, block: u32) -> Lsn {
    Lsn { vlf, block, slot: 1 }
}

/// A database that is backed up more than once.
#[derive(Clone, Debug)]
pub struct ChainSample {
    /// One extent, and what is common to all sets.
    sample: Sample,
    began: Lsn,
}

/// A backup set of a chain.
#[derive(Clone, Debug)]
pub struct ChainSet {
    /// What its headers say. LSNs keep to [`lsn`]; position, size, `compressed` and `complete` are the writer's to know.
    pub set: BackupSet,
    /// From which LSN on the log is of which history; the last that applies does.
    histories: Vec<(Lsn, u64)>,
}

impl ChainSample {
    /// A database of this name whose log chain began at `began`, the FirstLSN of its first full backup. Databases of different names
    /// are different ones, by all their identities.
    #[must_use]
    pub fn new(database: &str, began: Lsn) -> Self {
        let seed = database
            .bytes()
            .fold(7, |seed, byte| Noise::new(seed, u64::from(byte)).next());
        let sample = Sample {
            seed,
            database_name: database.to_owned(),
            extents: 1,
            second_pass_extents: 0,
            unformatted_pages: false,
            checksums: false,
            block_size: BlockSize::B512,
            ..Sample::default()
        };
        Self { sample, began }
    }

    /// BACKUP ... WITH CHECKSUM, COMPRESSION.
    #[must_use]
    pub fn with(mut self, checksums: bool, compressed: bool) -> Self {
        self.sample.checksums = checksums;
        self.sample.compressed = compressed;
        self
    }

    /// A full backup with this range of log, that began and ended at this time.
    #[must_use]
    pub fn full(&self, first: Lsn, last: Lsn, time: LocalTime) -> ChainSet {
        let mut full = self.set(SampleKind::Full, first, last, time);
        full.set.checkpoint_lsn = Some(first);
        full.set.database_backup_lsn = Some(self.began).filter(|began| *began < first);
        full
    }

    /// A differential backup on `base`.
    #[must_use]
    pub fn differential(&self, base: &ChainSet, first: Lsn, last: Lsn, time: LocalTime) -> ChainSet {
        let mut differential = self.set(SampleKind::Differential, first, last, time);
        differential.histories.clone_from(&base.histories);
        let BackupSet {
            recovery_fork_id,
            first_recovery_fork_id,
            fork_point_lsn,
            ..
        } = base.set;
        differential.set = BackupSet {
            checkpoint_lsn: Some(first),
            database_backup_lsn: base.set.checkpoint_lsn,
            differential_base_lsn: base.set.checkpoint_lsn,
            differential_base_guid: base.set.backup_set_guid,
            recovery_fork_id,
            first_recovery_fork_id,
            fork_point_lsn,
            ..differential.set
        };
        differential
    }

    /// A log backup; an empty one where `first` is `last`.
    #[must_use]
    pub fn log(&self, first: Lsn, last: Lsn, time: LocalTime) -> ChainSet {
        let mut log = self.set(SampleKind::Log, first, last, time);
        log.set.checkpoint_lsn = Some(self.began);
        log.set.database_backup_lsn = Some(self.began);
        log
    }

    fn set(&self, kind: SampleKind, first: Lsn, last: Lsn, time: LocalTime) -> ChainSet {
        let mut seed = Noise::new(self.sample.seed, kind as u64);
        for part in [place(first), place(last)]
            .into_iter()
            .chain(time.to_bytes().map(u64::from))
        {
            seed = Noise::new(seed.next(), part);
        }
        let set = BackupSet {
            first_lsn: Some(first),
            last_lsn: Some(last),
            backup_set_guid: Some(Uuid::from_u64_pair(seed.next(), seed.next())),
            backup_start_date: Some(time),
            backup_finish_date: Some(time),
            log_chain_lsn: Some(self.began),
            differential_base_lsn: None,
            differential_base_guid: None,
            ..self.sample.set(kind)
        };
        ChainSet {
            set,
            histories: Vec::new(),
        }
    }

    /// These sets in one file.
    #[must_use]
    pub fn file(&self, sets: &[&ChainSet]) -> Vec<u8> {
        self.family(sets, 1, 1)
    }

    /// These sets over so many stripes, from 1: a file for each.
    #[must_use]
    pub fn files(&self, sets: &[&ChainSet], stripes: u16) -> Vec<Vec<u8>> {
        (1..=stripes)
            .map(|family| self.family(sets, family, stripes))
            .collect()
    }

    fn family(&self, sets: &[&ChainSet], family: u16, families: u16) -> Vec<u8> {
        let sample = Sample {
            families,
            ..self.sample.clone()
        };
        let first = &sets.first().expect("a file holds a backup set").set;
        let guid = first.backup_set_guid.unwrap_or_default().as_u128();
        let media = MediaDescription {
            // Another one for each first set, and for each way to deal it out.
            media_set_id: Uuid::from_u128(guid ^ u128::from(families)),
            date: first.backup_start_date.unwrap_or(super::time(0)),
            ..sample.media(family)
        };
        if sample.compressed {
            write(&sample, sets, media, Encoder::new()).finish()
        } else {
            write(&sample, sets, media, Vec::new())
        }
    }
}

impl ChainSet {
    /// From `from` on the log is that of another history, which `history` numbers: what a server writes that was put back to a
    /// snapshot. The set gets another BackupSetGUID.
    #[must_use]
    pub fn rewritten(mut self, from: Lsn, history: u64) -> Self {
        self.histories.push((from, history));
        let (high, low) = self.set.backup_set_guid.unwrap_or_default().as_u64_pair();
        let (mut high, mut low) = (Noise::new(high, history), Noise::new(low, place(from)));
        self.set.backup_set_guid = Some(Uuid::from_u64_pair(high.next(), low.next()));
        self
    }

    /// The set is on the recovery fork `fork`, which left the one it was on at `point`; the log behind that is the fork's own.
    #[must_use]
    pub fn forked(self, fork: Uuid, point: Lsn) -> Self {
        let (high, low) = fork.as_u64_pair();
        let mut forked = self.rewritten(point, high ^ low);
        forked.set.first_recovery_fork_id = forked.set.recovery_fork_id;
        forked.set.recovery_fork_id = Some(fork);
        forked.set.fork_point_lsn = Some(point);
        forked
    }

    /// Its log, a segment for each virtual log file that it has any of.
    fn segments(&self) -> impl Iterator<Item = LogSegment> + use<> {
        let first = self.set.first_lsn.unwrap_or_default();
        let last = self.set.last_lsn.unwrap_or_default();
        assert!(
            [first, last].iter().all(|lsn| {
                lsn.vlf > 0 && (VLF_FIRST_BLOCK..=VLF_SECTORS).contains(&lsn.block) && first <= last
            }),
            "LSNs that a chain can have"
        );
        let files = (first.vlf..=last.vlf).map(move |vlf| {
            let from = if vlf == first.vlf {
                first.block
            } else {
                VLF_FIRST_BLOCK
            };
            let to = if vlf == last.vlf { last.block } else { VLF_SECTORS };
            let vlf_length = u64::from(VLF_SECTORS) * SECTOR as u64;
            let vlf_offset = super::VLF_FIRST_OFFSET + u64::from(vlf) * vlf_length;
            LogSegment {
                file_id: LOG_FILE,
                vlf_sequence: vlf,
                vlf_offset,
                vlf_length,
                start: vlf_offset + u64::from(from) * SECTOR as u64,
                end: vlf_offset + u64::from(to) * SECTOR as u64,
            }
        });
        files.filter(|segment| segment.start < segment.end)
    }

    /// The log block at a place.
    fn block(&self, seed: u64, vlf: u32, block: u32) -> [u8; SECTOR] {
        let at = lsn(vlf, block);
        let histories = self.histories.iter().rev();
        let history = histories
            .filter(|(from, _)| (from.vlf, from.block) <= (vlf, block))
            .map(|(_, history)| *history)
            .next();
        let seed = history.map_or(seed, |history| Noise::new(seed, history).next());
        let mut noise = Noise::new(seed, place(at));
        let mut bytes = [0; SECTOR];
        for word in bytes.chunks_exact_mut(8) {
            word.copy_from_slice(&noise.next().to_le_bytes());
        }
        let previous_size = if block == VLF_FIRST_BLOCK {
            0
        } else {
            SECTOR as u16
        };
        let place = LogPlace {
            vlf,
            block,
            previous_size,
        };
        log_block::format(&mut bytes, place, 1, true);
        bytes
    }
}

fn place(lsn: Lsn) -> u64 {
    u64::from(lsn.vlf) << 32 | u64::from(lsn.block)
}

fn write<S: Sink>(sample: &Sample, sets: &[&ChainSet], media: MediaDescription, sink: S) -> S {
    let family = media.family_number;
    let mut writer = MediaWriter::new(sink, media);
    for chain in sets {
        let kind = match chain.set.backup_type {
            BackupType::Full => SampleKind::Full,
            BackupType::Differential => SampleKind::Differential,
            _ => SampleKind::Log,
        };
        let plan = SetPlan {
            set: BackupSet {
                backup_finish_date: None,
                ..chain.set.clone()
            },
            data_pages: vec![(1, sample.pages(kind))],
            details: SetDetails::default(),
        };
        let mut set = writer.begin_set(plan);
        sample.write_pages(&mut set, kind, family);
        write_log(sample, chain, &mut set, family);
        set.commit(chain.set.clone());
    }
    writer.finish()
}

/// All log is in the first family, as in the real stripe sets.
fn write_log<S: Sink>(sample: &Sample, chain: &ChainSet, set: &mut SetWriter<'_, S>, family: u16) {
    for segment in chain.segments() {
        if family > 1 {
            set.describe_log(&segment);
            continue;
        }
        set.begin_log(&segment);
        let sectors = |offset: u64| ((offset - segment.vlf_offset) / SECTOR as u64) as u32;
        for block in sectors(segment.start)..sectors(segment.end) {
            set.log(&chain.block(sample.seed, segment.vlf_sequence, block));
        }
        set.end_log();
    }
    set.describe_log(&super::unused_vlf());
}
