//! Values as the columns of a row store them.

use uuid::Uuid;

use crate::value::{DateTime, Decimal, SqlType, Value};

/// Units of 100 ns in a day.
const DAY: u64 = 864_000_000_000;
/// Days from 0001-01-01 to 1900-01-01, where `datetime` counts from.
const DAYS_TO_1900: i32 = 693_595;

/// Bytes of a type that always takes as many; `None` for one that varies. `bit` shares its byte, see the row.
pub(super) fn fixed_length(sql_type: SqlType) -> Option<usize> {
    Some(match sql_type {
        SqlType::Bit | SqlType::TinyInt => 1,
        SqlType::SmallInt => 2,
        SqlType::Int | SqlType::Real | SqlType::SmallDateTime => 4,
        SqlType::BigInt | SqlType::Float | SqlType::Money | SqlType::DateTime => 8,
        SqlType::Decimal { precision, .. } => decimal_length(precision),
        SqlType::Date => 3,
        SqlType::Time(scale) => time_length(scale),
        SqlType::DateTime2(scale) => time_length(scale) + 3,
        SqlType::DateTimeOffset(scale) => time_length(scale) + 5,
        SqlType::Char(length) | SqlType::Binary(length) => usize::from(length),
        SqlType::NChar(length) => 2 * usize::from(length),
        SqlType::UniqueIdentifier => 16,
        SqlType::VarChar(_) | SqlType::NVarChar(_) | SqlType::VarBinary(_) | SqlType::Variant => return None,
    })
}

fn decimal_length(precision: u8) -> usize {
    match precision {
        0..=9 => 5,
        10..=19 => 9,
        20..=28 => 13,
        _ => 17,
    }
}

fn time_length(scale: u8) -> usize {
    match scale {
        0..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    }
}

/// Writes a value that is not NULL into its column's bytes, which are zero.
///
/// # Panics
/// Where the value is not of the column's kind: whoever stores rows converts first.
pub(super) fn put(sql_type: SqlType, value: &Value, out: &mut [u8]) {
    match (sql_type, value) {
        (SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt, Value::Integer(number)) => {
            low_bytes(i128::from(*number), out);
        }
        (SqlType::Real, Value::Float(number)) => out.copy_from_slice(&(*number as f32).to_le_bytes()),
        (SqlType::Float, Value::Float(number)) => out.copy_from_slice(&number.to_le_bytes()),
        (SqlType::Decimal { scale, .. }, Value::Decimal(number)) => {
            let unscaled = rescaled(*number, scale);
            out[0] = u8::from(unscaled >= 0);
            low_bytes(unscaled.unsigned_abs().cast_signed(), &mut out[1..]);
        }
        (SqlType::Money, Value::Decimal(number)) => low_bytes(rescaled(*number, 4), out),
        (SqlType::Date, Value::Date(days)) => low_bytes(i128::from(*days), out),
        (SqlType::Time(scale), Value::Time(ticks)) => put_time(*ticks, scale, out),
        (SqlType::DateTime, Value::DateTime(moment)) => put_datetime(*moment, out),
        (SqlType::SmallDateTime, Value::DateTime(moment)) => {
            low_bytes(i128::from(moment.ticks / 600_000_000), &mut out[..2]);
            low_bytes(i128::from(moment.days - DAYS_TO_1900), &mut out[2..]);
        }
        (SqlType::DateTime2(scale), Value::DateTime(moment)) => put_datetime2(*moment, scale, out),
        (SqlType::DateTimeOffset(scale), Value::DateTimeOffset(moment, offset)) => {
            let (date_time, zone) = out.split_at_mut(time_length(scale) + 3);
            put_datetime2(*moment, scale, date_time);
            zone.copy_from_slice(&offset.to_le_bytes());
        }
        (SqlType::Char(_), Value::Text(text)) => put_padded(&code_page_1252(text), b" ", out),
        (SqlType::NChar(_), Value::Text(text)) => put_padded(&utf16(text), b" \0", out),
        (SqlType::Binary(_), Value::Bytes(bytes)) => put_padded(bytes, &[0], out),
        (SqlType::UniqueIdentifier, Value::Guid(guid)) => out.copy_from_slice(&guid.to_bytes_le()),
        (sql_type, value) => {
            unreachable!("a value is converted to its column's type: {value:?} as {sql_type:?}")
        }
    }
}

