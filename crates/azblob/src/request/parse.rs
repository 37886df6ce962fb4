//! From method, URI and headers to a [`Request`].

use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

use super::fields::Fields;
use super::{Address, BlobPath, ListContainers, Operation, Request, ServiceOperation};
use super::{parse_blob, parse_container};
use crate::error::{ErrorCode, Refusal};
use crate::names::{BlobName, ContainerName};
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
        let version = version(headers)?;
        let fields = Fields::new(method, uri, headers);
        let client_request_id = client_request_id(headers)?;
        let operation = operation(&address.path, &fields, version)?;
        fields.refuse_not_offered()?;
        Ok(Self {
            account: address.account.clone(),
            operation,
            version,
            client_request_id,
        })
    }
}

/// The version to echo, for answers to requests that do not parse.
pub(super) fn version(headers: &HeaderMap) -> Result<ApiVersion, Refusal> {
    let Some(value) = headers.get("x-ms-version") else {
        return Ok(ApiVersion::CURRENT);
    };
    let text = value.to_str().unwrap_or_default();
    ApiVersion::parse(text).ok_or_else(|| Refusal::header("x-ms-version", text))
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

fn operation(path: &str, fields: &Fields<'_>, version: ApiVersion) -> Result<Operation, Refusal> {
    let restype = fields.word("restype");
    let (container, blob) = path.split_once('/').unwrap_or((path, ""));
    match (container, blob, restype.as_str()) {
        ("", "", _) => service(fields),
        ("", _, _) => Err(ErrorCode::InvalidUri.into()),
        (container, "", "container") => {
            let name = ContainerName::new(decode(container)?)?;
            Ok(Operation::Container(name, parse_container::operation(fields)?))
        }
        // Without a type of resource, one segment is a blob in the root container.
        (blob, "", "") => {
            let container = ContainerName::new("$root")?;
            let path = BlobPath {
                container,
                blob: BlobName::new(decode(blob)?)?,
            };
            Ok(Operation::Blob(path, parse_blob::operation(fields, version)?))
        }
        (container, blob, "") => {
            let container = ContainerName::new(decode(container)?)?;
            let path = BlobPath {
                container,
                blob: BlobName::new(decode(blob)?)?,
            };
            Ok(Operation::Blob(path, parse_blob::operation(fields, version)?))
        }
        (_, _, "account") => Err(not_offered("Get Account Information")),
        (_, _, other) => Err(Refusal::query("restype", other, "Unknown value.")),
    }
}

fn service(fields: &Fields<'_>) -> Result<Operation, Refusal> {
    let (restype, comp) = (fields.word("restype"), fields.word("comp"));
    match (fields.method.as_str(), restype.as_str(), comp.as_str()) {
        ("GET", "", "list") => {
            let list = ListContainers::parse(fields)?;
            Ok(Operation::Service(ServiceOperation::ListContainers(list)))
        }
        (_, "service", "properties") => Err(not_offered("Get or Set Blob Service Properties")),
        (_, "service", "stats") => Err(not_offered("Get Blob Service Stats")),
        (_, "service", "userdelegationkey") => Err(not_offered("Get User Delegation Key")),
        (_, "account", _) => Err(not_offered("Get Account Information")),
        (_, "", "batch") => Err(not_offered("Blob Batch")),
        (_, "", "blobs") => Err(not_offered("Find Blobs by Tags")),
        _ => Err(unknown(fields)),
    }
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

fn decode(segment: &str) -> Result<String, ErrorCode> {
    let decoded = percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| ErrorCode::InvalidUri)?;
    Ok(decoded.into_owned())
}
