//! Chains of a full and its logs.

use crate::chain_files::Chain;
use crate::notation::History;

/// A full, three logs, a differential, three logs.
pub(crate) const RESTORE_TIME_CLEAN: Chain = Chain {
    name: "RestoreTimeClean",
    day: "2017-06-01",
    ahead: 120,
    other_clocks: &[],
    files: &[
        ("full", "dbatools-lab/RestoreTimeClean/RestoreTimeClean.bak.zst"),
        ("log1", "dbatools-lab/RestoreTimeClean/RestoreTimeClean_1.trn.zst"),
        ("log2", "dbatools-lab/RestoreTimeClean/RestoreTimeClean_2.trn.zst"),
        ("log3", "dbatools-lab/RestoreTimeClean/RestoreTimeClean_3.trn.zst"),
        ("diff", "dbatools-lab/RestoreTimeClean/RestoreTimeClean2.bak.zst"),
        (
            "log4",
            "dbatools-lab/RestoreTimeClean/RestoreTimeClean2_1.trn.zst",
        ),
        (
            "log5",
            "dbatools-lab/RestoreTimeClean/RestoreTimeClean2_2.trn.zst",
        ),
        (
            "log6",
            "dbatools-lab/RestoreTimeClean/RestoreTimeClean2_3.trn.zst",
        ),
    ],
    forks: &[("A", "e4b9b1b7-255c-4866-af1f-eb4a29e8c2c9")],
    expect: restore_time_clean,
};

// full   25:62:170 .. 25:132:1   12:59:12
// log1   25:62:170 .. 25:153:1   13:04:13   62:170 <= 132:1 (full) <= 153:1
// log2   25:153:1  .. 25:163:1   13:09:13
// log3   25:163:1  .. 25:173:1   13:14:13
// diff   25:173:38 .. 25:190:1   13:14:13   of full
// log4   25:173:1  .. 25:200:1   13:19:13   173:1 <= 190:1 (diff) <= 200:1
// log5   25:200:1  .. 25:210:1   13:24:13
// log6   25:210:1  .. 25:220:1   13:29:13
fn restore_time_clean(h: &History) {
    assert_eq!(h.spans(), "A: 25:132:1..25:220:1 @12:59:13-13:29:12.999");
    assert_eq!(h.holes(), "A: 25:62:170..25:132:1 no full");
    // Five files, as dbatools restores of its newer copy of this chain.
    assert_eq!(h.latest(), "full diff log4 log5 log6");
    assert_eq!(h.without("diff").latest(), "full log1 log2 log3 log4 log5 log6");

    assert_eq!(
        h.at("12:59:11"),
        "no: too early; before none; after A 25:132:1 @12:59:13"
    );
    assert_eq!(h.at("12:59:13"), "full log1@12:59:13");
    // log1 began somewhere in that second, and may lack what was committed in it.
    assert_eq!(h.at("13:04:12"), "full log1@13:04:12");
    assert_eq!(h.at("13:04:13"), "full log1@13:04:13 log2@13:04:13");
    assert_eq!(h.at("13:04:14"), "full log1 log2@13:04:14");
    // Four files for a moment in the third log; dbatools agrees.
    assert_eq!(h.at("13:10"), "full log1 log2 log3@13:10");
    // The differential finished in the second in which log3 was written: from the next one on it is the shorter way.
    assert_eq!(h.at("13:14:12"), "full log1 log2 log3@13:14:12");
    assert_eq!(h.at("13:14:13"), "full log1 log2 log3@13:14:13 log4@13:14:13");
    assert_eq!(h.at("13:14:14"), "full diff log4@13:14:14");
    assert_eq!(h.at("13:16"), "full diff log4@13:16");
    assert_eq!(h.at("13:20"), "full diff log4 log5@13:20");
    assert_eq!(h.at("13:29:12"), "full diff log4 log5 log6@13:29:12");
    assert_eq!(
        h.at("13:29:14"),
        "no: too late; before A 25:220:1 @13:29:12.999; after none"
    );

    assert_eq!(h.lsn("25:160:1"), "full log1 log2=25:160:1");
    assert_eq!(h.lsn("25:173:1"), "full log1 log2 log3");
    // Inside log4, before the differential's end.
    assert_eq!(h.lsn("25:180:1"), "full log1 log2 log3 log4=25:180:1");
    assert_eq!(h.lsn("25:190:1"), "full diff");
    assert_eq!(h.lsn("25:195:1"), "full diff log4=25:195:1");

    let h = h.without("log2");
    assert_eq!(h.latest(), "full diff log4 log5 log6");
    assert_eq!(
        h.spans(),
        "A: 25:132:1..25:153:1 @12:59:13-13:04:12.999; A: 25:190:1..25:220:1 @13:14:14-13:29:12.999"
    );
    // log2 is gone; log3 and the beginning of log4 have nothing that leads into them.
    assert_eq!(
        h.holes(),
        "A: 25:62:170..25:132:1 no full; A: 25:153:1..25:163:1 missing log; A: 25:163:1..25:190:1 no full"
    );
    let told = h.at("13:06");
    assert!(
        told.ends_with("; before A 25:153:1 @13:04:12.999; after A 25:190:1 @13:14:14"),
        "{told}"
    );
}

