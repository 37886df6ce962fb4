//! Recovery forks that SQL Server declares: a database recovered to a point before the end of its log goes on under a new fork id.

use chain::Target;

use crate::notation::{History, history, lsn};

/// Recovered to LSN 130, in the middle of a2, at a time nobody wrote down; b1 reaches back across the point to where a1 ended.
fn crossing() -> History {
    history(
        "F f  100..110 @10:00-10:05
         L a1 100..120 @10:15
         L a2 120..140 @10:30
         L a3 140..160 @10:45
         L b1 120..150 @11:00 fork=B from A at 130
         L b2 150..170 @11:15 fork=B",
    )
}

#[test]
fn a_fork_is_followed_over_its_point() {
    // After a1 the database stands at 120 <= 130, where A and B are one, and 120 is in b1.
    let h = crossing();
    assert_eq!(h.branches(), "A; B from A at 130");
    assert_eq!(h.latest(), "f a1 b1 b2");
    assert_eq!(h.branch_of(&Target::Latest), "B");
    assert_eq!(h.whole("b1"), "f a1 b1");
    assert_eq!(h.lsn("170"), "f a1 b1 b2");
}

#[test]
fn both_lines_are_covered_and_never_mixed() {
    let h = crossing();
    // b1 serves moments from its own start only: nobody knows when the restore happened.
    assert_eq!(h.spans(), "A: 110..160 @10:05-10:45; B: 130..170 @11:00-11:15");
    // a2 ends at 140, which is inside b2's neighbour b1 by number, but behind the point: a2 leads to a3 and to nothing of B.
    assert_eq!(
        h.without("b1").on("B").latest().split(';').next(),
        Some("no: nothing")
    );
    assert_eq!(h.on("A").latest(), "f a1 a2 a3");
}

#[test]
fn the_abandoned_line_keeps_its_moments() {
    let h = crossing();
    assert_eq!(h.at("10:40"), "f a1 a2 a3@10:40");
    assert_eq!(h.at("10:20"), "f a1 a2@10:20");
    assert_eq!(h.at("11:10"), "f a1 b1 b2@11:10");
}

#[test]
fn an_lsn_that_both_lines_have_means_the_line_written_last_and_the_other_is_named() {
    let h = crossing();
    assert_eq!(h.lsn("145"), "f a1 b1=145");
    assert_eq!(h.on_other_branches(&Target::Lsn(lsn("145"))), "f a1 a2 a3=145");
    assert_eq!(h.on("A").lsn("145"), "f a1 a2 a3=145");
}

#[test]
fn a_forked_log_that_begins_inside_a_log_of_its_parent_cuts_it() {
    // As SQL Server's own planner has it: a2 runs past 130, where b1 begins, so a2 is applied only up to 130.
    let h = history(
        "F f  100..110 @10:00-10:05
         L a1 100..120 @10:15
         L a2 120..140 @10:30
         L b1 130..150 @11:00 fork=B from A at 130",
    );
    assert_eq!(h.latest(), "f a1 a2<130 b1");
    assert_eq!(h.on("A").latest(), "f a1 a2");
    assert_eq!(h.spans(), "A: 110..140 @10:05-10:30; B: 130..150 @11:00");
}

#[test]
fn the_cut_is_where_the_forked_log_begins_even_before_the_point() {
    let h = history(
        "F f  100..110 @10:00-10:05
         L a1 100..120 @10:15
         L a2 120..140 @10:30
         L b1 125..150 @11:00 fork=B from A at 130",
    );
    assert_eq!(h.latest(), "f a1 a2<125 b1");
}

#[test]
fn a_parent_that_stands_behind_the_point_does_not_lead_on() {
    // The only full of A ends at 135 > 130: it has changes that B never had.
    let h = history(
        "F f  100..135 @10:00-10:25
         L b1 120..150 @11:00 fork=B from A at 130",
    );
    assert_eq!(h.on("B").latest().split(';').next(), Some("no: nothing"));
    // Of the branches that get anywhere, A is the one written last.
    assert_eq!(h.latest(), "f");
    assert_eq!(h.spans(), "A: 135..135 @10:25");
}

