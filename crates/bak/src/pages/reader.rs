//! The pages of a backup set, pass by pass: identity of every extent, protection of every page, stream checksum; one sweep over the
//! bytes, without a copy for each extent that lies whole inside the pushed slice.
//!
//! What is damage here: a page whose protection does not hold, a page that is not where it belongs, a page in use that is not
//! formatted, an extent sent twice in one pass. Extents of a file come in ascending order in every real backup; one that goes back is
//! not damage but a form that this reader has not met, so that the set cannot be called verified.
//!
//! An extent without a single page that names itself is taken for the next one that the maps of the stream say is sent. That it is
//! lost (its pages in use, yet none formatted) is believed only when the extent after it confirms its place; in a striped set its place
//! cannot be known.
//!
//! Deliberately not judged: whether every extent that the GAM or DCM pages call allocated was sent. The copy of those pages in the
//! stream may be older or newer than the list the server worked from (two of 59 real fulls differ).

use std::collections::BTreeMap;

use super::extent_map::ExtentMaps;
use super::identity::{Identity, PAGES, identify};
use super::page::{Judgement, PageHeader, PageId, judge, looks_encrypted};
use super::sent::SentExtents;
use super::space_map::SpaceMaps;
use crate::backup_set::BackupType;
use crate::checksum::{PAGE, page_sums};
use crate::config::Config;
use crate::content::{Event, Extent};
use crate::damage::DamageKind;
use crate::findings::Findings;
use crate::gather::Gather;
use crate::report::PageCounts;

/// Bytes of an extent.
const EXTENT: usize = PAGE * PAGES;

/// Pages in use of nameless extents that wait for their place to be confirmed.
const PENDING: usize = 4096;

/// Reads the data streams of one backup set.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageReader {
    gather: Gather,
    /// File ids of the database's data files, ascending.
    files: Vec<u16>,
    maps: SpaceMaps,
    extent_maps: ExtentMaps,
    /// All extents of the set are in this file.
    is_whole: bool,
    /// Pages of nameless extents that should have been formatted, where their offset is.
    pending: Vec<(u64, PageId)>,
    sent: SentExtents,
    /// The last extent of each file in this pass.
    last: BTreeMap<u16, u32>,
    last_file: Option<u16>,
    /// 0 before the first MSDA, then counted from 1.
    pass: u32,
    /// Sum over the payload since the start of the pass, and since the last stream checksum.
    sum_of_pass: u32,
    sum_of_piece: u32,
    pub(crate) counts: PageCounts,
    /// Bad pages that look encrypted.
    pub(crate) encrypted_looking: u64,
    /// Bad pages whose header is in place.
    pub(crate) content_bad: u64,
}

impl PageReader {
    /// For the set of this configuration; `is_whole` where it is not striped.
    pub(crate) fn new(config: &Config, is_whole: bool) -> Self {
        let data_files = config.files.iter().filter(|file| !file.is_log());
        let mut files: Vec<u16> = data_files
            .filter_map(|file| u16::try_from(file.file_id).ok())
            .collect();
        files.sort_unstable();
        let is_differential = matches!(
            config.scin.backup_type(),
            BackupType::Differential | BackupType::DifferentialFile | BackupType::DifferentialPartial
        );
        Self {
            files,
            is_whole,
            maps: SpaceMaps::new(config.scin.checkpoint_lsn),
            extent_maps: ExtentMaps::new(is_differential),
            ..Self::default()
        }
    }

    /// A data block begins.
    pub(crate) fn start_pass(&mut self) {
        self.pass += 1;
        self.sent = SentExtents::default();
        self.last.clear();
        self.last_file = None;
        self.maps.clear();
        self.extent_maps.clear();
        self.gather.clear();
        self.sum_of_pass = 0;
        self.sum_of_piece = 0;
    }

    /// Takes payload that begins at `offset` of the tape-format stream.
    pub(crate) fn push(&mut self, offset: u64, bytes: &[u8], findings: &mut Findings) {
        let mut input = bytes;
        let end = offset + bytes.len() as u64;
        while let Some(extent) = self.gather.take(&mut input, EXTENT) {
            let at = end - input.len() as u64 - EXTENT as u64;
            self.extent(at, extent.as_chunks::<PAGE>().0, findings);
            self.gather.reuse(extent);
        }
    }

    /// Compares a stream checksum with the payload before it.
    pub(crate) fn checksum_holds(&mut self, stored: u32) -> bool {
        // A data stream in several pieces has not been seen; whether its checksum covers a piece or all of them is open.
        let holds = stored == self.sum_of_pass || stored == self.sum_of_piece;
        self.sum_of_piece = 0;
        holds
    }

