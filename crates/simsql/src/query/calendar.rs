//! Dates and times as text: which forms are understood (language us_english: month, day, year), and the grain of each type.
//!
//! The forms are those of the documentation's pages on `datetime` and `datetime2`: ISO 8601, unseparated `yyyymmdd`, numbers with
//! separators, names of months. Deliberately absent: SET DATEFORMAT and other languages.

use crate::value::DateTime;

/// Units of 100 ns in a day.
pub const TICKS_PER_DAY: u64 = 864_000_000_000;
/// Units of 100 ns in a second.
pub const TICKS_PER_SECOND: u64 = 10_000_000;
/// Days from 0001-01-01 to 1900-01-01, where `datetime` counts from.
pub const DAYS_1900: i32 = 693_595;
/// Days from 0001-01-01 to 1753-01-01, the first day of `datetime`.
pub const DAYS_1753: i32 = 639_905;
/// Days from 0001-01-01 to 9999-12-31, the last day of all.
pub const DAYS_LAST: i32 = 3_652_058;
/// Days from 0001-01-01 to 2079-06-06, the last day of `smalldatetime`.
pub const DAYS_SMALL_LAST: i32 = DAYS_1900 + 65_535;

/// Month names, in order.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Names of weekdays, Sunday first.
pub const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Days of a month.
#[must_use]
pub fn month_length(year: i32, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 0001-01-01 of a date, where there is such a date.
#[must_use]
pub fn day_number(year: i64, month: i64, day: i64) -> Option<i32> {
    let year = i32::try_from(year).ok().filter(|y| (1..=9999).contains(y))?;
    let month = u8::try_from(month).ok().filter(|m| (1..=12).contains(m))?;
    let day = u8::try_from(day)
        .ok()
        .filter(|d| *d >= 1 && *d <= month_length(year, month))?;
    Some(DateTime::midnight(year, month, day).days)
}

/// Year, month, day of a day number.
#[must_use]
pub fn date_of(days: i32) -> (i32, u8, u8) {
    DateTime { days, ticks: 0 }.date()
}

/// What a text says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The day; 1900-01-01 where the text has none.
    pub days: Option<i32>,
    /// Units of 100 ns since midnight.
    pub ticks: u64,
    /// Digits behind the second's point.
    pub fraction: u8,
    /// Minutes ahead of UTC.
    pub offset: Option<i16>,
}

/// Why a text is no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No form that is known: 241.
    Syntax,
    /// A form that is known, but no such day or time: 242 for `datetime`.
    Range,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Digits(String),
    Word(String),
    Sign(char),
    Blank,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    for sign in text.trim().chars() {
        match (sign, found.last_mut()) {
            (digit, Some(Token::Digits(digits))) if digit.is_ascii_digit() => digits.push(digit),
            (digit, _) if digit.is_ascii_digit() => found.push(Token::Digits(digit.to_string())),
            (letter, Some(Token::Word(word))) if letter.is_alphabetic() => {
                word.push(letter.to_ascii_lowercase());
            }
            (letter, _) if letter.is_alphabetic() => {
                found.push(Token::Word(letter.to_ascii_lowercase().to_string()));
            }
            (blank, Some(Token::Blank)) if blank.is_whitespace() => {}
            (blank, _) if blank.is_whitespace() => found.push(Token::Blank),
            (other, _) => found.push(Token::Sign(other)),
        }
    }
    found
}

/// Reads a text. `day_first` where the style of CONVERT says so (103, 104, 105).
///
/// # Errors
/// See [`Fault`].
pub fn parse(text: &str, day_first: bool) -> Result<Parsed, Fault> {
    let tokens = tokens(text);
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        day_first,
        parsed: Parsed::default(),
    };
    if tokens.len() > 40 {
        return Err(Fault::Syntax);
    }
    reader.run()?;
    Ok(reader.parsed)
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    day_first: bool,
    parsed: Parsed,
}

