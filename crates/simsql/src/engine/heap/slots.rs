//! A page of rows: the slot array, the rows, the room between them.
//!
//! Rows lie from byte 96 on in the order they came; the slot array grows from the page's end towards them, two bytes a slot, 0
//! for a slot whose row was deleted. A row that goes leaves its bytes where they are until the page is compacted. Slots never
//! change their numbers.

use bak::writer::page::{HEADER, PageType};

use crate::engine::access::PageAccess;
use crate::engine::pages::{PAGE, Page, PageId};
use crate::engine::space::unfit;
use crate::engine::table::TableId;
use crate::engine::{Result, row};

const TYPE: usize = 1;
const OBJECT: usize = 24;
const SLOT_COUNT: usize = 22;
const FREE_BYTES: usize = 28;
const FREE_DATA: usize = 30;
/// Bytes of the header that change with rows: from the slot count to the start of free space.
const CHANGING: std::ops::Range<usize> = SLOT_COUNT..FREE_DATA + 2;
const SLOT: usize = 2;

/// A page of rows as it is read.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a>(&'a Page);

impl<'a> Rows<'a> {
    /// The page, where it is one of that table.
    pub(crate) fn of(page: &'a Page, table: TableId) -> Option<Self> {
        let object = u32::from_le_bytes([page[OBJECT], page[OBJECT + 1], page[OBJECT + 2], page[OBJECT + 3]]);
        (page[TYPE] == PageType::Data as u8 && object == table.0).then_some(Self(page))
    }

    /// How many slots there are, those without a row included.
    pub(crate) fn slots(self) -> u16 {
        // No more than the page holds, whatever its header says.
        u16_at(self.0, SLOT_COUNT).min(((PAGE - HEADER) / SLOT) as u16)
    }

    /// Where the row of a slot begins; `None` for a slot without one.
    fn offset(self, slot: u16) -> Option<usize> {
        let at = PAGE - SLOT * (usize::from(slot) + 1);
        let offset = usize::from(u16_at(self.0, at));
        (slot < self.slots() && offset != 0).then_some(offset)
    }

    /// The row of a slot: `None` for a slot without one.
    pub(crate) fn row(self, slot: u16) -> Option<std::result::Result<&'a [u8], SlotDamage>> {
        let offset = self.offset(slot)?;
        let end = PAGE - SLOT * usize::from(self.slots());
        let bytes = self.0.get(offset..end).filter(|_| offset >= HEADER);
        let length = bytes.and_then(row::length);
        Some(match (bytes, length) {
            (Some(bytes), Some(length)) => Ok(&bytes[..length]),
            _ => Err(SlotDamage { slot, offset }),
        })
    }

    /// Bytes that are not in use, those of deleted rows included.
    pub(crate) fn free(self) -> usize {
        usize::from(u16_at(self.0, FREE_BYTES))
    }

    fn free_data(self) -> usize {
        usize::from(u16_at(self.0, FREE_DATA))
    }

    /// Bytes between the last row and the slot array.
    fn gap(self) -> usize {
        (PAGE - SLOT * usize::from(self.slots())).saturating_sub(self.free_data())
    }

    fn header(self) -> Header {
        Header {
            slots: self.slots(),
            free: self.free(),
            free_data: self.free_data(),
            object: self.0[OBJECT..OBJECT + 4].try_into().unwrap_or_default(),
        }
    }

    fn rows(self) -> std::result::Result<Vec<Option<Vec<u8>>>, SlotDamage> {
        (0..self.slots())
            .map(|slot| self.row(slot).map(|row| row.map(<[u8]>::to_vec)).transpose())
            .collect()
    }
}

/// A slot that leads to no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("slot {slot}, offset 0x{offset:x} is invalid")]
pub(crate) struct SlotDamage {
    /// The slot.
    pub(crate) slot: u16,
    /// Where it says that its row begins.
    pub(crate) offset: usize,
}

/// What a change did: the free bytes before and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) slot: u16,
    pub(super) before: usize,
    pub(super) after: usize,
}

struct Header {
    slots: u16,
    free: usize,
    free_data: usize,
    object: [u8; 4],
}

impl Header {
    fn write(&self, pages: &mut dyn PageAccess, id: PageId) -> Result<()> {
        let mut bytes = [0; CHANGING.end - CHANGING.start];
        let mut put = |at: usize, field: &[u8]| {
            bytes[at - CHANGING.start..at - CHANGING.start + field.len()].copy_from_slice(field);
        };
        put(SLOT_COUNT, &self.slots.to_le_bytes());
        put(OBJECT, &self.object);
        put(FREE_BYTES, &(self.free as u16).to_le_bytes());
        put(FREE_DATA, &(self.free_data as u16).to_le_bytes());
        pages.write(id, CHANGING.start, &bytes)
    }
}