    /// Ends the pass; the error says that the stream does not end with an extent.
    pub(crate) fn end_pass(&mut self, findings: &mut Findings) -> Result<(), String> {
        self.confirm_pending(findings);
        match self.gather.waiting() {
            0 => Ok(()),
            left => {
                self.gather.clear();
                Err(format!("the data stream ends {left} bytes into an extent"))
            }
        }
    }

    fn extent(&mut self, offset: u64, pages: &[[u8; PAGE]], findings: &mut Findings) {
        let mut sums = [0_u32; PAGES];
        // From zero and joined afterwards, so that one running sum serves both stream sums: an extent is 128 sectors, a
        // multiple of 32, and rotating a sum by those is no change.
        let mut extent_sum = 0;
        for (sum, page) in sums.iter_mut().zip(pages) {
            *sum = page_sums(page, &mut extent_sum);
        }
        self.sum_of_pass ^= extent_sum;
        self.sum_of_piece ^= extent_sum;
        self.counts.total += PAGES as u64;
        let first = match identify(pages, &sums, |file| self.files.binary_search(&file).is_ok()) {
            Identity::Named(first) => {
                self.settle_pending(first, findings);
                self.place(offset, first, findings);
                self.pass_on(first, true, pages, findings);
                first
            }
            Identity::Nameless => {
                self.nameless(offset, pages, &sums, findings);
                return;
            }
            Identity::Filler => {
                self.filler(offset, pages, findings);
                return;
            }
        };
        for (slot, (page, sum)) in (0_u32..).zip(pages.iter().zip(sums)) {
            let id = PageId {
                file: first.file,
                page: first.page.saturating_add(slot),
            };
            self.page(offset + u64::from(slot) * PAGE as u64, id, page, sum, findings);
        }
    }

    /// Gives an extent to whoever takes it.
    fn pass_on(&self, first: PageId, is_named: bool, pages: &[[u8; PAGE]], findings: &mut Findings) {
        findings.event(|| {
            Event::Extent(Extent {
                pass: self.pass,
                file_id: first.file,
                first_page: first.page,
                is_named,
                pages: pages.as_flattened().to_vec(),
            })
        });
    }

    /// Takes note of a named extent and of what is wrong with its place in the stream.
    fn place(&mut self, offset: u64, first: PageId, findings: &mut Findings) {
        if !self.sent.mark(first) {
            let detail = format!("the extent of page {first} comes twice in one pass over the data files");
            findings.page(DamageKind::Extent, offset, first.file, first.page, detail);
        } else if self.pass == 1 && self.last.get(&first.file).is_some_and(|last| *last > first.page) {
            findings.unknown(format!(
                "the extent of page {first} comes after a later one of its file: an order this reader does not know"
            ));
        }
        self.last.insert(first.file, first.page);
        self.last_file = Some(first.file);
    }

    /// An extent of which no page names itself.
    fn nameless(&mut self, offset: u64, pages: &[[u8; PAGE]], sums: &[u32; PAGES], findings: &mut Findings) {
        if !self.is_whole {
            findings.unknown(
                "an extent without a formatted page cannot be placed in one family of a striped set",
            );
        }
        let first = self.assume();
        // In a further pass, and in one family of several, the maps do not tell which extent this is.
        if self.is_whole && self.pass == 1 && first.file != 0 {
            self.pass_on(first, false, pages, findings);
        }
        for (slot, (page, sum)) in (0_u32..).zip(pages.iter().zip(sums)) {
            let at = offset + u64::from(slot) * PAGE as u64;
            let id = PageId {
                file: first.file,
                page: first.page.saturating_add(slot),
            };
            let is_empty = matches!(
                judge(page, *sum, id),
                Judgement::Unformatted | Judgement::Stranger
            );
            if is_empty && (self.maps.is_allocated(id) || self.is_system(id)) {
                self.counts.unformatted += 1;
                self.pending.push((at, id));
            } else {
                self.page(at, id, page, *sum, findings);
            }
        }
        if self.pending.len() > PENDING {
            self.confirm_pending(findings);
        }
    }