impl Reader<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        if self.tokens.is_empty() {
            return Ok(());
        }
        if !self.starts_with_time() {
            self.date()?;
            if self.at == self.tokens.len() {
                return Ok(());
            }
            if !self.word("t") && !self.blank() {
                return Err(Fault::Syntax);
            }
        }
        self.time()?;
        self.blank();
        self.zone()?;
        if self.at == self.tokens.len() {
            Ok(())
        } else {
            Err(Fault::Syntax)
        }
    }

    fn starts_with_time(&self) -> bool {
        let mut rest = self.tokens.iter();
        let Some(Token::Digits(_)) = rest.next() else {
            return false;
        };
        match rest.next() {
            Some(Token::Sign(':')) => true,
            Some(Token::Word(word)) => word == "am" || word == "pm",
            Some(Token::Blank) => {
                matches!(rest.next(), Some(Token::Word(word)) if word == "am" || word == "pm")
            }
            _ => false,
        }
    }

    fn digits(&mut self) -> Result<String, Fault> {
        match self.tokens.get(self.at) {
            Some(Token::Digits(digits)) if digits.len() <= 9 => {
                self.at += 1;
                Ok(digits.clone())
            }
            _ => Err(Fault::Syntax),
        }
    }

    fn sign(&mut self, wanted: char) -> bool {
        let met = self.tokens.get(self.at) == Some(&Token::Sign(wanted));
        self.at += usize::from(met);
        met
    }

    fn word(&mut self, wanted: &str) -> bool {
        let met = matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word == wanted);
        self.at += usize::from(met);
        met
    }

    fn blank(&mut self) -> bool {
        let met = self.tokens.get(self.at) == Some(&Token::Blank);
        self.at += usize::from(met);
        met
    }

    fn month(&mut self) -> Option<i64> {
        let Some(Token::Word(word)) = self.tokens.get(self.at) else {
            return None;
        };
        let month = MONTHS.iter().position(|name| {
            let name = name.to_ascii_lowercase();
            *word == name || *word == name[..3]
        })?;
        self.at += 1;
        Some(month as i64 + 1)
    }

    fn set(&mut self, year: i64, month: i64, day: i64) -> Result<(), Fault> {
        self.parsed.days = Some(day_number(year, month, day).ok_or(Fault::Range)?);
        Ok(())
    }

    fn date(&mut self) -> Result<(), Fault> {
        if let Some(month) = self.month() {
            return self.after_month(month);
        }
        let first = self.digits()?;
        let separator = ['-', '/', '.']
            .into_iter()
            .find(|separator| self.sign(*separator));
        if let Some(separator) = separator {
            return self.separated(&first, separator);
        }
        let number = plain(&first);
        match first.len() {
            8 => self.set(number / 10_000, number / 100 % 100, number % 100),
            6 => self.set(century(number / 10_000), number / 100 % 100, number % 100),
            4 => self.set(number, 1, 1),
            1 | 2 => {
                self.blank();
                let month = self.month().ok_or(Fault::Syntax)?;
                self.separator();
                let year = self.digits()?;
                self.set(year_of(&year)?, month, number)
            }
            _ => Err(Fault::Syntax),
        }
    }

    fn separator(&mut self) {
        while self.blank() || self.sign(',') || self.sign('-') || self.sign('.') {}
    }

    /// `Nov 21 2026`, `November 21, 2026`, `Nov 2026`.
    fn after_month(&mut self, month: i64) -> Result<(), Fault> {
        self.separator();
        let first = self.digits()?;
        if first.len() == 4 {
            return self.set(plain(&first), month, 1);
        }
        self.separator();
        let year = self.digits()?;
        self.set(year_of(&year)?, month, plain(&first))
    }

    fn separated(&mut self, first: &str, separator: char) -> Result<(), Fault> {
        // 21-Nov-2026
        if let Some(month) = self.month() {
            self.separator();
            let year = self.digits()?;
            return self.set(year_of(&year)?, month, plain(first));
        }
        let second = self.digits()?;
        if !self.sign(separator) {
            return Err(Fault::Syntax);
        }
        let third = self.digits()?;
        if first.len() == 4 {
            return self.set(plain(first), plain(&second), plain(&third));
        }
        if first.len() > 2 || second.len() > 2 {
            return Err(Fault::Syntax);
        }
        let (month, day) = if self.day_first {
            (&*second, first)
        } else {
            (first, &*second)
        };
        self.set(year_of(&third)?, plain(month), plain(day))
    }

    fn time(&mut self) -> Result<(), Fault> {
        let mut hour = plain(&self.digits()?);
        let (mut minute, mut second, mut fraction) = (0, 0, 0);
        let has_minutes = self.sign(':');
        if has_minutes {
            minute = plain(&self.digits()?);
            if self.sign(':') {
                second = plain(&self.digits()?);
                fraction = self.fraction()?;
            }
        }
        self.blank();
        if self.word("am") {
            hour = match hour {
                12 => 0,
                0..=11 => hour,
                _ => return Err(Fault::Range),
            };
        } else if self.word("pm") {
            hour = match hour {
                12 => 12,
                1..=11 => hour + 12,
                _ => return Err(Fault::Range),
            };
        } else if !has_minutes {
            return Err(Fault::Syntax);
        }
        if hour > 23 || minute > 59 || second > 59 {
            return Err(Fault::Range);
        }
        let seconds = (hour * 3600 + minute * 60 + second).unsigned_abs();
        self.parsed.ticks = seconds * TICKS_PER_SECOND + fraction;
        Ok(())
    }

    /// `.123` are digits behind the point, `:123` milliseconds.
    fn fraction(&mut self) -> Result<u64, Fault> {
        if self.sign(':') {
            let digits = self.digits()?;
            self.parsed.fraction = 3;
            return match plain(&digits) {
                milliseconds @ 0..=999 => Ok(milliseconds.unsigned_abs() * 10_000),
                _ => Err(Fault::Range),
            };
        }
        if !self.sign('.') {
            return Ok(0);
        }
        let digits = self.digits()?;
        let length = digits.len();
        if length > 7 {
            return Err(Fault::Syntax);
        }
        self.parsed.fraction = length as u8;
        Ok(plain(&digits).unsigned_abs() * 10_u64.pow(7 - length as u32))
    }

    fn zone(&mut self) -> Result<(), Fault> {
        if self.word("z") {
            self.parsed.offset = Some(0);
            return Ok(());
        }
        let ahead = match (self.sign('+'), self.sign('-')) {
            (true, _) => 1,
            (_, true) => -1,
            _ => return Ok(()),
        };
        let hours = plain(&self.digits()?);
        if !self.sign(':') {
            return Err(Fault::Syntax);
        }
        let minutes = plain(&self.digits()?);
        if hours > 14 || minutes > 59 || hours * 60 + minutes > 840 {
            return Err(Fault::Range);
        }
        self.parsed.offset = i16::try_from(ahead * (hours * 60 + minutes)).ok();
        Ok(())
    }
}

