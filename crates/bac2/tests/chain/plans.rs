//! What can be restored and how, where the backups are in order.

use std::fs;
use std::time::Instant;

use bak::writer::sample::{ChainSample, lsn};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Story, at, chain, files, number};

#[test]
fn coverage_and_plan_say_what_the_contract_says() {
    let folder = TempDir::new().expect("a folder");
    Story::of("Sales").write(&folder);
    let ran = chain(&[".", "--at", "2026-03-15 02:20:00"], folder.path());
    assert_eq!(ran.code, Some(0), "{}", ran.complaint);
    let database = ran.database();
    let span = &database["coverage"][0];
    assert_eq!(span["fromLsn"], number(40, 110).as_str());
    assert_eq!(span["toLsn"], number(40, 250).as_str());
    assert_eq!(span["fromTime"], "2026-03-15T02:00:01+01:00");
    // The last log began somewhere in 02:45:00: of that second nothing is sure.
    assert_eq!(span["toTime"], "2026-03-15T02:44:59.999+01:00");
    assert_eq!(files(&database), ["full.bak", "log1.trn", "log2.trn"]);
    let steps = &database["plan"]["steps"];
    assert_eq!(
        [
            &steps[0]["backupType"],
            &steps[1]["backupType"],
            &steps[2]["stopAt"]
        ],
        ["full", "log", "2026-03-15T02:20:00.000"]
    );
    assert_eq!(
        [&steps[0]["stopAt"], &steps[1]["stopAt"]],
        [&Value::Null, &Value::Null]
    );
    assert_eq!(steps[1]["firstLsn"], number(40, 100).as_str());
    assert_eq!(steps[1]["lastLsn"], number(40, 150).as_str());
    assert_eq!(steps[1]["position"], 1);
    assert_eq!(steps[0]["grade"], "headersOnly");
    // Members in the order of the contract.
    let members = [
        "databases",
        "databaseName",
        "familyGuid",
        "forks",
        "coverage",
        "fromLsn",
        "toLsn",
        "fromTime",
        "toTime",
        "holes",
        "plan",
        "steps",
        "backupType",
        "files",
        "position",
        "firstLsn",
        "lastLsn",
        "stopAt",
        "tsql",
        "refusal",
    ];
    let mut rest = ran.text.as_str();
    for member in members {
        let place = rest
            .find(&format!("\"{member}\": "))
            .unwrap_or_else(|| panic!("{member} in {}", ran.text));
        rest = &rest[place..];
    }
}

#[test]
fn every_way_to_name_a_point_leads_there() {
    let folder = TempDir::new().expect("a folder");
    let story = Story::of("Sales");
    story.write(&folder);
    let middle = number(40, 170);
    let end = number(40, 200);
    let set = story.logs[0].set.backup_set_guid.expect("a GUID").to_string();
    let all = &["full.bak", "log1.trn", "log2.trn", "log3.trn"];
    for (arguments, steps, stop) in [
        (&["--latest"][..], 4, Value::Null),
        (&["--lsn", &middle], 3, json!(format!("lsn:{middle}"))),
        (&["--before-lsn", &middle], 3, json!(format!("lsn:{middle}"))),
        (&["--lsn", &end], 3, Value::Null),
        (&["--set", &set], 2, Value::Null),
        (&["--mark", "deploy", "--mark-lsn", &middle], 3, json!("deploy")),
        (
            &["--at", "2026-03-15T01:20:00Z"],
            3,
            json!("2026-03-15T02:20:00.000"),
        ),
        (&["--at", "2026-03-15T02:20"], 3, json!("2026-03-15T02:20:00.000")),
    ] {
        let ran = chain(&[&["."], arguments].concat(), folder.path());
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.complaint);
        let database = ran.database();
        assert_eq!(files(&database), all[..steps], "{arguments:?}");
        assert_eq!(
            database["plan"]["steps"][steps - 1]["stopAt"],
            stop,
            "{arguments:?}"
        );
    }
}

