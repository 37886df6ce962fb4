//! Functions on names and single characters.

use encoding_rs::WINDOWS_1252;

use crate::message::Failure;
use crate::query::bind::operator::coerced;
use crate::query::convert::text::encoded;
use crate::query::decimal;
use crate::query::functions::{Bound, Builtin, as_text, integer, text};
use crate::query::plan::Scalar;
use crate::value::{Length, SYSNAME, SqlType, Value};

pub(super) const ALL: &[Builtin] = &[
    Builtin {
        name: "QUOTENAME",
        arguments: (1, 2),
        strict: true,
        bind: |arguments| Ok((texts(arguments)?, SqlType::NVarChar(Length::Of(258)))),
        run: |values, _| Ok(quote_name(values)),
    },
    Builtin {
        name: "PARSENAME",
        arguments: (2, 2),
        strict: true,
        bind: |arguments| {
            let mut arguments = arguments.into_iter();
            let mut bound = texts(arguments.by_ref().take(1).collect())?;
            for part in arguments {
                bound.push(coerced(part, SqlType::Int)?);
            }
            Ok((bound, SYSNAME))
        },
        run: |values, _| Ok(parse_name(text(&values[0]), integer(&values[1]))),
    },
    Builtin {
        name: "CHAR",
        arguments: (1, 1),
        strict: true,
        bind: |arguments| Ok((whole(arguments)?, SqlType::Char(1))),
        run: |values, _| {
            Ok(match u8::try_from(integer(&values[0])) {
                Ok(byte) => Value::from(&*WINDOWS_1252.decode_without_bom_handling(&[byte]).0),
                Err(_) => Value::Null,
            })
        },
    },
    Builtin {
        name: "NCHAR",
        arguments: (1, 1),
        strict: true,
        bind: |arguments| Ok((whole(arguments)?, SqlType::NChar(1))),
        run: |values, _| {
            let sign = u16::try_from(integer(&values[0])).ok();
            let sign = sign.and_then(|unit| char::from_u32(unit.into()));
            Ok(sign.map_or(Value::Null, |sign| Value::Text(sign.to_string())))
        },
    },
    Builtin {
        name: "ASCII",
        arguments: (1, 1),
        strict: true,
        bind: |arguments| Ok((texts(arguments)?, SqlType::Int)),
        run: |values, _| {
            let bytes = encoded(text(&values[0]), SqlType::VarChar(Length::Max));
            Ok(bytes
                .first()
                .map_or(Value::Null, |byte| Value::Integer((*byte).into())))
        },
    },
    Builtin {
        name: "UNICODE",
        arguments: (1, 1),
        strict: true,
        bind: |arguments| Ok((texts(arguments)?, SqlType::Int)),
        run: |values, _| {
            let unit = text(&values[0]).encode_utf16().next();
            Ok(unit.map_or(Value::Null, |unit| Value::Integer(unit.into())))
        },
    },
    Builtin {
        name: "STR",
        arguments: (1, 3),
        strict: true,
        bind: bind_str,
        run: |values, _| Ok(str_of(values)),
    },
];

fn texts(arguments: Vec<Scalar>) -> Result<Vec<Scalar>, Failure> {
    arguments.into_iter().map(as_text).collect()
}

fn whole(arguments: Vec<Scalar>) -> Result<Vec<Scalar>, Failure> {
    arguments
        .into_iter()
        .map(|argument| coerced(argument, SqlType::Int))
        .collect()
}

/// NULL for a name of more than 128 characters and for signs that quote nothing.
fn quote_name(values: &[Value]) -> Value {
    let name = text(&values[0]);
    let sign = values.get(1).map_or("[", text).chars().next();
    let (open, close) = match sign {
        Some('[' | ']') => ('[', ']'),
        Some('(' | ')') => ('(', ')'),
        Some('<' | '>') => ('<', '>'),
        Some('{' | '}') => ('{', '}'),
        Some(sign @ ('\'' | '"' | '`')) => (sign, sign),
        _ => return Value::Null,
    };
    if name.encode_utf16().count() > 128 {
        return Value::Null;
    }
    let mut quoted = String::from(open);
    for sign in name.chars() {
        quoted.push(sign);
        if sign == close {
            quoted.push(sign);
        }
    }
    quoted.push(close);
    Value::Text(quoted)
}

/// Part 1 is the object, 2 the schema, 3 the database, 4 the server.
fn parse_name(name: &str, part: i64) -> Value {
    let mut parts = vec![String::new()];
    let mut closing: Option<char> = None;
    for sign in name.chars() {
        let current = parts.last_mut().expect("there is always a last part");
        match (closing, sign) {
            (Some(close), sign) if sign == close => closing = None,
            (None, '[') if current.is_empty() => closing = Some(']'),
            (None, '"') if current.is_empty() => closing = Some('"'),
            (None, '.') => parts.push(String::new()),
            (_, sign) => current.push(sign),
        }
    }
    if parts.len() > 4 || closing.is_some() {
        return Value::Null;
    }
    let at = usize::try_from(part)
        .ok()
        .and_then(|part| parts.len().checked_sub(part));
    match at.filter(|_| part >= 1) {
        Some(at) if !parts[at].is_empty() => Value::Text(parts.swap_remove(at)),
        _ => Value::Null,
    }
}

fn bind_str(arguments: Vec<Scalar>) -> Bound {
    let mut bound = Vec::new();
    for (at, argument) in arguments.into_iter().enumerate() {
        let sql_type = if at == 0 { SqlType::Float } else { SqlType::Int };
        bound.push(coerced(argument, sql_type)?);
    }
    Ok((bound, SqlType::VarChar(Length::Of(8000))))
}

/// A float, rounded, right-aligned; asterisks where it is too wide.
fn str_of(values: &[Value]) -> Value {
    let Value::Float(number) = values[0] else {
        return Value::Null;
    };
    let width = values.get(1).map_or(10, integer);
    let places = values.get(2).map_or(0, integer).clamp(0, 16);
    let Ok(width) = usize::try_from(width) else {
        return Value::Null;
    };
    let print = |places: i64| match decimal::from_float(number, places as u8) {
        Some(decimal) => decimal::print(decimal),
        None => format!("{number:.0}"),
    };
    let mut printed = print(places);
    // What is too wide loses digits behind the point first.
    let whole = print(0).len();
    if printed.len() > width && whole <= width {
        let room = i64::try_from(width - whole).unwrap_or(0) - 1;
        printed = print(room.clamp(0, places));
    }
    Value::Text(if printed.len() > width {
        "*".repeat(width)
    } else {
        format!("{printed:>width$}")
    })
}
