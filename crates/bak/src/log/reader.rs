//! The log blocks of a backup set: chain, checksum, parity, and the bounds that the set's header names.
//!
//! | log block | field |
//! |---|---|
//! | 0 | parity, 0x10 first sector, 0x08 last sector; each further sector of the block begins with parity and 0x08 likewise |
//! | 4..6 | bytes used |
//! | 6..8 | size, a multiple of 512 |
//! | 12..16 | sequence number of the virtual log file |
//! | 16..20 | block number: sector within the virtual log file |
//! | 24..28 | checksum, 0 where none was computed |
//!
//! Established on 628 log blocks of real backups. The bytes that fill the stream up to a multiple of 64 KiB are zero in all of them.

use super::fingerprint::collector::Collector;
use super::fingerprint::{LogFingerprint, LogPosition};
use super::segment::Segment;
use crate::bytes::{u16_at, u32_at};
use crate::checksum::{SECTOR, sector_sum_continue};
use crate::content::{Event, LogBlock};
use crate::damage::DamageKind;
use crate::findings::Findings;
use crate::gather::Gather;
use crate::lsn::Lsn;
use crate::mtf::oddity::bits_set;
use crate::report::LogBlockCounts;

const FIRST_SECTOR: u8 = 0x10;
const LAST_SECTOR: u8 = 0x08;

/// The log block that is being read.
#[derive(Debug, Clone, Copy)]
struct Current {
    offset: u64,
    position: LogPosition,
    sectors_left: usize,
    sectors: usize,
    sum: u32,
    stored: u32,
    well_formed: bool,
}

impl Current {
    /// Where the log goes on behind the block.
    fn end(&self, segment: &Segment) -> LogPosition {
        let LogPosition { vlf, block } = self.position;
        LogPosition {
            vlf,
            block: block.saturating_add(self.sectors as u32),
        }
        .or_next_file(segment.vlf_length / SECTOR as u64)
    }
}

/// Reads the log streams of one backup set.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogReader {
    gather: Gather,
    segment: Option<Segment>,
    /// Bytes of the segment done with.
    position: u64,
    current: Option<Current>,
    /// Bytes of the current block, where somebody takes them.
    block: Vec<u8>,
    /// The chain is broken: sectors are passed until one begins the block that belongs there.
    searching: bool,
    sum_of_stream: u32,
    first: Option<LogPosition>,
    /// Behind the last block read, and the length of its virtual log file.
    end: Option<(LogPosition, u64)>,
    collector: Collector,
    /// A stream was shorter than announced, or its checksum does not hold.
    is_unsound: bool,
    pub(crate) counts: LogBlockCounts,
}

impl LogReader {
    /// A log stream begins; `segment` is what its block says. `is_all`: the whole set is in this file.
    pub(crate) fn start(&mut self, segment: Segment, is_all: bool) {
        if let Some(block) = segment.block_number(0) {
            let vlf = segment.vlf;
            self.collector.begin(LogPosition { vlf, block }, is_all);
        }
        self.segment = Some(segment);
        self.position = 0;
        self.current = None;
        self.searching = false;
        self.gather.clear();
        self.sum_of_stream = 0;
    }

    /// Takes payload that begins at `offset` of the tape-format stream.
    pub(crate) fn push(&mut self, offset: u64, bytes: &[u8], findings: &mut Findings) {
        let Some(segment) = self.segment else { return };
        let mut input = bytes;
        let end = offset + bytes.len() as u64;
        while !input.is_empty() {
            let whole = match &self.current {
                Some(current) if self.gather.waiting() == 0 => {
                    current.sectors_left.min(input.len() / SECTOR).max(1)
                }
                _ => 1,
            };
            let Some(run) = self.gather.take(&mut input, whole * SECTOR) else {
                return;
            };
            let at = end - input.len() as u64 - run.len() as u64;
            self.sum_of_stream = sector_sum_continue(self.sum_of_stream, &run);
            self.run(at, &run, &segment, findings);
            self.gather.reuse(run);
        }
    }

