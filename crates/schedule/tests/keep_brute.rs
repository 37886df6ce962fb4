//! Retention against brute force, and by hand over clock changes.
//!
//! The brute force goes the other way round: it lists the days of each rule and looks for the full of each, where the product looks
//! for the day of each full. It works in zones without clock changes, so that its calendar is plain arithmetic.
#![allow(clippy::unwrap_used)] // What does not parse here shall fail loudly.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Span, Timestamp};
use proptest::prelude::{Just, ProptestConfig as Config, Strategy, any, prop_oneof, proptest};
use proptest::sample::{select, subsequence};
use schedule::calendar::{DateOfMonth, Month, WeekOfMonth, Weekday};
use schedule::keep::{REACH_DAYS, by_age, shortened};
use schedule::policy::{DailyRule, FullRetention, MonthDays, MonthlyRule, WeeklyRule, YearlyRule};
use schedule::{BackupKind, Comparison, Days, LocalTime, Origin, Point, Policy, Why, Zone};

const WEEKS: [WeekOfMonth; 5] = [
    WeekOfMonth::First,
    WeekOfMonth::Second,
    WeekOfMonth::Third,
    WeekOfMonth::Fourth,
    WeekOfMonth::Last,
];

fn month_days() -> impl Strategy<Value = MonthDays> {
    let number = prop_oneof![(1u8..=28).prop_map(DateOfMonth::Number), Just(DateOfMonth::Last)];
    let dates = proptest::collection::vec(number, 1..3).prop_map(|dates| MonthDays {
        dates,
        ..MonthDays::default()
    });
    let weeks = (
        subsequence(WEEKS.to_vec(), 1..3),
        subsequence(Weekday::ALL.to_vec(), 1..3),
    );
    let weeks = weeks.prop_map(|(weeks, days)| MonthDays {
        weeks,
        days,
        ..MonthDays::default()
    });
    prop_oneof![dates, weeks]
}

fn rules() -> impl Strategy<Value = FullRetention> {
    let daily = proptest::option::of((7u32..60).prop_map(|count| DailyRule { count }));
    let weekly = (1u32..9, subsequence(Weekday::ALL.to_vec(), 1..4));
    let weekly = proptest::option::of(weekly.prop_map(|(count, days)| WeeklyRule { count, days }));
    let monthly = (1u32..30, month_days()).prop_map(|(count, on)| MonthlyRule { count, on });
    let yearly = (1u32..5, subsequence(Month::ALL.to_vec(), 1..4), month_days());
    let yearly = yearly.prop_map(|(count, months, on)| YearlyRule { count, months, on });
    (
        daily,
        weekly,
        proptest::option::of(monthly),
        proptest::option::of(yearly),
    )
        .prop_map(|(daily, weekly, monthly, yearly)| FullRetention {
            daily,
            weekly,
            monthly,
            yearly,
        })
}

fn policy() -> impl Strategy<Value = Policy> {
    (rules(), select(vec!["UTC", "Asia/Kolkata"])).prop_map(|(retention, zone)| {
        let mut policy = Policy::daily("kept", LocalTime::new(22, 0).unwrap(), Days(7));
        policy.time_zone = Zone::named(zone).unwrap();
        policy.full.retention = retention;
        policy
    })
}

/// Points of 14 months from October 2026 on.
fn points() -> impl Strategy<Value = Vec<Point<usize>>> {
    let kind = prop_oneof![4 => Just(BackupKind::Full), 1 => select(BackupKind::ALL.to_vec())];
    let on_demand =
        proptest::option::of((1u32..400).prop_map(Days)).prop_map(|keep| Origin::OnDemand { keep });
    let origin = prop_oneof![6 => Just(Origin::Scheduled), 1 => Just(Origin::Healing), 1 => on_demand];
    let one = (
        0u32..420 * 24 * 60,
        0i64..600,
        kind,
        origin,
        proptest::bool::weighted(0.2),
    );
    proptest::collection::vec(one, 1..60).prop_map(|all| {
        let begin: Timestamp = "2026-10-01T00:00:00Z".parse().unwrap();
        let one = |(id, (minute, took, kind, origin, disputed)): (usize, (u32, i64, _, _, _))| {
            let taken = begin + SignedDuration::from_mins(i64::from(minute));
            Point {
                id,
                kind,
                origin,
                taken,
                finished: taken + SignedDuration::from_mins(took),
                disputed,
            }
        };
        all.into_iter().enumerate().map(one).collect()
    })
}

