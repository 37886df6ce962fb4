//! `bac2 demo`: a vault and a simulated SQL Server, from registration to the worst days, on one machine in a temporary folder.
//!
//! The vault, its catalog, the front door and the verifier are the product. The SQL Servers are bac2's simulation, processes of
//! `bac2 sim`, and said to be so. Every claim is asked of the vault, the door or an instance; one that does not hold makes the exit
//! code 1.

mod allotment;
mod backups;
mod corrupted;
mod door;
mod given;
mod instance;
mod keeper;
mod killed;
mod narrator;
mod outcome;
mod pages;
mod restored;
mod rows;
mod stage;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use schedule::BackupKind;
use tempfile::TempDir;

use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};
use crate::paint::{Tone, cell, figures, table, toned};
use crate::quantity::{counted, duration, size};
use crate::stopping;
use given::Given;
use outcome::{AtRest, Outcome, RestoredPages, Taken};
use rows::Contents;
use stage::{ORDERS, SHOP, Stage};

/// What stands in for SQL Server here.
const SIMULATION: &str = "bac2's own simulation of SQL Server; no SQL Server took part";

/// A thread's stack: futures are large before they are optimised.
const STACK: usize = 16 << 20;

/// Orders that come in between two backups.
const NEW_ORDERS: u32 = 300;

/// How often the new ones change before each: the log has every change, a differential the pages as they are then.
const CHANGES: u32 = 3;

/// Plays the life of a vault on this machine.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 demo                        with two databases that it makes
  bac2 demo --backup sales.bak     one of them from a full backup of yours, which is only read
  bac2 demo -o json                the outcome for a program

