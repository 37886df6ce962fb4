//! The headers that describe a container: Get Container Properties and Metadata.

use http::HeaderMap;

use super::BadHeader;
use super::read_headers::{put, read_state};
use crate::lease::LeaseView;
use crate::metadata::Metadata;
use crate::time::UnixMillis;

/// What readers are told of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerHead {
    /// Its tag, quoted as in the header.
    pub etag: String,
    /// When it last changed.
    pub last_modified: UnixMillis,
    /// Its metadata.
    pub metadata: Metadata,
    /// Its lease.
    pub lease: LeaseView,
}

impl ContainerHead {
    /// Adds the headers of Get Container Properties.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        self.write_metadata_headers(headers);
        self.lease.write_headers(headers);
        put(headers, "x-ms-has-immutability-policy", "false");
        put(headers, "x-ms-has-legal-hold", "false");
    }

    /// Adds the headers of Get Container Metadata.
    pub fn write_metadata_headers(&self, headers: &mut HeaderMap) {
        put(headers, "etag", &self.etag);
        put(headers, "last-modified", &self.last_modified.http_date());
        self.metadata.write_headers(headers);
    }

    /// Reads the answer to Get Container Properties.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn read(headers: &HeaderMap) -> Result<Self, BadHeader> {
        let (etag, last_modified) = read_state(headers)?;
        let metadata = Metadata::from_headers(headers).map_err(|_| BadHeader("x-ms-meta-"))?;
        Ok(Self {
            etag,
            last_modified,
            metadata,
            lease: LeaseView::read(headers).unwrap_or(LeaseView::NONE),
        })
    }
}
