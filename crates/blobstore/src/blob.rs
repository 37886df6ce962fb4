//! One blob in memory: its state, its open file, and the locks that keep changes in order.
//!
//! - `change` is held over a whole change of the root (lease, commit, overwrite, metadata, delete), its sync
//!   included, so that changes of one blob follow each other and none is seen before it is durable. Changes that need
//!   no root (pages, appended blocks) share it: any number of them at once, and no root between their judgement and
//!   their being seen.
//! - `state` is held for moments, never over a sync. Blocks that arrive take only this one.
//!
//! Order: `change`, then `state`, then the file's own lock. The file is opened on demand and may be closed
//! whenever it is quiet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use azblob::copy::CopyState;
use azblob::etag::ETag;
use azblob::lease::{Lease, LeaseView};
use azblob::names::BlobName;
use azblob::snapshot::SnapshotTime;
use azblob::time::UnixMillis;

use crate::blob_file::{BlobFile, End, Writing};
use crate::block_list::CommittedList;
use crate::content_log::{Log, Source};
use crate::copy::shown;
use crate::disk::{Access, Disk, SyncPoint};
use crate::error::StoreError;
use crate::frame::{Kind, ROOT_PAYLOAD_MAX};
use crate::health::read_failed;
use crate::properties::{BlobKind, Properties};
use crate::root::{CommitId, Held, Root};
use crate::snapshot::SnapshotPlace;
use crate::survey::{SurveyError, survey};
use crate::uncommitted::Uncommitted;

pub(crate) struct Blob {
    pub(crate) name: BlobName,
    pub(crate) path: PathBuf,
    /// Set in a snapshot, which never changes.
    pub(crate) snapshot: Option<SnapshotPlace>,
    change: RwLock<()>,
    state: Mutex<State>,
    /// The blob's snapshots by time. Changed under `change` only; its lock is held for moments.
    snapshots: Mutex<Snapshots>,
}

/// The snapshots of one blob.
pub(crate) type Snapshots = BTreeMap<SnapshotTime, Arc<Blob>>;

#[derive(Default)]
pub(crate) struct State {
    /// None: there is no such blob (any more, or yet).
    pub(crate) root: Option<Arc<Root>>,
    pub(crate) file: Option<Arc<BlobFile>>,
    pub(crate) list: Option<Arc<CommittedList>>,
    pub(crate) uncommitted: Option<Uncommitted>,
    /// Of page and append blobs.
    pub(crate) log: Option<Arc<Log>>,
    /// Frames in the open file that were never completed.
    pub(crate) torn: BTreeSet<u64>,
    pub(crate) properties: Option<Arc<Properties>>,
    /// When the last block came that is still uncommitted; ahead of the root's.
    pub(crate) last_block: Option<UnixMillis>,
    /// Space to give back once nobody reads the list that held it.
    pub(crate) dropped: Vec<Dropped>,
}

/// Frames that left a blob's content, with the list that still shows them to open readers.
pub(crate) struct Dropped {
    pub(crate) list: Option<Arc<CommittedList>>,
    /// Offset and length in the file.
    pub(crate) ranges: Vec<(u64, u64)>,
}

/// What everybody may see of a blob, at one moment.
#[derive(Clone, Debug)]
pub struct BlobView {
    /// Block, page or append blob.
    pub kind: BlobKind,
    /// False while there are only uncommitted blocks: such a blob has no content and no properties to show.
    pub committed: bool,
    /// Bytes of committed content.
    pub size: u64,
    /// Changes with content, properties and metadata; not with the lease.
    pub etag: ETag,
    /// When the ETag last changed.
    pub last_modified: UnixMillis,
    /// When the blob was first made; an overwrite makes it anew.
    pub created: UnixMillis,
    /// The lease as remembered.
    pub lease: Lease,
    /// The lease as an onlooker sees it now.
    pub lease_view: LeaseView,
    /// Refuses every change.
    pub sealed: bool,
    /// Headers and metadata.
    pub properties: Arc<Properties>,
    /// The state of the content.
    pub commit: CommitId,
    /// The copy that made the blob, or is making it.
    pub copy: Option<Box<CopyState>>,
    /// Which snapshot this is; none for the blob itself.
    pub snapshot: Option<SnapshotTime>,
    /// Page blobs: the number that clients agree on, from 0 to 2^63 - 1; else 0.
    pub sequence_number: u64,
    /// Append blobs: blocks appended so far; else 0.
    pub block_count: u32,
    /// Append blobs: nothing may be appended any more.
    pub append_sealed: bool,
}

