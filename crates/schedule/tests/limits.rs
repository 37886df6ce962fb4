//! Every limit, just inside and just outside, and every rule of a policy with the field that it names.
#![allow(clippy::unwrap_used)] // What does not parse here shall fail loudly.

use schedule::calendar::{DateOfMonth, Month, WeekOfMonth, Weekday};
use schedule::policy::{
    Algorithm, Compression, DifferentialPolicy, Frequency, Level, LogPolicy, Mode, MonthDays, MonthlyRule,
    WeeklyRule, Window, YearlyRule,
};
use schedule::{Days, Limits, LocalTime, Period, Policy, Size, validate};

type Edit = dyn Fn(&mut Policy);

fn at(text: &str) -> LocalTime {
    text.parse().unwrap()
}

/// A policy with everything: weekly fulls, differentials, logs, all four rules.
fn base() -> Policy {
    let mut policy = Policy::daily("gold", at("22:00"), Days(30));
    policy.full.schedule.frequency = Frequency::Weekly;
    policy.full.schedule.days = vec![Weekday::Sunday];
    let first = MonthDays {
        dates: vec![DateOfMonth::Number(1)],
        ..MonthDays::default()
    };
    let rules = &mut policy.full.retention;
    rules.weekly = Some(WeeklyRule {
        count: 12,
        days: vec![Weekday::Sunday],
    });
    rules.monthly = Some(MonthlyRule {
        count: 12,
        on: first.clone(),
    });
    rules.yearly = Some(YearlyRule {
        count: 10,
        months: vec![Month::January],
        on: first,
    });
    policy.differential = Some(DifferentialPolicy {
        days: vec![Weekday::Wednesday],
        times: vec![at("22:00")],
        retention: Days(30),
    });
    policy.log = Some(LogPolicy {
        every: Period::minutes(15),
        offset: Period::ZERO,
        retention: Days(15),
    });
    policy
}

/// The fields that are refused, each once.
fn refused(limits: &Limits, edit: &Edit) -> Vec<String> {
    let mut policy = base();
    edit(&mut policy);
    let mut fields: Vec<String> = validate(&policy, limits)
        .errors
        .into_iter()
        .map(|found| found.field)
        .collect();
    fields.dedup();
    fields
}

fn advised(edit: &Edit) -> Vec<String> {
    let mut policy = base();
    edit(&mut policy);
    let found = validate(&policy, &Limits::default());
    assert!(found.is_valid(), "{:?}", found.errors);
    found.warnings.into_iter().map(|found| found.field).collect()
}

#[test]
fn the_base_has_neither_errors_nor_warnings() {
    assert_eq!(refused(&Limits::default(), &|_| ()), [""; 0]);
    assert_eq!(advised(&|_| ()), [""; 0]);
}

/// Sets a field to a number.
type Set = fn(&mut Policy, u32);

/// Field, least and most that Azure Backup's documents (and our own, where they are wider) allow, and how to set it.
const RANGES: [(&str, u32, u32, Set); 12] = [
    ("log.every", 1, 1440, |policy, n| {
        let log = policy.log.as_mut().unwrap();
        log.every = Period::minutes(n);
        log.offset = Period::ZERO;
    }),
    ("log.retention", 7, 35, |policy, n| {
        policy.log.as_mut().unwrap().retention = Days(n);
    }),
    ("differential.retention", 7, 180, |policy, n| {
        policy.differential.as_mut().unwrap().retention = Days(n);
    }),
    ("full.retention.daily.count", 7, 9999, |policy, n| {
        policy.full.retention.daily.as_mut().unwrap().count = n;
    }),
    ("full.retention.weekly.count", 1, 5163, |policy, n| {
        policy.full.retention.weekly.as_mut().unwrap().count = n;
    }),
    ("full.retention.monthly.count", 1, 1188, |policy, n| {
        policy.full.retention.monthly.as_mut().unwrap().count = n;
    }),
    ("full.retention.yearly.count", 1, 99, |policy, n| {
        policy.full.retention.yearly.as_mut().unwrap().count = n;
    }),
    ("onDemand.retention", 45, 36_159, |policy, n| {
        policy.on_demand.retention = Days(n);
    }),
    ("healing.fullAgeMax", 1, 15, |policy, n| {
        policy.healing.full_age_max = Days(n);
    }),
    ("running.concurrencyPerInstance", 1, 256, |policy, n| {
        policy.running.concurrency_per_instance = n;
    }),
    ("writing.stripes.countMax", 1, 64, |policy, n| {
        policy.writing.stripes.count_max = n;
    }),
    ("watching.stuckAfter", 1, 7 * 1440, |policy, n| {
        policy.watching.stuck_after = Period::minutes(n);
    }),
];

