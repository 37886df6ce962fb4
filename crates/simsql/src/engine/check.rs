//! What DBCC CHECKDB finds: every page of every data file, as it stands in the file.
//!
//! First the maps (GAM, PFS), which tell the pages in use; a page that is not in use is not looked at, whatever it carries. Then
//! each page in use: identity, checksum or torn-page bits. In a database of ours the catalog tells more: each extent has one
//! owner, each page of a table holds rows of it that can be read. A database that a real server made has no catalog that we read,
//! so that it is checked as far as pages go.
//!
//! A check goes on piece by piece ([`Checking`]), and the database may change in between. So nothing that was read is kept for
//! the next piece, and who has which extent is found out anew where the log has grown: each extent is judged by what is true
//! while its piece is looked at.

mod findings;
mod reader;

use std::collections::BTreeMap;
use std::fmt::Display;

use bak::Lsn;
use uuid::Uuid;

use self::findings::{Findings, Owner};
use self::reader::{Reader, Soundness};
use super::access::PageRead;
use super::catalog::{CATALOG, Catalog, Entry, row_format};
use super::data_file::{DataFile, own_id};
use super::heap::Rows;
use super::pages::{EXTENT, PageId};
use super::row::RowFormat;
use super::space::{self, EXTENTS, Extent, PageUse, bit_of, chain_of, gam_page, is_fixed, pfs_place};
use super::table::TableId;
use crate::message::Message;

/// What is checked.
pub(crate) struct Checked<'a> {
    /// Its id, for messages.
    pub(crate) database_id: i32,
    /// Its data files, all changed pages written.
    pub(crate) files: &'a [DataFile],
    /// First IAM page of the catalog, as the boot page has it; without one only pages and allocation maps are checked.
    pub(crate) catalog_iam: Option<PageId>,
    /// Chains of tables that open transactions have dropped: theirs, though no table has them.
    pub(crate) pending: &'a [PageId],
}

/// A check under way: what was found so far, and where it goes on.
#[derive(Debug)]
pub struct Checking {
    findings: Findings,
    /// Index of the file and page in it.
    next: (usize, u32),
    /// The binding of the database and the end of its log when the owners below were found.
    seen: Option<(Uuid, Lsn)>,
    /// Which table has an extent.
    owners: BTreeMap<Extent, u32>,
    /// How rows of a table are laid out.
    formats: BTreeMap<u32, RowFormat>,
    /// Whether the catalog and all chains could be read, so that an extent nobody has is nobody's.
    owners_known: bool,
}

impl Checking {
    /// A check of the database of this name, at its beginning.
    #[must_use]
    pub fn new(database: &str) -> Self {
        Self {
            findings: Findings::new(database),
            next: (0, 0),
            seen: None,
            owners: BTreeMap::new(),
            formats: BTreeMap::new(),
            owners_known: true,
        }
    }

    /// The binding of the database that it has begun to look at; none before the first piece.
    #[must_use]
    pub fn binding(&self) -> Option<Uuid> {
        self.seen.map(|(binding, _)| binding)
    }

    /// The findings in the order of the files, then the sums: 8990 for each table with errors, 8989 for the database, also where
    /// both are zero.
    #[must_use]
    pub fn summary(self) -> Vec<Message> {
        self.findings.summary()
    }
}

/// Looks at up to `pages` more pages, in whole extents, of the database as it is with its log up to `end`. Whether there are more.
pub(crate) fn go_on(
    checking: &mut Checking,
    checked: &Checked<'_>,
    (binding, end): (Uuid, Lsn),
    pages: u32,
) -> bool {
    let is_new = checking.seen != Some((binding, end));
    let mut check = Check {
        checked,
        reader: Reader::new(checked.files),
        // What is wrong with the chains is told once.
        is_told: checking.seen.is_some(),
        checking,
    };
    if is_new {
        check.find_owners();
    }
    check.checking.seen = Some((binding, end));
    check.extents(pages.div_ceil(EXTENT))
}

struct Check<'a> {
    checked: &'a Checked<'a>,
    reader: Reader<'a>,
    checking: &'a mut Checking,
    /// What is wrong with the chains of tables was told by an earlier piece.
    is_told: bool,
}

