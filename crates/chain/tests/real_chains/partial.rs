//! Chains without logs, and chains of which something essential is not here.

use crate::chain_files::Chain;
use crate::notation::History;

/// A full and two differentials of it, all within one second.
pub(crate) const DOUBLE_DIFFING: Chain = Chain {
    name: "DoubleDiffing",
    day: "2018-12-21",
    ahead: 0,
    other_clocks: &[],
    files: &[
        ("full", "dbatools-lab/DoubleDiffing/difftest-full.bak.zst"),
        ("diff1", "dbatools-lab/DoubleDiffing/difftest-diff1.bak.zst"),
        ("diff2", "dbatools-lab/DoubleDiffing/difftest-diff2.bak.zst"),
    ],
    forks: &[("A", "4a416c85-d28e-4f91-ade2-8276ceae8725")],
    expect: double_diffing,
};

// full    24:68:99  .. 24:109:1   11:26:31
// diff1   24:117:34 .. 24:132:1   11:26:31   of full
// diff2   24:132:1  .. 24:134:1   11:26:31   of full
fn double_diffing(h: &History) {
    // dbatools applies full, diff1, diff2 in three calls, to test that it can; a plan needs the last one only.
    assert_eq!(h.latest(), "full diff2");
    assert_eq!(h.without("diff2").latest(), "full diff1");
    assert_eq!(h.lsn("24:109:1"), "full");
    assert_eq!(h.lsn("24:132:1"), "full diff1");
    assert_eq!(h.lsn("24:134:1"), "full diff2");
    assert_eq!(
        h.spans(),
        "A: 24:109:1..24:109:1 within 11:26:31-11:26:32; A: 24:132:1..24:132:1 within 11:26:31-11:26:32; \
         A: 24:134:1..24:134:1 within 11:26:31-11:26:32"
    );
    // The database was in the full model, and its logs are not here.
    assert_eq!(
        h.holes(),
        "A: 24:109:1..24:132:1 missing log; A: 24:132:1..24:134:1 missing log"
    );
    let told = h.lsn("24:120:1");
    assert!(
        told.starts_with(
            "no: hole A: 24:109:1..24:132:1 missing log; before A 24:109:1 within 11:26:31-11:26:32"
        ),
        "{told}"
    );
    assert_eq!(h.without("full").spans(), "");
    assert!(
        h.without("full").holes().contains("base of diff2 missing"),
        "{}",
        h.without("full").holes()
    );
}

/// A full and two differentials of a database in the SIMPLE model.
pub(crate) const SIMPLE_RECOVERY: Chain = Chain {
    name: "SimpleRecovery",
    day: "2018-04-06",
    ahead: 60,
    other_clocks: &[],
    files: &[
        ("full", "dbatools-lab/SimpleRecovery/SimpleBacktest.bak.zst"),
        ("diff1", "dbatools-lab/SimpleRecovery/SimpleBackTest_1.bak.zst"),
        ("diff2", "dbatools-lab/SimpleRecovery/SimpleBackTest_2.bak.zst"),
    ],
    forks: &[("A", "34d9b11a-43df-4425-bd1e-136112bbfe57")],
    expect: simple_recovery,
};

// full    21:70:170 .. 21:140:1   10:30:32
// diff1   21:162:38 .. 21:179:1   10:35:32   of full
// diff2   21:189:5  .. 21:192:1   10:40:32   of full
fn simple_recovery(h: &History) {
    assert_eq!(h.latest(), "full diff2");
    let [full, diff1, diff2] = [
        "A 21:140:1 within 10:30:32-10:30:33",
        "A 21:179:1 within 10:35:32-10:35:33",
        "A 21:192:1 within 10:40:32-10:40:33",
    ];
    assert_eq!(
        h.spans(),
        "A: 21:140:1..21:140:1 within 10:30:32-10:30:33; A: 21:179:1..21:179:1 within 10:35:32-10:35:33; \
         A: 21:192:1..21:192:1 within 10:40:32-10:40:33"
    );
    assert_eq!(h.lsn("21:140:1"), "full");
    assert_eq!(h.lsn("21:179:1"), "full diff1");
    // No data backup alone is the state of a moment.
    assert_eq!(
        h.at("10:30:32"),
        format!("no: too early; before none; after {full}")
    );
    assert_eq!(
        h.holes(),
        "A: 21:140:1..21:179:1 switched to simple; A: 21:179:1..21:192:1 switched to simple"
    );
    // dbatools restores full and diff1 for 10:37:44 and leaves its user with 10:35; here the user is told.
    let told = h.at("10:37:44");
    assert!(told.starts_with("no: hole A: 21:179:1..21:192:1"), "{told}");
    assert!(
        told.ends_with(&format!("; before {diff1}; after {diff2}")),
        "{told}"
    );
    assert_eq!(
        h.at("10:40:33"),
        format!("no: too late; before {diff2}; after none")
    );
}

