//! The operations that take their bytes from another blob: Copy Blob, Copy Blob From URL, Put Blob From URL, Put
//! Block, Put Page and Append Block From URL. Which blob a URL means, and whether its content may be read, is for the server to say.

use std::fmt;

use http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, Method};

use super::build::Draft;
use super::fields::Fields;
use super::{AppendBlock, BlobOperation, PutPage};
use crate::block::BlockId;
use crate::conditions::Conditions;
use crate::digest::{Crc64, Md5};
use crate::error::{ErrorCode, Refusal};
use crate::lease::LeaseId;
use crate::metadata::Metadata;
use crate::properties::HttpProperties;
use crate::range::ByteRange;
use crate::tags::Tags;

const SOURCE: &str = "x-ms-copy-source";
const SOURCE_RANGE: &str = "x-ms-source-range";
const SOURCE_MD5: &str = "x-ms-source-content-md5";
const SOURCE_CRC: &str = "x-ms-source-content-crc64";
const SOURCE_LEASE: &str = "x-ms-source-lease-id";
const AT_ONCE: &str = "x-ms-requires-sync";
const TAG_OPTION: &str = "x-ms-copy-source-tag-option";
const OF_SOURCE: &str = "x-ms-copy-source-blob-properties";

/// Longest URL of a source, bytes (Microsoft's "Copy Blob": 2 KiB; Put Blob From URL more, with a signature).
const MAX_SOURCE_URL: usize = 8 << 10;

/// The headers of conditions on the source, each with the header it is like.
const SOURCE_CONDITIONS: [(&str, HeaderName); 4] = [
    ("x-ms-source-if-match", IF_MATCH),
    ("x-ms-source-if-none-match", IF_NONE_MATCH),
    ("x-ms-source-if-modified-since", IF_MODIFIED_SINCE),
    ("x-ms-source-if-unmodified-since", IF_UNMODIFIED_SINCE),
];

/// Where bytes are taken from.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CopySource {
    /// The URL as sent. It may hold a signature, so it is not for logs, and `Debug` leaves the query out.
    pub url: String,
    /// Must match when given.
    pub lease_id: Option<LeaseId>,
    /// What the source must be.
    pub conditions: Conditions,
    /// What the bytes taken must sum up to.
    pub md5: Option<Md5>,
    /// Likewise.
    pub crc64: Option<Crc64>,
}

impl fmt::Debug for CopySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopySource")
            .field("url", &self.url.split('?').next().unwrap_or_default())
            .field("lease_id", &self.lease_id)
            .field("conditions", &self.conditions)
            .finish_non_exhaustive()
    }
}

/// Copy Blob and Copy Blob From URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyBlob {
    /// From where.
    pub source: CopySource,
    /// `x-ms-requires-sync`: the answer comes when the copy is done.
    pub at_once: bool,
    /// The new blob's metadata; the source's without.
    pub metadata: Option<Metadata>,
    /// The new blob's tags.
    pub tags: Tags,
    /// The source's tags instead.
    pub tags_of_source: bool,
    /// Needed while the destination is leased; a lease without end for Copy Blob.
    pub lease_id: Option<LeaseId>,
    /// When to go ahead.
    pub conditions: Conditions,
}

/// Put Blob From URL: a block blob of one body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutFromUrl {
    /// From where.
    pub source: CopySource,
    /// Properties that are given here win over the source's.
    pub properties: HttpProperties,
    /// Whether the source's properties are taken over.
    pub properties_of_source: bool,
    /// The new blob's metadata; the source's without, where its properties are taken over.
    pub metadata: Option<Metadata>,
    /// The new blob's tags.
    pub tags: Tags,
    /// The source's tags instead.
    pub tags_of_source: bool,
    /// Needed while the blob is leased.
    pub lease_id: Option<LeaseId>,
    /// When to go ahead.
    pub conditions: Conditions,
}

/// Put Block From URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockFromUrl {
    /// The block's id.
    pub id: BlockId,
    /// From where.
    pub source: CopySource,
    /// Which bytes of it; all without.
    pub range: Option<ByteRange>,
    /// Needed while the blob is leased.
    pub lease_id: Option<LeaseId>,
}

/// Put Page From URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFromUrl {
    /// What is written where; without a checksum, that of the source counts.
    pub put: PutPage,
    /// From where.
    pub source: CopySource,
    /// Which bytes of it: as many as pages are written.
    pub source_range: ByteRange,
}

/// Append Block From URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendFromUrl {
    /// What it must meet; without length and checksum, those of the source count.
    pub append: AppendBlock,
    /// From where.
    pub source: CopySource,
    /// Which bytes of it; all without.
    pub range: Option<ByteRange>,
}

