//! Slots against a naive walk, minute by minute, through what a clock of the zone shows.
//!
//! The walk knows nothing of gaps and folds: it remembers the latest time that the clock has shown so far, and a slot is due in the
//! first minute in which that is not before the slot's local time.
#![allow(clippy::unwrap_used)] // What does not parse here shall fail loudly.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Span, Timestamp};
use proptest::prelude::{Just, ProptestConfig as Config, Strategy, any, prop_oneof, proptest};
use proptest::sample::{select, subsequence};
use schedule::calendar::Weekday;
use schedule::policy::{DifferentialPolicy, Frequency, LogPolicy};
use schedule::{BackupKind, Days, LocalTime, Period, Policy, Schedule, Zone};

/// Zones, and days on which their clocks were changed: an hour at night, half an hour, an hour at midnight, a whole day, and never.
const ZONES: [(&str, &[&str]); 8] = [
    ("Europe/Berlin", &["2026-03-29", "2026-10-25"]),
    ("America/New_York", &["2026-03-08", "2026-11-01"]),
    ("Asia/Kolkata", &["2026-06-01"]),
    ("Australia/Lord_Howe", &["2026-04-05", "2026-10-04"]),
    ("America/Santiago", &["2026-04-05", "2026-09-06"]),
    ("America/Havana", &["2026-03-08", "2026-11-01"]),
    ("UTC", &["2026-02-28"]),
    ("Pacific/Apia", &["2011-12-30", "2011-09-24", "2012-04-01"]),
];

/// Days that are walked before the first slot is looked for, so that the walk knows what the clock has shown.
const LEAD_DAYS: i64 = 3;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// What the policy asks for, kept apart from the types under test.
#[derive(Debug, Clone)]
struct Wish {
    zone: &'static str,
    from: Timestamp,
    full_days: Vec<Weekday>,
    full_times: Vec<LocalTime>,
    every: u32,
    offset: u32,
    jitter: u32,
}

fn wish() -> impl Strategy<Value = Wish> {
    let time = prop_oneof![
        // Around midnight and in the hours in which clocks are changed.
        (0u8..4, 0u8..60),
        Just((0, 0)),
        (23u8..24, 0u8..60),
        (0u8..24, 0u8..60),
    ];
    let times = proptest::collection::vec(time, 1..4);
    let every = prop_oneof![select(vec![1u32, 7, 15, 30, 60, 90, 240, 1440]), 1u32..=1440];
    let weekdays = subsequence(Weekday::ALL.to_vec(), 1..=7);
    let (zone, within) = (0..ZONES.len(), 0i64..4 * 24 * 60);
    (
        zone,
        any::<u8>(),
        within,
        weekdays,
        times,
        every,
        any::<u32>(),
        0u32..7200,
    )
        .prop_map(
            |(zone, change, within, full_days, times, every, offset, jitter)| {
                let (zone, changes) = ZONES[zone];
                let change: Date = changes[usize::from(change) % changes.len()].parse().unwrap();
                let midnight: Timestamp = format!("{change}T00:00:00Z").parse().unwrap();
                Wish {
                    zone,
                    from: midnight - days(3) + SignedDuration::from_mins(within),
                    full_days,
                    full_times: times
                        .iter()
                        .map(|(hour, minute)| LocalTime::new(*hour, *minute).unwrap())
                        .collect(),
                    every,
                    offset: offset % every,
                    jitter,
                }
            },
        )
}

fn policy_of(wish: &Wish) -> Policy {
    let mut policy = Policy::daily("walk", wish.full_times[0], Days(30));
    policy.time_zone = Zone::named(wish.zone).unwrap();
    policy.full.schedule.frequency = Frequency::Weekly;
    policy.full.schedule.days = wish.full_days.clone();
    policy.full.schedule.times = wish.full_times.clone();
    policy.differential = Some(DifferentialPolicy {
        days: Weekday::ALL.to_vec(),
        times: wish.full_times[..1].to_vec(),
        retention: Days(30),
    });
    policy.log = Some(LogPolicy {
        every: Period::minutes(wish.every),
        offset: Period::minutes(wish.offset),
        retention: Days(15),
    });
    policy.running.jitter = Period::seconds(wish.jitter);
    policy
}

