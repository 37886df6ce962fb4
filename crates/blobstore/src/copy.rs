//! Copies inside the store: a new file with the blocks of another blob.
//!
//! A copy is a Put Blob whose bytes come from a reader: checked when they are read, under new checksums when they are
//! written, in place of the old blob by one rename when all are there. The block list comes along, so that a copy of
//! an upload of 50,000 blocks is one of 50,000 blocks; of
//! a page blob only what was ever written is copied, and an append blob block by block.
//!
//! A copy that takes long is *pending* meanwhile: its destination is an empty blob that says so (`copying` in its root)
//! and refuses changes until the copy is done, aborted or failed. Only the process that began a copy can end it, so
//! `copying` counts in the memory of that process alone: after a restart a blob whose copy state still says "pending"
//! is one whose copy has failed, and is shown so.

use std::collections::BTreeMap;
use std::sync::Arc;

use azblob::block::BlockId;
use azblob::copy::{CopyState, CopyStatus};
use azblob::error::ErrorCode;
use azblob::etag::ETag;
use azblob::lease::{Lease, LeaseDurationKind, LeaseId};
use azblob::time::UnixMillis;

use crate::blob::Blob;
use crate::block_list::{CommittedList, Entry, Span};
use crate::checksums::Checksums;
use crate::container::Container;
use crate::error::StoreError;
use crate::extents::{Extent, Extents};
use crate::frame::{Change, Header, Kind, Trailer};
use crate::permit::Permit;
use crate::properties::{BlobKind, Properties};
use crate::put_blob::{Committed, NewFile};
use crate::read::BlobReader;
use crate::root::{Held, LogRecord, Root};
use crate::store::{BlobPath, Core, Store};

/// Bytes that one step copies at most.
const STEP_BYTES: u64 = 4 << 20;

/// What lets a copy into its destination.
#[derive(Clone, Copy)]
pub enum CopyRight<'a> {
    /// Lease id and conditions of a request. Azure's Copy Blob wants a lease without end where there is one; its
    /// Copy Blob From URL and Put Blob From URL take any.
    Permit {
        /// The request's.
        permit: Permit<'a>,
        /// Refuse the id of a lease that ends by itself.
        endless: bool,
        /// Refuse to replace a blob of another kind.
        same_kind: bool,
    },
    /// The destination is waiting for this copy; the tag it got when the copy began.
    Pending(ETag),
}

/// One piece of a source that becomes one frame of the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where it begins in the content.
    pub(crate) start: u64,
    /// Bytes, at least 1.
    pub(crate) len: u64,
    /// The source's frame.
    pub(crate) frame: u64,
    /// Of a block that has one.
    pub(crate) id: Option<BlockId>,
}

/// Copies a blob step by step. Dropped without [`CopyWriter::commit`], it leaves nothing behind.
pub struct CopyWriter {
    core: Arc<Core>,
    container: Arc<Container>,
    blob: Arc<Blob>,
    new: NewFile,
    source: BlobReader,
    parts: Vec<Part>,
    /// Bytes of all parts.
    total: u64,
    /// Parts that are copied whole, and their bytes.
    done: usize,
    done_bytes: u64,
    /// The frame under way.
    frame: Option<(Header, Checksums)>,
    /// Where each block of the source went: one may stand in the list several times.
    blocks: BTreeMap<u64, Span>,
    /// The content of a page or append blob.
    extents: Extents,
    buffer: Vec<u8>,
}

