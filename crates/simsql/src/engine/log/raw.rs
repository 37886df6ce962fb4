//! The log as bytes, for backups: which of them, and as they are. Of a block in which the log was cut a backup sees the part that
//! is left, as a block of the same size.

use bak::Lsn;
use bak::writer::LogSegment;
use bak::writer::log_block::LogPlace;

use super::Log;
use super::block::{Context, OpenBlock, Position, Records};
use super::scan::BlockReader;
use super::vlf::{Cut, Vlf};
use crate::engine::Result;

impl Log {
    /// The parts of the VLFs between two places: index in the table, first block, block behind the last.
    fn parts(&self, from: Lsn, to: Lsn) -> impl Iterator<Item = (usize, u32, u32)> + '_ {
        let position = |lsn: Lsn| Position {
            vlf: lsn.vlf,
            block: lsn.block,
        };
        let (from, to) = (position(from), position(to));
        self.active.iter().filter_map(move |index| {
            let vlf = &self.vlfs[*index];
            let clip = |at: Position, other: u32| if at.vlf == vlf.sequence { at.block } else { other };
            let first = clip(from, vlf.first_block).max(vlf.first_block);
            let end = clip(to, u32::MAX).min(self.end_of(*index));
            let is_between = (from.vlf..=to.vlf).contains(&vlf.sequence);
            (is_between && first < end).then_some((*index, first, end))
        })
    }

    pub(super) fn segments(&self, first: Lsn, end: Lsn) -> Vec<LogSegment> {
        let segment = |(index, first, end): (usize, u32, u32)| {
            let vlf = &self.vlfs[index];
            LogSegment {
                file_id: self.plan.file_id,
                vlf_sequence: vlf.sequence,
                vlf_offset: vlf.offset,
                vlf_length: vlf.length,
                start: vlf.place(first),
                end: vlf.place(end),
            }
        };
        self.parts(first, end).map(segment).collect()
    }

    pub(super) fn distance(&self, from: Lsn, to: Lsn) -> u64 {
        let sectors = self.parts(from, to).map(|(_, first, end)| u64::from(end - first));
        sectors.sum::<u64>() * bak::checksum::SECTOR as u64
    }

    pub(super) fn bytes_at(&self, offset: u64, length: usize, out: &mut Vec<u8>) -> Result<()> {
        let from = out.len();
        out.resize(from + length, 0);
        self.file.read(offset, &mut out[from..])?;
        for index in &self.active {
            let vlf = &self.vlfs[*index];
            let Some(cut) = vlf.cut else { continue };
            let (start, end) = (vlf.place(cut.block), vlf.place(cut.end));
            if start < offset + length as u64 && offset < end {
                let block = self.cut_block(vlf, &cut)?;
                let (low, high) = (start.max(offset), end.min(offset + length as u64));
                let there = from + (low - offset) as usize..from + (high - offset) as usize;
                out[there].copy_from_slice(&block[(low - start) as usize..(high - start) as usize]);
            }
        }
        Ok(())
    }

    /// The block of a cut without the records that are gone.
    fn cut_block(&self, vlf: &Vlf, cut: &Cut) -> Result<Vec<u8>> {
        let place = Lsn {
            vlf: vlf.sequence,
            block: cut.block,
            slot: 1,
        };
        let damaged = |detail| self.file.damaged(place, detail);
        let mut reader = BlockReader::default();
        let (head, bytes) = reader
            .block(&self.file, vlf, cut.block, cut.end)?
            .map_err(damaged)?;
        let mut kept = OpenBlock::default();
        kept.begin(head.sectors() as usize);
        if cut.slot > 1 {
            let mut records = Records::default();
            records.load(bytes, &head).map_err(damaged)?;
            for slot in 1..cut.slot.min(records.count() + 1) {
                kept.push(records.record(slot).expect("the slot is one of the block's"));
            }
        }
        let context = head.context.unwrap_or(Context {
            generation: vlf.generation,
            ..Context::default()
        });
        let place = LogPlace {
            vlf: vlf.sequence,
            block: cut.block,
            previous_size: super::vlf::u16_at(bytes, 10),
        };
        let mut out = Vec::new();
        kept.seal(head.sectors() as usize, place, &context, &mut out);
        Ok(out)
    }
}
