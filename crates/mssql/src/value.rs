//! What a column of a result holds.
//!
//! A value carries what was on the wire and no more: times are on the clock of the server that sent them, and only
//! `datetimeoffset` says how that clock stood to UTC. Deliberately absent: `xml`, `json`, `vector` and user types, which no
//! catalog that is read here uses.
//!
//! The simulated server has types of the same shape, on purpose not these: one side reads a wire that the other writes, and what
//! both shared, both would get wrong alike.

use std::fmt;

use bak::Lsn;
use uuid::Uuid;

/// Units of 100 ns in a second.
pub const TICKS_PER_SECOND: u64 = 10_000_000;

/// A decimal number: `unscaled / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// All digits with the sign; at most 38 of them.
    pub unscaled: i128,
    /// How many of them stand behind the point.
    pub scale: u8,
}

/// A date and a time of day on the clock of whoever wrote it down. Prints as `2026-11-21T21:30:05.123`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime {
    /// Days since 0001-01-01 in the proleptic Gregorian calendar.
    pub days: i32,
    /// Units of 100 ns since midnight.
    pub ticks: u64,
}

/// A moment, and the offset that it was shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The moment in UTC.
    pub utc: DateTime,
    /// Minutes that the clock which showed it was ahead of UTC; -840 to 840.
    pub offset_minutes: i16,
}

/// What a column holds.
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
    /// `datetimeoffset`.
    Moment(Moment),
}

impl Value {
    /// About how many bytes of memory it takes, for limits.
    #[must_use]
    pub fn weight(&self) -> usize {
        let own = size_of::<Self>();
        match self {
            Self::Text(text) => own + text.len(),
            Self::Bytes(bytes) => own + bytes.len(),
            _ => own,
        }
    }
}

impl DateTime {
    /// Days from 0001-01-01 to 1970-01-01.
    const UNIX_EPOCH: i32 = 719_162;

    /// Year, month, day.
    #[must_use]
    pub fn date(self) -> (i32, u8, u8) {
        // The civil calendar in eras of 400 years that begin on 1 March: no table, no loop.
        let days = i64::from(self.days) + 306;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let narrow = |number: i64| u8::try_from(number).expect("months and days are small");
        (
            i32::try_from(year).expect("days of 32 bits are fewer than six million years"),
            narrow(month),
            narrow(day),
        )
    }

    /// Milliseconds since 1970 of a clock that shows this: UTC where this is UTC.
    #[must_use]
    pub fn millis_since_1970(self) -> i64 {
        let millis = i64::try_from(self.ticks / 10_000).unwrap_or(0);
        (i64::from(self.days) - i64::from(Self::UNIX_EPOCH)) * 86_400_000 + millis
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let seconds = self.ticks / TICKS_PER_SECOND;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        match self.ticks % TICKS_PER_SECOND {
            0 => Ok(()),
            ticks if ticks % 10_000 == 0 => write!(f, ".{:03}", ticks / 10_000),
            ticks => write!(f, ".{ticks:07}"),
        }
    }
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; empty where an expression has none.
    pub name: String,
}

/// A type that a column's value can be read as. `None` where the value is of another kind, or NULL.
pub trait FromValue: Sized {
    /// Reads it.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(*number),
            Value::Bit(bit) => Some(i64::from(*bit)),
            Value::Decimal(Decimal { unscaled, scale: 0 }) => i64::try_from(*unscaled).ok(),
            _ => None,
        }
    }
}

impl FromValue for u64 {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Decimal(Decimal { unscaled, scale: 0 }) => u64::try_from(*unscaled).ok(),
            other => i64::from_value(other).and_then(|number| u64::try_from(number).ok()),
        }
    }
}

impl FromValue for i32 {
    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).and_then(|number| i32::try_from(number).ok())
    }
}

impl FromValue for bool {
    /// A `bit`, or the 0 and 1 that SERVERPROPERTY and HAS_PERMS_BY_NAME give as `int`.
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bit(bit) => Some(*bit),
            Value::Integer(number) => Some(*number != 0),
            _ => None,
        }
    }
}

impl FromValue for f64 {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Float(number) => Some(*number),
            // Only whole numbers that a float holds exactly are of use here: sizes, percentages.
            Value::Integer(number) => i32::try_from(*number).ok().map(f64::from),
            _ => None,
        }
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }
}

impl FromValue for Uuid {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Guid(guid) => Some(*guid),
            _ => None,
        }
    }
}

impl FromValue for DateTime {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::DateTime(moment) => Some(*moment),
            _ => None,
        }
    }
}

impl FromValue for Moment {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Moment(moment) => Some(*moment),
            _ => None,
        }
    }
}

impl FromValue for Lsn {
    /// `numeric(25,0)`, the form of the catalog.
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Decimal(Decimal { unscaled, scale: 0 }) => {
                u128::try_from(*unscaled).ok().and_then(Lsn::from_decimal)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let shown = |days| DateTime { days, ticks: 0 }.to_string();
        assert_eq!(shown(0), "0001-01-01T00:00:00");
        // 1970 years hold 719,162 days before 1970 begins; 1900-01-01 is day 693,595 as in SQL Server's documentation of datetime.
        assert_eq!(shown(719_162), "1970-01-01T00:00:00");
        assert_eq!(shown(693_595), "1900-01-01T00:00:00");
        assert_eq!(shown(719_162 + 789), "1972-02-29T00:00:00");
        assert_eq!(shown(3_652_058), "9999-12-31T00:00:00");
    }

    #[test]
    fn fractions_are_shown_where_there_are_any() {
        let at = |ticks| DateTime { days: 719_162, ticks };
        assert_eq!(at(10_230_000).to_string(), "1970-01-01T00:00:01.023");
        assert_eq!(at(1).to_string(), "1970-01-01T00:00:00.0000001");
        assert_eq!(at(10_230_000).millis_since_1970(), 1023);
        let hostile = DateTime {
            days: i32::MIN,
            ticks: 0,
        };
        // 2,147,483,648 days before 0001-01-01, and 719,162 more to 1970.
        assert_eq!(hostile.millis_since_1970(), -2_148_202_810 * 86_400_000);
    }

    #[test]
    fn numbers_are_read_as_what_fits_them() {
        let lsn = Value::Decimal(Decimal {
            unscaled: 53_000_002_197_300_001,
            scale: 0,
        });
        let read = Lsn::from_value(&lsn).unwrap();
        assert_eq!((read.vlf, read.block, read.slot), (53, 21_973, 1));
        assert_eq!(i32::from_value(&Value::Integer(1 << 40)), None);
        assert_eq!(u64::from_value(&Value::Integer(-1)), None);
        assert_eq!(bool::from_value(&Value::Integer(1)), Some(true));
        assert_eq!(String::from_value(&Value::Null), None);
    }
}
