//! Copies that take long: a few threads of their own, which go on when the request that asked has its answer.
//!
//! A copy is queued with its destination made and waiting ([`blobstore::CopyRight::Pending`]). It ends in one of three
//! ways: its content takes the destination's place; it fails, and the destination says why; or the destination no
//! longer waits for it (Abort Copy Blob), which the writer notices at its next step. A server that stops drops what is
//! under way; the store then shows those copies as failed.
//!
//! Bounded: [`limits::COPY_THREADS`] at work, [`limits::COPIES_WAITING`] in the queue, a step's bytes in memory each.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use azblob::copy::CopyStatus;
use azblob::error::ErrorCode;
use azblob::etag::ETag;
use blobstore::{BlobPath, BlobView, CopyRight, CopyWriter, Properties, Store, StoreError};

use crate::door::now;
use crate::limits;
use crate::proof::Proof;
use crate::uses::Use;

/// A copy whose destination is waiting.
pub(crate) struct Job {
    pub(crate) path: BlobPath,
    /// `x-ms-copy-id`
    pub(crate) id: String,
    pub(crate) writer: CopyWriter,
    /// The destination's tag while it waits.
    pub(crate) waiting: ETag,
    /// The destination's properties, with the state of the copy as it began.
    pub(crate) properties: Properties,
    /// The copy uses both blobs until it has ended.
    pub(crate) _uses: [Use; 2],
}

/// The threads and what they have to do.
pub(crate) struct Copies {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    store: Arc<Store>,
    proof: Arc<Proof>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Job, Arc<Progress>)>,
    /// Those waiting and those under way, by id.
    known: BTreeMap<String, Arc<Progress>>,
    stopping: bool,
}

#[derive(Default)]
struct Progress {
    copied: AtomicU64,
    unwanted: AtomicBool,
}

impl Copies {
    /// Starts the threads.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(crate) fn start(store: Arc<Store>, proof: Arc<Proof>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            store,
            proof,
            queue: Mutex::default(),
            changed: Condvar::new(),
        });
        let threads = (0..limits::COPY_THREADS)
            .map(|n| {
                let shared = Arc::clone(&shared);
                Builder::new()
                    .name(format!("copy-{n}"))
                    .spawn(move || shared.run())
            })
            .collect::<Result<_, _>>()?;
        Ok(Copies { shared, threads })
    }

    /// Whether one more copy may be begun.
    pub(crate) fn has_room(&self) -> bool {
        self.shared.lock().waiting.len() < limits::COPIES_WAITING
    }

    /// Takes a copy.
    pub(crate) fn add(&self, job: Job) {
        let mut queue = self.shared.lock();
        let progress = Arc::<Progress>::default();
        queue.known.insert(job.id.clone(), Arc::clone(&progress));
        queue.waiting.push_back((job, progress));
        self.shared.changed.notify_one();
    }

    /// A copy was ended by its destination.
    pub(crate) fn abort(&self, id: &str) {
        if let Some(progress) = self.shared.lock().known.get(id) {
            progress.unwanted.store(true, Ordering::Relaxed);
        }
    }

    /// Tells in a view how far its pending copy is.
    pub(crate) fn tell_progress(&self, view: &mut BlobView) {
        let pending = view.copy.as_mut();
        if let Some(copy) = pending.filter(|copy| copy.status == CopyStatus::Pending)
            && let Some(progress) = self.shared.lock().known.get(&copy.id)
        {
            copy.copied = progress.copied.load(Ordering::Relaxed);
        }
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        {
            let mut queue = self.shared.lock();
            queue.stopping = true;
            queue.waiting.clear();
            for progress in queue.known.values() {
                progress.unwanted.store(true, Ordering::Relaxed);
            }
        }
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that copies blobs broke down");
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        while let Some((job, progress)) = self.next() {
            let id = job.id.clone();
            self.copy(job, &progress);
            self.lock().known.remove(&id);
        }
    }

    fn next(&self) -> Option<(Job, Arc<Progress>)> {
        let mut queue = self.lock();
        loop {
            if queue.stopping {
                return None;
            }
            if let Some(next) = queue.waiting.pop_front() {
                return Some(next);
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn copy(&self, job: Job, progress: &Progress) {
        let (path, id) = (job.path.clone(), job.id.clone());
        match self.carry_out(job, progress) {
            Ok(()) | Err(StoreError::Protocol(ErrorCode::NoPendingCopyOperation)) => {}
            Err(error) => give_up(&self.store, &path, &id, &error),
        }
    }

    fn carry_out(&self, mut job: Job, progress: &Progress) -> Result<(), StoreError> {
        loop {
            if progress.unwanted.load(Ordering::Relaxed) {
                return Ok(());
            }
            if !job.writer.step()? {
                break;
            }
            progress.copied.store(job.writer.copied(), Ordering::Relaxed);
        }
        let size = job.writer.total();
        if let Some(copy) = &mut job.properties.copy {
            copy.status = CopyStatus::Success;
            copy.copied = size;
            copy.completed = Some(now());
        }
        let right = CopyRight::Pending(job.waiting);
        let done = job.writer.commit(job.properties, &right)?;
        self.proof.blob_stored(&job.path, done.commit, size, None);
        Ok(())
    }
}

/// Lets the destination of a copy say that the copy failed, and why. Blocking.
pub(crate) fn give_up(store: &Store, path: &BlobPath, id: &str, why: &StoreError) {
    if matches!(why, StoreError::ReadOnly { .. }) {
        // It cannot say so before a restart, and then says it by itself.
        return;
    }
    tracing::warn!(blob = ?path, %id, error = %why, "a copy failed");
    let ended = store.end_copy(path, id, CopyStatus::Failed, Some(&description(why)), None);
    if let Err(error) = ended {
        tracing::warn!(blob = ?path, %id, %error, "the failure of a copy could not be noted");
    }
}

/// What clients are told of a failure: a status, a code and a sentence, as Azure does it; nothing of files and paths.
fn description(why: &StoreError) -> String {
    match why {
        StoreError::Protocol(code) => format!("{} {} \"{}\"", code.status(), code.as_str(), code.message()),
        StoreError::DiskFull => {
            "507 InsufficientStorage \"The disk of the backup store is full.\"".to_owned()
        }
        StoreError::Damaged { .. } => {
            "500 BlobContentIsDamaged \"The stored bytes of the source are not what was uploaded.\""
                .to_owned()
        }
        _ => format!("500 InternalError \"{}\"", ErrorCode::InternalError.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_described_without_the_servers_files() {
        let damaged = StoreError::Damaged {
            what: "/srv/vault/blobs/x".to_owned(),
        };
        let code = StoreError::Protocol(ErrorCode::SourceConditionNotMet);
        for (why, begins) in [
            (damaged, "500 BlobContentIsDamaged \""),
            (code, "412 SourceConditionNotMet \""),
            (StoreError::DiskFull, "507 InsufficientStorage \""),
            (StoreError::BlockIsGone, "500 InternalError \""),
        ] {
            let told = description(&why);
            assert!(told.starts_with(begins) && !told.contains("vault"), "{told}");
            assert!(
                told.chars().all(|c| c.is_ascii_graphic() || c == ' '),
                "it stands in a header: {told}"
            );
        }
    }
}