/// The full and log slots of the minutes from `from` on and before `to`.
fn walk(wish: &Wish, from: Timestamp, to: Timestamp) -> (Vec<Timestamp>, Vec<Timestamp>) {
    let zone = Zone::named(wish.zone).unwrap();
    let mut now = from - days(LEAD_DAYS);
    let mut shown = zone.local(now);
    let mut day_starts: Vec<Timestamp> = Vec::new();
    let (mut fulls, mut logs) = (Vec::new(), Vec::new());
    while now < to {
        let before = shown;
        shown = shown.max(zone.local(now));
        if shown.date() > before.date() {
            day_starts.push(now);
        }
        if now >= from && passes_a_full(wish, before, shown) {
            fulls.push(now);
        }
        let offset = SignedDuration::from_mins(i64::from(wish.offset));
        let anchor = day_starts
            .iter()
            .rev()
            .map(|start| *start + offset)
            .find(|anchor| *anchor <= now);
        if let Some(anchor) = anchor.filter(|_| now >= from)
            && now.duration_since(anchor).as_secs() % i64::from(wish.every * 60) == 0
        {
            logs.push(now);
        }
        now += MINUTE;
    }
    (fulls, logs)
}

/// Whether the latest time shown went past a time of a full.
fn passes_a_full(wish: &Wish, before: DateTime, shown: DateTime) -> bool {
    before
        .date()
        .series(Span::new().days(1))
        .take_while(|date| *date <= shown.date())
        .any(|date| {
            wish.full_days.contains(&Weekday::of(date))
                && wish.full_times.iter().any(|time| {
                    let local = DateTime::from_parts(date, time.civil());
                    before < local && local <= shown
                })
        })
}

fn moments(schedule: &Schedule, kind: BackupKind, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    schedule.slots(kind, from, to).map(|slot| slot.at).collect()
}

proptest! {
    #![proptest_config(Config { cases: 100, failure_persistence: None, ..Config::default() })]

    #[test]
    fn slots_are_those_of_the_walk(wish in wish()) {
        let schedule = Schedule::of(&policy_of(&wish));
        let (from, to) = (wish.from, wish.from + days(3));
        let (fulls, logs) = walk(&wish, from, to);
        assert_eq!(moments(&schedule, BackupKind::Full, from, to), fulls);
        assert_eq!(moments(&schedule, BackupKind::Log, from, to), logs);
        let every = SignedDuration::from_mins(i64::from(wish.every));
        assert!(logs.windows(2).all(|pair| pair[1].duration_since(pair[0]) <= every), "logs are never further apart");
    }

    #[test]
    fn the_next_and_the_latest_are_those_of_the_list(wish in wish(), ask in 0i64..3 * 86_400, exactly in any::<u8>()) {
        let schedule = Schedule::of(&policy_of(&wish));
        for kind in [BackupKind::Full, BackupKind::Differential, BackupKind::Log] {
            let all = moments(&schedule, kind, wish.from - days(12), wish.from + days(24));
            let mut at = wish.from + SignedDuration::from_secs(ask);
            if exactly % 2 == 0 {
                at = *all.iter().find(|slot| **slot >= at).expect("a slot in a week");
            }
            let after = all.iter().find(|slot| **slot > at);
            let until = all.iter().rev().find(|slot| **slot <= at);
            assert_eq!(schedule.next_after(kind, at).map(|slot| slot.at).as_ref(), after, "{kind} after {at}");
            assert_eq!(schedule.latest(kind, at).map(|slot| slot.at).as_ref(), until, "{kind} until {at}");
        }
        assert_eq!(schedule.next_after(BackupKind::CopyOnlyFull, wish.from), None);
    }

    #[test]
    fn a_start_lies_between_its_slot_and_the_next(wish in wish(), item in "[a-z]{1,12}", ask in 0i64..2 * 86_400) {
        let schedule = Schedule::of(&policy_of(&wish));
        let kind = BackupKind::Log;
        let to = wish.from + days(3);
        let starts: Vec<_> = schedule.slots(kind, wish.from, to).map(|slot| schedule.start_of(slot, &item)).collect();
        for pair in starts.windows(2) {
            let delay = pair[0].at.duration_since(pair[0].slot.at);
            assert!(!delay.is_negative() && delay < SignedDuration::from_secs(i64::from(wish.jitter.max(1))));
            assert!(pair[0].at < pair[1].slot.at, "before the next slot");
            let apart = pair[1].at.duration_since(pair[0].at);
            assert!(apart <= SignedDuration::from_mins(i64::from(wish.every)), "not further apart than the slots");
        }
        // Whichever moment is asked about, the next start and the one that a backup belongs to are those of the list.
        let at = wish.from + days(1) + SignedDuration::from_secs(ask / 2);
        if let Some(next) = starts.iter().find(|start| start.at > at) {
            assert_eq!(schedule.next_start(kind, &item, at).as_ref(), Some(next));
        }
        if let Some(own) = starts.iter().rev().find(|start| start.at <= at) {
            let placed = schedule.placed(kind, &item, at).unwrap();
            assert_eq!((&placed.start, placed.late), (own, at.duration_since(own.at)));
        }
    }
}
