//! Headers of the answer that a token sets, `rscc` and its kin, on reads of a blob.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue,
};

use super::fields::{Field, Fields};
use crate::error::Refusal;

/// Headers that replace the blob's own in the answer to Get Blob and Get Blob Properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(Vec<(HeaderName, HeaderValue)>);

const HEADERS: [(Field, HeaderName); 5] = [
    (Field::Rscc, CACHE_CONTROL),
    (Field::Rscd, CONTENT_DISPOSITION),
    (Field::Rsce, CONTENT_ENCODING),
    (Field::Rscl, CONTENT_LANGUAGE),
    (Field::Rsct, CONTENT_TYPE),
];

impl Overrides {
    pub(super) fn of(fields: &Fields) -> Result<Self, Refusal> {
        let mut headers = Vec::new();
        for (field, name) in HEADERS {
            let Some(text) = fields.get(field) else { continue };
            let value = HeaderValue::from_str(text)
                .map_err(|_| Refusal::query(field.name(), text, "No header can hold this."))?;
            headers.push((name, value));
        }
        Ok(Self(headers))
    }

    /// Sets them.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.insert(name.clone(), value.clone());
        }
    }
}
