//! Functions on numbers, and those that choose.

use crate::message::Failure;
use crate::query::bind::operator::coerced;
use crate::query::convert::{self, number};
use crate::query::decimal;
use crate::query::functions::{Bound, Builtin, MANY, integer};
use crate::query::plan::Scalar;
use crate::query::types::{self, Family, name};
use crate::value::{Decimal, SqlType, Value};

const fn strict(
    name: &'static str,
    arguments: (usize, usize),
    bind: fn(Vec<Scalar>) -> Bound,
    run: fn(&[Value], SqlType) -> Result<Value, Failure>,
) -> Builtin {
    Builtin {
        name,
        arguments,
        strict: true,
        bind,
        run,
    }
}

pub(super) const ALL: &[Builtin] = &[
    strict("ABS", (1, 1), own_type, absolute),
    strict("SIGN", (1, 1), own_type, sign),
    strict("CEILING", (1, 1), whole_type, |values, _| {
        Ok(rounded(&values[0], true))
    }),
    strict("FLOOR", (1, 1), whole_type, |values, _| {
        Ok(rounded(&values[0], false))
    }),
    strict("ROUND", (2, 3), bind_round, round),
    strict("POWER", (2, 2), bind_power, power),
    strict("SQUARE", (1, 1), floats, |values, sql_type| {
        finite(float(&values[0]) * float(&values[0]), sql_type)
    }),
    strict("SQRT", (1, 1), floats, |values, sql_type| {
        finite(float(&values[0]).sqrt(), sql_type)
    }),
    strict("EXP", (1, 1), floats, |values, sql_type| {
        finite(float(&values[0]).exp(), sql_type)
    }),
    strict("LOG", (1, 2), floats, |values, sql_type| {
        let logarithm = float(&values[0]).ln();
        let base = values.get(1).map_or(1.0, |base| float(base).ln());
        finite(logarithm / base, sql_type)
    }),
    strict("LOG10", (1, 1), floats, |values, sql_type| {
        finite(float(&values[0]).log10(), sql_type)
    }),
    strict("PI", (0, 0), floats, |_, _| {
        Ok(Value::Float(std::f64::consts::PI))
    }),
    Builtin {
        name: "ISNUMERIC",
        arguments: (1, 1),
        strict: false,
        bind: bind_is_numeric,
        run: |values, _| Ok(Value::Integer(is_numeric(&values[0]).into())),
    },
    Builtin {
        name: "CHOOSE",
        arguments: (2, MANY),
        strict: false,
        bind: bind_choose,
        run: |values, _| {
            let at = usize::try_from(integer(&values[0])).unwrap_or(0);
            let chosen = values.get(at).filter(|_| at > 0);
            Ok(chosen.cloned().unwrap_or(Value::Null))
        },
    },
];

fn float(value: &Value) -> f64 {
    match value {
        Value::Float(number) => *number,
        _ => 0.0,
    }
}

fn finite(number: f64, sql_type: SqlType) -> Result<Value, Failure> {
    if number.is_nan() {
        return Err(Failure::new(3623, &[]));
    }
    if number.is_infinite() {
        return Err(Failure::new(8115, &[&"expression", &name(sql_type)]));
    }
    Ok(Value::Float(number))
}

fn floats(arguments: Vec<Scalar>) -> Bound {
    let bound = arguments
        .into_iter()
        .map(|argument| coerced(argument, SqlType::Float))
        .collect::<Result<_, _>>()?;
    Ok((bound, SqlType::Float))
}

/// Small integers become `int`, `real` and text become `float`.
fn widened(sql_type: SqlType) -> SqlType {
    match types::family(sql_type) {
        Family::Integer if sql_type != SqlType::BigInt => SqlType::Int,
        Family::Integer | Family::Decimal => sql_type,
        _ => SqlType::Float,
    }
}

fn own_type(arguments: Vec<Scalar>) -> Bound {
    let sql_type = widened(arguments[0].sql_type);
    let bound = arguments
        .into_iter()
        .map(|argument| coerced(argument, sql_type))
        .collect::<Result<_, _>>()?;
    Ok((bound, sql_type))
}

/// CEILING and FLOOR of a decimal have no digits behind the point.
fn whole_type(arguments: Vec<Scalar>) -> Bound {
    let (bound, sql_type) = own_type(arguments)?;
    let sql_type = match sql_type {
        SqlType::Decimal { precision, .. } => SqlType::Decimal { precision, scale: 0 },
        other => other,
    };
    Ok((bound, sql_type))
}

fn absolute(values: &[Value], sql_type: SqlType) -> Result<Value, Failure> {
    match &values[0] {
        Value::Integer(number) => number::within(i128::from(*number).abs(), sql_type)
            .ok_or_else(|| Failure::new(8115, &[&"expression", &name(sql_type)])),
        Value::Decimal(number) => Ok(Value::Decimal(Decimal {
            unscaled: number.unscaled.abs(),
            scale: number.scale,
        })),
        Value::Float(number) => Ok(Value::Float(number.abs())),
        other => Ok(other.clone()),
    }
}

