//! What another policy would change, by hand.
#![allow(clippy::unwrap_used)] // What does not parse here shall fail loudly.

use schedule::calendar::Weekday;
use schedule::policy::{Frequency, LogPolicy, WeeklyRule};
use schedule::{Comparison, Days, LocalTime, Period, Policy, Zone};

fn base() -> Policy {
    let mut policy = Policy::daily("base", LocalTime::new(22, 0).unwrap(), Days(30));
    policy.full.retention.weekly = Some(WeeklyRule {
        count: 12,
        days: vec![Weekday::Sunday, Weekday::Wednesday],
    });
    policy.log = Some(LogPolicy {
        every: Period::minutes(15),
        offset: Period::ZERO,
        retention: Days(20),
    });
    policy
}

fn compare(edit: impl FnOnce(&mut Policy)) -> Comparison {
    let mut new = base();
    edit(&mut new);
    Comparison::of(&base(), &new)
}

fn fields(comparison: &Comparison) -> Vec<&str> {
    comparison
        .changes
        .iter()
        .map(|change| change.field.as_str())
        .collect()
}

#[test]
fn the_same_policy_changes_nothing() {
    let none = compare(|_| ());
    assert_eq!(none, Comparison::default());
    assert!(!none.concerns_items() && !none.reduces_retention());
    let renamed = compare(|policy| policy.description = "new words".to_owned());
    assert_eq!(fields(&renamed), ["description"]);
    assert!(!renamed.concerns_items());
}

#[test]
fn schedules_may_change_without_any_reduction() {
    let changed = compare(|policy| {
        policy.log.as_mut().unwrap().every = Period::minutes(5);
        policy.full.schedule.frequency = Frequency::Weekly;
        policy.full.schedule.days = vec![Weekday::Sunday];
    });
    let mut names = fields(&changed);
    names.sort_unstable();
    assert_eq!(
        names,
        ["full.schedule.days", "full.schedule.frequency", "log.every"]
    );
    assert!(changed.concerns_items() && !changed.reduces_retention());
    let every = changed
        .changes
        .iter()
        .find(|change| change.field == "log.every")
        .unwrap();
    assert_eq!(
        (every.old.as_str(), every.new.as_str()),
        (Some("15m"), Some("5m"))
    );
}

#[test]
fn shorter_is_a_reduction_and_longer_is_not() {
    type Edit = fn(&mut Policy);
    let shorter: [(&str, Edit); 9] = [
        ("log.retention", |p| p.log.as_mut().unwrap().retention = Days(19)),
        ("full.retention.daily", |p| {
            p.full.retention.daily.as_mut().unwrap().count = 29;
        }),
        ("full.retention.daily", |p| p.full.retention.daily = None),
        ("full.retention.weekly", |p| {
            p.full.retention.weekly.as_mut().unwrap().count = 11;
        }),
        ("full.retention.weekly", |p| {
            p.full.retention.weekly.as_mut().unwrap().days = vec![Weekday::Sunday];
        }),
        ("full.retention.weekly", |p| {
            p.full.retention.weekly.as_mut().unwrap().days = vec![Weekday::Sunday, Weekday::Monday];
        }),
        ("onDemand.retention", |p| p.on_demand.retention = Days(44)),
        ("timeZone", |p| p.time_zone = Zone::named("Asia/Kolkata").unwrap()),
        // Logs that no section keeps are kept for the default of 15 days.
        ("log.retention", |p| p.log = None),
    ];
    for (field, edit) in shorter {
        let comparison = compare(edit);
        assert_eq!(comparison.reductions, [field]);
        let marked = comparison
            .changes
            .iter()
            .filter(|change| change.reduces_retention)
            .count();
        assert_eq!(marked, 1, "{field}");
    }
    let longer: [Edit; 4] = [
        |p| p.log.as_mut().unwrap().retention = Days(21),
        |p| p.full.retention.daily.as_mut().unwrap().count = 31,
        |p| p.full.retention.weekly.as_mut().unwrap().days = Weekday::ALL.to_vec(),
        |p| p.full.retention.weekly.as_mut().unwrap().days = vec![Weekday::Wednesday, Weekday::Sunday],
    ];
    for edit in longer {
        assert!(!compare(edit).reduces_retention());
    }
}
