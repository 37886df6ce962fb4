//! Types in queries: what a declaration means, what they are called, and which one two operands meet in.
//!
//! Precedence is that of the documentation's page «Data type precedence»; lengths and scales are merged so that no value of
//! either side is cut.

use sqlparser::ast;

use crate::message::Failure;
use crate::value::{LONGEST, Length, SYSNAME, SqlType, Value};

/// Longest `decimal`.
pub const PRECISION_MAX: u8 = 38;

/// The type of a declaration: DECLARE, a column of CREATE TABLE. `varchar` alone is `varchar(1)`.
///
/// # Errors
/// 243 for a type that does not exist, 131 and 2750 for one too long, 40510 for one the simulation lacks.
pub fn declared(data_type: &ast::DataType) -> Result<SqlType, Failure> {
    parse(data_type, 1)
}

/// The type CAST and CONVERT name: `varchar` alone is `varchar(30)`.
///
/// # Errors
/// As [`declared`].
pub fn cast_target(data_type: &ast::DataType) -> Result<SqlType, Failure> {
    parse(data_type, 30)
}

fn parse(data_type: &ast::DataType, default_length: u16) -> Result<SqlType, Failure> {
    // sqlparser knows some of the names as keywords and others not; printed, they are all alike.
    let text = data_type.to_string().to_lowercase();
    let (name, arguments) = match text.split_once('(') {
        Some((name, rest)) => (name, rest.trim_end_matches(')')),
        None => (text.as_str(), ""),
    };
    let name = name.trim().trim_start_matches("sys.");
    let name = name.trim_matches(|sign| matches!(sign, '[' | ']' | '"'));
    let arguments: Vec<&str> = arguments
        .split(',')
        .map(str::trim)
        .filter(|argument| !argument.is_empty())
        .collect();
    named(name, &arguments, default_length)
}

/// The type of a name and its arguments.
fn named(name: &str, arguments: &[&str], default_length: u16) -> Result<SqlType, Failure> {
    let first = arguments.first().copied();
    Ok(match name {
        "bit" => SqlType::Bit,
        "tinyint" => SqlType::TinyInt,
        "smallint" => SqlType::SmallInt,
        "int" | "integer" => SqlType::Int,
        "bigint" => SqlType::BigInt,
        "real" => SqlType::Real,
        "double precision" => SqlType::Float,
        "float" => match number(first, 53)? {
            1..=24 => SqlType::Real,
            _ => SqlType::Float,
        },
        "decimal" | "numeric" | "dec" => decimal(arguments)?,
        "money" => SqlType::Money,
        "date" => SqlType::Date,
        "time" => SqlType::Time(fraction(first)?),
        "datetime" => SqlType::DateTime,
        "smalldatetime" => SqlType::SmallDateTime,
        "datetime2" => SqlType::DateTime2(fraction(first)?),
        "datetimeoffset" => SqlType::DateTimeOffset(fraction(first)?),
        "char" | "character" => SqlType::Char(fixed(name, first, default_length, LONGEST)?),
        "varchar" | "character varying" | "char varying" => {
            SqlType::VarChar(length(name, first, default_length, LONGEST)?)
        }
        "nchar" => SqlType::NChar(fixed(name, first, default_length, LONGEST / 2)?),
        "nvarchar" => SqlType::NVarChar(length(name, first, default_length, LONGEST / 2)?),
        "binary" => SqlType::Binary(fixed(name, first, default_length, LONGEST)?),
        "varbinary" => SqlType::VarBinary(length(name, first, default_length, LONGEST)?),
        "uniqueidentifier" => SqlType::UniqueIdentifier,
        "sql_variant" => SqlType::Variant,
        "sysname" => SYSNAME,
        "xml" | "text" | "ntext" | "image" | "smallmoney" | "timestamp" | "rowversion" | "geography"
        | "geometry" | "hierarchyid" | "json" | "vector" => {
            return Err(Failure::new(40_510, &[&format!("the type {name}")]));
        }
        _ => return Err(Failure::new(243, &[&name])),
    })
}

