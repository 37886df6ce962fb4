//! `bac2 inspect` and `bac2 verify` on backups from bac2's own writer: what runs on every machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bak::writer::sample::{Sample, SampleKind};
use serde_json::Value;
use tempfile::TempDir;

struct Ran {
    code: Option<i32>,
    answer: Vec<Value>,
    complaint: String,
}

fn bac2(arguments: &[&str], files: &[&Path]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args(arguments)
        .args(files)
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    Ran {
        code: output.status.code(),
        answer: serde_json::from_slice(&output.stdout).expect("JSON in a pipe"),
        complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn sample() -> Sample {
    Sample {
        database_name: "Sales".to_owned(),
        ..Sample::default()
    }
}

fn written(folder: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).expect("writable");
    path
}

#[test]
fn a_sound_backup_is_shown_and_verified() {
    let folder = TempDir::new().expect("a folder");
    let full = written(&folder, "full.bak", &sample().backup(SampleKind::Full, 1));
    let inspected = bac2(&["inspect"], &[&full]);
    assert_eq!(inspected.code, Some(0), "{}", inspected.complaint);
    let set = &inspected.answer[0]["sets"][0];
    assert_eq!(
        (&set["databaseName"], &set["backupType"]),
        (&Value::from("Sales"), &Value::from("full"))
    );
    assert_eq!(set["complete"], true);
    assert_eq!(inspected.complaint, "", "nothing to complain about");
    let verified = bac2(&["verify"], &[&full]);
    assert_eq!(
        (verified.code, &verified.answer[0]["verdict"]),
        (Some(0), &Value::from("ok")),
        "{:?}",
        verified.answer
    );
    assert!(verified.answer[0]["seconds"].is_f64());
}

#[test]
fn a_flipped_bit_and_a_missing_end_are_exit_code_1() {
    let folder = TempDir::new().expect("a folder");
    let sound = sample().backup(SampleKind::Full, 1);
    let mut flipped = sound.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 8;
    let flipped = written(&folder, "flipped.bak", &flipped);
    let cut = written(&folder, "cut.bak", &sound[..middle]);

    let ran = bac2(&["verify"], &[&flipped]);
    assert_eq!(
        (ran.code, &ran.answer[0]["verdict"]),
        (Some(1), &Value::from("damaged"))
    );
    assert_eq!(ran.answer[0]["damage"][0]["kind"], "page");
    let ran = bac2(&["verify"], &[&cut]);
    assert_eq!(
        (ran.code, &ran.answer[0]["verdict"]),
        (Some(1), &Value::from("truncated"))
    );

    let ran = bac2(&["inspect"], &[&cut]);
    assert_eq!(
        (ran.code, &ran.answer[0]["sets"][0]["complete"]),
        (Some(1), &Value::from(false))
    );
    assert!(
        ran.complaint.contains("[BackupTruncated]") && ran.complaint.contains("next: "),
        "{}",
        ran.complaint
    );
}

#[test]
fn a_bad_file_does_not_keep_the_others_from_being_read() {
    let folder = TempDir::new().expect("a folder");
    let full = written(&folder, "full.bak", &sample().backup(SampleKind::Full, 1));
    let missing = folder.path().join("missing.bak");
    let empty = written(&folder, "empty.bak", b"");
    for command in ["inspect", "verify"] {
        let ran = bac2(&[command], &[&missing, &empty, &full]);
        assert_eq!((ran.code, ran.answer.len()), (Some(2), 1), "{}", ran.complaint);
        assert_eq!(ran.answer[0]["file"], full.display().to_string());
        for code in ["[FileNotFound]", "[NotABackup]"] {
            assert!(ran.complaint.contains(code), "{}", ran.complaint);
        }
    }
}

#[test]
fn a_stripe_alone_is_incomplete_and_with_its_sisters_ok() {
    let folder = TempDir::new().expect("a folder");
    let striped = Sample {
        families: 2,
        ..sample()
    };
    let one = written(&folder, "1.bak", &striped.backup(SampleKind::Full, 1));
    let two = written(&folder, "2.bak", &striped.backup(SampleKind::Full, 2));
    let alone = bac2(&["verify"], &[&one]);
    assert_eq!(
        (alone.code, &alone.answer[0]["verdict"]),
        (Some(1), &Value::from("incomplete"))
    );
    assert_eq!(
        bac2(&["inspect"], &[&one]).code,
        Some(0),
        "a stripe's headers are in order"
    );
    let together = bac2(&["verify", "--recursive"], &[folder.path()]);
    assert_eq!(
        (together.code, together.answer.len()),
        (Some(0), 2),
        "{:?}",
        together.answer
    );
    drop(two);
}
