//! Pages as rows and allocation see them ([`PageAccess`]): each change goes to the log under the right kind of record.

use super::access::{PageAccess, PageRead};
use super::core::Core;
use super::pages::{Page, PageId};
use super::record::Record;
use super::{DatabaseFile, Result, TransactionId};

/// Pages within a transaction, or outside of any: then every change stays.
pub(super) struct Access<'a> {
    pub(super) core: &'a mut Core,
    pub(super) transaction: Option<TransactionId>,
}

impl PageRead for Access<'_> {
    fn read(&mut self, page: PageId) -> Result<&Page> {
        Ok(&self.core.fetch(page)?.page)
    }

    fn files(&self) -> Vec<DatabaseFile> {
        self.core.files.facts()
    }
}

impl PageAccess for Access<'_> {
    fn write(&mut self, page: PageId, offset: usize, bytes: &[u8]) -> Result<()> {
        match self.transaction {
            Some(transaction) if !self.core.section.is_open() => {
                self.core.transaction_write(transaction, page, offset, bytes)
            }
            _ => {
                self.core.section.begin();
                let written = self.core.system_write(page, offset, bytes);
                self.core.end_section();
                written
            }
        }
    }

    fn format(&mut self, page: PageId, content: &Page) -> Result<()> {
        self.core.section.begin();
        let formatted = self.core.system_format(page, content);
        self.core.end_section();
        formatted
    }

    fn begin_system(&mut self) {
        self.core.section.begin();
    }

    fn end_system(&mut self) {
        self.core.end_section();
    }

    fn grow(&mut self, file_id: u16) -> Result<u32> {
        let pages = self.core.files.grown(file_id)?;
        self.core.files.set_size(file_id, pages)?;
        // A size is no page's content and needs no section: a file that is too long harms nobody.
        let record = Record::FileSize { file: file_id, pages };
        self.core.log.append(&record.encode())?;
        Ok(pages)
    }
}