fn number(argument: Option<&str>, default: u64) -> Result<u64, Failure> {
    let Some(text) = argument else {
        return Ok(default);
    };
    text.parse().map_err(|_| Failure::new(102, &[&text]))
}

fn fraction(argument: Option<&str>) -> Result<u8, Failure> {
    match number(argument, 7)? {
        scale @ 0..=7 => Ok(scale as u8),
        scale => Err(Failure::new(1002, &[&1, &scale])),
    }
}

fn decimal(arguments: &[&str]) -> Result<SqlType, Failure> {
    let precision = number(arguments.first().copied(), 18)?;
    let scale = number(arguments.get(1).copied(), 0)?;
    if precision == 0 || precision > u64::from(PRECISION_MAX) {
        return Err(Failure::new(2750, &[&1, &precision, &PRECISION_MAX]));
    }
    if scale > precision {
        return Err(Failure::new(192, &[]));
    }
    Ok(SqlType::Decimal {
        precision: precision as u8,
        scale: scale as u8,
    })
}

fn fixed(name: &str, argument: Option<&str>, default: u16, longest: u16) -> Result<u16, Failure> {
    let length = number(argument, u64::from(default))?;
    if length == 0 {
        return Err(Failure::new(1001, &[&1, &0]));
    }
    u16::try_from(length)
        .ok()
        .filter(|length| *length <= longest)
        .ok_or_else(|| Failure::new(131, &[&length, &name, &longest]))
}

fn length(name: &str, argument: Option<&str>, default: u16, longest: u16) -> Result<Length, Failure> {
    if argument == Some("max") {
        return Ok(Length::Max);
    }
    fixed(name, argument, default, longest).map(Length::Of)
}

/// What a message calls a type.
#[must_use]
pub fn name(sql_type: SqlType) -> &'static str {
    match sql_type {
        SqlType::Bit => "bit",
        SqlType::TinyInt => "tinyint",
        SqlType::SmallInt => "smallint",
        SqlType::Int => "int",
        SqlType::BigInt => "bigint",
        SqlType::Real => "real",
        SqlType::Float => "float",
        SqlType::Decimal { .. } => "numeric",
        SqlType::Money => "money",
        SqlType::Date => "date",
        SqlType::Time(_) => "time",
        SqlType::DateTime => "datetime",
        SqlType::SmallDateTime => "smalldatetime",
        SqlType::DateTime2(_) => "datetime2",
        SqlType::DateTimeOffset(_) => "datetimeoffset",
        SqlType::Char(_) => "char",
        SqlType::VarChar(Length::Of(_)) => "varchar",
        SqlType::VarChar(Length::Max) => "varchar(max)",
        SqlType::NChar(_) => "nchar",
        SqlType::NVarChar(Length::Of(_)) => "nvarchar",
        SqlType::NVarChar(Length::Max) => "nvarchar(max)",
        SqlType::Binary(_) => "binary",
        SqlType::VarBinary(Length::Of(_)) => "varbinary",
        SqlType::VarBinary(Length::Max) => "varbinary(max)",
        SqlType::UniqueIdentifier => "uniqueidentifier",
        SqlType::Variant => "sql_variant",
    }
}

/// Families of types that convert alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `bit` to `bigint`.
    Integer,
    /// `decimal`, `money`.
    Decimal,
    /// `real`, `float`.
    Float,
    /// All character types.
    Text,
    /// `binary`, `varbinary`.
    Binary,
    /// `uniqueidentifier`.
    Guid,
    /// `date`.
    Date,
    /// `time`.
    Time,
    /// `datetime`, `smalldatetime`: they convert to numbers.
    OldDateTime,
    /// `datetime2`, `datetimeoffset`: they do not.
    NewDateTime,
    /// `sql_variant`.
    Variant,
}