fn offset_of(policy: &Policy) -> SignedDuration {
    SignedDuration::from_mins(if policy.time_zone.name() == "UTC" { 0 } else { 330 })
}

/// The local date of a moment in a zone of one offset, counted in days from the epoch.
fn date_of(policy: &Policy, at: Timestamp) -> Date {
    let seconds = at.as_second() + offset_of(policy).as_secs();
    date(1970, 1, 1) + Span::new().days(seconds.div_euclid(86_400))
}

/// So many months later, at most the last day of the month.
fn months_later(policy: &Policy, at: Timestamp, months: u32) -> Timestamp {
    let from = date_of(policy, at);
    let count = i32::from(from.year()) * 12 + i32::from(from.month()) - 1 + i32::try_from(months).unwrap();
    let year = i16::try_from(count / 12).unwrap();
    let month = i8::try_from(count % 12 + 1).unwrap();
    let length = date(year, month, 1).days_in_month();
    let to = date(year, month, from.day().min(length));
    at + SignedDuration::from_hours(24 * i64::from(from.until(to).unwrap().get_days()))
}

fn days_later(at: Timestamp, days: u32) -> Timestamp {
    at + SignedDuration::from_hours(24 * i64::from(days))
}

/// The chosen fulls of a rule: each day of the rule with the fulls up to the rule's next day.
fn brute(policy: &Policy, points: &[Point<usize>], is_day: &dyn Fn(Date) -> bool) -> BTreeSet<usize> {
    let mut fulls: Vec<&Point<usize>> = points
        .iter()
        .filter(|point| matches!(point.kind, BackupKind::Full | BackupKind::CopyOnlyFull))
        .filter(|point| matches!(point.origin, Origin::Scheduled | Origin::Healing))
        .collect();
    fulls.sort_by_key(|point| (point.taken, point.finished));
    let all: Vec<Date> = date(2025, 1, 1)
        .series(Span::new().days(1))
        .take(4 * 366)
        .filter(|day| is_day(*day))
        .collect();
    let mut chosen = BTreeSet::new();
    for (index, day) in all.iter().enumerate() {
        let reach = *day + Span::new().days(i64::from(REACH_DAYS));
        let end = all.get(index + 1).map_or(reach, |next| reach.min(*next));
        let of_day: Vec<&&Point<usize>> = fulls
            .iter()
            .filter(|full| (*day..end).contains(&date_of(policy, full.taken)))
            .collect();
        chosen.extend(of_day.first().map(|full| full.id));
        chosen.extend(of_day.iter().find(|full| !full.disputed).map(|full| full.id));
    }
    chosen
}

fn on(days: &MonthDays, day: Date) -> bool {
    let last = day.days_in_month();
    let by_date = days.dates.iter().any(|date| match date {
        DateOfMonth::Number(number) => day.day() == i8::try_from(*number).unwrap(),
        DateOfMonth::Last => day.day() == last,
    });
    let by_week = days.days.contains(&Weekday::of(day))
        && days.weeks.iter().any(|week| match week {
            WeekOfMonth::First => (1..=7).contains(&day.day()),
            WeekOfMonth::Second => (8..=14).contains(&day.day()),
            WeekOfMonth::Third => (15..=21).contains(&day.day()),
            WeekOfMonth::Fourth => (22..=28).contains(&day.day()),
            WeekOfMonth::Last => (last - 6..=last).contains(&day.day()),
        });
    by_date || by_week
}

