//! The error codes of the Blob service, with Azure's own status and wording.
//!
//! The wording matters: SQL Server copies the message of a refusal into its own errors 3202 and 3271, and
//! people search for these sentences. Codes and statuses are those of Microsoft's "Blob service error codes"
//! and "Common REST API error codes"; where one code has several sentences there (a lease on a container
//! or on a blob), both are here.
//!
//! [`Refusal`] is a code with the detail elements Azure adds to the XML body (which header, which value).
//! The mapping from a store's own failures (disk full, damage) is not here: it belongs to the server.

use std::fmt;

use crate::xml;

/// Declares the codes once: name, status, sentence.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $message:literal;)*) => {
        /// A Blob service error code. The name is the code as it stands on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)] // The sentence of each code says what it means.
        pub enum ErrorCode { $($(#[$doc])* $name,)* }

        impl ErrorCode {
            /// Every code, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// HTTP status.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The code as it stands in `x-ms-error-code` and in the body.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Azure's sentence for the code.
            pub fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }
        }
    };
}

codes! {
    // Leases.
    LeaseAlreadyPresent = 409, "There is already a lease present.";
    LeaseAlreadyBroken = 409, "The lease has already been broken and cannot be broken again.";
    LeaseIdMismatchWithLeaseOperation = 409,
        "The lease ID specified did not match the lease ID for the container or blob.";
    LeaseIsBreakingAndCannotBeAcquired = 409,
        "The lease ID matched, but the lease is currently in breaking state and cannot be acquired until it is broken.";
    LeaseIsBreakingAndCannotBeChanged = 409,
        "The lease ID matched, but the lease is currently in breaking state and cannot be changed.";
    LeaseIsBrokenAndCannotBeRenewed = 409,
        "The lease ID matched, but the lease has been broken explicitly and cannot be renewed.";
    LeaseNotPresentWithLeaseOperation = 409, "There is currently no lease on the container or blob.";
    LeaseIdMissing = 412,
        "There is currently a lease on the blob and no lease ID was specified in the request.";
    LeaseIdMismatchWithBlobOperation = 412, "The lease ID specified did not match the lease ID for the blob.";
    LeaseIdMismatchWithContainerOperation = 412,
        "The lease ID specified did not match the lease ID for the container.";
    LeaseLost = 412, "A lease ID was specified, but the lease for the blob/container has expired.";
    LeaseNotPresentWithBlobOperation = 412, "There is currently no lease on the blob.";
    LeaseNotPresentWithContainerOperation = 412, "There is currently no lease on the container.";
    InfiniteLeaseDurationRequired = 412,
        "The lease ID matched, but the specified lease must be an infinite-duration lease.";

    // What is addressed.
    AccountAlreadyExists = 409, "The specified account already exists.";
    AccountIsDisabled = 403, "The specified account is disabled.";
    ContainerAlreadyExists = 409, "The specified container already exists.";
    ContainerBeingDeleted = 409, "The specified container is being deleted.";
    ContainerDisabled = 409, "The specified container has been disabled by the administrator.";
    ContainerNotFound = 404, "The specified container does not exist.";
    BlobAlreadyExists = 409, "The specified blob already exists.";
    BlobNotFound = 404, "The specified blob does not exist.";
    ResourceNotFound = 404, "The specified resource does not exist.";
    ResourceAlreadyExists = 409, "The specified resource already exists.";
    ResourceTypeMismatch = 409,
        "The specified resource type does not match the type of the existing resource.";
    InvalidResourceName = 400, "The specified resource name contains invalid characters.";
    InvalidUri = 400, "The requested URI does not represent any resource on the server.";
    OutOfRangeInput = 400, "One of the request inputs is out of range.";

    // Blobs and blocks.
    InvalidBlobType = 409, "The blob type is invalid for this operation.";
    InvalidBlobOrBlock = 400, "The specified blob or block content is invalid.";
    InvalidBlockId = 400, "The specified block ID is invalid. The block ID must be Base64-encoded.";
    InvalidBlockList = 400, "The specified block list is invalid.";
    BlockCountExceedsLimit = 409, "The committed block count cannot exceed the maximum limit of 50,000 blocks.";
    BlockListTooLong = 400, "The block list may not contain more than 50,000 blocks.";
    InvalidRange = 416, "The range specified is invalid for the current size of the resource.";
    InvalidPageRange = 416, "The page range specified is invalid.";
    SequenceNumberConditionNotMet = 412, "The sequence number condition specified was not met.";
    SequenceNumberIncrementTooLarge = 409,
        "The sequence number increment cannot be performed because it would result in overflow of the sequence number.";
    AppendPositionConditionNotMet = 412, "The append position condition specified was not met.";
    BlobIsSealed = 409,
        "The specified blob is sealed and its contents can't be modified unless the blob is re-created after a delete operation.";
    MaxBlobSizeConditionNotMet = 412, "The max blob size condition specified was not met.";
    BlobOverwritten = 409, "The blob has been recreated since the previous snapshot was taken.";
    BlobImmutableDueToPolicy = 409, "This operation is not permitted as the blob is immutable due to a policy.";
    BlobImmutableDueToLegalHold = 409,
        "This operation is not permitted as the blob is immutable due to one or more legal holds.";
    BlobArchived = 409, "This operation is not permitted on an archived blob.";
    BlobTierInadequateForContentLength = 409,
        "The specified blob tier size limit cannot be less than content length.";
    CannotChangeToLowerTier = 409, "A higher blob tier has already been explicitly set.";
    InvalidBlobTier = 400, "The specified blob tier is invalid.";
    SnapshotsPresent = 409, "This operation is not permitted while the blob has snapshots.";
    SnapshotCountExceeded = 409, "The snapshot count against this blob has been exceeded.";
    SnapshotOperationRateExceeded = 409, "The rate of snapshot calls against this blob has been exceeded.";
    PreviousSnapshotNotFound = 409, "The previous snapshot is not found.";
    PreviousSnapshotCannotBeNewer = 400, "The prevsnapshot query parameter value cannot be newer than snapshot query parameter value.";
    CopyIdMismatch = 409, "The specified copy ID did not match the copy ID for the pending copy operation.";
    CannotVerifyCopySource = 500, "Could not verify the copy source within the specified time.";
    CopyAcrossAccountsNotSupported = 400, "The copy source account and destination account must be the same.";
    InvalidSourceBlobType = 409, "The copy source blob type is invalid for this operation.";
    InvalidSourceBlobUrl = 409, "The source URL for copy blob operation is invalid.";
    NoPendingCopyOperation = 409, "There is currently no pending copy operation.";
    PendingCopyOperation = 409, "There is currently a pending copy operation.";
    SourceConditionNotMet = 412, "The source condition specified using HTTP conditional header(s) is not met.";
    TargetConditionNotMet = 412, "The target condition specified using HTTP conditional header(s) is not met.";
    SystemInUse = 409, "This blob is in use by the system.";
    UnauthorizedBlobOverwrite = 403, "This request is not authorized to perform blob overwrites.";

    // Conditions.
    ConditionNotMet = 412, "The condition specified using HTTP conditional header(s) is not met.";
    ConditionHeadersNotSupported = 400, "Condition headers are not supported.";
    MultipleConditionHeadersNotSupported = 400, "Multiple condition headers are not supported.";
    UnsatisfiableCondition = 400, "The request includes an unsatisfiable condition for this operation.";

    // Headers, queries, bodies.
    EmptyMetadataKey = 400,
        "The key for one of the metadata key-value pairs is empty.";
    InvalidMetadata = 400,
        "The specified metadata is invalid. It includes characters that are not permitted.";
    MetadataTooLarge = 400, "The size of the specified metadata exceeds the maximum size permitted.";
    InvalidHeaderValue = 400, "The value for one of the HTTP headers is not in the correct format.";
    InvalidQueryParameterValue = 400,
        "Value for one of the query parameters specified in the request URI is invalid.";
    OutOfRangeQueryParameterValue = 400,
        "One of the query parameters specified in the request URI is outside the permissible range.";
    MissingRequiredHeader = 400, "An HTTP header that's mandatory for this request is not specified.";
    MissingRequiredQueryParameter = 400, "A query parameter that's mandatory for this request is not specified.";
    MissingRequiredXmlNode = 400, "A required XML node was not specified in the request body.";
    MissingContentLengthHeader = 411, "The Content-Length header was not specified.";
    UnsupportedHeader = 400, "One of the HTTP headers specified in the request is not supported.";
    UnsupportedQueryParameter = 400,
        "One of the query parameters specified in the request URI is not supported.";
    UnsupportedXmlNode = 400, "One of the XML nodes specified in the request body is not supported.";
    UnsupportedHttpVerb = 405, "The resource doesn't support the specified HTTP verb.";
    InvalidHttpVerb = 400, "The HTTP verb specified was not recognized by the server.";
    InvalidInput = 400, "One of the request inputs is not valid.";
    InvalidMd5 = 400,
        "The MD5 value specified in the request is invalid. The MD5 value must be 128 bits and Base64-encoded.";
    Md5Mismatch = 400,
        "The MD5 value specified in the request did not match with the MD5 value calculated by the server.";
    InvalidCrc64 = 400,
        "The CRC64 value specified in the request is invalid. The CRC64 value must be 64 bits and Base64-encoded.";
    Crc64Mismatch = 400,
        "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server.";
    InvalidXmlDocument = 400, "XML specified is not syntactically valid.";
    InvalidXmlNodeValue = 400,
        "The value provided for one of the XML nodes in the request body was not in the correct format.";
    RequestBodyTooLarge = 413, "The request body is too large and exceeds the maximum permissible limit.";
    RequestUrlFailedToParse = 400, "The url in the request could not be parsed.";

    ExceedsMaxBatchRequestCount = 400,
        "The batch operation exceeds maximum number of allowed subrequests.";

    // Tags.
    EmptyTagName = 400, "The name of one of the tag key-value pairs is empty.";
    DuplicateTagNames = 400, "The tags specified contain duplicate names.";
    TagsTooLarge = 400, "The tags specified exceed the maximum permissible limit.";
    InvalidTag = 400, "The tags specified are invalid. It contains characters that are not permitted.";

    // Who asks.
    AuthenticationFailed = 403,
        "Server failed to authenticate the request. Make sure the value of the Authorization header is formed correctly including the signature.";
    InvalidAuthenticationInfo = 400,
        "Authentication information is not given in the correct format. Check the value of Authorization header.";
    NoAuthenticationInformation = 401,
        "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";
    AuthorizationFailure = 403, "This request is not authorized to perform this operation.";
    AuthorizationPermissionMismatch = 403,
        "This request is not authorized to perform this operation using this permission.";
    AuthorizationProtocolMismatch = 403,
        "This request is not authorized to perform this operation using this protocol.";
    AuthorizationResourceTypeMismatch = 403,
        "This request is not authorized to perform this operation using this resource type.";
    AuthorizationServiceMismatch = 403,
        "This request is not authorized to perform this operation using this service.";
    AuthorizationSourceIPMismatch = 403,
        "This request is not authorized to perform this operation using this source IP.";
    CorsPreflightFailure = 403, "CORS not enabled or no matching rule found for this request.";
    InsufficientAccountPermissions = 403,
        "The account being accessed does not have sufficient permissions to execute this operation.";
    PublicAccessNotPermitted = 409, "Public access is not permitted on this storage account.";
    FeatureVersionMismatch = 409,
        "Stored access policy contains a permission that is not supported by this version.";

    // The server itself.
    InvalidOperation = 400, "The requested operation is not allowed in the current state of the entity.";
    BlobOperationNotSupported = 409, "The operation is not supported in this scenario.";
    NotImplemented = 501, "The requested operation is not implemented on the specified resource.";
    InternalError = 500, "The server encountered an internal error. Please retry the request.";
    OperationTimedOut = 500, "The operation could not be completed within the permitted time.";
    ServerBusy = 503, "The server is currently unable to receive requests. Please retry your request.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.as_str(), self.message())
    }
}