impl Store {
    /// Begins a copy of what `source` reads.
    ///
    /// # Errors
    /// The protocol's for the destination: container, seal, lease, condition, kind,
    /// [`ErrorCode::PendingCopyOperation`]; [`StoreError::DiskFull`] and its like.
    pub fn begin_copy(
        &self,
        path: &BlobPath,
        source: BlobReader,
        right: &CopyRight<'_>,
    ) -> Result<CopyWriter, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let kind = source.view().kind;
        let container = core.container(&path.account, &path.container)?;
        let gate = container.enter()?;
        let blob = container.blob_or_entry(&path.blob)?;
        let now = core.now();
        let begun = right
            .judge(blob.state().root.as_deref(), kind, now)
            .map_err(StoreError::from)
            .and_then(|_| core.new_file(&container, &blob, now));
        drop(gate);
        if begun.is_err() {
            container.forget_if_absent(&blob);
        }
        let parts = source.parts();
        Ok(CopyWriter {
            core: Arc::clone(core),
            container,
            blob,
            new: begun?,
            total: parts.iter().map(|part| part.len).sum(),
            parts,
            source,
            done: 0,
            done_bytes: 0,
            frame: None,
            blocks: BTreeMap::new(),
            extents: Extents::default(),
            buffer: Vec::new(),
        })
    }

    /// Makes the destination of a copy that takes long: an empty blob of the source's kind whose properties hold the state of the copy.
    ///
    /// # Errors
    /// As [`Store::begin_copy`].
    pub fn begin_pending_copy(
        &self,
        path: &BlobPath,
        source: &BlobReader,
        properties: Properties,
        right: &CopyRight<'_>,
    ) -> Result<Committed, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let container = core.container(&path.account, &path.container)?;
        let _gate = container.enter()?;
        let blob = container.blob_or_entry(&path.blob)?;
        let made = core.make_destination(&container, &blob, source.view().kind, properties, right);
        if made.is_err() {
            container.forget_if_absent(&blob);
        }
        made
    }

    /// Ends a pending copy without its content: [`CopyStatus::Aborted`] on a client's wish, else
    /// [`CopyStatus::Failed`] with the reason.
    ///
    /// # Errors
    /// [`ErrorCode::NoPendingCopyOperation`], [`ErrorCode::CopyIdMismatch`], lease; those of changing anything.
    pub fn end_copy(
        &self,
        path: &BlobPath,
        id: &str,
        status: CopyStatus,
        description: Option<&str>,
        lease: Option<LeaseId>,
    ) -> Result<(), StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        core.change_root(&blob, |root, now| {
            let mut properties = (*blob.state().properties(&blob, &core.opening())?).clone();
            let copy = properties.copy.as_mut().filter(|_| root.copying);
            let copy = copy.ok_or(ErrorCode::NoPendingCopyOperation)?;
            if copy.id != id {
                return Err(ErrorCode::CopyIdMismatch.into());
            }
            if status == CopyStatus::Aborted {
                root.lease = root.lease.check_write(lease, now)?;
            }
            copy.status = status;
            copy.description = description.map(str::to_owned);
            copy.completed = Some(now);
            root.copying = false;
            root.properties = Held::Inline(properties);
            root.etag = core.number();
            root.last_modified = now;
            Ok(())
        })
    }
}

impl CopyRight<'_> {
    /// Judges the copy for the destination as it is. Returns the lease to remember.
    fn judge(&self, root: Option<&Root>, kind: BlobKind, now: UnixMillis) -> Result<Lease, ErrorCode> {
        match self {
            Self::Permit {
                permit,
                endless,
                same_kind,
            } => {
                let lease = permit.check_create(root, now)?;
                let fixed = lease.view(now).duration == Some(LeaseDurationKind::Fixed);
                if *endless && fixed {
                    return Err(ErrorCode::InfiniteLeaseDurationRequired);
                }
                if *same_kind && root.is_some_and(|root| root.committed && root.kind != kind) {
                    return Err(ErrorCode::InvalidBlobType);
                }
                Ok(lease)
            }
            Self::Pending(etag) => root
                .filter(|root| root.copying && root.etag() == *etag)
                .map(|root| root.lease)
                .ok_or(ErrorCode::NoPendingCopyOperation),
        }
    }
}

impl CopyWriter {
    /// Bytes to copy: of a page blob those that were written.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Bytes copied so far.
    pub fn copied(&self) -> u64 {
        self.done_bytes + self.frame.as_ref().map_or(0, |(_, sums)| sums.bytes())
    }

    /// Copies a few megabytes. False when nothing is left to copy.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the source is; [`StoreError::DiskFull`] and its like.
    pub fn step(&mut self) -> Result<bool, StoreError> {
        let Some(part) = self.parts.get(self.done).cloned() else {
            return Ok(false);
        };
        if self.blocks.contains_key(&part.frame) {
            self.next(part.len);
            return Ok(true);
        }
        let (header, mut sums) = match self.frame.take() {
            Some(under_way) => under_way,
            None => (self.reserve(&part)?, Checksums::default()),
        };
        let at = sums.bytes();
        let n = (part.len - at).min(STEP_BYTES);
        self.buffer.resize(n as usize, 0);
        self.source.read_at(part.start + at, &mut self.buffer)?;
        sums.push(&self.buffer);
        self.new.file().write_payload(&header, at, &self.buffer)?;
        if at + n < part.len {
            self.frame = Some((header, sums));
            return Ok(true);
        }
        self.finish(&part, &header, sums.finish())?;
        self.next(part.len);
        Ok(true)
    }

    fn reserve(&self, part: &Part) -> Result<Header, StoreError> {
        let (file, now) = (self.new.file(), self.core.now());
        let place = (part.start, part.len);
        match self.source.view().kind {
            BlobKind::Block => {
                let id = part.id.as_ref().map_or(&[][..], |id| id.as_bytes());
                file.reserve_block(id, part.len, now)
            }
            BlobKind::Page => file.reserve_change(Kind::Pages, place, part.len, now),
            // The order of the blocks tells where each goes.
            BlobKind::Append => file.reserve_change(Kind::Append, (0, 0), part.len, now),
        }
    }

