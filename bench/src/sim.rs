//! The simulated instance as a source of load: how fast BACKUP runs from a database on this disk, on one thread.
//!
//! Beside each stands a bare read of the same data file in transfers of the same size, which is the least that any backup costs. The database
//! is filled by the engine itself and backed up by T-SQL; NUL takes the backup and forgets it.

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use simsql::answers::Transcript;
use simsql::instance::{Instance, Settings, Version};
use simsql::machine::{Machine, Wire};
use simsql::session::Session;
use simsql::value::Value;

use crate::median::median;

/// One transfer of BACKUP.
const TRANSFER: usize = 1 << 20;
/// Bytes of text in a row: two rows fill a page.
const TEXT: usize = 3900;

/// BACKUP of the simulated instance.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// MiB of pages in the database
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Backups of each kind
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.mib > 0 && args.rounds > 0, "nothing to measure");
    let folder = tempfile::tempdir()?;
    let directory = folder.path().canonicalize()?;
    let world = Machine::new(&directory, &[], Wire::new(None, Default::default())?)?.world;
    let settings = Settings::new(Version::V2022, &directory.to_string_lossy());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let instance = Instance::start(world, settings).map_err(|failure| anyhow!("{failure:?}"))?;
    let mut session = instance.attach("sa").map_err(|failure| anyhow!("{failure:?}"))?;
    let mut say = |text: &str| runtime.block_on(batch(&mut session, text));
    say("CREATE DATABASE Bulky; ALTER DATABASE Bulky SET RECOVERY SIMPLE;")?;
    say("CREATE TABLE Bulky.dbo.Filler(id int NOT NULL, what varchar(8000) NOT NULL);")?;
    let since = Instant::now();
    fill(&instance, args.mib)?;
    println!(
        "{} MiB filled in {:.1} s",
        args.mib,
        since.elapsed().as_secs_f64()
    );
    let data = directory.join("data/Bulky.mdf");
    let bytes = args.mib << 20;
    let speed = |seconds: f64| bytes as f64 / seconds / 1e6;
    let limit = measure(args.rounds, || bare_read(&data))?;
    println!("{:<34} {:>8.0} MB/s", "bare read of the data file", speed(limit));
    for (name, options) in [
        ("BACKUP TO NUL", "COPY_ONLY, NO_COMPRESSION"),
        (
            "BACKUP TO NUL WITH CHECKSUM",
            "COPY_ONLY, NO_COMPRESSION, CHECKSUM",
        ),
        ("BACKUP TO NUL WITH COMPRESSION", "COPY_ONLY, COMPRESSION"),
    ] {
        let text = format!("BACKUP DATABASE Bulky TO DISK = 'NUL' WITH {options};");
        let seconds = measure(args.rounds, || say(&text))?;
        println!(
            "{name:<34} {:>8.0} MB/s, {:.2} of the bare read",
            speed(seconds),
            limit / seconds
        );
    }
    Ok(())
}

/// The median time of some runs, in seconds.
fn measure(rounds: usize, mut deed: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let since = Instant::now();
        deed()?;
        times.push(since.elapsed().as_secs_f64());
    }
    median(times).context("there was a run")
}

async fn batch(session: &mut Session, text: &str) -> Result<()> {
    let mut answers = Transcript::default();
    session.batch(text, &mut [], &mut answers).await;
    match answers.errors().next() {
        Some(error) => Err(anyhow!("message {}: {}", error.number, error.text)),
        None => Ok(()),
    }
}

/// Rows until the table has so many MiB of pages.
fn fill(instance: &Arc<Instance>, mib: u64) -> Result<()> {
    let now = instance.world.clock.now();
    let mut state = instance.state();
    let engine = state
        .database_mut("Bulky")
        .and_then(|database| database.engine.as_mut())
        .context("the database is open")?;
    let table = engine
        .find_table("dbo", "Filler")
        .context("the table is there")?
        .id;
    let rows = i64::try_from((mib << 20) / 8192 * 2)?;
    let mut id = 0;
    while id < rows {
        let transaction = engine.begin(now)?;
        for _ in 0..1000 {
            // Text that compresses about as real rows do.
            let text: String = (0..TEXT / 13)
                .map(|at| format!("{:012} ", id * 7 + at as i64))
                .collect();
            engine.insert(transaction, table, &[Value::Integer(id), Value::Text(text)])?;
            id += 1;
        }
        engine.commit(transaction, now)?;
    }
    engine.checkpoint(now)?;
    let mut first = None;
    engine.scan(table, &mut |_, row| {
        first = Some(row);
        ControlFlow::Break(())
    })?;
    ensure!(first.is_some(), "the table holds rows");
    Ok(())
}

fn bare_read(path: &Path) -> Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; TRANSFER];
    while file.read(&mut buffer)? > 0 {}
    Ok(())
}
