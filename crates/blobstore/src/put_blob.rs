//! Put Blob: a blob whole, in a file of its own.
//!
//! The new file is written and synced under a temporary name and then renamed over the old one, so that there
//! is the old blob or the new one and nothing between. Readers of the old one read on. The space of the old
//! file, unfinished uploads of gigabytes included, goes back when the last of them is done.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use azblob::error::ErrorCode;
use azblob::etag::ETag;
use azblob::lease::Lease;
use azblob::limits::MAX_PUT_BLOB_BYTES;
use azblob::time::UnixMillis;

use crate::blob::{Blob, State, write_root};
use crate::blob_file::{BlobFile, End};
use crate::block_list::{CommittedList, Entry, Span};
use crate::checksums::Checksums;
use crate::container::{Container, shard_of};
use crate::data_dir::{FORMAT, ensure_dir};
use crate::disk::SyncPoint;
use crate::error::StoreError;
use crate::frame::{Header, Kind};
use crate::permit::Permit;
use crate::properties::{BlobKind, Properties};
use crate::root::{CommitId, Held, Root};
use crate::store::{BlobPath, Core, Store};
use crate::survey::Birth;
use crate::uncommitted::Uncommitted;

/// A change of a blob's content that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The new ETag.
    pub etag: ETag,
    /// The new time of change.
    pub last_modified: UnixMillis,
    /// The state of the content from now on.
    pub commit: CommitId,
}

/// Takes the bytes of a whole blob. Dropped without [`BlobWriter::commit`], it leaves nothing behind.
pub struct BlobWriter {
    core: Arc<Core>,
    container: Arc<Container>,
    blob: Arc<Blob>,
    new: NewFile,
    /// None for an empty blob.
    body: Option<Header>,
    checksums: Checksums,
}

/// A blob file that has no name of its own yet.
pub(crate) struct NewFile {
    core: Arc<Core>,
    path: PathBuf,
    file: Option<Arc<BlobFile>>,
}

impl Store {
    /// Begins a blob of `len` bytes, to replace what is there.
    ///
    /// # Errors
    /// The protocol's: container, seal, lease, condition, [`ErrorCode::RequestBodyTooLarge`].
    /// [`StoreError::DiskFull`] and its like.
    pub fn begin_blob(
        &self,
        path: &BlobPath,
        len: u64,
        permit: &Permit<'_>,
    ) -> Result<BlobWriter, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        if len > MAX_PUT_BLOB_BYTES {
            return Err(ErrorCode::RequestBodyTooLarge.into());
        }
        let container = core.container(&path.account, &path.container)?;
        let gate = container.enter()?;
        let blob = container.blob_or_entry(&path.blob)?;
        let begun = core.begin_new_file(&container, &blob, len, permit);
        drop(gate);
        if begun.is_err() {
            container.forget_if_absent(&blob);
        }
        let (new, body) = begun?;
        Ok(BlobWriter {
            core: Arc::clone(core),
            container,
            blob,
            new,
            body,
            checksums: Checksums::default(),
        })
    }
}

impl BlobWriter {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] past the announced length; [`StoreError::DiskFull`] and its like.
    pub fn write(&mut self, data: &[u8]) -> Result<(), StoreError> {
        if data.is_empty() {
            return Ok(());
        }
        let header = self
            .body
            .as_ref()
            .filter(|_| data.len() as u64 <= self.remaining());
        let header = header.ok_or(StoreError::Misuse("more bytes than were announced"))?;
        let at = self.checksums.bytes();
        self.checksums.push(data);
        self.new.file().write_payload(header, at, data)
    }

    /// Bytes still to come.
    pub fn remaining(&self) -> u64 {
        self.body.as_ref().map_or(0, |header| header.payload_len) - self.checksums.bytes()
    }

    /// Makes the blob durable in place of what was there. The permit is judged again, for the state there is
    /// now.
    ///
    /// # Errors
    /// As [`Store::begin_blob`]; [`StoreError::Misuse`] before the last byte.
    pub fn commit(mut self, properties: Properties, permit: &Permit<'_>) -> Result<Committed, StoreError> {
        if self.remaining() > 0 {
            return Err(StoreError::Misuse("fewer bytes than were announced"));
        }
        let container = Arc::clone(&self.container);
        let blob = Arc::clone(&self.blob);
        let _gate = container.enter()?;
        let _change = blob.begin_change();
        let now = self.core.now();
        let old = blob.state().root.clone();
        let lease = permit.check_create(old.as_deref(), now)?;
        let list = self.finish_body(now)?;
        let mut root = self.core.new_root(&blob, lease, now);
        root.follow(old.as_deref());
        root.committed = true;
        root.size = list.0.size();
        root.list = list.1;
        root.properties = Held::Inline(properties);
        root.barrier = self.new.file().end();
        self.core
            .give_name(&container, &blob, &mut self.new, root, list.0)
    }

    fn finish_body(&mut self, now: UnixMillis) -> Result<(CommittedList, Option<u64>), StoreError> {
        let Some(header) = &self.body else {
            return Ok((CommittedList::default(), None));
        };
        let file = self.new.file();
        file.finish_block(header, std::mem::take(&mut self.checksums).finish())?;
        file.arrived(header.offset);
        let list = CommittedList::new(vec![Entry {
            id: None,
            span: Span::of(header),
        }]);
        let (list_header, _) = file.append_frame(Kind::List, &list.encode(), now)?;
        Ok((list, Some(list_header.offset)))
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        self.new.remove();
        self.container.forget_if_absent(&self.blob);
    }
}

