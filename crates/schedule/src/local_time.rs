//! A time of day as a wall clock shows it: `22:30`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;

use crate::as_text::as_text;

/// A text is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no time of day: write hours and minutes from 00:00 to 23:59")]
pub struct BadTime(String);

/// Hours and minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalTime {
    minute_of_day: u16,
}

impl LocalTime {
    /// The time of day; none where the hour is past 23 or the minute past 59.
    pub const fn new(hour: u8, minute: u8) -> Option<Self> {
        if hour > 23 || minute > 59 {
            return None;
        }
        Some(Self {
            minute_of_day: hour as u16 * 60 + minute as u16,
        })
    }

    /// Minutes since midnight as the clock counts them, 0 to 1,439.
    pub const fn minute_of_day(self) -> u16 {
        self.minute_of_day
    }

    /// As a time of a calendar.
    pub fn civil(self) -> Time {
        let [hour, minute] = [self.minute_of_day / 60, self.minute_of_day % 60];
        let [hour, minute] = [hour, minute].map(|part| i8::try_from(part).expect("below 60"));
        Time::constant(hour, minute, 0, 0)
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minute_of_day / 60, self.minute_of_day % 60)
    }
}

impl FromStr for LocalTime {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let parsed = match text.as_bytes() {
            [h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()) => {
                let two = |tens: &u8, ones: &u8| (tens - b'0') * 10 + (ones - b'0');
                Self::new(two(h1, h2), two(m1, m2))
            }
            _ => None,
        };
        parsed.ok_or_else(|| BadTime(text.to_owned()))
    }
}

as_text!(LocalTime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_read_and_written() {
        for (text, minute) in [("00:00", 0), ("09:05", 545), ("23:59", 1439)] {
            let time: LocalTime = text.parse().unwrap();
            assert_eq!((time.minute_of_day(), time.to_string().as_str()), (minute, text));
        }
        for text in [
            "", "24:00", "12:60", "9:05", "09:5", "09:05:00", "0905", "+9:05", "ab:cd",
        ] {
            assert!(text.parse::<LocalTime>().is_err(), "{text}");
        }
    }
}
