//! Put Blob, Put Block, Put Block List: bytes in.
//!
//! Everything that changes the store, and the note to the verifier that goes with it, happens in one blocking call, so
//! that a client which goes away in the middle leaves the two in step.

use std::sync::Arc;

use azblob::block::BlockList;
use azblob::conditions::WriteKind;
use azblob::digest::Md5;
use azblob::error::ErrorCode;
use azblob::request::{Checksum, PutBlob, PutBlock, PutBlockList};
use blobstore::{BlobPath, BlobWriter, BlockWriter, Permit, Properties};
use bytes::Bytes;
use hyper::body::Incoming;

use super::{Answer, Door};
use crate::checks::BodyCheck;
use crate::fault::Fault;
use crate::intake::{IntakeError, Sink, collect, pump};
use crate::limits;
use crate::proof::{Kept, Opening};
use crate::reply::{changed, empty, put};

/// Takes the bytes of an upload: into the store, through the checksum, and to the side for the verifier.
struct Upload<W> {
    writer: W,
    check: BodyCheck,
    opening: Opening,
    kept: Option<Kept>,
}

/// The two ways of the store to take bytes.
trait Writer: Send + 'static {
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

fn check_for(checksum: Option<Checksum>) -> BodyCheck {
    match checksum {
        None => BodyCheck::Nothing,
        Some(Checksum::Md5(md5)) => BodyCheck::md5(Some(md5.0)),
        Some(Checksum::Crc64(crc)) => BodyCheck::crc64(crc.0.to_le_bytes()),
    }
}

/// The answer repeats the checksum that was checked.
fn repeat_checksum(headers: &mut http::HeaderMap, checksum: Option<Checksum>) {
    match checksum {
        None => {}
        Some(Checksum::Md5(md5)) => put(headers, "content-md5", &md5.to_string()),
        Some(Checksum::Crc64(crc)) => put(headers, "x-ms-content-crc64", &crc.to_string()),
    }
}

impl Door {
    /// Put Block.
    pub(super) async fn put_block(&self, path: BlobPath, ask: PutBlock, body: &mut Incoming) -> Answer {
        let (id, at) = (ask.id.clone(), path.clone());
        let writer = self
            .call(move |store| Ok(store.begin_block(&at, &id, ask.length, ask.lease_id)?))
            .await?;
        let upload = Upload {
            writer,
            check: check_for(ask.checksum),
            opening: Opening::default(),
            kept: self.proof.room(&path, ask.length),
        };
        let proof = Arc::clone(&self.proof);
        pump(body, ask.length, upload, &self.gate, move |upload| {
            upload.check.finish()?;
            let block = upload.writer.commit()?;
            proof.block_stored(&path, &ask.id, block, upload.kept, upload.opening.is_backup());
            Ok(())
        })
        .await?;
        let mut answer = empty();
        repeat_checksum(answer.headers_mut(), ask.checksum);
        Ok(answer)
    }

    /// Put Blob.
    pub(super) async fn put_blob(&self, path: BlobPath, ask: PutBlob, body: &mut Incoming) -> Answer {
        let kept = self.proof.room_for_blob(ask.length);
        let check = match ask.checksum {
            // Put Blob stores an MD5 of its own computing.
            None => BodyCheck::md5(None),
            sent => check_for(sent),
        };
        let at = path.clone();
        let conditions = ask.conditions.clone();
        let mut properties = Properties {
            http: ask.properties,
            metadata: ask.metadata,
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
        let (md5, done) = pump(body, ask.length, upload, &self.gate, move |upload| {
            let md5 = upload.check.finish()?;
            let condition = |current: Option<_>| conditions.check_write(current, WriteKind::Create);
            let permit = Permit {
                lease: ask.lease_id,
                condition: &condition,
            };
            if properties.http.content_md5.is_none() {
                properties.http.content_md5 = md5.map(Md5);
            }
            let done = upload.writer.commit(properties, &permit)?;
            proof.blob_stored(&path, done.commit, ask.length, upload.kept);
            Ok((md5, done))
        })
        .await?;
        let mut answer = changed(done.etag, done.last_modified);
        repeat_checksum(answer.headers_mut(), ask.checksum);
        if let Some(md5) = md5 {
            put(answer.headers_mut(), "content-md5", &Md5(md5).to_string());
        }
        Ok(answer)
    }

    /// Put Block List.
    pub(super) async fn put_block_list(
        &self,
        path: BlobPath,
        ask: PutBlockList,
        body: &mut Incoming,
    ) -> Answer {
        let bytes = collect(body, limits::LIST_BODY)
            .await
            .map_err(|error| not_collected(&error))?;
        if bytes.len() as u64 != ask.length {
            return Err(not_collected(&IntakeError::Client(
                "the body is not as long as its Content-Length",
            )));
        }
        let mut check = check_for(ask.checksum);
        check.update(&bytes);
        check.finish()?;
        let list = BlockList::parse(&bytes)?;
        let proof = Arc::clone(&self.proof);
        let (conditions, lease) = (ask.conditions, ask.lease_id);
        let properties = Properties {
            http: ask.properties,
            metadata: ask.metadata,
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
        repeat_checksum(answer.headers_mut(), ask.checksum);
        Ok(answer)
    }
}

fn not_collected(error: &IntakeError<()>) -> Fault {
    match error {
        IntakeError::Client(why) => IntakeError::<Fault>::Client(why).into(),
        IntakeError::Sink(()) | IntakeError::Lost => ErrorCode::InternalError.into(),
    }
}