/// Reads Copy Blob or Put Blob From URL, if the request names a source.
pub(super) fn copy_or_put(fields: &Fields<'_>) -> Result<Option<BlobOperation>, Refusal> {
    let Some(source) = source(fields)? else {
        return Ok(None);
    };
    let metadata = Metadata::from_headers(fields.headers)?;
    let metadata = (!metadata.is_empty()).then_some(metadata);
    let tags = fields.tags()?;
    let tags_of_source = tags_of_source(fields, &tags)?;
    fields.only_hot()?;
    if fields.header("x-ms-seal-blob")?.is_some() {
        return Err(super::parse::not_offered("Sealing the copy of an append blob"));
    }
    let lease_id = fields.lease_id()?;
    let conditions = fields.conditions()?;
    let Some(kind) = fields.header("x-ms-blob-type")? else {
        return Ok(Some(BlobOperation::Copy(CopyBlob {
            source,
            at_once: fields.flag(AT_ONCE)?,
            metadata,
            tags,
            tags_of_source,
            lease_id,
            conditions,
        })));
    };
    if !kind.eq_ignore_ascii_case("BlockBlob") {
        return Err(Refusal::header("x-ms-blob-type", kind));
    }
    Ok(Some(BlobOperation::PutFromUrl(PutFromUrl {
        source,
        properties: HttpProperties::from_headers(fields.headers, false)?,
        properties_of_source: fields.header(OF_SOURCE)?.is_none() || fields.flag(OF_SOURCE)?,
        metadata,
        tags,
        tags_of_source,
        lease_id,
        conditions,
    })))
}

/// Reads Put Block From URL, if the request names a source.
pub(super) fn block(fields: &Fields<'_>, id: &BlockId) -> Result<Option<BlobOperation>, Refusal> {
    let Some(source) = source(fields)? else {
        return Ok(None);
    };
    Ok(Some(BlobOperation::BlockFromUrl(BlockFromUrl {
        id: id.clone(),
        source,
        range: range(fields)?,
        lease_id: fields.lease_id()?,
    })))
}

/// Reads Put Page From URL, if the request names a source.
pub(super) fn page(
    fields: &Fields<'_>,
    put: impl FnOnce() -> Result<PutPage, Refusal>,
) -> Result<Option<BlobOperation>, Refusal> {
    let Some(source) = source(fields)? else {
        return Ok(None);
    };
    let source_range = range(fields)?.ok_or_else(|| Refusal::missing_header(SOURCE_RANGE))?;
    Ok(Some(BlobOperation::PageFromUrl(PageFromUrl {
        put: put()?,
        source,
        source_range,
    })))
}

/// Reads Append Block From URL, if the request names a source.
pub(super) fn append(
    fields: &Fields<'_>,
    append: impl FnOnce() -> Result<AppendBlock, Refusal>,
) -> Result<Option<BlobOperation>, Refusal> {
    let Some(source) = source(fields)? else {
        return Ok(None);
    };
    Ok(Some(BlobOperation::AppendFromUrl(AppendFromUrl {
        append: append()?,
        source,
        range: range(fields)?,
    })))
}

/// Reads Abort Copy Blob.
pub(super) fn abort(fields: &Fields<'_>) -> Result<BlobOperation, Refusal> {
    const ACTION: &str = "x-ms-copy-action";
    let action = fields.required(ACTION)?;
    if !action.eq_ignore_ascii_case("abort") {
        return Err(Refusal::header(ACTION, action));
    }
    let id = fields.query("copyid").ok_or_else(|| {
        Refusal::from(ErrorCode::MissingRequiredQueryParameter).detail("QueryParameterName", "copyid")
    })?;
    Ok(BlobOperation::AbortCopy {
        id: id.to_owned(),
        lease_id: fields.lease_id()?,
    })
}

fn source(fields: &Fields<'_>) -> Result<Option<CopySource>, Refusal> {
    let Some(url) = fields.header(SOURCE)? else {
        return Ok(None);
    };
    if url.len() > MAX_SOURCE_URL {
        return Err(Refusal::header(SOURCE, "(longer than 8 KiB)"));
    }
    // Only the length, because clients disagree about sending it.
    if fields
        .header("content-length")?
        .is_some_and(|length| length != "0")
    {
        return Err(Refusal::header("Content-Length", "(not 0)"));
    }
    let mut conditions = HeaderMap::new();
    for (name, like) in SOURCE_CONDITIONS {
        if let Some(value) = fields.headers.get(name) {
            conditions.insert(like, value.clone());
        }
    }
    Ok(Some(CopySource {
        url: url.to_owned(),
        lease_id: fields.guid(SOURCE_LEASE)?,
        conditions: Conditions::from_headers(&conditions)?,
        md5: fields.header(SOURCE_MD5)?.map(Md5::parse).transpose()?,
        crc64: fields.header(SOURCE_CRC)?.map(Crc64::parse).transpose()?,
    }))
}

