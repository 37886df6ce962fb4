//! Days of the week, weeks of a month and months, as a policy names them.

use std::fmt;

use jiff::civil::{self, Date};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// All of them, from Monday on.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// The day of the week of a date.
    pub fn of(date: Date) -> Self {
        match date.weekday() {
            civil::Weekday::Monday => Self::Monday,
            civil::Weekday::Tuesday => Self::Tuesday,
            civil::Weekday::Wednesday => Self::Wednesday,
            civil::Weekday::Thursday => Self::Thursday,
            civil::Weekday::Friday => Self::Friday,
            civil::Weekday::Saturday => Self::Saturday,
            civil::Weekday::Sunday => Self::Sunday,
        }
    }

    /// Days since Monday, 0 to 6.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// As a policy writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }
}

impl fmt::Display for Weekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which of the same weekdays of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum WeekOfMonth {
    First,
    Second,
    Third,
    Fourth,
    /// The fourth or the fifth.
    Last,
}

impl fmt::Display for WeekOfMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "first",
            Self::Second => "second",
            Self::Third => "third",
            Self::Fourth => "fourth",
            Self::Last => "last",
        })
    }
}

impl WeekOfMonth {
    /// Whether a date is the first, second ... of its weekday in its month.
    pub fn holds(self, date: Date) -> bool {
        let ordinal = (date.day() - 1) / 7;
        match self {
            Self::First => ordinal == 0,
            Self::Second => ordinal == 1,
            Self::Third => ordinal == 2,
            Self::Fourth => ordinal == 3,
            Self::Last => date.day() + 7 > date.days_in_month(),
        }
    }
}

/// A month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Month {
    January,
    February,
    March,
    April,
    May,
    June,
    July,
    August,
    September,
    October,
    November,
    December,
}

impl Month {
    /// All of them, from January on.
    pub const ALL: [Self; 12] = [
        Self::January,
        Self::February,
        Self::March,
        Self::April,
        Self::May,
        Self::June,
        Self::July,
        Self::August,
        Self::September,
        Self::October,
        Self::November,
        Self::December,
    ];

    /// The month of a date.
    pub fn of(date: Date) -> Self {
        let index = usize::try_from(date.month() - 1).expect("months begin at 1");
        Self::ALL[index]
    }

    /// As a policy writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::January => "january",
            Self::February => "february",
            Self::March => "march",
            Self::April => "april",
            Self::May => "may",
            Self::June => "june",
            Self::July => "july",
            Self::August => "august",
            Self::September => "september",
            Self::October => "october",
            Self::November => "november",
            Self::December => "december",
        }
    }

    /// The most days it can have: 29 for February.
    pub const fn days_max(self) -> u8 {
        match self {
            Self::February => 29,
            Self::April | Self::June | Self::September | Self::November => 30,
            _ => 31,
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A day of a month by its number, or the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DateOfMonth {
    /// 1 to 31.
    Number(u8),
    /// The 28th to the 31st, as the month has it.
    Last,
}

impl DateOfMonth {
    /// Whether a date is this day of its month.
    pub fn holds(self, date: Date) -> bool {
        match self {
            Self::Number(number) => i8::try_from(number) == Ok(date.day()),
            Self::Last => date.day() == date.days_in_month(),
        }
    }
}

impl fmt::Display for DateOfMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Last => f.write_str("last"),
        }
    }
}

impl Serialize for DateOfMonth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u8(*number),
            Self::Last => serializer.serialize_str("last"),
        }
    }
}

impl<'de> Deserialize<'de> for DateOfMonth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl Visitor {
            fn number<E: de::Error>(number: Option<u8>) -> Result<DateOfMonth, E> {
                let inside = number.filter(|number| (1..=31).contains(number));
                inside
                    .map(DateOfMonth::Number)
                    .ok_or_else(|| E::custom("no month has this day: write 1 to 31, or \"last\""))
            }
        }

        impl de::Visitor<'_> for Visitor {
            type Value = DateOfMonth;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a day of the month, 1 to 31, or \"last\"")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<DateOfMonth, E> {
                Self::number(u8::try_from(number).ok())
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<DateOfMonth, E> {
                Self::number(u8::try_from(number).ok())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DateOfMonth, E> {
                if text == "last" {
                    return Ok(DateOfMonth::Last);
                }
                Err(E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_of_a_month() {
        // March 2026 begins on a Sunday; its Sundays are the 1st, 8th, 15th, 22nd and 29th.
        let sunday = |day| civil::date(2026, 3, day);
        let of = |day| {
            [
                WeekOfMonth::First,
                WeekOfMonth::Second,
                WeekOfMonth::Third,
                WeekOfMonth::Fourth,
                WeekOfMonth::Last,
            ]
            .map(|week| week.holds(sunday(day)))
        };
        assert_eq!(Weekday::of(sunday(1)), Weekday::Sunday);
        assert_eq!(of(1), [true, false, false, false, false]);
        assert_eq!(of(22), [false, false, false, true, false]);
        assert_eq!(of(29), [false, false, false, false, true]);
        // February 2026 has four of each: the fourth is the last.
        assert!(WeekOfMonth::Last.holds(civil::date(2026, 2, 22)));
        assert!(DateOfMonth::Last.holds(civil::date(2028, 2, 29)));
        assert!(!DateOfMonth::Last.holds(civil::date(2028, 2, 28)));
    }
}
