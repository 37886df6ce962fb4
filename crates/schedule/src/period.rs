//! Lengths of time as a policy writes them: `15m`, `4h`, `35d`.
//!
//! A [`Period`] is elapsed time in whole seconds. [`Days`] are days of the calendar: seven of them end at the same local time, also
//! where one of them had 23 hours.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

use crate::as_text::as_text;

/// Why a text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPeriod {
    /// Not a whole number and a unit.
    #[error("'{0}' is no duration: write a whole number and a unit, as in 30s, 15m, 4h or 35d")]
    Form(String),
    /// Not a whole number of days.
    #[error("'{0}' is no number of days: write it as in 35d")]
    NotDays(String),
}

/// Elapsed time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period(u32);

impl Period {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many seconds.
    pub const fn seconds(seconds: u32) -> Self {
        Self(seconds)
    }

    /// So many minutes; at most 71,582,788 of them, more are that many.
    pub const fn minutes(minutes: u32) -> Self {
        Self(minutes.saturating_mul(60))
    }

    /// So many hours; at most 1,193,046 of them, more are that many.
    pub const fn hours(hours: u32) -> Self {
        Self(hours.saturating_mul(3600))
    }

    /// So many days of 24 hours; at most 49,710 of them, more are that many.
    pub const fn days(days: u32) -> Self {
        Self(days.saturating_mul(86_400))
    }

    /// Its length in seconds.
    pub const fn as_seconds(self) -> u32 {
        self.0
    }

    /// As a duration to add to a point in time.
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.0))
    }

    /// Whether nothing is left behind the last whole minute.
    pub const fn is_whole_minutes(self) -> bool {
        self.0.is_multiple_of(60)
    }

    /// This and another one together; at most what the type holds, 136 years.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This one so many times.
    #[must_use]
    pub const fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl fmt::Display for Period {
    /// In the largest unit that leaves no rest: 90 minutes are `90m`, 24 hours `1d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0;
        let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
        match units
            .iter()
            .find(|(length, _)| seconds > 0 && seconds.is_multiple_of(*length))
        {
            Some((length, unit)) => write!(f, "{}{unit}", seconds / length),
            None => write!(f, "{seconds}s"),
        }
    }
}

impl FromStr for Period {
    type Err = BadPeriod;

    fn from_str(text: &str) -> Result<Self, BadPeriod> {
        let bad = || BadPeriod::Form(text.to_owned());
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let length: u32 = match &text[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(bad()),
        };
        let count = whole_number(digits).ok_or_else(bad)?;
        count.checked_mul(length).map(Self).ok_or_else(bad)
    }
}

/// Whole days of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Days(pub u32);

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}d", self.0)
    }
}

impl FromStr for Days {
    type Err = BadPeriod;

    fn from_str(text: &str) -> Result<Self, BadPeriod> {
        text.strip_suffix('d')
            .and_then(whole_number)
            .map(Self)
            .ok_or_else(|| BadPeriod::NotDays(text.to_owned()))
    }
}

/// A number of ASCII digits only: no sign, no space.
fn whole_number(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

as_text!(Period, Days);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_read_and_written() {
        for (text, seconds, again) in [
            ("0s", 0, "0s"),
            ("45s", 45, "45s"),
            ("60s", 60, "1m"),
            ("15m", 900, "15m"),
            ("90m", 5400, "90m"),
            ("24h", 86_400, "1d"),
            ("15d", 1_296_000, "15d"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.as_seconds(), seconds, "{text}");
            assert_eq!(period.to_string(), again);
        }
    }

    #[test]
    fn what_is_no_period_is_refused_with_an_example() {
        for text in [
            "",
            "15",
            "m",
            "-1m",
            "+1m",
            "1.5h",
            "15 m",
            "500ms",
            "1h30m",
            "15M",
            "99999999999s",
            "49711d",
            "१m",
        ] {
            let error = text.parse::<Period>().unwrap_err();
            assert!(error.to_string().contains("15m"), "{text}: {error}");
        }
        for text in ["7", "7h", "d", "-7d", "7.5d"] {
            assert!(text.parse::<Days>().is_err(), "{text}");
        }
        assert_eq!("35d".parse(), Ok(Days(35)));
    }
}
