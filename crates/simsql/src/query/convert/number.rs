//! To numbers.

use crate::message::Failure;
use crate::query::calendar::{DAYS_1900, TICKS_PER_DAY};
use crate::query::convert::text;
use crate::query::decimal;
use crate::query::types::{self, name};
use crate::value::{Decimal, SqlType, Value};

/// Least and greatest value of an integer type.
fn range(to: SqlType) -> (i64, i64) {
    match to {
        SqlType::TinyInt => (0, 255),
        SqlType::SmallInt => (i64::from(i16::MIN), i64::from(i16::MAX)),
        SqlType::Int => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    }
}

/// An integer within its type.
pub(crate) fn within(number: i128, to: SqlType) -> Option<Value> {
    let number = i64::try_from(number).ok()?;
    let (least, greatest) = range(to);
    (least..=greatest)
        .contains(&number)
        .then_some(Value::Integer(number))
}

pub(super) fn to_integer(value: Value, from: SqlType, to: SqlType) -> Result<Value, Failure> {
    if to == SqlType::Bit {
        return to_bit(value, from);
    }
    let overflow = |source: &str| Failure::new(8115, &[&source, &name(to)]);
    match value {
        Value::Bit(bit) => Ok(Value::Integer(i64::from(bit))),
        Value::Integer(number) => within(i128::from(number), to).ok_or_else(|| match to {
            SqlType::TinyInt | SqlType::SmallInt => Failure::new(220, &[&name(to), &number]),
            _ => overflow("expression"),
        }),
        Value::Decimal(decimal) => {
            // money rounds, numeric is cut.
            let whole = if from == SqlType::Money {
                decimal::rescale(decimal, 0).map_or(0, |rounded| rounded.unscaled)
            } else {
                decimal::truncate(decimal, 0).unscaled
            };
            within(whole, to).ok_or_else(|| overflow(name(from)))
        }
        Value::Float(number) => {
            let whole = number.trunc();
            let fits = whole.abs() < 9.3e18;
            within(if fits { whole as i128 } else { i128::MAX }, to)
                .ok_or_else(|| Failure::new(232, &[&name(to), &format!("{number:.6}")]))
        }
        Value::Text(text) => integer_of_text(&text, from, to),
        Value::Bytes(bytes) => {
            let size = match to {
                SqlType::TinyInt => 1,
                SqlType::SmallInt => 2,
                SqlType::Int => 4,
                _ => 8,
            };
            let tail = &bytes[bytes.len().saturating_sub(size)..];
            let unsigned = tail.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
            Ok(Value::Integer(match to {
                SqlType::SmallInt => i64::from((unsigned as u16).cast_signed()),
                SqlType::Int => i64::from((unsigned as u32).cast_signed()),
                _ => unsigned.cast_signed(),
            }))
        }
        Value::DateTime(moment) => {
            let noon = moment.ticks * 2 >= TICKS_PER_DAY;
            let days = moment.days - DAYS_1900 + i32::from(noon);
            within(i128::from(days), to).ok_or_else(|| overflow("expression"))
        }
        _ => Err(Failure::new(529, &[&name(from), &name(to)])),
    }
}

fn integer_of_text(text: &str, from: SqlType, to: SqlType) -> Result<Value, Failure> {
    let trimmed = text.trim_matches(|sign: char| sign.is_whitespace());
    if trimmed.is_empty() {
        return Ok(Value::Integer(0));
    }
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed).trim_start();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(if to == SqlType::BigInt {
            Failure::new(8114, &[&text::plain_name(from), &"bigint"])
        } else {
            Failure::new(245, &[&text::plain_name(from), &text, &name(to)])
        });
    }
    let magnitude = digits.parse::<i128>().unwrap_or(i128::MAX);
    let number = if trimmed.starts_with('-') {
        -magnitude
    } else {
        magnitude
    };
    within(number, to).ok_or_else(|| match to {
        SqlType::TinyInt => Failure::new(244, &[&text::plain_name(from), &text, &"INT1"]),
        SqlType::SmallInt => Failure::new(244, &[&text::plain_name(from), &text, &"INT2"]),
        SqlType::Int => Failure::new(248, &[&text::plain_name(from), &text]),
        _ => Failure::new(8115, &[&text::plain_name(from), &name(to)]),
    })
}