/// A full and three logs, each on two stripes.
pub(crate) const RESTORE_TIME_STRIPE: Chain = Chain {
    name: "RestoreTimeStripe",
    day: "2017-12-15",
    ahead: 0,
    other_clocks: &[],
    files: &[
        (
            "full",
            "dbatools-lab/RestoreTimeStripe/Stripe1/RestoreTimeStripe.bak.zst",
        ),
        (
            "full",
            "dbatools-lab/RestoreTimeStripe/Stripe2/RestoreTimeStripe1.bak.zst",
        ),
        (
            "log1",
            "dbatools-lab/RestoreTimeStripe/Stripe1/RestoreTimeStripe_1.trn.zst",
        ),
        (
            "log1",
            "dbatools-lab/RestoreTimeStripe/Stripe2/RestoreTimeStripe_1a.trn.zst",
        ),
        (
            "log2",
            "dbatools-lab/RestoreTimeStripe/Stripe1/RestoreTimeStripe_2.trn.zst",
        ),
        (
            "log2",
            "dbatools-lab/RestoreTimeStripe/Stripe2/RestoreTimeStripe_2a.trn.zst",
        ),
        (
            "log3",
            "dbatools-lab/RestoreTimeStripe/Stripe1/RestoreTimeStripe_3.trn.zst",
        ),
        (
            "log3",
            "dbatools-lab/RestoreTimeStripe/Stripe2/RestoreTimeStripe_3a.trn.zst",
        ),
    ],
    forks: &[("A", "feb32f6f-4bc1-4180-b359-2e40e3fc5788")],
    expect: restore_time_stripe,
};

// full   20:74:170 .. 20:144:1   12:46:53
// log1   20:74:170 .. 20:166:1   12:47:44   74:170 <= 144:1 (full) <= 166:1
// log2   20:166:1  .. 20:176:1   12:48:34
// log3   20:176:1  .. 20:186:1   12:49:24
fn restore_time_stripe(h: &History) {
    assert_eq!(h.spans(), "A: 20:144:1..20:186:1 @12:46:54-12:49:23.999");
    assert_eq!(h.holes(), "A: 20:74:170..20:144:1 no full");
    assert_eq!(h.latest(), "full log1 log2 log3");
    assert_eq!(
        h.at("12:46:52"),
        "no: too early; before none; after A 20:144:1 @12:46:54"
    );
    assert_eq!(h.at("12:47:44"), "full log1@12:47:44 log2@12:47:44");
    assert_eq!(h.at("12:48"), "full log1 log2@12:48");
    assert_eq!(h.at("12:49"), "full log1 log2 log3@12:49");
    assert_eq!(
        h.at("12:49:25"),
        "no: too late; before A 20:186:1 @12:49:23.999; after none"
    );
    assert_eq!(h.lsn("20:144:1"), "full");
    assert_eq!(h.lsn("20:170:1"), "full log1 log2=20:170:1");
    assert_eq!(h.whole("log2"), "full log1 log2");
}

