//! The voice of the demo: chapters and lines on standard output for people, silence for programs.

use std::time::Instant;

use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::paint::{Tone, paint, printable};
use crate::quantity::duration;

/// Columns that the name of a fact takes.
const NAME_WIDTH: usize = 10;

/// Tells the story as it happens.
pub(super) struct Narrator<'a> {
    console: &'a Console,
}

impl<'a> Narrator<'a> {
    pub(super) fn new(console: &'a Console) -> Self {
        Self { console }
    }

    /// A new part of the story.
    pub(super) fn chapter(&self, title: &str) -> Result<(), Failure> {
        self.say(&format!("\n{}\n", paint(self.console, Tone::Strong, title)))
    }

    /// A fact with its name, aligned with the others.
    pub(super) fn fact(&self, name: &str, text: &str) -> Result<(), Failure> {
        let name = paint(self.console, Tone::Faint, &format!("{name:<NAME_WIDTH$}"));
        self.say(&format!("  {name} {}\n", printable(text)))
    }

    /// A fact whose text carries a judgement.
    pub(super) fn judged(&self, name: &str, tone: Tone, text: &str) -> Result<(), Failure> {
        let name = paint(self.console, Tone::Faint, &format!("{name:<NAME_WIDTH$}"));
        self.say(&format!("  {name} {}\n", paint(self.console, tone, text)))
    }

    /// How long a part took that began then.
    pub(super) fn took(&self, began: Instant) -> Result<(), Failure> {
        let took = format!("took {}", duration(began.elapsed().as_secs_f64()));
        let line = paint(self.console, Tone::Faint, &took);
        self.say(&format!("  {:<NAME_WIDTH$} {line}\n", ""))
    }

    /// A text as it is: a table that names nobody's bytes.
    pub(super) fn table(&self, text: &str) -> Result<(), Failure> {
        self.say(text)
    }

    /// One line of the end: what was promised, and whether it held.
    pub(super) fn promise(&self, held: bool, text: &str) -> Result<(), Failure> {
        let mark = if held {
            paint(self.console, Tone::Good, "held  ")
        } else {
            paint(self.console, Tone::Bad, "BROKEN")
        };
        self.say(&format!("  {mark}  {}\n", printable(text)))
    }

    fn say(&self, text: &str) -> Result<(), Failure> {
        match self.console.format() {
            Format::Table => self.console.text(text),
            Format::Json => Ok(()),
        }
    }
}
