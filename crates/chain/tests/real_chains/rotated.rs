//! The two folders that a maintenance script filled: fulls, differentials, logs, and logs in which nothing happened.

use crate::chain_files::Chain;
use crate::notation::History;

/// Two fulls, two logs.
pub(crate) const SIMPLE: Chain = Chain {
    name: "OlaMsFilter Simple",
    day: "2018-06-29",
    ahead: 60,
    other_clocks: &[],
    files: &[
        (
            "full1",
            "dbatools-lab/OlaMsFilter/Simple/test_FULL_20160629_141300.bak.zst",
        ),
        (
            "log1",
            "dbatools-lab/OlaMsFilter/Simple/test_LOG_20160629_141310.trn.zst",
        ),
        (
            "full2",
            "dbatools-lab/OlaMsFilter/Simple/test_FULL_20160629_141320.bak.zst",
        ),
        (
            "log2",
            "dbatools-lab/OlaMsFilter/Simple/test_LOG_20160629_141330.trn.zst",
        ),
    ],
    forks: &[("A", "25f534da-8e65-4e93-84e1-2f7494f0e058")],
    expect: simple,
};

// full1  21:153:37 .. 21:169:1   14:18:32
// log1   21:153:37 .. 21:195:1   14:18:36   153:37 <= 169:1 (full1) <= 195:1
// full2  21:246:37 .. 21:262:1   14:19:07
// log2   21:195:1  .. 21:288:1   14:19:26   begins where log1 ends, across full2; 195:1 <= 262:1 (full2) <= 288:1
fn simple(h: &History) {
    assert_eq!(h.branches(), "A");
    assert_eq!(h.spans(), "A: 21:169:1..21:288:1 @14:18:33-14:19:25.999");
    // log1 reaches back to where the full began; no full ends that early.
    assert_eq!(h.holes(), "A: 21:153:37..21:169:1 no full");
    // dbatools takes the full with the greatest LastLSN and the logs behind it: the same.
    assert_eq!(h.latest(), "full2 log2");
    assert_eq!(h.without("full2").latest(), "full1 log1 log2");
    simple_lsns(h);
    simple_moments(h);
    // log2 begins at 195:1, behind full1's 169:1: nothing but full2 leads into it.
    assert_eq!(
        h.without("log1").spans(),
        "A: 21:169:1..21:169:1 within 14:18:32-14:18:33; A: 21:262:1..21:288:1 @14:19:08-14:19:25.999"
    );
    // full2 still serves its end, which is no moment.
    assert_eq!(
        h.losing("log2"),
        "A: 21:195:1..21:262:1 no time; A: 21:262:1..21:288:1 no time; A: 21:288:1..21:288:1 @14:18:35.999-14:19:25.999"
    );
    assert_eq!(h.losing("full2"), "");
    assert_eq!(h.losing("full1"), "A: 21:169:1..21:262:1 @14:18:33-14:19:08");
}

fn simple_lsns(h: &History) {
    assert_eq!(
        h.lsn("21:168:1"),
        "no: hole A: 21:153:37..21:169:1 no full; before none; after A 21:169:1 @14:18:33"
    );
    assert_eq!(h.lsn("21:169:1"), "full1");
    assert_eq!(h.lsn("21:180:1"), "full1 log1=21:180:1");
    assert_eq!(h.lsn("21:195:1"), "full1 log1");
    // Still before full2's end: only from full1, across full2's beginning.
    assert_eq!(h.lsn("21:250:1"), "full1 log1 log2=21:250:1");
    assert_eq!(h.before_lsn("21:250:1"), "full1 log1 log2<21:250:1");
    assert_eq!(h.lsn("21:262:1"), "full2");
    assert_eq!(h.lsn("21:270:35"), "full2 log2=21:270:35");
    assert_eq!(h.lsn("21:288:1"), "full2 log2");
    assert_eq!(
        h.lsn("21:288:2"),
        "no: too late; before A 21:288:1 @14:19:25.999; after none"
    );
}

fn simple_moments(h: &History) {
    assert_eq!(
        h.at("14:18:31"),
        "no: too early; before none; after A 21:169:1 @14:18:33"
    );
    assert_eq!(h.at("14:18:33"), "full1 log1@14:18:33");
    assert_eq!(h.at("14:18:34"), "full1 log1@14:18:34");
    assert_eq!(h.at("14:18:36"), "full1 log1@14:18:36 log2@14:18:36");
    // full2 finished in the second 14:19:07.
    assert_eq!(h.at("14:18:50"), "full1 log1 log2@14:18:50");
    assert_eq!(h.at("14:19:06"), "full1 log1 log2@14:19:06");
    assert_eq!(h.at("14:19:07"), "full1 log1 log2@14:19:07");
    assert_eq!(h.at("14:19:08"), "full2 log2@14:19:08");
    assert_eq!(h.at("14:19:25"), "full2 log2@14:19:25");
    assert_eq!(
        h.at("14:19:27"),
        "no: too late; before A 21:288:1 @14:19:25.999; after none"
    );
    // British summer: 14:18:50 there is 13:18:50 of UTC.
    assert_eq!(h.utc("13:18:50"), "full1 log1 log2@14:18:50");
}

