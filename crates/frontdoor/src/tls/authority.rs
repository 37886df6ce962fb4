//! One certificate authority of the vault: its certificate, which names it may vouch for, and what it signs.
//!
//! An authority is trusted by SQL Servers as a root, so it can do as little as possible: its certificate carries name
//! constraints (RFC 5280 4.2.1.10) for the configured hosts, `localhost` and the loopback addresses, and it may sign no
//! further authority. Who steals its key can impersonate this vault and nothing else.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use azblob::time::UnixMillis;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, SanType,
};
use time::OffsetDateTime;
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::TlsError;
use crate::host::Host;

/// How long an authority lives. Its certificate is imported by hand on every SQL Server, so: long.
const AUTHORITY_DAYS: i64 = 20 * 365 + 5;

/// How long a leaf lives. Short, because nothing revokes it; it is renewed without a restart long before
/// ([`super::renewal`]). Public authorities are held to 47 days from 2029 on (CA/Browser Forum ballot SC-081).
const LEAF_DAYS: i64 = 45;

/// A certificate is valid from a day before it was made: clocks of clients differ.
const BACKDATED_DAYS: i64 = 1;

/// What an authority's certificate says.
#[derive(Debug, Clone)]
pub struct AuthorityCertificate {
    /// Position in the row of this vault's authorities, from 1.
    pub number: u32,
    /// Its common name.
    pub name: String,
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// First moment of validity.
    pub not_before: UnixMillis,
    /// Last moment of validity.
    pub not_after: UnixMillis,
    /// The subtrees it may vouch for.
    permitted: Vec<Subtree>,
}

/// A subtree of names, or a network.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subtree {
    /// This name and all below it.
    Name(String),
    /// Address and mask, 4 or 16 bytes each.
    Network(Vec<u8>, Vec<u8>),
}

impl Subtree {
    fn of(name: &GeneralName<'_>) -> Option<Self> {
        match name {
            GeneralName::DNSName(name) => Some(Subtree::Name(name.to_ascii_lowercase())),
            GeneralName::IPAddress(both) if matches!(both.len(), 8 | 32) => {
                let (address, mask) = both.split_at(both.len() / 2);
                Some(Subtree::Network(address.to_vec(), mask.to_vec()))
            }
            _ => None,
        }
    }

    fn covers(&self, host: &Host) -> bool {
        match (self, host) {
            (Subtree::Name(tree), Host::Name(name)) => name
                .strip_suffix(tree.as_str())
                .is_some_and(|left| left.is_empty() || left.ends_with('.')),
            (Subtree::Network(address, mask), Host::Address(host)) => {
                let host = match host {
                    IpAddr::V4(host) => host.octets().to_vec(),
                    IpAddr::V6(host) => host.octets().to_vec(),
                };
                host.len() == address.len()
                    && (host.iter().zip(address).zip(mask)).all(|((h, a), m)| h & m == a & m)
            }
            _ => false,
        }
    }

    fn host(&self) -> Option<Host> {
        match self {
            Subtree::Name(name) => name.parse().ok(),
            Subtree::Network(address, mask) if mask.iter().all(|byte| *byte == 0xff) => match address.len() {
                4 => <[u8; 4]>::try_from(&address[..])
                    .ok()
                    .map(|a| Host::Address(a.into())),
                _ => <[u8; 16]>::try_from(&address[..])
                    .ok()
                    .map(|a| Host::Address(a.into())),
            },
            Subtree::Network(..) => None,
        }
    }
}

impl AuthorityCertificate {
    /// Reads the PEM of an authority that this module made.
    ///
    /// # Errors
    /// What about the text is no such certificate.
    pub(super) fn read(number: u32, pem: &[u8]) -> Result<Self, String> {
        let der = CertificateDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| error.to_string())?;
        let constraints = parsed.name_constraints().map_err(|error| error.to_string())?;
        let permitted = constraints
            .and_then(|extension| extension.value.permitted_subtrees.as_ref())
            .ok_or("it has no name constraints")?;
        let common = parsed.subject().iter_common_name().next();
        Ok(AuthorityCertificate {
            number,
            name: common
                .and_then(|c| c.as_str().ok())
                .unwrap_or_default()
                .to_owned(),
            not_before: UnixMillis(parsed.validity().not_before.timestamp() * 1000),
            not_after: UnixMillis(parsed.validity().not_after.timestamp() * 1000),
            permitted: permitted
                .iter()
                .filter_map(|tree| Subtree::of(&tree.base))
                .collect(),
            der: der.clone(),
        })
    }

    /// Whether it may vouch for this host.
    pub fn permits(&self, host: &Host) -> bool {
        self.permitted.iter().any(|tree| tree.covers(host))
    }

    /// Whether it is valid at this moment.
    pub fn is_valid(&self, now: UnixMillis) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// As PEM.
    pub fn pem(&self) -> String {
        let body = STANDARD.encode(&self.der);
        let lines: Vec<&str> = (0..body.len())
            .step_by(64)
            .map(|at| &body[at..body.len().min(at + 64)])
            .collect();
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        )
    }

    /// SHA-256 of the certificate in capital hex digits, two by two, as certificate viewers show it.
    pub fn sha256(&self) -> String {
        let digest = digest(&SHA256, &self.der);
        let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    }

    /// The hosts it was made for, without those that every authority has.
    pub fn hosts(&self) -> Vec<Host> {
        let always = Host::always();
        let hosts = self.permitted.iter().filter_map(Subtree::host);
        hosts.filter(|host| !always.contains(host)).collect()
    }
}

