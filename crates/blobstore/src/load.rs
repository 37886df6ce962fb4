//! Reading the whole directory at start.
//!
//! A quiet blob costs opening its file and one read of 8 KiB. What is unreadable is noted and left alone: one
//! damaged file must not keep the others from being served.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::time::UnixMillis;

use crate::blob::Blob;
use crate::blob_file::{Writing, read_frame};
use crate::container::{Container, ContainerRecord};
use crate::content_log::{Log, Source};
use crate::data_dir::{DataDir, blob_file_name, io_error, read_file};
use crate::disk::{Access, Disk, DiskFile};
use crate::error::{OpenError, StoreError};
use crate::frame::Kind;
use crate::recovery::recover;
use crate::reserve::Reserve;
use crate::root::Root;
use crate::snapshot::{SnapshotName, read_snapshot};
use crate::store::Accounts;
use crate::survey::{Birth, Repair, Survey, SurveyError, survey};

/// All containers with the state of their blobs. With a reserve for writing: what a crash left is cleared away.
pub(crate) fn accounts(
    disk: &dyn Disk,
    dir: &DataDir,
    writing: &Writing,
    reserve: Option<&Reserve>,
    now: UnixMillis,
) -> Result<Accounts, OpenError> {
    let mut accounts = Accounts::new();
    let loading = Loading {
        disk,
        writing,
        reserve,
        now,
    };
    for account in loading.dirs(&dir.blobs())? {
        let Ok(name) = AccountName::new(account.as_str()) else {
            continue;
        };
        let account_dir = dir.blobs().join(&account);
        let mut containers = BTreeMap::new();
        for entry in loading.dirs(&account_dir)? {
            let container_dir = account_dir.join(&entry);
            if entry.starts_with(NEW_CONTAINER) {
                // Never got its name, so was never acknowledged.
                if reserve.is_some() {
                    remove_tree(disk, &container_dir);
                }
            } else if let Ok(container_name) = ContainerName::new(entry) {
                let container = loading.container(&name, &container_name, &container_dir)?;
                containers.insert(container_name, Arc::new(container));
            }
        }
        accounts.insert(name, containers);
    }
    Ok(accounts)
}

/// Beginning of the name of a container's directory before it has its own.
pub(crate) const NEW_CONTAINER: &str = ".new-";

struct Loading<'a> {
    disk: &'a dyn Disk,
    writing: &'a Writing,
    reserve: Option<&'a Reserve>,
    now: UnixMillis,
}

