//! STANDBY: a restoring database that can be read meanwhile.
//!
//! What had not committed where redo stands is undone on the pages, without log (the log is the backup's) and without a new LSN;
//! before that, the pages as redo left them go to the undo file, from which they come back before anything else is restored. A
//! small file beside the primary data file names the undo file as long as pages may be undone, so that a crash in the midst of it
//! is made good when the database is opened.
//!
//! The undo file: 8 KiB of header (magic, count), then for each page 512 bytes that name it and the checksum of its bytes, and
//! the page.

use std::collections::BTreeSet;

use bak::Lsn;
use bak::checksum::{PAGE, SECTOR, sector_sum};

use super::core::Core;
use super::files::{open, refused};
use super::pages::{Page, PageId};
use super::pool::Frame;
use super::record::Record;
use super::{Engine, EngineError, Result, Stop};
use crate::world::{Kind, Open};

const HEADER: usize = PAGE;
const MAGIC: &[u8; 8] = b"UNDO\0\0\0\x01";
const STEP: usize = SECTOR + PAGE;
/// The longest path of an undo file, in bytes.
const LONGEST_PATH: usize = 4096;

/// The path of the file that names the undo file.
pub(super) fn path(primary: &str) -> String {
    format!("{primary}.standby")
}

/// Standby.
impl Engine {
    /// STANDBY: undoes what did not commit and puts what that changed aside into a file, so that [`Engine::leave_standby`] brings
    /// it back before further log is restored. The database can be read meanwhile.
    ///
    /// # Errors
    /// As [`Engine::redo`], and where the undo file cannot be written.
    pub fn enter_standby(&mut self, undo_file: &str) -> Result<()> {
        self.leave_standby()?;
        self.core.abandon_work();
        let entered = self.core.enter_standby(undo_file);
        self.core.settle(entered)?;
        self.open_tables_to_read()
    }

    /// Brings back what [`Engine::enter_standby`] undid. Does nothing for a database that is not in standby.
    ///
    /// # Errors
    /// Where the undo file is missing or damaged: the database must be restored from the beginning then.
    pub fn leave_standby(&mut self) -> Result<()> {
        if self.core.standby.is_none() {
            return Ok(());
        }
        let left = self.core.leave_standby();
        self.core.settle(left)?;
        self.forget_tables()
    }

    /// A process that ended in standby, or on the way into it or out of it, left the file that says so. Both files stay as they
    /// are, so that this can be cut off and done again.
    pub(super) fn resume_standby(&mut self) -> Result<()> {
        let Some(undo_file) = self.core.standby_left_behind()? else {
            return Ok(());
        };
        let resumed = self.core.resume_standby(undo_file);
        self.core.settle(resumed)?;
        self.open_tables_to_read()
    }
}

impl Core {
    fn enter_standby(&mut self, undo_file: &str) -> Result<()> {
        let undo = self.writes_to_undo()?;
        let pages: BTreeSet<PageId> = undo.iter().map(|(_, page)| *page).collect();
        self.write_undo_file(undo_file, &pages)?;
        self.name_undo_file(undo_file)?;
        self.standby = Some(undo_file.to_owned());
        self.undo_without_log(&undo)
    }

    fn resume_standby(&mut self, undo_file: String) -> Result<()> {
        self.bring_back(&undo_file)?;
        self.standby = Some(undo_file);
        let undo = self.writes_to_undo()?;
        self.undo_without_log(&undo)
    }

    /// The writes of transactions that are open where redo stands, each transaction's newest first, and their pages.
    fn writes_to_undo(&mut self) -> Result<Vec<(Lsn, PageId)>> {
        let (end, _) = self.redo_start()?;
        let mut undo = Vec::new();
        if self.log.min_lsn() == self.log.next_lsn() {
            return Ok(undo);
        }
        let replay = self.replay(self.boot.boot.checkpoint_lsn, end, Stop::Before(end))?;
        for loser in replay.open.values().rev() {
            let mut next = loser.last;
            loop {
                match Record::decode(next, &self.log.record(next)?)?.leading_back(next)? {
                    Record::Write { previous, page, .. } => {
                        undo.push((next, page));
                        next = previous;
                    }
                    Record::Compensation { undo_next, .. } => next = undo_next,
                    _ => break,
                }
            }
        }
        Ok(undo)
    }

    fn undo_without_log(&mut self, undo: &[(Lsn, PageId)]) -> Result<()> {
        for (lsn, page) in undo {
            if let Record::Write { offset, before, .. } = Record::decode(*lsn, &self.log.record(*lsn)?)? {
                let frame = self.fetch(*page)?;
                let start = usize::from(offset);
                frame.page[start..start + before.len()].copy_from_slice(&before);
                frame.is_dirty = true;
            }
        }
        self.write_all()
    }

