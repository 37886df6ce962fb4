//! Functions that need neither server nor session.
//!
//! A [`Builtin`] gives its arguments the types it wants when a query is bound, and so knows the type of its answer; then it sees
//! values alone.

mod moment;
mod name;
mod number;
mod text;

pub(crate) use text::{PATINDEX, patindex};

use crate::message::Failure;
use crate::query::bind::operator::coerced;
use crate::query::plan::{Node, Scalar};
use crate::query::types::{self, Family};
use crate::value::{Length, SqlType, Value};

/// What binding makes of a function's arguments: them in the right types, and the type of its answer.
pub(crate) type Bound = Result<(Vec<Scalar>, SqlType), Failure>;

/// A function.
#[derive(Debug)]
pub(crate) struct Builtin {
    /// In upper case.
    pub(crate) name: &'static str,
    /// Fewest and most arguments.
    pub(crate) arguments: (usize, usize),
    /// NULL for any argument gives NULL.
    pub(crate) strict: bool,
    /// Types.
    pub(crate) bind: fn(Vec<Scalar>) -> Bound,
    /// The value, in the type that `bind` gave.
    pub(crate) run: fn(&[Value], SqlType) -> Result<Value, Failure>,
}

impl PartialEq for Builtin {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Arguments of a function that takes any number of them.
pub(crate) const MANY: usize = 254;

/// The function of a name in upper case.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    [text::ALL, name::ALL, number::ALL, moment::ALL]
        .into_iter()
        .flatten()
        .find(|builtin| builtin.name == name)
}

/// A call with bound arguments.
pub(crate) fn call(name: &str, arguments: Vec<Scalar>) -> Result<Scalar, Failure> {
    let builtin = find(name).ok_or_else(|| Failure::new(195, &[&name]))?;
    let (least, most) = builtin.arguments;
    if !(least..=most).contains(&arguments.len()) {
        let lower = name.to_lowercase();
        return Err(if least == most {
            Failure::new(174, &[&lower, &least])
        } else {
            Failure::new(189, &[&lower, &least, &most])
        });
    }
    let collation = arguments.iter().find_map(|argument| argument.collation);
    let (arguments, sql_type) = (builtin.bind)(arguments)?;
    let nullable = !builtin.strict || arguments.iter().any(|argument| argument.nullable);
    Ok(Scalar {
        nullable,
        collation,
        ..Scalar::new(Node::Call(builtin, arguments), sql_type)
    })
}

/// An argument as text: text as it is, other types as long as they print.
fn as_text(scalar: Scalar) -> Result<Scalar, Failure> {
    if types::family(scalar.sql_type) == Family::Text {
        return Ok(scalar);
    }
    let sql_type = if scalar.sql_type == SqlType::Variant {
        SqlType::NVarChar(Length::Of(4000))
    } else {
        SqlType::VarChar(types::printed_length(scalar.sql_type))
    };
    coerced(scalar, sql_type)
}

/// The text of a value that binding made text.
fn text(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        _ => "",
    }
}

/// The number of a value that binding made an integer.
fn integer(value: &Value) -> i64 {
    match value {
        Value::Integer(number) => *number,
        _ => 0,
    }
}

/// `varchar` or `nvarchar`, as an argument is, of a length.
fn text_like(sql_type: SqlType, length: Length) -> SqlType {
    if types::is_unicode(sql_type) {
        SqlType::NVarChar(length)
    } else {
        SqlType::VarChar(length)
    }
}

/// The same text type but of varying length.
fn varying(sql_type: SqlType) -> SqlType {
    text_like(sql_type, types::printed_length(sql_type))
}

/// As long as the type of a text can be without (max); (max) where it is that already.
fn longest(sql_type: SqlType) -> SqlType {
    match types::length_of(sql_type) {
        Some(Length::Max) => text_like(sql_type, Length::Max),
        _ if types::is_unicode(sql_type) => SqlType::NVarChar(Length::Of(4000)),
        _ => SqlType::VarChar(Length::Of(8000)),
    }
}