/// Every reason and its end, of every point, but that of being the newest.
fn expected(policy: &Policy, points: &[Point<usize>]) -> BTreeMap<usize, BTreeMap<Why, Timestamp>> {
    let rules = &policy.full.retention;
    let mut all: BTreeMap<usize, BTreeMap<Why, Timestamp>> = BTreeMap::new();
    for point in points {
        let own = all.entry(point.id).or_default();
        match (point.kind, point.origin) {
            (BackupKind::Log, _) => own.insert(Why::Log, days_later(point.finished, 15)),
            (BackupKind::Differential, _) => own.insert(Why::Differential, days_later(point.finished, 30)),
            (_, Origin::OnDemand { keep }) => own.insert(
                Why::OnDemand,
                days_later(point.finished, keep.map_or(45, |days| days.0)),
            ),
            _ => rules
                .daily
                .as_ref()
                .and_then(|rule| own.insert(Why::Daily, days_later(point.finished, rule.count))),
        };
    }
    if let Some(rule) = &rules.weekly {
        for id in brute(policy, points, &|day| rule.days.contains(&Weekday::of(day))) {
            let until = days_later(points[id].finished, rule.count * 7);
            all.get_mut(&id).unwrap().insert(Why::Weekly, until);
        }
    }
    if let Some(rule) = &rules.monthly {
        for id in brute(policy, points, &|day| on(&rule.on, day)) {
            let until = months_later(policy, points[id].finished, rule.count);
            all.get_mut(&id).unwrap().insert(Why::Monthly, until);
        }
    }
    if let Some(rule) = &rules.yearly {
        for id in brute(policy, points, &|day| {
            rule.months.contains(&Month::of(day)) && on(&rule.on, day)
        }) {
            let until = months_later(policy, points[id].finished, rule.count * 12);
            all.get_mut(&id).unwrap().insert(Why::Yearly, until);
        }
    }
    all
}

proptest! {
    #![proptest_config(Config { cases: 200, failure_persistence: None, ..Config::default() })]

    #[test]
    fn reasons_are_those_of_brute_force(policy in policy(), points in points()) {
        let expected = expected(&policy, &points);
        let newest = points.iter().filter(|point| point.kind.is_full()).map(|point| point.finished).max();
        for kept in by_age(&policy, &points) {
            let point = &points[kept.id];
            let is_newest = kept.holds.iter().any(|hold| hold.why == Why::Newest && hold.until.is_none());
            if point.kind.is_full() && Some(point.finished) == newest {
                // Two that finish in the same minute are both as new; one of them is kept.
                assert!(is_newest || points.iter().any(|other| other.id != point.id && other.finished == point.finished));
            }
            let mut reasons: BTreeMap<Why, Timestamp> = BTreeMap::new();
            for hold in kept.holds.iter().filter(|hold| hold.why != Why::Newest) {
                assert_eq!(reasons.insert(hold.why, hold.until.expect("an end")), None);
            }
            if let Some(floor) = reasons.remove(&Why::Floor) {
                assert_eq!(floor, days_later(point.finished, 7));
                assert!(reasons.is_empty() && !is_newest);
            }
            assert_eq!(&reasons, &expected[&kept.id], "{point:?}");
        }
    }

    #[test]
    fn what_reduces_nothing_shortens_nothing(old in policy(), new in policy(), points in points(), edits in any::<u8>()) {
        // Most pairs of random rules reduce something. So take over most of the old ones, and change one thing or two.
        let (mut new, other) = (old.clone(), new);
        let (rules, others) = (&mut new.full.retention, other.full.retention);
        if edits & 1 != 0 {
            new.time_zone = other.time_zone;
        }
        if edits & 2 != 0 {
            rules.weekly = others.weekly;
        } else if edits & 4 != 0 && let (Some(rule), Some(other)) = (&mut rules.weekly, others.weekly) {
            rule.days = other.days;
        }
        if edits & 8 != 0 {
            rules.monthly = others.monthly;
        } else if edits & 16 != 0 && let (Some(rule), Some(other)) = (&mut rules.monthly, others.monthly) {
            rule.on = other.on;
        }
        if edits & 32 != 0 && let (Some(rule), Some(other)) = (&mut rules.yearly, others.yearly) {
            rule.months = other.months;
        }
        if edits & 64 != 0 {
            rules.daily = others.daily;
        }
        let shorter = shortened(&old, &new, &points);
        if !Comparison::of(&old, &new).reduces_retention() {
            assert_eq!(shorter, Vec::<usize>::new());
        }
    }
}

fn full(id: usize, taken: &str, finished: &str) -> Point<usize> {
    Point {
        id,
        kind: BackupKind::Full,
        origin: Origin::Scheduled,
        taken: taken.parse().unwrap(),
        finished: finished.parse().unwrap(),
        disputed: false,
    }
}

fn berlin(retention: FullRetention) -> Policy {
    let mut policy = Policy::daily("berlin", LocalTime::new(22, 0).unwrap(), Days(7));
    policy.time_zone = Zone::named("Europe/Berlin").unwrap();
    policy.full.retention = retention;
    policy
}