#[test]
fn a_full_of_the_new_line_carries_it_alone() {
    // Its header repeats the origin, far behind the point, as real files do.
    let h = history(
        "F f  100..110 @10:00-10:05
         L a1 100..140 @10:15
         F g  180..190 @11:30-11:35 fork=B from A at 130
         L b1 185..200 @12:00 fork=B",
    );
    assert_eq!(h.latest(), "g b1");
    assert_eq!(h.spans(), "A: 110..140 @10:05-10:15; B: 190..200 @11:35-12:00");
    assert_eq!(h.branches(), "A; B from A at 130");
    assert_eq!(h.on("A").latest(), "f a1");
}

#[test]
fn a_differential_of_one_line_does_not_take_logs_of_the_other() {
    let h = history(
        "F f  100..110 @10:00-10:05
         D d  135..138 @10:20 base=f
         L a2 130..140 @10:30
         L b1 125..150 @11:00 fork=B from A at 130",
    );
    // 138 is inside b1 by number; its fork at 138 is A, that of b1 there is B.
    assert_eq!(h.on("A").latest(), "f d a2");
    assert_eq!(h.on("B").latest().split(';').next(), Some("no: nothing"));
}

#[test]
fn a_fork_of_a_fork_is_followed_through_both_points() {
    let h = history(
        "F f  100..110 @10:00-10:05
         L a1 100..120 @10:15
         L a2 120..140 @10:30
         L b1 120..150 @11:00 fork=B from A at 130
         L b2 150..170 @11:15 fork=B
         L c1 150..180 @12:00 fork=C from B at 160",
    );
    assert_eq!(h.branches(), "A; B from A at 130; C from B at 160");
    assert_eq!(h.latest(), "f a1 b1 c1");
    assert_eq!(h.on("B").latest(), "f a1 b1 b2");
    assert_eq!(h.on("A").latest(), "f a1 a2");
}

#[test]
fn without_the_parent_the_new_line_has_no_full() {
    let h = history(
        "L b1 120..150 @11:00 fork=B from A at 130
         L b2 150..170 @11:15 fork=B",
    );
    assert_eq!(h.spans(), "");
    assert!(h.holes().contains("no full"), "{}", h.holes());
}

#[test]
fn the_cut_does_not_depend_on_how_far_the_parent_went_on() {
    // a2 ends long behind everything of B.
    let h = history(
        "F f  100..110 @10:00-10:05
         L a1 100..120 @10:15
         L a2 120..900 @10:30
         L b1 130..150 @11:00 fork=B from A at 130
         L b2 150..160 @11:15 fork=B",
    );
    assert_eq!(h.latest(), "f a1 a2<130 b1 b2");
    assert_eq!(h.lsn("155"), "f a1 a2<130 b1 b2=155");
    assert_eq!(h.on("A").lsn("155"), "f a1 a2=155");
    assert_eq!(h.spans(), "A: 110..900 @10:05-10:30; B: 130..160 @11:00-11:15");
}

#[test]
fn a_bulk_logged_log_of_the_parent_cannot_be_cut() {
    // It is applied whole or not at all.
    let h = history(
        "F f  100..110 @10:00-10:05
         L a1 100..120 @10:15
         L a2 120..140 @10:30 bulk
         L b1 130..150 @11:00 fork=B from A at 130",
    );
    assert_eq!(h.on("B").latest().split(';').next(), Some("no: nothing"));
    assert_eq!(h.on("A").latest(), "f a1 a2");
}

