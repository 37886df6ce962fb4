//! Rows of tables on their pages: insert, update, delete, scan.
//!
//! Every change of a page of rows is undone by its bytes with the transaction; that the page belongs to the table, and what the PFS
//! says of it, stays. So whoever writes to a table has it alone until its transaction ends. Where there is room is remembered in
//! memory, found again from the PFS pages when needed, and checked on the page itself before use.
//!
//! A row that outgrows its page moves, and its [`RowId`] with it; whoever updates rows found by a scan ends the scan first.

mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

pub(crate) use slots::Rows;

use super::Result;
use super::access::{PageAccess, PageRead};
use super::pages::PageId;
use super::space::{self, Fullness, PageUse, Space, chain_of, unfit};
use super::table::{RowId, TableId};

/// Pages tried for a row before the table gets a new one.
const TRIES: usize = 3;
/// Pages that are remembered to have changed, so that a rollback's room is found again; beyond, the oldest are forgotten.
const REMEMBERED: usize = 4096;

/// A table as its rows need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its id: pages name it as their object.
    pub(crate) table: TableId,
    /// Its chain.
    pub(crate) first_iam: PageId,
    /// Where the fixed part of its rows ends.
    pub(crate) fixed_end: u16,
}

/// Where tables have room, as far as it is remembered.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    rooms: BTreeMap<TableId, Room>,
    /// Pages that rows were put on lately: a rollback may have emptied them again.
    filled: BTreeMap<TableId, BTreeSet<PageId>>,
}

/// Where a table has room.
#[derive(Debug, Default)]
struct Room {
    /// The page that the last row went to.
    last: Option<PageId>,
    /// Pages with rows that are not full.
    partly: BTreeSet<PageId>,
    /// Pages of its extents that hold nothing yet.
    vacant: BTreeSet<PageId>,
}

impl Heap {
    /// Puts a row where there is room.
    pub(crate) fn insert(
        &mut self,
        pages: &mut dyn PageAccess,
        space: &mut Space,
        place: &Place,
        row: &[u8],
    ) -> Result<RowId> {
        self.load(pages, place)?;
        if let Some(found) = self.insert_where_room(pages, place, row)? {
            return Ok(found);
        }
        let page = self.new_page(pages, space, place)?;
        let slot = self.insert_on(pages, page, place, row)?;
        let room = self.rooms.entry(place.table).or_default();
        if let Some(before) = room.last.replace(page) {
            room.partly.insert(before);
        }
        match slot {
            Some(slot) => Ok(RowId { page, slot }),
            None => Err(unfit(pages, page, "a new page has no room for a row")),
        }
    }

    fn insert_where_room(
        &mut self,
        pages: &mut dyn PageAccess,
        place: &Place,
        row: &[u8],
    ) -> Result<Option<RowId>> {
        let room = self.rooms.entry(place.table).or_default();
        if let Some(page) = room.last
            && let Some(slot) = self.insert_on(pages, page, place, row)?
        {
            return Ok(Some(RowId { page, slot }));
        }
        for _ in 0..TRIES {
            let room = self.rooms.entry(place.table).or_default();
            let Some(page) = room.partly.pop_first() else {
                break;
            };
            if let Some(slot) = self.insert_on(pages, page, place, row)? {
                self.rooms.entry(place.table).or_default().last = Some(page);
                return Ok(Some(RowId { page, slot }));
            }
        }
        Ok(None)
    }

    fn insert_on(
        &mut self,
        pages: &mut dyn PageAccess,
        page: PageId,
        place: &Place,
        row: &[u8],
    ) -> Result<Option<u16>> {
        let Some(change) = slots::insert(pages, page, place.table, row)? else {
            return Ok(None);
        };
        self.remember(place.table, page);
        note(pages, page, change)?;
        Ok(Some(change.slot))
    }

    /// A page of the table that has held nothing yet, formatted.
    fn new_page(&mut self, pages: &mut dyn PageAccess, space: &mut Space, place: &Place) -> Result<PageId> {
        loop {
            let room = self.rooms.entry(place.table).or_default();
            if let Some(page) = room.vacant.pop_first() {
                space::format_page(pages, place.table, page, place.fixed_end)?;
                return Ok(page);
            }
            room.vacant
                .extend(space.extend(pages, place.table, place.first_iam)?);
        }
    }