impl NewFile {
    pub(crate) fn file(&self) -> &BlobFile {
        self.file
            .as_ref()
            .expect("the file is there until it got its name")
    }

    /// Removes what never got its name.
    pub(crate) fn remove(&mut self) {
        if self.file.take().is_some()
            && self.core.check_writable().is_ok()
            && let Err(error) = self.core.disk.remove_file(&self.path)
        {
            // Whatever remains is removed at the next start.
            tracing::warn!(path = %self.path.display(), %error, "a temporary file could not be removed");
        }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Core {
    fn begin_new_file(
        self: &Arc<Self>,
        container: &Container,
        blob: &Blob,
        len: u64,
        permit: &Permit<'_>,
    ) -> Result<(NewFile, Option<Header>), StoreError> {
        let now = self.now();
        permit.check_create(blob.state().root.as_deref(), now)?;
        let new = self.new_file(container, blob, now)?;
        let body = if len > 0 {
            Some(new.file().reserve_block(&[], len, now)?)
        } else {
            None
        };
        Ok((new, body))
    }

    /// Makes a blob file under a temporary name, with its birth frame.
    pub(crate) fn new_file(
        self: &Arc<Self>,
        container: &Container,
        blob: &Blob,
        now: UnixMillis,
    ) -> Result<NewFile, StoreError> {
        let shard = shard_of(&blob.path);
        let made = self.changed("making", shard, ensure_dir(&*self.disk, shard))?;
        if made {
            self.sync_dir(&container.dir, SyncPoint::ShardEntry)?;
        }
        let path = blob.path.with_extension(format!("{}.tmp", self.number()));
        let file = self.changed("making", &path, self.disk.create(&path))?;
        let end = End {
            offset: 0,
            sequence: 0,
            with_root: false,
            root_at: 0,
        };
        let file = BlobFile::new(file, path.clone(), self.clock.random(), &self.writing, &end);
        let new = NewFile {
            core: Arc::clone(self),
            path,
            file: Some(Arc::new(file)),
        };
        let birth = Birth {
            account: container.account.as_str().to_owned(),
            container: container.name.as_str().to_owned(),
            name: blob.name.as_str().to_owned(),
            format: FORMAT,
        };
        let birth = serde_json::to_vec(&birth).expect("a birth has string keys only");
        new.file().append_frame(Kind::Birth, &birth, now)?;
        Ok(new)
    }

    pub(crate) fn new_root(&self, blob: &Blob, lease: Lease, now: UnixMillis) -> Root {
        let number = self.number();
        Root {
            name: Some(blob.name.as_str().to_owned()),
            kind: BlobKind::Block,
            committed: false,
            size: 0,
            etag: number,
            created: now,
            last_modified: now,
            lease,
            sealed: false,
            properties: Held::Inline(Properties::default()),
            commit: CommitId(number),
            list: None,
            proof: None,
            barrier: 0,
            arriving: Vec::new(),
            last_block: None,
            line: number,
            last_snapshot: None,
            copying: false,
            taken: None,
            log: None,
        }
    }

    /// Ends a new file with its root, makes it durable, and puts it in the place of the old one.
    pub(crate) fn give_name(
        &self,
        container: &Container,
        blob: &Arc<Blob>,
        new: &mut NewFile,
        mut root: Root,
        list: CommittedList,
    ) -> Result<Committed, StoreError> {
        let now = root.last_modified;
        let file = Arc::clone(new.file.as_ref().expect("the file has no name yet"));
        let properties = match &root.properties {
            Held::Inline(properties) => Some(Arc::new(properties.clone())),
            Held::At(_) => None,
        };
        write_root(&file, &mut root, None, now)?;
        file.sync_all(SyncPoint::NewBlob)?;
        self.changed("renaming", &new.path, self.disk.rename(&new.path, &blob.path))?;
        new.file = None;
        self.sync_dir(shard_of(&blob.path), SyncPoint::BlobEntry)?;
        container.broken().remove(file_name(&blob.path));
        let committed = Committed {
            etag: root.etag(),
            last_modified: root.last_modified,
            commit: root.commit,
        };
        *blob.state() = State {
            root: Some(Arc::new(root)),
            file: Some(file),
            list: Some(Arc::new(list)),
            uncommitted: Some(Uncommitted::default()),
            properties,
            ..State::default()
        };
        self.opened(blob);
        Ok(committed)
    }

    /// Makes an uncommitted blob, unless somebody did meanwhile.
    pub(crate) fn make_uncommitted(
        self: &Arc<Self>,
        container: &Container,
        blob: &Arc<Blob>,
    ) -> Result<(), StoreError> {
        let _change = blob.begin_change();
        if blob.exists() {
            return Ok(());
        }
        let now = self.now();
        let mut new = self.new_file(container, blob, now)?;
        let mut root = self.new_root(blob, Lease::Available, now);
        root.last_block = Some(now);
        self.give_name(container, blob, &mut new, root, CommittedList::default())?;
        Ok(())
    }
}

fn file_name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .expect("blob files have names of hex digits")
}
