//! One structured line per request, written when its answer has been handed over or its client is gone. Never the query
//! string nor a header that carries a signature.
//!
//! A request that is answered is a debug line, a failure of ours a warning: a backup of a terabyte is a quarter of a
//! million requests. `BAC2_LOG=info,frontdoor::request_log=debug` shows them all.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use azblob::lease::LeaseId;
use azblob::names::AccountName;
use azblob::version::ApiVersion;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName, USER_AGENT};
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};

use crate::answer::{AnswerBody, BrokenOff};
use crate::fault::Fault;
use crate::metrics::Metrics;
use crate::peer::Peer;
use crate::uses::{Guest, Use};

/// Characters of a client's own text that are logged: its name and its request id.
const TEXT_MAX: usize = 256;

/// The status that stands for a client which went away before it was answered, as web servers log it.
const CLIENT_GONE: u16 = 499;

/// What is known of a request, gathered while it is served. Dropping it writes the line.
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
    /// Container and blob as on the wire; the whole path until the account is known.
    pub(crate) blob: String,
    id: LeaseId,
    started: Instant,
    status: Option<u16>,
    bytes_in: u64,
    bytes_out: u64,
    agent: Option<String>,
    client_request_id: Option<String>,
    metrics: Arc<Metrics>,
    /// The connection.
    pub(crate) guest: Arc<Guest>,
    /// The use that the request is of a blob; it ends with the request.
    pub(crate) used: Option<Use>,
}

impl RequestLog {
    /// What the head of a request says. `id` is the request's own.
    pub(crate) fn new(
        head: &Parts,
        (peer, guest): (Peer, &Arc<Guest>),
        id: LeaseId,
        metrics: Arc<Metrics>,
    ) -> Self {
        let text = |name: HeaderName| {
            let value = head.headers.get(name)?.to_str().ok()?;
            Some(value.chars().take(TEXT_MAX).collect::<String>())
        };
        RequestLog {
            peer,
            account: None,
            version: None,
            operation: "Unknown",
            code: None,
            blob: head.uri.path().to_owned(),
            id,
            started: Instant::now(),
            status: None,
            bytes_in: text(CONTENT_LENGTH).and_then(|t| t.parse().ok()).unwrap_or(0),
            bytes_out: 0,
            agent: text(USER_AGENT),
            client_request_id: text(HeaderName::from_static("x-ms-client-request-id")),
            metrics,
            guest: Arc::clone(guest),
            used: None,
        }
    }

    /// The request is answered, or refused.
    pub(crate) fn judged(&mut self, fault: Option<&Fault>) {
        self.code = fault.map(Fault::code);
        if fault.is_some_and(Fault::is_refusal) {
            if let Some(used) = self.used.take() {
                used.refused();
            }
        } else if let Some(used) = &mut self.used {
            used.answered();
        }
    }

    /// The answer's head is on its way; its body, and with it the line, follows.
    pub(crate) fn answered(mut self, status: u16, body: AnswerBody) -> LoggedBody {
        self.status = Some(status);
        LoggedBody { body, log: self }
    }

    /// It was answered inside the answer of another request, whose bytes are counted there.
    pub(crate) fn answered_within(mut self, status: u16) {
        self.status = Some(status);
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let ms = took.as_millis() as u64;
        let status = self.status.unwrap_or(CLIENT_GONE);
        self.metrics.answered(self.operation, status, took);
        let (request_id, client, scheme) = (self.id, self.peer.addr, self.peer.scheme());
        let account = self.account.as_ref().map(AccountName::as_str);
        let (operation, blob, code) = (self.operation, self.blob.as_str(), self.code);
        let (bytes_in, bytes_out) = (self.bytes_in, self.bytes_out);
        let agent = self.agent.as_deref();
        let client_request_id = self.client_request_id.as_deref();
        if status >= 500 {
            tracing::warn!(
                %request_id, client_request_id, %client, scheme, account, operation, blob, status, code, bytes_in,
                bytes_out, ms, agent, "request"
            );
        } else {
            tracing::debug!(
                %request_id, client_request_id, %client, scheme, account, operation, blob, status, code, bytes_in,
                bytes_out, ms, agent, "request"
            );
        }
    }
}

/// The body of an answer, which carries its request's log line along until all of it is handed over.
pub(crate) struct LoggedBody {
    body: AnswerBody,
    log: RequestLog,
}

impl Body for LoggedBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.log.bytes_out += frame.data_ref().map_or(0, Bytes::len) as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
