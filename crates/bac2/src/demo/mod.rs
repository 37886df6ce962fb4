//! `bac2 demo`: the whole story in one process and a temporary folder, over a real socket on loopback.
//!
//! Backups go in the way SQL Server sends them, the vault proves them on the way, they come back to the byte; then one
//! bit flips, and an upload dies half-way, after which the lease guard cleans up. The client is a simulation of SQL
//! Server's and says so; the door, the store and the verifier are the product. Every claim is checked, and one that
//! does not hold makes the exit code 1.

mod client;
mod door;
mod narrator;
mod outcome;
mod rescue;
mod sample;
mod source;
mod story;
mod upload;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bak::{FileKind, sniff};
use clap::Args;
use tempfile::TempDir;

use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};
use crate::inspect::not_a_backup;
use crate::quantity::{counted, size};
use door::Door;
use narrator::Narrator;
use outcome::Outcome;
use source::Source;
use story::{Stage, Subject};

/// What stands in for SQL Server here.
const CLIENT: &str = "a simulation of SQL Server's backup client; no SQL Server took part";

/// Plays the whole story on this machine.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 demo                                       with a backup made by bac2's own writer
  bac2 demo --backup sales.bak --backup crm.bak   with backups of yours; they are only read
  bac2 demo -o json                               the outcome for a program

It needs room for about three copies of the largest backup in the folder for temporary files
(TMPDIR). Exit code 1 when anything it shows did not hold.")]
pub(crate) struct Arguments {
    /// A backup to send through the vault; may be given several times
    #[arg(long = "backup", value_name = "FILE", num_args = 1..)]
    backups: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let folder = TempDir::with_prefix("bac2-demo-").map_err(|error| broke(error.into()))?;
    let subjects = match arguments.backups.as_slice() {
        [] => vec![made_here(folder.path())?],
        files => given(files)?,
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| broke(error.into()))?;
    let outcome = runtime
        .block_on(tell(&subjects, folder.path(), console))
        .map_err(broke)?;
    if !outcome.held {
        console.ended(Exit::Failed);
    }
    match console.format() {
        Format::Json => console.json(&outcome),
        Format::Table => Ok(()),
    }
}

/// The demo could not be played to its end.
fn broke(error: anyhow::Error) -> Failure {
    error.downcast().unwrap_or_else(|error| {
        Failure::failed(
            "DemoFailed",
            format!("the demo could not go on: {error:#}"),
            "see whether the folder for temporary files (TMPDIR) has room and may be written",
        )
    })
}

fn made_here(folder: &Path) -> Result<Subject, Failure> {
    let path = folder.join(sample::NAME);
    sample::write(&path).map_err(|error| broke(error.into()))?;
    let source = Source::of(&path).map_err(|error| broke(error.into()))?;
    Ok(Subject {
        name: sample::NAME.to_owned(),
        blob: sample::NAME.to_owned(),
        source,
        made_here: true,
    })
}

/// The user's files; what is no backup is refused before anything starts.
fn given(files: &[PathBuf]) -> Result<Vec<Subject>, Failure> {
    let mut subjects = Vec::with_capacity(files.len());
    for (number, path) in files.iter().enumerate() {
        let failed = |error| Failure::reading(path, &error);
        if path.is_dir() {
            return Err(Failure::unusable(
                "IsADirectory",
                format!("{} is a directory", path.display()),
                "name the backup files themselves",
            ));
        }
        let mut start = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(bak::sniff::SNIFF_SIZE as u64)
            .read_to_end(&mut start)
            .map_err(failed)?;
        if let Some(FileKind::Foreign(foreign)) = sniff(&start, true) {
            return Err(not_a_backup(&path.display().to_string(), foreign));
        }
        subjects.push(Subject {
            name: path.display().to_string(),
            blob: format!("{}.bak", number + 1),
            source: Source::of(path).map_err(failed)?,
            made_here: false,
        });
    }
    Ok(subjects)
}

async fn tell(subjects: &[Subject], folder: &Path, console: &Console) -> anyhow::Result<Outcome> {
    let door = Door::open(&folder.join("vault")).await?;
    let stage = Stage {
        door: &door,
        console,
        narrator: Narrator::new(console),
    };
    prologue(&stage, subjects)?;
    let mut backups = Vec::with_capacity(subjects.len());
    for subject in subjects {
        backups.push(stage.good_day(subject).await?);
    }
    let first = subjects.first().expect("there is always one");
    let flipped_bit = stage.flipped_bit(first).await?;
    let interrupted = stage.interrupted(first).await?;
    let held = backups.iter().all(outcome::Kept::held)
        && flipped_bit.held()
        && interrupted.held()
        && interrupted.was_rescued();
    let outcome = Outcome {
        client: CLIENT,
        backups,
        flipped_bit,
        interrupted,
        held,
    };
    epilogue(&stage, &outcome)?;
    door.close().await?;
    Ok(outcome)
}

fn prologue(stage: &Stage<'_>, subjects: &[Subject]) -> anyhow::Result<()> {
    let say = &stage.narrator;
    say.chapter("A vault, in a temporary folder, behind a real socket on this machine")?;
    say.fact("address", &stage.door.url())?;
    say.fact("client", CLIENT)?;
    for subject in subjects {
        let origin = if subject.made_here {
            "made by bac2's own writer (--backup FILE takes yours)"
        } else {
            "yours"
        };
        say.fact(
            "backup",
            &format!("{}, {}, {origin}", subject.name, size(subject.source.bytes())),
        )?;
    }
    Ok(())
}

fn epilogue(stage: &Stage<'_>, outcome: &Outcome) -> anyhow::Result<()> {
    let say = &stage.narrator;
    say.chapter("What held")?;
    for kept in &outcome.backups {
        let verdict = kept.verdict.map_or("no verdict", |verdict| verdict.as_str());
        let checked = counted(kept.pages.checksum_ok + kept.pages.torn_ok, "page");
        let text = format!(
            "{} is in the vault with its proof ({verdict}, {checked} checked)",
            kept.file
        );
        say.promise(kept.is_proved(), &text)?;
        say.promise(kept.identical, &format!("{} came back to the byte", kept.file))?;
    }
    let flipped = &outcome.flipped_bit;
    say.promise(
        flipped.held(),
        "one flipped bit among all of them was found and named",
    )?;
    say.promise(
        outcome.interrupted.held(),
        "the upload that died stays locked and is no recovery point",
    )?;
    say.promise(
        outcome.interrupted.was_rescued(),
        "the lease guard spared it while it lived, and cleaned up when it was dead",
    )?;
    let end = if outcome.held {
        "Everything held. The temporary folder is gone; nothing of this machine was changed."
    } else {
        "Something did not hold: see BROKEN above."
    };
    say.chapter(end)?;
    Ok(())
}
