//! What SQL Server asks of a blob, carried out on the store.

use azblob::block::BlockList;
use azblob::conditions::{Conditions, WriteKind};
use azblob::error::{ErrorCode, Refusal};
use azblob::etag::ETag;
use azblob::lease::LeaseId;
use azblob::page::SequenceCondition;
use azblob::request::{BlobOperation, GetBlob, PutBlob, PutBlockList};
use azblob::response::{BlobHead, BlobType, Changed};
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use blobstore::{
    BlobKind, BlobPath, BlobView, PageBlobChange, PagePermit, Permit, Properties, PutPageBlob, Store,
    StoreError,
};
use bytes::Bytes;
use http::{Response, StatusCode};

/// Why a request was not carried out.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The rules of the Blob service.
    Protocol(Refusal),
    /// The store.
    Store(StoreError),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Protocol(refusal)
    }
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self::Protocol(code.into())
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Protocol(code) => code.into(),
            other => Self::Store(other),
        }
    }
}

pub(crate) type Answer = Result<Response<Bytes>, Refused>;

fn changed(etag: ETag, last_modified: UnixMillis) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    Changed { etag, last_modified }.write_headers(answer.headers_mut());
    answer
}

/// Runs a change under its lease and conditions.
fn permitted<R>(
    lease: Option<LeaseId>,
    conditions: &Conditions,
    kind: WriteKind,
    deed: impl FnOnce(&Permit<'_>) -> R,
) -> R {
    let condition = |current: Option<(ETag, UnixMillis)>| conditions.check_write(current, kind);
    deed(&Permit {
        lease,
        condition: &condition,
    })
}

fn pages<R>(
    lease: Option<LeaseId>,
    conditions: &Conditions,
    sequence: SequenceCondition,
    deed: impl FnOnce(&PagePermit<'_>) -> R,
) -> R {
    permitted(lease, conditions, WriteKind::Change, |permit| {
        deed(&PagePermit {
            permit: *permit,
            sequence,
        })
    })
}

pub(crate) fn carry_out(
    store: &Store,
    path: &BlobPath,
    operation: BlobOperation,
    version: ApiVersion,
    body: &Bytes,
) -> Answer {
    match operation {
        BlobOperation::Put(ask) => put_blob(store, path, ask, body),
        BlobOperation::PutBlock(ask) => {
            let mut writer = store.begin_block(path, &ask.id, ask.length, ask.lease_id)?;
            writer.write(body)?;
            writer.commit()?;
            Ok(Response::new(Bytes::new()))
        }
        BlobOperation::PutBlockList(ask) => put_block_list(store, path, ask, body),
        BlobOperation::Get(ask) => get(store, path, &ask, version),
        BlobOperation::GetProperties {
            lease_id, conditions, ..
        } => {
            let view = store.blob_properties(path, &Permit::lease(lease_id))?;
            check_read(&conditions, &view)?;
            let mut answer = Response::new(Bytes::new());
            head(&view).write_headers(None, version, answer.headers_mut());
            Ok(answer)
        }
        BlobOperation::Delete {
            lease_id, conditions, ..
        } => {
            permitted(lease_id, &conditions, WriteKind::Change, |permit| {
                store.delete_blob(path, permit)
            })?;
            Ok(Response::new(Bytes::new()))
        }
        BlobOperation::Lease { action, conditions } => {
            let condition = |current: Option<_>| conditions.check_write(current, WriteKind::Change);
            let (reply, view) = store.lease_blob(path, &action, &condition)?;
            let mut answer = changed(view.etag, view.last_modified);
            reply.write_headers(answer.headers_mut());
            Ok(answer)
        }
        of_pages => page_blob(store, path, of_pages, body),
    }
}

fn page_blob(store: &Store, path: &BlobPath, operation: BlobOperation, body: &Bytes) -> Answer {
    match operation {
        BlobOperation::PutPageBlob(ask) => {
            let blob = PutPageBlob {
                size: ask.size,
                sequence_number: ask.sequence_number,
                properties: properties(ask.properties, ask.metadata, ask.tags),
            };
            let made = permitted(ask.lease_id, &ask.conditions, WriteKind::Create, |permit| {
                store.create_page_blob(path, blob, permit)
            })?;
            Ok(changed(made.etag, made.last_modified))
        }
        BlobOperation::PutPage(ask) => {
            let done = pages(ask.lease_id, &ask.conditions, ask.sequence, |permit| {
                let mut writer = store.begin_pages(path, ask.range, permit)?;
                writer.write(body)?;
                writer.commit(permit)
            })?;
            Ok(changed(done.etag, done.last_modified))
        }
        BlobOperation::ClearPages(ask) => {
            let done = pages(ask.lease_id, &ask.conditions, ask.sequence, |permit| {
                store.clear_pages(path, ask.range, permit)
            })?;
            Ok(changed(done.etag, done.last_modified))
        }
        BlobOperation::SetProperties {
            properties,
            page,
            lease_id,
            conditions,
        } => {
            let change = PageBlobChange {
                size: page.size,
                sequence: page.sequence,
                http: properties,
            };
            let view = permitted(lease_id, &conditions, WriteKind::Change, |permit| {
                store.change_page_blob(path, &change, permit)
            })?;
            Ok(changed(view.etag, view.last_modified))
        }
        other => panic!("SQL Server never asks for {other:?}"),
    }
}

fn properties(
    http: azblob::properties::HttpProperties,
    metadata: azblob::metadata::Metadata,
    tags: azblob::tags::Tags,
) -> Properties {
    Properties {
        http,
        metadata,
        tags,
        copy: None,
    }
}

fn put_blob(store: &Store, path: &BlobPath, ask: PutBlob, body: &Bytes) -> Answer {
    let properties = properties(ask.properties, ask.metadata, ask.tags);
    let done = permitted(ask.lease_id, &ask.conditions, WriteKind::Create, |permit| {
        let mut writer = store.begin_blob(path, ask.length, permit)?;
        writer.write(body)?;
        writer.commit(properties, permit)
    })?;
    Ok(changed(done.etag, done.last_modified))
}

fn put_block_list(store: &Store, path: &BlobPath, ask: PutBlockList, body: &Bytes) -> Answer {
    let list = BlockList::parse(body)?;
    let properties = properties(ask.properties, ask.metadata, ask.tags);
    let done = permitted(ask.lease_id, &ask.conditions, WriteKind::Create, |permit| {
        store.put_block_list(path, &list, properties, permit)
    })?;
    Ok(changed(done.committed.etag, done.committed.last_modified))
}

fn get(store: &Store, path: &BlobPath, ask: &GetBlob, version: ApiVersion) -> Answer {
    let reader = store.open_blob(path, &Permit::lease(ask.lease_id))?;
    check_read(&ask.conditions, reader.view())?;
    let range = ask.range.map(|range| range.resolve(reader.size())).transpose()?;
    let (from, length) = range.map_or((0, reader.size()), |range| (range.start, range.len));
    let mut bytes = vec![0; usize::try_from(length).unwrap()];
    reader.read_at(from, &mut bytes)?;
    let mut answer = Response::new(Bytes::from(bytes));
    head(reader.view()).write_headers(range, version, answer.headers_mut());
    if range.is_some() {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(answer)
}

fn check_read(conditions: &Conditions, view: &BlobView) -> Result<(), Refused> {
    let checked = conditions.check_read(view.etag, view.last_modified);
    checked.map_err(|_| ErrorCode::ConditionNotMet.into())
}

fn head(view: &BlobView) -> BlobHead {
    BlobHead {
        etag: view.etag.to_string(),
        last_modified: view.last_modified,
        created: Some(view.created),
        length: view.size,
        blob_type: match view.kind {
            BlobKind::Block => BlobType::Block,
            BlobKind::Page => BlobType::Page,
            BlobKind::Append => BlobType::Append,
        },
        properties: view.properties.http.clone(),
        metadata: view.properties.metadata.clone(),
        lease: view.lease_view,
        copy: None,
        tag_count: view.properties.tags.len(),
        sequence_number: (view.kind == BlobKind::Page).then_some(view.sequence_number),
        block_count: None,
        append_sealed: view.append_sealed,
    }
}
