//! The operations of page blobs: Put Blob of one, Put Page, Get Page Ranges, and what Set Blob Properties can do to one.
//!
//! Put Page takes the range from `x-ms-range`, or from `Range` without it. A range that is none of whole pages, or that
//! the body does not fill exactly, is 416 InvalidPageRange; whether it lies inside the blob only the store knows.

use http::Method;

use super::build::Draft;
use super::copy;
use super::fields::Fields;
use super::parse::not_offered;
use super::{BlobOperation, Checksum, Marker};
use crate::conditions::Conditions;
use crate::error::{ErrorCode, Refusal};
use crate::lease::LeaseId;
use crate::limits::MAX_PAGE_RANGES;
use crate::metadata::Metadata;
use crate::page::{
    MAX_PAGE_BLOB_BYTES, MAX_PAGE_WRITE_BYTES, MAX_SEQUENCE_NUMBER, PAGE_BYTES, PageRange, SequenceChange,
    SequenceCondition,
};
use crate::properties::HttpProperties;
use crate::range::ByteRange;
use crate::snapshot::SnapshotTime;
use crate::tags::Tags;
use crate::version::ApiVersion;

const SIZE: &str = "x-ms-blob-content-length";
const SEQUENCE: &str = "x-ms-blob-sequence-number";
const ACTION: &str = "x-ms-sequence-number-action";

/// Put Blob of a page blob: all zeroes, no body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutPageBlob {
    /// Bytes, a multiple of [`PAGE_BYTES`], at most [`MAX_PAGE_BLOB_BYTES`].
    pub size: u64,
    /// At most [`MAX_SEQUENCE_NUMBER`].
    pub sequence_number: u64,
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

/// Put Page, update: the body is the new content of the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutPage {
    /// Where; at most [`MAX_PAGE_WRITE_BYTES`], and as long as the body.
    pub range: PageRange,
    /// Needed while the blob is leased.
    pub lease_id: Option<LeaseId>,
    /// When to go ahead.
    pub conditions: Conditions,
    /// What the sequence number must be.
    pub sequence: SequenceCondition,
    /// What the body must sum up to.
    pub checksum: Option<Checksum>,
}

/// Put Page, clear: the range reads as zeroes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearPages {
    /// Where; of any length.
    pub range: PageRange,
    /// Needed while the blob is leased.
    pub lease_id: Option<LeaseId>,
    /// When to go ahead.
    pub conditions: Conditions,
    /// What the sequence number must be.
    pub sequence: SequenceCondition,
}

/// Get Page Ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetPageRanges {
    /// Of which snapshot; of the blob without.
    pub snapshot: Option<SnapshotTime>,
    /// Only pages that this touches; all without it.
    pub range: Option<ByteRange>,
    /// Must match when given.
    pub lease_id: Option<LeaseId>,
    /// When to answer.
    pub conditions: Conditions,
    /// Where to go on: an offset, in decimal.
    pub marker: Option<Marker>,
    /// Most ranges in the answer; without it all, as versions before 2020-10-02 have it.
    pub max_results: Option<u32>,
}

/// What Set Blob Properties changes of a page blob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageChange {
    /// The new size: a multiple of [`PAGE_BYTES`], at most [`MAX_PAGE_BLOB_BYTES`].
    pub size: Option<u64>,
    /// What becomes of the sequence number.
    pub sequence: Option<SequenceChange>,
}

impl PageChange {
    /// Whether it changes nothing, so that the blob may be of any kind.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let number = sequence_number(fields, SEQUENCE)?;
        let sequence = match (fields.header(ACTION)?, number) {
            (None, None) => None,
            (None, Some(_)) => return Err(Refusal::missing_header(ACTION)),
            (Some(action), number) => Some(match (action.to_ascii_lowercase().as_str(), number) {
                ("increment", None) => SequenceChange::Increment,
                ("increment", Some(number)) => return Err(Refusal::header(SEQUENCE, &number.to_string())),
                ("max", Some(number)) => SequenceChange::Max(number),
                ("update", Some(number)) => SequenceChange::Update(number),
                ("max" | "update", None) => return Err(Refusal::missing_header(SEQUENCE)),
                _ => return Err(Refusal::header(ACTION, action)),
            }),
        };
        Ok(Self {
            size: size(fields)?,
            sequence,
        })
    }
}

