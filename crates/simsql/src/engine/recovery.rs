//! RECOVERY: the end of a restore, in pieces of bounded size, between which its caller may let others run.
//!
//! First the log is read for who is still at work, and pages are looked at where LSNs depend on them; that changes nothing. Then
//! the new fork goes on the boot page, and from then on no more log is taken. Should recovery be cut off behind that, by a crash
//! or by whoever gives it up, it is begun again: pages that it had changed have LSNs of log that is cut off once more, and are
//! set back before LSNs are given out a second time.

use std::collections::BTreeMap;

use bak::Lsn;
use uuid::Uuid;

use super::aside::{lsn_of, set_lsn};
use super::boot_page::BootPage;
use super::core::Core;
use super::pages::PageId;
use super::record::{OpenTransaction, Record};
use super::redo::Replay;
use super::transaction::{Transactions, Undone};
use super::{Engine, Result, Stop};
use crate::moment::Moment;

/// Pages that are looked at in a piece: 8 MiB.
const PAGES: u32 = 1024;
/// Records that are undone in a piece.
const UNDONE: usize = 1024;

/// What is done in pieces.
pub(super) enum Work {
    /// Redo; and the boot page as it was before.
    Redo {
        replay: Box<Replay>,
        before: Box<BootPage>,
    },
    Recovery(Box<Recovery>),
}

/// A recovery under way.
pub(super) struct Recovery {
    fork: Uuid,
    at: Moment,
    /// Where redo stands, and the fork that was restored.
    stands: Lsn,
    restored: Uuid,
    /// Where the log ends: there, or behind all pages where no log came.
    end: Lsn,
    /// One was begun before.
    is_again: bool,
    losers: BTreeMap<u64, OpenTransaction>,
    stage: Stage,
}

/// What comes next.
enum Stage {
    /// Reading the log for who is still at work.
    Reading(Box<Replay>),
    /// Looking for the newest LSN of any page.
    Looking(Walk),
    /// The fork goes on the boot page.
    Parting,
    /// Setting pages back.
    SettingBack(Walk),
    /// The log behind the end goes.
    Cutting,
    /// Undoing: where the youngest of the losers stands.
    Undoing(Option<Lsn>),
    /// All is undone.
    Closing,
}

/// A way through all pages.
struct Walk {
    next: PageId,
    newest: Lsn,
    /// Pages beyond it are set back to it.
    bound: Option<Lsn>,
}

impl Engine {
    /// RECOVERY in one call: undoes what did not commit, cuts off log beyond the stop, and opens the database for changes under a
    /// new fork (`fork`), beginning at the end of what was redone.
    ///
    /// # Errors
    /// As [`Engine::redo`].
    pub fn recover(&mut self, fork: Uuid, at: Moment) -> Result<()> {
        self.begin_recovery(fork, at)?;
        while !self.recovery_piece()? {}
        Ok(())
    }

    /// Begins recovery in pieces: then [`Engine::recovery_piece`] until it says that it was the last one.
    ///
    /// # Errors
    /// As [`Engine::redo`].
    pub fn begin_recovery(&mut self, fork: Uuid, at: Moment) -> Result<()> {
        self.leave_standby()?;
        self.core.abandon_work();
        let begun = self.core.begin_recovery(fork, at);
        self.core.settle(begun)
    }

    /// Does a bounded part of recovery; `true` where the database is recovered.
    ///
    /// # Errors
    /// As [`Engine::redo`]; it can be begun again.
    pub fn recovery_piece(&mut self) -> Result<bool> {
        let Some(Work::Recovery(mut recovery)) = self.core.work.take() else {
            return Ok(true);
        };
        if matches!(recovery.stage, Stage::Closing) {
            self.close_recovery(recovery.at)?;
            return Ok(true);
        }
        let done = self.core.recovery_piece(&mut recovery);
        self.core.settle(done)?;
        self.core.work = Some(Work::Recovery(recovery));
        Ok(false)
    }

    fn close_recovery(&mut self, at: Moment) -> Result<()> {
        let noted = self.core.note_differential();
        self.core.settle(noted)?;
        self.open_tables()?;
        let boot = &mut self.core.boot.boot;
        (boot.redo_start, boot.restored) = (None, None);
        self.core.is_restoring = false;
        let done = self.core.checkpoint(at);
        self.core.settle(done).map(drop)
    }
}

impl Core {
    /// Gives up what was begun in pieces: the facts of the boot page are those that it had.
    pub(super) fn abandon_work(&mut self) {
        if let Some(Work::Redo { before, .. }) = self.work.take() {
            self.boot = *before;
        }
    }

