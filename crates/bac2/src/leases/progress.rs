//! How far the guard has come, on standard error where somebody watches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// Work that is done sooner needs no line; one that flashes up only disturbs.
const PATIENCE: Duration = Duration::from_millis(400);

/// A line, or a bar while the guard waits.
pub(super) struct Watcher {
    watched: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    line: Option<Line>,
    containers: u64,
    done: u64,
    blobs: u64,
    locked: u64,
    examined: u64,
}

/// What is drawn at this moment.
struct Line {
    begun: Instant,
    bar: ProgressBar,
    /// While the guard waits: when that will be over at the latest.
    until: Option<Arc<Mutex<Instant>>>,
}

impl Watcher {
    /// Draws nothing where nobody watches.
    pub(super) fn new(console: &Console) -> Self {
        Self {
            watched: console.progress(),
            state: Mutex::default(),
        }
    }

    /// Takes the line away, so that something can be written; the next event draws it again.
    pub(super) fn clear(&self) {
        if let Some(line) = self.state().line.take() {
            line.bar.finish_and_clear();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn line(&mut self) -> &mut Line {
        self.line.get_or_insert_with(|| Line {
            begun: Instant::now(),
            bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_style(
                ProgressStyle::with_template("{spinner} {msg}").expect("the template is constant"),
            ),
            until: None,
        })
    }

    fn survey(&mut self) {
        let text = format!(
            "{} of {}, {}, {} locked, {} looked into",
            self.done,
            counted(self.containers, "container"),
            counted(self.blobs, "blob"),
            self.locked,
            // Each is looked at more than once.
            self.examined.min(self.locked),
        );
        self.line().say(text);
    }

    fn wait(&mut self, longest: Duration) {
        let line = self.line();
        let now = Instant::now();
        if let Some(until) = &line.until {
            *locked(until) = now + longest;
        } else {
            let until = Arc::new(Mutex::new(now + longest));
            line.begun = now;
            line.bar.set_style(waiting(&until));
            line.bar.set_draw_target(target());
            line.bar.enable_steady_tick(TICK);
            line.until = Some(until);
        }
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let gone = now.duration_since(line.begun);
        line.bar.set_length(millis(gone + longest));
        line.bar.set_position(millis(gone));
    }
}

impl Line {
    fn say(&self, text: String) {
        self.bar.set_message(text);
        if self.bar.is_hidden() && self.begun.elapsed() >= PATIENCE {
            self.bar.set_draw_target(target());
        }
        self.bar.tick();
    }
}

fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND)
}

fn waiting(until: &Arc<Mutex<Instant>>) -> ProgressStyle {
    let until = Arc::clone(until);
    ProgressStyle::with_template("{bar:30} watching, {left} left at most; Ctrl-C ends it and changes nothing")
        .expect("the template is constant")
        .with_key("left", move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let left = locked(&until).saturating_duration_since(Instant::now());
            // Whole seconds: a figure that jumps between units is hard to read.
            let _ = out.write_str(&duration(left.as_secs().max(1) as f64));
        })
}

impl Listener for Watcher {
    fn hear(&self, event: &Event) {
        if !self.watched {
            return;
        }
        let mut state = self.state();
        let waits = state.line.as_ref().is_some_and(|line| line.until.is_some());
        match event {
            Event::Containers { found, .. } => state.containers = *found as u64,
            Event::Listed { blobs, locked } => {
                state.blobs += *blobs as u64;
                state.locked += *locked as u64;
            }
            Event::ContainerDone => state.done += 1,
            // The looks in between are no news.
            Event::Examined if waits => return,
            Event::Examined => state.examined += 1,
            Event::Waits { longest, .. } => return state.wait(*longest),
            Event::Acts(place) => {
                let text = format!("working on {}", printable(&place.to_string()));
                return state.line().say(text);
            }
            Event::Reads { at, of } => {
                let text = format!("reading {} of {}", size(*at), size(*of));
                return state.line().say(text);
            }
        }
        state.survey();
    }
}
