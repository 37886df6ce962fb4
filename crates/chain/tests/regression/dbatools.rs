//! dataplat/dbatools: `Restore-DbaDatabase`, `Select-DbaBackupInformation`, `Get-DbaDbBackupHistory`, `Test-DbaLsnChain`.

use chain::Target;

use crate::notation::history;

/// A full taken between the first full and the moment wanted hid the log that holds the moment: logs were tied to a full by
/// DatabaseBackupLSN, and the last one named the later full. Logs chain across fulls.
#[test]
fn issue_6467_the_log_that_holds_the_moment_is_not_left_out_because_of_a_later_full() {
    let h = history(
        "F full  100..110 @9/17:54-9/17:55
         L l1755 100..120 @9/17:55:01
         L l1800 120..130 @9/18:00
         F later 131..134 @9/18:03-9/18:04
         L l1805 130..140 @9/18:05",
    );
    assert_eq!(h.at("9/18:01"), "full l1755 l1800 l1805@9/18:01");
}

/// The full runs from 449 to 464; the first log behind it was begun before the full finished, 461 to 467, and carries the
/// DatabaseBackupLSN of the full before. It was left out, and the script did not restore.
#[test]
fn issue_7515_a_log_that_began_before_the_full_finished_belongs_to_it() {
    let h = history(
        "F full 449..464 @01:00-01:10 cp=449
         L l1   461..467 @01:15
         L l2   467..485 @01:30",
    );
    assert_eq!(h.latest(), "full l1 l2");
    assert_eq!(h.at("01:17:15"), "full l1 l2@01:17:15");
}

/// The same shape, as a customer met it again: the log was taken while the full ran.
#[test]
fn pull_10185_and_9467_a_log_taken_while_the_full_ran_leads_on() {
    // 20:340:0..300:1 in short: the full's end lies inside the log.
    let h = history(
        "F full 148..200 @02:03-02:30 cp=156
         L l1   100..180 @02:05
         L l2   180..220 @02:35",
    );
    assert_eq!(h.latest(), "full l2");
    let h = history(
        "F full 148..200 @02:03-02:30 cp=156
         L l1   140..210 @02:29-02:31
         L l2   210..220 @02:35",
    );
    assert_eq!(h.latest(), "full l1 l2");
}

/// With a copy-only full as the newest, the logs name the conventional full before it, and the last log was dropped: STOPAT came to
/// stand on the log before. The copy-only full is a base for logs all the same; STOPAT is on the last log, once.
#[test]
fn issue_10408_a_copy_only_full_leads_to_the_log_that_holds_the_moment() {
    let h = history(
        "F full 100..110 @08:00-08:05
         L l0900 100..120 @09:00
         F copy 121..125 @09:30-09:35 copy
         L l1000 120..130 @10:00
         L l1100 130..140 @11:00
         L l1200 140..150 @12:00:01",
    );
    assert_eq!(h.at("12:00"), "copy l1000 l1100 l1200@12:00");
    assert_eq!(
        h.without("full l0900").at("12:00"),
        "copy l1000 l1100 l1200@12:00"
    );
}

/// The cases of the fix: before a log's start, at it, while it runs, at its end, between logs, far behind all.
#[test]
fn pull_10428_a_copy_only_chain_at_every_edge() {
    let h = history(
        "F full 100..110 @08:00-08:05
         F copy 112..118 @09:30-09:35 copy
         L l1   100..130 @10:00-10:02
         L l2   130..140 @11:00-11:02",
    );
    assert_eq!(h.at("09:59"), "copy l1@09:59");
    assert_eq!(h.at("10:00"), "copy l1@10:00");
    // While l1 ran, and at its end, its records may be on both sides of the moment: it stops there, and l2 covers the rest.
    assert_eq!(h.at("10:01"), "copy l1@10:01 l2@10:01");
    assert_eq!(h.at("10:02"), "copy l1@10:02 l2@10:02");
    assert_eq!(h.at("10:30"), "copy l1 l2@10:30");
    assert_eq!(h.at("11:01"), "no: too late; before A 140 @11:00; after none");
}

