//! Reading many backups at once: their headers, or with `--verify` every byte.
//!
//! A few threads take the files one after another; the answers come back in the order of the question, whoever was first. Headers
//! wait for the disk, so there are more threads than cores; bytes wait for the processor, so there are as many as cores.
//! Deliberately absent: a judgement of what was read.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bak::Report;

use crate::console::Console;
use crate::failure::Failure;
use crate::input::Input;
use crate::inspect::{not_a_backup, read_headers};
use crate::progress::Progress;
use crate::verify::verify;

/// Threads that read headers. A header is two or three small reads; eight of them in flight keep any disk or share busy.
const HEADER_THREADS: usize = 8;

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// The headers; pages and log are sought over.
    Headers,
    /// Every byte.
    Everything,
}

/// What became of one file.
pub(super) type Outcome = Result<Report, Failure>;

/// Reads `inputs`; the outcomes are in their order.
pub(super) fn read(inputs: &[Input], depth: Depth, console: &Console) -> Vec<Outcome> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (threads, progress) = match depth {
        Depth::Headers => (HEADER_THREADS, Progress::files(console, inputs.len() as u64)),
        Depth::Everything => (
            cores,
            Progress::bytes(console, inputs.iter().map(Input::size).sum()),
        ),
    };
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::with_capacity(inputs.len()));
    thread::scope(|scope| {
        for _ in 0..threads.min(inputs.len()) {
            scope.spawn(|| {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(input) = inputs.get(at)
                {
                    let outcome = one(input, depth, &progress);
                    outcomes
                        .lock()
                        .expect("no thread panics while it holds the lock")
                        .push((at, outcome));
                }
            });
        }
    });
    progress.clear();
    let mut outcomes = outcomes
        .into_inner()
        .expect("no thread panics while it holds the lock");
    outcomes.sort_by_key(|(at, _)| *at);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn one(input: &Input, depth: Depth, progress: &Progress) -> Outcome {
    match depth {
        Depth::Everything => {
            progress.at(&input.name());
            verify(input, progress).map(|(report, _)| report)
        }
        Depth::Headers => {
            let mut opened = input.open()?;
            let report = read_headers(&mut opened).map_err(|error| input.failed(&error))?;
            progress.add(1);
            match report.foreign() {
                Some(foreign) => Err(not_a_backup(&input.name(), foreign)),
                None => Ok(report),
            }
        }
    }
}
