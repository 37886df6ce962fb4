//! What cannot be restored, and that it is said: gaps, missing stripes, damage, hidden forks, hostile names.

use std::fs;

use bak::writer::sample::lsn;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Story, at, chain, files, number, write};

#[test]
fn a_missing_log_is_a_hole_and_the_nearest_points_can_be_had() {
    let folder = TempDir::new().expect("a folder");
    let story = Story::of("Sales");
    story.write(&folder);
    fs::remove_file(folder.path().join("log2.trn")).expect("it was there");
    // A second full behind the gap.
    let later = story.sample.full(lsn(40, 205), lsn(40, 215), at("02:40:00"));
    story.put(&folder, "later.bak", &[&later]);
    let ran = chain(&[".", "--at", "2026-03-15T02:20:00"], folder.path());
    assert_eq!(ran.code, Some(1));
    let database = ran.database();
    assert_eq!(database["plan"], Value::Null);
    let holes = database["holes"].as_array().expect("holes").clone();
    let hole = holes
        .iter()
        .find(|hole| hole["kind"] == "missingLog")
        .expect("a missing log");
    assert_eq!(hole["fromLsn"], number(40, 150).as_str());
    assert_eq!(hole["toLsn"], number(40, 200).as_str());
    for side in ["before", "after"] {
        let option = database["refusal"][side]["option"]
            .as_str()
            .expect("a point")
            .to_owned();
        assert!(ran.complaint.contains(&option), "{}", ran.complaint);
        let words: Vec<&str> = [".", "-o", "json"].into_iter().chain(option.split(' ')).collect();
        let there = chain(&words, folder.path());
        assert_eq!(there.code, Some(0), "{option}: {}", there.complaint);
    }
    assert_eq!(
        database["refusal"]["before"]["time"],
        "2026-03-15T02:14:59.999+01:00"
    );
    // Headers have whole seconds: the full may have ended at any moment of 02:40:00.
    assert_eq!(database["refusal"]["after"]["time"], "2026-03-15T02:40:01+01:00");
    for (moment, code) in [
        ("2026-03-15T01:00:00", "[BeforeFirstRestorable]"),
        ("2026-03-15T09:00:00", "[AfterLastRestorable]"),
    ] {
        let refused = chain(&[".", "--at", moment], folder.path());
        assert_eq!(refused.code, Some(1));
        assert!(refused.complaint.contains(code), "{}", refused.complaint);
        assert!(refused.complaint.contains("next: "), "{}", refused.complaint);
    }
}

#[test]
fn a_full_alone_is_a_point_between_two_moments_and_its_option_plans_it() {
    let folder = TempDir::new().expect("a folder");
    Story::of("Sales").write(&folder);
    for log in ["log1.trn", "log2.trn", "log3.trn"] {
        fs::remove_file(folder.path().join(log)).expect("it was there");
    }
    // It ended somewhere in 02:00:00, and what was committed in the rest of that second is not in it.
    for (moment, side) in [
        ("2026-03-15T02:00:00", "after"),
        ("2026-03-15T02:00:01", "before"),
        ("2026-03-15T12:00:00", "before"),
    ] {
        let ran = chain(&[".", "--at", moment], folder.path());
        assert_eq!(ran.code, Some(1), "{moment}");
        let database = ran.database();
        let span = &database["coverage"][0];
        assert_eq!((&span["fromTime"], &span["toTime"]), (&Value::Null, &Value::Null));
        assert_eq!(span["takenBefore"], "2026-03-15T02:00:01+01:00");
        let point = &database["refusal"][side];
        assert_eq!(point["takenBefore"], "2026-03-15T02:00:01+01:00", "{moment}");
        assert_eq!(point["option"], format!("--lsn {}", number(40, 110)), "{moment}");
    }
    for option in [&["--lsn", &number(40, 110)][..], &["--latest"]] {
        let there = chain(&[&["."], option].concat(), folder.path());
        assert_eq!(there.code, Some(0), "{option:?}: {}", there.complaint);
        assert_eq!(files(&there.database()), ["full.bak"]);
    }
    let shown = chain(&[".", "-o", "table"], folder.path()).text;
    assert!(shown.contains("and 2026-03-15 02:00:01 +01:00"), "{shown}");
    assert!(shown.contains("--lsn") && shown.contains("--latest"), "{shown}");
}

#[test]
fn a_missing_stripe_is_the_reason() {
    let folder = TempDir::new().expect("a folder");
    let story = Story::of("Sales");
    write(&folder, "1.bak", &story.sample.files(&[&story.full], 3)[0]);
    let ran = chain(&[".", "--latest"], folder.path());
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.complaint.contains("stripes 2, 3 of 3 missing"),
        "{}",
        ran.complaint
    );
    assert_eq!(ran.database()["holes"][0]["kind"], "familiesMissing");
    assert_eq!(ran.database()["coverage"], Value::Array(vec![]));
}