/// "Last backup" went by LSN: an abandoned line of a database that was restored to an earlier point has the higher LSNs, and won
/// over the line that is alive. The line that was written last is meant.
#[test]
fn issues_6565_and_5477_the_latest_is_of_the_line_that_is_alive() {
    let h = history(
        "F f  100..110 @1/10:00-1/10:05
         L a1 100..120 @1/11:00
         F g  800..900 @2/10:00-2/10:05
         L b1 120..150 @3/11:00 fork=B from A at 130
         F k  160..170 @3/12:00-3/12:05 fork=B
         L b2 150..180 @3/13:00 fork=B",
    );
    assert_eq!(h.latest(), "k b2");
    assert_eq!(h.branch_of(&Target::Latest), "B");
    assert_eq!(h.on("A").latest(), "g");
}

/// The first log behind a differential was dropped where its FirstLSN is the differential's LastLSN, and where it began before.
#[test]
fn issue_2182_the_first_log_after_a_differential_is_applied() {
    let exactly = history(
        "F full 100..110 @10:00-10:05
         D diff 140..150 @11:00 base=full
         L l1   150..160 @11:15
         L l2   160..170 @11:30",
    );
    assert_eq!(exactly.latest(), "full diff l1 l2");
    let before = history(
        "F full 100..110 @10:00-10:05
         D diff 140..150 @11:00 base=full
         L l1   130..160 @11:15
         L l2   160..170 @11:30",
    );
    assert_eq!(before.latest(), "full diff l1 l2");
}

/// Real LSNs of the thread. A log that ends where the full begins was applied first, and failed.
#[test]
fn issue_2374_a_log_that_ends_before_the_full_does_is_no_step() {
    let h = history(
        "F full 65:6000:1..74:4000:1 @10:00-10:20
         L t1 46:4000:1..52:8000:1 @09:00
         L t2 52:8000:1..59:2000:1 @09:30
         L t3 59:2000:1..65:6000:1 @10:00
         L t4 65:6000:1..81:6000:1 @10:30
         L t5 81:6000:1..88:0:1    @11:00",
    );
    assert_eq!(h.latest(), "full t4 t5");
}

/// Asked for a restore without logs, the tool mixed some in and broke its chain. Here the end of a differential is a target.
#[test]
fn issue_2674_the_end_of_a_differential_needs_no_logs() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         D diff 121..125 @10:20 base=full
         L l2   120..130 @10:30",
    );
    assert_eq!(h.whole("diff"), "full diff");
    assert_eq!(h.whole("full"), "full");
}

/// A full that is gone is not missed where the chain holds without it.
#[test]
fn issue_1000_a_missing_full_in_the_middle_is_not_needed() {
    let h = history(
        "F old  100..110 @1/10:00-1/10:05
         L l1   100..120 @1/11:00
         F gone 122..128 @2/10:00-2/10:05
         L l2   120..130 @2/11:00
         L l3   130..140 @2/12:00",
    );
    assert_eq!(h.without("gone").latest(), "old l1 l2 l3");
    assert_eq!(h.without("gone").at("2/11:30"), "old l1 l2 l3@11:30");
}

/// Differentials and logs without the full that carries them: the tool warned, returned nothing, and the script went on. Here it is
/// a refusal with its reason, and the coverage names what is missing.
#[test]
fn issues_10621_and_10657_what_cannot_be_restored_is_refused_with_the_reason() {
    let h = history(
        "D diff 121..125 @10:20 base=!gone
         L l1   120..130 @10:30
         L l2   130..140 @10:45",
    );
    assert_eq!(h.latest(), "no: nothing; before none; after none");
    assert!(h.holes().contains("no full"), "{}", h.holes());
    assert!(h.holes().contains("base of diff missing"), "{}", h.holes());
    assert_eq!(history("").latest(), "no: nothing; before none; after none");
}

