//! `bac2 leases watch`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::door::{Door, Run, command, own_lease};

struct Watch {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watch {
    fn start(door: &Door, more: &[&str]) -> Self {
        let mut words = vec!["watch", "--interval", "1s"];
        words.extend(more);
        let mut child = command(&door.url(), &door.accounts(), &words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, lines }
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"))
    }

    /// The next line about this blob with this action.
    fn until(&mut self, blob: &str, action: &str) -> Value {
        for _ in 0..50 {
            let row = self.next();
            if row["blob"] == blob && row["action"] == action {
                return row;
            }
        }
        panic!("{action} of {blob}");
    }

    fn end(self) -> (Option<i32>, String) {
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(told.expect("kill is there").success());
        let run = Run::of(self.child.wait_with_output().expect("it ends"));
        (run.code, run.err)
    }
}

#[test]
fn it_tells_what_is_new_what_changed_and_what_is_over() {
    let door = Door::open();
    door.dead_page_backup("backups/a.bak");
    let mut watch = Watch::start(&door, &[]);
    assert_eq!(watch.until("a.bak", "listed")["holder"], "backup");
    let mut live = door.live_block_backup("backups/b.bak");
    assert_eq!(
        watch.until("b.bak", "listed")["activity"],
        "growing",
        "its connection is open"
    );
    live.release("backups/b.bak", own_lease(2));
    let released = watch.until("b.bak", "released");
    assert_eq!(
        (released["container"].as_str(), released["ruling"].as_str()),
        (Some("backups"), None)
    );
    let deleted = door.leases_as_stranger(&["delete", "--min-quiet", "1s", "--yes"]);
    assert_eq!(deleted.code, Some(0), "{}", deleted.err);
    watch.until("a.bak", "gone");
    let (code, said) = watch.end();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn an_account_that_does_not_answer_is_a_line_and_no_end() {
    let door = Door::open();
    door.dead_page_backup("backups/a.bak");
    let mut watch = Watch::start(&door, &[]);
    watch.until("a.bak", "listed");
    drop(door);
    let row = watch.next();
    assert_eq!(
        (row["action"].as_str(), row["container"].as_str()),
        (Some("failed"), None),
        "{row}"
    );
    let (code, said) = watch.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("warning: "), "{said}");
}

#[test]
fn once_says_by_its_exit_code_whether_an_abandoned_backup_is_left() {
    let door = Door::open();
    let clean = door.leases(&["watch", "--once", "--min-quiet", "1s"]);
    assert_eq!((clean.code, clean.out.as_str()), (Some(0), ""), "{}", clean.err);
    door.dead_page_backup("backups/a.bak");
    for run in [
        door.leases_as_stranger(&["watch", "--once", "--min-quiet", "1s"]),
        door.leases(&["watch", "--once", "--min-quiet", "1s"]),
    ] {
        assert_eq!(run.code, Some(1), "{}", run.err);
        let row: Value = serde_json::from_str(&run.out).expect("one line");
        assert_eq!(
            (row["blob"].as_str(), row["ruling"].as_str()),
            (Some("a.bak"), Some("break"))
        );
    }
    let shown = door.leases(&["watch", "--once", "--min-quiet", "1s", "-o", "table"]);
    assert!(
        shown.out.contains("CAN BE BROKEN: backups/a.bak: backup (TAPE)"),
        "{}",
        shown.out
    );
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let door = Door::open();
    door.dead_page_backup("backups/a.bak");
    let mut watch = Watch::start(&door, &[]);
    watch.next();
    let Watch { mut child, lines } = watch;
    drop(lines);
    // Something new to say, to nobody.
    door.dead_page_backup("backups/b.bak");
    for _ in 0..3_000 {
        if let Some(status) = child.try_wait().expect("ours") {
            assert_eq!(status.code(), Some(0));
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    let _gone = child.kill().is_err();
    panic!("it goes on");
}

#[test]
fn the_report_is_kept_up_to_date() {
    let door = Door::open();
    door.dead_page_backup("backups/a.bak");
    let file = door.folder.path().join("now.json");
    let mut watch = Watch::start(&door, &["--report", file.to_str().expect("text")]);
    watch.next();
    door.dead_page_backup("backups/b.bak");
    watch.until("b.bak", "listed");
    let reported = || -> Vec<String> {
        let text = std::fs::read(&file).expect("the report");
        let rows: Vec<Value> = serde_json::from_slice(&text).expect("JSON");
        rows.iter()
            .filter_map(|row| row["blob"].as_str().map(str::to_owned))
            .collect()
    };
    for _ in 0..3_000 {
        if reported().len() == 2 {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(reported(), ["a.bak", "b.bak"], "while it goes on");
    let (code, said) = watch.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(reported(), ["a.bak", "b.bak"]);
}