/// Two rounds of full, logs and differentials within a quarter of a minute.
pub(crate) const COMPLEX: Chain = Chain {
    name: "OlaMsFilter complex",
    day: "2018-07-02",
    ahead: 60,
    other_clocks: &[],
    files: &[
        (
            "full1300",
            "dbatools-lab/OlaMsFilter/complex/Full/test_FULL_20160629_141300.bak.zst",
        ),
        (
            "log1400",
            "dbatools-lab/OlaMsFilter/complex/Log/test_LOG_20160629_141400.trn.zst",
        ),
        (
            "log1500",
            "dbatools-lab/OlaMsFilter/complex/Log/test_LOG_20160629_141500.trn.zst",
        ),
        (
            "diff1600",
            "dbatools-lab/OlaMsFilter/complex/Diff/test_DIFF_20160629_141600.bak.zst",
        ),
        (
            "log1700",
            "dbatools-lab/OlaMsFilter/complex/Log/test_LOG_20160629_141700.trn.zst",
        ),
        (
            "log1800",
            "dbatools-lab/OlaMsFilter/complex/Log/test_LOG_20160629_141800.trn.zst",
        ),
        (
            "diff1900",
            "dbatools-lab/OlaMsFilter/complex/Diff/test_DIFF_20160629_141900.bak.zst",
        ),
        (
            "log2000",
            "dbatools-lab/OlaMsFilter/complex/Log/test_LOG_20160629_142000.trn.zst",
        ),
        (
            "log2100",
            "dbatools-lab/OlaMsFilter/complex/Log/test_LOG_20160629_142100.trn.zst",
        ),
        (
            "full2200",
            "dbatools-lab/OlaMsFilter/complex/Full/test_FULL_20160629_142200.bak.zst",
        ),
        (
            "log2300",
            "dbatools-lab/OlaMsFilter/complex/Log/test_LOG_20160629_142300.trn.zst",
        ),
        (
            "log2400",
            "dbatools-lab/OlaMsFilter/complex/Log/test_LOG_20160629_142400.trn.zst",
        ),
        (
            "diff2500",
            "dbatools-lab/OlaMsFilter/complex/Diff/test_DIFF_20160629_142500.bak.zst",
        ),
        (
            "log2600",
            "dbatools-lab/OlaMsFilter/complex/Log/test_LOG_20160629_142600.trn.zst",
        ),
        (
            "log2700",
            "dbatools-lab/OlaMsFilter/complex/Log/test_LOG_20160629_142700.trn.zst",
        ),
        (
            "diff2800",
            "dbatools-lab/OlaMsFilter/complex/Diff/test_DIFF_20160629_142800.bak.zst",
        ),
        (
            "log2900",
            "dbatools-lab/OlaMsFilter/complex/Log/test_LOG_20160629_142900.trn.zst",
        ),
        (
            "log3000",
            "dbatools-lab/OlaMsFilter/complex/Log/test_LOG_20160629_143000.trn.zst",
        ),
    ],
    forks: &[("A", "ef815388-457a-4e04-b71f-bd5749dd4742")],
    expect: complex,
};