/// A full and four logs; the last two were taken after the database had gone on for a while.
pub(crate) const STOP_AT: Chain = Chain {
    name: "StopAt",
    day: "2020-05-12",
    ahead: 60,
    other_clocks: &[],
    files: &[
        ("full", "dbatools-lab/StopAt/StopAt.bak.zst"),
        ("log1", "dbatools-lab/StopAt/StopAt_1.trn.zst"),
        ("log2", "dbatools-lab/StopAt/StopAt_2.trn.zst"),
        ("log21", "dbatools-lab/StopAt/StopAt_21.trn.zst"),
        ("log23", "dbatools-lab/StopAt/StopAt_23.trn.zst"),
    ],
    forks: &[("A", "8a118155-c949-42c1-bce2-eff2a9f9ed28")],
    expect: stop_at,
};

// full    19:81:190 .. 19:161:1   13:28:44
// log1    19:81:190 .. 19:183:1   13:29:34   81:190 <= 161:1 (full) <= 183:1
// log2    19:183:1  .. 19:193:1   13:30:24
// log21   19:193:1  .. 19:215:1   13:32:09
// log23   19:215:1  .. 19:246:1   13:34:44
fn stop_at(h: &History) {
    assert_eq!(h.spans(), "A: 19:161:1..19:246:1 @13:28:45-13:34:43.999");
    assert_eq!(h.holes(), "A: 19:81:190..19:161:1 no full");
    assert_eq!(h.latest(), "full log1 log2 log21 log23");
    assert_eq!(h.at("13:28:45"), "full log1@13:28:45");
    assert_eq!(h.at("13:30:24"), "full log1 log2@13:30:24 log21@13:30:24");
    assert_eq!(h.at("13:31"), "full log1 log2 log21@13:31");
    assert_eq!(h.at("13:33"), "full log1 log2 log21 log23@13:33");
    assert_eq!(
        h.at("13:34:45"),
        "no: too late; before A 19:246:1 @13:34:43.999; after none"
    );
    assert_eq!(h.lsn("19:200:3"), "full log1 log2 log21=19:200:3");
    assert_eq!(h.before_lsn("19:215:1"), "full log1 log2 log21");

    let h = h.without("log21");
    assert_eq!(h.latest(), "full log1 log2");
    assert_eq!(h.spans(), "A: 19:161:1..19:193:1 @13:28:45-13:30:23.999");
    let holes =
        "A: 19:81:190..19:161:1 no full; A: 19:193:1..19:215:1 missing log; A: 19:215:1..19:246:1 no full";
    assert_eq!(h.holes(), holes);
    let told = h.lsn("19:200:3");
    assert!(
        told.starts_with("no: hole A: 19:193:1..19:215:1 missing log; before A 19:193:1 @13:30:23.999"),
        "{told}"
    );
}

/// A full, two differentials, a log that reaches back to months before the full, an empty log.
pub(crate) const CUBE_QUERY_HISTORY: Chain = Chain {
    name: "Cube_Query_History",
    day: "2017-05-18",
    ahead: 120,
    other_clocks: &[],
    files: &[
        (
            "full",
            "dbatools-lab/Cube_Query_History/FULL/SQL2008_Cube_Query_History_FULL_20170518_041737.bak.zst",
        ),
        (
            "diff1",
            "dbatools-lab/Cube_Query_History/DIFF/SQL2008_Cube_Query_History_DIFF_20170518_041819.bak.zst",
        ),
        (
            "diff2",
            "dbatools-lab/Cube_Query_History/DIFF/SQL2008_Cube_Query_History_DIFF_20170518_041826.bak.zst",
        ),
        (
            "log1",
            "dbatools-lab/Cube_Query_History/LOG/SQL2008_Cube_Query_History_LOG_20170518_041831.trn.zst",
        ),
        (
            "log2",
            "dbatools-lab/Cube_Query_History/LOG/SQL2008_Cube_Query_History_LOG_20170518_041837.trn.zst",
        ),
    ],
    forks: &[("A", "d21dd57a-b62a-4b3e-81e2-6344f659baae")],
    expect: cube_query_history,
};

