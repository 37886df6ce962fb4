//! From a [`Request`] to method, URI and headers: what a client sends.

use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    AddressStyle, BatchBody, BlobOperation, Checksum, ContainerOperation, ListBlobs, ListContainers,
    Operation, Request, ServiceOperation,
};
use crate::batch;
use crate::conditions::Conditions;
use crate::lease::{LeaseAction, LeaseDuration, LeaseId};
use crate::metadata::Metadata;
use crate::properties::ONLY_TIER;
use crate::shared_key::{self, Secret};
use crate::snapshot::SnapshotTime;
use crate::time::UnixMillis;

/// Where a client sends its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme, host and port: `http://127.0.0.1:10000`.
    pub origin: String,
    /// Whether the account stands in the path or in the host.
    pub style: AddressStyle,
}

/// What stays as it is in a segment of a path: RFC 3986 "unreserved", and the slash.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');
/// A path with everything encoded that a URL cannot hold as it is; slashes stay.
pub fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// What stays as it is in a value of a query.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl Request {
    /// The head of the request at `now`, signed when there is a key. `Content-Length` is set, 0 for
    /// operations without a body; the caller adds the body.
    ///
    /// # Errors
    /// When the origin of the endpoint is no URI.
    pub fn build(
        &self,
        endpoint: &Endpoint,
        now: UnixMillis,
        secret: Option<&Secret>,
    ) -> Result<http::Request<()>, http::Error> {
        let mut request = self.unsigned(endpoint, now, "")?;
        if let Some(secret) = secret {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            shared_key::sign(&method, &uri, request.headers_mut(), &self.account, secret);
        }
        Ok(request)
    }

    /// [`Request::build`] for a client that has a shared access signature instead of a key. A question mark before it
    /// does no harm.
    ///
    /// # Errors
    /// When the origin of the endpoint, or the token, is not what a URI can hold.
    pub fn build_with_token(
        &self,
        endpoint: &Endpoint,
        now: UnixMillis,
        token: &str,
    ) -> Result<http::Request<()>, http::Error> {
        self.unsigned(endpoint, now, token.trim().trim_start_matches('?'))
    }

    fn unsigned(
        &self,
        endpoint: &Endpoint,
        now: UnixMillis,
        token: &str,
    ) -> Result<http::Request<()>, http::Error> {
        let mut draft = Draft::new();
        draft.operation(&self.operation);
        let joint = match (token.is_empty(), draft.query.is_empty()) {
            (true, _) => "",
            (false, true) => "?",
            (false, false) => "&",
        };
        let path = self.path_and_query(endpoint.style, &draft);
        let uri: Uri = format!("{}{path}{joint}{token}", endpoint.origin).parse()?;
        let Draft {
            method,
            mut headers,
            length,
            ..
        } = draft;
        if let Some(authority) = uri.authority() {
            headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
        }
        if length > 0 || method != Method::GET && method != Method::HEAD {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        headers.insert("x-ms-date", HeaderValue::from_str(&now.http_date())?);
        headers.insert("x-ms-version", HeaderValue::from_str(&self.version.to_string())?);
        if let Some(id) = &self.client_request_id {
            headers.insert("x-ms-client-request-id", HeaderValue::from_str(id)?);
        }
        let mut request = http::Request::builder().method(method).uri(uri).body(())?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn path_and_query(&self, style: AddressStyle, draft: &Draft) -> String {
        let mut out = match style {
            AddressStyle::Path => format!("/{}", self.account),
            AddressStyle::Host => String::new(),
        };
        match &self.operation {
            Operation::Service(_) => out.push('/'),
            Operation::Container(name, _) => {
                out.push('/');
                out.extend(utf8_percent_encode(name.as_str(), PATH));
            }
            Operation::Blob(path, _) => {
                out.push('/');
                out.extend(utf8_percent_encode(path.container.as_str(), PATH));
                out.push('/');
                out.extend(utf8_percent_encode(path.blob.as_str(), PATH));
            }
        }
        for (index, (name, value)) in draft.query.iter().enumerate() {
            out.push(if index == 0 { '?' } else { '&' });
            out.push_str(name);
            out.push('=');
            out.extend(utf8_percent_encode(value, VALUE));
        }
        out
    }
}

/// A request in the making.
pub(super) struct Draft {
    method: Method,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: HeaderMap,
    pub(super) length: u64,
}

impl Draft {
    fn new() -> Self {
        Self {
            method: Method::GET,
            query: Vec::new(),
            headers: HeaderMap::new(),
            length: 0,
        }
    }

    fn operation(&mut self, operation: &Operation) {
        match operation {
            Operation::Service(operation) => self.service(operation),
            Operation::Container(_, operation) => {
                let restype = match operation {
                    ContainerOperation::AccountInformation => "account",
                    _ => "container",
                };
                self.query.push(("restype", restype.to_owned()));
                self.container(operation);
            }
            Operation::Blob(_, operation) => self.blob(operation),
        }
    }

    fn service(&mut self, operation: &ServiceOperation) {
        let mut ask = |method, restype: Option<&str>, comp: &str| {
            self.optional("restype", restype.map(str::to_owned));
            self.read(method, Some(comp), None, None);
        };
        match operation {
            ServiceOperation::ListContainers(list) => self.list_containers(list),
            ServiceOperation::GetProperties => ask(Method::GET, Some("service"), "properties"),
            ServiceOperation::GetStats => ask(Method::GET, Some("service"), "stats"),
            ServiceOperation::AccountInformation => ask(Method::GET, Some("account"), "properties"),
            ServiceOperation::SetProperties(body) => {
                ask(Method::PUT, Some("service"), "properties");
                self.body(body.length, body.checksum);
            }
            ServiceOperation::Batch(body) => self.batch(body),
        }
    }

    fn batch(&mut self, body: &BatchBody) {
        self.read(Method::POST, Some("batch"), None, None);
        self.header("content-type", &batch::content_type(&body.boundary));
        self.length = body.length;
    }

    fn container(&mut self, operation: &ContainerOperation) {
        match operation {
            ContainerOperation::Create { metadata } => self.write(Method::PUT, None, metadata, None, None),
            ContainerOperation::Delete { lease_id, conditions } => {
                self.write(
                    Method::DELETE,
                    None,
                    &Metadata::default(),
                    *lease_id,
                    Some(conditions),
                );
            }
            ContainerOperation::GetProperties { lease_id } => self.read(Method::GET, None, *lease_id, None),
            ContainerOperation::GetMetadata { lease_id } => {
                self.read(Method::GET, Some("metadata"), *lease_id, None);
            }
            ContainerOperation::SetMetadata {
                metadata,
                lease_id,
                conditions,
            } => {
                self.write(
                    Method::PUT,
                    Some("metadata"),
                    metadata,
                    *lease_id,
                    Some(conditions),
                );
            }
            ContainerOperation::GetAcl { lease_id } => self.read(Method::GET, Some("acl"), *lease_id, None),
            ContainerOperation::SetAcl {
                body,
                lease_id,
                conditions,
            } => {
                let none = Metadata::default();
                self.write(Method::PUT, Some("acl"), &none, *lease_id, Some(conditions));
                self.body(body.length, body.checksum);
            }
            ContainerOperation::Lease { action, conditions } => self.lease(action, conditions),
            ContainerOperation::ListBlobs(list) => self.list_blobs(list),
            ContainerOperation::AccountInformation => self.read(Method::GET, Some("properties"), None, None),
            ContainerOperation::Batch(body) => self.batch(body),
        }
    }

    fn blob(&mut self, operation: &BlobOperation) {
        match operation {
            BlobOperation::Put(put) => {
                self.write(
                    Method::PUT,
                    None,
                    &put.metadata,
                    put.lease_id,
                    Some(&put.conditions),
                );
                self.header("x-ms-blob-type", "BlockBlob");
                put.properties.write_request(&mut self.headers);
                self.tags(&put.tags, false);
                self.body(put.length, put.checksum);
            }
            BlobOperation::PutPageBlob(put) => self.put_page_blob(put),
            BlobOperation::PutPage(put) => self.put_page(put),
            BlobOperation::ClearPages(clear) => self.clear_pages(clear),
            BlobOperation::GetPageRanges(get) => self.get_page_ranges(get),
            BlobOperation::PutAppendBlob(put) => self.put_append_blob(put),
            BlobOperation::AppendBlock(append) => self.append_block(append),
            BlobOperation::SealAppend(seal) => self.seal_append(seal),
            BlobOperation::AccountInformation => {
                self.query.push(("restype", "account".to_owned()));
                self.read(Method::GET, Some("properties"), None, None);
            }
            BlobOperation::PutBlock(put) => {
                self.write(
                    Method::PUT,
                    Some("block"),
                    &Metadata::default(),
                    put.lease_id,
                    None,
                );
                self.query.push(("blockid", put.id.to_base64()));
                self.body(put.length, put.checksum);
            }
            BlobOperation::PutBlockList(put) => {
                self.write(
                    Method::PUT,
                    Some("blocklist"),
                    &put.metadata,
                    put.lease_id,
                    Some(&put.conditions),
                );
                put.properties.write_request(&mut self.headers);
                self.tags(&put.tags, false);
                self.body(put.length, put.checksum);
            }
            BlobOperation::GetBlockList {
                snapshot,
                kind,
                lease_id,
            } => {
                self.read(Method::GET, Some("blocklist"), *lease_id, None);
                self.snapshot(*snapshot);
                self.query.push(("blocklisttype", kind.as_str().to_owned()));
            }
            BlobOperation::Get(get) => {
                self.read(Method::GET, None, get.lease_id, Some(&get.conditions));
                self.snapshot(get.snapshot);
                if let Some(range) = get.range {
                    self.header("x-ms-range", &range.header());
                }
                if get.range_md5 {
                    self.header("x-ms-range-get-content-md5", "true");
                }
                if get.range_crc64 {
                    self.header("x-ms-range-get-content-crc64", "true");
                }
            }
            BlobOperation::GetProperties {
                snapshot,
                lease_id,
                conditions,
            } => {
                self.read(Method::HEAD, None, *lease_id, Some(conditions));
                self.snapshot(*snapshot);
            }
            BlobOperation::GetMetadata {
                snapshot,
                lease_id,
                conditions,
            } => {
                self.read(Method::GET, Some("metadata"), *lease_id, Some(conditions));
                self.snapshot(*snapshot);
            }
            BlobOperation::SetMetadata {
                metadata,
                lease_id,
                conditions,
            } => {
                self.write(
                    Method::PUT,
                    Some("metadata"),
                    metadata,
                    *lease_id,
                    Some(conditions),
                );
            }
            BlobOperation::SetProperties {
                properties,
                page,
                lease_id,
                conditions,
            } => {
                let none = Metadata::default();
                self.write(
                    Method::PUT,
                    Some("properties"),
                    &none,
                    *lease_id,
                    Some(conditions),
                );
                if let Some(properties) = properties {
                    properties.write_request(&mut self.headers);
                }
                self.page_change(*page);
            }
            BlobOperation::Copy(copy) => self.copy(copy),
            BlobOperation::PutFromUrl(put) => self.put_from_url(put),
            BlobOperation::BlockFromUrl(put) => self.block_from_url(put),
            BlobOperation::PageFromUrl(put) => self.page_from_url(put),
            BlobOperation::AppendFromUrl(append) => self.append_from_url(append),
            BlobOperation::AbortCopy { id, lease_id } => self.abort_copy(id, *lease_id),
            BlobOperation::GetTags { snapshot, lease_id } => {
                self.read(Method::GET, Some("tags"), *lease_id, None);
                self.snapshot(*snapshot);
            }
            BlobOperation::SetTags {
                length,
                lease_id,
                checksum,
            } => {
                self.read(Method::PUT, Some("tags"), *lease_id, None);
                self.body(*length, *checksum);
            }
            BlobOperation::SetTier { snapshot, lease_id } => {
                self.read(Method::PUT, Some("tier"), *lease_id, None);
                self.snapshot(*snapshot);
                self.header("x-ms-access-tier", ONLY_TIER);
            }
            BlobOperation::Snapshot {
                metadata,
                lease_id,
                conditions,
            } => {
                self.write(
                    Method::PUT,
                    Some("snapshot"),
                    metadata.as_ref().unwrap_or(&Metadata::default()),
                    *lease_id,
                    Some(conditions),
                );
            }
            BlobOperation::Delete {
                snapshot,
                snapshots,
                lease_id,
                conditions,
            } => {
                self.read(Method::DELETE, None, *lease_id, Some(conditions));
                self.snapshot(*snapshot);
                if let Some(text) = snapshots.header() {
                    self.header("x-ms-delete-snapshots", text);
                }
            }
            BlobOperation::Lease { action, conditions } => self.lease(action, conditions),
        }
    }

    fn lease(&mut self, action: &LeaseAction, conditions: &Conditions) {
        self.write(
            Method::PUT,
            Some("lease"),
            &Metadata::default(),
            None,
            Some(conditions),
        );
        self.header("x-ms-lease-action", action.name());
        match *action {
            LeaseAction::Acquire { proposed, duration } => {
                let seconds = match duration {
                    LeaseDuration::Infinite => "-1".to_owned(),
                    LeaseDuration::Seconds(seconds) => seconds.to_string(),
                };
                self.header("x-ms-lease-duration", &seconds);
                if let Some(id) = proposed {
                    self.header("x-ms-proposed-lease-id", &id.to_string());
                }
            }
            LeaseAction::Renew { id } | LeaseAction::Release { id } => {
                self.header("x-ms-lease-id", &id.to_string());
            }
            LeaseAction::Change { id, proposed } => {
                self.header("x-ms-lease-id", &id.to_string());
                self.header("x-ms-proposed-lease-id", &proposed.to_string());
            }
            LeaseAction::Break { period } => {
                if let Some(seconds) = period {
                    self.header("x-ms-lease-break-period", &seconds.to_string());
                }
            }
        }
    }

    fn list_blobs(&mut self, list: &ListBlobs) {
        self.query.push(("comp", "list".to_owned()));
        let words = [
            ("metadata", list.include_metadata),
            ("snapshots", list.include_snapshots),
            ("copy", list.include_copy),
            ("tags", list.include_tags),
            ("uncommittedblobs", list.include_uncommitted),
        ];
        let include: Vec<&str> = words
            .iter()
            .filter(|(_, wanted)| *wanted)
            .map(|(word, _)| *word)
            .collect();
        let max = list.max_results_given.then(|| list.max_results.to_string());
        self.optional("prefix", list.prefix.clone());
        self.optional("delimiter", list.delimiter.clone());
        self.optional("startFrom", list.start_from.clone());
        self.optional("marker", list.marker.as_ref().map(super::Marker::to_wire));
        self.optional("maxresults", max);
        self.optional("include", (!include.is_empty()).then(|| include.join(",")));
    }

    fn list_containers(&mut self, list: &ListContainers) {
        self.query.push(("comp", "list".to_owned()));
        let max = list.max_results_given.then(|| list.max_results.to_string());
        self.optional("prefix", list.prefix.clone());
        self.optional("marker", list.marker.as_ref().map(super::Marker::to_wire));
        self.optional("maxresults", max);
        self.optional("include", list.include_metadata.then(|| "metadata".to_owned()));
    }

    pub(super) fn read(
        &mut self,
        method: Method,
        comp: Option<&str>,
        lease_id: Option<LeaseId>,
        conditions: Option<&Conditions>,
    ) {
        self.method = method;
        self.optional("comp", comp.map(str::to_owned));
        if let Some(id) = lease_id {
            self.header("x-ms-lease-id", &id.to_string());
        }
        if let Some(conditions) = conditions {
            conditions.write_headers(&mut self.headers);
        }
    }

    pub(super) fn write(
        &mut self,
        method: Method,
        comp: Option<&str>,
        metadata: &Metadata,
        lease_id: Option<LeaseId>,
        conditions: Option<&Conditions>,
    ) {
        self.read(method, comp, lease_id, conditions);
        metadata.write_headers(&mut self.headers);
    }

    pub(super) fn snapshot(&mut self, snapshot: Option<SnapshotTime>) {
        self.optional("snapshot", snapshot.map(|time| time.to_string()));
    }

    pub(super) fn body(&mut self, length: u64, checksum: Option<Checksum>) {
        self.length = length;
        match checksum {
            None => {}
            Some(Checksum::Md5(md5)) => self.header("content-md5", &md5.to_string()),
            Some(Checksum::Crc64(crc)) => self.header("x-ms-content-crc64", &crc.to_string()),
        }
    }

    pub(super) fn optional(&mut self, name: &'static str, value: Option<String>) {
        self.query.extend(value.map(|value| (name, value)));
    }

    pub(super) fn header(&mut self, name: &'static str, value: &str) {
        let value = HeaderValue::from_str(value).expect("numbers, ids and words are legal in header values");
        self.headers.insert(HeaderName::from_static(name), value);
    }
}
