//! Records into the open block, the open block into the file, one VLF after the other.
//!
//! A VLF is filled to its last sector: where the next record does not fit the rest, an empty block takes it. Before a VLF is
//! taken into use everything before it is made durable, and its header before its first block: so a crash leaves holes in the
//! last VLF alone.

use bak::Lsn;
use bak::checksum::SECTOR;
use bak::writer::log_block::LogPlace;

use super::block::{Context, Position, RECORD_MAX, SECTORS_MAX, sectors_for};
use super::vlf::{FIRST_BLOCK, Vlf};
use super::{Log, Tail};
use crate::engine::{EngineError, Result};
use crate::world::OsError;

impl Log {
    pub(super) fn put(&mut self, payload: &[u8], is_reserved: bool) -> Result<Lsn> {
        let may_go_on = is_reserved || self.is_ordinary;
        if !(may_go_on && self.open.fits(payload.len())) {
            self.make_room(payload, is_reserved)?;
        }
        let Position { vlf, block } = self.position();
        let slot = self.open.push(payload);
        Ok(Lsn { vlf, block, slot })
    }

    /// Sees to it that `payload` fits the open block.
    fn make_room(&mut self, payload: &[u8], is_reserved: bool) -> Result<()> {
        self.refuse_broken()?;
        if payload.len() > RECORD_MAX {
            let detail = format!("a record of {} bytes is longer than {RECORD_MAX}", payload.len());
            return Err(self.file.damaged(self.next_lsn(), &detail));
        }
        if !is_reserved {
            self.keep_reserve()?;
        }
        if self.open.fits(payload.len()) {
            self.is_ordinary = !is_reserved;
            return Ok(());
        }
        self.seal()?;
        let left = self.sectors_left();
        let needed = sectors_for(payload.len(), 1);
        if left < needed {
            // A VLF is at hand before the old one is closed: a full log stays as it is.
            let next = self.free_vlf()?;
            if left > 0 {
                self.open.begin(left);
                self.write_block(left)?;
            }
            self.start_vlf(next)?;
        }
        self.open.begin(self.sectors_left().min(SECTORS_MAX));
        self.is_ordinary = !is_reserved;
        Ok(())
    }

    /// Sectors of the current VLF behind the last sealed block.
    pub(super) fn sectors_left(&self) -> usize {
        self.current().filter(|_| !self.tail.is_closed).map_or(0, |vlf| {
            vlf.sectors().saturating_sub(self.tail.next_block) as usize
        })
    }

    /// Writes the open block, if there is any record in it.
    pub(super) fn seal(&mut self) -> Result<()> {
        if self.open.is_empty() {
            self.open.end();
            return Ok(());
        }
        self.write_block(self.open.sectors())
    }

    /// Writes the open block, empty or not, as one of `sectors` sectors.
    pub(super) fn write_block(&mut self, sectors: usize) -> Result<()> {
        let vlf = *self.current().expect("a block is begun in a VLF");
        let block = self.tail.next_block;
        let place = LogPlace {
            vlf: vlf.sequence,
            block,
            previous_size: self.tail.previous_size,
        };
        let context = Context {
            generation: vlf.generation,
            previous_end: if block == FIRST_BLOCK { vlf.previous_end } else { 0 },
            durable: self.durable,
        };
        let mut bytes = std::mem::take(&mut self.sealed);
        self.open.seal(sectors, place, &context, &mut bytes);
        let written = self.file.write(vlf.place(block), &bytes);
        self.sealed = bytes;
        self.unsynced = true;
        self.hold(written)?;
        self.open.end();
        self.tail.next_block += sectors as u32;
        self.tail.previous_size = (sectors * SECTOR) as u16;
        Ok(())
    }

    /// Makes everything written durable.
    pub(super) fn sync(&mut self) -> Result<()> {
        let synced = self.file.sync();
        self.hold(synced)?;
        self.unsynced = false;
        self.durable = self.position();
        Ok(())
    }

    /// Takes the result of a write: after one that failed nobody knows what the file holds, and nothing more is written.
    pub(super) fn hold(&mut self, result: std::result::Result<(), OsError>) -> Result<()> {
        result.map_err(|error| {
            self.broken = Some(error.clone());
            self.file.error(error)
        })
    }

    /// After a write that failed the log takes nothing more until it is opened again, as SQL Server takes a database offline
    /// whose log it cannot write.
    pub(super) fn refuse_broken(&self) -> Result<()> {
        match &self.broken {
            Some(error) => Err(self.file.error(error.clone())),
            None => Ok(()),
        }
    }

    /// Takes the VLF with this index into use behind the current one.
    pub(super) fn start_vlf(&mut self, index: usize) -> Result<()> {
        let end = self.tail_end();
        self.open_vlf(
            index,
            Vlf {
                sequence: self.next_sequence()?,
                generation: self.generation,
                previous_end: end,
                ..Vlf::new(self.vlfs[index].offset, self.vlfs[index].length)
            },
        )
    }

    /// Takes a VLF into use as `vlf` says.
    pub(super) fn open_vlf(&mut self, index: usize, vlf: Vlf) -> Result<()> {
        if self.unsynced {
            self.sync()?;
        }
        let vlf = Vlf {
            is_active: true,
            ..vlf
        };
        self.write_header(&vlf)?;
        self.vlfs[index] = vlf;
        self.active.push_back(index);
        self.count_free();
        self.tail = Tail {
            next_block: vlf.first_block,
            previous_size: 0,
            is_closed: false,
        };
        self.sync()
    }

    pub(super) fn write_header(&mut self, vlf: &Vlf) -> Result<()> {
        self.unsynced = true;
        let written = self.file.write(vlf.offset, &vlf.to_sector());
        self.hold(written)
    }

    /// The sequence number that the next VLF gets.
    pub(super) fn next_sequence(&self) -> Result<u32> {
        let last = self.current().map_or(self.last_sequence, |vlf| vlf.sequence);
        last.checked_add(1).ok_or(EngineError::LogFull)
    }
}