fn range(fields: &Fields<'_>) -> Result<Option<ByteRange>, Refusal> {
    let Some(text) = fields.header(SOURCE_RANGE)? else {
        return Ok(None);
    };
    ByteRange::parse(text)
        .map(Some)
        .ok_or_else(|| Refusal::header(SOURCE_RANGE, text))
}

fn tags_of_source(fields: &Fields<'_>, tags: &Tags) -> Result<bool, Refusal> {
    match fields.header(TAG_OPTION)? {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("replace") => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("copy") && tags.is_empty() => Ok(true),
        Some(text) => Err(Refusal::header(TAG_OPTION, text)),
    }
}

impl Draft {
    pub(super) fn copy(&mut self, copy: &CopyBlob) {
        let none = Metadata::default();
        let metadata = copy.metadata.as_ref().unwrap_or(&none);
        self.write(Method::PUT, None, metadata, copy.lease_id, Some(&copy.conditions));
        self.source(&copy.source);
        if copy.at_once {
            self.header(AT_ONCE, "true");
        }
        self.tags(&copy.tags, copy.tags_of_source);
    }

    pub(super) fn put_from_url(&mut self, put: &PutFromUrl) {
        let none = Metadata::default();
        let metadata = put.metadata.as_ref().unwrap_or(&none);
        self.write(Method::PUT, None, metadata, put.lease_id, Some(&put.conditions));
        self.header("x-ms-blob-type", "BlockBlob");
        put.properties.write_request(&mut self.headers);
        if !put.properties_of_source {
            self.header(OF_SOURCE, "false");
        }
        self.source(&put.source);
        self.tags(&put.tags, put.tags_of_source);
    }

    pub(super) fn block_from_url(&mut self, put: &BlockFromUrl) {
        let none = Metadata::default();
        self.write(Method::PUT, Some("block"), &none, put.lease_id, None);
        self.query.push(("blockid", put.id.to_base64()));
        self.source(&put.source);
        if let Some(range) = put.range {
            self.header(SOURCE_RANGE, &range.header());
        }
    }

    pub(super) fn page_from_url(&mut self, ask: &PageFromUrl) {
        self.put_page(&ask.put);
        self.length = 0;
        self.source(&ask.source);
        self.header(SOURCE_RANGE, &ask.source_range.header());
    }

    pub(super) fn append_from_url(&mut self, ask: &AppendFromUrl) {
        self.append_block(&ask.append);
        self.source(&ask.source);
        if let Some(range) = ask.range {
            self.header(SOURCE_RANGE, &range.header());
        }
    }

    pub(super) fn abort_copy(&mut self, id: &str, lease_id: Option<LeaseId>) {
        let none = Metadata::default();
        self.write(Method::PUT, Some("copy"), &none, lease_id, None);
        self.query.push(("copyid", id.to_owned()));
        self.header("x-ms-copy-action", "abort");
    }

    pub(super) fn tags(&mut self, tags: &Tags, of_source: bool) {
        if !tags.is_empty() {
            self.header("x-ms-tags", &tags.to_header());
        }
        if of_source {
            self.header(TAG_OPTION, "COPY");
        }
    }

    fn source(&mut self, source: &CopySource) {
        self.header(SOURCE, &source.url);
        let mut conditions = HeaderMap::new();
        source.conditions.write_headers(&mut conditions);
        for (name, like) in SOURCE_CONDITIONS {
            if let Some(value) = conditions.remove(like) {
                self.headers.insert(HeaderName::from_static(name), value);
            }
        }
        if let Some(id) = source.lease_id {
            self.header(SOURCE_LEASE, &id.to_string());
        }
        if let Some(md5) = source.md5 {
            self.header(SOURCE_MD5, &md5.to_string());
        }
        if let Some(crc) = source.crc64 {
            self.header(SOURCE_CRC, &crc.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_not_printed() {
        let source = CopySource {
            url: "https://h/c/b?sv=2020-12-06&sig=c2VjcmV0".to_owned(),
            ..CopySource::default()
        };
        let printed = format!("{source:?}");
        assert!(
            printed.contains("https://h/c/b") && !printed.contains("c2VjcmV0"),
            "{printed}"
        );
    }
}
