//! Literals and their types.

use sqlparser::ast;

use crate::message::Failure;
use crate::query::convert;
use crate::query::plan::Scalar;
use crate::query::{decimal, refuse, types};
use crate::value::{LONGEST, Length, SqlType, Value};

/// A literal.
pub(super) fn bind(value: &ast::Value) -> Result<Scalar, Failure> {
    Ok(match value {
        ast::Value::Number(text, _) => number(text)?,
        ast::Value::SingleQuotedString(text) => {
            let length = types::fitting(text.chars().count(), LONGEST);
            let value = convert::convert(
                Value::Text(text.clone()),
                SqlType::NVarChar(Length::Max),
                SqlType::VarChar(length),
            )?;
            Scalar::constant(value, SqlType::VarChar(length))
        }
        ast::Value::NationalStringLiteral(text) => {
            let length = types::fitting(text.encode_utf16().count(), LONGEST / 2);
            Scalar::constant(Value::Text(text.clone()), SqlType::NVarChar(length))
        }
        ast::Value::HexStringLiteral(digits) => {
            let digits = if digits.len().is_multiple_of(2) {
                digits.clone()
            } else {
                format!("0{digits}")
            };
            let bytes = convert::from_digits(&digits).ok_or_else(|| Failure::new(102, &[&digits]))?;
            let length = types::fitting(bytes.len(), LONGEST);
            Scalar::constant(Value::Bytes(bytes), SqlType::VarBinary(length))
        }
        ast::Value::Null => super::null(),
        ast::Value::Placeholder(text) if text.starts_with('$') => {
            let amount = decimal::parse(&text[1..]).ok_or_else(|| Failure::new(102, &[&text]))?;
            let value = convert::convert(
                Value::Decimal(amount),
                SqlType::Decimal {
                    precision: 38,
                    scale: amount.scale,
                },
                SqlType::Money,
            )?;
            Scalar::constant(value, SqlType::Money)
        }
        ast::Value::Boolean(truth) => return Err(Failure::new(207, &[truth])),
        other => return Err(refuse(&format!("the literal {other}"))),
    })
}

/// `int` where it fits, `numeric` with as many digits as it has, `float` with an exponent.
fn number(text: &str) -> Result<Scalar, Failure> {
    if text.contains(['e', 'E']) {
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        let number = number.ok_or_else(|| Failure::new(102, &[&text]))?;
        return Ok(Scalar::constant(Value::Float(number), SqlType::Float));
    }
    if let Ok(number) = text.parse::<i32>() {
        return Ok(Scalar::constant(Value::Integer(number.into()), SqlType::Int));
    }
    let number = decimal::parse(text).ok_or_else(|| Failure::new(1007, &[&text]))?;
    let precision = digits(number.unscaled).max(number.scale).max(1);
    Ok(Scalar::constant(
        Value::Decimal(number),
        SqlType::Decimal {
            precision,
            scale: number.scale,
        },
    ))
}

/// Digits of a number.
pub(super) fn digits(number: i128) -> u8 {
    let mut left = number.unsigned_abs();
    let mut count = 0;
    while left > 0 {
        left /= 10;
        count += 1;
    }
    count
}
