//! One message of SQL Server, or of the client library in its place, as the vault keeps it: scrubbed and bounded.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::scrub::scrub;

/// A text is cut after this many characters: a message of SQL Server has at most 2,047 (RAISERROR, THROW), and a
/// longer one is the client library's.
pub const TEXT_MAX: usize = 2_048;

/// Messages of this class (severity) or below are information (Database Engine error severities).
pub const CLASS_INFORMATION: u8 = 10;

/// A message. Its text holds no secret and no control character, and is at most [`TEXT_MAX`] characters long.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Raw")]
pub struct Said {
    number: i32,
    state: u8,
    class: u8,
    line: u32,
    text: String,
}

/// As it comes in.
#[derive(Deserialize)]
struct Raw {
    number: i32,
    state: u8,
    class: u8,
    line: u32,
    text: String,
}

impl From<Raw> for Said {
    fn from(raw: Raw) -> Self {
        Self::new(raw.number, raw.state, raw.class, raw.line, &raw.text)
    }
}

impl Said {
    /// A message as it came in the stream: its number, state, class (severity), line in the batch, and text.
    pub fn new(number: i32, state: u8, class: u8, line: u32, text: &str) -> Self {
        Self {
            number,
            state,
            class,
            line,
            text: bounded(text, TEXT_MAX),
        }
    }

    /// What the client library says in SQL Server's place: with number 0, as an error that ended the session (class 20).
    pub fn client(text: &str) -> Self {
        Self::new(0, 0, 20, 0, text)
    }

    /// Number; 0 where SQL Server did not get to speak.
    pub fn number(&self) -> i32 {
        self.number
    }

    /// State.
    pub fn state(&self) -> u8 {
        self.state
    }

    /// Class, also called severity or level.
    pub fn class(&self) -> u8 {
        self.class
    }

    /// Line in the batch, from 1; 0 where there is none.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Text, scrubbed and cut.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// It is an error, no information.
    pub fn is_error(&self) -> bool {
        self.class > CLASS_INFORMATION
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.number == 0 {
            return f.write_str(&self.text);
        }
        write!(f, "message {}: {}", self.number, self.text)
    }
}

/// `text` without secrets and control characters, at most `limit` characters of it; a cut shows as `...`.
pub(crate) fn bounded(text: &str, limit: usize) -> String {
    // Before the cut, so that no half of a secret is left that is not known as one any more; after it, so that what was
    // read from a record is bounded to itself. What lies far beyond the limit costs nothing.
    let ahead: String = text.chars().take(limit.saturating_mul(4)).collect();
    let printable: String = scrub(&ahead)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let clean = scrub(printable.trim());
    if clean.chars().count() <= limit {
        return clean;
    }
    let kept: String = clean.chars().take(limit.saturating_sub(3)).collect();
    scrub(&format!("{kept}..."))
}
