//! One look at a locked blob: everything that a living holder would change.
//!
//! A page blob gets a new tag with every write. Put Block changes neither tag nor Last-Modified, so of a block blob the
//! uncommitted blocks are compared as well. Reads leave no trace, but on the vault's own door.

use azblob::lease::LeaseWitness;

use crate::account::{Account, Blocks, Properties};
use crate::fault::Fault;
use crate::finding::Uncommitted;
use crate::place::Place;

/// What one look saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Size, tag, lease.
    pub(crate) properties: Properties,
    /// Of a block blob: what is put and not committed.
    pub(crate) pending: Option<Pending>,
    /// What the vault's own door saw.
    pub(crate) witness: Option<LeaseWitness>,
}

/// The uncommitted blocks, small enough to keep for every blob of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    /// How many and how large.
    pub(crate) sum: Uncommitted,
    /// A digest of their ids and sizes, order left out: services order them differently.
    pub(crate) digest: u64,
}

impl Look {
    /// Whether nothing that the holder could have done lies between `earlier` and this look. Access tier, tags and the
    /// lease's own state are no doing of the holder; a lease that is not held any more is no quiet lease and is told
    /// apart by the caller.
    pub(crate) fn is_unchanged_since(&self, earlier: &Self) -> bool {
        let (new, old) = (&self.properties, &earlier.properties);
        new.kind == old.kind
            && new.size == old.size
            && new.etag == old.etag
            && new.last_modified == old.last_modified
            && new.created == old.created
            && self.pending == earlier.pending
    }
}

impl Pending {
    /// Of these blocks.
    pub(crate) fn of(blocks: &Blocks) -> Self {
        let _ = blocks;
        unimplemented!()
    }
}

/// Looks once. The blocks come along, for whoever wants to know what the blob holds.
///
/// # Errors
/// The fault of the request, [`Cause::NotFound`](crate::fault::Cause::NotFound) for a blob that is gone.
pub(crate) async fn look<A: Account>(account: &A, place: &Place) -> Result<(Look, Option<Blocks>), Fault> {
    let _ = (account, place);
    unimplemented!()
}