impl std::error::Error for ErrorCode {}

impl std::str::FromStr for ErrorCode {
    type Err = UnknownCode;

    /// Reads a code off the wire; letter case counts.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .iter()
            .copied()
            .find(|c| c.as_str() == text)
            .ok_or(UnknownCode)
    }
}

/// The text is no code that this crate knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a known Blob service error code")]
pub struct UnknownCode;

/// A refusal: the code, a sentence of its own where Azure's general one is not the whole truth, and the
/// detail elements of the XML body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code; it fixes the status.
    pub code: ErrorCode,
    /// Replaces [`ErrorCode::message`].
    pub message: Option<String>,
    /// Element name and text, in order, after `Message`.
    pub details: Vec<(&'static str, String)>,
}

impl Refusal {
    /// A refusal with another sentence than the code's usual one.
    pub fn with_message(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: Some(message.into()),
            details: Vec::new(),
        }
    }

    /// 400 for a header value: names the header and what it held.
    pub fn header(name: &str, value: &str) -> Self {
        Self::from(ErrorCode::InvalidHeaderValue)
            .detail("HeaderName", name)
            .detail("HeaderValue", value)
    }

    /// 400 for a mandatory header that is not there.
    pub fn missing_header(name: &str) -> Self {
        Self::from(ErrorCode::MissingRequiredHeader).detail("HeaderName", name)
    }

    /// 400 for a query parameter.
    pub fn query(name: &str, value: &str, reason: &str) -> Self {
        Self::from(ErrorCode::InvalidQueryParameterValue)
            .detail("QueryParameterName", name)
            .detail("QueryParameterValue", value)
            .detail("Reason", reason)
    }

    /// Adds one detail element.
    #[must_use]
    pub fn detail(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.details.push((name, text.into()));
        self
    }

    /// The sentence to show.
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or(self.code.message())
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self {
            code,
            message: None,
            details: Vec::new(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message())?;
        self.details
            .iter()
            .try_for_each(|(name, text)| write!(f, " {name}={text:?}"))
    }
}

