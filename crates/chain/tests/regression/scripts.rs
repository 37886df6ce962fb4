//! Scripts and services that restore to a point in time: First Responder Kit, WAL-G, Azure Backup, and what another product's backups do
//! to Ola Hallengren's.

use crate::notation::history;

/// `sp_DatabaseRestore` restored the logs before the moment and no more: with hourly logs 45 minutes were lost.
#[test]
fn first_responder_kit_3038_the_log_behind_the_moment_is_part_of_the_plan() {
    let h = history(
        "F full 100..110 @00:00-00:10
         L l09  100..120 @09:00
         L l10  120..130 @10:00
         L l11  130..140 @11:00",
    );
    assert_eq!(h.at("10:45"), "full l09 l10 l11@10:45");
}

/// The plan was printed without its last statement, the one with STOPAT.
#[test]
fn first_responder_kit_2152_stopat_stands_on_the_log_that_holds_the_moment() {
    let h = history(
        "F full  100..110 @00:00-00:10
         D diff  150..155 @04:00-04:01 base=full
         L l0405 140..160 @04:05
         L l0650 160..170 @06:50
         L l0705 170..180 @07:05
         L l0720 180..190 @07:20
         L l0735 190..200 @07:35",
    );
    assert_eq!(h.at("07:10"), "full diff l0405 l0650 l0705 l0720@07:10");
}

/// Logs behind the moment were applied because the moment was not looked at when logs were continued.
#[test]
fn first_responder_kit_1986_no_log_behind_the_one_that_holds_the_moment() {
    let h = history(
        "F full 100..110 @00:00-00:10
         L l1   100..120 @01:00
         L l2   120..130 @02:00
         L l3   130..140 @03:00",
    );
    assert_eq!(h.at("01:30"), "full l1 l2@01:30");
}

/// The newest full was taken whatever the moment. Dates of the thread.
#[test]
fn first_responder_kit_2600_and_1198_the_full_is_one_of_before_the_moment() {
    let h = history(
        "F f0830 100..110 @2020-08-30T00:00:00
         F f0906 200..210 @2020-09-06T00:00:00
         F f0913 300..310 @2020-09-13T00:00:00
         F f0918 400..410 @2020-09-18T00:00:00
         L log   205..405 @2020-09-18T00:00:01",
    );
    assert_eq!(h.at("2020-09-11T00:00:00"), "f0906 log@2020-09-11T00:00:00");
}

/// The same for differentials that are not split into several files.
#[test]
fn first_responder_kit_3061_the_differential_is_one_of_before_the_moment() {
    let h = history(
        "F full 100..110 @00:00-00:10
         D d04  150..155 @04:00-04:01 base=full
         D d08  190..195 @08:00-08:01 base=full
         L log  120..200 @08:05",
    );
    assert_eq!(h.at("07:00"), "full d04 log@07:00");
}

/// Logs were chosen by the time in their names, one too few: the log that holds the moment was written after it.
#[test]
fn wal_g_827_one_more_log_than_the_names_suggest() {
    let h = history(
        "F base 100..110 @10:00:51-10:00:52
         L w1   100..120 @10:05
         L w2   120..130 @10:10",
    );
    assert_eq!(h.at("10:07"), "base w1 w2@10:07");
}

/// A moment a second after a log was begun was looked for in the next one, when it had been reached in this one, and the restore
/// failed. Here both carry the stop, and whichever holds the last record of before the moment stops there.
#[test]
fn wal_g_1059_a_moment_while_a_log_was_written_stops_in_both() {
    let h = history(
        "F base 100..110 @10:00:00-10:00:30
         L w1   100..120 @10:05:00-10:05:40
         L w2   120..130 @10:10",
    );
    assert_eq!(h.at("10:05:01"), "base w1@10:05:01 w2@10:05:01");
    assert_eq!(h.at("10:05:41"), "base w1 w2@10:05:41");
}

/// A moment just after the full began lies in the full, and no log can stop there.
#[test]
fn wal_g_1075_a_moment_while_the_full_ran_is_too_early_for_it() {
    let h = history(
        "F base 100..118 @10:00:51-10:03
         L w1   100..120 @10:05",
    );
    assert_eq!(h.at("10:00:52"), "no: too early; before none; after A 118 @10:03");
}

/// A restore that broke off was begun again with logs that had been applied. The part of it that is planning: what ends at or before
/// where the database stands is no step.
#[test]
fn wal_g_1157_logs_that_the_database_has_passed_are_left_out() {
    let h = history(
        "F base 100..135 @10:00-10:20
         L w1   100..120 @10:05
         L w2   120..130 @10:10
         L w3   130..140 @10:25",
    );
    assert_eq!(h.latest(), "base w3");
}

/// The latest point that was offered was the log's finish, 19:34:07, and a restore to it failed; the chain ended at 19:32:11.
#[test]
fn azure_powershell_15959_the_latest_moment_that_is_offered_can_be_restored() {
    let h = history(
        "F full 100..110 @18:00-18:10
         L l1   100..120 @19:02:05-19:04:00
         L l2   120..130 @19:32:11-19:34:07",
    );
    assert_eq!(h.spans(), "A: 110..130 @18:10-19:32:11");
    assert_eq!(
        h.at("19:34:07"),
        "no: too late; before A 130 @19:32:11; after none"
    );
    assert_eq!(h.at("19:32:11"), "full l1 l2@19:32:11");
}

/// Another product takes fulls of its own that are not copy-only: they become the base, and our differentials cannot be restored from
/// what we have. The same of Azure's snapshots of machines: azure-docs 28686, 9056, 24576, 90470.
#[test]
fn ola_640_a_full_of_another_product_is_the_base_and_is_not_here() {
    let h = history(
        "F ours   100..110 @1/20:00-1/20:10
         D d1     150..155 @2/08:00 base=ours
         D d2     250..255 @2/20:00 base=!theirs@200
         D d3     350..355 @3/08:00 base=!theirs@200",
    );
    assert_eq!(h.latest(), "ours d1");
    let told = h.whole("d3");
    assert!(told.starts_with("no: set unusable, base of d3 missing"), "{told}");
    assert!(told.contains("before A 155"), "{told}");
    // With logs nothing is lost: they lead across the foreign full.
    let logged = history(
        "F ours   100..110 @1/20:00-1/20:10
         D d2     250..255 @2/20:00 base=!theirs@200
         L l1     105..260 @2/21:00",
    );
    assert_eq!(logged.latest(), "ours l1");
}

/// A database was set to SIMPLE and only fulls went on; nobody was told that the moments between them were gone.
#[test]
fn azure_docs_87756_a_change_to_simple_shows_as_a_hole() {
    let h = history(
        "F f1 100..110 @1/20:00-1/20:05
         L l1 100..120 @1/21:00
         F f2 300..310 @2/20:00-2/20:05 simple
         F f3 500..510 @3/20:00-3/20:05 simple",
    );
    assert_eq!(
        h.spans(),
        "A: 110..120 @1/20:05-1/21:00; A: 310..310 @20:05; A: 510..510 @3/20:05"
    );
    assert!(h.holes().contains("120..310 switched to simple"), "{}", h.holes());
    assert!(h.holes().contains("310..510 switched to simple"), "{}", h.holes());
}
