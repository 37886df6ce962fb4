//! One look at a locked blob: everything that a living holder would change.
//!
//! A page blob gets a new tag with every write. Put Block changes neither tag nor Last-Modified, so of a block blob the
//! uncommitted blocks are compared as well. Reads leave no trace, but on the vault's own door.

use std::hash::{DefaultHasher, Hash, Hasher};

use azblob::lease::LeaseWitness;
use azblob::response::BlobType;

use crate::account::{Account, Blocks, Head, Properties};
use crate::fault::{Cause, Fault};
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
    /// Of these blocks. The digest is the sum of one digest for each block, so their order does not matter. Ids are the
    /// holder's choice: whoever picks them so that two lists agree hides only his own signs of life.
    pub(crate) fn of(blocks: &Blocks) -> Self {
        let mut pending = Self::default();
        for block in &blocks.uncommitted {
            let mut hasher = DefaultHasher::new();
            (block.id.as_bytes(), block.size).hash(&mut hasher);
            pending.digest = pending.digest.wrapping_add(hasher.finish());
            pending.sum.blocks += 1;
            pending.sum.bytes = pending.sum.bytes.saturating_add(block.size);
        }
        pending
    }
}

/// Looks once. The blocks come along, for whoever wants to know what the blob holds.
///
/// The properties are asked for first, then the blocks. A change that falls between the two is part of the blocks of
/// this look, or shows in the properties of the next one: no order loses it. But it did happen after the look began, so
/// whoever measures quiet between two looks counts from the end of the earlier one to the beginning of the later one.
/// The tag is the older half of the look, so that whatever is made conditional on it fails rather than meets something
/// that was not looked at.
///
/// # Errors
/// The fault of the request, [`Cause::NotFound`](crate::fault::Cause::NotFound) for a blob that is gone.
pub(crate) async fn look<A: Account>(account: &A, place: &Place) -> Result<(Look, Option<Blocks>), Fault> {
    let Head {
        properties, witness, ..
    } = head(account, place).await?;
    let blocks = match properties.kind {
        BlobType::Block => Some(account.blocks(place).await?),
        BlobType::Page | BlobType::Append => None,
    };
    let pending = blocks.as_ref().map(Pending::of);
    let look = Look {
        properties,
        pending,
        witness,
    };
    Ok((look, blocks))
}

/// The properties of one blob. One that has only uncommitted blocks answers to no HEAD on most services, and yet it is
/// listed and may be locked: then its line in the listing is what can be known. It has no tag, so nothing is ever done to
/// it.
///
/// # Errors
/// As [`look`].
pub(crate) async fn head<A: Account>(account: &A, place: &Place) -> Result<Head, Fault> {
    let gone = match account.head(place).await {
        Err(fault) if fault.cause == Cause::NotFound => fault,
        answered => return answered,
    };
    // Of all names that begin so, this very name comes first.
    let Ok(page) = account.blobs(&place.container, &place.blob, None).await else {
        return Err(gone);
    };
    let listed = page.items.into_iter().find(|listed| listed.blob == place.blob);
    match listed.map(|listed| listed.properties) {
        None => Err(gone),
        // Made since.
        Some(properties) if properties.etag.is_some() => account.head(place).await,
        Some(properties) => Ok(Head {
            properties,
            witness: None,
            date: None,
        }),
    }
}
