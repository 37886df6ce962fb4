//! Page 0 of each data file: which file of which database it is.
//!
//! One row whose columns all vary. Those that are known, by comparing the header pages of 41 real backups (builds 9 to 17) with
//! what the backups say of the file: 0 binding id, 2 file id, 3 filegroup, 4 size in pages, 5 largest size, 20 and 21 checkpoint
//! and BackupSetGUID of the differential base, 23 identity of the file, 27 logical name. The others stay empty.

use bak::Lsn;
use bak::writer::page::{HEADER, PageIdentity, PageType, put_slots, write_header};
use uuid::Uuid;

use super::pages::{PAGE, Page};
use super::row;

const BINDING: usize = 0;
const FILE_ID: usize = 2;
const FILEGROUP: usize = 3;
const SIZE: usize = 4;
const MAX_SIZE: usize = 5;
const BASE_LSN: usize = 20;
const BASE_GUID: usize = 21;
const UNIQUE_ID: usize = 23;
const NAME: usize = 27;

/// What the header of a data file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    /// Of the database: changes with each restore.
    pub(crate) binding_id: Uuid,
    /// The file's id.
    pub(crate) file_id: u16,
    /// Pages when it was last written.
    pub(crate) size: u32,
    /// Name in T-SQL.
    pub(crate) logical_name: String,
    /// Identity of the file.
    pub(crate) unique_id: Uuid,
    /// The differential base of the file: checkpoint and backup set.
    pub(crate) differential_base: Option<(Lsn, Uuid)>,
}

impl FileHeader {
    /// Writes itself onto page 0, anew. LSN and protection of the page are the caller's.
    pub(crate) fn encode(&self, page: &mut Page) {
        let (base, guid) = self.differential_base.unwrap_or_default();
        let name = self.logical_name.encode_utf16().flat_map(u16::to_le_bytes);
        let mut columns = vec![Vec::new(); NAME + 1];
        columns[BINDING] = self.binding_id.to_bytes_le().to_vec();
        columns[FILE_ID] = self.file_id.to_le_bytes().to_vec();
        columns[FILEGROUP] = 1_u16.to_le_bytes().to_vec();
        columns[SIZE] = self.size.to_le_bytes().to_vec();
        columns[MAX_SIZE] = u32::MAX.to_le_bytes().to_vec();
        columns[BASE_LSN] = base.to_bytes().to_vec();
        columns[BASE_GUID] = guid.to_bytes_le().to_vec();
        columns[UNIQUE_ID] = self.unique_id.to_bytes_le().to_vec();
        columns[NAME] = name.collect();
        let record = row::of_variable_columns(&columns);
        page.fill(0);
        let identity = PageIdentity {
            file_id: self.file_id,
            page_id: 0,
            page_type: PageType::FileHeader,
            object_id: 99,
            lsn: Lsn::ZERO,
        };
        let end = HEADER + record.len();
        write_header(page, &identity, 1, end as u16);
        page[HEADER..end].copy_from_slice(&record);
        put_slots(page, &[HEADER as u16]);
    }

    /// Reads a header page, ours or a real one's; `None` where it is none. What a column does not tell is empty.
    pub(crate) fn decode(page: &Page) -> Option<Self> {
        if page[1] != PageType::FileHeader as u8 {
            return None;
        }
        let record = usize::from(u16::from_le_bytes([page[PAGE - 2], page[PAGE - 1]]));
        let columns = row::variable_columns(page.get(record..)?)?;
        let column = |number: usize| columns.get(number).copied().unwrap_or_default();
        let guid = |number| Uuid::from_slice_le(column(number)).ok();
        let base = Lsn::from_bytes(column(BASE_LSN).try_into().unwrap_or_default()).non_zero();
        let name = column(NAME).as_chunks::<2>().0;
        let units: Vec<u16> = name.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        Some(Self {
            binding_id: guid(BINDING)?,
            file_id: u16::from_le_bytes(column(FILE_ID).try_into().unwrap_or_default()),
            size: u32::from_le_bytes(column(SIZE).try_into().unwrap_or_default()),
            logical_name: String::from_utf16_lossy(&units),
            unique_id: guid(UNIQUE_ID).unwrap_or_default(),
            differential_base: base.zip(guid(BASE_GUID)),
        })
    }
}

#[cfg(test)]
mod tests;
