//! A call of a function: its arguments, its answers.

use std::sync::MutexGuard;

use crate::instance::{DatabaseEntry, State, Version};
use crate::message::Failure;
use crate::query::collation::Collation;
use crate::session::Session;
use crate::value::{SYSNAME, SqlType, Value};

/// What a function answers; `None` where it is not known here.
pub(super) type Answer = Option<Result<(Value, SqlType), Failure>>;

/// A call.
pub(super) struct Call<'a> {
    /// Who calls.
    pub(super) session: &'a Session,
    /// The function, in upper case and without its schema.
    pub(super) name: &'a str,
    /// Arguments.
    pub(super) arguments: &'a [Value],
}

impl<'a> Call<'a> {
    /// The state; let go of it soon.
    pub(super) fn state(&self) -> MutexGuard<'a, State> {
        self.session.instance.state()
    }

    /// Which SQL Server.
    pub(super) fn version(&self) -> Version {
        self.session.instance.settings.version
    }

    /// An argument as text; `None` for NULL and where there is none.
    pub(super) fn text(&self, place: usize) -> Option<String> {
        match self.arguments.get(place)? {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// An argument as a whole number.
    pub(super) fn number(&self, place: usize) -> Option<i64> {
        match self.arguments.get(place)? {
            Value::Integer(number) => Some(*number),
            Value::Bit(bit) => Some(i64::from(*bit)),
            Value::Text(text) => text.trim().parse().ok(),
            Value::Decimal(decimal) => {
                let whole = decimal.unscaled / 10_i128.pow(u32::from(decimal.scale));
                i64::try_from(whole).ok()
            }
            _ => None,
        }
    }

    /// Refuses a call with fewer or more arguments.
    ///
    /// # Errors
    /// 174 and 189, as SQL Server has them.
    pub(super) fn expect(&self, least: usize, most: usize) -> Result<(), Failure> {
        let lower = self.name.to_lowercase();
        match (least..=most).contains(&self.arguments.len()) {
            true => Ok(()),
            false if least == most => Err(Failure::new(174, &[&lower, &least])),
            false => Err(Failure::new(189, &[&lower, &least, &most])),
        }
    }

    /// The database that the session is in.
    pub(super) fn own<'s>(&self, state: &'s State) -> Option<&'s DatabaseEntry> {
        state.database(&self.session.database)
    }

    /// The database that an argument names; the session's own where the call does not have the argument.
    pub(super) fn database<'s>(&self, state: &'s State, place: usize) -> Option<&'s DatabaseEntry> {
        if place >= self.arguments.len() {
            return self.own(state);
        }
        state.database(self.text(place)?.trim_end())
    }
}

/// An answer of a type.
pub(super) fn of(sql_type: SqlType, value: impl Into<Value>) -> Answer {
    Some(Ok((value.into(), sql_type)))
}

/// A name.
pub(super) fn name(value: impl Into<Value>) -> Answer {
    of(SYSNAME, value)
}

/// An `int`.
pub(super) fn int(value: Option<i64>) -> Answer {
    of(SqlType::Int, value)
}

/// Whether two names are one in the catalog's collation.
pub(super) fn same(left: &str, right: &str) -> bool {
    Collation::named("").compare(left, right).is_eq()
}

/// The parts of a name in a text, brackets and quotes taken off: `[a].[b c]`.
pub(super) fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut closing = None;
    let mut signs = text.trim().chars().peekable();
    while let Some(sign) = signs.next() {
        let last = parts.len() - 1;
        match (closing, sign) {
            (Some(end), sign) if sign == end => {
                if signs.peek() == Some(&end) {
                    signs.next();
                    parts[last].push(end);
                } else {
                    closing = None;
                }
            }
            (Some(_), sign) => parts[last].push(sign),
            (None, '[') => closing = Some(']'),
            (None, '"') => closing = Some('"'),
            (None, '.') => parts.push(String::new()),
            (None, sign) => parts[last].push(sign),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names_come_apart_at_dots_outside_of_brackets() {
        assert_eq!(parts("[my.db]..[a]]b]"), ["my.db", "", "a]b"]);
        assert_eq!(parts("dbo.\"t\""), ["dbo", "t"]);
    }
}
