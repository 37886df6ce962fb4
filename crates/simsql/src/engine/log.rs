//! The log file: virtual log files (VLFs) of log blocks of records, each record with its LSN `vlf:block:slot`.
//!
//! The payload of a record is the caller's. Records gather in one open block in memory until [`Log::flush`], which seals it with its checksum, writes it
//! and makes it durable; a block never changes again. VLFs are used in the order of their sequence numbers and reused when truncation has let all of
//! their records go; the file grows by new VLFs where none is free.

use std::ops::ControlFlow;
use std::sync::Arc;

use bak::Lsn;
use bak::writer::LogSegment;

use super::Result;
use crate::world::DiskFile;

/// A log file.
pub(crate) struct Log {}

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

#[allow(clippy::unimplemented, unused_variables, dead_code)]
impl Log {
    /// Makes a log whose first VLF has the sequence number `first_vlf`; durable when it returns.
    pub(crate) fn create(file: Arc<dyn DiskFile>, plan: LogPlan, first_vlf: u32) -> Result<Self> {
        unimplemented!()
    }

    /// Opens a log as the last process left it: finds its VLFs and its end, the last block in an unbroken run of sound blocks. A torn block
    /// behind the end is no damage: nobody was told that it is durable.
    pub(crate) fn open(file: Arc<dyn DiskFile>, plan: LogPlan) -> Result<Self> {
        unimplemented!()
    }

    /// Appends a record; in memory until [`Log::flush`].
    ///
    /// # Errors
    /// [`super::EngineError::LogFull`] where no VLF is free and the file may not grow, less what [`Log::reserve`] keeps for rollbacks.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<Lsn> {
        unimplemented!()
    }

    /// Keeps room so that rollbacks of `bytes` of records can always be logged; `append_reserved` may use it.
    pub(crate) fn reserve(&mut self, bytes: u64) -> Result<()> {
        unimplemented!()
    }

    /// Lets reserved room go.
    pub(crate) fn release(&mut self, bytes: u64) {
        unimplemented!()
    }

    /// Appends a record into reserved room: undo, commit, checkpoint.
    pub(crate) fn append_reserved(&mut self, payload: &[u8]) -> Result<Lsn> {
        unimplemented!()
    }

    /// The LSN that the next record will have.
    pub(crate) fn next_lsn(&self) -> Lsn {
        unimplemented!()
    }

    /// Everything before this is durable.
    pub(crate) fn durable_lsn(&self) -> Lsn {
        unimplemented!()
    }

    /// Makes all records durable.
    pub(crate) fn flush(&mut self) -> Result<()> {
        unimplemented!()
    }

    /// Flushes; the next record starts a new block. Gives its LSN, slot 1.
    pub(crate) fn close_block(&mut self) -> Result<Lsn> {
        unimplemented!()
    }

    /// Calls `visit` for each record from `from` (a record's LSN, or that of a block's start) on, in order, to the end or until it breaks. Damage before
    /// the end is an error.
    pub(crate) fn scan(&self, from: Lsn, visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>) -> Result<()> {
        unimplemented!()
    }

    /// One record.
    pub(crate) fn record(&self, lsn: Lsn) -> Result<Vec<u8>> {
        unimplemented!()
    }

    /// VLFs whose records are all before `keep` may be reused.
    pub(crate) fn truncate(&mut self, keep: Lsn) -> Result<()> {
        unimplemented!()
    }

    /// The oldest LSN that is still there.
    pub(crate) fn min_lsn(&self) -> Lsn {
        unimplemented!()
    }

    pub(crate) fn space(&self) -> LogSpace {
        unimplemented!()
    }

    /// Bytes of log between two LSNs, as `log_since_last_log_backup` counts.
    pub(crate) fn bytes_between(&self, from: Lsn, to: Lsn) -> u64 {
        unimplemented!()
    }

    /// The log from the block of `first` to `end` (a block's start, all before it durable) in pieces for a backup, one a VLF, ascending.
    pub(crate) fn pieces(&self, first: Lsn, end: Lsn) -> Vec<LogSegment> {
        unimplemented!()
    }

    /// Appends bytes of the file to `out`.
    pub(crate) fn read_raw(&self, offset: u64, length: usize, out: &mut Vec<u8>) -> Result<()> {
        unimplemented!()
    }

    /// For a restore: takes whole blocks of `segment` that begin at byte `start` of the log file they come from; each lands in a VLF of the same sequence number
    /// and at the same block number. Blocks that are there already are passed over; a gap to what is there is an error.
    pub(crate) fn receive(&mut self, segment: &LogSegment, start: u64, blocks: &[u8]) -> Result<()> {
        unimplemented!()
    }

    /// For a restore: an empty log that has nothing before the first block it receives.
    pub(crate) fn create_empty(file: Arc<dyn DiskFile>, plan: LogPlan) -> Result<Self> {
        unimplemented!()
    }

    /// Throws away every record from `end` on, durably, and goes on in a new VLF: records of another fork never follow in the same block.
    pub(crate) fn cut(&mut self, end: Lsn) -> Result<Lsn> {
        unimplemented!()
    }
}
