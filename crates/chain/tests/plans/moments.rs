//! Moments: claimed only where every record up to them is in hand.

use crate::notation::history;

const BOOK: &str = "
    F full 100..110 @10:00-10:05
    L l1   100..120 @10:15
    L l2   120..130 @10:30
    L l3   130..140 @10:45";

#[test]
fn a_moment_is_a_stop_on_the_log_that_covers_it() {
    let h = history(BOOK);
    assert_eq!(h.at("10:10"), "full l1@10:10");
    assert_eq!(h.at("10:20"), "full l1 l2@10:20");
    assert_eq!(h.at("10:44:59.997"), "full l1 l2 l3@10:44:59.997");
}

#[test]
fn the_edges_belong_to_the_shorter_plan() {
    let h = history(BOOK);
    // A log covers moments up to its start; the one after it would do too, with a step more.
    assert_eq!(h.at("10:15"), "full l1@10:15");
    assert_eq!(h.at("10:30"), "full l1 l2@10:30");
    assert_eq!(h.at("10:45"), "full l1 l2 l3@10:45");
    // A moment that a log serves is planned with the log: what was committed in the full's last second is in the log.
    assert_eq!(h.at("10:05"), "full l1@10:05");
}

#[test]
fn outside_the_nearest_moments_are_offered() {
    let h = history(BOOK);
    assert_eq!(h.at("10:04:59"), "no: too early; before none; after A 110 @10:05");
    assert_eq!(h.at("10:45:01"), "no: too late; before A 140 @10:45; after none");
}

#[test]
fn a_log_promises_its_start_not_its_finish() {
    // Between 10:30 and 10:40 the log was being written; records of these ten minutes may not be in it.
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:30-10:40",
    );
    assert_eq!(h.spans(), "A: 110..120 @10:05-10:30");
    assert_eq!(h.at("10:35"), "no: too late; before A 120 @10:30; after none");
    assert_eq!(h.at("10:30"), "full l1@10:30");
}

#[test]
fn the_time_that_sql_server_recorded_is_exact() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:30-10:40 restorable=10:38
         L l2   120..130 @10:45",
    );
    assert_eq!(h.spans(), "A: 110..130 @10:05-10:45");
    assert_eq!(h.at("10:38"), "full l1@10:38");
    // l1 does not reach 10:39, but its finish is behind it: it may hold records of then, and stops there as well.
    assert_eq!(h.at("10:39"), "full l1@10:39 l2@10:39");
    assert_eq!(
        h.without("l2").at("10:39"),
        "no: too late; before A 120 @10:38; after none"
    );
}

#[test]
fn an_earlier_log_that_finished_after_the_moment_stops_there_too() {
    // SQL Server recovers past the moment otherwise: l1 may hold records of 10:35.
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:30-10:40
         L l2   120..130 @10:45",
    );
    assert_eq!(h.at("10:35"), "full l1@10:35 l2@10:35");
    assert_eq!(h.at("10:40"), "full l1@10:40 l2@10:40");
    assert_eq!(h.at("10:41"), "full l1 l2@10:41");
}

#[test]
fn empty_logs_witness_that_nothing_happened() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         L e1   120..120 @10:30
         L e2   120..120 @10:45",
    );
    assert_eq!(h.spans(), "A: 110..120 @10:05-10:45");
    assert_eq!(h.latest(), "full l1");
    assert_eq!(h.at("10:40"), "full l1@10:40");
    assert_eq!(
        h.without("e2").at("10:40"),
        "no: too late; before A 120 @10:30; after none"
    );
    assert_eq!(h.whole("e1"), "full l1");
}

#[test]
fn a_clock_that_went_back_leaves_the_lsns() {
    // The server's clock was set back by an hour between l1 and l2.
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         L l2   120..130 @09:30
         L l3   130..140 @09:45",
    );
    assert_eq!(h.branches(), "A");
    assert_eq!(h.latest(), "full l1 l2 l3");
    assert_eq!(h.lsn("125"), "full l1 l2=125");
    assert_eq!(h.at("10:10"), "full l1@10:10");
    assert!(h.at("10:16").starts_with("no: "), "{}", h.at("10:16"));
    // l2 holds records of both readings and serves none. Behind it the clock runs forward again, but SQL Server takes no stop before the
    // finish of the data backup (4335).
    assert!(h.at("09:40").starts_with("no: "), "{}", h.at("09:40"));
    assert_eq!(h.lsn("135"), "full l1 l2 l3=135");
}

#[test]
fn when_the_clock_has_caught_up_moments_are_served_again() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         L l2   120..130 @09:30
         L l3   130..140 @10:30",
    );
    assert_eq!(h.at("10:25"), "full l1 l2 l3@10:25");
}