    /// Replaces a row; its place may be another one then.
    pub(crate) fn update(
        &mut self,
        pages: &mut dyn PageAccess,
        space: &mut Space,
        place: &Place,
        at: RowId,
        row: &[u8],
    ) -> Result<RowId> {
        if let Some(change) = slots::update(pages, at.page, place.table, at.slot, row)? {
            self.remember(place.table, at.page);
            note(pages, at.page, change)?;
            return Ok(at);
        }
        let moved = self.insert(pages, space, place, row)?;
        self.delete(pages, place, at)?;
        Ok(moved)
    }

    /// Takes a row away.
    pub(crate) fn delete(&mut self, pages: &mut dyn PageAccess, place: &Place, at: RowId) -> Result<()> {
        let change = slots::delete(pages, at.page, place.table, at.slot)?;
        if let Some(room) = self.rooms.get_mut(&place.table)
            && room.last != Some(at.page)
        {
            room.partly.insert(at.page);
        }
        note(pages, at.page, change)
    }

    /// Forgets a table that is gone.
    pub(crate) fn forget(&mut self, table: TableId) {
        self.rooms.remove(&table);
        self.filled.remove(&table);
    }

    /// What was remembered may be wrong after an undo; room is looked for anew.
    pub(crate) fn undone(&mut self) {
        self.rooms.clear();
    }

    fn remember(&mut self, table: TableId, page: PageId) {
        let filled = self.filled.entry(table).or_default();
        if filled.insert(page) && filled.len() > REMEMBERED {
            filled.pop_first();
        }
    }

    /// Finds the table's room from the maps, where it is not known.
    fn load(&mut self, pages: &mut dyn PageRead, place: &Place) -> Result<()> {
        if self.rooms.contains_key(&place.table) {
            return Ok(());
        }
        let filled = self.filled.remove(&place.table).unwrap_or_default();
        let mut room = Room::default();
        for extent in chain_of(pages, place.first_iam)?.extents {
            for page in extent.pages() {
                match space::fullness(pages, page)? {
                    PageUse::Free => drop(room.vacant.insert(page)),
                    PageUse::Rows(fullness) if fullness < Fullness::FULL || filled.contains(&page) => {
                        room.partly.insert(page);
                    }
                    PageUse::Rows(_) | PageUse::Map => {}
                }
            }
        }
        self.rooms.insert(place.table, room);
        Ok(())
    }
}

/// Tells the PFS where a page's fullness changed.
fn note(pages: &mut dyn PageAccess, page: PageId, change: slots::Change) -> Result<()> {
    let (before, after) = (Fullness::of(change.before), Fullness::of(change.after));
    if before == after {
        return Ok(());
    }
    space::note_fullness(pages, page, after)
}

/// Calls `visit` for the bytes of each row of a table in the order of its pages, until it breaks.
pub(crate) fn scan(
    pages: &mut dyn PageRead,
    table: TableId,
    first_iam: PageId,
    visit: &mut dyn FnMut(RowId, &[u8]) -> ControlFlow<()>,
) -> Result<()> {
    for extent in chain_of(pages, first_iam)?.extents {
        for page in extent.pages() {
            if !matches!(space::fullness(pages, page)?, PageUse::Rows(_)) {
                continue;
            }
            match scan_page(pages, table, page, visit)? {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(()),
                Err(detail) => return Err(unfit(pages, page, &detail)),
            }
        }
    }
    Ok(())
}

fn scan_page(
    pages: &mut dyn PageRead,
    table: TableId,
    page: PageId,
    visit: &mut dyn FnMut(RowId, &[u8]) -> ControlFlow<()>,
) -> Result<std::result::Result<ControlFlow<()>, String>> {
    let Some(rows) = Rows::of(pages.read(page)?, table) else {
        return Ok(Err("a page of rows is expected here".to_owned()));
    };
    for slot in 0..rows.slots() {
        let found = match rows.row(slot) {
            None => continue,
            Some(Err(damage)) => return Ok(Err(damage.to_string())),
            Some(Ok(row)) => visit(RowId { page, slot }, row),
        };
        if found.is_break() {
            return Ok(Ok(ControlFlow::Break(())));
        }
    }
    Ok(Ok(ControlFlow::Continue(())))
}

#[cfg(test)]
mod tests;
