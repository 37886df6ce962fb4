//! Rows in the FixedVar format, as SQL Server stores them: values of a table's columns to bytes and back.

use super::Result;
use crate::value::{Column, Value};

/// Longest row in bytes.
pub(crate) const LONGEST_ROW: usize = 8060;

/// How rows of a table are laid out.
#[derive(Clone, Debug)]
pub(crate) struct RowFormat {}

#[allow(clippy::unimplemented, unused_variables, dead_code)]
impl RowFormat {
    /// The layout of a table with these columns; none of them is `sql_variant`.
    pub(crate) fn new(columns: &[Column]) -> Self {
        unimplemented!()
    }

    /// A row's bytes; one value a column, of the column's type.
    ///
    /// # Errors
    /// [`super::EngineError::RowTooLong`].
    pub(crate) fn encode(&self, values: &[Value]) -> Result<Vec<u8>> {
        unimplemented!()
    }

    /// The values of a row; `None` where the bytes are no such row.
    pub(crate) fn decode(&self, row: &[u8]) -> Option<Vec<Value>> {
        unimplemented!()
    }
}