/// Puts a row onto a page; `None` where it does not fit, or the page is not one of the table.
pub(super) fn insert(
    pages: &mut dyn PageAccess,
    id: PageId,
    table: TableId,
    row: &[u8],
) -> Result<Option<Change>> {
    let Some(rows) = Rows::of(pages.read(id)?, table) else {
        return Ok(None);
    };
    let mut header = rows.header();
    let before = header.free;
    if rows.gap() >= row.len() + SLOT {
        let slot = header.slots;
        header.slots += 1;
        header.free = before.saturating_sub(row.len() + SLOT);
        place(pages, id, slot, &mut header, row)?;
        let after = header.free;
        return Ok(Some(Change { slot, before, after }));
    }
    if before < row.len() {
        return Ok(None);
    }
    let mut all = rows
        .rows()
        .map_err(|damage| unfit(pages, id, &damage.to_string()))?;
    let slot = all.iter().position(Option::is_none).unwrap_or(all.len());
    if slot == all.len() {
        all.push(None);
    }
    all[slot] = Some(row.to_vec());
    let slot = slot as u16;
    let after = rewrite(pages, id, header, &all)?;
    Ok(after.map(|after| Change { slot, before, after }))
}

/// Replaces a row in its place; `None` where the new one does not fit the page.
pub(super) fn update(
    pages: &mut dyn PageAccess,
    id: PageId,
    table: TableId,
    slot: u16,
    row: &[u8],
) -> Result<Option<Change>> {
    let (rows, old) = existing(pages, id, table, slot)?;
    let mut header = rows.header();
    let before = header.free;
    let after = (before + old.1).saturating_sub(row.len());
    if row.len() <= old.1 {
        pages.write(id, old.0, row)?;
        if after != before {
            header.free = after;
            header.write(pages, id)?;
        }
        return Ok(Some(Change { slot, before, after }));
    }
    if before + old.1 < row.len() {
        return Ok(None);
    }
    if rows.gap() >= row.len() {
        header.free = after;
        place(pages, id, slot, &mut header, row)?;
        return Ok(Some(Change { slot, before, after }));
    }
    let mut all = rows
        .rows()
        .map_err(|damage| unfit(pages, id, &damage.to_string()))?;
    all[usize::from(slot)] = Some(row.to_vec());
    let after = rewrite(pages, id, header, &all)?;
    Ok(after.map(|after| Change { slot, before, after }))
}

/// Takes a row away; its slot stays.
pub(super) fn delete(pages: &mut dyn PageAccess, id: PageId, table: TableId, slot: u16) -> Result<Change> {
    let (rows, old) = existing(pages, id, table, slot)?;
    let mut header = rows.header();
    let before = header.free;
    header.free = before + old.1;
    pages.write(id, slot_at(slot), &[0; SLOT])?;
    header.write(pages, id)?;
    let after = header.free;
    Ok(Change { slot, before, after })
}

/// The page, and where the row of a slot is and how long.
fn existing(
    pages: &mut dyn PageAccess,
    id: PageId,
    table: TableId,
    slot: u16,
) -> Result<(Rows<'_>, (usize, usize))> {
    let found = match Rows::of(pages.read(id)?, table) {
        None => Err("a page of rows is expected here".to_owned()),
        Some(rows) => match (rows.offset(slot), rows.row(slot)) {
            (Some(offset), Some(Ok(row))) => Ok((offset, row.len())),
            (_, Some(Err(damage))) => Err(damage.to_string()),
            _ => Err(format!("slot {slot} has no row")),
        },
    };
    match found {
        // Read again, since the error needs the pages for its path.
        Ok(old) => Ok((Rows(pages.read(id)?), old)),
        Err(detail) => Err(unfit(pages, id, &detail)),
    }
}

/// Writes a row behind the last one, its slot, and the header.
fn place(pages: &mut dyn PageAccess, id: PageId, slot: u16, header: &mut Header, row: &[u8]) -> Result<()> {
    let offset = header.free_data;
    pages.write(id, offset, row)?;
    pages.write(id, slot_at(slot), &(offset as u16).to_le_bytes())?;
    header.free_data += row.len();
    header.write(pages, id)
}

/// Writes the page with these rows by slot, one behind the other; slots without a row at the end go. The free bytes then; `None`
/// where they do not fit.
fn rewrite(
    pages: &mut dyn PageAccess,
    id: PageId,
    mut header: Header,
    rows: &[Option<Vec<u8>>],
) -> Result<Option<usize>> {
    let count = rows.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    let mut body = Vec::with_capacity(PAGE);
    let mut slots = vec![0; SLOT * count];
    for (slot, row) in rows[..count].iter().enumerate() {
        if let Some(row) = row {
            let at = slots.len() - SLOT * (slot + 1);
            slots[at..at + SLOT].copy_from_slice(&((HEADER + body.len()) as u16).to_le_bytes());
            body.extend_from_slice(row);
        }
    }
    let used = HEADER + body.len() + slots.len();
    if used > PAGE {
        return Ok(None);
    }
    pages.write(id, HEADER, &body)?;
    pages.write(id, PAGE - slots.len(), &slots)?;
    header.slots = count as u16;
    header.free = PAGE - used;
    header.free_data = HEADER + body.len();
    header.write(pages, id)?;
    Ok(Some(PAGE - used))
}

fn slot_at(slot: u16) -> usize {
    PAGE - SLOT * (usize::from(slot) + 1)
}

fn u16_at(page: &Page, at: usize) -> u16 {
    u16::from_le_bytes([page[at], page[at + 1]])
}
