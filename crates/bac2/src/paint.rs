//! Text on a terminal: colour where it is wanted, and nothing that a file could smuggle in.
//!
//! Names inside a backup are other people's bytes. A control character in one could move the cursor or recolour the
//! terminal, so tables show a replacement for each, and JSON escapes them.

use bak::Verdict;
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Table,
    TableStyle, Width,
};

use crate::console::Console;

/// What a word means to the reader, and so its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// All is well.
    Good,
    /// Needs a look.
    Doubtful,
    /// Needs action.
    Bad,
    /// Stands out without a judgement.
    Strong,
    /// Of lesser interest.
    Faint,
}

impl Tone {
    /// How a verdict feels.
    pub(crate) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Ok => Self::Good,
            Verdict::Incomplete | Verdict::CannotVerify => Self::Doubtful,
            Verdict::Damaged | Verdict::Truncated => Self::Bad,
        }
    }

    /// The ANSI "select graphic rendition" numbers.
    fn ansi(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Doubtful => "33",
            Self::Bad => "31;1",
            Self::Strong => "1",
            Self::Faint => "2",
        }
    }
}

/// A verdict in the words of a person.
pub(crate) fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Damaged => "DAMAGED",
        Verdict::Truncated => "TRUNCATED",
        Verdict::Incomplete => "incomplete",
        Verdict::CannotVerify => "cannot verify",
    }
}

/// `text` in colour, where standard output takes colour.
pub(crate) fn paint(console: &Console, tone: Tone, text: &str) -> String {
    let text = printable(text);
    if console.colour() {
        format!("\u{1b}[{}m{text}\u{1b}[0m", tone.ansi())
    } else {
        text
    }
}

/// `text` without characters that a terminal would act on.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || reorders(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Whether `c` makes a terminal show the text around it in another order (the explicit formatting characters of Unicode's
/// bidirectional algorithm): a name would be read as another one. Letters that run from right to left do not need them.
fn reorders(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `json` with the control characters escaped that JSON itself lets stand: DEL and those of ISO 6429's second set, by
/// which some terminals act too. They can stand in texts alone, so the value stays the same.
pub(crate) fn json_escaped(json: &str) -> String {
    let acts = |c: char| ('\u{7f}'..='\u{9f}').contains(&c);
    if !json.contains(acts) {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if acts(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// Columns of a terminal from which on a table is made to fit; below, its lines run on.
const WIDTH_MIN: u16 = 60;

/// The least that a column keeps whose text may break.
const BREAKING_MIN: u16 = 16;

/// Columns of output where no terminal tells: what fits a mail or a ticket.
const WIDTH_UNKNOWN: u16 = 100;

/// The columns that a drawing has.
pub(crate) fn terminal_width() -> usize {
    let known = Table::new().width().filter(|width| *width >= WIDTH_MIN);
    usize::from(known.unwrap_or(WIDTH_UNKNOWN))
}

/// An empty table as all commands show it.
pub(crate) fn table(console: &Console, header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─')));
    // A terminal that does not know its width, or has next to none, would get a letter a line.
    if let Some(width) = table.width().filter(|width| *width >= WIDTH_MIN) {
        table.set_width(width);
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    if console.colour() {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(
        header
            .iter()
            .map(|title| Cell::new(title).add_attribute(Attribute::Bold)),
    );
    table
}

/// Lets only these columns break their text where the terminal is too narrow: a number or a date in two lines is of no
/// use to anybody. For a table that has its rows.
pub(crate) fn only_break(table: &mut Table, breaking: &[usize]) {
    for (index, column) in table.column_iter_mut().enumerate() {
        if breaking.contains(&index) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(BREAKING_MIN)));
        } else {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// A cell of text.
pub(crate) fn cell(text: &str) -> Cell {
    Cell::new(printable(text))
}

/// A cell of figures, to the right.
pub(crate) fn figures(text: &str) -> Cell {
    cell(text).set_alignment(CellAlignment::Right)
}

/// A cell in colour.
pub(crate) fn toned(tone: Tone, text: &str) -> Cell {
    let cell = cell(text);
    match tone {
        Tone::Good => cell.fg(Color::Green),
        Tone::Doubtful => cell.fg(Color::Yellow),
        Tone::Bad => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Tone::Strong => cell.add_attribute(Attribute::Bold),
        Tone::Faint => cell.add_attribute(Attribute::Dim),
    }
}

#[cfg(test)]
mod tests {
    use super::{json_escaped, printable};

    #[test]
    fn json_holds_no_control_character_and_stays_the_same_value() {
        let name = "a\u{9b}31mb\u{7f}\u{1b}c";
        let json = serde_json::to_string(name).unwrap();
        let escaped = json_escaped(&json);
        assert_eq!(escaped, r#""a\u009b31mb\u007f\u001bc""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), name);
        assert_eq!(json_escaped("\"Verkäufe\""), "\"Verkäufe\"");
    }

    #[test]
    fn a_name_cannot_act_on_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[31mb\nc\u{9b}d"),
            "a\u{fffd}[31mb\u{fffd}c\u{fffd}d"
        );
        assert_eq!(printable("Verkäufe 売上"), "Verkäufe 売上");
    }
}
