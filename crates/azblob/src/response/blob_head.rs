//! The headers that describe a blob: Get Blob Properties, Get Blob, Get Blob Metadata.

use std::str::FromStr;

use http::HeaderMap;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName,
};

use super::BadHeader;
use super::read_headers::{put, put_state, read_state, text};
use crate::copy::CopyState;
use crate::digest::Md5;
use crate::etag::ETag;
use crate::lease::LeaseView;
use crate::metadata::Metadata;
use crate::properties::{HttpProperties, ONLY_TIER};
use crate::range::ResolvedRange;
use crate::time::UnixMillis;
use crate::version::ApiVersion;

/// What a blob is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlobType {
    /// Blocks.
    #[default]
    Block,
    /// Pages of 512 bytes.
    Page,
    /// Blocks added at the end.
    Append,
}

/// What readers are told of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobHead {
    /// Its tag, quoted as in the header.
    pub etag: String,
    /// When it last changed.
    pub last_modified: UnixMillis,
    /// When it was made.
    pub created: Option<UnixMillis>,
    /// Bytes of the whole blob.
    pub length: u64,
    /// What it is made of.
    pub blob_type: BlobType,
    /// Its HTTP properties.
    pub properties: HttpProperties,
    /// Its metadata.
    pub metadata: Metadata,
    /// Its lease.
    pub lease: LeaseView,
    /// The copy that made it, or is making it.
    pub copy: Option<CopyState>,
    /// How many tags it has.
    pub tag_count: usize,
    /// Of a page blob.
    pub sequence_number: Option<u64>,
    /// Of an append blob: how many blocks it has.
    pub block_count: Option<u32>,
    /// Of an append blob: nothing is added any more.
    pub append_sealed: bool,
}

impl BlobType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "BlockBlob",
            Self::Page => "PageBlob",
            Self::Append => "AppendBlob",
        }
    }

    /// Reads the word off the wire.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Block, Self::Page, Self::Append]
            .into_iter()
            .find(|t| t.as_str().eq_ignore_ascii_case(text))
    }
}

impl BlobHead {
    /// Adds the headers of Get Blob Properties, and of Get Blob with `range` the part that is sent.
    /// `Content-Length` is set to the bytes that are sent, or would be.
    ///
    /// The MD5 of the whole blob is `Content-MD5` where the whole blob is sent; in the answer to a ranged
    /// read it is `x-ms-blob-content-md5`, from version 2016-05-31 on.
    pub fn write_headers(&self, range: Option<ResolvedRange>, version: ApiVersion, headers: &mut HeaderMap) {
        put(headers, "etag", &self.etag);
        put(headers, "last-modified", &self.last_modified.http_date());
        if let Some(created) = self.created {
            put(headers, "x-ms-creation-time", &created.http_date());
        }
        put(headers, "x-ms-blob-type", self.blob_type.as_str());
        put(headers, "accept-ranges", "bytes");
        self.properties.write_reply(headers);
        self.metadata.write_headers(headers);
        self.lease.write_headers(headers);
        if let Some(copy) = &self.copy {
            copy.write_headers(headers);
        }
        if self.tag_count > 0 {
            put(headers, "x-ms-tag-count", &self.tag_count.to_string());
        }
        if self.blob_type == BlobType::Block {
            put(headers, "x-ms-access-tier", ONLY_TIER);
            put(headers, "x-ms-access-tier-inferred", "true");
        }
        if let Some(number) = self.sequence_number {
            put(headers, "x-ms-blob-sequence-number", &number.to_string());
        }
        if let Some(count) = self.block_count {
            put(headers, "x-ms-blob-committed-block-count", &count.to_string());
        }
        if self.append_sealed {
            put(headers, "x-ms-blob-sealed", "true");
        }
        put(
            headers,
            "content-length",
            &range.map_or(self.length, |r| r.len).to_string(),
        );
        if let Some(range) = range {
            put(headers, "content-range", &range.content_range());
        }
        if let Some(md5) = self.properties.content_md5 {
            match range {
                None => put(headers, "content-md5", &md5.to_string()),
                Some(_) if version >= ApiVersion::V2016_05_31 => {
                    put(headers, "x-ms-blob-content-md5", &md5.to_string());
                }
                Some(_) => {}
            }
        }
    }

    /// Adds the headers of Get Blob Metadata.
    pub fn write_metadata_headers(&self, headers: &mut HeaderMap) {
        put(headers, "etag", &self.etag);
        put(headers, "last-modified", &self.last_modified.http_date());
        self.metadata.write_headers(headers);
    }

    /// Adds the headers of Get Block List: the type of the body is the caller's.
    pub fn write_block_list_headers(
        etag: ETag,
        last_modified: UnixMillis,
        length: u64,
        headers: &mut HeaderMap,
    ) {
        put_state(headers, etag, last_modified);
        put(headers, "x-ms-blob-content-length", &length.to_string());
    }

    /// Reads the answer to Get Blob Properties or Get Blob.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn read(headers: &HeaderMap) -> Result<Self, BadHeader> {
        let (etag, last_modified) = read_state(headers)?;
        // A ranged read tells the whole length behind the slash.
        let length = match text(headers, "content-range").and_then(|range| range.rsplit_once('/')) {
            Some((_, total)) => total.parse().ok(),
            None => text(headers, "content-length").and_then(|t| t.parse().ok()),
        };
        let copy = |name: &HeaderName| text(headers, name.as_str()).map(str::to_owned);
        let md5 = match headers.contains_key("content-range") {
            true => text(headers, "x-ms-blob-content-md5"),
            false => text(headers, "content-md5"),
        };
        let properties = HttpProperties {
            content_type: copy(&CONTENT_TYPE),
            content_encoding: copy(&CONTENT_ENCODING),
            content_language: copy(&CONTENT_LANGUAGE),
            content_disposition: copy(&CONTENT_DISPOSITION),
            cache_control: copy(&CACHE_CONTROL),
            content_md5: md5.and_then(|t| Md5::parse(t).ok()),
        };
        Ok(Self {
            etag,
            last_modified,
            created: text(headers, "x-ms-creation-time").and_then(UnixMillis::parse_http_date),
            length: length.ok_or(BadHeader("Content-Length"))?,
            blob_type: text(headers, "x-ms-blob-type")
                .and_then(BlobType::parse)
                .ok_or(BadHeader("x-ms-blob-type"))?,
            properties,
            metadata: Metadata::from_headers(headers).map_err(|_| BadHeader("x-ms-meta-"))?,
            lease: LeaseView::read(headers).unwrap_or(LeaseView::NONE),
            copy: CopyState::read(headers),
            tag_count: text(headers, "x-ms-tag-count")
                .and_then(|t| t.parse().ok())
                .unwrap_or(0),
            sequence_number: number(headers, "x-ms-blob-sequence-number"),
            block_count: number(headers, "x-ms-blob-committed-block-count"),
            append_sealed: text(headers, "x-ms-blob-sealed") == Some("true"),
        })
    }
}

fn number<N: FromStr>(headers: &HeaderMap, name: &str) -> Option<N> {
    text(headers, name)?.parse().ok()
}
