//! Operations of a blob, from `comp` and the method.

use super::fields::Fields;
use super::parse::{not_offered, unknown};
use super::{
    BlobOperation, GetBlob, PageChange, PutBlob, PutBlock, PutBlockList, append_blob, copy, page_blob,
};
use crate::block::{BlockId, BlockListKind};
use crate::error::{ErrorCode, Refusal};
use crate::limits::{MAX_BLOCK_LIST_BODY, max_block_bytes, max_put_blob_bytes};
use crate::metadata::Metadata;
use crate::properties::HttpProperties;
use crate::range::ByteRange;
use crate::snapshot::DeleteSnapshots;
use crate::tags::MAX_TAGS_BODY;
use crate::version::ApiVersion;

pub(super) fn operation(fields: &Fields<'_>, version: ApiVersion) -> Result<BlobOperation, Refusal> {
    for name in ["versionid", "deletetype"] {
        if fields.query(name).is_some() {
            return Err(fields.unsupported_query(name));
        }
    }
    let comp = fields.word("comp");
    refuse_changing_a_snapshot(fields, &comp)?;
    match (fields.method.as_str(), comp.as_str()) {
        ("PUT", "") => put_blob(fields, version),
        ("PUT", "block") => put_block(fields, version),
        ("PUT", "blocklist") => put_block_list(fields),
        ("GET", "blocklist") => get_block_list(fields),
        ("PUT", "page") => page_blob::put_page(fields),
        ("GET", "pagelist") => page_blob::get_page_ranges(fields, version),
        ("PUT", "appendblock") => append_blob::append_block(fields, version),
        ("PUT", "seal") => append_blob::seal(fields),
        ("GET", "") => get_blob(fields, version),
        ("HEAD", "") => Ok(BlobOperation::GetProperties {
            snapshot: fields.snapshot()?,
            lease_id: fields.lease_id()?,
            conditions: fields.read_conditions(version)?,
        }),
        ("GET" | "HEAD", "metadata") => Ok(BlobOperation::GetMetadata {
            snapshot: fields.snapshot()?,
            lease_id: fields.lease_id()?,
            conditions: fields.read_conditions(version)?,
        }),
        ("PUT", "metadata") => Ok(BlobOperation::SetMetadata {
            metadata: Metadata::from_headers(fields.headers)?,
            lease_id: fields.lease_id()?,
            conditions: fields.conditions()?,
        }),
        ("PUT", "properties") => set_properties(fields),
        ("PUT", "copy") => copy::abort(fields),
        ("GET", "tags") => Ok(BlobOperation::GetTags {
            snapshot: fields.snapshot()?,
            lease_id: fields.lease_id()?,
        }),
        ("PUT", "tags") => Ok(BlobOperation::SetTags {
            length: fields.body_length(MAX_TAGS_BODY)?,
            lease_id: fields.lease_id()?,
            checksum: fields.checksum()?,
        }),
        ("PUT", "tier") => set_tier(fields),
        ("PUT", "snapshot") => take_snapshot(fields),
        ("DELETE", "") => delete(fields),
        ("PUT" | "POST", "lease") => Ok(BlobOperation::Lease {
            action: fields.lease_action()?,
            conditions: fields.conditions()?,
        }),
        _ => Err(not_offered_blob_operation(&comp).map_or_else(|| unknown(fields), not_offered)),
    }
}

fn not_offered_blob_operation(comp: &str) -> Option<&'static str> {
    Some(match comp {
        "incrementalcopy" => "Incremental Copy Blob",
        "undelete" => "Undelete Blob",
        "expiry" => "Set Blob Expiry",
        "immutabilitypolicies" => "Set or Delete Blob Immutability Policy",
        "legalhold" => "Set Blob Legal Hold",
        "query" => "Query Blob Contents",
        _ => return None,
    })
}

fn put_blob(fields: &Fields<'_>, version: ApiVersion) -> Result<BlobOperation, Refusal> {
    if let Some(operation) = copy::copy_or_put(fields)? {
        return Ok(operation);
    }
    let kind = fields.required("x-ms-blob-type")?;
    match kind.to_ascii_lowercase().as_str() {
        "blockblob" => {}
        "pageblob" => return page_blob::put_page_blob(fields),
        "appendblob" => return append_blob::put_append_blob(fields),
        _ => return Err(Refusal::header("x-ms-blob-type", kind)),
    }
    fields.only_hot()?;
    Ok(BlobOperation::Put(PutBlob {
        length: fields.body_length(max_put_blob_bytes(version))?,
        properties: HttpProperties::from_headers(fields.headers, true)?,
        metadata: Metadata::from_headers(fields.headers)?,
        tags: fields.tags()?,
        lease_id: fields.lease_id()?,
        conditions: fields.conditions()?,
        checksum: fields.checksum()?,
    }))
}

fn put_block(fields: &Fields<'_>, version: ApiVersion) -> Result<BlobOperation, Refusal> {
    let text = fields.query("blockid").ok_or_else(|| {
        Refusal::from(ErrorCode::MissingRequiredQueryParameter).detail("QueryParameterName", "blockid")
    })?;
    let id = BlockId::from_base64(text)
        .map_err(|error| Refusal::query("blockid", text, &format!("Not a block id: {error}.")))?;
    if let Some(operation) = copy::block(fields, &id)? {
        return Ok(operation);
    }
    let length = fields.body_length(max_block_bytes(version))?;
    if length == 0 {
        return Err(Refusal::header("Content-Length", "0"));
    }
    Ok(BlobOperation::PutBlock(PutBlock {
        id,
        length,
        lease_id: fields.lease_id()?,
        checksum: fields.checksum()?,
    }))
}

