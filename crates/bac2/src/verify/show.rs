//! Verdicts for people: one line a file, then what is wrong and where, then the sum.

use std::fmt::Write as _;

use bak::{Damage, LogBlockCounts, PageCounts, Verdict};

use super::Verified;
use crate::console::Console;
use crate::paint::{Tone, cell, figures, only_break, paint, printable, table, toned, verdict_words};
use crate::quantity::{count, counted, duration, size, speed};

/// Findings shown for a file; JSON has the first thousand.
const FINDINGS_SHOWN: usize = 10;

/// The answer for all files.
pub(super) fn show(answers: &[Verified], unread: usize, console: &Console) -> String {
    let mut table = table(
        console,
        &["verdict", "file", "pages", "log blocks", "read", "time"],
    );
    for answer in answers {
        table.add_row(vec![
            toned(Tone::of(answer.verdict), verdict_words(answer.verdict)),
            cell(&answer.file),
            cell(&pages(&answer.pages)),
            cell(&log_blocks(&answer.log_blocks)),
            figures(&size(answer.bytes)),
            figures(&duration(answer.seconds)),
        ]);
    }
    only_break(&mut table, &[1, 2]);
    let mut out = format!("{}\n", table.trim_fmt());
    for answer in answers.iter().filter(|answer| answer.verdict != Verdict::Ok) {
        out.push('\n');
        out.push_str(&findings(answer, console));
    }
    out.push('\n');
    out.push_str(&sum(answers, unread, console));
    out
}

/// `1,984 intact, 12 without checksum`; damage first.
pub(super) fn pages(pages: &PageCounts) -> String {
    parts(&[
        (pages.checksum_bad + pages.torn_bad, "BAD"),
        (pages.checksum_ok + pages.torn_ok, "intact"),
        (pages.unprotected, "without checksum"),
        (pages.unformatted, "unused"),
    ])
}

/// `3 intact`; damage first.
pub(super) fn log_blocks(blocks: &LogBlockCounts) -> String {
    parts(&[
        (blocks.bad, "BAD"),
        (blocks.ok, "intact"),
        (blocks.unchecked, "without checksum"),
    ])
}

fn parts(counts: &[(u64, &str)]) -> String {
    let some = counts.iter().filter(|(number, _)| *number > 0);
    some.map(|(number, word)| format!("{} {word}", count(*number)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Why one file is not `ok`.
fn findings(answer: &Verified, console: &Console) -> String {
    let mut out = format!(
        "{} is {}\n",
        paint(console, Tone::Strong, &answer.file),
        paint(console, Tone::of(answer.verdict), verdict_words(answer.verdict))
    );
    for reason in &answer.reasons {
        writeln!(out, "  {}", printable(reason)).expect("a string grows");
    }
    for damage in answer.damage.iter().take(FINDINGS_SHOWN) {
        writeln!(out, "  - {}", printable(&finding(damage))).expect("a string grows");
    }
    let shown = answer.damage.len().min(FINDINGS_SHOWN) as u64;
    if answer.damage_count > shown {
        let more = counted(answer.damage_count - shown, "more finding");
        writeln!(out, "  - and {more}; -o json lists the first 1,000").expect("a string grows");
    }
    out
}

/// `page 1:153 at byte 1,269,760: ...`
pub(crate) fn finding(damage: &Damage) -> String {
    let place = match (damage.file_id, damage.page_id) {
        (Some(file), Some(page)) => format!("{} {file}:{page}", damage.kind),
        _ => damage.kind.to_string(),
    };
    format!("{place} at byte {}: {}", count(damage.offset), damage.detail)
}

fn sum(answers: &[Verified], unread: usize, console: &Console) -> String {
    let verdicts = [
        Verdict::Ok,
        Verdict::Damaged,
        Verdict::Truncated,
        Verdict::Incomplete,
        Verdict::CannotVerify,
    ];
    let mut parts = Vec::new();
    for verdict in verdicts {
        let number = answers.iter().filter(|answer| answer.verdict == verdict).count();
        if number > 0 {
            parts.push(paint(
                console,
                Tone::of(verdict),
                &format!("{number} {}", verdict_words(verdict)),
            ));
        }
    }
    if unread > 0 {
        parts.push(paint(console, Tone::Bad, &format!("{unread} NOT READ")));
    }
    let bytes: u64 = answers.iter().map(|answer| answer.bytes).sum();
    let seconds: f64 = answers.iter().map(|answer| answer.seconds).sum();
    let rate = speed(bytes, seconds)
        .map(|speed| format!(", {speed}"))
        .unwrap_or_default();
    format!(
        "{}: {}; {} read in {}{rate}\n",
        counted((answers.len() + unread) as u64, "file"),
        parts.join(", "),
        size(bytes),
        duration(seconds)
    )
}
