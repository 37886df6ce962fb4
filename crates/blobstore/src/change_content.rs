//! What Put Page, clearing pages and Append Block have in common: a frame of its own, judged and acknowledged without a
//! root. See [`crate::content_log`].
//!
//! A change takes its place in the file when it begins, so that bytes arrive over many connections at once. It is
//! judged (seal, lease, conditions) when it begins, so that a hopeless upload is refused early, and again at the moment
//! that counts: when its bytes are there and it gets its number.

use std::sync::Arc;

use azblob::error::ErrorCode;
use azblob::lease::Lease;
use azblob::time::UnixMillis;

use crate::blob::Blob;
use crate::blob_file::BlobFile;
use crate::block_list::Span;
use crate::change::Mapping;
use crate::checksums::Checksums;
use crate::container::Container;
use crate::content_log::{Deed, Log, Version};
use crate::disk::SyncPoint;
use crate::error::StoreError;
use crate::frame::{Change, Header, Kind, Trailer};
use crate::permit::{Permit, check_kind, check_open};
use crate::properties::BlobKind;
use crate::put_block::BlockRef;
use crate::root::Root;
use crate::store::{BlobPath, Core};

/// A change of content on its way. Dropped without [`Self::commit`], it leaves nothing behind.
pub(crate) struct ContentChange {
    core: Arc<Core>,
    container: Arc<Container>,
    blob: Arc<Blob>,
    file: Arc<BlobFile>,
    log: Arc<Log>,
    header: Header,
    checksums: Checksums,
    ended: bool,
}

/// A change that is durable.
pub(crate) struct Changed {
    /// The blob right after it.
    pub(crate) version: Version,
    pub(crate) sequence_number: u64,
    pub(crate) block: BlockRef,
}

/// What a change must satisfy.
pub(crate) struct Judge<'a> {
    pub(crate) kind: BlobKind,
    pub(crate) permit: &'a Permit<'a>,
    /// What only this kind of change asks, after the rest.
    pub(crate) further: &'a dyn Fn(&Root, &Version) -> Result<(), ErrorCode>,
}

impl Judge<'_> {
    /// Judges against a blob as all changes judged before made it. Returns the lease to remember.
    fn judge(&self, root: &Root, version: &Version, now: UnixMillis) -> Result<Lease, ErrorCode> {
        if !root.committed {
            return Err(ErrorCode::BlobNotFound);
        }
        check_open(root)?;
        check_kind(root, self.kind)?;
        let lease = root.lease.check_write(self.permit.lease, now)?;
        (self.permit.condition)(Some((version.etag(), version.last_modified())))?;
        (self.further)(root, version)?;
        Ok(lease)
    }
}

/// What a change is, before it has a frame.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) kind: Kind,
    /// Where in the blob: offset, bytes. Appended blocks learn it at the end.
    pub(crate) place: (u64, u64),
    pub(crate) payload_len: u64,
}

impl ContentChange {
    /// Takes the place in the file.
    pub(crate) fn begin(
        core: &Arc<Core>,
        path: &BlobPath,
        wanted: Wanted,
        judge: &Judge<'_>,
    ) -> Result<Self, StoreError> {
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let gate = container.enter()?;
        let (file, log, header) = loop {
            let now = core.now();
            let mut state = blob.state();
            let root = state.root.clone().ok_or(ErrorCode::BlobNotFound)?;
            if !root.committed {
                return Err(ErrorCode::BlobNotFound.into());
            }
            check_kind(&root, judge.kind)?;
            let log = core.log(&blob, &mut state)?;
            let lease = judge.judge(&root, &log.judged(&root), now)?;
            if lease != root.lease {
                drop(state);
                core.forget_lease(&blob, judge.permit.lease)?;
                continue;
            }
            log.check_room(wanted.place.0, wanted.place.1, wanted.kind != Kind::Clear)?;
            let file = core.file(&blob, &mut state)?;
            let header = file.reserve_change(wanted.kind, wanted.place, wanted.payload_len, now)?;
            break (file, log, header);
        };
        drop(gate);
        Ok(Self {
            core: Arc::clone(core),
            container,
            blob,
            file,
            log,
            header,
            checksums: Checksums::default(),
            ended: false,
        })
    }

