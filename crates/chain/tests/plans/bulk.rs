//! Logs with bulk-logged changes: whole or not at all.

use crate::notation::history;

const BOOK: &str = "
    F full 100..110 @10:00-10:05
    L l1   100..120 @10:15
    L bulk 120..130 @10:30-10:32 bulk
    L l3   130..140 @10:45";

#[test]
fn its_end_is_reachable_and_its_interior_is_not() {
    let h = history(BOOK);
    assert_eq!(h.latest(), "full l1 bulk l3");
    assert_eq!(h.whole("bulk"), "full l1 bulk");
    assert_eq!(h.lsn("120"), "full l1");
    assert_eq!(h.lsn("130"), "full l1 bulk");
    let told = h.lsn("125");
    assert!(
        told.starts_with("no: hole A: 120..130 bulk-logged bulk; before A 120"),
        "{told}"
    );
    assert!(told.contains("; after A 130"), "{told}");
}

#[test]
fn moments_end_before_it_and_begin_again_when_it_has_finished() {
    let h = history(BOOK);
    assert_eq!(h.spans(), "A: 110..120 @10:05-10:15; A: 130..140 @10:32-10:45");
    assert_eq!(h.holes(), "A: 100..110 no full; A: 120..130 bulk-logged bulk");
    assert_eq!(h.at("10:15"), "full l1@10:15");
    assert_eq!(h.at("10:32"), "full l1 bulk l3@10:32");
    // Its finish is known to be behind its last record, its start is not.
    for time in ["10:16", "10:30", "10:31"] {
        let told = h.at(time);
        assert!(
            told.starts_with("no: hole A: 120..130 bulk-logged bulk; before A 120 @10:15; after A 130"),
            "{told}"
        );
    }
}

#[test]
fn it_never_carries_a_stop() {
    // STOPAT on an earlier log would be right for a moment before its finish; on this one SQL Server says 4341.
    let h = history(BOOK);
    for time in ["10:32", "10:40", "10:45"] {
        let told = h.at(time);
        assert_eq!(told, format!("full l1 bulk l3@{time}"));
    }
}

#[test]
fn a_full_that_ends_inside_it_may_be_taken_on_through_it() {
    let h = history(
        "F full 100..125 @10:00-10:20
         L bulk 100..130 @10:30-10:32 bulk
         L l2   130..140 @10:45",
    );
    assert_eq!(h.latest(), "full bulk l2");
    assert_eq!(h.lsn("125"), "full");
    let told = h.lsn("127");
    assert!(
        told.starts_with("no: hole A: 125..130 bulk-logged bulk"),
        "{told}"
    );
}

#[test]
fn the_bulk_logged_model_alone_is_no_obstacle() {
    // A log of the BULK_LOGGED model without bulk changes is a log like any other.
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15 bulk_logged",
    );
    assert_eq!(h.at("10:10"), "full l1@10:10");
    assert_eq!(h.lsn("115"), "full l1=115");
}