pub(super) fn put_page_blob(fields: &Fields<'_>) -> Result<BlobOperation, Refusal> {
    no_body(fields)?;
    Ok(BlobOperation::PutPageBlob(PutPageBlob {
        size: size(fields)?.ok_or_else(|| Refusal::missing_header(SIZE))?,
        sequence_number: sequence_number(fields, SEQUENCE)?.unwrap_or(0),
        properties: HttpProperties::from_headers(fields.headers, true)?,
        metadata: Metadata::from_headers(fields.headers)?,
        tags: fields.tags()?,
        lease_id: fields.lease_id()?,
        conditions: fields.conditions()?,
    }))
}

pub(super) fn put_page(fields: &Fields<'_>) -> Result<BlobOperation, Refusal> {
    const WRITE: &str = "x-ms-page-write";
    let from_url = copy::page(fields, || {
        Ok(PutPage {
            range: page_range(fields)?,
            lease_id: fields.lease_id()?,
            conditions: fields.conditions()?,
            sequence: sequence_condition(fields)?,
            checksum: None,
        })
    })?;
    if let Some(operation) = from_url {
        return Ok(operation);
    }
    let write = fields.required(WRITE)?;
    let range = page_range(fields)?;
    let (lease_id, conditions, sequence) = (
        fields.lease_id()?,
        fields.conditions()?,
        sequence_condition(fields)?,
    );
    match write.to_ascii_lowercase().as_str() {
        "update" => {
            let length = fields.body_length(MAX_PAGE_WRITE_BYTES)?;
            if range.len() > MAX_PAGE_WRITE_BYTES {
                let refusal = Refusal::from(ErrorCode::RequestBodyTooLarge);
                return Err(refusal.detail("MaxLimit", MAX_PAGE_WRITE_BYTES.to_string()));
            }
            if range.len() != length {
                return Err(ErrorCode::InvalidPageRange.into());
            }
            Ok(BlobOperation::PutPage(PutPage {
                range,
                lease_id,
                conditions,
                sequence,
                checksum: fields.checksum()?,
            }))
        }
        "clear" => {
            no_body(fields)?;
            for name in ["content-md5", "x-ms-content-crc64"] {
                if let Some(text) = fields.header(name)? {
                    return Err(Refusal::header(name, text));
                }
            }
            Ok(BlobOperation::ClearPages(ClearPages {
                range,
                lease_id,
                conditions,
                sequence,
            }))
        }
        _ => Err(Refusal::header(WRITE, write)),
    }
}

pub(super) fn get_page_ranges(fields: &Fields<'_>, version: ApiVersion) -> Result<BlobOperation, Refusal> {
    if fields.query("prevsnapshot").is_some() {
        return Err(fields.unsupported_query("prevsnapshot"));
    }
    if fields.header("x-ms-previous-snapshot-url")?.is_some() {
        return Err(not_offered("Get Page Ranges with a previous snapshot"));
    }
    let pages = version >= ApiVersion::V2020_10_02;
    let asked = fields.query("maxresults").filter(|_| pages);
    let asked = asked.map(|text| match text.parse::<u32>() {
        Ok(number) if number > 0 => Ok(number.min(MAX_PAGE_RANGES)),
        _ => Err(Refusal::query("maxresults", text, "Must be at least 1.")),
    });
    Ok(BlobOperation::GetPageRanges(GetPageRanges {
        snapshot: fields.snapshot()?,
        range: ByteRange::from_headers(fields.header("x-ms-range")?, fields.header("range")?),
        lease_id: fields.lease_id()?,
        conditions: fields.read_conditions(version)?,
        marker: fields.marker()?.filter(|_| pages),
        max_results: asked.transpose()?.or(pages.then_some(MAX_PAGE_RANGES)),
    }))
}

/// The pages of Put Page. A header that is no range at all is a bad header; a range that is none of whole pages a bad
/// range.
fn page_range(fields: &Fields<'_>) -> Result<PageRange, Refusal> {
    const NAME: &str = "x-ms-range";
    let text = match fields.header(NAME)? {
        Some(text) => text,
        None => fields
            .header("range")?
            .ok_or_else(|| Refusal::missing_header(NAME))?,
    };
    let range = ByteRange::parse(text).ok_or_else(|| Refusal::header(NAME, text))?;
    let last = range.last.ok_or_else(|| Refusal::header(NAME, text))?;
    Ok(PageRange::new(range.start, last)?)
}

