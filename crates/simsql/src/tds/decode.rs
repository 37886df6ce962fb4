//! Types and values as a client sends them with a parameter. [MS-TDS] 2.2.5.4 to 2.2.5.6.
//!
//! Refused: table-valued parameters, user types, JSON and vectors.

use uuid::Uuid;

use crate::tds::dialect::{Collation, widen};
use crate::tds::encode::{DAYS_1900, TICKS_A_DAY};
use crate::tds::input::{Input, Misread, utf16};
use crate::value::{DateTime, Decimal, Length, SqlType, Value};

/// How the bytes of a value are framed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Frame {
    /// So many bytes, never NULL.
    Fixed(usize),
    /// After their number in one byte; 0 is NULL.
    Byte,
    /// After their number in one byte; 255 is NULL: texts of old clients.
    ByteText,
    /// After their number in two bytes; 65535 is NULL.
    Short,
    /// After their number in four bytes; all ones, or 0 for `sql_variant`, is NULL.
    Long,
    /// In chunks.
    Chunked,
}

/// What the bytes of a value mean.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meaning {
    Null,
    Bit,
    Unsigned,
    Integer,
    Float,
    Money,
    DateTime,
    Date,
    Time(u8),
    DateTime2(u8),
    DateTimeOffset(u8),
    Decimal(u8),
    Guid,
    Bytes,
    Narrow(Collation),
    Wide,
    Variant,
}

/// A type as a client sent it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SentType {
    /// What it is here.
    pub(super) sql_type: SqlType,
    frame: Frame,
    meaning: Meaning,
}

/// Reads a TYPE_INFO. `place` and `name` are those of its parameter, for the refusal.
pub(super) fn type_info(input: &mut Input, place: usize, name: &str) -> Result<SentType, Misread> {
    let token = input.u8()?;
    if let Some(fixed) = fixed_type(token) {
        return Ok(fixed);
    }
    Ok(match token {
        0x26 => integer(input.u8()?)?,
        0x68 | 0x6D | 0x6E | 0x6F | 0x24 => counted_type(token, input.u8()?)?,
        0x6A | 0x6C | 0x37 | 0x3F => decimal_type(input)?,
        0x28 => SentType::counted(SqlType::Date, Meaning::Date),
        0x29..=0x2B => moment_type(token, input.u8()?)?,
        0x27 | 0x2F | 0x25 | 0x2D => old_text_type(token, input.u8()?),
        0xA7 | 0xAF | 0xE7 | 0xEF | 0xA5 | 0xAD => text_type(token, input)?,
        0x23 | 0x63 | 0x22 => long_type(token, input)?,
        0x62 => {
            input.u32()?;
            SentType::new(SqlType::Variant, Frame::Long, Meaning::Variant)
        }
        0xF1 => {
            if input.u8()? != 0 {
                input.short_text()?;
                input.short_text()?;
                input.long_text()?;
            }
            SentType::new(SqlType::NVarChar(Length::Max), Frame::Chunked, Meaning::Wide)
        }
        0xF3 => return Err(Misread::refused(40510, &[&"table-valued parameters"])),
        0xF0 => return Err(Misread::refused(40510, &[&"parameters of user types"])),
        unknown => {
            let token = format!("{unknown:02X}");
            return Err(Misread::refused(8009, &[&place, &name, &token]));
        }
    })
}

impl SentType {
    fn new(sql_type: SqlType, frame: Frame, meaning: Meaning) -> Self {
        Self {
            sql_type,
            frame,
            meaning,
        }
    }

    fn counted(sql_type: SqlType, meaning: Meaning) -> Self {
        Self::new(sql_type, Frame::Byte, meaning)
    }

    /// Reads a value of this type.
    pub(super) fn value(&self, input: &mut Input) -> Result<Value, Misread> {
        let joined;
        let bytes = match self.frame {
            Frame::Fixed(length) => Some(input.take(length)?),
            Frame::Byte => match input.u8()? {
                0 => None,
                length => Some(input.take(usize::from(length))?),
            },
            Frame::ByteText => match input.u8()? {
                u8::MAX => None,
                length => Some(input.take(usize::from(length))?),
            },
            Frame::Short => match input.u16()? {
                u16::MAX => None,
                length => Some(input.take(usize::from(length))?),
            },
            Frame::Long => match (input.u32()?, self.meaning) {
                (u32::MAX, _) | (0, Meaning::Variant) => None,
                (length, _) => Some(input.take(length as usize)?),
            },
            Frame::Chunked => {
                joined = chunks(input)?;
                joined.as_deref()
            }
        };
        bytes.map_or(Ok(Value::Null), |bytes| meant(self.meaning, bytes))
    }
}

