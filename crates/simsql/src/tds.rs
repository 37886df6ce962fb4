//! The wire: Tabular Data Stream 7.1 to 7.4, from the server's side. The document it follows is [MS-TDS].
//!
//! ```text
//! socket -> packet -> greeting (prelogin, handshake, login) -> connection -> request (batch | rpc + call | transaction)
//!                                                                                |
//! socket <- packet <- token <- answering <---------------------------------- backend: a session
//! ```
//!
//! Each connection is a task that reads all the time; each request runs on a thread of its own, since the disk below a session
//! blocks. Every length that a client sends is checked before anything is allocated; what may grow is limited by [`Limits`].
//!
//! Deliberately absent, and refused: integrated and federated authentication, several requests at a time in one connection
//! (MARS), cursors, bulk load, table-valued parameters, distributed transactions, sessions that survive their connection, TDS 8.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ServerConfig;

use crate::instance::Instance;
use crate::tds::arrivals::Arrivals;
use crate::tds::packet::Room;

mod answering;
mod arrivals;
pub mod backend;
pub mod browser;
mod call;
mod connection;
mod declaration;
mod decode;
mod dialect;
mod encode;
mod greeting;
mod handshake;
mod input;
mod login;
mod packet;
mod prelogin;
mod prepared;
mod request;
mod rpc;
mod token;
mod transaction;
mod waiting;

pub use backend::Backend;

/// Whether and how connections are encrypted. An identity must be made for TLS 1.2 alone
/// (`ServerConfig::builder_with_protocol_versions(&[&TLS12])`): a newer handshake does not go through TDS 7 packets.
#[derive(Clone)]
pub enum Encryption {
    /// ENCRYPT_NOT_SUP: never.
    Off,
    /// With this identity, for the login packet or for all, as the client asks.
    Offered(Arc<ServerConfig>),
    /// With this identity, always.
    Required(Arc<ServerConfig>),
}

/// Bytes of stack that the runtime's threads need (`Builder::thread_stack_size`): batches run on them, and 32 texts may run
/// within one another, each with blocks within blocks. Memory is taken only for what is used.
pub const STACK: usize = 32 << 20;

/// How long one who is told to leave may take.
const LEAVING: Duration = Duration::from_secs(1);

/// What clients may use up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time; the next one is closed at once.
    pub connections: usize,
    /// From the first byte to the end of the login.
    pub login: Duration,
    /// Bytes of a request.
    pub message: usize,
    /// Bytes of all requests at the same time, but for the first MiB of each; whoever sends more is let go.
    pub messages: usize,
    /// Silence between two requests.
    pub idle: Duration,
    /// A client that takes nothing of an answer for so long is let go.
    pub stall: Duration,
}

impl Default for Limits {
    /// Generous: 300 connections (each batch needs one of the runtime's 512 blocking threads), a minute for the login, 64 MiB
    /// a request and 256 MiB all of them, a day of silence, an hour without taking an answer.
    fn default() -> Self {
        Self {
            connections: 300,
            login: Duration::from_secs(60),
            message: 64 * 1024 * 1024,
            messages: 256 * 1024 * 1024,
            idle: Duration::from_secs(24 * 3600),
            stall: Duration::from_secs(3600),
        }
    }
}

/// Serves connections until the listener's task is dropped. Each runs its batches on a thread of its own.
pub async fn serve(instance: Arc<Instance>, listener: TcpListener, encryption: Encryption) {
    serve_backend(Arc::new(instance), listener, encryption, Limits::default()).await;
}

/// The same for anything that takes logins, within limits.
pub async fn serve_backend(
    backend: Arc<dyn Backend>,
    listener: TcpListener,
    encryption: Encryption,
    limits: Limits,
) {
    let seats = Arc::new(Semaphore::new(limits.connections));
    let room = Room::new(limits.messages);
    let limits = Arc::new(limits);
    let arrivals = Arrivals::default();
    let mut connections = JoinSet::new();
    loop {
        let accepted: std::io::Result<(_, SocketAddr)> = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                // No descriptors left, or the client is gone already: others shall come in.
                tracing::warn!(%error, "a connection could not be accepted");
                pause().await;
                continue;
            }
        };
        let Some(seat) = seat(&seats, &arrivals).await else {
            tracing::warn!("too many connections: one was turned away");
            continue;
        };
        let hall = connection::Hall {
            backend: Arc::clone(&backend),
            encryption: encryption.clone(),
            limits: Arc::clone(&limits),
            room: room.clone(),
        };
        let ticket = arrivals.enter();
        connections.spawn(async move {
            connection::serve(socket, hall, ticket).await;
            drop(seat);
        });
    }
}

/// A seat; where all are taken, that of one who has not logged in.
#[allow(clippy::disallowed_methods)]
async fn seat(seats: &Arc<Semaphore>, arrivals: &Arrivals) -> Option<OwnedSemaphorePermit> {
    if let Ok(seat) = Arc::clone(seats).try_acquire_owned() {
        return Some(seat);
    }
    if !arrivals.displace() {
        return None;
    }
    let freed = Arc::clone(seats).acquire_owned();
    tokio::time::timeout(LEAVING, freed).await.ok()?.ok()
}

#[allow(clippy::disallowed_methods)]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
