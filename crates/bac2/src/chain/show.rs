//! Databases for people: a line to see, tables to read, and the plan as numbered steps.

use std::fmt::Write as _;

use chain::{Coverage, Kind, Span};

use super::aim::shown;
use super::clockface::Clockface;
use super::excerpt::{Part, excerpt};
use super::library::Kin;
use super::{Judged, loss, steps, timeline, words};
use crate::console::Console;
use crate::inspect::words::product;
use crate::paint::{Tone, cell, figures, only_break, paint, printable, table, terminal_width, toned};
use crate::quantity::counted;

/// Rows of a table of intervals or holes; of more the middle is left out.
const ROWS_SHOWN: usize = 40;

/// Backup sets that are named where no plan can use them; JSON has them all.
const UNUSED_SHOWN: usize = 10;

/// All databases.
pub(super) fn show(judged: &[Judged], console: &Console) -> String {
    if judged.is_empty() {
        return "no backup set was found\n".to_owned();
    }
    let mut out = String::new();
    for one in judged {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&title(&one.kin, judged, console));
        out.push_str(&forks(&one.coverage, console));
        out.push_str(&timeline::draw(
            &one.kin,
            &one.coverage,
            &one.face,
            console,
            terminal_width(),
        ));
        out.push_str(&spans(one, &one.coverage, console));
        out.push_str(&holes(one, console));
        out.push_str(&unused(&one.kin));
        if let Some(loss) = &one.loss {
            out.push_str(&lost(one, loss, console));
        }
        if let Some(aimed) = &one.aimed {
            out.push_str(&steps::plan(one, aimed, console));
        }
    }
    if judged.iter().all(|one| one.aimed.is_none() && one.loss.is_none()) {
        out.push_str(&hint(judged));
    }
    out
}

fn title(kin: &Kin, all: &[Judged], console: &Console) -> String {
    let mut out = paint(console, Tone::Strong, &kin.name);
    if !kin.servers.is_empty() {
        let newest = kin.held.iter().max_by_key(|held| held.set.clock.start);
        let version = newest.map_or_else(String::new, |held| {
            format!(" ({})", product(held.backup.software_version))
        });
        write!(out, " on {}{version}", printable(&kin.servers.join(", "))).expect("a string grows");
    }
    if let Some(short) = kin.short() {
        write!(out, ", family {short}").expect("a string grows");
    }
    let of = |kind: fn(&Kind) -> bool| kin.held.iter().filter(|held| kind(&held.set.kind)).count() as u64;
    let parts = [
        (of(|kind| *kind == Kind::Full), "full"),
        (of(|kind| matches!(kind, Kind::Differential(_))), "differential"),
        (of(|kind| *kind == Kind::Log), "log"),
    ];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, word)| counted(*number, word)).collect();
    writeln!(
        out,
        ": {}",
        if parts.is_empty() {
            "no usable backup".to_owned()
        } else {
            parts.join(", ")
        }
    )
    .expect("a string grows");
    if !kin.other_names.is_empty() {
        let names = printable(&kin.other_names.join(", "));
        writeln!(out, "  earlier named {names}").expect("a string grows");
    }
    let namesakes = all.iter().filter(|other| other.kin.name == kin.name).count();
    if namesakes > 1 {
        let family = kin
            .family
            .map_or_else(|| kin.name.clone(), |family| family.to_string());
        let text = format!("one of {namesakes} databases of that name; this one is --database {family}");
        writeln!(out, "  {}", paint(console, Tone::Doubtful, &text)).expect("a string grows");
    }
    out
}

/// The branches, where there is more than one; a history that SQL Server did not declare is said loudly.
fn forks(coverage: &Coverage, console: &Console) -> String {
    let mut out = String::new();
    for branch in &coverage.branches {
        if coverage.branches.len() == 1 && branch.evidence.is_none() {
            continue;
        }
        let mut line = format!("{}: {}", words::fork(branch.id), branch.fork);
        match (branch.parent, branch.origin) {
            (Some((parent, lsn)), _) => {
                line.push_str(&format!(", left {} at LSN {lsn}", words::fork(parent)));
            }
            (None, Some(origin)) => line.push_str(&format!(
                ", left {} at LSN {}, of which nothing is here",
                origin.parent, origin.point
            )),
            (None, None) => {}
        }
        writeln!(out, "  {line}").expect("a string grows");
        if let Some(evidence) = &branch.evidence {
            let text = format!("HIDDEN FORK, history {} of this fork: {evidence}", branch.history);
            writeln!(out, "    {}", paint(console, Tone::Bad, &text)).expect("a string grows");
        }
    }
    out
}

