//! What a policy may ask for: documented defaults that whoever runs the vault can raise or tighten.
//!
//! "Azure Backup" as a source is its support matrix and its documentation of policies for SQL Server; "own" is a choice of this
//! project, with the reason beside it. Some bounds no limit can move, as the type of the value is too narrow for more or an
//! arithmetic here stands on them; they are in [`Limits::tamed`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::period::{Days, Period};
use crate::size::Size;

/// A range of values, both ends allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Range<T> {
    /// The smallest allowed value.
    pub min: T,
    /// The largest allowed value.
    pub max: T,
}

impl<T: PartialOrd> Range<T> {
    /// Whether a value is allowed.
    pub fn holds(&self, value: &T) -> bool {
        (&self.min..=&self.max).contains(&value)
    }

    /// Whether no value is allowed.
    pub fn is_empty(&self) -> bool {
        self.min > self.max
    }
}

impl<T: fmt::Display> fmt::Display for Range<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

const fn range<T>(min: T, max: T) -> Range<T> {
    Range { min, max }
}

/// The limits of a vault's policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Characters of a policy's name. 150: own, what Azure's resources of this kind allow.
    pub name_length: Range<u32>,
    /// Characters of a description. 1,024: own.
    pub description_length_max: u32,
    /// Scheduled fulls on one day. 24: own; Azure Backup has 1.
    pub fulls_per_day_max: u32,
    /// Differentials on one day. 1: Azure Backup.
    pub differentials_per_day_max: u32,
    /// Whether a differential may run on the day of a full, and so beside daily fulls. No: Azure Backup.
    pub differential_on_day_of_full: bool,
    /// Time between two log backups. From 15 minutes: Azure Backup; from 1 minute: own. To 24 hours: Azure Backup.
    pub log_interval: Range<Period>,
    /// Retention of logs. 7 to 35 days: Azure Backup.
    pub log_retention: Range<Days>,
    /// Retention of differentials. 7 to 180 days: Azure Backup.
    pub differential_retention: Range<Days>,
    /// Days of the daily rule. 7 to 9,999: Azure Backup.
    pub daily_count: Range<u32>,
    /// Weeks of the weekly rule. 1 to 5,163: Azure Backup.
    pub weekly_count: Range<u32>,
    /// Months of the monthly rule. 1 to 1,188: Azure Backup.
    pub monthly_count: Range<u32>,
    /// Years of the yearly rule. 1 to 99: Azure Backup.
    pub yearly_count: Range<u32>,
    /// The largest number of a day of a month. 28: Azure Backup; later ones are not in every month, `last` is.
    pub date_of_month_max: u8,
    /// Fulls that a policy keeps of one database at once. 9,999: Azure Backup's recovery points of an instance.
    pub fulls_kept_max: u32,
    /// Retention of on-demand fulls. 45 days to 99 years, here 36,159 days: Azure Backup.
    pub on_demand_retention: Range<Days>,
    /// Jitter. To 1 hour: own.
    pub jitter_max: Period,
    /// Backups at once on one instance. 1 to 256: own; each takes memory and threads of the server.
    pub concurrency_per_instance: Range<u32>,
    /// Time after which a backup is cancelled. 1 minute to 7 days: own.
    pub timeout: Range<Period>,
    /// Time after which a job is called stuck. 1 minute to 7 days: own.
    pub stuck_after: Range<Period>,
    /// The RPO target. 1 minute to 35 days: own; the log interval and a month.
    pub rpo_target: Range<Period>,
    /// Age of the latest full at which a healing one is taken. 1 to 15 days: 15 is Azure Backup's.
    pub full_age: Range<Days>,
    /// Size of a stripe. 64 MiB to 195 GiB: 50,000 blocks of 4 MiB, what BACKUP TO URL writes to a block blob at most.
    pub stripe_size: Range<Size>,
    /// Stripes of a backup. 1 to 64: SQL Server.
    pub stripe_count: Range<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            name_length: range(1, 150),
            description_length_max: 1024,
            fulls_per_day_max: 24,
            differentials_per_day_max: 1,
            differential_on_day_of_full: false,
            log_interval: range(Period::minutes(1), Period::hours(24)),
            log_retention: range(Days(7), Days(35)),
            differential_retention: range(Days(7), Days(180)),
            daily_count: range(7, 9999),
            weekly_count: range(1, 5163),
            monthly_count: range(1, 1188),
            yearly_count: range(1, 99),
            date_of_month_max: 28,
            fulls_kept_max: 9999,
            on_demand_retention: range(Days(45), Days(36_159)),
            jitter_max: Period::hours(1),
            concurrency_per_instance: range(1, 256),
            timeout: range(Period::minutes(1), Period::days(7)),
            stuck_after: range(Period::minutes(1), Period::days(7)),
            rpo_target: range(Period::minutes(1), Period::days(35)),
            full_age: range(Days(1), Days(15)),
            stripe_size: range(Size::mib(64), Size::gib(195)),
            stripe_count: range(1, 64),
        }
    }
}

