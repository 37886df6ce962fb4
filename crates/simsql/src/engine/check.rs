//! What DBCC CHECKDB finds: every page of every data file, as it stands in the file.

use super::data_file::DataFile;
use super::pages::PageId;
use crate::message::Message;

/// What is checked.
pub(crate) struct Checked<'a> {
    /// The database's name, for messages.
    pub(crate) database: &'a str,
    /// Its id, for messages.
    pub(crate) database_id: i32,
    /// Its data files, all changed pages written.
    pub(crate) files: &'a [DataFile],
    /// First IAM page of the catalog, as the boot page has it; without one only pages and allocation maps are checked.
    pub(crate) catalog_iam: Option<PageId>,
}

/// The findings in the order of the files, then the sums: 8990 for each table with errors, 8989 for the database, also where both are zero.
#[allow(clippy::unimplemented, unused_variables, dead_code)]
pub(crate) fn check(checked: &Checked<'_>) -> Vec<Message> {
    unimplemented!()
}
