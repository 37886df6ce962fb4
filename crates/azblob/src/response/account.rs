//! The answer to Get Account Information: headers only.

use http::HeaderMap;

use super::BadHeader;
use super::read_headers::{put, text};

/// What kind of account this is, in Azure's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountInformation {
    /// `x-ms-sku-name`
    pub sku: String,
    /// `x-ms-account-kind`
    pub kind: String,
}

impl AccountInformation {
    /// What is nearest to the truth here: one copy in one place, all kinds of blobs.
    pub fn own() -> Self {
        Self {
            sku: "Standard_LRS".to_owned(),
            kind: "StorageV2".to_owned(),
        }
    }

    /// Adds the headers.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        put(headers, "x-ms-sku-name", &self.sku);
        put(headers, "x-ms-account-kind", &self.kind);
        put(headers, "x-ms-is-hns-enabled", "false");
    }

    /// Reads them.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn read(headers: &HeaderMap) -> Result<Self, BadHeader> {
        let read = |name| text(headers, name).map(str::to_owned).ok_or(BadHeader(name));
        Ok(Self {
            sku: read("x-ms-sku-name")?,
            kind: read("x-ms-account-kind")?,
        })
    }
}
