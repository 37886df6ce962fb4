//! From the library's errors to faults.

use std::error::Error as _;

use azblob::xml;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::RawResponse;
use azure_core::http::headers::HeaderName;

use super::mishap::{Mishap, plain};
use crate::fault::{Cause, Fault, Operation};

/// The fault that an error of the library is.
pub(super) fn fault(operation: Operation, target: String, error: &Error) -> Fault {
    let mut fault = Fault {
        operation,
        target,
        cause: Cause::Other(String::new()),
        status: None,
        code: None,
    };
    if let Some(mishap) = mishap(error) {
        match mishap {
            Mishap::Connection(_) | Mishap::Timeout => fault.cause = Cause::Unreachable(mishap.to_string()),
            Mishap::TooLarge(_) | Mishap::Broken(_) | Mishap::Cached => {
                fault.cause = Cause::Unusable(mishap.to_string());
            }
            Mishap::Expired { status, code, at } => {
                fault.cause = Cause::Expired(*at);
                fault.status = Some(*status);
                fault.code.clone_from(code);
            }
        }
        return fault;
    }
    match error.kind() {
        ErrorKind::HttpResponse {
            status, raw_response, ..
        } => {
            let status = u16::from(*status);
            let code = raw_response.as_deref().and_then(code);
            let words = raw_response.as_deref().map(message).unwrap_or_default();
            fault.cause = cause(status, code.as_deref(), words);
            fault.status = Some(status);
            fault.code = code;
        }
        ErrorKind::Credential => {
            fault.cause = Cause::Unreachable(plain(&format!(
                "Microsoft Entra ID gave no token: {}",
                Mishap::words(error)
            )));
        }
        ErrorKind::DataConversion => {
            fault.cause = Cause::Unusable(plain(&format!(
                "the client library cannot read the answer: {error}"
            )));
        }
        _ => fault.cause = Cause::Unusable(Mishap::words(error)),
    }
    fault
}

/// A mishap of the transport, however often it was wrapped on its way.
fn mishap(error: &Error) -> Option<&Mishap> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(mishap) = cause.downcast_ref() {
            return Some(mishap);
        }
        source = cause.source();
    }
    None
}

/// The code: of the header, since the answer to HEAD has no body, or of the body.
fn code(response: &RawResponse) -> Option<String> {
    let header = response
        .headers()
        .get_optional_str(&HeaderName::from_static("x-ms-error-code"));
    let code = header.map(str::to_owned).or_else(|| element(response, "Code"))?;
    let fits = code.len() <= 64
        && code
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_. ".contains(&b));
    fits.then_some(code)
}

/// The service's words; its lines about the request's id and time are left out.
fn message(response: &RawResponse) -> String {
    let text = element(response, "Message").unwrap_or_default();
    let text = text.split("RequestId:").next().unwrap_or_default();
    plain(text)
}

/// The text of one element of an error's body.
fn element(response: &RawResponse, name: &str) -> Option<String> {
    let body: &[u8] = response.body();
    let text = xml::decode(body).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once("</")?;
    Some(
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&amp;", "&"),
    )
}

/// What a refusal means to the guard. Codes as in "Blob service error codes" and "Status and error codes".
fn cause(status: u16, code: Option<&str>, words: String) -> Cause {
    match code.unwrap_or_default() {
        "AuthorizationPermissionMismatch"
        | "AuthorizationFailure"
        | "InsufficientAccountPermissions"
        | "AuthorizationResourceTypeMismatch" => Cause::NotAllowed,
        "AuthenticationFailed"
        | "NoAuthenticationInformation"
        | "InvalidAuthenticationInfo"
        | "AuthorizationSourceIPMismatch"
        | "AuthorizationProtocolMismatch"
        | "AuthorizationServiceMismatch"
        | "AccountIsDisabled"
        | "PublicAccessNotPermitted"
        | "KeyBasedAuthenticationNotPermitted" => Cause::Refused,
        "ContainerNotFound" | "ContainerBeingDeleted" | "BlobNotFound" | "ResourceNotFound" => {
            Cause::NotFound
        }
        "ConditionNotMet" => Cause::Changed,
        "ServerBusy" | "OperationTimedOut" if matches!(status, 429 | 500 | 503) => Cause::Throttled,
        "SnapshotsPresent"
        | "PendingCopyOperation"
        | "SystemInUse"
        | "BlobImmutableDueToPolicy"
        | "BlobImmutableDueToLegalHold"
        | "ResourceLocked" => Cause::Protected,
        code if code.starts_with("Lease") && matches!(status, 409 | 412) => Cause::Lease,
        _ => match status {
            401 => Cause::Refused,
            403 => Cause::NotAllowed,
            404 => Cause::NotFound,
            412 => Cause::Changed,
            429 | 503 => Cause::Throttled,
            300..=399 => Cause::Unusable("it answers with a redirect, which no Blob service does".to_owned()),
            _ => Cause::Other(words),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_reference_says() {
        let said = |status, code: &str| cause(status, Some(code), String::new());
        for (status, code, want) in [
            (403, "AuthorizationPermissionMismatch", Cause::NotAllowed),
            (403, "AuthorizationFailure", Cause::NotAllowed),
            (403, "InsufficientAccountPermissions", Cause::NotAllowed),
            (403, "AuthorizationResourceTypeMismatch", Cause::NotAllowed),
            (403, "AuthenticationFailed", Cause::Refused),
            (401, "NoAuthenticationInformation", Cause::Refused),
            (401, "InvalidAuthenticationInfo", Cause::Refused),
            (403, "AuthorizationSourceIPMismatch", Cause::Refused),
            (403, "AuthorizationProtocolMismatch", Cause::Refused),
            (403, "AccountIsDisabled", Cause::Refused),
            (409, "ContainerBeingDeleted", Cause::NotFound),
            (404, "ContainerNotFound", Cause::NotFound),
            (404, "BlobNotFound", Cause::NotFound),
            (404, "ResourceNotFound", Cause::NotFound),
            (412, "ConditionNotMet", Cause::Changed),
            (409, "LeaseNotPresentWithLeaseOperation", Cause::Lease),
            (412, "LeaseNotPresentWithBlobOperation", Cause::Lease),
            (412, "LeaseIdMismatchWithBlobOperation", Cause::Lease),
            (412, "LeaseIdMissing", Cause::Lease),
            (412, "LeaseLost", Cause::Lease),
            (409, "LeaseAlreadyBroken", Cause::Lease),
            (409, "SnapshotsPresent", Cause::Protected),
            (409, "BlobImmutableDueToPolicy", Cause::Protected),
            (409, "PendingCopyOperation", Cause::Protected),
            (503, "ServerBusy", Cause::Throttled),
            (500, "OperationTimedOut", Cause::Throttled),
        ] {
            assert_eq!(said(status, code), want, "{status} {code}");
        }
    }

    #[test]
    fn without_a_code_the_status_counts() {
        for (status, want) in [
            (401, Cause::Refused),
            (403, Cause::NotAllowed),
            (404, Cause::NotFound),
            (412, Cause::Changed),
            (429, Cause::Throttled),
            (503, Cause::Throttled),
            (500, Cause::Other("words".to_owned())),
        ] {
            assert_eq!(cause(status, None, "words".to_owned()), want, "{status}");
        }
        assert!(matches!(cause(302, None, String::new()), Cause::Unusable(_)));
    }
}
