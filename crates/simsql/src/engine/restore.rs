//! The engine's side of restores.
//!
//! Pages come first, as the backup holds them; then log, which lands in the log file block by block as it was; then redo, as
//! often as there is more log. Where redo stands is on the boot page (`redo_start`), written when everything before it is in the
//! files: whatever ends the process in between, what was redone stays, and redo goes on there. While pages of a set are still
//! coming there is no `redo_start`, and neither redo nor recovery is possible.
//!
//! Log of a real server lands like any other and ends redo with [`EngineError::Log`]: its records are not ours. A restore may
//! leave it out and recover without.

use std::collections::BTreeMap;

use bak::Lsn;
use bak::checksum::PAGE;
use bak::writer::LogSegment;
use uuid::Uuid;

use super::boot_page::BOOT_PAGE;
use super::core::Core;
use super::differential::Differential;
use super::files::Files;
use super::log::Log;
use super::open::no_boot;
use super::pages::{EXTENT, Page, PageId};
use super::record::Record;
use super::recovery::Work;
use super::redo::Replay;
use super::{DatabaseFile, Engine, EngineError, RecoveryModel, Redone, Result, Stop};
use crate::world::{Open, World};

/// Where redo stands while the pages of a set are coming over those of another.
const INCOMPLETE: Lsn = Lsn::ZERO;

/// More extents than a data file has: SQL Server's largest are 16 TB.
const EXTENTS_MAX: u32 = (1 << 31) / EXTENT;

/// Restore.
impl Engine {
    /// Makes empty files for a restore (existing ones are replaced); the boot page comes with the backup's pages.
    ///
    /// # Errors
    /// The disk's.
    ///
    /// # Panics
    /// Where there is no log or no data file among them.
    pub fn begin_restore(world: &World, files: Vec<DatabaseFile>) -> Result<Self> {
        for path in super::open::side_files(&files) {
            if world.disk.look(&path).is_some() {
                let removed = world.disk.remove(&path);
                removed.map_err(|error| super::files::refused(&path, error))?;
            }
        }
        let files = Files::open(&world.disk, files, Open::Replace)?;
        let log = Log::create_empty(files.open_log(Open::Replace)?, files.log_plan())?;
        let mut core = Core::new(world, files, log, no_boot());
        core.is_restoring = true;
        Self::over(core)
    }

    /// Writes an extent as the backup holds it.
    ///
    /// # Errors
    /// The disk's; [`EngineError::DataFull`] for one that lies beyond the end of the largest file.
    pub fn restore_extent(&mut self, file_id: u16, extent: u32, pages: &[u8]) -> Result<()> {
        self.leave_standby()?;
        let core = &mut self.core;
        core.abandon_work();
        if extent >= EXTENTS_MAX {
            return Err(EngineError::DataFull);
        }
        let first = PageId {
            file: file_id,
            page: extent * EXTENT,
        };
        let count = u32::try_from(pages.len() / PAGE).unwrap_or(EXTENT);
        core.check_size(file_id, first.page + count)?;
        if let Some((start, fork)) = core.boot.boot.redo_start
            && start != INCOMPLETE
        {
            core.boot.boot.redo_start = Some((INCOMPLETE, fork));
            core.write_boot()?;
        }
        for page in first.page..first.page + count {
            core.pool.remove(PageId { file: file_id, page });
        }
        core.files.set_size(file_id, first.page + count)?;
        core.write_extent(first, pages)
    }

    /// All extents of a set have come: reads the boot page, makes the pages durable. The log is empty from here on: the set
    /// brings its own.
    ///
    /// # Errors
    /// The disk's, and where there is no boot page.
    pub fn end_restore_pages(&mut self) -> Result<()> {
        let core = &mut self.core;
        core.files.sync()?;
        core.pool.clear();
        core.differential = Differential::default();
        core.log = Log::create_empty(core.files.open_log(Open::Replace)?, core.files.log_plan())?;
        // Last, and behind the log's end: a boot page without `redo_start` and with a checkpoint that is in the log is that of a
        // database that was recovered.
        if let Some(page) = core.boot_page.take() {
            core.files.write_as_is(BOOT_PAGE, &page[..])?;
        }
        core.read_boot()?;
        let boot = &mut core.boot.boot;
        boot.redo_start = Some((boot.checkpoint_lsn, boot.recovery_fork));
        boot.log_chain_lsn = None;
        boot.last_log_backup_lsn = None;
        core.redo_from = core.boot.boot.checkpoint_lsn;
        core.write_boot()
    }

