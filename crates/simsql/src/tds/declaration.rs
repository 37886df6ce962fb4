//! The parameter list of `sp_executesql` and its kin: `@id int, @name nvarchar(100), @total decimal(10, 2) OUTPUT`.
//!
//! A value keeps the type it was sent in where that of the list is unknown here or would change it.

use crate::value::{Length, SqlType, Value};

/// A parameter as the list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    /// With the sign.
    pub(super) name: String,
    /// Its type; `None` where it is not known here.
    pub(super) sql_type: Option<SqlType>,
    /// It has a default, or none need be given.
    pub(super) has_default: bool,
    /// OUTPUT.
    pub(super) is_output: bool,
}

/// Reads the list.
pub(super) fn read(text: &str) -> Vec<Declared> {
    split(text).into_iter().filter_map(declared).collect()
}

/// The parts between commas that stand in no parentheses and no quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth, mut quoted) = (Vec::new(), 0, 0_usize, false);
    for (at, character) in text.char_indices() {
        match character {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

fn declared(part: &str) -> Option<Declared> {
    let part = part.trim();
    let end = part.find(char::is_whitespace)?;
    let (name, rest) = part.split_at(end);
    if !name.starts_with('@') {
        return None;
    }
    let mut rest = rest.trim();
    let upper = rest.to_ascii_uppercase();
    let mut is_output = false;
    for word in [" OUTPUT", " OUT"] {
        if !is_output && upper.ends_with(word) {
            rest = rest[..rest.len() - word.len()].trim();
            is_output = true;
        }
    }
    let (written, default) = rest.split_once('=').map_or((rest, None), |(t, d)| (t, Some(d)));
    let written = written.trim();
    let written = written
        .strip_prefix("AS ")
        .or_else(|| written.strip_prefix("as "))
        .unwrap_or(written);
    Some(Declared {
        name: name.to_owned(),
        sql_type: sql_type(written),
        has_default: default.is_some(),
        is_output,
    })
}

fn sql_type(written: &str) -> Option<SqlType> {
    let (name, arguments) = match written.split_once('(') {
        Some((name, rest)) => (name, Some(rest.trim().strip_suffix(')')?)),
        None => (written, None),
    };
    let name = name.trim().trim_start_matches('[').trim_end_matches(']');
    let numbers: Vec<u16> = arguments
        .unwrap_or_default()
        .split(',')
        .filter_map(|number| number.trim().parse().ok())
        .collect();
    let first = numbers.first().copied();
    let length = match arguments.map(str::trim) {
        Some(max) if max.eq_ignore_ascii_case("max") => Length::Max,
        _ => Length::Of(first.unwrap_or(1)),
    };
    let scale = first.map_or(Some(7), |scale| u8::try_from(scale).ok().filter(|s| *s <= 7));
    Some(match name.to_ascii_lowercase().as_str() {
        "bit" => SqlType::Bit,
        "tinyint" => SqlType::TinyInt,
        "smallint" => SqlType::SmallInt,
        "int" | "integer" => SqlType::Int,
        "bigint" => SqlType::BigInt,
        "real" => SqlType::Real,
        "float" if first.is_some_and(|bits| bits <= 24) => SqlType::Real,
        "float" => SqlType::Float,
        "decimal" | "numeric" | "dec" => SqlType::Decimal {
            precision: u8::try_from(first.unwrap_or(18)).ok().filter(|p| *p <= 38)?,
            scale: u8::try_from(numbers.get(1).copied().unwrap_or(0))
                .ok()
                .filter(|s| *s <= 38)?,
        },
        "money" | "smallmoney" => SqlType::Money,
        "date" => SqlType::Date,
        "time" => SqlType::Time(scale?),
        "datetime" => SqlType::DateTime,
        "smalldatetime" => SqlType::SmallDateTime,
        "datetime2" => SqlType::DateTime2(scale?),
        "datetimeoffset" => SqlType::DateTimeOffset(scale?),
        "char" => SqlType::Char(first.unwrap_or(1)),
        "nchar" => SqlType::NChar(first.unwrap_or(1)),
        "varchar" => SqlType::VarChar(length),
        "nvarchar" => SqlType::NVarChar(length),
        "sysname" => crate::value::SYSNAME,
        "text" => SqlType::VarChar(Length::Max),
        "ntext" | "xml" => SqlType::NVarChar(Length::Max),
        "binary" => SqlType::Binary(first.unwrap_or(1)),
        "varbinary" => SqlType::VarBinary(length),
        "image" => SqlType::VarBinary(Length::Max),
        "uniqueidentifier" => SqlType::UniqueIdentifier,
        "sql_variant" => SqlType::Variant,
        _ => return None,
    })
}

/// Whether a value sent as `sent` is the same in a variable of `declared`.
pub(super) fn fits(declared: SqlType, sent: SqlType, value: &Value) -> bool {
    let within = |low: i64, high: i64| matches!(value, Value::Integer(n) if (low..=high).contains(n));
    match (declared, value) {
        (_, Value::Null) => true,
        (declared, _) if declared == sent => true,
        (SqlType::TinyInt, _) => within(0, 255),
        (SqlType::SmallInt, _) => within(i64::from(i16::MIN), i64::from(i16::MAX)),
        (SqlType::Int, _) => within(i64::from(i32::MIN), i64::from(i32::MAX)),
        (SqlType::BigInt, _) => matches!(value, Value::Integer(_)),
        (SqlType::Float, Value::Float(_)) | (SqlType::Variant, _) => true,
        (SqlType::VarChar(length), Value::Text(text)) => text.is_ascii() && has_room(length, text.len()),
        (SqlType::NVarChar(length), Value::Text(text)) => has_room(length, text.encode_utf16().count()),
        (SqlType::VarBinary(length), Value::Bytes(bytes)) => has_room(length, bytes.len()),
        _ => false,
    }
}

fn has_room(length: Length, used: usize) -> bool {
    match length {
        Length::Max => true,
        Length::Of(most) => used <= usize::from(most),
    }
}

#[cfg(test)]
mod tests {
    use super::{Declared, read};
    use crate::value::{Length, SqlType};

    fn one(name: &str, sql_type: SqlType) -> Declared {
        Declared {
            name: name.to_owned(),
            sql_type: Some(sql_type),
            has_default: false,
            is_output: false,
        }
    }

    #[test]
    fn lists_of_real_clients() {
        let decimal = SqlType::Decimal {
            precision: 10,
            scale: 2,
        };
        assert_eq!(
            read("@P1 nvarchar(4000),@P2 varbinary(max), @d  decimal(10, 2) OUTPUT,@x int = 5"),
            [
                one("@P1", SqlType::NVarChar(Length::Of(4000))),
                one("@P2", SqlType::VarBinary(Length::Max)),
                Declared {
                    is_output: true,
                    ..one("@d", decimal)
                },
                Declared {
                    has_default: true,
                    ..one("@x", SqlType::Int)
                },
            ]
        );
        assert_eq!(read(""), []);
        assert_eq!(read("nonsense, @x"), []);
        assert_eq!(read("@g geography")[0].sql_type, None);
    }
}
