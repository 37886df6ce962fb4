//! The engine's side of restores.
//!
//! Pages come first, as the backup holds them; then log, which lands in the log file block by block as it was; then redo, as often as there is more log. Where
//! redo stands is on the boot page (`redo_start`), written when everything before it is in the files: whatever ends the process in between, what
//! was redone stays, and redo goes on there. While pages of a set are still coming there is no `redo_start`, and neither redo nor recovery is possible.
//!
//! Recovery puts the new fork on the boot page before it undoes anything; from then on no more log is taken. Should it be cut off, it is begun again: pages that it
//! had changed have LSNs of log that is cut off once more, and are set back before LSNs are given out a second time.
//!
//! Log of a real server lands like any other and ends redo with [`EngineError::Log`]: its records are not ours. A restore may leave it out
//! and recover without.

use std::collections::BTreeMap;

use bak::Lsn;
use bak::checksum::PAGE;
use bak::writer::LogSegment;
use uuid::Uuid;

use super::aside::{lsn_of, set_lsn};
use super::core::Core;
use super::differential::Differential;
use super::files::Files;
use super::log::Log;
use super::open::no_boot;
use super::pages::{EXTENT, PageId};
use super::record::{OpenTransaction, Record};
use super::redo::Replay;
use super::transaction::Transactions;
use super::{DatabaseFile, Engine, EngineError, RecoveryModel, Redone, Result, Stop};
use crate::moment::Moment;
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
        Self::over(Core::new(world, files, log, no_boot()))
    }

    /// Writes an extent as the backup holds it.
    ///
    /// # Errors
    /// The disk's; [`EngineError::DataFull`] for one that lies beyond the end of the largest file.
    pub fn restore_extent(&mut self, file_id: u16, extent: u32, pages: &[u8]) -> Result<()> {
        self.leave_standby()?;
        let core = &mut self.core;
        if extent >= EXTENTS_MAX {
            return Err(EngineError::DataFull);
        }
        if let Some((start, fork)) = core.boot.boot.redo_start
            && start != INCOMPLETE
        {
            core.boot.boot.redo_start = Some((INCOMPLETE, fork));
            core.write_boot()?;
        }
        let first = PageId {
            file: file_id,
            page: extent * EXTENT,
        };
        let count = u32::try_from(pages.len() / PAGE).unwrap_or(EXTENT);
        for page in first.page..first.page + count {
            core.pool.remove(PageId { file: file_id, page });
        }
        core.files.set_size(file_id, first.page + count)?;
        core.files.write_as_is(first, pages)
    }

    /// All extents of a set have come: reads the boot page, makes the pages durable. The log is empty from here on: the set brings its own.
    ///
    /// # Errors
    /// The disk's, and where there is no boot page.
    pub fn end_restore_pages(&mut self) -> Result<()> {
        let core = &mut self.core;
        core.files.sync()?;
        core.pool.clear();
        core.differential = Differential::default();
        core.read_boot()?;
        core.log = Log::create_empty(core.files.open_log(Open::Replace)?, core.files.log_plan())?;
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

    /// MOVE: where a file goes that is not in the pages' backup, but was added in the log behind it. To be called before [`Engine::redo`].
    pub fn move_added_file(&mut self, logical_name: &str, physical_name: &str) {
        let moves = &mut self.core.moves;
        moves.insert(logical_name.to_lowercase(), physical_name.to_owned());
    }

    /// Takes whole log blocks of a backup: `segment` as the backup describes it, `start` the byte of the log file where they begin. What
    /// is there already is passed over.
    ///
    /// # Errors
    /// [`EngineError::Log`] where log is missing between what is there and these blocks, and for a block that is damaged.
    pub fn restore_log(&mut self, segment: &LogSegment, start: u64, blocks: &[u8]) -> Result<()> {
        self.core.log.receive(segment, start, blocks)
    }

    /// Redoes the restored log from where the pages stand.
    ///
    /// # Errors
    /// Where log or pages are damaged, where the log is another engine's, where pages of a set are missing, and where recovery has begun.
    pub fn redo(&mut self, stop: Stop) -> Result<Redone> {
        self.leave_standby()?;
        let redone = self.core.redo(stop);
        self.core.settle(redone)
    }

    /// RECOVERY: undoes what did not commit, cuts off log beyond the stop, and opens the database for changes under a new fork
    /// (`fork`), beginning at the end of what was redone.
    ///
    /// # Errors
    /// As [`Engine::redo`].
    pub fn recover(&mut self, fork: Uuid, at: Moment) -> Result<()> {
        self.leave_standby()?;
        let recovered = if self.core.is_recovered() {
            // The process ended before it could tell anybody.
            self.core.recover_from_crash(at)
        } else {
            self.core.recover(fork, at)
        };
        self.core.settle(recovered)?;
        self.open_tables()?;
        self.core.boot.boot.redo_start = None;
        let done = self.core.checkpoint(at);
        self.core.settle(done).map(drop)
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

    /// Whether recovery has been through: the boot page, which comes without `redo_start` from a backup, too, names a checkpoint of the log that is here.
    fn is_recovered(&self) -> bool {
        let checkpoint = self.boot.boot.checkpoint_lsn;
        let record = self.log.record(checkpoint);
        let record = record.and_then(|bytes| Record::decode(checkpoint, &bytes));
        self.boot.boot.redo_start.is_none() && matches!(record, Ok(Record::Checkpoint { .. }))
    }

    fn redo(&mut self, stop: Stop) -> Result<Redone> {
        let (from, fork) = self.redo_start()?;
        if self.boot.boot.recovery_fork != fork {
            return Err(EngineError::Log {
                lsn: from,
                detail: "the recovery of the database has begun; it takes no more log".to_owned(),
            });
        }
        // The log that came must be durable before the boot page says that it was redone.
        self.flush_log()?;
        let replay = self.replay(self.boot.boot.checkpoint_lsn, from, stop)?;
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

    /// Notes where redo stands, and where the first log backup of the restored database would begin: where the log that was restored whole ends. One that
    /// redo stopped in has not been.
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

    fn recover(&mut self, fork: Uuid, at: Moment) -> Result<()> {
        let (end, restored) = self.redo_start()?;
        let is_again = self.boot.boot.recovery_fork != restored;
        self.boot.boot.recovery_fork = fork;
        self.boot.boot.first_fork = Some((restored, end));
        self.write_boot()?;
        // Until the checkpoint, nothing that is logged is redone after a crash: it is cut off and done again. Every page needs its copy aside.
        self.redo_from = Lsn {
            vlf: u32::MAX,
            ..Lsn::ZERO
        };
        let has_log = self.log.min_lsn() < self.log.next_lsn();
        let mut losers = BTreeMap::new();
        let mut end = end;
        if has_log {
            let replay = self.replay(self.boot.boot.checkpoint_lsn, end, Stop::Before(end))?;
            self.transactions = Transactions::new(replay.next_transaction);
            losers = replay.open;
        } else {
            // No log was taken, that of a real server as a rule: LSNs go on behind all that pages have.
            end = self.newest_page(None)?.max(end);
        }
        if is_again {
            self.newest_page(Some(end))?;
        }
        self.log.cut(end)?;
        let first = Record::Fork {
            fork,
            first: restored,
            point: end,
        };
        self.log.append_reserved(&first.encode())?;
        self.finish_recovery(&losers, at)
    }

    fn finish_recovery(&mut self, losers: &BTreeMap<u64, OpenTransaction>, at: Moment) -> Result<()> {
        self.undo_losers(losers, at)?;
        self.note_differential()
    }

    /// The newest LSN of any page. With `bound`, pages beyond it are set back to it.
    fn newest_page(&mut self, bound: Option<Lsn>) -> Result<Lsn> {
        let mut newest = Lsn::ZERO;
        for (file, size) in self.files.sizes() {
            for page in 0..size {
                let id = PageId { file, page };
                // What cannot be read has no say; whoever needs it will meet the damage.
                let Ok(frame) = self.fetch(id) else { continue };
                let own = super::data_file::own_id(&frame.page);
                if frame.page[0] != 1 || own != id {
                    continue;
                }
                let lsn = lsn_of(&frame.page[..]);
                newest = newest.max(lsn);
                if let Some(bound) = bound.filter(|bound| lsn > *bound) {
                    set_lsn(&mut frame.page, bound);
                    frame.is_dirty = true;
                }
            }
        }
        if bound.is_some() {
            self.write_all()?;
        }
        Ok(newest)
    }
}
