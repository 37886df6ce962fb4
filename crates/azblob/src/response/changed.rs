//! The state after a change: tag and time.

use http::HeaderMap;

use super::BadHeader;
use super::read_headers::{put_state, read_state, text};
use crate::etag::ETag;
use crate::lease::LeaseReply;
use crate::response::read_headers::put;
use crate::time::UnixMillis;

/// ETag and Last-Modified, as most writes and all lease operations answer them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The tag from now on.
    pub etag: ETag,
    /// When it last changed.
    pub last_modified: UnixMillis,
}

impl Changed {
    /// Adds the headers.
    pub fn write_headers(self, headers: &mut HeaderMap) {
        put_state(headers, self.etag, self.last_modified);
    }

    /// Reads them: the tag as text, for it may be another service's, and the time of change.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn read(headers: &HeaderMap) -> Result<(String, UnixMillis), BadHeader> {
        read_state(headers)
    }
}

impl LeaseReply {
    /// Adds the headers of a lease operation, beside those of [`Changed`].
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        if let Some(id) = self.lease_id {
            put(headers, "x-ms-lease-id", &id.to_string());
        }
        if let Some(seconds) = self.lease_time {
            put(headers, "x-ms-lease-time", &seconds.to_string());
        }
    }

    /// Reads the answer to a lease operation that went well.
    ///
    /// # Errors
    /// [`BadHeader`] when a header that is there cannot be read.
    pub fn read(status: u16, headers: &HeaderMap) -> Result<Self, BadHeader> {
        let lease_id =
            text(headers, "x-ms-lease-id").map(|t| t.parse().map_err(|_| BadHeader("x-ms-lease-id")));
        let time =
            text(headers, "x-ms-lease-time").map(|t| t.parse().map_err(|_| BadHeader("x-ms-lease-time")));
        Ok(Self {
            status,
            lease_id: lease_id.transpose()?,
            lease_time: time.transpose()?,
        })
    }
}