impl Blob {
    pub(crate) fn new(name: BlobName, path: PathBuf, root: Option<Root>) -> Self {
        let state = State {
            last_block: root.as_ref().and_then(|root| root.last_block),
            root: root.map(Arc::new),
            ..State::default()
        };
        Self {
            name,
            path,
            snapshot: None,
            change: RwLock::new(()),
            state: Mutex::new(state),
            snapshots: Mutex::default(),
        }
    }

    /// A snapshot of a blob.
    pub(crate) fn snapshot(name: BlobName, path: PathBuf, place: SnapshotPlace, root: Root) -> Self {
        Self {
            snapshot: Some(place),
            ..Self::new(name, path, Some(root))
        }
    }

    /// The blob's snapshots.
    pub(crate) fn snapshots(&self) -> MutexGuard<'_, Snapshots> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps others from changing the blob's root.
    pub(crate) fn begin_change(&self) -> RwLockWriteGuard<'_, ()> {
        self.change.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps others from changing the blob's root, beside any number of those who change content without it.
    pub(crate) fn share_change(&self) -> RwLockReadGuard<'_, ()> {
        self.change.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state for a change that must not wait, such as closing files.
    pub(crate) fn try_state(&self) -> Option<MutexGuard<'_, State>> {
        self.state.try_lock().ok()
    }

    pub(crate) fn exists(&self) -> bool {
        self.state().root.is_some()
    }
}

/// What opening a blob's file takes.
pub(crate) struct Opening<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) access: Access,
    pub(crate) writing: &'a Writing,
}

impl State {
    /// Puts a durable root in the place of the last one.
    pub(crate) fn publish(&mut self, root: Root) {
        self.root = Some(Arc::new(root));
    }

    /// The open file; opens it where needed.
    pub(crate) fn file(&mut self, blob: &Blob, opening: &Opening<'_>) -> Result<Arc<BlobFile>, StoreError> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        if let Some(place) = &blob.snapshot {
            let file = place.open(blob, opening)?;
            self.file = Some(Arc::clone(&file));
            return Ok(file);
        }
        let file = opening
            .disk
            .open(&blob.path, opening.access)
            .map_err(|error| read_failed(&blob.path, error))?;
        let found = survey(&*file).map_err(|error| match error {
            SurveyError::Io(source) => read_failed(&blob.path, source),
            SurveyError::Damaged(what) => StoreError::Damaged {
                what: format!("{}: {what}", blob.path.display()),
            },
        })?;
        let end = End {
            offset: found.end,
            sequence: found.sequence,
            with_root: true,
            root_at: found.root_header.offset,
        };
        let repair = found.repair.unwrap_or_default();
        self.torn = repair.voids.iter().map(|header| header.offset).collect();
        let file = BlobFile::new(
            file,
            blob.path.clone(),
            found.root_header.identity,
            opening.writing,
            &end,
        );
        let file = Arc::new(file);
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// The committed list; reads it where needed.
    pub(crate) fn list(
        &mut self,
        blob: &Blob,
        opening: &Opening<'_>,
    ) -> Result<Arc<CommittedList>, StoreError> {
        if let Some(list) = &self.list {
            return Ok(Arc::clone(list));
        }
        let root = self.root.clone().ok_or(azblob::error::ErrorCode::BlobNotFound)?;
        let list = match root.list {
            None => CommittedList::default(),
            Some(offset) => {
                let payload = self.file(blob, opening)?.read_frame(offset, Kind::List)?;
                CommittedList::decode(&payload)
                    .filter(|list| list.size() == root.size)
                    .ok_or_else(|| StoreError::Damaged {
                        what: format!("{}: block list at {offset}", blob.path.display()),
                    })?
            }
        };
        let list = Arc::new(list);
        self.list = Some(Arc::clone(&list));
        Ok(list)
    }

    /// What the content of a page or append blob is; reads it where needed.
    pub(crate) fn log(&mut self, blob: &Blob, opening: &Opening<'_>) -> Result<Arc<Log>, StoreError> {
        if let Some(log) = &self.log {
            return Ok(Arc::clone(log));
        }
        let root = self.root.clone().ok_or(azblob::error::ErrorCode::BlobNotFound)?;
        let file = self.file(blob, opening)?;
        let source = Source {
            file: file.file(),
            path: &blob.path,
            identity: file.identity(),
            end: file.end(),
            torn: &self.torn,
            until: blob.snapshot.as_ref().map(|_| root.commit.0),
        };
        let log = Arc::new(Log::load(&source, &root, opening.writing.changes_per_map)?);
        self.log = Some(Arc::clone(&log));
        Ok(log)
    }

