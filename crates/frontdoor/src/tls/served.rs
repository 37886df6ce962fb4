//! The certificates that handshakes are answered with at this moment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use azblob::time::UnixMillis;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

/// A set of certificates, by the name the client asks for.
pub(super) struct Chosen {
    /// For a client that names no host or one we do not know.
    pub(super) default: Arc<CertifiedKey>,
    /// For names whose certificate differs from the default: those that a younger authority vouches for.
    pub(super) by_name: BTreeMap<String, Arc<CertifiedKey>>,
    /// When the first of them ends.
    pub(super) not_after: UnixMillis,
    /// When the last authority behind them ends; `None` where it is not ours.
    pub(super) authority_ends: Option<UnixMillis>,
}

/// What is served; replaced as a whole.
pub(crate) struct Served(RwLock<Arc<Chosen>>);

impl Served {
    pub(super) fn new(chosen: Chosen) -> Self {
        Served(RwLock::new(Arc::new(chosen)))
    }

    pub(super) fn replace(&self, chosen: Chosen) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(chosen);
    }

    fn now(&self) -> Arc<Chosen> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a client sees that asks for this name.
    pub(super) fn shown(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let chosen = self.now();
        let named = name.and_then(|name| {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            chosen.by_name.get(&name)
        });
        Arc::clone(named.unwrap_or(&chosen.default))
    }

    /// When the first certificate that is served ends.
    pub(crate) fn not_after(&self) -> UnixMillis {
        self.now().not_after
    }

    /// When the last of the vault's own authorities ends.
    pub(crate) fn authority_ends(&self) -> Option<UnixMillis> {
        self.now().authority_ends
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served")
            .field("not_after", &self.not_after())
            .finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown(hello.server_name()))
    }
}