// full1300  21:159:37 .. 21:175:1   08:17:41
// log1400   21:159:37 .. 21:182:1   08:17:41   159:37 <= 175:1 (full1300) <= 182:1
// log1500   21:182:1, empty         08:17:42
// diff1600  21:182:34 .. 21:197:1   08:17:42   of full1300
// log1700   21:182:1  .. 21:197:1   08:17:43
// log1800   21:197:1, empty         08:17:44
// diff1900  21:197:1  .. 21:199:1   08:17:44   of full1300
// log2000   21:197:1  .. 21:199:1   08:17:45
// log2100   21:199:1, empty         08:17:45
// full2200  21:201:37 .. 21:217:1   08:17:46
// log2300   21:199:1  .. 21:224:1   08:17:46   across full2200: 199:1 <= 217:1 <= 224:1
// log2400   21:224:1, empty         08:17:47
// diff2500  21:224:34 .. 21:239:1   08:17:48   of full2200
// log2600   21:224:1  .. 21:239:1   08:17:51
// log2700   21:239:1, empty         08:17:52
// diff2800  21:239:1  .. 21:241:1   08:17:53   of full2200
// log2900   21:239:1  .. 21:241:1   08:17:55
// log3000   21:241:1, empty         08:17:56
fn complex(h: &History) {
    assert_eq!(h.branches(), "A");
    // log3000 witnesses that nothing happened until 08:17:56.
    assert_eq!(h.spans(), "A: 21:175:1..21:241:1 @08:17:42-08:17:55.999");
    assert_eq!(h.holes(), "A: 21:159:37..21:175:1 no full");
    // diff2800 ends where log2900 ends; dbatools' rule (LastLSN at or behind the base's) adds log2900, which brings nothing.
    assert_eq!(h.latest(), "full2200 diff2800");
    assert_eq!(h.without("diff2800").latest(), "full2200 diff2500 log2900");
    assert_eq!(
        h.without("diff2500 diff2800").latest(),
        "full2200 log2300 log2600 log2900"
    );
    // diff1900 of full1300 stands at 199:1, where log2300 begins.
    assert_eq!(
        h.without("full2200").latest(),
        "full1300 diff1900 log2300 log2600 log2900"
    );
    complex_lsns(h);
    complex_moments(h);
    // Differentials of full2200 go with it, the logs lead on from the first full.
    assert_eq!(h.losing("full2200"), "");
    assert_eq!(h.losing("full1300"), "A: 21:175:1..21:217:1 @08:17:42-08:17:47");
    assert_eq!(
        h.losing("log3000"),
        "A: 21:241:1..21:241:1 @08:17:54.999-08:17:55.999"
    );
    // diff1600 bridges log1700, but not its interior: the second 08:17:42, in which the differential finished, goes with the log.
    assert_eq!(h.losing("log1700"), "A: 21:182:1..21:197:1 @08:17:42-08:17:43");
}

fn complex_lsns(h: &History) {
    assert_eq!(h.lsn("21:175:1"), "full1300");
    assert_eq!(h.lsn("21:182:1"), "full1300 log1400");
    assert_eq!(h.lsn("21:190:1"), "full1300 log1400 log1700=21:190:1");
    assert_eq!(h.lsn("21:197:1"), "full1300 diff1600");
    assert_eq!(h.lsn("21:198:1"), "full1300 diff1600 log2000=21:198:1");
    assert_eq!(h.lsn("21:199:1"), "full1300 diff1900");
    // full2200 ends at 217:1, too late.
    assert_eq!(h.lsn("21:210:1"), "full1300 diff1900 log2300=21:210:1");
    assert_eq!(h.lsn("21:217:1"), "full2200");
    assert_eq!(h.lsn("21:224:1"), "full2200 log2300");
    assert_eq!(h.lsn("21:230:1"), "full2200 log2300 log2600=21:230:1");
    assert_eq!(h.lsn("21:239:1"), "full2200 diff2500");
    assert_eq!(h.lsn("21:240:1"), "full2200 diff2500 log2900=21:240:1");
    assert_eq!(h.lsn("21:241:1"), "full2200 diff2800");
    // The end of an empty log is where it stands.
    assert_eq!(h.whole("log1500"), "full1300 log1400");
    assert_eq!(h.whole("diff2500"), "full2200 diff2500");
}

fn complex_moments(h: &History) {
    assert_eq!(
        h.at("08:17:40"),
        "no: too early; before none; after A 21:175:1 @08:17:42"
    );
    // log1500 lets log1400 reach to the end of 41, and no further.
    assert_eq!(h.at("08:17:42"), "full1300 log1400 log1700@08:17:42");
    // Three steps either way (diff1600 and log2000 would do); the logs are smaller.
    assert_eq!(h.at("08:17:43"), "full1300 log1400 log1700@08:17:43");
    // log2000 began in that second, so that diff1900 with log2300 is the only way of three steps.
    assert_eq!(h.at("08:17:45"), "full1300 diff1900 log2300@08:17:45");
    assert_eq!(h.alternatives(&h.local("08:17:45")), "");
    // full2200 may hold what was committed in all of 08:17:46.
    assert_eq!(h.at("08:17:46"), "full1300 diff1900 log2300@08:17:46");
    assert_eq!(h.at("08:17:47"), "full2200 log2300 log2600@08:17:47");
    assert_eq!(h.at("08:17:48"), "full2200 log2300 log2600@08:17:48");
    // log2700, empty, lets log2600 reach to the end of 51.
    assert_eq!(h.at("08:17:52"), "full2200 diff2500 log2900@08:17:52");
    assert_eq!(h.at("08:17:53"), "full2200 diff2500 log2900@08:17:53");
    assert_eq!(h.at("08:17:55"), "full2200 diff2500 log2900@08:17:55");
    assert_eq!(
        h.at("08:17:57"),
        "no: too late; before A 21:241:1 @08:17:55.999; after none"
    );
}
