//! How much a session may hold in memory: variables, temporary tables, table variables, and what BEGIN and SAVE TRANSACTION keep
//! of them.
//!
//! A session that would hold more than [`SESSION_MAX`] gets 701 and keeps what it has. Rows are shared between a table and what
//! transactions keep of it, and are counted once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::message::Failure;
use crate::session::temporary::TemporaryTable;
use crate::session::work::{Frame, Work};
use crate::value::{SqlType, Value};

/// Bytes that a session may hold, about: a temporary table as large as the largest result.
pub(crate) const SESSION_MAX: usize = 256 << 20;

/// What a variable takes beside its value.
const VARIABLE: usize = 64;

/// Bytes of a value.
pub(crate) fn of_value(value: &Value) -> usize {
    let beside = match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    size_of::<Value>() + beside
}

/// Bytes of rows.
pub(crate) fn of_rows(rows: &[Vec<Value>]) -> usize {
    let row = |row: &Vec<Value>| size_of::<Vec<Value>>() + row.iter().map(of_value).sum::<usize>();
    rows.iter().map(row).sum()
}

/// Bytes of tables, with rows that are shared with others.
pub(crate) fn of_tables(tables: &BTreeMap<String, TemporaryTable>) -> usize {
    tables.values().map(TemporaryTable::bytes).sum()
}

impl Frame {
    /// A variable that was not there: a parameter, whose value its caller holds already.
    pub(crate) fn declare(&mut self, key: String, value: Value, sql_type: SqlType) {
        self.bytes += VARIABLE + of_value(&value);
        self.variables.insert(key, (value, sql_type));
    }
}

impl Work {
    /// Whether there is room for so many bytes more.
    ///
    /// # Errors
    /// 701.
    pub(crate) fn check_room(&self, more: usize) -> Result<(), Failure> {
        let variables = more.saturating_add(self.around).saturating_add(self.frame.bytes);
        let own = of_tables(&self.temporary) + of_tables(&self.frame.tables);
        let before = self.temporary_before.as_ref().map_or(0, of_tables);
        let saved = self.savepoints.last().map_or(0, |savepoint| savepoint.bytes);
        // Each row that is shared was counted several times: only where that is too much it is looked at more closely.
        let is_much = |tables: usize| variables.saturating_add(tables) > SESSION_MAX;
        match is_much(own + before + saved) && is_much(self.distinct()) {
            true => Err(Failure::new(701, &[&"default"])),
            false => Ok(()),
        }
    }

    /// Bytes of all tables, each row counted once.
    fn distinct(&self) -> usize {
        let kept = self.savepoints.iter().map(|savepoint| &savepoint.temporary);
        let all = [&self.temporary, &self.frame.tables]
            .into_iter()
            .chain(&self.temporary_before)
            .chain(kept);
        let mut seen = BTreeSet::new();
        let mut bytes = 0;
        for table in all.flat_map(BTreeMap::values) {
            bytes += table.definition_bytes();
            if seen.insert(Arc::as_ptr(&table.rows)) {
                bytes += table.row_bytes;
            }
        }
        bytes
    }

    /// Gives a variable a value; `key` is its name in lower case.
    ///
    /// # Errors
    /// 701.
    pub(crate) fn assign(&mut self, key: &str, value: Value, sql_type: SqlType) -> Result<(), Failure> {
        let known = self.frame.variables.get(key);
        let old = known.map_or(0, |(value, _)| VARIABLE + of_value(value));
        let new = VARIABLE + of_value(&value);
        if new > old {
            self.check_room(new - old)?;
        }
        self.frame.bytes = self.frame.bytes + new - old;
        self.frame.variables.insert(key.to_owned(), (value, sql_type));
        Ok(())
    }
}
