//! Types as T-SQL spells them.

use sqlparser::ast::{
    ArrayElemTypeDef, BinaryLength, CharacterLength, DataType, ExactNumberInfo, TimezoneInfo,
};

use crate::message::Failure;
use crate::value::{LONGEST, Length, SYSNAME, SqlType};

/// Precision of `decimal` where none is given.
const DECIMAL_PRECISION: u8 = 18;
/// Fractional digits of `time`, `datetime2` and `datetimeoffset` where none are given.
const FRACTION: u8 = 7;

/// The type that sqlparser read.
///
/// # Errors
/// 2715 for a type that is not known, 131, 1002 and 2750 for lengths, scales and precisions out of range.
pub fn sql_type(parsed: &DataType) -> Result<SqlType, Failure> {
    Ok(match parsed {
        DataType::Bit(_) | DataType::Boolean | DataType::Bool => SqlType::Bit,
        DataType::TinyInt(_) => SqlType::TinyInt,
        DataType::SmallInt(_) => SqlType::SmallInt,
        DataType::Int(_) | DataType::Integer(_) => SqlType::Int,
        DataType::BigInt(_) => SqlType::BigInt,
        DataType::Real => SqlType::Real,
        DataType::Float(ExactNumberInfo::Precision(1..=24)) => SqlType::Real,
        DataType::Float(_) | DataType::Double(_) | DataType::DoublePrecision => SqlType::Float,
        DataType::Decimal(info) | DataType::Numeric(info) | DataType::Dec(info) => decimal(info)?,
        DataType::Date => SqlType::Date,
        DataType::Time(scale, TimezoneInfo::None) => SqlType::Time(fraction(*scale)?),
        DataType::Datetime(_) => SqlType::DateTime,
        DataType::Char(length) | DataType::Character(length) => {
            SqlType::Char(fixed(*length, LONGEST, "char")?)
        }
        DataType::Varchar(length) | DataType::CharacterVarying(length) | DataType::CharVarying(length) => {
            SqlType::VarChar(varying(*length, LONGEST, "varchar")?)
        }
        DataType::Nvarchar(length) => SqlType::NVarChar(varying(*length, LONGEST / 2, "nvarchar")?),
        DataType::Binary(length) => {
            let bytes = length.map(|length| CharacterLength::IntegerLength { length, unit: None });
            SqlType::Binary(fixed(bytes, LONGEST, "binary")?)
        }
        DataType::Varbinary(length) => {
            let bytes = length.map(|length| match length {
                BinaryLength::IntegerLength { length } => {
                    CharacterLength::IntegerLength { length, unit: None }
                }
                BinaryLength::Max => CharacterLength::Max,
            });
            SqlType::VarBinary(varying(bytes, LONGEST, "varbinary")?)
        }
        DataType::Uuid => SqlType::UniqueIdentifier,
        DataType::Custom(name, modifiers) => named(&name.to_string(), modifiers)?,
        DataType::Array(ArrayElemTypeDef::None) => return Err(unknown("array")),
        other => return Err(unknown(&other.to_string().to_lowercase())),
    })
}

/// Types that sqlparser has no word for.
fn named(name: &str, modifiers: &[String]) -> Result<SqlType, Failure> {
    let plain = name.replace(['[', ']', '"'], "").to_lowercase();
    let plain = plain.strip_prefix("sys.").unwrap_or(&plain);
    let number = || modifiers.first().and_then(|text| text.parse().ok());
    let length = || match modifiers.first() {
        Some(text) if text.eq_ignore_ascii_case("max") => Some(CharacterLength::Max),
        _ => number().map(|length| CharacterLength::IntegerLength { length, unit: None }),
    };
    Ok(match plain {
        "bit" => SqlType::Bit,
        "tinyint" => SqlType::TinyInt,
        "smallint" => SqlType::SmallInt,
        "int" => SqlType::Int,
        "bigint" => SqlType::BigInt,
        "real" => SqlType::Real,
        "float" => SqlType::Float,
        "money" | "smallmoney" => SqlType::Money,
        "decimal" | "numeric" => decimal(&match modifiers {
            [] => ExactNumberInfo::None,
            [precision] => ExactNumberInfo::Precision(precision.parse().unwrap_or(u64::MAX)),
            [precision, scale, ..] => ExactNumberInfo::PrecisionAndScale(
                precision.parse().unwrap_or(u64::MAX),
                scale.parse().unwrap_or(i64::MAX),
            ),
        })?,
        "date" => SqlType::Date,
        "time" => SqlType::Time(fraction(number())?),
        "datetime" => SqlType::DateTime,
        "smalldatetime" => SqlType::SmallDateTime,
        "datetime2" => SqlType::DateTime2(fraction(number())?),
        "datetimeoffset" => SqlType::DateTimeOffset(fraction(number())?),
        "char" => SqlType::Char(fixed(length(), LONGEST, plain)?),
        "varchar" => SqlType::VarChar(varying(length(), LONGEST, plain)?),
        "nchar" => SqlType::NChar(fixed(length(), LONGEST / 2, plain)?),
        "nvarchar" => SqlType::NVarChar(varying(length(), LONGEST / 2, plain)?),
        "binary" => SqlType::Binary(fixed(length(), LONGEST, plain)?),
        "varbinary" => SqlType::VarBinary(varying(length(), LONGEST, plain)?),
        "uniqueidentifier" => SqlType::UniqueIdentifier,
        "sql_variant" => SqlType::Variant,
        "sysname" => SYSNAME,
        _ => return Err(unknown(plain)),
    })
}

fn unknown(name: &str) -> Failure {
    Failure::new(2715, &[&name])
}

fn decimal(info: &ExactNumberInfo) -> Result<SqlType, Failure> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (u64::from(DECIMAL_PRECISION), 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => {
            Ok(SqlType::Decimal { precision, scale })
        }
        (Ok(1..=38), _) => Err(Failure::new(1002, &[&scale])),
        _ => Err(Failure::new(2750, &[&precision])),
    }
}

fn fraction(scale: Option<u64>) -> Result<u8, Failure> {
    match scale {
        None => Ok(FRACTION),
        Some(digits) => u8::try_from(digits)
            .ok()
            .filter(|digits| *digits <= FRACTION)
            .ok_or_else(|| Failure::new(1002, &[&digits])),
    }
}

/// One where no length is given, as in a declaration.
fn fixed(length: Option<CharacterLength>, most: u16, name: &str) -> Result<u16, Failure> {
    match varying(length, most, name)? {
        Length::Of(length) => Ok(length),
        Length::Max => Err(Failure::new(102, &[&"max"])),
    }
}

fn varying(length: Option<CharacterLength>, most: u16, name: &str) -> Result<Length, Failure> {
    match length {
        None => Ok(Length::Of(1)),
        Some(CharacterLength::Max) => Ok(Length::Max),
        Some(CharacterLength::IntegerLength { length, .. }) => match u16::try_from(length) {
            Ok(length) if (1..=most).contains(&length) => Ok(Length::Of(length)),
            _ => Err(Failure::new(131, &[&length, &name, &most])),
        },
    }
}