fn sequence_condition(fields: &Fields<'_>) -> Result<SequenceCondition, Refusal> {
    Ok(SequenceCondition {
        le: sequence_number(fields, "x-ms-if-sequence-number-le")?,
        lt: sequence_number(fields, "x-ms-if-sequence-number-lt")?,
        eq: sequence_number(fields, "x-ms-if-sequence-number-eq")?,
    })
}

fn sequence_number(fields: &Fields<'_>, name: &'static str) -> Result<Option<u64>, Refusal> {
    let number = fields.unsigned(name)?;
    match number {
        Some(number) if number > MAX_SEQUENCE_NUMBER => Err(Refusal::header(name, &number.to_string())),
        number => Ok(number),
    }
}

fn size(fields: &Fields<'_>) -> Result<Option<u64>, Refusal> {
    match fields.unsigned(SIZE)? {
        Some(size) if size > MAX_PAGE_BLOB_BYTES || !size.is_multiple_of(PAGE_BYTES) => {
            Err(Refusal::header(SIZE, &size.to_string()))
        }
        size => Ok(size),
    }
}

/// Refuses a body where there can be none.
pub(super) fn no_body(fields: &Fields<'_>) -> Result<(), Refusal> {
    match fields.body_length(u64::MAX)? {
        0 => Ok(()),
        length => Err(Refusal::header("Content-Length", &length.to_string())),
    }
}

impl Draft {
    pub(super) fn put_page_blob(&mut self, put: &PutPageBlob) {
        self.write(
            Method::PUT,
            None,
            &put.metadata,
            put.lease_id,
            Some(&put.conditions),
        );
        self.header("x-ms-blob-type", "PageBlob");
        self.header(SIZE, &put.size.to_string());
        if put.sequence_number > 0 {
            self.header(SEQUENCE, &put.sequence_number.to_string());
        }
        put.properties.write_request(&mut self.headers);
        self.tags(&put.tags, false);
    }

    pub(super) fn put_page(&mut self, put: &PutPage) {
        self.pages("update", put.range, put.lease_id, &put.conditions, put.sequence);
        self.body(put.range.len(), put.checksum);
    }

    pub(super) fn clear_pages(&mut self, clear: &ClearPages) {
        self.pages(
            "clear",
            clear.range,
            clear.lease_id,
            &clear.conditions,
            clear.sequence,
        );
    }

    fn pages(
        &mut self,
        deed: &str,
        range: PageRange,
        lease_id: Option<LeaseId>,
        conditions: &Conditions,
        sequence: SequenceCondition,
    ) {
        self.write(
            Method::PUT,
            Some("page"),
            &Metadata::default(),
            lease_id,
            Some(conditions),
        );
        self.header("x-ms-page-write", deed);
        self.header("x-ms-range", &range.header());
        let conditions = [
            ("x-ms-if-sequence-number-le", sequence.le),
            ("x-ms-if-sequence-number-lt", sequence.lt),
            ("x-ms-if-sequence-number-eq", sequence.eq),
        ];
        for (name, number) in conditions {
            if let Some(number) = number {
                self.header(name, &number.to_string());
            }
        }
    }

    pub(super) fn get_page_ranges(&mut self, get: &GetPageRanges) {
        self.read(Method::GET, Some("pagelist"), get.lease_id, Some(&get.conditions));
        self.snapshot(get.snapshot);
        if let Some(range) = get.range {
            self.header("x-ms-range", &range.header());
        }
        self.optional("marker", get.marker.as_ref().map(Marker::to_wire));
        self.optional("maxresults", get.max_results.map(|most| most.to_string()));
    }

    pub(super) fn page_change(&mut self, change: PageChange) {
        if let Some(size) = change.size {
            self.header(SIZE, &size.to_string());
        }
        let (action, number) = match change.sequence {
            None => return,
            Some(SequenceChange::Increment) => ("increment", None),
            Some(SequenceChange::Max(number)) => ("max", Some(number)),
            Some(SequenceChange::Update(number)) => ("update", Some(number)),
        };
        self.header(ACTION, action);
        if let Some(number) = number {
            self.header(SEQUENCE, &number.to_string());
        }
    }
}
