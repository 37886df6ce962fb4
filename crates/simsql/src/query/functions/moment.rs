//! Functions on dates and times.

use crate::message::Failure;
use crate::query::bind::operator::coerced;
use crate::query::calendar::{self, MONTHS, TICKS_PER_DAY, TICKS_PER_SECOND, WEEKDAYS};
use crate::query::convert;
use crate::query::functions::{Bound, Builtin, as_text, integer, text};
use crate::query::plan::Scalar;
use crate::query::types::{self, Family, name};
use crate::value::{DateTime, Length, SqlType, Value};

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
    strict("DATEADD", (3, 3), bind_add, add),
    strict(
        "DATEDIFF",
        (3, 3),
        |arguments| bind_difference(arguments, SqlType::Int),
        difference,
    ),
    strict(
        "DATEDIFF_BIG",
        (3, 3),
        |arguments| bind_difference(arguments, SqlType::BigInt),
        difference,
    ),
    strict(
        "DATEPART",
        (2, 2),
        |arguments| bind_part(arguments, SqlType::Int),
        |values, _| part_of(text(&values[0]), &values[1], "datepart").map(Value::Integer),
    ),
    strict(
        "DATENAME",
        (2, 2),
        |arguments| bind_part(arguments, SqlType::NVarChar(Length::Of(30))),
        name_of,
    ),
    strict("YEAR", (1, 1), bind_field, |values, _| {
        part_of("year", &values[0], "year").map(Value::Integer)
    }),
    strict("MONTH", (1, 1), bind_field, |values, _| {
        part_of("month", &values[0], "month").map(Value::Integer)
    }),
    strict("DAY", (1, 1), bind_field, |values, _| {
        part_of("day", &values[0], "day").map(Value::Integer)
    }),
    strict("DATEFROMPARTS", (3, 3), bind_date_parts, date_from_parts),
    strict(
        "DATETIMEFROMPARTS",
        (7, 7),
        bind_datetime_parts,
        datetime_from_parts,
    ),
    strict("EOMONTH", (1, 2), bind_end_of_month, end_of_month),
    Builtin {
        name: "ISDATE",
        arguments: (1, 1),
        strict: false,
        bind: |arguments| {
            let bound = arguments.into_iter().map(as_text).collect::<Result<_, _>>()?;
            Ok((bound, SqlType::Int))
        },
        run: |values, _| {
            let from = SqlType::VarChar(Length::Max);
            let is_text = matches!(values[0], Value::Text(_));
            let converts = convert::convert(values[0].clone(), from, SqlType::DateTime).is_ok();
            Ok(Value::Integer((is_text && converts).into()))
        },
    },
    strict("SWITCHOFFSET", (2, 2), bind_offset, |values, _| {
        let offset = offset_of(&values[1])?;
        Ok(match &values[0] {
            Value::DateTimeOffset(utc, _) => Value::DateTimeOffset(*utc, offset),
            _ => Value::Null,
        })
    }),
    strict("TODATETIMEOFFSET", (2, 2), bind_offset, |values, _| {
        let offset = offset_of(&values[1])?;
        Ok(match &values[0] {
            Value::DateTimeOffset(utc, shown) => {
                let clock = calendar::shifted(*utc, i64::from(*shown));
                Value::DateTimeOffset(calendar::shifted(clock, -i64::from(offset)), offset)
            }
            _ => Value::Null,
        })
    }),
];

/// Parts of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    Quarter,
    Month,
    DayOfYear,
    Day,
    Week,
    Weekday,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Offset,
    IsoWeek,
}

/// The part of a name or of its abbreviations.
fn part(word: &str, function: &str) -> Result<Part, Failure> {
    Ok(match word {
        "year" | "yy" | "yyyy" => Part::Year,
        "quarter" | "qq" | "q" => Part::Quarter,
        "month" | "mm" | "m" => Part::Month,
        "dayofyear" | "dy" | "y" => Part::DayOfYear,
        "day" | "dd" | "d" => Part::Day,
        "week" | "wk" | "ww" => Part::Week,
        "weekday" | "dw" | "w" => Part::Weekday,
        "hour" | "hh" => Part::Hour,
        "minute" | "mi" | "n" => Part::Minute,
        "second" | "ss" | "s" => Part::Second,
        "millisecond" | "ms" => Part::Millisecond,
        "microsecond" | "mcs" => Part::Microsecond,
        "nanosecond" | "ns" => Part::Nanosecond,
        "tzoffset" | "tz" => Part::Offset,
        "iso_week" | "isowk" | "isoww" => Part::IsoWeek,
        other => return Err(Failure::new(155, &[&other, &function])),
    })
}