#[test]
fn each_range_ends_where_the_documents_say() {
    for (field, least, most, set) in RANGES {
        for inside in [least, most] {
            let fields = refused(&Limits::default(), &move |policy| set(policy, inside));
            assert_eq!(fields, [""; 0], "{field} = {inside}");
        }
        for outside in [least - 1, most + 1] {
            let mut policy = base();
            set(&mut policy, outside);
            let found = validate(&policy, &Limits::default());
            let error = found.errors.iter().find(|error| error.field == field);
            let error = error.unwrap_or_else(|| panic!("{field} = {outside}: {:?}", found.errors));
            assert!(
                error.to_string().contains(field) && !error.next.is_empty(),
                "{error}"
            );
        }
    }
}

#[test]
fn other_ranges() {
    let second = |seconds: u32| move |policy: &mut Policy| policy.running.jitter = Period::seconds(seconds);
    assert_eq!(refused(&Limits::default(), &second(3600)), [""; 0]);
    assert_eq!(refused(&Limits::default(), &second(3601)), ["running.jitter"]);
    let size = |bytes: u64| move |policy: &mut Policy| policy.writing.stripes.size_max = Size::bytes(bytes);
    let (least, most) = (64 << 20, 195 << 30);
    for (bytes, good) in [(least, true), (most, true), (least - 1, false), (most + 1, false)] {
        assert_eq!(
            refused(&Limits::default(), &size(bytes)).is_empty(),
            good,
            "{bytes}"
        );
    }
    let timeout = |period| move |policy: &mut Policy| policy.running.timeout = Some(period);
    assert_eq!(
        refused(&Limits::default(), &timeout(Period::seconds(59))),
        ["running.timeout"]
    );
    assert_eq!(refused(&Limits::default(), &timeout(Period::days(7))), [""; 0]);
    assert_eq!(
        refused(&Limits::default(), &timeout(Period::days(8))),
        ["running.timeout"]
    );
    let target = |period| move |policy: &mut Policy| policy.watching.rpo_target = Some(period);
    assert_eq!(refused(&Limits::default(), &target(Period::minutes(15))), [""; 0]);
    assert_eq!(
        refused(&Limits::default(), &target(Period::minutes(14))),
        ["watching.rpoTarget"]
    );
    assert_eq!(
        refused(&Limits::default(), &target(Period::days(36))),
        ["watching.rpoTarget"]
    );
    let day = |n| {
        move |policy: &mut Policy| {
            policy.full.retention.monthly.as_mut().unwrap().on.dates = vec![DateOfMonth::Number(n)];
        }
    };
    assert_eq!(refused(&Limits::default(), &day(28)), [""; 0]);
    assert_eq!(
        refused(&Limits::default(), &day(29)),
        ["full.retention.monthly.on.dates"]
    );
}

#[test]
fn names_are_short_and_plain() {
    let name = |name: &str| {
        let name = name.to_owned();
        refused(&Limits::default(), &move |policy| policy.name.clone_from(&name))
    };
    for good in ["a", "Gold 2 (nightly).v3", &"n".repeat(150), "Täglich"] {
        assert_eq!(name(good), [""; 0], "{good}");
    }
    for bad in [
        "",
        &"n".repeat(151),
        "a/b",
        "a\\b",
        " a",
        "a ",
        "a\nb",
        "a*",
        "100%",
    ] {
        assert_eq!(name(bad), ["name"], "{bad:?}");
    }
    let description = |length| {
        refused(&Limits::default(), &move |policy| {
            policy.description = "d".repeat(length);
        })
    };
    assert_eq!(description(1024), [""; 0]);
    assert_eq!(description(1025), ["description"]);
}

