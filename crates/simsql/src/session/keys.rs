//! Primary keys in use, in memory: a table without indexes would be read whole for every row that is added.
//!
//! A table's keys are gathered when its first row is written and kept in step with it. Whatever is rolled back forgets the keys
//! of its database; a restored database has another recovery fork, and so no keys yet; an instance that is put back forgets all.
//! The system databases, whose history tables are written beside the sessions, are read anew for every statement.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::engine::TableId;
use crate::query::collation::{Collation, TextKey};
use crate::value::Value;

/// Databases up to this id belong to the system.
const SYSTEM_MAX: u16 = 4;

/// One column of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// Compared by the collation.
    Text(TextKey),
    /// Any other value, of the column's type, as it prints.
    Other(String),
}

/// The key of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(Vec<Part>);

impl Key {
    /// That of `row`.
    pub(crate) fn of(row: &[Value], columns: &[usize], collation: Collation) -> Self {
        let part = |column: &usize| match &row[*column] {
            Value::Text(text) => Part::Text(collation.key(text)),
            other => Part::Other(format!("{other:?}")),
        };
        Self(columns.iter().map(part).collect())
    }
}

/// The keys of one table.
pub(crate) type Keys = BTreeSet<Key>;

/// The keys of the tables that were written.
#[derive(Debug, Default)]
pub struct KeyCache {
    tables: BTreeMap<(u16, TableId), (Uuid, Keys)>,
}

impl KeyCache {
    /// Takes the keys of a table out, where they are known under this fork.
    pub(crate) fn take(&mut self, database: u16, table: TableId, fork: Uuid) -> Option<Keys> {
        let (known, keys) = self.tables.remove(&(database, table))?;
        (known == fork).then_some(keys)
    }

    /// Puts them back.
    pub(crate) fn put(&mut self, database: u16, table: TableId, fork: Uuid, keys: Keys) {
        if database > SYSTEM_MAX {
            self.tables.insert((database, table), (fork, keys));
        }
    }

    /// Forgets those of a database.
    pub(crate) fn forget(&mut self, database: u16) {
        self.tables.retain(|(known, _), _| *known != database);
    }
}
