//! Opening and closing, and the facts of the boot page.

use std::collections::BTreeMap;

use bak::{LocalTime, Lsn};
use uuid::Uuid;

use super::boot_page::BootPage;
use super::change::Access;
use super::core::Core;
use super::differential::Differential;
use super::files::Files;
use super::log::Log;
use super::pool::{FRAMES, Pool};
use super::record::{OpenTransaction, Options, Record};
use super::section::Section;
use super::tables::Tables;
use super::transaction::{Transactions, Undone};
use super::{Boot, DatabaseFile, Engine, Opening, PageId, RecoveryModel, Result, Stop, aside, boot, standby};
use crate::moment::Moment;
use crate::world::{Open, World};

/// Paths of files that may stand beside those of a database while it is open, restoring or lost its power: what DROP DATABASE
/// removes with them.
#[must_use]
pub fn side_files(files: &[DatabaseFile]) -> Vec<String> {
    let data = files.iter().filter(|file| file.file_type == bak::FileType::Data);
    let primary = data.min_by_key(|file| file.file_id);
    primary.map_or_else(Vec::new, |file| {
        vec![
            aside::path(&file.physical_name),
            standby::path(&file.physical_name),
        ]
    })
}

impl Core {
    pub(super) fn new(world: &World, files: Files, log: Log, boot: BootPage) -> Self {
        let aside = aside::Aside::new(world.disk.clone(), files.primary());
        let redo_from = boot.boot.checkpoint_lsn;
        Self {
            world: world.clone(),
            files,
            log,
            pool: Pool::new(FRAMES),
            aside,
            boot,
            transactions: Transactions::new(1),
            section: Section::default(),
            differential: Differential::default(),
            backup: None,
            pinned: None,
            redo_from,
            moves: BTreeMap::new(),
            limits: BTreeMap::new(),
            boot_page: None,
            work: None,
            is_restoring: false,
            standby: None,
            broken: None,
            keeps_write_ahead: true,
        }
    }

    /// Crash recovery: redo from the last checkpoint, then undo of whoever did not end.
    pub(super) fn recover_from_crash(&mut self, at: Moment) -> Result<()> {
        let from = self.boot.boot.checkpoint_lsn;
        let replay = self.replay(from, Lsn::ZERO, Stop::End)?;
        self.transactions = Transactions::new(replay.next_transaction);
        self.undo_losers(&replay.open, at)
    }

    /// Undoes transactions that nobody will end, the youngest first, and logs their ends.
    pub(super) fn undo_losers(&mut self, losers: &BTreeMap<u64, OpenTransaction>, at: Moment) -> Result<()> {
        for loser in losers.values().rev() {
            let mut next = loser.last;
            loop {
                next = match self.undo_one(loser.id, next)? {
                    Undone::Write { next, .. } | Undone::Nothing { next } => next,
                    Undone::All => break,
                };
            }
            let end = Record::Abort {
                transaction: loser.id,
                at,
            };
            self.log.append_reserved(&end.encode())?;
        }
        self.flush_log()
    }
}

/// What stands for the boot page of a database whose pages have not come yet.
pub(super) fn no_boot() -> BootPage {
    BootPage {
        boot: Boot {
            name: String::new(),
            version: 0,
            created_version: 0,
            compatibility_level: 0,
            recovery_model: RecoveryModel::Full,
            page_verify: boot::Protection::Checksum,
            created: LocalTime {
                year: 1900,
                month: 1,
                day: 1,
                hour: 0,
                minute: 0,
                second: 0,
            },
            family_guid: Uuid::nil(),
            binding_id: Uuid::nil(),
            recovery_fork: Uuid::nil(),
            first_fork: None,
            checkpoint_lsn: Lsn::ZERO,
            database_backup_lsn: None,
            differential_base: None,
            log_chain_lsn: None,
            last_log_backup_lsn: None,
            log_backup_time: None,
            redo_start: None,
            bulk_logged: None,
            restored: None,
            option_bits: 0,
        },
        catalog_iam: None,
    }
}

/// Life.
impl Engine {
    /// An engine that knows no tables yet.
    pub(super) fn over(mut core: Core) -> Result<Self> {
        let mut access = Access {
            core: &mut core,
            transaction: None,
        };
        let tables = Tables::open(&mut access, None)?;
        Ok(Self { core, tables })
    }

