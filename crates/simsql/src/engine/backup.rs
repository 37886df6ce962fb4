//! The engine's side of backups.
//!
//! A data backup begins with a checkpoint, so that the pages in the files are all of one moment at least; what changes them while
//! they are read is in the log behind that checkpoint, which is kept until the backup ends and goes into the backup. The boot
//! page is handed out as it was at that moment: it names the checkpoint where redo of the backup begins.

use bak::{LocalTime, Lsn};
use uuid::Uuid;

use super::access::PageRead;
use super::boot_page::BOOT_PAGE;
use super::change::Access;
use super::core::Core;
use super::pages::{EXTENT, PAGE, Page, PageId};
use super::space::{allocated, changed};
use super::{DataBackup, DataKind, Engine, EngineError, FileExtents, LogPiece, RecoveryModel, Result};
use crate::moment::Moment;

/// The data backup under way.
pub(super) struct Running {
    /// The log is kept from here on.
    pub(super) first_lsn: Lsn,
    checkpoint_lsn: Lsn,
    at: Moment,
    boot_page: Box<Page>,
}

/// Backup.
impl Engine {
    /// Checkpoint, extents, and the pins described at [`DataBackup`].
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub fn begin_data_backup(&mut self, kind: DataKind, at: Moment) -> Result<DataBackup> {
        let checkpoint_lsn = self.checkpoint(at)?;
        let begun = self.core.begin_data_backup(kind, checkpoint_lsn, at);
        self.core.settle(begun)
    }

    /// Appends `count` consecutive extents as they are now to `out`. With `verify` pages are checked as BACKUP WITH CHECKSUM
    /// does; a damaged one is an error ([`super::EngineError::Page`]), after which the same call without `verify` gives the bytes
    /// as they are.
    ///
    /// # Errors
    /// Also where the file cannot be read; `out` is then as it was.
    pub fn read_extents(
        &mut self,
        file_id: u16,
        first: u32,
        count: u32,
        verify: bool,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let core = &self.core;
        let start = out.len();
        core.files
            .file(file_id)?
            .read_extents(first, count, verify, out)?;
        let from = PageId {
            file: file_id,
            page: first * EXTENT,
        };
        let mut put = |id: PageId, page: &Page| {
            let at = start + (id.page - from.page) as usize * PAGE;
            out[at..at + PAGE].copy_from_slice(page);
        };
        for (id, frame) in core.pool.dirty_in(from, count * EXTENT) {
            // A page that is held belongs to a section, and none is open between deeds.
            let mut page = *frame.page;
            bak::writer::page::protect(&mut page, core.boot.boot.page_verify);
            put(id, &page);
        }
        if let Some(running) = &core.backup
            && file_id == BOOT_PAGE.file
            && (from.page..from.page + count * EXTENT).contains(&BOOT_PAGE.page)
        {
            put(BOOT_PAGE, &running.boot_page);
        }
        Ok(())
    }

    /// Extents that changed since the data backup under way began: what builds from 2019 on send a second time.
    #[must_use]
    pub fn changed_meanwhile(&self) -> Vec<FileExtents> {
        let mut files: Vec<FileExtents> = Vec::new();
        for (file_id, extent) in self.core.differential.since_backup() {
            match files.last_mut() {
                Some(file) if file.file_id == file_id => file.extents.push(extent),
                _ => files.push(FileExtents {
                    file_id,
                    extents: vec![extent],
                }),
            }
        }
        files
    }

    /// Closes the current log block, makes the log durable and tells where it ends: the (exclusive) LastLSN of a backup, slot 1
    /// of the next block.
    ///
    /// # Errors
    /// Where the log cannot be written.
    pub fn close_log(&mut self, _at: Moment) -> Result<Lsn> {
        self.core.settle(Ok(()))?;
        let closed = self.core.log.close_block();
        self.core.settle(closed)
    }

    /// The log from `first` to `end` in pieces, one a virtual log file, ascending; each starts and ends at a block's bounds.
    ///
    /// # Errors
    /// [`EngineError::Log`] where the log from `first` on is no longer there.
    pub fn log_pieces(&self, first: Lsn, end: Lsn) -> Result<Vec<LogPiece>> {
        let log = &self.core.log;
        if !log.reaches_back(first) {
            return Err(EngineError::Log {
                lsn: first,
                detail: format!("the log begins at {}", log.min_lsn()),
            });
        }
        let pieces = log.pieces(first, end).into_iter();
        Ok(pieces.map(|segment| LogPiece { segment }).collect())
    }

