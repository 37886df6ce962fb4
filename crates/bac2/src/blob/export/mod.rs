//! `bac2 blob export`: backups as plain files, from the data directory alone.
//!
//! The way out when all else is broken: no server, catalog, key or network is needed, nothing in the data directory is
//! changed, and a damaged blob does not keep its neighbours from coming out. What is written was checked against its
//! checksums; where a part of a blob is lost, the rest is written under a name that says so and never as the backup itself.

mod copy;
mod names;
mod show;

use std::path::{Path, PathBuf};

use bak::{BackupSet, BackupType, Report, Verdict, Verifier};
use blobstore::{BlobReader, InventoryEntry, Permit, Store, StoreError};
use clap::Args;
use serde::Serialize;

use super::{open_to_export, sentence};
use crate::console::{Console, Format};
use crate::failure::{Exit, Failure};
use crate::progress::Progress;
use copy::Copied;
use names::Names;

/// Writes backups out as files, from the folder alone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bac2 blob export --data ./vault --to ./out
  bac2 blob export --data ./vault --database Sales --to ./out
  bac2 blob export --data ./vault --container backups --to ./out --dry-run

Needs the folder and nothing else. A file that is there already is kept; --yes replaces it. A blob
of which parts are lost is written as NAME.damaged with zeros in their place. Exit code 1 when
anything was damaged or could not be written.")]
pub(crate) struct Arguments {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Folder to write to; made where it does not exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// Only this container
    #[arg(long, value_name = "NAME")]
    container: Option<String>,

    /// Only backups of this database
    #[arg(long, value_name = "NAME")]
    database: Option<String>,

    /// Replace files that are there already
    #[arg(long)]
    yes: bool,

    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// What became of one blob.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Exported {
    account: String,
    container: String,
    /// None for a file of the store that does not say which blob it is.
    name: Option<String>,
    /// Where it was written.
    file: Option<PathBuf>,
    size: u64,
    status: Status,
    /// As `bac2 verify` says it of the blob's content.
    verdict: Option<Verdict>,
    detail: Option<String>,
}

/// How it ended for one blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Status {
    /// Written, every byte checked.
    Written,
    /// It would be written, were this no dry run.
    Planned,
    /// A file with the same content was there.
    Same,
    /// A file with another content was there and was kept.
    Exists,
    /// Nothing was committed, so there is nothing to write.
    Empty,
    /// Parts are lost.
    Damaged,
    /// Nothing of it could be read.
    Unreadable,
    /// The file could not be written.
    Failed,
}

impl Status {
    fn exit(self) -> Exit {
        match self {
            Self::Written | Self::Planned | Self::Same | Self::Empty => Exit::Done,
            Self::Exists | Self::Damaged | Self::Unreadable | Self::Failed => Exit::Failed,
        }
    }
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<(), Failure> {
    let store = open_to_export(&arguments.data)?;
    let mut entries = store.inventory();
    let several_accounts = entries
        .windows(2)
        .any(|pair| pair[0].path.account != pair[1].path.account);
    entries.retain(|entry| {
        arguments
            .container
            .as_deref()
            .is_none_or(|c| c == entry.path.container.as_str())
    });
    let progress = Progress::bytes(console, Some(entries.iter().map(|entry| entry.view.size).sum()));
    let mut names = Names::default();
    let mut exported = Vec::new();
    for entry in &entries {
        progress.at(entry.path.blob.as_str());
        let blob = Blob::open(&store, entry);
        if arguments
            .database
            .as_deref()
            .is_some_and(|wanted| !blob.is_of(wanted))
        {
            continue;
        }
        let folders: &[&str] = &[entry.path.account.as_str(), entry.path.container.as_str()];
        let folders = if several_accounts { folders } else { &folders[1..] };
        let path = arguments
            .to
            .join(names.give(folders, entry.path.blob.as_str(), blob.ending()));
        exported.push(export(entry, blob, path, arguments, &progress));
    }
    progress.clear();
    exported.extend(broken(&store, arguments));
    for one in &exported {
        console.ended(one.status.exit());
    }
    if exported.is_empty() {
        return Err(Failure::failed(
            "NothingToExport",
            format!("nothing in {} is what was asked for", arguments.data.display()),
            "bac2 blob list --data DIR shows what is there",
        ));
    }
    match console.format() {
        Format::Json => console.json(&exported),
        Format::Table => console.text(&show::show(&exported, console)),
    }
}

/// A blob's content as far as it can be read, and what it says it is.
struct Blob {
    reader: Result<BlobReader, StoreError>,
    sets: Vec<BackupSet>,
}

impl Blob {
    fn open(store: &Store, entry: &InventoryEntry) -> Self {
        let reader = store.open_blob(&entry.path, &Permit::NONE);
        // The stored report says what the blob holds; without one, its headers do.
        let report = entry.proof.as_ref().and_then(|proof| proof.report.as_ref());
        let report = report.and_then(|report| serde_json::from_str::<Report>(report.get()).ok());
        let report = report.or_else(|| reader.as_ref().ok().and_then(|reader| headers(reader).ok()));
        Self {
            reader,
            sets: report.map(|report| report.sets).unwrap_or_default(),
        }
    }

