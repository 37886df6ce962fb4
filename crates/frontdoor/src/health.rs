//! The listener for those who watch: `GET /-/health` and `GET /-/metrics`.
//!
//! Apart from the door, because it takes no signature and tells nothing of blobs: an operator decides with
//! `--health-listen` who reaches it. It answers until the door has stopped, and says from the first moment of a stop that
//! the server is going, so that a load balancer sends nobody new.
//!
//! Health is about what needs a person: a store that takes no changes, a disk that is nearly full, a certificate that was
//! not renewed. A damaged backup is news about a backup, not about the server; metrics count it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use azblob::time::UnixMillis;
use blobstore::Store;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::door::{Door, now};
use crate::limits;
use crate::metrics::Gauges;
use crate::tls::Served;

/// What the watcher looks at.
pub(crate) struct Watched {
    /// The door's counters and gauges.
    pub(crate) door: Arc<Door>,
    /// The store behind it.
    pub(crate) store: Arc<Store>,
    /// The certificates; `None` without TLS.
    pub(crate) served: Option<Arc<Served>>,
    /// Set when the server begins to stop.
    pub(crate) stopping: AtomicBool,
}

/// The answer of `/-/health`.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct Health {
    status: &'static str,
    /// Why not all is well, one sentence each.
    reasons: Vec<String>,
}

impl Watched {
    fn health(&self, now: UnixMillis) -> Health {
        let mut reasons = Vec::new();
        if self.stopping.load(Ordering::Relaxed) {
            reasons.push("the server is stopping".to_owned());
        }
        if let Some(why) = self.store.read_only() {
            reasons.push(format!("the store takes no changes: {why}"));
        }
        match self.store.free_space() {
            Ok(free) if free < limits::DISK_LOW => {
                reasons.push(format!(
                    "the disk of the store is nearly full: {} MiB are free",
                    free >> 20
                ));
            }
            Ok(_) => {}
            Err(error) => reasons.push(format!(
                "the disk of the store does not say what is free: {error}"
            )),
        }
        if let Some(served) = &self.served
            && until(served.not_after(), now) < limits::CERTIFICATE_LOW.as_secs() as i64
        {
            reasons.push(format!(
                "the certificate ends on {}",
                served.not_after().http_date()
            ));
        }
        Health {
            status: if reasons.is_empty() { "ok" } else { "failing" },
            reasons,
        }
    }

    fn metrics(&self, now: UnixMillis) -> String {
        let census = self.door.census();
        let (in_flight, in_flight_limit) = self.door.body_bytes();
        let gauges = Gauges {
            in_flight,
            in_flight_limit,
            proof_waiting: census.waiting,
            verdicts: census.verdicts,
            disk_free: self.store.free_space().ok(),
            read_only: self.store.read_only().is_some(),
            certificate: self.served.as_ref().map(|served| until(served.not_after(), now)),
            authority: (self.served.as_ref()).and_then(|served| Some(until(served.authority_ends()?, now))),
        };
        self.door.metrics().render(&gauges)
    }

    /// Blocking: it asks the disk.
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let known = matches!(path, "/-/health" | "/-/metrics");
        if known && !matches!(*method, Method::GET | Method::HEAD) {
            let mut answer = text(
                StatusCode::METHOD_NOT_ALLOWED,
                "text/plain",
                "only GET\n".to_owned(),
            );
            answer
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match path {
            "/-/health" => {
                let health = self.health(now());
                let status = if health.reasons.is_empty() {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                let body = serde_json::to_string(&health).expect("plain data");
                text(status, "application/json", format!("{body}\n"))
            }
            "/-/metrics" => text(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                self.metrics(now()),
            ),
            _ => text(
                StatusCode::NOT_FOUND,
                "text/plain",
                "/-/health and /-/metrics are here\n".to_owned(),
            ),
        }
    }
}

/// Seconds from now until then; negative when it has passed.
fn until(then: UnixMillis, now: UnixMillis) -> i64 {
    then.0.saturating_sub(now.0).div_euclid(1000)
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// Answers until dropped.
pub(crate) async fn serve(listener: TcpListener, watched: Arc<Watched>) {
    let seats = Arc::new(Semaphore::new(limits::WATCHERS));
    loop {
        let seat = Arc::clone(&seats)
            .acquire_owned()
            .await
            .expect("the seats are never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let watched = Arc::clone(&watched);
                tokio::spawn(async move {
                    // A connection serves one scrape after another, but not for ever.
                    let _too_long = timeout(limits::WATCH_TIME, talk(stream, watched)).await.is_err();
                    drop(seat);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection on the health listener");
                sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn talk(stream: TcpStream, watched: Arc<Watched>) {
    let answers = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let watched = Arc::clone(&watched);
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        async move {
            let answer = spawn_blocking(move || watched.answer(&method, &path)).await;
            Ok::<_, Infallible>(answer.unwrap_or_else(|_| {
                text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "text/plain",
                    "this answer broke down\n".to_owned(),
                )
            }))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HANDSHAKE_TIME)
        .max_header_size(limits::HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), answers)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of the health listener ended");
    }
}
