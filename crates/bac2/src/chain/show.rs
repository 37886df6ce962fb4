//! Databases for people: a line to see, tables to read, and the plan as numbered steps.

use std::fmt::Write as _;

use chain::{Coverage, Grade, Kind, Plan, Plans};

use super::aim::shown;
use super::clockface::spaced;
use super::library::Kin;
use super::{Aimed, Judged, loss, timeline, words};
use crate::console::Console;
use crate::inspect::words::product;
use crate::paint::{Tone, cell, figures, only_break, paint, printable, table, terminal_width, toned};
use crate::quantity::{counted, size};

/// Alternatives that are named; JSON has them all.
const ALTERNATIVES_SHOWN: usize = 3;

/// Columns that the steps of a plan need as a table.
const STEPS_TABLE_MIN: usize = 150;

/// Backup sets that are named where no plan can use them; JSON has them all.
const UNUSED_SHOWN: usize = 10;

/// All databases.
pub(super) fn show(judged: &[Judged], console: &Console) -> String {
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
            out.push_str(&plan(one, aimed, console));
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
    for span in &coverage.spans {
        let times = span.times.map(|times| {
            let to = if times.from == times.to {
                "that moment only".to_owned()
            } else {
                one.face.plain(times.to)
            };
            (one.face.plain(times.from), to)
        });
        let (from, to) = times.unwrap_or_else(|| ("by LSN only".to_owned(), String::new()));
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
    for (number, hole) in (1..).zip(&one.coverage.holes) {
        let number: u32 = number;
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
    let files = loss.sets.iter().filter_map(|id| one.kin.held(*id));
    let files: Vec<String> = files.map(words::files).collect();
    let gone = printable(&files.join(", "));
    let useless = if loss.useless.is_empty() {
        String::new()
    } else {
        let held = loss.useless.iter().filter_map(|id| one.kin.held(*id));
        let files: Vec<String> = held.map(words::files).collect();
        format!("  of no use any more: {}\n", printable(&files.join(", ")))
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

fn plan(one: &Judged, aimed: &Aimed, console: &Console) -> String {
    let target = printable(&words::target(&one.kin, &aimed.target, &one.face));
    match &aimed.outcome {
        Err(refusal) => {
            let why = words::refusal(&one.kin, refusal, &one.face);
            let mut out = format!(
                "\n  {} {target}: {}\n",
                paint(console, Tone::Bad, "no plan to"),
                printable(&why)
            );
            for (side, point) in [("before", refusal.before), ("after", refusal.after)] {
                if let Some(point) = point {
                    let option = super::answer::option(&aimed.target, &point, &one.view());
                    writeln!(out, "  the nearest point {side} it: {option}").expect("a string grows");
                }
            }
            out
        }
        Ok(plans) => {
            let best = &plans.best;
            let steps = counted(best.steps.len() as u64, "step");
            let heading = format!("plan to {target}");
            let mut out = format!(
                "\n  {}: {steps}, {}, up to LSN {}\n",
                paint(console, Tone::Strong, &heading),
                size(best.bytes),
                best.reaches
            );
            out.push_str(&if terminal_width() >= STEPS_TABLE_MIN {
                steps_table(one, best, console)
            } else {
                steps_lines(one, best, console)
            });
            out.push_str(&others(one, plans));
            out
        }
    }
}

fn grade_tone(grade: Grade) -> Tone {
    match grade {
        Grade::Proved | Grade::EngineVerified => Tone::Good,
        Grade::Accepted | Grade::HeadersOnly => Tone::Doubtful,
        Grade::Disputed | Grade::None => Tone::Bad,
    }
}

/// A step in two lines, for terminals that have no room for the table.
fn steps_lines(one: &Judged, plan: &Plan, console: &Console) -> String {
    let mut out = String::new();
    for (number, step) in (1..).zip(&plan.steps) {
        let number: u32 = number;
        let held = one.kin.held(step.set).expect("a plan names sets it was given");
        let kind = words::kind(step.kind);
        writeln!(
            out,
            "  {number:>3}. {kind:<12}  {}",
            printable(&words::files(held))
        )
        .expect("a string grows");
        let grade = paint(console, grade_tone(step.grade), words::grade(step.grade));
        let begun = spaced(held.set.clock.start);
        let (first, last) = (held.set.first, held.set.last);
        write!(out, "       {begun}, LSN {first} to {last}, {grade}").expect("a string grows");
        if let Some(stop) = &step.stop {
            write!(out, ", {}", paint(console, Tone::Strong, &words::stop(stop))).expect("a string grows");
        }
        out.push('\n');
    }
    out
}

fn steps_table(one: &Judged, plan: &Plan, console: &Console) -> String {
    let mut rows = table(
        console,
        &["", "backup", "in", "begun", "first LSN", "last LSN", "", ""],
    );
    for (number, step) in (1..).zip(&plan.steps) {
        let number: u32 = number;
        let held = one.kin.held(step.set).expect("a plan names sets it was given");
        rows.add_row(vec![
            figures(&number.to_string()),
            cell(words::kind(step.kind)),
            cell(&words::files(held)),
            cell(&spaced(held.set.clock.start)),
            figures(&held.set.first.to_string()),
            figures(&held.set.last.to_string()),
            toned(grade_tone(step.grade), words::grade(step.grade)),
            toned(
                Tone::Strong,
                &step.stop.as_ref().map_or_else(String::new, words::stop),
            ),
        ]);
    }
    only_break(&mut rows, &[2]);
    indented(&rows)
}

/// What else would get there, in one line each.
fn others(one: &Judged, plans: &Plans) -> String {
    let mut out = String::new();
    for other in plans.alternatives.iter().take(ALTERNATIVES_SHOWN) {
        writeln!(out, "  as good: {}", files_of(one, other)).expect("a string grows");
    }
    if plans.alternatives.len() > ALTERNATIVES_SHOWN {
        let more = counted(
            (plans.alternatives.len() - ALTERNATIVES_SHOWN) as u64,
            "more plan",
        );
        writeln!(out, "  and {more} as good; -o json lists them").expect("a string grows");
    }
    for other in &plans.other_branches {
        let number = shown(other.branch);
        writeln!(
            out,
            "  {} has that point too: --fork {number} plans {}",
            words::fork(other.branch),
            files_of(one, other)
        )
        .expect("a string grows");
    }
    let steps = plans.best.steps.iter();
    let held = steps.filter_map(|step| Some((step.grade, one.kin.held(step.set)?)));
    if held
        .clone()
        .any(|(grade, held)| grade == Grade::HeadersOnly && held.remark.is_none())
    {
        out.push_str("  headers only: not known to be intact; --verify reads every byte\n");
    }
    for (_, held) in held {
        if let Some(remark) = &held.remark {
            writeln!(out, "  {}: {}", printable(&words::files(held)), printable(remark))
                .expect("a string grows");
        }
    }
    out.push_str("  --tsql prints the script\n");
    out
}

fn files_of(one: &Judged, plan: &Plan) -> String {
    let held = plan.steps.iter().filter_map(|step| one.kin.held(step.set));
    let files: Vec<String> = held.map(words::files).collect();
    printable(&files.join(", "))
}

/// How to get a plan, with a moment that can be had.
fn hint(judged: &[Judged]) -> String {
    let Some((one, times)) = judged
        .iter()
        .find_map(|one| Some((one, one.coverage.spans.iter().rev().find_map(|span| span.times)?)))
    else {
        return String::new();
    };
    let database = if judged.len() > 1 { " --database NAME" } else { "" };
    format!(
        "\na plan for a moment: the same with{database} --at {} (or --latest); --tsql prints its script\n",
        one.face.exact(times.to)
    )
}

fn indented(rows: &comfy_table::Table) -> String {
    let mut out = String::new();
    for row in rows.lines() {
        writeln!(out, "  {}", row.trim_end()).expect("a string grows");
    }
    out
}
