//! TLS for a bench run: whom the client trusts, and a certificate for the peers that bring none.
//!
//! The product makes its own authority (`--tls`), and the client trusts exactly what `bac2 ca export` prints, as a user
//! would. The sink and Azurite get a certificate that the bench makes, of the same kind (ECDSA P-256), so that no
//! subject is measured over cheaper arithmetic. Session resumption is left on, as clients have it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};

/// What every certificate of a run names, beside what the product adds.
const NAME: &str = "localhost";

/// Whom a client believes.
#[derive(Clone)]
pub(crate) struct Trust(Arc<ClientConfig>);

/// A certificate and its key, as files.
pub(crate) struct Certificate {
    /// The certificate, PEM.
    pub(crate) certificate: PathBuf,
    /// Its key, PEM.
    pub(crate) key: PathBuf,
}

impl Trust {
    /// Trusts the certificates in a PEM text, and no other.
    pub(crate) fn of_pem(pem: &[u8]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// The client's end of a new connection.
    pub(crate) fn connection(&self) -> Result<ClientConnection> {
        let name = ServerName::try_from(NAME).context("a legal name")?;
        Ok(ClientConnection::new(Arc::clone(&self.0), name)?)
    }
}

impl Certificate {
    /// Makes one for this run, signed by itself.
    pub(crate) fn make(dir: &Path) -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let made = CertificateParams::new([NAME.to_owned()])?.self_signed(&key)?;
        let files = Self {
            certificate: dir.join("bench.crt"),
            key: dir.join("bench.key"),
        };
        fs::write(&files.certificate, made.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }

    /// A client's trust in it.
    pub(crate) fn trust(&self) -> Result<Trust> {
        Trust::of_pem(&fs::read(&self.certificate)?)
    }

    /// A server's configuration with it.
    pub(crate) fn server(certificate: &Path, key: &Path) -> Result<ServerConfig> {
        let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_file(key)?;
        Ok(ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)?)
    }
}
