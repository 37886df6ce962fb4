//! The certificate that an instance shows to its clients.
//!
//! Like a SQL Server that was given none, an instance makes itself one at each start; clients trust it by choice
//! (TrustServerCertificate) or by its PEM. TLS 1.2 alone: in TDS 7.x the handshake travels inside packets, and the session
//! tickets that TLS 1.3 sends after it break clients (seen with tiberius and FreeTDS).

use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::TLS12;

/// A certificate, its key, and how they are used.
#[derive(Clone)]
pub struct Identity {
    /// For the wire.
    pub config: Arc<ServerConfig>,
    /// The certificate in PEM, for clients that shall trust it.
    pub certificate: String,
}

/// A certificate or key that cannot be used; says what is wrong, never what the key is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct IdentityError(String);

impl Identity {
    /// A new certificate, signed by itself, for the names and addresses given.
    ///
    /// # Errors
    /// Where a name is none.
    pub fn self_signed(names: &[String]) -> Result<Self, IdentityError> {
        let wrong = |error: rcgen::Error| IdentityError(format!("no certificate can be made: {error}"));
        let key = rcgen::KeyPair::generate().map_err(wrong)?;
        let mut parameters = rcgen::CertificateParams::new(names.to_vec()).map_err(wrong)?;
        let mut name = rcgen::DistinguishedName::new();
        name.push(
            rcgen::DnType::CommonName,
            "SSL_Self_Signed_Fallback (bac2 simulation)",
        );
        parameters.distinguished_name = name;
        let certificate = parameters.self_signed(&key).map_err(wrong)?;
        Self::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())
    }

    /// A certificate with its chain, and its key, both in PEM.
    ///
    /// # Errors
    /// Where they cannot be read or do not belong together.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| IdentityError("the certificate is no PEM".to_owned()))?;
        if chain.is_empty() {
            return Err(IdentityError("there is no certificate in the file".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| IdentityError("the key is no private key in PEM without a password".to_owned()))?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS12])
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| IdentityError(format!("certificate and key cannot be used: {error}")))?;
        Ok(Self {
            config: Arc::new(config),
            certificate: String::from_utf8_lossy(certificate).into_owned(),
        })
    }
}
