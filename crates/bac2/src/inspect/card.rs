//! One backup file on a card: everything a person asks of it, in the order they ask.

use std::fmt::Write as _;

use bak::{BackupSet, BackupType, DatabaseFile};

use super::{Inspected, words};
use crate::console::Console;
use crate::paint::{Tone, cell, figures, only_break, paint, printable, table};
use crate::quantity::size;

/// The card of one file.
pub(super) fn show(answer: &Inspected, console: &Console) -> String {
    let mut out = paint(console, Tone::Strong, &answer.file);
    write!(
        out,
        "  {}, {}",
        size(answer.size),
        words::container(answer.container)
    )
    .expect("a string grows");
    if let Some(media) = &answer.media {
        write!(out, ", blocks of {} bytes", media.physical_block_size).expect("a string grows");
        if media.family_count > 1 {
            let stripe = format!("stripe {} of {}", media.family_number, media.family_count);
            write!(out, ", {}", paint(console, Tone::Doubtful, &stripe)).expect("a string grows");
        }
        write!(out, "\nmedia set {}", media.media_set_id).expect("a string grows");
    }
    out.push('\n');
    for set in &answer.sets {
        out.push('\n');
        out.push_str(&one_set(set, console));
    }
    out
}

fn one_set(set: &BackupSet, console: &Console) -> String {
    let title = format!(
        "{}. {} backup of {}",
        set.position,
        words::backup_type(set.backup_type),
        set.database_name
    );
    let mut out = paint(console, Tone::Strong, &title);
    if !set.complete {
        write!(out, "  {}", paint(console, Tone::Bad, "not complete")).expect("a string grows");
    }
    out.push('\n');
    let mut line = |name: &str, value: &str| {
        let name = paint(console, Tone::Faint, &format!("{name:<11}"));
        writeln!(out, "   {name} {}", printable(value)).expect("a string grows");
    };
    line(
        "server",
        &format!("{}, {}", set.server_name, words::product(set.software_version)),
    );
    line(
        "taken",
        &format!(
            "{}, by {} on {}",
            words::taken(set),
            set.user_name,
            set.machine_name
        ),
    );
    for (name, text) in [
        ("name", &set.backup_name),
        ("description", &set.backup_description),
    ] {
        if !text.is_empty() {
            line(name, text);
        }
    }
    line("database", &database(set));
    line("size", &sizes(set));
    if let (Some(first), Some(last)) = (set.first_lsn, set.last_lsn) {
        line("log", &format!("LSN {first} to {last}"));
    }
    if let Some(checkpoint) = set.checkpoint_lsn {
        line("checkpoint", &format!("LSN {checkpoint}"));
    }
    if let Some(base) = base(set) {
        line("based on", &base);
    }
    if let Some(fork) = set.fork_point_lsn {
        line("forked at", &format!("LSN {fork}"));
    }
    if let Some(guid) = set.backup_set_guid {
        line("set id", &guid.to_string());
    }
    if !set.files.is_empty() {
        out.push('\n');
        out.push_str(&files(&set.files, console));
    }
    out
}

fn database(set: &BackupSet) -> String {
    let model = words::recovery_model(set.recovery_model);
    let created = words::moment(set.database_creation_date);
    format!(
        "{model} recovery, compatibility {}, created {created}",
        set.compatibility_level
    )
}

fn sizes(set: &BackupSet) -> String {
    let mut parts = vec![size(set.backup_size)];
    if set.compressed {
        parts.push("before compression".to_owned());
    }
    parts.push(
        if set.has_backup_checksums {
            "WITH CHECKSUM"
        } else {
            "no backup checksum"
        }
        .to_owned(),
    );
    if set.is_copy_only {
        parts.push("COPY_ONLY".to_owned());
    }
    if set.has_bulk_logged_data {
        parts.push("bulk-logged changes".to_owned());
    }
    parts.join(", ")
}

/// What must be restored before this set.
fn base(set: &BackupSet) -> Option<String> {
    match set.backup_type {
        BackupType::Differential | BackupType::DifferentialFile | BackupType::DifferentialPartial => {
            let guid = set
                .differential_base_guid
                .map(|guid| format!(" ({guid})"))
                .unwrap_or_default();
            set.differential_base_lsn
                .map(|lsn| format!("the full with checkpoint LSN {lsn}{guid}"))
        }
        BackupType::Log => set
            .database_backup_lsn
            .map(|lsn| format!("the full with checkpoint LSN {lsn}, or a later one")),
        _ => None,
    }
}

fn files(files: &[DatabaseFile], console: &Console) -> String {
    let mut table = table(
        console,
        &["file", "name", "type", "filegroup", "size", "path on the server"],
    );
    for file in files {
        table.add_row(vec![
            figures(&file.file_id.to_string()),
            cell(&file.logical_name),
            cell(words::file_type(file.file_type)),
            cell(file.filegroup.as_deref().unwrap_or("")),
            figures(&size(file.size)),
            cell(&file.physical_name),
        ]);
    }
    only_break(&mut table, &[1, 5]);
    let mut out = String::new();
    for row in table.lines() {
        writeln!(out, "  {}", row.trim_end()).expect("a string grows");
    }
    out
}
