//! A progress bar on standard error, where somebody watches; nothing in a pipe.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console::Console;

/// Redraws a second at most: often enough to look alive, too rare to cost anything.
const REDRAWS_PER_SECOND: u8 = 10;

/// Work that is done sooner needs no bar; one that flashes up only disturbs.
const PATIENCE: Duration = Duration::from_millis(400);

/// How far a command has got, in bytes or in files.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    /// When to begin to draw; never where nobody watches.
    show_at: Option<Instant>,
    shown: AtomicBool,
}

impl Progress {
    /// A bar for `total` bytes, or a counter where the total is not known.
    pub(crate) fn bytes(console: &Console, total: Option<u64>) -> Self {
        let (length, template) = match total {
            Some(_) => (
                total,
                "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} {msg}",
            ),
            None => (None, "{spinner} {binary_bytes} {binary_bytes_per_sec} {msg}"),
        };
        Self::drawn(console, length, template)
    }

    /// A bar for so many files, of which each counts the same.
    pub(crate) fn files(console: &Console, total: u64) -> Self {
        Self::drawn(console, Some(total), "{bar:30} {pos}/{len} files {per_sec} {eta}")
    }

    fn drawn(console: &Console, length: Option<u64>, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
        bar.set_style(ProgressStyle::with_template(template).expect("the template is constant"));
        let show_at = console.progress().then(|| Instant::now() + PATIENCE);
        Self {
            bar,
            show_at,
            shown: AtomicBool::new(false),
        }
    }

    /// Shows what is being worked on.
    pub(crate) fn at(&self, name: &str) {
        self.bar.set_message(name.to_owned());
    }

    /// So many more bytes, or files, are done.
    pub(crate) fn add(&self, done: u64) {
        let due = self.show_at.is_some_and(|show_at| Instant::now() >= show_at);
        if due && !self.shown.swap(true, Ordering::Relaxed) {
            self.bar
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND));
        }
        self.bar.inc(done);
    }

    /// Writes something to standard error without breaking the bar.
    pub(crate) fn aside(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