#[test]
fn the_stop_is_on_the_clock_of_the_server_that_wrote_the_log() {
    // Source two hours ahead of UTC: 10:20 there is 08:20 of UTC.
    let h = history(&format!("clock +120\n{BOOK}"));
    assert_eq!(h.spans(), "A: 110..140 @08:05-08:45");
    assert_eq!(h.utc("08:20"), "full l1 l2@10:20");
    assert_eq!(h.at("10:20"), "full l1 l2@10:20");
    assert!(h.utc("10:20").starts_with("no: too late"), "{}", h.utc("10:20"));
}

#[test]
fn replicas_in_two_zones_each_have_their_own_clock() {
    // l2 was written by a replica five hours behind UTC, as 05:30; it is 10:30 of UTC all the same.
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         L l2   120..130 @05:30 offset=-300
         L l3   130..140 @10:45",
    );
    assert_eq!(h.spans(), "A: 110..140 @10:05-10:45");
    // Between two clocks a plan may refuse; it never stops at the other's reading.
    let told = h.utc("10:20");
    assert!(
        told == "full l1 l2@05:20" || told.starts_with("no: shown twice in l2"),
        "{told}"
    );
    assert_eq!(h.latest(), "full l1 l2 l3");
    assert_eq!(h.branches(), "A");
}

#[test]
fn without_a_known_offset_only_local_moments_mean_something() {
    let h = history(&format!("clock ?\n{BOOK}"));
    assert_eq!(h.at("10:20"), "full l1 l2@10:20");
    assert_eq!(h.latest(), "full l1 l2 l3");
    assert!(
        h.utc("10:20").starts_with("no: offset unknown"),
        "{}",
        h.utc("10:20")
    );
}

#[test]
fn the_log_in_which_the_clock_went_back_is_never_stopped() {
    // l2 begins with records of 10:15 and later: STOPAT 09:30 would stop at its very beginning, and l3 could not follow.
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         L l2   120..130 @09:30
         L l3   130..140 @09:45",
    );
    let told = h.at("09:30");
    assert!(!told.contains("l2@"), "{told}");
}

#[test]
fn long_before_and_long_behind_are_too_early_and_too_late() {
    let h = history(BOOK);
    assert_eq!(
        h.at("2000-01-01T00:00:00"),
        "no: too early; before none; after A 110 @10:05"
    );
    assert_eq!(
        h.at("2100-01-01T00:00:00"),
        "no: too late; before A 140 @10:45; after none"
    );
}

/// As headers tell them: what began or ended within a second is told with the second's beginning.
const CUT: &str = "
    F full 100..110 @10:00-10:05 cut
    L l1   100..120 @10:15-10:15:20 cut
    L l2   120..130 @10:30-10:30:02 cut";

#[test]
fn a_data_backup_may_hold_all_of_the_second_that_it_finished_in() {
    // Finished somewhere in 10:05:00: what was committed at 10:05:00.900 may be in it, and nothing of 10:05:01 is.
    let h = history(CUT);
    assert_eq!(h.spans(), "A: 110..130 @10:05:01-10:29:59.999");
    for early in ["10:05", "10:05:00.500", "10:05:00.997"] {
        assert_eq!(h.at(early), "no: too early; before none; after A 110 @10:05:01");
    }
    assert_eq!(h.at("10:05:01"), "full l1@10:05:01");
}

#[test]
fn a_data_backup_alone_stands_for_no_moment_and_is_a_point() {
    // What it holds ends at some moment from 10:00:00 to 10:05:01: whoever asks for one is told of the point.
    let h = history(
        "F a 100..110 @10:00-10:05 cut simple
         F b 200..210 @12:00-12:05 cut simple",
    );
    assert_eq!(
        h.spans(),
        "A: 110..110 within 10:00-10:05:01; A: 210..210 within 12:00-12:05:01"
    );
    let (a, b) = ("A 110 within 10:00-10:05:01", "A 210 within 12:00-12:05:01");
    for early in ["09:00", "10:00", "10:03", "10:05", "10:05:00.997"] {
        assert_eq!(
            h.at(early),
            format!("no: too early; before none; after {a}"),
            "{early}"
        );
    }
    for between in ["10:05:01", "11:00", "12:05:00.500"] {
        assert_eq!(
            h.at(between),
            format!("no: hole A: 110..210 switched to simple; before {a}; after {b}"),
            "{between}"
        );
    }
    assert_eq!(h.at("12:05:01"), format!("no: too late; before {b}; after none"));
    assert_eq!(h.lsn("110"), "a");
    assert_eq!(h.latest(), "b");
}

