//! The operations of append blobs: Put Blob of one, Append Block, Append Blob Seal.

use http::Method;

use super::build::Draft;
use super::copy;
use super::fields::Fields;
use super::page_blob::no_body;
use super::{BlobOperation, Checksum};
use crate::conditions::Conditions;
use crate::error::Refusal;
use crate::lease::LeaseId;
use crate::limits::max_append_block_bytes;
use crate::metadata::Metadata;
use crate::properties::HttpProperties;
use crate::tags::Tags;
use crate::version::ApiVersion;

const POSITION: &str = "x-ms-blob-condition-appendpos";
const MOST: &str = "x-ms-blob-condition-maxsize";

/// Put Blob of an append blob: empty, no body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutAppendBlob {
    /// HTTP properties of the blob.
    pub properties: HttpProperties,
    /// Metadata of the blob.
    pub metadata: Metadata,
    /// Tags of the blob.
    pub tags: Tags,
    /// Needed while the blob is leased.
    pub lease_id: Option<LeaseId>,
    /// When to go ahead.
    pub conditions: Conditions,
}

/// Append Block: the body is added at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendBlock {
    /// Bytes of body, at least 1.
    pub length: u64,
    /// The end must be here.
    pub at: Option<u64>,
    /// The blob must not be longer than this afterwards, bytes.
    pub max_size: Option<u64>,
    /// Needed while the blob is leased.
    pub lease_id: Option<LeaseId>,
    /// When to go ahead.
    pub conditions: Conditions,
    /// What the body must sum up to.
    pub checksum: Option<Checksum>,
}

/// Append Blob Seal: nothing is added any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealAppend {
    /// The end must be here.
    pub at: Option<u64>,
    /// Needed while the blob is leased.
    pub lease_id: Option<LeaseId>,
    /// When to go ahead.
    pub conditions: Conditions,
}

pub(super) fn put_append_blob(fields: &Fields<'_>) -> Result<BlobOperation, Refusal> {
    no_body(fields)?;
    Ok(BlobOperation::PutAppendBlob(PutAppendBlob {
        properties: HttpProperties::from_headers(fields.headers, true)?,
        metadata: Metadata::from_headers(fields.headers)?,
        tags: fields.tags()?,
        lease_id: fields.lease_id()?,
        conditions: fields.conditions()?,
    }))
}

pub(super) fn append_block(fields: &Fields<'_>, version: ApiVersion) -> Result<BlobOperation, Refusal> {
    let from_url = copy::append(fields, || {
        Ok(AppendBlock {
            length: 0,
            at: fields.unsigned(POSITION)?,
            max_size: fields.unsigned(MOST)?,
            lease_id: fields.lease_id()?,
            conditions: fields.conditions()?,
            checksum: None,
        })
    })?;
    if let Some(operation) = from_url {
        return Ok(operation);
    }
    let length = fields.body_length(max_append_block_bytes(version))?;
    if length == 0 {
        return Err(Refusal::header("Content-Length", "0"));
    }
    Ok(BlobOperation::AppendBlock(AppendBlock {
        length,
        at: fields.unsigned(POSITION)?,
        max_size: fields.unsigned(MOST)?,
        lease_id: fields.lease_id()?,
        conditions: fields.conditions()?,
        checksum: fields.checksum()?,
    }))
}

pub(super) fn seal(fields: &Fields<'_>) -> Result<BlobOperation, Refusal> {
    Ok(BlobOperation::SealAppend(SealAppend {
        at: fields.unsigned(POSITION)?,
        lease_id: fields.lease_id()?,
        conditions: fields.conditions()?,
    }))
}

impl Draft {
    pub(super) fn put_append_blob(&mut self, put: &PutAppendBlob) {
        self.write(
            Method::PUT,
            None,
            &put.metadata,
            put.lease_id,
            Some(&put.conditions),
        );
        self.header("x-ms-blob-type", "AppendBlob");
        put.properties.write_request(&mut self.headers);
        self.tags(&put.tags, false);
    }

    pub(super) fn append_block(&mut self, append: &AppendBlock) {
        let none = Metadata::default();
        self.write(
            Method::PUT,
            Some("appendblock"),
            &none,
            append.lease_id,
            Some(&append.conditions),
        );
        for (name, number) in [(POSITION, append.at), (MOST, append.max_size)] {
            if let Some(number) = number {
                self.header(name, &number.to_string());
            }
        }
        self.body(append.length, append.checksum);
    }

    pub(super) fn seal_append(&mut self, seal: &SealAppend) {
        self.write(
            Method::PUT,
            Some("seal"),
            &Metadata::default(),
            seal.lease_id,
            Some(&seal.conditions),
        );
        if let Some(at) = seal.at {
            self.header(POSITION, &at.to_string());
        }
    }
}
