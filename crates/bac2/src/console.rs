//! Where answers and complaints go: tables or JSON to standard output, warnings and errors to standard error.
//!
//! A table is for people and may change; JSON is the contract and does not. Without `-o` the choice is made by who
//! reads: a terminal gets the table, a pipe or a file gets JSON. Colour appears only on a terminal, and never where
//! `NO_COLOR` is set (no-color.org). A reader that goes away (`| head`) ends the output, not the work.

use std::cell::Cell;
use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::paint::{json_escaped, printable};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs: stable.
    Json,
}

/// The two outputs of the process and what has been said on them.
#[derive(Debug)]
pub(crate) struct Console {
    format: Format,
    strict: bool,
    colour: bool,
    progress: bool,
    warnings: Cell<u64>,
    worst: Cell<Exit>,
}

impl Console {
    /// `format` as asked for by the user, `strict` where warnings are failures.
    pub(crate) fn new(format: Option<Format>, strict: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self {
            format: format.unwrap_or(if terminal { Format::Table } else { Format::Json }),
            strict,
            colour: terminal && !plain,
            progress: io::stderr().is_terminal(),
            warnings: Cell::new(0),
            worst: Cell::new(Exit::Done),
        }
    }

    /// How answers are written.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether standard output takes colours.
    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    /// Whether somebody watches standard error, so that progress is worth drawing.
    pub(crate) fn progress(&self) -> bool {
        self.progress
    }

    /// Writes `answer` as JSON.
    pub(crate) fn json(&self, answer: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(answer).expect("answers are plain data with text keys");
        self.text(&format!("{}\n", json_escaped(&text)))
    }

    /// Writes `text` as it is.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::output(&error)),
            _ => Ok(()),
        }
    }

    /// Says on standard error that something is not as it should be although the work goes on.
    pub(crate) fn warn(&self, sentence: impl Display) {
        self.warnings.set(self.warnings.get() + 1);
        complain(&format!("warning: {sentence}"));
    }

    /// Says on standard error what happens, for people who watch; not a warning.
    pub(crate) fn note(&self, sentence: impl Display) {
        complain(&sentence.to_string());
    }

    /// Shows something on standard error, for people who are to decide: a text that names nobody's bytes as they are, since
    /// it may be in colour.
    pub(crate) fn aside(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Says on standard error what did not work, and remembers how heavy it weighs.
    pub(crate) fn fail(&self, failure: &Failure) {
        self.ended(failure.exit());
        complain(&format!("error: {failure}"));
    }

    /// Remembers how a part of the work ended.
    pub(crate) fn ended(&self, exit: Exit) {
        self.worst.set(self.worst.get().max(exit));
    }

    /// How the command ended, all told.
    pub(crate) fn exit(&self) -> Exit {
        let warned = self.strict && self.warnings.get() > 0;
        self.worst
            .get()
            .max(if warned { Exit::Failed } else { Exit::Done })
    }
}

/// Standard error may be closed; there is nobody to tell then. A file's name may hold what a terminal would act on.
fn complain(text: &str) {
    let lines: Vec<String> = text.split('\n').map(printable).collect();
    let _ = writeln!(io::stderr().lock(), "{}", lines.join("\n"));
}
