//! What proof needs of the store, as a small trait: bytes to read back, and a place for the verdict.

use std::fmt::Debug;
use std::ops::Range;

use bak::stripes::Family;
use bak::{Report, Verdict};

/// Why bytes cannot be read back.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// The blob or block is no longer there, or is another one now: nobody needs the verdict.
    Gone,
    /// The store's own checksum does not hold.
    Damaged(String),
    /// Anything else; the blob is tried again after the next start.
    Failed(String),
}

/// What proof found out about one commit.
#[derive(Debug, Clone)]
pub(crate) enum Finding {
    /// A backup, judged.
    Backup(Box<Report>),
    /// No backup.
    Foreign,
    /// The store cannot read it.
    Damaged(String),
    /// The verifier itself broke down.
    CannotVerify(String),
}

/// What became of a recorded finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Stored, and no lease is held: it stays.
    Final,
    /// Stored; a lease is held, so its holder may commit again.
    Leased,
    /// The blob has another commit by now, or is gone.
    Stale,
    /// The store did not take it.
    Refused,
}

/// What a committed blob needs after a start.
#[derive(Debug)]
pub(crate) enum Unfinished<B, C> {
    /// It has no verdict.
    Verify(B),
    /// Its verdict is not final, or it is to be sealed.
    Settle(B),
    /// It is a family of a stripe set.
    Stripe(B, C, Family),
}

/// What the store says of the verdict on one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The verdict; none for what is no backup.
    pub(crate) verdict: Option<Verdict>,
    /// Nobody held a lease once it was judged.
    pub(crate) is_final: bool,
}

/// The store, as proof sees it. All calls block.
pub(crate) trait Shelf: Send + Sync + 'static {
    /// Names a blob.
    type Blob: Clone + Ord + Debug + Send + 'static;
    /// Names the bytes of one uploaded block.
    type Place: Clone + Eq + Debug + Send + 'static;
    /// Names one commit of a blob; the later is the greater.
    type Commit: Copy + Ord + Debug + Send + 'static;
    /// Names what the members of a stripe set lie in together.
    type Realm: Clone + Ord + Debug + Send + 'static;

    /// What a blob lies in.
    fn realm(&self, blob: &Self::Blob) -> Self::Realm;

    /// Bytes of a block.
    fn block_size(&self, place: &Self::Place) -> u64;

    /// Bytes of a committed blob.
    fn blob_size(&self, commit: &Self::Commit) -> u64;

    /// Reads from a block, filling `into`.
    ///
    /// # Errors
    /// [`Unreadable`].
    fn read_block(
        &self,
        blob: &Self::Blob,
        place: &Self::Place,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), Unreadable>;

    /// Reads from a committed blob, filling `into`.
    ///
    /// # Errors
    /// [`Unreadable`]; `Gone` when the blob has another commit now.
    fn read_blob(
        &self,
        blob: &Self::Blob,
        commit: &Self::Commit,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), Unreadable>;

    /// Whether the blob's bytes have places of their own, as those of page and append blobs have.
    fn is_paged(&self, blob: &Self::Blob) -> bool;

    /// Reads from a page or append blob as it is now, filling `into`.
    ///
    /// # Errors
    /// [`Unreadable`]; `Gone` where the blob is shorter.
    fn read_pages(&self, blob: &Self::Blob, offset: u64, into: &mut [u8]) -> Result<(), Unreadable>;

    /// The first stretch of bytes from `offset` on that was written; `None` where only a hole follows, or nothing.
    ///
    /// # Errors
    /// [`Unreadable`].
    fn written_from(&self, blob: &Self::Blob, offset: u64) -> Result<Option<Range<u64>>, Unreadable>;

    /// Whether a lease is held on the blob.
    fn is_leased(&self, blob: &Self::Blob) -> bool;

    /// Stores a verdict with the blob.
    fn record(&self, blob: &Self::Blob, commit: &Self::Commit, finding: &Finding) -> Recorded;

    /// Gives a commit that was judged another verdict, because of what other blobs are.
    fn amend(
        &self,
        blob: &Self::Blob,
        commit: &Self::Commit,
        verdict: Verdict,
        reasons: Vec<String>,
    ) -> Recorded;

    /// Marks the verdict of a blob final if no lease is held on it any more, and seals what is to be sealed. `true` when
    /// there is nothing left to do.
    fn settle(&self, blob: &Self::Blob) -> bool;

    /// Tells of each committed blob that needs something.
    fn unfinished(&self, tell: &mut dyn FnMut(Unfinished<Self::Blob, Self::Commit>));

    /// The verdict on a commit; `None` when the blob has another one by now, or is gone, or is not judged.
    fn standing(&self, blob: &Self::Blob, commit: &Self::Commit) -> Option<Standing>;

    /// The family of a stripe set that a judged commit is; `None` as for [`Shelf::standing`], and where it is none.
    fn family(&self, blob: &Self::Blob, commit: &Self::Commit) -> Option<Family>;

    /// The commit that a blob has now, if it is not empty.
    fn current(&self, blob: &Self::Blob) -> Option<Self::Commit>;
}