#[test]
fn the_script_alone_is_printed_on_demand() {
    let folder = TempDir::new().expect("a folder");
    Story::of("Sal'es]").write(&folder);
    let arguments = [
        ".",
        "--latest",
        "--tsql",
        "--to",
        "Copy]2",
        "--move-to",
        "E:\\Data",
        "--replace",
    ];
    let ran = chain(&arguments, folder.path());
    assert_eq!(ran.code, Some(0), "{}", ran.complaint);
    assert!(ran.text.starts_with("--"), "{}", ran.text);
    assert_eq!(
        ran.text.matches("RESTORE LOG [Copy]]2]").count(),
        3,
        "{}",
        ran.text
    );
    assert!(
        ran.text.contains("MOVE N'Sal''es]' TO N'E:\\Data\\Sal''es].mdf'"),
        "{}",
        ran.text
    );
    assert!(ran.text.contains("REPLACE"), "{}", ran.text);
    let path = fs::canonicalize(folder.path())
        .expect("it is there")
        .join("full.bak");
    assert!(
        ran.text.contains(&format!("DISK = N'{}'", path.display())),
        "{}",
        ran.text
    );
    assert!(ran.text.trim_end().ends_with("WITH RECOVERY;"), "{}", ran.text);
    let wrong = chain(&[".", "--latest", "--move", "nothing=E:\\x.mdf"], folder.path());
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.complaint.contains("[NoSuchFile]"), "{}", wrong.complaint);
}

#[test]
fn several_sets_in_one_file_are_told_by_position() {
    let folder = TempDir::new().expect("a folder");
    let story = Story::of("Sales");
    let [one, two, three] = &story.logs;
    story.put(&folder, "all.bak", &[&story.full, one, two, three]);
    let ran = chain(&["all.bak", "--latest"], folder.path());
    let database = ran.database();
    let steps = database["plan"]["steps"].as_array().expect("steps").clone();
    let positions: Vec<u64> = steps
        .iter()
        .filter_map(|step| step["position"].as_u64())
        .collect();
    assert_eq!(positions, [1, 2, 3, 4]);
    let script = database["plan"]["tsql"].as_str().expect("a script");
    assert!(script.contains("FILE = 4"), "{script}");
}

#[test]
fn stripes_and_copies_are_put_together_whatever_they_are_called() {
    let folder = TempDir::new().expect("a folder");
    let story = Story::of("Sales");
    let stripes = story.sample.files(&[&story.full], 2);
    crate::write(&folder, "b/zzz", &stripes[0]);
    crate::write(&folder, "a/first.bak", &stripes[1]);
    crate::write(&folder, "c/copy of second.bak", &stripes[1]);
    story.put(&folder, "log1.trn", &[&story.logs[0]]);
    story.put(&folder, "again/log1.trn", &[&story.logs[0]]);
    let ran = chain(&[".", "--latest"], folder.path());
    assert_eq!(ran.code, Some(0), "{}", ran.complaint);
    let database = ran.database();
    assert_eq!(database["backupSets"], 2);
    assert_eq!(files(&database)[0], "b/zzz+a/first.bak");
}

#[test]
fn two_databases_of_one_name_are_two() {
    let folder = TempDir::new().expect("a folder");
    Story::of("Sales").write(&folder);
    // Dropped and made again: another family under the same name.
    let again = Story::of("Sales again");
    let mut full = again.full.clone();
    full.set.database_name = "Sales".to_owned();
    again.put(&folder, "again.bak", &[&full]);
    let ran = chain(&[".", "--database", "Sales", "--latest"], folder.path());
    assert_eq!(ran.code, Some(0), "{}", ran.complaint);
    let databases = ran.databases();
    assert_eq!(databases.len(), 2);
    assert_ne!(databases[0]["familyGuid"], databases[1]["familyGuid"]);
    assert!(databases.iter().all(|database| !database["plan"].is_null()));
    let table = chain(&[".", "-o", "table"], folder.path());
    assert!(
        table.text.contains("one of 2 databases of that name"),
        "{}",
        table.text
    );
}

