//! A log block: the header that SQL Server's blocks have, then what this engine keeps in them.
//!
//! | offset | |
//! |---|---|
//! | 0 | header, see `bak::writer::log_block` |
//! | 72 | `b2lg`, u16 version 1, u16 bytes of records |
//! | 80 | u32 generation of the virtual log file |
//! | 84 | u32 where the log ended in the virtual log file before; of the first block alone, else 0 |
//! | 88 | u32, u32 virtual log file and block before which all was durable when this block was sealed |
//! | 96 | the first bytes of all sectors but the first, which the header's marks replace |
//! | then | records, one behind the other |
//! | end | u16 for each record, growing backwards from the end of the block: where it starts, counted from the start of the records |
//!
//! A block without `b2lg` is SQL Server's own: it can be kept and backed up, but its records mean nothing here.

use bak::checksum::{LOG_BLOCK_CHECKSUM_AT, SECTOR, log_block_sum};
use bak::writer::log_block::{self, HEADER, LogPlace};

use super::vlf::{u16_at, u32_at};

/// Sectors of the largest block: 60 KiB.
pub(super) const SECTORS_MAX: usize = 120;
/// Bytes of the largest block.
pub(super) const BLOCK_MAX: usize = SECTORS_MAX * SECTOR;
/// Bytes of the longest record; the engine appends at most two page images at a time.
pub(super) const RECORD_MAX: usize = 32_768;

const MAGIC: [u8; 4] = *b"b2lg";
const VERSION: u16 = 1;
const SAVED: usize = 96;
const SLOT: usize = 2;
const PARITIES: u8 = 0xC0;
const FIRST_SECTOR: u8 = 0x10;
const LAST_SECTOR: u8 = 0x08;

/// A place between blocks: virtual log file and block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) vlf: u32,
    pub(super) block: u32,
}

/// What the engine's part of a block says about the log around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) generation: u32,
    pub(super) previous_end: u32,
    pub(super) durable: Position,
}

/// A block whose frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of the block.
    pub(super) size: usize,
    pub(super) records: u16,
    /// `None` for a block that SQL Server wrote.
    pub(super) context: Option<Context>,
}

impl Head {
    pub(super) fn sectors(&self) -> u32 {
        (self.size / SECTOR) as u32
    }
}

/// The size of the block that `sector` begins, where it is number `block` of VLF `vlf`.
pub(super) fn begins(sector: &[u8], vlf: u32, block: u32) -> Option<usize> {
    let size = usize::from(u16_at(sector, 6));
    let fits = sector[0] & FIRST_SECTOR != 0
        && u32_at(sector, 12) == vlf
        && u32_at(sector, 16) == block
        && size > 0
        && size.is_multiple_of(SECTOR);
    fits.then_some(size)
}

/// Checks the block at the start of `bytes`: place, size, marks of its sectors, checksum (where one was computed).
pub(super) fn check(bytes: &[u8], vlf: u32, block: u32) -> Result<Head, &'static str> {
    let size = bytes
        .get(..SECTOR)
        .and_then(|sector| begins(sector, vlf, block))
        .ok_or("no log block begins where one should")?;
    let bytes = bytes.get(..size).ok_or("a log block is cut off")?;
    let parity = bytes[0] & PARITIES;
    for (index, sector) in bytes.as_chunks::<SECTOR>().0.iter().enumerate() {
        let first = if index == 0 { FIRST_SECTOR } else { 0 };
        let last = if (index + 1) * SECTOR == size {
            LAST_SECTOR
        } else {
            0
        };
        if sector[0] != parity | first | last || !matches!(parity, 0x40 | 0x80) {
            return Err("a sector of a log block is not marked as one of it");
        }
    }
    let is_own = bytes[HEADER..HEADER + 4] == MAGIC;
    let stored = u32_at(bytes, LOG_BLOCK_CHECKSUM_AT);
    // SQL Server leaves 0 where it computed none; this engine always computes one.
    if stored != log_block_sum(bytes) && (stored != 0 || is_own) {
        return Err("the checksum of a log block does not hold");
    }
    let records = u16_at(bytes, 2);
    if usize::from(u16_at(bytes, 4)) > size || is_own && usize::from(u16_at(bytes, 78)) > size {
        return Err("a log block has more in it than it is long");
    }
    let context = is_own.then(|| Context {
        generation: u32_at(bytes, 80),
        previous_end: u32_at(bytes, 84),
        durable: Position {
            vlf: u32_at(bytes, 88),
            block: u32_at(bytes, 92),
        },
    });
    Ok(Head {
        size,
        records,
        context,
    })
}

/// Records on their way into a block.
#[derive(Debug, Default)]
pub(super) struct OpenBlock {
    records: Vec<u8>,
    starts: Vec<u16>,
    /// Sectors that the block may have; 0 where none was begun.
    limit: usize,
}

impl OpenBlock {
    /// Begins a block of at most `sectors`.
    pub(super) fn begin(&mut self, sectors: usize) {
        self.limit = sectors.min(SECTORS_MAX);
        self.records.clear();
        self.starts.clear();
    }

