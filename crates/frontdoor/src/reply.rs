//! Answers as most operations give them.

use azblob::etag::ETag;
use azblob::response::{BlobHead, BlobType, Changed};
use azblob::time::UnixMillis;
use blobstore::{BlobKind, BlobView};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::answer::AnswerBody;

/// An answer without a body; the status is set by whoever knows the operation.
pub(crate) fn empty() -> Response<AnswerBody> {
    Response::new(AnswerBody::empty())
}

/// An answer to a change: ETag and Last-Modified.
pub(crate) fn changed(etag: ETag, last_modified: UnixMillis) -> Response<AnswerBody> {
    let mut answer = empty();
    Changed { etag, last_modified }.write_headers(answer.headers_mut());
    answer
}

/// An answer whose body is a document.
pub(crate) fn document(xml: String) -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::whole(xml));
    put(answer.headers_mut(), "content-type", "application/xml");
    answer
}

/// Sets the status that goes with the operation.
pub(crate) fn with_status(mut answer: Response<AnswerBody>, status: u16) -> Response<AnswerBody> {
    *answer.status_mut() = StatusCode::from_u16(status).expect("the protocol's statuses are legal");
    answer
}

/// Sets a header to a text of ours, which is legal in a header.
pub(crate) fn put(headers: &mut HeaderMap, name: &'static str, text: &str) {
    let value = HeaderValue::from_str(text).expect("the door's own texts are legal in headers");
    headers.insert(HeaderName::from_static(name), value);
}

/// Tells readers of a sealed blob that nobody may change or delete it until its owner lifts the seal, in the word that Azure
/// has for that: a legal hold. An immutability policy would have to name a day. Of other blobs nothing is said.
pub(crate) fn put_seal(view: &BlobView, headers: &mut HeaderMap) {
    if view.sealed {
        put(headers, "x-ms-legal-hold", "true");
    }
}

/// What readers are told of a blob.
pub(crate) fn blob_head(view: &BlobView) -> BlobHead {
    BlobHead {
        etag: view.etag.to_string(),
        last_modified: view.last_modified,
        created: Some(view.created),
        length: view.size,
        blob_type: blob_type(view.kind),
        properties: view.properties.http.clone(),
        metadata: view.properties.metadata.clone(),
        lease: view.lease_view,
        copy: view.copy.as_deref().cloned(),
        tag_count: view.properties.tags.len(),
        sequence_number: (view.kind == BlobKind::Page).then_some(view.sequence_number),
        block_count: (view.kind == BlobKind::Append).then_some(view.block_count),
        append_sealed: view.append_sealed,
    }
}

/// The store's word for the kind of a blob, in the protocol's.
pub(crate) fn blob_type(kind: BlobKind) -> BlobType {
    match kind {
        BlobKind::Block => BlobType::Block,
        BlobKind::Page => BlobType::Page,
        BlobKind::Append => BlobType::Append,
    }
}