/// The database was restored to block 170 and went on as another fork; SQL Server itself says so.
#[test]
fn a_fork_is_followed_and_can_be_named() {
    let folder = TempDir::new().expect("a folder");
    let story = Story::of("Sales");
    story.write(&folder);
    let fork = Uuid::from_u128(77);
    let child = story
        .sample
        .log(lsn(40, 150), lsn(40, 190), at("02:50:00"))
        .forked(fork, lsn(40, 170));
    story.put(&folder, "child.trn", &[&child]);
    let database = chain(&[".", "--latest"], folder.path()).database();
    let forks = &database["forks"];
    assert_eq!(forks.as_array().map(Vec::len), Some(2));
    assert_eq!(forks[1]["recoveryForkId"], fork.to_string());
    assert_eq!(
        (&forks[1]["parent"], &forks[1]["evidence"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(forks[1]["leftParentAtLsn"], number(40, 170));
    // The branch that was written last is the latest.
    assert_eq!(files(&database), ["full.bak", "log1.trn", "child.trn"]);
    for name in ["1", forks[0]["recoveryForkId"].as_str().expect("a GUID")] {
        let parent = chain(&[".", "--latest", "--fork", name], folder.path()).database();
        assert_eq!(
            files(&parent),
            ["full.bak", "log1.trn", "log2.trn", "log3.trn"],
            "{name}"
        );
    }
    let table = chain(&[".", "-o", "table"], folder.path()).text;
    let said = format!("fork 2: {fork}, left fork 1 at LSN {}", number(40, 170));
    assert!(table.contains(&said), "{table}");
    assert!(!table.contains("HIDDEN"), "{table}");
}

/// A test restore under another name is of the same family, and is written later.
#[test]
fn a_copy_under_another_name_is_not_taken_for_the_database() {
    let folder = TempDir::new().expect("a folder");
    let story = Story::of("Sales");
    story.write(&folder);
    let copy = story.sample.log(lsn(40, 150), lsn(40, 190), at("02:50:00"));
    let mut copy = copy.forked(Uuid::from_u128(77), lsn(40, 170));
    copy.set.database_name = "Sales_test".to_owned();
    story.put(&folder, "copy.trn", &[&copy]);
    let asked = [
        (
            "sales",
            vec!["full.bak", "log1.trn", "log2.trn", "log3.trn"],
            "[Sales]",
        ),
        (
            "Sales_test",
            vec!["full.bak", "log1.trn", "copy.trn"],
            "[Sales_test]",
        ),
    ];
    for (name, expected, restored) in asked {
        let ran = chain(&[".", "--database", name, "--latest"], folder.path());
        assert_eq!(files(&ran.database()), expected, "{name}");
        let script = ran.database()["plan"]["tsql"]
            .as_str()
            .expect("a script")
            .to_owned();
        let last = format!("RESTORE DATABASE {restored} WITH RECOVERY");
        assert!(script.contains(&last), "{name}: {script}");
    }
}

#[test]
fn what_a_deletion_would_cost_is_told() {
    let folder = TempDir::new().expect("a folder");
    Story::of("Sales").write(&folder);
    let ran = chain(&[".", "--if-deleted", "log2.trn"], folder.path());
    assert_eq!(ran.code, Some(0), "{}", ran.complaint);
    let lost = ran.database()["ifDeleted"]["lost"].clone();
    assert_eq!(lost.as_array().map(Vec::len), Some(1), "{lost}");
    assert_eq!(lost[0]["toLsn"], number(40, 250).as_str());
    assert_eq!(lost[0]["toTime"], "2026-03-15T02:44:59.999+01:00");
    let no_use = ran.database()["ifDeleted"]["ofNoUse"].clone();
    assert_eq!(no_use, json!(["./log3.trn"]));
    // With a second full behind it only the moments up to that one would go.
    let sample = ChainSample::new("Sales", lsn(40, 100));
    crate::write(
        &folder,
        "full2.bak",
        &sample.file(&[&sample.full(lsn(40, 210), lsn(40, 220), at("02:35:00"))]),
    );
    let lost =
        chain(&[".", "--if-deleted", "log2.trn"], folder.path()).database()["ifDeleted"]["lost"].clone();
    assert_eq!(lost[0]["toLsn"], number(40, 220).as_str(), "{lost}");
    // Each full leads to the last log; without both nothing does.
    let both = ["full.bak", "full2.bak"].map(|full| ["--if-deleted", full]);
    let alone = chain(&[&["."], &both[0][..]].concat(), folder.path()).database();
    assert!(
        !alone["ifDeleted"]["ofNoUse"].to_string().contains("log3"),
        "{alone}"
    );
    let together = chain(&[&["."], both.as_flattened()].concat(), folder.path()).database();
    assert_eq!(
        together["ifDeleted"]["ofNoUse"],
        json!(["./log1.trn", "./log2.trn", "./log3.trn"])
    );
    // A copy keeps it.
    let copy = fs::copy(folder.path().join("log2.trn"), folder.path().join("copy.trn"));
    assert!(copy.is_ok());
    let kept =
        chain(&[".", "--if-deleted", "log2.trn"], folder.path()).database()["ifDeleted"]["lost"].clone();
    assert_eq!(kept, json!([]));
    let nothing = chain(&[".", "--if-deleted", "other.bak"], folder.path());
    assert_eq!(nothing.code, Some(2));
    assert!(
        nothing.complaint.contains("[NothingToDelete]"),
        "{}",
        nothing.complaint
    );
}

#[test]
fn a_copy_that_is_cut_off_replaces_nothing() {
    let folder = TempDir::new().expect("a folder");
    let story = Story::of("Sales");
    story.write(&folder);
    let whole = story.sample.file(&[&story.logs[1]]);
    crate::write(&folder, "copy.trn", &whole[..whole.len() * 3 / 4]);
    let loss = chain(&[".", "--if-deleted", "log2.trn"], folder.path()).database()["ifDeleted"].clone();
    assert_eq!(loss["lost"][0]["toLsn"], number(40, 250).as_str(), "{loss}");
    assert_eq!(loss["files"], json!(["./log2.trn"]));
    // What is cut off is not missed.
    let loss = chain(&[".", "--if-deleted", "copy.trn"], folder.path()).database()["ifDeleted"].clone();
    assert_eq!((&loss["lost"], &loss["files"]), (&json!([]), &json!([])));
}

#[test]
fn no_two_databases_are_restored_into_one_name() {
    let folder = TempDir::new().expect("a folder");
    for name in ["Sales", "Stock"] {
        let story = Story::of(name);
        story.put(&folder, &format!("{name}.bak"), &[&story.full]);
    }
    let arguments = [
        ".",
        "--latest",
        "--to",
        "Test",
        "--move-to",
        "E:\\Data",
        "--replace",
    ];
    for more in [&[][..], &["--tsql"][..]] {
        let both = chain(&[&arguments[..], more].concat(), folder.path());
        assert_eq!(both.code, Some(2), "{}", both.text);
        assert!(
            both.complaint.contains("[OneNameForSeveral]"),
            "{}",
            both.complaint
        );
        assert!(!both.text.contains("RESTORE"), "{}", both.text);
    }
    let one = chain(
        &[&arguments[..], &["--tsql", "--database", "Stock"]].concat(),
        folder.path(),
    );
    assert_eq!(one.code, Some(0), "{}", one.complaint);
    assert!(one.text.contains("RESTORE DATABASE [Test]"), "{}", one.text);
    let each = chain(&[".", "--latest", "--tsql"], folder.path());
    assert_eq!(each.code, Some(0), "{}", each.complaint);
}

#[test]
fn a_zone_gives_times_their_offset() {
    let folder = TempDir::new().expect("a folder");
    let mut story = Story::of("Sales");
    story.full.set.time_zone_offset_minutes = None;
    for log in &mut story.logs {
        log.set.time_zone_offset_minutes = None;
    }
    story.write(&folder);
    let bare = chain(&["."], folder.path()).database();
    assert_eq!(bare["coverage"][0]["toTime"], "2026-03-15T02:44:59.999");
    let zoned = chain(&[".", "--zone", "America/New_York"], folder.path()).database();
    assert_eq!(zoned["coverage"][0]["toTime"], "2026-03-15T02:44:59.999-04:00");
    // Without either a moment with an offset means nothing.
    let unknown = chain(&[".", "--at", "2026-03-15T02:20:00Z"], folder.path());
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.complaint.contains("[OffsetUnknown]"),
        "{}",
        unknown.complaint
    );
    let known = chain(
        &[".", "--at", "2026-03-15T06:20:00Z", "--zone", "America/New_York"],
        folder.path(),
    );
    let database = known.database();
    assert_eq!(database["plan"]["steps"][2]["stopAt"], "2026-03-15T02:20:00.000");
    let wrong = chain(&[".", "--zone", "Mars/Olympus"], folder.path());
    assert_eq!(wrong.code, Some(2));
}

/// dbatools#3966: reading the headers of some thousand logs took so long that the oldest file expired meanwhile.
#[test]
fn thousands_of_logs_take_seconds() {
    const LOGS: u32 = 2_000;
    let folder = TempDir::new().expect("a folder");
    let sample = ChainSample::new("Sales", lsn(40, 100)).with(false, true);
    let full = sample.full(lsn(40, 100), lsn(40, 101), at("00:00:00"));
    crate::write(&folder, "full.bak", &sample.file(&[&full]));
    let end = |log: u32| lsn(41 + log / 900, 100 + log % 900);
    for log in 0..LOGS {
        let from = if log == 0 { lsn(40, 100) } else { end(log - 1) };
        let time = format!("{:02}:{:02}:{:02}", log / 3600, log / 60 % 60, log % 60);
        let log_set = sample.log(from, end(log), at(&time));
        crate::write(&folder, &format!("{log}.trn"), &sample.file(&[&log_set]));
    }
    let started = Instant::now();
    let ran = chain(&[".", "--latest"], folder.path());
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(ran.code, Some(0), "{}", ran.complaint);
    let database = ran.database();
    assert_eq!(
        database["plan"]["steps"].as_array().map(Vec::len),
        Some(LOGS as usize + 1)
    );
    assert_eq!(database["coverage"].as_array().map(Vec::len), Some(1));
    // Two seconds are usual even without optimisation.
    assert!(seconds < 120.0, "{seconds} s");
    let table = chain(&[".", "--latest", "-o", "table"], folder.path());
    assert!(table.text.contains("1,977 more logs"), "{}", table.text);
}