/// Four thousand logs were read one by one, for hours, and the oldest file had expired when the plan was made. A plan needs none of
/// those before its full.
#[test]
fn issue_3966_thousands_of_logs_and_the_oldest_expires_meanwhile() {
    let mut told = String::from("F old 100..110 @2026-02-01T00:00:00\n");
    let mut at = 100;
    for number in 0..4_000_u32 {
        let (day, minutes) = (1 + number / 288, number % 288 * 5 + 4);
        let (hour, minute) = (minutes / 60, minutes % 60);
        told.push_str(&format!(
            "L l{number} {at}..{} @{day}/{hour:02}:{minute:02}\n",
            at + 10
        ));
        at += 10;
    }
    // The day that times are on is 2026-03-02: the logs are of the 1st to the 14th of March.
    // l3984 of 20:04 holds 39940 to 39950.
    told.push_str("F new 39935..39945 @14/20:00-14/20:01\n");
    let h = history(&told);
    assert_eq!(h.plans(&Target::Latest).expect("a plan").best.steps.len(), 17);
    assert!(h.latest().starts_with("new l39"), "{}", h.latest());
    let expired = h.without("old l0");
    assert_eq!(expired.latest(), h.latest());
    let moment = h.plans(&h.local("14/20:30")).expect("a plan");
    assert_eq!(moment.best.steps.len(), 8);
}

/// Restoring to an LSN, and before one.
#[test]
fn issues_10004_and_10245_an_lsn_is_a_target() {
    let h = history(
        "F full 100..110 @10:00-10:05
         L l1   100..120 @10:15
         L l2   120..130 @10:30",
    );
    assert_eq!(h.lsn("1:123:7"), "full l1 l2=1:123:7");
    assert_eq!(h.before_lsn("1:123:7"), "full l1 l2<1:123:7");
}

/// A differential that began before the moment and finished after it was chosen; its data is of the finish.
#[test]
fn issues_3660_and_6297_a_differential_that_finished_after_the_moment_does_not_serve_it() {
    let h = history(
        "F full  100..110 @2/17:00-2/17:30
         L l1    100..120 @3/16:55
         D diff  121..128 @3/17:00-3/17:10 base=full
         L l1702 120..124 @3/17:02
         L l1712 124..140 @3/17:12",
    );
    assert_eq!(h.at("3/17:05"), "full l1 l1702 l1712@3/17:05");
    assert_eq!(h.at("3/17:11"), "full diff l1712@3/17:11");
}

/// The log that holds the moment was restored twice where the moment fell between its start and its end.
#[test]
fn issues_9626_6385_and_3027_no_log_is_applied_twice() {
    let h = history(
        "F full 100..110 @03:00-03:05
         L l1   100..120 @03:30-03:50
         L l2   120..130 @04:00-04:10
         L l3   130..140 @04:30-04:31",
    );
    assert_eq!(h.at("04:00"), "full l1 l2@04:00");
    assert_eq!(h.at("04:05"), "full l1 l2@04:05 l3@04:05");
    assert_eq!(h.at("04:10"), "full l1 l2@04:10 l3@04:10");
}

/// A moment at the end of a log that an empty one follows, with the same LastLSN: one of them was dropped, the wrong one.
#[test]
fn pull_3009_an_empty_log_does_not_take_the_place_of_the_one_before() {
    let h = history(
        "F full 90..100  @10:00-10:05
         L l2   95..200  @10:15
         L l3   200..300 @10:30
         L l4   300..400 @10:45
         L l5   400..400 @11:00",
    );
    assert_eq!(h.latest(), "full l2 l3 l4");
    assert_eq!(h.at("10:50"), "full l2 l3 l4@10:50");
}

/// Backups taken faster than a second apart: nothing is ordered by dates.
#[test]
fn pull_1900_backups_within_one_second_go_by_lsn() {
    let h = history(
        "F f1   100..110 @10:00
         F f2   112..118 @10:00
         D diff 120..125 @10:00 base=f2
         L l1   105..130 @10:00
         L l2   130..140 @10:00",
    );
    assert_eq!(h.latest(), "f2 l1 l2");
    assert_eq!(h.whole("diff"), "f2 diff");
}

/// master of an instance that was rebuilt: a backup of years ago has a higher LSN than all of today. Which one was last is a matter
/// of when it was written, and the two are not one history.
#[test]
fn issues_3321_and_3610_a_backup_of_long_ago_with_a_higher_lsn_is_not_the_latest() {
    let h = history(
        "F ancient 900..910 @2015-06-01T10:00:00
         F today   500..510 @10:00-10:05",
    );
    assert_eq!(h.latest(), "today");
    assert_eq!(h.lsn("910"), "ancient");
}
