//! What is due after an outage, by hand.
#![allow(clippy::unwrap_used)] // What does not parse here shall fail loudly.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{ProptestConfig as Config, proptest};
use schedule::BackupKind::{self, Differential, Full, Log};
use schedule::calendar::Weekday;
use schedule::{Agenda, Dealt, Period, Policy, Schedule, Slot, Zone, stagger};

/// Fulls on Sunday, differentials on the other days, all at 22:00 UTC, logs every quarter of an hour, no jitter.
const POLICY: &str = r#"
version = 1
[full.schedule]
frequency = "weekly"
days = ["sunday"]
times = ["22:00"]
[full.retention.weekly]
count = 5
days = ["sunday"]
[differential]
days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
times = ["22:00"]
[log]
every = "15m"
[running]
jitter = "0s""#;

fn schedule() -> Schedule {
    Schedule::of(&Policy::from_toml(POLICY).unwrap())
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The types that are due, in order, with the slots missed before each.
fn due(dealt: &Dealt, now: &str) -> Vec<(BackupKind, String, u64)> {
    let agenda = schedule().due("item", &BackupKind::ALL, dealt, at(now));
    let row = |due: &schedule::Due| {
        let slot = due.start.slot;
        (
            slot.kind,
            slot.at.to_string(),
            due.missed.map_or(0, |missed| missed.count),
        )
    };
    agenda.run.iter().map(row).collect()
}

#[test]
fn after_an_outage_each_type_runs_once_for_its_newest_slot() {
    // Thursday 19 to Saturday 21 November 2026: two differentials and 48 hours of logs.
    let dealt = Dealt::since(at("2026-11-19T12:00:00Z"));
    let expected = vec![
        (Differential, "2026-11-20T22:00:00Z".to_owned(), 1),
        (Log, "2026-11-21T12:00:00Z".to_owned(), 191),
    ];
    assert_eq!(due(&dealt, "2026-11-21T12:07:00Z"), expected);
}

#[test]
fn what_was_dealt_with_is_not_due_again() {
    let mut dealt = Dealt::since(at("2026-11-21T12:00:00Z"));
    assert_eq!(due(&dealt, "2026-11-21T12:14:59Z"), []);
    let quarter = at("2026-11-21T12:15:00Z");
    assert_eq!(
        due(&dealt, "2026-11-21T12:15:00Z"),
        [(Log, quarter.to_string(), 0)]
    );
    dealt.note(Slot {
        kind: Log,
        at: quarter,
    });
    assert_eq!(due(&dealt, "2026-11-21T12:29:59Z"), []);
}

#[test]
fn a_full_comes_first_and_takes_the_place_of_a_differential() {
    // From Saturday's differential over Sunday's full to Monday's differential, all missed.
    let dealt = Dealt::since(at("2026-11-21T21:59:00Z"));
    let now = "2026-11-23T22:10:00Z";
    let kinds: Vec<BackupKind> = due(&dealt, now).into_iter().map(|(kind, _, _)| kind).collect();
    assert_eq!(kinds, [Full, Log]);
    let agenda = schedule().due("item", &BackupKind::ALL, &dealt, at(now));
    let superseded = &agenda.superseded[0];
    assert_eq!(superseded.start.slot.at, at("2026-11-23T22:00:00Z"));
    assert_eq!(superseded.missed.unwrap().first, at("2026-11-21T22:00:00Z"));
}

#[test]
fn a_differential_with_the_slot_of_a_full_gives_way_whenever_it_is_asked_for() {
    let mut policy = Policy::from_toml(POLICY).unwrap();
    policy.differential.as_mut().unwrap().days.push(Weekday::Sunday);
    let schedule = Schedule::of(&policy);
    let mut dealt = Dealt::since(at("2026-11-22T21:59:00Z"));
    // The full of Sunday was dealt with already.
    dealt.note(Slot {
        kind: Full,
        at: at("2026-11-22T22:00:00Z"),
    });
    let agenda = schedule.due("item", &[Full, Differential], &dealt, at("2026-11-22T22:05:00Z"));
    assert_eq!((agenda.run.len(), agenda.superseded.len()), (0, 1));
    // A database in which no full of the schedule runs has no reason to leave it out.
    let agenda = schedule.due("item", &[Differential], &dealt, at("2026-11-22T22:05:00Z"));
    assert_eq!((agenda.run.len(), agenda.superseded.len()), (1, 0));
}

#[test]
fn types_that_the_database_does_not_take_are_not_due() {
    let dealt = Dealt::since(at("2026-11-21T12:00:00Z"));
    let agenda = schedule().due("item", &[Full, Differential], &dealt, at("2026-11-21T13:00:00Z"));
    assert!(agenda.run.is_empty() && agenda.superseded.is_empty());
}

#[test]
fn the_ends_of_time_are_no_trouble() {
    let mut policy = Policy::from_toml(POLICY).unwrap();
    for zone in ["Asia/Kolkata", "America/Santiago"] {
        policy.time_zone = Zone::named(zone).unwrap();
        let schedule = Schedule::of(&policy);
        for kind in BackupKind::ALL {
            assert_eq!(schedule.next_after(kind, Timestamp::MAX), None);
            let placed = schedule.placed(kind, "item", Timestamp::MIN);
            assert!(placed.is_none_or(|placed| placed.late.is_zero()));
            for at in [Timestamp::MIN, Timestamp::MAX] {
                let next = schedule.next_start(kind, "item", at);
                assert!(next.is_none_or(|start| start.at > at), "{kind} {at} {next:?}");
                assert!(schedule.latest(kind, at).is_none_or(|slot| slot.at <= at));
            }
        }
        let agenda = schedule.due(
            "item",
            &BackupKind::ALL,
            &Dealt::since(Timestamp::MIN),
            Timestamp::MAX,
        );
        assert!(
            agenda
                .run
                .iter()
                .all(|due| due.missed.is_some_and(|missed| missed.count < 40_000))
        );
    }
}

#[test]
fn a_stagger_is_even_and_the_same_for_everybody() {
    let from = at("2026-11-21T12:00:00Z");
    let window = SignedDuration::from_mins(10);
    let names: Vec<String> = (0..5).map(|index| format!("database-{index}")).collect();
    let staggered = stagger(names.iter().map(String::as_str), from, window);
    let minutes: Vec<i64> = staggered
        .iter()
        .map(|(_, at)| at.duration_since(from).as_mins())
        .collect();
    assert_eq!(minutes, [0, 2, 4, 6, 8]);
    let again = stagger(names.iter().rev().chain(&names).map(String::as_str), from, window);
    assert_eq!(staggered, again);
}

proptest! {
    #![proptest_config(Config { cases: 64, failure_persistence: None, ..Config::default() })]

    /// However seldom anybody asks, each slot is run, superseded or reported as missed, once.
    #[test]
    fn every_slot_is_kept_or_its_miss_is_reported(steps in proptest::collection::vec(1i64..2 * 86_400, 1..40), item in "[a-z]{1,9}") {
        let mut policy = Policy::from_toml(POLICY).unwrap();
        policy.running.jitter = Period::minutes(40);
        let schedule = Schedule::of(&policy);
        let begin = at("2026-10-20T09:00:00Z");
        let mut dealt = Dealt::since(begin);
        let mut accounted: BTreeMap<BackupKind, u64> = BTreeMap::new();
        let mut now = begin;
        for step in steps {
            now += SignedDuration::from_secs(step);
            let agenda = schedule.due(&item, &BackupKind::ALL, &dealt, now);
            for due in agenda.run.iter().chain(&agenda.superseded) {
                assert!(due.start.at <= now, "nothing begins early");
                *accounted.entry(due.start.slot.kind).or_default() += 1 + due.missed.map_or(0, |missed| missed.count);
                dealt.note(due.start.slot);
            }
            assert!(agenda.run.is_sorted_by_key(|due| due.start.slot.kind));
            let again = schedule.due(&item, &BackupKind::ALL, &dealt, now);
            assert_eq!(again, Agenda::default(), "what was dealt with is not due again");
        }
        for kind in [Full, Differential, Log] {
            let behind = begin + SignedDuration::from_nanos(1);
            let begun = schedule.slots(kind, behind, now + SignedDuration::from_nanos(1));
            let begun = begun.filter(|slot| schedule.start_of(*slot, &item).at <= now).count();
            assert_eq!(accounted.get(&kind).copied().unwrap_or(0), begun as u64, "{kind}");
        }
    }
}