#[test]
fn schedules_that_cannot_be_are_refused() {
    let cases: [(&[&str], Box<Edit>); 18] = [
        (&["version"], Box::new(|p| p.version = 2)),
        (
            &["full.schedule.days"],
            Box::new(|p| p.full.schedule.days.clear()),
        ),
        (
            &["full.schedule.days"],
            Box::new(|p| p.full.schedule.days.push(Weekday::Sunday)),
        ),
        (
            &["full.schedule.times"],
            Box::new(|p| p.full.schedule.times.clear()),
        ),
        (
            &["full.schedule.times"],
            Box::new(|p| p.full.schedule.times.push(at("22:00"))),
        ),
        (
            &["full.schedule.days", "differential"],
            Box::new(|p| p.full.schedule.frequency = Frequency::Daily),
        ),
        (
            &["full.retention"],
            Box::new(|p| p.full.retention = Default::default()),
        ),
        (
            &["full.retention.weekly.days"],
            Box::new(|p| p.full.retention.weekly.as_mut().unwrap().days.clear()),
        ),
        (
            &["full.retention.yearly.months"],
            Box::new(|p| p.full.retention.yearly.as_mut().unwrap().months.clear()),
        ),
        (
            &["full.retention.monthly.on.dates"],
            Box::new(|p| p.full.retention.monthly.as_mut().unwrap().on.dates.clear()),
        ),
        (
            &["full.retention.monthly.on"],
            Box::new(|p| p.full.retention.monthly.as_mut().unwrap().on.weeks = vec![WeekOfMonth::First]),
        ),
        (
            &["differential.days"],
            Box::new(|p| p.differential.as_mut().unwrap().days = vec![Weekday::Sunday]),
        ),
        (
            &["differential.days"],
            Box::new(|p| p.differential.as_mut().unwrap().days.clear()),
        ),
        (
            &["differential.times"],
            Box::new(|p| p.differential.as_mut().unwrap().times.push(at("23:00"))),
        ),
        (
            &["log.offset"],
            Box::new(|p| p.log.as_mut().unwrap().offset = Period::minutes(15)),
        ),
        (
            &["log.every"],
            Box::new(|p| p.log.as_mut().unwrap().every = Period::seconds(901)),
        ),
        (&["differential", "log"], Box::new(|p| p.mode = Mode::Shadow)),
        (
            &["healing.window.to"],
            Box::new(|p| {
                p.healing.window = Some(Window {
                    days: Vec::new(),
                    from: at("22:00"),
                    to: at("22:00"),
                });
            }),
        ),
    ];
    for (fields, edit) in cases {
        assert_eq!(refused(&Limits::default(), &*edit), fields);
    }
    let writing: [(&str, Box<Edit>); 2] = [
        ("writing.level", Box::new(|p| p.writing.level = Some(Level::Low))),
        (
            "writing.algorithm",
            Box::new(|p| {
                p.writing.compression = Compression::Off;
                p.writing.algorithm = Some(Algorithm::Zstd);
            }),
        ),
    ];
    for (field, edit) in writing {
        assert_eq!(refused(&Limits::default(), &*edit), [field]);
    }
}

#[test]
fn the_thirtieth_of_february_is_refused_whatever_the_limits() {
    let raised = Limits {
        date_of_month_max: 31,
        ..Limits::default()
    };
    let february = |number, months: &[Month]| {
        let months = months.to_vec();
        refused(&raised, &move |policy| {
            let yearly = policy.full.retention.yearly.as_mut().unwrap();
            yearly.months.clone_from(&months);
            yearly.on.dates = vec![DateOfMonth::Number(number)];
        })
    };
    assert_eq!(february(29, &[Month::February]), [""; 0]);
    assert_eq!(
        february(30, &[Month::February]),
        ["full.retention.yearly.on.dates"]
    );
    assert_eq!(february(30, &[Month::February, Month::April]), [""; 0]);
    assert_eq!(february(31, &[Month::April]), ["full.retention.yearly.on.dates"]);
}

