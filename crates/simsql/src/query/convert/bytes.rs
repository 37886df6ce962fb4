//! To bytes and to GUIDs.

use uuid::Uuid;

use crate::message::Failure;
use crate::query::convert::text;
use crate::query::types::name;
use crate::value::{Length, SqlType, Value};

/// The 16 bytes of a GUID as SQL Server stores and compares them: the first three parts little-endian.
pub(crate) fn guid_bytes(guid: Uuid) -> [u8; 16] {
    guid.to_bytes_le()
}

pub(super) fn to_bytes(
    value: Value,
    from: SqlType,
    to: SqlType,
    style: Option<i64>,
) -> Result<Value, Failure> {
    let from_left = matches!(value, Value::Integer(_) | Value::Bit(_));
    let mut bytes = match value {
        Value::Bytes(bytes) => bytes,
        Value::Text(text) => match style.unwrap_or(0) {
            0 => text::encoded(&text, from),
            style => from_hexadecimal(&text, style == 1)
                .ok_or_else(|| Failure::new(8114, &[&text::plain_name(from), &name(to)]))?,
        },
        Value::Bit(bit) => vec![u8::from(bit)],
        Value::Integer(number) => {
            let size = match from {
                SqlType::TinyInt | SqlType::Bit => 1,
                SqlType::SmallInt => 2,
                SqlType::Int => 4,
                _ => 8,
            };
            number.to_be_bytes()[8 - size..].to_vec()
        }
        Value::Guid(guid) => guid_bytes(guid).to_vec(),
        _ => {
            return Err(Failure::new(40_510, &[&format!("the bytes of {}", name(from))]));
        }
    };
    let longest = match to {
        SqlType::Binary(length) | SqlType::VarBinary(Length::Of(length)) => usize::from(length),
        _ => return Ok(Value::Bytes(bytes)),
    };
    if bytes.len() > longest {
        if from_left {
            bytes.drain(..bytes.len() - longest);
        } else {
            bytes.truncate(longest);
        }
    }
    if matches!(to, SqlType::Binary(_)) {
        // Numbers keep their value, bytes their beginning.
        let missing = longest - bytes.len();
        if from_left {
            bytes.splice(..0, std::iter::repeat_n(0, missing));
        } else {
            bytes.resize(longest, 0);
        }
    }
    Ok(Value::Bytes(bytes))
}

fn from_hexadecimal(text: &str, prefixed: bool) -> Option<Vec<u8>> {
    let digits = if prefixed {
        text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?
    } else {
        text
    };
    decode(digits)
}

/// Pairs of hexadecimal digits.
pub(crate) fn decode(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect()
}

pub(super) fn to_guid(value: Value) -> Result<Value, Failure> {
    let failed = || Failure::new(8169, &[]);
    match value {
        Value::Guid(guid) => Ok(Value::Guid(guid)),
        Value::Text(text) => {
            let text = text.trim_start_matches('{');
            // What stands behind the 36 characters is not looked at.
            let start = text.get(..36).ok_or_else(failed)?;
            let hyphens = [8, 13, 18, 23].iter().all(|at| start.as_bytes()[*at] == b'-');
            let guid = Uuid::try_parse(start).ok().filter(|_| hyphens);
            guid.map(Value::Guid).ok_or_else(failed)
        }
        Value::Bytes(bytes) => {
            let mut all = [0; 16];
            let count = bytes.len().min(16);
            all[..count].copy_from_slice(&bytes[..count]);
            Ok(Value::Guid(Uuid::from_bytes_le(all)))
        }
        _ => Err(failed()),
    }
}
