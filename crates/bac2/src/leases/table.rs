//! Rows for people. What a blob's name or a backup's header holds is other people's text and never reaches the terminal
//! as it is.

use guard::report::Row;

use crate::console::Console;
use crate::paint::{Tone, cell, only_break, printable, table, toned};
use crate::quantity::{count, counted, duration, size};

/// All rows as a table; empty without rows.
pub(super) fn show(rows: &[Row], console: &Console) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = table(
        console,
        &["", "container/blob", "what is in it", "lease held by", "why"],
    );
    for row in rows {
        let (tone, word) = verdict(row);
        table.add_row(vec![
            toned(tone, word),
            cell(&place(row)),
            cell(&holds(row)),
            cell(&held_by(row)),
            cell(row.detail.as_deref().unwrap_or_default()),
        ]);
    }
    only_break(&mut table, &[1, 2, 3, 4]);
    format!("{}\n", table.trim_fmt())
}

/// One row as one line, for `watch`.
pub(super) fn line(row: &Row) -> String {
    let (_, word) = verdict(row);
    let parts = [held_by(row), holds(row), row.detail.clone().unwrap_or_default()];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let line = format!("{} {word}: {}: {}", row.time, place(row), parts.join("; "));
    printable(&line)
}

/// The first word of a row, and how it feels.
fn verdict(row: &Row) -> (Tone, &'static str) {
    match (row.action, row.ruling) {
        (_, None) if row.action == "failed" => (Tone::Bad, "NOT READ"),
        ("listed", Some("break")) => (Tone::Bad, "CAN BE BROKEN"),
        ("listed", Some("wait")) => (Tone::Doubtful, "not quiet yet"),
        ("listed", _) => (Tone::Faint, "left alone"),
        ("wouldBreak", _) => (Tone::Doubtful, "would be broken"),
        ("wouldDelete", _) => (Tone::Doubtful, "would be deleted"),
        ("broken", _) => (Tone::Good, "broken"),
        ("deleted", _) => (Tone::Good, "deleted"),
        ("skipped", Some("break")) => (Tone::Doubtful, "SKIPPED"),
        ("skipped", Some("wait")) => (Tone::Doubtful, "not quiet yet"),
        ("skipped", _) => (Tone::Faint, "left alone"),
        ("brokenNotDeleted", _) => (Tone::Bad, "NOT DELETED"),
        ("gone", _) => (Tone::Good, "gone"),
        ("released", _) => (Tone::Good, "released"),
        _ => (Tone::Bad, "FAILED"),
    }
}

fn place(row: &Row) -> String {
    match (&row.container, &row.blob) {
        (Some(container), Some(blob)) => format!("{container}/{blob}"),
        (Some(container), None) => container.clone(),
        (None, _) => "the account".to_owned(),
    }
}

/// `FULL of Sales, 2026-11-20 22:00:05, cut short; page blob of 3.5 MiB, changed 2 h 5 min ago`
fn holds(row: &Row) -> String {
    let Some(content) = row.content else {
        return String::new();
    };
    let mut text = match content {
        "backup" => backup(row),
        "empty" => "nothing committed".to_owned(),
        "dataFile" => "SQL Server data file".to_owned(),
        "logFile" => "SQL Server log file".to_owned(),
        "disk" => "disk of a virtual machine".to_owned(),
        "unread" => "could not be read".to_owned(),
        _ => "no backup".to_owned(),
    };
    let kind = row.kind.unwrap_or("blob");
    text.push_str(&format!("; {kind} blob of {}", size(row.size.unwrap_or(0))));
    if let (Some(blocks @ 1..), Some(bytes)) = (row.uncommitted_blocks, row.uncommitted_bytes) {
        text.push_str(&format!(
            " and {} uncommitted ({})",
            counted(blocks, "block"),
            size(bytes)
        ));
    }
    if let Some(age) = row.age_seconds {
        text.push_str(&format!(", changed {} ago", duration(age as f64)));
    }
    text
}

fn backup(row: &Row) -> String {
    let kind = row
        .backup_type
        .as_deref()
        .map_or_else(|| "backup".to_owned(), capitals);
    let mut text = match &row.database_name {
        Some(database) => format!("{kind} of {database}"),
        None => kind,
    };
    if let Some(start) = &row.backup_start_date {
        text.push_str(&format!(", {}", start.replace('T', " ")));
    }
    match row.complete {
        Some(true) => text.push_str(", complete"),
        Some(false) => text.push_str(", cut short"),
        None => {}
    }
    text
}

