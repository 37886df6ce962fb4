//! Tables: what they are made of and where their rows are.

use crate::engine::PageId;
use crate::value::Column;

/// Object id of a table, unique in its database and never used again; user tables start at 1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u32);

/// The place of a row: page and slot. It holds until the row is updated or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    /// Page.
    pub page: PageId,
    /// Slot on it.
    pub slot: u16,
}

/// A table to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDefinition {
    /// Schema, `dbo` as a rule.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Columns in order.
    pub columns: Vec<Column>,
    /// Which columns are the primary key, in its order; empty for none.
    pub primary_key: Vec<usize>,
    /// The identity column with seed and increment.
    pub identity: Option<(usize, i64, i64)>,
    /// Defaults as T-SQL expressions, by column.
    pub defaults: Vec<Option<String>>,
}

/// A table that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFacts {
    /// Its id.
    pub id: TableId,
    /// What it is made of.
    pub definition: TableDefinition,
    /// First page of its chain, its IAM page.
    pub first_iam: PageId,
    /// Next value of the identity column, as far as the engine knows it (recovered as the highest value in use plus the increment).
    pub next_identity: i64,
}
