//! How old the newest restorable moment of a database may be before somebody is told.
//!
//! A policy may say so itself. Else, where logs run, it is twice their interval and the jitter: one log backup may fail and be
//! made up for before anybody is woken. Where they do not, it is the longest time between two backups of data and [`SLACK`], time
//! for the backup to run.

use crate::calendar::Weekday;
use crate::database::Application;
use crate::kind::BackupKind;
use crate::local_time::LocalTime;
use crate::period::Period;
use crate::policy::Policy;

/// What is added to the time between two backups of data: an hour for a day of 25, and four to run. Four hours are what operators
/// of Azure Backup take for stuck; a full of 6 TB takes 4.8 at the 350 MB/s it states.
pub const SLACK: Period = Period::hours(5);

/// Minutes in a week.
const WEEK: u32 = 7 * 24 * 60;

/// The recovery point objective of a database under a policy; none where none of the policy's backups run for it. The target of a
/// policy with logs holds for databases whose logs are backed up; the others could not keep it.
pub fn rpo_target(policy: &Policy, application: &Application) -> Option<Period> {
    let logs_run = application.runs.contains(&BackupKind::Log);
    let said = policy
        .watching
        .rpo_target
        .filter(|_| logs_run || policy.log.is_none());
    let usual = match &policy.log {
        Some(log) if logs_run => log.every.times(2),
        _ => Period::minutes(data_gap(policy, &application.runs)?).plus(SLACK),
    };
    Some(said.unwrap_or(usual.plus(policy.running.jitter)))
}

/// The longest time from one backup of data to the next, in minutes of a week of seven equal days; none where there are none.
fn data_gap(policy: &Policy, runs: &[BackupKind]) -> Option<u32> {
    let mut minutes: Vec<u32> = Vec::new();
    for day in Weekday::ALL {
        let mut add = |times: &[LocalTime]| {
            let begins = u32::try_from(day.index()).expect("a week has seven days") * 24 * 60;
            minutes.extend(times.iter().map(|time| begins + u32::from(time.minute_of_day())));
        };
        if runs.iter().any(|kind| kind.is_full()) && policy.full.schedule.runs_on(day) {
            add(&policy.full.schedule.times);
        }
        if let Some(differential) = &policy.differential
            && runs.contains(&BackupKind::Differential)
            && differential.days.contains(&day)
        {
            add(&differential.times);
        }
    }
    minutes.sort_unstable();
    let first = *minutes.first()?;
    let last = *minutes.last()?;
    let within = minutes
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .unwrap_or(0);
    Some(within.max(first + WEEK - last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Facts, RecoveryModel};

    fn target(rest: &str, recovery_model: RecoveryModel) -> Option<Period> {
        let text = format!(
            r#"{{"version": 1, "full": {{"schedule": {{"frequency": "weekly", "days": ["sunday"], "times": ["22:00"]}},
            "retention": {{"weekly": {{"count": 4, "days": ["sunday"]}}}}}}, "running": {{"jitter": "5m"}}{rest}}}"#
        );
        let policy = Policy::from_json(&text).unwrap();
        let facts = Facts {
            recovery_model,
            ..Facts::default()
        };
        rpo_target(&policy, &Application::of(&policy, &facts))
    }

    #[test]
    fn twice_the_log_interval_or_what_the_policy_says() {
        let full = RecoveryModel::Full;
        assert_eq!(
            target(r#", "log": {"every": "15m"}"#, full),
            Some(Period::minutes(35))
        );
        let said = r#", "log": {"every": "15m"}, "watching": {"rpoTarget": "20m"}"#;
        assert_eq!(target(said, full), Some(Period::minutes(20)));
        // Without logs a week, five hours and five minutes; with a differential on Thursday at 22:00 four days remain.
        let week = Period::hours(7 * 24 + 5).plus(Period::minutes(5));
        assert_eq!(target(said, RecoveryModel::Simple), Some(week));
        let alone = r#", "watching": {"rpoTarget": "8d"}"#;
        assert_eq!(
            target(alone, full),
            Some(Period::days(8)),
            "a policy without logs has a target too"
        );
        let thursday = r#", "differential": {"days": ["thursday"], "times": ["22:00"]}"#;
        assert_eq!(
            target(thursday, full),
            Some(Period::hours(4 * 24 + 5).plus(Period::minutes(5)))
        );
    }
}
