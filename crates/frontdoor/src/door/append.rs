//! Append blobs: made, added to, sealed by their clients.

use std::sync::Arc;

use azblob::conditions::{Conditions, WriteKind};
use azblob::etag::ETag;
use azblob::lease::LeaseId;
use azblob::request::{AppendBlock, PutAppendBlob, SealAppend};
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use blobstore::{AppendPermit, AppendWriter, Appended, BlobPath, Permit, Properties};
use http::Response;
use hyper::body::Incoming;

use super::put::{Upload, Writer};
use super::{Answer, Door};
use crate::answer::AnswerBody;
use crate::checks::{BodyCheck, Sums};
use crate::fault::Fault;
use crate::intake::pump;
use crate::proof::Opening;
use crate::reply::{changed, put};

impl Writer for AppendWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        Ok(AppendWriter::write(self, bytes)?)
    }
}

/// What a request brings along to add to a blob; the store's own permit borrows from it.
#[derive(Clone)]
pub(super) struct MayAppend {
    pub(super) lease_id: Option<LeaseId>,
    pub(super) conditions: Conditions,
    pub(super) at: Option<u64>,
    pub(super) max_size: Option<u64>,
}

impl MayAppend {
    pub(super) fn with<R>(&self, run: impl FnOnce(&AppendPermit<'_>) -> R) -> R {
        let condition =
            |current: Option<(ETag, UnixMillis)>| self.conditions.check_write(current, WriteKind::Change);
        run(&AppendPermit {
            permit: Permit {
                lease: self.lease_id,
                condition: &condition,
            },
            at: self.at,
            max_size: self.max_size,
        })
    }
}

impl Door {
    /// Put Blob, of an append blob.
    pub(super) async fn put_append_blob(&self, path: BlobPath, ask: PutAppendBlob) -> Answer {
        let proof = Arc::clone(&self.proof);
        let made = self
            .call(move |store| {
                let condition = |current: Option<_>| ask.conditions.check_write(current, WriteKind::Create);
                let permit = Permit {
                    lease: ask.lease_id,
                    condition: &condition,
                };
                let properties = Properties {
                    http: ask.properties,
                    metadata: ask.metadata,
                    tags: ask.tags,
                    copy: None,
                };
                let made = store.create_append_blob(&path, properties, &permit)?;
                proof.pages_created(&path, made.commit);
                Ok(made)
            })
            .await?;
        Ok(changed(made.etag, made.last_modified))
    }

    /// Append Block.
    pub(super) async fn append_block(
        &self,
        path: BlobPath,
        ask: AppendBlock,
        version: ApiVersion,
        body: &mut Incoming,
    ) -> Answer {
        let may = MayAppend {
            lease_id: ask.lease_id,
            conditions: ask.conditions,
            at: ask.at,
            max_size: ask.max_size,
        };
        let (first, at, length) = (may.clone(), path.clone(), ask.length);
        let writer = self
            .call(move |store| Ok(first.with(|permit| store.begin_append(&at, length, permit))?))
            .await?;
        let upload = Upload {
            writer,
            check: BodyCheck::of_block(ask.checksum, version),
            opening: Opening::default(),
            kept: None,
        };
        let proof = Arc::clone(&self.proof);
        let (sums, done) = pump(body, length, upload, &self.gate, move |upload| {
            let sums = upload.check.finish()?;
            let writing = proof.writing(&path);
            let done = may.with(|permit| upload.writer.commit(permit))?;
            writing.done(done.offset..done.offset + length, done.commit);
            Ok((sums, done))
        })
        .await?;
        Ok(appended(&done, sums))
    }

    /// Append Blob Seal.
    pub(super) async fn seal_append(&self, path: BlobPath, ask: SealAppend) -> Answer {
        let view = self
            .call(move |store| {
                let condition = |current: Option<_>| ask.conditions.check_write(current, WriteKind::Change);
                let permit = Permit {
                    lease: ask.lease_id,
                    condition: &condition,
                };
                Ok(store.seal_append(&path, ask.at, &permit)?)
            })
            .await?;
        let mut answer = changed(view.etag, view.last_modified);
        put(answer.headers_mut(), "x-ms-blob-sealed", "true");
        Ok(answer)
    }
}

/// The answer to an appended block.
pub(super) fn appended(done: &Appended, sums: Sums) -> Response<AnswerBody> {
    let mut answer = changed(done.etag, done.last_modified);
    let headers = answer.headers_mut();
    put(headers, "x-ms-blob-append-offset", &done.offset.to_string());
    put(
        headers,
        "x-ms-blob-committed-block-count",
        &done.block_count.to_string(),
    );
    sums.write_headers(headers);
    answer
}
