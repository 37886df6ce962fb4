//! From method, URI and headers to a [`Request`].

use http::{HeaderMap, Method, Uri};

use super::fields::Fields;
use super::{
    Address, BatchBody, BlobOperation, ContainerOperation, DocumentBody, ListContainers, Operation, Request,
    ServiceOperation, Target,
};
use super::{parse_blob, parse_container};
use crate::batch::boundary;
use crate::error::{ErrorCode, Refusal};
use crate::limits::{MAX_BATCH_BODY, MAX_SERVICE_PROPERTIES_BODY};
use crate::query;
use crate::version::ApiVersion;

/// Longest client request id, bytes (Microsoft: 1 KiB).
const MAX_CLIENT_REQUEST_ID: usize = 1024;

impl Request {
    /// Reads a request whose account is known. The body is not looked at.
    ///
    /// # Errors
    /// The 4xx and 501 codes of the protocol.
    pub fn parse(
        address: &Address,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Self, Refusal> {
        Self::parse_with_default(address, method, uri, headers, ApiVersion::CURRENT)
    }

    /// [`Request::parse`] for an account whose requests have this version where they name none.
    ///
    /// # Errors
    /// The 4xx and 501 codes of the protocol.
    pub fn parse_with_default(
        address: &Address,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        default: ApiVersion,
    ) -> Result<Self, Refusal> {
        let version = version(uri, headers, default)?;
        let fields = Fields::new(method, uri, headers);
        let client_request_id = client_request_id(headers)?;
        let operation = operation(Target::of(address, uri)?, &fields, version)?;
        fields.refuse_not_offered()?;
        Ok(Self {
            account: address.account.clone(),
            operation,
            version,
            client_request_id,
        })
    }
}

/// The version of a request: what its header says, or with an access signature the query's `api-version` or the
/// version of the signature, or else the account's default ("Versioning for the Azure Storage services").
fn version(uri: &Uri, headers: &HeaderMap, default: ApiVersion) -> Result<ApiVersion, Refusal> {
    const NAME: &str = "x-ms-version";
    let served = |text: &str| ApiVersion::parse(text).filter(|version| *version >= ApiVersion::OLDEST);
    if let Some(value) = headers.get(NAME) {
        let text = value.to_str().unwrap_or_default();
        return served(text).ok_or_else(|| Refusal::header(NAME, text));
    }
    let pairs: Vec<(String, String)> = query::pairs(uri.query().unwrap_or_default()).collect();
    let find = |name: &str| pairs.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    if find("sig").is_none() {
        return Ok(default);
    }
    match find("api-version").or_else(|| find("sv")) {
        Some((name, text)) => {
            served(text).ok_or_else(|| Refusal::query(name, text, "Not a version that is served."))
        }
        None => Ok(default),
    }
}

fn client_request_id(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    const NAME: &str = "x-ms-client-request-id";
    let Some(value) = headers.get(NAME) else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) if text.len() <= MAX_CLIENT_REQUEST_ID => Ok(Some(text.to_owned())),
        _ => Err(Refusal::header(
            NAME,
            "(longer than 1024 characters, or not ASCII)",
        )),
    }
}

fn operation(target: Target, fields: &Fields<'_>, version: ApiVersion) -> Result<Operation, Refusal> {
    let restype = fields.word("restype");
    match (target, restype.as_str()) {
        (Target::Service, _) => service(fields),
        (Target::Container(name), "container") => {
            Ok(Operation::Container(name, parse_container::operation(fields)?))
        }
        (Target::Blob(path), "") => Ok(Operation::Blob(path, parse_blob::operation(fields, version)?)),
        (Target::Container(name), "account") => {
            account_information(fields)?;
            Ok(Operation::Container(name, ContainerOperation::AccountInformation))
        }
        (Target::Blob(path), "account") => {
            account_information(fields)?;
            Ok(Operation::Blob(path, BlobOperation::AccountInformation))
        }
        (_, other) => Err(Refusal::query("restype", other, "Unknown value.")),
    }
}

fn service(fields: &Fields<'_>) -> Result<Operation, Refusal> {
    let (restype, comp) = (fields.word("restype"), fields.word("comp"));
    match (fields.method.as_str(), restype.as_str(), comp.as_str()) {
        ("GET", "", "list") => {
            let list = ListContainers::parse(fields)?;
            Ok(Operation::Service(ServiceOperation::ListContainers(list)))
        }
        ("GET", "service", "properties") => Ok(Operation::Service(ServiceOperation::GetProperties)),
        ("PUT", "service", "properties") => {
            let body = DocumentBody {
                length: fields.body_length(MAX_SERVICE_PROPERTIES_BODY as u64)?,
                checksum: fields.checksum()?,
            };
            Ok(Operation::Service(ServiceOperation::SetProperties(body)))
        }
        ("GET", "service", "stats") => Ok(Operation::Service(ServiceOperation::GetStats)),
        (_, "service", "userdelegationkey") => Err(not_offered("Get User Delegation Key")),
        (_, "account", _) => {
            account_information(fields)?;
            Ok(Operation::Service(ServiceOperation::AccountInformation))
        }
        // The JavaScript SDK takes the account of a path-style URL for a container.
        ("POST", "" | "container", "batch") => {
            Ok(Operation::Service(ServiceOperation::Batch(batch(fields)?)))
        }
        (_, "", "blobs") => Err(not_offered("Find Blobs by Tags")),
        _ => Err(unknown(fields)),
    }
}

fn account_information(fields: &Fields<'_>) -> Result<(), Refusal> {
    match (fields.method.as_str(), fields.word("comp").as_str()) {
        ("GET" | "HEAD", "properties") => Ok(()),
        _ => Err(unknown(fields)),
    }
}

/// The body of a batch, of blobs anywhere in the account or in one container.
pub(super) fn batch(fields: &Fields<'_>) -> Result<BatchBody, Refusal> {
    let kind = fields.required("content-type")?;
    let boundary = boundary(kind).ok_or_else(|| Refusal::header("Content-Type", kind))?;
    Ok(BatchBody {
        length: fields.body_length(MAX_BATCH_BODY as u64)?,
        boundary,
    })
}

/// An operation of the protocol that this server does not have.
pub(super) fn not_offered(name: &str) -> Refusal {
    Refusal::with_message(
        ErrorCode::NotImplemented,
        format!("{name} is not offered by this server."),
    )
}

/// A method and query that are no operation of the protocol.
pub(super) fn unknown(fields: &Fields<'_>) -> Refusal {
    let comp = fields.word("comp");
    if comp.is_empty()
        || ["GET", "HEAD", "PUT", "DELETE"]
            .iter()
            .all(|m| *m != fields.method.as_str())
    {
        return ErrorCode::UnsupportedHttpVerb.into();
    }
    Refusal::query(
        "comp",
        &comp,
        "No operation of this resource has this value with this HTTP verb.",
    )
}