/// The family of a type.
#[must_use]
pub fn family(sql_type: SqlType) -> Family {
    match sql_type {
        SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => {
            Family::Integer
        }
        SqlType::Decimal { .. } | SqlType::Money => Family::Decimal,
        SqlType::Real | SqlType::Float => Family::Float,
        SqlType::Char(_) | SqlType::VarChar(_) | SqlType::NChar(_) | SqlType::NVarChar(_) => Family::Text,
        SqlType::Binary(_) | SqlType::VarBinary(_) => Family::Binary,
        SqlType::UniqueIdentifier => Family::Guid,
        SqlType::Date => Family::Date,
        SqlType::Time(_) => Family::Time,
        SqlType::DateTime | SqlType::SmallDateTime => Family::OldDateTime,
        SqlType::DateTime2(_) | SqlType::DateTimeOffset(_) => Family::NewDateTime,
        SqlType::Variant => Family::Variant,
    }
}

/// Whether a type is a number.
#[must_use]
pub fn is_number(sql_type: SqlType) -> bool {
    matches!(
        family(sql_type),
        Family::Integer | Family::Decimal | Family::Float
    )
}

/// Whether a character type is `nchar` or `nvarchar`.
#[must_use]
pub fn is_unicode(sql_type: SqlType) -> bool {
    matches!(sql_type, SqlType::NChar(_) | SqlType::NVarChar(_))
}

/// Rank in the order of precedence; the higher one wins.
#[must_use]
pub fn rank(sql_type: SqlType) -> u8 {
    match sql_type {
        SqlType::VarBinary(_) => 1,
        SqlType::Binary(_) => 0,
        SqlType::Char(_) => 2,
        SqlType::VarChar(_) => 3,
        SqlType::NChar(_) => 4,
        SqlType::NVarChar(_) => 5,
        SqlType::UniqueIdentifier => 6,
        SqlType::Bit => 7,
        SqlType::TinyInt => 8,
        SqlType::SmallInt => 9,
        SqlType::Int => 10,
        SqlType::BigInt => 11,
        SqlType::Money => 12,
        SqlType::Decimal { .. } => 13,
        SqlType::Real => 14,
        SqlType::Float => 15,
        SqlType::Time(_) => 16,
        SqlType::Date => 17,
        SqlType::SmallDateTime => 18,
        SqlType::DateTime => 19,
        SqlType::DateTime2(_) => 20,
        SqlType::DateTimeOffset(_) => 21,
        SqlType::Variant => 22,
    }
}

/// The length of a type in its own unit; `None` for (max) and for types that are neither text nor bytes.
#[must_use]
pub fn length_of(sql_type: SqlType) -> Option<Length> {
    match sql_type {
        SqlType::Char(n) | SqlType::NChar(n) | SqlType::Binary(n) => Some(Length::Of(n)),
        SqlType::VarChar(length) | SqlType::NVarChar(length) | SqlType::VarBinary(length) => Some(length),
        _ => None,
    }
}

/// How many characters a value of a type has at most where it becomes text.
#[must_use]
pub fn printed_length(sql_type: SqlType) -> Length {
    match sql_type {
        SqlType::Bit => Length::Of(1),
        SqlType::TinyInt => Length::Of(3),
        SqlType::SmallInt => Length::Of(6),
        SqlType::Int => Length::Of(12),
        SqlType::BigInt => Length::Of(24),
        SqlType::Decimal { .. } => Length::Of(41),
        SqlType::UniqueIdentifier => Length::Of(36),
        SqlType::Date => Length::Of(10),
        SqlType::Time(_) => Length::Of(16),
        SqlType::DateTimeOffset(_) => Length::Of(34),
        other => length_of(other).unwrap_or(Length::Of(30)),
    }
}

fn longer(left: Option<Length>, right: Option<Length>, longest: u16) -> Length {
    match (left, right) {
        (Some(Length::Max), _) | (_, Some(Length::Max)) => Length::Max,
        (Some(Length::Of(left)), Some(Length::Of(right))) => Length::Of(left.max(right).min(longest)),
        (Some(length), None) | (None, Some(length)) => length,
        (None, None) => Length::Of(30),
    }
}

/// The decimal that holds every number of an exact type.
#[must_use]
pub fn as_decimal(sql_type: SqlType) -> Option<(u8, u8)> {
    Some(match sql_type {
        SqlType::Bit => (1, 0),
        SqlType::TinyInt => (3, 0),
        SqlType::SmallInt => (5, 0),
        SqlType::Int => (10, 0),
        SqlType::BigInt => (19, 0),
        SqlType::Money => (19, 4),
        SqlType::Decimal { precision, scale } => (precision, scale),
        _ => return None,
    })
}

