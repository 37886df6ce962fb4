//! The nights on which clocks are changed, in zones where the change is an hour, half an hour, or none.

use chain::time::{NoLiteral, Readings, certain_neighbours, literal};
use chain::{Kind, Moment, SetId};
use jiff::{SignedDuration, Timestamp};

use crate::{BERLIN, local, logs, set, starts, timeline, utc, zone};

#[test]
fn both_half_past_twos_are_told_apart_by_fifteen_minute_logs() {
    let night: Vec<(&str, Option<i16>)> = [
        "2026-10-25T01:45:00",
        "2026-10-25T02:00:00",
        "2026-10-25T02:15:00",
        "2026-10-25T02:30:00",
        "2026-10-25T02:45:00",
        "2026-10-25T02:00:00",
        "2026-10-25T02:15:00",
        "2026-10-25T02:30:00",
        "2026-10-25T02:45:00",
        "2026-10-25T03:00:00",
    ]
    .map(|start| (start, None))
    .to_vec();
    // 01:45 in summer time is 23:45Z.
    let expected: Vec<String> = (0..10)
        .map(|quarter| (utc("2026-10-24T23:45:00Z") + SignedDuration::from_mins(15 * quarter)).to_string())
        .collect();
    let berlin = zone(BERLIN);
    assert_eq!(starts(&timeline(&logs(&night), Some(&berlin))), expected);

    // The same without the zone, but with the offset in the first and the last log alone.
    let mut ends = night;
    ends[0].1 = Some(120);
    ends[9].1 = Some(60);
    assert_eq!(starts(&timeline(&logs(&ends), None)), expected);
}

#[test]
fn one_log_over_both_readings_is_refused() {
    let sets = logs(&[
        ("2026-10-25T01:30:00", None),
        ("2026-10-25T03:30:00", None),
        ("2026-10-25T04:30:00", None),
    ]);
    let berlin = zone(BERLIN);
    let timeline = timeline(&sets, Some(&berlin));
    let moment = Moment::Local(local("2026-10-25T02:30:00"));
    let both = vec![utc("2026-10-25T00:30:00Z"), utc("2026-10-25T01:30:00Z")];
    assert_eq!(timeline.readings(moment), Ok(Readings::Several(both.clone())));
    let all = timeline.all();
    for at in both {
        assert_eq!(
            literal(at, &all[1], Some(&all[0]), Some(&berlin)),
            Err(NoLiteral::BothReadings)
        );
    }
    // 03:15 is there once.
    assert_eq!(
        literal(utc("2026-10-25T02:15:00Z"), &all[1], Some(&all[0]), Some(&berlin)),
        Ok(local("2026-10-25T03:15:00"))
    );
}

#[test]
fn a_log_over_the_change_hides_the_moments_around_it() {
    // Records from 02:30 in summer time to 02:20 in winter time. 02:10 in winter time is there once, but the records before the change
    // are later by the clock, and STOPAT would stop at the first of them.
    let mut sets = logs(&[
        ("2026-10-25T02:29:50", Some(120)),
        ("2026-10-25T02:20:00", Some(60)),
    ]);
    sets[0].clock.finish = local("2026-10-25T02:30:00");
    let berlin = zone(BERLIN);
    let timeline = timeline(&sets, Some(&berlin));
    let all = timeline.all();
    let stop = |at: &str| literal(utc(at), &all[1], Some(&all[0]), Some(&berlin));
    assert_eq!(stop("2026-10-25T01:10:00Z"), Err(NoLiteral::BothReadings));
    assert_eq!(stop("2026-10-25T00:50:00Z"), Err(NoLiteral::BothReadings));
    assert_eq!(
        certain_neighbours(utc("2026-10-25T01:10:00Z"), &all[1], Some(&all[0]), Some(&berlin)),
        (None, None),
        "the log holds nothing that is an hour away from the change"
    );

    // A log that ends before the change has one reading, whatever the hour.
    let sets = logs(&[
        ("2026-10-25T02:15:00", Some(120)),
        ("2026-10-25T02:30:00", Some(120)),
        ("2026-10-25T02:30:00", Some(60)),
    ]);
    let timeline = crate::timeline(&sets, Some(&berlin));
    let all = timeline.all();
    assert_eq!(
        literal(utc("2026-10-25T00:20:00Z"), &all[1], Some(&all[0]), Some(&berlin)),
        Ok(local("2026-10-25T02:20:00"))
    );
}

