//! TLS: the certificate a client sees, where it comes from, and how it changes while the server runs.
//!
//! Either the vault vouches for itself (its own authorities in the data directory, `authorities.rs`) or the user brings a
//! certificate ([`OwnFiles`]). Both may change under a running server; the keeper notices and swaps what the next
//! handshake is answered with. TLS 1.2 and 1.3; HTTP/1.1 is the only protocol offered, because SQL Server's client was
//! seen to fail over HTTP/2. Leaf keys of our own are ECDSA P-256: Windows Server 2012 R2 and older share no cipher suite
//! with rustls for RSA.
//!
//! Deliberately absent: client certificates, OCSP stapling, ACME (bring the files another program renews).

mod authorities;
mod authority;
mod keeper;
mod own_pair;
mod served;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::version::{TLS12, TLS13};

pub use authorities::{ANNOUNCE_DAYS, SWITCH_DAYS, certificates, renew};
pub use authority::AuthorityCertificate;
pub(crate) use keeper::Keeper;
pub use own_pair::OwnFiles;
pub(crate) use served::Served;

use crate::host::Host;

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} cannot be used: {why}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never its contents.
        why: String,
    },
    /// Certificate and key of the user do not belong together.
    #[error("the key in {key} is not the key of the certificate in {certificate}", key = .key.display(), certificate = .certificate.display())]
    KeyMismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// No authority of the vault may vouch for a configured host.
    #[error("the certificate authority in {folder} was not made for {host}, so clients would refuse a certificate for it", folder = .folder.display())]
    Uncovered {
        /// The host.
        host: Host,
        /// Where the authorities lie.
        folder: PathBuf,
    },
    /// More authorities than anybody can want.
    #[error("{folder} holds too many certificate authorities", folder = .folder.display())]
    TooMany {
        /// Where they lie.
        folder: PathBuf,
    },
    /// A certificate could not be made.
    #[error("no certificate could be made: {0}")]
    Making(String),
}

impl TlsError {
    fn io(path: &Path, source: io::Error) -> Self {
        TlsError::Io {
            path: path.to_owned(),
            source,
        }
    }

    fn making(error: impl std::fmt::Display) -> Self {
        TlsError::Making(error.to_string())
    }
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificates {
    /// The vault's own authority, whose files are in this data directory.
    Vault(PathBuf),
    /// Files of the user's.
    Own(OwnFiles),
}

/// The end of TLS on this side of a connection; certificates are chosen by `served` at each handshake.
pub(crate) fn acceptor(served: Arc<Served>) -> Result<TlsAcceptor, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::making)?
        .with_no_client_auth()
        .with_cert_resolver(served);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