/// A value in chunks. Its announced length is only a promise, so it is not looked at.
fn chunks(input: &mut Input) -> Result<Option<Vec<u8>>, Misread> {
    if input.u64()? == u64::MAX {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    loop {
        match input.u32()? {
            0 => return Ok(Some(bytes)),
            length => bytes.extend_from_slice(input.take(length as usize)?),
        }
    }
}

fn fixed_type(token: u8) -> Option<SentType> {
    let (sql_type, length, meaning) = match token {
        0x1F => (SqlType::Int, 0, Meaning::Null),
        0x30 => (SqlType::TinyInt, 1, Meaning::Unsigned),
        0x32 => (SqlType::Bit, 1, Meaning::Bit),
        0x34 => (SqlType::SmallInt, 2, Meaning::Integer),
        0x38 => (SqlType::Int, 4, Meaning::Integer),
        0x7F => (SqlType::BigInt, 8, Meaning::Integer),
        0x3A => (SqlType::SmallDateTime, 4, Meaning::DateTime),
        0x3D => (SqlType::DateTime, 8, Meaning::DateTime),
        0x3B => (SqlType::Real, 4, Meaning::Float),
        0x3E => (SqlType::Float, 8, Meaning::Float),
        0x7A => (SqlType::Money, 4, Meaning::Money),
        0x3C => (SqlType::Money, 8, Meaning::Money),
        _ => return None,
    };
    Some(SentType::new(sql_type, Frame::Fixed(length), meaning))
}

fn integer(length: u8) -> Result<SentType, Misread> {
    Ok(match length {
        1 => SentType::counted(SqlType::TinyInt, Meaning::Unsigned),
        2 => SentType::counted(SqlType::SmallInt, Meaning::Integer),
        4 => SentType::counted(SqlType::Int, Meaning::Integer),
        8 => SentType::counted(SqlType::BigInt, Meaning::Integer),
        _ => return Err(Misread::Broken),
    })
}

fn counted_type(token: u8, length: u8) -> Result<SentType, Misread> {
    let (sql_type, meaning) = match (token, length) {
        (0x68, _) => (SqlType::Bit, Meaning::Bit),
        (0x6D, 4) => (SqlType::Real, Meaning::Float),
        (0x6D, 8) => (SqlType::Float, Meaning::Float),
        (0x6E, 4 | 8) => (SqlType::Money, Meaning::Money),
        (0x6F, 4) => (SqlType::SmallDateTime, Meaning::DateTime),
        (0x6F, 8) => (SqlType::DateTime, Meaning::DateTime),
        (0x24, _) => (SqlType::UniqueIdentifier, Meaning::Guid),
        _ => return Err(Misread::Broken),
    };
    Ok(SentType::counted(sql_type, meaning))
}

fn decimal_type(input: &mut Input) -> Result<SentType, Misread> {
    input.u8()?;
    let (precision, scale) = (input.u8()?, input.u8()?);
    if !(1..=38).contains(&precision) || scale > precision {
        return Err(Misread::Broken);
    }
    let sql_type = SqlType::Decimal { precision, scale };
    Ok(SentType::counted(sql_type, Meaning::Decimal(scale)))
}

fn moment_type(token: u8, scale: u8) -> Result<SentType, Misread> {
    if scale > 7 {
        return Err(Misread::Broken);
    }
    Ok(match token {
        0x29 => SentType::counted(SqlType::Time(scale), Meaning::Time(scale)),
        0x2A => SentType::counted(SqlType::DateTime2(scale), Meaning::DateTime2(scale)),
        _ => SentType::counted(SqlType::DateTimeOffset(scale), Meaning::DateTimeOffset(scale)),
    })
}

fn old_text_type(token: u8, length: u8) -> SentType {
    let length = Length::Of(u16::from(length.max(1)));
    match token {
        0x25 | 0x2D => SentType::new(SqlType::VarBinary(length), Frame::ByteText, Meaning::Bytes),
        _ => SentType::new(SqlType::VarChar(length), Frame::ByteText, Meaning::Narrow([0; 5])),
    }
}

fn text_type(token: u8, input: &mut Input) -> Result<SentType, Misread> {
    let bytes = input.u16()?;
    let is_binary = matches!(token, 0xA5 | 0xAD);
    let collation = if is_binary { [0; 5] } else { read_collation(input)? };
    let (frame, narrow, wide) = match bytes {
        u16::MAX => (Frame::Chunked, Length::Max, Length::Max),
        length => (
            Frame::Short,
            Length::Of(length.clamp(1, 8000)),
            Length::Of((length / 2).clamp(1, 4000)),
        ),
    };
    Ok(match (token, narrow) {
        (0xAD, Length::Of(length)) => SentType::new(SqlType::Binary(length), frame, Meaning::Bytes),
        (0xAF, Length::Of(length)) => SentType::new(SqlType::Char(length), frame, Meaning::Narrow(collation)),
        (0xEF, Length::Of(_)) => SentType::new(SqlType::NVarChar(wide), frame, Meaning::Wide),
        (0xA5 | 0xAD, _) => SentType::new(SqlType::VarBinary(narrow), frame, Meaning::Bytes),
        (0xA7 | 0xAF, _) => SentType::new(SqlType::VarChar(narrow), frame, Meaning::Narrow(collation)),
        _ => SentType::new(SqlType::NVarChar(wide), frame, Meaning::Wide),
    })
}

fn read_collation(input: &mut Input) -> Result<Collation, Misread> {
    let mut collation = [0; 5];
    collation.copy_from_slice(input.take(5)?);
    Ok(collation)
}

/// `text`, `ntext`, `image`: here they are the `(max)` types that took their place.
fn long_type(token: u8, input: &mut Input) -> Result<SentType, Misread> {
    input.u32()?;
    Ok(match token {
        0x22 => SentType::new(SqlType::VarBinary(Length::Max), Frame::Long, Meaning::Bytes),
        0x23 => {
            let collation = read_collation(input)?;
            SentType::new(
                SqlType::VarChar(Length::Max),
                Frame::Long,
                Meaning::Narrow(collation),
            )
        }
        _ => {
            read_collation(input)?;
            SentType::new(SqlType::NVarChar(Length::Max), Frame::Long, Meaning::Wide)
        }
    })
}

fn meant(meaning: Meaning, bytes: &[u8]) -> Result<Value, Misread> {
    let mut input = Input::new(bytes);
    Ok(match meaning {
        Meaning::Null => Value::Null,
        Meaning::Bit => Value::Bit(input.u8()? != 0),
        Meaning::Unsigned => Value::Integer(i64::from(input.u8()?)),
        Meaning::Integer => Value::Integer(match bytes.len() {
            2 => i64::from(input.u16()? as i16),
            4 => i64::from(input.u32()? as i32),
            _ => input.u64()? as i64,
        }),
        Meaning::Float => Value::Float(match bytes.len() {
            4 => f64::from(f32::from_bits(input.u32()?)),
            _ => f64::from_bits(input.u64()?),
        }),
        Meaning::Money => money(bytes.len(), &mut input)?,
        Meaning::DateTime => Value::DateTime(date_time(bytes.len(), &mut input)?),
        Meaning::Date => Value::Date(days(bytes)?),
        Meaning::Time(scale) => Value::Time(time(bytes, scale)?),
        Meaning::DateTime2(scale) => {
            let (time_of_day, date) = bytes
                .split_at_checked(time_length(scale))
                .ok_or(Misread::Broken)?;
            Value::DateTime(DateTime {
                days: days(date)?,
                ticks: time(time_of_day, scale)?,
            })
        }
        Meaning::DateTimeOffset(scale) => {
            let time_of_day = time(input.take(time_length(scale))?, scale)?;
            let date = days(input.take(3)?)?;
            let offset = input.u16()? as i16;
            if !(-840..=840).contains(&offset) {
                return Err(Misread::Broken);
            }
            let moment = DateTime {
                days: date,
                ticks: time_of_day,
            };
            Value::DateTimeOffset(moment, offset)
        }
        Meaning::Decimal(scale) => decimal(bytes, scale)?,
        Meaning::Guid => Value::Guid(Uuid::from_slice_le(bytes).map_err(|_| Misread::Broken)?),
        Meaning::Bytes => Value::Bytes(bytes.to_vec()),
        Meaning::Narrow(collation) => Value::Text(widen(bytes, collation)),
        Meaning::Wide => Value::Text(utf16(bytes.strip_prefix(&[0xFF, 0xFE]).unwrap_or(bytes))),
        Meaning::Variant => variant(&mut input)?,
    })
}

fn money(length: usize, input: &mut Input) -> Result<Value, Misread> {
    let unscaled = if length == 4 {
        i64::from(input.u32()? as i32)
    } else {
        let high = i64::from(input.u32()? as i32);
        high << 32 | i64::from(input.u32()?)
    };
    Ok(Value::Decimal(Decimal {
        unscaled: i128::from(unscaled),
        scale: 4,
    }))
}

fn date_time(length: usize, input: &mut Input) -> Result<DateTime, Misread> {
    let (since_1900, ticks) = if length == 4 {
        (i32::from(input.u16()?), u64::from(input.u16()?) * 600_000_000)
    } else {
        let since_1900 = input.u32()? as i32;
        // 300ths of a second, rounded to 100 ns.
        (since_1900, (u64::from(input.u32()?) * 100_000 + 1) / 3)
    };
    let days = since_1900.checked_add(DAYS_1900).ok_or(Misread::Broken)?;
    checked(DateTime { days, ticks })
}

/// Day number of 9999-12-31.
const LAST_DAY: i32 = 3_652_058;

fn checked(moment: DateTime) -> Result<DateTime, Misread> {
    if (0..=LAST_DAY).contains(&moment.days) && moment.ticks < TICKS_A_DAY {
        Ok(moment)
    } else {
        Err(Misread::Broken)
    }
}

fn days(bytes: &[u8]) -> Result<i32, Misread> {
    let days = i32::try_from(little_endian(bytes, 3)?).map_err(|_| Misread::Broken)?;
    checked(DateTime { days, ticks: 0 }).map(|moment| moment.days)
}

fn time_length(scale: u8) -> usize {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

fn time(bytes: &[u8], scale: u8) -> Result<u64, Misread> {
    let ticks = little_endian(bytes, time_length(scale))? * 10_u64.pow(u32::from(7 - scale));
    checked(DateTime { days: 0, ticks }).map(|moment| moment.ticks)
}

/// A number of exactly `length` bytes, at most 5.
fn little_endian(bytes: &[u8], length: usize) -> Result<u64, Misread> {
    if bytes.len() != length {
        return Err(Misread::Broken);
    }
    Ok(bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Ten to the power of 38: one more than the largest decimal.
const DECIMAL_END: u128 = 10_u128.pow(38);

fn decimal(bytes: &[u8], scale: u8) -> Result<Value, Misread> {
    let (sign, digits) = bytes.split_first().ok_or(Misread::Broken)?;
    if digits.len() > 16 {
        return Err(Misread::Broken);
    }
    let magnitude = digits
        .iter()
        .rev()
        .fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    if magnitude >= DECIMAL_END {
        return Err(Misread::Broken);
    }
    let magnitude = i128::try_from(magnitude).map_err(|_| Misread::Broken)?;
    let unscaled = if *sign == 0 { -magnitude } else { magnitude };
    Ok(Value::Decimal(Decimal { unscaled, scale }))
}

/// What a `sql_variant` holds: base type, its properties, the bytes.
fn variant(input: &mut Input) -> Result<Value, Misread> {
    let token = input.u8()?;
    let length = usize::from(input.u8()?);
    let mut properties = Input::new(input.take(length)?);
    let bytes = input.take_rest();
    let meaning = match token {
        0xA7 | 0xAF => Meaning::Narrow(read_collation(&mut properties)?),
        0xE7 | 0xEF => Meaning::Wide,
        0xA5 | 0xAD => Meaning::Bytes,
        0x6A | 0x6C => {
            properties.u8()?;
            Meaning::Decimal(properties.u8()?.min(38))
        }
        0x24 => Meaning::Guid,
        0x28 => Meaning::Date,
        0x29..=0x2B => moment_type(token, properties.u8()?)?.meaning,
        other => fixed_type(other).ok_or(Misread::Broken)?.meaning,
    };
    meant(meaning, bytes)
}

#[cfg(test)]
mod tests;
