//! A certificate and key of the user's own, from two PEM files.
//!
//! RSA and elliptic keys alike, in PKCS#8, PKCS#1 or SEC 1; the chain leaf first, as every web server takes it.

use std::fs;
use std::path::PathBuf;

use azblob::time::UnixMillis;
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::TlsError;
use crate::host::Host;

/// Where the user's own certificate lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFiles {
    /// PEM: the server's certificate, then those between it and the root.
    pub certificate: PathBuf,
    /// PEM: its private key, not encrypted.
    pub key: PathBuf,
}

/// The contents of both files; compared to see whether they changed.
#[derive(PartialEq, Eq)]
pub(super) struct OwnText {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A usable pair.
pub(super) struct OwnPair {
    pub(super) certified: CertifiedKey,
    pub(super) not_after: UnixMillis,
    names: Vec<Host>,
    wildcards: Vec<String>,
}

impl OwnFiles {
    /// Reads both files.
    pub(super) fn read(&self) -> Result<OwnText, TlsError> {
        let text = |path: &PathBuf| fs::read(path).map_err(|error| TlsError::io(path, error));
        Ok(OwnText {
            certificate: text(&self.certificate)?,
            key: text(&self.key)?,
        })
    }

    /// Makes a pair of what was read.
    ///
    /// # Errors
    /// [`TlsError::Unreadable`] and [`TlsError::KeyMismatch`].
    pub(super) fn pair(&self, text: &OwnText) -> Result<OwnPair, TlsError> {
        let bad = |path: &PathBuf, why: String| TlsError::Unreadable {
            path: path.clone(),
            why,
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| bad(&self.certificate, error.to_string()))?;
        let leaf = chain
            .first()
            .ok_or_else(|| bad(&self.certificate, "it holds no certificate in PEM".to_owned()))?;
        let (_, parsed) =
            X509Certificate::from_der(leaf).map_err(|error| bad(&self.certificate, error.to_string()))?;
        let not_after = UnixMillis(parsed.validity().not_after.timestamp().saturating_mul(1000));
        let (names, wildcards) = alternatives(&parsed);
        let key = PrivateKeyDer::from_pem_slice(&text.key).map_err(|_| {
            bad(
                &self.key,
                "it holds no private key in PEM without a password".to_owned(),
            )
        })?;
        let key = any_supported_type(&key)
            .map_err(|_| bad(&self.key, "its key is neither RSA, ECDSA nor Ed25519".to_owned()))?;
        let certified = CertifiedKey::new(chain.clone(), key);
        match certified.keys_match() {
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(TlsError::KeyMismatch {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
            }),
            Err(error @ Error::InvalidCertificate(_)) => Err(bad(&self.certificate, error.to_string())),
            _ => Ok(OwnPair {
                certified,
                not_after,
                names,
                wildcards,
            }),
        }
    }
}

impl OwnPair {
    /// Whether clients that ask for this host are satisfied by the certificate.
    pub(super) fn covers(&self, host: &Host) -> bool {
        let below = |name: &str, tree: &str| {
            name.split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest == tree)
        };
        self.names.contains(host)
            || matches!(host, Host::Name(name) if self.wildcards.iter().any(|tree| below(name, tree)))
    }
}

/// The names of a certificate, and the trees below which one label is free.
fn alternatives(parsed: &X509Certificate<'_>) -> (Vec<Host>, Vec<String>) {
    let (mut names, mut wildcards) = (Vec::new(), Vec::new());
    let listed = parsed.subject_alternative_name().ok().flatten();
    for name in listed.iter().flat_map(|extension| &extension.value.general_names) {
        match name {
            GeneralName::DNSName(name) => match name.strip_prefix("*.") {
                Some(tree) => wildcards.push(tree.to_ascii_lowercase()),
                None => names.extend(name.parse::<Host>()),
            },
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(|b| Host::Address(b.into()));
                let v6 = <[u8; 16]>::try_from(*bytes).map(|b| Host::Address(b.into()));
                names.extend(v4.or(v6));
            }
            _ => {}
        }
    }
    (names, wildcards)
}
