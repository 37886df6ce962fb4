//! Snapshots: a blob as it was, kept beside it.
//!
//! A blob's file is only ever appended to, so a snapshot is nothing more than one of its roots and a name that
//! keeps the file: the blob gets a root that says `taken`, and then its file gets a second name that tells the
//! blob's hash, the time and where that root lies. Nothing is copied, and no other root need be read to open it.
//!
//! - The root is durable before the name is made. A root that says `taken` without a name is no snapshot.
//! - An overwrite gives a new file the blob's name; the old file lives on under the names of its snapshots.
//! - A snapshot belongs to the blob of its own *line*, which ends with a deletion. So a deletion is done when the
//!   blob's own name is gone: names of snapshots that a crash left behind mean nothing to a later blob.
//! - Space below the newest snapshot of a file is not given back, see [`crate::put_block_list::give_back`].
//!
//! In memory a snapshot is a [`Blob`] that never changes.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use azblob::error::ErrorCode;
use azblob::etag::ETag;
use azblob::lease::Lease;
use azblob::metadata::Metadata;
use azblob::names::BlobName;
use azblob::snapshot::SnapshotTime;
use azblob::time::UnixMillis;

use crate::blob::{Blob, Opening, write_root};
use crate::blob_file::{BlobFile, End};
use crate::container::{Container, shard_of};
use crate::data_dir::blob_file_name;
use crate::disk::{Access, Disk, SyncPoint};
use crate::error::StoreError;
use crate::frame::{Kind, ROOT_BYTES};
use crate::health::read_failed;
use crate::permit::Permit;
use crate::properties::Properties;
use crate::root::{Held, OwnMetadata, Root, Taken};
use crate::store::{BlobPath, Core, Store};
use crate::survey::root_at;

/// A blob, or a snapshot of it. A [`BlobPath`] alone is the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which<'a> {
    /// The blob.
    pub path: &'a BlobPath,
    /// Its snapshot, if that is meant.
    pub snapshot: Option<SnapshotTime>,
}

impl<'a> From<&'a BlobPath> for Which<'a> {
    fn from(path: &'a BlobPath) -> Self {
        Self { path, snapshot: None }
    }
}

impl<'a> From<(&'a BlobPath, Option<SnapshotTime>)> for Which<'a> {
    fn from((path, snapshot): (&'a BlobPath, Option<SnapshotTime>)) -> Self {
        Self { path, snapshot }
    }
}

/// A snapshot that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotTaken {
    /// Its name.
    pub time: SnapshotTime,
    /// Its tag: the blob's, unless it has metadata of its own.
    pub etag: ETag,
    /// The blob's time of change, or now, likewise.
    pub last_modified: UnixMillis,
}

/// Where a snapshot lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotPlace {
    pub(crate) time: SnapshotTime,
    /// Offset of its root.
    root: u64,
    /// Identity of the file: the blob's own, until that is overwritten.
    identity: u128,
}

impl Store {
    /// Takes a snapshot of a committed blob, with its own metadata where some is given. A lease id is not
    /// needed, but must match when given. The blob itself does not change, so a sealed one will do.
    ///
    /// # Errors
    /// The protocol's: [`ErrorCode::BlobNotFound`], container, lease, condition;
    /// [`ErrorCode::SnapshotCountExceeded`] where the file system allows no more names for a file (ext4: 65,000),
    /// [`ErrorCode::BlobOperationNotSupported`] where it allows one only; those of changing anything.
    pub fn snapshot_blob(
        &self,
        path: &BlobPath,
        metadata: Option<&Metadata>,
        permit: &Permit<'_>,
    ) -> Result<SnapshotTaken, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        let _change = blob.begin_change();
        let now = core.now();
        let before = blob.state().root.clone().filter(|root| root.committed);
        let before = before.ok_or(ErrorCode::BlobNotFound)?;
        permit.check_read(&before, now)?;
        if before.copying {
            return Err(ErrorCode::PendingCopyOperation.into());
        }
        let newest = blob.snapshots().last_key_value().map(|(time, _)| *time);
        let time = SnapshotTime::next(now, before.last_snapshot.max(newest));
        let file = {
            let mut state = blob.state();
            core.file(&blob, &mut state)?
        };
        let own = match metadata {
            None => None,
            Some(metadata) => Some(core.write_own_metadata(&blob, &file, metadata, now)?),
        };
        let mut root = Root {
            last_snapshot: Some(time),
            taken: Some(Taken { at: time, own }),
            last_block: blob.state().last_block,
            ..(*before).clone()
        };
        let offset = write_root(&file, &mut root, Some(SyncPoint::Append), now)?;
        blob.state().publish(root.clone());
        let place = SnapshotPlace {
            time,
            root: offset,
            identity: file.identity(),
        };
        core.give_snapshot_name(&blob, place, root)
    }
}

