//! Times of sets, readings of moments, and STOPAT literals, against what the calendar and SQL Server's documentation say.
//!
//! The nights: Berlin goes back on 2026-10-25 at 01:00Z from 03:00 (+2) to 02:00 (+1), and forward on 2026-03-29 at 01:00Z from 02:00
//! to 03:00.
#![allow(clippy::unwrap_used)] // A case that does not parse shall fail loudly.

mod language;
mod neighbours;
mod nights;
mod random;

use bak::{Lsn, RecoveryModel};
use chain::time::{NoLiteral, OffsetUnknown, Readings, Timeline, literal, sql_literal};
use chain::{Clock, Families, Fork, Grade, Grain, Kind, Moment, Set, SetId};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use uuid::Uuid;

const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

fn zone(rules: &str) -> TimeZone {
    TimeZone::posix(rules).unwrap()
}

fn local(text: &str) -> DateTime {
    text.parse().unwrap()
}

fn utc(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn set(kind: Kind, number: u64, start: &str, finish: &str, offset: Option<i16>) -> Set {
    let lsn = |block: u64| Lsn {
        vlf: 40,
        block: u32::try_from(block).unwrap(),
        slot: 1,
    };
    Set {
        id: SetId(number),
        guid: Some(Uuid::from_u128(u128::from(number))),
        kind,
        first: lsn(number),
        last: lsn(number + 1),
        checkpoint: lsn(number),
        fork: Fork {
            id: Uuid::from_u128(1),
            origin: None,
        },
        log_chain_began: None,
        clock: Clock {
            start: local(start),
            finish: local(finish),
            grain: Grain::Exact,
            offset_minutes: offset,
            last_restorable: None,
        },
        model: RecoveryModel::Full,
        is_bulk_logged: false,
        is_copy_only: false,
        families: Families::single(),
        bytes: 1,
        grade: Grade::Proved,
        log: None,
    }
}

/// Logs of three seconds, numbered from 1, that began at these times.
fn logs(starts: &[(&str, Option<i16>)]) -> Vec<Set> {
    (1..)
        .zip(starts)
        .map(|(number, (start, offset))| {
            let finish = local(start)
                .checked_add(jiff::SignedDuration::from_secs(3))
                .unwrap();
            set(Kind::Log, number, start, &finish.to_string(), *offset)
        })
        .collect()
}

fn timeline(sets: &[Set], zone: Option<&TimeZone>) -> Timeline {
    Timeline::of(&sets.iter().collect::<Vec<_>>(), zone)
}

/// When each set began; panics where that is not known.
fn starts(timeline: &Timeline) -> Vec<String> {
    timeline
        .all()
        .iter()
        .map(|times| {
            assert_eq!(times.start.earliest, times.start.latest, "{times:?}");
            times.start.earliest.to_string()
        })
        .collect()
}

#[test]
fn a_recorded_offset_places_a_set() {
    let sets = [
        set(
            Kind::Full,
            1,
            "2026-07-01T22:00:00",
            "2026-07-01T22:10:00",
            Some(120),
        ),
        set(
            Kind::Log,
            2,
            "2026-07-02T00:30:00",
            "2026-07-02T00:30:05",
            Some(120),
        ),
        // Nepal, Newfoundland.
        set(
            Kind::Log,
            3,
            "2026-07-02T04:30:00",
            "2026-07-02T04:30:05",
            Some(345),
        ),
        set(
            Kind::Log,
            4,
            "2026-07-01T20:30:00",
            "2026-07-01T20:30:05",
            Some(-150),
        ),
    ];
    let timeline = timeline(&sets, None);
    assert!(!timeline.floats());
    assert_eq!(
        starts(&timeline),
        [
            "2026-07-01T20:00:00Z",
            "2026-07-01T22:30:00Z",
            "2026-07-01T22:45:00Z",
            "2026-07-01T23:00:00Z"
        ]
    );
    let full = timeline.times(SetId(1)).unwrap();
    assert_eq!(full.finish.earliest, utc("2026-07-01T20:10:00Z"));
    assert_eq!(full.finish.latest, full.finish.earliest);
    let log = timeline.times(SetId(2)).unwrap();
    assert_eq!(log.reach, utc("2026-07-01T22:30:00Z"));
    assert_eq!(timeline.times(SetId(9)), None);
}

#[test]
fn without_offset_and_zone_times_float() {
    let sets = logs(&[("2026-07-01T22:00:00", None), ("2026-07-01T23:00:00", None)]);
    let timeline = timeline(&sets, None);
    assert!(timeline.floats());
    assert_eq!(
        starts(&timeline),
        ["2026-07-01T22:00:00Z", "2026-07-01T23:00:00Z"]
    );
    let moment = local("2026-07-01T22:30:00");
    assert_eq!(
        timeline.readings(Moment::Local(moment)),
        Ok(Readings::One(utc("2026-07-01T22:30:00Z")))
    );
    assert_eq!(
        timeline.readings(Moment::Universal(utc("2026-07-01T22:30:00Z"))),
        Err(OffsetUnknown)
    );
    let all = timeline.all();
    assert_eq!(
        literal(utc("2026-07-01T22:30:00Z"), &all[1], Some(&all[0]), None),
        Ok(moment)
    );
}

#[test]
fn the_last_record_is_how_far_a_log_reaches() {
    let mut sets = logs(&[
        ("2026-07-01T22:00:00", Some(120)),
        ("2026-07-01T23:00:00", Some(120)),
    ]);
    sets[1].clock.last_restorable = Some(local("2026-07-01T22:59:58.123"));
    let timeline = timeline(&sets, None);
    assert_eq!(timeline.all()[0].reach, utc("2026-07-01T20:00:00Z"));
    assert_eq!(timeline.all()[1].reach, utc("2026-07-01T20:59:58.123Z"));
}

#[test]
fn stopat_is_on_the_clock_of_the_source_and_rounded_down() {
    // Source at UTC+2; a target at UTC-5 has no part in it.
    let sets = logs(&[
        ("2026-07-01T12:00:00", Some(120)),
        ("2026-07-01T12:15:00", Some(120)),
    ]);
    let timeline = timeline(&sets, None);
    let all = timeline.all();
    for (at, expected) in [
        ("2026-07-01T10:07:30Z", "2026-07-01T12:07:30.000"),
        ("2026-07-01T10:07:30.002999Z", "2026-07-01T12:07:30.000"),
        ("2026-07-01T10:07:30.003Z", "2026-07-01T12:07:30.003"),
        ("2026-07-01T10:07:30.006Z", "2026-07-01T12:07:30.003"),
        ("2026-07-01T10:07:30.007Z", "2026-07-01T12:07:30.007"),
        ("2026-07-01T10:07:30.999999999Z", "2026-07-01T12:07:30.997"),
    ] {
        let stop = literal(utc(at), &all[1], Some(&all[0]), None).unwrap();
        assert_eq!(sql_literal(stop), expected, "{at}");
    }
    // The year 1700 is before what datetime holds.
    assert_eq!(
        literal(utc("1700-01-01T00:00:00Z"), &all[1], Some(&all[0]), None),
        Err(NoLiteral::OutOfRange)
    );
}
