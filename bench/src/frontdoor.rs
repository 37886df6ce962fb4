//! `bench frontdoor`: blocks in and ranges out, beside Azurite and beside what the machine can do at all.
//!
//! In every round each subject writes its share in slices that alternate with those of the others, so that all
//! meet the same disk. Limits: for writes, processes that write the same blocks to files with an fdatasync each;
//! for reads, a bare server that serves the same bytes from page cache. A subject that is not installed is named
//! and left out. With `--https` all servers are spoken to over TLS. What is deliberately absent: any switch that would make
//! the product less durable.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use content::{BLOCK, Content};
use report::Phase;
use secured::Certificate;
use subject::Server;
use tally::Sample;
use writers::Writers;

use crate::child::own_cpu;
use crate::make_backup::make_backup;
use crate::programs;

pub(crate) mod connection;
mod content;
mod load;
mod proof;
mod report;
mod secured;
pub(crate) mod signed;
pub(crate) mod sink;
pub(crate) mod subject;
mod tally;
pub(crate) mod writers;

/// Writes and ranged reads of the front door, beside Azurite and the limits of the machine
#[derive(clap::Args)]
pub(crate) struct Args {
    /// GiB written and read by each subject in each round
    #[arg(long, default_value_t = 2.0)]
    gib: f64,
    /// Connections of the client, and processes of the limit
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Rounds; medians over them are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Blobs that share the blocks, as a backup to several URLs does
    #[arg(long, default_value_t = 1)]
    stripes: usize,
    /// What is stored
    #[arg(long, value_enum, default_value_t = Kind::Noise)]
    content: Kind,
    /// Slices of a round in which the subjects alternate
    #[arg(long, default_value_t = 4)]
    slices: usize,
    /// MiB of each round that are also read in ranges of 64 KiB
    #[arg(long, default_value_t = 256)]
    small_mib: usize,
    /// Over TLS: the product with its own authority, the others with a certificate of the same kind
    #[arg(long)]
    https: bool,
    /// Folder for everything written, removed afterwards [default: where this binary lies]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The product [default: bac2 beside this binary]
    #[arg(long, env = "BAC2_BIN")]
    bac2: Option<PathBuf>,
    /// The peer [default: .tools/azurite/node_modules/.bin/azurite-blob, which conformance/run installs]
    #[arg(long, env = "AZURITE_BIN")]
    azurite: Option<PathBuf>,
}

/// What the blocks hold.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Noise: storage alone
    Noise,
    /// A backup from the project's own writer: storage, and proof in flight
    Backup,
}

/// Bytes of the small ranges: what SQL Server reads when it looks at a header.
const SMALL: usize = 64 << 10;

/// The limits of writes: what the report calls them, and the bytes that one call of theirs writes.
const LIMITS: [(&str, usize); 2] = [("limit", BLOCK), ("limit, 1 MiB a call", 1 << 20)];

/// Runs the bench and prints its report.
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(
        args.stripes == 1 || args.content == Kind::Noise,
        "the made backup is one file: --stripes goes with noise"
    );
    ensure!(args.stripes > 0, "--stripes is at least 1");
    let dir = programs::scratch(args.dir.as_deref())?;
    let blocks = ((args.gib * f64::from(1u32 << 30) / BLOCK as f64).round() as usize).max(args.connections);
    let content = match args.content {
        Kind::Noise => Content::noise(blocks),
        Kind::Backup => {
            let file = dir.path().join("made.bak");
            make_backup(&file, (blocks * BLOCK) as u64)?;
            Content::file(&file)?
        }
    };

    let secured = args.https.then(|| Certificate::make(dir.path())).transpose()?;
    let mut servers = Vec::new();
    match programs::product(args.bac2.as_deref())? {
        Some(binary) => servers.push(subject::product(&binary, dir.path(), args.https)?),
        None => println!("left out: bac2 (no release build beside this binary: cargo build --release)"),
    }
    match programs::azurite(args.azurite.as_deref())? {
        Some(binary) => servers.push(subject::azurite(&binary, dir.path(), secured.as_ref())?),
        None => println!("left out: Azurite (not installed: conformance/run does it, or set AZURITE_BIN)"),
    }
    for server in &mut servers {
        server.target.stripes(args.stripes);
        server.target.create_container().with_context(|| server.name)?;
    }
    let file = dir.path().join("sink.blocks");
    writers::lay_down(&file, &content)?;
    let sink = subject::sink(&file, dir.path(), secured.as_ref())?;
    let writers = Writers::start(args.connections, &dir.path().join("limit"))?;

    // Other work on the machine takes from all subjects, but not from all alike.
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "load average before: {}",
        load.split(' ').next().unwrap_or("unknown")
    );

    let mut bench = Bench {
        args,
        content,
        servers,
        sink,
        sink_file: file,
        writers,
        report: report::Report::default(),
    };
    for round in 1..=args.rounds {
        eprintln!("round {round} of {}", args.rounds);
        bench.round(round)?;
    }
    bench.finish();
    Ok(())
}

