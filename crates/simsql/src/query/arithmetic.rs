//! Operators on values.

use crate::message::Failure;
use crate::query::calendar::TICKS_PER_DAY;
use crate::query::convert::{self, number};
use crate::query::decimal;
use crate::query::evaluate::TEXT_MAX;
use crate::query::plan::Arithmetic;
use crate::query::types::name;
use crate::value::{DateTime, Decimal, SqlType, Value};

fn overflow(sql_type: SqlType) -> Failure {
    Failure::new(8115, &[&"expression", &name(sql_type)])
}

/// `left op right`: integers of one type, two floats, or two decimals.
pub(crate) fn compute(
    op: Arithmetic,
    left: &Value,
    right: &Value,
    sql_type: SqlType,
) -> Result<Value, Failure> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::Bit(a), Value::Bit(b)) => Ok(Value::Bit(match op {
            Arithmetic::And => *a && *b,
            Arithmetic::Or => *a || *b,
            _ => a != b,
        })),
        (Value::Integer(a), Value::Integer(b)) => integers(op, *a, *b, sql_type),
        (Value::Float(a), Value::Float(b)) => floats(op, *a, *b, sql_type),
        (Value::Decimal(a), Value::Decimal(b)) => decimals(op, *a, *b, sql_type),
        _ => Err(Failure::new(8117, &[&name(sql_type), &"this"])),
    }
}

fn integers(op: Arithmetic, a: i64, b: i64, sql_type: SqlType) -> Result<Value, Failure> {
    let (a, b) = (i128::from(a), i128::from(b));
    if b == 0 && matches!(op, Arithmetic::Divide | Arithmetic::Modulo) {
        return Err(Failure::new(8134, &[]));
    }
    let result = match op {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
        Arithmetic::Modulo => a % b,
        Arithmetic::And => a & b,
        Arithmetic::Or => a | b,
        Arithmetic::Xor => a ^ b,
    };
    number::within(result, sql_type).ok_or_else(|| overflow(sql_type))
}

fn floats(op: Arithmetic, a: f64, b: f64, sql_type: SqlType) -> Result<Value, Failure> {
    if b == 0.0 && op == Arithmetic::Divide {
        return Err(Failure::new(8134, &[]));
    }
    let result = match op {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        _ => a / b,
    };
    let result = if sql_type == SqlType::Real {
        f64::from(result as f32)
    } else {
        result
    };
    if result.is_finite() {
        Ok(Value::Float(result))
    } else {
        Err(overflow(sql_type))
    }
}

fn decimals(op: Arithmetic, a: Decimal, b: Decimal, sql_type: SqlType) -> Result<Value, Failure> {
    let scale = match sql_type {
        SqlType::Decimal { scale, .. } => scale,
        _ => 4,
    };
    if b.unscaled == 0 && matches!(op, Arithmetic::Divide | Arithmetic::Modulo) {
        return Err(Failure::new(8134, &[]));
    }
    let result = match op {
        Arithmetic::Add => decimal::add(a, b, scale),
        Arithmetic::Subtract => {
            let negative = Decimal {
                unscaled: -b.unscaled,
                scale: b.scale,
            };
            decimal::add(a, negative, scale)
        }
        Arithmetic::Multiply => decimal::multiply(a, b, scale),
        Arithmetic::Divide => decimal::divide(a, b, scale),
        _ => decimal::remainder(a, b, scale),
    };
    result
        .and_then(|result| number::decimal_within(result, sql_type))
        .ok_or_else(|| overflow(sql_type))
}

/// `-value`.
pub(crate) fn negate(value: Value, sql_type: SqlType) -> Result<Value, Failure> {
    match value {
        Value::Integer(number) => {
            number::within(-i128::from(number), sql_type).ok_or_else(|| overflow(sql_type))
        }
        Value::Decimal(number) => Ok(Value::Decimal(Decimal {
            unscaled: -number.unscaled,
            scale: number.scale,
        })),
        Value::Float(number) => Ok(Value::Float(-number)),
        other => Ok(other),
    }
}

/// `~value`.
pub(crate) fn complement(value: &Value, sql_type: SqlType) -> Value {
    match value {
        Value::Bit(bit) => Value::Bit(!bit),
        Value::Integer(number) if sql_type == SqlType::TinyInt => Value::Integer(!number & 0xFF),
        Value::Integer(number) => Value::Integer(!number),
        _ => Value::Null,
    }
}

/// One text, or bytes, behind the other; cut to the result's length as `+` does.
pub(crate) fn concatenate(left: Value, right: Value, sql_type: SqlType) -> Result<Value, Failure> {
    let joined = match (left, right) {
        (Value::Null, _) | (_, Value::Null) => return Ok(Value::Null),
        (Value::Text(mut left), Value::Text(right)) => {
            check_size(left.len() + right.len())?;
            left.push_str(&right);
            Value::Text(left)
        }
        (Value::Bytes(mut left), Value::Bytes(right)) => {
            check_size(left.len() + right.len())?;
            left.extend_from_slice(&right);
            Value::Bytes(left)
        }
        (left, _) => return Ok(left),
    };
    convert::convert(joined, sql_type, sql_type)
}

/// Refuses text that no expression should build.
pub(crate) fn check_size(bytes: usize) -> Result<(), Failure> {
    if bytes > TEXT_MAX {
        return Err(Failure::new(701, &[]));
    }
    Ok(())
}

/// A `datetime` some days, and parts of days, later or earlier.
pub(crate) fn add_days(
    moment: &Value,
    days: &Value,
    back: bool,
    sql_type: SqlType,
) -> Result<Value, Failure> {
    let (Value::DateTime(moment), Value::Float(days)) = (moment, days) else {
        return Ok(Value::Null);
    };
    let days = if back { -days } else { *days };
    if days.abs() > 4_000_000.0 {
        return Err(overflow(sql_type));
    }
    let whole = days.floor();
    let part = ((days - whole) * TICKS_PER_DAY as f64).round() as u64;
    let ticks = moment.ticks + part;
    let sum = DateTime {
        days: moment.days + whole as i32 + (ticks / TICKS_PER_DAY) as i32,
        ticks: ticks % TICKS_PER_DAY,
    };
    convert::convert(Value::DateTime(sum), SqlType::DateTime2(7), sql_type).map_err(|_| overflow(sql_type))
}
