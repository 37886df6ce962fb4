//! The README's example is what the command prints today, for the story that the README tells.

use std::fs;
use std::path::Path;

use bak::LocalTime;
use bak::writer::sample::{ChainSample, lsn};
use tempfile::TempDir;

use crate::{at, chain, write};

/// Hours of the README's log backups, and the block at which each ends; each begins where the one before ended, but seven
/// o'clock's, which is lost, was between six and eight.
const LOGS: [(u32, u32, u32); 11] = [
    (3, 100, 120),
    (4, 120, 130),
    (5, 130, 140),
    (6, 140, 150),
    (8, 160, 170),
    (9, 170, 180),
    (10, 180, 190),
    (11, 190, 200),
    (12, 200, 210),
    (13, 210, 220),
    (14, 220, 230),
];

/// A full in two stripes at two o'clock, a differential at half past eight, logs by the hour of which ten o'clock's has bulk-logged
/// changes.
fn tell(folder: &TempDir) {
    let sample = ChainSample::new("Sales", lsn(40, 100));
    let hour = |hour: u32| -> LocalTime { at(&format!("{hour:02}:00:00")) };
    let full = sample.full(lsn(40, 100), lsn(40, 110), hour(2));
    for (number, stripe) in (1..).zip(sample.files(&[&full], 2)) {
        write(folder, &format!("sales-full-{number}.bak"), &stripe);
    }
    let differential = sample.differential(&full, lsn(40, 172), lsn(40, 175), at("08:30:00"));
    write(folder, "sales-diff.bak", &sample.file(&[&differential]));
    for (number, first, last) in LOGS {
        let mut log = sample.log(lsn(40, first), lsn(40, last), hour(number));
        log.set.has_bulk_logged_data = number == 10;
        write(folder, &format!("sales-{number:02}00.trn"), &sample.file(&[&log]));
    }
}

/// The block of the README that begins with this command, without the command.
fn shown(command: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme).expect("the README is beside the crates");
    let (_, rest) = readme.split_once(command).expect("the README shows the command");
    let (block, _) = rest.split_once("\n```").expect("a block ends");
    block.trim_start().to_owned()
}

#[test]
fn the_example_of_the_readme_is_printed_today() {
    let folder = TempDir::new().expect("a folder");
    tell(&folder);
    let mut files: Vec<String> = fs::read_dir(folder.path())
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("text"))
        .collect();
    files.sort();
    let mut arguments = vec!["-o", "table"];
    arguments.extend(files.iter().map(String::as_str));
    arguments.extend(["--at", "2026-03-15 11:20"]);
    let ran = chain(&arguments, folder.path());
    assert_eq!(ran.code, Some(0), "{}", ran.complaint);
    let lines = |text: &str| -> Vec<String> {
        let trimmed = text.lines().map(|line| line.trim_end().to_owned());
        trimmed.filter(|line| !line.is_empty()).collect()
    };
    assert_eq!(
        lines(&ran.text),
        lines(&shown("$ bac2 chain sales-* --at '2026-03-15 11:20'")),
        "README.md shows something else than:\n{}",
        ran.text
    );
}
