//! The limit of writes: processes that write the same blocks to files of their own on the same disk, each block
//! followed by an fdatasync. No server that makes every block durable before it answers can beat this disk by
//! more than what sharing a sync between connections gives.
//!
//! Two ways of writing a block are measured: in one call, as one would write such a program, and in calls of
//! 1 MiB, which Linux serves up to twice as fast here. The first is the limit that the bar is stated against,
//! the second is what the disk can do.
//!
//! The processes are this binary, started again. They wait for a number of blocks on stdin and answer on stdout,
//! so that starting them is outside the clock and slices can alternate with those of the other subjects.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::content::{BLOCK, Content};
use crate::child::Process;

/// Arguments of the hidden child process.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File to write.
    #[arg(long)]
    file: PathBuf,
}

/// The line that empties a writer's file; any other line is a number of blocks to append, and the bytes of one
/// call.
const EMPTY: &str = "empty";

/// One writer: does what each line of stdin says and answers with a line.
pub(crate) fn run(args: &Args) -> Result<()> {
    let content = Content::noise(0);
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&args.file)?;
    let mut next = 0usize;
    for line in std::io::stdin().lines() {
        let line = line?;
        let (blocks, piece) = if line == EMPTY {
            (0, BLOCK)
        } else {
            parse_order(&line)?
        };
        if line == EMPTY {
            file.set_len(0)?;
            file.sync_all()?;
            next = 0;
        }
        for _ in 0..blocks {
            for (index, bytes) in content.block(next).chunks(piece).enumerate() {
                file.write_all_at(bytes, (next * BLOCK + index * piece) as u64)?;
            }
            file.sync_data()?;
            next += 1;
        }
        println!("done");
    }
    Ok(())
}

fn parse_order(line: &str) -> Result<(usize, usize)> {
    let (blocks, piece) = line.split_once(' ').context("two numbers a line")?;
    Ok((blocks.parse()?, piece.parse()?))
}

/// All writers of the limit.
pub(crate) struct Writers {
    processes: Vec<Process>,
    answers: Vec<BufReader<std::process::ChildStdout>>,
}

impl Writers {
    /// Starts `count` writers with their files in `dir`.
    pub(crate) fn start(count: usize, dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let mut writers = Self {
            processes: Vec::new(),
            answers: Vec::new(),
        };
        for index in 0..count {
            let mut child = Command::new(std::env::current_exe()?)
                .arg("frontdoor-writer")
                .arg("--file")
                .arg(dir.join(format!("{index}.blocks")))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let stdout = child.stdout.take().context("stdout is piped")?;
            writers.answers.push(BufReader::new(stdout));
            writers.processes.push(Process::of(child));
        }
        // The first answer shows that all have their content ready.
        writers.empty()?;
        Ok(writers)
    }

    /// Writes `blocks` blocks, dealt out evenly, in calls of `piece` bytes, and returns the time until the last
    /// one is durable.
    pub(crate) fn write(&mut self, blocks: usize, piece: usize) -> Result<Duration> {
        let count = self.processes.len();
        let start = Instant::now();
        for (index, process) in self.processes.iter_mut().enumerate() {
            let share = blocks / count + usize::from(index < blocks % count);
            tell(process, &format!("{share} {piece}"))?;
        }
        self.wait()?;
        Ok(start.elapsed())
    }

    /// Gives the disk back what was written.
    pub(crate) fn empty(&mut self) -> Result<()> {
        for process in &mut self.processes {
            tell(process, EMPTY)?;
        }
        self.wait()
    }

    /// Processor time of all writers so far.
    pub(crate) fn cpu(&self) -> Duration {
        self.processes.iter().map(Process::cpu).sum()
    }

    fn wait(&mut self) -> Result<()> {
        for answer in &mut self.answers {
            let mut line = String::new();
            if answer.read_line(&mut line)? == 0 {
                bail!("a writer of the limit ended: is the disk full?");
            }
        }
        Ok(())
    }
}

fn tell(process: &mut Process, line: &str) -> Result<()> {
    let stdin = process.child().stdin.as_mut().context("stdin is piped")?;
    stdin
        .write_all(format!("{line}\n").as_bytes())
        .context("a writer of the limit is gone")
}

/// Lays the whole content down in one file, for the sink.
pub(crate) fn lay_down(path: &Path, content: &Content) -> Result<()> {
    let mut file = File::create(path)?;
    for index in 0..content.blocks() {
        file.write_all(content.block(index))?;
    }
    file.sync_data()?;
    Ok(())
}
