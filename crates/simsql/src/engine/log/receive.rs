//! Taking log from a backup, block by block as it was: same VLF, same block number, same bytes.

use bak::Lsn;
use bak::checksum::SECTOR;
use bak::writer::LogSegment;

use super::block::{self, Head, Position};
use super::vlf::{FIRST_BLOCK, Vlf, is_length};
use super::{Log, Tail};
use crate::engine::{EngineError, Result};

/// Bytes that are cleared at a time.
const CLEARED: usize = 64 << 10;

impl Log {
    pub(super) fn take(&mut self, segment: &LogSegment, start: u64, blocks: &[u8]) -> Result<()> {
        self.refuse_broken()?;
        self.seal()?;
        let mut number = self.block_number(segment, start)?;
        let mut rest = blocks;
        let mut fresh: Option<(u32, usize)> = None;
        while !rest.is_empty() {
            let head = block::check(rest, segment.vlf_sequence, number)
                .map_err(|detail| self.refused(segment, number, detail))?;
            let behind = u64::from(number) + u64::from(head.sectors());
            if behind * SECTOR as u64 > segment.vlf_length {
                return Err(self.refused(
                    segment,
                    number,
                    "a log block lies outside of its virtual log file",
                ));
            }
            self.give_way(segment, number)?;
            if fresh.is_none() && self.is_new(segment, number, &head)? {
                fresh = Some((number, blocks.len() - rest.len()));
            }
            rest = &rest[head.size..];
            number += head.sectors();
            if fresh.is_some() {
                self.tail.previous_size = head.size as u16;
            }
        }
        if let Some((first, at)) = fresh {
            let vlf = *self.current().expect("a VLF was begun for the first new block");
            self.unsynced = true;
            let written = self.file.write(vlf.place(first), &blocks[at..]);
            self.hold(written)?;
            self.tail.next_block = number;
        }
        Ok(())
    }

    /// Where redo stopped within the log that is here, a block from there on takes its place: the log that comes may have left it
    /// there.
    fn give_way(&mut self, segment: &LogSegment, number: u32) -> Result<()> {
        let Some(stands) = self.stands else { return Ok(()) };
        let at = self.normal(stands);
        let next = Position {
            vlf: segment.vlf_sequence,
            block: number,
        };
        if next < at {
            return Ok(());
        }
        self.stands = None;
        let Some((index, vlf)) = self.find(at.vlf).filter(|_| at < self.position()) else {
            return Ok(());
        };
        let (from, to) = (vlf.place(at.block), vlf.place(self.end_of(index)));
        // Nothing of it may look like a block behind those that come.
        for place in (from..to).step_by(CLEARED) {
            let length = CLEARED.min((to - place) as usize);
            let written = self.file.write(place, &vec![0; length]);
            self.hold(written)?;
        }
        let place = self.active.iter().position(|active| *active == index);
        for gone in self.active.split_off(place.map_or(0, |place| place + 1)) {
            self.free(gone)?;
        }
        self.count_free();
        self.unsynced = true;
        self.tail = Tail {
            next_block: at.block,
            previous_size: 0,
            is_closed: false,
        };
        Ok(())
    }

    fn refused(&self, segment: &LogSegment, block: u32, detail: &str) -> EngineError {
        let lsn = Lsn {
            vlf: segment.vlf_sequence,
            block,
            slot: 1,
        };
        self.file.damaged(lsn, detail)
    }

    /// The number of the block at byte `start` of the log file that the segment is of.
    fn block_number(&self, segment: &LogSegment, start: u64) -> Result<u32> {
        let within = start
            .checked_sub(segment.vlf_offset)
            .filter(|within| within.is_multiple_of(SECTOR as u64) && *within < segment.vlf_length);
        let number = within.and_then(|within| u32::try_from(within / SECTOR as u64).ok());
        number
            .filter(|number| {
                *number >= FIRST_BLOCK && is_length(segment.vlf_length) && segment.vlf_sequence > 0
            })
            .ok_or_else(|| self.refused(segment, 0, "a backup names an impossible range of the log"))
    }

    /// Whether a block goes on with the log; `false` where it is there already. Begins its VLF where that is the next one.
    fn is_new(&mut self, segment: &LogSegment, number: u32, head: &Head) -> Result<bool> {
        let gap = "the log that leads to this block is missing";
        let Some(last) = self.current().map(|vlf| vlf.sequence) else {
            self.begin_received(segment, number, head)?;
            return Ok(true);
        };
        if segment.vlf_sequence > last {
            let is_next = last.checked_add(1) == Some(segment.vlf_sequence) && number == FIRST_BLOCK;
            // SQL Server does not always fill a virtual log file; this engine does, or the next one tells.
            let leads_here = match head.context {
                Some(own) => own.previous_end == self.tail.next_block,
                None => true,
            };
            if !(is_next && leads_here) {
                return Err(self.refused(segment, number, gap));
            }
            self.begin_received(segment, number, head)?;
            return Ok(true);
        }
        let Some((index, vlf)) = self.find(segment.vlf_sequence) else {
            // Older than anything here.
            return Ok(false);
        };
        if vlf.length != segment.vlf_length {
            return Err(self.refused(segment, number, "the virtual log file has another length here"));
        }
        let end = self.end_of(index);
        let is_last = segment.vlf_sequence == last && !self.tail.is_closed;
        if number == end && is_last {
            return Ok(true);
        }
        if number + head.sectors() > end {
            return Err(self.refused(segment, number, gap));
        }
        Ok(false)
    }

    /// Takes a VLF of the segment's length into use: a free one, else a new one. The file may become longer than its plan says:
    /// what a restore brings has to go somewhere.
    fn begin_received(&mut self, segment: &LogSegment, number: u32, head: &Head) -> Result<()> {
        let fits = |vlf: &Vlf| !vlf.is_active && vlf.length == segment.vlf_length;
        let index = match self.vlfs.iter().position(fits) {
            Some(index) => index,
            None => {
                self.add_vlfs(&[segment.vlf_length])?;
                self.vlfs.len() - 1
            }
        };
        let generation = head.context.map_or(0, |own| own.generation);
        self.generation = self.generation.max(generation);
        let previous_end = if self.active.is_empty() {
            0
        } else {
            self.tail.next_block
        };
        let vlf = Vlf {
            sequence: segment.vlf_sequence,
            generation,
            previous_end,
            first_block: number,
            is_received: true,
            ..Vlf::new(self.vlfs[index].offset, self.vlfs[index].length)
        };
        self.open_vlf(index, vlf)
    }
}
