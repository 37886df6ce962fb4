//! Everything that can go wrong with a request, as one answer.
//!
//! The protocol's own refusals come from `azblob` with Azure's status, code and words. What only a server of one's own
//! can say has codes of its own, so that nobody mistakes them for Azure's:
//!
//! | what                               | status | code                     | what a client does with it               |
//! |------------------------------------|--------|--------------------------|------------------------------------------|
//! | the disk is full                   | 507    | `InsufficientStorage`    | SDKs retry a few times, then fail        |
//! | a write failed: store is read-only | 503    | `StoreIsReadOnly`        | the same; `Retry-After` asks for patience |
//! | bytes at rest are damaged          | 500    | `BlobContentIsDamaged`   | the same; the words name what to do      |
//!
//! 503 and 507 are answered before the body is read, so a client that retries costs next to nothing, and SQL Server,
//! whose own retries are not documented, fails its backup within seconds with the sentence in its error text.

use azblob::error::{ErrorCode, Refusal};
use azblob::etag::ETag;
use blobstore::StoreError;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::ext::ReasonPhrase;

use crate::answer::AnswerBody;
use crate::checks::Mismatch;
use crate::intake::IntakeError;

/// Seconds after which a client may ask a read-only store again; an operator has to restart it first.
const READ_ONLY_RETRY_SECONDS: u32 = 60;

/// A request that was not carried out.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Vec<(&'static str, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    broke_off: bool,
}

impl Fault {
    fn own(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Fault {
            status,
            code,
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
            broke_off: false,
        }
    }

    /// 416 with the size that was exceeded.
    pub(crate) fn range_beyond(code: ErrorCode, total: u64) -> Self {
        let mut fault = Fault::from(code);
        let value = azblob::range::unsatisfied_content_range(total);
        fault.headers.push((
            CONTENT_RANGE,
            HeaderValue::from_str(&value).expect("digits are legal in a header"),
        ));
        fault
    }

    /// 304: the client has this version already.
    pub(crate) fn not_modified(etag: ETag) -> Self {
        let mut fault = Fault::own(
            StatusCode::NOT_MODIFIED,
            "ConditionNotMet",
            ErrorCode::ConditionNotMet.message(),
        );
        let value = HeaderValue::from_str(&etag.to_string()).expect("an entity tag is legal in a header");
        fault.headers.push((ETAG, value));
        fault
    }

    /// The source of a copy cannot be used; Azure has one code for it and several statuses.
    pub(crate) fn copy_source(status: StatusCode, message: impl Into<String>) -> Self {
        Fault::own(status, ErrorCode::CannotVerifyCopySource.as_str(), message)
    }

    /// What is said.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// A body did not arrive as announced.
    pub(crate) fn incomplete(why: &str) -> Self {
        Refusal::with_message(ErrorCode::InvalidInput, sentence(why)).into()
    }

    /// A blocking call ended without a result.
    pub(crate) fn lost() -> Self {
        Fault::from(ErrorCode::InternalError)
    }

    /// The code, for the request log.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// Whether the request is the client's fault, from one who had no right to it or asked for what there is not. No
    /// refusal: what the server failed, what the client has already, and an upload that was being taken in and broke off.
    pub(crate) fn is_refusal(&self) -> bool {
        self.status.is_client_error() && !self.broke_off
    }

    /// The answer. HEAD gets the header only; `stamp` ends the message as Azure's do.
    pub(crate) fn into_response(self, head: bool, stamp: &str) -> Response<AnswerBody> {
        let mut response = Response::new(AnswerBody::empty());
        *response.status_mut() = self.status;
        // Azure's status line carries the sentence, and SQL Server copies it from there into its messages 3202 and
        // 3271. What cannot stand in a status line stays out of it.
        if let Ok(reason) = ReasonPhrase::try_from(self.message.as_bytes()) {
            response.extensions_mut().insert(reason);
        }
        let headers: &mut HeaderMap = response.headers_mut();
        headers.insert("x-ms-error-code", HeaderValue::from_static(self.code));
        headers.extend(self.headers.into_iter().map(|(name, value)| (Some(name), value)));
        if !head && self.status != StatusCode::NOT_MODIFIED {
            let message = format!("{}\n{stamp}", self.message);
            let body = azblob::error::render(self.code, &message, &self.details);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            *response.body_mut() = AnswerBody::whole(body);
        }
        response
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.code.status()).expect("the codes have legal statuses");
        let message = refusal.message().to_owned();
        // What the sentence of this code refers to, and what HTTP asks of every 401.
        let headers = if status == StatusCode::UNAUTHORIZED {
            vec![(WWW_AUTHENTICATE, HeaderValue::from_static("SharedKey"))]
        } else {
            Vec::new()
        };
        Fault {
            status,
            code: refusal.code.as_str(),
            message,
            details: refusal.details,
            headers,
            broke_off: false,
        }
    }
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Refusal::from(code).into()
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Protocol(code) => code.into(),
            StoreError::DiskFull => Fault::own(
                StatusCode::INSUFFICIENT_STORAGE,
                "InsufficientStorage",
                "The disk of the backup store is full. Nothing of this request was stored; blobs can still be deleted \
                 and leases released.",
            ),
            StoreError::ReadOnly { why } => {
                let mut fault = Fault::own(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "StoreIsReadOnly",
                    format!("The backup store takes no more changes until it is restarted, because {why}."),
                );
                fault
                    .headers
                    .push((RETRY_AFTER, HeaderValue::from(READ_ONLY_RETRY_SECONDS)));
                fault
            }
            StoreError::Damaged { what } => {
                tracing::error!(%what, "bytes at rest are not what was written");
                Fault::own(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "BlobContentIsDamaged",
                    "The stored bytes are not what was uploaded: the disk changed them. They are not handed out. Use \
                     another backup.",
                )
            }
            other => {
                tracing::error!(error = %other, source = ?std::error::Error::source(&other), "the store failed");
                Fault::lost()
            }
        }
    }
}

impl From<Mismatch> for Fault {
    fn from(mismatch: Mismatch) -> Self {
        let refusal = match mismatch {
            Mismatch::Md5 { sent, computed } => Refusal::from(ErrorCode::Md5Mismatch)
                .detail("UserSpecifiedMd5", sent.to_string())
                .detail("ServerCalculatedMd5", computed.to_string()),
            Mismatch::Crc64 { sent, computed } => Refusal::from(ErrorCode::Crc64Mismatch)
                .detail("UserSpecifiedCrc64", sent.to_string())
                .detail("ServerCalculatedCrc64", computed.to_string()),
        };
        refusal.into()
    }
}

impl From<IntakeError<Fault>> for Fault {
    fn from(error: IntakeError<Fault>) -> Self {
        match error {
            IntakeError::Sink(fault) => fault,
            IntakeError::Client(why) => Fault {
                broke_off: true,
                ..Fault::incomplete(why)
            },
            IntakeError::Lost => Fault::lost(),
        }
    }
}

fn sentence(why: &str) -> String {
    format!("The request was not carried out: {why}.")
}