/// At most nine digits.
fn plain(digits: &str) -> i64 {
    digits.parse().unwrap_or(0)
}

fn year_of(digits: &str) -> Result<i64, Fault> {
    match digits.len() {
        4 => Ok(plain(digits)),
        1 | 2 => Ok(century(plain(digits))),
        _ => Err(Fault::Syntax),
    }
}

/// The option «two digit year cutoff» is 2049.
fn century(year: i64) -> i64 {
    if year < 50 { 2000 + year } else { 1900 + year }
}

/// `datetime` counts 300ths of a second: the nearest one, as ticks; a whole day where it is midnight.
#[must_use]
pub fn three_hundredths(ticks: u64) -> u64 {
    let units = (ticks * 3 + 50_000) / 100_000;
    (units * 100_000 + 1) / 3
}

/// A time rounded to `scale` digits of a second; a whole day where it is midnight.
#[must_use]
pub fn round_ticks(ticks: u64, scale: u8) -> u64 {
    let unit = 10_u64.pow(u32::from(7 - scale.min(7)));
    (ticks + unit / 2) / unit * unit
}

/// Carries a whole day of ticks into the day.
#[must_use]
pub fn carried(days: i32, ticks: u64) -> DateTime {
    DateTime {
        days: days + i32::from(ticks >= TICKS_PER_DAY),
        ticks: ticks % TICKS_PER_DAY,
    }
}