#[test]
fn the_nearest_certain_moments_are_an_hour_away_from_the_change() {
    let sets = logs(&[
        ("2026-10-25T00:30:00", Some(120)),
        ("2026-10-25T05:30:00", Some(60)),
    ]);
    let berlin = zone(BERLIN);
    let timeline = timeline(&sets, Some(&berlin));
    let all = timeline.all();
    let (before, after) =
        certain_neighbours(utc("2026-10-25T00:30:00Z"), &all[1], Some(&all[0]), Some(&berlin));
    // 01:59:59.997 in summer time, the last moment that the clock showed once, and 03:00 in winter time.
    assert_eq!(before, Some(utc("2026-10-24T23:59:59.997Z")));
    assert_eq!(after, Some(utc("2026-10-25T02:00:00Z")));
    let stop = |at: Timestamp| literal(at, &all[1], Some(&all[0]), Some(&berlin));
    assert_eq!(stop(before.unwrap()), Ok(local("2026-10-25T01:59:59.997")));
    assert_eq!(stop(after.unwrap()), Ok(local("2026-10-25T03:00:00")));
}

#[test]
fn an_hour_that_the_clock_skipped_has_no_reading() {
    let half_past_two = Moment::Local(local("2026-03-29T02:30:00"));
    let berlin = zone(BERLIN);
    let unmarked = logs(&[("2026-03-29T01:45:00", None), ("2026-03-29T03:00:00", None)]);
    assert_eq!(
        timeline(&unmarked, Some(&berlin)).readings(half_past_two),
        Ok(Readings::Skipped)
    );
    // Without rules the offsets of the sets on both sides say so.
    let marked = logs(&[
        ("2026-03-29T01:45:00", Some(60)),
        ("2026-03-29T03:00:00", Some(120)),
        ("2026-03-29T03:15:00", Some(120)),
    ]);
    let by_sets = timeline(&marked, None);
    assert_eq!(by_sets.readings(half_past_two), Ok(Readings::Skipped));
    assert_eq!(
        by_sets.readings(Moment::Local(local("2026-03-29T03:10:00"))),
        Ok(Readings::One(utc("2026-03-29T01:10:00Z")))
    );
    // A quarter to two and before is winter time, also before the first set.
    assert_eq!(
        by_sets.readings(Moment::Local(local("2026-03-29T00:00:00"))),
        Ok(Readings::One(utc("2026-03-28T23:00:00Z")))
    );
}

#[test]
fn readings_without_rules_are_what_the_sets_around_allow() {
    let sets = logs(&[
        ("2026-10-25T02:45:00", Some(120)),
        ("2026-10-25T02:00:00", Some(60)),
        ("2026-10-25T02:15:00", Some(60)),
    ]);
    let timeline = timeline(&sets, None);
    // 00:50Z lies between a set at +2 and one at +1, and so may be 02:50 or 01:50; 01:50Z lies behind sets at +1 and is 02:50.
    assert_eq!(
        timeline.readings(Moment::Local(local("2026-10-25T02:50:00"))),
        Ok(Readings::Several(vec![
            utc("2026-10-25T00:50:00Z"),
            utc("2026-10-25T01:50:00Z")
        ]))
    );
    assert_eq!(
        timeline.readings(Moment::Local(local("2026-10-25T03:10:00"))),
        Ok(Readings::One(utc("2026-10-25T02:10:00Z")))
    );
    let instant = utc("2026-10-25T00:50:00Z");
    assert_eq!(
        timeline.readings(Moment::Universal(instant)),
        Ok(Readings::One(instant))
    );
    // In the log over the change nothing tells when it was.
    let all = timeline.all();
    assert_eq!(
        literal(instant, &all[1], Some(&all[0]), None),
        Err(NoLiteral::OffsetUncertain)
    );
    assert_eq!(
        literal(utc("2026-10-25T01:10:00Z"), &all[2], Some(&all[1]), None),
        Ok(local("2026-10-25T02:10:00"))
    );
}

#[test]
fn a_log_that_finished_before_the_change_is_not_stretched_over_it() {
    for sets in [
        logs(&[
            ("2026-10-25T02:45:00", Some(120)),
            ("2026-10-25T02:00:00", Some(60)),
        ]),
        logs(&[
            ("2026-03-29T01:45:00", Some(60)),
            ("2026-03-29T03:00:00", Some(120)),
        ]),
    ] {
        let timeline = timeline(&sets, None);
        let first = &timeline.all()[0];
        assert_eq!(
            first.finish.earliest,
            first.start.earliest + SignedDuration::from_secs(3)
        );
        assert_eq!(first.finish.latest, first.finish.earliest);
    }
}

