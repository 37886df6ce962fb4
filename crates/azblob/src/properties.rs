//! The HTTP properties of a blob: what its readers get back in the standard content headers.
//!
//! Writers send them as `x-ms-blob-...`. Put Blob also takes the plain headers of its own request where the
//! special ones are missing; Put Block List does not, because there the plain ones describe the list.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName,
};
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::digest::Md5;
use crate::error::Refusal;

/// What Azure says of a blob whose writer named no type.
pub const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";

/// The tier of every block blob. Nothing here is colder or dearer to read than the rest, so asking for another one
/// is refused rather than noted and not kept.
pub const ONLY_TIER: &str = "Hot";

/// The HTTP properties of one blob. A missing one is not sent, except the type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpProperties {
    /// `Content-Type`; [`DEFAULT_CONTENT_TYPE`] when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Content-Encoding`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Language`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Content-Disposition`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Cache-Control`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Content-MD5` of the whole blob, as its writer gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_md5: Option<Md5>,
}

impl HttpProperties {
    /// Reads the `x-ms-blob-...` headers, and with `plain` the standard ones where those are missing.
    ///
    /// # Errors
    /// 400 `InvalidHeaderValue` or `InvalidMd5`.
    pub fn from_headers(headers: &HeaderMap, plain: bool) -> Result<Self, Refusal> {
        let read = |special: &str, standard: &HeaderName| {
            let value = headers
                .get(special)
                .or_else(|| headers.get(standard).filter(|_| plain));
            let text = value.map(|v| v.to_str().map_err(|_| Refusal::header(special, "(not ASCII)")));
            Ok::<_, Refusal>(text.transpose()?.filter(|t| !t.is_empty()).map(str::to_owned))
        };
        let md5 = headers.get("x-ms-blob-content-md5").filter(|v| !v.is_empty());
        let md5 = md5
            .map(|v| Md5::parse(v.to_str().unwrap_or_default()))
            .transpose()?;
        Ok(Self {
            content_type: read("x-ms-blob-content-type", &CONTENT_TYPE)?,
            content_encoding: read("x-ms-blob-content-encoding", &CONTENT_ENCODING)?,
            content_language: read("x-ms-blob-content-language", &CONTENT_LANGUAGE)?,
            content_disposition: read("x-ms-blob-content-disposition", &CONTENT_DISPOSITION)?,
            cache_control: read("x-ms-blob-cache-control", &CACHE_CONTROL)?,
            content_md5: md5,
        })
    }

    /// These, and where one is missing that of `others`.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        let others = others.clone();
        Self {
            content_type: self.content_type.or(others.content_type),
            content_encoding: self.content_encoding.or(others.content_encoding),
            content_language: self.content_language.or(others.content_language),
            content_disposition: self.content_disposition.or(others.content_disposition),
            cache_control: self.cache_control.or(others.cache_control),
            content_md5: self.content_md5.or(others.content_md5),
        }
    }

    /// Adds the `x-ms-blob-...` headers to a request.
    pub fn write_request(&self, headers: &mut HeaderMap) {
        let md5 = self.content_md5.map(|m| m.to_string());
        let pairs = [
            ("x-ms-blob-content-type", &self.content_type),
            ("x-ms-blob-content-encoding", &self.content_encoding),
            ("x-ms-blob-content-language", &self.content_language),
            ("x-ms-blob-content-disposition", &self.content_disposition),
            ("x-ms-blob-cache-control", &self.cache_control),
            ("x-ms-blob-content-md5", &md5),
        ];
        for (name, text) in pairs {
            put(headers, HeaderName::from_static(name), text.as_deref());
        }
    }

    /// Adds the standard headers to a reply that carries, or describes, the whole blob. Content-MD5 is left
    /// to the caller: in the answer to a ranged read it is that of the range.
    pub fn write_reply(&self, headers: &mut HeaderMap) {
        put(
            headers,
            CONTENT_TYPE,
            Some(self.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE)),
        );
        put(headers, CONTENT_ENCODING, self.content_encoding.as_deref());
        put(headers, CONTENT_LANGUAGE, self.content_language.as_deref());
        put(headers, CONTENT_DISPOSITION, self.content_disposition.as_deref());
        put(headers, CACHE_CONTROL, self.cache_control.as_deref());
    }
}

/// Sets a header; text that no header can hold, which no request brought, is left out.
fn put(headers: &mut HeaderMap, name: HeaderName, text: Option<&str>) {
    if let Some(value) = text.and_then(|t| HeaderValue::from_str(t).ok()) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect()
    }

    #[test]
    fn special_before_plain() {
        let sent = headers(&[
            ("content-type", "text/plain"),
            ("x-ms-blob-content-type", "image/png"),
            ("content-language", "de"),
            ("x-ms-blob-content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ]);
        let put_blob = HttpProperties::from_headers(&sent, true).unwrap();
        assert_eq!(put_blob.content_type.as_deref(), Some("image/png"));
        assert_eq!(put_blob.content_language.as_deref(), Some("de"));
        let commit = HttpProperties::from_headers(&sent, false).unwrap();
        assert_eq!(commit.content_language, None);
        let mut again = HeaderMap::new();
        put_blob.write_request(&mut again);
        assert_eq!(HttpProperties::from_headers(&again, false), Ok(put_blob));
        let bad = headers(&[("x-ms-blob-content-md5", "nonsense")]);
        assert_eq!(
            HttpProperties::from_headers(&bad, true).unwrap_err().code,
            ErrorCode::InvalidMd5
        );
    }

    #[test]
    fn a_reply_always_has_a_type() {
        let mut reply = HeaderMap::new();
        HttpProperties::default().write_reply(&mut reply);
        assert_eq!(reply.get(CONTENT_TYPE).unwrap(), DEFAULT_CONTENT_TYPE);
        assert_eq!(reply.len(), 1);
    }
}
