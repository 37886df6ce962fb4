//! Append blobs: blocks added at the end, each where the one before it ended, by any number of writers.
//!
//! A block learns its place when its bytes are there and it is judged. How it lies on disk: [`crate::content_log`].

use azblob::error::ErrorCode;
use azblob::etag::ETag;
use azblob::limits::{MAX_APPEND_BLOCK_BYTES, MAX_APPENDED_BLOCKS};
use azblob::time::UnixMillis;

use crate::blob::BlobView;
use crate::change_content::{ContentChange, Judge, Wanted};
use crate::content_log::Version;
use crate::error::StoreError;
use crate::frame::Kind;
use crate::permit::{Permit, check_kind};
use crate::properties::{BlobKind, Properties};
use crate::put_blob::Committed;
use crate::put_block::BlockRef;
use crate::root::{CommitId, Root};
use crate::store::{BlobPath, Store};

/// What an Append Block brings along to be let through.
#[derive(Clone, Copy)]
pub struct AppendPermit<'a> {
    /// Lease id and conditional headers.
    pub permit: Permit<'a>,
    /// `x-ms-blob-condition-appendpos`: where the block must come to lie.
    pub at: Option<u64>,
    /// `x-ms-blob-condition-maxsize`: how long the blob may be with it.
    pub max_size: Option<u64>,
}

impl AppendPermit<'_> {
    /// No lease id, no condition.
    pub const NONE: AppendPermit<'static> = AppendPermit {
        permit: Permit::NONE,
        at: None,
        max_size: None,
    };
}

/// A block that was appended, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The new ETag.
    pub etag: ETag,
    /// The new time of change.
    pub last_modified: UnixMillis,
    /// The state of the content from now on; the next block makes another.
    pub commit: CommitId,
    /// Where in the blob the block begins.
    pub offset: u64,
    /// Blocks in the blob now.
    pub block_count: u32,
    /// Where its bytes lie.
    pub block: BlockRef,
}

/// Takes the bytes of one Append Block. Dropped without [`AppendWriter::commit`], it leaves nothing behind.
pub struct AppendWriter {
    change: ContentChange,
    len: u64,
}

impl Store {
    /// Makes an empty append blob in the place of what was there.
    ///
    /// # Errors
    /// The protocol's: container, seal, lease, condition. [`StoreError::DiskFull`] and its like.
    pub fn create_append_blob(
        &self,
        path: &BlobPath,
        properties: Properties,
        permit: &Permit<'_>,
    ) -> Result<Committed, StoreError> {
        self.create_logged(path, properties, permit, |root, _| root.kind = BlobKind::Append)
    }

    /// Begins a block of `len` bytes, at most [`MAX_APPEND_BLOCK_BYTES`].
    ///
    /// # Errors
    /// The protocol's: [`ErrorCode::BlobNotFound`], [`ErrorCode::InvalidBlobType`], container, seal, lease,
    /// conditions, [`ErrorCode::AppendPositionConditionNotMet`], [`ErrorCode::MaxBlobSizeConditionNotMet`],
    /// [`ErrorCode::BlobIsSealed`], [`ErrorCode::BlockCountExceedsLimit`], [`ErrorCode::RequestBodyTooLarge`],
    /// [`ErrorCode::InvalidHeaderValue`] for an empty block. [`StoreError::Damaged`] when it is not known what the
    /// blob holds; [`StoreError::DiskFull`] and its like.
    pub fn begin_append(
        &self,
        path: &BlobPath,
        len: u64,
        permit: &AppendPermit<'_>,
    ) -> Result<AppendWriter, StoreError> {
        if len == 0 {
            return Err(ErrorCode::InvalidHeaderValue.into());
        }
        if len > MAX_APPEND_BLOCK_BYTES {
            return Err(ErrorCode::RequestBodyTooLarge.into());
        }
        let wanted = Wanted {
            kind: Kind::Append,
            place: (0, 0),
            payload_len: len,
        };
        with_judge(permit, len, |judge| {
            let change = ContentChange::begin(&self.core, path, wanted, judge)?;
            Ok(AppendWriter { change, len })
        })
    }

    /// Seals an append blob as its clients can (Append Blob Seal): nothing is appended any more. It is not the seal of
    /// [`Store::seal`]; the blob can still be overwritten and deleted. Sealing it again changes nothing. `at` is the
    /// length that the blob must have.
    ///
    /// # Errors
    /// The protocol's: [`ErrorCode::BlobNotFound`], [`ErrorCode::InvalidBlobType`], container, seal, lease,
    /// condition, [`ErrorCode::AppendPositionConditionNotMet`]; those of changing anything.
    pub fn seal_append(
        &self,
        path: &BlobPath,
        at: Option<u64>,
        permit: &Permit<'_>,
    ) -> Result<BlobView, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        core.change_root(&blob, |root, now| {
            if !root.committed {
                return Err(ErrorCode::BlobNotFound.into());
            }
            check_kind(root, BlobKind::Append)?;
            root.lease = permit.check_change(root, now)?;
            if at.is_some_and(|at| at != root.size) {
                return Err(ErrorCode::AppendPositionConditionNotMet.into());
            }
            if let Some(log) = root.log.as_mut().filter(|log| !log.append_sealed) {
                log.append_sealed = true;
                root.etag = core.number();
                root.last_modified = now;
            }
            Ok(())
        })?;
        core.view(&blob)
    }
}

impl AppendWriter {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] past the announced length; [`StoreError::DiskFull`] and its like.
    pub fn write(&mut self, data: &[u8]) -> Result<(), StoreError> {
        self.change.write(data)
    }

    /// Bytes still to come.
    pub fn remaining(&self) -> u64 {
        self.change.remaining()
    }

    /// Makes the block durable and the end of the blob. The permit is judged again, against the blob there is now.
    ///
    /// # Errors
    /// As [`Store::begin_append`]; [`StoreError::Misuse`] before the last byte; [`ErrorCode::ServerBusy`] when the
    /// blob was overwritten or deleted meanwhile, so that a client sends again.
    pub fn commit(self, permit: &AppendPermit<'_>) -> Result<Appended, StoreError> {
        let changed = with_judge(permit, self.len, |judge| self.change.commit(judge))?;
        Ok(Appended {
            etag: changed.version.etag(),
            last_modified: changed.version.last_modified(),
            commit: CommitId(changed.version.change.number),
            offset: changed.block.start,
            block_count: changed.version.block_count,
            block: changed.block,
        })
    }
}

/// Runs with the judge of a block of `len` bytes.
fn with_judge<T>(
    permit: &AppendPermit<'_>,
    len: u64,
    run: impl FnOnce(&Judge<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let further = |root: &Root, version: &Version| {
        if root.log.as_ref().is_some_and(|log| log.append_sealed) {
            return Err(ErrorCode::BlobIsSealed);
        }
        if permit.at.is_some_and(|at| at != version.size) {
            return Err(ErrorCode::AppendPositionConditionNotMet);
        }
        if permit.max_size.is_some_and(|max| version.size + len > max) {
            return Err(ErrorCode::MaxBlobSizeConditionNotMet);
        }
        if version.block_count as usize >= MAX_APPENDED_BLOCKS {
            return Err(ErrorCode::BlockCountExceedsLimit);
        }
        Ok(())
    };
    run(&Judge {
        kind: BlobKind::Append,
        permit: &permit.permit,
        further: &further,
    })
}
