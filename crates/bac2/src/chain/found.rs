//! What lies under the paths: files and blobs, each with the backup sets in it and how sure these are.
//!
//! A path is a backup file, a folder that is searched to its bottom, or the data directory of a front door, whose blobs bring the
//! verdicts that were found while they arrived. One unreadable file never keeps the others from being judged. Deliberately absent:
//! which sets belong together.

use std::path::{Path, PathBuf};

use bak::{BackupSet, LogFingerprint, Media, Report, Verdict};
use chain::Grade;
use chain::tsql::Device;

use super::blobs;
use super::reading::{self, Depth};
use crate::console::Console;
use crate::failure::Failure;
use crate::input::{Input, in_directory};
use crate::verify::finding;

/// One file or blob.
#[derive(Debug)]
pub(super) struct Found {
    /// As answers name it.
    pub(super) name: String,
    /// As SQL Server finds it.
    pub(super) device: Device,
    /// How large it is.
    pub(super) bytes: u64,
    /// Which stripe of what.
    pub(super) media: Option<Media>,
    /// What is in it.
    pub(super) sets: Vec<FoundSet>,
}

/// A backup set as one file has it.
#[derive(Debug)]
pub(super) struct FoundSet {
    /// What its header says.
    pub(super) backup: BackupSet,
    /// How sure it is.
    pub(super) grade: Grade,
    /// Why it is no surer, where that needs a word.
    pub(super) remark: Option<String>,
    /// What the log in it looks like, where it was read.
    pub(super) log: Option<LogFingerprint>,
}

/// What to look at, and how.
#[derive(Debug)]
pub(super) struct Search<'a> {
    /// As the user named them.
    pub(super) paths: &'a [PathBuf],
    /// How files are read.
    pub(super) depth: Depth,
    /// What stands before `/CONTAINER/BLOB` in a blob's URL, where the user said so.
    pub(super) blob_url: Option<&'a str>,
}

impl Search<'_> {
    /// Everything that could be read. What could not is said, and remembered in `console`.
    pub(super) fn run(&self, console: &Console) -> Vec<Found> {
        let mut found = Vec::new();
        let mut inputs = Vec::new();
        let mut named = Vec::new();
        for path in self.paths {
            if path.as_os_str() == "-" {
                console.fail(&Failure::unusable(
                    "StandardInput",
                    "no plan can name standard input: SQL Server restores from files and URLs",
                    "give the path of the file",
                ));
            } else if path.metadata().is_ok_and(|it| !it.is_file() && !it.is_dir()) {
                console.fail(&Failure::unusable(
                    "NotAFile",
                    format!(
                        "{} is a pipe or a device: SQL Server restores from files and URLs",
                        path.display()
                    ),
                    "give the path of the file",
                ));
            } else if blobs::is_data_directory(path) {
                match blobs::found(path, self.blob_url, console) {
                    Ok(blobs) => found.extend(blobs),
                    Err(failure) => console.fail(&failure),
                }
            } else {
                let below = if path.is_dir() {
                    in_directory(path, console)
                } else {
                    vec![Input::File(path.clone())]
                };
                named.extend(std::iter::repeat_n(!path.is_dir(), below.len()));
                inputs.extend(below);
            }
        }
        let (inputs, named) = each_once(inputs, named);
        let outcomes = reading::read(&inputs, self.depth, console);
        for ((input, named), outcome) in inputs.iter().zip(named).zip(outcomes) {
            match outcome {
                Ok(report) => found.push(from_file(input, report, self.depth, console)),
                // A folder may hold what is no backup; a file that was named may not.
                Err(failure) if !named && failure.code() == "NotABackup" => console.warn(failure.sentence()),
                Err(failure) => console.fail(&failure),
            }
        }
        found
    }
}

/// A file that two paths lead to is read once.
fn each_once(inputs: Vec<Input>, named: Vec<bool>) -> (Vec<Input>, Vec<bool>) {
    let mut seen = std::collections::BTreeSet::new();
    let fresh = |input: &Input| match input {
        Input::File(path) => seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())),
        Input::Stdin => true,
    };
    let keep: Vec<bool> = inputs.iter().map(fresh).collect();
    let kept = |(at, _): &(usize, bool)| keep[*at];
    let named = named.into_iter().enumerate().filter(kept).map(|(_, named)| named);
    let named = named.collect();
    let inputs = inputs.into_iter().zip(&keep).filter(|(_, keep)| **keep);
    (inputs.map(|(input, _)| input).collect(), named)
}

fn from_file(input: &Input, report: Report, depth: Depth, console: &Console) -> Found {
    let name = input.name();
    if matches!(report.verdict, Verdict::Truncated | Verdict::Damaged) {
        let what = if report.verdict == Verdict::Damaged {
            "is damaged"
        } else {
            "ends early"
        };
        console.warn(format!("{name} {what}: {}", report.reasons.join("; ")));
    }
    let absolute = match input {
        Input::File(path) => absolute(path),
        Input::Stdin => name.clone(),
    };
    let graded: Vec<(Grade, Option<String>)> =
        report.sets.iter().map(|set| grade(set, &report, depth)).collect();
    let logs = report.log_fingerprints.into_iter().chain(std::iter::repeat(None));
    let sets = report.sets.into_iter().zip(graded).zip(logs);
    let sets = sets.map(|((backup, (grade, remark)), log)| FoundSet {
        backup,
        grade,
        remark,
        log,
    });
    Found {
        name,
        device: Device::Disk(absolute),
        bytes: input.size().unwrap_or(report.bytes),
        media: report.media,
        sets: sets.collect(),
    }
}

/// The path from the root, without asking the disk: the server that restores may see another one.
pub(super) fn absolute(path: &Path) -> String {
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_path_buf())
        .display()
        .to_string()
}

/// How sure a set of a file is.
fn grade(set: &BackupSet, report: &Report, depth: Depth) -> (Grade, Option<String>) {
    let listed = report.damage.iter();
    let mut concerning = listed.filter(|damage| damage.set.is_none_or(|position| position == set.position));
    if let Some(damage) = concerning.next() {
        return (Grade::Disputed, Some(finding(damage)));
    }
    if report.damage_count > report.damage.len() as u64 {
        let remark = "the file has more damage than is listed";
        return (Grade::Disputed, Some(remark.to_owned()));
    }
    if !set.complete {
        return (Grade::None, Some("it breaks off before its end".to_owned()));
    }
    match (depth, report.verdict) {
        (Depth::Headers, _) => (Grade::HeadersOnly, None),
        (Depth::Everything, Verdict::CannotVerify) => {
            let why = format!("its content cannot be verified: {}", report.reasons.join("; "));
            (Grade::HeadersOnly, Some(why))
        }
        (Depth::Everything, _) => (Grade::Proved, None),
    }
}