    /// Whether a real server made the pages: then there is none of our tables in them, and its log cannot be redone here.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.core.boot.catalog_iam.is_none()
    }

    /// How many pages the data files of the database can have at most, by file: what comes from a backup may be made to fill a
    /// disk, or to keep whoever reads all pages busy for ever. A file that is not listed has no limit.
    pub fn limit_files(&mut self, most: BTreeMap<u16, u32>) {
        self.core.limits = most;
    }

    /// MOVE: where a file goes that is not in the pages' backup, but was added in the log behind it. To be called before
    /// [`Engine::redo`].
    pub fn move_added_file(&mut self, logical_name: &str, physical_name: &str) {
        let moves = &mut self.core.moves;
        moves.insert(logical_name.to_lowercase(), physical_name.to_owned());
    }

    /// Takes whole log blocks of a backup: `segment` as the backup describes it, `start` the byte of the log file where they
    /// begin. What is there already is passed over.
    ///
    /// # Errors
    /// [`EngineError::Log`] where log is missing between what is there and these blocks, and for a block that is damaged.
    pub fn restore_log(&mut self, segment: &LogSegment, start: u64, blocks: &[u8]) -> Result<()> {
        self.core.log.receive(segment, start, blocks)
    }

    /// Redoes the restored log from where the pages stand, in one call.
    ///
    /// # Errors
    /// Where log or pages are damaged, where the log is another engine's, where pages of a set are missing, and where recovery
    /// has begun.
    pub fn redo(&mut self, stop: Stop) -> Result<Redone> {
        self.begin_redo(stop)?;
        while !self.redo_piece()? {}
        self.end_redo()
    }

    /// Begins redo in pieces: then [`Engine::redo_piece`] until it says that it was the last one, then [`Engine::end_redo`]. One
    /// that was begun before and not ended is given up.
    ///
    /// # Errors
    /// As [`Engine::redo`].
    pub fn begin_redo(&mut self, stop: Stop) -> Result<()> {
        self.leave_standby()?;
        self.core.abandon_work();
        let begun = self.core.begin_redo(stop);
        self.core.settle(begun)
    }

    /// Redoes a bounded part of the log; `true` where nothing is left.
    ///
    /// # Errors
    /// As [`Engine::redo`]; redo is given up then.
    pub fn redo_piece(&mut self) -> Result<bool> {
        let Some(Work::Redo { mut replay, before }) = self.core.work.take() else {
            return Ok(true);
        };
        let done = self.core.replay_piece(&mut replay);
        self.core.work = Some(Work::Redo { replay, before });
        self.core.settle(done).inspect_err(|_| self.core.abandon_work())
    }

    /// Notes on the boot page how far redo came.
    ///
    /// # Errors
    /// The disk's, and [`EngineError::Log`] where no redo was begun.
    pub fn end_redo(&mut self) -> Result<Redone> {
        let ended = self.core.end_redo();
        self.core.settle(ended)
    }

    /// Gives up what was begun in pieces. Redo can be begun anew, and so can recovery.
    pub fn abandon(&mut self) {
        self.core.abandon_work();
    }

    /// Whether recovery has been through, although the restore was not told to be done: its process ended in between.
    #[must_use]
    pub fn is_recovered(&self) -> bool {
        self.core.is_recovered()
    }
}

impl Core {
    /// Where redo stands: its LSN and the fork that was restored.
    pub(super) fn redo_start(&self) -> Result<(Lsn, Uuid)> {
        let start = self.boot.boot.redo_start.filter(|(lsn, _)| *lsn != INCOMPLETE);
        start.ok_or_else(|| EngineError::Log {
            lsn: self.boot.boot.checkpoint_lsn,
            detail: "the pages of a backup set have not been restored completely".to_owned(),
        })
    }