    fn finish(&mut self, part: &Part, header: &Header, sums: Vec<u64>) -> Result<(), StoreError> {
        let file = self.new.file();
        let span = Span::of(header);
        if self.source.view().kind == BlobKind::Block {
            file.finish_block(header, sums)?;
            self.blocks.insert(part.frame, span);
        } else {
            // The map speaks of it, so that nobody asks for its number.
            let change = Change {
                number: 0,
                moment_ms: header.moment_ms,
            };
            file.finish(header, &Trailer::Changed(sums, change))?;
            self.extents
                .write(part.start, Extent::whole(span), &mut Vec::new());
        }
        file.arrived(header.offset);
        Ok(())
    }

    fn next(&mut self, len: u64) {
        self.done += 1;
        self.done_bytes += len;
    }

    /// Makes the copy durable in place of what was there. The right is judged again, for the state there is now.
    ///
    /// # Errors
    /// As [`Store::begin_copy`]; [`ErrorCode::SourceConditionNotMet`] when the source was changed meanwhile;
    /// [`StoreError::Misuse`] before the last step.
    pub fn commit(mut self, properties: Properties, right: &CopyRight<'_>) -> Result<Committed, StoreError> {
        if self.done < self.parts.len() {
            return Err(StoreError::Misuse("the copy is not complete"));
        }
        // Every write makes a frame of its own, so that the parts tell of it; of blocks they never change.
        if self.source.parts() != self.parts {
            return Err(ErrorCode::SourceConditionNotMet.into());
        }
        let (core, container) = (Arc::clone(&self.core), Arc::clone(&self.container));
        let blob = Arc::clone(&self.blob);
        let _gate = container.enter()?;
        let _change = blob.begin_change();
        let now = core.now();
        let old = blob.state().root.clone();
        let kind = self.source.view().kind;
        let lease = right.judge(old.as_deref(), kind, now)?;
        let mut root = core.new_root(&blob, lease, now);
        root.follow(old.as_deref());
        root.kind = kind;
        root.committed = true;
        root.size = self.source.size();
        root.properties = Held::Inline(properties);
        let list = if kind == BlobKind::Block {
            self.write_list(&mut root, now)?
        } else {
            self.write_map(&mut root, now)?;
            CommittedList::default()
        };
        root.barrier = self.new.file().end();
        core.give_name(&container, &blob, &mut self.new, root, list)
    }

    fn write_list(&self, root: &mut Root, now: UnixMillis) -> Result<CommittedList, StoreError> {
        let entries = self.parts.iter().map(|part| Entry {
            id: part.id.clone(),
            span: self.blocks[&part.frame],
        });
        let list = CommittedList::new(entries.collect());
        if !list.entries.is_empty() {
            let (header, _) = self.new.file().append_frame(Kind::List, &list.encode(), now)?;
            root.list = Some(header.offset);
        }
        Ok(list)
    }

    fn write_map(&self, root: &mut Root, now: UnixMillis) -> Result<(), StoreError> {
        let (file, view) = (self.new.file(), self.source.view());
        let map = if self.extents.count() == 0 {
            None
        } else {
            let (header, _) = file.append_frame(Kind::Map, &self.extents.encode(root.size), now)?;
            Some(header.offset)
        };
        root.log = Some(LogRecord {
            map,
            through: root.commit.0,
            from: file.end(),
            sequence_number: view.sequence_number,
            block_count: view.block_count,
            append_sealed: view.append_sealed,
        });
        Ok(())
    }
}

impl Drop for CopyWriter {
    fn drop(&mut self) {
        self.new.remove();
        self.container.forget_if_absent(&self.blob);
    }
}

impl Core {
    fn make_destination(
        self: &Arc<Self>,
        container: &Container,
        blob: &Arc<Blob>,
        kind: BlobKind,
        properties: Properties,
        right: &CopyRight<'_>,
    ) -> Result<Committed, StoreError> {
        let _change = blob.begin_change();
        let now = self.now();
        let old = blob.state().root.clone();
        let lease = right.judge(old.as_deref(), kind, now)?;
        let mut new = self.new_file(container, blob, now)?;
        let mut root = self.new_root(blob, lease, now);
        root.follow(old.as_deref());
        root.committed = true;
        root.copying = true;
        root.kind = kind;
        if kind != BlobKind::Block {
            root.log = Some(LogRecord {
                through: root.commit.0,
                from: new.file().end(),
                ..LogRecord::default()
            });
        }
        root.properties = Held::Inline(properties);
        root.barrier = new.file().end();
        self.give_name(container, blob, &mut new, root, CommittedList::default())
    }
}

/// The state of a copy as it is to be shown: one that nobody is at any more has failed.
pub(crate) fn shown(copy: &CopyState, copying: bool) -> CopyState {
    let mut copy = copy.clone();
    if copy.status == CopyStatus::Pending && !copying {
        copy.status = CopyStatus::Failed;
        copy.description =
            Some("500 InternalError \"The server was stopped before the copy was complete.\"".into());
    }
    copy
}
