//! Temporary tables (`#t`) and table variables (`@t`): rows in memory, seen by their session alone, logged nowhere.
//!
//! A rollback brings `#` tables back as they were; table variables keep what they have, as in SQL Server.

use crate::engine::TableDefinition;
use crate::query::Relation;
use crate::value::Value;

/// A table in memory.
#[derive(Clone, Debug)]
pub(crate) struct TemporaryTable {
    /// What it is made of.
    pub(crate) definition: TableDefinition,
    /// Its rows.
    pub(crate) rows: Vec<Vec<Value>>,
    /// Next value of the identity column.
    pub(crate) next_identity: i64,
}

impl TemporaryTable {
    /// An empty one.
    pub(crate) fn new(definition: TableDefinition) -> Self {
        let next_identity = definition.identity.map_or(1, |(_, seed, _)| seed);
        Self {
            definition,
            rows: Vec::new(),
            next_identity,
        }
    }

    /// As a query sees it.
    pub(crate) fn relation(&self) -> Relation {
        Relation {
            columns: self.definition.columns.clone(),
            rows: self.rows.clone(),
        }
    }
}

/// The key of a temporary table or a table variable among those of the session; `None` for a name of another kind.
pub(crate) fn key(parts: &[String]) -> Option<String> {
    let last = parts.last()?;
    let is_temporary = last.starts_with('#') || (last.starts_with('@') && parts.len() == 1);
    is_temporary.then(|| last.to_lowercase())
}