fn sign(values: &[Value], _: SqlType) -> Result<Value, Failure> {
    Ok(match &values[0] {
        Value::Integer(number) => Value::Integer(number.signum()),
        Value::Decimal(number) => Value::Decimal(Decimal {
            unscaled: number.unscaled.signum() * decimal::power(number.scale),
            scale: number.scale,
        }),
        Value::Float(number) if *number == 0.0 => Value::Float(0.0),
        Value::Float(number) => Value::Float(number.signum()),
        other => other.clone(),
    })
}

fn rounded(value: &Value, up: bool) -> Value {
    match value {
        Value::Decimal(number) => {
            let unit = decimal::power(number.scale);
            let down = number.unscaled.div_euclid(unit);
            let exact = number.unscaled.rem_euclid(unit) == 0;
            Value::Decimal(Decimal {
                unscaled: down + i128::from(up && !exact),
                scale: 0,
            })
        }
        Value::Float(number) => Value::Float(if up { number.ceil() } else { number.floor() }),
        other => other.clone(),
    }
}

fn bind_round(arguments: Vec<Scalar>) -> Bound {
    let sql_type = widened(arguments[0].sql_type);
    let mut bound = Vec::new();
    for (at, argument) in arguments.into_iter().enumerate() {
        let wanted = if at == 0 { sql_type } else { SqlType::Int };
        bound.push(coerced(argument, wanted)?);
    }
    Ok((bound, sql_type))
}

/// ROUND keeps the type: a decimal has zeros where digits were. A third argument other than 0 cuts.
fn round(values: &[Value], sql_type: SqlType) -> Result<Value, Failure> {
    let places = integer(&values[1]).clamp(-38, 38);
    let cuts = values.get(2).is_some_and(|function| integer(function) != 0);
    let overflow = || Failure::new(8115, &[&"expression", &name(sql_type)]);
    let exact = |number: Decimal| -> Option<Decimal> {
        if places >= i64::from(number.scale) {
            return Some(number);
        }
        let lost = i64::from(number.scale) - places;
        if lost > 38 {
            return Some(Decimal {
                unscaled: 0,
                scale: number.scale,
            });
        }
        let unit = decimal::power(lost as u8);
        let mut kept = number.unscaled / unit;
        let rest = (number.unscaled % unit).abs();
        if !cuts && rest >= unit - rest {
            kept += number.unscaled.signum();
        }
        Some(Decimal {
            unscaled: kept.checked_mul(unit)?,
            scale: number.scale,
        })
    };
    match &values[0] {
        Value::Integer(number) => {
            let whole = Decimal {
                unscaled: i128::from(*number),
                scale: 0,
            };
            let result = exact(whole).ok_or_else(overflow)?;
            number::within(result.unscaled, sql_type).ok_or_else(overflow)
        }
        Value::Decimal(number) => exact(*number)
            .and_then(|result| number::decimal_within(result, sql_type))
            .ok_or_else(overflow),
        Value::Float(number) => {
            let unit = 10_f64.powi(places as i32);
            let scaled = number * unit;
            let result = if cuts { scaled.trunc() } else { scaled.round() } / unit;
            Ok(Value::Float(if result.is_finite() { result } else { *number }))
        }
        other => Ok(other.clone()),
    }
}

/// POWER has the type of its base.
fn bind_power(arguments: Vec<Scalar>) -> Bound {
    let sql_type = widened(arguments[0].sql_type);
    let (bound, _) = floats(arguments)?;
    Ok((bound, sql_type))
}

fn power(values: &[Value], sql_type: SqlType) -> Result<Value, Failure> {
    let result = finite(float(&values[0]).powf(float(&values[1])), sql_type)?;
    convert::convert(result, SqlType::Float, sql_type)
        .map_err(|_| Failure::new(8115, &[&"expression", &name(sql_type)]))
}

fn bind_is_numeric(arguments: Vec<Scalar>) -> Bound {
    Ok((arguments, SqlType::Int))
}

/// Whether a value would convert to some number.
fn is_numeric(value: &Value) -> bool {
    match value {
        Value::Text(text) => {
            let text = text.trim();
            let plain: String = text.chars().filter(|sign| !matches!(sign, ',' | '$')).collect();
            let digits = plain.bytes().any(|byte| byte.is_ascii_digit());
            let signs = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
            digits && plain.bytes().all(signs) && plain.parse::<f64>().is_ok()
        }
        Value::Bit(_) | Value::Integer(_) | Value::Decimal(_) | Value::Float(_) => true,
        _ => false,
    }
}

fn bind_choose(arguments: Vec<Scalar>) -> Bound {
    let mut arguments = arguments.into_iter();
    let index = arguments.next().map(|index| coerced(index, SqlType::Int));
    let choices: Vec<Scalar> = arguments.collect();
    let sql_type = choices
        .iter()
        .filter(|choice| !choice.is_null())
        .map(|choice| choice.sql_type)
        .reduce(types::common)
        .unwrap_or(SqlType::Int);
    let mut bound = Vec::new();
    bound.extend(index.transpose()?);
    for choice in choices {
        bound.push(coerced(choice, sql_type)?);
    }
    Ok((bound, sql_type))
}
