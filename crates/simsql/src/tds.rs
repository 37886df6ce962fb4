//! The wire: Tabular Data Stream 7.x, from the server's side.

use std::sync::Arc;

use crate::instance::Instance;

/// Whether and how connections are encrypted.
#[derive(Clone)]
pub enum Encryption {
    /// ENCRYPT_NOT_SUP: never.
    Off,
    /// With this identity, for the login packet or for all, as the client asks.
    Offered(Arc<tokio_rustls::rustls::ServerConfig>),
    /// With this identity, always.
    Required(Arc<tokio_rustls::rustls::ServerConfig>),
}

/// Serves connections until the listener's task is dropped. Each runs its batches on a thread of its own.
#[allow(clippy::unimplemented, unused_variables, clippy::missing_panics_doc)]
pub async fn serve(instance: Arc<Instance>, listener: tokio::net::TcpListener, encryption: Encryption) {
    unimplemented!()
}
