//! Which full and which differential a plan may begin with.

use crate::notation::history;

#[test]
fn a_lone_full_serves_its_end_and_the_moment_it_finished() {
    let h = history("F full 100..110 @10:00-10:05");
    assert_eq!(h.latest(), "full");
    assert_eq!(h.whole("full"), "full");
    assert_eq!(h.lsn("110"), "full");
    assert_eq!(h.at("10:05"), "full");
    assert_eq!(h.spans(), "A: 110..110 @10:05");
    assert_eq!(h.holes(), "");
    // The data of a moment while the backup ran is not in it as of that moment.
    assert_eq!(h.at("10:02"), "no: too early; before none; after A 110 @10:05");
    assert_eq!(h.lsn("105"), "no: too early; before none; after A 110 @10:05");
    assert_eq!(h.at("10:06"), "no: too late; before A 110 @10:05; after none");
    assert_eq!(h.lsn("111"), "no: too late; before A 110 @10:05; after none");
}

#[test]
fn nothing_comes_of_nothing() {
    let h = history("");
    assert_eq!(h.latest(), "no: nothing; before none; after none");
    assert_eq!((h.spans(), h.holes(), h.branches()), Default::default());
}

#[test]
fn logs_without_a_full_restore_nothing() {
    let h = history(
        "L l1 100..120 @10:15
         L l2 120..130 @10:30",
    );
    assert_eq!(h.spans(), "");
    assert_eq!(h.holes(), "A: 100..130 no full");
    assert!(h.latest().starts_with("no: "), "{}", h.latest());
    assert!(h.at("10:20").starts_with("no: "), "{}", h.at("10:20"));
}

#[test]
fn a_copy_only_full_is_a_base_for_logs() {
    // copy ends at 125, inside l2 (120 <= 125 <= 130); the logs know nothing of it, and need not.
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         F copy 115..125 @10:20-10:25 copy
         L l2   120..130 @10:30
         L l3   130..140 @10:45",
    );
    assert_eq!(h.latest(), "copy l2 l3");
    assert_eq!(h.without("full").latest(), "copy l2 l3");
    assert_eq!(h.without("full").spans(), "A: 125..140 @10:25-10:45");
    assert_eq!(h.at("10:20"), "full l1 l2@10:20");
}

#[test]
fn a_copy_only_full_is_never_the_base_of_a_differential() {
    // SQL Server would refuse it with message 3136, whatever a header claims.
    let h = history(
        "F copy 100..110 @10:00-10:05 copy
         D diff 120..125 @11:00 base=copy",
    );
    assert_eq!(h.latest(), "copy");
    assert_eq!(h.spans(), "A: 110..110 @10:05");
    assert!(
        h.whole("diff")
            .starts_with("no: set unusable, base of diff missing"),
        "{}",
        h.whole("diff")
    );
}

#[test]
fn a_copy_only_full_in_between_leaves_the_differential_its_base() {
    let h = history(
        "F full 100..110 @10:00-10:05
         F copy 115..118 @10:20-10:25 copy
         D diff 120..125 @11:00 base=full",
    );
    assert_eq!(h.latest(), "full diff");
    assert_eq!(h.without("full").latest(), "copy");
}

#[test]
fn a_full_in_the_middle_does_not_break_the_run_of_logs() {
    let h = history(
        "F old 100..110 @10:00-10:05
         L l1  100..120 @10:15
         F new 122..128 @10:20-10:25
         L l2  120..130 @10:30
         L l3  130..140 @10:45",
    );
    assert_eq!(h.spans(), "A: 110..140 @10:05-10:45");
    assert_eq!(h.holes(), "A: 100..110 no full");
    // new ends at 128, inside l2.
    assert_eq!(h.latest(), "new l2 l3");
    assert_eq!(h.at("10:26"), "new l2@10:26");
    // Before new finished, only the old full and the logs across new get there.
    assert_eq!(h.at("10:22"), "old l1 l2@10:22");
    assert_eq!(h.lsn("125"), "old l1 l2=125");
    assert_eq!(h.lsn("128"), "new");
    assert_eq!(h.without("new").latest(), "old l1 l2 l3");
    assert_eq!(h.without("new").spans(), h.spans());
}