impl Core {
    /// Writes the properties of a snapshot that differ from the blob's.
    fn write_own_metadata(
        &self,
        blob: &Blob,
        file: &BlobFile,
        metadata: &Metadata,
        now: UnixMillis,
    ) -> Result<OwnMetadata, StoreError> {
        let properties = Properties {
            metadata: metadata.clone(),
            ..(*blob.state().properties(blob, &self.opening())?).clone()
        };
        let text = serde_json::to_vec(&properties).expect("properties have string keys only");
        let (header, ticket) = file.append_frame(Kind::Text, &text, now)?;
        file.wait(ticket, SyncPoint::Append)?;
        Ok(OwnMetadata {
            etag: self.number(),
            last_modified: now,
            properties: header.offset,
        })
    }

    /// Gives the file of a root that is durable the name of its snapshot.
    fn give_snapshot_name(
        &self,
        blob: &Blob,
        place: SnapshotPlace,
        root: Root,
    ) -> Result<SnapshotTaken, StoreError> {
        let shard = shard_of(&blob.path);
        let path = shard.join(snapshot_file_name(blob.name.as_str(), &place));
        if let Err(error) = self.disk.link(&blob.path, &path) {
            return Err(match error.kind() {
                ErrorKind::TooManyLinks => ErrorCode::SnapshotCountExceeded.into(),
                ErrorKind::Unsupported | ErrorKind::PermissionDenied => {
                    ErrorCode::BlobOperationNotSupported.into()
                }
                _ => self.health().change_failed("linking", &path, &error),
            });
        }
        self.sync_dir(shard, SyncPoint::SnapshotEntry)?;
        let root = root_of_snapshot(root);
        let taken = SnapshotTaken {
            time: place.time,
            etag: root.etag(),
            last_modified: root.last_modified,
        };
        let snapshot = Blob::snapshot(blob.name.clone(), path, place, root);
        blob.snapshots().insert(taken.time, Arc::new(snapshot));
        Ok(taken)
    }
}

impl SnapshotPlace {
    /// Opens the file for reading. What comes after the snapshot's root is none of its business.
    pub(crate) fn open(&self, blob: &Blob, opening: &Opening<'_>) -> Result<Arc<BlobFile>, StoreError> {
        let file = opening
            .disk
            .open(&blob.path, Access::Read)
            .map_err(|error| read_failed(&blob.path, error))?;
        let end = End {
            offset: self.root + ROOT_BYTES,
            sequence: 0,
            with_root: true,
            root_at: self.root,
        };
        let file = BlobFile::new(file, blob.path.clone(), self.identity, opening.writing, &end);
        Ok(Arc::new(file))
    }
}

impl Blob {
    /// Takes a snapshot found at start.
    pub(crate) fn keep_snapshot(&self, snapshot: Self) {
        if let Some(place) = &snapshot.snapshot {
            let time = place.time;
            self.snapshots().insert(time, Arc::new(snapshot));
        }
    }

    /// Frames of this file that begin below it may belong to a snapshot, or be its root.
    pub(crate) fn pinned_below(&self, file: &BlobFile) -> u64 {
        let snapshots = self.snapshots();
        let places = snapshots
            .values()
            .filter_map(|snapshot| snapshot.snapshot.as_ref());
        let of_this_file = places.filter(|place| place.identity == file.identity());
        of_this_file
            .map(|place| place.root + ROOT_BYTES)
            .max()
            .unwrap_or(0)
    }
}

