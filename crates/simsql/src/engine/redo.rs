//! Redo: the log is read from a checkpoint on, what its pages lack is done again, and who was still at work at its end becomes
//! known.
//!
//! A record is applied to its page when the page's LSN is older. The page's extent is marked as changed in any case: see
//! [`super::differential`]. A section of system changes is applied when its last record has been read, or never.
//!
//! A page that cannot be read is passed over as long as a record further on makes it anew: such pages are written without a copy
//! aside ([`Core::write_back`]) and may be torn. Where no such record comes the page is damaged, and that is the error.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bak::Lsn;

use super::aside::{lsn_of, set_lsn};
use super::core::Core;
use super::pages::{EXTENT, Page, PageId};
use super::pool::Frame;
use super::record::{OpenTransaction, Options, Record};
use super::{DatabaseFile, EngineError, Result, Stop};
use crate::moment::Moment;
use crate::world::{Kind, Open};

/// Bytes of records that are held in memory at a time.
const CHUNK: usize = 1024 * 1024;

/// What reading the log told.
pub(super) struct Replay {
    /// Transactions without an end.
    pub(super) open: BTreeMap<u64, OpenTransaction>,
    /// The number of the next transaction.
    pub(super) next_transaction: u64,
    /// The last checkpoint.
    pub(super) checkpoint: Lsn,
    /// Behind the last record that counted.
    pub(super) end: Lsn,
    /// Whether `stop` was met.
    pub(super) stopped: bool,
    /// Time of the last commit.
    pub(super) last_commit: Option<Moment>,
    /// Where it began, and up to where it goes.
    from: Lsn,
    stop: Stop,
    /// The last record that was read.
    last: Option<Lsn>,
    /// Records before this one are known to be on their pages.
    apply_from: Lsn,
    /// Records of a section whose end has not come.
    section: Vec<(Lsn, Record)>,
    /// Pages that cannot be read, and why.
    damaged: BTreeMap<PageId, EngineError>,
}

impl Core {
    /// Reads the log from the checkpoint at `from` to `stop`, and makes the changes from `apply_from` on that pages lack.
    pub(super) fn replay(&mut self, from: Lsn, apply_from: Lsn, stop: Stop) -> Result<Replay> {
        let mut replay = Replay::new(from, apply_from, stop);
        while !self.replay_piece(&mut replay)? {}
        Ok(replay)
    }

    /// One piece of a replay, [`CHUNK`] bytes of records; `true` where that was the last one.
    pub(super) fn replay_piece(&mut self, replay: &mut Replay) -> Result<bool> {
        let chunk = self.chunk(replay.from, replay.last)?;
        let is_end = chunk.is_empty();
        for (lsn, bytes) in chunk {
            let record = Record::decode(lsn, &bytes)?;
            // What the pages hold already cannot be stopped before.
            if lsn >= replay.apply_from && replay.stop.is_before(lsn, &record) {
                replay.end = lsn;
                replay.stopped = true;
                break;
            }
            self.replay_one(replay, lsn, record)?;
            replay.last = Some(lsn);
        }
        if !replay.stopped && !is_end {
            return Ok(false);
        }
        if !replay.stopped {
            replay.end = self.log.next_lsn();
            replay.stopped = match replay.stop {
                Stop::End | Stop::At(_) => false,
                Stop::Including(lsn) => lsn < replay.end,
                Stop::Before(lsn) => lsn <= replay.end,
            };
        }
        match std::mem::take(&mut replay.damaged).into_values().next() {
            Some(error) => Err(error),
            None => Ok(true),
        }
    }

