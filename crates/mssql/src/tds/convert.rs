//! The client's values and messages as ours.

use mssql_tds::datatypes::column_values::{ColumnValues, SqlDateTime2, SqlMoney};
use mssql_tds::datatypes::sql_string::{EncodingType, SqlString};
use mssql_tds::error::{SqlErrorInfo, SqlInfoMessage};

use crate::message::Message;
use crate::value::{DateTime, Decimal, Moment, TICKS_PER_SECOND, Value};

/// Days from 0001-01-01 to 1900-01-01, where `datetime` begins to count.
const DAYS_TO_1900: i32 = 693_595;

/// Days from 0001-01-01 to 9999-12-31, the last date of every type: 9,999 years of 365 days, and 2,424 leap days, less one.
const DAYS_MOST: i32 = 3_652_058;

/// A value, or what kind it is that this crate does not know.
pub(super) fn value(value: ColumnValues) -> Result<Value, &'static str> {
    Ok(match value {
        ColumnValues::Null => Value::Null,
        ColumnValues::Bit(bit) => Value::Bit(bit),
        ColumnValues::TinyInt(number) => Value::Integer(number.into()),
        ColumnValues::SmallInt(number) => Value::Integer(number.into()),
        ColumnValues::Int(number) => Value::Integer(number.into()),
        ColumnValues::BigInt(number) => Value::Integer(number),
        ColumnValues::Real(number) => Value::Float(number.into()),
        ColumnValues::Float(number) => Value::Float(number),
        ColumnValues::Decimal(parts) | ColumnValues::Numeric(parts) => {
            decimal(&parts.to_string()).ok_or("decimal out of range")?
        }
        ColumnValues::SmallMoney(money) => money_of(money.int_val.into()),
        ColumnValues::Money(money) => money_of(whole(&money)),
        ColumnValues::String(string) => Value::Text(text(&string)),
        ColumnValues::Xml(xml) => {
            let units: Vec<u16> = xml
                .bytes
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect();
            Value::Text(String::from_utf16_lossy(&units))
        }
        ColumnValues::Json(json) => Value::Text(String::from_utf8_lossy(&json.bytes).into_owned()),
        ColumnValues::Bytes(bytes) => Value::Bytes(bytes),
        ColumnValues::Uuid(guid) => Value::Guid(guid),
        ColumnValues::Date(date) => Value::Date(days(date.get_days().into())?),
        ColumnValues::Time(time) => Value::Time(time.time_nanoseconds),
        ColumnValues::DateTime2(moment) => Value::DateTime(moment_of(&moment)?),
        ColumnValues::DateTimeOffset(moment) => Value::Moment(Moment {
            utc: moment_of(&moment.datetime2)?,
            offset_minutes: moment.offset,
        }),
        ColumnValues::DateTime(moment) => Value::DateTime(DateTime {
            days: days(i64::from(moment.days) + i64::from(DAYS_TO_1900))?,
            // Three hundredths of a second, to the nearest millisecond as SQL Server shows them.
            ticks: (u64::from(moment.time) * 10 + 1) / 3 * 10_000,
        }),
        ColumnValues::SmallDateTime(moment) => Value::DateTime(DateTime {
            days: i32::from(moment.days) + DAYS_TO_1900,
            ticks: u64::from(moment.time) * 60 * TICKS_PER_SECOND,
        }),
        ColumnValues::Vector(_) => return Err("vector"),
    })
}

/// The client's own decoder panics over UTF-8 that is none, and over an encoding that is not known yet.
fn text(string: &SqlString) -> String {
    match string.encoding_type() {
        EncodingType::Utf8 | EncodingType::DelayedSet => String::from_utf8_lossy(&string.bytes).into_owned(),
        EncodingType::Utf16 | EncodingType::LcidBased(_) => string.to_utf8_string(),
    }
}

/// From its digits: the client keeps its magnitude to itself.
fn decimal(shown: &str) -> Option<Value> {
    let (whole, fraction) = shown.split_once('.').unwrap_or((shown, ""));
    let unscaled = format!("{whole}{fraction}").parse().ok()?;
    let scale = u8::try_from(fraction.len()).ok()?;
    Some(Value::Decimal(Decimal { unscaled, scale }))
}

