//! Who uses which blob: what a front door can testify of the holder of a lease.

use std::collections::BTreeMap;
use std::time::Duration;

use blobstore::BlobPath;

/// So long a client keeps a connection that it does not use.
const IDLES: Duration = Duration::from_secs(120);

/// The record.
#[derive(Default)]
pub(crate) struct Uses {
    /// By holder: what its connections were last used for, and when.
    connections: BTreeMap<(String, BlobPath), Duration>,
    /// When each blob was last used, or its last connection ended.
    used: BTreeMap<BlobPath, Duration>,
    since: Duration,
}

impl Uses {
    /// Watches from then on.
    pub(crate) fn watch_from(&mut self, now: Duration) {
        self.since = now;
    }

    /// A request about a blob.
    pub(crate) fn used(&mut self, holder: &str, path: &BlobPath, now: Duration) {
        self.connections.insert((holder.to_owned(), path.clone()), now);
        self.used.insert(path.clone(), now);
    }

    /// A holder is gone.
    pub(crate) fn close(&mut self, holder: &str, now: Duration) {
        let gone: Vec<_> = self
            .connections
            .extract_if(.., |(one, _), at| {
                one == holder && now.saturating_sub(*at) < IDLES
            })
            .collect();
        self.connections.retain(|(one, _), _| one != holder);
        for ((_, path), _) in gone {
            self.used.insert(path, now);
        }
    }

    /// Open connections, and the time since the newest use.
    pub(crate) fn testify(&self, path: &BlobPath, now: Duration) -> (u32, Duration, Duration) {
        let of_blob = self.connections.iter().filter(|((_, one), _)| one == path);
        let mut open = 0;
        let mut ended = None;
        for (_, at) in of_blob {
            if now.saturating_sub(*at) < IDLES {
                open += 1;
            } else {
                ended = ended.max(Some(*at + IDLES));
            }
        }
        let watched = now.saturating_sub(self.since);
        let newest = self.used.get(path).copied().max(ended);
        let quiet = match (open, newest) {
            (1.., _) => Duration::ZERO,
            (_, Some(at)) => now.saturating_sub(at).min(watched),
            (_, None) => watched,
        };
        (open, quiet, watched)
    }
}
