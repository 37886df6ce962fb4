//! What sets tell of each other's times, and where they tell nothing: other servers, clocks put back, copies, forks.

use chain::Moment;
use chain::time::{NoLiteral, Readings, certain_neighbours, literal};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use crate::{BERLIN, local, logs, starts, timeline, utc, zone};

#[test]
fn sets_without_offset_go_by_those_around() {
    let sets = logs(&[
        ("2026-07-01T01:00:00", Some(120)),
        ("2026-07-01T02:00:00", None),
        ("2026-07-01T03:00:00", Some(120)),
    ]);
    assert_eq!(
        starts(&timeline(&sets, None)),
        [
            "2026-06-30T23:00:00Z",
            "2026-07-01T00:00:00Z",
            "2026-07-01T01:00:00Z",
        ]
    );
    // With a neighbour on one side only the clock may have been moved in between, either way.
    let sets = logs(&[
        ("2026-07-01T00:00:00", None),
        ("2026-07-01T04:00:00", Some(120)),
        ("2026-07-01T08:00:00", None),
    ]);
    let of_edges = timeline(&sets, None);
    let edges = [&of_edges.all()[0], &of_edges.all()[2]];
    let earliest = ["2026-06-30T21:00:00Z", "2026-07-01T05:00:00Z"];
    let latest = ["2026-06-30T23:00:00Z", "2026-07-01T07:00:00Z"];
    assert_eq!(edges.map(|times| times.start.earliest), earliest.map(utc));
    assert_eq!(edges.map(|times| times.start.latest), latest.map(utc));
    assert_eq!(
        literal(
            utc("2026-07-01T05:00:00Z"),
            edges[1],
            Some(&of_edges.all()[1]),
            None
        ),
        Err(NoLiteral::OffsetUncertain)
    );
    // Between two offsets, and with room for both.
    let sets = logs(&[
        ("2026-10-24T12:00:00", Some(120)),
        ("2026-10-25T02:30:00", None),
        ("2026-10-25T12:00:00", Some(60)),
    ]);
    let timeline = timeline(&sets, None);
    let log = &timeline.all()[1];
    assert_eq!(log.start.earliest, utc("2026-10-25T00:30:00Z"));
    assert_eq!(log.start.latest, utc("2026-10-25T01:30:00Z"));
    assert_eq!(log.reach, log.start.earliest, "what is sure");
    assert_eq!(
        literal(utc("2026-10-25T00:00:00Z"), log, Some(&timeline.all()[0]), None),
        Err(NoLiteral::OffsetUncertain)
    );
}

#[test]
fn a_set_of_another_server_is_not_placed_by_the_zone() {
    // The user names Berlin; the second log was written by a replica in New York, in whose clock that time is six hours later.
    let sets = logs(&[
        ("2026-07-01T12:00:00", Some(120)),
        ("2026-07-01T06:15:00", Some(-240)),
        ("2026-07-01T06:30:00", Some(-240)),
    ]);
    let berlin = zone(BERLIN);
    let timeline = timeline(&sets, Some(&berlin));
    assert_eq!(
        starts(&timeline),
        [
            "2026-07-01T10:00:00Z",
            "2026-07-01T10:15:00Z",
            "2026-07-01T10:30:00Z"
        ]
    );
    let all = timeline.all();
    let at = utc("2026-07-01T10:20:00Z");
    assert_eq!(
        literal(at, &all[2], Some(&all[1]), Some(&berlin)),
        Ok(local("2026-07-01T06:20:00"))
    );
    // Six hours are no summer time: the log before is of another machine, and the literal goes by the clock of the log's own.
    assert_eq!(
        literal(utc("2026-07-01T10:05:00Z"), &all[1], Some(&all[0]), Some(&berlin)),
        Ok(local("2026-07-01T06:05:00"))
    );
    assert_eq!(
        timeline.readings(Moment::Local(local("2026-07-01T06:20:00"))),
        // Also what Berlin's clock showed before any set began.
        Ok(Readings::Several(vec![utc("2026-07-01T04:20:00Z"), at]))
    );
}

#[test]
fn a_clock_that_was_put_back_is_left_as_it_was_written() {
    // By two hours between the second and the third log, in the night of the change.
    let berlin = zone(BERLIN);
    let sets = logs(&[
        ("2026-10-25T04:00:00", None),
        ("2026-10-25T04:15:00", None),
        ("2026-10-25T02:15:00", None),
        ("2026-10-25T02:30:00", None),
    ]);
    let by_rules = timeline(&sets, Some(&berlin));
    let all = by_rules.all();
    assert_eq!(all[1].start.earliest, utc("2026-10-25T03:15:00Z"));
    for (log, first) in [(2, "2026-10-25T00:15:00Z"), (3, "2026-10-25T00:30:00Z")] {
        assert_eq!(all[log].start.earliest, utc(first));
        assert_eq!(all[log].start.latest, utc(first) + SignedDuration::from_hours(1));
    }
    let sets = logs(&[
        ("2026-07-01T04:00:00", Some(0)),
        ("2026-07-01T02:15:00", Some(0)),
        ("2026-07-01T02:30:00", Some(0)),
    ]);
    assert_eq!(
        starts(&timeline(&sets, None)),
        [
            "2026-07-01T04:00:00Z",
            "2026-07-01T02:15:00Z",
            "2026-07-01T02:30:00Z"
        ]
    );
}

