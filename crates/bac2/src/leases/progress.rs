//! How far the guard has come, on standard error where somebody watches.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use guard::event::{Event, Listener};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::console::Console;
use crate::paint::printable;
use crate::quantity::{counted, duration, size};

/// Redraws a second at most.
const REDRAWS_PER_SECOND: u8 = 10;

/// How often the time left is drawn anew.
const TICK: Duration = Duration::from_millis(500);

/// A line, or a bar while the guard waits.
pub(super) struct Watcher {
    bar: ProgressBar,
    seen: Seen,
    /// When the wait began and when it will be over at the latest.
    wait: Arc<Mutex<Option<(Instant, Instant)>>>,
}

#[derive(Default)]
struct Seen {
    containers: AtomicU64,
    done: AtomicU64,
    blobs: AtomicU64,
    locked: AtomicU64,
    examined: AtomicU64,
}

impl Watcher {
    /// Draws nothing where nobody watches.
    pub(super) fn new(console: &Console) -> Self {
        let target = match console.progress() {
            true => ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(spinner());
        Self {
            bar,
            seen: Seen::default(),
            wait: Arc::default(),
        }
    }

    /// Takes the line away, so that something can be written; the next event draws it again.
    pub(super) fn clear(&self) {
        self.bar.disable_steady_tick();
        self.bar.set_message("");
        self.bar.finish_and_clear();
        self.bar.reset();
        self.bar.set_style(spinner());
        *self.wait() = None;
    }

    fn wait(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Instant)>> {
        self.wait.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn surveying(&self) {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let seen = &self.seen;
        self.bar.set_message(format!(
            "{} of {}, {}, {} locked, {} looked into",
            of(&seen.done),
            counted(of(&seen.containers), "container"),
            counted(of(&seen.blobs), "blob"),
            of(&seen.locked),
            of(&seen.examined),
        ));
        self.bar.tick();
    }

    fn waiting(&self, longest: Duration) {
        let now = Instant::now();
        let mut wait = self.wait();
        let begun = wait.map_or(now, |(begun, _)| begun);
        let first = wait.is_none();
        *wait = Some((begun, now + longest));
        drop(wait);
        if first {
            self.bar.set_style(waiting(&self.wait));
            self.bar.enable_steady_tick(TICK);
        }
        let whole = (now + longest).duration_since(begun).as_millis();
        let done = now.duration_since(begun).as_millis();
        self.bar.set_length(u64::try_from(whole).unwrap_or(u64::MAX));
        self.bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg}").expect("the template is constant")
}

fn waiting(wait: &Arc<Mutex<Option<(Instant, Instant)>>>) -> ProgressStyle {
    let wait = Arc::clone(wait);
    ProgressStyle::with_template("{bar:30} watching, {left} left at most; Ctrl-C ends it and changes nothing")
        .expect("the template is constant")
        .with_key("left", move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let wait = wait.lock().unwrap_or_else(PoisonError::into_inner);
            let left = wait.map_or(Duration::ZERO, |(_, until)| {
                until.saturating_duration_since(Instant::now())
            });
            // Whole seconds: a figure that jumps between units is hard to read.
            let _ = out.write_str(&duration(left.as_secs().max(1) as f64));
        })
}

impl Listener for Watcher {
    fn hear(&self, event: &Event) {
        let add = |number: &AtomicU64, more: usize| {
            number.fetch_add(more as u64, Ordering::Relaxed);
        };
        match event {
            Event::Containers { found, .. } => {
                self.seen.containers.store(*found as u64, Ordering::Relaxed);
                self.surveying();
            }
            Event::Listed { blobs, locked } => {
                add(&self.seen.blobs, *blobs);
                add(&self.seen.locked, *locked);
                self.surveying();
            }
            Event::ContainerDone => {
                add(&self.seen.done, 1);
                self.surveying();
            }
            Event::Examined => {
                if self.wait().is_none() {
                    add(&self.seen.examined, 1);
                    self.surveying();
                }
            }
            Event::Waits { longest, .. } => self.waiting(*longest),
            Event::Acts(place) => {
                self.bar
                    .set_message(format!("working on {}", printable(&place.to_string())));
                self.bar.tick();
            }
            Event::Reads { at, of } => {
                self.bar
                    .set_message(format!("reading {} of {}", size(*at), size(*of)));
                self.bar.tick();
            }
        }
    }
}
