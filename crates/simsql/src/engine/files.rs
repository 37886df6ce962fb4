//! The files of one database: its data files by number, what is known of its log file, and which data files have writes that are
//! not durable.
//!
//! Sizes are those of the files themselves: a file's facts are brought up to date when it grows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bak::FileType;
use bak::checksum::PAGE;

use super::boot::Protection;
use super::data_file::DataFile;
use super::log::LogPlan;
use super::pages::{EXTENT, Page, PageId};
use super::space::MOST_PAGES;
use super::{DatabaseFile, EngineError, Result};
use crate::world::{Disk, DiskFile, Open, OsError};

/// Largest log file: 2 TiB, as SQL Server has it.
const MOST_LOG: u64 = 1 << 41;

/// A data file and its facts.
struct Data {
    file: DataFile,
    facts: DatabaseFile,
}

/// The files.
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    data: BTreeMap<u16, Data>,
    log: DatabaseFile,
    /// Further log files of a real server's database: they are there and listed, and nothing is written to them.
    spare_logs: Vec<DatabaseFile>,
    unsynced: BTreeSet<u16>,
}

/// Opens a file of the operating system's.
pub(super) fn open(disk: &dyn Disk, path: &str, how: Open) -> Result<Arc<dyn DiskFile>> {
    disk.open(path, how).map_err(|error| refused(path, error))
}

/// What the operating system said of a file.
pub(super) fn refused(path: &str, error: OsError) -> EngineError {
    EngineError::Disk {
        path: path.to_owned(),
        error,
    }
}

