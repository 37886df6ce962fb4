//! `bench cat`: `bac2 verify FILE` beside `cat FILE >/dev/null`, the file in page cache, in the same run.
//!
//! What is timed is the whole program, as a user starts it: process start, reading, checking, report. The runs
//! alternate; ratios are taken between neighbours. Peak memory is watched in runs of its own, by reading
//! `VmHWM` every half millisecond until the process ends, so that watching costs the timed runs nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::child::Process;
use crate::make_backup::make_backup;
use crate::median::median;
use crate::programs;

/// `bac2 verify` on a file in page cache, beside cat
#[derive(clap::Args)]
pub(crate) struct Args {
    /// MiB of the backup that is made for the run
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Timed pairs
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// A backup to take instead of making one
    #[arg(long)]
    file: Option<PathBuf>,
    /// Folder for the backup, removed afterwards [default: where this binary lies]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The product [default: bac2 beside this binary]
    #[arg(long, env = "BAC2_BIN")]
    bac2: Option<PathBuf>,
}

/// Verify reaches at least this part of cat's speed.
const SPEED_BAR: f64 = 0.5;
/// And stays under this much resident memory, in bytes.
const MEMORY_BAR: u64 = 32 << 20;
/// Runs in which memory is watched.
const WATCHED: usize = 3;

/// Runs the bench and prints its report.
pub(crate) fn run(args: &Args) -> Result<()> {
    let product = programs::product(args.bac2.as_deref())?
        .context("bac2 is not beside this binary: cargo build --release, or --bac2")?;
    let dir = programs::scratch(args.dir.as_deref())?;
    let file = match &args.file {
        Some(file) => file.clone(),
        None => {
            let file = dir.path().join("made.bak");
            make_backup(&file, args.mib << 20)?;
            file
        }
    };
    let gigabytes = file.metadata()?.len() as f64 / 1e9;

    // Both once outside the clock: the file is in page cache then, and so are the programs.
    timed(&mut cat(&file))?;
    timed(&mut verify(&product, &file))?;
    let (mut plain, mut checked, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        let cat = gigabytes / timed(&mut cat(&file))?.as_secs_f64();
        let verify = gigabytes / timed(&mut verify(&product, &file))?.as_secs_f64();
        ratios.push(verify / cat);
        plain.push(cat);
        checked.push(verify);
    }
    let peak = (0..WATCHED)
        .map(|_| peak_memory(&mut verify(&product, &file)))
        .max_by_key(|peak| peak.as_ref().ok().copied());
    let peak = peak.context("at least one watched run")??;

    let ratio = median(ratios).context("at least one round")?;
    let (plain, checked) = (median(plain).unwrap_or(0.0), median(checked).unwrap_or(0.0));
    println!(
        "{gigabytes:.2} GB in page cache, {} pairs; GB = 10^9 bytes\n",
        args.rounds
    );
    println!("| program | GB/s, median | of cat | peak memory MiB |\n|---|---|---|---|");
    println!("| cat | {plain:.2} | 1.00 | - |");
    println!(
        "| bac2 verify | {checked:.2} | {ratio:.2} | {:.1} |\n",
        peak as f64 / f64::from(1 << 20)
    );
    let word = |good: bool| if good { "pass" } else { "FAIL" };
    println!(
        "{}: verify reaches {ratio:.2} of cat; the bar is {SPEED_BAR:.2}",
        word(ratio >= SPEED_BAR)
    );
    println!(
        "{}: peak memory; the bar is {} MiB",
        word(peak < MEMORY_BAR),
        MEMORY_BAR >> 20
    );
    Ok(())
}

fn cat(file: &Path) -> Command {
    let mut command = Command::new("cat");
    command.arg(file).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn verify(product: &Path, file: &Path) -> Command {
    let mut command = Command::new(product);
    command
        .args(["verify", "-o", "json"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

fn timed(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    let time = start.elapsed();
    ensure!(
        status.success(),
        "{command:?} ended with {status}: a bench of failures would mean nothing"
    );
    Ok(time)
}

fn peak_memory(command: &mut Command) -> Result<u64> {
    let mut process = Process::of(command.spawn()?);
    let mut peak = 0;
    while process.child().try_wait()?.is_none() {
        peak = peak.max(process.peak_memory().unwrap_or(0));
        thread::sleep(Duration::from_micros(500));
    }
    Ok(peak)
}