impl Loading<'_> {
    fn dirs(&self, path: &Path) -> Result<Vec<String>, OpenError> {
        let entries = match self.disk.list(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error(path, error)),
        };
        Ok(entries.into_iter().filter(|e| e.is_dir).map(|e| e.name).collect())
    }

    fn container(
        &self,
        account: &AccountName,
        name: &ContainerName,
        dir: &Path,
    ) -> Result<Container, OpenError> {
        let record = read_file(self.disk, &dir.join("container.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<ContainerRecord>(&bytes).ok());
        let record = record.unwrap_or_else(|| {
            tracing::error!(dir = %dir.display(), "container.json is unreadable; the container is served without its metadata");
            ContainerRecord {
                account: account.clone(),
                container: name.clone(),
                etag: self.writing.generation,
                created: self.now,
                last_modified: self.now,
                lease: azblob::lease::Lease::Available,
                metadata: azblob::metadata::Metadata::default(),
                policies: Vec::new(),
            }
        });
        let container = Container::new(dir.to_owned(), record);
        for shard in self.dirs(dir)? {
            let shard_dir = dir.join(&shard);
            let entries = self
                .disk
                .list(&shard_dir)
                .map_err(|error| io_error(&shard_dir, error))?;
            let (snapshots, blobs): (Vec<String>, Vec<String>) = entries
                .into_iter()
                .filter(|entry| !entry.is_dir)
                .map(|entry| entry.name)
                .partition(|name| name.ends_with(".snap"));
            // Which of them are of a blob's very file is not known yet, so that all of its name count.
            let mut pins: BTreeMap<&str, u64> = BTreeMap::new();
            for name in snapshots.iter().filter_map(|name| SnapshotName::parse(name)) {
                let below = pins.entry(name.hash).or_default();
                *below = name.pins_below().max(*below);
            }
            let mut found = BTreeMap::new();
            for file_name in blobs {
                let hash = file_name.strip_suffix(".blob").unwrap_or_default();
                let pinned_below = pins.get(hash).copied().unwrap_or(0);
                if let Some(blob) = self.file(&container, &shard_dir, &file_name, pinned_below)
                    && !snapshots.is_empty()
                {
                    found.insert(file_name, blob);
                }
            }
            for file_name in snapshots {
                self.snapshot(&container, &found, &shard_dir, file_name);
            }
        }
        Ok(container)
    }

    /// Takes a file that is no snapshot; returns the blob in it, if there is a readable one.
    fn file(
        &self,
        container: &Container,
        shard_dir: &Path,
        file_name: &str,
        pinned_below: u64,
    ) -> Option<Arc<Blob>> {
        let path = shard_dir.join(file_name);
        if file_name.ends_with(".tmp") {
            // A Put Blob that never got its name.
            if self.reserve.is_some()
                && let Err(error) = self.disk.remove_file(&path)
            {
                tracing::warn!(path = %path.display(), %error, "a temporary file could not be removed");
            }
            return None;
        }
        if !file_name.ends_with(".blob") {
            return None;
        }
        match self.blob(&path, file_name, pinned_below) {
            Ok((name, root)) => Some(container.found(Blob::new(name, path, Some(root)))),
            Err(why) => {
                tracing::error!(path = %path.display(), %why, "a blob file is unreadable");
                container.found_broken(file_name.to_owned(), format!("{}: {why}", path.display()));
                None
            }
        }
    }

    /// Takes a snapshot, with the blobs of its directory by file name.
    fn snapshot(
        &self,
        container: &Container,
        blobs: &BTreeMap<String, Arc<Blob>>,
        shard_dir: &Path,
        file_name: String,
    ) {
        let Some(name) = SnapshotName::parse(&file_name) else {
            return;
        };
        let blob_file = format!("{}.blob", name.hash);
        let path = shard_dir.join(&file_name);
        let read = match blobs.get(&blob_file) {
            // Its blob is there and unreadable: nothing is known of the line, so nothing is thrown away.
            None if container.broken().contains_key(&blob_file) => return,
            None => Ok(None),
            Some(blob) => {
                let line = blob.state().root.as_ref().map_or(0, |root| root.line);
                read_snapshot(self.disk, &path, &name, &blob.name, line)
                    .map(|snapshot| snapshot.map(|snapshot| (blob, snapshot)))
            }
        };
        match read {
            Ok(Some((blob, snapshot))) => blob.keep_snapshot(snapshot),
            Ok(None) if self.reserve.is_some() => {
                tracing::info!(path = %path.display(), "a snapshot of a deleted blob is removed");
                if let Err(error) = self.disk.remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "it could not be removed");
                }
            }
            Ok(None) => {}
            Err(why) => {
                tracing::error!(path = %path.display(), %why, "a snapshot is unreadable");
                container.found_broken(file_name, format!("{}: {why}", path.display()));
            }
        }
    }

    /// Without recovery: the root of a page or append blob as the changes behind it made it.
    fn bring_up(&self, path: &Path, found: &mut Survey, repair: &Repair) -> Result<(), String> {
        if found.root.log.is_none() {
            return Ok(());
        }
        let file = (self.disk.open(path, Access::Read)).map_err(|error| error.to_string())?;
        let source = Source {
            file: &*file,
            path,
            identity: found.root_header.identity,
            end: found.end,
            torn: &repair.voids.iter().map(|header| header.offset).collect(),
            until: None,
        };
        match Log::load(&source, &found.root, self.writing.changes_per_map) {
            Ok(log) => log.bring_up(&mut found.root),
            // It is reported by whoever reads it.
            Err(error) => tracing::error!(%error, "the content of a blob is unreadable"),
        }
        Ok(())
    }

    fn blob(&self, path: &Path, file_name: &str, pinned_below: u64) -> Result<(BlobName, Root), String> {
        loop {
            let file = self
                .disk
                .open(path, Access::Read)
                .map_err(|error| error.to_string())?;
            let mut found = survey(&*file).map_err(|error| match error {
                SurveyError::Io(error) => error.to_string(),
                SurveyError::Damaged(what) => what,
            })?;
            let name = name_of(&*file, path, &found, file_name)?;
            drop(file);
            let Some(repair) = found.repair.take() else {
                return Ok((name, at_rest(found.root)));
            };
            let Some(reserve) = self.reserve else {
                self.bring_up(path, &mut found, &repair)?;
                return Ok((name, at_rest(found.root)));
            };
            match recover(
                self.disk,
                path,
                found,
                &repair,
                pinned_below,
                self.writing,
                self.now,
            ) {
                Ok(root) => return Ok((name, at_rest(root))),
                Err(StoreError::DiskFull) if reserve.give_up_step(self.disk) => {}
                Err(error) => return Err(format!("recovery failed: {error}")),
            }
        }
    }
}

/// A root as a start takes it over: nobody is at a copy that was under way.
fn at_rest(root: Root) -> Root {
    Root {
        copying: false,
        ..root
    }
}

/// The name of the blob in a file, checked against the file's own.
pub(crate) fn name_of(
    file: &dyn DiskFile,
    path: &Path,
    found: &Survey,
    file_name: &str,
) -> Result<BlobName, String> {
    let name = match &found.root.name {
        Some(name) => name.clone(),
        None => {
            let birth = read_frame(file, path, found.root_header.identity, 0, Kind::Birth)
                .map_err(|error| error.to_string())?;
            serde_json::from_slice::<Birth>(&birth)
                .map_err(|error| error.to_string())?
                .name
        }
    };
    if blob_file_name(&name).1 != file_name {
        return Err("the file holds a blob of another name".into());
    }
    BlobName::new(name).map_err(|code| code.to_string())
}

/// Removes a directory of files and of directories of files, as far as that goes.
pub(crate) fn remove_tree(disk: &dyn Disk, dir: &Path) {
    for entry in disk.list(dir).unwrap_or_default() {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            remove_tree(disk, &path);
        } else if let Err(error) = disk.remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "could not be removed");
        }
    }
    if let Err(error) = disk.remove_dir(dir) {
        tracing::warn!(path = %dir.display(), %error, "could not be removed");
    }
}