    fn begin_recovery(&mut self, fork: Uuid, at: Moment) -> Result<()> {
        let checkpoint = self.boot.boot.checkpoint_lsn;
        let (recovered, has_log) = (self.is_recovered(), self.log.min_lsn() < self.log.next_lsn());
        let (stands, restored) = if recovered {
            (Lsn::ZERO, self.boot.boot.recovery_fork)
        } else {
            self.redo_start()?
        };
        let stage = if recovered {
            // The process ended before it could tell anybody: what is left is recovery from a crash.
            Stage::Reading(Box::new(Replay::new(checkpoint, Lsn::ZERO, Stop::End)))
        } else if has_log {
            Stage::Reading(Box::new(Replay::new(checkpoint, stands, Stop::Before(stands))))
        } else {
            // No log was taken, that of a real server as a rule: LSNs go on behind all that pages have.
            Stage::Looking(Walk::new(None))
        };
        self.work = Some(Work::Recovery(Box::new(Recovery {
            fork,
            at,
            stands,
            restored,
            end: stands,
            is_again: self.boot.boot.recovery_fork != restored,
            losers: BTreeMap::new(),
            stage,
        })));
        Ok(())
    }

    fn recovery_piece(&mut self, recovery: &mut Recovery) -> Result<()> {
        match &mut recovery.stage {
            Stage::Reading(replay) => {
                if self.replay_piece(replay)? {
                    recovery.losers = std::mem::take(&mut replay.open);
                    self.transactions = Transactions::new(replay.next_transaction);
                    recovery.stage = if self.is_recovered() {
                        Stage::Undoing(None)
                    } else {
                        Stage::Parting
                    };
                }
            }
            Stage::Looking(walk) => {
                if self.walk(walk)? {
                    recovery.end = walk.newest.max(recovery.end);
                    recovery.stage = Stage::Parting;
                }
            }
            Stage::Parting => {
                self.part(recovery)?;
                recovery.stage = if recovery.is_again {
                    Stage::SettingBack(Walk::new(Some(recovery.end)))
                } else {
                    Stage::Cutting
                };
            }
            Stage::SettingBack(walk) => {
                if self.walk(walk)? {
                    self.write_all()?;
                    recovery.stage = Stage::Cutting;
                }
            }
            Stage::Cutting => {
                self.begin_fork(recovery)?;
                recovery.stage = Stage::Undoing(None);
            }
            Stage::Undoing(_) => self.undo_piece(recovery)?,
            Stage::Closing => {}
        }
        Ok(())
    }

    /// The new fork goes on the boot page.
    fn part(&mut self, recovery: &Recovery) -> Result<()> {
        let boot = &mut self.boot.boot;
        boot.recovery_fork = recovery.fork;
        boot.first_fork = Some((recovery.restored, recovery.stands));
        self.write_boot()?;
        // Until the checkpoint, nothing that is logged is redone after a crash: it is cut off and done again. Every page needs
        // its copy aside.
        self.redo_from = Lsn {
            vlf: u32::MAX,
            ..Lsn::ZERO
        };
        Ok(())
    }

    fn begin_fork(&mut self, recovery: &Recovery) -> Result<()> {
        self.log.cut(recovery.end)?;
        let first = Record::Fork {
            fork: recovery.fork,
            first: recovery.restored,
            point: recovery.end,
        };
        self.log.append_reserved(&first.encode()).map(drop)
    }

    /// Undoes the youngest of the losers, or a part of it.
    fn undo_piece(&mut self, recovery: &mut Recovery) -> Result<()> {
        let Stage::Undoing(place) = &mut recovery.stage else {
            return Ok(());
        };
        for _ in 0..UNDONE {
            let Some((_, loser)) = recovery.losers.last_key_value() else {
                self.flush_log()?;
                recovery.stage = Stage::Closing;
                return Ok(());
            };
            match self.undo_one(loser.id, place.unwrap_or(loser.last))? {
                Undone::Write { next, .. } | Undone::Nothing { next } => *place = Some(next),
                Undone::All => {
                    let end = Record::Abort {
                        transaction: loser.id,
                        at: recovery.at,
                    };
                    self.log.append_reserved(&end.encode())?;
                    recovery.losers.pop_last();
                    *place = None;
                }
            }
        }
        Ok(())
    }

    /// A piece of the way through all pages; `true` at its end.
    fn walk(&mut self, walk: &mut Walk) -> Result<bool> {
        for _ in 0..PAGES {
            let Some(id) = self.page_from(walk.next) else {
                return Ok(true);
            };
            walk.next = PageId {
                page: id.page + 1,
                ..id
            };
            // What cannot be read has no say; whoever needs it will meet the damage.
            let Ok(frame) = self.fetch(id) else { continue };
            let own = super::data_file::own_id(&frame.page);
            if frame.page[0] != 1 || own != id {
                continue;
            }
            let lsn = lsn_of(&frame.page[..]);
            walk.newest = walk.newest.max(lsn);
            if let Some(bound) = walk.bound.filter(|bound| lsn > *bound) {
                set_lsn(&mut frame.page, bound);
                frame.is_dirty = true;
            }
        }
        Ok(false)
    }

    /// The first page from `from` on.
    fn page_from(&self, from: PageId) -> Option<PageId> {
        let sizes = self.files.sizes().into_iter();
        let mut rest = sizes.filter(|(file, _)| *file >= from.file);
        rest.find_map(|(file, size)| {
            let page = if file == from.file { from.page } else { 0 };
            (page < size).then_some(PageId { file, page })
        })
    }
}

impl Walk {
    fn new(bound: Option<Lsn>) -> Self {
        Self {
            next: PageId { file: 0, page: 0 },
            newest: Lsn::ZERO,
            bound,
        }
    }
}
