//! How logs follow each other.

use crate::notation::history;

const BOOK: &str = "
    F full 100..110 @10:00-10:05
    L l1   100..120 @10:15
    L l2   120..130 @10:30
    L l3   130..140 @10:45";

#[test]
fn an_unbroken_run_serves_every_record_and_every_moment() {
    let h = history(BOOK);
    assert_eq!(h.spans(), "A: 110..140 @10:05-10:45");
    // l1 holds records of before the full's end, and no full ends early enough for them.
    assert_eq!(h.holes(), "A: 100..110 no full");
    assert_eq!(h.branches(), "A");
    assert_eq!(h.latest(), "full l1 l2 l3");
    assert_eq!(h.whole("l2"), "full l1 l2");
}

#[test]
fn an_lsn_is_the_end_of_a_set_or_a_stop_inside_a_log() {
    let h = history(BOOK);
    assert_eq!(h.lsn("110"), "full");
    assert_eq!(h.lsn("111"), "full l1=111");
    assert_eq!(h.lsn("120"), "full l1");
    assert_eq!(h.lsn("125"), "full l1 l2=125");
    assert_eq!(h.lsn("140"), "full l1 l2 l3");
    assert_eq!(h.lsn("141"), "no: too late; before A 140 @10:45; after none");
    assert_eq!(
        h.lsn("109"),
        "no: hole A: 100..110 no full; before none; after A 110 @10:05"
    );
    assert_eq!(h.lsn("99"), "no: too early; before none; after A 110 @10:05");
    // Within a block of the log too.
    assert_eq!(h.lsn("1:125:7"), "full l1 l2=1:125:7");
}

#[test]
fn before_an_lsn_leaves_the_record_out() {
    let h = history(BOOK);
    assert_eq!(h.before_lsn("125"), "full l1 l2<125");
    // Everything before record 120 is what l1 ends with.
    assert_eq!(h.before_lsn("120"), "full l1");
    assert_eq!(h.before_lsn("110"), "full");
}

#[test]
fn a_missing_log_is_a_hole_with_its_exact_bounds() {
    let h = history(BOOK).without("l2");
    assert_eq!(h.latest(), "full l1");
    assert_eq!(h.spans(), "A: 110..120 @10:05-10:15");
    assert!(
        h.holes().contains("A: 120..130 missing log; A: 130..140 no full"),
        "{}",
        h.holes()
    );
    assert!(
        h.lsn("125")
            .starts_with("no: hole A: 120..130 missing log; before A 120 @10:15"),
        "{}",
        h.lsn("125")
    );
}

#[test]
fn a_full_behind_the_hole_begins_anew() {
    let h = history(
        "F f1 100..110 @10:00-10:05
         L l1 100..120 @10:15
         L l3 130..140 @10:45
         F f2 145..155 @10:50-10:55
         L l4 140..160 @11:00",
    );
    assert_eq!(h.latest(), "f2 l4");
    assert_eq!(h.spans(), "A: 110..120 @10:05-10:15; A: 155..160 @10:55-11:00");
    assert_eq!(h.lsn("160"), "f2 l4");
    assert!(h.lsn("150").starts_with("no: hole A: "), "{}", h.lsn("150"));
    let told = h.lsn("150");
    assert!(
        told.ends_with("; before A 120 @10:15; after A 155 @10:55"),
        "{told}"
    );
    let told = h.at("10:30");
    assert!(
        told.ends_with("; before A 120 @10:15; after A 155 @10:55"),
        "{told}"
    );
}

#[test]
fn a_differential_bridges_a_missing_log() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         D diff 131..135 @10:40 base=full
         L l3   130..140 @10:45",
    );
    assert_eq!(h.latest(), "full diff l3");
    assert_eq!(h.spans(), "A: 110..120 @10:05-10:15; A: 135..140 @10:40-10:45");
    assert_eq!(h.whole("diff"), "full diff");
    let told = h.at("10:20");
    assert!(told.starts_with("no: hole A: 120..1"), "{told}");
    assert!(
        told.ends_with("; before A 120 @10:15; after A 135 @10:40"),
        "{told}"
    );
}

#[test]
fn overlapping_logs_are_applied_where_they_reach_further() {
    // Someone's own log backup, of another schedule, with bounds of its own.
    let h = history(
        "F full  100..110 @10:00-10:05
         L l1    100..120 @10:15
         L other 115..135 @10:35 bytes=9
         L l2    120..130 @10:30
         L l3    130..140 @10:45",
    );
    // other takes a database from 110? No: 115 > 110. After l1 it stands at 120, inside other, which ends inside l3.
    assert_eq!(h.latest(), "full l1 other l3");
    assert_eq!(h.without("other").latest(), "full l1 l2 l3");
    assert_eq!(h.without("l2").latest(), "full l1 other l3");
    assert_eq!(h.spans(), "A: 110..140 @10:05-10:45");
}

