//! What is due after an outage, by hand.
#![allow(clippy::unwrap_used)] // What does not parse here shall fail loudly.

use jiff::{SignedDuration, Timestamp};
use schedule::BackupKind::{self, Differential, Full, Log};
use schedule::{Dealt, Policy, Schedule, Slot, stagger};

/// Fulls on Sunday, differentials on the other days, all at 22:00 UTC, logs every quarter of an hour, no jitter.
fn schedule() -> Schedule {
    let text = r#"
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
        jitter = "0s"
    "#;
    Schedule::of(&Policy::from_toml(text).unwrap())
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
fn types_that_the_database_does_not_take_are_not_due() {
    let dealt = Dealt::since(at("2026-11-21T12:00:00Z"));
    let agenda = schedule().due("item", &[Full, Differential], &dealt, at("2026-11-21T13:00:00Z"));
    assert!(agenda.run.is_empty() && agenda.superseded.is_empty());
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
