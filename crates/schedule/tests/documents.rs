//! Policies as documents: the examples of the documentation, both forms, defaults, and faults by the path of their field.
#![allow(clippy::unwrap_used)] // What does not parse here shall fail loudly.

use schedule::calendar::{DateOfMonth, Weekday};
use schedule::policy::{Algorithm, Compression, Frequency, Level, Mode};
use schedule::{BackupKind, BadPolicy, Days, Limits, Period, Policy, Size, validate};

const GOLD: &str = include_str!("../../../docs/policies/gold.toml");
const SHADOW: &str = include_str!("../../../docs/policies/shadow.json");
const DOCUMENTATION: &str = include_str!("../../../docs/policies.md");

/// Every field that there is; each value differs from its default.
const WHOLE: &str = r#"{
    "version": 1, "name": "whole", "description": "everything", "timeZone": "Asia/Kolkata", "mode": "standard",
    "full": {
        "schedule": {"frequency": "weekly", "days": ["sunday", "thursday"], "times": ["22:00", "04:30"]},
        "retention": {
            "daily": {"count": 21},
            "weekly": {"count": 8, "days": ["sunday"]},
            "monthly": {"count": 12, "on": {"dates": [1, "last"]}},
            "yearly": {"count": 7, "months": ["january", "july"], "on": {"weeks": ["first", "last"], "days": ["sunday"]}}}},
    "differential": {"days": ["tuesday"], "times": ["22:00"], "retention": "20d"},
    "log": {"every": "5m", "offset": "2m", "retention": "10d"},
    "onDemand": {"retention": "60d"},
    "writing": {"compression": "on", "algorithm": "zstd", "level": "high", "verifyOnly": true,
                "stripes": {"sizeMax": "100GiB", "countMax": 16}},
    "healing": {"enabled": false, "fullAgeMax": "10d", "windowAbove": "50GiB",
                "window": {"days": ["saturday"], "from": "20:00", "to": "06:00"}},
    "running": {"jitter": "2m", "concurrencyPerInstance": 4, "timeout": "1d"},
    "watching": {"stuckAfter": "6h", "rpoTarget": "12m"}
}"#;

#[test]
fn the_examples_of_the_documentation_are_valid() {
    for policy in [
        Policy::from_toml(GOLD).unwrap(),
        Policy::from_json(SHADOW).unwrap(),
    ] {
        let found = validate(&policy, &Limits::default());
        assert!(found.is_valid() && found.warnings.is_empty(), "{found:?}");
    }
    let gold = Policy::from_toml(GOLD).unwrap();
    assert_eq!(
        gold.kinds(),
        [BackupKind::Full, BackupKind::Differential, BackupKind::Log]
    );
    assert_eq!(
        Policy::from_json(SHADOW).unwrap().kinds(),
        [BackupKind::CopyOnlyFull]
    );
}

#[test]
fn every_field_is_read() {
    let policy = Policy::from_json(WHOLE).unwrap();
    assert_eq!(policy.time_zone.name(), "Asia/Kolkata");
    assert_eq!(policy.full.schedule.frequency, Frequency::Weekly);
    assert_eq!(policy.full.schedule.days, [Weekday::Sunday, Weekday::Thursday]);
    assert_eq!(policy.full.schedule.times[1].minute_of_day(), 270);
    let monthly = policy.full.retention.monthly.as_ref().unwrap();
    assert_eq!(monthly.on.dates, [DateOfMonth::Number(1), DateOfMonth::Last]);
    let log = policy.log.as_ref().unwrap();
    assert_eq!(
        (log.every, log.offset, log.retention),
        (Period::minutes(5), Period::minutes(2), Days(10))
    );
    assert_eq!(policy.writing.algorithm, Some(Algorithm::Zstd));
    assert_eq!(policy.writing.level, Some(Level::High));
    assert_eq!(policy.writing.stripes.size_max, Size::gib(100));
    assert_eq!(policy.watching.rpo_target, Some(Period::minutes(12)));
    assert!(validate(&policy, &Limits::default()).is_valid());
}

#[test]
fn both_forms_give_the_policy_back() {
    for policy in [
        Policy::from_json(WHOLE).unwrap(),
        Policy::from_toml(GOLD).unwrap(),
    ] {
        assert_eq!(Policy::from_json(&policy.to_json()).as_ref(), Ok(&policy));
        assert_eq!(Policy::from_toml(&policy.to_toml()).as_ref(), Ok(&policy));
    }
}

