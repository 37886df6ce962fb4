//! A progress bar on standard error, where somebody watches; nothing in a pipe.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console::Console;

/// Redraws a second at most: often enough to look alive, too rare to cost anything.
const REDRAWS_PER_SECOND: u8 = 10;

/// How far a command has got, in bytes.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar for `total` bytes, or a counter where the total is not known.
    pub(crate) fn bytes(console: &Console, total: Option<u64>) -> Self {
        if !console.progress() {
            return Self {
                bar: ProgressBar::hidden(),
            };
        }
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} {msg}",
            ),
            None => (
                ProgressBar::no_length(),
                "{spinner} {binary_bytes} {binary_bytes_per_sec} {msg}",
            ),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND));
        bar.set_style(ProgressStyle::with_template(template).expect("the template is constant"));
        Self { bar }
    }

    /// Shows what is being worked on.
    pub(crate) fn at(&self, name: &str) {
        self.bar.set_message(name.to_owned());
    }

    /// `bytes` more are done.
    pub(crate) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
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
