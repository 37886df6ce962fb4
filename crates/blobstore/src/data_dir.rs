//! The data directory: its format, its generation, its lock.
//!
//! ```text
//! DIR/store.json                       format, id, generation; replaced at every start
//! DIR/lock                             locked by whoever has the store open
//! DIR/reserve                          space kept for deletes and the end of leases
//! DIR/blobs/ACCOUNT/service.json       what the account's Blob service is set to, if it is
//! DIR/blobs/ACCOUNT/CONTAINER/         container.json, and XX/HASH.blob
//! DIR/trash/                           deleted containers until they are purged
//! ```
//!
//! `HASH` is BLAKE3 of the blob's name in hex, `XX` its first two digits. Names of other things in DIR are not
//! the store's and are left alone. The generation rises with every start for writing and is in every frame.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::disk::{Access, Disk, DiskFile, LockGuard, LockKind, SyncPoint};
use crate::error::OpenError;
use crate::health::is_out_of_space;
use crate::reserve::Reserve;

/// The format this version writes, and the newest it reads.
pub const FORMAT: u64 = 2;

/// Name of the file with the space put by.
pub(crate) const RESERVE: &str = "reserve";

/// `store.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoreRecord {
    format: u64,
    store_id: Uuid,
    generation: u64,
}

/// An open data directory.
pub(crate) struct DataDir {
    pub(crate) root: PathBuf,
    pub(crate) store_id: Uuid,
    pub(crate) generation: u64,
    /// Held until the store is dropped.
    pub(crate) _lock: Option<LockGuard>,
}

impl DataDir {
    /// Opens for writing: takes the lock and the next generation, on a full disk through the reserve. Makes what
    /// is missing in a new directory.
    pub(crate) fn open(
        disk: &dyn Disk,
        root: &Path,
        fresh_id: u128,
        reserve: &Reserve,
    ) -> Result<Self, OpenError> {
        create_dir(disk, root)?;
        let lock = lock(disk, root, LockKind::Exclusive)?;
        disk.sync_all_below(root, SyncPoint::Start)
            .map_err(|source| io_error(root, source))?;
        let blobs = root.join("blobs");
        let record = match read_record(disk, root)? {
            Some(record) => StoreRecord {
                generation: record.generation + 1,
                format: FORMAT,
                ..record
            },
            None => {
                let filled = disk.list(&blobs).is_ok_and(|entries| !entries.is_empty());
                if filled {
                    return Err(not_a_store(root, "it has blobs and no store.json"));
                }
                sync_parent(disk, root)?;
                StoreRecord {
                    format: FORMAT,
                    store_id: Uuid::from_u128(fresh_id),
                    generation: 1,
                }
            }
        };
        create_dir(disk, &blobs)?;
        create_dir(disk, &root.join("trash"))?;
        let path = root.join("store.json");
        let bytes = serde_json::to_vec_pretty(&record).expect("the record has string keys only");
        let replace = || {
            replace_file(disk, &path, &bytes, SyncPoint::StoreRecord)
                .and_then(|()| disk.sync_dir(root, SyncPoint::StoreEntry))
        };
        let mut replaced = replace();
        while replaced.as_ref().is_err_and(is_out_of_space) && reserve.give_up_step(disk) {
            replaced = replace();
        }
        replaced.map_err(|source| io_error(&path, source))?;
        Ok(Self {
            root: root.to_owned(),
            store_id: record.store_id,
            generation: record.generation,
            _lock: Some(lock),
        })
    }

