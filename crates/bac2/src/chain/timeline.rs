//! A database's history drawn on one line a branch: what can be restored, and where the holes are.
//!
//! The line says at a glance what the tables under it say exactly; a terminal's columns are too coarse for more. Holes are placed by
//! the backups around them, since an LSN has no time of its own.

use chain::{Branch, Coverage, Kind};
use jiff::Timestamp;

use super::clockface::Clockface;
use super::library::{Held, Kin};
use super::words;
use crate::console::Console;
use crate::paint::{Tone, paint};

/// Columns that a line needs to be worth drawing.
const COLUMNS_MIN: usize = 20;

/// Columns beyond which a line only gets longer, not clearer.
const COLUMNS_MAX: usize = 140;

/// Every moment here can be restored.
const COVERED: char = '━';

/// Nothing here can.
const HOLE: char = '┄';

/// What stands for one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    sign: char,
    tone: Tone,
}

/// From when to when, over how many columns.
#[derive(Debug, Clone, Copy)]
struct Scale {
    from: i64,
    to: i64,
    columns: usize,
}

impl Scale {
    fn of(kin: &Kin, face: &Clockface, columns: usize) -> Option<Self> {
        let times = kin.held.iter().map(|held| face.times(&held.set));
        let (mut from, mut to) = (i64::MAX, i64::MIN);
        for (start, finish) in times {
            from = from.min(start.as_millisecond());
            to = to.max(finish.as_millisecond());
        }
        (from < to && columns >= COLUMNS_MIN).then_some(Self { from, to, columns })
    }

    fn column(&self, moment: Timestamp) -> usize {
        let passed = (moment.as_millisecond().clamp(self.from, self.to) - self.from) as u128;
        let whole = (self.to - self.from) as u128;
        usize::try_from(passed * (self.columns as u128 - 1) / whole).unwrap_or(0)
    }

