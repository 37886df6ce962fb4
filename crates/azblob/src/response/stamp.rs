//! What every answer carries, whatever was asked.

use http::HeaderMap;

use super::read_headers::put;
use crate::lease::LeaseId;
use crate::request::Request;
use crate::time::UnixMillis;
use crate::version::ApiVersion;

/// The marks of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `x-ms-request-id`, a GUID of the server's making; to be found again in its log.
    pub request_id: LeaseId,
    /// `x-ms-version`: the request's own.
    pub version: ApiVersion,
    /// `x-ms-client-request-id`, when the request had one.
    pub client_request_id: Option<String>,
    /// `Date`
    pub now: UnixMillis,
}

/// The `Server` header.
const SERVER: &str = "bac2-Blob/1.0";

impl Stamp {
    /// The stamp of an answer to a request that could not be parsed, as far as its headers tell.
    pub fn of_headers(headers: &HeaderMap, request_id: LeaseId, now: UnixMillis) -> Self {
        let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
        let version = text("x-ms-version")
            .and_then(ApiVersion::parse)
            .unwrap_or(ApiVersion::CURRENT);
        let client_request_id = text("x-ms-client-request-id")
            .filter(|t| t.len() <= 1024)
            .map(str::to_owned);
        Self {
            request_id,
            version,
            client_request_id,
            now,
        }
    }

    /// The stamp of an answer to a request.
    pub fn of_request(request: &Request, request_id: LeaseId, now: UnixMillis) -> Self {
        let client_request_id = request.client_request_id.clone();
        Self {
            request_id,
            version: request.version,
            client_request_id,
            now,
        }
    }

    /// Adds the headers.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        put(headers, "server", SERVER);
        put(headers, "date", &self.now.http_date());
        put(headers, "x-ms-request-id", &self.request_id.to_string());
        put(headers, "x-ms-version", &self.version.to_string());
        if let Some(id) = &self.client_request_id {
            put(headers, "x-ms-client-request-id", id);
        }
    }

    /// The two lines that end the message of every error.
    pub fn message_lines(&self) -> String {
        format!("RequestId:{}\nTime:{}", self.request_id, self.now.iso_seven())
    }
}
