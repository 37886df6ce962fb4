//! Put Blob, Put Block, Put Block List: bytes in.
//!
//! Everything that changes the store, and the note to the verifier that goes with it, happens in one blocking call, so
//! that a client which goes away in the middle leaves the two in step.

use std::sync::Arc;

use azblob::block::BlockList;
use azblob::conditions::WriteKind;
use azblob::request::{PutBlob, PutBlock, PutBlockList};
use azblob::version::ApiVersion;
use blobstore::{BlobPath, BlobWriter, BlockWriter, Permit, Properties};
use bytes::Bytes;
use hyper::body::Incoming;

use super::{Answer, Door};
use crate::checks::BodyCheck;
use crate::fault::Fault;
use crate::intake::{Sink, pump};
use crate::proof::{Kept, Opening};
use crate::reply::{changed, empty};

/// Takes the bytes of an upload: into the store, through the checksum, and to the side for the verifier.
pub(super) struct Upload<W> {
    pub(super) writer: W,
    pub(super) check: BodyCheck,
    pub(super) opening: Opening,
    pub(super) kept: Option<Kept>,
}

/// The ways of the store to take bytes.
pub(super) trait Writer: Send + 'static {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault>;
}

impl Writer for BlockWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        Ok(BlockWriter::write(self, bytes)?)
    }
}

impl Writer for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        Ok(BlobWriter::write(self, bytes)?)
    }
}

impl<W: Writer> Sink for Upload<W> {
    type Error = Fault;

    fn write(&mut self, frame: Bytes) -> Result<(), Fault> {
        self.check.update(&frame);
        self.opening.push(&frame);
        self.writer.write(&frame)?;
        if let Some(kept) = &mut self.kept {
            kept.push(frame);
        }
        Ok(())
    }
}

impl Door {
    /// Put Block.
    pub(super) async fn put_block(
        &self,
        path: BlobPath,
        ask: PutBlock,
        version: ApiVersion,
        body: &mut Incoming,
    ) -> Answer {
        let (id, at) = (ask.id.clone(), path.clone());
        let writer = self
            .call(move |store| Ok(store.begin_block(&at, &id, ask.length, ask.lease_id)?))
            .await?;
        let upload = Upload {
            writer,
            check: BodyCheck::of_block(ask.checksum, version),
            opening: Opening::default(),
            kept: self.proof.room(&path, ask.length),
        };
        let proof = Arc::clone(&self.proof);
        let sums = pump(body, ask.length, upload, &self.gate, move |upload| {
            let sums = upload.check.finish()?;
            let block = upload.writer.commit()?;
            proof.block_stored(&path, &ask.id, block, upload.kept, upload.opening.is_backup());
            Ok(sums)
        })
        .await?;
        let mut answer = empty();
        sums.write_headers(answer.headers_mut());
        Ok(answer)
    }

    /// Put Blob.
    pub(super) async fn put_blob(
        &self,
        path: BlobPath,
        ask: PutBlob,
        version: ApiVersion,
        body: &mut Incoming,
    ) -> Answer {
        let kept = self.proof.room_for_blob(ask.length);
        let check = BodyCheck::of_blob(ask.checksum, version);
        let at = path.clone();
        let conditions = ask.conditions.clone();
        let mut properties = Properties {
            http: ask.properties,
            metadata: ask.metadata,
            tags: ask.tags,
            copy: None,
        };
        let writer = self
            .call(move |store| {
                let condition = |current: Option<_>| conditions.check_write(current, WriteKind::Create);
                let permit = Permit {
                    lease: ask.lease_id,
                    condition: &condition,
                };
                Ok(store.begin_blob(&at, ask.length, &permit)?)
            })
            .await?;
        let proof = Arc::clone(&self.proof);
        let conditions = ask.conditions;
        let upload = Upload {
            writer,
            check,
            opening: Opening::default(),
            kept,
        };
        let (sums, done) = pump(body, ask.length, upload, &self.gate, move |upload| {
            let sums = upload.check.finish()?;
            let condition = |current: Option<_>| conditions.check_write(current, WriteKind::Create);
            let permit = Permit {
                lease: ask.lease_id,
                condition: &condition,
            };
            if properties.http.content_md5.is_none() {
                properties.http.content_md5 = sums.md5;
            }
            let done = upload.writer.commit(properties, &permit)?;
            proof.blob_stored(&path, done.commit, ask.length, upload.kept);
            Ok((sums, done))
        })
        .await?;
        let mut answer = changed(done.etag, done.last_modified);
        sums.write_headers(answer.headers_mut());
        Ok(answer)
    }

    /// Put Block List.
    pub(super) async fn put_block_list(
        &self,
        path: BlobPath,
        ask: PutBlockList,
        version: ApiVersion,
        body: &mut Incoming,
    ) -> Answer {
        let check = BodyCheck::of_block(ask.checksum, version);
        let document = self.document(body, ask.length, check).await?;
        let list = BlockList::parse(document.bytes())?;
        let proof = Arc::clone(&self.proof);
        let (conditions, lease) = (ask.conditions, ask.lease_id);
        let properties = Properties {
            http: ask.properties,
            metadata: ask.metadata,
            tags: ask.tags,
            copy: None,
        };
        let done = self
            .call(move |store| {
                let condition = |current: Option<_>| conditions.check_write(current, WriteKind::Create);
                let permit = Permit {
                    lease,
                    condition: &condition,
                };
                let done = store.put_block_list(&path, &list, properties, &permit)?;
                proof.committed(&path, done.committed.commit, done.blocks);
                Ok(done.committed)
            })
            .await?;
        let mut answer = changed(done.etag, done.last_modified);
        document.sums().write_headers(answer.headers_mut());
        Ok(answer)
    }
}