/// Reads what [`put`] wrote; `None` where no value has these bytes.
pub(super) fn get(sql_type: SqlType, bytes: &[u8]) -> Option<Value> {
    Some(match sql_type {
        SqlType::Bit => Value::Bit(bytes[0] != 0),
        SqlType::TinyInt => Value::Integer(i64::from(bytes[0])),
        SqlType::SmallInt | SqlType::Int | SqlType::BigInt => Value::Integer(signed(bytes) as i64),
        SqlType::Real => Value::Float(f64::from(f32::from_le_bytes(bytes.try_into().ok()?))),
        SqlType::Float => Value::Float(f64::from_le_bytes(bytes.try_into().ok()?)),
        SqlType::Decimal { scale, .. } => {
            let digits = i128::try_from(unsigned(&bytes[1..])).ok()?;
            let unscaled = if bytes[0] == 0 { -digits } else { digits };
            Value::Decimal(Decimal { unscaled, scale })
        }
        SqlType::Money => Value::Decimal(Decimal {
            unscaled: signed(bytes),
            scale: 4,
        }),
        SqlType::Date => Value::Date(unsigned(bytes) as i32),
        SqlType::Time(scale) => Value::Time(get_time(bytes, scale)?),
        SqlType::DateTime => Value::DateTime(get_datetime(bytes)?),
        SqlType::SmallDateTime => {
            let ticks = unsigned(&bytes[..2]) as u64 * 600_000_000;
            let days = unsigned(&bytes[2..]) as i32 + DAYS_TO_1900;
            (ticks < DAY).then_some(Value::DateTime(DateTime { days, ticks }))?
        }
        SqlType::DateTime2(scale) => Value::DateTime(get_datetime2(bytes, scale)?),
        SqlType::DateTimeOffset(scale) => {
            let (date_time, zone) = bytes.split_at(time_length(scale) + 3);
            Value::DateTimeOffset(get_datetime2(date_time, scale)?, signed(zone) as i16)
        }
        SqlType::Char(_) | SqlType::NChar(_) => text(sql_type, bytes)?,
        SqlType::Binary(_) => Value::Bytes(bytes.to_vec()),
        SqlType::UniqueIdentifier => Value::Guid(Uuid::from_bytes_le(bytes.try_into().ok()?)),
        SqlType::VarChar(_) | SqlType::NVarChar(_) | SqlType::VarBinary(_) | SqlType::Variant => return None,
    })
}

/// The bytes of a value of a type that varies.
///
/// # Panics
/// As [`put`].
pub(super) fn variable(sql_type: SqlType, value: &Value) -> Vec<u8> {
    match (sql_type, value) {
        (SqlType::VarChar(_), Value::Text(text)) => code_page_1252(text),
        (SqlType::NVarChar(_), Value::Text(text)) => utf16(text),
        (SqlType::VarBinary(_), Value::Bytes(bytes)) => bytes.clone(),
        (sql_type, value) => {
            unreachable!("a value is converted to its column's type: {value:?} as {sql_type:?}")
        }
    }
}

/// Reads what [`variable`] gave.
pub(super) fn from_variable(sql_type: SqlType, bytes: &[u8]) -> Option<Value> {
    match sql_type {
        SqlType::VarBinary(_) => Some(Value::Bytes(bytes.to_vec())),
        SqlType::VarChar(_) | SqlType::NVarChar(_) => text(sql_type, bytes),
        _ => None,
    }
}

fn text(sql_type: SqlType, bytes: &[u8]) -> Option<Value> {
    if matches!(sql_type, SqlType::Char(_) | SqlType::VarChar(_)) {
        let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes);
        return Some(Value::Text(text.into_owned()));
    }
    let (units, rest) = bytes.as_chunks::<2>();
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
    let text = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    rest.is_empty().then(|| Value::Text(text.collect()))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Characters that the code page lacks become question marks.
