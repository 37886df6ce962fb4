//! Who breaks leases: a judge at the store that looks, whenever a lease is gone that its holder has not given back, whether the backup
//! that writes the blob still runs on its instance.
//!
//! It asks the instances themselves and nothing of the vault. A statement counts as alive from its begin until its session has ended
//! it, whether its client is there or not; that of an instance which ended is not.

use std::sync::{Arc, Mutex, Weak};

use azblob::lease::LeaseStatus;
use blobstore::{BlobPath, Permit, Store};

use super::door::HOST;
use super::servers::Server;

/// The judge.
#[derive(Default)]
pub(crate) struct Leases {
    servers: Mutex<Vec<Weak<Server>>>,
    seen: Mutex<Seen>,
}

/// What it saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Leases that were broken.
    pub(crate) broken: u64,
    /// Those of them whose backup was alive, one sentence each.
    pub(crate) wrong: Vec<String>,
}

impl Leases {
    /// Asks this instance from now on.
    pub(crate) fn watch(&self, server: &Arc<Server>) {
        self.servers.lock().unwrap().push(Arc::downgrade(server));
    }

    /// Does what may break the lease of a blob.
    pub(crate) fn during<T>(&self, store: &Store, path: &BlobPath, who: &str, deed: impl FnOnce() -> T) -> T {
        let was_leased = is_leased(store, path);
        let done = deed();
        if was_leased && !is_leased(store, path) {
            let mut seen = self.seen.lock().unwrap();
            seen.broken += 1;
            if let Some(writer) = self.writer(path) {
                let name = path.blob.as_str();
                let sentence = format!("{who} broke the lease of {name}, which {writer} is writing");
                seen.wrong.push(sentence);
            }
        }
        done
    }

    /// What it saw so far.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// The instance on which a backup to a blob runs.
    pub(crate) fn writer(&self, path: &BlobPath) -> Option<String> {
        let url = format!(
            "'https://{HOST}/{}/{}'",
            path.container.as_str(),
            path.blob.as_str()
        );
        let servers = self.servers.lock().unwrap();
        let mut running = servers.iter().filter_map(Weak::upgrade);
        let found = running.find(|server| {
            server.instance().is_some_and(|instance| {
                let state = instance.state();
                let mut requests = state
                    .sessions
                    .values()
                    .filter_map(|session| session.request.as_ref());
                requests.any(|request| request.command.starts_with("BACKUP") && request.text.contains(&url))
            })
        });
        found.map(|server| server.address.clone())
    }
}

fn is_leased(store: &Store, path: &BlobPath) -> bool {
    let view = store.blob_properties(path, &Permit::NONE);
    view.is_ok_and(|view| view.lease_view.status == LeaseStatus::Locked)
}
