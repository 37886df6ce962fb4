//! Page 0 of each data file: which file of which database it is.

use bak::Lsn;
use uuid::Uuid;

use super::pages::Page;

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

#[allow(clippy::unimplemented, unused_variables, dead_code)]
impl FileHeader {
    /// Writes itself onto page 0, anew. LSN and protection of the page are the caller's.
    pub(crate) fn encode(&self, page: &mut Page) {
        unimplemented!()
    }

    /// Reads a header page, ours or a real one's (of which only `binding_id` and the file id are sure); `None` where it is none.
    pub(crate) fn decode(page: &Page) -> Option<Self> {
        unimplemented!()
    }
}