    /// Appends `length` bytes of a piece from `offset` (bytes in the log file) on.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read_log(&mut self, offset: u64, length: usize, out: &mut Vec<u8>) -> Result<()> {
        self.core.log.read_raw(offset, length, out)
    }

    /// Ends a data backup. With `success` a full one becomes the differential base with `guid`, and with a full or a differential
    /// one the log chain begins where there was none.
    ///
    /// # Errors
    /// Where the boot page cannot be written: the base is the old one then.
    pub fn end_data_backup(&mut self, backup: &DataBackup, success: Option<Uuid>, _at: Moment) -> Result<()> {
        let ended = self.core.end_data_backup(backup, success);
        self.core.settle(ended)
    }

    /// Keeps the log from `from` on for a log backup under way; `None` lets it go.
    pub fn pin_log(&mut self, from: Option<Lsn>) {
        self.core.pinned = from;
    }

    /// A log backup up to `end` succeeded: `last_log_backup_lsn` moves there and the log is truncated.
    ///
    /// # Errors
    /// Where the boot page or the log cannot be written.
    pub fn end_log_backup(&mut self, end: Lsn, at: Moment) -> Result<()> {
        self.core.settle(Ok(()))?;
        let ended = self.core.end_log_backup(end, at);
        self.core.settle(ended)
    }
}

impl Core {
    fn begin_data_backup(&mut self, kind: DataKind, checkpoint_lsn: Lsn, at: Moment) -> Result<DataBackup> {
        self.differential.note_apart(true);
        self.note_differential()?;
        let sizes = self.files.sizes();
        let mut access = Access {
            core: self,
            transaction: None,
        };
        let mut files = Vec::new();
        for (file_id, size) in sizes {
            let extents = match kind {
                DataKind::Full | DataKind::CopyOnly => allocated(&mut access, file_id, size)?,
                DataKind::Differential => changed(&mut access, file_id, size)?,
            };
            files.push(FileExtents { file_id, extents });
        }
        let mut boot_page = Box::new(*access.read(BOOT_PAGE)?);
        bak::writer::page::protect(&mut boot_page, self.boot.boot.page_verify);
        let oldest = self.transactions.oldest().map(|(lsn, _)| Lsn { slot: 1, ..lsn });
        let first_lsn = oldest.map_or(checkpoint_lsn, |oldest| oldest.min(checkpoint_lsn));
        self.backup = Some(Running {
            first_lsn,
            checkpoint_lsn,
            at,
            boot_page,
        });
        Ok(DataBackup {
            kind,
            checkpoint_lsn,
            first_lsn,
            files,
        })
    }

    fn end_data_backup(&mut self, backup: &DataBackup, success: Option<Uuid>) -> Result<()> {
        let is_running = |running: &&Running| running.checkpoint_lsn == backup.checkpoint_lsn;
        let Some(at) = self.backup.as_ref().filter(is_running).map(|running| running.at) else {
            // Another one has taken its place.
            return Ok(());
        };
        let outcome = match success {
            Some(guid) if backup.kind == DataKind::Full => self.rebase(backup, guid, at),
            Some(_) if backup.kind == DataKind::Differential && self.begins_chain(backup) => {
                self.write_boot()
            }
            _ => Ok(()),
        };
        self.differential.note_apart(false);
        self.backup = None;
        outcome.and_then(|()| self.truncate())
    }

    /// A full backup is the new differential base, and the start of the log chain where there is none.
    fn rebase(&mut self, backup: &DataBackup, guid: Uuid, at: Moment) -> Result<()> {
        let time = self.local_time(at);
        let boot = &mut self.boot.boot;
        boot.database_backup_lsn = Some(backup.checkpoint_lsn);
        boot.differential_base = Some((backup.checkpoint_lsn, guid, time));
        self.begins_chain(backup);
        self.write_boot()?;
        self.write_headers()?;
        self.clear_differential()
    }

    /// Begins the log chain where there is none: log backups can follow this one. Whether that was so.
    fn begins_chain(&mut self, backup: &DataBackup) -> bool {
        let boot = &mut self.boot.boot;
        let begins = boot.recovery_model != RecoveryModel::Simple && boot.log_chain_lsn.is_none();
        if begins {
            boot.log_chain_lsn = Some(backup.first_lsn);
            boot.last_log_backup_lsn = Some(backup.first_lsn);
        }
        begins
    }

    fn end_log_backup(&mut self, end: Lsn, at: Moment) -> Result<()> {
        let time = self.local_time(at);
        let boot = &mut self.boot.boot;
        if boot.recovery_model != RecoveryModel::Simple {
            boot.last_log_backup_lsn = Some(end);
            boot.log_backup_time = Some(time);
            // What came behind its end goes into the next one.
            boot.bulk_logged = boot.bulk_logged.filter(|newest| *newest >= end);
        }
        self.pinned = None;
        self.write_boot()?;
        self.truncate()
    }

    /// A moment on the server's clock.
    fn local_time(&self, at: Moment) -> LocalTime {
        at.local(self.world.clock.offset_minutes(at)).to_local_time()
    }
}
