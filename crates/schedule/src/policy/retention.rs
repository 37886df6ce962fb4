//! How long fulls are kept: the rules of grandfather, father and son.
//!
//! Each rule keeps the fulls that it chooses for so many of its units; a full that several rules choose lives the longest of
//! them. Which full a rule chooses is told in `keep.rs`.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar::{DateOfMonth, Month, WeekOfMonth, Weekday};

/// The rules for fulls; at least one is needed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FullRetention {
    /// Every full, for so many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily: Option<DailyRule>,
    /// The full of each week, for so many weeks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekly: Option<WeeklyRule>,
    /// The full of each month, for so many months.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly: Option<MonthlyRule>,
    /// The full of each year, for so many years.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yearly: Option<YearlyRule>,
}

/// Keeps every full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DailyRule {
    /// For so many days.
    pub count: u32,
}

/// Keeps one full for each of its weekdays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WeeklyRule {
    /// For so many weeks.
    pub count: u32,
    /// The weekdays.
    pub days: Vec<Weekday>,
}

/// Keeps one full for each of its days of a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MonthlyRule {
    /// For so many months.
    pub count: u32,
    /// The days.
    pub on: MonthDays,
}

/// Keeps one full for each of its days of a year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct YearlyRule {
    /// For so many years.
    pub count: u32,
    /// The months that have such days.
    pub months: Vec<Month>,
    /// The days of these months.
    pub on: MonthDays,
}

/// Days of a month: either by `dates`, or weekdays in `days` of the weeks in `weeks`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MonthDays {
    /// Days by number, or `last`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<DateOfMonth>,
    /// The first, second, third, fourth or last ...
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weeks: Vec<WeekOfMonth>,
    /// ... of these weekdays.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
}

impl MonthDays {
    /// Whether a date is one of these days.
    pub fn holds(&self, date: Date) -> bool {
        self.dates.iter().any(|day| day.holds(date))
            || (self.days.contains(&Weekday::of(date)) && self.weeks.iter().any(|week| week.holds(date)))
    }
}
