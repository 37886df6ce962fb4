//! The log file: virtual log files (VLFs) of log blocks of records, each record with its LSN `vlf:block:slot`.
//!
//! The payload of a record is the caller's. Records gather in one open block in memory until [`Log::flush`], which seals it with
//! its checksum, writes it and makes it durable; a block never changes again. VLFs are used in the order of their sequence
//! numbers and reused when truncation has let all of their records go; the file grows by new VLFs where none is free.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use bak::Lsn;
use bak::writer::LogSegment;

use super::Result;
use crate::world::{DiskFile, OsError};

mod append;
mod block;
mod cut;
mod file;
mod open;
mod raw;
mod receive;
mod room;
mod scan;
#[cfg(test)]
mod tests;
mod vlf;

use block::{OpenBlock, Position};
use file::LogFile;
use vlf::{FIRST_BLOCK, Vlf};

/// A log file.
pub(crate) struct Log {
    file: LogFile,
    plan: LogPlan,
    /// All VLFs, in the order of the file.
    vlfs: Vec<Vlf>,
    /// Those in use, by sequence number; the last is the current one.
    active: VecDeque<usize>,
    /// Behind the last VLF of the file.
    formatted: u64,
    tail: Tail,
    /// The sequence number before the first one, while none is in use.
    last_sequence: u32,
    open: OpenBlock,
    /// The bytes of a block while it is sealed.
    sealed: Vec<u8>,
    /// The open block is for any record; else only for those that reserved room.
    is_ordinary: bool,
    durable: Position,
    /// Something was written since the last sync.
    unsynced: bool,
    /// Cuts so far.
    generation: u32,
    reserved: u64,
    /// Room in free VLFs.
    free_room: u64,
    /// Why nothing more is written.
    broken: Option<OsError>,
    /// Where redo stands in log that a restore brought: from there on the next log may be another fork's.
    stands: Option<Lsn>,
}

/// Where the current VLF stands.
#[derive(Clone, Copy, Debug)]
struct Tail {
    /// Where its next block begins.
    next_block: u32,
    /// Bytes of the block before, 0 where there is none.
    previous_size: u16,
    /// The log was cut here: it goes on in the next VLF.
    is_closed: bool,
}

/// How much of the file is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogSpace {
    /// Bytes of the file.
    pub(crate) size: u64,
    /// Bytes of VLFs in use.
    pub(crate) used: u64,
    /// VLFs.
    pub(crate) vlf_count: u32,
    /// VLFs in use.
    pub(crate) active_vlf_count: u32,
}

/// What a log file is made with.
#[derive(Clone, Debug)]
pub(crate) struct LogPlan {
    /// Path, for errors.
    pub(crate) path: String,
    /// File id within the database.
    pub(crate) file_id: u16,
    /// Bytes at first, growth, and at most.
    pub(crate) size: u64,
    pub(crate) growth: u64,
    pub(crate) max_size: u64,
}

impl Log {
    /// Makes a log whose first VLF has the sequence number `first_vlf`; durable when it returns.
    pub(crate) fn create(file: Arc<dyn DiskFile>, plan: LogPlan, first_vlf: u32) -> Result<Self> {
        Self::make(LogFile::new(file, plan.path.clone()), plan, first_vlf)
    }

    /// Opens a log as the last process left it: finds its VLFs and its end, the last block in an unbroken run of sound blocks. A
    /// torn block behind the end is no damage: nobody was told that it is durable.
    pub(crate) fn open(file: Arc<dyn DiskFile>, plan: LogPlan) -> Result<Self> {
        Self::find_again(LogFile::new(file, plan.path.clone()), plan)
    }