#[test]
fn a_damaged_set_is_planned_only_where_it_is_named() {
    let folder = TempDir::new().expect("a folder");
    let story = Story::of("Sales");
    story.write(&folder);
    let mut bytes = story.sample.file(&[&story.logs[1]]);
    let log = bytes.len() / 2;
    bytes[log] ^= 8;
    write(&folder, "log2.trn", &bytes);
    let ran = chain(&[".", "--latest", "--verify"], folder.path());
    assert_eq!(ran.code, Some(0), "{}", ran.complaint);
    assert!(ran.complaint.contains("log2.trn"), "{}", ran.complaint);
    assert_eq!(files(&ran.database()), ["full.bak", "log1.trn"]);
    assert_eq!(ran.database()["plan"]["steps"][0]["grade"], "proved");
    let kinds: Vec<Value> = ran.database()["holes"]
        .as_array()
        .expect("holes")
        .iter()
        .map(|h| h["kind"].clone())
        .collect();
    assert!(kinds.contains(&Value::from("damaged")), "{kinds:?}");
    let guid = story.logs[1].set.backup_set_guid.expect("a GUID").to_string();
    let ran = chain(
        &[".", "--latest", "--verify", "--accept-damaged", &guid],
        folder.path(),
    );
    assert_eq!(ran.code, Some(0), "{}", ran.complaint);
    assert_eq!(files(&ran.database()).len(), 4);
    assert!(ran.complaint.contains("DBCC CHECKDB"), "{}", ran.complaint);
    let script = ran.database()["plan"]["tsql"]
        .as_str()
        .expect("a script")
        .to_owned();
    assert!(script.contains("CONTINUE_AFTER_ERROR"), "{script}");
    // A sound copy under another name makes it good.
    story.put(&folder, "elsewhere/copy of log2.trn", &[&story.logs[1]]);
    let ran = chain(&[".", "--latest", "--verify"], folder.path());
    assert_eq!(
        files(&ran.database()),
        ["full.bak", "log1.trn", "elsewhere/copy of log2.trn", "log3.trn"]
    );
    let unknown = chain(
        &[
            ".",
            "--latest",
            "--accept-damaged",
            "00000000-0000-0000-0000-000000000001",
        ],
        folder.path(),
    );
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.complaint.contains("[NoSuchSet]"), "{}", unknown.complaint);
}

#[test]
fn a_file_that_breaks_off_is_never_planned() {
    let folder = TempDir::new().expect("a folder");
    let story = Story::of("Sales");
    story.write(&folder);
    let whole = story.sample.file(&[&story.logs[2]]);
    write(&folder, "log3.trn", &whole[..whole.len() - 2000]);
    let ran = chain(&[".", "--latest"], folder.path());
    assert_eq!(files(&ran.database()), ["full.bak", "log1.trn", "log2.trn"]);
    assert!(ran.complaint.contains("log3.trn"), "{}", ran.complaint);
    assert_eq!(chain(&[".", "--latest", "--strict"], folder.path()).code, Some(1));
}

#[test]
fn a_hidden_fork_is_told_by_the_log_itself() {
    let folder = TempDir::new().expect("a folder");
    let story = Story::of("Sales");
    story.write(&folder);
    // The host went back to a snapshot taken at block 150, and wrote the same LSNs again.
    let twin = story
        .sample
        .log(lsn(40, 150), lsn(40, 190), at("02:50:00"))
        .rewritten(lsn(40, 150), 1);
    story.put(&folder, "twin.trn", &[&twin]);
    let ran = chain(&[".", "--verify"], folder.path());
    let database = ran.database();
    let forks = database["forks"].as_array().expect("forks").clone();
    assert_eq!(forks.len(), 2, "{forks:?}");
    assert_eq!(forks[0]["recoveryForkId"], forks[1]["recoveryForkId"]);
    assert!(forks.iter().any(|fork| fork["evidence"].is_string()), "{forks:?}");
    let table = chain(&[".", "--verify", "-o", "table"], folder.path());
    assert!(table.text.contains("HIDDEN FORK"), "{}", table.text);
    // The two are never mixed.
    let latest = chain(&[".", "--verify", "--latest"], folder.path()).database();
    let planned = files(&latest);
    assert!(
        planned.contains(&"twin.trn".to_owned()) && !planned.contains(&"log2.trn".to_owned()),
        "{planned:?}"
    );
    let guid = forks[0]["recoveryForkId"].as_str().expect("a GUID").to_owned();
    let both = chain(&[".", "--verify", "--latest", "--fork", &guid], folder.path());
    assert_eq!(both.code, Some(2), "{}", both.complaint);
    assert!(both.complaint.contains("[AmbiguousFork]"), "{}", both.complaint);
    let first = chain(&[".", "--verify", "--latest", "--fork", "1"], folder.path());
    assert_eq!(
        files(&first.database()),
        ["full.bak", "log1.trn", "log2.trn", "log3.trn"]
    );
    let none = chain(&[".", "--verify", "--latest", "--fork", "9"], folder.path());
    assert_eq!(none.code, Some(1));
    assert!(none.complaint.contains("[UnknownFork]"), "{}", none.complaint);
}

