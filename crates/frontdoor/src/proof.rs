//! Proof in flight: every backup is verified while it arrives, without a second read of its data where its blocks come
//! in order, and without ever delaying an answer.
//!
//! [`predict`] tells from block ids in which order the blocks belong; [`run`] is the state of one blob, [`flow`] that of a
//! page or append blob; [`prover`] has
//! the threads; [`sets`] knows the stripe sets; [`budget`] bounds the memory in which blocks wait for them; [`shelf`] is what all this needs of the
//! store, and [`stored`] the store as that. What the memory cannot hold is read back, from the page cache as a rule.

mod budget;
mod flow;
mod log;
mod opening;
mod predict;
mod prover;
mod run;
mod seen;
mod sets;
mod shelf;
mod stored;
mod tally;

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use azblob::block::BlockId;
use azblob::names::{AccountName, ContainerName};
use blobstore::{BlobPath, BlockRef, CommitId, Store};

pub(crate) use budget::Kept;
pub(crate) use opening::Opening;
pub(crate) use sets::{STRIPES_PLACE, reasons};
pub(crate) use stored::family_of;
pub(crate) use tally::Census;

use prover::Prover;
use stored::{Commit, Stored};

/// The verifier of one store, as the door sees it.
pub(crate) struct Proof(Prover<Stored>);

impl Proof {
    /// Starts the threads; blobs without a final verdict are found and verified in the background. `seal`: blobs whose
    /// verdict is final and ok are sealed, those too that were proved before. `quiet`: how long nothing is written to a page
    /// or append blob before it is judged.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(crate) fn start(store: Arc<Store>, seal: bool, threads: usize, quiet: Duration) -> io::Result<Self> {
        Prover::start(Stored::new(store, seal), threads, quiet).map(Proof)
    }

    /// Room to keep a block of `bytes` in memory, when it would help and there is any.
    pub(crate) fn room(&self, blob: &BlobPath, bytes: u64) -> Option<Kept> {
        self.0.room(blob, bytes)
    }

    /// Room to keep a whole blob of `bytes`.
    pub(crate) fn room_for_blob(&self, bytes: u64) -> Option<Kept> {
        self.0.room_for_blob(bytes)
    }

    /// A block is stored; `opens` says that it begins like a backup.
    pub(crate) fn block_stored(
        &self,
        blob: &BlobPath,
        id: &BlockId,
        block: BlockRef,
        kept: Option<Kept>,
        opens: bool,
    ) {
        self.0.block_stored(blob, id.as_bytes(), block, kept, opens);
    }

    /// A block list is stored.
    pub(crate) fn committed(&self, blob: &BlobPath, commit: CommitId, blocks: Vec<(BlockId, BlockRef)>) {
        let size = blocks.iter().map(|(_, block)| block.size()).sum();
        let sequence = blocks
            .into_iter()
            .map(|(id, block)| (id.as_bytes().to_vec(), block))
            .collect();
        self.0.committed(blob, Commit { id: commit, size }, sequence);
    }

    /// A blob was stored in one piece.
    pub(crate) fn blob_stored(&self, blob: &BlobPath, commit: CommitId, size: u64, kept: Option<Kept>) {
        self.0.blob_stored(blob, Commit { id: commit, size }, kept);
    }

    /// A page or append blob was made, with nothing in it.
    pub(crate) fn pages_created(&self, blob: &BlobPath, commit: CommitId) {
        self.0.pages_created(blob, Commit { id: commit, size: 0 });
    }

    /// Pages of a blob are about to be changed, or bytes to be appended: to be asked for before the store does it, and to
    /// be told with [`Writing::done`] what was changed.
    pub(crate) fn writing(self: &Arc<Self>, blob: &BlobPath) -> Writing {
        self.0.pages_begin(blob);
        Writing {
            proof: Arc::clone(self),
            blob: blob.clone(),
            changed: None,
        }
    }

    /// A blob is gone.
    pub(crate) fn forget(&self, blob: &BlobPath) {
        self.0.forget(blob);
    }

    /// A container is gone.
    pub(crate) fn forget_container(&self, account: &AccountName, container: &ContainerName) {
        self.0
            .forget_all(|blob| blob.account == *account && blob.container == *container);
    }

    /// A lease operation succeeded: the verdict may be final now.
    pub(crate) fn lease_changed(&self, blob: &BlobPath) {
        self.0.lease_changed(blob);
    }

    /// What it has done and has still to do.
    pub(crate) fn census(&self) -> Census {
        self.0.census()
    }

    /// Waits until nothing is left to do.
    pub(crate) fn wait_until_idle(&self) {
        self.0.wait_until_idle();
    }
}

/// A change of a page or append blob under way: while there is one, no verdict is given on the blob.
pub(crate) struct Writing {
    proof: Arc<Proof>,
    blob: BlobPath,
    changed: Option<(Range<u64>, Commit)>,
}

impl Writing {
    /// These bytes were changed, durably, which made this commit.
    pub(crate) fn done(mut self, changed: Range<u64>, commit: CommitId) {
        self.changed = Some((changed, Commit { id: commit, size: 0 }));
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.proof.0.pages_end(&self.blob, self.changed.take());
    }
}
