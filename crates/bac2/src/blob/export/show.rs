//! What became of each blob, for people.

use super::{Exported, Status};
use crate::console::Console;
use crate::paint::{Tone, cell, figures, only_break, table, toned, verdict_words};
use crate::quantity::{counted, size};

/// The list of all blobs, and the sum.
pub(super) fn show(exported: &[Exported], console: &Console) -> String {
    let mut table = table(console, &["", "file", "size", "verdict", "remark"]);
    for one in exported {
        let (tone, word) = words(one.status);
        let file = match (&one.file, &one.name) {
            (Some(file), _) => file.display().to_string(),
            (None, Some(name)) => format!("({}/{name})", one.container),
            (None, None) => format!("(in {})", one.container),
        };
        table.add_row(vec![
            toned(tone, word),
            cell(&file),
            figures(&size(one.size)),
            one.verdict.map_or_else(
                || cell(""),
                |verdict| toned(Tone::of(verdict), verdict_words(verdict)),
            ),
            cell(one.detail.as_deref().unwrap_or("")),
        ]);
    }
    only_break(&mut table, &[1, 4]);
    let done = exported
        .iter()
        .filter(|one| matches!(one.status, Status::Written | Status::Same));
    let bytes = done.clone().map(|one| one.size).sum();
    let (files, blobs) = (
        counted(done.count() as u64, "file"),
        counted(exported.len() as u64, "blob"),
    );
    format!(
        "{}\n\n{files} of {blobs} on disk and checked, {}\n",
        table.trim_fmt(),
        size(bytes)
    )
}

fn words(status: Status) -> (Tone, &'static str) {
    match status {
        Status::Written => (Tone::Good, "written"),
        Status::Planned => (Tone::Faint, "would be written"),
        Status::Same => (Tone::Good, "there already"),
        Status::Exists => (Tone::Bad, "NOT WRITTEN"),
        Status::Empty => (Tone::Faint, "nothing in it"),
        Status::Damaged => (Tone::Bad, "DAMAGED"),
        Status::Unreadable => (Tone::Bad, "UNREADABLE"),
        Status::Failed => (Tone::Bad, "FAILED"),
    }
}
