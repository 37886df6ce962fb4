//! HTTPS as SQL Server's clients speak it: HTTP/1.1, TLS 1.2 or 1.3, the server's certificate verified against the authorities
//! that the user names and no others, the name too. Connections are kept and used again, one request at a time on each.
//!
//! Nothing is redirected, and nothing is retried but a request that met the end of a connection kept from before. Errors carry
//! the numbers that SQL Server prints for them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::world::{OsError, WireError};

/// For a connection to be made, TLS included.
const CONNECT: Duration = Duration::from_secs(20);
/// For an answer, from the last byte sent.
const ANSWER: Duration = Duration::from_secs(120);
/// Connections kept idle, in all.
const IDLE: usize = 64;
/// Bytes of an answer at most: a restore reads a few MiB at a time.
const LARGEST: usize = 64 << 20;

/// The network.
pub struct Wire {
    tls: TlsConnector,
    /// Where hosts are, beside what the resolver says.
    hosts: BTreeMap<String, SocketAddr>,
    idle: Mutex<Vec<(String, SendRequest<Full<Bytes>>)>>,
}

/// The certificates to trust cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WireSetupError {
    /// No certificate in the text.
    #[error("there is no certificate to trust in the given PEM text")]
    NoCertificate,
    /// A certificate that cannot be read.
    #[error("a certificate to trust cannot be read: {0}")]
    Certificate(String),
}

impl Wire {
    /// A network that trusts the certificates of `ca` (PEM), and nobody where there is none. `hosts` says where a host is, in
    /// place of the resolver and of the URL's port: `/etc/hosts` with a port, because SQL Server's clients insist on a name and
    /// on port 443.
    ///
    /// # Errors
    /// Where `ca` holds no certificate.
    pub fn new(ca: Option<&[u8]>, hosts: BTreeMap<String, SocketAddr>) -> Result<Self, WireSetupError> {
        let mut roots = RootCertStore::empty();
        if let Some(pem) = ca {
            let before = roots.len();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate =
                    certificate.map_err(|error| WireSetupError::Certificate(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| WireSetupError::Certificate(error.to_string()))?;
            }
            if roots.len() == before {
                return Err(WireSetupError::NoCertificate);
            }
        }
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| WireSetupError::Certificate(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            hosts,
            idle: Mutex::new(Vec::new()),
        })
    }

    fn take_idle(&self, origin: &str) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, connection)| !connection.is_closed());
        let at = idle
            .iter()
            .rposition(|(known, connection)| known == origin && connection.is_ready())?;
        Some(idle.remove(at).1)
    }

    fn keep(&self, origin: String, connection: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= IDLE {
            idle.remove(0);
        }
        idle.push((origin, connection));
    }

    async fn connect(
        &self,
        host: &str,
        port: u16,
        is_tls: bool,
    ) -> Result<SendRequest<Full<Bytes>>, WireError> {
        let stream = match self.hosts.get(host) {
            Some(address) => TcpStream::connect(address).await,
            None => {
                let found = tokio::net::lookup_host((host, port)).await;
                let addresses: Vec<SocketAddr> = found.map_err(|_| failed(NAME))?.collect();
                TcpStream::connect(addresses.as_slice()).await
            }
        }
        .map_err(|_| failed(CANNOT_CONNECT))?;
        stream.set_nodelay(true).map_err(|_| failed(CANNOT_CONNECT))?;
        if is_tls {
            let name = ServerName::try_from(host.to_owned()).map_err(|_| failed(NAME))?;
            let stream = self.tls.connect(name, stream).await.map_err(|_| failed(SECURE))?;
            start(TokioIo::new(stream)).await
        } else {
            start(TokioIo::new(stream)).await
        }
    }
}

/// ERROR_WINHTTP_TIMEOUT.
const TIMEOUT: i32 = 12_002;
/// ERROR_WINHTTP_NAME_NOT_RESOLVED.
const NAME: i32 = 12_007;
/// ERROR_WINHTTP_CANNOT_CONNECT.
const CANNOT_CONNECT: i32 = 12_029;
/// ERROR_WINHTTP_CONNECTION_ERROR.
const CONNECTION: i32 = 12_030;
/// ERROR_WINHTTP_INVALID_SERVER_RESPONSE.
const ANSWER_BROKEN: i32 = 12_152;
/// ERROR_WINHTTP_SECURE_FAILURE.
const SECURE: i32 = 12_175;

fn failed(number: i32) -> WireError {
    WireError(OsError::new(number))
}

#[allow(clippy::disallowed_methods)] // The connection's own task ends with the connection.
async fn start<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, WireError>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(stream).await.map_err(|_| failed(CONNECTION))?;
    tokio::spawn(async move {
        // Its end is seen by the request that meets it.
        drop(connection.await);
    });
    Ok(sender)
}

/// One request on a connection; 12030 where that ends without an answer.
async fn exchange(
    connection: &mut SendRequest<Full<Bytes>>,
    request: http::Request<Full<Bytes>>,
) -> Result<http::Response<Bytes>, WireError> {
    let exchange = async {
        let response = connection
            .send_request(request)
            .await
            .map_err(|_| failed(CONNECTION))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LARGEST)
            .collect()
            .await
            .map_err(|_| failed(ANSWER_BROKEN))?
            .to_bytes();
        Ok(http::Response::from_parts(head, body))
    };
    timeout(ANSWER, exchange).await.map_err(|_| failed(TIMEOUT))?
}

#[async_trait]
impl crate::world::Wire for Wire {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, WireError> {
        let (mut parts, body) = request.into_parts();
        let is_tls = parts.uri.scheme_str() == Some("https");
        let host = parts.uri.host().ok_or_else(|| failed(NAME))?.to_owned();
        let port = parts.uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let origin = format!("{is_tls} {host}:{port}");
        let authority = parts.uri.authority().map(ToString::to_string).unwrap_or_default();
        let host_value = http::HeaderValue::from_str(&authority).map_err(|_| failed(NAME))?;
        parts.headers.insert(http::header::HOST, host_value);
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = path.parse().map_err(|_| failed(ANSWER_BROKEN))?;
        let request = http::Request::from_parts(parts, Full::new(body));
        if let Some(mut connection) = self.take_idle(&origin) {
            match exchange(&mut connection, request.clone()).await {
                Ok(answer) => {
                    self.keep(origin, connection);
                    return Ok(answer);
                }
                // The server may have closed it meanwhile, which says nothing about this request: once more, on a new one.
                Err(error) if error.0.number == CONNECTION => {}
                Err(error) => return Err(error),
            }
        }
        let mut connection = timeout(CONNECT, self.connect(&host, port, is_tls))
            .await
            .map_err(|_| failed(TIMEOUT))??;
        let answer = exchange(&mut connection, request).await?;
        self.keep(origin, connection);
        Ok(answer)
    }
}