impl Files {
    /// Opens data files (`how` each) of a database; the log file is named, and opened by whoever has the log.
    pub(super) fn open(disk: &Arc<dyn Disk>, files: Vec<DatabaseFile>, how: Open) -> Result<Self> {
        let (mut logs, data): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|file| file.file_type == FileType::Log);
        logs.sort_by_key(|file| file.file_id);
        let mut logs = logs.into_iter();
        let log = logs.next().expect("a database has a log file");
        let mut all = Self {
            disk: Arc::clone(disk),
            data: BTreeMap::new(),
            log,
            spare_logs: Vec::new(),
            unsynced: BTreeSet::new(),
        };
        for facts in logs {
            all.add_spare_log(facts, how)?;
        }
        for facts in data {
            all.add(facts, how)?;
        }
        Ok(all)
    }

    /// Opens another data file. A new one gets its size, in whole extents; an old one tells its own.
    pub(super) fn add(&mut self, mut facts: DatabaseFile, how: Open) -> Result<()> {
        let file = open(&*self.disk, &facts.physical_name, how)?;
        let file = DataFile::new(file, facts.physical_name.clone(), facts.file_id);
        if matches!(how, Open::Create | Open::Replace) {
            facts.size = facts.size.next_multiple_of(EXTENT);
            file.set_pages(facts.size)?;
        } else {
            facts.size = file.pages()?;
        }
        self.unsynced.insert(facts.file_id);
        self.data.insert(facts.file_id, Data { file, facts });
        Ok(())
    }

    fn add_spare_log(&mut self, facts: DatabaseFile, how: Open) -> Result<()> {
        let path = &facts.physical_name;
        let file = open(&*self.disk, path, how)?;
        if matches!(how, Open::Create | Open::Replace) {
            let made = file.set_len(u64::from(facts.size) * PAGE as u64);
            made.and_then(|()| file.sync())
                .map_err(|error| refused(path, error))?;
        }
        self.spare_logs.push(facts);
        Ok(())
    }

    /// The path of the primary data file, which has the smallest number.
    pub(super) fn primary(&self) -> &str {
        let first = self
            .data
            .values()
            .next()
            .expect("a database has a primary data file");
        &first.facts.physical_name
    }

    /// Facts of all files, by number.
    pub(super) fn facts(&self) -> Vec<DatabaseFile> {
        let data = self.data.values().map(|data| data.facts.clone());
        let mut all: Vec<_> = data
            .chain([self.log.clone()])
            .chain(self.spare_logs.clone())
            .collect();
        all.sort_by_key(|file| file.file_id);
        all
    }

    /// Numbers and sizes (in pages) of the data files, by number.
    pub(super) fn sizes(&self) -> Vec<(u16, u32)> {
        let sizes = self.data.iter().map(|(id, data)| (*id, data.facts.size));
        sizes.collect()
    }

    /// Facts of a data file.
    pub(super) fn of(&self, file_id: u16) -> Option<&DatabaseFile> {
        self.data.get(&file_id).map(|data| &data.facts)
    }

    /// All data files.
    pub(super) fn data(&self) -> Vec<DataFile> {
        self.data.values().map(|data| data.file.clone()).collect()
    }

    /// What the log file is to be.
    pub(super) fn log_plan(&self) -> LogPlan {
        let bytes = |pages: u32| u64::from(pages) * PAGE as u64;
        LogPlan {
            path: self.log.physical_name.clone(),
            file_id: self.log.file_id,
            size: bytes(self.log.size),
            growth: bytes(self.log.growth),
            max_size: match self.log.max_size {
                u32::MAX => MOST_LOG,
                pages => bytes(pages).min(MOST_LOG),
            },
        }
    }

    /// Opens the log file.
    pub(super) fn open_log(&self, how: Open) -> Result<Arc<dyn DiskFile>> {
        open(&*self.disk, &self.log.physical_name, how)
    }

    /// Notes the size that the log file has now, in bytes.
    pub(super) fn set_log_size(&mut self, bytes: u64) {
        self.log.size = u32::try_from(bytes / PAGE as u64).unwrap_or(u32::MAX);
    }

    /// A data file. A page of a file that the database does not have is one that something damaged named.
    pub(super) fn file(&self, file_id: u16) -> Result<&DataFile> {
        let no_file = || EngineError::Page {
            path: self.primary().to_owned(),
            page: PageId {
                file: file_id,
                page: 0,
            },
            detail: "the database has no such file".to_owned(),
        };
        self.data.get(&file_id).map(|data| &data.file).ok_or_else(no_file)
    }

    /// Writes a page.
    pub(super) fn write(&mut self, id: PageId, page: &Page, protection: Protection) -> Result<()> {
        self.unsynced.insert(id.file);
        self.file(id.file)?.write_page(id.page, page, protection)
    }

    /// Writes pages as they are.
    pub(super) fn write_as_is(&mut self, first: PageId, pages: &[u8]) -> Result<()> {
        self.unsynced.insert(first.file);
        self.file(first.file)?.write_as_is(first.page, pages)
    }

    /// Makes all writes durable.
    pub(super) fn sync(&mut self) -> Result<()> {
        while let Some(id) = self.unsynced.first().copied() {
            self.file(id)?.sync()?;
            self.unsynced.remove(&id);
        }
        Ok(())
    }

    /// Sets the size of a data file, durably; it never shrinks here.
    pub(super) fn set_size(&mut self, file_id: u16, pages: u32) -> Result<()> {
        let Some(data) = self.data.get_mut(&file_id) else {
            return Ok(());
        };
        if pages > data.facts.size {
            data.file.set_pages(pages)?;
            data.file.sync()?;
            data.facts.size = pages;
        }
        Ok(())
    }

    /// The size that a data file has after growing once.
    pub(super) fn grown(&self, file_id: u16) -> Result<u32> {
        let facts = self.of(file_id).ok_or(EngineError::DataFull)?;
        let most = facts.max_size.min(MOST_PAGES) / EXTENT * EXTENT;
        let wanted = facts.size.saturating_add(facts.growth).next_multiple_of(EXTENT);
        let grown = wanted.min(most);
        if facts.growth == 0 || grown <= facts.size {
            return Err(EngineError::DataFull);
        }
        Ok(grown)
    }
}