    /// Whether it holds a backup of this database. SQL Server's names do not tell case apart, as a rule.
    fn is_of(&self, database: &str) -> bool {
        self.sets
            .iter()
            .any(|set| set.database_name.to_lowercase() == database.to_lowercase())
    }

    /// The ending of a file that holds this; none where it is no backup.
    fn ending(&self) -> Option<&'static str> {
        self.sets.first().map(|set| {
            if set.backup_type == BackupType::Log {
                ".trn"
            } else {
                ".bak"
            }
        })
    }
}

/// Reads a blob's headers, passing over its payload.
fn headers(reader: &BlobReader) -> Result<Report, StoreError> {
    let mut verifier = Verifier::headers_only();
    let mut buffer = vec![0; copy::PIECE_BYTES];
    while verifier.bytes() < reader.size() {
        let left = reader.size() - verifier.bytes();
        let ahead = verifier.skippable().min(left);
        if ahead > 0 {
            verifier.skip(ahead);
            continue;
        }
        if reader.next_data(verifier.bytes()).is_none() {
            // The rest of a page blob that was declared larger than what was written into it.
            break;
        }
        let piece = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        reader.read_at(verifier.bytes(), &mut buffer[..piece])?;
        verifier.push(&buffer[..piece]);
    }
    Ok(verifier.finish())
}

fn export(
    entry: &InventoryEntry,
    blob: Blob,
    path: PathBuf,
    arguments: &Arguments,
    progress: &Progress,
) -> Exported {
    let (status, file, detail) = match blob.reader {
        _ if !entry.view.committed || entry.view.size == 0 => (
            Status::Empty,
            None,
            Some("nothing was committed: the upload did not finish".to_owned()),
        ),
        Err(error) => (Status::Unreadable, None, Some(sentence(&error))),
        Ok(_) if arguments.dry_run => (Status::Planned, Some(path), None),
        Ok(reader) => written(&reader, &path, arguments.yes, progress),
    };
    Exported {
        account: entry.path.account.to_string(),
        container: entry.path.container.to_string(),
        name: Some(entry.path.blob.to_string()),
        file,
        size: entry.view.size,
        status,
        verdict: entry.proof.as_ref().and_then(|proof| proof.verdict),
        detail,
    }
}

fn written(
    reader: &BlobReader,
    path: &Path,
    replace: bool,
    progress: &Progress,
) -> (Status, Option<PathBuf>, Option<String>) {
    match copy::to_file(reader, path, replace, |bytes| progress.add(bytes)) {
        Ok(Copied::Whole) => (Status::Written, Some(path.to_owned()), None),
        Ok(Copied::Same) => (Status::Same, Some(path.to_owned()), None),
        Ok(Copied::Kept) => (
            Status::Exists,
            Some(path.to_owned()),
            Some("a file with another content is there; --yes replaces it".to_owned()),
        ),
        Ok(Copied::WithHoles {
            file,
            lost_bytes,
            first,
        }) => (
            Status::Damaged,
            Some(file),
            Some(format!("{lost_bytes} bytes are lost and are zeros here; {first}")),
        ),
        Err(error) => (Status::Failed, None, Some(format!("{}: {error}", path.display()))),
    }
}

/// Files of the store that do not even say which blob they are.
fn broken(store: &Store, arguments: &Arguments) -> Vec<Exported> {
    let wanted = arguments.container.as_deref();
    let files = store.broken_files().into_iter();
    let files = files.filter(|(_, container, _)| wanted.is_none_or(|wanted| wanted == container.as_str()));
    files
        .map(|(account, container, why)| Exported {
            account: account.to_string(),
            container: container.to_string(),
            name: None,
            file: None,
            size: 0,
            status: Status::Unreadable,
            verdict: None,
            detail: Some(why),
        })
        .collect()
}