/// A snapshot of a blob by its time.
pub(crate) fn find_snapshot(
    container: &Container,
    blob: &Blob,
    time: SnapshotTime,
) -> Result<Arc<Blob>, StoreError> {
    if let Some(snapshot) = blob.snapshots().get(&time) {
        return Ok(Arc::clone(snapshot));
    }
    let begins = format!("{}-{:016x}-", hash_of(blob.name.as_str()), time.0);
    let broken = container.broken();
    match broken.iter().find(|(file, _)| file.starts_with(&begins)) {
        Some((_, why)) => Err(StoreError::Damaged { what: why.clone() }),
        None => Err(ErrorCode::BlobNotFound.into()),
    }
}

/// What the name of a snapshot's file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SnapshotName<'a> {
    /// Hash of the blob's name, as in the name of the blob's file.
    pub(crate) hash: &'a str,
    time: SnapshotTime,
    root: u64,
}

impl<'a> SnapshotName<'a> {
    /// Reads a file name; none for other files.
    pub(crate) fn parse(file_name: &'a str) -> Option<Self> {
        let mut parts = file_name.strip_suffix(".snap")?.split('-');
        let name = Self {
            hash: parts.next()?,
            time: SnapshotTime(u64::from_str_radix(parts.next()?, 16).ok()?),
            root: u64::from_str_radix(parts.next()?, 16).ok()?,
        };
        parts.next().is_none().then_some(name)
    }
}

impl SnapshotName<'_> {
    /// Frames that begin below it may belong to the snapshot, its root among them.
    pub(crate) fn pins_below(&self) -> u64 {
        self.root.saturating_add(ROOT_BYTES)
    }
}

/// Reads a snapshot found at start. None: it belongs to a blob that was deleted.
pub(crate) fn read_snapshot(
    disk: &dyn Disk,
    path: &Path,
    found: &SnapshotName<'_>,
    blob: &BlobName,
    line: u64,
) -> Result<Option<Blob>, String> {
    let file = disk.open(path, Access::Read).map_err(|error| error.to_string())?;
    let root = root_at(&*file, found.root).map_err(|error| error.to_string())?;
    let (header, root) = root.ok_or("the snapshot's root is unreadable")?;
    if root.line != line {
        return Ok(None);
    }
    if root.taken.as_ref().is_none_or(|taken| taken.at != found.time) {
        return Err("the root at that place is no snapshot of that time".into());
    }
    let place = SnapshotPlace {
        time: found.time,
        root: found.root,
        identity: header.identity,
    };
    let root = root_of_snapshot(root);
    Ok(Some(Blob::snapshot(blob.clone(), path.to_owned(), place, root)))
}

/// The state of a snapshot: the blob's, without what is the blob's alone.
fn root_of_snapshot(root: Root) -> Root {
    let own = root.taken.as_ref().and_then(|taken| taken.own.as_ref());
    Root {
        etag: own.map_or(root.etag, |own| own.etag),
        last_modified: own.map_or(root.last_modified, |own| own.last_modified),
        properties: own.map_or_else(|| root.properties.clone(), |own| Held::At(own.properties)),
        lease: Lease::Available,
        // The blob's seal holds for its snapshots; see delete.
        sealed: false,
        // No block of the file is uncommitted in the eyes of a snapshot.
        barrier: u64::MAX / 2,
        arriving: Vec::new(),
        last_block: None,
        ..root
    }
}

fn snapshot_file_name(blob: &str, place: &SnapshotPlace) -> String {
    format!("{}-{:016x}-{:x}.snap", hash_of(blob), place.time.0, place.root)
}

/// The hash of a blob's name, as in the name of its file.
fn hash_of(blob: &str) -> String {
    let mut name = blob_file_name(blob).1;
    name.truncate(name.len() - ".blob".len());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_comes_back() {
        let place = SnapshotPlace {
            time: SnapshotTime(12_996_349_549_360_000),
            root: 0x1_2000,
            identity: 1,
        };
        let name = snapshot_file_name("a", &place);
        let (_, base) = blob_file_name("a");
        let found = SnapshotName::parse(&name).unwrap();
        assert_eq!(format!("{}.blob", found.hash), base);
        assert_eq!((found.time, found.root), (place.time, place.root));
        assert_eq!(name[found.hash.len()..], *"-002e2c1c6e443380-12000.snap");
        for other in [base.as_str(), "x.snap", "x-1.snap", "x-1-2-3.snap", "x-y-z.snap"] {
            assert_eq!(SnapshotName::parse(other), None, "{other}");
        }
    }
}