    /// What a nameless extent is taken for: the next one that the maps say is sent; where there is none left, the first one of a file
    /// that has not begun.
    fn assume(&mut self) -> PageId {
        let next = self.last_file.and_then(|file| {
            let page = self.extent_maps.next_after(file, *self.last.get(&file)?)?;
            Some(PageId { file, page })
        });
        let unbegun = || {
            let file = self.files.iter().find(|file| !self.last.contains_key(file))?;
            Some(PageId { file: *file, page: 0 })
        };
        let behind_last = || {
            let file = self.last_file?;
            let page = self.last.get(&file)?.checked_add(PAGES as u32)?;
            Some(PageId { file, page })
        };
        let first = next
            .or_else(unbegun)
            .or_else(behind_last)
            .unwrap_or(PageId { file: 0, page: 0 });
        self.last.insert(first.file, first.page);
        self.last_file = Some(first.file);
        first
    }

    /// A named extent comes: where it lies behind the nameless ones before it, they were where they were taken to be.
    fn settle_pending(&mut self, next: PageId, findings: &mut Findings) {
        let Some((_, last)) = self.pending.last() else {
            return;
        };
        let confirmed = next.file != last.file || next.page > last.page;
        if confirmed {
            self.confirm_pending(findings);
        } else {
            // The place is taken after all, so the guess was wrong; the next guess goes from here.
            self.pending.clear();
            self.last.remove(&next.file);
        }
    }

    /// A page that every data file has: file header, PFS, GAM, SGAM, DCM, BCM. A second pass may send any extent first.
    fn is_system(&self, id: PageId) -> bool {
        self.pass == 1 && matches!(id.page, 0..=3 | 6 | 7)
    }

    fn confirm_pending(&mut self, findings: &mut Findings) {
        for (offset, id) in std::mem::take(&mut self.pending) {
            if self.is_whole {
                self.counts.unformatted -= 1;
                self.counts.checksum_bad += 1;
                findings.page(DamageKind::Page, offset, id.file, id.page, lost_page(id));
            }
        }
    }

    fn page(&mut self, offset: u64, id: PageId, page: &[u8; PAGE], sum: u32, findings: &mut Findings) {
        let counts = &mut self.counts;
        match judge(page, sum, id) {
            Judgement::ChecksumOk => counts.checksum_ok += 1,
            Judgement::TornOk => counts.torn_ok += 1,
            Judgement::Unprotected => counts.unprotected += 1,
            Judgement::ChecksumBad => {
                counts.checksum_bad += 1;
                self.content_bad += 1;
                self.encrypted_looking += u64::from(looks_encrypted(page));
                findings.page_content(
                    offset,
                    id.file,
                    id.page,
                    format!("the checksum of page {id} does not hold"),
                );
                return;
            }
            Judgement::TornBad => {
                counts.torn_bad += 1;
                let detail = format!("page {id} is torn: the bits in its sectors are not of one write");
                findings.page(DamageKind::Page, offset, id.file, id.page, detail);
                return;
            }
            Judgement::HeaderDamaged => {
                counts.checksum_bad += 1;
                let detail = format!(
                    "the header of page {id} is damaged: what protects the page holds only without it"
                );
                findings.page(DamageKind::Page, offset, id.file, id.page, detail);
                return;
            }
            Judgement::Stranger if self.maps.is_allocated(id) => {
                counts.checksum_bad += 1;
                let found = PageHeader::read(page).id;
                let detail = format!("page {found} lies in the place of page {id}, which is in use");
                findings.page(DamageKind::MisplacedPage, offset, id.file, id.page, detail);
                return;
            }
            Judgement::Unformatted if self.maps.is_allocated(id) => {
                counts.checksum_bad += 1;
                findings.page(DamageKind::Page, offset, id.file, id.page, lost_page(id));
                return;
            }
            Judgement::Stranger | Judgement::Unformatted => {
                counts.unformatted += 1;
                return;
            }
        }
        self.maps.learn(id, page[1], page);
        self.extent_maps.learn(id, page[1], page);
    }

    /// An extent of fillers: the headers of all eight are the same bytes.
    fn filler(&mut self, offset: u64, pages: &[[u8; PAGE]], findings: &mut Findings) {
        let header = |page: &[u8; PAGE]| crate::bytes::array::<96>(page, 0);
        // One of three agrees with another one as long as only one page is damaged.
        let usual = if header(&pages[0]) == header(&pages[1]) {
            header(&pages[0])
        } else {
            header(&pages[2])
        };
        for (slot, page) in (0_u64..).zip(pages) {
            if header(page) == usual {
                self.counts.unformatted += 1;
            } else {
                self.counts.checksum_bad += 1;
                let at = offset + slot * PAGE as u64;
                findings.structure(
                    DamageKind::Page,
                    at,
                    "the header of a filler page is not that of its neighbours",
                );
            }
        }
    }
}

fn lost_page(id: PageId) -> String {
    format!("page {id} is in use, but holds no formatted page")
}