    /// Opens for reading; nobody may be writing.
    pub(crate) fn open_read_only(disk: &dyn Disk, root: &Path) -> Result<Self, OpenError> {
        let record = read_record(disk, root)?.ok_or_else(|| not_a_store(root, "it has no store.json"))?;
        let lock = match lock(disk, root, LockKind::Shared) {
            // A copy without the lock file: nobody can hold it.
            Err(OpenError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => None,
            taken => Some(taken?),
        };
        Ok(Self {
            root: root.to_owned(),
            store_id: record.store_id,
            generation: record.generation,
            _lock: lock,
        })
    }

    /// Opens for reading whatever is there, written to or not, with a readable `store.json` or without.
    pub(crate) fn open_unlocked(disk: &dyn Disk, root: &Path) -> Result<Self, OpenError> {
        let record = match read_record(disk, root) {
            Ok(record) => record,
            Err(OpenError::NotAStore { why, .. }) => {
                tracing::warn!(%why, "going on without store.json");
                None
            }
            Err(error) => return Err(error),
        };
        if record.is_none() {
            let blobs = root.join("blobs");
            disk.list(&blobs)
                .map_err(|_| not_a_store(root, "it has neither store.json nor blobs"))?;
        }
        Ok(Self {
            root: root.to_owned(),
            store_id: record.as_ref().map_or(Uuid::nil(), |record| record.store_id),
            generation: record.map_or(0, |record| record.generation),
            _lock: None,
        })
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(crate) fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }
}

/// Where a blob's file lies below its container's directory: shard and file name.
pub(crate) fn blob_file_name(blob: &str) -> (String, String) {
    let hash = blake3::hash(blob.as_bytes()).to_hex();
    (hash[..2].to_owned(), format!("{hash}.blob"))
}

/// Makes the name of a new data directory survive.
fn sync_parent(disk: &dyn Disk, root: &Path) -> Result<(), OpenError> {
    let parent = match root.parent() {
        None => return Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    disk.sync_dir(parent, SyncPoint::DataEntry)
        .map_err(|source| io_error(parent, source))
}

fn lock(disk: &dyn Disk, root: &Path, kind: LockKind) -> Result<LockGuard, OpenError> {
    let path = root.join("lock");
    let taken = disk.lock(&path, kind).map_err(|source| io_error(&path, source))?;
    taken.ok_or_else(|| OpenError::InUse {
        dir: root.display().to_string(),
        holder: holder(disk, root),
    })
}

/// Who holds the lock: the process id in the lock file, where the system lets others read it.
fn holder(disk: &dyn Disk, root: &Path) -> String {
    let text = read_file(disk, &root.join("lock")).unwrap_or_default();
    match String::from_utf8_lossy(&text).trim().parse::<u32>() {
        Ok(pid) => format!(" (process {pid})"),
        Err(_) => String::new(),
    }
}

fn read_record(disk: &dyn Disk, root: &Path) -> Result<Option<StoreRecord>, OpenError> {
    let path = root.join("store.json");
    let bytes = match read_file(disk, &path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error(&path, source)),
    };
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| not_a_store(root, &format!("store.json: {error}")))?;
    // The format first: a later version may have changed everything else.
    let found = value.get("format").and_then(serde_json::Value::as_u64);
    match found {
        None => Err(not_a_store(root, "store.json names no format")),
        Some(found) if found > FORMAT => Err(OpenError::NewerFormat {
            dir: root.display().to_string(),
            found,
            known: FORMAT,
        }),
        Some(_) => serde_json::from_value(value)
            .map(Some)
            .map_err(|error| not_a_store(root, &format!("store.json: {error}"))),
    }
}

/// Makes a directory unless it is there.
fn create_dir(disk: &dyn Disk, path: &Path) -> Result<(), OpenError> {
    ensure_dir(disk, path)
        .map(|_| ())
        .map_err(|source| io_error(path, source))
}

/// Makes a directory unless it is there; says whether it was made.
pub(crate) fn ensure_dir(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    match disk.create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Replaces a small file in one step. The directory is left for the caller to sync.
pub(crate) fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8], point: SyncPoint) -> io::Result<()> {
    let temporary = path.with_extension("json.tmp");
    match disk.remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.create(&temporary)?;
    let written = file.write_at(bytes, 0).and_then(|()| file.sync(point));
    if let Err(error) = written {
        // Best effort: what is left behind is removed by the next replacement.
        let _ = disk.remove_file(&temporary);
        return Err(error);
    }
    disk.rename(&temporary, path)
}

/// Reads a small file whole.
pub(crate) fn read_file(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file: Box<dyn DiskFile> = disk.open(path, Access::Read)?;
    let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
    let n = file.read_at(&mut bytes, 0)?;
    bytes.truncate(n);
    Ok(bytes)
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io {
        path: path.display().to_string(),
        source,
    }
}

fn not_a_store(root: &Path, why: &str) -> OpenError {
    OpenError::NotAStore {
        dir: root.display().to_string(),
        why: why.to_owned(),
    }
}