    /// Appends a record of up to 32 KiB; in memory until [`Log::flush`], or until its block
    /// is full, which is then written.
    ///
    /// # Errors
    /// [`super::EngineError::Log`] for a longer record, [`super::EngineError::LogFull`] where no VLF is free and the file may not
    /// grow, less what [`Log::reserve`] keeps for rollbacks.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<Lsn> {
        self.put(payload, false)
    }

    /// Keeps room so that rollbacks of `bytes` of records can always be logged; `append_reserved` may use it. A record that is
    /// flushed alone takes a sector, so that 512 should be reserved for it. What is reserved stays so until [`Log::release`],
    /// used or not.
    ///
    /// # Errors
    /// [`super::EngineError::LogFull`] where there is no such room.
    pub(crate) fn reserve(&mut self, bytes: u64) -> Result<()> {
        self.promise(bytes)
    }

    /// Lets reserved room go.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.reserved = self.reserved.saturating_sub(bytes);
    }

    /// Appends a record into reserved room: undo, commit, checkpoint. 32 KiB are there for it even if nothing is reserved.
    ///
    /// # Errors
    /// [`super::EngineError::LogFull`] where more was appended than reserved.
    pub(crate) fn append_reserved(&mut self, payload: &[u8]) -> Result<Lsn> {
        self.put(payload, true)
    }

    /// The LSN that the next record has if it fits the open block; else it has a higher one.
    pub(crate) fn next_lsn(&self) -> Lsn {
        let Position { vlf, block } = self.position();
        let slot = self.open.count() + 1;
        Lsn { vlf, block, slot }
    }

    /// Everything before this is durable.
    pub(crate) fn durable_lsn(&self) -> Lsn {
        let Position { vlf, block } = self.durable;
        Lsn { vlf, block, slot: 1 }
    }

    /// Makes all records durable: one write of the open block and one sync, none where all are already. After a failure the log
    /// refuses everything that writes, with the same error, until it is opened again: nobody knows what the file holds.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.refuse_broken()?;
        self.seal()?;
        if self.unsynced {
            self.sync()?;
        }
        Ok(())
    }

    /// Flushes; the next record starts a new block. Gives its LSN, slot 1.
    pub(crate) fn close_block(&mut self) -> Result<Lsn> {
        self.flush()?;
        Ok(self.next_lsn())
    }

    /// Calls `visit` for each record from `from` (a record's LSN, or that of a block's start) on, in order, to the end or until
    /// it breaks. Damage before the end is an error.
    pub(crate) fn scan(&self, from: Lsn, visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>) -> Result<()> {
        self.visit_all(from, visit)
    }

    /// One record.
    pub(crate) fn record(&self, lsn: Lsn) -> Result<Vec<u8>> {
        self.one(lsn)
    }

    /// VLFs whose records are all before `keep` may be reused; the current one stays. Not durable before the next sync, which
    /// does no harm.
    pub(crate) fn truncate(&mut self, keep: Lsn) -> Result<()> {
        self.let_go(keep)
    }

    /// The oldest LSN that is still there: the first block of the oldest VLF in use.
    pub(crate) fn min_lsn(&self) -> Lsn {
        let Some(first) = self.active.front().map(|index| &self.vlfs[*index]) else {
            return self.next_lsn();
        };
        Lsn {
            vlf: first.sequence,
            block: first.first_block,
            slot: 1,
        }
    }

    /// Whether everything from an LSN on is there; its own place may be the end of a virtual log file that was let go.
    pub(crate) fn reaches_back(&self, from: Lsn) -> bool {
        let Some(first) = self.active.front().map(|index| &self.vlfs[*index]) else {
            return true;
        };
        let is_end = from.vlf.checked_add(1) == Some(first.sequence) && from.block >= first.previous_end;
        is_end || from >= self.min_lsn()
    }

    pub(crate) fn space(&self) -> LogSpace {
        let active = self.active.iter().map(|index| self.vlfs[*index].length);
        LogSpace {
            size: self.file.len().unwrap_or(self.formatted),
            used: active.sum(),
            vlf_count: self.vlfs.len() as u32,
            active_vlf_count: self.active.len() as u32,
        }
    }

    /// All VLFs, in the order of the file.
    pub(crate) fn virtual_files(&self) -> Vec<super::VirtualLogFile> {
        let of = |vlf: &Vlf| super::VirtualLogFile {
            offset: vlf.offset,
            length: vlf.length,
            sequence: vlf.sequence,
            is_active: vlf.is_active,
            first_block: vlf.first_block,
        };
        self.vlfs.iter().map(of).collect()
    }

    /// Bytes of log between two LSNs, as `log_since_last_log_backup` counts.
    pub(crate) fn bytes_between(&self, from: Lsn, to: Lsn) -> u64 {
        self.distance(from, to)
    }

    /// The log from the block of `first` to `end` (a block's start, all before it durable) in pieces for a backup, one a VLF,
    /// ascending.
    pub(crate) fn pieces(&self, first: Lsn, end: Lsn) -> Vec<LogSegment> {
        self.segments(first, end)
    }

    /// Appends bytes of the file to `out`.
    pub(crate) fn read_raw(&self, offset: u64, length: usize, out: &mut Vec<u8>) -> Result<()> {
        self.bytes_at(offset, length, out)
    }

    /// For a restore: takes whole blocks of `segment` that begin at byte `start` of the log file they come from; each lands in a
    /// VLF of the same sequence number and at the same block number. Blocks that are there already are passed over; a gap to what
    /// is there is an error.
    pub(crate) fn receive(&mut self, segment: &LogSegment, start: u64, blocks: &[u8]) -> Result<()> {
        self.take(segment, start, blocks)
    }

    /// For a restore: what is behind `stands` was not redone, and gives way to the log that comes next.
    pub(crate) fn note_redo(&mut self, stands: Lsn) {
        self.stands = Some(stands);
    }

    /// For a restore: an empty log that has nothing before the first block it receives.
    pub(crate) fn create_empty(file: Arc<dyn DiskFile>, plan: LogPlan) -> Result<Self> {
        Self::make_empty(LogFile::new(file, plan.path.clone()), plan)
    }

    /// Throws away every record from `end` on, durably, and goes on in a new VLF: records of another fork never follow in the
    /// same block. Gives the next record's LSN. A block in which the log is cut stays, with the records before `end` alone; so
    /// backups see it, too.
    ///
    /// # Errors
    /// [`super::EngineError::Log`] where `end` is not in the log, or in a block that SQL Server wrote but not at its start.
    pub(crate) fn cut(&mut self, end: Lsn) -> Result<Lsn> {
        self.cut_off(end)
    }

    /// The VLF that is written to.
    fn current(&self) -> Option<&Vlf> {
        self.active.back().map(|index| &self.vlfs[*index])
    }

    /// Where the log of the current VLF ends; 0 without one.
    fn tail_end(&self) -> u32 {
        if self.active.is_empty() {
            0
        } else {
            self.tail.next_block
        }
    }

    /// Where the next block goes, or where the open one is.
    fn position(&self) -> Position {
        match self.current() {
            Some(vlf) if !self.tail.is_closed && self.tail.next_block < vlf.sectors() => Position {
                vlf: vlf.sequence,
                block: self.tail.next_block,
            },
            None if self.last_sequence == 0 => Position::default(),
            last => Position {
                vlf: last
                    .map_or(self.last_sequence, |vlf| vlf.sequence)
                    .saturating_add(1),
                block: FIRST_BLOCK,
            },
        }
    }

    /// The VLF in use with this sequence number, and its index.
    fn find(&self, sequence: u32) -> Option<(usize, &Vlf)> {
        let first = self.vlfs[*self.active.front()?].sequence;
        let index = *self.active.get(sequence.checked_sub(first)? as usize)?;
        Some((index, &self.vlfs[index]))
    }

    /// Behind the last block of a VLF in use.
    fn end_of(&self, index: usize) -> u32 {
        let sequence = self.vlfs[index].sequence;
        let next = sequence.checked_add(1).and_then(|next| self.find(next));
        next.map_or(self.tail.next_block, |(_, next)| next.previous_end)
    }

    /// The place of an LSN's block; the end of a VLF is the start of the next.
    fn normal(&self, lsn: Lsn) -> Position {
        match self.find(lsn.vlf) {
            Some((index, vlf)) if lsn.block >= self.end_of(index) => {
                let is_last = self.current() == Some(vlf);
                let is_full = self.tail.is_closed || lsn.block >= vlf.sectors();
                if is_last && !is_full {
                    return Position {
                        vlf: lsn.vlf,
                        block: lsn.block,
                    };
                }
                Position {
                    vlf: lsn.vlf.saturating_add(1),
                    block: FIRST_BLOCK,
                }
            }
            _ => Position {
                vlf: lsn.vlf,
                block: lsn.block,
            },
        }
    }
}
