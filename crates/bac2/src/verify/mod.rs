//! `bac2 verify`: is every page, log block and structure of these backups as it was written?
//!
//! Each file is read once, start to end; a verdict says what that proves. Stripes are judged together: a family whose
//! sisters are among the files given is not incomplete. "Cannot verify" is its own verdict, and is not `ok`.

mod pump;
mod show;

use std::time::Instant;

use bak::stripes::Judged;
use bak::{Damage, LogBlockCounts, PageCounts, Report, StreamChecksumCounts, Verdict, Verifier};
use clap::Args;
use serde::Serialize;

use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};
use crate::input::{Files, Input};
use crate::inspect::not_a_backup;
use crate::progress::Progress;
pub(crate) use show::finding;

/// Checks every page, log block and structure of backup files.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 verify /backups/sales.bak
  bac2 verify stripe1.bak stripe2.bak        stripes of one backup are judged together
  bac2 verify --recursive /backups
  bac2 verify -o json *.bak | jq '.[] | select(.verdict != \"ok\")'
  zstd -dc sales.bak.zst | bac2 verify -

Verdicts: ok; damaged; truncated; incomplete (sound, but a stripe is missing from the files given);
cannotVerify (encrypted, or a form this version does not know). Exit code 0 only when every verdict
is ok.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    files: Files,
}

/// One file's answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    file: String,
    verdict: Verdict,
    reasons: Vec<String>,
    pages: PageCounts,
    log_blocks: LogBlockCounts,
    stream_checksums: StreamChecksumCounts,
    damage: Vec<Damage>,
    damage_count: u64,
    bytes: u64,
    seconds: f64,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let inputs = arguments.files.collect(console);
    let total = inputs.iter().map(Input::size).sum();
    let progress = Progress::bytes(console, total);
    let mut names = Vec::with_capacity(inputs.len());
    let mut reports = Vec::with_capacity(inputs.len());
    for input in &inputs {
        progress.at(&input.name());
        match verify(input, &progress) {
            Ok((report, seconds)) => {
                names.push((input.name(), seconds));
                reports.push(report);
            }
            Err(failure) => progress.aside(|| console.fail(&failure)),
        }
    }
    progress.clear();
    let judged = bak::stripes::judge(&reports);
    let answers: Vec<Verified> = reports
        .into_iter()
        .zip(judged)
        .zip(names)
        .map(|((report, judged), (file, seconds))| answer(file, report, judged, seconds))
        .collect();
    if answers.iter().any(|answer| answer.verdict != Verdict::Ok) {
        console.ended(Exit::Failed);
    }
    match console.format() {
        Format::Json => console.json(&answers),
        Format::Table if answers.is_empty() => Ok(()),
        Format::Table => console.text(&show::show(&answers, inputs.len() - answers.len(), console)),
    }
}

/// Reads one input to its end. Gives the report and the seconds it took.
pub(crate) fn verify(input: &Input, progress: &Progress) -> Result<(Report, f64), Failure> {
    let mut opened = input.open()?;
    let started = Instant::now();
    let mut verifier = Verifier::new();
    pump::pump(&mut opened, |bytes| {
        verifier.push(bytes);
        progress.add(bytes.len() as u64);
    })
    .map_err(|error| input.failed(&error))?;
    let report = verifier.finish();
    match report.foreign() {
        Some(foreign) => Err(not_a_backup(&input.name(), foreign)),
        None => Ok((report, started.elapsed().as_secs_f64())),
    }
}

fn answer(file: String, report: Report, judged: Judged, seconds: f64) -> Verified {
    Verified {
        file,
        verdict: judged.verdict,
        reasons: judged.reasons,
        pages: report.pages,
        log_blocks: report.log_blocks,
        stream_checksums: report.stream_checksums,
        damage: report.damage,
        damage_count: report.damage_count,
        bytes: report.bytes,
        // Finer than a microsecond is noise.
        seconds: (seconds * 1e6).round() / 1e6,
    }
}
