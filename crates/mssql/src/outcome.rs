//! What came of a batch: messages, rows, counts.

use crate::message::Message;
use crate::session::Error;
use crate::value::{Column, FromValue, Value};

/// All that a server said of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Messages in order; of one statement, information stands before errors.
    pub messages: Vec<Message>,
    /// Messages past the limit, which are not here.
    pub messages_dropped: u64,
    /// Results in order.
    pub results: Vec<Rows>,
    /// The rows that each statement touched, where it counts any.
    pub counts: Vec<Option<u64>>,
}

impl Outcome {
    /// The first message with this number.
    #[must_use]
    pub fn find(&self, number: i32) -> Option<&Message> {
        self.messages.iter().find(|message| message.number == number)
    }
}

/// One result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each with a value for each column.
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows, to be read by the names of the columns.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row { rows: self, values })
    }

    /// The first row, where there is one.
    #[must_use]
    pub fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }

    /// The only row.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are none or several.
    pub fn only(&self) -> Result<Row<'_>, Error> {
        match self.rows.as_slice() {
            [values] => Ok(Row { rows: self, values }),
            rows => Err(Error::Shape {
                reason: format!("{} rows instead of one", rows.len()),
            }),
        }
    }
}

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    rows: &'a Rows,
    values: &'a [Value],
}

impl Row<'_> {
    /// The place of a column: by its name, and where none is called exactly that, whatever the case of its letters.
    fn place(&self, column: &str) -> Option<usize> {
        let columns = &self.rows.columns;
        let exactly = columns.iter().position(|one| one.name == column);
        exactly.or_else(|| {
            columns
                .iter()
                .position(|one| one.name.eq_ignore_ascii_case(column))
        })
    }

    /// The value of a column; the case of its letters does not count.
    ///
    /// # Errors
    /// [`Error::Shape`] where there is no such column.
    pub fn value(&self, column: &str) -> Result<&Value, Error> {
        self.place(column)
            .and_then(|place| self.values.get(place))
            .ok_or_else(|| Error::Shape {
                reason: format!("there is no column {column}"),
            })
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// [`Error::Shape`] where there is no such column, it is NULL, or of another kind.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, Error> {
        self.optional(column)?.ok_or_else(|| Error::Shape {
            reason: format!("column {column} is NULL"),
        })
    }

    /// A value that may be NULL.
    ///
    /// # Errors
    /// [`Error::Shape`] where there is no such column, or it is of another kind.
    pub fn optional<T: FromValue>(&self, column: &str) -> Result<Option<T>, Error> {
        match self.value(column)? {
            Value::Null => Ok(None),
            value => match T::from_value(value) {
                Some(read) => Ok(Some(read)),
                None => Err(Error::Shape {
                    reason: format!("column {column} holds another kind of value"),
                }),
            },
        }
    }

    /// A value of a column that this version of SQL Server may not have: `None` without it, and where it is NULL.
    ///
    /// # Errors
    /// [`Error::Shape`] where it is of another kind.
    pub fn if_there<T: FromValue>(&self, column: &str) -> Result<Option<T>, Error> {
        if self.place(column).is_some() {
            self.optional(column)
        } else {
            Ok(None)
        }
    }
}
