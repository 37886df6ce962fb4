//! Reading records back, in order or one by one. What lies between the oldest LSN and the end must be sound; where it is not, the
//! error names the place.

use std::ops::ControlFlow;

use bak::Lsn;
use bak::checksum::SECTOR;

use super::Log;
use super::block::{self, BLOCK_MAX, Head, Position, Records};
use super::file::LogFile;
use super::vlf::Vlf;
use crate::engine::Result;

/// Bytes read at a time in order.
const READ: u64 = 262_144;

/// Reads blocks in order through a buffer.
#[derive(Default)]
pub(super) struct BlockReader {
    buffer: Vec<u8>,
    at: u64,
}

/// A sound block and its bytes, or what is wrong with it.
pub(super) type Found<'a> = std::result::Result<(Head, &'a [u8]), &'static str>;

impl BlockReader {
    /// The block with this number of a VLF whose log ends before block `end`.
    pub(super) fn block(&mut self, file: &LogFile, vlf: &Vlf, number: u32, end: u32) -> Result<Found<'_>> {
        if number >= end {
            return Ok(Err("no log block begins where one should"));
        }
        let (from, limit) = (vlf.place(number), vlf.place(end));
        let needed = (limit - from).min(BLOCK_MAX as u64);
        let has = self.at + self.buffer.len() as u64;
        if from < self.at || from + needed > has {
            // The first read is of one block: often it is all that is wanted.
            let most = if self.buffer.is_empty() {
                BLOCK_MAX as u64
            } else {
                READ
            };
            self.buffer.resize((limit - from).min(most) as usize, 0);
            file.read(from, &mut self.buffer)?;
            self.at = from;
        }
        let bytes = &self.buffer[(from - self.at) as usize..];
        Ok(block::check(bytes, vlf.sequence, number).map(|head| (head, &bytes[..head.size])))
    }
}

impl Log {
    pub(super) fn visit_all(
        &self,
        from: Lsn,
        visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut reader = BlockReader::default();
        let mut records = Records::default();
        let mut at = self.normal(from);
        let mut slot = if at.block == from.block { from.slot } else { 1 };
        let end = self.position();
        while at < end {
            let Some((index, vlf)) = self.find(at.vlf) else {
                return Err(self.file.damaged(from, "the log does not hold this LSN"));
            };
            let last = self.end_of(index);
            self.load(&mut reader, vlf, at.block, last, &mut records)?;
            for slot in slot.max(1)..=records.count() {
                let lsn = Lsn {
                    vlf: at.vlf,
                    block: at.block,
                    slot,
                };
                let record = records.record(slot).expect("the slot is one of the block's");
                if visit(lsn, record).is_break() {
                    return Ok(());
                }
            }
            slot = 1;
            at.block += records.sectors();
            at = self.normal(Lsn {
                vlf: at.vlf,
                block: at.block,
                slot,
            });
        }
        self.visit_open(at, slot, visit);
        Ok(())
    }

    /// The records of the open block.
    fn visit_open(&self, at: Position, slot: u16, visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>) {
        if at != self.position() {
            return;
        }
        let slots = slot.max(1)..=self.open.count();
        for (slot, record) in slots.filter_map(|slot| Some((slot, self.open.record(slot)?))) {
            let lsn = Lsn {
                vlf: at.vlf,
                block: at.block,
                slot,
            };
            if visit(lsn, record).is_break() {
                return;
            }
        }
    }

    /// Reads a block's records; those that a cut took are left out.
    fn load(
        &self,
        reader: &mut BlockReader,
        vlf: &Vlf,
        number: u32,
        end: u32,
        records: &mut Records,
    ) -> Result<()> {
        let place = Lsn {
            vlf: vlf.sequence,
            block: number,
            slot: 1,
        };
        let damaged = |detail| self.file.damaged(place, detail);
        let (head, bytes) = reader.block(&self.file, vlf, number, end)?.map_err(damaged)?;
        if head.context.is_some_and(|own| own.generation != vlf.generation) {
            return Err(damaged(
                "a log block of another fork stands where one should follow",
            ));
        }
        let cut = vlf.cut.filter(|cut| cut.block == number);
        if cut.is_some_and(|cut| cut.slot <= 1) {
            records.empty(&head);
            return Ok(());
        }
        records.load(bytes, &head).map_err(damaged)?;
        if let Some(cut) = cut {
            records.keep_before(cut.slot);
        }
        Ok(())
    }

    pub(super) fn one(&self, lsn: Lsn) -> Result<Vec<u8>> {
        let at = self.position();
        let missing = || self.file.damaged(lsn, "there is no such log record");
        if (lsn.vlf, lsn.block) == (at.vlf, at.block) {
            return self.open.record(lsn.slot).map(<[u8]>::to_vec).ok_or_else(missing);
        }
        let (index, vlf) = self.find(lsn.vlf).ok_or_else(missing)?;
        let end = self.end_of(index);
        let mut records = Records::default();
        if lsn.block >= end {
            return Err(missing());
        }
        // The block alone, not what follows it: undo reads many small ones.
        let mut sector = [0; SECTOR];
        self.file.read(vlf.place(lsn.block), &mut sector)?;
        let size = block::begins(&sector, lsn.vlf, lsn.block).unwrap_or(SECTOR);
        let behind = lsn.block.saturating_add((size / SECTOR) as u32).min(end);
        self.load(&mut BlockReader::default(), vlf, lsn.block, behind, &mut records)?;
        records.record(lsn.slot).map(<[u8]>::to_vec).ok_or_else(missing)
    }
}
