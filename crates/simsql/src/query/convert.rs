//! From type to type: assignments, parameters, CAST and CONVERT, columns.
//!
//! [`convert`] cuts text that is too long, as an assignment to a variable does; [`store`] refuses it, as a column does. Which
//! conversions exist is [`check_explicit`] and [`check_implicit`], the documentation's table «CAST and CONVERT»: asked once,
//! before any row.

mod bytes;
mod date;
pub(crate) mod number;
pub(crate) mod text;

use crate::message::Failure;
use crate::query::types::{self, Family, name};
use crate::value::{Length, SqlType, Value};

/// A value of type `from` as a value of type `to`. Text and bytes that are too long are cut.
///
/// # Errors
/// 245, 241, 242, 220, 232, 244, 248, 8114, 8115, 8169, 8170: the value does not fit; 529: there is no such conversion.
pub fn convert(value: Value, from: SqlType, to: SqlType) -> Result<Value, Failure> {
    cast(value, from, to, None)
}

/// The same with a style of CONVERT.
///
/// # Errors
/// As [`convert`]; 281 for an unknown style of dates.
pub fn cast(value: Value, from: SqlType, to: SqlType, style: Option<i64>) -> Result<Value, Failure> {
    if value == Value::Null || to == SqlType::Variant {
        return Ok(value);
    }
    let from = if from == SqlType::Variant {
        types::of_value(&value)
    } else {
        from
    };
    if from == to && !matches!(to, SqlType::DateTime | SqlType::Decimal { .. }) {
        return text::fitted(value, to);
    }
    check_explicit(from, to)?;
    match types::family(to) {
        Family::Integer => number::to_integer(value, from, to),
        Family::Decimal => number::to_decimal(value, from, to),
        Family::Float => number::to_float(value, from, to),
        Family::Text => text::to_text(value, from, to, style),
        Family::Binary => bytes::to_bytes(value, from, to, style),
        Family::Guid => bytes::to_guid(value),
        Family::Date | Family::Time | Family::OldDateTime | Family::NewDateTime => {
            date::to_moment(value, from, to, style)
        }
        Family::Variant => Ok(value),
    }
}

/// A value as a column of type `to` takes it: nothing is cut but blanks at the end.
///
/// # Errors
/// As [`convert`], and 2628 for text or bytes that are too long (8152 where `table` is empty).
pub fn store(value: Value, from: SqlType, to: SqlType, table: &str, column: &str) -> Result<Value, Failure> {
    if is_cut(&value, to) {
        return Err(if table.is_empty() {
            Failure::new(8152, &[])
        } else {
            Failure::new(2628, &[&table, &column, &start_of(&value, to)])
        });
    }
    convert(value, from, to)
}

/// The bytes of pairs of hexadecimal digits.
pub(crate) fn from_digits(digits: &str) -> Option<Vec<u8>> {
    bytes::decode(digits)
}

/// Whether a text or bytes are longer than a type allows.
fn is_cut(value: &Value, to: SqlType) -> bool {
    let Some(Length::Of(longest)) = types::length_of(to) else {
        return false;
    };
    match value {
        Value::Text(text) if types::family(to) == Family::Text => {
            text::units(text.trim_end_matches(' '), to) > usize::from(longest)
        }
        Value::Bytes(bytes) if types::family(to) == Family::Binary => bytes.len() > usize::from(longest),
        _ => false,
    }
}

/// As much of a value as the column would take, for the message.
fn start_of(value: &Value, to: SqlType) -> String {
    match text::fitted(value.clone(), to) {
        Ok(Value::Text(text)) => text,
        _ => String::new(),
    }
}

/// Whether CAST knows a conversion.
///
/// # Errors
/// 529.
pub fn check_explicit(from: SqlType, to: SqlType) -> Result<(), Failure> {
    use Family as F;
    let refused = matches!(
        (types::family(from), types::family(to)),
        (
            F::Integer | F::Decimal | F::Float,
            F::Guid | F::Date | F::Time | F::NewDateTime
        ) | (
            F::Guid | F::Date | F::Time | F::NewDateTime,
            F::Integer | F::Decimal | F::Float
        ) | (F::Guid, F::Date | F::Time | F::OldDateTime | F::NewDateTime)
            | (F::Date | F::Time | F::OldDateTime | F::NewDateTime, F::Guid)
            | (F::Date, F::Time)
            | (F::Time, F::Date)
            | (F::Binary, F::Float)
    );
    if refused {
        return Err(Failure::new(529, &[&name(from), &name(to)]));
    }
    Ok(())
}

/// Whether a value goes into another type by itself: an assignment, a comparison, an argument.
///
/// # Errors
/// 257 where CONVERT would help, 206 where nothing does.
pub fn check_implicit(from: SqlType, to: SqlType) -> Result<(), Failure> {
    use Family as F;
    if check_explicit(from, to).is_err() {
        return Err(Failure::new(206, &[&name(from), &name(to)]));
    }
    let refused = match (types::family(from), types::family(to)) {
        (F::Text, F::Binary) => true,
        (F::Variant, other) => other != F::Variant,
        (F::OldDateTime, F::Integer | F::Decimal | F::Float) => true,
        (F::Date | F::Time | F::OldDateTime | F::NewDateTime, F::Binary) => true,
        (F::Float, F::Binary) => true,
        _ => false,
    };
    if refused {
        return Err(Failure::new(257, &[&name(from), &name(to)]));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
