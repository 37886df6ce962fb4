//! A new row made whole: defaults, the identity, and what must not be NULL.

use crate::engine::TableDefinition;
use crate::message::Failure;
use crate::query::change::NewRow;
use crate::query::{self, Names, convert};
use crate::tsql;
use crate::value::Value;

/// Makes rows of one table whole.
pub(crate) struct Completion<'a> {
    /// The table.
    pub(crate) definition: &'a TableDefinition,
    /// Its name, for messages.
    pub(crate) table: &'a str,
    /// IDENTITY_INSERT is ON for it.
    pub(crate) takes_identity: bool,
    /// Next value of the identity column.
    pub(crate) next_identity: i64,
    /// The last value given or taken.
    pub(crate) last_identity: Option<i64>,
}

impl Completion<'_> {
    /// The row to be inserted.
    ///
    /// # Errors
    /// 515, 544, 545, 8115 where the identity has no further value, and what defaults meet.
    pub(crate) fn insert(&mut self, row: NewRow, names: &mut dyn Names) -> Result<Vec<Value>, Failure> {
        let mut whole = Vec::with_capacity(row.len());
        for (column, value) in row.into_iter().enumerate() {
            let is_identity = self.definition.identity.filter(|(place, _, _)| *place == column);
            let value = match (value, is_identity) {
                (value, Some((_, _, increment))) => self.identity(value, increment)?,
                (Some(value), None) => value,
                (None, None) => self.default(column, names)?,
            };
            self.check(column, &value, "INSERT")?;
            whole.push(value);
        }
        Ok(whole)
    }

    /// The row that takes the place of `old`.
    ///
    /// # Errors
    /// 515, 8102, and what defaults meet.
    pub(crate) fn update(
        &self,
        old: &[Value],
        new: NewRow,
        names: &mut dyn Names,
    ) -> Result<Vec<Value>, Failure> {
        let mut whole = Vec::with_capacity(new.len());
        for (column, value) in new.into_iter().enumerate() {
            let value = match value {
                Some(value) => value,
                None => self.default(column, names)?,
            };
            let is_identity = self
                .definition
                .identity
                .is_some_and(|(place, _, _)| place == column);
            if is_identity && value != old[column] {
                return Err(Failure::new(8102, &[&self.definition.columns[column].name]));
            }
            self.check(column, &value, "UPDATE")?;
            whole.push(value);
        }
        Ok(whole)
    }

    fn identity(&mut self, value: Option<Value>, increment: i64) -> Result<Value, Failure> {
        let number = match (value, self.takes_identity) {
            (Some(Value::Integer(number)), true) => {
                let is_further = (increment > 0) == (number >= self.next_identity);
                if is_further {
                    self.next_identity = number.saturating_add(increment);
                }
                self.last_identity = Some(number);
                return Ok(Value::Integer(number));
            }
            (Some(Value::Decimal(number)), true) => return Ok(Value::Decimal(number)),
            (Some(_), false) => return Err(Failure::new(544, &[&self.definition.name])),
            (_, true) => return Err(Failure::new(545, &[&self.definition.name])),
            (None, false) => self.next_identity,
        };
        self.next_identity = number
            .checked_add(increment)
            .ok_or_else(|| Failure::new(8115, &[&"IDENTITY", &"bigint"]))?;
        self.last_identity = Some(number);
        let (place, _, _) = self.definition.identity.expect("the column is an identity");
        let column = &self.definition.columns[place];
        let whole = crate::value::SqlType::BigInt;
        convert::convert(Value::Integer(number), whole, column.sql_type)
    }

    fn default(&self, column: usize, names: &mut dyn Names) -> Result<Value, Failure> {
        let Some(Some(text)) = self.definition.defaults.get(column) else {
            return Ok(Value::Null);
        };
        let (value, from) = query::evaluate(&tsql::expression(text)?, names)?;
        let column = &self.definition.columns[column];
        convert::store(value, from, column.sql_type, self.table, &column.name)
    }

    fn check(&self, column: usize, value: &Value, deed: &str) -> Result<(), Failure> {
        let column = &self.definition.columns[column];
        if *value == Value::Null && !column.nullable {
            return Err(Failure::new(515, &[&column.name, &self.table, &deed]));
        }
        Ok(())
    }
}
