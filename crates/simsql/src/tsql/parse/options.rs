//! WITH: options with and without values, each once, none against another.

use super::cursor::Cursor;
use crate::message::Failure;

/// The options that were read, to find those given twice and those that contradict each other.
pub(super) struct Seen {
    names: Vec<String>,
    groups: &'static [&'static [&'static str]],
}

impl Seen {
    /// `groups` are options of which a statement takes at most one.
    pub(super) fn new(groups: &'static [&'static [&'static str]]) -> Self {
        Self {
            names: Vec::new(),
            groups,
        }
    }

    /// Notes the option `name`, in upper case.
    ///
    /// # Errors
    /// 1039 where it was given before, 3031 where it contradicts another one.
    pub(super) fn note(&mut self, cursor: &Cursor, name: &str) -> Result<(), Failure> {
        if self.names.iter().any(|seen| seen == name) {
            return Err(cursor.failure(1039, &[&name.to_lowercase()]));
        }
        for group in self.groups.iter().filter(|group| group.contains(&name)) {
            if let Some(other) = self.names.iter().find(|seen| group.contains(&seen.as_str())) {
                return Err(cursor.failure(3031, &[&name.to_lowercase(), &other.to_lowercase()]));
            }
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Those of `names` that were given, in lower case, as 3032 lists them.
    pub(super) fn among(&self, names: &[&str]) -> Vec<String> {
        self.names
            .iter()
            .filter(|seen| names.contains(&seen.as_str()))
            .map(|seen| seen.to_lowercase())
            .collect()
    }

    /// Those given that are in neither list, in lower case.
    pub(super) fn except(&self, known: &[&str], more: &[&str]) -> Vec<String> {
        self.names
            .iter()
            .filter(|seen| !known.contains(&seen.as_str()) && !more.contains(&seen.as_str()))
            .map(|seen| seen.to_lowercase())
            .collect()
    }
}

/// `= number`.
pub(super) fn equal_number(cursor: &mut Cursor) -> Result<u64, Failure> {
    cursor.expect_symbol("=")?;
    cursor.number()
}

/// STATS, with its number where it has one; 10 else.
pub(super) fn stats(cursor: &mut Cursor) -> Result<u8, Failure> {
    if !cursor.eat_symbol("=") {
        return Ok(10);
    }
    let percent = cursor.number()?;
    u8::try_from(percent)
        .ok()
        .filter(|percent| (1..=100).contains(percent))
        .ok_or_else(|| cursor.failure(3217, &[&"stats"]))
}
