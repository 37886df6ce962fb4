//! Temporary tables (`#t`) and table variables (`@t`): rows in memory, seen by their session alone, logged nowhere.
//!
//! A rollback brings `#` tables back as they were; table variables keep what they have, as in SQL Server.

use std::sync::Arc;

use crate::engine::TableDefinition;
use crate::query::Relation;
use crate::session::memory;
use crate::value::Value;

/// What a table takes without rows, and a column of it, in bytes, about.
const TABLE: usize = 1024;
const COLUMN: usize = 256;

/// A table in memory.
#[derive(Clone, Debug)]
pub(crate) struct TemporaryTable {
    /// What it is made of.
    pub(crate) definition: TableDefinition,
    /// Its rows, shared with what a transaction keeps of it until one of them changes.
    pub(crate) rows: Arc<Vec<Vec<Value>>>,
    /// Bytes of the rows.
    pub(crate) row_bytes: usize,
    /// Next value of the identity column.
    pub(crate) next_identity: i64,
}

impl TemporaryTable {
    /// An empty one.
    pub(crate) fn new(definition: TableDefinition) -> Self {
        let next_identity = definition.identity.map_or(1, |(_, seed, _)| seed);
        Self {
            definition,
            rows: Arc::default(),
            row_bytes: 0,
            next_identity,
        }
    }

    /// Gives it other rows.
    pub(crate) fn put(&mut self, rows: Vec<Vec<Value>>) {
        self.row_bytes = memory::of_rows(&rows);
        self.rows = Arc::new(rows);
    }

    /// Bytes of it without its rows.
    pub(crate) fn definition_bytes(&self) -> usize {
        TABLE + COLUMN * self.definition.columns.len()
    }

    /// Bytes of it.
    pub(crate) fn bytes(&self) -> usize {
        self.definition_bytes() + self.row_bytes
    }

    /// As a query sees it.
    pub(crate) fn relation(&self) -> Relation {
        Relation {
            columns: self.definition.columns.clone(),
            rows: self.rows.to_vec(),
        }
    }
}

/// The key of a temporary table or a table variable among those of the session; `None` for a name of another kind.
pub(crate) fn key(parts: &[String]) -> Option<String> {
    let last = parts.last()?;
    let is_temporary = last.starts_with('#') || (last.starts_with('@') && parts.len() == 1);
    is_temporary.then(|| last.to_lowercase())
}
