//! Histories that test SQL Server's own planner (SMO's `DatabaseRestorePlanner`): real rows of msdb of a SQL Server 2019, and the plan
//! expected there.

use chain::Target;

use crate::notation::history;

/// "OlderOutOfSequence", to 2021-04-19 00:15: the full, its differential, and two logs, STOPAT on the last.
///
/// diff ends at 322:2376, inside l2030 (320:2318 .. 322:2523); l0030 begins where that ends.
#[test]
fn older_out_of_sequence() {
    let h = history(
        "day 2021-04-19
         clock +120
         F full  284:43135:0..289:46597:0 @14/20:15:01-14/20:15:50 cp=289:46589:0
         D diff  315:77566:0..322:2376:0  @18/20:15:00-18/20:15:02 base=full
         L l2030 320:2318:0..322:2523:0   @18/20:30
         L l0030 322:2523:0..324:2424:0   @00:30",
    );
    assert_eq!(h.at("00:15"), "full diff l2030 l0030@00:15");
    assert_eq!(h.latest(), "full diff l2030 l0030");
    assert_eq!(h.utc("18/22:15"), "full diff l2030 l0030@00:15");
    assert_eq!(h.lsn("322:2376:0"), "full diff");
}

/// "LongFullBackup": a full that ran from 21:15:01 to 00:45:50, across the log of 00:30. That full and the log of 04:30 are the plan.
///
/// full ends at 325:2424, inside l0430 (324:2424 .. 327:3918). The differential is of another full with that very GUID in the
/// fixture; it ends before this full does, and is no part of anything.
#[test]
fn long_full_backup() {
    let h = history(
        "day 2021-04-19
         clock +120
         F full  321:2318:0..325:2424:0 @18/21:15:01-00:45:50 cp=289:46589:0
         D diff  315:77566:0..322:2376:0 @18/20:15:00-18/20:15:02 base=full
         L l2030 320:2318:0..322:2523:0 @18/20:30
         L l0030 322:2523:0..324:2424:0 @00:30
         L l0430 324:2424:0..327:3918:0 @04:30-04:30:01",
    );
    assert_eq!(h.latest(), "full l0430");
    assert_eq!(h.at("00:45:50"), "full l0430@00:45:50");
    // Moments while it ran are not in it, and no other full is here.
    let told = h.at("00:40");
    assert!(
        told.starts_with("no: ") && told.ends_with("after A 325:2424:0 @18/22:45:50"),
        "{told}"
    );
}

/// A fork: on 27 March a log went on to 154187; the database was then restored to 154176:70600, and went on as another fork, whose
/// first log begins where the log of the 26th ends. The differential ends where it begins, as it was taken of an idle second.
///
/// diff 154152:64820 is inside l26 (154093:23400 .. 154157:70000); b1 begins at 154157:70000, before the fork point, where the two
/// are one. The header of b2 does not repeat where its fork came from.
#[test]
fn a_restore_in_between() {
    let h = history(
        "day 2021-03-29
         clock +120
         F full 153385:42370:0..153385:42380:0 @24/20:15:51-24/20:16:25 offset=60
         D diff 154152:64820:0..154152:64820:0 @26/20:15:08-26/20:15:11 offset=60 base=full
         L l26  154093:23400:0..154157:70000:0 @26/20:30:10-26/20:30:44 offset=60
         L l27  154157:70000:0..154187:47320:0 @27/00:30:08-27/00:30:21 offset=60
         L b1   154157:70000:0..154176:71310:0 @08:30:01-08:30:12 fork=B from A at 154176:70600:0
         L b2   154176:71310:0..154176:71500:0 @08:36:32 fork=B silent",
    );
    assert_eq!(h.branches(), "A; B from A at 154176:70600:0");
    assert_eq!(h.latest(), "full diff l26 b1 b2");
    assert_eq!(h.branch_of(&Target::Latest), "B");
    assert_eq!(h.on("A").latest(), "full diff l26 l27");
    assert_eq!(h.at("27/00:00"), "full diff l26 l27@27/00:00");
    // 154180 is in l27 only.
    assert_eq!(h.lsn("154180:1:0"), "full diff l26 l27=154180:1:0");
}
