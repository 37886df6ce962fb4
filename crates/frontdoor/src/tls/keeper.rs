//! Keeps the served certificates fresh: renews our own before they end, and takes the user's when their files change.
//!
//! [`Keeper::tend`] is one look at clock and files; the server calls it every [`crate::limits::CERTIFICATE_POLL`] and
//! when it is asked to reload. A look that fails leaves what is served as it is and says why, once for each cause.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use azblob::names::AccountName;
use azblob::time::UnixMillis;
use tokio_rustls::rustls::sign::CertifiedKey;

use super::authorities::{Authorities, certificates};
use super::authority::days_after;
use super::own_pair::OwnText;
use super::served::{Chosen, Served};
use super::{Certificates, OwnFiles, TlsError};
use crate::host::Host;

/// With fewer days than this left, a leaf of our own is replaced. A third of its life, so that two weeks of failures
/// go unnoticed by clients.
const RENEW_DAYS: i64 = 15;

/// With fewer days than this left, a certificate of the user's own is complained about.
const WARN_DAYS: i64 = 14;

/// Looks after the certificates of one server.
pub(crate) struct Keeper {
    names: Names,
    served: Arc<Served>,
    source: Source,
    /// What was last complained of, so that it is not said again at each look.
    complaint: Option<String>,
}

/// What clients may call the server.
struct Names {
    /// As configured.
    hosts: Vec<Host>,
    /// All that our own certificates cover; see [`Host::covered`].
    covered: Vec<Host>,
}

enum Source {
    Vault {
        data: PathBuf,
        /// How many authorities were known when the leaves were made.
        authorities: usize,
    },
    Own {
        files: OwnFiles,
        /// What was last tried, good or bad.
        tried: OwnText,
    },
}

impl Keeper {
    /// Gets the first certificates, for these hosts and for each account below them. Blocking.
    ///
    /// # Errors
    /// [`TlsError`]: without a certificate there is nothing to serve.
    pub(crate) fn open(
        from: Certificates,
        hosts: Vec<Host>,
        accounts: &[AccountName],
        now: UnixMillis,
    ) -> Result<Self, TlsError> {
        let names = Names {
            covered: Host::covered(&hosts, accounts),
            hosts,
        };
        let (chosen, source) = match from {
            Certificates::Vault(data) => {
                let chosen = vouched(&data, &names, now)?;
                let authorities = certificates(&data)?.len();
                (chosen, Source::Vault { data, authorities })
            }
            Certificates::Own(files) => {
                let tried = files.read()?;
                (own(&files, &tried, &names)?, Source::Own { files, tried })
            }
        };
        let served = Arc::new(Served::new(chosen));
        let authority_ends = served.authority_ends().map(UnixMillis::http_date);
        tracing::info!(until = %served.not_after().http_date(), authority_ends, "serving https");
        Ok(Keeper {
            names,
            served,
            source,
            complaint: None,
        })
    }

    /// What handshakes are answered with.
    pub(crate) fn served(&self) -> Arc<Served> {
        Arc::clone(&self.served)
    }

    /// Looks at clock, files and accounts, and serves fresh certificates where it is time. Blocking. Says whether they
    /// changed.
    pub(crate) fn tend(&mut self, accounts: &[AccountName], now: UnixMillis) -> bool {
        let covered = Host::covered(&self.names.hosts, accounts);
        let before = std::mem::replace(&mut self.names.covered, covered);
        let renamed = before != self.names.covered;
        let outcome = match &mut self.source {
            Source::Vault { data, authorities } => {
                fresh_leaves(data, authorities, &self.names, &self.served, renamed, now)
            }
            Source::Own { files, tried } => changed_files(files, tried, &self.names),
        };
        let complaint = match outcome {
            Ok(Some(chosen)) => {
                tracing::info!(until = %chosen.not_after.http_date(), "serving a new certificate");
                self.served.replace(chosen);
                self.complaint = None;
                return true;
            }
            Ok(None) if self.served.not_after() < days_after(now, WARN_DAYS) => Some(format!(
                "the certificate ends on {}",
                self.served.not_after().http_date()
            )),
            Ok(None) => return false,
            Err(error) => {
                // The next look tries again.
                self.names.covered = before;
                Some(error.to_string())
            }
        };
        if self.complaint != complaint {
            let why = complaint.as_deref().unwrap_or_default();
            tracing::error!(why, "the certificate is not renewed; the old one is served on");
            self.complaint = complaint;
        }
        false
    }
}

/// New leaves when those that are served end soon, when an authority was added, or when accounts came or went.
fn fresh_leaves(
    data: &Path,
    known: &mut usize,
    names: &Names,
    served: &Served,
    renamed: bool,
    now: UnixMillis,
) -> Result<Option<Chosen>, TlsError> {
    let count = certificates(data)?.len();
    if !renamed && count == *known && served.not_after() > days_after(now, RENEW_DAYS) {
        return Ok(None);
    }
    let chosen = vouched(data, names, now)?;
    *known = certificates(data)?.len();
    Ok(Some(chosen))
}

/// One leaf for each authority that has something to sign.
fn vouched(data: &Path, names: &Names, now: UnixMillis) -> Result<Chosen, TlsError> {
    let authorities = Authorities::open(data, &names.hosts, now)?;
    let mut by_signer: BTreeMap<u32, Vec<Host>> = BTreeMap::new();
    for host in &names.covered {
        let signer = authorities.signer(host, now)?.certificate.number;
        by_signer.entry(signer).or_default().push(host.clone());
    }
    let local = Host::Name("localhost".to_owned());
    let local_signer = authorities.signer(&local, now)?.certificate.number;
    let (mut default, mut by_name, mut not_after) = (None, BTreeMap::new(), authorities.last_ends());
    for (number, hosts) in by_signer {
        let authority = authorities.signer(&hosts[0], now)?;
        let (leaf, ends) = authority.vouch(&hosts, now)?;
        let leaf: Arc<CertifiedKey> = Arc::new(leaf);
        not_after = not_after.min(ends);
        if number == local_signer {
            default = Some(leaf);
            continue;
        }
        for host in hosts {
            if let Host::Name(name) = host {
                by_name.insert(name, Arc::clone(&leaf));
            }
        }
    }
    Ok(Chosen {
        default: default.ok_or_else(|| TlsError::Making("localhost is not among the hosts".to_owned()))?,
        by_name,
        not_after,
        authority_ends: Some(authorities.last_ends()),
    })
}

/// The user's pair, when its files hold something else than before.
fn changed_files(files: &OwnFiles, tried: &mut OwnText, names: &Names) -> Result<Option<Chosen>, TlsError> {
    let text = files.read()?;
    if text == *tried {
        return Ok(None);
    }
    *tried = text;
    own(files, tried, names).map(Some)
}

fn own(files: &OwnFiles, text: &OwnText, names: &Names) -> Result<Chosen, TlsError> {
    let pair = files.pair(text)?;
    for host in names.hosts.iter().filter(|host| !pair.covers(host)) {
        tracing::warn!(%host, certificate = %files.certificate.display(), "the certificate does not cover a host");
    }
    Ok(Chosen {
        default: Arc::new(pair.certified),
        by_name: BTreeMap::new(),
        not_after: pair.not_after,
        authority_ends: None,
    })
}