/// Text becomes a moment of `datetime2`; numbers count days of `datetime`.
fn as_moment(scalar: Scalar) -> Result<Scalar, Failure> {
    match types::family(scalar.sql_type) {
        Family::Text => coerced(scalar, SqlType::DateTime2(7)),
        _ if types::is_number(scalar.sql_type) => coerced(scalar, SqlType::DateTime),
        Family::Date | Family::Time | Family::OldDateTime | Family::NewDateTime => Ok(scalar),
        _ => Err(Failure::new(8116, &[&name(scalar.sql_type), &2, &"date"])),
    }
}

/// The clock that a value shows, and its minutes ahead of UTC.
fn clock(value: &Value) -> (DateTime, i16) {
    let at = |days, ticks| DateTime { days, ticks };
    match value {
        Value::Date(days) => (at(*days, 0), 0),
        Value::Time(ticks) => (at(calendar::DAYS_1900, *ticks), 0),
        Value::DateTime(moment) => (*moment, 0),
        Value::DateTimeOffset(utc, offset) => (calendar::shifted(*utc, i64::from(*offset)), *offset),
        _ => (at(calendar::DAYS_1900, 0), 0),
    }
}

fn bind_add(arguments: Vec<Scalar>) -> Bound {
    let mut arguments = arguments.into_iter();
    let mut bound: Vec<Scalar> = arguments.by_ref().take(1).collect();
    if let Some(count) = arguments.next() {
        bound.push(coerced(count, SqlType::BigInt)?);
    }
    let mut sql_type = SqlType::DateTime;
    for moment in arguments {
        // A text is a `datetime` here.
        let moment = if types::family(moment.sql_type) == Family::Text {
            coerced(moment, SqlType::DateTime)?
        } else {
            as_moment(moment)?
        };
        sql_type = moment.sql_type;
        bound.push(moment);
    }
    Ok((bound, sql_type))
}

fn add(values: &[Value], sql_type: SqlType) -> Result<Value, Failure> {
    let part = part(text(&values[0]), "dateadd")?;
    let count = i128::from(integer(&values[1]));
    let (moment, offset) = clock(&values[2]);
    let overflow = || Failure::new(517, &[&name(sql_type)]);
    let ticks = |unit: u64| added_ticks(moment, count * i128::from(unit));
    let sum = match part {
        Part::Year => added_months(moment, count * 12),
        Part::Quarter => added_months(moment, count * 3),
        Part::Month => added_months(moment, count),
        Part::Week => ticks(7 * TICKS_PER_DAY),
        Part::Day | Part::DayOfYear | Part::Weekday => ticks(TICKS_PER_DAY),
        Part::Hour => ticks(3600 * TICKS_PER_SECOND),
        Part::Minute => ticks(60 * TICKS_PER_SECOND),
        Part::Second => ticks(TICKS_PER_SECOND),
        Part::Millisecond => ticks(10_000),
        Part::Microsecond => ticks(10),
        Part::Nanosecond => added_ticks(moment, count / 100),
        Part::Offset | Part::IsoWeek => return Err(Failure::new(155, &[&text(&values[0]), &"dateadd"])),
    };
    let sum = sum.ok_or_else(overflow)?;
    if let SqlType::DateTimeOffset(_) = sql_type {
        return Ok(Value::DateTimeOffset(
            calendar::shifted(sum, -i64::from(offset)),
            offset,
        ));
    }
    if let (Value::Time(_), SqlType::Time(_)) = (&values[2], sql_type) {
        return Ok(Value::Time(sum.ticks));
    }
    convert::convert(Value::DateTime(sum), SqlType::DateTime2(7), sql_type).map_err(|_| overflow())
}

fn added_ticks(moment: DateTime, ticks: i128) -> Option<DateTime> {
    let day = i128::from(TICKS_PER_DAY);
    let all = i128::from(moment.days) * day + i128::from(moment.ticks) + ticks;
    let days = i32::try_from(all.div_euclid(day)).ok()?;
    let within = (0..=calendar::DAYS_LAST).contains(&days);
    within.then_some(DateTime {
        days,
        ticks: u64::try_from(all.rem_euclid(day)).ok()?,
    })
}

