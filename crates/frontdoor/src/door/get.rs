//! Get Blob: bytes out, verified.

use std::sync::Arc;

use azblob::digest::{Crc64, Md5};
use azblob::error::{ErrorCode, Refusal};
use azblob::limits::MAX_RANGE_CHECKSUM;
use azblob::range::ResolvedRange;
use azblob::request::GetBlob;
use azblob::version::ApiVersion;
use blobstore::{BlobPath, BlobReader, Permit};
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, checksum};
use http::{HeaderMap, StatusCode};
use md5::Digest;

use super::blob::check_read;
use super::{Answer, Door};
use crate::answer::{AnswerBody, BrokenOff};
use crate::buffers::Buffers;
use crate::download::{Download, Source};
use crate::fault::Fault;
use crate::reply::{blob_head, empty, put};

/// An open blob on its way out. Damage that a read meets is logged and remembered by the store.
struct Outgoing(BlobReader);

impl Outgoing {
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), Fault> {
        Ok(self.0.read_at(offset, into)?)
    }
}

impl Source for Outgoing {
    fn fill(&self, offset: u64, into: &mut [u8]) -> Result<(), BrokenOff> {
        self.read(offset, into).map_err(|_| BrokenOff)
    }

    fn fill_at_once(&self, offset: u64, into: &mut [u8]) -> bool {
        self.0.read_cached(offset, into)
    }
}

/// Which bytes go out.
struct Cut {
    /// None: all of them, because no range was asked for.
    range: Option<ResolvedRange>,
    start: u64,
    end: u64,
}

impl Door {
    /// Get Blob.
    pub(super) async fn get_blob(&self, path: BlobPath, ask: GetBlob, version: ApiVersion) -> Answer {
        let buffers = Arc::clone(&self.buffers);
        let (source, cut, headers, first) = self
            .call(move |store| {
                let reader = store.open_blob(&path, &Permit::lease(ask.lease_id))?;
                check_read(&ask.conditions, reader.view())?;
                let source = Outgoing(reader);
                let cut = cut(&ask, source.0.size())?;
                let headers = head(&source, &ask, &cut, version)?;
                let first = first_chunk(&source, &buffers, &cut)?;
                Ok((Arc::new(source), cut, headers, first))
            })
            .await?;
        let mut answer = empty();
        if cut.range.is_some() {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        *answer.headers_mut() = headers;
        *answer.body_mut() = match first {
            None => AnswerBody::empty(),
            Some(all) if all.len() as u64 == cut.end - cut.start => AnswerBody::whole(all),
            Some(first) => {
                let buffers = Arc::clone(&self.buffers);
                AnswerBody::Download(Download::new(source, buffers, first, cut.start, cut.end))
            }
        };
        Ok(answer)
    }
}

fn cut(ask: &GetBlob, total: u64) -> Result<Cut, Fault> {
    let Some(range) = ask.range else {
        return Ok(Cut {
            range: None,
            start: 0,
            end: total,
        });
    };
    let resolved = range
        .resolve(total)
        .map_err(|code| Fault::range_beyond(code, total))?;
    if (ask.range_md5 || ask.range_crc64) && resolved.len > MAX_RANGE_CHECKSUM {
        let words = "A checksum of a range is computed for at most 4 MiB.";
        return Err(Refusal::with_message(ErrorCode::OutOfRangeInput, words).into());
    }
    Ok(Cut {
        range: Some(resolved),
        start: resolved.start,
        end: resolved.start + resolved.len,
    })
}

fn head(source: &Outgoing, ask: &GetBlob, cut: &Cut, version: ApiVersion) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    blob_head(source.0.view()).write_headers(cut.range, version, &mut headers);
    if ask.range_md5 || ask.range_crc64 {
        let mut bytes = vec![0; usize::try_from(cut.end - cut.start).expect("at most 4 MiB")];
        source.read(cut.start, &mut bytes)?;
        if ask.range_md5 {
            put(
                &mut headers,
                "content-md5",
                &Md5(md5::Md5::digest(&bytes).into()).to_string(),
            );
        } else {
            let crc = Crc64(checksum(CrcAlgorithm::Crc64Nvme, &bytes));
            put(&mut headers, "x-ms-content-crc64", &crc.to_string());
        }
    }
    Ok(headers)
}

/// The first chunk, read before the answer begins, so that what is wrong with it becomes an error answer.
fn first_chunk(source: &Outgoing, buffers: &Arc<Buffers>, cut: &Cut) -> Result<Option<Bytes>, Fault> {
    if cut.start == cut.end {
        return Ok(None);
    }
    let length = Download::first_length(cut.start, cut.end);
    let mut buffer = buffers.take();
    source.read(cut.start, &mut buffer.space()[..length])?;
    Ok(Some(buffer.into_bytes(length)))
}