#[test]
fn a_log_that_ends_where_the_database_stands_is_no_step() {
    // Applying it would do no harm, and no good either.
    let h = history(
        "F full 100..120 @10:00-10:20
         L l1   100..120 @10:15
         L l2   120..130 @10:30",
    );
    assert_eq!(h.latest(), "full l2");
    assert_eq!(h.whole("l1"), "full");
}

#[test]
fn copies_of_one_backup_are_one() {
    let h = history(
        "F full  100..110 @10:00-10:05
         L l1    100..120 @10:15 grade=headers
         L again 100..120 @10:15 copy_of=l1
         L l2    120..130 @10:30",
    );
    // The better proved copy.
    assert_eq!(h.latest(), "full again l2");
    assert_eq!(h.losing("l1"), "");
    assert_eq!(h.losing("again"), "");
    assert_eq!(h.losing("l1 again"), "A: 110..130 @10:05-10:30");
    assert_eq!(h.branches(), "A");
}

#[test]
fn the_order_of_the_sets_and_of_their_numbers_does_not_matter() {
    let h = history(
        "L l3   130..140 @10:45
         L l1   100..120 @10:15
         F full 100..110 @10:00-10:05
         L l2   120..130 @10:30",
    );
    assert_eq!(h.latest(), "full l1 l2 l3");
    assert_eq!(h.spans(), "A: 110..140 @10:05-10:45");
}

#[test]
fn logs_that_took_longer_than_those_after_them_still_go_by_lsn() {
    // Start dates in the wrong order by a second, as from two replicas of a group: LSNs decide.
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15:01
         L l2   120..130 @10:15:00
         L l3   130..140 @10:30",
    );
    assert_eq!(h.latest(), "full l1 l2 l3");
    assert_eq!(h.branches(), "A");
    assert_eq!(h.lsn("125"), "full l1 l2=125");
}

#[test]
fn a_switch_to_simple_and_back_starts_a_new_chain() {
    let h = history(
        "F f1 100..110 @10:00-10:05
         L l1 100..120 @10:15
         F f2 200..210 @11:00-11:05
         L l2 200..220 @11:15 began=200",
    );
    assert_eq!(h.latest(), "f2 l2");
    assert_eq!(h.spans(), "A: 110..120 @10:05-10:15; A: 210..220 @11:05-11:15");
    assert!(h.holes().contains("switched to simple"), "{}", h.holes());
    let told = h.at("10:30");
    assert!(
        told.contains("switched to simple; before A 120 @10:15; after A 210 @11:05"),
        "{told}"
    );
}

#[test]
fn in_simple_only_the_ends_of_data_backups_can_be_had() {
    let h = history(
        "F full 100..110 @10:00-10:05 simple
         D d1   120..125 @11:00 base=full simple
         D d2   130..135 @12:00 base=full simple",
    );
    assert_eq!(h.latest(), "full d2");
    assert_eq!(
        h.spans(),
        "A: 110..110 @10:05; A: 125..125 @11:00; A: 135..135 @12:00"
    );
    assert_eq!(h.at("11:00"), "full d1");
    let told = h.at("11:30");
    assert!(told.starts_with("no: hole A: 125..135 "), "{told}");
    assert!(
        told.ends_with("; before A 125 @11:00; after A 135 @12:00"),
        "{told}"
    );
}

#[test]
fn a_mark_is_a_stop_on_the_log_that_holds_it() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         L l2   120..130 @10:30
         mark pay 125 @10:20
         mark old 105 @10:02",
    );
    assert_eq!(h.mark("pay"), "full l1 l2~pay");
    assert!(
        h.mark("none").starts_with("no: unknown mark"),
        "{}",
        h.mark("none")
    );
    // The record lies before what the full serves.
    assert!(
        h.mark("old").starts_with("no: hole A: 100..110 no full"),
        "{}",
        h.mark("old")
    );
}

#[test]
fn of_marks_of_one_name_the_first_at_or_after_the_moment() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         L l2   120..130 @10:30
         mark nightly 115 @10:10
         mark nightly 125 @10:20",
    );
    // A name that was used twice goes by the record it means.
    assert_eq!(h.mark("nightly"), "full l1=115");
    assert_eq!(h.mark_after("nightly", "10:05"), "full l1=115");
    assert_eq!(h.mark_after("nightly", "10:15"), "full l1 l2=125");
}