#[test]
fn seven_days_end_at_the_same_local_time_over_a_clock_change() {
    let policy = Policy {
        time_zone: Zone::named("Europe/Berlin").unwrap(),
        ..Policy::daily("berlin", LocalTime::new(22, 0).unwrap(), Days(7))
    };
    // 22:30 in Berlin is 20:30 UTC in summer and 21:30 in winter; clocks went back on 25 October 2026.
    let points = [
        full(0, "2026-10-23T20:00:00Z", "2026-10-23T20:30:00Z"),
        full(1, "2026-10-24T20:00:00Z", "2026-10-24T20:30:00Z"),
    ];
    let kept = by_age(&policy, &points);
    assert_eq!(kept[0].until(), Some("2026-10-30T21:30:00Z".parse().unwrap()));
    assert!(!kept[0].is_expired("2026-10-30T21:29:59Z".parse().unwrap()));
    assert!(kept[0].is_expired("2026-10-30T21:30:00Z".parse().unwrap()));
    assert_eq!(kept[1].until(), None, "the newest never expires by age");
}

#[test]
fn the_day_is_that_of_the_slot_in_the_zone_of_the_policy() {
    let sundays = WeeklyRule {
        count: 4,
        days: vec![Weekday::Sunday],
    };
    let policy = berlin(FullRetention {
        weekly: Some(sundays),
        ..FullRetention::default()
    });
    // Sunday 00:30 in Berlin is still Saturday in UTC; it ends on Monday. Both belong to Sunday; the second was not the first.
    let points = [
        full(0, "2026-11-14T22:30:00Z", "2026-11-14T23:00:00Z"),
        full(1, "2026-11-14T23:30:00Z", "2026-11-16T01:00:00Z"),
        full(2, "2026-11-15T21:00:00Z", "2026-11-15T22:00:00Z"),
        full(3, "2026-11-22T21:00:00Z", "2026-11-22T22:00:00Z"),
    ];
    let why: Vec<Vec<Why>> = by_age(&policy, &points)
        .iter()
        .map(|kept| kept.holds.iter().map(|hold| hold.why).collect())
        .collect();
    // Saturday's is the first since the Sunday before: that one's full failed.
    assert_eq!(
        why,
        [
            vec![Why::Weekly],
            vec![Why::Weekly],
            vec![Why::Floor],
            vec![Why::Weekly, Why::Newest]
        ]
    );
}

#[test]
fn a_month_later_is_the_last_day_of_a_shorter_month() {
    let last = MonthDays {
        dates: vec![DateOfMonth::Last],
        ..MonthDays::default()
    };
    let policy = berlin(FullRetention {
        monthly: Some(MonthlyRule { count: 1, on: last }),
        ..FullRetention::default()
    });
    let points = [
        full(0, "2027-01-31T21:00:00Z", "2027-01-31T21:30:00Z"),
        full(1, "2027-02-28T21:00:00Z", "2027-02-28T21:30:00Z"),
    ];
    let kept = by_age(&policy, &points);
    assert_eq!(kept[0].until(), Some("2027-02-28T21:30:00Z".parse().unwrap()));
}

#[test]
fn a_database_protected_late_in_the_year_keeps_no_full_of_january() {
    let new_year = MonthDays {
        dates: vec![DateOfMonth::Number(1)],
        ..MonthDays::default()
    };
    let rule = YearlyRule {
        count: 10,
        months: vec![Month::January],
        on: new_year,
    };
    let policy = berlin(FullRetention {
        yearly: Some(rule),
        ..FullRetention::default()
    });
    let points = [
        full(0, "2026-11-21T21:00:00Z", "2026-11-21T22:00:00Z"),
        full(1, "2027-01-03T21:00:00Z", "2027-01-03T22:00:00Z"),
        full(2, "2027-01-10T21:00:00Z", "2027-01-10T22:00:00Z"),
    ];
    let kept = by_age(&policy, &points);
    assert_eq!(kept[0].holds[0].why, Why::Floor);
    assert_eq!(kept[1].until(), Some("2037-01-03T22:00:00Z".parse().unwrap()));
    assert_eq!(kept[2].holds[0].why, Why::Newest);
}
