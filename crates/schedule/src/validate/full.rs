//! What the fulls of a policy, their schedule and their retention must be.

use super::Validation;
use crate::calendar::{DateOfMonth, Month, Weekday};
use crate::limits::Limits;
use crate::policy::{Frequency, MonthDays, MonthlyRule, Policy, WeeklyRule, YearlyRule};

pub(super) fn check(policy: &Policy, limits: &Limits, found: &mut Validation) {
    check_schedule(policy, limits, found);
    check_retention(policy, limits, found);
}

fn check_schedule(policy: &Policy, limits: &Limits, found: &mut Validation) {
    let schedule = &policy.full.schedule;
    let field = "full.schedule.days";
    match schedule.frequency {
        Frequency::Weekly => found.list(field, &schedule.days, "weekday"),
        Frequency::Daily if !schedule.days.is_empty() => {
            let next = "remove the days, or set full.schedule.frequency to weekly";
            found.error(field, "given", "left out with daily fulls", next);
        }
        Frequency::Daily => {}
    }
    found.list("full.schedule.times", &schedule.times, "time");
    per_day(
        "full.schedule.times",
        schedule.times.len(),
        limits.fulls_per_day_max,
        found,
    );
}

/// How many times a day may have.
pub(super) fn per_day(field: &str, count: usize, most: u32, found: &mut Validation) {
    if count > most as usize {
        let given = format!("{count} times a day");
        let allowed = format!("up to {most} a day");
        found.error(
            field,
            given,
            allowed,
            "remove some, or raise the limit of the vault",
        );
    }
}

fn check_retention(policy: &Policy, limits: &Limits, found: &mut Validation) {
    let rules = &policy.full.retention;
    if let Some(daily) = &rules.daily {
        found.in_range("full.retention.daily.count", &daily.count, &limits.daily_count);
    }
    if let Some(weekly) = &rules.weekly {
        found.in_range("full.retention.weekly.count", &weekly.count, &limits.weekly_count);
        found.list("full.retention.weekly.days", &weekly.days, "weekday");
        warn_of_days_without_full(policy, weekly, found);
    }
    if let Some(monthly) = &rules.monthly {
        check_monthly(monthly, limits, found);
    }
    if let Some(yearly) = &rules.yearly {
        check_yearly(yearly, limits, found);
    }
    if rules.daily.is_none() && rules.weekly.is_none() && rules.monthly.is_none() && rules.yearly.is_none() {
        let allowed = "one or more of daily, weekly, monthly and yearly";
        found.error("full.retention", "empty", allowed, "say how long fulls are kept");
    }
    check_total(policy, limits, found);
}

fn warn_of_days_without_full(policy: &Policy, weekly: &WeeklyRule, found: &mut Validation) {
    let without: Vec<&str> = weekly
        .days
        .iter()
        .filter(|day| !policy.full.schedule.runs_on(**day))
        .map(|day| day.name())
        .collect();
    if !without.is_empty() {
        let next = "the next full after the day is kept instead; choose a day of full.schedule.days if that is not meant";
        found.warn(
            "full.retention.weekly.days",
            without.join(", "),
            "a day on which a full runs",
            next,
        );
    }
}

fn check_monthly(rule: &MonthlyRule, limits: &Limits, found: &mut Validation) {
    found.in_range("full.retention.monthly.count", &rule.count, &limits.monthly_count);
    check_days("full.retention.monthly.on", &rule.on, limits, found);
}

fn check_yearly(rule: &YearlyRule, limits: &Limits, found: &mut Validation) {
    found.in_range("full.retention.yearly.count", &rule.count, &limits.yearly_count);
    found.list("full.retention.yearly.months", &rule.months, "month");
    check_days("full.retention.yearly.on", &rule.on, limits, found);
    let most = rule.months.iter().map(|month| Month::days_max(*month)).max();
    for date in &rule.on.dates {
        if let (DateOfMonth::Number(number), Some(most)) = (date, most)
            && *number > most
            && *number <= limits.date_of_month_max
        {
            let next = "no year has this day; name another one, or last";
            found.error(
                "full.retention.yearly.on.dates",
                number,
                format_args!("1 to {most}, or last"),
                next,
            );
        }
    }
}

fn check_days(field: &str, on: &MonthDays, limits: &Limits, found: &mut Validation) {
    let by_week = !on.weeks.is_empty() || !on.days.is_empty();
    if !on.dates.is_empty() && by_week {
        let allowed = "either dates, or weeks and days";
        found.error(
            field,
            "both",
            allowed,
            "remove the dates, or the weeks and the days",
        );
        return;
    }
    if by_week {
        found.list(&format!("{field}.weeks"), &on.weeks, "week");
        found.list(&format!("{field}.days"), &on.days, "weekday");
        return;
    }
    found.list(&format!("{field}.dates"), &on.dates, "day");
    let most = limits.date_of_month_max;
    for date in &on.dates {
        if let DateOfMonth::Number(number) = date
            && !(1..=most).contains(number)
        {
            let next =
                "not every month has it: write \"last\" for the last day, or raise the limit of the vault";
            found.error(
                format!("{field}.dates"),
                number,
                format_args!("1 to {most}, or last"),
                next,
            );
        }
    }
}

/// How many fulls are kept at once when the policy has run for as long as its rules reach; a full that two rules keep counts twice.
fn check_total(policy: &Policy, limits: &Limits, found: &mut Validation) {
    let (schedule, rules) = (&policy.full.schedule, &policy.full.retention);
    let a_week = Weekday::ALL.iter().filter(|day| schedule.runs_on(**day)).count() * schedule.times.len();
    let days_of = |on: &MonthDays| (on.dates.len() + on.weeks.len() * on.days.len()) as u64;
    let daily = rules
        .daily
        .as_ref()
        .map_or(0, |rule| (u64::from(rule.count) * a_week as u64).div_ceil(7));
    let weekly = rules
        .weekly
        .as_ref()
        .map_or(0, |rule| u64::from(rule.count) * rule.days.len() as u64);
    let monthly = rules
        .monthly
        .as_ref()
        .map_or(0, |rule| u64::from(rule.count) * days_of(&rule.on));
    let yearly = rules.yearly.as_ref().map_or(0, |rule| {
        u64::from(rule.count) * rule.months.len() as u64 * days_of(&rule.on)
    });
    let total = daily + weekly + monthly + yearly;
    if total > u64::from(limits.fulls_kept_max) {
        let given = format!("{total} fulls of a database");
        let allowed = format!("up to {}", limits.fulls_kept_max);
        found.error(
            "full.retention",
            given,
            allowed,
            "lower a count, or raise the limit of the vault",
        );
    }
}
