//! To dates and times.

use crate::message::Failure;
use crate::query::calendar::{
    self, DAYS_1753, DAYS_1900, DAYS_LAST, DAYS_SMALL_LAST, Fault, TICKS_PER_DAY, TICKS_PER_SECOND,
};
use crate::query::convert::text;
use crate::query::decimal;
use crate::query::types::name;
use crate::value::{DateTime, SqlType, Value};

/// A date and a time of day, and how far its clock is ahead of UTC where that is known.
struct Moment {
    clock: DateTime,
    offset: Option<i16>,
}

pub(super) fn to_moment(
    value: Value,
    from: SqlType,
    to: SqlType,
    style: Option<i64>,
) -> Result<Value, Failure> {
    let at = |days, ticks| Moment {
        clock: DateTime { days, ticks },
        offset: None,
    };
    let moment = match value {
        Value::Date(days) => at(days, 0),
        Value::Time(ticks) => at(DAYS_1900, ticks),
        Value::DateTime(clock) => at(clock.days, clock.ticks),
        Value::DateTimeOffset(utc, offset) => Moment {
            clock: calendar::shifted(utc, i64::from(offset)),
            offset: Some(offset),
        },
        Value::Text(text) => of_text(&text, from, to, style)?,
        Value::Bit(bit) => at(DAYS_1900 + i32::from(bit), 0),
        Value::Integer(number) => of_days(number as f64, to)?,
        Value::Decimal(number) => of_days(decimal::to_float(number), to)?,
        Value::Float(number) => of_days(number, to)?,
        Value::Bytes(bytes) if bytes.len() == 8 => {
            let days = i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let units = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
            at(DAYS_1900.saturating_add(days), u64::from(units) * 100_000 / 3)
        }
        _ => {
            return Err(Failure::new(
                40_510,
                &[&format!("{} as {}", name(from), name(to))],
            ));
        }
    };
    grained(&moment, to).ok_or_else(|| Failure::new(242, &[&text::plain_name(from), &name(to)]))
}

/// Days since 1900, as numbers become `datetime`.
fn of_days(days: f64, to: SqlType) -> Result<Moment, Failure> {
    let whole = days.floor();
    if !(-60_000.0..3_000_000.0).contains(&whole) {
        return Err(Failure::new(8115, &[&"expression", &name(to)]));
    }
    let ticks = ((days - whole) * TICKS_PER_DAY as f64).round() as u64;
    Ok(Moment {
        clock: calendar::carried(DAYS_1900 + whole as i32, ticks),
        offset: None,
    })
}

fn of_text(text: &str, from: SqlType, to: SqlType, style: Option<i64>) -> Result<Moment, Failure> {
    let day_first = matches!(style, Some(3 | 4 | 5 | 103 | 104 | 105));
    let old = matches!(to, SqlType::DateTime | SqlType::SmallDateTime);
    let parsed = calendar::parse(text, day_first).map_err(|fault| match fault {
        Fault::Range if old => Failure::new(242, &[&text::plain_name(from), &name(to)]),
        _ => Failure::new(241, &[]),
    })?;
    // The old types take three digits of a second and no zone but Z.
    if old && (parsed.fraction > 3 || parsed.offset.is_some_and(|offset| offset != 0)) {
        return Err(Failure::new(241, &[]));
    }
    Ok(Moment {
        clock: DateTime {
            days: parsed.days.unwrap_or(DAYS_1900),
            ticks: parsed.ticks,
        },
        offset: parsed.offset,
    })
}

/// The moment in the grain of a type; `None` out of its range.
fn grained(moment: &Moment, to: SqlType) -> Option<Value> {
    let DateTime { days, ticks } = moment.clock;
    if !(0..=DAYS_LAST).contains(&days) {
        return None;
    }
    match to {
        SqlType::Date => Some(Value::Date(days)),
        SqlType::Time(scale) => Some(Value::Time(calendar::round_ticks(ticks, scale) % TICKS_PER_DAY)),
        SqlType::DateTime => {
            let rounded = calendar::carried(days, calendar::three_hundredths(ticks));
            (DAYS_1753..=DAYS_LAST)
                .contains(&rounded.days)
                .then_some(Value::DateTime(rounded))
        }
        SqlType::SmallDateTime => {
            let minute = 60 * TICKS_PER_SECOND;
            let rounded = calendar::carried(days, (ticks + minute / 2) / minute * minute);
            (DAYS_1900..=DAYS_SMALL_LAST)
                .contains(&rounded.days)
                .then_some(Value::DateTime(rounded))
        }
        SqlType::DateTime2(scale) => {
            let rounded = calendar::carried(days, calendar::round_ticks(ticks, scale));
            (rounded.days <= DAYS_LAST).then_some(Value::DateTime(rounded))
        }
        SqlType::DateTimeOffset(scale) => {
            let rounded = calendar::carried(days, calendar::round_ticks(ticks, scale));
            let offset = moment.offset.unwrap_or(0);
            let utc = calendar::shifted(rounded, -i64::from(offset));
            (0..=DAYS_LAST)
                .contains(&utc.days)
                .then_some(Value::DateTimeOffset(utc, offset))
        }
        _ => None,
    }
}
