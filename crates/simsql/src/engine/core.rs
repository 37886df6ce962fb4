//! The parts of an engine, and how a page gets into memory and out of it again.
//!
//! Out of it under two rules. The write-ahead rule: what the page's newest record says must be durable first. And no page is
//! written in its place before a whole copy of it is durable elsewhere ([`super::aside`]), but for one whose content redo would
//! make anew anyway.

use std::collections::BTreeMap;

use bak::Lsn;

use super::aside::{Aside, BATCH};
use super::backup::Running;
use super::boot::Protection;
use super::boot_page::{BOOT_PAGE, BootPage};
use super::differential::Differential;
use super::files::Files;
use super::log::Log;
use super::pages::{Page, PageId};
use super::pool::{Frame, Pool};
use super::recovery::Work;
use super::section::Section;
use super::transaction::Transactions;
use super::{EngineError, Result};
use crate::world::World;

/// The parts.
pub(crate) struct Core {
    pub(super) world: World,
    pub(super) files: Files,
    pub(super) log: Log,
    pub(super) pool: Pool,
    pub(super) aside: Aside,
    pub(super) boot: BootPage,
    pub(super) transactions: Transactions,
    pub(super) section: Section,
    pub(super) differential: Differential,
    /// The data backup under way.
    pub(super) backup: Option<Running>,
    /// Where a log backup under way needs the log from.
    pub(super) pinned: Option<Lsn>,
    /// Where redo would begin if the power went now.
    pub(super) redo_from: Lsn,
    /// Where files go that redo adds, by logical name in lower case.
    pub(super) moves: BTreeMap<String, String>,
    /// Pages that data files may have at most while a restore goes on, as the backup has them; none for a file that is not listed.
    pub(super) limits: BTreeMap<u16, u32>,
    /// The boot page of a backup whose pages are coming: it takes its place when all of them have.
    pub(super) boot_page: Option<Box<Page>>,
    /// What is done in pieces, between two of them.
    pub(super) work: Option<Work>,
    /// Neither recovered nor made here: nothing is logged.
    pub(super) is_restoring: bool,
    /// The undo file, while the database is in standby.
    pub(super) standby: Option<String>,
    /// Why nothing is done any more: the log could not be written.
    pub(super) broken: Option<EngineError>,
    /// Whether the write-ahead rule is kept; always, but where a test shows what happens without.
    pub(super) keeps_write_ahead: bool,
}

impl Core {
    /// A page, from its file if it is not in memory.
    pub(super) fn fetch(&mut self, id: PageId) -> Result<&mut Frame> {
        if self.pool.get(id).is_none() {
            self.make_room()?;
            let page = self.files.file(id.file)?.read_page(id.page)?;
            self.pool.put(id, Frame::clean(page));
        }
        Ok(self.pool.get_mut(id).expect("the page was just put there"))
    }

    /// Lets frames go until another page has its place, or all of them are held.
    pub(super) fn make_room(&mut self) -> Result<()> {
        while self.pool.is_full() {
            if self.pool.evict() {
                continue;
            }
            let batch = self.pool.dirty_from_hand(BATCH);
            if batch.is_empty() {
                break;
            }
            self.write_back(&batch)?;
        }
        Ok(())
    }

    /// Writes at most [`BATCH`] pages to their files, in whatever order they are given; they are durable after [`Files::sync`].
    pub(super) fn write_back(&mut self, ids: &[PageId]) -> Result<()> {
        let frames = ids.iter().filter_map(|id| self.pool.get(*id));
        let newest = frames.map(|frame| frame.wal).max().unwrap_or(Lsn::ZERO);
        if self.keeps_write_ahead && newest >= self.log.durable_lsn() {
            self.flush_log()?;
        }
        let protection = self.boot.boot.page_verify;
        let copies = self.protected(ids, protection);
        if !copies.is_empty() {
            self.files.sync()?;
            self.aside.put(&copies)?;
        }
        for id in ids {
            let Some(frame) = self.pool.get(*id) else { continue };
            self.files.write(*id, &frame.page, protection)?;
            if let Some(frame) = self.pool.get_mut(*id) {
                frame.is_dirty = false;
            }
        }
        Ok(())
    }

    /// The pages that need a copy aside, as they will be written. One that a record made anew since where redo would begin needs
    /// none: a torn one does not agree with its checksum, and redo makes it anew whatever its file holds.
    fn protected(&self, ids: &[PageId], protection: Protection) -> Vec<(PageId, Box<Page>)> {
        let redone = |frame: &Frame| protection == Protection::Checksum && frame.formatted >= self.redo_from;
        ids.iter()
            .filter_map(|id| {
                let frame = self.pool.get(*id)?;
                if frame.formatted != Lsn::ZERO && redone(frame) {
                    return None;
                }
                let mut copy = frame.page.clone();
                bak::writer::page::protect(&mut copy, protection);
                Some((*id, copy))
            })
            .collect()
    }

    /// Writes all changed pages and makes them durable.
    pub(super) fn write_all(&mut self) -> Result<()> {
        for batch in self.pool.dirty().chunks(BATCH) {
            self.write_back(batch)?;
        }
        self.files.sync()
    }

    /// Puts back whole copies of pages that a lost process may have left torn.
    pub(super) fn mend_torn_pages(&mut self) -> Result<()> {
        for (id, copy) in self.aside.left_behind()? {
            let Ok(file) = self.files.file(id.file) else {
                continue;
            };
            let mut present = Vec::new();
            let is_older = match file.read_run(id.page, 1, false, &mut present) {
                Ok(()) => super::aside::lsn_of(&present) <= super::aside::lsn_of(&copy[..]),
                Err(_) => false,
            };
            if is_older {
                self.files.write_as_is(id, &copy[..])?;
            }
        }
        self.files.sync()
    }

    /// Writes the facts of the database to the boot page, durably.
    pub(super) fn write_boot(&mut self) -> Result<()> {
        let boot = self.boot.clone();
        let frame = self.fetch(BOOT_PAGE)?;
        boot.encode(&mut frame.page);
        frame.is_dirty = true;
        self.differential.mark(BOOT_PAGE);
        self.write_back(&[BOOT_PAGE])?;
        self.files.sync()
    }

    /// Makes the log durable. Where that fails, nothing more is done.
    pub(super) fn flush_log(&mut self) -> Result<()> {
        let flushed = self.log.flush();
        if let Err(error) = &flushed {
            self.broken.get_or_insert_with(|| error.clone());
        }
        flushed
    }
}
