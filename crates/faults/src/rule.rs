//! When a message of SQL Server stands for a code.

use serde::Deserialize;

use crate::operation::Operation;
use crate::said::Said;

/// One rule: all that is given must hold. What is a list holds when one of it does.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// In these operations.
    #[serde(rename = "in")]
    pub operations: Vec<Operation>,
    /// With one of these numbers; none: with any, and then [`text`](Self::text) is given.
    #[serde(default)]
    pub messages: Vec<i32>,
    /// With one of these errors of the operating system named in the text.
    #[serde(default)]
    pub os: Vec<u32>,
    /// With one of these in the text, whatever the case.
    #[serde(default)]
    pub text: Vec<String>,
    /// The message only follows from another one: it decides where no other does.
    #[serde(default)]
    pub weak: bool,
}

/// How much a rule asks for: of several that hold, the one with most decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// A message that only follows from others.
    Weak,
    /// A number, or words in whatever message.
    Plain,
    /// A number together with words or an error of the operating system.
    Specific,
    /// A number with both.
    MostSpecific,
}

impl Rule {
    /// How much it asks for.
    pub fn strength(&self) -> Strength {
        let asked = [
            !self.messages.is_empty(),
            !self.os.is_empty(),
            !self.text.is_empty(),
        ];
        match asked.into_iter().filter(|asked| *asked).count() {
            _ if self.weak => Strength::Weak,
            0 | 1 => Strength::Plain,
            2 => Strength::Specific,
            _ => Strength::MostSpecific,
        }
    }

    /// Whether it holds.
    pub fn holds(&self, operation: Operation, said: &Said) -> bool {
        self.operations.contains(&operation)
            && (self.messages.is_empty() || self.messages.contains(&said.number()))
            && (self.os.is_empty() || system_errors(said.text()).any(|error| self.os.contains(&error)))
            && (self.text.is_empty() || self.text.iter().any(|words| contains(said.text(), words)))
    }
}

/// Whether `words`, in lower case, are in `text`, whatever its case.
fn contains(text: &str, words: &str) -> bool {
    text.to_lowercase().contains(words)
}

/// The errors of the operating system that a text names: a number after one of the ways in which SQL Server announces
/// one (`Operating system error 5(`, `failed: 112(`, `the error '32(`, `OS error: 53`).
pub fn system_errors(text: &str) -> impl Iterator<Item = u32> {
    const AHEAD: [&str; 2] = ["error", "failed"];
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    for word in AHEAD {
        for (at, _) in lower.match_indices(word) {
            let rest = &lower[at + word.len()..];
            let rest = rest.strip_prefix(" code").unwrap_or(rest);
            let rest = rest.strip_prefix(':').unwrap_or(rest);
            let rest = rest.trim_start_matches([' ', '\'', '"', '=']);
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if let Ok(number) = rest[..digits].parse() {
                found.push(number);
            }
        }
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::system_errors;

    #[test]
    fn the_error_of_the_operating_system_is_found_in_each_shape_of_text() {
        for (text, error) in [
            (
                r"Cannot open backup device 'Z:\a.bak'. Operating system error 3(The system cannot find the path specified.).",
                Some(3),
            ),
            (
                r#"Write on "E:\a.bak" failed: 112(There is not enough space on the disk.)"#,
                Some(112),
            ),
            (
                "The operating system returned the error '32(The process cannot access the file)' while attempting 'X' on 'y'.",
                Some(32),
            ),
            (
                "CREATE FILE encountered operating system error 5(Access is denied.) while attempting to open it.",
                Some(5),
            ),
            (
                "The remote server returned an error: (412) There is a lease.",
                None,
            ),
            ("Something failed", None),
            ("error 99999999999999(too large)", None),
        ] {
            assert_eq!(system_errors(text).next(), error, "{text}");
        }
    }
}
