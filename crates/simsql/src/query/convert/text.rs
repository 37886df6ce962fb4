//! To text, and the length of text.
//!
//! `char` and `varchar` are counted in bytes of code page 1252 and hold its characters alone (others become `?`); `nchar` and
//! `nvarchar` in units of UTF-16.

use encoding_rs::WINDOWS_1252;

use crate::message::Failure;
use crate::query::decimal;
use crate::query::printing;
use crate::query::types::{self, Family, name};
use crate::value::{Length, SqlType, Value};

/// What messages call a character type: without its (max).
pub(super) fn plain_name(sql_type: SqlType) -> &'static str {
    match sql_type {
        SqlType::VarChar(_) => "varchar",
        SqlType::NVarChar(_) => "nvarchar",
        other => name(other),
    }
}

/// Length of a text in the unit of a type.
pub(crate) fn units(text: &str, sql_type: SqlType) -> usize {
    if types::is_unicode(sql_type) {
        text.encode_utf16().count()
    } else {
        text.chars().count()
    }
}

/// The longest start of a text that has at most `count` units.
pub(crate) fn start(text: &str, count: usize, unicode: bool) -> &str {
    let mut left = count;
    for (at, sign) in text.char_indices() {
        let size = if unicode { sign.len_utf16() } else { 1 };
        if size > left {
            return &text[..at];
        }
        left -= size;
    }
    text
}

/// A text or bytes cut, padded and (for code page 1252) reduced as a type of the same family asks; others as they are.
pub(super) fn fitted(value: Value, to: SqlType) -> Result<Value, Failure> {
    Ok(match (value, to) {
        (
            Value::Text(text),
            SqlType::Char(_) | SqlType::VarChar(_) | SqlType::NChar(_) | SqlType::NVarChar(_),
        ) => Value::Text(fitted_text(text, to)),
        (Value::Bytes(mut bytes), SqlType::VarBinary(Length::Of(longest))) => {
            bytes.truncate(usize::from(longest));
            Value::Bytes(bytes)
        }
        (Value::Bytes(mut bytes), SqlType::Binary(length)) => {
            bytes.resize(usize::from(length), 0);
            Value::Bytes(bytes)
        }
        (other, _) => other,
    })
}

fn fitted_text(text: String, to: SqlType) -> String {
    let unicode = types::is_unicode(to);
    let mut text = if unicode || text.is_ascii() {
        text
    } else {
        in_code_page(&text)
    };
    if let Some(Length::Of(longest)) = types::length_of(to) {
        let kept = start(&text, usize::from(longest), unicode).len();
        text.truncate(kept);
        if matches!(to, SqlType::Char(_) | SqlType::NChar(_)) {
            let missing = usize::from(longest).saturating_sub(units(&text, to));
            text.extend(std::iter::repeat_n(' ', missing));
        }
    }
    text
}

/// Characters that code page 1252 lacks are question marks.
fn in_code_page(text: &str) -> String {
    let mut single = [0; 4];
    text.chars()
        .map(|sign| {
            let (_, _, replaced) = WINDOWS_1252.encode(sign.encode_utf8(&mut single));
            if replaced { '?' } else { sign }
        })
        .collect()
}

/// The bytes of a text in its type's encoding.
pub(crate) fn encoded(text: &str, from: SqlType) -> Vec<u8> {
    if types::is_unicode(from) {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    } else {
        WINDOWS_1252.encode(&in_code_page(text)).0.into_owned()
    }
}

/// The text of bytes in a type's encoding.
fn decoded(bytes: &[u8], to: SqlType) -> String {
    if types::is_unicode(to) {
        let units: Vec<u16> = bytes
            .chunks(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))
            .collect();
        String::from_utf16_lossy(&units)
    } else {
        WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned()
    }
}

pub(super) fn to_text(
    value: Value,
    from: SqlType,
    to: SqlType,
    style: Option<i64>,
) -> Result<Value, Failure> {
    let number_style = style.unwrap_or(0);
    let longest = match types::length_of(to) {
        Some(Length::Of(longest)) => usize::from(longest),
        _ => usize::MAX,
    };
    let text = match value {
        Value::Text(text) => text,
        Value::Bit(bit) => u8::from(bit).to_string(),
        Value::Integer(number) => {
            let text = number.to_string();
            if text.len() > longest {
                // int and smaller show an asterisk where the room is too small, in types of one byte.
                if types::is_unicode(to) || from == SqlType::BigInt {
                    return Err(Failure::new(8115, &[&"expression", &name(to)]));
                }
                "*".to_owned()
            } else {
                text
            }
        }
        Value::Decimal(amount) if from == SqlType::Money => {
            let text = printing::money(amount, number_style);
            if text.len() > longest {
                return Err(Failure::new(234, &[&name(to)]));
            }
            text
        }
        Value::Decimal(number) => {
            let text = decimal::print(number);
            if text.len() > longest {
                return Err(Failure::new(8115, &[&"numeric", &name(to)]));
            }
            text
        }
        Value::Float(number) => {
            let text = printing::float(number, from == SqlType::Real, number_style);
            if text.len() > longest {
                return Err(Failure::new(8115, &[&"float", &name(to)]));
            }
            text
        }
        Value::Guid(guid) => {
            if longest < 36 {
                return Err(Failure::new(8170, &[]));
            }
            guid.hyphenated().to_string().to_uppercase()
        }
        Value::Bytes(bytes) => match number_style {
            1 => format!("0x{}", printing::hexadecimal(&bytes)),
            2 => printing::hexadecimal(&bytes),
            _ => decoded(&bytes, to),
        },
        Value::Date(days) => printing::moment(Some(days), None, None, from, style)?,
        Value::Time(ticks) => printing::moment(None, Some(ticks), None, from, style)?,
        Value::DateTime(moment) => {
            printing::moment(Some(moment.days), Some(moment.ticks), None, from, style)?
        }
        Value::DateTimeOffset(utc, offset) => {
            let shown = if style == Some(127) {
                utc
            } else {
                printing::shown(utc, offset)
            };
            printing::moment(Some(shown.days), Some(shown.ticks), Some(offset), from, style)?
        }
        Value::Null => return Ok(Value::Null),
    };
    debug_assert_eq!(types::family(to), Family::Text);
    Ok(Value::Text(fitted_text(text, to)))
}
