//! Reading and writing single headers of an answer.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::BadHeader;
use crate::etag::ETag;
use crate::time::UnixMillis;

/// Sets a header; text that no header can hold is left out.
pub(crate) fn put(headers: &mut HeaderMap, name: &'static str, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

pub(crate) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get(name)?
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|t| !t.is_empty())
}

pub(super) fn put_state(headers: &mut HeaderMap, etag: ETag, last_modified: UnixMillis) {
    put(headers, "etag", &etag.to_string());
    put(headers, "last-modified", &last_modified.http_date());
}

/// Tag and time of change, as text and moment; the tag of another service need not be a number.
pub(super) fn read_state(headers: &HeaderMap) -> Result<(String, UnixMillis), BadHeader> {
    let etag = text(headers, "etag").ok_or(BadHeader("ETag"))?.to_owned();
    let modified = text(headers, "last-modified").and_then(UnixMillis::parse_http_date);
    Ok((etag, modified.ok_or(BadHeader("Last-Modified"))?))
}