// full    24:419:37 .. 24:435:1   04:17:37
// diff1   24:442:34 .. 24:457:1   04:18:19   of full
// diff2   24:457:1  .. 24:459:1   04:18:26   of full
// log1    24:217:37 .. 24:459:1   04:18:31   217:37 <= 435:1 (full) <= 459:1; its beginning is of February
// log2    24:459:1, empty         04:18:37
fn cube_query_history(h: &History) {
    assert_eq!(h.spans(), "A: 24:435:1..24:459:1 @04:17:38-04:18:36.999");
    assert_eq!(h.holes(), "A: 24:217:37..24:435:1 no full");
    // Two steps by diff2 or by log1; the log is 152,064 bytes, the differential 1,137,152.
    assert_eq!(h.latest(), "full log1");
    assert_eq!(h.alternatives(&chain::Target::Latest), "full diff2");
    assert_eq!(h.without("log1 log2").latest(), "full diff2");
    assert_eq!(h.lsn("24:440:1"), "full log1=24:440:1");
    assert_eq!(h.lsn("24:457:1"), "full diff1");
    assert_eq!(h.at("04:18:19"), "full log1@04:18:19");
    assert_eq!(h.at("04:18:35"), "full log1@04:18:35");
    assert_eq!(
        h.at("04:18:38"),
        "no: too late; before A 24:459:1 @04:18:36.999; after none"
    );
    // Without the full the differentials have no base, and log1 nothing to be applied to.
    let h = h.without("full");
    assert_eq!(h.spans(), "");
    assert!(
        h.holes().contains("A: 24:217:37..24:459:1 no full"),
        "{}",
        h.holes()
    );
    assert!(h.holes().contains("base of diff1 missing"), "{}", h.holes());
    assert!(h.latest().starts_with("no: nothing"), "{}", h.latest());
}

/// The same shape, of another database of that server.
pub(crate) const ORPHAN_USERS: Chain = Chain {
    name: "dbOrphanUsers",
    day: "2017-05-18",
    ahead: 120,
    other_clocks: &[],
    files: &[
        (
            "full",
            "dbatools-lab/dbOrphanUsers/FULL/SQL2008_dbOrphanUsers_FULL_20170518_041740.bak.zst",
        ),
        (
            "diff1",
            "dbatools-lab/dbOrphanUsers/DIFF/SQL2008_dbOrphanUsers_DIFF_20170518_041819.bak.zst",
        ),
        (
            "diff2",
            "dbatools-lab/dbOrphanUsers/DIFF/SQL2008_dbOrphanUsers_DIFF_20170518_041826.bak.zst",
        ),
        (
            "log1",
            "dbatools-lab/dbOrphanUsers/LOG/SQL2008_dbOrphanUsers_LOG_20170518_041831.trn.zst",
        ),
        (
            "log2",
            "dbatools-lab/dbOrphanUsers/LOG/SQL2008_dbOrphanUsers_LOG_20170518_041837.trn.zst",
        ),
    ],
    forks: &[("A", "bd5bc2e5-760f-4345-a2a5-25a710c03379")],
    expect: orphan_users,
};

// full    24:56:37  .. 24:72:1   04:17:40 to 04:17:41
// diff1   24:79:34  .. 24:94:1   04:18:19   of full
// diff2   24:94:1   .. 24:96:1   04:18:26   of full
// log1    23:339:37 .. 24:96:1   04:18:31   23:339:37 <= 24:72:1 (full) <= 24:96:1, across a virtual log file's end
// log2    24:96:1, empty         04:18:37
fn orphan_users(h: &History) {
    // The full served from its finish, a second after its start.
    assert_eq!(h.spans(), "A: 24:72:1..24:96:1 @04:17:42-04:18:36.999");
    assert_eq!(h.holes(), "A: 23:339:37..24:72:1 no full");
    assert_eq!(h.latest(), "full log1");
    assert_eq!(h.alternatives(&chain::Target::Latest), "full diff2");
    assert_eq!(
        h.at("04:17:40"),
        "no: too early; before none; after A 24:72:1 @04:17:42"
    );
    assert_eq!(h.at("04:17:42"), "full log1@04:17:42");
    assert_eq!(
        h.lsn("23:400:1"),
        "no: hole A: 23:339:37..24:72:1 no full; before none; after A 24:72:1 @04:17:42"
    );
    assert_eq!(h.lsn("24:90:2"), "full log1=24:90:2");
    assert_eq!(h.lsn("24:94:1"), "full diff1");
    assert_eq!(h.lsn("24:95:1"), "full log1=24:95:1");
}
