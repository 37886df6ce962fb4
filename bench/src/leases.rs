//! `bench leases`: how long `bac2 leases list` takes to find and tell apart the locked blobs of a large account.
//!
//! The account is filled through the front door as clients fill it: most blobs are plain and unlocked, the locked ones
//! are what a lease guard meets: page blobs with the beginning of a backup, block blobs with nothing but uncommitted
//! blocks, whole backups under the restore lease. The command runs as a user runs it, from the start of the process to
//! its end, and every row it prints is counted by holder: a listing that misses one is an error and not a record.
//! Beside it a bare client asks the server the least that the same knowledge costs.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::child::{Process, free_address};
use crate::frontdoor::connection::Connection;
use crate::frontdoor::subject::{self, Server};
use crate::median::median;
use crate::programs;

use account::{Shape, Tenant};

mod account;
mod bare;

/// Finds the locked blobs of a large account with `bac2 leases list`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Blobs in the account
    #[arg(long, default_value_t = 10_000)]
    blobs: usize,
    /// Containers that they lie in
    #[arg(long, default_value_t = 50)]
    containers: usize,
    /// Locked ones of the first account; in the second all are
    #[arg(long, default_value_t = 600)]
    locked: usize,
    /// Connections that fill, and that the bare client has
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Rounds; medians over them are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A small account and one round: to see that it runs, not how fast
    #[arg(long)]
    quick: bool,
    /// Folder for everything written, removed afterwards [default: where this binary lies]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The product [default: bac2 beside this binary]
    #[arg(long, env = "BAC2_BIN")]
    bac2: Option<PathBuf>,
    /// The peer [default: where conformance/run installs it]
    #[arg(long, env = "AZURITE_BIN")]
    azurite: Option<PathBuf>,
}

/// The command as it is shall take less on two cores, its two looks and the 3 s between them included.
const BAR: Duration = Duration::from_secs(10);

/// Who does the work in a row of the table.
#[derive(Clone, Copy)]
enum Worker {
    /// `bac2 leases list` with nothing but the account.
    Command,
    /// The same with one look at each blob.
    OneLook,
    /// The same with one look, and an Excel report.
    Workbook,
    /// The bare client.
    Bare,
}

/// What one run took.
struct Sample {
    seconds: f64,
    requests: Option<u64>,
    peak: Option<u64>,
}

/// One filled account on one server.
struct Scene<'a> {
    binary: &'a Path,
    dir: &'a Path,
    server: Server,
    health: Option<SocketAddr>,
    tenant: Tenant,
    shape: Shape,
}

/// Runs the bench and prints its figures.
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.rounds > 0 && args.connections > 0, "at least one of each");
    let (shape, rounds) = if args.quick {
        (Shape::new(500, 10, 60)?, 1)
    } else {
        (Shape::new(args.blobs, args.containers, args.locked)?, args.rounds)
    };
    let all = Shape::new(shape.blobs, shape.containers, shape.blobs)?;
    let binary = programs::product(args.bac2.as_deref())?
        .context("no build of bac2 beside this binary: cargo build --release -p bac2")?;
    println!(
        "| server | locked | client | s, median | slowest | requests | blobs/s | times the bare client | peak MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut verdicts = Vec::new();
    for shape in [shape, all] {
        let dir = programs::scratch(args.dir.as_deref())?;
        let scene = Scene::of_product(&binary, dir.path(), shape, args.connections)?;
        verdicts.push(verdict(shape, scene.measure(rounds)?));
    }
    if let Some(azurite) = programs::azurite(args.azurite.as_deref())? {
        let dir = programs::scratch(args.dir.as_deref())?;
        Scene::of_azurite(&binary, &azurite, dir.path(), shape, args.connections)?.measure(rounds)?;
    } else {
        println!("\nAzurite is not installed (conformance/run installs it) and is left out");
    }
    println!("\n{}", verdicts.join("\n"));
    Ok(())
}

/// One sentence about the command as it is on the front door.
fn verdict(shape: Shape, slowest: f64) -> String {
    let word = if slowest < BAR.as_secs_f64() {
        "pass"
    } else {
        "FAIL"
    };
    format!(
        "{word}: {} blobs in {} containers, {} locked: {slowest:.2} s at most; the bar is {} s",
        shape.blobs,
        shape.containers,
        shape.locked,
        BAR.as_secs()
    )
}

impl<'a> Scene<'a> {
    fn of_product(binary: &'a Path, dir: &'a Path, shape: Shape, connections: usize) -> Result<Self> {
        let health = free_address()?;
        let listen = ["--health-listen", &health.to_string()];
        let server = subject::product_with(binary, dir, false, &listen)?;
        Self::filled(binary, dir, server, Some(health), shape, connections)
    }

    fn of_azurite(
        binary: &'a Path,
        azurite: &Path,
        dir: &'a Path,
        shape: Shape,
        connections: usize,
    ) -> Result<Self> {
        let server = subject::azurite(azurite, dir, None)?;
        Self::filled(binary, dir, server, None, shape, connections)
    }

