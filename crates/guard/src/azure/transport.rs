//! How requests leave: one HTTP client of ours beneath Microsoft's library.
//!
//! Here a SAS is put onto the URL, so that nothing above ever holds a signed URL; here a request is tried again, and only
//! one that changes nothing; here an answer is gathered, and only so much of it as was asked for. Redirects are not
//! followed, nothing is decompressed. What goes wrong is told without the URL's query.
//!
//! Caches: an account can stand behind one (a content delivery network that lends it a name). What a blob looked like
//! a minute ago is no look: a live upload would seem to rest. Requests ask for no cached answer, and one that says that it
//! is one (`Age`) is not taken.
//!
//! Proxies: https goes through the environment's (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`) as in other tools; plain http
//! and loopback addresses never do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use azblob::lease::LOOK_HEADER;
use azblob::time::UnixMillis;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Method, Request, Url};
use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::OpenError;
use super::credential::{Now, Sas, Signer};
use super::endpoint::Endpoint;
use super::mishap::Mishap;
use super::retry::{Patience, asked_wait, is_passing};
use crate::limits::ANSWER_MAX;

/// A connection that is not made by then is not made.
const CONNECT_TIME: Duration = Duration::from_secs(15);
/// Silence in the middle of an answer ends it.
const SILENCE_TIME: Duration = Duration::from_secs(60);
/// A whole answer takes no longer: [`ANSWER_MAX`] at half a megabyte a second.
const ANSWER_TIME: Duration = Duration::from_secs(120);
/// Bytes of the text of a refusal, which is some hundred bytes of XML.
const REFUSAL_MAX: usize = 64 << 10;
/// Tries to connect to an account that never answered yet: a wrong address is told soon.
const TRIES_UNHEARD: u32 = 2;

/// The HTTP client beneath the library.
#[derive(Debug)]
pub(super) struct Transport {
    /// For what changes nothing: connections are kept and shared.
    looks: reqwest::Client,
    /// For breaks and deletions: each on a connection of its own, since one that was kept may die in that moment and
    /// leave open whether the request arrived.
    acts: reqwest::Client,
    signer: Arc<Signer>,
    patience: Patience,
    now: Now,
    /// The account has answered before.
    heard: AtomicBool,
    failures: AtomicU64,
}

/// One answer, gathered.
struct Answer {
    status: u16,
    headers: Headers,
    body: Bytes,
}

impl Transport {
    /// Makes the client. `ca` is PEM, trusted beside the system's authorities.
    ///
    /// # Errors
    /// The certificates cannot be read, or the system has none at all.
    pub(super) fn new(
        endpoint: &Endpoint,
        ca: Option<&[u8]>,
        signer: Arc<Signer>,
        patience: Patience,
        now: Now,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            looks: client(endpoint, ca, usize::MAX)?,
            acts: client(endpoint, ca, 0)?,
            signer,
            patience,
            now,
            heard: AtomicBool::new(false),
            failures: AtomicU64::new(0),
        })
    }

    /// Sends the request until it is answered for good.
    async fn deliver(&self, request: &Request) -> Result<Answer, Mishap> {
        let repeatable = matches!(request.method(), Method::Get | Method::Head);
        let began = Instant::now();
        let (mut tried, mut renewed) = (0, false);
        loop {
            let sas = self.signer.sas();
            tried += 1;
            let sent = self.send(request, sas.as_deref()).await;
            let passing = match &sent {
                Ok(answer) if matches!(answer.status, 401 | 403) => {
                    let Some(sas) = sas else { return sent };
                    let at = answer.date();
                    if !renewed && self.signer.renew(&sas, at) && repeatable {
                        renewed = true;
                        continue;
                    }
                    return self.expired(&sas, answer).map_or(sent, Err);
                }
                Ok(answer) => is_passing(answer.status),
                Err(mishap) => mishap.is_passing(),
            };
            if !passing || !repeatable {
                return sent;
            }
            let unheard = sent.is_err() && !self.heard.load(Ordering::Relaxed);
            let asked = sent.as_ref().ok().and_then(|answer| {
                let now = answer.date().unwrap_or_else(|| (self.now.0)());
                asked_wait(|name| answer.header(name), now)
            });
            let ordinal = self.failures.fetch_add(1, Ordering::Relaxed);
            let wait = self.patience.wait(tried, began.elapsed(), asked, ordinal);
            match wait {
                Some(wait) if !(unheard && tried >= TRIES_UNHEARD) => pause(wait).await,
                _ => return sent,
            }
        }
    }

    /// Whether the refusal is because of the time, by the service's clock.
    fn expired(&self, sas: &Sas, answer: &Answer) -> Option<Mishap> {
        let now = answer.date().unwrap_or_else(|| (self.now.0)());
        let late = sas.expiry().is_some_and(|at| at <= now);
        // A SAS under a stored policy says nothing itself; "time frame" is Azure's text for what is too late or early.
        let unsaid = sas.expiry().is_none()
            && String::from_utf8_lossy(&answer.body).contains("not valid in the specified time frame");
        (late || unsaid).then(|| Mishap::Expired {
            status: answer.status,
            code: answer.header("x-ms-error-code").map(str::to_owned),
            at: sas.expiry(),
        })
    }

    /// Sends the request once and gathers the answer.
    async fn send(&self, request: &Request, sas: Option<&Sas>) -> Result<Answer, Mishap> {
        let client = match request.method() {
            Method::Get | Method::Head => &self.looks,
            _ => &self.acts,
        };
        let method = reqwest::Method::from_bytes(request.method().as_ref().as_bytes())
            .map_err(|error| Mishap::Broken(error.to_string()))?;
        let mut outgoing = client.request(method, signed(request.url(), sas));
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), value.as_str());
        }
        outgoing = outgoing.header(LOOK_HEADER.as_str(), "1");
        outgoing = outgoing.header("cache-control", "no-cache");
        if let Body::Bytes(body) = request.body()
            && !body.is_empty()
        {
            outgoing = outgoing.body(body.clone());
        }
        let mut incoming = outgoing.send().await.map_err(Mishap::of)?;
        self.heard.store(true, Ordering::Relaxed);
        let status = incoming.status().as_u16();
        let headers = headers(incoming.headers());
        let looks = matches!(request.method(), Method::Get | Method::Head);
        if looks && is_old(&headers) {
            return Err(Mishap::Cached);
        }
        let body = match status {
            200..=299 if looks => gather(&mut incoming, asked_bytes(request)).await?,
            // What was done is done, whatever becomes of the rest of the answer.
            200..=299 => Bytes::new(),
            // Of a refusal the status and the code are enough.
            _ => gather(&mut incoming, REFUSAL_MAX).await.unwrap_or_default(),
        };
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

