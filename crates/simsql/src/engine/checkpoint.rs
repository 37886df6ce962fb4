//! Checkpoints, and what of the log they let go.
//!
//! A checkpoint here is a sharp one: nobody else runs meanwhile, so that every page is in its file when the record is written,
//! and redo begins at the record itself. The record is the first of its block: it is where the log of a backup begins.
//!
//! The order is what makes it safe: pages, then the record, then the boot page that names it, then truncation. A crash in between
//! finds the checkpoint before, and its log.

use bak::Lsn;

use super::core::Core;
use super::record::Record;
use super::{Engine, LogFacts, RecoveryModel, Result, ReuseWait};
use crate::moment::Moment;

/// Log after which a commit takes a checkpoint, in bytes: as much as redo reads within a second or so.
const LONGEST_REDO: u64 = 16 * 1024 * 1024;

impl Core {
    /// Writes everything and a checkpoint record.
    pub(super) fn checkpoint(&mut self, at: Moment) -> Result<Lsn> {
        if self.keeps_write_ahead {
            self.flush_log()?;
        }
        self.note_differential()?;
        self.write_all()?;
        self.log.close_block()?;
        let record = Record::Checkpoint {
            at,
            next_transaction: self.transactions.next(),
            open: self.transactions.logged(),
        };
        let lsn = self.log.append_reserved(&record.encode())?;
        self.flush_log()?;
        self.boot.boot.checkpoint_lsn = lsn;
        self.write_boot()?;
        self.redo_from = lsn;
        self.truncate()?;
        Ok(lsn)
    }

    /// Lets go of the log that nothing needs.
    pub(super) fn truncate(&mut self) -> Result<()> {
        let keep = self.needs().map(|(lsn, _)| lsn).min();
        self.log.truncate(keep.unwrap_or(Lsn::ZERO))?;
        self.files.set_log_size(self.log.space().size);
        Ok(())
    }

    /// From where on whom needs the log.
    fn needs(&self) -> impl Iterator<Item = (Lsn, ReuseWait)> {
        let boot = &self.boot.boot;
        let chain = boot
            .last_log_backup_lsn
            .filter(|_| boot.recovery_model != RecoveryModel::Simple);
        let backup = self.backup.as_ref().map(|running| running.first_lsn);
        let transaction = self.transactions.oldest().map(|(lsn, _)| lsn);
        [
            (chain, ReuseWait::LogBackup),
            (backup, ReuseWait::ActiveBackupOrRestore),
            (self.pinned, ReuseWait::ActiveBackupOrRestore),
            (transaction, ReuseWait::ActiveTransaction),
            (Some(boot.checkpoint_lsn), ReuseWait::Checkpoint),
        ]
        .into_iter()
        .filter_map(|(lsn, wait)| Some((lsn?, wait)))
    }

    /// Why the log is not shorter: who needs the oldest of it, as long as that is not in the virtual log file that is written to,
    /// which is never let go. Of several who need it from the same place on the first in the order of [`Core::needs`] is named.
    fn reuse_wait(&self) -> ReuseWait {
        let oldest = self.needs().min_by_key(|(lsn, _)| lsn.vlf);
        match oldest {
            Some((lsn, wait)) if lsn.vlf < self.log.next_lsn().vlf => wait,
            _ => ReuseWait::Nothing,
        }
    }
}

/// The log.
impl Engine {
    /// Writes all changed pages and a checkpoint record; truncates the log where the recovery model lets it. Gives the
    /// checkpoint's LSN.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn checkpoint(&mut self, at: Moment) -> Result<Lsn> {
        self.core.settle(Ok(()))?;
        let done = self.core.checkpoint(at);
        self.core.settle(done)
    }

    /// The log as the catalog shows it.
    #[must_use]
    pub fn log_facts(&self) -> LogFacts {
        let core = &self.core;
        let space = core.log.space();
        let end_lsn = core.log.next_lsn();
        let boot = &core.boot.boot;
        let since = boot.last_log_backup_lsn;
        LogFacts {
            size: space.size,
            used: space.used,
            since_last_backup: since.map_or(0, |since| core.log.bytes_between(since, end_lsn)),
            vlf_count: space.vlf_count,
            active_vlf_count: space.active_vlf_count,
            min_lsn: core.log.min_lsn(),
            end_lsn,
            reuse_wait: core.reuse_wait(),
        }
    }

    /// Takes a checkpoint after a commit or a rollback, where redo would become long or the log could be reused. That one fails
    /// is no failure of the transaction, which has ended; the next one tries again.
    pub(super) fn relieve_log(&mut self, at: Moment) {
        let core = &mut self.core;
        let since = core
            .log
            .bytes_between(core.boot.boot.checkpoint_lsn, core.log.next_lsn());
        let is_reusable = core.boot.boot.last_log_backup_lsn.is_none();
        let half = core.files.log_plan().size / 2;
        if since > LONGEST_REDO || is_reusable && since > half {
            let _ = core.checkpoint(at);
        }
    }
}