    fn filled(
        binary: &'a Path,
        dir: &'a Path,
        server: Server,
        health: Option<SocketAddr>,
        shape: Shape,
        connections: usize,
    ) -> Result<Self> {
        let tenant = Tenant::new(server.target.addr(), connections);
        let start = Instant::now();
        tenant.fill(shape)?;
        eprintln!(
            "{}: {} blobs made, {} locked, in {:.1} s",
            server.name,
            shape.blobs,
            shape.locked,
            start.elapsed().as_secs_f64()
        );
        Ok(Self {
            binary,
            dir,
            server,
            health,
            tenant,
            shape,
        })
    }

    /// A row for each worker; the slowest run of the command as it is.
    fn measure(&self, rounds: usize) -> Result<f64> {
        let workers = [
            (Worker::Bare, "bare client, one look"),
            (Worker::OneLook, "bac2 leases list --apart 0s"),
            (Worker::Workbook, "bac2 leases list --apart 0s --report x.xlsx"),
            (Worker::Command, "bac2 leases list"),
        ];
        let mut samples: Vec<Vec<Sample>> = workers.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for ((worker, _), samples) in workers.iter().zip(&mut samples) {
                samples.push(self.run(*worker)?);
            }
        }
        let middle = |samples: &[Sample]| median(samples.iter().map(|sample| sample.seconds).collect());
        let bare = middle(&samples[0]).context("at least one round")?;
        let mut last = 0.0;
        for ((_, name), samples) in workers.iter().zip(&samples) {
            let seconds = middle(samples).context("at least one round")?;
            let slowest = samples.iter().map(|sample| sample.seconds).fold(0.0, f64::max);
            let told = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
            let peak = samples.iter().filter_map(|sample| sample.peak).max();
            println!(
                "| {} | {} of {} | {name} | {seconds:.2} | {slowest:.2} | {} | {:.0} | {:.1} | {} |",
                self.server.name,
                self.shape.locked,
                self.shape.blobs,
                told(samples[0].requests),
                self.shape.blobs as f64 / seconds,
                seconds / bare,
                told(peak.map(|bytes| bytes >> 20)),
            );
            last = slowest;
        }
        Ok(last)
    }

    fn run(&self, worker: Worker) -> Result<Sample> {
        let before = self.requests()?;
        let (seconds, peak) = match worker {
            Worker::Bare => (bare::list(&self.tenant, self.shape)?, None),
            Worker::OneLook => self.command(&["--apart", "0s"])?,
            Worker::Workbook => {
                let file = self.dir.join("report.xlsx");
                let file = file.to_str().context("a folder's name in UTF-8")?;
                self.command(&["--apart", "0s", "--yes", "--report", file])?
            }
            Worker::Command => self.command(&[])?,
        };
        let requests = self.requests()?.zip(before).map(|(after, before)| after - before);
        Ok(Sample {
            seconds,
            requests,
            peak,
        })
    }

    /// The product's own command: seconds, and its peak of memory as far as a look every 5 ms sees it.
    fn command(&self, more: &[&str]) -> Result<(f64, Option<u64>)> {
        let (key, rows, errors) = (
            self.dir.join("key"),
            self.dir.join("rows"),
            self.dir.join("errors"),
        );
        fs::write(&key, &self.tenant.account.key)?;
        let mut command = Command::new(self.binary);
        let url = format!("http://{}/{}", self.tenant.addr, self.tenant.account.name);
        command.args(["leases", "list", "-o", "json", "--account-url", &url]);
        command.arg("--account-key-file").arg(&key).args(more);
        command
            .stdin(Stdio::null())
            .stdout(File::create(&rows)?)
            .stderr(File::create(&errors)?);
        let start = Instant::now();
        let mut process = Process::of(command.spawn().context("cannot start bac2")?);
        let mut peak = None;
        let status = loop {
            if let Some(status) = process.child().try_wait()? {
                break status;
            }
            peak = process.peak_memory().or(peak);
            thread::sleep(Duration::from_millis(5));
        };
        let seconds = start.elapsed().as_secs_f64();
        ensure!(
            status.success(),
            "bac2 leases list: {}",
            fs::read_to_string(&errors)?
        );
        self.check(&fs::read(&rows)?)?;
        Ok((seconds, peak))
    }

    /// Every locked blob stands in the rows, and who holds it.
    fn check(&self, rows: &[u8]) -> Result<()> {
        let rows: Vec<Value> = serde_json::from_slice(rows).context("rows are JSON")?;
        let held = |by: &str| rows.iter().filter(|row| row["holder"] == by).count();
        let found = (held("backup"), held("restore"));
        let made = self.shape.held();
        ensure!(
            found == made && rows.len() == self.shape.locked,
            "{} rows, {found:?} of backups and restores; made were {made:?}",
            rows.len()
        );
        Ok(())
    }

    /// Requests that the server has answered so far; only the product tells.
    fn requests(&self) -> Result<Option<u64>> {
        let Some(health) = self.health else {
            return Ok(None);
        };
        let mut text = Vec::new();
        let head = format!("GET /-/metrics HTTP/1.1\r\nHost: {health}\r\n\r\n");
        Connection::open(health, None)?.fetch(head.as_bytes(), b"", |part| text.extend_from_slice(part))?;
        let text = String::from_utf8(text).context("metrics are text")?;
        let lines = text
            .lines()
            .filter(|line| line.starts_with("bac2_requests_total{"));
        let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        Ok(Some(counts.sum()))
    }
}
