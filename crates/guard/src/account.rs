//! The seam between the guard and a storage account.
//!
//! What the guard needs and nothing more: it lists, looks, reads, breaks and deletes. The real account is
//! [`crate::azure`]; tests bring one in memory. Every future may be dropped at any moment without harm.
//!
//! Rules for implementors: a failed look may be tried again inside, within reason and as the service asks; **a break is
//! sent once**: a retry could meet the lease of a new backup that took the place of the first one. Requests carry
//! [`LOOK_HEADER`](azblob::lease::LOOK_HEADER), so that the vault's own door does not take the guard for a reader.

use std::future::Future;
use std::ops::Range;

use azblob::block::BlockId;
use azblob::lease::{LeaseView, LeaseWitness};
use azblob::response::BlobType;
use azblob::time::UnixMillis;
use bytes::Bytes;

use crate::fault::Fault;
use crate::place::Place;

/// A blob's tag, opaque, quoted as the service sent it. It changes with every change of content or metadata and with no
/// lease operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ETag(pub String);

/// Where the next page of a listing begins; opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker(pub String);

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// More follows.
    pub next: Option<Marker>,
}

/// What a look at a blob's properties says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// Blocks, pages or appended blocks.
    pub kind: BlobType,
    /// Bytes of the committed content; of a page blob the declared size.
    pub size: u64,
    /// `None` for a blob that has only uncommitted blocks.
    pub etag: Option<ETag>,
    /// `None` for a blob that has only uncommitted blocks.
    pub last_modified: Option<UnixMillis>,
    /// When it was made, where the service says so.
    pub created: Option<UnixMillis>,
    /// Status, state and duration of its lease.
    pub lease: LeaseView,
}

/// A blob of a listing: never a snapshot, an old version or a deleted one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub blob: String,
    /// Its properties.
    pub properties: Properties,
}

/// The answer of a look at one blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its properties.
    pub properties: Properties,
    /// What the vault's own door saw; `None` everywhere else.
    pub witness: Option<LeaseWitness>,
}

/// Whether a lease has a certain id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It has (200).
    Match,
    /// It has another (412 or 409 `LeaseIdMismatchWithBlobOperation`).
    Mismatch,
    /// The blob is not leased any more (412 `LeaseNotPresentWithBlobOperation` or `LeaseLost`).
    NotLeased,
}

/// One block of a block list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    /// Its id.
    pub id: BlockId,
    /// Its bytes.
    pub size: u64,
}

/// The blocks of a block blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// In the order of the content.
    pub committed: Vec<Block>,
    /// Put and not yet committed, in the service's order.
    pub uncommitted: Vec<Block>,
}

/// A storage account, or the part of it that the credential reaches.
pub trait Account: Sync {
    /// Its address for people and reports, `https://NAME.blob.core.windows.net`: without any secret.
    fn address(&self) -> &str;

    /// One page of the account's containers, by name.
    fn containers(&self, from: Option<&Marker>) -> impl Future<Output = Result<Page<String>, Fault>> + Send;

    /// One page of a container's blobs whose names begin with `prefix`, uncommitted ones included.
    fn blobs(
        &self,
        container: &str,
        prefix: &str,
        from: Option<&Marker>,
    ) -> impl Future<Output = Result<Page<Listed>, Fault>> + Send;

    /// The blob's properties (HEAD, no lease id).
    fn head(&self, place: &Place) -> impl Future<Output = Result<Head, Fault>> + Send;

    /// Asks whether the blob's lease has the id `id`, written exactly so (HEAD with `x-ms-lease-id`). Changes nothing,
    /// needs only read permission.
    fn probe(&self, place: &Place, id: &str) -> impl Future<Output = Result<Probe, Fault>> + Send;

    /// The bytes of `range`, cut at the blob's end, of the content with the tag `of`. At most
    /// [`READ_MAX`](crate::limits::READ_MAX) bytes may be asked for.
    fn read(
        &self,
        place: &Place,
        range: Range<u64>,
        of: &ETag,
    ) -> impl Future<Output = Result<Bytes, Fault>> + Send;

    /// The written ranges of a page blob below `end`, in order, not touching each other, at most
    /// [`PAGE_RANGES_MAX`](crate::limits::PAGE_RANGES_MAX).
    fn page_ranges(
        &self,
        place: &Place,
        end: u64,
    ) -> impl Future<Output = Result<Vec<Range<u64>>, Fault>> + Send;

    /// The committed and uncommitted blocks of a block blob.
    fn blocks(&self, place: &Place) -> impl Future<Output = Result<Blocks, Fault>> + Send;

    /// Breaks the lease at once (period 0), if the blob still has the tag `of`. Sent once.
    fn break_lease(&self, place: &Place, of: &ETag) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Deletes the blob if it still has the tag `of`; never its snapshots. Sent once.
    fn delete(&self, place: &Place, of: &ETag) -> impl Future<Output = Result<(), Fault>> + Send;
}