/// What can be restored, as a table.
fn spans(one: &Judged, coverage: &Coverage, console: &Console) -> String {
    if coverage.spans.is_empty() {
        let text = "nothing can be restored";
        return format!("\n  {}\n", paint(console, Tone::Bad, text));
    }
    let has_forks = one.view().has_forks;
    let mut header = vec!["from", "to", "from LSN", "to LSN"];
    if has_forks {
        header.insert(0, "fork");
    }
    let mut rows = table(console, &header);
    for part in excerpt(&coverage.spans, ROWS_SHOWN) {
        let span = match part {
            Part::Item(_, span) => span,
            Part::Left(count) => {
                rows.add_row(vec![cell("..."), cell(&left_out(count))]);
                continue;
            }
        };
        let (from, to) = moments(span, &one.face);
        let mut row = vec![
            toned(Tone::Good, &from),
            toned(Tone::Good, &to),
            figures(&span.from.to_string()),
            figures(&span.to.to_string()),
        ];
        if has_forks {
            row.insert(0, figures(&shown(span.branch).to_string()));
        }
        rows.add_row(row);
    }
    only_break(&mut rows, &[]);
    format!("\n  restorable\n{}", indented(&rows))
}

/// The moments of a span in two columns. What a data backup alone holds is the state of one that nobody knows.
fn moments(span: &Span, face: &Clockface) -> (String, String) {
    match (span.times, span.within) {
        (Some(times), _) if times.from == times.to => (face.plain(times.from), "that moment only".to_owned()),
        (Some(times), _) => (face.plain(times.from), face.plain(times.to)),
        (None, Some(within)) => (
            format!("between {}", face.plain(within.from)),
            format!("and {}", face.plain(within.to)),
        ),
        (None, None) => ("by LSN only".to_owned(), String::new()),
    }
}

fn holes(one: &Judged, console: &Console) -> String {
    if one.coverage.holes.is_empty() {
        return String::new();
    }
    let has_forks = one.view().has_forks;
    let mut header = vec!["", "from LSN", "to LSN", "why"];
    if has_forks {
        header.insert(1, "fork");
    }
    let mut rows = table(console, &header);
    for part in excerpt(&one.coverage.holes, ROWS_SHOWN) {
        let (number, hole) = match part {
            Part::Item(number, hole) => (number, hole),
            Part::Left(count) => {
                rows.add_row(vec![cell("..."), cell(&left_out(count))]);
                continue;
            }
        };
        let mut row = vec![
            figures(&number.to_string()),
            figures(&hole.from.to_string()),
            figures(&hole.to.to_string()),
            toned(Tone::Doubtful, &words::hole(&one.kin, hole)),
        ];
        if has_forks {
            row.insert(1, figures(&shown(hole.branch).to_string()));
        }
        rows.add_row(row);
    }
    only_break(&mut rows, &[header.len() - 1]);
    format!("\n  not restorable\n{}", indented(&rows))
}

fn left_out(count: usize) -> String {
    format!("{count} more; -o json has all")
}

fn unused(kin: &Kin) -> String {
    let mut out = String::new();
    for unused in kin.unused.iter().take(UNUSED_SHOWN) {
        let line = format!(
            "not planned with: {} #{}: {}",
            unused.file, unused.position, unused.why
        );
        writeln!(out, "  {}", printable(&line)).expect("a string grows");
    }
    if kin.unused.len() > UNUSED_SHOWN {
        let more = counted((kin.unused.len() - UNUSED_SHOWN) as u64, "more set");
        writeln!(out, "  and {more}; -o json lists all").expect("a string grows");
    }
    out
}

fn lost(one: &Judged, loss: &loss::Loss, console: &Console) -> String {
    if loss.sets.is_empty() {
        return "\n  nothing of this database would be deleted\n".to_owned();
    }
    let gone = words::some_files(&one.kin, &loss.sets);
    let useless = if loss.useless.is_empty() {
        String::new()
    } else {
        format!(
            "  of no use any more: {}\n",
            words::some_files(&one.kin, &loss.useless)
        )
    };
    let loss = match loss::bounds(&loss.lost) {
        None => format!(
            "\n  without {gone}: {}\n",
            paint(
                console,
                Tone::Good,
                "nothing that can be restored now would be lost"
            )
        ),
        Some(_) => format!(
            "\n  without {gone}: {}{}",
            paint(console, Tone::Bad, "this would be lost"),
            spans(one, &loss.lost, console).replacen("\n  restorable", "", 1)
        ),
    };
    loss + &useless
}

/// How to get a plan, with a moment that can be had, or else a point.
fn hint(judged: &[Judged]) -> String {
    let database = if judged.len() > 1 { " --database NAME" } else { "" };
    let Some((one, times)) = judged
        .iter()
        .find_map(|one| Some((one, one.coverage.spans.iter().rev().find_map(|span| span.times)?)))
    else {
        let newest = judged.iter().find_map(|one| one.coverage.spans.last());
        return newest.map_or_else(String::new, |span| {
            format!(
                "\na plan for a point: the same with{database} --lsn {} (or --latest); --tsql prints its script\n",
                span.to
            )
        });
    };
    format!(
        "\na plan for a moment: the same with{database} --at {} (or --latest); --tsql prints its script\n",
        one.face.exact(times.to)
    )
}

/// A table two columns in.
pub(super) fn indented(rows: &comfy_table::Table) -> String {
    let mut out = String::new();
    for row in rows.lines() {
        writeln!(out, "  {}", row.trim_end()).expect("a string grows");
    }
    out
}