#[test]
fn of_bulk_logged_log_only_the_end_can_be_had() {
    let folder = TempDir::new().expect("a folder");
    let mut story = Story::of("Sales");
    story.logs[1].set.has_bulk_logged_data = true;
    story.write(&folder);
    let inside = chain(&[".", "--lsn", &number(40, 170)], folder.path());
    assert_eq!(inside.code, Some(1));
    assert!(inside.complaint.contains("bulk-logged"), "{}", inside.complaint);
    let end = chain(&[".", "--lsn", &number(40, 200)], folder.path());
    assert_eq!(end.code, Some(0), "{}", end.complaint);
}

#[test]
fn names_cannot_act_on_the_terminal_or_leave_a_comment() {
    let folder = TempDir::new().expect("a folder");
    Story::of("a\u{1b}[31m\nDROP DATABASE x;--").write(&folder);
    for arguments in [
        &["-o", "table", "--latest"][..],
        &["-o", "table", "--at", "2031-01-01"],
    ] {
        let ran = chain(&[&["."], arguments].concat(), folder.path());
        assert!(
            !ran.text.contains('\u{1b}') && !ran.complaint.contains('\u{1b}'),
            "{}",
            ran.text
        );
    }
    let script = chain(&[".", "--latest", "--tsql"], folder.path()).text;
    assert!(script.lines().all(|line| !line.starts_with("DROP")), "{script}");
    assert!(!script.contains('\u{1b}'), "{script}");
}

/// Summer time ends: 02:00 to 03:00 comes twice in Berlin on 25 October 2026. A log of the first pass, and two of the second.
#[test]
fn an_hour_that_comes_twice_is_refused_with_both_readings() {
    let folder = TempDir::new().expect("a folder");
    let mut story = Story::of("Sales");
    for (set, time) in std::iter::once(&mut story.full)
        .chain(&mut story.logs)
        .zip(["00:30:00", "02:40:00", "02:20:00", "03:30:00"])
    {
        let time = format!("2026-10-25T{time}").parse().expect("a local time");
        set.set.backup_start_date = Some(time);
        set.set.backup_finish_date = Some(time);
        set.set.time_zone_offset_minutes = None;
    }
    story.write(&folder);
    let ran = chain(
        &[".", "--zone", "Europe/Berlin", "--at", "2026-10-25T02:30"],
        folder.path(),
    );
    assert_eq!(ran.code, Some(1));
    assert!(ran.complaint.contains("[AmbiguousMoment]"), "{}", ran.complaint);
    let readings = ran.database()["refusal"]["readings"].clone();
    assert_eq!(
        readings,
        serde_json::json!(["--at 2026-10-25T02:30:00+02:00", "--at 2026-10-25T02:30:00+01:00"])
    );
    for (reading, steps) in [("2026-10-25T02:30:00+02:00", 2), ("2026-10-25T02:30:00+01:00", 4)] {
        assert!(ran.complaint.contains(reading), "{}", ran.complaint);
        let there = chain(&[".", "--zone", "Europe/Berlin", "--at", reading], folder.path());
        assert_eq!(there.code, Some(0), "{}", there.complaint);
        assert_eq!(files(&there.database()).len(), steps, "{reading}");
    }
    // The second log was begun in the first pass and ended in the second: its moments cannot be told apart, its ends can.
    let inside = chain(
        &[
            ".",
            "--zone",
            "Europe/Berlin",
            "--at",
            "2026-10-25T02:45:00+02:00",
        ],
        folder.path(),
    );
    assert_eq!(inside.code, Some(1));
    for (block, steps) in [(150, 2), (200, 3)] {
        let lsn = number(40, block);
        assert!(
            inside.complaint.contains(&format!("--lsn {lsn}")),
            "{}",
            inside.complaint
        );
        let there = chain(&[".", "--lsn", &lsn], folder.path());
        assert_eq!(files(&there.database()).len(), steps, "{lsn}");
    }
    // Without the zone nothing tells the two apart.
    let unknown = chain(&[".", "--at", "2026-10-25T02:30"], folder.path());
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.complaint.contains("--zone"), "{}", unknown.complaint);
}

#[cfg(unix)]
#[test]
fn a_file_name_never_speaks_to_the_terminal() {
    let folder = TempDir::new().expect("a folder");
    Story::of("Sales").write(&folder);
    write(&folder, "a\u{1b}[2Jb.bak", b"junk");
    write(&folder, "c\u{1b}[2Jd.txt", b"no backup");
    let ran = chain(&[".", "-o", "table"], folder.path());
    assert_eq!(ran.code, Some(0), "{}", ran.complaint);
    assert!(ran.complaint.contains("[2Jb.bak") && ran.complaint.contains("[2Jd.txt"));
    assert!(!ran.complaint.contains('\u{1b}') && !ran.text.contains('\u{1b}'));
}