/// An authority that can sign.
pub(super) struct Authority {
    pub(super) certificate: AuthorityCertificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A new authority as it goes to disk.
pub(super) struct MadeAuthority {
    pub(super) certificate_pem: String,
    pub(super) key_pem: String,
}

impl Authority {
    /// Makes an authority for these hosts and all names below them. `mark` makes its name unlike that of any other.
    pub(super) fn make(hosts: &[Host], mark: &str, now: UnixMillis) -> Result<MadeAuthority, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(TlsError::making)?;
        let mut params = CertificateParams::default();
        params.not_before = moment(days_after(now, -BACKDATED_DAYS))?;
        params.not_after = moment(days_after(now, AUTHORITY_DAYS))?;
        params.distinguished_name = common_name(&format!("bac2 vault CA {mark}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: subtrees(hosts),
            excluded_subtrees: Vec::new(),
        });
        let certificate = params.self_signed(&key).map_err(TlsError::making)?;
        Ok(MadeAuthority {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// Joins a certificate and its key.
    ///
    /// # Errors
    /// What is wrong with the key.
    pub(super) fn open(certificate: AuthorityCertificate, key_pem: &str) -> Result<Self, String> {
        let key = KeyPair::from_pem(key_pem).map_err(|error| error.to_string())?;
        let (_, parsed) = X509Certificate::from_der(&certificate.der).map_err(|error| error.to_string())?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err("it is not the key of the certificate beside it".to_owned());
        }
        let issuer = Issuer::from_ca_cert_der(&certificate.der, key).map_err(|error| error.to_string())?;
        Ok(Authority { certificate, issuer })
    }

    /// Makes a leaf certificate with a fresh key, and says until when it is valid.
    pub(super) fn vouch(
        &self,
        hosts: &[Host],
        now: UnixMillis,
    ) -> Result<(CertifiedKey, UnixMillis), TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(TlsError::making)?;
        let mut params = CertificateParams::default();
        let ends = days_after(now, LEAF_DAYS).min(self.certificate.not_after);
        params.not_before = moment(days_after(now, -BACKDATED_DAYS))?;
        params.not_after = moment(ends)?;
        let named = hosts.iter().find_map(|host| match host {
            Host::Name(name) if name.len() <= 64 => Some(name.as_str()),
            _ => None,
        });
        params.distinguished_name = common_name(named.unwrap_or("localhost"));
        params.subject_alt_names = hosts.iter().map(alternative).collect::<Result<_, _>>()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&key, &self.issuer).map_err(TlsError::making)?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = any_ecdsa_type(&der).map_err(TlsError::making)?;
        Ok((CertifiedKey::new(vec![leaf.der().clone()], key), ends))
    }
}

/// So many days later, or earlier.
pub(super) fn days_after(moment: UnixMillis, days: i64) -> UnixMillis {
    UnixMillis(moment.0.saturating_add(days * 24 * 3600 * 1000))
}

/// A moment in whole seconds, as certificates have it.
fn moment(moment: UnixMillis) -> Result<OffsetDateTime, TlsError> {
    OffsetDateTime::from_unix_timestamp(moment.0.div_euclid(1000)).map_err(TlsError::making)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn alternative(host: &Host) -> Result<SanType, TlsError> {
    Ok(match host {
        Host::Name(name) => SanType::DnsName(name.as_str().try_into().map_err(TlsError::making)?),
        Host::Address(address) => SanType::IpAddress(*address),
    })
}

fn subtrees(hosts: &[Host]) -> Vec<GeneralSubtree> {
    let mut all: Vec<GeneralSubtree> = Vec::new();
    for host in hosts.iter().chain(&Host::always()) {
        let tree = match host {
            Host::Name(name) => GeneralSubtree::DnsName(name.clone()),
            Host::Address(IpAddr::V4(address)) if address.is_loopback() => {
                GeneralSubtree::IpAddress(CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0]))
            }
            Host::Address(IpAddr::V4(address)) => {
                GeneralSubtree::IpAddress(CidrSubnet::V4(address.octets(), [255; 4]))
            }
            Host::Address(IpAddr::V6(address)) => {
                GeneralSubtree::IpAddress(CidrSubnet::V6(address.octets(), [255; 16]))
            }
        };
        if !all.contains(&tree) {
            all.push(tree);
        }
    }
    all
}