#[test]
fn copies_of_one_log_do_not_order_each_other() {
    let mut sets = logs(&[("2026-10-25T02:30:00", None), ("2026-10-25T02:30:00", None)]);
    sets[1].first = sets[0].first;
    sets[1].last = sets[0].last;
    sets[1].guid = sets[0].guid;
    let timeline = timeline(&sets, Some(&zone(BERLIN)));
    for times in timeline.all() {
        assert_eq!(times.start.earliest, utc("2026-10-25T00:30:00Z"));
        assert_eq!(times.start.latest, utc("2026-10-25T01:30:00Z"));
    }
}

#[test]
fn logs_without_records_follow_the_log_they_end_with_but_not_each_other() {
    // A log, and then nothing more was written; two logs without a record, in no order, and a log with records again.
    let mut sets = logs(&[
        ("2026-10-25T02:45:00", None),
        ("2026-10-25T02:15:00", None),
        ("2026-10-25T02:00:00", None),
        ("2026-10-25T02:30:00", None),
    ]);
    for index in [1, 2] {
        sets[index].first = sets[0].last;
        sets[index].last = sets[0].last;
    }
    sets[3].first = sets[0].last;
    assert_eq!(
        starts(&timeline(&sets, Some(&zone(BERLIN)))),
        [
            "2026-10-25T00:45:00Z",
            "2026-10-25T01:15:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z"
        ]
    );
}

#[test]
fn what_the_parent_wrote_behind_the_fork_tells_nothing_of_the_child() {
    // The parent's log reaches further than the child's and so comes behind it; it was written an hour before, in summer time.
    let mut sets = logs(&[("2026-10-25T02:30:00", None), ("2026-10-25T02:10:00", None)]);
    sets[0].fork.id = uuid::Uuid::from_u128(2);
    let timeline = timeline(&sets, Some(&zone(BERLIN)));
    let child = &timeline.all()[0];
    assert_eq!(child.start.earliest, utc("2026-10-25T00:30:00Z"));
    assert_eq!(child.start.latest, utc("2026-10-25T01:30:00Z"));
}

#[test]
fn times_at_the_ends_of_the_calendar_and_impossible_offsets_do_no_harm() {
    let mut sets = logs(&[
        ("2026-07-01T01:00:00", Some(i16::MAX)),
        ("2026-07-01T02:00:00", Some(840)),
        ("2026-07-01T03:00:00", Some(-840)),
        ("2026-07-01T04:00:00", None),
    ]);
    for (index, end) in [(1, DateTime::MIN), (2, DateTime::MAX), (3, DateTime::MAX)] {
        sets[index].clock.start = end;
        sets[index].clock.finish = end;
        sets[index].clock.last_restorable = Some(end);
    }
    for zone in [None, Some(zone(BERLIN))] {
        let timeline = timeline(&sets, zone.as_ref());
        assert_eq!(timeline.all().len(), 4);
        for end in [DateTime::MIN, DateTime::MAX] {
            assert!(timeline.readings(Moment::Local(end)).is_ok());
        }
        let all = timeline.all();
        let stop = |at: Timestamp| literal(at, &all[3], Some(&all[2]), zone.as_ref());
        assert!(stop(Timestamp::MIN).is_err(), "before 1753");
        for at in [Timestamp::MIN, Timestamp::MAX] {
            let _ = certain_neighbours(at, &all[3], Some(&all[2]), zone.as_ref());
        }
    }
    // Minutes that are no offset are none.
    let sets = logs(&[("2026-07-01T01:00:00", Some(i16::MAX))]);
    assert!(timeline(&sets, None).floats());
}

#[test]
fn replicas_far_apart_each_go_by_their_own_clock() {
    // An availability group over London and New York in winter; the log backups go to and fro.
    let sets = logs(&[
        ("2026-01-15T10:15:00", Some(0)),
        ("2026-01-15T05:30:00", Some(-300)),
        ("2026-01-15T10:45:00", Some(0)),
    ]);
    for zone in [None, Some(zone("GMT0BST,M3.5.0/1,M10.5.0"))] {
        let timeline = timeline(&sets, zone.as_ref());
        let all = timeline.all();
        for (log, at, expected) in [
            (1, "2026-01-15T10:20:00Z", "2026-01-15T05:20:00"),
            (2, "2026-01-15T10:40:00Z", "2026-01-15T10:40:00"),
        ] {
            assert_eq!(
                literal(utc(at), &all[log], Some(&all[log - 1]), zone.as_ref()),
                Ok(local(expected))
            );
        }
    }
}

#[test]
fn a_log_that_begins_in_the_second_in_which_the_one_before_ended_may_follow_at_once() {
    let mut sets = logs(&[("2026-10-25T02:29:57", None), ("2026-10-25T02:30:00", None)]);
    sets[0].clock.finish = local("2026-10-25T02:30:00");
    let timeline = timeline(&sets, Some(&zone(BERLIN)));
    assert_eq!(timeline.all()[1].start.earliest, utc("2026-10-25T00:30:00Z"));
    assert_eq!(timeline.all()[0].finish.latest, utc("2026-10-25T01:30:00Z"));
}