fn code_page_1252(text: &str) -> Vec<u8> {
    if text.is_ascii() {
        return text.as_bytes().to_vec();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut one = [0; 4];
    for character in text.chars() {
        let (encoded, _, missing) = encoding_rs::WINDOWS_1252.encode(character.encode_utf8(&mut one));
        match *encoded {
            [byte] if !missing => bytes.push(byte),
            _ => bytes.push(b'?'),
        }
    }
    bytes
}

fn put_padded(bytes: &[u8], pad: &[u8], out: &mut [u8]) {
    let length = bytes.len().min(out.len());
    out[..length].copy_from_slice(&bytes[..length]);
    for (byte, pad) in out[length..].iter_mut().zip(pad.iter().cycle()) {
        *byte = *pad;
    }
}

fn put_time(ticks: u64, scale: u8, out: &mut [u8]) {
    low_bytes(i128::from(ticks / unit(scale)), out);
}

fn get_time(bytes: &[u8], scale: u8) -> Option<u64> {
    let ticks = (unsigned(bytes) as u64).checked_mul(unit(scale))?;
    (ticks < DAY).then_some(ticks)
}

fn put_datetime2(moment: DateTime, scale: u8, out: &mut [u8]) {
    let (time, date) = out.split_at_mut(time_length(scale));
    put_time(moment.ticks, scale, time);
    low_bytes(i128::from(moment.days), date);
}

fn get_datetime2(bytes: &[u8], scale: u8) -> Option<DateTime> {
    let (time, date) = bytes.split_at(time_length(scale));
    Some(DateTime {
        days: unsigned(date) as i32,
        ticks: get_time(time, scale)?,
    })
}

/// Units of 100 ns in the last digit of a time of this scale.
fn unit(scale: u8) -> u64 {
    10_u64.pow(7 - u32::from(scale.min(7)))
}

/// 300ths of a second, rounded, then days since 1900.
fn put_datetime(moment: DateTime, out: &mut [u8]) {
    let parts = (moment.ticks * 3 + 50_000) / 100_000;
    let (carry, parts) = (parts / 25_920_000, parts % 25_920_000);
    let days = moment.days - DAYS_TO_1900 + carry as i32;
    out[..4].copy_from_slice(&(parts as u32).to_le_bytes());
    out[4..].copy_from_slice(&days.to_le_bytes());
}

/// A 300th of a second reads as whole milliseconds that end in 0, 3 and 7.
fn get_datetime(bytes: &[u8]) -> Option<DateTime> {
    let parts = unsigned(&bytes[..4]) as u64;
    let days = i32::try_from(signed(&bytes[4..]))
        .ok()?
        .checked_add(DAYS_TO_1900)?;
    let milliseconds = (parts * 10 + 1) / 3;
    (parts < 25_920_000).then_some(DateTime {
        days,
        ticks: milliseconds * 10_000,
    })
}

/// The number in units of a column's scale, rounded half away from zero where digits are lost.
fn rescaled(number: Decimal, scale: u8) -> i128 {
    let power = |digits: u8| 10_i128.pow(u32::from(digits.min(38)));
    if number.scale <= scale {
        return number.unscaled.saturating_mul(power(scale - number.scale));
    }
    let divisor = power(number.scale - scale);
    (number.unscaled + number.unscaled.signum() * (divisor / 2)) / divisor
}

fn low_bytes(number: i128, out: &mut [u8]) {
    let bytes = number.to_le_bytes();
    out.copy_from_slice(&bytes[..out.len()]);
}

fn unsigned(bytes: &[u8]) -> u128 {
    bytes
        .iter()
        .rev()
        .fold(0, |all, byte| all << 8 | u128::from(*byte))
}

fn signed(bytes: &[u8]) -> i128 {
    let unused = 128 - 8 * bytes.len() as u32;
    (unsigned(bytes) << unused).cast_signed() >> unused
}