    /// Ends a stream; the error says what is missing.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        let segment = self.segment.take();
        let missing = segment.is_some_and(|segment| self.position < segment.end - segment.start);
        let cut = self.gather.waiting() > 0 || self.current.take().is_some();
        self.gather.clear();
        if missing || cut {
            self.is_unsound = true;
            return Err("the log stream is shorter than its block says".into());
        }
        Ok(())
    }

    /// Compares a stream checksum with the stream before it.
    pub(crate) fn checksum_holds(&mut self, stored: u32) -> bool {
        self.is_unsound |= stored != self.sum_of_stream;
        stored == self.sum_of_stream
    }

    /// What the log looks like; none where there is none in this file or anything is wrong with it.
    pub(crate) fn fingerprint(&self) -> Option<LogFingerprint> {
        let is_sound = !self.is_unsound && self.counts.bad == 0;
        self.collector.fingerprint().filter(|_| is_sound)
    }

    /// Compares what was read with the set's FirstLSN and LastLSN; the error is a sentence. Only where the whole log of the set is in
    /// this file.
    pub(crate) fn check_bounds(&self, first: Lsn, last: Lsn) -> Result<(), String> {
        let position = |lsn: Lsn| LogPosition {
            vlf: lsn.vlf,
            block: lsn.block,
        };
        let (Some(found_first), Some((found_end, vlf_length))) = (self.first, self.end) else {
            if position(first) == position(last) {
                return Ok(());
            }
            return Err(format!(
                "no log block of the range {first} to {last} could be read"
            ));
        };
        if found_first != position(first) {
            return Err(format!(
                "the log begins in block {} of virtual log file {}, but FirstLSN is {first}",
                found_first.block, found_first.vlf
            ));
        }
        // Where the last block fills its virtual log file, LastLSN is at the start of the next one.
        let at_vlf_end = u64::from(found_end.block) * SECTOR as u64 == vlf_length
            && found_end.vlf.checked_add(1) == Some(last.vlf);
        if found_end != position(last) && !at_vlf_end {
            return Err(format!(
                "the log ends before block {} of virtual log file {}, but LastLSN is {last}",
                found_end.block, found_end.vlf
            ));
        }
        Ok(())
    }

    /// Takes whole sectors: one, or more of the current block.
    fn run(&mut self, offset: u64, run: &[u8], segment: &Segment, findings: &mut Findings) {
        if self.position >= segment.end - segment.start {
            // Whoever leaves memory in the filler leaves more than one bit of it.
            match bits_set(run) {
                0 => {}
                1 => findings.structure(
                    DamageKind::LogChain,
                    offset,
                    "a bit behind the last log block is not zero",
                ),
                _ => findings.unknown(
                    "bytes behind its last log block are not zero, as they are in all known backups",
                ),
            }
            return;
        }
        match self.current.take() {
            Some(current) => self.continue_block(current, run, segment, findings),
            None => self.start_block(offset, run, segment, findings),
        }
        self.position += run.len() as u64;
    }

    fn start_block(&mut self, offset: u64, sector: &[u8], segment: &Segment, findings: &mut Findings) {
        let (vlf, number) = (u32_at(sector, 12), u32_at(sector, 16));
        let size = usize::from(u16_at(sector, 6));
        let left = segment.end - segment.start - self.position;
        let in_place = vlf == segment.vlf
            && Some(number) == segment.block_number(self.position)
            && sector[0] & FIRST_SECTOR != 0
            && size > 0
            && size.is_multiple_of(SECTOR)
            && size as u64 <= left;
        if !in_place {
            if !self.searching {
                self.counts.bad += 1;
                let detail =
                    "no log block begins where the chain leads; passing on to the next one that fits"
                        .to_owned();
                findings.structure(DamageKind::LogBlock, offset, detail);
            }
            self.searching = true;
            return;
        }
        self.searching = false;
        if findings.has_taker() {
            self.block = sector.to_vec();
        }
        let position = LogPosition { vlf, block: number };
        self.first.get_or_insert(position);
        let sectors = size / SECTOR;
        let end = LogPosition {
            vlf,
            block: number.saturating_add(sectors as u32),
        };
        self.end = Some((end, segment.vlf_length));
        let stored = u32_at(sector, 24);
        let current = Current {
            offset,
            position,
            sectors_left: sectors,
            sectors,
            // The checksum's own bytes count as zero; it lies in the first sector.
            sum: sector_sum_continue(0, sector) ^ stored,
            stored,
            well_formed: usize::from(u16_at(sector, 4)) <= size,
        };
        self.sector_done(current, &sector[..SECTOR], true, segment, findings);
    }

    fn continue_block(
        &mut self,
        mut current: Current,
        run: &[u8],
        segment: &Segment,
        findings: &mut Findings,
    ) {
        current.sum = sector_sum_continue(current.sum, run);
        if findings.has_taker() {
            self.block.extend_from_slice(run);
        }
        self.sector_done(current, run, false, segment, findings);
    }

    /// Checks the first byte of each sector of `run` and ends the block with its last one.
    fn sector_done(
        &mut self,
        mut current: Current,
        run: &[u8],
        is_first: bool,
        segment: &Segment,
        findings: &mut Findings,
    ) {
        for sector in run.as_chunks::<SECTOR>().0 {
            current.sectors_left -= 1;
            let first = if is_first { FIRST_SECTOR } else { 0 };
            let last = if current.sectors_left == 0 { LAST_SECTOR } else { 0 };
            current.well_formed &= sector[0] == segment.parity | first | last;
        }
        if current.sectors_left == 0 {
            self.judge(&current, segment, findings);
        } else {
            self.current = Some(current);
        }
    }

    fn judge(&mut self, block: &Current, segment: &Segment, findings: &mut Findings) {
        self.collector.add(block.position, block.end(segment), block.sum);
        // A checksum of zero means that none was computed. A sum of a single bit is what one flipped bit leaves of a zero sum.
        let unchecked = block.stored == 0 && block.sum != 0 && block.sum.count_ones() != 1;
        let is_sound = (block.stored == block.sum || unchecked) && block.well_formed;
        let start = segment.vlf_offset + u64::from(block.position.block) * SECTOR as u64;
        let bytes = &mut self.block;
        findings.event(|| {
            Event::LogBlock(LogBlock {
                start,
                is_sound,
                bytes: std::mem::take(bytes),
            })
        });
        if block.stored != block.sum && !unchecked {
            self.counts.bad += 1;
            let detail = format!(
                "the checksum of a log block of {} sectors does not hold",
                block.sectors
            );
            findings.structure(DamageKind::LogBlock, block.offset, detail);
        } else if !block.well_formed {
            self.counts.bad += 1;
            findings.structure(
                DamageKind::LogBlock,
                block.offset,
                "a sector of a log block is not marked as one of it",
            );
        } else if unchecked {
            self.counts.unchecked += 1;
        } else {
            self.counts.ok += 1;
        }
    }
}
