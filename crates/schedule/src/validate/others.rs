//! What the differentials, the logs and everything beside the fulls must be.

use super::Validation;
use super::full::per_day;
use crate::calendar::Weekday;
use crate::limits::Limits;
use crate::period::{Days, Period};
use crate::policy::{Algorithm, Compression, DifferentialPolicy, Frequency, LogPolicy, Mode, Policy};

pub(super) fn check(policy: &Policy, limits: &Limits, found: &mut Validation) {
    if policy.mode == Mode::Shadow {
        check_shadow(policy, found);
    }
    if let Some(differential) = &policy.differential {
        check_differential(policy, differential, limits, found);
    }
    if let Some(log) = &policy.log {
        check_log(policy, log, limits, found);
    }
    found.in_range(
        "onDemand.retention",
        &policy.on_demand.retention,
        &limits.on_demand_retention,
    );
    check_writing(policy, limits, found);
    check_healing(policy, limits, found);
    check_running(policy, limits, found);
    check_watching(policy, limits, found);
}

fn check_shadow(policy: &Policy, found: &mut Validation) {
    let next = "remove it: a shadow policy takes copy-only fulls beside the tool that owns the chain";
    for (field, given) in [
        ("differential", policy.differential.is_some()),
        ("log", policy.log.is_some()),
    ] {
        if given {
            found.error(field, "given", "left out in mode shadow", next);
        }
    }
}

fn check_differential(
    policy: &Policy,
    differential: &DifferentialPolicy,
    limits: &Limits,
    found: &mut Validation,
) {
    found.list("differential.days", &differential.days, "weekday");
    found.list("differential.times", &differential.times, "time");
    let most = limits.differentials_per_day_max;
    per_day("differential.times", differential.times.len(), most, found);
    found.in_range(
        "differential.retention",
        &differential.retention,
        &limits.differential_retention,
    );
    let schedule = &policy.full.schedule;
    if limits.differential_on_day_of_full {
        let same = differential.days.iter().all(|day| schedule.runs_on(*day));
        let later = differential
            .times
            .iter()
            .any(|time| !schedule.times.contains(time));
        if same && !later && !differential.days.is_empty() {
            let next = "each of them coincides with a full, which takes its place; choose another time";
            found.warn("differential.times", "that of a full", "another time", next);
        }
        return;
    }
    if schedule.frequency == Frequency::Daily {
        let next = "remove the differential, make the fulls weekly, or raise the limit of the vault";
        found.error("differential", "given", "left out with daily fulls", next);
        return;
    }
    for day in differential.days.iter().filter(|day| schedule.runs_on(**day)) {
        let next = "choose a day without a full, or raise the limit of the vault";
        found.error("differential.days", day, "a day without a full", next);
    }
}

fn check_log(policy: &Policy, log: &LogPolicy, limits: &Limits, found: &mut Validation) {
    found.in_range("log.every", &log.every, &limits.log_interval);
    for (field, period) in [("log.every", log.every), ("log.offset", log.offset)] {
        if !period.is_whole_minutes() {
            found.error(field, period, "whole minutes", "round it to minutes");
        }
    }
    if log.offset >= log.every {
        let allowed = format!("less than log.every, {}", log.every);
        found.error(
            "log.offset",
            log.offset,
            allowed,
            "make it smaller, or leave it out",
        );
    }
    found.in_range("log.retention", &log.retention, &limits.log_retention);
    warn_of_logs_without_full(policy, log, found);
}

/// A log is of use only with a full before it. The rules that keep fulls apart from each other serve fewer moments than the logs
/// reach.
fn warn_of_logs_without_full(policy: &Policy, log: &LogPolicy, found: &mut Validation) {
    let rules = &policy.full.retention;
    let daily = rules.daily.as_ref().map(|rule| rule.count);
    let weekly = rules.weekly.as_ref().map(|rule| rule.count.saturating_mul(7));
    let longest = daily.max(weekly).unwrap_or(0);
    if log.retention.0 > longest {
        let allowed = format!("up to {}, what full.retention keeps without gaps", Days(longest));
        let next =
            "fulls live on for the logs that need them; raise the daily or weekly count to say so yourself";
        found.warn("log.retention", log.retention, allowed, next);
    }
}

