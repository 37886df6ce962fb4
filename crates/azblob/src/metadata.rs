//! Metadata: pairs of name and text that users attach to containers and blobs (`x-ms-meta-NAME`).
//!
//! Names follow the rules of C# identifiers and are compared without letter case; this crate keeps them in
//! lower case, because the HTTP library it speaks through does. Values are printable ASCII. All together
//! take at most 8 KiB.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::error::{ErrorCode, Refusal};
use crate::limits::MAX_METADATA_BYTES;

const PREFIX: &str = "x-ms-meta-";

/// The metadata of one container or blob, in order of name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// Reads all `x-ms-meta-` headers.
    ///
    /// # Errors
    /// 400 `EmptyMetadataKey`, `InvalidMetadata` or `MetadataTooLarge`.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut metadata = Self::default();
        for (name, value) in headers {
            let Some(name) = name.as_str().strip_prefix(PREFIX) else {
                continue;
            };
            let value = value.to_str().map_err(|_| ErrorCode::InvalidMetadata)?;
            metadata.insert(name, value.trim())?;
        }
        Ok(metadata)
    }

    /// Adds a pair.
    ///
    /// # Errors
    /// As [`Metadata::from_headers`]; a name that is there already is `InvalidMetadata`.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), ErrorCode> {
        let name = name.to_ascii_lowercase();
        let mut letters = name.bytes();
        let first = letters.next().ok_or(ErrorCode::EmptyMetadataKey)?;
        let legal = (first.is_ascii_alphabetic() || first == b'_')
            && letters.all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && value.bytes().all(|b| (0x20..0x7f).contains(&b) || b == b'\t');
        if !legal {
            return Err(ErrorCode::InvalidMetadata);
        }
        if self.bytes() + name.len() + value.len() > MAX_METADATA_BYTES {
            return Err(ErrorCode::MetadataTooLarge);
        }
        match self.0.insert(name, value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(ErrorCode::InvalidMetadata),
        }
    }

    /// The pairs in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a name, any letter case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the headers to a request or reply.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            let name = HeaderName::from_bytes(format!("{PREFIX}{name}").as_bytes())
                .expect("identifiers are legal in header names");
            let value = HeaderValue::from_str(value).expect("printable ASCII is legal in header values");
            headers.insert(name, value);
        }
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        headers
    }

    #[test]
    fn there_and_back() {
        let sent = headers(&[
            ("x-ms-meta-Database", "Sales €".replace('€', "(eur)").as_str()),
            ("x-ms-meta-_1", ""),
            ("content-type", "text/plain"),
        ]);
        let metadata = Metadata::from_headers(&sent).unwrap();
        assert_eq!(
            metadata.iter().collect::<Vec<_>>(),
            [("_1", ""), ("database", "Sales (eur)")]
        );
        let mut back = HeaderMap::new();
        metadata.write_headers(&mut back);
        assert_eq!(Metadata::from_headers(&back), Ok(metadata));
    }

    #[test]
    fn refused() {
        let code = |pairs: &[(&str, &str)]| Metadata::from_headers(&headers(pairs)).unwrap_err().code;
        assert_eq!(code(&[("x-ms-meta-", "v")]), ErrorCode::EmptyMetadataKey);
        assert_eq!(code(&[("x-ms-meta-1a", "v")]), ErrorCode::InvalidMetadata);
        assert_eq!(code(&[("x-ms-meta-a-b", "v")]), ErrorCode::InvalidMetadata);
        assert_eq!(
            code(&[("x-ms-meta-a", "v"), ("x-ms-meta-A", "w")]),
            ErrorCode::InvalidMetadata
        );
        assert_eq!(
            code(&[("x-ms-meta-a", &"v".repeat(8192))]),
            ErrorCode::MetadataTooLarge
        );
        let bytes = HeaderValue::from_bytes(b"\xc3\xbc").unwrap();
        let mut latin = HeaderMap::new();
        latin.insert("x-ms-meta-a", bytes);
        assert_eq!(
            Metadata::from_headers(&latin).unwrap_err().code,
            ErrorCode::InvalidMetadata
        );
    }
}
