//! The storage account itself: containers, blobs, tags, blocks, pages and leases, by Azure's rules.
//!
//! The lease rules are `azblob`'s own; tags change with content and never by Put Block or a lease operation; a blob
//! that has only uncommitted blocks has neither tag nor Last-Modified. Requests of holders are here, those of the guard
//! in `account`. Simplified: contents are written from the start to the end, so a body is the beginning of some bytes.

use std::collections::BTreeMap;

use azblob::block::BlockId;
use azblob::error::ErrorCode;
use azblob::lease::{Lease, LeaseAction, LeaseDuration, LeaseId};
use azblob::response::BlobType;
use azblob::time::UnixMillis;
use bytes::Bytes;
use guard::Place;

/// What a blob holds.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// A declared size and the bytes written so far, from the start.
    Page { declared: u64, data: Bytes },
    /// Committed content with its blocks, and blocks put since.
    Block {
        data: Bytes,
        committed: Vec<(BlockId, u64)>,
        pending: BTreeMap<BlockId, Bytes>,
    },
    /// Appended bytes.
    Append { data: Bytes },
}

#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) body: Body,
    pub(crate) etag: Option<u64>,
    pub(crate) modified: Option<UnixMillis>,
    pub(crate) created: UnixMillis,
    pub(crate) lease: Lease,
    /// The lease id as its holder wrote it: Azurite compares texts.
    pub(crate) lease_text: String,
    /// Who took the lease last.
    pub(crate) holder: Option<usize>,
    /// Counts the leases taken: another number is another holder.
    pub(crate) epoch: u64,
    /// When the lease was taken; true time.
    pub(crate) acquired: u64,
    /// When something last changed that a look can see; true time.
    pub(crate) stirred: u64,
    /// When its holder, or anybody, last wrote and read with success; true time, for the door's own testimony.
    pub(crate) written: u64,
    pub(crate) read: Option<u64>,
    pub(crate) snapshots: bool,
}

impl Blob {
    pub(crate) fn kind(&self) -> BlobType {
        match self.body {
            Body::Page { .. } => BlobType::Page,
            Body::Block { .. } => BlobType::Block,
            Body::Append { .. } => BlobType::Append,
        }
    }

    /// Committed size.
    pub(crate) fn size(&self) -> u64 {
        match &self.body {
            Body::Page { declared, .. } => *declared,
            Body::Block { data, .. } | Body::Append { data } => data.len() as u64,
        }
    }

    /// Bytes that were written; of a page blob those before the zeros.
    pub(crate) fn data(&self) -> &Bytes {
        match &self.body {
            Body::Page { data, .. } | Body::Block { data, .. } | Body::Append { data } => data,
        }
    }

    /// Whether its content is exactly `whole`.
    pub(crate) fn holds(&self, whole: &Bytes) -> bool {
        self.size() == whole.len() as u64 && self.data() == whole
    }
}

/// All containers, and what stamps changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) containers: BTreeMap<String, BTreeMap<String, Blob>>,
    tags: u64,
    epochs: u64,
}

/// The moment of a request: true time, and the service's two clocks (one for leases, one that may jump).
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) now: u64,
    pub(crate) lease: UnixMillis,
    pub(crate) wall: UnixMillis,
}

pub(crate) type Answer = Result<(), ErrorCode>;

impl Store {
    pub(crate) fn blob(&self, place: &Place) -> Option<&Blob> {
        self.containers.get(&place.container)?.get(&place.blob)
    }

    pub(crate) fn blob_mut(&mut self, place: &Place) -> Option<&mut Blob> {
        self.containers.get_mut(&place.container)?.get_mut(&place.blob)
    }

    fn existing(&mut self, place: &Place) -> Result<&mut Blob, ErrorCode> {
        self.blob_mut(place).ok_or(ErrorCode::BlobNotFound)
    }

    fn tag(&mut self) -> u64 {
        self.tags += 1;
        self.tags
    }

    /// Put Blob: new content in place of whatever was there, if no lease forbids it. An authorised overwrite keeps the
    /// lease.
    pub(crate) fn put(&mut self, place: &Place, body: Body, id: Option<LeaseId>, at: At) -> Answer {
        let tag = self.tag();
        let container = self
            .containers
            .get_mut(&place.container)
            .ok_or(ErrorCode::ContainerNotFound)?;
        let old = container.get(&place.blob);
        let lease = match (old, id) {
            (Some(old), id) => old.lease.check_write(id, at.lease)?,
            (None, None) => Lease::Available,
            (None, Some(_)) => return Err(ErrorCode::LeaseNotPresentWithBlobOperation),
        };
        let blob = Blob {
            body,
            etag: Some(tag),
            modified: Some(at.wall.truncated_to_second()),
            created: at.wall.truncated_to_second(),
            lease,
            lease_text: old.map(|old| old.lease_text.clone()).unwrap_or_default(),
            holder: old.and_then(|old| old.holder),
            epoch: old.map_or(0, |old| old.epoch),
            acquired: old.map_or(0, |old| old.acquired),
            stirred: at.now,
            written: at.now,
            read: old.and_then(|old| old.read),
            snapshots: old.is_some_and(|old| old.snapshots),
        };
        container.insert(place.blob.clone(), blob);
        Ok(())
    }