impl std::error::Error for Refusal {}

/// The body of an error answer. `message` ends with [`crate::response::Stamp::message_lines`].
pub fn render(code: &str, message: &str, details: &[(&'static str, String)]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    xml::open(&mut out, "Error");
    xml::element(&mut out, "Code", code);
    xml::element(&mut out, "Message", message);
    for (name, text) in details {
        xml::element(&mut out, name, text);
    }
    xml::close(&mut out, "Error");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_of_the_lease_codes() {
        // Microsoft's table: every ...LeaseOperation and ...Cannot... is a conflict, every use of a blob or
        // container with the wrong lease a failed precondition.
        for code in ErrorCode::ALL.iter().filter(|c| c.as_str().starts_with("Lease")) {
            let name = code.as_str();
            let conflict =
                name.contains("LeaseOperation") || name.contains("Cannot") || name.contains("Already");
            assert_eq!(code.status(), if conflict { 409 } else { 412 }, "{name}");
        }
    }

    #[test]
    fn codes_survive_the_wire() {
        for code in ErrorCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert!((400..600).contains(&code.status()), "{code}");
            assert!(code.message().ends_with('.'), "{code}");
        }
        assert_eq!("leaseidmissing".parse::<ErrorCode>(), Err(UnknownCode));
    }

    #[test]
    fn the_sentence_sql_server_quotes() {
        assert_eq!(
            ErrorCode::LeaseIdMissing.message(),
            "There is currently a lease on the blob and no lease ID was specified in the request."
        );
    }
}
