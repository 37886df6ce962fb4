//! Rows of a result whose columns come with their values.

use bak::LocalTime;

use crate::answers::Answers;
use crate::value::{Column, DateTime, SqlType, Value};

/// A row.
#[derive(Default)]
pub(super) struct Row {
    columns: Vec<Column>,
    values: Vec<Value>,
}

impl Row {
    /// Appends a column.
    pub(super) fn put(&mut self, name: &str, sql_type: SqlType, value: Value) {
        self.columns.push(Column::new(name, sql_type));
        self.values.push(value);
    }
}

/// Sends rows, which all have the same columns.
pub(super) fn send(rows: &[Row], answers: &mut dyn Answers) {
    if let Some(first) = rows.first() {
        answers.columns(&first.columns);
    }
    for row in rows {
        answers.row(&row.values);
    }
    answers.done(Some(rows.len() as u64));
}

/// A date of a backup as `datetime`.
pub(super) fn datetime(time: LocalTime) -> Value {
    let seconds = u64::from(time.hour) * 3600 + u64::from(time.minute) * 60 + u64::from(time.second);
    Value::DateTime(DateTime {
        ticks: seconds * 10_000_000,
        ..DateTime::midnight(i32::from(time.year), time.month, time.day)
    })
}

/// The same; NULL for none.
pub(super) fn datetime_or_null(time: Option<LocalTime>) -> Value {
    time.map_or(Value::Null, datetime)
}
