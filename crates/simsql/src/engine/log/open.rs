//! Making a log and finding one again: the table of VLFs, which of them are in use, and where the log ends.

use std::collections::VecDeque;

use bak::Lsn;
use bak::checksum::SECTOR;

use super::block::{self, OpenBlock, Position};
use super::file::LogFile;
use super::room::{FILE_HEADER, SIZE_MIN};
use super::scan::BlockReader;
use super::vlf::{FIRST_BLOCK, VLF_HEADER, Vlf, split};
use super::{Log, LogPlan, Tail};
use crate::engine::{EngineError, Result};

/// Bytes searched at a time.
const READ: usize = 262_144;

impl Log {
    fn bare(file: LogFile, plan: LogPlan) -> Self {
        Self {
            file,
            plan,
            vlfs: Vec::new(),
            active: VecDeque::new(),
            formatted: FILE_HEADER,
            tail: Tail {
                next_block: FIRST_BLOCK,
                previous_size: 0,
                is_closed: false,
            },
            last_sequence: 0,
            open: OpenBlock::default(),
            sealed: Vec::new(),
            is_ordinary: false,
            durable: Position::default(),
            unsynced: false,
            generation: 0,
            reserved: 0,
            free_room: 0,
            broken: None,
            stands: None,
        }
    }

    /// A log without any VLF in use, of the planned size.
    pub(super) fn make_empty(file: LogFile, plan: LogPlan) -> Result<Self> {
        let size = plan.size.max(SIZE_MIN);
        file.set_len(size).map_err(|error| match error.number {
            112 => EngineError::LogFull,
            _ => file.error(error),
        })?;
        let mut log = Self::bare(file, plan);
        log.sync()?;
        Ok(log)
    }

    pub(super) fn make(file: LogFile, plan: LogPlan, first_vlf: u32) -> Result<Self> {
        let mut log = Self::make_empty(file, plan)?;
        log.add_vlfs(&split(log.plan.size.max(SIZE_MIN) - FILE_HEADER))?;
        log.last_sequence = first_vlf.saturating_sub(1);
        log.start_vlf(0)?;
        Ok(log)
    }

    pub(super) fn find_again(file: LogFile, plan: LogPlan) -> Result<Self> {
        let mut log = Self::bare(file, plan);
        log.read_table()?;
        log.find_active()?;
        log.find_end()?;
        log.count_free();
        // What was read may be in the machine's memory alone.
        log.sync()?;
        Ok(log)
    }

    /// Reads the VLF headers, one behind the other up to the first place where none was ever written.
    fn read_table(&mut self) -> Result<()> {
        let length = self.file.len()?;
        while self.formatted + VLF_HEADER <= length {
            let mut sector = [0; SECTOR];
            self.file.read(self.formatted, &mut sector)?;
            let parsed = Vlf::parse(&sector, self.formatted);
            let Some(vlf) = parsed.map_err(|detail| self.file.damaged(Lsn::ZERO, detail))? else {
                break;
            };
            let cut = vlf.cut.map_or(0, |cut| cut.generation);
            self.generation = self.generation.max(vlf.generation).max(cut);
            self.formatted += vlf.length;
            self.vlfs.push(vlf);
        }
        if self.formatted > length.max(FILE_HEADER) {
            return Err(self
                .file
                .damaged(Lsn::ZERO, "the log file is shorter than its virtual log files"));
        }
        Ok(())
    }