#[test]
fn all_errors_come_at_once() {
    let fields = refused(&Limits::default(), &|policy| {
        policy.name.clear();
        policy.full.retention.weekly.as_mut().unwrap().count = 0;
        policy.log.as_mut().unwrap().retention = Days(36);
        policy.running.concurrency_per_instance = 0;
    });
    let expected = [
        "name",
        "full.retention.weekly.count",
        "log.retention",
        "running.concurrencyPerInstance",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn limits_can_be_raised_but_not_beyond_what_the_arithmetic_stands_on() {
    let mut raised = Limits {
        differential_on_day_of_full: true,
        fulls_per_day_max: 1,
        ..Limits::default()
    };
    raised.log_retention.max = Days(100);
    raised.log_interval.max = Period::days(3);
    let daily = |policy: &mut Policy| {
        policy.full.schedule.frequency = Frequency::Daily;
        policy.full.schedule.days.clear();
        policy.log.as_mut().unwrap().retention = Days(100);
    };
    assert_eq!(refused(&raised, &daily), [""; 0]);
    assert_eq!(
        refused(&raised, &|policy| policy.full.schedule.times.push(at("10:00"))),
        ["full.schedule.times"]
    );
    let too_slow = |policy: &mut Policy| policy.log.as_mut().unwrap().every = Period::hours(25);
    assert_eq!(refused(&raised, &too_slow), ["log.every"]);
}

#[test]
fn limits_are_a_document_of_what_differs_from_the_defaults() {
    let raised: Limits = serde_json::from_str(r#"{"logRetention": {"min": "7d", "max": "100d"}}"#).unwrap();
    let mut expected = Limits::default();
    expected.log_retention.max = Days(100);
    assert_eq!(raised, expected);
    let text = serde_json::to_string(&raised).unwrap();
    assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), raised);
    assert!(serde_json::from_str::<Limits>(r#"{"logRetentoin": {"min": "7d", "max": "100d"}}"#).is_err());
}

#[test]
fn the_fulls_of_a_policy_are_bounded_together() {
    let sum = |weekly, yearly: bool| {
        refused(&Limits::default(), &move |policy| {
            let rules = &mut policy.full.retention;
            rules.daily = None;
            rules.weekly = Some(WeeklyRule {
                count: weekly,
                days: vec![Weekday::Sunday, Weekday::Monday],
            });
            rules.monthly = None;
            if !yearly {
                rules.yearly = None;
            }
        })
    };
    // Twice 4,999 weeks are 9,998; ten years more are too many.
    assert_eq!(sum(4999, false), [""; 0]);
    assert_eq!(sum(4999, true), ["full.retention"]);
}

#[test]
fn advice_is_no_error() {
    let cases: [(&str, Box<Edit>); 6] = [
        (
            "full.retention.weekly.days",
            Box::new(|p| p.full.retention.weekly.as_mut().unwrap().days = vec![Weekday::Monday]),
        ),
        (
            "log.retention",
            Box::new(|p| {
                p.full.retention.daily = None;
                p.full.retention.weekly.as_mut().unwrap().count = 2;
            }),
        ),
        (
            "healing.fullAgeMax",
            Box::new(|p| p.healing.full_age_max = Days(6)),
        ),
        ("healing.enabled", Box::new(|p| p.healing.enabled = false)),
        (
            "running.timeout",
            Box::new(|p| p.running.timeout = Some(Period::hours(3))),
        ),
        ("", Box::new(|p| p.healing.full_age_max = Days(7))),
    ];
    for (field, edit) in cases {
        let expected: Vec<&str> = Some(field)
            .into_iter()
            .filter(|field| !field.is_empty())
            .collect();
        assert_eq!(advised(&*edit), expected);
    }
    let raised = Limits {
        differential_on_day_of_full: true,
        ..Limits::default()
    };
    let mut policy = base();
    policy.differential.as_mut().unwrap().days = vec![Weekday::Sunday];
    let found = validate(&policy, &raised);
    assert_eq!(
        found.warnings[0].field, "differential.times",
        "the full takes its place every time"
    );
}
