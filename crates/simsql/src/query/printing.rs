//! Values as text: the styles of CONVERT.

use std::fmt::Write as _;

use crate::message::Failure;
use crate::query::calendar::{self, MONTHS, TICKS_PER_SECOND};
use crate::query::decimal;
use crate::query::types;
use crate::value::{DateTime, Decimal, SqlType};

/// A date, a time or both as a style prints them; `None` is what CAST does.
///
/// # Errors
/// 281 for a style that does not exist.
pub(crate) fn moment(
    days: Option<i32>,
    ticks: Option<u64>,
    offset: Option<i16>,
    from: SqlType,
    style: Option<i64>,
) -> Result<String, Failure> {
    let old = matches!(from, SqlType::DateTime | SqlType::SmallDateTime);
    let style = style.unwrap_or(if old { 0 } else { 121 });
    let clock = Clock {
        ticks: ticks.unwrap_or(0),
        digits: fraction_digits(from),
    };
    let date = days.map(calendar::date_of);
    let date_text = |date: (i32, u8, u8)| date_in(date, style);
    let known = matches!(style, 0..=14 | 20 | 21 | 22..=25 | 100..=114 | 120 | 121 | 126 | 127);
    if !known {
        return Err(Failure::new(281, &[&style, &types::name(from)]));
    }
    let date = date
        .map(date_text)
        .filter(|_| !matches!(style, 8 | 14 | 24 | 108 | 114));
    let time = ticks.and_then(|_| clock.in_style(style, days.is_some()));
    let mut text = match (date, time) {
        (Some(date), Some(time)) => {
            let between = if matches!(style, 126 | 127) { "T" } else { " " };
            format!("{date}{between}{time}")
        }
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => String::new(),
    };
    if let Some(offset) = offset {
        if style == 127 {
            text.push('Z');
        } else if ticks.is_some() && clock.in_style(style, true).is_some() {
            let sign = if offset < 0 { '-' } else { '+' };
            let minutes = offset.unsigned_abs();
            let blank = if style == 126 { "" } else { " " };
            write!(text, "{blank}{sign}{:02}:{:02}", minutes / 60, minutes % 60).expect("a string grows");
        }
    }
    Ok(text)
}

/// Digits behind the second that a type shows.
fn fraction_digits(from: SqlType) -> u8 {
    match from {
        SqlType::DateTime => 3,
        SqlType::DateTime2(scale) | SqlType::Time(scale) | SqlType::DateTimeOffset(scale) => scale,
        _ => 0,
    }
}

fn date_in((year, month, day): (i32, u8, u8), style: i64) -> String {
    let short = year % 100;
    let name = &MONTHS[usize::from(month.clamp(1, 12)) - 1][..3];
    match style {
        1 => format!("{month:02}/{day:02}/{short:02}"),
        101 => format!("{month:02}/{day:02}/{year:04}"),
        2 => format!("{short:02}.{month:02}.{day:02}"),
        102 => format!("{year:04}.{month:02}.{day:02}"),
        3 => format!("{day:02}/{month:02}/{short:02}"),
        103 => format!("{day:02}/{month:02}/{year:04}"),
        4 => format!("{day:02}.{month:02}.{short:02}"),
        104 => format!("{day:02}.{month:02}.{year:04}"),
        5 => format!("{day:02}-{month:02}-{short:02}"),
        105 => format!("{day:02}-{month:02}-{year:04}"),
        6 => format!("{day:02} {name} {short:02}"),
        106 => format!("{day:02} {name} {year:04}"),
        7 => format!("{name} {day:02}, {short:02}"),
        107 => format!("{name} {day:02}, {year:04}"),
        10 => format!("{month:02}-{day:02}-{short:02}"),
        110 => format!("{month:02}-{day:02}-{year:04}"),
        11 => format!("{short:02}/{month:02}/{day:02}"),
        111 => format!("{year:04}/{month:02}/{day:02}"),
        12 => format!("{short:02}{month:02}{day:02}"),
        112 => format!("{year:04}{month:02}{day:02}"),
        13 | 113 => format!("{day:02} {name} {year:04}"),
        22 => format!("{month:02}/{day:02}/{short:02}"),
        20 | 21 | 23 | 25 | 120 | 121 | 126 | 127 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{name} {day:>2} {year:04}"),
    }
}

struct Clock {
    ticks: u64,
    digits: u8,
}

impl Clock {
    /// The time of day, where the style shows one. Times without a date show it in each style.
    fn in_style(&self, style: i64, has_date: bool) -> Option<String> {
        Some(match style {
            0 | 100 => self.twelve(false),
            9 | 109 => self.twelve(true),
            22 => self.twelve(false),
            8 | 24 | 108 | 20 | 120 => self.seconds(),
            13 | 113 | 14 | 114 => self.with_fraction(if self.digits == 3 { ':' } else { '.' }),
            21 | 25 | 121 => self.with_fraction('.'),
            // ISO 8601 leaves out a fraction of zero.
            126 | 127 if self.fraction() == 0 => self.seconds(),
            126 | 127 => self.with_fraction('.'),
            _ if !has_date => self.with_fraction('.'),
            _ => return None,
        })
    }