/// Everything that runs.
struct Bench<'a> {
    args: &'a Args,
    content: Content,
    servers: Vec<Server>,
    sink: Server,
    sink_file: PathBuf,
    writers: Writers,
    report: report::Report,
}

impl Bench<'_> {
    fn round(&mut self, round: usize) -> Result<()> {
        for server in self.servers.iter_mut().chain([&mut self.sink]) {
            server.target.choose_blob(round);
        }
        self.writes(round)?;
        self.writers.empty()?;
        // The limit of reads is page cache; what was pushed out of it since the last round comes back here.
        std::io::copy(&mut File::open(&self.sink_file)?, &mut std::io::sink())?;
        let whole = self.content.whole_blocks();
        self.reads(Phase::Large, BLOCK, whole, round)?;
        let small = (self.args.small_mib << 20) / BLOCK;
        self.reads(Phase::Small, SMALL, small.clamp(1, whole), round)?;
        for server in &self.servers {
            server
                .target
                .delete(self.content.blocks())
                .with_context(|| server.name)?;
        }
        Ok(())
    }

    /// The first subjects are the limits, the others are the servers; who goes first changes with every slice.
    fn writes(&mut self, round: usize) -> Result<()> {
        let subjects = LIMITS.len() + self.servers.len();
        let mut sums = vec![Sample::default(); subjects];
        for slice in 0..self.args.slices {
            let range = self.slice(self.content.blocks(), slice);
            for turn in 0..subjects {
                let subject = (turn + slice + round) % subjects;
                let sample = if let Some((_, piece)) = LIMITS.get(subject) {
                    self.limit(range.len(), *piece)?
                } else {
                    let server = &self.servers[subject - LIMITS.len()];
                    measure(server, range.len() * BLOCK, || {
                        server
                            .target
                            .put_blocks(&self.content, range.clone(), self.args.connections)
                    })?
                };
                sums[subject].add(&sample);
            }
        }
        let (limits, sums) = sums.split_at_mut(LIMITS.len());
        for ((name, _), sum) in LIMITS.iter().zip(limits) {
            self.report.push(Phase::Write, name, *sum);
        }
        for (server, sum) in self.servers.iter().zip(sums) {
            sum.add(&measure(server, 0, || {
                server.target.commit(self.content.blocks())
            })?);
            self.report.push(Phase::Write, server.name, *sum);
            if let (Kind::Backup, Some(prover)) = (self.args.content, &server.prover) {
                self.report.proofs.push(prover.wait()?);
            }
        }
        Ok(())
    }

    fn limit(&mut self, blocks: usize, piece: usize) -> Result<Sample> {
        let before = self.writers.cpu();
        let wall = self.writers.write(blocks, piece)?;
        let client = self.writers.cpu().saturating_sub(before);
        Ok(Sample {
            bytes: (blocks * BLOCK) as u64,
            wall,
            client,
            ..Sample::default()
        })
    }

    fn reads(&mut self, phase: Phase, piece: usize, blocks: usize, round: usize) -> Result<()> {
        let subjects: Vec<&Server> = [&self.sink].into_iter().chain(&self.servers).collect();
        let mut sums = vec![Sample::default(); subjects.len()];
        for slice in 0..self.args.slices {
            let range = self.slice(blocks, slice);
            for turn in 0..subjects.len() {
                let index = (turn + slice + round) % subjects.len();
                let server = subjects[index];
                let sample = measure(server, range.len() * BLOCK, || {
                    server
                        .target
                        .read(&self.content, range.clone(), piece, self.args.connections)
                })?;
                sums[index].add(&sample);
            }
        }
        for (server, sum) in subjects.iter().zip(&sums) {
            self.report.push(phase, server.name, *sum);
        }
        Ok(())
    }

    /// The blocks of one slice.
    fn slice(&self, blocks: usize, slice: usize) -> std::ops::Range<usize> {
        blocks * slice / self.args.slices..blocks * (slice + 1) / self.args.slices
    }

    fn finish(self) {
        println!(
            "{}, {} blocks of 4 MiB, {} stripes, {} connections, {} rounds of {} slices; MB = 10^6 bytes\n",
            if self.args.https { "https" } else { "http" },
            self.content.blocks(),
            self.args.stripes,
            self.args.connections,
            self.args.rounds,
            self.args.slices
        );
        let costs = self
            .servers
            .iter()
            .chain([&self.sink])
            .map(|server| report::Cost {
                name: server.name,
                peak_memory: server.process.peak_memory(),
            });
        print!("{}", self.report.render(&costs.collect::<Vec<_>>()));
    }
}

/// Runs one piece of load and notes what both sides spent on it.
fn measure(
    server: &Server,
    bytes: usize,
    load: impl FnOnce() -> Result<std::time::Duration>,
) -> Result<Sample> {
    let (client, cpu, disk_reads) = (own_cpu(), server.process.cpu(), server.process.disk_reads());
    let wall = load().with_context(|| server.name)?;
    Ok(Sample {
        bytes: bytes as u64,
        wall,
        client: own_cpu().saturating_sub(client),
        server: server.process.cpu().saturating_sub(cpu),
        disk_reads: server.process.disk_reads() - disk_reads,
    })
}
