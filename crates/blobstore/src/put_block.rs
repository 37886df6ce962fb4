//! Put Block: bytes on their way into a blob.
//!
//! A block takes its place in the blob's file when it begins, so that blocks of one blob can arrive over many
//! connections at once, each written where it will stay. It is acknowledged when its bytes, its checksums and
//! its place are durable; until then it does not exist.

use std::sync::Arc;

use azblob::block::BlockId;
use azblob::error::ErrorCode;
use azblob::lease::LeaseId;
use azblob::limits::{MAX_BLOCK_BYTES, MAX_UNCOMMITTED_BLOCKS};

use crate::blob::Blob;
use crate::blob_file::BlobFile;
use crate::block_list::Span;
use crate::checksums::Checksums;
use crate::container::Container;
use crate::disk::SyncPoint;
use crate::error::StoreError;
use crate::frame::Header;
use crate::permit::{Permit, check_kind, check_open};
use crate::properties::BlobKind;
use crate::store::{BlobPath, Core, Store};
use crate::uncommitted::Staged;

/// One block, or one Put Page, as it lies in the store, to read it again by [`Store::read_block`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    pub(crate) identity: u128,
    pub(crate) span: Span,
    /// Pages and appended blocks: where they were put in the blob; else 0.
    pub(crate) start: u64,
}

impl BlockRef {
    /// Bytes of data.
    pub fn size(&self) -> u64 {
        self.span.len
    }
}

/// Takes the bytes of one block. Dropped without [`BlockWriter::commit`], it leaves nothing behind.
pub struct BlockWriter {
    core: Arc<Core>,
    container: Arc<Container>,
    blob: Arc<Blob>,
    file: Arc<BlobFile>,
    header: Header,
    id: BlockId,
    lease: Option<LeaseId>,
    checksums: Checksums,
    ended: bool,
}

impl Store {
    /// Begins a block of `len` bytes. Where there is no such blob, an uncommitted one is made, durably.
    ///
    /// # Errors
    /// The protocol's: container, seal, lease, [`ErrorCode::InvalidBlobOrBlock`] for an id of another length
    /// than the uncommitted ones, [`ErrorCode::BlockCountExceedsLimit`], [`ErrorCode::RequestBodyTooLarge`],
    /// [`ErrorCode::InvalidHeaderValue`] for an empty block. [`StoreError::DiskFull`] and its like.
    pub fn begin_block(
        &self,
        path: &BlobPath,
        id: &BlockId,
        len: u64,
        lease: Option<LeaseId>,
    ) -> Result<BlockWriter, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        if len == 0 {
            return Err(ErrorCode::InvalidHeaderValue.into());
        }
        if len > MAX_BLOCK_BYTES {
            return Err(ErrorCode::RequestBodyTooLarge.into());
        }
        let container = core.container(&path.account, &path.container)?;
        let gate = container.enter()?;
        let blob = container.blob_or_entry(&path.blob)?;
        let begun = core.begin_block(&container, &blob, id, len, lease);
        drop(gate);
        if begun.is_err() {
            container.forget_if_absent(&blob);
        }
        let (file, header) = begun?;
        Ok(BlockWriter {
            core: Arc::clone(core),
            container,
            blob,
            file,
            header,
            id: id.clone(),
            lease,
            checksums: Checksums::default(),
            ended: false,
        })
    }
}

