//! The accept loops: sockets in, TLS where it is on, one hyper connection each, and an orderly end.
//!
//! Its own loop rather than a framework's, because every limit on a connection is set here: how many there are, how
//! long a head may take, how large it may be, how long who may idle, when a client that takes no bytes is let go.
//! HTTP/1.1 with keep-alive and nothing else: SQL Server's client was seen to negotiate HTTP/2 where it is offered and
//! then to fail.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::handshake;
use crate::limits;
use crate::metrics::Metrics;
use crate::patience::{HeadTimer, Heard, keep_alive};
use crate::peer::Peer;
use crate::request_log::LoggedBody;
use crate::stall::StallGuard;
use crate::uses::{Guest, Uses};

/// What answers the requests of all connections.
pub(crate) trait Service: Send + Sync + 'static {
    /// Answers one request; every failure is an answer too.
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: Peer,
        guest: Arc<Guest>,
    ) -> impl Future<Output = Response<LoggedBody>> + Send;
}

/// How connections are taken.
pub(crate) struct Reception {
    /// Where clients knock.
    pub(crate) listeners: Vec<TcpListener>,
    /// TLS for all of them, or plain http.
    pub(crate) tls: Option<TlsAcceptor>,
    /// Counts connections.
    pub(crate) metrics: Arc<Metrics>,
    /// What becomes known of connections as users of blobs.
    pub(crate) uses: Arc<Uses>,
}

/// Serves connections until `stop` is done; then accepts no more, lets requests under way finish within
/// [`limits::GRACE`], and returns.
pub(crate) async fn serve<S: Service>(reception: Reception, service: Arc<S>, stop: impl Future<Output = ()>) {
    let seats = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let (stopping, stops) = watch::channel(false);
    let hall = Hall {
        service,
        tls: reception.tls,
        metrics: reception.metrics,
        uses: reception.uses,
        idle: Arc::new(Semaphore::new(limits::HOLDERS_IDLE)),
        stops,
    };
    let mut doors = JoinSet::new();
    for listener in reception.listeners {
        doors.spawn(admit(listener, Arc::clone(&seats), hall.clone()));
    }
    drop(hall);
    stop.await;
    stopping.send_replace(true);
    while doors.join_next().await.is_some() {}
    let all = u32::try_from(limits::CONNECTIONS).expect("the number of connections fits");
    if timeout(limits::GRACE, seats.acquire_many(all)).await.is_err() {
        tracing::warn!(
            seconds = limits::GRACE.as_secs(),
            "stopping although requests are still being served"
        );
    }
}

/// What every connection needs.
struct Hall<S> {
    service: Arc<S>,
    tls: Option<TlsAcceptor>,
    metrics: Arc<Metrics>,
    uses: Arc<Uses>,
    /// Seats of those who may be silent for long.
    idle: Arc<Semaphore>,
    stops: watch::Receiver<bool>,
}

impl<S> Clone for Hall<S> {
    fn clone(&self) -> Self {
        Hall {
            service: Arc::clone(&self.service),
            tls: self.tls.clone(),
            metrics: Arc::clone(&self.metrics),
            uses: Arc::clone(&self.uses),
            idle: Arc::clone(&self.idle),
            stops: self.stops.clone(),
        }
    }
}

/// Accepts at one listener until the server stops.
async fn admit<S: Service>(listener: TcpListener, seats: Arc<Semaphore>, hall: Hall<S>) {
    let mut stops = hall.stops.clone();
    loop {
        let (stream, client, seat) = tokio::select! {
            next = next_connection(&listener, &seats) => next,
            _changed = stops.changed() => return,
        };
        tokio::spawn(connection(stream, client, hall.clone(), seat));
    }
}

/// Waits for a seat, then for a client. An accept that fails (no file descriptors left, say) is tried again after a
/// pause; it never ends the server.
async fn next_connection(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let seat = Arc::clone(seats)
        .acquire_owned()
        .await
        .expect("the seats are never closed");
    loop {
        match listener.accept().await {
            Ok((stream, client)) => return (stream, client, seat),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection to its end. The seat is free again when this returns.
async fn connection<S: Service>(
    stream: TcpStream,
    client: SocketAddr,
    mut hall: Hall<S>,
    _seat: OwnedSemaphorePermit,
) {
    // Answers are short or large, never dribbled: waiting for more to send only adds delay.
    let _not_fatal = stream.set_nodelay(true).is_err();
    if let Err(error) = keep_alive(&stream) {
        tracing::debug!(%client, %error, "the system does not watch whether this client lives");
    }
    let _counted = hall.metrics.connected();
    let peer = Peer::new(client, hall.tls.is_some());
    let traffic = Arc::clone(&hall.metrics.traffic);
    let Some(tls) = hall.tls.take() else {
        return talk(StallGuard::new(stream, limits::ANSWER_STALL, traffic), peer, hall).await;
    };
    let shaken = tokio::select! {
        shaken = handshake::shake(&tls, stream, traffic) => shaken,
        _changed = hall.stops.changed() => return,
    };
    match shaken {
        Ok(stream) => talk(stream, peer, hall).await,
        Err(error) => {
            hall.metrics.handshake_failed();
            tracing::debug!(client = %peer, %error, "no TLS connection came about");
        }
    }
}

/// Answers the requests of one connection.
async fn talk<T, S>(stream: T, peer: Peer, hall: Hall<S>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
    S: Service,
{
    let Hall {
        service,
        mut stops,
        uses,
        idle,
        ..
    } = hall;
    let guest = Guest::new(uses);
    let timer = HeadTimer::new(Arc::clone(&guest), idle);
    let stream = Heard::new(stream, Arc::clone(&guest));
    let answers = service_fn(move |request| {
        let (service, guest) = (Arc::clone(&service), Arc::clone(&guest));
        async move { Ok::<_, Infallible>(service.answer(request, peer, guest).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(timer)
        .header_read_timeout(limits::HEAD_TIME)
        .max_headers(limits::HEADERS)
        .max_header_size(limits::HEAD_BYTES)
        .max_buf_size(limits::FRAME);
    let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(stream), answers));
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        _changed = stops.changed() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(client = %peer, %error, "connection ended");
    }
}