    /// The uncommitted blocks; finds them where needed.
    pub(crate) fn uncommitted(
        &mut self,
        blob: &Blob,
        opening: &Opening<'_>,
    ) -> Result<&mut Uncommitted, StoreError> {
        if self.uncommitted.is_none() {
            let root = self.root.clone().ok_or(azblob::error::ErrorCode::BlobNotFound)?;
            let file = self.file(blob, opening)?;
            let found = Uncommitted::load(file.file(), file.identity(), &root, file.end())
                .map_err(|error| read_failed(&blob.path, error))?;
            self.uncommitted = Some(found);
        }
        Ok(self.uncommitted.as_mut().expect("it was just put there"))
    }

    /// Headers and metadata; reads them where needed.
    pub(crate) fn properties(
        &mut self,
        blob: &Blob,
        opening: &Opening<'_>,
    ) -> Result<Arc<Properties>, StoreError> {
        if let Some(properties) = &self.properties {
            return Ok(Arc::clone(properties));
        }
        let root = self.root.clone().ok_or(azblob::error::ErrorCode::BlobNotFound)?;
        let properties = match &root.properties {
            Held::Inline(properties) => properties.clone(),
            Held::At(offset) => {
                let payload = self.file(blob, opening)?.read_frame(*offset, Kind::Text)?;
                serde_json::from_slice(&payload).map_err(|_| StoreError::Damaged {
                    what: format!("{}: properties at {offset}", blob.path.display()),
                })?
            }
        };
        let properties = Arc::new(properties);
        self.properties = Some(Arc::clone(&properties));
        Ok(properties)
    }

    /// What everybody may see, or nothing where there is no blob.
    pub(crate) fn view(
        &mut self,
        blob: &Blob,
        opening: &Opening<'_>,
        now: UnixMillis,
    ) -> Result<Option<BlobView>, StoreError> {
        let Some(root) = self.root.clone() else {
            return Ok(None);
        };
        let properties = self.properties(blob, opening)?;
        Ok(Some(BlobView {
            kind: root.kind,
            committed: root.committed,
            size: root.size,
            etag: root.etag(),
            last_modified: root.last_modified,
            created: root.created,
            lease: root.lease,
            lease_view: root.lease.view(now),
            sealed: root.sealed,
            copy: properties
                .copy
                .as_ref()
                .map(|copy| Box::new(shown(copy, root.copying))),
            properties,
            commit: root.commit,
            snapshot: blob.snapshot.as_ref().map(|place| place.time),
            sequence_number: root.log.as_ref().map_or(0, |log| log.sequence_number),
            block_count: root.log.as_ref().map_or(0, |log| log.block_count),
            append_sealed: root.log.as_ref().is_some_and(|log| log.append_sealed),
        }))
    }
}

/// Makes a root durable in a file: first what it points at, then itself.
///
/// Without a sync point nothing is synced and the root promises that everything before it is durable: for a
/// new file, which gets its name only after a sync.
///
/// Returns the root's place in the file.
///
/// Properties that do not fit go into a frame of their own; a name that does not fit stays in the birth frame
/// alone.
pub(crate) fn write_root(
    file: &BlobFile,
    root: &mut Root,
    point: Option<SyncPoint>,
    now: UnixMillis,
) -> Result<u64, StoreError> {
    let payload = fitted(file, root, point, now)?;
    let (offset, ticket) = file.append_root(&payload, point.is_none(), now)?;
    if let Some(point) = point {
        file.wait(ticket, point)?;
    }
    Ok(offset)
}

fn fitted(
    file: &BlobFile,
    root: &mut Root,
    point: Option<SyncPoint>,
    now: UnixMillis,
) -> Result<Vec<u8>, StoreError> {
    let encode = |root: &Root| serde_json::to_vec(root).expect("a root has string keys only");
    let payload = encode(root);
    if payload.len() <= ROOT_PAYLOAD_MAX {
        return Ok(payload);
    }
    if let Held::Inline(properties) = &root.properties {
        let text = serde_json::to_vec(properties).expect("properties have string keys only");
        let (header, ticket) = file.append_frame(Kind::Text, &text, now)?;
        if let Some(point) = point {
            file.wait(ticket, point)?;
        }
        root.properties = Held::At(header.offset);
    }
    if encode(root).len() > ROOT_PAYLOAD_MAX {
        root.name = None;
    }
    let payload = encode(root);
    assert!(
        payload.len() <= ROOT_PAYLOAD_MAX,
        "without name and properties a root is small"
    );
    Ok(payload)
}
