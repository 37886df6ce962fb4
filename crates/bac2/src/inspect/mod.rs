//! `bac2 inspect`: what backup files contain, read from their headers.
//!
//! Pages and log are passed over, by seeking where the input is a file, so a large backup costs no more than a small
//! one. Nothing here says that the content is intact: that is `verify`. The JSON is the contract of RESTORE HEADERONLY
//! and FILELISTONLY names; field order is part of it.

mod card;
mod list;
pub(crate) mod words;

use std::io;

use bak::{BackupSet, Container, Media, Report, Verdict, Verifier};
use clap::Args;
use serde::Serialize;

use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::input::{Files, Input, Opened};

/// Read at once between two seeks. Headers are small; this is what a disk gives for the price of one access.
const READ_BYTES: usize = 128 * 1024;

/// Payload shorter than this is read rather than sought over.
const SEEK_BYTES_MIN: u64 = 256 * 1024;

/// Up to this many sets each gets a card of its own; more become a list of one line each.
const CARDS_MAX: usize = 3;

/// Shows what backup files contain.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 inspect /backups/sales.bak
  bac2 inspect -o json /backups/*.trn | jq '.[].sets[].lastLsn'
  zstd -dc sales.bak.zst | bac2 inspect -
  bac2 inspect --recursive /backups")]
pub(crate) struct Arguments {
    #[command(flatten)]
    files: Files,
}

/// One file's answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspected {
    file: String,
    size: u64,
    container: Option<Container>,
    media: Option<Media>,
    sets: Vec<BackupSet>,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let inputs = arguments.files.collect(console);
    let mut answers = Vec::with_capacity(inputs.len());
    for input in &inputs {
        match inspect(input, console) {
            Ok(answer) => answers.push(answer),
            Err(failure) => console.fail(&failure),
        }
    }
    match console.format() {
        Format::Json => console.json(&answers),
        Format::Table if answers.is_empty() => Ok(()),
        Format::Table if answers.iter().map(|a| a.sets.len()).sum::<usize>() <= CARDS_MAX => console.text(
            &answers
                .iter()
                .map(|a| card::show(a, console))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        Format::Table => console.text(&list::show(&answers, console)),
    }
}

fn inspect(input: &Input, console: &Console) -> Result<Inspected, Failure> {
    let mut opened = input.open()?;
    let report = read_headers(&mut opened).map_err(|error| input.failed(&error))?;
    let file = input.name();
    if let Some(foreign) = report.foreign() {
        return Err(not_a_backup(&file, foreign));
    }
    let reasons = || report.reasons.join("; ");
    let only_headers = report.reasons == [bak::report::ONLY_HEADERS_READ];
    match report.verdict {
        Verdict::Ok | Verdict::Incomplete => {}
        Verdict::CannotVerify if only_headers => {}
        Verdict::CannotVerify => console.warn(format!("{file}: {}", reasons())),
        Verdict::Truncated => console.fail(&Failure::failed(
            "BackupTruncated",
            format!("{file} ends early: {}", reasons()),
            "copy it again from where it was written; sets that are complete can still be restored by position",
        )),
        Verdict::Damaged => console.fail(&Failure::failed(
            "BackupDamaged",
            format!("{file} is damaged: {}", reasons()),
            "run bac2 verify on it for each finding, and copy it again from where it was written",
        )),
    }
    let size = opened.size().unwrap_or(report.bytes);
    Ok(Inspected {
        file,
        size,
        container: report.container,
        media: report.media,
        sets: report.sets,
    })
}

/// The refusal of a file that is no backup; `verify` says the same.
pub(crate) fn not_a_backup(file: &str, foreign: bak::Foreign) -> Failure {
    let next = match foreign {
        bak::Foreign::Empty => "look for the backup's job log; the file was created but nothing arrived",
        _ => "name the .bak or .trn file that BACKUP wrote",
    };
    Failure::unusable("NotABackup", format!("{file}: {}", foreign.sentence()), next)
}

/// Reads what is no payload; in a regular file the rest is sought over.
pub(crate) fn read_headers(opened: &mut Opened) -> io::Result<Report> {
    let mut verifier = Verifier::headers_only();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        if let Some(size) = opened.size() {
            let ahead = verifier.skippable().min(size.saturating_sub(verifier.bytes()));
            if ahead >= SEEK_BYTES_MIN {
                opened.skip(ahead)?;
                verifier.skip(ahead);
                continue;
            }
        }
        let read = opened.fill(&mut buffer)?;
        verifier.push(&buffer[..read]);
        if read < buffer.len() {
            return Ok(verifier.finish());
        }
    }
}
