//! What is found under the paths, what is said of the rest, and how the command ends.

use bak::writer::sample::{Sample, SampleKind};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Ran, chain, write};

fn sales() -> Sample {
    Sample {
        database_name: "Sales".to_owned(),
        ..Sample::default()
    }
}

/// Nobody writes into it, so that opening it would wait for ever.
#[cfg(unix)]
#[test]
fn a_pipe_is_refused_rather_than_waited_for() {
    let folder = TempDir::new().expect("a folder");
    let pipe = folder.path().join("pipe.bak");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo");
    let ran = chain(&["pipe.bak"], folder.path());
    assert_eq!(ran.code, Some(2));
    assert!(ran.complaint.contains("[NotAFile]"), "{}", ran.complaint);
    let input = chain(&["-"], folder.path());
    assert_eq!(input.code, Some(2));
    assert!(input.complaint.contains("[StandardInput]"), "{}", input.complaint);
}

#[test]
fn an_empty_folder_and_a_missing_path_are_exit_code_2() {
    let folder = TempDir::new().expect("a folder");
    let empty = chain(&["."], folder.path());
    assert_eq!(empty.code, Some(2));
    assert!(empty.complaint.contains("[NoBackups]"), "{}", empty.complaint);
    assert!(empty.databases().is_empty());
    let table = chain(&[".", "-o", "table"], folder.path());
    assert_eq!(table.text, "no backup set was found\n");
    let missing = chain(&["no such folder"], folder.path());
    assert_eq!(missing.code, Some(2));
    assert!(
        missing.complaint.contains("[FileNotFound]"),
        "{}",
        missing.complaint
    );
    for arguments in [
        &[][..],
        &["--at", "yesterday", "."],
        &["--tsql", "."],
        &["--latest", "--lsn", "1", "."],
    ] {
        let wrong = chain(arguments, folder.path());
        assert_eq!(wrong.code, Some(2), "{arguments:?}");
        assert!(wrong.text.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_unreadable_neighbour_does_not_keep_the_others_from_being_judged() {
    let folder = TempDir::new().expect("a folder");
    write(&folder, "a/full.bak", &sales().backup(SampleKind::Full, 1));
    write(&folder, "a/empty.bak", b"");
    write(&folder, "a/notes.txt", b"no backup");
    let below = chain(&["a"], folder.path());
    // What a folder holds is said; only what was named has to be a backup.
    assert_eq!(below.code, Some(0), "{}", below.complaint);
    assert!(below.complaint.contains("empty.bak"), "{}", below.complaint);
    assert_eq!(below.databases()[0]["databaseName"], "Sales");
    let named = chain(&["a/full.bak", "a/empty.bak", "a/missing.bak"], folder.path());
    assert_eq!(named.code, Some(2));
    assert!(named.complaint.contains("[NotABackup]") && named.complaint.contains("[FileNotFound]"));
    assert_eq!(named.databases().len(), 1);
}

#[test]
fn databases_are_chosen_by_name_or_family() {
    let folder = TempDir::new().expect("a folder");
    let crm = Sample {
        database_name: "CRM".to_owned(),
        seed: 2,
        ..Sample::default()
    };
    write(&folder, "1.bak", &sales().backup(SampleKind::Full, 1));
    write(&folder, "2.bak", &crm.backup(SampleKind::Full, 1));
    let names = |ran: &Ran| -> Vec<String> {
        let databases = ran.databases();
        let names = databases
            .iter()
            .map(|one| one["databaseName"].as_str().expect("a name").to_owned());
        names.collect()
    };
    let all = chain(&["."], folder.path());
    assert_eq!(names(&all), ["CRM", "Sales"]);
    assert_eq!(
        names(&chain(&[".", "--database", "sales"], folder.path())),
        ["Sales"]
    );
    let family = all.databases()[0]["familyGuid"]
        .as_str()
        .expect("a GUID")
        .to_owned();
    assert_eq!(
        names(&chain(&[".", "--database", &family], folder.path())),
        ["CRM"]
    );
    let none = chain(&[".", "--database", "HR"], folder.path());
    assert_eq!(none.code, Some(2));
    assert!(none.complaint.contains("[NoSuchDatabase]") && none.complaint.contains("CRM, Sales"));
}

#[test]
fn without_a_full_there_is_no_plan_and_the_reason_is_said() {
    let folder = TempDir::new().expect("a folder");
    write(&folder, "log.trn", &sales().backup(SampleKind::Log, 1));
    let ran = chain(&[".", "--latest"], folder.path());
    assert_eq!(ran.code, Some(1));
    assert!(ran.complaint.contains("no full backup"), "{}", ran.complaint);
    let database = &ran.databases()[0];
    assert_eq!(database["plan"], Value::Null);
    assert!(
        database["refusal"]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("no full backup"))
    );
}