#[test]
fn a_full_over_the_change_ends_at_one_of_two_moments() {
    // 23:00 in summer time to 02:30 in either; the next log began at 03:15 in winter time.
    let sets = [
        set(
            Kind::Full,
            1,
            "2026-10-24T23:00:00",
            "2026-10-25T02:30:00",
            Some(120),
        ),
        set(
            Kind::Log,
            2,
            "2026-10-25T03:15:00",
            "2026-10-25T03:15:03",
            Some(60),
        ),
    ];
    let berlin = zone(BERLIN);
    for zone in [None, Some(&berlin)] {
        let timeline = timeline(&sets, zone);
        let full = timeline.times(SetId(1)).unwrap();
        assert_eq!(full.finish.earliest, utc("2026-10-25T00:30:00Z"));
        assert_eq!(full.finish.latest, utc("2026-10-25T01:30:00Z"));
    }
    // By the rules 03:30 is winter time, although the full began in summer time.
    let sets = [set(
        Kind::Full,
        1,
        "2026-10-24T23:00:00",
        "2026-10-25T03:30:00",
        Some(120),
    )];
    let by_rules = timeline(&sets, Some(&berlin));
    assert_eq!(by_rules.all()[0].finish.earliest, utc("2026-10-25T02:30:00Z"));
    assert_eq!(by_rules.all()[0].finish.latest, utc("2026-10-25T02:30:00Z"));
}

#[test]
fn a_full_that_ends_before_it_began_may_have_seen_the_change() {
    // 02:40 in summer time; at the end the clock showed 02:10. Nothing else is known.
    let sets = [set(
        Kind::Full,
        1,
        "2026-10-25T02:40:00",
        "2026-10-25T02:10:00",
        Some(120),
    )];
    let timeline = timeline(&sets, None);
    assert_eq!(timeline.all()[0].finish.latest, utc("2026-10-25T01:10:00Z"));
}

/// The repeated half hour or hour of a zone: a moment before the change, the local time, and by how much later it is shown again.
#[test]
fn zones_of_the_world() {
    for (rules, first, shown, minutes) in [
        (
            "EST5EDT,M3.2.0,M11.1.0",
            "2026-11-01T05:30:00Z",
            "2026-11-01T01:30:00",
            60,
        ),
        // Lord Howe goes back half an hour, from 02:00 (+11) to 01:30 (+10:30).
        (
            "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
            "2026-04-04T14:45:00Z",
            "2026-04-05T01:45:00",
            30,
        ),
        // Chatham goes back from 03:45 (+13:45) to 02:45 (+12:45).
        (
            "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
            "2026-04-04T13:15:00Z",
            "2026-04-05T03:00:00",
            60,
        ),
    ] {
        let first = utc(first);
        let second = first + SignedDuration::from_mins(minutes);
        let zone = zone(rules);
        let day = SignedDuration::from_hours(24);
        let of = |at: Timestamp| zone.to_datetime(at).to_string();
        let sets = logs(&[(&of(first - day), None), (&of(first + day), None)]);
        let timeline = timeline(&sets, Some(&zone));
        assert_eq!(
            timeline.readings(Moment::Local(local(shown))),
            Ok(Readings::Several(vec![first, second])),
            "{rules}"
        );
        let all = timeline.all();
        for at in [first, second] {
            assert_eq!(
                literal(at, &all[1], Some(&all[0]), Some(&zone)),
                Err(NoLiteral::BothReadings)
            );
        }
        let later = second + SignedDuration::from_mins(minutes);
        assert!(
            literal(later, &all[1], Some(&all[0]), Some(&zone)).is_ok(),
            "{rules}"
        );
    }
    // Kathmandu is 5:45 ahead all year.
    let sets = logs(&[
        ("2026-10-25T02:30:00", Some(345)),
        ("2026-10-25T02:45:00", Some(345)),
    ]);
    let timeline = timeline(&sets, Some(&zone("<+0545>-5:45")));
    assert_eq!(
        timeline.readings(Moment::Local(local("2026-10-25T02:35:00"))),
        Ok(Readings::One(utc("2026-10-24T20:50:00Z")))
    );
}

#[test]
fn a_change_that_came_late_leaves_a_set_in_the_hour_that_was_skipped() {
    // By the rules there was no 02:30: it is 01:30 in winter time told by the changed clock, or the other way round.
    let sets = logs(&[("2026-03-29T02:30:00", None)]);
    let timeline = timeline(&sets, Some(&zone(BERLIN)));
    assert_eq!(timeline.all()[0].start.earliest, utc("2026-03-29T00:30:00Z"));
    assert_eq!(timeline.all()[0].start.latest, utc("2026-03-29T01:30:00Z"));
}
