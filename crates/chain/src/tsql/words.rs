//! Names, strings and comments as T-SQL has them, for any text that anybody may have chosen.
//!
//! What runs a script is more than SQL Server. `sqlcmd` and Management Studio cut it at a line that is only GO, and `sqlcmd` runs
//! lines that begin with `:` or `!!` and replaces `$(name)`, all that without regard to quotes and comments. So no line break and no
//! other control character of a foreign text is ever written as such, nor a `$(`: a name or string that holds one is put together in a
//! variable (`N'a' + NCHAR(10) + N'GO'`), and in comments such a character is spelt out. Every line of a script then begins with words
//! of our own, and is never GO. RESTORE takes variables for the database, devices, files and marks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// So many characters of a foreign text a comment shows.
const SHOWN_MAX: usize = 300;

/// Quotes what a script names, and keeps the variables that this takes.
#[derive(Debug, Default)]
pub(super) struct Words {
    variables: BTreeMap<String, usize>,
    declarations: String,
}

impl Words {
    /// An identifier.
    pub(super) fn name(&mut self, name: &str) -> String {
        if can_be_written(name) {
            format!("[{}]", name.replace(']', "]]"))
        } else {
            self.variable(name)
        }
    }

    /// A Unicode string.
    pub(super) fn string(&mut self, text: &str) -> String {
        if can_be_written(text) {
            quoted(text)
        } else {
            self.variable(text)
        }
    }

    /// The DECLARE statements of the variables in use, one per line.
    pub(super) fn declarations(&self) -> &str {
        &self.declarations
    }

    fn variable(&mut self, text: &str) -> String {
        let next = self.variables.len() + 1;
        let number = *self.variables.entry(text.to_owned()).or_insert(next);
        let variable = format!("@text{number}");
        if number == next {
            // Longer texts were refused before.
            writeln!(
                self.declarations,
                "DECLARE {variable} nvarchar(4000) = {};",
                put_together(text)
            )
            .expect("a string grows");
        }
        variable
    }
}

/// `N'...'`
fn quoted(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

/// Whether `text` can stand between quotes without meaning anything to the tools that run scripts.
pub(super) fn can_be_written(text: &str) -> bool {
    !text.contains(ends_a_line) && !text.contains("$(")
}

/// Control characters (line breaks among them) and the two line breaks that are none.
fn ends_a_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// An expression whose value is `text`. All that is taken out of it is in the basic plane, so that NCHAR yields it on any server.
fn put_together(text: &str) -> String {
    let mut parts = Vec::new();
    let mut plain = String::new();
    for c in text.chars() {
        let is_apart = ends_a_line(c);
        if (is_apart || (c == '(' && plain.ends_with('$'))) && !plain.is_empty() {
            parts.push(quoted(&plain));
            plain.clear();
        }
        if is_apart {
            parts.push(format!("NCHAR({})", u32::from(c)));
        } else {
            plain.push(c);
        }
    }
    if !plain.is_empty() {
        parts.push(quoted(&plain));
    }
    parts.join(" + ")
}

/// Foreign text for a comment: on one line, opening and closing no comment, with nothing in it that a tool would act on or that would
/// make it look like something else.
pub(super) fn remark(text: &str) -> String {
    let mut shown = String::new();
    let mut last = ' ';
    for c in text.chars().take(SHOWN_MAX) {
        if ends_a_line(c) || is_invisible(c) {
            write!(shown, "\\u{{{:x}}}", u32::from(c)).expect("a string grows");
        } else {
            if matches!((last, c), ('*', '/') | ('/', '*') | ('$', '(')) {
                shown.push(' ');
            }
            shown.push(c);
        }
        last = c;
    }
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Marks that change the direction of what follows, or show nothing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
