//! A host put back to a snapshot writes the same LSNs again under the same fork id: two histories that SQL Server's headers do not
//! tell apart.

use chain::Target;

use crate::notation::{History, history, lsn};

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
fn a_later_full_that_ends_lower_tells_two_histories() {
    // The log had reached 160 when, an hour later, a full says that the database is at 135.
    let h = history(
        "F f  100..110 @10:00-10:05
         L l1 100..160 @10:30
         F g  125..135 @11:30-11:35
         L m1 120..170 @12:00",
    );
    assert_eq!(h.coverage().branches.len(), 2, "{}", h.branches());
    assert_eq!(h.latest(), "g m1");
    assert_eq!(h.lsn("140"), "g m1=140");
    assert_eq!(h.on_other_branches(&Target::Lsn(lsn("140"))), "f l1=140");
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

#[test]
fn log_blocks_that_differ_tell_two_histories_where_times_do_not() {
    // m1 ends higher than l2, as a log of the same history would.
    let h = history(
        "F f  100..110 @10:00-10:05
         L l1 100..120 @10:15
         L l2 120..140 @10:30 log=this
         L m1 120..160 @11:00 log=that",
    );
    assert_eq!(h.coverage().branches.len(), 2, "{}", h.branches());
    assert_eq!(h.latest(), "f l1 m1");
    assert_eq!(h.lsn("130"), "f l1 m1=130");
    let target = chain::Target::Lsn(lsn("130"));
    assert_eq!(h.on_other_branches(&target), "f l1 l2=130");
}

#[test]
fn log_blocks_that_agree_are_one_history_whatever_the_times_say() {
    // g began an hour after l1 was over, and ends below it: a clock that was set, since they hold the same log.
    let h = history(
        "F f  100..110 @10:00-10:05
         L l1 100..160 @12:30 log=this
         F g  120..135 @13:30-13:35 log=this
         L l2 160..170 @14:00",
    );
    assert_eq!(h.branches(), "A");
    assert_eq!(h.latest(), "g l1 l2");
}

#[test]
fn an_empty_log_belongs_to_the_line_on_which_a_log_ended_there() {
    // The host is put back after e; m1 passes LSN 140 without a log that ends there, so e cannot be of its line, whatever the times say.
    let h = history(
        "F f  100..110 @10:00-10:05
         L l1 100..120 @10:15
         L l2 120..140 @10:30 log=this
         L e  140..140 @10:45
         L m1 120..160 @11:00 log=that",
    );
    assert_eq!(h.coverage().branches.len(), 2, "{}", h.branches());
    assert_eq!(h.whole("e"), "f l1 l2");
    assert_eq!(h.latest(), "f l1 m1");
}

#[test]
fn a_fork_left_the_line_that_had_written_so_far_by_then() {
    // A restore of f and l1 to LSN 130 began fork B. An hour later its server was put back to what it was at 10:16, and wrote m1, which
    // ends where b1 begins by chance: nothing of B stands on m1.
    let h = history(
        "F f  100..110 @10:00-10:05
         L l1 100..120 @10:15 log=this
         F g  125..128 @10:25-10:26
         L l2 120..150 @10:30 log=this
         L b1 128..170 @11:00 fork=B from A at 130
         L m1 120..128 @12:00 log=that
         L m2 128..160 @12:15 log=that",
    );
    assert_eq!(h.coverage().branches.len(), 3, "{}", h.branches());
    let target = Target::Lsn(lsn("145"));
    let plans = [h.lsn("145"), h.on_other_branches(&target)].join("; ");
    assert!(plans.contains("m1 m2=145"), "{plans}");
    assert!(plans.contains("l2=145"), "{plans}");
    assert!(!plans.contains("m1 b1"), "{plans}");
}
