//! What would be lost if sets were deleted.

use crate::notation::history;

const BOOK: &str = "
    F old  100..110 @10:00-10:05
    L l1   100..120 @10:15
    F new  122..128 @10:20-10:25
    L l2   120..130 @10:30
    D diff 131..134 @10:40 base=new
    L l3   130..140 @10:45";

#[test]
fn without_the_old_full_the_time_before_the_new_one_is_lost() {
    let h = history(BOOK);
    assert_eq!(h.spans(), "A: 110..140 @10:05-10:45");
    // 110 to 128 had only the old full. From 10:25 on the new one serves.
    assert_eq!(h.losing("old"), "A: 110..128 @10:05-10:25");
    assert_eq!(h.losing("l1"), "A: 110..128 @10:05-10:25");
}

#[test]
fn without_the_new_full_nothing_is_lost() {
    let h = history(BOOK);
    assert_eq!(h.losing("new"), "");
    assert_eq!(h.losing("diff"), "");
    assert_eq!(h.losing("new diff"), "");
}

#[test]
fn without_a_log_that_nothing_bridges_its_interior_is_lost() {
    let h = history(BOOK);
    // diff of new brings the database to 134, inside l3.
    assert_eq!(h.without("old l1").spans(), "A: 128..140 @10:25-10:45");
    assert_eq!(
        h.without("old l1 l2").spans(),
        "A: 128..128 @10:25; A: 134..140 @10:40-10:45"
    );
    assert_eq!(h.without("old l1").losing("l2"), "A: 128..134 @10:25-10:40");
    // diff still serves its end.
    assert_eq!(
        h.losing("l3"),
        "A: 130..134 @10:30-10:40; A: 134..140 @10:40-10:45"
    );
}

#[test]
fn both_fulls_together_hold_everything() {
    let h = history(BOOK);
    assert_eq!(h.losing("old new"), h.spans());
    assert_eq!(h.losing(""), "");
}

#[test]
fn an_empty_log_holds_the_time_it_witnesses() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         L e1   120..120 @10:30",
    );
    assert_eq!(h.losing("e1"), "A: 120..120 @10:15-10:30");
}

#[test]
fn unusable_sets_protect_nothing() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15 grade=none
         L l2   100..120 @10:15 stripes 2 missing 1",
    );
    assert_eq!(h.losing("l1 l2"), "");
}