impl Check<'_> {
    /// Follows the chains of all tables.
    fn find_owners(&mut self) {
        self.checking.owners.clear();
        self.checking.formats.clear();
        self.checking.owners_known = true;
        let Some(iam) = self.checked.catalog_iam else {
            return;
        };
        self.claim(CATALOG.0, iam);
        self.checking.formats.insert(CATALOG.0, row_format());
        match Catalog::open(&mut self.reader, iam) {
            Ok(catalog) => catalog.tables().for_each(|entry| self.claim_table(entry)),
            // What is wrong with its pages is found with the others.
            Err(_) => self.checking.owners_known = false,
        }
        for chain in self.checked.pending {
            self.claim(0, *chain);
        }
    }

    fn claim_table(&mut self, entry: &Entry) {
        let facts = &entry.facts;
        self.checking.findings.name(facts.id.0, &facts.definition.name);
        self.checking.formats.insert(facts.id.0, entry.format.clone());
        self.claim(facts.id.0, facts.first_iam);
    }

    fn claim(&mut self, table: u32, first_iam: PageId) {
        let Ok(chain) = chain_of(&mut self.reader, first_iam) else {
            self.checking.owners_known = false;
            if self.is_told {
                return;
            }
            let owner = Owner::of(table);
            let nowhere = PageId { file: 0, page: 0 };
            let [object, index, partition, unit] = owner.ids();
            self.checking.findings.allocation(
                Some(table),
                2575,
                &[
                    &first_iam,
                    &nowhere,
                    &object,
                    &index,
                    &partition,
                    &unit,
                    &owner.kind(),
                ],
            );
            return;
        };
        for extent in chain.extents {
            let before = self.checking.owners.insert(extent, table);
            if before.is_some() && !self.is_told {
                self.checking.findings.allocation(
                    None,
                    8904,
                    &[&first_page(extent), &self.checked.database_id],
                );
            }
        }
    }

    /// Checks the next extents, at most so many. Whether there are more.
    fn extents(&mut self, most: u32) -> bool {
        let mut left = most;
        while let Some(file) = self.checked.files.get(self.checking.next.0) {
            let size = file.pages().unwrap_or(0);
            while self.checking.next.1 < size {
                if left == 0 {
                    return true;
                }
                left -= 1;
                let extent = Extent {
                    file: file.id(),
                    number: self.checking.next.1 / EXTENT,
                };
                self.maps(extent, size);
                self.extent(extent, size);
                self.checking.next.1 += EXTENT;
            }
            self.checking.next = (self.checking.next.0 + 1, 0);
        }
        false
    }

    /// Where a map begins to speak with this extent, says that it cannot be believed, if so.
    fn maps(&mut self, extent: Extent, size: u32) {
        let first = first_page(extent);
        let (pfs, at) = pfs_place(first.file, first.page);
        let begins = first.page == 0 || at == pfs_place(first.file, 0).1;
        if begins && !self.is_sound(pfs) {
            self.unusable(first, first.page.saturating_add(8087).min(size - 1));
        }
        if extent.number.is_multiple_of(EXTENTS) && !self.is_sound(gam_page(extent.file, extent.number)) {
            let last = (extent.number + EXTENTS).saturating_mul(EXTENT).min(size) - 1;
            self.unusable(first, last);
        }
    }

    fn unusable(&mut self, first: PageId, last: u32) {
        let last = PageId { page: last, ..first };
        self.checking
            .findings
            .allocation(None, 8998, &[&self.checked.database_id, &first, &last]);
    }

    fn is_sound(&mut self, id: PageId) -> bool {
        matches!(self.reader.soundness(id), Soundness::Sound)
    }

    /// Checks one extent and its pages.
    fn extent(&mut self, extent: Extent, size: u32) {
        let fixed = is_fixed(extent.file, extent.number);
        let allocated = self.is_allocated(extent);
        self.allocation(extent, allocated, fixed);
        if allocated == Some(false) && !fixed {
            return;
        }
        for id in extent.pages().filter(|id| id.page < size) {
            let usage = match self.reader.soundness(pfs_place(id.file, id.page).0) {
                Soundness::Sound => space::fullness(&mut self.reader, id).ok(),
                _ => None,
            };
            if usage != Some(PageUse::Free) {
                self.page(id, usage);
            }
        }
    }

    /// Whether the GAM has given an extent away; `None` where the GAM cannot be read.
    fn is_allocated(&mut self, extent: Extent) -> Option<bool> {
        let gam = gam_page(extent.file, extent.number);
        if !self.is_sound(gam) {
            return None;
        }
        let map = self.reader.read(gam).ok()?;
        let (at, mask) = bit_of(map, extent.number)?;
        Some(map[at] & mask == 0)
    }

    /// Each extent has one owner: a table, the fixed pages, or the GAM.
    fn allocation(&mut self, extent: Extent, allocated: Option<bool>, fixed: bool) {
        let (Some(_), Some(allocated)) = (self.checked.catalog_iam, allocated) else {
            return;
        };
        let owned = fixed || self.checking.owners.contains_key(&extent);
        let first = first_page(extent);
        if allocated && !owned && self.checking.owners_known {
            self.checking
                .findings
                .allocation(None, 8905, &[&first, &self.checked.database_id]);
        } else if !allocated && owned {
            self.checking
                .findings
                .allocation(None, 8904, &[&first, &self.checked.database_id]);
        } else if !allocated && !owned {
            self.used_without_owner(extent);
        }
    }

    fn used_without_owner(&mut self, extent: Extent) {
        for id in extent.pages() {
            let (pfs, at) = pfs_place(id.file, id.page);
            if !self.is_sound(pfs) {
                continue;
            }
            let Some(byte) = self.reader.read(pfs).ok().map(|map| map[at]) else {
                continue;
            };
            if byte & 0x40 != 0 {
                let sgam = PageId { page: 3, ..id };
                let flags = space::pfs_flags(byte);
                self.checking.findings.allocation(
                    None,
                    8906,
                    &[&id, &self.checked.database_id, &sgam, &pfs, &flags],
                );
            }
        }
    }

    /// Checks a page that is in use, or of which nobody knows (`None`).
    fn page(&mut self, id: PageId, usage: Option<PageUse>) {
        let table = self.checking.owners.get(&Extent::of(id)).copied();
        match self.reader.soundness(id) {
            Soundness::Sound => self.rows(id, table, usage),
            Soundness::Damaged => self.unprocessed(id, table),
            Soundness::Stranger if usage.is_some() => self.stranger(id, table),
            Soundness::Stranger => {}
        }
    }

    fn unprocessed(&mut self, id: PageId, table: Option<u32>) {
        let owner = table.map_or(Owner::Unknown, Owner::of);
        let [object, index, partition, unit] = owner.ids();
        let kind = owner.kind();
        self.checking
            .findings
            .consistency(table, 8928, &[&object, &index, &partition, &unit, &kind, &id]);
        // The test that fails where a read does, with the numbers that current builds print.
        let test = "IS_OFF (BUF_IOERR, pBUF->bstat)";
        let values: [&dyn Display; 9] = [
            &object, &index, &partition, &unit, &kind, &id, &test, &133_129, &-4,
        ];
        self.checking.findings.consistency(table, 8939, &values);
    }

    fn stranger(&mut self, id: PageId, table: Option<u32>) {
        let owner = Owner::Unknown;
        let [object, index, partition, unit] = owner.ids();
        let found = self
            .reader
            .read(id)
            .map(own_id)
            .unwrap_or(PageId { file: 0, page: 0 });
        let values: [&dyn Display; 7] = [&object, &index, &partition, &unit, &owner.kind(), &id, &found];
        self.checking.findings.consistency(table, 8909, &values);
    }

    /// Checks that a page of a table holds rows of it.
    fn rows(&mut self, id: PageId, table: Option<u32>, usage: Option<PageUse>) {
        let (Some(table), Some(PageUse::Rows(_))) = (table, usage) else {
            return;
        };
        let Some(format) = self.checking.formats.get(&table) else {
            return;
        };
        let owner = Owner::of(table);
        let [object, index, partition, unit] = owner.ids();
        let kind = owner.kind();
        let Some(rows) = self
            .reader
            .read(id)
            .ok()
            .and_then(|page| Rows::of(page, TableId(table)))
        else {
            let values: [&dyn Display; 6] = [&id, &object, &index, &partition, &unit, &kind];
            self.checking.findings.consistency(Some(table), 2533, &values);
            return;
        };
        for slot in 0..rows.slots() {
            match rows.row(slot) {
                None => {}
                Some(Err(damage)) => {
                    let test = "sorted [i].offset >= PAGEHEADSIZE";
                    let offset = format!("{:x}", damage.offset);
                    let values: [&dyn Display; 9] = [
                        &object, &index, &partition, &unit, &kind, &id, &test, &slot, &offset,
                    ];
                    self.checking.findings.consistency(Some(table), 8941, &values);
                }
                Some(Ok(row)) if format.decode(row).is_none() => {
                    let test = "ColumnOffsets <= (nextRec - pRec)";
                    let length = row.len();
                    let values: [&dyn Display; 10] = [
                        &object, &index, &partition, &unit, &kind, &id, &slot, &test, &length, &length,
                    ];
                    self.checking.findings.consistency(Some(table), 8944, &values);
                }
                Some(Ok(_)) => {}
            }
        }
    }
}

fn first_page(extent: Extent) -> PageId {
    PageId {
        file: extent.file,
        page: extent.number * EXTENT,
    }
}

#[cfg(test)]
mod real;
#[cfg(test)]
mod tests;