    /// The records from `from`, or behind `last`, on; not too many.
    fn chunk(&self, from: Lsn, last: Option<Lsn>) -> Result<Vec<(Lsn, Vec<u8>)>> {
        let mut chunk = Vec::new();
        let mut bytes = 0;
        self.log.scan(last.unwrap_or(from), &mut |lsn, record| {
            if last.is_none_or(|last| lsn > last) {
                bytes += record.len();
                chunk.push((lsn, record.to_vec()));
            }
            if bytes > CHUNK {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(chunk)
    }

    fn replay_one(&mut self, replay: &mut Replay, lsn: Lsn, record: Record) -> Result<()> {
        if let Record::System { place, .. } | Record::Format { place, .. } = &record {
            let place = *place;
            if place.is_first {
                replay.section.clear();
            }
            replay.section.push((lsn, record));
            if place.is_last {
                for (lsn, record) in std::mem::take(&mut replay.section) {
                    self.redo_section_record(replay, lsn, record)?;
                }
            }
            return Ok(());
        }
        replay.section.clear();
        replay.note(lsn, &record);
        match record {
            Record::Write {
                page, offset, after, ..
            }
            | Record::Compensation {
                page, offset, after, ..
            } => self.redo_bytes(replay, lsn, page, offset, &after),
            // Whoever keeps the list of files may not have learnt of one that was redone.
            Record::FileAdded(file) => self.redo_file(lsn, *file),
            record if lsn >= replay.apply_from => self.redo_fact(&record),
            _ => Ok(()),
        }
    }

    fn redo_section_record(&mut self, replay: &mut Replay, lsn: Lsn, record: Record) -> Result<()> {
        match record {
            Record::System {
                page, offset, after, ..
            } => self.redo_bytes(replay, lsn, page, offset, &after),
            Record::Format { page, content, .. } => self.redo_format(replay, lsn, page, content),
            _ => Ok(()),
        }
    }

    fn redo_bytes(
        &mut self,
        replay: &mut Replay,
        lsn: Lsn,
        page: PageId,
        offset: u16,
        after: &[u8],
    ) -> Result<()> {
        if lsn < replay.apply_from || replay.damaged.contains_key(&page) {
            return Ok(());
        }
        self.reach(page)?;
        let found = self.fetch(page).map(|frame| lsn_of(&frame.page[..]));
        match found {
            Ok(present) if present < lsn => self.apply(lsn, page, usize::from(offset), after),
            Ok(_) => {
                self.differential.mark(page);
                Ok(())
            }
            Err(error @ EngineError::Page { .. }) => {
                replay.damaged.insert(page, error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn redo_format(&mut self, replay: &mut Replay, lsn: Lsn, page: PageId, content: Box<Page>) -> Result<()> {
        if lsn < replay.apply_from {
            return Ok(());
        }
        self.reach(page)?;
        self.differential.mark(page);
        replay.damaged.remove(&page);
        let present = match self.fetch(page) {
            Ok(frame) => lsn_of(&frame.page[..]),
            Err(EngineError::Page { .. }) => Lsn::ZERO,
            Err(error) => return Err(error),
        };
        if present < lsn {
            let mut frame = Frame::clean(content);
            set_lsn(&mut frame.page, lsn);
            frame.is_dirty = true;
            frame.wal = lsn;
            frame.formatted = lsn;
            self.pool.put(page, frame);
        }
        Ok(())
    }

    /// Makes a file long enough to have a page: its growth may have been lost.
    fn reach(&mut self, page: PageId) -> Result<()> {
        let size = self.files.of(page.file).map_or(0, |file| file.size);
        if page.page >= size {
            let pages = (page.page + 1).next_multiple_of(EXTENT);
            self.grow_redone(page.file, pages)?;
        }
        Ok(())
    }

    /// A file becomes longer, as the log says: no longer than the backup lets it.
    fn grow_redone(&mut self, file: u16, pages: u32) -> Result<()> {
        self.check_size(file, pages)?;
        self.files.set_size(file, pages)
    }

    /// Redoes what changes no page but the database as a whole.
    fn redo_fact(&mut self, record: &Record) -> Result<()> {
        if let Record::FileSize { file, pages } = record {
            return self.grow_redone(*file, *pages);
        }
        let boot = &mut self.boot.boot;
        match record {
            Record::Options(options) => {
                options.apply(boot);
                Ok(())
            }
            Record::Fork { fork, first, point } => {
                boot.recovery_fork = *fork;
                boot.first_fork = Some((*first, *point));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn redo_file(&mut self, lsn: Lsn, mut file: DatabaseFile) -> Result<()> {
        if self.files.of(file.file_id).is_some() {
            return Ok(());
        }
        self.check_size(file.file_id, file.size)?;
        file.create_lsn = Some(lsn);
        if let Some(path) = self.moves.get(&file.logical_name.to_lowercase()) {
            file.physical_name.clone_from(path);
        } else if self.boot.boot.redo_start.is_some() {
            // Its path is one of the server that made the backup; here it may be anybody's.
            return Err(EngineError::Log {
                lsn,
                detail: format!("nobody said where the file {} goes", file.logical_name),
            });
        }
        let exists = self.world.disk.look(&file.physical_name) == Some(Kind::File);
        self.files
            .add(file, if exists { Open::Write } else { Open::Create })
    }
}

impl Options {
    /// The facts of a boot page that go with the log.
    pub(super) fn of(boot: &super::Boot) -> Self {
        Self {
            recovery_model: boot.recovery_model,
            page_verify: boot.page_verify,
            compatibility_level: boot.compatibility_level,
            option_bits: boot.option_bits,
        }
    }

    fn apply(&self, boot: &mut super::Boot) {
        boot.recovery_model = self.recovery_model;
        boot.page_verify = self.page_verify;
        boot.compatibility_level = self.compatibility_level;
        boot.option_bits = self.option_bits;
    }
}

impl Stop {
    /// Whether redo ends before a record.
    fn is_before(self, lsn: Lsn, record: &Record) -> bool {
        match self {
            Self::End => false,
            Self::At(moment) => matches!(record, Record::Commit { at, .. } if *at > moment),
            Self::Including(last) => lsn > last,
            Self::Before(first) => lsn >= first,
        }
    }
}

impl Replay {
    /// One that has not begun: see [`Core::replay`].
    pub(super) fn new(from: Lsn, apply_from: Lsn, stop: Stop) -> Self {
        Self {
            open: BTreeMap::new(),
            next_transaction: 1,
            checkpoint: from,
            end: from,
            stopped: false,
            last_commit: None,
            from,
            stop,
            last: None,
            apply_from,
            section: Vec::new(),
            damaged: BTreeMap::new(),
        }
    }

    /// Keeps account of who is at work.
    fn note(&mut self, lsn: Lsn, record: &Record) {
        match record {
            Record::Begin { transaction, at } => {
                self.next_transaction = self.next_transaction.max(transaction + 1);
                let begun = OpenTransaction {
                    id: *transaction,
                    begin: lsn,
                    last: lsn,
                    at: *at,
                };
                self.open.insert(*transaction, begun);
            }
            Record::Write { transaction, .. } | Record::Compensation { transaction, .. } => {
                if let Some(open) = self.open.get_mut(transaction) {
                    open.last = lsn;
                }
            }
            Record::Commit { transaction, at } => {
                self.open.remove(transaction);
                self.last_commit = Some(*at);
            }
            Record::Abort { transaction, .. } => {
                self.open.remove(transaction);
            }
            Record::Checkpoint {
                next_transaction,
                open,
                ..
            } => {
                self.next_transaction = self.next_transaction.max(*next_transaction);
                self.checkpoint = lsn;
                self.open = open.iter().map(|one| (one.id, *one)).collect();
            }
            _ => {}
        }
    }
}
