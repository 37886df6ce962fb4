//! `bac2 blob list`: what a data directory holds, who holds it locked, and what its bytes prove.
//!
//! A running server holds the directory, so it is asked through its socket; where none runs, the store is opened here,
//! read-only. Both give the same list, which is the contract of the JSON.

use std::io;
use std::path::{Path, PathBuf};

use azblob::lease::LeaseStatus;
use blobstore::{BlobKind, Store};
use clap::Args;
use frontdoor::listing::{self, Entry, ShownVerdict};

use super::open_to_read;
use crate::console::{Console, Format};
use crate::failure::Failure;
use crate::inspect::words;
use crate::paint::{Tone, cell, figures, only_break, table, toned, verdict_words};
use crate::quantity::{counted, size};

/// Lists what a folder holds, with each blob's proof.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 blob list --data ./vault
  bac2 blob list --data ./vault -o json | jq '.[] | select(.leaseState == \"leased\") | .name'

Works while a server runs on the folder, and without one. Verdicts: as bac2 verify; pending while a
backup is still being written or checked; none for what is no SQL Server backup.")]
pub(crate) struct Arguments {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let listed = had(&arguments.data, console, listing::ask, listing::entries)?;
    match console.format() {
        Format::Json => console.json(&listed),
        Format::Table => console.text(&show(&listed, console)),
    }
}

/// The blobs of a data directory, with what their logs look like.
pub(crate) fn entries_with_logs(data: &Path, console: &Console) -> Result<Vec<Entry>, Failure> {
    had(data, console, listing::ask_with_logs, listing::entries_with_logs)
}

/// What the server that runs on the directory has, or what the directory itself says where none runs.
fn had(
    data: &Path,
    console: &Console,
    ask: impl Fn(&Path) -> io::Result<Option<Vec<Entry>>>,
    entries: impl Fn(&Store) -> Vec<Entry>,
) -> Result<Vec<Entry>, Failure> {
    let asked = ask(data).map_err(|error| {
        Failure::failed(
            "ServerDoesNotAnswer",
            format!(
                "the server that runs on {} did not answer: {error}",
                data.display()
            ),
            "look at its log; bac2 blob export reads the directory without it",
        )
    })?;
    if let Some(entries) = asked {
        return Ok(entries);
    }
    let store = open_to_read(data)?;
    for (account, container, why) in store.broken_files() {
        console.warn(format!("a blob of {account}/{container} cannot be read: {why}"));
    }
    Ok(entries(&store))
}

fn show(blobs: &[Entry], console: &Console) -> String {
    if blobs.is_empty() {
        return "nothing is stored here\n".to_owned();
    }
    let mut table = table(
        console,
        &[
            "verdict",
            "account/container/name",
            "holds",
            "size",
            "lease, seal",
        ],
    );
    for blob in blobs {
        let (tone, verdict) = match blob.verdict {
            Some(ShownVerdict::Judged(verdict)) => (Tone::of(verdict), verdict_words(verdict)),
            Some(waiting) => (Tone::Doubtful, waiting.as_str()),
            None => (Tone::Faint, "no backup"),
        };
        let committed = if blob.committed {
            match blob.kind {
                BlobKind::Block => size(blob.size),
                BlobKind::Page => format!("{}, page blob", size(blob.size)),
                BlobKind::Append => format!("{}, append blob", size(blob.size)),
            }
        } else {
            "nothing committed".to_owned()
        };
        let locked = blob.lease_status == LeaseStatus::Locked;
        let duration = blob
            .lease_duration
            .map(|kind| format!(", {}", kind.as_str()))
            .unwrap_or_default();
        let seal = if blob.sealed { "; sealed" } else { "" };
        let lease = format!("{}{duration}{seal}", blob.lease_state.as_str());
        table.add_row(vec![
            toned(tone, verdict),
            cell(&format!("{}/{}/{}", blob.account, blob.container, blob.name)),
            cell(&holds(blob)),
            figures(&committed),
            toned(if locked { Tone::Doubtful } else { Tone::Faint }, &lease),
        ]);
    }
    only_break(&mut table, &[1, 2]);
    let bytes = blobs.iter().map(|blob| blob.size).sum();
    format!(
        "{}\n\n{}, {}\n",
        table.trim_fmt(),
        counted(blobs.len() as u64, "blob"),
        size(bytes)
    )
}

/// `FULL of Sales, 2026-11-20 22:00:05`
fn holds(blob: &Entry) -> String {
    let sets = blob.sets.iter().map(|set| {
        let when = words::moment(set.backup_start_date);
        format!(
            "{} of {}, {when}",
            words::backup_type(set.backup_type),
            set.database_name
        )
    });
    sets.collect::<Vec<_>>().join("; ")
}
