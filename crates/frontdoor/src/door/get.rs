//! Get Blob: bytes out, verified.

use std::sync::Arc;

use azblob::error::{ErrorCode, Refusal};
use azblob::limits::MAX_RANGE_CHECKSUM;
use azblob::range::ResolvedRange;
use azblob::request::GetBlob;
use azblob::version::ApiVersion;
use blobstore::{BlobPath, BlobReader, Permit};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::blob::check_read;
use super::{Answer, Door};
use crate::answer::{AnswerBody, BrokenOff};
use crate::buffers::Buffers;
use crate::checks::BodyCheck;
use crate::download::{Download, Source};
use crate::fault::Fault;
use crate::reply::{blob_head, empty, put_seal};

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

/// The beginning of an answer: all of it, for a small range.
struct Begun {
    source: Outgoing,
    cut: Cut,
    headers: HeaderMap,
    first: Option<Bytes>,
}

impl Door {
    /// Get Blob.
    pub(super) async fn get_blob(&self, path: BlobPath, ask: GetBlob, version: ApiVersion) -> Answer {
        let begun = match self.begin_at_once(&path, &ask, version) {
            Some(begun) => begun,
            None => {
                let buffers = Arc::clone(&self.buffers);
                self.call(move |store| {
                    let reader = store.open_blob((&path, ask.snapshot), &Permit::lease(ask.lease_id))?;
                    begin(Outgoing(reader), &buffers, &ask, version)
                })
                .await?
            }
        };
        Ok(self.answer_with(begun))
    }

    /// Begins the answer on this thread when everything it takes is in memory: a hop to a blocking thread and back
    /// would cost more than the work. None where it is not, or where something is wrong.
    fn begin_at_once(&self, path: &BlobPath, ask: &GetBlob, version: ApiVersion) -> Option<Begun> {
        if ask.range_md5 || ask.range_crc64 {
            return None;
        }
        let permit = Permit::lease(ask.lease_id);
        let source = Outgoing(self.store.open_blob_at_once((path, ask.snapshot), &permit)?);
        check_read(&ask.conditions, source.0.view()).ok()?;
        let cut = cut(ask, source.0.size()).ok()?;
        let headers = head(&source, &cut, version);
        let read = |source: &Outgoing, into: &mut [u8]| {
            let read = source.fill_at_once(cut.start, into);
            read.then_some(()).ok_or(BrokenOff)
        };
        let first = first_chunk(&source, &self.buffers, &cut, read).ok()?;
        Some(Begun {
            source,
            cut,
            headers,
            first,
        })
    }

    fn answer_with(&self, begun: Begun) -> Response<AnswerBody> {
        let (start, end) = (begun.cut.start, begun.cut.end);
        let mut answer = empty();
        if begun.cut.range.is_some() {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        *answer.headers_mut() = begun.headers;
        *answer.body_mut() = match begun.first {
            None => AnswerBody::empty(),
            Some(all) if all.len() as u64 == end - start => AnswerBody::whole(all),
            Some(first) => {
                let (source, buffers) = (Arc::new(begun.source), Arc::clone(&self.buffers));
                AnswerBody::Download(Download::new(source, buffers, first, start, end))
            }
        };
        answer
    }
}

/// Begins the answer on a blocking thread.
fn begin(
    source: Outgoing,
    buffers: &Arc<Buffers>,
    ask: &GetBlob,
    version: ApiVersion,
) -> Result<Begun, Fault> {
    check_read(&ask.conditions, source.0.view())?;
    let cut = cut(ask, source.0.size())?;
    let mut headers = head(&source, &cut, version);
    write_sums(&source, buffers, ask, &cut, &mut headers)?;
    let read = |source: &Outgoing, into: &mut [u8]| source.read(cut.start, into);
    let first = first_chunk(&source, buffers, &cut, read)?;
    Ok(Begun {
        source,
        cut,
        headers,
        first,
    })
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

fn head(source: &Outgoing, cut: &Cut, version: ApiVersion) -> HeaderMap {
    let mut headers = HeaderMap::new();
    blob_head(source.0.view()).write_headers(cut.range, version, &mut headers);
    put_seal(source.0.view(), &mut headers);
    headers
}

/// Adds what the range sums up to, where that is wanted. It is read for it piece by piece, and again for the answer.
fn write_sums(
    source: &Outgoing,
    buffers: &Arc<Buffers>,
    ask: &GetBlob,
    cut: &Cut,
    headers: &mut HeaderMap,
) -> Result<(), Fault> {
    let mut check = match (ask.range_md5, ask.range_crc64) {
        (true, _) => BodyCheck::with_md5(),
        (false, true) => BodyCheck::with_crc64(),
        (false, false) => return Ok(()),
    };
    let (mut at, mut buffer) = (cut.start, buffers.take());
    while at < cut.end {
        let piece = Download::first_length(at, cut.end);
        let piece = &mut buffer.space()[..piece];
        source.read(at, piece)?;
        check.update(piece);
        at += piece.len() as u64;
    }
    check.finish()?.write_headers(headers);
    Ok(())
}

/// The first chunk, read before the answer begins, so that what is wrong with it becomes an error answer.
fn first_chunk<E>(
    source: &Outgoing,
    buffers: &Arc<Buffers>,
    cut: &Cut,
    read: impl Fn(&Outgoing, &mut [u8]) -> Result<(), E>,
) -> Result<Option<Bytes>, E> {
    if cut.start == cut.end {
        return Ok(None);
    }
    let length = Download::first_length(cut.start, cut.end);
    let mut buffer = buffers.take();
    read(source, &mut buffer.space()[..length])?;
    Ok(Some(buffer.into_bytes(length)))
}
