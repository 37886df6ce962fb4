//! Operations of a blob that move no content: properties, metadata, block lists, leases, deletion.

use std::sync::Arc;

use azblob::block::{BlockEntry, BlockId, BlockListKind, BlockListing};
use azblob::conditions::{Conditions, Failed, WriteKind};
use azblob::error::ErrorCode;
use azblob::etag::ETag;
use azblob::lease::{LeaseId, LeaseStatus};
use azblob::request::BlobOperation;
use azblob::response::BlobHead;
use azblob::snapshot::DeleteSnapshots;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use blobstore::{BlobKind, BlobPath, BlobView, PageBlobChange, Permit, Store, Which};

use super::{Answer, Door};
use crate::copies::Copies;
use crate::fault::Fault;
use crate::proof::Proof;
use crate::reply::{blob_head, changed, document, empty, put, put_seal};
use crate::uses::Uses;

impl Door {
    /// Carries out an operation of a blob other than those with content.
    pub(super) async fn blob(&self, path: BlobPath, operation: BlobOperation, version: ApiVersion) -> Answer {
        let (proof, copies) = (Arc::clone(&self.proof), Arc::clone(&self.copies));
        let uses = Arc::clone(&self.uses);
        self.call(move |store| act((store, &proof, &copies, &uses), &path, operation, version))
            .await
    }
}

fn act(
    (store, proof, copies, uses): (&Store, &Arc<Proof>, &Copies, &Uses),
    path: &BlobPath,
    operation: BlobOperation,
    version: ApiVersion,
) -> Answer {
    match operation {
        BlobOperation::GetProperties {
            snapshot,
            lease_id,
            conditions,
        } => {
            let mut view = readable(store, (path, snapshot).into(), lease_id, &conditions)?;
            copies.tell_progress(&mut view);
            let mut answer = empty();
            blob_head(&view).write_headers(None, version, answer.headers_mut());
            put_seal(&view, answer.headers_mut());
            if snapshot.is_none() && view.lease_view.status == LeaseStatus::Locked {
                uses.testify(path).write_headers(answer.headers_mut());
            }
            Ok(answer)
        }
        BlobOperation::GetMetadata {
            snapshot,
            lease_id,
            conditions,
        } => {
            let view = readable(store, (path, snapshot).into(), lease_id, &conditions)?;
            let mut answer = empty();
            blob_head(&view).write_metadata_headers(answer.headers_mut());
            Ok(answer)
        }
        BlobOperation::SetMetadata {
            metadata,
            lease_id,
            conditions,
        } => {
            let condition = change_if(&conditions);
            let view = store.set_metadata(
                path,
                &metadata,
                &Permit {
                    lease: lease_id,
                    condition: &condition,
                },
            )?;
            Ok(changed(view.etag, view.last_modified))
        }
        BlobOperation::SetProperties {
            properties,
            page,
            lease_id,
            conditions,
        } => {
            let condition = change_if(&conditions);
            let permit = Permit {
                lease: lease_id,
                condition: &condition,
            };
            let view = match properties {
                Some(properties) if page.is_empty() => {
                    store.set_http_properties(path, &properties, &permit)?
                }
                http => {
                    let change = PageBlobChange {
                        size: page.size,
                        sequence: page.sequence,
                        http,
                    };
                    let writing = proof.writing(path);
                    let view = store.change_page_blob(path, &change, &permit)?;
                    if let Some(size) = page.size {
                        writing.done(size..size, view.commit);
                    }
                    view
                }
            };
            let mut answer = changed(view.etag, view.last_modified);
            if view.kind == BlobKind::Page {
                let number = view.sequence_number.to_string();
                put(answer.headers_mut(), "x-ms-blob-sequence-number", &number);
            }
            Ok(answer)
        }
        BlobOperation::GetBlockList {
            snapshot,
            kind,
            lease_id,
        } => block_list(store, (path, snapshot).into(), kind, lease_id),
        BlobOperation::Snapshot {
            metadata,
            lease_id,
            conditions,
        } => {
            let condition = change_if(&conditions);
            let permit = Permit {
                lease: lease_id,
                condition: &condition,
            };
            let taken = store.snapshot_blob(path, metadata.as_ref(), &permit)?;
            let mut answer = changed(taken.etag, taken.last_modified);
            put(answer.headers_mut(), "x-ms-snapshot", &taken.time.to_string());
            Ok(answer)
        }
        BlobOperation::Delete {
            snapshot,
            snapshots,
            lease_id,
            conditions,
        } => {
            let condition = change_if(&conditions);
            let permit = Permit {
                lease: lease_id,
                condition: &condition,
            };
            match snapshot {
                Some(time) => store.delete_snapshot(path, time, &permit)?,
                None => store.delete_with_snapshots(path, snapshots, &permit)?,
            }
            if snapshot.is_none() && snapshots != DeleteSnapshots::Only {
                proof.forget(path);
            }
            Ok(empty())
        }
        BlobOperation::Lease { action, conditions } => {
            let (reply, view) = store.lease_blob(path, &action, &change_if(&conditions))?;
            proof.lease_changed(path);
            let mut answer = changed(view.etag, view.last_modified);
            reply.write_headers(answer.headers_mut());
            Ok(answer)
        }
        BlobOperation::PutPageBlob(_)
        | BlobOperation::PutPage(_)
        | BlobOperation::ClearPages(_)
        | BlobOperation::GetPageRanges(_)
        | BlobOperation::PutAppendBlob(_)
        | BlobOperation::AppendBlock(_)
        | BlobOperation::SealAppend(_)
        | BlobOperation::AccountInformation
        | BlobOperation::Put(_)
        | BlobOperation::Copy(_)
        | BlobOperation::PutFromUrl(_)
        | BlobOperation::BlockFromUrl(_)
        | BlobOperation::PageFromUrl(_)
        | BlobOperation::AppendFromUrl(_)
        | BlobOperation::AbortCopy { .. }
        | BlobOperation::GetTags { .. }
        | BlobOperation::SetTags { .. }
        | BlobOperation::SetTier { .. }
        | BlobOperation::PutBlock(_)
        | BlobOperation::PutBlockList(_)
        | BlobOperation::Get(_) => {
            unreachable!("operations with content are answered elsewhere")
        }
    }
}