/// The 31st becomes the last day of a shorter month.
fn added_months(moment: DateTime, months: i128) -> Option<DateTime> {
    let (year, month, day) = moment.date();
    let all = i128::from(year) * 12 + i128::from(month) - 1 + months;
    let year = i64::try_from(all.div_euclid(12)).ok()?;
    let month = i64::try_from(all.rem_euclid(12)).ok()? + 1;
    let last = calendar::month_length(i32::try_from(year).ok()?, month as u8);
    let days = calendar::day_number(year, month, i64::from(day.min(last)))?;
    Some(DateTime {
        days,
        ticks: moment.ticks,
    })
}

fn bind_difference(arguments: Vec<Scalar>, sql_type: SqlType) -> Bound {
    let mut arguments = arguments.into_iter();
    let mut bound: Vec<Scalar> = arguments.by_ref().take(1).collect();
    for moment in arguments {
        bound.push(as_moment(moment)?);
    }
    Ok((bound, sql_type))
}

/// How many borders of a part lie between two moments.
fn difference(values: &[Value], sql_type: SqlType) -> Result<Value, Failure> {
    let part = part(text(&values[0]), "datediff")?;
    let (from, from_offset) = clock(&values[1]);
    let (to, to_offset) = clock(&values[2]);
    // Moments with a zone are compared in UTC.
    let from = calendar::shifted(from, -i64::from(from_offset));
    let to = calendar::shifted(to, -i64::from(to_offset));
    let months = |moment: DateTime| {
        let (year, month, _) = moment.date();
        i128::from(year) * 12 + i128::from(month) - 1
    };
    let units = |unit: u64| {
        let count = |moment: DateTime| {
            let all = i128::from(moment.days) * i128::from(TICKS_PER_DAY) + i128::from(moment.ticks);
            all.div_euclid(i128::from(unit))
        };
        count(to) - count(from)
    };
    // 0001-01-01 was a Monday; weeks begin on Sundays.
    let weeks = |moment: DateTime| i128::from(moment.days + 1).div_euclid(7);
    let result = match part {
        Part::Year => months(to).div_euclid(12) - months(from).div_euclid(12),
        Part::Quarter => months(to).div_euclid(3) - months(from).div_euclid(3),
        Part::Month => months(to) - months(from),
        Part::Week | Part::IsoWeek => weeks(to) - weeks(from),
        Part::Day | Part::DayOfYear | Part::Weekday => i128::from(to.days) - i128::from(from.days),
        Part::Hour => units(3600 * TICKS_PER_SECOND),
        Part::Minute => units(60 * TICKS_PER_SECOND),
        Part::Second => units(TICKS_PER_SECOND),
        Part::Millisecond => units(10_000),
        Part::Microsecond => units(10),
        Part::Nanosecond => units(1) * 100,
        Part::Offset => return Err(Failure::new(155, &[&text(&values[0]), &"datediff"])),
    };
    convert::number::within(result, sql_type).ok_or_else(|| Failure::new(535, &[]))
}

fn bind_part(arguments: Vec<Scalar>, sql_type: SqlType) -> Bound {
    bind_difference(arguments, sql_type)
}

fn bind_field(arguments: Vec<Scalar>) -> Bound {
    let bound = arguments.into_iter().map(as_moment).collect::<Result<_, _>>()?;
    Ok((bound, SqlType::Int))
}

fn part_of(word: &str, value: &Value, function: &str) -> Result<i64, Failure> {
    let (moment, offset) = clock(value);
    let (year, month, day) = moment.date();
    let seconds = (moment.ticks / TICKS_PER_SECOND).cast_signed();
    let fraction = (moment.ticks % TICKS_PER_SECOND).cast_signed();
    let new_year = DateTime::midnight(year, 1, 1).days;
    Ok(match part(word, function)? {
        Part::Year => i64::from(year),
        Part::Quarter => i64::from((month - 1) / 3 + 1),
        Part::Month => i64::from(month),
        Part::DayOfYear => i64::from(moment.days - new_year + 1),
        Part::Day => i64::from(day),
        // DATEFIRST is 7: weeks begin on Sunday.
        Part::Week => {
            let first = i64::from((new_year + 1).rem_euclid(7));
            (i64::from(moment.days - new_year) + first) / 7 + 1
        }
        Part::Weekday => i64::from((moment.days + 1).rem_euclid(7) + 1),
        Part::Hour => seconds / 3600,
        Part::Minute => seconds / 60 % 60,
        Part::Second => seconds % 60,
        // A 300th of a second shows as the nearest millisecond.
        Part::Millisecond => (fraction + 3) / 10_000,
        Part::Microsecond => fraction / 10,
        Part::Nanosecond => fraction * 100,
        Part::Offset => i64::from(offset),
        Part::IsoWeek => iso_week(moment.days),
    })
}

