//! `bac2 leases list`.

use std::fs;

use crate::door::{Door, backup, own_lease};

#[test]
fn nothing_locked_is_said_and_is_no_failure() {
    let door = Door::open();
    door.client().put("backups/good.bak", &backup("Sales"));
    let run = door.leases(&["list"]);
    assert_eq!((run.code, run.out.trim()), (Some(0), "[]"), "{}", run.err);
    assert!(run.err.is_empty(), "{}", run.err);
    let shown = door.leases(&["list", "-o", "table"]);
    assert!(
        shown.out.contains("no blob is locked: 1 blob in 1 container"),
        "{}",
        shown.out
    );
}

/// A blob of every kind that can be met.
fn menagerie() -> Door {
    let door = Door::open();
    door.client().put("backups/good.bak", &backup("Sales"));
    door.dead_page_backup("backups/page.bak");
    door.dead_block_backup("backups/block.bak");
    door.dead_restore("backups/restore.bak");
    let mut client = door.client();
    client.put("backups/empty.bak", b"");
    client.lease("backups/empty.bak", own_lease(4), None);
    client.put("backups/short.txt", b"some text");
    client.lease("backups/short.txt", own_lease(5), Some(60));
    client.put("backups/sales.mdf", b"some database");
    client.lease("backups/sales.mdf", own_lease(6), None);
    door
}

#[test]
fn each_holder_is_told_and_what_is_in_the_blob() {
    let door = menagerie();
    let run = door.leases_as_stranger(&["list", "--apart", "1s"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let names: Vec<String> = run.actions().into_iter().map(|(blob, _)| blob).collect();
    assert_eq!(
        names,
        [
            "block.bak",
            "empty.bak",
            "page.bak",
            "restore.bak",
            "sales.mdf",
            "short.txt"
        ]
    );
    for (blob, holder, evidence, content, ruling, reason) in [
        (
            "page.bak",
            "backup",
            "tapeHeader",
            "backup",
            "wait",
            "notQuietYet",
        ),
        ("block.bak", "backup", "blockIds", "empty", "wait", "notQuietYet"),
        ("restore.bak", "restore", "", "backup", "keep", "restore"),
        ("empty.bak", "unknown", "", "empty", "keep", "unknownHolder"),
        ("short.txt", "unknown", "", "other", "keep", "fixedLease"),
        ("sales.mdf", "unknown", "", "dataFile", "keep", "dataFile"),
    ] {
        let row = run.row(blob);
        let word = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            [
                word("holder"),
                word("evidence"),
                word("content"),
                word("ruling"),
                word("reason")
            ],
            [holder, evidence, content, ruling, reason],
            "{row}"
        );
        assert_eq!(
            (word("container"), word("action")),
            ("backups".to_owned(), "listed".to_owned())
        );
        assert!(!word("detail").is_empty());
    }
    let page = run.row("page.bak");
    assert_eq!(
        (
            page["kind"].as_str(),
            page["size"].as_u64(),
            page["leaseDuration"].as_str()
        ),
        (Some("page"), Some(16 << 20), Some("infinite"))
    );
    assert_eq!(
        (page["databaseName"].as_str(), page["backupType"].as_str()),
        (Some("Sales"), Some("full"))
    );
    assert_eq!(
        (page["complete"].as_bool(), page["activity"].as_str()),
        (Some(false), Some("quiet"))
    );
    assert_eq!(run.row("restore.bak")["complete"], true);
    assert_eq!(
        run.row("restore.bak")["activity"],
        "unknown",
        "a reader leaves no trace"
    );
    assert_eq!(run.row("block.bak")["uncommittedBlocks"], 2);
    assert_eq!(page["connections"], serde_json::Value::Null, "nobody testifies");

    let shown = door.leases_as_stranger(&["list", "--apart", "0s", "-o", "table"]);
    for text in [
        "backups/page.bak",
        "FULL of Sales",
        "cut short",
        "backup (TAPE)",
        "SQL Server data file",
    ] {
        assert!(shown.out.contains(text), "{text} in {}", shown.out);
    }
}

#[test]
fn one_look_cannot_tell_what_grows_and_two_can() {
    let door = Door::open();
    let mut live = door.live_block_backup("backups/live.bak");
    let once = door.leases_as_stranger(&["list", "--apart", "0s"]);
    assert_eq!(once.row("live.bak")["activity"], "unknown");
    let (finish, until_told) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut number = 1;
        let pause = std::time::Duration::from_millis(100);
        while until_told.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            live.put_block("backups/live.bak", own_lease(2), number, &[7; 1024]);
            number += 1;
        }
    });
    let twice = door.leases_as_stranger(&["list", "--apart", "1s"]);
    assert_eq!(twice.row("live.bak")["activity"], "growing");
    assert_eq!(twice.row("live.bak")["reason"], "growing");
    drop(finish);
    writer.join().expect("it writes");
}

#[test]
fn a_part_of_the_account_can_be_meant() {
    let door = Door::open();
    door.client().make_container("other");
    for blob in ["backups/a/1.bak", "backups/b/1.bak", "other/1.bak"] {
        door.dead_page_backup(blob);
    }
    let found = |words: &[&str]| -> Vec<String> {
        let mut all = vec!["list", "--apart", "0s"];
        all.extend(words);
        let run = door.leases(&all);
        assert_eq!(run.code, Some(0), "{}", run.err);
        run.rows()
            .iter()
            .map(|row| format!("{}/{}", row["container"], row["blob"]).replace('"', ""))
            .collect()
    };
    assert_eq!(found(&[]), ["backups/a/1.bak", "backups/b/1.bak", "other/1.bak"]);
    assert_eq!(found(&["--container", "other"]), ["other/1.bak"]);
    assert_eq!(
        found(&["--container", "backups", "--prefix", "b/"]),
        ["backups/b/1.bak"]
    );
    assert_eq!(
        found(&["--blob", "backups/a/1.bak", "--blob", "other/1.bak"]),
        ["backups/a/1.bak", "other/1.bak"]
    );
    let missing = door.leases(&["list", "--blob", "backups/none.bak", "--apart", "0s"]);
    assert!(
        missing
            .err
            .contains("backups/none.bak is not locked, or not there"),
        "{}",
        missing.err
    );
    assert_eq!(missing.code, Some(0));
}

#[test]
fn reports_take_their_form_from_their_name_and_replace_nothing_unasked() {
    let door = Door::open();
    door.dead_page_backup("backups/page.bak");
    for (name, start) in [("r.xlsx", &b"PK"[..]), ("r.csv", b"time,"), ("r.json", b"[")] {
        let file = door.folder.path().join(name);
        let path = file.to_str().expect("text").to_owned();
        let words = ["list", "--apart", "0s", "--report", &path];
        assert_eq!(door.leases(&words).code, Some(0));
        let bytes = fs::read(&file).expect("the report");
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        assert!(
            bytes.starts_with(start),
            "{name}: {:?}",
            String::from_utf8_lossy(&bytes[..20])
        );
        door.leases(&words).assert_refused("ReportExists");
        let mut again = words.to_vec();
        again.push("--yes");
        assert_eq!(door.leases(&again).code, Some(0));
    }
    let rows: Vec<serde_json::Value> =
        serde_json::from_slice(&fs::read(door.folder.path().join("r.json")).expect("it is there"))
            .expect("JSON");
    assert_eq!(rows[0]["blob"], "page.bak");
    let left: Vec<String> = fs::read_dir(door.folder.path())
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.contains("partial"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