    /// Finds the VLFs in use: those whose numbers follow one another up to the highest. What a cut took is freed for good, and so
    /// is what a truncation had let go of but in part.
    fn find_active(&mut self) -> Result<()> {
        let mut active: Vec<usize> = (0..self.vlfs.len())
            .filter(|index| self.vlfs[*index].is_active)
            .collect();
        active.sort_by_key(|index| (self.vlfs[*index].sequence, self.vlfs[*index].generation));
        let cuts: Vec<_> = self.vlfs.iter().filter(|vlf| vlf.is_active).copied().collect();
        let is_gone = |vlf: &Vlf| {
            let takes = |other: &Vlf| {
                other.sequence < vlf.sequence && other.cut.is_some_and(|cut| vlf.generation < cut.generation)
            };
            cuts.iter().any(takes)
        };
        let (gone, kept): (Vec<usize>, Vec<usize>) =
            active.into_iter().partition(|index| is_gone(&self.vlfs[*index]));
        let follows =
            |pair: &[usize]| self.vlfs[pair[0]].sequence.checked_add(1) == Some(self.vlfs[pair[1]].sequence);
        let first = kept
            .windows(2)
            .rposition(|pair| !follows(pair))
            .map_or(0, |at| at + 1);
        let stale = kept[..first].to_vec();
        self.active = kept[first..].iter().copied().collect();
        for index in gone.into_iter().chain(stale) {
            self.free(index)?;
        }
        Ok(())
    }

    /// Finds the end in the last VLF; all before it were durable before it was begun.
    fn find_end(&mut self) -> Result<()> {
        let Some(vlf) = self.current().copied() else {
            return Ok(());
        };
        self.tail = Tail {
            next_block: vlf.first_block,
            previous_size: 0,
            is_closed: vlf.cut.is_some(),
        };
        if let Some(cut) = vlf.cut {
            self.tail.next_block = cut.end;
            return Ok(());
        }
        let mut reader = BlockReader::default();
        let end = vlf.sectors();
        while let Ok((head, _)) = reader.block(&self.file, &vlf, self.tail.next_block, end)? {
            if head.context.is_some_and(|own| own.generation != vlf.generation) {
                break;
            }
            self.tail.next_block += head.sectors();
            self.tail.previous_size = head.size as u16;
        }
        self.clear_behind(&vlf)
    }

    /// Looks at what lies behind the end. Blocks that reached the disk while one before them did not are wiped out, lest new
    /// blocks join them later; but a block that was sealed when more was durable than the end tells of damage.
    fn clear_behind(&mut self, vlf: &Vlf) -> Result<()> {
        let end = self.tail.next_block;
        let position = Position {
            vlf: vlf.sequence,
            block: end,
        };
        let mut ghosts = false;
        self.search(vlf, end, &mut |log, number| {
            ghosts = true;
            let mut reader = BlockReader::default();
            let found = reader.block(&log.file, vlf, number, vlf.sectors())?;
            let own = found.ok().and_then(|(head, _)| head.context);
            let own = own.filter(|own| own.generation == vlf.generation && !vlf.is_received);
            if own.is_some_and(|own| own.durable > position) {
                let lsn = Lsn {
                    vlf: vlf.sequence,
                    block: end,
                    slot: 1,
                };
                return Err(log.file.damaged(lsn, "a log block that was durable is damaged"));
            }
            Ok(())
        })?;
        if ghosts {
            self.search(vlf, end, &mut |log, number| {
                let wiped = log.file.write(vlf.place(number), &[0; SECTOR]);
                log.hold(wiped)
            })?;
            self.sync()?;
        }
        Ok(())
    }

    /// Calls `found` for each sector from block `from` on that looks like the start of a block of this VLF.
    fn search(
        &mut self,
        vlf: &Vlf,
        from: u32,
        found: &mut dyn FnMut(&mut Self, u32) -> Result<()>,
    ) -> Result<()> {
        let mut buffer = vec![0; READ];
        let mut number = from;
        while number < vlf.sectors() {
            let sectors = ((vlf.sectors() - number) as usize).min(READ / SECTOR);
            let bytes = &mut buffer[..sectors * SECTOR];
            self.file.read(vlf.place(number), bytes)?;
            for sector in bytes.as_chunks::<SECTOR>().0 {
                if block::begins(sector, vlf.sequence, number).is_some() {
                    found(self, number)?;
                }
                number += 1;
            }
        }
        Ok(())
    }
}
