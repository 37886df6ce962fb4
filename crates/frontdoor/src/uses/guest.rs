//! A connection and its requests, as users of blobs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use blobstore::BlobPath;
use tokio::time::Instant;

use super::{Kind, Uses, lock};

/// A connection. It stays with the blob that its latest request was about until it is dropped.
pub(crate) struct Guest {
    uses: Arc<Uses>,
    with: Mutex<Option<(Arc<BlobPath>, Kind)>>,
    /// When the first byte came of the request head that is waited for.
    head: Mutex<Option<Instant>>,
}

impl Guest {
    /// A connection that has not asked for anything yet.
    pub(crate) fn new(uses: Arc<Uses>) -> Arc<Self> {
        Arc::new(Guest {
            uses,
            with: Mutex::default(),
            head: Mutex::default(),
        })
    }

    /// A request of this connection about a blob is let through. It is a use of the blob, as far as the door can tell, until
    /// [`Use::refused`].
    pub(crate) fn begins(self: &Arc<Self>, path: BlobPath, kind: Kind) -> Use {
        let comes = !matches!(&*lock(&self.with), Some((with, _)) if **with == path);
        let path = self.uses.shard(&path).begin(path, kind, comes);
        Use {
            uses: Arc::clone(&self.uses),
            path,
            kind,
            counts: AtomicBool::new(true),
            guest: Some(Arc::clone(self)),
            came: comes,
        }
    }

    /// Whether it is with a blob that a lease locks, as far as can be told at once.
    pub(crate) fn is_with_locked(&self) -> bool {
        let with = lock(&self.with).clone();
        with.is_some_and(|(path, _)| self.uses.may_be_locked(&path))
    }

    /// The next request head is waited for from now on.
    pub(crate) fn awaits_head(&self) {
        *lock(&self.head) = None;
    }

    /// Bytes arrived.
    pub(crate) fn heard(&self) {
        lock(&self.head).get_or_insert_with(Instant::now);
    }

    /// When the head began that is waited for; None before its first byte.
    pub(crate) fn head_began(&self) -> Option<Instant> {
        *lock(&self.head)
    }

    /// Stays with this blob, which counts the connection already, and leaves the one before.
    fn stay(&self, path: Arc<BlobPath>, kind: Kind) {
        if let Some((before, kind)) = lock(&self.with).replace((path, kind)) {
            self.uses
                .shard(&before)
                .leave(&before, kind, &self.uses.is_locked);
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some((path, kind)) = lock(&self.with).take() {
            self.uses.shard(&path).leave(&path, kind, &self.uses.is_locked);
        }
    }
}

/// A use of a blob, until it is dropped.
pub(crate) struct Use {
    uses: Arc<Uses>,
    path: Arc<BlobPath>,
    kind: Kind,
    counts: AtomicBool,
    /// None: beside a request about another blob.
    guest: Option<Arc<Guest>>,
    /// The connection was not with the blob before, and counts for it meanwhile.
    came: bool,
}

impl Use {
    /// Another use for the sake of the same request. It moves no connection, and does not count before
    /// [`Use::succeeded`].
    pub(crate) fn beside(uses: &Arc<Uses>, path: BlobPath, kind: Kind) -> Self {
        let path = uses.shard(&path).begin(path, kind, false);
        Use {
            uses: Arc::clone(uses),
            path,
            kind,
            counts: AtomicBool::new(false),
            guest: None,
            came: false,
        }
    }

    /// A use by what goes on in the server after the answer.
    pub(crate) fn goes_on(&self, path: BlobPath, kind: Kind) -> Self {
        let goes_on = Self::beside(&self.uses, path, kind);
        goes_on.succeeded();
        goes_on
    }

    /// It was what it seemed to be.
    pub(crate) fn succeeded(&self) {
        self.counts.store(true, Ordering::Relaxed);
    }

    /// The request is answered, and with that its connection stays with this blob.
    pub(crate) fn answered(&mut self) {
        if let Some(guest) = self.guest.as_ref().filter(|_| self.came) {
            self.came = false;
            guest.stay(Arc::clone(&self.path), self.kind);
        } else if let Some(guest) = &self.guest
            && let Some((with, kind)) = &mut *lock(&guest.with)
            && Arc::ptr_eq(with, &self.path)
        {
            *kind = self.kind;
        }
    }

    /// The request is refused: it was no use.
    pub(crate) fn refused(self) {
        self.counts.store(false, Ordering::Relaxed);
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let counts = self.counts.load(Ordering::Relaxed);
        if counts {
            self.answered();
        }
        self.uses
            .shard(&self.path)
            .end(&self.path, self.kind, (counts, self.came), &self.uses.is_locked);
    }
}