fn put_block_list(fields: &Fields<'_>) -> Result<BlobOperation, Refusal> {
    fields.only_hot()?;
    Ok(BlobOperation::PutBlockList(PutBlockList {
        length: fields.body_length(MAX_BLOCK_LIST_BODY as u64)?,
        properties: HttpProperties::from_headers(fields.headers, false)?,
        metadata: Metadata::from_headers(fields.headers)?,
        tags: fields.tags()?,
        lease_id: fields.lease_id()?,
        conditions: fields.conditions()?,
        checksum: fields.checksum()?,
    }))
}

fn get_block_list(fields: &Fields<'_>) -> Result<BlobOperation, Refusal> {
    let kind = match fields.query("blocklisttype") {
        None => BlockListKind::default(),
        Some(text) => BlockListKind::parse(text)
            .ok_or_else(|| Refusal::query("blocklisttype", text, "One of committed, uncommitted, all."))?,
    };
    Ok(BlobOperation::GetBlockList {
        snapshot: fields.snapshot()?,
        kind,
        lease_id: fields.lease_id()?,
    })
}

fn get_blob(fields: &Fields<'_>, version: ApiVersion) -> Result<BlobOperation, Refusal> {
    let range = ByteRange::from_headers(fields.header("x-ms-range")?, fields.header("range")?);
    let range_md5 = fields.flag("x-ms-range-get-content-md5")?;
    let range_crc64 = fields.flag("x-ms-range-get-content-crc64")?;
    if (range_md5 || range_crc64) && range.is_none() || range_md5 && range_crc64 {
        return Err(Refusal::with_message(
            ErrorCode::InvalidInput,
            "A checksum of the range needs a range, and only one kind of checksum can be asked for.",
        ));
    }
    Ok(BlobOperation::Get(GetBlob {
        snapshot: fields.snapshot()?,
        range,
        lease_id: fields.lease_id()?,
        conditions: fields.read_conditions(version)?,
        range_md5,
        range_crc64,
    }))
}

fn set_properties(fields: &Fields<'_>) -> Result<BlobOperation, Refusal> {
    let page = PageChange::parse(fields)?;
    let properties = HttpProperties::from_headers(fields.headers, false)?;
    // Who changes only the page blob keeps the properties; whoever sets one of them sets them all.
    let keeps = !page.is_empty() && properties == HttpProperties::default();
    Ok(BlobOperation::SetProperties {
        properties: (!keeps).then_some(properties),
        page,
        lease_id: fields.lease_id()?,
        conditions: fields.conditions()?,
    })
}

/// To the only tier, of the blob or of a snapshot.
fn set_tier(fields: &Fields<'_>) -> Result<BlobOperation, Refusal> {
    if !fields.only_hot()? {
        return Err(Refusal::missing_header("x-ms-access-tier"));
    }
    Ok(BlobOperation::SetTier {
        snapshot: fields.snapshot()?,
        lease_id: fields.lease_id()?,
    })
}

fn take_snapshot(fields: &Fields<'_>) -> Result<BlobOperation, Refusal> {
    let metadata = Metadata::from_headers(fields.headers)?;
    Ok(BlobOperation::Snapshot {
        metadata: (!metadata.is_empty()).then_some(metadata),
        lease_id: fields.lease_id()?,
        conditions: fields.conditions()?,
    })
}

fn delete(fields: &Fields<'_>) -> Result<BlobOperation, Refusal> {
    const NAME: &str = "x-ms-delete-snapshots";
    let snapshots = match fields.header(NAME)? {
        None => DeleteSnapshots::Refuse,
        Some(text) if text.eq_ignore_ascii_case("include") => DeleteSnapshots::Include,
        Some(text) if text.eq_ignore_ascii_case("only") => DeleteSnapshots::Only,
        Some(text) => return Err(Refusal::header(NAME, text)),
    };
    let snapshot = fields.snapshot()?;
    if snapshot.is_some() && snapshots != DeleteSnapshots::Refuse {
        let words = "A snapshot has no snapshots: x-ms-delete-snapshots is for the blob itself.";
        return Err(Refusal::with_message(ErrorCode::InvalidOperation, words));
    }
    Ok(BlobOperation::Delete {
        snapshot,
        snapshots,
        lease_id: fields.lease_id()?,
        conditions: fields.conditions()?,
    })
}

/// A snapshot is read and deleted, and nothing else.
fn refuse_changing_a_snapshot(fields: &Fields<'_>, comp: &str) -> Result<(), Refusal> {
    let Some(text) = fields.query("snapshot") else {
        return Ok(());
    };
    match (fields.method.as_str(), comp) {
        // It changes nothing.
        ("PUT", "tier") => Ok(()),
        ("PUT" | "POST", "lease") => Err(Refusal::with_message(
            ErrorCode::InvalidOperation,
            "A snapshot cannot be leased.",
        )),
        ("PUT" | "POST", _) => Err(Refusal::query("snapshot", text, "A snapshot cannot be changed.")),
        _ => Ok(()),
    }
}
