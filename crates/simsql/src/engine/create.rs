//! A new database: its files, their fixed pages, its log, its catalog.

use bak::{FileType, Lsn};
use uuid::Uuid;

use super::access::PageAccess;
use super::boot_page::{BOOT_PAGE, BootPage};
use super::change::Access;
use super::core::Core;
use super::file_header::FileHeader;
use super::files::Files;
use super::log::Log;
use super::pages::{Page, PageId};
use super::record::Record;
use super::space::new_file;
use super::tables::Tables;
use super::{DatabaseFile, Engine, EngineError, NewDatabase, Result, aside};
use crate::moment::Moment;
use crate::world::{Kind, Open, World};

/// Sequence number of a new log's first virtual log file. A new database is a copy of model there, whose log has been through
/// some; real ones begin in the thirties.
const FIRST_VLF: u32 = 34;

/// Removes what was made, unless the database came to be.
struct Unfinished<'a> {
    world: &'a World,
    made: Vec<String>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        for path in self.made.drain(..) {
            // Whatever is wrong with the disk has been told already.
            let _ = self.world.disk.remove(&path);
        }
    }
}

impl Engine {
    /// Makes the files of a new database (80 where one exists), its fixed pages, its catalog and its log, and makes them durable.
    ///
    /// # Errors
    /// The disk's, whose files are removed again then.
    ///
    /// # Panics
    /// Where the plan has no log or no data file.
    pub fn create(world: &World, plan: NewDatabase, at: Moment) -> Result<Self> {
        let mut unfinished = Unfinished {
            world,
            made: Vec::new(),
        };
        for file in &plan.files {
            if world.disk.look(&file.physical_name) == Some(Kind::File) {
                let error = crate::world::OsError::new(80);
                return Err(super::files::refused(&file.physical_name, error));
            }
            unfinished.made.push(file.physical_name.clone());
        }
        let files = Files::open(&world.disk, plan.files, Open::Create)?;
        unfinished.made.push(aside::path(files.primary()));
        let log = Log::create(files.open_log(Open::Create)?, files.log_plan(), FIRST_VLF)?;
        let boot = BootPage {
            boot: plan.boot,
            catalog_iam: None,
        };
        let mut core = Core::new(world, files, log, boot);
        core.write_fixed_pages()?;
        let mut engine = Self::over(core)?;
        engine.make_catalog(at)?;
        unfinished.made.clear();
        Ok(engine)
    }

    fn make_catalog(&mut self, at: Moment) -> Result<()> {
        // The boot page names a checkpoint from the first moment on.
        self.core.checkpoint(at)?;
        let transaction = self.begin(at)?;
        let mut access = Access {
            core: &mut self.core,
            transaction: Some(transaction),
        };
        let made = Tables::create(&mut access);
        let (tables, first_iam) = self.core.settle(made)?;
        self.tables = tables;
        self.commit(transaction, at)?;
        self.core.boot.catalog_iam = Some(first_iam);
        self.checkpoint(at)?;
        Ok(())
    }

    /// ADD FILE: `file_id` is given by the engine and returned.
    ///
    /// # Errors
    /// The disk's (80 where the file exists), or a full log.
    pub fn add_file(&mut self, mut file: DatabaseFile, _at: Moment) -> Result<u16> {
        self.core.settle(Ok(()))?;
        let taken = self.core.files.facts();
        let free = (3..u16::MAX).find(|id| taken.iter().all(|file| file.file_id != *id));
        file.file_id = free.ok_or(EngineError::DataFull)?;
        file.file_type = FileType::Data;
        file.create_lsn = Some(self.core.log.next_lsn());
        self.core.files.add(file.clone(), Open::Create)?;
        self.core.files.sync()?;
        // No checkpoint: should the process end before its caller has noted the file, redo finds it.
        let added = self.core.log_file(&file);
        self.core.settle(added)?;
        Ok(file.file_id)
    }
}