/// `differentialFile` as people write it, `DIFFERENTIAL FILE`.
fn capitals(word: &str) -> String {
    let mut out = String::new();
    for c in word.chars() {
        if c.is_uppercase() {
            out.push(' ');
        }
        out.extend(c.to_uppercase());
    }
    out
}

/// `backup (block ids), quiet 3 s`
fn held_by(row: &Row) -> String {
    let Some(holder) = row.holder else {
        return String::new();
    };
    let mut text = match row.evidence {
        Some("tapeHeader") => "backup (TAPE)".to_owned(),
        Some("compressedHeader") => "backup (MSSQLBAK)".to_owned(),
        Some("blockIds") => "backup (block ids)".to_owned(),
        _ => holder.to_owned(),
    };
    if row.lease_duration == Some("fixed") {
        text.push_str(", for 15 to 60 s");
    }
    match (row.activity, row.quiet_seconds) {
        (Some("growing"), _) => text.push_str(", alive"),
        (Some("quiet"), Some(seconds)) => {
            let length = match seconds {
                0 => "less than 1 s".to_owned(),
                _ => duration(seconds as f64),
            };
            text.push_str(&format!(", quiet {length}"));
        }
        _ => {}
    }
    if let Some(connections @ 1..) = row.connections {
        text.push_str(&format!(", {}", counted(u64::from(connections), "connection")));
    }
    text
}

/// `3 locked: 1 can be broken, 2 left alone`, in the words of the table.
pub(super) fn sum(rows: &[Row]) -> String {
    let mut words: Vec<(&'static str, u64)> = Vec::new();
    for row in rows {
        let (_, word) = verdict(row);
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, number)) => *number += 1,
            None => words.push((word, 1)),
        }
    }
    let parts = words
        .iter()
        .map(|(word, number)| format!("{} {}", count(*number), word.to_lowercase()));
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            time: "2026-11-21T14:00:00Z".to_owned(),
            container: Some("backups".to_owned()),
            blob: Some("sales/a.bak".to_owned()),
            kind: Some("page"),
            size: Some(3_700_224),
            age_seconds: Some(7_500),
            holder: Some("backup"),
            evidence: Some("tapeHeader"),
            activity: Some("quiet"),
            quiet_seconds: Some(3_660),
            content: Some("backup"),
            database_name: Some("Sales".to_owned()),
            backup_type: Some("differentialFile".to_owned()),
            backup_start_date: Some("2026-11-20T22:00:05".to_owned()),
            complete: Some(false),
            ruling: Some("break"),
            action: "listed",
            detail: Some("Why.".to_owned()),
            ..Row::default()
        }
    }

    #[test]
    fn a_row_says_what_is_in_it_and_who_holds_it() {
        let console = Console::new(Some(crate::console::Format::Table), false);
        let just = Row {
            quiet_seconds: Some(0),
            ..row()
        };
        assert_eq!(held_by(&just), "backup (TAPE), quiet less than 1 s");
        let shown = show(&[row()], &console);
        for text in [
            "CAN BE BROKEN",
            "backups/sales/a.bak",
            "DIFFERENTIAL FILE of Sales, 2026-11-20 22:00:05, cut short; page blob of 3.5 MiB, changed 2 h 5 min ago",
            "backup (TAPE), quiet 1 h 1 min",
            "Why.",
        ] {
            assert!(shown.contains(text), "{text} in {shown}");
        }
        assert_eq!(sum(&[row(), row()]), "2 can be broken");
    }

    #[test]
    fn a_hostile_name_acts_on_no_terminal() {
        let hostile = Row {
            blob: Some("a\u{1b}[2Jb\u{9b}31m\rc\u{202e}kab".to_owned()),
            database_name: Some("x\u{7}y".to_owned()),
            ..row()
        };
        let console = Console::new(Some(crate::console::Format::Table), false);
        for text in [show(std::slice::from_ref(&hostile), &console), line(&hostile)] {
            let bad: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
            assert!(bad.is_empty(), "{bad:?}");
            assert!(
                text.contains("a\u{fffd}[2Jb\u{fffd}31m\u{fffd}c\u{fffd}kab"),
                "{text}"
            );
        }
    }
}
