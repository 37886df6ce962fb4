//! One structured line per request. Never the query string nor a header: they carry signatures.

use std::time::Duration;

use azblob::lease::LeaseId;
use azblob::names::AccountName;
use azblob::version::ApiVersion;
use http::Response;
use http::header::CONTENT_LENGTH;
use http::request::Parts;

use crate::answer::AnswerBody;
use crate::peer::Peer;

/// What is known of a request, gathered while it is served.
pub(crate) struct RequestLog {
    /// Who asks, over what.
    pub(crate) peer: Peer,
    /// Whose storage, once it is known.
    pub(crate) account: Option<AccountName>,
    /// The version it is answered in, once that is known.
    pub(crate) version: Option<ApiVersion>,
    /// What was asked, in the words of Azure's storage logs.
    pub(crate) operation: &'static str,
    /// The error code of a refusal.
    pub(crate) code: Option<&'static str>,
    path: String,
    bytes_in: u64,
}

impl RequestLog {
    /// What the head of a request says.
    pub(crate) fn new(head: &Parts, peer: Peer) -> Self {
        let length = head
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|v| v.to_str().ok()?.parse().ok());
        RequestLog {
            peer,
            account: None,
            version: None,
            operation: "Unknown",
            code: None,
            path: head.uri.path().to_owned(),
            bytes_in: length.unwrap_or(0),
        }
    }

    /// Writes the line. `took` ends when the answer's body begins.
    pub(crate) fn write(&self, request_id: LeaseId, response: &Response<AnswerBody>, took: Duration) {
        let (operation, path, bytes_in) = (self.operation, self.path.as_str(), self.bytes_in);
        let (status, bytes_out) = (response.status().as_u16(), response.body().length());
        let ms = took.as_millis() as u64;
        let account = self.account.as_ref().map(AccountName::as_str);
        let code = self.code;
        let (client, scheme) = (self.peer.addr, self.peer.scheme());
        if status >= 500 {
            tracing::warn!(
                %request_id, %client, scheme, account, operation, path, status, code, bytes_in, bytes_out, ms, "request"
            );
        } else {
            tracing::debug!(
                %request_id, %client, scheme, account, operation, path, status, code, bytes_in, bytes_out, ms, "request"
            );
        }
    }
}
