//! `bac2 chain` through the binary, on backups from bac2's own writer.

mod blobs;
mod collecting;
mod doubts;
mod plans;
mod readme;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bak::LocalTime;
use bak::writer::sample::{ChainSample, ChainSet, lsn};
use serde_json::Value;
use tempfile::TempDir;

/// What the command did.
struct Ran {
    code: Option<i32>,
    text: String,
    complaint: String,
}

impl Ran {
    /// The answer as JSON.
    fn databases(&self) -> Vec<Value> {
        let answer: Value = serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{}", self.complaint));
        answer["databases"].as_array().expect("a list").clone()
    }

    /// The only database there is.
    fn database(&self) -> Value {
        let databases = self.databases();
        assert_eq!(databases.len(), 1, "{}", self.text);
        databases[0].clone()
    }
}

fn chain(arguments: &[&str], folder: &Path) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_bac2"))
        .arg("chain")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    Ran {
        code: output.status.code(),
        text: String::from_utf8(output.stdout).expect("answers are text"),
        complaint: String::from_utf8(output.stderr).expect("complaints are text"),
    }
}

fn write(folder: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("below the folder")).expect("writable");
    fs::write(&path, content).expect("writable");
    path
}

fn at(text: &str) -> LocalTime {
    format!("2026-03-15T{text}").parse().expect("a local time")
}

/// The number that SQL Server prints for the first record of a block: 5 digits of slot behind 10 of block.
fn number(vlf: u32, block: u32) -> String {
    format!("{vlf}{block:010}00001")
}

/// A full at two o'clock and three logs, a quarter of an hour apart; the server's clock is an hour ahead of UTC.
struct Story {
    sample: ChainSample,
    full: ChainSet,
    logs: [ChainSet; 3],
}

impl Story {
    fn of(database: &str) -> Self {
        let sample = ChainSample::new(database, lsn(40, 100));
        let log = |from, to, time| sample.log(lsn(40, from), lsn(40, to), at(time));
        Self {
            full: sample.full(lsn(40, 100), lsn(40, 110), at("02:00:00")),
            logs: [
                log(100, 150, "02:15:00"),
                log(150, 200, "02:30:00"),
                log(200, 250, "02:45:00"),
            ],
            sample,
        }
    }

    /// `full.bak`, `log1.trn`, `log2.trn`, `log3.trn`.
    fn write(&self, folder: &TempDir) {
        self.put(folder, "full.bak", &[&self.full]);
        for (number, log) in (1..).zip(&self.logs) {
            self.put(folder, &format!("log{number}.trn"), &[log]);
        }
    }

    fn put(&self, folder: &TempDir, name: &str, sets: &[&ChainSet]) {
        write(folder, name, &self.sample.file(sets));
    }
}

/// The files of the plan's steps.
fn files(database: &Value) -> Vec<String> {
    let steps = database["plan"]["steps"]
        .as_array()
        .unwrap_or_else(|| panic!("a plan: {database}"));
    let names = steps.iter().map(|step| {
        let files = step["files"].as_array().expect("files").iter();
        let files: Vec<&str> = files
            .map(|file| file.as_str().expect("a name").trim_start_matches("./"))
            .collect();
        files.join("+")
    });
    names.collect()
}
