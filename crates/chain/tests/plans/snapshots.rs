//! A host put back to a snapshot writes the same LSNs again under the same fork id: two histories that SQL Server's headers do not
//! tell apart.

use crate::notation::{History, history};

/// The host was put back to what it was at 10:16, when LSN 120 was the last backed up.
fn put_back() -> History {
    history(
        "F f  100..110 @10:00-10:05
         L l1 100..120 @10:15
         L l2 120..160 @10:30
         L m1 120..140 @11:00
         L m2 140..150 @11:15",
    )
}

#[test]
fn a_later_log_that_ends_lower_tells_two_histories() {
    let h = put_back();
    let coverage = h.coverage();
    assert_eq!(coverage.branches.len(), 2, "{}", h.branches());
    assert!(coverage.branches.iter().any(|branch| branch.evidence.is_some()));
    // The line that was written last.
    assert_eq!(h.latest(), "f l1 m1 m2");
}

#[test]
fn the_two_are_never_mixed() {
    let h = put_back();
    // l2 from 120, then nothing: m2 begins inside it by number, and is of the other line.
    assert_eq!(h.lsn("155"), "f l1 l2=155");
    assert_eq!(h.whole("l2"), "f l1 l2");
    assert_eq!(h.lsn("145"), "f l1 m1 m2=145");
    assert_eq!(h.on_other_branches(&h.local("11:10")), "");
    assert_eq!(h.at("11:10"), "f l1 m1 m2@11:10");
    assert_eq!(h.at("10:25"), "f l1 l2@10:25");
}

#[test]
fn what_was_before_the_snapshot_belongs_to_both() {
    let h = put_back();
    assert_eq!(h.lsn("115"), "f l1=115");
    assert_eq!(h.at("10:10"), "f l1@10:10");
    assert_eq!(h.on_other_branches(&h.local("10:10")), "");
}

#[test]
fn backups_one_after_the_other_are_one_history() {
    let h = history(
        "F f  100..110 @10:00-10:05
         L l1 100..120 @10:15
         F g  115..125 @10:20-10:25
         L l2 120..130 @10:30",
    );
    assert_eq!(h.branches(), "A");
}