fn money_of(ten_thousandths: i64) -> Value {
    Value::Decimal(Decimal {
        unscaled: ten_thousandths.into(),
        scale: 4,
    })
}

fn whole(money: &SqlMoney) -> i64 {
    (i64::from(money.msb_part) << 32) | i64::from(money.lsb_part.cast_unsigned())
}

/// Days since 0001-01-01 of a date that SQL Server can hold.
fn days(days: i64) -> Result<i32, &'static str> {
    let days = i32::try_from(days)
        .ok()
        .filter(|days| (0..=DAYS_MOST).contains(days));
    days.ok_or("date beyond the years 1 to 9999")
}

fn moment_of(moment: &SqlDateTime2) -> Result<DateTime, &'static str> {
    Ok(DateTime {
        days: days(moment.days.into())?,
        // Whatever its name says, the client counts in units of 100 ns.
        ticks: moment.time.time_nanoseconds,
    })
}

/// Information.
pub(super) fn information(said: SqlInfoMessage) -> Message {
    Message {
        number: number(said.number),
        state: said.state,
        class: class(said.class),
        line: line(said.line_number),
        procedure: said.proc_name.unwrap_or_default(),
        text: said.message,
    }
}

/// An error.
pub(super) fn error(said: SqlErrorInfo) -> Message {
    Message {
        number: number(said.number),
        state: said.state,
        class: class(said.class),
        line: line(said.line_number),
        procedure: said.proc_name.unwrap_or_default(),
        text: said.message,
    }
}

fn number(number: u32) -> i32 {
    number.cast_signed()
}

fn class(class: i32) -> u8 {
    u8::try_from(class).unwrap_or(u8::MAX)
}

fn line(line: Option<i32>) -> u32 {
    line.and_then(|line| u32::try_from(line).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use mssql_tds::datatypes::column_values::SqlDateTime;

    use super::*;

    #[test]
    fn money_and_decimals_keep_every_digit() {
        let of = |unscaled, scale| Some(Value::Decimal(Decimal { unscaled, scale }));
        assert_eq!(decimal("-0.05"), of(-5, 2));
        assert_eq!(decimal("53000002197300001"), of(53_000_002_197_300_001, 0));
        // -1 in 64 bits, in the order of halves that the protocol has.
        assert_eq!(whole(&SqlMoney::from((-1, -1))), -1);
        assert_eq!(whole(&SqlMoney::from((0, 1))), 1 << 32);
    }

    #[test]
    fn datetime_is_shown_to_the_millisecond_that_sql_server_shows() {
        // 997 and 3 are what SQL Server's documentation of datetime shows for .998 and .002: its steps are .000, .003, .007.
        let shown = |time| {
            let read = value(ColumnValues::DateTime(SqlDateTime { days: 0, time })).unwrap();
            let Value::DateTime(moment) = read else {
                panic!("{read:?}")
            };
            moment.to_string()
        };
        assert_eq!(shown(0), "1900-01-01T00:00:00");
        assert_eq!(shown(1), "1900-01-01T00:00:00.003");
        assert_eq!(shown(2), "1900-01-01T00:00:00.007");
        assert_eq!(shown(299), "1900-01-01T00:00:00.997");
        assert_eq!(shown(300), "1900-01-01T00:00:01");
    }

    #[test]
    fn dates_that_no_calendar_has_are_refused() {
        let of = |days| value(ColumnValues::DateTime(SqlDateTime { days, time: 0 }));
        for hostile in [
            i32::MIN,
            -DAYS_TO_1900 - 1,
            DAYS_MOST - DAYS_TO_1900 + 1,
            i32::MAX,
        ] {
            assert!(of(hostile).is_err(), "{hostile}");
        }
        let Value::DateTime(first) = of(-DAYS_TO_1900).unwrap() else {
            panic!("a datetime")
        };
        assert_eq!(first.date(), (1, 1, 1));
        let Value::DateTime(last) = of(DAYS_MOST - DAYS_TO_1900).unwrap() else {
            panic!("a datetime")
        };
        assert_eq!(last.date(), (9999, 12, 31));
    }
}
