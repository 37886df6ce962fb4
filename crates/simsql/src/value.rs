//! Values and types of T-SQL, as far as the simulation knows them.
//!
//! A [`Value`] carries what a column or a variable holds; its [`SqlType`] stands beside it (in a [`Column`], a parameter, an
//! expression's result), because the same number is an `int` here and a `bigint` there. Deliberately absent: `xml`, `geography`,
//! `hierarchyid`, user types, `text`/`ntext`/`image`, `rowversion`.

use uuid::Uuid;

/// Longest `varchar(n)`, `varbinary(n)` in bytes; `nvarchar(n)` has half as many characters.
pub const LONGEST: u16 = 8000;

/// Length of a type that varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Characters of `char`, `varchar`, `nchar`, `nvarchar`; bytes of `binary`, `varbinary`.
    Of(u16),
    /// `(max)`.
    Max,
}

/// A type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlType {
    /// `bit`.
    Bit,
    /// `tinyint`, 0 to 255.
    TinyInt,
    /// `smallint`.
    SmallInt,
    /// `int`.
    Int,
    /// `bigint`.
    BigInt,
    /// `real`.
    Real,
    /// `float(53)`.
    Float,
    /// `decimal(precision, scale)` and `numeric`; precision 1 to 38.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// `money`: a decimal of scale 4 in 64 bits.
    Money,
    /// `date`.
    Date,
    /// `time(scale)`, 0 to 7.
    Time(u8),
    /// `datetime`: a 300th of a second.
    DateTime,
    /// `smalldatetime`: a minute.
    SmallDateTime,
    /// `datetime2(scale)`, 0 to 7.
    DateTime2(u8),
    /// `datetimeoffset(scale)`, 0 to 7.
    DateTimeOffset(u8),
    /// `char(n)`, code page 1252.
    Char(u16),
    /// `varchar(n | max)`, code page 1252.
    VarChar(Length),
    /// `nchar(n)`.
    NChar(u16),
    /// `nvarchar(n | max)`; `sysname` is `nvarchar(128)`.
    NVarChar(Length),
    /// `binary(n)`.
    Binary(u16),
    /// `varbinary(n | max)`.
    VarBinary(Length),
    /// `uniqueidentifier`.
    UniqueIdentifier,
    /// `sql_variant`: what SERVERPROPERTY gives; the value's own kind is its base type.
    Variant,
}

/// `sysname`.
pub const SYSNAME: SqlType = SqlType::NVarChar(Length::Of(128));

/// A decimal number: `unscaled / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// All digits with the sign; at most 38 of them.
    pub unscaled: i128,
    /// How many of them stand behind the point.
    pub scale: u8,
}

/// A date and a time of day on the clock of whoever wrote it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime {
    /// Days since 0001-01-01.
    pub days: i32,
    /// Units of 100 ns since midnight.
    pub ticks: u64,
}

/// What a column, a variable or an expression holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL of any type.
    Null,
    /// `bit`.
    Bit(bool),
    /// `tinyint`, `smallint`, `int`, `bigint`.
    Integer(i64),
    /// `decimal`, `numeric`, `money`.
    Decimal(Decimal),
    /// `real`, `float`.
    Float(f64),
    /// All character types.
    Text(String),
    /// `binary`, `varbinary`.
    Bytes(Vec<u8>),
    /// `uniqueidentifier`.
    Guid(Uuid),
    /// `date`: days since 0001-01-01.
    Date(i32),
    /// `time`: units of 100 ns since midnight.
    Time(u64),
    /// `datetime`, `smalldatetime`, `datetime2`.
    DateTime(DateTime),
    /// `datetimeoffset`: the moment in UTC, and minutes ahead of UTC it is shown in.
    DateTimeOffset(DateTime, i16),
}

/// A column of a result or of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; empty where an expression has none.
    pub name: String,
    /// Its type.
    pub sql_type: SqlType,
    /// Whether it may be NULL.
    pub nullable: bool,
}

impl Column {
    /// A column that may be NULL.
    #[must_use]
    pub fn new(name: &str, sql_type: SqlType) -> Self {
        Self {
            name: name.to_owned(),
            sql_type,
            nullable: true,
        }
    }
}

impl From<bak::Lsn> for Value {
    /// As `numeric(25,0)`, the form in which the catalog shows LSNs.
    fn from(lsn: bak::Lsn) -> Self {
        Self::Decimal(Decimal {
            unscaled: i128::try_from(lsn.to_decimal()).unwrap_or(i128::MAX),
            scale: 0,
        })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(bit: bool) -> Self {
        Self::Bit(bit)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<Uuid> for Value {
    fn from(guid: Uuid) -> Self {
        Self::Guid(guid)
    }
}