    /// Ends it: nothing fits until the next one begins.
    pub(super) fn end(&mut self) {
        self.begin(0);
    }

    pub(super) fn count(&self) -> u16 {
        self.starts.len() as u16
    }

    pub(super) fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether a record of `length` bytes still fits.
    pub(super) fn fits(&self, length: usize) -> bool {
        sectors_for(self.records.len() + length, self.starts.len() + 1) <= self.limit
    }

    /// Adds a record that fits and gives its slot.
    pub(super) fn push(&mut self, record: &[u8]) -> u16 {
        self.starts.push(self.records.len() as u16);
        self.records.extend_from_slice(record);
        self.starts.len() as u16
    }

    /// The record in `slot`.
    pub(super) fn record(&self, slot: u16) -> Option<&[u8]> {
        let index = usize::from(slot.checked_sub(1)?);
        let start = usize::from(*self.starts.get(index)?);
        let end = self
            .starts
            .get(index + 1)
            .map_or(self.records.len(), |end| usize::from(*end));
        self.records.get(start..end)
    }

    /// Sectors that it takes now.
    pub(super) fn sectors(&self) -> usize {
        sectors_for(self.records.len(), self.starts.len())
    }

    /// The block of `sectors` sectors, at least [`OpenBlock::sectors`].
    pub(super) fn seal(&self, sectors: usize, place: LogPlace, context: &Context, out: &mut Vec<u8>) {
        out.clear();
        out.resize(sectors * SECTOR, 0);
        let first = SAVED + sectors - 1;
        out[first..first + self.records.len()].copy_from_slice(&self.records);
        for (index, start) in self.starts.iter().enumerate() {
            let at = out.len() - SLOT * (index + 1);
            out[at..at + SLOT].copy_from_slice(&start.to_le_bytes());
        }
        for sector in 1..sectors {
            out[SAVED + sector - 1] = out[sector * SECTOR];
        }
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(HEADER, &MAGIC);
        put(76, &VERSION.to_le_bytes());
        put(78, &(self.records.len() as u16).to_le_bytes());
        put(80, &context.generation.to_le_bytes());
        put(84, &context.previous_end.to_le_bytes());
        put(88, &context.durable.vlf.to_le_bytes());
        put(92, &context.durable.block.to_le_bytes());
        log_block::format(out, place, self.count(), true);
    }
}

/// Sectors for so many bytes of records: a sector holds 512, less the byte that its mark replaces.
pub(super) fn sectors_for(bytes: usize, count: usize) -> usize {
    (SAVED - 1 + bytes + SLOT * count).div_ceil(SECTOR - 1)
}

/// The records of a sealed block, read back.
#[derive(Debug, Default)]
pub(super) struct Records {
    bytes: Vec<u8>,
    first: usize,
    end: usize,
    count: u16,
}

impl Records {
    /// Takes the records of a block for which [`check`] gave `head`.
    pub(super) fn load(&mut self, block: &[u8], head: &Head) -> Result<(), &'static str> {
        self.count = 0;
        if head.context.is_none() {
            return Err("this log was written by SQL Server, whose records the simulation does not know");
        }
        if u16_at(block, 76) != VERSION {
            return Err("this log was written by another version");
        }
        self.bytes.clear();
        self.bytes.extend_from_slice(&block[..head.size]);
        let sectors = head.size / SECTOR;
        for sector in 1..sectors {
            self.bytes[sector * SECTOR] = self.bytes[SAVED + sector - 1];
        }
        self.first = SAVED + sectors - 1;
        self.end = self.first + usize::from(u16_at(block, 78));
        let slots = SLOT * usize::from(head.records);
        if self.end + slots > head.size {
            return Err("a log block has more in it than it is long");
        }
        let mut before = 0;
        for slot in 1..=head.records {
            let start = self.start(slot);
            if start < before || self.first + start > self.end {
                return Err("the slots of a log block are in disorder");
            }
            before = start;
        }
        self.count = head.records;
        Ok(())
    }

    fn start(&self, slot: u16) -> usize {
        usize::from(u16_at(&self.bytes, self.bytes.len() - SLOT * usize::from(slot)))
    }

    /// Forgets the records from `slot` on.
    pub(super) fn keep_before(&mut self, slot: u16) {
        let keep = slot.saturating_sub(1);
        if keep < self.count {
            self.end = self.first + self.start(keep + 1);
            self.count = keep;
        }
    }

    /// A block of which no record counts.
    pub(super) fn empty(&mut self, head: &Head) {
        self.bytes.resize(head.size, 0);
        self.count = 0;
    }

    pub(super) fn count(&self) -> u16 {
        self.count
    }

    /// Sectors of the block.
    pub(super) fn sectors(&self) -> u32 {
        (self.bytes.len() / SECTOR) as u32
    }

    /// The record in `slot`.
    pub(super) fn record(&self, slot: u16) -> Option<&[u8]> {
        if !(1..=self.count).contains(&slot) {
            return None;
        }
        let start = self.first + self.start(slot);
        let end = if slot == self.count {
            self.end
        } else {
            self.first + self.start(slot + 1)
        };
        self.bytes.get(start..end)
    }
}