impl Core {
    fn begin_block(
        self: &Arc<Self>,
        container: &Container,
        blob: &Arc<Blob>,
        id: &BlockId,
        len: u64,
        lease: Option<LeaseId>,
    ) -> Result<(Arc<BlobFile>, Header), StoreError> {
        loop {
            let now = self.now();
            let mut state = blob.state();
            let Some(root) = state.root.clone() else {
                drop(state);
                if lease.is_some() {
                    return Err(ErrorCode::LeaseNotPresentWithBlobOperation.into());
                }
                self.make_uncommitted(container, blob)?;
                continue;
            };
            check_open(&root)?;
            check_kind(&root, BlobKind::Block)?;
            if root.lease.check_write(lease, now)? != root.lease {
                drop(state);
                self.forget_lease(blob, lease)?;
                continue;
            }
            let file = self.file(blob, &mut state)?;
            let uncommitted = state.uncommitted(blob, &self.opening())?;
            if let Some((other, _)) = uncommitted.blocks.first_key_value()
                && other.as_bytes().len() != id.as_bytes().len()
            {
                return Err(ErrorCode::InvalidBlobOrBlock.into());
            }
            if uncommitted.blocks.len() >= MAX_UNCOMMITTED_BLOCKS && !uncommitted.blocks.contains_key(id) {
                return Err(ErrorCode::BlockCountExceedsLimit.into());
            }
            let header = file.reserve_block(id.as_bytes(), len, now)?;
            return Ok((file, header));
        }
    }

    /// A write without an id to a blob whose lease has expired or was broken makes the lease forgotten.
    pub(crate) fn forget_lease(&self, blob: &Arc<Blob>, lease: Option<LeaseId>) -> Result<(), StoreError> {
        let permit = Permit::lease(lease);
        self.change_root(blob, |root, now| {
            root.lease = permit.check_change(root, now)?;
            Ok(())
        })
    }
}

impl BlockWriter {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] past the announced length; [`StoreError::DiskFull`] and its like.
    pub fn write(&mut self, data: &[u8]) -> Result<(), StoreError> {
        let at = self.checksums.bytes();
        if data.len() as u64 > self.header.payload_len - at {
            return Err(StoreError::Misuse("more bytes than were announced"));
        }
        self.checksums.push(data);
        self.file.write_payload(&self.header, at, data)
    }

    /// Bytes still to come.
    pub fn remaining(&self) -> u64 {
        self.header.payload_len - self.checksums.bytes()
    }

    /// Makes the block durable and part of the blob. Returns where it lies.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] before the last byte; the protocol's when container, lease or seal changed
    /// meanwhile; [`ErrorCode::ServerBusy`] when the blob was overwritten or deleted meanwhile, so that a
    /// client sends again; [`StoreError::DiskFull`] and its like.
    pub fn commit(mut self) -> Result<BlockRef, StoreError> {
        if self.remaining() > 0 {
            return Err(StoreError::Misuse("fewer bytes than were announced"));
        }
        self.check_still_allowed()?;
        let checksums = std::mem::take(&mut self.checksums).finish();
        let ticket = self.file.finish_block(&self.header, checksums)?;
        self.file.wait(ticket, SyncPoint::Append)?;
        let span = Span::of(&self.header);
        let container = Arc::clone(&self.container);
        let _gate = container.enter()?;
        let mut state = self.blob.state();
        if !state
            .file
            .as_ref()
            .is_some_and(|file| Arc::ptr_eq(file, &self.file))
        {
            return Err(ErrorCode::ServerBusy.into());
        }
        let blob = Arc::clone(&self.blob);
        let opening = self.core.opening();
        let staged = Staged { span, damaged: false };
        state.uncommitted(&blob, &opening)?.stage(self.id.clone(), staged);
        state.last_block = state.last_block.max(Some(self.core.now()));
        self.file.arrived(self.header.offset);
        self.ended = true;
        Ok(BlockRef {
            identity: self.file.identity(),
            span,
            start: 0,
        })
    }

    /// A lease that came, or a seal that was set, while the bytes were on their way.
    fn check_still_allowed(&self) -> Result<(), StoreError> {
        let _gate = self.container.enter()?;
        let root = self.blob.state().root.clone().ok_or(ErrorCode::ServerBusy)?;
        check_open(&root)?;
        root.lease.check_write(self.lease, self.core.now())?;
        Ok(())
    }
}

impl Drop for BlockWriter {
    fn drop(&mut self) {
        if !self.ended {
            self.file.abandon_block(&self.header);
        }
    }
}
