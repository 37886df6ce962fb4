//! A server over the stand-in, on a port of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use simsql::tds::{Encryption, Limits, serve_backend};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::version::TLS12;

use crate::stand_in::{Seen, StandIn};

/// A running server; it ends with it.
pub(crate) struct Served {
    pub(crate) port: u16,
    pub(crate) seen: Arc<Mutex<Seen>>,
    _task: JoinSet<()>,
}

/// Starts one.
pub(crate) async fn serve(encryption: Encryption, limits: Limits) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let backend = StandIn::default();
    let seen = Arc::clone(&backend.seen);
    let mut task = JoinSet::new();
    task.spawn(serve_backend(Arc::new(backend), listener, encryption, limits));
    Served {
        port,
        seen,
        _task: task,
    }
}

/// One without encryption.
pub(crate) async fn plain() -> Served {
    serve(Encryption::Off, Limits::default()).await
}

/// An identity for `localhost`, for TLS 1.2.
pub(crate) fn identity() -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

/// Waits until `seen` fulfils something.
pub(crate) async fn eventually(served: &Served, fulfils: impl Fn(&Seen) -> bool) {
    for _ in 0..500 {
        if fulfils(&served.seen.lock().unwrap()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not in time: {:?}", served.seen.lock().unwrap());
}
