//! Cutting the log for a new fork. One sector decides: the header of the VLF in which the log is cut says so, and that what
//! follows it counts only if it is of the new generation. The blocks themselves stay as they are; readers leave out what is gone.

use bak::Lsn;

use super::Log;
use super::block::Records;
use super::scan::BlockReader;
use super::vlf::{Cut, Vlf};
use crate::engine::Result;

impl Log {
    pub(super) fn cut_off(&mut self, end: Lsn) -> Result<Lsn> {
        self.refuse_broken()?;
        self.seal()?;
        if self.active.is_empty() {
            self.generation += 1;
            self.last_sequence = self.last_sequence.max(end.vlf);
            return Ok(self.next_lsn());
        }
        let at = self.normal(end);
        if at > self.position() || end < self.min_lsn() {
            return Err(self.file.damaged(end, "the log cannot be cut where it is not"));
        }
        if at == self.position() && (self.tail.is_closed || self.sectors_left() == 0) {
            // The next record is in a new VLF anyway.
            self.sync()?;
            return Ok(self.next_lsn());
        }
        if at == self.position() {
            // An empty block, so that the new fork has a block where the old one ends.
            self.open.begin(1);
            self.write_block(1)?;
        }
        self.sync()?;
        let (index, vlf) = self
            .find(at.vlf)
            .ok_or_else(|| self.file.damaged(end, "there is no such log"))?;
        let generation = self.generation + 1;
        let slot = if at.block == end.block { end.slot.max(1) } else { 1 };
        let cut = self.cut_in(vlf, at.block, self.end_of(index), slot, generation)?;
        let vlf = Vlf {
            cut: Some(cut),
            ..*vlf
        };
        self.write_header(&vlf)?;
        self.vlfs[index] = vlf;
        self.generation = generation;
        self.tail.next_block = cut.end;
        self.tail.is_closed = true;
        let kept = 1 + self
            .active
            .iter()
            .position(|active| *active == index)
            .unwrap_or(0);
        let gone = self.active.split_off(kept);
        self.sync()?;
        for index in gone {
            self.free(index)?;
        }
        self.count_free();
        self.sync()?;
        Ok(self.next_lsn())
    }

    /// A cut before `slot` of a block that is there.
    fn cut_in(&self, vlf: &Vlf, block: u32, end: u32, slot: u16, generation: u32) -> Result<Cut> {
        let place = Lsn {
            vlf: vlf.sequence,
            block,
            slot,
        };
        let damaged = |detail| self.file.damaged(place, detail);
        let mut reader = BlockReader::default();
        let (head, bytes) = reader.block(&self.file, vlf, block, end)?.map_err(damaged)?;
        let mut slot = slot;
        if slot > 1 {
            let mut records = Records::default();
            records.load(bytes, &head).map_err(damaged)?;
            if slot > records.count() + 1 {
                return Err(damaged("there is no such log record"));
            }
            // What an earlier cut of the block took stays gone.
            slot = vlf
                .cut
                .filter(|cut| cut.block == block)
                .map_or(slot, |cut| cut.slot.min(slot));
        }
        Ok(Cut {
            block,
            end: block + head.sectors(),
            slot,
            generation,
        })
    }
}
