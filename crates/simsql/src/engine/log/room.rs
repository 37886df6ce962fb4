//! Room: growth, what rollbacks are promised, and letting VLFs go.
//!
//! What is promised must be there already, not to be grown: another may take the disk. Room is counted below the truth: a VLF
//! counts without its header and without the rest that its last record might not fit; records that are promised count twice, for
//! slots, block headers and the sectors that end half full.

use bak::Lsn;

use super::Log;
use super::block::{BLOCK_MAX, RECORD_MAX};
use super::vlf::{VLF_HEADER, VLF_MIN, Vlf, is_length, split};
use crate::engine::{EngineError, Result};

/// Bytes that ordinary records leave for commits and checkpoints when nothing is promised.
const ALWAYS_KEPT: u64 = 32_768;
/// Bytes at the end of a VLF that may stay without a record.
const LOST_AT_END: u64 = RECORD_MAX as u64 + 1024;
/// Where the first VLF begins: behind the file's header page.
pub(super) const FILE_HEADER: u64 = 8192;
/// The room that a log is made with at least: two VLFs.
pub(super) const SIZE_MIN: u64 = FILE_HEADER + 2 * VLF_MIN;

/// Whether this log may go on in a VLF; one of a restored log can be too short.
fn is_free(vlf: &Vlf) -> bool {
    !vlf.is_active && vlf.length >= VLF_MIN
}

impl Log {
    /// Room for ordinary records: less what is promised it must hold another block, else the file grows.
    pub(super) fn keep_reserve(&mut self) -> Result<()> {
        self.room_for(self.promised(self.reserved) + BLOCK_MAX as u64)
    }

    pub(super) fn promise(&mut self, bytes: u64) -> Result<()> {
        self.refuse_broken()?;
        let reserved = self.reserved.saturating_add(bytes);
        self.room_for(self.promised(reserved))?;
        self.reserved = reserved;
        Ok(())
    }

    fn promised(&self, bytes: u64) -> u64 {
        bytes.saturating_mul(2).saturating_add(ALWAYS_KEPT)
    }

    fn room_for(&mut self, bytes: u64) -> Result<()> {
        while self.room() < bytes {
            self.grow()?;
        }
        Ok(())
    }

    /// Bytes that records behind the open block surely fit in.
    fn room(&self) -> u64 {
        let begun = self.open.limit();
        let left = (self.sectors_left().saturating_sub(begun) * bak::checksum::SECTOR) as u64;
        self.free_room + left.saturating_sub(LOST_AT_END)
    }

    /// Counts the room in free VLFs anew.
    pub(super) fn count_free(&mut self) {
        let free = self.vlfs.iter().filter(|vlf| is_free(vlf));
        self.free_room = free
            .map(|vlf| vlf.length.saturating_sub(VLF_HEADER + LOST_AT_END))
            .sum();
    }

    /// The free VLF that comes next in the file behind the current one, round about; the file grows where there is none.
    pub(super) fn free_vlf(&mut self) -> Result<usize> {
        loop {
            let count = self.vlfs.len();
            let from = self.active.back().map_or(0, |last| last + 1);
            let mut round = (from..from + count).map(|index| index % count);
            if let Some(index) = round.find(|index| is_free(&self.vlfs[*index])) {
                return Ok(index);
            }
            self.grow()?;
        }
    }

    /// Makes new VLFs: of what the file has behind its last one, else of its growth.
    fn grow(&mut self) -> Result<()> {
        self.refuse_broken()?;
        let length = self.file.len()?;
        let slack = length.saturating_sub(self.formatted);
        let target = if slack >= VLF_MIN {
            length
        } else {
            let growth = if self.plan.growth == 0 {
                0
            } else {
                self.plan.growth.max(VLF_MIN)
            };
            let wanted = length.max(self.formatted).saturating_add(growth);
            wanted.min(self.plan.max_size)
        };
        let lengths = split(target.saturating_sub(self.formatted));
        if lengths.is_empty() {
            return Err(EngineError::LogFull);
        }
        self.add_vlfs(&lengths)
    }

    /// Adds free VLFs of these lengths behind the last one; durable when it returns.
    ///
    /// # Errors
    /// [`EngineError::LogFull`] where the disk is full.
    pub(super) fn add_vlfs(&mut self, lengths: &[u64]) -> Result<()> {
        let end = self.formatted + lengths.iter().sum::<u64>();
        if end > self.file.len()? {
            self.file.set_len(end).map_err(|error| match error.number {
                112 => EngineError::LogFull,
                _ => self.file.error(error),
            })?;
        }
        let mut offset = self.formatted;
        for length in lengths {
            debug_assert!(is_length(*length), "lengths are made or checked before");
            let vlf = Vlf::new(offset, *length);
            self.write_header(&vlf)?;
            self.vlfs.push(vlf);
            offset += length;
        }
        self.formatted = offset;
        self.count_free();
        self.sync()
    }

    /// Lets VLFs before `keep` go; the current one stays.
    pub(super) fn let_go(&mut self, keep: Lsn) -> Result<()> {
        self.refuse_broken()?;
        while self.active.len() > 1 {
            let index = self.active[0];
            if self.vlfs[index].sequence >= keep.vlf {
                break;
            }
            self.free(index)?;
            self.active.pop_front();
        }
        self.count_free();
        Ok(())
    }

    /// Marks a VLF as reusable.
    pub(super) fn free(&mut self, index: usize) -> Result<()> {
        let vlf = Vlf {
            is_active: false,
            cut: None,
            ..self.vlfs[index]
        };
        self.write_header(&vlf)?;
        self.vlfs[index] = vlf;
        Ok(())
    }
}