#[test]
fn a_log_of_the_same_second_gives_a_data_backup_no_moment_and_the_next_does() {
    let one = "F full 100..110 @10:00-10:05 cut
         L l1   100..120 @10:05 cut";
    // All that l1 is known to hold was committed before 10:05:00, and the full may hold more.
    let h = history(one);
    assert_eq!(h.spans(), "A: 110..120 within 10:00-10:05:01");
    assert_eq!(
        h.at("10:05"),
        "no: too early; before none; after A 110 within 10:00-10:05:01"
    );
    assert_eq!(
        h.at("10:30"),
        "no: too late; before A 120 within 10:00-10:05:01; after none"
    );
    assert_eq!(h.latest(), "full l1");
    let h = history(&format!("{one}\nL l2 120..130 @10:15 cut"));
    assert_eq!(h.spans(), "A: 110..130 @10:05:01-10:14:59.999");
    assert_eq!(
        h.at("10:05:00.997"),
        "no: too early; before none; after A 110 @10:05:01"
    );
    assert_eq!(h.at("10:05:01"), "full l1 l2@10:05:01");
}

#[test]
fn nothing_in_the_log_behind_a_data_backup_gives_it_moments() {
    let h = history(
        "F full 100..110 @10:00-10:05 cut
         L l1   110..110 @10:15 cut",
    );
    assert_eq!(h.spans(), "A: 110..110 @10:05:01-10:14:59.999");
    assert_eq!(h.at("10:10"), "full");
}

#[test]
fn a_moment_in_the_second_that_a_data_backup_ended_in_takes_an_earlier_one() {
    let h = history(
        "F a  100..110 @09:00-09:05 cut
         L l1 100..150 @10:05 cut
         F b  120..160 @10:00-10:05 cut
         L l2 150..170 @10:15 cut",
    );
    assert_eq!(h.spans(), "A: 110..170 @09:05:01-10:14:59.999");
    assert_eq!(h.at("10:05:00.500"), "a l1@10:05:00.5 l2@10:05:00.5");
    assert_eq!(h.at("10:05:01"), "b l2@10:05:01");
}

#[test]
fn a_log_may_go_on_to_the_end_of_the_second_that_it_finished_in() {
    let h = history(CUT);
    // Begun in 10:15:00, so that it holds all that was committed before; and up to when more, its finish tells: 10:15:20.999.
    assert_eq!(h.at("10:14:59.999"), "full l1@10:14:59.997");
    assert_eq!(h.at("10:15"), "full l1@10:15 l2@10:15");
    assert_eq!(h.at("10:15:20.997"), "full l1@10:15:20.997 l2@10:15:20.997");
    assert_eq!(h.at("10:15:21"), "full l1 l2@10:15:21");
    // The last second of all is not promised.
    assert_eq!(
        h.at("10:30:00.500"),
        "no: too late; before A 130 @10:29:59.999; after none"
    );
}

#[test]
fn nothing_is_sure_of_the_second_that_a_log_began_in() {
    // Begun somewhere in 10:15:00, maybe at its first millisecond: what was committed at that one, behind it, is in l2 alone.
    let h = history(
        "F full 100..110 @10:00-10:05 cut
         L l1   100..120 @10:15 cut
         L l2   120..130 @10:30 cut",
    );
    assert_eq!(h.at("10:14:59.997"), "full l1@10:14:59.997");
    for moment in ["10:15", "10:15:00.003", "10:15:00.997"] {
        assert_eq!(h.at(moment), format!("full l1@{moment} l2@{moment}"));
    }
    assert_eq!(h.at("10:15:01"), "full l1 l2@10:15:01");
    assert_eq!(
        h.at("10:30"),
        "no: too late; before A 130 @10:29:59.999; after none"
    );
}

#[test]
fn a_log_behind_one_that_stops_is_left_out_where_the_stop_was_reached() {
    // The server stops in l1 where that holds a commit behind the moment, and refuses l2 and l3 then; else it needs them.
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:30-10:40
         L l2   120..130 @10:32-10:40
         L l3   130..140 @10:45",
    );
    let only_from = |moment: &str| {
        let plans = h.plans(&h.local(moment)).expect("it can be restored");
        let steps = plans.best.steps.iter().map(|step| step.only_from);
        steps.collect::<Vec<_>>()
    };
    let begins = |set: usize| Some(h.sets[set].first);
    assert_eq!(h.at("10:35"), "full l1@10:35 l2@10:35 l3@10:35");
    assert_eq!(only_from("10:35"), [None, None, begins(2), begins(3)]);
    // Where nothing stops before the last, every log is applied.
    assert_eq!(h.at("10:42"), "full l1 l2 l3@10:42");
    assert_eq!(only_from("10:42"), [None; 4]);
}