/// Two differentials and two logs, without the full they belong to.
pub(crate) const DB1: Chain = Chain {
    name: "db1",
    day: "2017-05-18",
    ahead: 120,
    other_clocks: &[],
    files: &[
        (
            "diff1",
            "dbatools-lab/db1/DIFF/SQL2008_db1_DIFF_20170518_041819.bak.zst",
        ),
        (
            "diff2",
            "dbatools-lab/db1/DIFF/SQL2008_db1_DIFF_20170518_041826.bak.zst",
        ),
        (
            "log1",
            "dbatools-lab/db1/LOG/SQL2008_db1_LOG_20170518_041831.trn.zst",
        ),
        (
            "log2",
            "dbatools-lab/db1/LOG/SQL2008_db1_LOG_20170518_041837.trn.zst",
        ),
    ],
    forks: &[("A", "01215a8c-89b0-4cf6-bf60-d04ba576daa9")],
    expect: db1,
};

// diff1   323:131:34 .. 323:146:1   04:18:19   of a full at checkpoint 323:102:38 that is not here
// diff2   323:146:1  .. 323:148:1   04:18:26   of the same
// log1    322:102:38 .. 323:148:1   04:18:31
// log2    323:148:1, empty          04:18:37
fn db1(h: &History) {
    assert_eq!(h.spans(), "");
    let holes = h.holes();
    assert!(holes.contains("A: 322:102:38..323:148:1 no full"), "{holes}");
    assert!(
        holes.contains("base of diff1 missing") && holes.contains("base of diff2 missing"),
        "{holes}"
    );
    for told in [h.latest(), h.at("04:18:25"), h.lsn("323:147:1")] {
        assert!(
            told.starts_with("no: ") && told.ends_with("; before none; after none"),
            "{told}"
        );
    }
    assert!(
        h.whole("diff2")
            .starts_with("no: set unusable, base of diff2 missing"),
        "{}",
        h.whole("diff2")
    );
    assert!(h.whole("log1").starts_with("no: "), "{}", h.whole("log1"));
    assert_eq!(h.losing("diff1 diff2 log1 log2"), "");
}

/// A full and a differential of it.
pub(crate) const DB2: Chain = Chain {
    name: "db2",
    day: "2017-05-18",
    ahead: 120,
    other_clocks: &[],
    files: &[
        (
            "full",
            "dbatools-lab/db2/FULL/SQL2008_db2_FULL_20170518_041738.bak.zst",
        ),
        (
            "diff",
            "dbatools-lab/db2/DIFF/SQL2008_db2_DIFF_20170518_041819.bak.zst",
        ),
    ],
    forks: &[("A", "081285a7-2314-4f60-b657-e39b6a77b015")],
    expect: db2,
};

// full   22:326:37 .. 22:342:1   04:17:38 to 04:17:39
// diff   22:349:34 .. 22:364:1   04:18:19   of full
fn db2(h: &History) {
    assert_eq!(h.latest(), "full diff");
    let (full, diff) = (
        "A 22:342:1 within 04:17:38-04:17:40",
        "A 22:364:1 within 04:18:19-04:18:20",
    );
    assert_eq!(
        h.at("04:17:39"),
        format!("no: too early; before none; after {full}")
    );
    assert_eq!(
        h.spans(),
        "A: 22:342:1..22:342:1 within 04:17:38-04:17:40; A: 22:364:1..22:364:1 within 04:18:19-04:18:20"
    );
    assert_eq!(h.holes(), "A: 22:342:1..22:364:1 missing log");
    let told = h.at("04:18");
    assert!(
        told.ends_with(&format!("; before {full}; after {diff}")),
        "{told}"
    );
    assert_eq!(h.losing("diff"), "A: 22:364:1..22:364:1 within 04:18:19-04:18:20");
    assert_eq!(h.losing("full"), h.spans());
}

/// RestoreTimeStripe with the files of its second stripe left out.
pub(crate) const HALF_OF_THE_STRIPES: Chain = Chain {
    name: "RestoreTimeStripe half",
    day: "2017-12-15",
    ahead: 0,
    other_clocks: &[],
    files: &[
        (
            "full",
            "dbatools-lab/RestoreTimeStripe/Stripe1/RestoreTimeStripe.bak.zst",
        ),
        (
            "log1",
            "dbatools-lab/RestoreTimeStripe/Stripe1/RestoreTimeStripe_1.trn.zst",
        ),
        (
            "log2",
            "dbatools-lab/RestoreTimeStripe/Stripe1/RestoreTimeStripe_2.trn.zst",
        ),
        (
            "log3",
            "dbatools-lab/RestoreTimeStripe/Stripe1/RestoreTimeStripe_3.trn.zst",
        ),
    ],
    forks: &[("A", "feb32f6f-4bc1-4180-b359-2e40e3fc5788")],
    expect: half_of_the_stripes,
};

fn half_of_the_stripes(h: &History) {
    assert_eq!(h.spans(), "");
    let holes = h.holes();
    for set in ["full", "log1", "log2", "log3"] {
        assert!(holes.contains(&format!("stripe 2 of {set} missing")), "{holes}");
    }
    assert!(h.latest().starts_with("no: nothing"), "{}", h.latest());
    let log2 = h.whole("log2");
    assert!(
        log2.starts_with("no: set unusable, stripe 2 of log2 missing"),
        "{log2}"
    );
}