#[test]
fn the_newest_differential_of_the_newest_full_is_the_shortest_way() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         D d1   121..124 @10:20 base=full
         L l2   120..130 @10:30
         D d2   131..134 @10:40 base=full
         L l3   130..140 @10:45",
    );
    assert_eq!(h.latest(), "full d2 l3");
    // d1 instead of l1 saves no step, and is larger.
    assert_eq!(h.at("10:35"), "full l1 l2 l3@10:35");
    // At most one differential; 124 lies inside l2.
    assert_eq!(h.without("l1").at("10:35"), "full d1 l2 l3@10:35");
    assert_eq!(h.whole("d1"), "full d1");
    assert_eq!(h.lsn("134"), "full d2");
    assert_eq!(h.spans(), "A: 110..140 @10:05-10:45");
}

#[test]
fn a_differential_of_another_base_is_refused() {
    // A snapshot by another product became the base; its full is not here.
    let h = history(
        "F ours 100..110 @10:00-10:05
         D ok   112..114 @10:10 base=ours
         D lost 130..135 @10:40 base=!theirs@120",
    );
    assert_eq!(h.latest(), "ours ok");
    assert_eq!(h.spans(), "A: 110..110 @10:05; A: 114..114 @10:10");
    assert!(
        h.whole("lost")
            .starts_with("no: set unusable, base of lost missing"),
        "{}",
        h.whole("lost")
    );
    assert!(h.holes().contains("base of lost missing"), "{}", h.holes());
}

#[test]
fn a_differential_goes_by_guid_even_where_the_checkpoint_is_that_of_another_full() {
    // Two servers restored from one backup take fulls at the same LSN: checkpoints are equal, the backups are not.
    let h = history(
        "F ours 100..110 @10:00-10:05 cp=100
         D lost 112..114 @10:10 base=!theirs@100",
    );
    assert_eq!(h.latest(), "ours");
}

#[test]
fn a_differential_without_a_guid_goes_by_the_checkpoint_of_its_base() {
    let h = history(
        "F old  100..110 @10:00-10:05 cp=102
         F new  120..130 @10:20-10:25 cp=121
         D diff 140..145 @10:40 base=?121",
    );
    assert_eq!(h.latest(), "new diff");
    assert_eq!(h.whole("diff"), "new diff");
    assert_eq!(h.without("new").latest(), "old");
}

#[test]
fn a_differential_between_two_fulls_belongs_to_the_first() {
    // Taken after `new` began, but its base by GUID is `old`.
    let h = history(
        "F old  100..110 @10:00-10:05
         F new  120..130 @10:20-10:25
         D diff 140..145 @10:40 base=old",
    );
    assert_eq!(h.latest(), "old diff");
    assert_eq!(h.lsn("130"), "new");
}

#[test]
fn a_full_that_took_long_serves_from_its_end() {
    // The log of 00:30 was taken while the full ran; the full ends at 170, inside the next log (150 <= 170 <= 250).
    let h = history(
        "F full 100..170 @2/21:15-3/00:45
         L l1    90..150 @3/00:30
         L l2   150..250 @3/04:30",
    );
    assert_eq!(h.latest(), "full l2");
    assert_eq!(h.spans(), "A: 170..250 @3/00:45-3/04:30");
    assert_eq!(
        h.at("3/00:30"),
        "no: too early; before none; after A 170 @3/00:45"
    );
    assert_eq!(h.at("3/01:00"), "full l2@3/01:00");
}

#[test]
fn of_plans_that_cost_the_same_the_newest_data_backup_is_taken() {
    let h = history(
        "F old 100..110 @10:00-10:05
         F new 112..118 @10:10-10:12
         L l1  100..130 @10:30",
    );
    assert_eq!(h.latest(), "new l1");
    assert_eq!(h.alternatives(&chain::Target::Latest), "old l1");
}

#[test]
fn of_plans_as_long_the_one_with_fewer_bytes_is_taken() {
    let h = history(
        "F small 100..110 @10:00-10:05 bytes=500
         F big   112..118 @10:10-10:12 bytes=900
         L l1    100..130 @10:30",
    );
    assert_eq!(h.latest(), "small l1");
    assert_eq!(h.alternatives(&chain::Target::Latest), "big l1");
}