    /// Takes the next bytes.
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), StoreError> {
        let at = self.checksums.bytes();
        if data.len() as u64 > self.remaining() {
            return Err(StoreError::Misuse("more bytes than were announced"));
        }
        self.checksums.push(data);
        self.file.write_payload(&self.header, at, data)
    }

    /// Bytes still to come.
    pub(crate) fn remaining(&self) -> u64 {
        self.header.payload_len - self.checksums.bytes()
    }

    /// Where in the blob it goes: offset, bytes.
    pub(crate) fn place(&self) -> (u64, u64) {
        self.header.place
    }

    /// Judges the change, makes it durable, and lets it be seen.
    pub(crate) fn commit(mut self, judge: &Judge<'_>) -> Result<Changed, StoreError> {
        if self.remaining() > 0 {
            return Err(StoreError::Misuse("fewer bytes than were announced"));
        }
        let checksums = std::mem::take(&mut self.checksums).finish();
        let (container, blob) = (Arc::clone(&self.container), Arc::clone(&self.blob));
        let _gate = container.enter()?;
        let changed = loop {
            {
                let _shared = blob.share_change();
                if let Some(changed) = self.try_commit(judge, &checksums)? {
                    break changed;
                }
            }
            self.core.forget_lease(&blob, judge.permit.lease)?;
        };
        if self.log.wants_map()
            && let Err(error) = self.core.map_content(&blob, Mapping::Due)
        {
            // The change itself is durable, and what it needs for that.
            tracing::error!(blob = blob.name.as_str(), %error, "the map of the content could not be written");
        }
        Ok(changed)
    }

    /// [`Self::commit`] but for the map. None when a lease that ended has to be forgotten first. The caller shares the
    /// blob's change lock.
    fn try_commit(&mut self, judge: &Judge<'_>, checksums: &[u64]) -> Result<Option<Changed>, StoreError> {
        let (ticket, version, start, sequence_number) = {
            let state = self.blob.state();
            let same = state.file.as_ref().is_some_and(|f| Arc::ptr_eq(f, &self.file));
            if !same {
                return Err(ErrorCode::ServerBusy.into());
            }
            let root = state.root.clone().ok_or(ErrorCode::ServerBusy)?;
            let before = self.log.judged(&root);
            let now = self.core.now();
            if judge.judge(&root, &before, now)? != root.lease {
                return Ok(None);
            }
            let change = Change {
                number: self.core.number(),
                moment_ms: now.0,
            };
            let deed = self.deed(&before);
            let trailer = Trailer::Changed(checksums.to_vec(), change);
            let ticket = self.file.finish(&self.header, &trailer)?;
            self.log.push(ticket, change, deed);
            self.file.arrived(self.header.offset);
            self.ended = true;
            let start = match deed {
                Deed::Write(at, _) | Deed::Clear(at, ..) => at,
            };
            let sequence_number = root.log.as_ref().map_or(0, |log| log.sequence_number);
            (ticket, before.after(&deed, change), start, sequence_number)
        };
        self.file.wait(ticket, SyncPoint::Change)?;
        let mut state = self.blob.state();
        if let Some(root) = &mut state.root {
            self.log.apply_durable(&self.file, Arc::make_mut(root));
        }
        Ok(Some(Changed {
            version,
            sequence_number,
            block: BlockRef {
                identity: self.file.identity(),
                span: Span::of(&self.header),
                start,
            },
        }))
    }

    fn deed(&self, before: &Version) -> Deed {
        match self.header.kind {
            Kind::Clear => Deed::clear(&self.header),
            Kind::Append => Deed::Write(before.size, Span::of(&self.header)),
            _ => Deed::Write(self.header.place.0, Span::of(&self.header)),
        }
    }
}

impl Drop for ContentChange {
    fn drop(&mut self) {
        if !self.ended {
            self.file.abandon_block(&self.header);
        }
    }
}
