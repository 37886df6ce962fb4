//! One request and its answer: authorization, the headers that every request has, retries where the service asks for patience.

use std::sync::Arc;
use std::time::Duration;

use azblob::names::AccountName;
use azblob::response::Failure as Refusal;
use azblob::shared_key::{Secret, sign};
use azblob::time::UnixMillis;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Response};

use super::address::Address;
use super::failure::Trouble;
use crate::instance::Version;
use crate::media::Credential;
use crate::world::{Clock, OsError, Wire, WireError, World};

/// What both clients do when the service says that it is busy: three more tries. That SQL Server tries again is known from its
/// counters, how often and after how long is not.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// How requests are allowed.
#[derive(Clone)]
enum Authorization {
    /// The SAS, appended to each query as it is: nobody looks into it.
    Token(Arc<str>),
    /// Signed with the account's key.
    Key(AccountName, Arc<Secret>),
}

/// A client of one blob.
#[derive(Clone)]
pub(super) struct Client {
    wire: Arc<dyn Wire>,
    clock: Arc<dyn Clock>,
    address: Arc<Address>,
    authorization: Authorization,
    user_agent: &'static str,
    version: &'static str,
}

/// A request in the making.
pub(super) struct Ask {
    method: Method,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Ask {
    pub(super) fn new(method: Method, query: impl Into<String>) -> Self {
        Self {
            method,
            query: query.into(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }
}

impl Client {
    /// The block blob client: `SQLBLOBACCESS` was seen in logs of Azure; the version that it speaks is inferred from an emulator
    /// that satisfies it.
    pub(super) fn block(world: &World, address: Address, credential: &Credential) -> Self {
        Self {
            wire: Arc::clone(&world.wire),
            clock: Arc::clone(&world.clock),
            address: Arc::new(address),
            authorization: Authorization::Token(credential.secret.as_str().into()),
            user_agent: "SQLBLOBACCESS",
            version: "2014-02-14",
        }
    }

    /// The page blob client, BackupToUrl.exe over the storage library of .NET; user agent and version are inferred from that
    /// library's age: in 2012 and 2014 what infinite leases need at least, from 2016 on what the library spoke a year before. The
    /// two sign an empty body differently.
    ///
    /// `None` where identity and secret are no account and key.
    pub(super) fn page(
        world: &World,
        address: Address,
        credential: &Credential,
        version: Version,
    ) -> Option<Self> {
        let (user_agent, version) = if version < Version::V2016 {
            ("WA-Storage/2.0.6.1", "2012-02-12")
        } else {
            ("WA-Storage/5.0.0", "2015-02-21")
        };
        let account = AccountName::new(credential.identity.as_str()).ok()?;
        let secret = Secret::from_base64(&credential.secret).ok()?;
        Some(Self {
            wire: Arc::clone(&world.wire),
            clock: Arc::clone(&world.clock),
            address: Arc::new(address),
            authorization: Authorization::Key(account, Arc::new(secret)),
            user_agent,
            version,
        })
    }

    /// Speaks another version from here on.
    pub(super) fn speak(&mut self, version: &'static str) {
        self.version = version;
    }

    pub(super) fn url(&self) -> &str {
        &self.address.text
    }

    /// Sends a request; its answer where it is a success.
    pub(super) async fn send(&self, ask: Ask) -> Result<Response<Bytes>, Trouble> {
        let mut pauses = PAUSES.iter();
        loop {
            let request = self
                .request(&ask)
                .map_err(|_| Trouble::Wire(WireError(OsError::new(87))))?;
            let answer = self.wire.send(request).await.map_err(Trouble::Wire)?;
            let status = answer.status();
            if status.is_success() {
                return Ok(answer);
            }
            let is_busy = matches!(status.as_u16(), 500 | 503);
            match pauses.next() {
                Some(pause) if is_busy => self.clock.sleep(*pause).await,
                _ => {
                    let refusal = Refusal::read(status.as_u16(), answer.headers(), answer.body());
                    return Err(Trouble::Refused(refusal));
                }
            }
        }
    }

    fn request(&self, ask: &Ask) -> Result<Request<Bytes>, http::Error> {
        let mut query = ask.query.clone();
        if let Authorization::Token(token) = &self.authorization {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(token);
        }
        let mark = if query.is_empty() { "" } else { "?" };
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(format!("{}{mark}{query}", self.address.uri))
            .body(ask.body.clone())?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(self.user_agent));
        headers.insert("x-ms-version", HeaderValue::from_static(self.version));
        let now = UnixMillis(self.clock.now().0 / 1000);
        headers.insert("x-ms-date", HeaderValue::from_str(&now.http_date())?);
        if ask.method != Method::GET && ask.method != Method::HEAD {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(ask.body.len()));
        }
        for (name, value) in &ask.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        }
        if let Authorization::Key(account, secret) = &self.authorization {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            sign(&method, &uri, request.headers_mut(), account, secret);
        }
        Ok(request)
    }
}
