//! Many backup files, one line a set.

use super::{Inspected, words};
use crate::console::Console;
use crate::paint::{Tone, cell, figures, only_break, table, toned};
use crate::quantity::{counted, size};

/// The list of all sets of all files.
pub(super) fn show(answers: &[Inspected], console: &Console) -> String {
    let mut table = table(
        console,
        &[
            "file",
            "type",
            "database",
            "server",
            "started",
            "size",
            "first LSN",
            "last LSN",
            "",
        ],
    );
    let mut sets: u64 = 0;
    for answer in answers {
        for set in &answer.sets {
            sets += 1;
            let file = if answer.sets.len() > 1 {
                format!("{} #{}", answer.file, set.position)
            } else {
                answer.file.clone()
            };
            let lsn = |lsn: Option<bak::Lsn>| lsn.map(|lsn| lsn.to_string()).unwrap_or_default();
            table.add_row(vec![
                cell(&file),
                cell(words::backup_type(set.backup_type)),
                toned(Tone::Strong, &set.database_name),
                cell(&set.server_name),
                cell(&words::moment(set.backup_start_date)),
                figures(&size(set.backup_size)),
                figures(&lsn(set.first_lsn)),
                figures(&lsn(set.last_lsn)),
                remark(answer, set.complete),
            ]);
        }
    }
    only_break(&mut table, &[0, 2, 3]);
    let bytes = answers.iter().map(|answer| answer.size).sum();
    let files = counted(answers.len() as u64, "file");
    format!(
        "{}\n\n{files}, {}, {} on disk\n",
        table.trim_fmt(),
        counted(sets, "backup set"),
        size(bytes)
    )
}

fn remark(answer: &Inspected, complete: bool) -> comfy_table::Cell {
    match &answer.media {
        _ if !complete => toned(Tone::Bad, "not complete"),
        Some(media) if media.family_count > 1 => toned(
            Tone::Doubtful,
            &format!("stripe {}/{}", media.family_number, media.family_count),
        ),
        _ => cell(""),
    }
}