/// Weeks begin on Mondays; the first one has the year's first Thursday.
fn iso_week(days: i32) -> i64 {
    let thursday = days - days.rem_euclid(7) + 3;
    let (year, _, _) = calendar::date_of(thursday);
    i64::from((thursday - DateTime::midnight(year, 1, 1).days) / 7 + 1)
}

fn name_of(values: &[Value], _: SqlType) -> Result<Value, Failure> {
    let word = text(&values[0]);
    let number = part_of(word, &values[1], "datename")?;
    let at = usize::try_from(number - 1).unwrap_or(0);
    Ok(Value::Text(match part(word, "datename")? {
        Part::Month => MONTHS[at].to_owned(),
        Part::Weekday => WEEKDAYS[at].to_owned(),
        Part::Offset => {
            let sign = if number < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", number.abs() / 60, number.abs() % 60)
        }
        _ => number.to_string(),
    }))
}

fn bind_date_parts(arguments: Vec<Scalar>) -> Bound {
    let bound = arguments
        .into_iter()
        .map(|argument| coerced(argument, SqlType::Int))
        .collect::<Result<_, _>>()?;
    Ok((bound, SqlType::Date))
}

fn bind_datetime_parts(arguments: Vec<Scalar>) -> Bound {
    let (bound, _) = bind_date_parts(arguments)?;
    Ok((bound, SqlType::DateTime))
}

fn date_from_parts(values: &[Value], _: SqlType) -> Result<Value, Failure> {
    calendar::day_number(integer(&values[0]), integer(&values[1]), integer(&values[2]))
        .map(Value::Date)
        .ok_or_else(|| Failure::new(289, &[&"date"]))
}

fn datetime_from_parts(values: &[Value], sql_type: SqlType) -> Result<Value, Failure> {
    let refused = || Failure::new(289, &[&"datetime"]);
    let part = |at: usize| integer(&values[at]);
    let days = calendar::day_number(part(0), part(1), part(2)).ok_or_else(refused)?;
    let fits = (0..24).contains(&part(3))
        && (0..60).contains(&part(4))
        && (0..60).contains(&part(5))
        && (0..1000).contains(&part(6));
    if !fits {
        return Err(refused());
    }
    let milliseconds = ((part(3) * 60 + part(4)) * 60 + part(5)) * 1000 + part(6);
    let moment = DateTime {
        days,
        ticks: milliseconds.unsigned_abs() * 10_000,
    };
    convert::convert(Value::DateTime(moment), SqlType::DateTime2(7), sql_type).map_err(|_| refused())
}

fn bind_end_of_month(arguments: Vec<Scalar>) -> Bound {
    let mut bound = Vec::new();
    for (at, argument) in arguments.into_iter().enumerate() {
        let wanted = if at == 0 { SqlType::Date } else { SqlType::Int };
        bound.push(coerced(argument, wanted)?);
    }
    Ok((bound, SqlType::Date))
}

fn end_of_month(values: &[Value], _: SqlType) -> Result<Value, Failure> {
    let (moment, _) = clock(&values[0]);
    let months = values.get(1).map_or(0, integer);
    let moved = added_months(moment, i128::from(months)).ok_or_else(|| Failure::new(517, &[&"date"]))?;
    let (year, month, day) = moved.date();
    let last = calendar::month_length(year, month);
    Ok(Value::Date(moved.days + i32::from(last) - i32::from(day)))
}

fn bind_offset(arguments: Vec<Scalar>) -> Bound {
    let mut arguments = arguments.into_iter();
    let mut bound = Vec::new();
    if let Some(moment) = arguments.next() {
        let sql_type = match moment.sql_type {
            SqlType::DateTimeOffset(scale) | SqlType::DateTime2(scale) => SqlType::DateTimeOffset(scale),
            _ => SqlType::DateTimeOffset(7),
        };
        bound.push(coerced(moment, sql_type)?);
    }
    bound.extend(arguments);
    let sql_type = bound[0].sql_type;
    Ok((bound, sql_type))
}

/// `'+01:00'`, or minutes.
fn offset_of(value: &Value) -> Result<i16, Failure> {
    let refused = || Failure::new(9812, &[]);
    match value {
        Value::Integer(minutes) => i16::try_from(*minutes)
            .ok()
            .filter(|minutes| minutes.abs() <= 840)
            .ok_or_else(refused),
        other => {
            let clock = format!("00:00 {}", text(other));
            let parsed = calendar::parse(&clock, false).map_err(|_| refused())?;
            parsed.offset.ok_or_else(refused)
        }
    }
}
