//! Which extents and pages are in use: GAM, PFS and IAM pages, and the maps of changed extents.
//!
//! Extents are uniform: each belongs to one table, so that SGAM pages are empty. A data file holds at most one GAM interval. A
//! table has one IAM page a file, the first page of its first extent there. All of this changes between `begin_system` and
//! `end_system`: it stays when the transaction is rolled back, an extent given to a table stays with it. Within such a step the
//! order is the one whose every beginning does no harm: an extent is taken from the GAM before a table has it, and leaves the
//! table before the GAM has it back.

mod chain;
mod maps;

use std::collections::{BTreeMap, BTreeSet};

use bak::FileType;
use bak::writer::page::{self, PageIdentity, PageType};

pub(crate) use chain::{Extent, chain_of};
pub(crate) use maps::{
    EXTENTS, Fullness, allocated, bit_of, changed, cleared_dcm, dcm_page, extents_of, gam_page, is_fixed,
    new_file, pfs_flags, pfs_place,
};

use super::access::{PageAccess, PageRead};
use super::pages::{EXTENT, PAGE, PageId};
use super::table::TableId;
use super::{DatabaseFile, EngineError, Result};

/// Pages of the largest data file: one GAM interval.
pub(crate) const MOST_PAGES: u32 = EXTENTS * EXTENT;

/// What is remembered of the files' free space, so that no map is searched twice. Nothing of it must be right: maps decide.
#[derive(Debug, Default)]
pub(crate) struct Space {
    files: BTreeMap<u16, Room>,
}

/// A file's free extents.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// The size it was counted at, in extents.
    extents: u32,
    free: u32,
    /// No extent before this one is free.
    from: u32,
}

impl Space {
    /// Makes the first extent of a table, whose first page is its first IAM page.
    pub(crate) fn create_chain(&mut self, pages: &mut dyn PageAccess, table: TableId) -> Result<PageId> {
        within_system(pages, |pages| {
            let extent = self.take_extent(pages)?;
            chain::begin(pages, table, extent, 0)
        })
    }

    /// Gives a table another extent; the pages of it that may hold rows.
    pub(crate) fn extend(
        &mut self,
        pages: &mut dyn PageAccess,
        table: TableId,
        first_iam: PageId,
    ) -> Result<Vec<PageId>> {
        within_system(pages, |pages| {
            let extent = self.take_extent(pages)?;
            chain::append(pages, table, first_iam, extent)?;
            let mut free = Vec::new();
            for id in extent.pages() {
                if fullness(pages, id)? == PageUse::Free {
                    free.push(id);
                }
            }
            Ok(free)
        })
    }

    /// Gives back all extents of a chain.
    pub(crate) fn free_chain(&mut self, pages: &mut dyn PageAccess, first_iam: PageId) -> Result<()> {
        let chain = chain_of(pages, first_iam)?;
        within_system(pages, |pages| {
            chain
                .extents
                .iter()
                .try_for_each(|extent| self.free_extent(pages, *extent))
        })
    }

    /// Frees every allocated extent that belongs to no chain and holds no fixed page.
    pub(crate) fn reclaim(&mut self, pages: &mut dyn PageAccess, chains: &[PageId]) -> Result<()> {
        let mut owned = BTreeSet::new();
        for first_iam in chains {
            owned.extend(chain_of(pages, *first_iam)?.extents);
        }
        for file in data_files(pages) {
            for first in allocated(pages, file.file_id, file.size)? {
                let extent = Extent {
                    file: file.file_id,
                    number: first,
                };
                if !maps::is_fixed(extent.file, extent.number) && !owned.contains(&extent) {
                    within_system(pages, |pages| self.free_extent(pages, extent))?;
                }
            }
        }
        Ok(())
    }

    /// The pages by which a file has grown from `old` pages: PFS pages among them are formatted and their extents taken.
    pub(crate) fn grown(pages: &mut dyn PageAccess, file: u16, old: u32, new: u32) -> Result<()> {
        within_system(pages, |pages| {
            for number in maps::pfs_pages(old, new.min(MOST_PAGES)) {
                let content = maps::pfs_page(file, number, new);
                pages.format(PageId { file, page: number }, &content)?;
                mark_gam(pages, file, number / EXTENT, false)?;
            }
            Ok(())
        })
    }

    /// Takes a free extent from the file with most of them; grows a file where there is none.
    fn take_extent(&mut self, pages: &mut dyn PageAccess) -> Result<Extent> {
        loop {
            let file = match self.roomiest(pages)? {
                Some(file) => file,
                None => self.grow(pages)?,
            };
            if let Some(number) = self.find_free(pages, file)? {
                mark_gam(pages, file, number, false)?;
                return Ok(Extent { file, number });
            }
        }
    }

    fn roomiest(&mut self, pages: &mut dyn PageAccess) -> Result<Option<u16>> {
        let mut best: Option<(u32, u16)> = None;
        for file in data_files(pages) {
            let free = self.room(pages, &file)?.free;
            if free > 0 && best.is_none_or(|(most, _)| free > most) {
                best = Some((free, file.file_id));
            }
        }
        Ok(best.map(|(_, file)| file))
    }

    fn room(&mut self, pages: &mut dyn PageAccess, file: &DatabaseFile) -> Result<Room> {
        let extents = file.size.min(MOST_PAGES) / EXTENT;
        if let Some(room) = self.files.get(&file.file_id)
            && room.extents == extents
        {
            return Ok(*room);
        }
        let gam = pages.read(gam_page(file.file_id, 0))?;
        let free = extents_of(gam, true, extents);
        let room = Room {
            extents,
            free: free.len() as u32,
            from: free.first().copied().unwrap_or(extents),
        };
        self.files.insert(file.file_id, room);
        Ok(room)
    }