impl Answer {
    fn header(&self, name: &'static str) -> Option<&str> {
        self.headers.get_optional_str(&HeaderName::from_static(name))
    }

    fn date(&self) -> Option<UnixMillis> {
        UnixMillis::parse_http_date(self.header("date")?)
    }
}

#[async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        match self.deliver(request).await {
            Ok(Answer {
                status,
                headers,
                body,
            }) => Ok(AsyncRawResponse::from_bytes(status.into(), headers, body)),
            Err(mishap) => Err(Error::new(ErrorKind::Other, mishap)),
        }
    }
}

#[allow(clippy::disallowed_methods)] // What a service asks for passes on the machine's clock; the guard's waits do not.
async fn pause(wait: Duration) {
    tokio::time::sleep(wait).await;
}

fn client(endpoint: &Endpoint, ca: Option<&[u8]>, kept: usize) -> Result<reqwest::Client, OpenError> {
    let mut roots = Vec::new();
    if let Some(pem) = ca {
        roots = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| OpenError::Ca)?;
        if roots.is_empty() {
            return Err(OpenError::Ca);
        }
    }
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIME)
        .read_timeout(SILENCE_TIME)
        .timeout(ANSWER_TIME)
        .pool_max_idle_per_host(kept)
        .tcp_nodelay(true);
    // Without TLS there is nobody to trust, and a machine without authorities is no hindrance.
    builder = match endpoint.is_https() {
        true => builder.tls_certs_merge(roots),
        false => builder.tls_certs_only([]),
    };
    if !endpoint.is_https() || endpoint.is_loopback() {
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|error| OpenError::Client(Mishap::words(&error)))
}

/// The URL as it is sent. The library writes a blank in a query as `+`, which not every service reads as one.
fn signed(url: &Url, sas: Option<&Sas>) -> Url {
    let mut url = url.clone();
    let mut query = url.query().unwrap_or_default().replace('+', "%20");
    if let Some(sas) = sas {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(sas.query());
    }
    url.set_query((!query.is_empty()).then_some(query.as_str()));
    url
}

/// Whether the answer was kept somewhere for a second or longer, or for nobody knows how long (RFC 9111, 5.1).
fn is_old(headers: &Headers) -> bool {
    let age = headers.get_optional_str(&HeaderName::from_static("age"));
    age.is_some_and(|age| age.trim() != "0")
}

/// Headers that are no text are left out: none of ours is like that.
fn headers(map: &reqwest::header::HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in map {
        if let Ok(value) = value.to_str() {
            headers.insert(HeaderName::from(name.as_str().to_owned()), value.to_owned());
        }
    }
    headers
}

/// The most bytes that a good answer may have: of a ranged read the range, of all else [`ANSWER_MAX`].
fn asked_bytes(request: &Request) -> usize {
    let range = HeaderName::from_static("range");
    let paged = request.url().query().is_some_and(|query| query.contains("comp="));
    let bytes = || {
        let text = request
            .headers()
            .get_optional_str(&range)?
            .strip_prefix("bytes=")?;
        let (first, last) = text.split_once('-')?;
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    match paged {
        true => ANSWER_MAX,
        false => bytes().unwrap_or(ANSWER_MAX).min(ANSWER_MAX),
    }
}

async fn gather(incoming: &mut reqwest::Response, most: usize) -> Result<Bytes, Mishap> {
    let told = incoming.content_length().and_then(|n| usize::try_from(n).ok());
    let mut body = BytesMut::with_capacity(told.unwrap_or(0).min(most).min(1 << 20));
    while let Some(piece) = incoming.chunk().await.map_err(Mishap::of)? {
        if piece.len() > most - body.len() {
            return Err(Mishap::TooLarge(most));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}
