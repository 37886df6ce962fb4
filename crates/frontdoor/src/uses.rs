//! Who uses which blob: what the door can testify of the holder of a lease ([`LeaseWitness`]).
//!
//! Every request about a blob is a [`Use`] from its head to the last byte of its answer, and every connection stays with
//! the blob that its latest such request was about ([`Guest`]). A request that is refused leaves no trace, nor does an
//! onlooker's read. Restores are seen by this alone: a read changes nothing in the store.
//!
//! Invariants: a blob that a connection is with, or that is being used, is never forgotten. Of the others those are
//! forgotten that no lease locks: whoever locks one later does it by a request, which is a use. Beyond
//! [`limits::USES`] locked ones the longest unused is forgotten, and from then on the door says that it has been watching
//! what it does not know since that moment only. It never claims to have watched for longer than is true.
//!
//! Each request takes the lock of a part of the record twice, for a look-up among its blobs; they are divided among the
//! parts by their names. Nothing here waits for the disk. What is forgotten depends on the order of requests alone.

mod guest;
mod kind;
mod shard;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use azblob::lease::LeaseWitness;
use blobstore::BlobPath;
use tokio::time::Instant;

pub(crate) use guest::{Guest, Use};
pub(crate) use kind::Kind;
use shard::Shard;

use crate::limits;

/// Parts of the record, each with a lock of its own: more than there are cores that would wait for each other.
const SHARDS: usize = 16;

/// Whether a lease locks a blob, where that can be told at once.
type IsLocked = dyn Fn(&BlobPath) -> Option<bool> + Send + Sync;

/// The record.
pub(crate) struct Uses {
    shards: [Mutex<Shard>; SHARDS],
    is_locked: Box<IsLocked>,
}

impl Uses {
    /// Watches from now on. `is_locked` says whether a lease locks a blob, without waiting; None where it would have to.
    pub(crate) fn new(is_locked: impl Fn(&BlobPath) -> Option<bool> + Send + Sync + 'static) -> Arc<Self> {
        Self::with_room(limits::USES, is_locked)
    }

    fn with_room(
        blobs: usize,
        is_locked: impl Fn(&BlobPath) -> Option<bool> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (now, room) = (Instant::now(), blobs.div_ceil(SHARDS));
        Arc::new(Uses {
            shards: std::array::from_fn(|_| Mutex::new(Shard::new(room, now))),
            is_locked: Box::new(is_locked),
        })
    }

    /// What was seen of those who use a blob. Only of a locked one does it say all.
    pub(crate) fn testify(&self, path: &BlobPath) -> LeaseWitness {
        let now = Instant::now();
        self.shard(path).testify(path, now)
    }

    /// Whether a lease locks a blob, as far as can be told at once.
    pub(crate) fn may_be_locked(&self, path: &BlobPath) -> bool {
        (self.is_locked)(path) != Some(false)
    }

    /// Forgets blobs whose lease ended without a request. Blocking for a moment.
    pub(crate) fn sweep(&self) {
        for shard in &self.shards {
            let unused = lock(shard).unused();
            for path in unused {
                lock(shard).forget_unlocked(&path, &self.is_locked);
            }
        }
    }

    /// The part of the record that a blob is in, whatever process asks: FNV-1a of its name.
    fn shard(&self, path: &BlobPath) -> MutexGuard<'_, Shard> {
        let name = path.container.as_str().bytes().chain(path.blob.as_str().bytes());
        let hash = name.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        lock(&self.shards[(hash % SHARDS as u64) as usize])
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