The SQL Servers in it are bac2's simulation, which listens on this machine alone. It needs about a
gigabyte, and four times the size of your backup, in the folder for temporary files (TMPDIR), and
leaves nothing behind. Exit code 1 when anything it shows did not hold.")]
pub(crate) struct Arguments {
    /// A full backup in one file, for the simulated SQL Server to restore and the vault to protect
    #[arg(long, value_name = "FILE")]
    backup: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let given = arguments.backup.as_deref().map(Given::look).transpose()?;
    let folder = TempDir::with_prefix("bac2-demo-").map_err(|error| broke(error.into()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build()
        .map_err(|error| broke(error.into()))?;
    let told = runtime.block_on(async {
        let stop = stopping::asked().map_err(anyhow::Error::from)?;
        tokio::select! {
            told = Box::pin(tell(folder.path(), given.as_ref(), console)) => told,
            () = stop => Err(Failure::failed(
                "DemoStopped",
                "the demo was stopped",
                "nothing of it is left; start it again whenever you like",
            ).into()),
        }
    });
    // Whatever still blocks a thread works in the folder that goes now.
    drop(runtime);
    let outcome = told.map_err(broke)?;
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
    let error = match error.downcast::<Failure>() {
        Ok(failure) => return failure,
        Err(error) => error,
    };
    match error.downcast::<faults::Fault>() {
        Ok(fault) => Failure::failed(fault.code().as_str(), fault.happened(), fault.entry().next_step()),
        Err(error) => Failure::failed(
            "DemoFailed",
            format!("the demo could not go on: {error:#}"),
            "see whether the folder for temporary files (TMPDIR) has room and may be written",
        ),
    }
}

async fn tell(folder: &Path, given: Option<&Given>, console: &Console) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let stage = Stage::open(folder, console, given).await?;
    let second = stage.fill(given).await?;
    let (server, registered) = stage.protect(&[SHOP, &second]).await?;
    let shop = stage.subject(server, SHOP, None).await?;
    let second = stage.subject(server, &second, given).await?;

    stage
        .narrator
        .chapter(&format!("{SHOP} is backed up, while orders come in"))?;
    let mut backups = vec![stage.back_up(&shop, BackupKind::Full).await?];
    for (kind, seed) in [(BackupKind::Log, 10), (BackupKind::Differential, 11)] {
        rows::add(&stage.source, SHOP, ORDERS, NEW_ORDERS, seed).await?;
        for _ in 0..CHANGES {
            rows::change(&stage.source, SHOP, ORDERS, stage::ORDER_ROWS).await?;
        }
        backups.push(stage.back_up(&shop, kind).await?);
    }
    let (job, mut killed) = stage.kill(&second).await?;
    rows::add(&stage.source, SHOP, ORDERS, NEW_ORDERS, 12).await?;
    backups.push(stage.back_up(&shop, BackupKind::Log).await?);

    let before = Contents::of(&stage.source, SHOP).await?;
    let (corrupted, log) = stage.corrupt(&shop).await?;
    backups.push(log);
    let loss = stage.lose(&shop, before).await?;
    let (other, other_server) = stage.another().await?;
    let restored = stage.bring_back(&shop, &loss, &other, other_server).await?;
    stage.await_retry(&second, job, &mut killed).await?;
    let restored_pages = match given {
        Some(_) => Some(stage.bring_pages_back(&second, &other, other_server).await?),
        None => None,
    };
    let at_rest = stage.at_rest(&[&shop.container, &second.container]).await?;

    backups.push(loss.log);
    let held = registered.held()
        && backups.iter().all(Taken::held)
        && killed.held()
        && corrupted.held()
        && restored.held()
        && restored_pages.as_ref().is_none_or(RestoredPages::held)
        && at_rest.held(&[corrupted::BY_HAND]);
    let outcome = Outcome {
        simulation: SIMULATION,
        server: registered,
        backups,
        killed,
        corrupted,
        restored,
        restored_pages,
        at_rest,
        seconds: began.elapsed().as_secs_f64(),
        held,
    };
    epilogue(&stage, &outcome, console)?;
    stage.close().await?;
    Ok(outcome)
}

fn epilogue(stage: &Stage<'_>, outcome: &Outcome, console: &Console) -> anyhow::Result<()> {
    let say = &stage.narrator;
    say.chapter("What is in the vault")?;
    say.table(&summary(outcome, console))?;
    say.chapter("What held")?;
    let (killed, corrupted) = (&outcome.killed, &outcome.corrupted);
    say.promise(
        outcome.server.held(),
        "the instance was registered, probed, and all its databases were found",
    )?;
    say.promise(
        outcome.backups.iter().all(Taken::held),
        "every backup came in over https and was proved on its way",
    )?;
    say.promise(
        killed.was_left() && killed.cleaned_up,
        "what a backup that was killed left locked was found and removed",
    )?;
    say.promise(
        killed.was_taken_again(),
        "and the backup was taken again, by itself",
    )?;
    say.promise(
        corrupted.was_refused() && corrupted.was_found(),
        "a page that changed on the disk was caught and named, with and without SQL Server's checksums",
    )?;
    let (at, rows) = (
        outcome.restored.at.as_deref().unwrap_or("?"),
        outcome.restored.rows,
    );
    say.promise(
        outcome.restored.held(),
        &format!(
            "{SHOP} came back as it was at {at}, on another instance, {} compared",
            counted(rows, "row")
        ),
    )?;
    if let Some(pages) = &outcome.restored_pages {
        let (name, same) = (&pages.restored.database, counted(pages.same, "page"));
        say.promise(
            pages.held(),
            &format!("{name} came back on another instance, {same} compared"),
        )?;
    }
    say.promise(
        outcome.at_rest.held(&[corrupted::BY_HAND]),
        "every recovery point is sealed, and nothing is locked",
    )?;
    let took = duration(outcome.seconds);
    let end = if outcome.held {
        format!(
            "Everything held, in {took}. The SQL Servers were {SIMULATION}. The temporary folder goes now."
        )
    } else {
        format!("Something did not hold, in {took}: see BROKEN above.")
    };
    say.chapter(&end)?;
    Ok(())
}

/// All backups, in their order.
fn summary(outcome: &Outcome, console: &Console) -> String {
    let mut rows = table(
        console,
        &["database", "backup", "grade", "checked", "size", "time"],
    );
    let again = outcome.killed.taken_again.iter();
    for taken in outcome.backups.iter().chain(again) {
        let tone = if taken.held() { Tone::Good } else { Tone::Bad };
        rows.add_row(vec![
            cell(&taken.database),
            cell(taken.kind.name()),
            toned(tone, backups::grade_words(taken.grade)),
            cell(&backups::checked(taken)),
            figures(&size(taken.bytes)),
            figures(&duration(taken.seconds)),
        ]);
    }
    format!("{rows}\n")
}

impl Stage<'_> {
    /// What is in the store, when nothing runs any more.
    async fn at_rest(&self, containers: &[&str]) -> anyhow::Result<AtRest> {
        let points = self.keeper.points().await?;
        let mut rest = AtRest {
            recovery_points: points.len(),
            sealed: 0,
            others: Vec::new(),
            leased: Vec::new(),
            bytes: 0,
        };
        let mut names: Vec<&str> = containers.to_vec();
        names.sort_unstable();
        names.dedup();
        for name in names {
            for entry in self.door.listed(name).await? {
                rest.bytes += entry.size;
                let is_known = points.iter().any(|point| point.blobs.contains(&entry.name));
                if entry.lease_state == azblob::lease::LeaseState::Leased {
                    rest.leased.push(entry.name.clone());
                }
                match is_known {
                    true => rest.sealed += usize::from(entry.sealed && entry.committed),
                    false => rest.others.push(entry.name),
                }
            }
        }
        Ok(rest)
    }

    /// Ends everything in order.
    async fn close(self) -> anyhow::Result<()> {
        self.keeper.close().await?;
        drop(self.source);
        self.door.close().await
    }
}
