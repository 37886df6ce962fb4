//! One database that was restored under another name and went on, and one file that holds two sets.

use std::path::Path;

use chain::Target;

use crate::chain_files::{Chain, sets_in};
use crate::notation::{History, lsn};

const STRIPED: &str = "dbatools-lab/RestoreTimeStripe/Stripe1/RestoreTimeStripe.bak.zst";
const RENAMED: &str = "dbatools-lab/backuppassword/passwd.bak.zst";

/// RestoreTimeStripe, and a full of `stripetest`: the same family, restored three years later and gone on under a fork of its own.
pub(crate) const STRIPE_TEST: Chain = Chain {
    name: "RestoreTimeStripe and stripetest",
    day: "2017-12-15",
    ahead: 0,
    // In October it is summer time there.
    other_clocks: &[("renamed", 60)],
    files: &[
        ("full", STRIPED),
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
        ("renamed", RENAMED),
    ],
    forks: &[
        ("A", "feb32f6f-4bc1-4180-b359-2e40e3fc5788"),
        ("B", "5df21dbd-0334-4219-bc90-c6d37fa86dd1"),
    ],
    expect: stripe_test,
};

// full      20:74:170 .. 20:144:1   2017-12-15 12:46:53
// log1      20:74:170 .. 20:166:1   2017-12-15 12:47:44
// log2      20:166:1  .. 20:176:1   2017-12-15 12:48:34
// log3      20:176:1  .. 20:186:1   2017-12-15 12:49:24
// renamed   20:338:37 .. 20:354:1   2020-10-03 15:34:48, of fork B, which left A at 20:243:1, behind log3's end: B came from a part
//                                   of A of which nothing is here
fn stripe_test(h: &History) {
    assert_eq!(h.branches(), "A; B from A at 20:243:1");
    let spans = h.spans();
    assert!(
        spans.starts_with(
            "A: 20:144:1..20:186:1 @12:46:54-12:49:23.999; B: 20:354:1..20:354:1 within 2020-10-03T"
        ),
        "{spans}"
    );
    // B was written last; A goes as far as it went.
    assert_eq!(h.latest(), "renamed");
    assert_eq!(h.branch_of(&Target::Latest), "B");
    assert_eq!(h.on("A").latest(), "full log1 log2 log3");
    assert_eq!(h.lsn("20:354:1"), "renamed");
    assert_eq!(h.at("12:49"), "full log1 log2 log3@12:49");
    assert_eq!(h.on_other_branches(&Target::Lsn(lsn("20:180:1"))), "");
    // Nothing of A leads into B, and nothing of B back: 20:200:1 is in no set.
    for told in [h.lsn("20:200:1"), h.lsn("20:300:1")] {
        assert!(told.starts_with("no: "), "{told}");
        assert!(told.contains("before A 20:186:1 @12:49:23.999"), "{told}");
        assert!(told.contains("after B 20:354:1"), "{told}");
    }
    assert_eq!(
        h.losing("renamed").split(" within").next(),
        Some("B: 20:354:1..20:354:1")
    );
    assert_eq!(h.losing("full"), "A: 20:144:1..20:186:1 @12:46:54-12:49:23.999");
}

/// The family groups them; the names are two.
pub(crate) fn two_names_one_family(folder: &Path) {
    let (striped, renamed) = (&sets_in(folder, STRIPED)[0], &sets_in(folder, RENAMED)[0]);
    assert_eq!(
        chain::from_backup::family_of(striped),
        chain::from_backup::family_of(renamed)
    );
    assert_eq!(
        (striped.database_name.as_str(), renamed.database_name.as_str()),
        ("RestoreTimeStripe", "stripetest")
    );
    assert_ne!(striped.binding_id, renamed.binding_id);
}

/// Two fulls of one database in one file, sixteen months apart, each told by its position.
///
/// ```text
/// first    28:252:37 .. 28:268:1   2009-08-11 14:57:39
/// second   37:480:37 .. 38:16:1    2010-12-02 23:08:33
/// ```
pub(crate) fn two_sets_in_one_file(folder: &Path) {
    let found = sets_in(folder, "misc/gabrujo__StDb2Sql.bak.zst");
    assert_eq!(found.iter().map(|set| set.position).collect::<Vec<_>>(), [1, 2]);
    let known = |number| chain::Known {
        id: chain::SetId(number),
        grade: chain::Grade::HeadersOnly,
        families: chain::Families::single(),
        bytes: 1_800_000,
        log: None,
    };
    let set = |number: u64, at: usize| chain::Set::from_backup(&found[at], known(number)).expect("a full");
    let named = vec![("first".to_owned(), set(1, 0)), ("second".to_owned(), set(2, 1))];
    let h = History::of(named, "2009-08-11".parse().expect("a day"));
    assert_eq!(h.latest(), "second");
    assert_eq!(h.lsn("28:268:1"), "first");
    assert_eq!(h.lsn("38:16:1"), "second");
    let told = h.lsn("30:1:1");
    assert!(
        told.starts_with("no: hole ") && told.contains("28:268:1..38:16:1 missing log"),
        "{told}"
    );
    assert_eq!(h.coverage().branches.len(), 1);
}