fn to_bit(value: Value, from: SqlType) -> Result<Value, Failure> {
    Ok(Value::Bit(match value {
        Value::Bit(bit) => bit,
        Value::Integer(number) => number != 0,
        Value::Decimal(decimal) => decimal.unscaled != 0,
        Value::Float(number) => number != 0.0,
        Value::Bytes(bytes) => bytes.last().is_some_and(|byte| *byte != 0),
        Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => true,
            "false" | "" => false,
            other => {
                other
                    .parse::<i64>()
                    .map_err(|_| Failure::new(245, &[&text::plain_name(from), &text, &"bit"]))?
                    != 0
            }
        },
        _ => return Err(Failure::new(529, &[&name(from), &"bit"])),
    }))
}

/// A decimal cut or rounded to a type.
pub(crate) fn decimal_within(number: Decimal, to: SqlType) -> Option<Value> {
    let (precision, scale) = types::as_decimal(to)?;
    let number = decimal::rescale(number, scale)?;
    decimal::within(number.unscaled, precision).then_some(Value::Decimal(number))
}

pub(super) fn to_decimal(value: Value, from: SqlType, to: SqlType) -> Result<Value, Failure> {
    let overflow = |source: &str| Failure::new(8115, &[&source, &name(to)]);
    let whole = |unscaled: i128| Decimal { unscaled, scale: 0 };
    let (number, source) = match value {
        Value::Bit(bit) => (whole(i128::from(bit)), "bit"),
        Value::Integer(number) => (whole(i128::from(number)), name(from)),
        Value::Decimal(decimal) => (decimal, name(from)),
        Value::Float(number) => {
            let (_, scale) = types::as_decimal(to).unwrap_or((38, 0));
            let decimal = decimal::from_float(number, scale).ok_or_else(|| overflow(name(from)))?;
            (decimal, name(from))
        }
        Value::Text(text) => (decimal_of_text(&text, from, to)?, text::plain_name(from)),
        Value::Bytes(_) => return Err(Failure::new(40_510, &[&"binary as decimal"])),
        Value::DateTime(moment) => {
            let days = f64::from(moment.days - DAYS_1900) + moment.ticks as f64 / TICKS_PER_DAY as f64;
            let (_, scale) = types::as_decimal(to).unwrap_or((38, 0));
            let decimal = decimal::from_float(days, scale).ok_or_else(|| overflow("expression"))?;
            (decimal, "expression")
        }
        _ => return Err(Failure::new(529, &[&name(from), &name(to)])),
    };
    decimal_within(number, to).ok_or_else(|| overflow(source))
}

fn decimal_of_text(text: &str, from: SqlType, to: SqlType) -> Result<Decimal, Failure> {
    let trimmed = text.trim();
    if to == SqlType::Money {
        let plain: String = trimmed
            .chars()
            .filter(|sign| !matches!(sign, ',' | '$'))
            .collect();
        if plain.is_empty() {
            return Ok(Decimal {
                unscaled: 0,
                scale: 4,
            });
        }
        return decimal::parse(&plain).ok_or_else(|| Failure::new(235, &[]));
    }
    decimal::parse(trimmed).ok_or_else(|| {
        let digits = trimmed.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if digits && trimmed.len() > 38 {
            Failure::new(8115, &[&text::plain_name(from), &name(to)])
        } else {
            Failure::new(8114, &[&text::plain_name(from), &name(to)])
        }
    })
}

pub(super) fn to_float(value: Value, from: SqlType, to: SqlType) -> Result<Value, Failure> {
    let number = match value {
        Value::Bit(bit) => f64::from(u8::from(bit)),
        Value::Integer(number) => number as f64,
        Value::Decimal(decimal) => decimal::to_float(decimal),
        Value::Float(number) => number,
        Value::DateTime(moment) => {
            f64::from(moment.days - DAYS_1900) + moment.ticks as f64 / TICKS_PER_DAY as f64
        }
        Value::Text(text) => {
            let trimmed = text.trim();
            let looks = trimmed
                .bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
            if trimmed.is_empty() {
                0.0
            } else {
                trimmed
                    .parse::<f64>()
                    .ok()
                    .filter(|number| looks && number.is_finite())
                    .ok_or_else(|| Failure::new(8114, &[&text::plain_name(from), &name(to)]))?
            }
        }
        _ => return Err(Failure::new(529, &[&name(from), &name(to)])),
    };
    if to == SqlType::Real {
        let single = number as f32;
        if !single.is_finite() {
            return Err(Failure::new(232, &[&"real", &format!("{number:.6}")]));
        }
        return Ok(Value::Float(f64::from(single)));
    }
    Ok(Value::Float(number))
}