fn check_writing(policy: &Policy, limits: &Limits, found: &mut Validation) {
    let writing = &policy.writing;
    found.in_range(
        "writing.stripes.sizeMax",
        &writing.stripes.size_max,
        &limits.stripe_size,
    );
    found.in_range(
        "writing.stripes.countMax",
        &writing.stripes.count_max,
        &limits.stripe_count,
    );
    if writing.compression == Compression::Off && writing.algorithm.is_some() {
        let next = "remove it, or switch writing.compression on";
        found.error("writing.algorithm", "given", "left out without compression", next);
    }
    if writing.level.is_some() && writing.algorithm != Some(Algorithm::Zstd) {
        let next = "remove it, or set writing.algorithm to zstd";
        found.error("writing.level", "given", "left out but with zstd", next);
    }
}

fn check_healing(policy: &Policy, limits: &Limits, found: &mut Validation) {
    let healing = &policy.healing;
    found.in_range("healing.fullAgeMax", &healing.full_age_max, &limits.full_age);
    if let Some(window) = &healing.window {
        if window.from == window.to {
            let next = "name another time, or leave the window out";
            found.error(
                "healing.window.to",
                window.to,
                "another time than healing.window.from",
                next,
            );
        }
        if !window.days.is_empty() {
            found.list("healing.window.days", &window.days, "weekday");
        }
    }
    let gap = days_between_fulls(policy);
    if healing.enabled && healing.full_age_max.0 < gap {
        let next = "fulls are taken between the scheduled ones; raise it if that is not meant";
        found.warn(
            "healing.fullAgeMax",
            healing.full_age_max,
            format_args!("{gap}d or more"),
            next,
        );
    }
    if !healing.enabled && policy.mode == Mode::Standard {
        let next = "a broken chain stays broken until the next scheduled full; switch healing on if that is not meant";
        found.warn("healing.enabled", false, "true", next);
    }
}

/// The most days from one scheduled full to the next.
fn days_between_fulls(policy: &Policy) -> u32 {
    let days = Weekday::ALL.map(|day| policy.full.schedule.runs_on(day));
    let (mut longest, mut current) = (0, 0);
    for runs in days.iter().chain(&days) {
        current += 1;
        if *runs {
            longest = longest.max(current);
            current = 0;
        }
    }
    longest.min(7)
}

fn check_running(policy: &Policy, limits: &Limits, found: &mut Validation) {
    let running = &policy.running;
    let allowed = crate::limits::Range {
        min: Period::ZERO,
        max: limits.jitter_max,
    };
    found.in_range("running.jitter", &running.jitter, &allowed);
    let concurrency = running.concurrency_per_instance;
    found.in_range(
        "running.concurrencyPerInstance",
        &concurrency,
        &limits.concurrency_per_instance,
    );
    if let Some(timeout) = running.timeout {
        found.in_range("running.timeout", &timeout, &limits.timeout);
    }
}

fn check_watching(policy: &Policy, limits: &Limits, found: &mut Validation) {
    let watching = &policy.watching;
    found.in_range("watching.stuckAfter", &watching.stuck_after, &limits.stuck_after);
    if let Some(timeout) = policy.running.timeout
        && timeout < watching.stuck_after
    {
        let next = "a backup is cancelled before it is ever called stuck; raise it if that is not meant";
        found.warn("running.timeout", timeout, "watching.stuckAfter or more", next);
    }
    let Some(target) = watching.rpo_target else {
        return;
    };
    found.in_range("watching.rpoTarget", &target, &limits.rpo_target);
    if let Some(log) = &policy.log
        && target < log.every
    {
        let next = "it would be missed between any two log backups; raise it, or lower log.every";
        found.error(
            "watching.rpoTarget",
            target,
            format_args!("{} or more", log.every),
            next,
        );
    }
}
