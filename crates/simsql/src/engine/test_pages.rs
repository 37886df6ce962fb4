//! Pages in memory for tests: a [`PageAccess`] that logs what it replaced, so that a transaction can be undone.

use std::collections::BTreeMap;

use bak::writer::page::{Protection, protect};
use bak::{FileType, LocalTime};
use uuid::Uuid;

use super::access::{PageAccess, PageRead};
use super::boot_page::BootPage;
use super::file_header::FileHeader;
use super::pages::{EXTENT, PAGE, Page, PageId};
use super::{Boot, DatabaseFile, EngineError, RecoveryModel, Result, space};

/// Pages of data files.
pub(crate) struct TestPages {
    pub(crate) files: BTreeMap<u16, Vec<Page>>,
    /// What changed since the last [`TestPages::mark`] that was taken: newest last.
    undo: Vec<(PageId, usize, Vec<u8>)>,
    system: u32,
    growth: u32,
    most: u32,
    /// Writes so far.
    pub(crate) writes: u64,
}

impl TestPages {
    /// Formatted data files 1, 3, 4, ... of so many pages, which grow by `growth` up to `most`.
    pub(crate) fn new(sizes: &[u32], growth: u32, most: u32) -> Self {
        let mut files = BTreeMap::new();
        for (index, size) in (0_u16..).zip(sizes) {
            let file_id = if index == 0 { 1 } else { index + 2 };
            let header = FileHeader {
                binding_id: Uuid::from_u128(1),
                file_id,
                size: *size,
                logical_name: format!("data{file_id}"),
                unique_id: Uuid::from_u128(u128::from(file_id)),
                differential_base: None,
            };
            let mut pages = vec![[0; PAGE]; *size as usize];
            for (number, content) in space::new_file(&header) {
                pages[number as usize] = *content;
            }
            if file_id == 1 {
                BootPage::encode(&boot(), &mut pages[9]);
            }
            files.insert(file_id, pages);
        }
        Self {
            files,
            undo: Vec::new(),
            system: 0,
            growth,
            most,
            writes: 0,
        }
    }

    /// Where the transaction stands.
    pub(crate) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Undoes what was written since.
    pub(crate) fn roll_back(&mut self, mark: usize) {
        for (id, offset, before) in self.undo.drain(mark..).rev() {
            let page = &mut self.files.get_mut(&id.file).unwrap()[id.page as usize];
            page[offset..offset + before.len()].copy_from_slice(&before);
        }
    }

    /// A file as it is on disk, each formatted page with its checksum.
    pub(crate) fn file_bytes(&self, file: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        for page in &self.files[&file] {
            let mut page = *page;
            if page[0] == 1 {
                protect(&mut page, Protection::Checksum);
            }
            bytes.extend_from_slice(&page);
        }
        bytes
    }

    pub(crate) fn page(&self, id: PageId) -> &Page {
        &self.files[&id.file][id.page as usize]
    }
}

impl PageRead for TestPages {
    fn read(&mut self, id: PageId) -> Result<&Page> {
        let page = &self.files[&id.file][id.page as usize];
        assert_eq!(page[0], 1, "{id} is read before it was formatted");
        Ok(page)
    }

    fn files(&self) -> Vec<DatabaseFile> {
        let file = |(file_id, pages): (&u16, &Vec<Page>)| DatabaseFile {
            file_id: *file_id,
            logical_name: format!("data{file_id}"),
            physical_name: format!("/data{file_id}.mdf"),
            file_type: FileType::Data,
            unique_id: Uuid::from_u128(u128::from(*file_id)),
            size: pages.len() as u32,
            max_size: u32::MAX,
            growth: self.growth,
            create_lsn: None,
        };
        self.files.iter().map(file).collect()
    }
}

impl PageAccess for TestPages {
    fn write(&mut self, id: PageId, offset: usize, bytes: &[u8]) -> Result<()> {
        let end = offset + bytes.len();
        assert!(end <= PAGE, "within the page");
        for kept in [4..6, 40..50, 60..64] {
            assert!(
                end <= kept.start || offset >= kept.end,
                "{offset} is not the caller's"
            );
        }
        let page = &mut self.files.get_mut(&id.file).unwrap()[id.page as usize];
        assert_eq!(page[0], 1, "{id} is written before it was formatted");
        if self.system == 0 {
            self.undo.push((id, offset, page[offset..end].to_vec()));
        }
        page[offset..end].copy_from_slice(bytes);
        self.writes += 1;
        Ok(())
    }

    fn format(&mut self, id: PageId, content: &Page) -> Result<()> {
        self.files.get_mut(&id.file).unwrap()[id.page as usize] = *content;
        self.writes += 1;
        Ok(())
    }

    fn begin_system(&mut self) {
        self.system += 1;
    }

    fn end_system(&mut self) {
        self.system -= 1;
    }

    fn grow(&mut self, file_id: u16) -> Result<u32> {
        let pages = self.files.get_mut(&file_id).unwrap();
        let size = (pages.len() as u32 + self.growth).min(self.most) / EXTENT * EXTENT;
        if size as usize <= pages.len() {
            return Err(EngineError::DataFull);
        }
        pages.resize(size as usize, [0; PAGE]);
        Ok(size)
    }
}

fn boot() -> BootPage {
    let created: LocalTime = "2026-11-21T18:00:00".parse().unwrap();
    BootPage {
        boot: Boot {
            name: "Shop".into(),
            version: 904,
            created_version: 904,
            compatibility_level: 150,
            recovery_model: RecoveryModel::Full,
            page_verify: Protection::Checksum,
            created,
            family_guid: Uuid::from_u128(2),
            binding_id: Uuid::from_u128(1),
            recovery_fork: Uuid::from_u128(3),
            first_fork: None,
            checkpoint_lsn: bak::writer::sample::lsn(40, 100),
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
