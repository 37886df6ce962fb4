//! Page blobs: made, written, cleared, asked which pages hold something, cut and lengthened.
//!
//! The body of a Put Page takes the way of a block's: in frames to blocking threads, durable before its 201. Lease,
//! conditions and sequence number are judged twice by the store, before the body is read and when it has arrived.

use std::ops::Range;
use std::sync::Arc;

use azblob::conditions::{Conditions, WriteKind};
use azblob::error::ErrorCode;
use azblob::etag::ETag;
use azblob::lease::LeaseId;
use azblob::page::{PAGE_BYTES, PageRange, SequenceCondition};
use azblob::request::{ClearPages, GetPageRanges, Marker, PutPage, PutPageBlob};
use azblob::response::{BlobHead, PageList, PageState};
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use blobstore::{BlobPath, PagePermit, PageWriter, PagesDone, Permit, Properties};
use http::Response;
use hyper::body::Incoming;

use super::blob::check_read;
use super::put::{Upload, Writer};
use super::{Answer, Door};
use crate::answer::AnswerBody;
use crate::checks::{BodyCheck, Sums};
use crate::fault::Fault;
use crate::intake::pump;
use crate::proof::Opening;
use crate::reply::{changed, document, put};

impl Writer for PageWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        Ok(PageWriter::write(self, bytes)?)
    }
}

/// What a request brings along to write pages; the store's own permit borrows from it.
#[derive(Clone)]
pub(super) struct MayWrite {
    pub(super) lease_id: Option<LeaseId>,
    pub(super) conditions: Conditions,
    pub(super) sequence: SequenceCondition,
}

impl MayWrite {
    pub(super) fn with<R>(&self, run: impl FnOnce(&PagePermit<'_>) -> R) -> R {
        let condition =
            |current: Option<(ETag, UnixMillis)>| self.conditions.check_write(current, WriteKind::Change);
        run(&PagePermit {
            permit: Permit {
                lease: self.lease_id,
                condition: &condition,
            },
            sequence: self.sequence,
        })
    }
}

impl Door {
    /// Put Blob, of a page blob.
    pub(super) async fn put_page_blob(&self, path: BlobPath, ask: PutPageBlob) -> Answer {
        let proof = Arc::clone(&self.proof);
        let made = self
            .call(move |store| {
                let condition = |current: Option<_>| ask.conditions.check_write(current, WriteKind::Create);
                let permit = Permit {
                    lease: ask.lease_id,
                    condition: &condition,
                };
                let blob = blobstore::PutPageBlob {
                    size: ask.size,
                    sequence_number: ask.sequence_number,
                    properties: Properties {
                        http: ask.properties,
                        metadata: ask.metadata,
                        tags: ask.tags,
                        copy: None,
                    },
                };
                let made = store.create_page_blob(&path, blob, &permit)?;
                proof.pages_created(&path, made.commit);
                Ok(made)
            })
            .await?;
        Ok(changed(made.etag, made.last_modified))
    }

    /// Put Page, update.
    pub(super) async fn put_page(
        &self,
        path: BlobPath,
        ask: PutPage,
        version: ApiVersion,
        body: &mut Incoming,
    ) -> Answer {
        let may = MayWrite {
            lease_id: ask.lease_id,
            conditions: ask.conditions,
            sequence: ask.sequence,
        };
        let (first, at, range) = (may.clone(), path.clone(), ask.range);
        let writer = self
            .call(move |store| Ok(first.with(|permit| store.begin_pages(&at, range, permit))?))
            .await?;
        let upload = Upload {
            writer,
            check: BodyCheck::of_pages(ask.checksum, version),
            opening: Opening::default(),
            kept: None,
        };
        let proof = Arc::clone(&self.proof);
        let (sums, done) = pump(body, range.len(), upload, &self.gate, move |upload| {
            let sums = upload.check.finish()?;
            let writing = proof.writing(&path);
            let done = may.with(|permit| upload.writer.commit(permit))?;
            writing.done(range.start()..range.end(), done.commit);
            Ok((sums, done))
        })
        .await?;
        Ok(written(done, sums))
    }

    /// Put Page, clear.
    pub(super) async fn clear_pages(&self, path: BlobPath, ask: ClearPages) -> Answer {
        let may = MayWrite {
            lease_id: ask.lease_id,
            conditions: ask.conditions,
            sequence: ask.sequence,
        };
        let proof = Arc::clone(&self.proof);
        let done = self
            .call(move |store| {
                let writing = proof.writing(&path);
                let done = may.with(|permit| store.clear_pages(&path, ask.range, permit))?;
                writing.done(ask.range.start()..ask.range.end(), done.commit);
                Ok(done)
            })
            .await?;
        Ok(written(done, Sums::default()))
    }

    /// Get Page Ranges.
    pub(super) async fn page_ranges(
        &self,
        path: BlobPath,
        ask: GetPageRanges,
        version: ApiVersion,
    ) -> Answer {
        self.call(move |store| {
            let window = window(&ask)?;
            let most = ask.max_results.map_or(usize::MAX, |most| most as usize);
            let found =
                store.page_ranges((&path, ask.snapshot), window, most, &Permit::lease(ask.lease_id))?;
            check_read(&ask.conditions, &found.view)?;
            let size = found.view.size;
            if ask
                .range
                .is_some_and(|range| range.start >= size && range.start > 0)
            {
                return Err(Fault::range_beyond(ErrorCode::InvalidRange, size));
            }
            let list = PageList {
                ranges: found.ranges.into_iter().map(listed).collect::<Result<_, _>>()?,
                next: found.next.map(|offset| Marker::at(offset.to_string())),
            };
            let mut answer = document(list.render(version >= ApiVersion::V2020_10_02));
            let (etag, modified) = (found.view.etag, found.view.last_modified);
            BlobHead::write_block_list_headers(etag, modified, size, answer.headers_mut());
            Ok(answer)
        })
        .await
    }
}

/// The pages that a request asks about: whole pages, from where an earlier answer left off.
fn window(ask: &GetPageRanges) -> Result<Range<u64>, Fault> {
    let range = ask.range.map_or(0..u64::MAX, |range| {
        let end = range.last.unwrap_or(u64::MAX).saturating_add(1);
        let whole = end.checked_next_multiple_of(PAGE_BYTES).unwrap_or(u64::MAX);
        range.start - range.start % PAGE_BYTES..whole
    });
    let Some(marker) = &ask.marker else {
        return Ok(range);
    };
    let from = marker.name.parse::<u64>().ok();
    let from = from.filter(|offset| offset.is_multiple_of(PAGE_BYTES));
    let from = from.ok_or(ErrorCode::InvalidQueryParameterValue)?;
    Ok(range.start.max(from)..range.end)
}

fn listed(range: Range<u64>) -> Result<(PageRange, PageState), Fault> {
    let pages = PageRange::new(range.start, range.end.saturating_sub(1)).map_err(|_| Fault::lost())?;
    Ok((pages, PageState::Written))
}

pub(super) fn written(done: PagesDone, sums: Sums) -> Response<AnswerBody> {
    let mut answer = changed(done.etag, done.last_modified);
    put(
        answer.headers_mut(),
        "x-ms-blob-sequence-number",
        &done.sequence_number.to_string(),
    );
    sums.write_headers(answer.headers_mut());
    answer
}