    fn parts(&self) -> (u64, u64, u64) {
        let seconds = self.rounded() / TICKS_PER_SECOND;
        (seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    fn rounded(&self) -> u64 {
        // A 300th of a second shows as the nearest millisecond.
        calendar::round_ticks(self.ticks, self.digits).min(calendar::TICKS_PER_DAY - 1)
    }

    fn fraction(&self) -> u64 {
        self.rounded() % TICKS_PER_SECOND / 10_u64.pow(u32::from(7 - self.digits))
    }

    fn seconds(&self) -> String {
        let (hour, minute, second) = self.parts();
        format!("{hour:02}:{minute:02}:{second:02}")
    }

    fn with_fraction(&self, point: char) -> String {
        let text = self.seconds();
        if self.digits == 0 {
            return text;
        }
        format!(
            "{text}{point}{:0>width$}",
            self.fraction(),
            width = usize::from(self.digits)
        )
    }

    fn twelve(&self, fraction: bool) -> String {
        let (hour, minute, second) = self.parts();
        let half = if hour < 12 { "AM" } else { "PM" };
        let hour = match hour % 12 {
            0 => 12,
            hour => hour,
        };
        if !fraction {
            return format!("{hour:>2}:{minute:02}{half}");
        }
        let point = if self.digits == 3 { ':' } else { '.' };
        if self.digits == 0 {
            return format!("{hour:>2}:{minute:02}:{second:02}{half}");
        }
        format!(
            "{hour:>2}:{minute:02}:{second:02}{point}{:0>width$}{half}",
            self.fraction(),
            width = usize::from(self.digits)
        )
    }
}

/// A `float` or `real`: style 0 has at most six digits, 1 eight, 2 sixteen in scientific form, 3 seventeen.
#[must_use]
pub(crate) fn float(number: f64, is_real: bool, style: i64) -> String {
    match style {
        1 => scientific(number, 7),
        2 => scientific(number, 15),
        3 => scientific(number, if is_real { 8 } else { 16 }),
        _ => short(number),
    }
}

fn scientific(number: f64, places: usize) -> String {
    let text = format!("{number:.places$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:03}", exponent.abs())
}

/// Like C's `%g`: six digits, no zeros at the end, an exponent where the number is very large or very small.
fn short(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{number:.5e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-5..6).contains(&exponent) {
        let places = (5 - exponent).max(0) as usize;
        return without_zeros(&format!("{number:.places$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:03}", without_zeros(mantissa), exponent.abs())
}

fn without_zeros(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

/// `money`: style 0 has two digits behind the point, 1 commas as well, 2 four digits.
#[must_use]
pub(crate) fn money(amount: Decimal, style: i64) -> String {
    let scale = if style == 2 { 4 } else { 2 };
    let text = decimal::rescale(amount, scale)
        .map(decimal::print)
        .unwrap_or_default();
    if style != 1 {
        return text;
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "00"));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{fraction}")
}

/// Bytes in hexadecimal, capital letters.
#[must_use]
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02X}").expect("a string grows");
    }
    text
}

/// The clock that a `datetimeoffset` shows.
#[must_use]
pub(crate) fn shown(utc: DateTime, offset: i16) -> DateTime {
    calendar::shifted(utc, i64::from(offset))
}

#[cfg(test)]
mod tests {
    use super::{float, moment, money};
    use crate::query::{calendar, decimal};
    use crate::value::SqlType;

    #[test]
    fn styles_of_the_documentation() {
        // The table «Date and time styles» of CAST and CONVERT, filled in by hand for 2026-11-01 17:33:05.123.
        let days = calendar::day_number(2026, 11, 1);
        let ticks = Some(((17 * 3600 + 33 * 60 + 5) * 1000 + 123) * 10_000);
        let print = |style| moment(days, ticks, None, SqlType::DateTime, Some(style)).unwrap();
        assert_eq!(print(0), "Nov  1 2026  5:33PM");
        assert_eq!(print(1), "11/01/26");
        assert_eq!(print(101), "11/01/2026");
        assert_eq!(print(102), "2026.11.01");
        assert_eq!(print(103), "01/11/2026");
        assert_eq!(print(104), "01.11.2026");
        assert_eq!(print(106), "01 Nov 2026");
        assert_eq!(print(107), "Nov 01, 2026");
        assert_eq!(print(108), "17:33:05");
        assert_eq!(print(109), "Nov  1 2026  5:33:05:123PM");
        assert_eq!(print(112), "20261101");
        assert_eq!(print(113), "01 Nov 2026 17:33:05:123");
        assert_eq!(print(114), "17:33:05:123");
        assert_eq!(print(120), "2026-11-01 17:33:05");
        assert_eq!(print(121), "2026-11-01 17:33:05.123");
        assert_eq!(print(126), "2026-11-01T17:33:05.123");
        assert!(moment(days, ticks, None, SqlType::DateTime, Some(99)).is_err());
    }

    #[test]
    fn numbers() {
        assert_eq!(float(1.5, false, 0), "1.5");
        assert_eq!(float(123_456_789.0, false, 0), "1.23457e+008");
        assert_eq!(float(1234.5, false, 2), "1.234500000000000e+003");
        assert_eq!(money(decimal::parse("4235.9819").unwrap(), 0), "4235.98");
        assert_eq!(money(decimal::parse("3510.92").unwrap(), 1), "3,510.92");
        assert_eq!(money(decimal::parse("4235.9819").unwrap(), 2), "4235.9819");
    }
}