/// The longest retention in days: a thousand years. Much more would leave the calendar, which ends with the year 9999.
const COUNT_MAX: u32 = 365_250;

/// As many years, and as many months as they have.
const YEARS_MAX: u32 = 1000;

impl Limits {
    /// What of them cannot be: bounds that nobody can move, and ranges that hold nothing. Named as in the document.
    #[must_use]
    pub fn impossible(&self) -> Vec<String> {
        let json =
            |limits: &Self| serde_json::to_value(limits).expect("limits have no keys that are no strings");
        let (wanted, possible) = (json(self), json(&self.tamed()));
        let fields = wanted.as_object().into_iter().flatten();
        let mut wrong: Vec<String> = fields
            .filter(|(name, value)| possible.get(name.as_str()) != Some(value))
            .map(|(name, value)| {
                format!(
                    "limits.{name} is {value}, and {} is possible",
                    possible[name.as_str()]
                )
            })
            .collect();
        let mut empty = |name: &str, is_empty: bool| {
            if is_empty {
                wrong.push(format!("limits.{name} begins after its end"));
            }
        };
        empty("nameLength", self.name_length.is_empty());
        empty("logInterval", self.log_interval.is_empty());
        empty("logRetention", self.log_retention.is_empty());
        empty("differentialRetention", self.differential_retention.is_empty());
        empty("dailyCount", self.daily_count.is_empty());
        empty("weeklyCount", self.weekly_count.is_empty());
        empty("monthlyCount", self.monthly_count.is_empty());
        empty("yearlyCount", self.yearly_count.is_empty());
        empty("onDemandRetention", self.on_demand_retention.is_empty());
        empty("concurrencyPerInstance", self.concurrency_per_instance.is_empty());
        empty("timeout", self.timeout.is_empty());
        empty("stuckAfter", self.stuck_after.is_empty());
        empty("rpoTarget", self.rpo_target.is_empty());
        empty("fullAge", self.full_age.is_empty());
        empty("stripeSize", self.stripe_size.is_empty());
        empty("stripeCount", self.stripe_count.is_empty());
        wrong
    }

    /// These limits without what nobody can raise: at least a minute and at most 24 hours between logs, as each day has its own
    /// anchor; counts that stay in the calendar; and what SQL Server takes, 64 stripes.
    #[must_use]
    pub fn tamed(&self) -> Self {
        let days = |range: Range<Days>| Range {
            min: range.min.max(Days(1)),
            max: range.max.min(Days(COUNT_MAX)),
        };
        let count = |range: Range<u32>, most: u32| Range {
            min: range.min.max(1),
            max: range.max.min(most),
        };
        Self {
            log_interval: Range {
                min: self.log_interval.min.max(Period::minutes(1)),
                max: self.log_interval.max.min(Period::hours(24)),
            },
            log_retention: days(self.log_retention),
            differential_retention: days(self.differential_retention),
            on_demand_retention: days(self.on_demand_retention),
            full_age: days(self.full_age),
            daily_count: count(self.daily_count, COUNT_MAX),
            weekly_count: count(self.weekly_count, COUNT_MAX / 7),
            monthly_count: count(self.monthly_count, YEARS_MAX * 12),
            yearly_count: count(self.yearly_count, YEARS_MAX),
            date_of_month_max: self.date_of_month_max.min(31),
            concurrency_per_instance: count(self.concurrency_per_instance, u32::MAX),
            stripe_count: count(self.stripe_count, 64),
            stripe_size: Range {
                min: self.stripe_size.min.max(Size::mib(1)),
                max: self.stripe_size.max,
            },
            ..self.clone()
        }
    }
}