    /// Whether a restoring database may have so many pages in a file.
    pub(super) fn check_size(&self, file_id: u16, pages: u32) -> Result<()> {
        let most = self.limits.get(&file_id).copied().unwrap_or(u32::MAX);
        if self.is_restoring && pages > most {
            return Err(EngineError::DataFull);
        }
        Ok(())
    }

    /// Puts an extent in its place, but for the boot page: that comes last.
    fn write_extent(&mut self, first: PageId, pages: &[u8]) -> Result<()> {
        let slot = BOOT_PAGE
            .page
            .checked_sub(first.page)
            .map(|slot| slot as usize * PAGE);
        let boot = slot.filter(|slot| first.file == BOOT_PAGE.file && *slot + PAGE <= pages.len());
        let Some(slot) = boot else {
            return self.files.write_as_is(first, pages);
        };
        let mut page: Box<Page> = Box::new([0; PAGE]);
        page.copy_from_slice(&pages[slot..slot + PAGE]);
        self.boot_page = Some(page);
        self.files.write_as_is(first, &pages[..slot])?;
        let behind = PageId {
            page: BOOT_PAGE.page + 1,
            ..BOOT_PAGE
        };
        self.files.write_as_is(behind, &pages[slot + PAGE..])
    }

    /// Whether recovery has been through: there is no `redo_start`, and the boot page names a checkpoint of the log that is here.
    pub(super) fn is_recovered(&self) -> bool {
        let checkpoint = self.boot.boot.checkpoint_lsn;
        let record = self.log.record(checkpoint);
        let record = record.and_then(|bytes| Record::decode(checkpoint, &bytes));
        self.boot.boot.redo_start.is_none() && matches!(record, Ok(Record::Checkpoint { .. }))
    }

    fn begin_redo(&mut self, stop: Stop) -> Result<()> {
        let (from, fork) = self.redo_start()?;
        if self.boot.boot.recovery_fork != fork {
            return Err(EngineError::Log {
                lsn: from,
                detail: "the recovery of the database has begun; it takes no more log".to_owned(),
            });
        }
        // The log that came must be durable before the boot page says that it was redone.
        self.flush_log()?;
        let replay = Box::new(Replay::new(self.boot.boot.checkpoint_lsn, from, stop));
        let before = Box::new(self.boot.clone());
        self.work = Some(Work::Redo { replay, before });
        Ok(())
    }

    fn end_redo(&mut self) -> Result<Redone> {
        let Some(Work::Redo { replay, .. }) = self.work.take() else {
            return Err(EngineError::Log {
                lsn: self.boot.boot.checkpoint_lsn,
                detail: "no redo was begun".to_owned(),
            });
        };
        self.note_differential()?;
        self.write_all()?;
        self.note_redo(&replay);
        self.write_boot()?;
        self.redo_from = replay.end;
        self.log.note_redo(replay.end);
        let keep = replay.open.values().map(|one| one.begin);
        let keep = keep
            .chain([replay.checkpoint])
            .chain(self.boot.boot.last_log_backup_lsn);
        if let Some(keep) = keep.min() {
            self.log.truncate(keep)?;
        }
        Ok(Redone {
            next_lsn: replay.end,
            stopped: replay.stopped,
            last_commit: replay.last_commit,
        })
    }

    /// Notes where redo stands, and where the first log backup of the restored database would begin: where the log that was
    /// restored whole ends. One that redo stopped in has not been.
    fn note_redo(&mut self, replay: &Replay) {
        let oldest = self.log.min_lsn();
        let boot = &mut self.boot.boot;
        boot.checkpoint_lsn = replay.checkpoint;
        boot.redo_start = Some((replay.end, boot.recovery_fork));
        if boot.recovery_model == RecoveryModel::Simple {
            return;
        }
        boot.log_chain_lsn = boot.log_chain_lsn.or(Some(replay.checkpoint));
        boot.last_log_backup_lsn = if replay.stopped {
            boot.last_log_backup_lsn.or(Some(oldest))
        } else {
            Some(replay.end)
        };
    }
}
