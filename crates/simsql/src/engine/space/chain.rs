//! IAM pages: which extents a table has.
//!
//! | bytes | |
//! |---|---|
//! | 16..22 | next IAM page of the table, page and file; zero for the last |
//! | 100..104 | number in the chain |
//! | 136..142 | first page of the interval that it covers, page and file |
//! | 142..190 | eight pages of mixed extents: none here, real databases have them |
//! | second record | bitmap: the extents of the table |

use std::collections::BTreeSet;

use bak::writer::page::{self, PageType};

use super::maps::{self, EXTENTS, bit_of, extents_of, pfs_place};
use super::{identity, mark, unfit};
use crate::engine::Result;
use crate::engine::access::{PageAccess, PageRead};
use crate::engine::pages::{EXTENT, PAGE, Page, PageId};
use crate::engine::table::TableId;

const NEXT: usize = 16;
const SEQUENCE: usize = 100;
const START: usize = 136;
const TYPE: usize = 1;

/// An extent of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Extent {
    /// The file.
    pub(crate) file: u16,
    /// First page / 8.
    pub(crate) number: u32,
}

impl Extent {
    /// The extent of a page.
    pub(crate) fn of(id: PageId) -> Self {
        Self {
            file: id.file,
            number: id.page / EXTENT,
        }
    }

    /// Its pages.
    pub(crate) fn pages(self) -> impl Iterator<Item = PageId> {
        let first = self.number * EXTENT;
        (first..first + EXTENT).map(move |page| PageId {
            file: self.file,
            page,
        })
    }
}

/// What a chain of IAM pages tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The IAM pages in order.
    pub(crate) maps: Vec<PageId>,
    /// All extents, by the order of the chain.
    pub(crate) extents: Vec<Extent>,
}

/// Follows a chain.
pub(crate) fn chain_of(pages: &mut dyn PageRead, first: PageId) -> Result<Chain> {
    let mut chain = Chain::default();
    let mut seen = BTreeSet::new();
    let mut next = Some(first);
    while let Some(id) = next {
        if !seen.insert(id) {
            return Err(unfit(pages, id, "a chain of IAM pages comes back to itself"));
        }
        let map = pages.read(id)?;
        if map[TYPE] != PageType::Iam as u8 {
            return Err(unfit(pages, id, "an IAM page is expected here"));
        }
        let (start, file) = place_at(map, START).map_or((0, id.file), |place| (place.page, place.file));
        let numbers = extents_of(map, true, EXTENTS);
        chain.extents.extend(numbers.into_iter().map(|number| Extent {
            file,
            number: start / EXTENT + number,
        }));
        next = place_at(map, NEXT);
        chain.maps.push(id);
    }
    Ok(chain)
}

/// Makes an IAM page in the first page of an extent, which it has from the start.
pub(super) fn begin(
    pages: &mut dyn PageAccess,
    table: TableId,
    extent: Extent,
    sequence: u32,
) -> Result<PageId> {
    let id = PageId {
        file: extent.file,
        page: extent.number * EXTENT,
    };
    let mut content = Box::new([0; PAGE]);
    page::write_bitmap(&mut content, &identity(id, PageType::Iam, table.0), |index| {
        index == extent.number % EXTENTS
    });
    content[SEQUENCE..SEQUENCE + 4].copy_from_slice(&sequence.to_le_bytes());
    let start = extent.number / EXTENTS * EXTENTS * EXTENT;
    put_place(&mut content, START, PageId { page: start, ..id });
    pages.format(id, &content)?;
    let (pfs, at) = pfs_place(id.file, id.page);
    pages.write(pfs, at, &[maps::ALLOCATED | maps::IAM])?;
    Ok(id)
}

/// Adds an extent, with another IAM page where the table has none in that file.
pub(super) fn append(
    pages: &mut dyn PageAccess,
    table: TableId,
    first: PageId,
    extent: Extent,
) -> Result<()> {
    let mut last = first;
    let mut sequence = 0;
    loop {
        let map = pages.read(last)?;
        if map[TYPE] != PageType::Iam as u8 || bit_of(map, 0).is_none() {
            return Err(unfit(pages, last, "an IAM page is expected here"));
        }
        if place_at(map, START).is_some_and(|start| start.file == extent.file) {
            return mark(pages, last, extent.number, true);
        }
        sequence += 1;
        match place_at(map, NEXT) {
            // Files are numbered in 16 bits, and each has one.
            Some(next) if sequence <= u32::from(u16::MAX) => last = next,
            _ => break,
        }
    }
    let added = begin(pages, table, extent, sequence)?;
    let mut link = [0; 6];
    link[..4].copy_from_slice(&added.page.to_le_bytes());
    link[4..].copy_from_slice(&added.file.to_le_bytes());
    pages.write(last, NEXT, &link)
}

/// A page and a file; none where the file is 0.
fn place_at(content: &Page, at: usize) -> Option<PageId> {
    let file = u16::from_le_bytes([content[at + 4], content[at + 5]]);
    let page = u32::from_le_bytes([content[at], content[at + 1], content[at + 2], content[at + 3]]);
    (file != 0).then_some(PageId { file, page })
}

fn put_place(content: &mut Page, at: usize, place: PageId) {
    content[at..at + 4].copy_from_slice(&place.page.to_le_bytes());
    content[at + 4..at + 6].copy_from_slice(&place.file.to_le_bytes());
}