    /// Opens existing files.
    ///
    /// # Errors
    /// Where a file is missing, a page or the log is damaged.
    ///
    /// # Panics
    /// Where there is no log or no data file among them.
    pub fn open(world: &World, files: Vec<DatabaseFile>, how: Opening) -> Result<Self> {
        let files = Files::open(&world.disk, files, Open::Write)?;
        let log = Log::open(files.open_log(Open::Write)?, files.log_plan())?;
        let mut core = Core::new(world, files, log, no_boot());
        core.mend_torn_pages()?;
        match how {
            Opening::Recover { at } => {
                core.read_boot()?;
                core.redo_from = core.boot.boot.checkpoint_lsn;
                // A process that ended while it gave the database up (BACKUP LOG WITH NORECOVERY) and had not noted so.
                core.boot.boot.redo_start = None;
                let recovered = core.recover_from_crash(at);
                core.settle(recovered)?;
                let mut engine = Self::over(core)?;
                engine.open_tables()?;
                engine.checkpoint(at)?;
                Ok(engine)
            }
            Opening::Restoring => {
                core.is_restoring = true;
                // A restore that was cut off may have left no boot page; it must be begun again then.
                if core.read_boot().is_err() {
                    core.boot = no_boot();
                }
                core.redo_from = core.boot.boot.checkpoint_lsn;
                if let Ok((stands, _)) = core.redo_start() {
                    core.log.note_redo(stands);
                }
                let mut engine = Self::over(core)?;
                engine.resume_standby()?;
                Ok(engine)
            }
        }
    }

    /// Finds out which tables there are, and frees what a crash left to nobody.
    pub(super) fn open_tables(&mut self) -> Result<()> {
        self.open_tables_to_read()?;
        let mut access = Access {
            core: &mut self.core,
            transaction: None,
        };
        let reclaimed = self.tables.reclaim(&mut access);
        self.core.settle(reclaimed)
    }

    /// Finds out which tables there are.
    pub(super) fn open_tables_to_read(&mut self) -> Result<()> {
        let catalog = self.core.boot.catalog_iam;
        self.know_tables(catalog)
    }

    /// Knows of no tables again: those of a restoring database change below us.
    pub(super) fn forget_tables(&mut self) -> Result<()> {
        self.know_tables(None)
    }

    fn know_tables(&mut self, catalog: Option<PageId>) -> Result<()> {
        let mut access = Access {
            core: &mut self.core,
            transaction: None,
        };
        self.tables = Tables::open(&mut access, catalog)?;
        Ok(())
    }

    /// Writes everything, with a checkpoint, so that the files can be opened without recovery (a clean shutdown, OFFLINE).
    /// Transactions that are still open are rolled back when it is opened again.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn close(mut self, at: Moment) -> Result<()> {
        let core = &mut self.core;
        core.settle(Ok(()))?;
        core.abandon_work();
        if core.is_restoring || core.boot.boot.redo_start.is_some() {
            // Restoring: the log is the backup's.
            core.write_all()?;
        } else {
            core.checkpoint(at)?;
        }
        core.aside.remove()
    }

    /// Facts on the boot page.
    #[must_use]
    pub fn boot(&self) -> &Boot {
        &self.core.boot.boot
    }

    /// Changes facts on the boot page (and BindingID in the file headers); durable when it returns. What belongs to the log chain
    /// follows of itself: under SIMPLE there is none.
    ///
    /// # Errors
    /// Where the page cannot be written.
    pub fn change_boot(&mut self, change: &mut dyn FnMut(&mut Boot)) -> Result<()> {
        self.core.settle(Ok(()))?;
        let before = self.core.boot.boot.clone();
        change(&mut self.core.boot.boot);
        let changed = self.core.boot_changed(&before);
        self.core.settle(changed)
    }

    /// The files with their present sizes.
    #[must_use]
    pub fn files(&self) -> Vec<DatabaseFile> {
        let mut files = self.core.files.facts();
        let written = self.core.files.log_plan().file_id;
        let log = files.iter_mut().filter(|file| file.file_id == written);
        let size = self.core.log.space().size / bak::checksum::PAGE as u64;
        for file in log {
            file.size = u32::try_from(size).unwrap_or(u32::MAX);
        }
        files
    }

    /// Sets how many pages are kept in memory, at least 1: the default is 64 MiB of them.
    pub fn set_pool_limit(&mut self, pages: usize) {
        self.core.pool.set_limit(pages);
    }

    /// With `false`, pages go to their files whether or not their log is durable. A database is lost that way; it exists so that
    /// the tests of recovery can show that they would notice.
    pub fn keep_write_ahead(&mut self, keep: bool) {
        self.core.keeps_write_ahead = keep;
    }
}

impl Core {
    fn boot_changed(&mut self, before: &Boot) -> Result<()> {
        let boot = &mut self.boot.boot;
        if boot.recovery_model == RecoveryModel::Simple {
            boot.log_chain_lsn = None;
            boot.last_log_backup_lsn = None;
            boot.log_backup_time = None;
            boot.bulk_logged = None;
        }
        let headers_differ =
            boot.binding_id != before.binding_id || boot.differential_base != before.differential_base;
        let options = Options::of(boot);
        // A restoring database's log is the backup's and takes no records.
        if options != Options::of(before) && boot.redo_start.is_none() {
            self.log.append(&Record::Options(options).encode())?;
            self.flush_log()?;
        }
        self.write_boot()?;
        if headers_differ {
            self.write_headers()?;
        }
        Ok(())
    }
}
