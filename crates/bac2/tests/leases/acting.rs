//! `bac2 leases break` and `delete`.

use std::fs;
use std::process::Stdio;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use azblob::lease::LeaseId;

use crate::door::{Door, Run, backup, command, own_lease};

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter()
        .map(|(blob, action)| ((*blob).to_owned(), (*action).to_owned()))
        .collect()
}

#[test]
fn the_dead_are_freed_and_the_living_are_not() {
    let door = Door::open();
    door.dead_page_backup("backups/page.bak");
    door.dead_block_backup("backups/block.bak");
    door.dead_restore("backups/restore.bak");
    let mut client = door.client();
    client.put("backups/sales.mdf", b"some database");
    client.lease("backups/sales.mdf", own_lease(6), None);
    client.put("backups/empty.bak", b"");
    client.lease("backups/empty.bak", own_lease(4), None);
    assert_eq!(
        client.try_overwrite("backups/page.bak"),
        (412, Some("LeaseIdMissing".to_owned()))
    );
    let mut live = door.live_block_backup("backups/live.bak");
    let (finish, until_told) = mpsc::channel::<()>();
    let writer = thread::spawn(move || {
        let mut number = 1;
        while until_told.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
            live.put_block("backups/live.bak", own_lease(2), number, &[7; 1024]);
            number += 1;
        }
        live.commit("backups/live.bak", own_lease(2), 0..number);
        live.release("backups/live.bak", own_lease(2));
    });

    let words = ["break", "--min-quiet", "2s", "--dry-run"];
    let planned = door.leases_as_stranger(&words);
    assert_eq!(planned.code, Some(0), "{}", planned.err);
    assert_eq!(planned.row("page.bak")["action"], "wouldBreak");
    assert_eq!(
        client.try_overwrite("backups/page.bak").0,
        412,
        "nothing was done"
    );

    let run = door.leases_as_stranger(&["break", "--min-quiet", "2s", "--yes"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(
        run.actions(),
        pairs(&[
            ("block.bak", "broken"),
            ("empty.bak", "skipped"),
            ("live.bak", "skipped"),
            ("page.bak", "broken"),
            ("restore.bak", "skipped"),
            ("sales.mdf", "skipped"),
        ])
    );
    assert_eq!(run.row("page.bak")["reason"], "quietBackup");
    assert_eq!(run.row("live.bak")["reason"], "growing");
    assert_eq!(run.row("restore.bak")["reason"], "restore");
    assert_eq!(run.row("sales.mdf")["reason"], "dataFile");
    assert!(
        run.row("page.bak")["detail"]
            .as_str()
            .expect("text")
            .contains("evidence, not proof")
    );
    assert!(run.err.contains("warning: --min-quiet"), "{}", run.err);
    for blob in ["backups/page.bak", "backups/block.bak"] {
        assert_eq!(client.try_overwrite(blob).0, 201, "{blob}");
    }
    for blob in ["backups/sales.mdf", "backups/empty.bak", "backups/restore.bak"] {
        assert_ne!(client.try_overwrite(blob).0, 201, "{blob}");
    }
    drop(finish);
    writer.join().expect("the living one finished");
    let again = door.leases_as_stranger(&["break", "--min-quiet", "1s", "--yes", "-o", "table"]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(again.out.contains("nothing to do"), "{}", again.out);
}

#[test]
fn an_unknown_holder_goes_only_when_named_and_a_database_file_never() {
    let door = Door::open();
    let mut client = door.client();
    for (blob, number) in [
        ("backups/empty.bak", 4),
        ("backups/other.bin", 5),
        ("backups/sales.mdf", 6),
    ] {
        client.put(blob, if number == 4 { b"" } else { b"some bytes" });
        client.lease(blob, own_lease(number), None);
    }
    drop(client);
    let unnamed = door.leases_as_stranger(&["break", "--min-quiet", "1s", "--yes"]);
    assert!(
        unnamed.actions().iter().all(|(_, action)| action == "skipped"),
        "{}",
        unnamed.out
    );
    let named = door.leases_as_stranger(&[
        "break",
        "--min-quiet",
        "1s",
        "--yes",
        "--blob",
        "backups/empty.bak",
        "--blob",
        "backups/sales.mdf",
    ]);
    assert_eq!(
        named.actions(),
        pairs(&[("empty.bak", "broken"), ("sales.mdf", "skipped")])
    );
    assert_eq!(named.row("empty.bak")["reason"], "namedByUser");
    assert_eq!(named.row("sales.mdf")["reason"], "dataFile");
}

#[test]
fn a_restore_nobody_sees_is_not_covered_by_yes_alone() {
    let door = Door::open();
    door.dead_restore("backups/restore.bak");
    let base = ["break", "--min-quiet", "1s", "--include-restore", "--yes"];
    let run = door.leases_as_stranger(&base);
    assert_eq!(run.actions(), pairs(&[("restore.bak", "skipped")]));
    assert_eq!(
        (run.code, run.row("restore.bak")["reason"].as_str()),
        (Some(0), Some("declined"))
    );
    assert!(
        run.err.contains("leaves no trace") && run.err.contains("--blob"),
        "{}",
        run.err
    );
    let mut strict = base.to_vec();
    strict.push("--strict");
    assert_eq!(door.leases_as_stranger(&strict).code, Some(1));
    let mut named = base.to_vec();
    named.extend(["--blob", "backups/restore.bak"]);
    let run = door.leases_as_stranger(&named);
    assert_eq!(run.actions(), pairs(&[("restore.bak", "broken")]), "{}", run.err);
    assert_eq!(run.row("restore.bak")["reason"], "includedRestore");
}

#[test]
fn delete_takes_the_remains_and_spares_what_is_whole() {
    let door = Door::open();
    door.dead_page_backup("backups/page.bak");
    let mut client = door.client();
    client.put("backups/whole.bak", &backup("Sales"));
    client.lease("backups/whole.bak", own_lease(7), None);
    let run = door.leases_as_stranger(&["delete", "--min-quiet", "1s", "--yes"]);
    assert_eq!(
        run.actions(),
        pairs(&[("page.bak", "deleted"), ("whole.bak", "skipped")]),
        "{}",
        run.err
    );
    assert_eq!(run.row("whole.bak")["reason"], "completeBackup");
    assert_eq!(run.code, Some(0));
    assert!(run.err.contains("--complete-too"), "{}", run.err);
    assert_eq!(
        (client.look("backups/page.bak"), client.look("backups/whole.bak")),
        (404, 200)
    );
    assert_ne!(
        client.try_overwrite("backups/whole.bak").0,
        201,
        "its lease holds"
    );
    let run = door.leases_as_stranger(&["delete", "--min-quiet", "1s", "--yes", "--complete-too"]);
    assert_eq!(run.actions(), pairs(&[("whole.bak", "deleted")]), "{}", run.err);
    assert_eq!(client.look("backups/whole.bak"), 404);
}

#[test]
fn quiet_is_watched_for_as_long_as_was_asked() {
    let door = Door::open();
    door.dead_page_backup("backups/page.bak");
    let begun = Instant::now();
    let run = door.leases_as_stranger(&["break", "--min-quiet", "0s", "--yes"]);
    assert_eq!(run.actions(), pairs(&[("page.bak", "broken")]), "{}", run.err);
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "two looks, a second apart"
    );
    assert!(run.row("page.bak")["quietSeconds"].as_u64() >= Some(1));
}

#[test]
fn a_report_holds_what_was_done() {
    let door = Door::open();
    door.dead_page_backup("backups/page.bak");
    let file = door.folder.path().join("done.json");
    let path = file.to_str().expect("text");
    let run = door.leases(&["break", "--min-quiet", "1s", "--yes", "--report", path]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let rows: Vec<serde_json::Value> =
        serde_json::from_slice(&fs::read(&file).expect("the report")).expect("JSON");
    assert_eq!(rows, run.rows());
    assert_eq!(rows[0]["action"], "broken");
}

#[test]
fn a_signal_while_watching_ends_it_with_nothing_done() {
    let door = Door::open();
    door.dead_page_backup("backups/page.bak");
    let child = command(
        &door.url(),
        &door.accounts(),
        &["break", "--min-quiet", "10m", "--yes"],
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .expect("the binary starts");
    listens(child.id());
    // By now it watches; on a machine that is slower than this it is asked to end before.
    thread::sleep(Duration::from_secs(3));
    let asked = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(asked.expect("kill is there").success());
    let run = Run::of(child.wait_with_output().expect("it ends"));
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.err.contains("[Interrupted]"), "{}", run.err);
    let looked = !run.out.trim().is_empty();
    assert!(
        !looked || run.actions() == pairs(&[("page.bak", "skipped")]),
        "{}",
        run.out
    );
    assert_eq!(door.client().try_overwrite("backups/page.bak").0, 412);
}

/// Waits until a process takes SIGINT itself, as Linux tells; elsewhere it is believed.
fn listens(process: u32) {
    let status = format!("/proc/{process}/status");
    for _ in 0..3_000 {
        let Ok(text) = fs::read_to_string(&status) else {
            return;
        };
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        if caught.is_none_or(|mask| mask & 2 != 0) {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("it never listens to signals");
}

/// Waits until the door sees none of the connections of these blobs any more, and then for longer than a second.
fn quiet(door: &Door, blobs: &[&str]) {
    for _ in 0..300 {
        let listed = door.leases(&["list", "--apart", "0s"]);
        if blobs.iter().all(|blob| listed.row(blob)["connections"] == 0) {
            thread::sleep(Duration::from_millis(1_500));
            return;
        }
        thread::sleep(Duration::from_millis(200));
    }
    panic!("connections of {blobs:?} are open still");
}

#[test]
fn on_the_vaults_own_door_an_open_connection_is_life() {
    let door = Door::open();
    door.dead_page_backup("backups/dead.bak");
    let live = door.live_block_backup("backups/live.bak");
    let mut reader = door.client();
    reader.put("backups/read.bak", &backup("Sales"));
    reader.lease("backups/read.bak", LeaseId::RESTORE, None);
    quiet(&door, &["dead.bak"]);
    let run = door.leases(&["break", "--min-quiet", "1s", "--include-restore", "--yes"]);
    assert_eq!(
        run.actions(),
        pairs(&[
            ("dead.bak", "broken"),
            ("live.bak", "skipped"),
            ("read.bak", "skipped")
        ]),
        "{}",
        run.err
    );
    assert_eq!(run.row("dead.bak")["reason"], "abandonedAtOurDoor");
    assert_eq!(run.row("live.bak")["reason"], "connectionOpen");
    assert_eq!(run.row("live.bak")["connections"], 1);
    drop((live, reader));
    quiet(&door, &["live.bak", "read.bak"]);
    let run = door.leases(&["break", "--min-quiet", "1s", "--include-restore", "--yes"]);
    assert_eq!(
        run.actions(),
        pairs(&[("live.bak", "broken"), ("read.bak", "broken")]),
        "{}",
        run.err
    );
}