/// The type in which two operands meet: in CASE, COALESCE, UNION, a comparison.
#[must_use]
pub fn common(left: SqlType, right: SqlType) -> SqlType {
    if left == right {
        return left;
    }
    let (high, low) = if rank(left) >= rank(right) {
        (left, right)
    } else {
        (right, left)
    };
    match high {
        SqlType::Decimal { .. } => match (as_decimal(high), as_decimal(low)) {
            (Some((p1, s1)), Some((p2, s2))) => {
                let scale = s1.max(s2);
                let precision = (p1 - s1).max(p2 - s2) + scale;
                SqlType::Decimal {
                    precision: precision.min(PRECISION_MAX),
                    scale: scale.min(PRECISION_MAX - (precision.min(PRECISION_MAX) - scale)),
                }
            }
            _ => high,
        },
        SqlType::Time(scale) => SqlType::Time(scale.max(fraction_of(low))),
        SqlType::DateTime2(scale) => SqlType::DateTime2(scale.max(fraction_of(low))),
        SqlType::DateTimeOffset(scale) => SqlType::DateTimeOffset(scale.max(fraction_of(low))),
        SqlType::Char(n) => fixed_or(high, low, n),
        SqlType::VarChar(_) => SqlType::VarChar(longer(length_of(high), length_of(low), LONGEST)),
        SqlType::NChar(n) => match low {
            SqlType::NChar(m) | SqlType::Char(m) => SqlType::NChar(n.max(m).min(LONGEST / 2)),
            _ => SqlType::NVarChar(longer(length_of(high), length_of(low), LONGEST / 2)),
        },
        SqlType::NVarChar(_) => SqlType::NVarChar(longer(length_of(high), length_of(low), LONGEST / 2)),
        SqlType::Binary(n) => fixed_or(high, low, n),
        SqlType::VarBinary(_) => SqlType::VarBinary(longer(length_of(high), length_of(low), LONGEST)),
        other => other,
    }
}

fn fixed_or(high: SqlType, low: SqlType, n: u16) -> SqlType {
    match (high, low) {
        (SqlType::Char(_), SqlType::Char(m)) => SqlType::Char(n.max(m)),
        (SqlType::Binary(_), SqlType::Binary(m)) => SqlType::Binary(n.max(m)),
        _ => high,
    }
}

fn fraction_of(sql_type: SqlType) -> u8 {
    match sql_type {
        SqlType::Time(scale) | SqlType::DateTime2(scale) | SqlType::DateTimeOffset(scale) => scale,
        SqlType::DateTime => 3,
        _ => 0,
    }
}

/// The type a value has by itself: the base type of a `sql_variant`.
#[must_use]
pub fn of_value(value: &Value) -> SqlType {
    match value {
        Value::Null => SqlType::Variant,
        Value::Bit(_) => SqlType::Bit,
        Value::Integer(number) if i32::try_from(*number).is_ok() => SqlType::Int,
        Value::Integer(_) => SqlType::BigInt,
        Value::Decimal(decimal) => SqlType::Decimal {
            precision: PRECISION_MAX,
            scale: decimal.scale,
        },
        Value::Float(_) => SqlType::Float,
        Value::Text(text) => SqlType::NVarChar(fitting(text.encode_utf16().count(), LONGEST / 2)),
        Value::Bytes(bytes) => SqlType::VarBinary(fitting(bytes.len(), LONGEST)),
        Value::Guid(_) => SqlType::UniqueIdentifier,
        Value::Date(_) => SqlType::Date,
        Value::Time(_) => SqlType::Time(7),
        Value::DateTime(_) => SqlType::DateTime,
        Value::DateTimeOffset(..) => SqlType::DateTimeOffset(7),
    }
}

/// The length of a type that just holds `count` units.
#[must_use]
pub fn fitting(count: usize, longest: u16) -> Length {
    match u16::try_from(count.max(1)) {
        Ok(count) if count <= longest => Length::Of(count),
        _ => Length::Max,
    }
}
