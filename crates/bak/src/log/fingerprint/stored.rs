//! A fingerprint in JSON: a number and two texts of hexadecimal numbers, because readers of JSON lose digits of large ones.
//!
//! ```text
//! {"shift": 1, "runs": "1900000036-1900000084", "windows": "190000001b:9c5d6a2f... 190000001f:..."}
//! ```
//!
//! What is read back is checked against every invariant: it may come from a store that somebody else wrote to.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{LogFingerprint, RUNS_MAX, Run, SHIFT_MAX, Window};

/// The form in JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    shift: u8,
    runs: String,
    windows: String,
}

/// What a text is not.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no part of a log fingerprint")]
pub(super) struct StoredError(String);

impl From<LogFingerprint> for Stored {
    fn from(fingerprint: LogFingerprint) -> Self {
        let runs = fingerprint.runs.iter().map(|run| (run.from, run.to));
        let windows = fingerprint
            .windows
            .iter()
            .map(|window| (window.index, window.digest));
        Self {
            shift: fingerprint.shift,
            runs: pairs(runs, '-'),
            windows: pairs(windows, ':'),
        }
    }
}

impl TryFrom<Stored> for LogFingerprint {
    type Error = StoredError;

    fn try_from(stored: Stored) -> Result<Self, StoredError> {
        let refused = |text: &dyn ToString| StoredError(text.to_string());
        if stored.shift > SHIFT_MAX {
            return Err(refused(&stored.shift));
        }
        let mut runs = Vec::new();
        for (from, to) in parse(&stored.runs, '-', RUNS_MAX)? {
            let is_behind = runs.last().is_none_or(|last: &Run| last.to <= from);
            if from >= to || !is_behind {
                return Err(refused(&stored.runs));
            }
            runs.push(Run { from, to });
        }
        let mut windows = Vec::new();
        for (index, digest) in parse(&stored.windows, ':', Self::WINDOWS_MAX)? {
            let is_behind = windows.last().is_none_or(|last: &Window| last.index < index);
            if index > u64::MAX >> stored.shift || !is_behind {
                return Err(refused(&stored.windows));
            }
            windows.push(Window { index, digest });
        }
        Ok(Self {
            shift: stored.shift,
            runs,
            windows,
        })
    }
}

fn pairs(numbers: impl Iterator<Item = (u64, u64)>, between: char) -> String {
    let mut text = String::new();
    for (first, second) in numbers {
        let space = if text.is_empty() { "" } else { " " };
        write!(text, "{space}{first:x}{between}{second:x}").expect("a text takes more text");
    }
    text
}

fn parse(text: &str, between: char, max: usize) -> Result<Vec<(u64, u64)>, StoredError> {
    let number = |digits: &str| {
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u64::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    };
    let mut pairs = Vec::new();
    for pair in text.split_ascii_whitespace() {
        let numbers = pair.split_once(between).and_then(|(first, second)| {
            let numbers = (number(first)?, number(second)?);
            (pairs.len() < max).then_some(numbers)
        });
        pairs.push(numbers.ok_or_else(|| StoredError(pair.chars().take(40).collect()))?);
    }
    Ok(pairs)
}