    fn write_undo_file(&mut self, undo_file: &str, pages: &BTreeSet<PageId>) -> Result<()> {
        let file = open(&*self.world.disk, undo_file, Open::Replace)?;
        let failed = |error| refused(undo_file, error);
        let mut header = vec![0; HEADER];
        header[..8].copy_from_slice(MAGIC);
        header[8..12].copy_from_slice(&(pages.len() as u32).to_le_bytes());
        file.write_at(0, &header).map_err(failed)?;
        for (index, id) in pages.iter().enumerate() {
            let page = &self.fetch(*id)?.page;
            let mut step = vec![0; SECTOR];
            step[..2].copy_from_slice(&id.file.to_le_bytes());
            step[2..6].copy_from_slice(&id.page.to_le_bytes());
            step[6..10].copy_from_slice(&sector_sum(&page[..]).to_le_bytes());
            step.extend_from_slice(&page[..]);
            let at = (HEADER + index * STEP) as u64;
            file.write_at(at, &step).map_err(failed)?;
        }
        file.sync().map_err(failed)
    }

    fn name_undo_file(&self, undo_file: &str) -> Result<()> {
        let name = path(self.files.primary());
        let file = open(&*self.world.disk, &name, Open::Replace)?;
        // Its length says whether it is whole: a file that power cut short names nothing, and then no page was undone.
        let mut text = undo_file.as_bytes().to_vec();
        text.push(b'\n');
        file.write_at(0, &text)
            .and_then(|()| file.sync())
            .map_err(|error| refused(&name, error))
    }

    fn standby_left_behind(&self) -> Result<Option<String>> {
        let name = path(self.files.primary());
        if self.world.disk.look(&name) != Some(Kind::File) {
            return Ok(None);
        }
        let file = open(&*self.world.disk, &name, Open::Read)?;
        let length = file.len().map_err(|error| refused(&name, error))?;
        let mut bytes = vec![0; (length as usize).min(LONGEST_PATH)];
        file.read_at(0, &mut bytes)
            .map_err(|error| refused(&name, error))?;
        let text = String::from_utf8(bytes).unwrap_or_default();
        Ok(text.strip_suffix('\n').map(str::to_owned))
    }

    fn leave_standby(&mut self) -> Result<()> {
        let Some(undo_file) = self.standby.clone() else {
            return Ok(());
        };
        self.bring_back(&undo_file)?;
        let name = path(self.files.primary());
        let disk = &self.world.disk;
        disk.remove(&name).map_err(|error| refused(&name, error))?;
        self.standby = None;
        disk.remove(&undo_file)
            .map_err(|error| refused(&undo_file, error))
    }

    /// Puts the pages of the undo file back in their places.
    fn bring_back(&mut self, undo_file: &str) -> Result<()> {
        for (id, page) in self.read_undo_file(undo_file)? {
            self.make_room()?;
            let mut frame = Frame::clean(page);
            frame.is_dirty = true;
            self.pool.put(id, frame);
        }
        self.write_all()
    }

    fn read_undo_file(&self, undo_file: &str) -> Result<Vec<(PageId, Box<Page>)>> {
        let file = open(&*self.world.disk, undo_file, Open::Read)?;
        let failed = |error| refused(undo_file, error);
        let damaged = || EngineError::Page {
            path: undo_file.to_owned(),
            page: PageId { file: 0, page: 0 },
            detail: "the undo file is damaged".to_owned(),
        };
        let mut header = vec![0; HEADER];
        file.read_at(0, &mut header).map_err(failed)?;
        if header[..8] != *MAGIC {
            return Err(damaged());
        }
        let count = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let mut pages = Vec::new();
        for index in 0..count as usize {
            let mut step = vec![0; STEP];
            let at = (HEADER + index * STEP) as u64;
            file.read_at(at, &mut step).map_err(failed)?;
            let id = PageId {
                file: u16::from_le_bytes([step[0], step[1]]),
                page: u32::from_le_bytes([step[2], step[3], step[4], step[5]]),
            };
            let sum = u32::from_le_bytes([step[6], step[7], step[8], step[9]]);
            let mut page: Box<Page> = Box::new([0; PAGE]);
            page.copy_from_slice(&step[SECTOR..]);
            if sector_sum(&page[..]) != sum {
                return Err(damaged());
            }
            pages.push((id, page));
        }
        Ok(pages)
    }
}