    fn moment(&self, column: usize) -> Timestamp {
        let whole = i128::from(self.to - self.from);
        let passed = whole * column as i128 / (self.columns as i128 - 1);
        let moment = self.from + i64::try_from(passed).unwrap_or(0);
        Timestamp::from_millisecond(moment).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// The drawing, or nothing where all happened in one moment.
pub(super) fn draw(
    kin: &Kin,
    coverage: &Coverage,
    face: &Clockface,
    console: &Console,
    width: usize,
) -> String {
    let has_labels = coverage.branches.len() > 1;
    let labels: Vec<String> = coverage
        .branches
        .iter()
        .map(|branch| {
            if has_labels {
                words::fork(branch.id)
            } else {
                String::new()
            }
        })
        .collect();
    let label_width = labels.iter().map(String::len).max().unwrap_or(0);
    let indent = label_width + if has_labels { 4 } else { 2 };
    let columns = width.saturating_sub(indent + 2).min(COLUMNS_MAX);
    let Some(scale) = Scale::of(kin, face, columns) else {
        return String::new();
    };
    let mut out = String::new();
    for (branch, label) in coverage.branches.iter().zip(&labels) {
        let marks = row(kin, coverage, branch, face, scale);
        let gap = " ".repeat(indent - 2 - label_width);
        out.push_str(&format!("  {label:<label_width$}{gap}"));
        out.push_str(painted(&marks, console).trim_end());
        out.push('\n');
    }
    out.push_str(&" ".repeat(indent));
    out.push_str(&paint(console, Tone::Faint, axis(scale, face).trim_end()));
    out.push('\n');
    let legend =
        "F full, D differential, x unusable; ━ every moment can be restored; ┄ none, for the reason numbered";
    out.push_str(&format!(
        "{}{}\n",
        " ".repeat(indent),
        paint(console, Tone::Faint, legend)
    ));
    out
}

fn row(kin: &Kin, coverage: &Coverage, branch: &Branch, face: &Clockface, scale: Scale) -> Vec<Option<Mark>> {
    let mut marks = vec![None; scale.columns];
    for times in coverage
        .spans
        .iter()
        .filter(|span| span.branch == branch.id)
        .filter_map(|span| span.times)
    {
        for mark in &mut marks[scale.column(times.from)..=scale.column(times.to)] {
            *mark = Some(Mark {
                sign: COVERED,
                tone: Tone::Good,
            });
        }
    }
    let ends = ends(kin, branch, face);
    for (number, hole) in (1..).zip(&coverage.holes) {
        if hole.branch != branch.id {
            continue;
        }
        let from = scale.column(when(&ends, hole.from).unwrap_or(scale.moment(0)));
        let to = scale.column(when(&ends, hole.to).unwrap_or(scale.moment(scale.columns - 1)));
        let free: Vec<usize> = (from..=to.max(from)).filter(|at| marks[*at].is_none()).collect();
        for at in &free {
            marks[*at] = Some(Mark {
                sign: HOLE,
                tone: Tone::Bad,
            });
        }
        if let Some(middle) = free.get(free.len() / 2) {
            marks[*middle] = Some(Mark {
                sign: digit(number),
                tone: Tone::Bad,
            });
        }
    }
    for held in &kin.held {
        let Some(mark) = data_mark(held) else { continue };
        if kin.database.branch_of(held.set.id) == Some(branch.id) {
            marks[scale.column(face.times(&held.set).1)] = Some(mark);
        }
    }
    marks
}

/// A hole's number; from the tenth on a sign that sends to the table.
fn digit(number: u32) -> char {
    char::from_digit(number, 10).unwrap_or('*')
}

/// Where the sets of a branch end: LSN and moment, ascending.
fn ends(kin: &Kin, branch: &Branch, face: &Clockface) -> Vec<(bak::Lsn, Timestamp)> {
    let sets = kin.held.iter().map(|held| &held.set);
    let mut ends: Vec<_> = sets
        .filter(|set| set.fork.id == branch.fork || branch.origin.is_some_and(|o| set.fork.id == o.parent))
        .map(|set| {
            (
                set.last,
                if set.is_log() {
                    face.times(set).0
                } else {
                    face.times(set).1
                },
            )
        })
        .collect();
    ends.sort_unstable();
    ends
}

/// About when the log was at `lsn`: when the first backup ended that holds it.
fn when(ends: &[(bak::Lsn, Timestamp)], lsn: bak::Lsn) -> Option<Timestamp> {
    let at = ends.partition_point(|(last, _)| *last < lsn);
    ends.get(at).map(|(_, moment)| *moment)
}

fn data_mark(held: &Held) -> Option<Mark> {
    let sign = match held.set.kind {
        Kind::Full => 'F',
        Kind::Differential(_) => 'D',
        Kind::Log => return None,
    };
    let is_whole = held.set.families.missing.is_empty() && held.set.grade.is_usable();
    Some(if is_whole {
        Mark {
            sign,
            tone: Tone::Strong,
        }
    } else {
        Mark {
            sign: 'x',
            tone: Tone::Bad,
        }
    })
}

fn painted(marks: &[Option<Mark>], console: &Console) -> String {
    let mut out = String::new();
    for run in marks.chunk_by(|a, b| a.map(|mark| mark.tone) == b.map(|mark| mark.tone)) {
        let text: String = run
            .iter()
            .map(|mark| mark.map_or(' ', |mark| mark.sign))
            .collect();
        match run[0] {
            Some(mark) => out.push_str(&paint(console, mark.tone, &text)),
            None => out.push_str(&text),
        }
    }
    out
}

/// Moments under the line: at its ends, and in the middle where there is room.
fn axis(scale: Scale, face: &Clockface) -> String {
    let last = scale.columns - 1;
    let days = (scale.to - scale.from) / 86_400_000;
    // The year once is enough; the clock's seconds only where they tell anything.
    let (first, form) = match days {
        0 => ("%Y-%m-%d %H:%M:%S", "%H:%M:%S"),
        1..=9 => ("%Y-%m-%d %H:%M", "%m-%d %H:%M"),
        _ => ("%Y-%m-%d", "%Y-%m-%d"),
    };
    let label = |column, form| face.read(scale.moment(column)).0.strftime(form).to_string();
    let (left, middle, right) = (label(0, first), label(last / 2, form), label(last, form));
    let mut line = left;
    let at = (last / 2).saturating_sub(middle.len() / 2);
    if line.len() + 2 <= at && at + middle.len() + 2 + right.len() <= scale.columns {
        line.push_str(&" ".repeat(at - line.len()));
        line.push_str(&middle);
    }
    let room = scale.columns.saturating_sub(right.len());
    line.push_str(&" ".repeat(room.saturating_sub(line.len()).max(1)));
    line.push_str(&right);
    line
}