    fn find_free(&mut self, pages: &mut dyn PageAccess, file: u16) -> Result<Option<u32>> {
        let Some(room) = self.files.get_mut(&file) else {
            return Ok(None);
        };
        let gam = pages.read(gam_page(file, 0))?;
        let found = maps::first_set(gam, room.from, room.extents);
        match found {
            Some(number) => {
                room.from = number + 1;
                room.free = room.free.saturating_sub(1);
            }
            None => room.free = 0,
        }
        Ok(found)
    }

    /// Grows the smallest data file that may grow.
    fn grow(&mut self, pages: &mut dyn PageAccess) -> Result<u16> {
        let mut files = data_files(pages);
        files.sort_by_key(|file| (file.size, file.file_id));
        for file in files {
            if file.size >= MOST_PAGES {
                continue;
            }
            match pages.grow(file.file_id) {
                Ok(new) => {
                    Self::grown(pages, file.file_id, file.size, new)?;
                    self.files.remove(&file.file_id);
                    return Ok(file.file_id);
                }
                Err(EngineError::DataFull) => {}
                Err(error) => return Err(error),
            }
        }
        Err(EngineError::DataFull)
    }

    fn free_extent(&mut self, pages: &mut dyn PageAccess, extent: Extent) -> Result<()> {
        let first = extent.number * EXTENT;
        let (pfs, at) = pfs_place(extent.file, first);
        pages.write(pfs, at, &[0; EXTENT as usize])?;
        mark_gam(pages, extent.file, extent.number, true)?;
        if let Some(room) = self.files.get_mut(&extent.file) {
            room.free += 1;
            room.from = room.from.min(extent.number);
        }
        Ok(())
    }
}

/// Formats a page of a table that may hold rows and marks it allocated. `fixed_end` as its rows have it.
pub(crate) fn format_page(
    pages: &mut dyn PageAccess,
    table: TableId,
    id: PageId,
    fixed_end: u16,
) -> Result<()> {
    let mut content = Box::new([0; PAGE]);
    let identity = identity(id, PageType::Data, table.0);
    page::write_header(&mut content, &identity, 0, page::HEADER as u16);
    content[14..16].copy_from_slice(&fixed_end.to_le_bytes());
    within_system(pages, |pages| {
        pages.format(id, &content)?;
        let (pfs, at) = pfs_place(id.file, id.page);
        pages.write(pfs, at, &[maps::ALLOCATED])
    })
}

/// Notes how full a page is.
pub(crate) fn note_fullness(pages: &mut dyn PageAccess, id: PageId, fullness: Fullness) -> Result<()> {
    let (pfs, at) = pfs_place(id.file, id.page);
    within_system(pages, |pages| {
        pages.write(pfs, at, &[maps::ALLOCATED | fullness.0])
    })
}

/// Whether an allocated page may hold rows, and how full it is said to be; `None` for a page that is not allocated or holds none.
pub(crate) fn fullness(pages: &mut dyn PageRead, id: PageId) -> Result<PageUse> {
    let (pfs, at) = pfs_place(id.file, id.page);
    let byte = pages.read(pfs)?[at];
    Ok(match byte {
        _ if byte & maps::ALLOCATED == 0 => PageUse::Free,
        _ if byte & maps::IAM != 0 => PageUse::Map,
        _ => PageUse::Rows(Fullness(byte & maps::FULLNESS)),
    })
}

/// What the PFS says of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageUse {
    /// Not allocated.
    Free,
    /// An IAM page.
    Map,
    /// A page of rows.
    Rows(Fullness),
}

fn mark_gam(pages: &mut dyn PageAccess, file: u16, extent: u32, free: bool) -> Result<()> {
    mark(pages, gam_page(file, extent), extent, free)
}

/// Sets or clears an extent's bit on a map.
fn mark(pages: &mut dyn PageAccess, map: PageId, extent: u32, set: bool) -> Result<()> {
    let content = pages.read(map)?;
    let Some((at, mask)) = bit_of(content, extent) else {
        return Err(unfit(pages, map, "an allocation map is expected here"));
    };
    let byte = content[at];
    let changed = if set { byte | mask } else { byte & !mask };
    if changed == byte {
        return Ok(());
    }
    pages.write(map, at, &[changed])
}

/// A page that is not what its place demands.
pub(crate) fn unfit(pages: &dyn PageRead, id: PageId, detail: &str) -> EngineError {
    let path = pages.files().into_iter().find(|file| file.file_id == id.file);
    EngineError::Page {
        path: path.map(|file| file.physical_name).unwrap_or_default(),
        page: id,
        detail: detail.to_owned(),
    }
}

fn identity(id: PageId, page_type: PageType, object_id: u32) -> PageIdentity {
    PageIdentity {
        file_id: id.file,
        page_id: id.page,
        page_type,
        object_id,
        lsn: bak::Lsn::ZERO,
    }
}

fn data_files(pages: &dyn PageRead) -> Vec<DatabaseFile> {
    let mut files = pages.files();
    files.retain(|file| file.file_type == FileType::Data);
    files
}

/// Runs a step that stays whatever becomes of the transaction.
fn within_system<T>(
    pages: &mut dyn PageAccess,
    step: impl FnOnce(&mut dyn PageAccess) -> Result<T>,
) -> Result<T> {
    pages.begin_system();
    let outcome = step(pages);
    pages.end_system();
    outcome
}

#[cfg(test)]
mod tests;