/// The clock of UTC moved by minutes.
#[must_use]
pub fn shifted(moment: DateTime, minutes: i64) -> DateTime {
    let ticks = i64::try_from(moment.ticks).unwrap_or(0) + minutes * 60 * TICKS_PER_SECOND.cast_signed();
    let day = TICKS_PER_DAY.cast_signed();
    DateTime {
        days: moment.days + i32::try_from(ticks.div_euclid(day)).unwrap_or(0),
        ticks: ticks.rem_euclid(day).unsigned_abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::{DAYS_1753, DAYS_1900, DAYS_LAST, DAYS_SMALL_LAST, Fault, date_of, day_number, parse};

    fn read(text: &str) -> (i32, u8, u8, u64) {
        let parsed = parse(text, false).unwrap();
        let (year, month, day) = date_of(parsed.days.unwrap_or(DAYS_1900));
        (year, month, day, parsed.ticks / 10_000)
    }

    #[test]
    fn days_of_the_calendar() {
        assert_eq!(day_number(1753, 1, 1), Some(DAYS_1753));
        assert_eq!(day_number(1900, 1, 1), Some(DAYS_1900));
        assert_eq!(day_number(2079, 6, 6), Some(DAYS_SMALL_LAST));
        assert_eq!(day_number(9999, 12, 31), Some(DAYS_LAST));
        assert_eq!(day_number(2023, 2, 29), None);
    }

    #[test]
    fn forms_of_the_documentation() {
        let afternoon = (17 * 3600 + 33 * 60) * 1000;
        assert_eq!(read("20261121"), (2026, 11, 21, 0));
        assert_eq!(read("2026-11-21 17:33"), (2026, 11, 21, afternoon));
        assert_eq!(read("2026-11-21T17:33:05.123"), (2026, 11, 21, afternoon + 5123));
        assert_eq!(read("2026-11-21T17:33:05:007"), (2026, 11, 21, afternoon + 5007));
        assert_eq!(read("11/21/2026 5:33PM"), (2026, 11, 21, afternoon));
        assert_eq!(read("Nov 21 2026  5:33PM"), (2026, 11, 21, afternoon));
        assert_eq!(read("21 November 2026"), (2026, 11, 21, 0));
        assert_eq!(read("November 21, 26"), (2026, 11, 21, 0));
        assert_eq!(read("17:33"), (1900, 1, 1, afternoon));
        assert_eq!(read("491231"), (2049, 12, 31, 0));
        assert_eq!(read("500101"), (1950, 1, 1, 0));
        assert_eq!(
            parse("2026-11-21 17:33:05 +01:30", false).unwrap().offset,
            Some(90)
        );
        assert_eq!(parse("21/11/2026", true).unwrap().days, day_number(2026, 11, 21));
    }

    #[test]
    fn what_is_no_date() {
        assert_eq!(parse("2026-02-30", false), Err(Fault::Range));
        assert_eq!(parse("2026-13-01", false), Err(Fault::Range));
        assert_eq!(parse("soon", false), Err(Fault::Syntax));
        assert_eq!(parse("2026-11-21 25:00", false), Err(Fault::Range));
        assert_eq!(parse("2026-11-21x", false), Err(Fault::Syntax));
    }
}
