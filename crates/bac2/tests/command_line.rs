//! The binary as a user meets it when something is not as it should be: exit codes, which stream says what, and that
//! one bad file never keeps the others from being read.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn bac2(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bac2"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts")
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("complaints are text")
}

/// Exit code 2, an empty answer, and a complaint that names the code and a next step.
fn assert_unusable(output: &Output, code: &str) {
    let complaint = complaint(output);
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains(&format!("[{code}]")), "{complaint}");
    assert!(complaint.contains("next: "), "{complaint}");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("an answer is JSON");
    assert_eq!(answer, Value::Array(vec![]), "an unreadable file has no answer");
}

#[test]
fn a_file_that_is_no_backup_is_refused_for_what_it_is() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("empty.bak"), "").unwrap();
    fs::write(folder.path().join("zip.bak"), b"PK\x03\x04 and so on").unwrap();
    for command in ["inspect", "verify"] {
        let empty = bac2(&[command, "empty.bak"], folder.path());
        assert_unusable(&empty, "NotABackup");
        assert!(complaint(&empty).contains("empty"));
        assert_unusable(&bac2(&[command, "zip.bak"], folder.path()), "NotABackup");
        assert_unusable(&bac2(&[command, "-"], folder.path()), "NotABackup");
    }
}

#[test]
fn a_missing_file_and_a_directory_are_told_apart() {
    let folder = TempDir::new().unwrap();
    for command in ["inspect", "verify"] {
        assert_unusable(
            &bac2(&[command, "no such file.bak"], folder.path()),
            "FileNotFound",
        );
        let directory = bac2(&[command, "."], folder.path());
        assert_unusable(&directory, "IsADirectory");
        assert!(complaint(&directory).contains("--recursive"));
        assert_unusable(&bac2(&[command, "--recursive", "."], folder.path()), "NoBackups");
    }
}

#[test]
fn wrong_usage_is_exit_code_2_and_help_is_0() {
    let folder = TempDir::new().unwrap();
    for arguments in [
        &["inspect"][..],
        &["sing"],
        &["verify", "-o", "xml", "a.bak"],
        &["blob", "export"],
    ] {
        let output = bac2(arguments, folder.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(complaint(&output).contains("--help"), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["verify", "--help"], &["--version"]] {
        let output = bac2(arguments, folder.path());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
    }
}
