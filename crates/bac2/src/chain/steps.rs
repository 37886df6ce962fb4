//! A plan for people: numbered steps, how sure they are, where they stop, and what else would get there.
//!
//! A plan may have thousands of logs; its beginning and its end are what a person looks at.

use std::fmt::Write as _;

use chain::{Grade, Plan, Plans, SetId};

use super::aim::shown;
use super::clockface::spaced;
use super::excerpt::{Part, excerpt};
use super::show::indented;
use super::{Aimed, Judged, answer, words};
use crate::console::Console;
use crate::paint::{Tone, cell, figures, only_break, paint, printable, table, terminal_width, toned};
use crate::quantity::{counted, size};

/// Alternatives that are named; JSON has them all.
const ALTERNATIVES_SHOWN: usize = 3;

/// Steps that are shown; of more than these the middle is left out.
const STEPS_SHOWN: usize = 24;

/// Doubtful sets whose reason is shown.
const REMARKS_SHOWN: usize = 10;

/// Columns that the steps of a plan need as a table.
const STEPS_TABLE_MIN: usize = 150;

/// The plan, or that there is none.
pub(super) fn plan(one: &Judged, aimed: &Aimed, console: &Console) -> String {
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
                    let option = answer::option(&aimed.target, &point, &one.view());
                    let taken = point.within.map_or_else(String::new, |within| {
                        let (after, before) = (one.face.plain(within.from), one.face.plain(within.to));
                        format!(" (what a backup holds that was taken between {after} and {before})")
                    });
                    writeln!(out, "  the nearest point {side} it: {option}{taken}").expect("a string grows");
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
    for part in excerpt(&plan.steps, STEPS_SHOWN) {
        let (number, step) = match part {
            Part::Item(number, step) => (number, step),
            Part::Left(count) => {
                writeln!(out, "       ... {}", left_out(count)).expect("a string grows");
                continue;
            }
        };
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
        if step.only_from.is_some() {
            out.push_str(", left out where that is reached before");
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
    for part in excerpt(&plan.steps, STEPS_SHOWN) {
        let (number, step) = match part {
            Part::Item(number, step) => (number, step),
            Part::Left(count) => {
                rows.add_row(vec![cell("..."), cell(""), cell(&left_out(count))]);
                continue;
            }
        };
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
    for (_, held) in held.filter(|(_, held)| held.remark.is_some()).take(REMARKS_SHOWN) {
        if let Some(remark) = &held.remark {
            writeln!(out, "  {}: {}", printable(&words::files(held)), printable(remark))
                .expect("a string grows");
        }
    }
    out.push_str("  --tsql prints the script\n");
    out
}

fn files_of(one: &Judged, plan: &Plan) -> String {
    let ids: Vec<SetId> = plan.steps.iter().map(|step| step.set).collect();
    words::some_files(&one.kin, &ids)
}

fn left_out(count: usize) -> String {
    format!(
        "{}, each from where the one before it ends; -o json has all",
        counted(count as u64, "more log")
    )
}