#[test]
fn a_mark_is_of_one_line_only() {
    // 135 is a record of A and, behind the point, another one of B; 125 is before the point and of both.
    let h = history(
        "F f  100..110 @10:00-10:05
         L a1 100..120 @10:15
         L a2 120..140 @10:30
         L b1 120..150 @11:00 fork=B from A at 130
         mark abandoned 135 @10:28 fork=A
         mark alive 135 @10:50 fork=B
         mark shared 125 @10:18 fork=A",
    );
    assert_eq!(h.mark("abandoned"), "f a1 a2~abandoned");
    assert_eq!(h.mark("alive"), "f a1 b1~alive");
    assert_eq!(
        h.on("A").mark("alive").split(';').next(),
        Some("no: unknown mark")
    );
    assert_eq!(h.on("B").mark("shared"), h.mark("shared"));
}

#[test]
fn a_name_that_both_lines_use_goes_by_the_record() {
    // b1 holds the mark at 125 as well: by name the restore would stop there.
    let h = history(
        "F f  100..110 @10:00-10:05
         L a1 100..120 @10:15
         L b1 120..150 @11:00 fork=B from A at 130
         mark nightly 125 @10:18 fork=A
         mark nightly 140 @10:55 fork=B",
    );
    assert_eq!(h.mark_after("nightly", "10:50"), "f a1 b1=140");
}

#[test]
fn an_alternative_enters_a_forked_log_no_earlier_than_the_best_plan_may() {
    // From fb, on its own fork, b1 serves moments from fb's finish on. From fa it crosses the point, and nobody knows when the restore
    // happened: it serves them from its own start, 11:00, on. By LSN both are as good.
    let h = history(
        "F fa 100..135 @10:00-10:05
         L a1 100..140 @10:30
         F fb 142..145 @10:45-10:50 fork=B from A at 140
         L b1 130..150 @11:00-11:05 fork=B",
    );
    assert_eq!(h.at("10:55"), "fb b1@10:55");
    assert_eq!(h.alternatives(&h.local("10:55")), "");
    assert_eq!(h.alternatives(&Target::Lsn(lsn("150"))), "fa b1");
}

#[test]
fn an_empty_log_of_the_abandoned_line_ends_on_it() {
    // e ends at 140 of A, behind the point; 140 of B is another state.
    let h = history(
        "F f  100..110 @10:00-10:05
         L a1 100..140 @10:30
         L e  140..140 @10:35
         L b1 120..150 @11:00 fork=B from A at 130",
    );
    assert_eq!(h.whole("e"), "f a1");
}

#[test]
fn a_set_of_one_line_is_not_restored_on_another() {
    let h = crossing();
    assert_eq!(h.on("B").whole("a1"), "f a1");
    assert!(
        h.on("B").whole("a2").starts_with("no: set unusable"),
        "140 of A is behind the point"
    );
    assert_eq!(h.on("A").whole("a2"), "f a1 a2");
}

/// Each fork leaves the one before while the log of that one goes on, so that each log is cut by the next, and of each log there are two
/// to choose from: as many ways as 2 to the power of the number of forks.
#[test]
fn forks_of_forks_that_cut_each_other_are_planned_at_once() {
    let mut text = String::from("F f 100..110 @1/00:00\nL a0 100..900 @1/01:00\nL b0 100..900 @1/01:00\n");
    for fork in 1..60 {
        let parent = if fork == 1 {
            "A".into()
        } else {
            format!("f{}", fork - 1)
        };
        let (point, last, day, hour) = (110 + fork, 900 + fork, 2 + fork / 24, fork % 24);
        let log = format!("{point}..{last} @{day}/{hour:02}:30 fork=f{fork}");
        text += &format!("L a{fork} {log} from {parent} at {point}\nL b{fork} {log}\n");
    }
    let plan = history(&text).latest();
    // f, then every fork's log up to where the next one begins, and the last one whole.
    assert_eq!(plan.split(' ').count(), 61);
    assert!(plan.starts_with("f a0<111 a1<112 a2<113 "), "{plan}");
    assert!(plan.ends_with(" a58<169 a59"), "{plan}");
}