impl Core {
    /// Writes the pages that every data file has. None of this is logged: nobody knows of the files yet.
    fn write_fixed_pages(&mut self) -> Result<()> {
        for (file, _) in self.files.sizes() {
            for (number, page) in new_file(&self.file_header(file)) {
                let id = PageId { file, page: number };
                self.files.write(id, &page, self.boot.boot.page_verify)?;
            }
        }
        self.files.sync()
    }

    /// What the header of a data file is to say.
    pub(super) fn file_header(&self, file: u16) -> FileHeader {
        let facts = self.files.of(file);
        let boot = &self.boot.boot;
        FileHeader {
            binding_id: boot.binding_id,
            file_id: file,
            size: facts.map_or(0, |facts| facts.size),
            logical_name: facts.map_or_else(String::new, |facts| facts.logical_name.clone()),
            unique_id: facts.map_or(Uuid::nil(), |facts| facts.unique_id),
            differential_base: boot.differential_base.map(|(lsn, guid, _)| (lsn, guid)),
        }
    }

    /// Logs a file that was added, and its fixed pages.
    fn log_file(&mut self, file: &DatabaseFile) -> Result<Lsn> {
        let lsn = self
            .log
            .append(&Record::FileAdded(Box::new(file.clone())).encode())?;
        let pages = new_file(&self.file_header(file.file_id));
        let mut access = Access {
            core: self,
            transaction: None,
        };
        access.begin_system();
        for (number, page) in pages {
            let id = PageId {
                file: file.file_id,
                page: number,
            };
            access.format(id, &page)?;
        }
        access.end_system();
        self.flush_log()?;
        Ok(lsn)
    }

    /// Writes the header pages of all data files anew.
    pub(super) fn write_headers(&mut self) -> Result<()> {
        for (file, _) in self.files.sizes() {
            let header = self.file_header(file);
            let id = PageId { file, page: 0 };
            let frame = self.fetch(id)?;
            let lsn = aside::lsn_of(&frame.page[..]);
            let mut page: Box<Page> = frame.page.clone();
            header.encode(&mut page);
            aside::set_lsn(&mut page, lsn);
            frame.page = page;
            frame.is_dirty = true;
            self.differential.mark(id);
            self.write_back(&[id])?;
        }
        self.files.sync()
    }

    /// Reads the boot page of existing files.
    pub(super) fn read_boot(&mut self) -> Result<()> {
        self.pool.remove(BOOT_PAGE);
        let page = self.fetch(BOOT_PAGE)?;
        let decoded = BootPage::decode(&page.page);
        self.boot = decoded.ok_or_else(|| EngineError::Page {
            path: self.files.primary().to_owned(),
            page: BOOT_PAGE,
            detail: "it is no boot page".to_owned(),
        })?;
        // A page that a real server wrote leaves the binding id to the file's header.
        if self.boot.boot.binding_id.is_nil() {
            let header = self.fetch(PageId { file: 1, page: 0 })?;
            let header = FileHeader::decode(&header.page);
            self.boot.boot.binding_id = header.map(|header| header.binding_id).unwrap_or_default();
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::engine::open::no_boot;

    fn file(file_id: u16, path: &str, file_type: FileType, size: u32) -> DatabaseFile {
        DatabaseFile {
            file_id,
            logical_name: path.to_owned(),
            physical_name: path.to_owned(),
            file_type,
            unique_id: Uuid::from_u128(u128::from(file_id)),
            size,
            max_size: u32::MAX,
            growth: 64,
            create_lsn: None,
        }
    }

    /// A small database in `/data`.
    pub(in crate::engine) fn small() -> NewDatabase {
        NewDatabase {
            boot: no_boot().boot,
            files: vec![
                file(1, "/data/a.mdf", FileType::Data, 64),
                file(2, "/data/a.ldf", FileType::Log, 128),
            ],
        }
    }
}
