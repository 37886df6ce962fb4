//! What the headers of Get Blob Properties say.

use azblob::lease::{LeaseDurationKind, LeaseState, LeaseStatus, LeaseView, LeaseWitness, WITNESS_HEADER};
use azblob::response::BlobType;
use azblob::time::UnixMillis;
use azure_core::http::headers::{HeaderName, Headers};

use crate::account::{ETag, Head, Properties};

/// Reads them.
///
/// # Errors
/// The header without which this is no answer of a Blob service.
pub(super) fn head(headers: &Headers) -> Result<Head, &'static str> {
    let text = |name: &'static str| headers.get_optional_str(&HeaderName::from_static(name));
    let date = |name| UnixMillis::parse_http_date(text(name)?);
    let properties = Properties {
        kind: text("x-ms-blob-type")
            .and_then(BlobType::parse)
            .ok_or("x-ms-blob-type")?,
        size: text("content-length")
            .and_then(|text| text.parse().ok())
            .ok_or("Content-Length")?,
        etag: text("etag").map(etag),
        last_modified: date("last-modified"),
        created: date("x-ms-creation-time"),
        lease: lease(text),
    };
    Ok(Head {
        properties,
        witness: headers
            .get_optional_str(&HeaderName::from(WITNESS_HEADER.as_str().to_owned()))
            .and_then(LeaseWitness::parse),
    })
}

/// The tag as headers have it, in quotes. Listings leave them out.
pub(super) fn etag(text: &str) -> ETag {
    ETag(match text {
        text if text.starts_with('"') || text.starts_with("W/") => text.to_owned(),
        text => format!("\"{text}\""),
    })
}

/// A blob of which nothing is said about a lease, or nothing known, is taken for unlocked: then nothing is done to it.
fn lease<'h>(text: impl Fn(&'static str) -> Option<&'h str>) -> LeaseView {
    let read = || {
        Some(LeaseView {
            status: LeaseStatus::parse(text("x-ms-lease-status")?)?,
            state: LeaseState::parse(text("x-ms-lease-state")?)?,
            duration: text("x-ms-lease-duration").and_then(LeaseDurationKind::parse),
        })
    };
    read().unwrap_or(LeaseView {
        status: LeaseStatus::Unlocked,
        state: LeaseState::Available,
        duration: None,
    })
}