#[test]
fn the_order_of_fields_is_stable() {
    let text = Policy::from_json(WHOLE).unwrap().to_json();
    let top: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  \"")?.split('"').next())
        .collect();
    let expected = "version name description timeZone mode full differential log onDemand writing healing running watching";
    assert_eq!(top.join(" "), expected);
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let policy = Policy::from_json(
        r#"{"version": 1, "full": {"schedule": {"frequency": "daily", "times": ["22:00"]}, "retention": {"daily": {"count": 30}}},
            "log": {}}"#,
    )
    .unwrap();
    let log = policy.log.as_ref().unwrap();
    assert_eq!(
        (log.every, log.offset, log.retention),
        (Period::minutes(15), Period::ZERO, Days(15))
    );
    assert_eq!((policy.time_zone.name(), policy.mode), ("UTC", Mode::Standard));
    assert_eq!(policy.on_demand.retention, Days(45));
    assert_eq!(
        (policy.writing.compression, policy.writing.verify_only),
        (Compression::Default, false)
    );
    assert_eq!(
        (policy.writing.stripes.size_max, policy.writing.stripes.count_max),
        (Size::gib(40), 32)
    );
    assert_eq!(
        (policy.healing.enabled, policy.healing.full_age_max),
        (true, Days(15))
    );
    assert_eq!(policy.healing.window_above, Size::gib(100));
    assert_eq!(
        (policy.running.jitter, policy.running.concurrency_per_instance),
        (Period::minutes(5), 20)
    );
    assert_eq!((policy.running.timeout, policy.watching.rpo_target), (None, None));
    assert_eq!(policy.watching.stuck_after, Period::hours(4));
}

/// The field that a document is refused for.
fn field_of(error: &BadPolicy) -> &str {
    match error {
        BadPolicy::Field { field, .. } => field,
        other => panic!("{other}"),
    }
}

#[test]
fn a_faulty_field_is_named_in_both_forms() {
    for (good, bad, field) in [
        (r#""every": "5m""#, r#""every": "5 minutes""#, "log.every"),
        (
            r#""times": ["22:00", "04:30"]"#,
            r#""times": ["22:00", "24:30"]"#,
            "full.schedule.times[1]",
        ),
        ("Asia/Kolkata", "Asia/Calcuttta", "timeZone"),
        (r#""verifyOnly""#, r#""verify""#, "writing.verify"),
        (r#""last"]"#, "32]", "full.retention.monthly.on.dates[1]"),
        (r#""last"]"#, "0]", "full.retention.monthly.on.dates[1]"),
        (r#"["saturday"]"#, r#"["caturday"]"#, "healing.window.days[0]"),
        (r#""count": 8,"#, r#""count": -8,"#, "full.retention.weekly.count"),
        (r#""100GiB""#, "100", "writing.stripes.sizeMax"),
        (r#""mode": "standard""#, r#""localCopy": true"#, "localCopy"),
    ] {
        let text = WHOLE.replacen(good, bad, 1);
        assert_ne!(text, WHOLE, "{good}");
        assert_eq!(field_of(&Policy::from_json(&text).unwrap_err()), field, "{bad}");
    }
    let every = GOLD.replace(r#"every = "15m""#, r#"every = "15""#);
    let error = Policy::from_toml(&every).unwrap_err();
    assert_eq!(field_of(&error), "log.every");
    assert!(
        error.to_string().contains("15m"),
        "it shows how to write it: {error}"
    );
    let missing = Policy::from_json(r#"{"version": 1}"#).unwrap_err();
    assert!(missing.to_string().contains("`full`"), "{missing}");
}

#[test]
fn what_is_no_policy_is_told_from_a_faulty_one() {
    assert!(matches!(Policy::from_json("{"), Err(BadPolicy::Syntax(_))));
    assert!(matches!(
        Policy::from_json(&format!("{WHOLE} x")),
        Err(BadPolicy::Syntax(_))
    ));
    assert!(matches!(Policy::from_toml("= 1"), Err(BadPolicy::Syntax(_))));
    assert_eq!(
        Policy::from_json(r#"{"version": 2, "later": true}"#),
        Err(BadPolicy::Version(2))
    );
    assert_eq!(
        Policy::from_toml("version = 2\nlater = true"),
        Err(BadPolicy::Version(2))
    );
    let long = " ".repeat(70_000);
    assert_eq!(Policy::from_json(&long), Err(BadPolicy::TooLong(70_000)));
    assert_eq!(Policy::from_toml(&long), Err(BadPolicy::TooLong(70_000)));
}

/// The paths of all values that are no objects.
fn leaves(path: &str, value: &serde_json::Value, found: &mut Vec<String>) {
    match value.as_object() {
        Some(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                leaves(&path, value, found);
            }
        }
        None => found.push(path.to_owned()),
    }
}

#[test]
fn every_field_is_documented() {
    let mut fields = Vec::new();
    leaves("", &serde_json::from_str(WHOLE).unwrap(), &mut fields);
    assert!(fields.len() > 40, "{}", fields.len());
    let missing: Vec<&String> = fields
        .iter()
        .filter(|field| !DOCUMENTATION.contains(&format!("`{field}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/policies.md does not tell of {missing:?}"
    );
}
