//! The hour that a clock shows twice, and the one that it never shows. Central European rules: on 2026-10-25 the clock goes from 03:00
//! back to 02:00 at 01:00 UTC; on 2026-03-29 it goes from 02:00 to 03:00 at 01:00 UTC.

use crate::notation::history;

const ZONE: &str = "zone CET-1CEST,M3.5.0,M10.5.0/3\n";

#[test]
fn where_each_reading_is_in_a_log_of_its_own_both_are_offered() {
    let h = history(&format!(
        "{ZONE} day 2026-10-25
         F full 100..110 @01:00-01:05 offset=+120
         L l1   100..120 @02:15 offset=+120
         L l2   120..130 @02:45 offset=+120
         L l3   130..140 @02:15 offset=+60
         L l4   140..150 @02:45 offset=+60"
    ));
    // 23:05 to 01:45 of UTC: 02:45 of winter is 01:45.
    assert_eq!(h.spans(), "A: 110..150 @24/23:05-01:45");
    let told = h.at("02:30");
    assert!(told.starts_with("no: shown twice, 00:30 and 01:30"), "{told}");
    // An offset tells which: 00:30 is in l2 (00:15 to 00:45), 01:30 in l4 (01:15 to 01:45).
    assert_eq!(h.utc("00:30"), "full l1 l2@02:30");
    assert_eq!(h.utc("01:30"), "full l1 l2 l3 l4@02:30");
}

#[test]
fn where_only_one_reading_is_covered_it_is_the_one_meant() {
    let h = history(&format!(
        "{ZONE} day 2026-10-25
         F full 100..110 @02:20-02:25 offset=+60
         L l1   100..120 @02:45 offset=+60"
    ));
    assert_eq!(h.at("02:30"), "full l1@02:30");
}

#[test]
fn where_both_readings_are_in_one_log_the_plan_refuses_and_offers_what_is_beyond_doubt() {
    let h = history(&format!(
        "{ZONE} day 2026-10-25
         F full 100..110 @01:00-01:05 offset=+120
         L l1   100..120 @01:45 offset=+120
         L l2   120..130 @03:15 offset=+60
         L l3   130..140 @03:45 offset=+60"
    ));
    for told in [h.at("02:30"), h.utc("00:30"), h.utc("01:30")] {
        assert!(told.starts_with("no: shown twice in l2"), "{told}");
        assert!(told.contains("before A") && told.contains("after A"), "{told}");
    }
    // The LSNs of the log are as good as ever.
    assert_eq!(h.lsn("125"), "full l1 l2=125");
    // Outside the doubled hour the same log serves moments.
    assert_eq!(h.at("01:50"), "full l1 l2@01:50");
    assert_eq!(h.at("03:10"), "full l1 l2@03:10");
}

#[test]
fn an_hour_that_the_clock_never_showed_is_named_so() {
    let h = history(&format!(
        "{ZONE} day 2026-03-29
         F full 100..110 @01:00-01:05 offset=+60
         L l1   100..120 @03:30 offset=+120"
    ));
    assert!(h.at("02:30").starts_with("no: never shown"), "{}", h.at("02:30"));
    assert_eq!(h.utc("01:15"), "full l1@03:15");
    assert_eq!(h.at("03:15"), "full l1@03:15");
    assert_eq!(h.at("01:30"), "full l1@01:30");
}

#[test]
fn without_rules_of_a_zone_the_offsets_of_the_sets_tell_a_change() {
    // l2 is said to be of +60, l1 of +120: the clock went back between them, or inside l2.
    let h = history(
        "day 2026-10-25
         F full 100..110 @01:00-01:05 offset=+120
         L l1   100..120 @01:45 offset=+120
         L l2   120..130 @03:15 offset=+60",
    );
    assert!(h.at("02:30").starts_with("no: "), "{}", h.at("02:30"));
}
