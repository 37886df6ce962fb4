//! The text that is signed.
//!
//! Verb, eleven standard headers one a line, the `x-ms-` headers as `name:value`, and the resource: the
//! account, the path as it stands on the wire, and the query parameters decoded and sorted. With a
//! path-style address the path begins with the account already, so the account stands there twice; that
//! needs no rule of its own, since the account is put before any path.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, Method, Uri};

use super::HeaderOrder;
use crate::names::AccountName;
use crate::query;
use crate::version::ApiVersion;

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// The lines after the verb of SharedKeyLite, in order.
const LITE: [HeaderName; 3] = [CONTENT_MD5, CONTENT_TYPE, DATE];

/// The lines after the verb, in order.
const STANDARD: [HeaderName; 11] = [
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_MD5,
    CONTENT_TYPE,
    DATE,
    IF_MODIFIED_SINCE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_UNMODIFIED_SINCE,
    RANGE,
];

/// The string to sign of a request.
pub fn string_to_sign(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    account: &AccountName,
    order: HeaderOrder,
) -> String {
    let mut out = String::with_capacity(512);
    let version = version(headers);
    push_standard(&mut out, method, headers, &STANDARD);
    push_headers(&mut out, headers, order, version);
    push_path(&mut out, uri, account);
    push_query(&mut out, uri);
    out
}

/// The string to sign of SharedKeyLite ("Blob, Queue, and File services Shared Key Lite"): three standard headers, and
/// of the query `comp` alone.
pub fn string_to_sign_lite(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    account: &AccountName,
    order: HeaderOrder,
) -> String {
    let mut out = String::with_capacity(256);
    push_standard(&mut out, method, headers, &LITE);
    push_headers(&mut out, headers, order, version(headers));
    push_path(&mut out, uri, account);
    let comp =
        query::pairs(uri.query().unwrap_or_default()).find(|(name, _)| name.eq_ignore_ascii_case("comp"));
    if let Some((_, comp)) = comp {
        let _ = write!(out, "?comp={comp}");
    }
    out
}

fn version(headers: &HeaderMap) -> ApiVersion {
    let version = text(headers, "x-ms-version").and_then(|v| ApiVersion::parse(&v));
    version.unwrap_or(ApiVersion::CURRENT)
}

fn push_standard(out: &mut String, method: &Method, headers: &HeaderMap, names: &[HeaderName]) {
    let version = version(headers);
    out.push_str(method.as_str());
    out.push('\n');
    for name in names {
        let value = text(headers, name.as_str()).unwrap_or_default();
        let left_out = match *name {
            CONTENT_LENGTH => value == "0" && version >= ApiVersion::V2015_02_21,
            DATE => headers.contains_key("x-ms-date"),
            _ => false,
        };
        if !left_out {
            out.push_str(&value);
        }
        out.push('\n');
    }
}

fn push_headers(out: &mut String, headers: &HeaderMap, order: HeaderOrder, version: ApiVersion) {
    let mut names: Vec<&str> = headers
        .keys()
        .map(HeaderName::as_str)
        .filter(|name| name.starts_with("x-ms-"))
        .collect();
    order.sort(&mut names);
    for name in names {
        let value = text(headers, name).unwrap_or_default();
        if !value.is_empty() || version >= ApiVersion::V2016_05_31 {
            let _ = writeln!(out, "{name}:{value}");
        }
    }
}

fn push_path(out: &mut String, uri: &Uri, account: &AccountName) {
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    let _ = write!(out, "/{account}{path}");
}

fn push_query(out: &mut String, uri: &Uri) {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in query::pairs(uri.query().unwrap_or_default()) {
        parameters.entry(name.to_lowercase()).or_default().push(value);
    }
    for (name, mut values) in parameters {
        values.sort_unstable();
        let _ = write!(out, "\n{name}:{}", values.join(","));
    }
}

/// All values of a header, trimmed and joined with commas. Bytes outside UTF-8 are replaced: such a request
/// cannot be signed by any client known, and then fails as it should.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<String> = headers
        .get_all(name)
        .iter()
        .map(|v| String::from_utf8_lossy(v.as_bytes()).trim().to_owned())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}
