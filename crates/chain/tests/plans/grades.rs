//! How sure the sets are, and whether all their stripes are there.

use crate::notation::history;

#[test]
fn proved_sets_are_taken_before_accepted_ones_even_where_that_is_longer() {
    let h = history(
        "F old 100..110 @10:00-10:05
         L l1  100..120 @10:15
         F new 125..128 @10:20-10:25 grade=accepted
         L l2  120..130 @10:30
         L l3  130..140 @10:45",
    );
    assert_eq!(h.latest(), "old l1 l2 l3");
    assert_eq!(h.without("old").latest(), "new l2 l3");
    // The end of a set means that set, whole: nothing else ends there.
    assert_eq!(h.lsn("128"), "new");
    assert_eq!(h.lsn("129"), "old l1 l2=129");
}

#[test]
fn grades_count_from_the_worst() {
    // One step that only its headers vouch for weighs more than two that SQL Server vouches for.
    let h = history(
        "F a  100..110 @10:00-10:05 grade=accepted
         L l1 100..120 @10:15 grade=accepted
         F b  115..120 @10:16-10:18 grade=headers
         L l2 120..130 @10:30",
    );
    assert_eq!(h.latest(), "a l1 l2");
}

#[test]
fn verified_by_the_engine_is_better_than_accepted() {
    let h = history(
        "F a 100..110 @10:00-10:05 grade=engine
         F b 112..118 @10:10-10:12 grade=accepted
         L l 100..130 @10:30",
    );
    assert_eq!(h.latest(), "a l");
}

#[test]
fn a_disputed_set_is_taken_only_where_it_is_named() {
    let h = history(
        "F full 100..110 @10:00-10:05 grade=disputed
         L l1   100..120 @10:15",
    );
    assert!(h.latest().starts_with("no: "), "{}", h.latest());
    assert_eq!(h.spans(), "");
    assert!(h.holes().contains("full damaged"), "{}", h.holes());
    assert_eq!(h.accepting("full").latest(), "full! l1");
    // Naming another set helps nothing.
    assert!(
        h.accepting("l1").latest().starts_with("no: "),
        "{}",
        h.accepting("l1").latest()
    );
}

#[test]
fn a_disputed_log_is_a_hole_until_it_is_named() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         L l2   120..130 @10:30 grade=disputed
         L l3   130..140 @10:45",
    );
    assert_eq!(h.latest(), "full l1");
    assert!(h.holes().contains("A: 120..130 l2 damaged"), "{}", h.holes());
    assert_eq!(h.accepting("l2").latest(), "full l1 l2! l3");
    let told = h.whole("l2");
    assert!(told.starts_with("no: set unusable, l2 damaged"), "{told}");
}

#[test]
fn a_disputed_set_that_is_named_is_still_the_last_resort() {
    let h = history(
        "F old 100..110 @10:00-10:05
         L l1  100..120 @10:15
         F new 125..128 @10:20-10:25 grade=disputed
         L l2  120..130 @10:30",
    );
    assert_eq!(h.accepting("new").latest(), "old l1 l2");
    assert_eq!(h.accepting("new").without("old").latest(), "new! l2");
}

#[test]
fn a_set_that_is_not_known_to_have_succeeded_is_never_taken() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         L l2   120..130 @10:30 grade=none",
    );
    assert_eq!(h.latest(), "full l1");
    assert_eq!(h.holes(), "A: 100..110 no full; A: 120..130 l2 not proved");
    assert_eq!(h.accepting("l2").latest(), "full l1");
    let told = h.whole("l2");
    assert!(told.starts_with("no: set unusable, l2 not proved"), "{told}");
}

#[test]
fn a_set_that_lacks_a_stripe_is_never_taken() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         L l2   120..130 @10:30 stripes 2 missing 2
         L l3   130..140 @10:45 stripes 2",
    );
    assert_eq!(h.latest(), "full l1");
    assert!(
        h.holes().contains("A: 120..130 stripe 2 of l2 missing"),
        "{}",
        h.holes()
    );
    assert_eq!(h.accepting("l2").latest(), "full l1");
    let told = h.at("10:20");
    assert!(
        told.starts_with("no: hole A: 120..130 stripe 2 of l2 missing; before A 120 @10:15"),
        "{told}"
    );
}

#[test]
fn a_full_that_lacks_a_stripe_gives_way_to_the_one_before() {
    let h = history(
        "F old 100..110 @10:00-10:05
         L l1  100..120 @10:15
         F new 125..128 @10:20-10:25 stripes 4 missing 1,3
         L l2  120..130 @10:30",
    );
    assert_eq!(h.latest(), "old l1 l2");
    assert_eq!(h.spans(), "A: 110..130 @10:05-10:30");
    assert_eq!(h.holes(), "A: 100..110 no full");
    let told = h.whole("new");
    assert!(
        told.starts_with("no: set unusable, stripe 1,3 of new missing"),
        "{told}"
    );
}

#[test]
fn all_stripes_present_is_a_set_like_any_other() {
    let h = history(
        "F full 100..110 @10:00-10:05 stripes 64
         L l1   100..120 @10:15 stripes 2",
    );
    assert_eq!(h.latest(), "full l1");
}

#[test]
fn the_only_set_says_why_it_is_of_no_use() {
    let h = history("F full 100..110 @10:00-10:05 grade=disputed");
    assert_eq!(h.latest(), "no: nothing; before none; after none");
    assert_eq!(
        h.whole("full"),
        "no: set unusable, full damaged; before none; after none"
    );
    assert_eq!(h.accepting("full").whole("full"), "full!");
}