/// The conditions of a change, for the store to judge at the moment of the change.
fn change_if(conditions: &Conditions) -> impl Fn(Option<(ETag, UnixMillis)>) -> Result<(), ErrorCode> + '_ {
    |current| conditions.check_write(current, WriteKind::Change)
}

/// A committed blob that may be read with this lease id and under these conditions.
fn readable(
    store: &Store,
    blob: Which<'_>,
    lease: Option<LeaseId>,
    conditions: &Conditions,
) -> Result<BlobView, Fault> {
    let view = store.blob_properties(blob, &Permit::lease(lease))?;
    check_read(conditions, &view)?;
    Ok(view)
}

/// Judges the conditions of a read.
pub(super) fn check_read(conditions: &Conditions, view: &BlobView) -> Result<(), Fault> {
    conditions
        .check_read(view.etag, view.last_modified)
        .map_err(|failed| match failed {
            Failed::NotModified => Fault::not_modified(view.etag),
            Failed::With(code) => code.into(),
        })
}

fn block_list(store: &Store, blob: Which<'_>, kind: BlockListKind, lease: Option<LeaseId>) -> Answer {
    let blocks = store.get_block_list(blob, &Permit::lease(lease))?;
    let entries = |blocks: Vec<(BlockId, u64)>| {
        blocks
            .into_iter()
            .map(|(id, size)| BlockEntry { id, size })
            .collect()
    };
    let listing = BlockListing {
        committed: kind.wants_committed().then(|| entries(blocks.committed)),
        uncommitted: kind.wants_uncommitted().then(|| entries(blocks.uncommitted)),
    };
    let mut answer = document(listing.render());
    // A blob without a commit has neither tag nor size.
    if let Ok(view) = store.blob_properties(blob, &Permit::lease(lease)) {
        BlobHead::write_block_list_headers(view.etag, view.last_modified, view.size, answer.headers_mut());
    }
    Ok(answer)
}