    /// Any change of content that makes a new tag.
    pub(crate) fn change(
        &mut self,
        place: &Place,
        id: Option<LeaseId>,
        at: At,
        change: impl FnOnce(&mut Body),
    ) -> Answer {
        let tag = self.tag();
        let blob = self.existing(place)?;
        blob.lease = blob.lease.check_write(id, at.lease)?;
        change(&mut blob.body);
        blob.etag = Some(tag);
        blob.modified = Some(at.wall.truncated_to_second());
        (blob.stirred, blob.written) = (at.now, at.now);
        Ok(())
    }

    /// Put Block: no new tag. Makes a blob without content where there is none.
    pub(crate) fn put_block(
        &mut self,
        place: &Place,
        block: (BlockId, Bytes),
        id: Option<LeaseId>,
        at: At,
    ) -> Answer {
        if self.blob(place).is_none() {
            let empty = Body::Block {
                data: Bytes::new(),
                committed: Vec::new(),
                pending: BTreeMap::new(),
            };
            self.put(place, empty, id, at)?;
            let blob = self.existing(place)?;
            (blob.etag, blob.modified) = (None, None);
        }
        let blob = self.existing(place)?;
        blob.lease = blob.lease.check_write(id, at.lease)?;
        let Body::Block { pending, .. } = &mut blob.body else {
            return Err(ErrorCode::InvalidBlobType);
        };
        let (block, bytes) = block;
        let size = bytes.len();
        let before = pending.insert(block, bytes);
        blob.written = at.now;
        // The same block once more, of the same size, is nothing that a look could see.
        if before.is_none_or(|before| before.len() != size) {
            blob.stirred = at.now;
        }
        Ok(())
    }

    /// Put Block List of all pending blocks in the order of their ids.
    pub(crate) fn commit(&mut self, place: &Place, id: Option<LeaseId>, at: At) -> Answer {
        self.change(place, id, at, |body| {
            if let Body::Block {
                data,
                committed,
                pending,
            } = body
            {
                let blocks = std::mem::take(pending);
                *committed = blocks
                    .iter()
                    .map(|(id, b)| (id.clone(), b.len() as u64))
                    .collect();
                *data = blocks.values().flat_map(|b| b.iter().copied()).collect();
            }
        })
    }

    /// A lease operation of a holder.
    pub(crate) fn lease(&mut self, place: &Place, action: &LeaseAction, at: At) -> Answer {
        self.epochs += 1;
        let epoch = self.epochs;
        let fresh = LeaseId::from_u128(u128::from(epoch) << 64 | 0xF00D);
        let blob = self.existing(place)?;
        let (lease, _) = blob.lease.apply(action, at.lease, fresh)?;
        blob.lease = lease;
        blob.written = at.now;
        if matches!(action, LeaseAction::Acquire { .. }) {
            (blob.epoch, blob.acquired) = (epoch, at.now);
        }
        Ok(())
    }

    /// Takes the lease for `holder` under the id that reads `text`.
    pub(crate) fn acquire(
        &mut self,
        place: &Place,
        holder: usize,
        (id, text): (LeaseId, &str),
        duration: LeaseDuration,
        at: At,
    ) -> Answer {
        let proposed = Some(id);
        self.lease(place, &LeaseAction::Acquire { proposed, duration }, at)?;
        let blob = self.existing(place)?;
        text.clone_into(&mut blob.lease_text);
        blob.holder = Some(holder);
        Ok(())
    }

    /// A read of a holder, or of anybody else.
    pub(crate) fn read(&mut self, place: &Place, id: Option<LeaseId>, at: At) -> Answer {
        let blob = self.existing(place)?;
        blob.lease.check_read(id, at.lease)?;
        blob.read = Some(at.now);
        Ok(())
    }

    /// Delete Blob.
    pub(crate) fn delete(&mut self, place: &Place, id: Option<LeaseId>, at: At) -> Answer {
        let blob = self.existing(place)?;
        blob.lease.check_write(id, at.lease)?;
        if blob.snapshots {
            return Err(ErrorCode::SnapshotsPresent);
        }
        if let Some(container) = self.containers.get_mut(&place.container) {
            container.remove(&place.blob);
        }
        Ok(())
    }
}
