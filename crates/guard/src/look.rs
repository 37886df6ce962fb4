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
    let Head { properties, witness } = head(account, place).await?;
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
        }),
    }
}

#[cfg(test)]
mod tests {
    use azblob::block::BlockId;

    use super::*;
    use crate::account::{Block, ETag};
    use crate::fault::Operation;
    use crate::scripted::{Blob, Scripted, fault, run};

    fn block(id: &[u8], size: u64) -> Block {
        let id = BlockId::from_bytes(id).unwrap();
        Block { id, size }
    }

    fn pending(uncommitted: &[Block]) -> Pending {
        Pending::of(&Blocks {
            committed: vec![block(b"committed", 9)],
            uncommitted: uncommitted.to_vec(),
        })
    }

    fn place() -> Place {
        Place::new("c", "b")
    }

    #[test]
    fn pending_blocks_are_told_apart_by_ids_and_sizes_and_not_by_order() {
        let (a, b) = (block(b"a", 1), block(b"b", 2));
        let both = pending(&[a.clone(), b.clone()]);
        assert_eq!((both.sum.blocks, both.sum.bytes), (2, 3));
        assert_eq!(both, pending(&[b.clone(), a.clone()]));
        for other in [
            vec![],
            vec![a.clone()],
            vec![block(b"a", 2), block(b"b", 1)],
            vec![a.clone(), block(b"c", 2)],
            vec![a.clone(), a.clone(), b.clone()],
        ] {
            assert_ne!(both, pending(&other), "{other:?}");
        }
        assert_eq!(pending(&[]), Pending::default());
    }

    #[test]
    fn a_block_that_is_put_is_seen_though_the_tag_stays() {
        let mut blob = Blob::block("x");
        blob.blocks.uncommitted = vec![block(b"a", 1)];
        let account = Scripted::of([("c/b", blob.clone())]);
        let (first, _) = run(look(&account, &place())).unwrap();
        assert_eq!(account.asked_in_all(), 2);
        let (again, _) = run(look(&account, &place())).unwrap();
        assert!(again.is_unchanged_since(&first));
        blob.blocks.uncommitted.push(block(b"b", 1));
        let account = Scripted::of([("c/b", blob)]);
        let (later, _) = run(look(&account, &place())).unwrap();
        assert_eq!(later.properties, first.properties);
        assert!(!later.is_unchanged_since(&first));
    }

    #[test]
    fn a_page_blob_is_seen_by_its_tag_alone() {
        let mut blob = Blob::page(1024, "x", std::slice::from_ref(&(0..512)));
        let account = Scripted::of([("c/b", blob.clone())]);
        let (first, blocks) = run(look(&account, &place())).unwrap();
        assert_eq!((first.pending, blocks), (None, None));
        assert_eq!(account.asked_in_all(), 1);
        blob.properties.etag = Some(ETag("\"2\"".to_owned()));
        let (later, _) = run(look(&Scripted::of([("c/b", blob)]), &place())).unwrap();
        assert!(!later.is_unchanged_since(&first));
    }

    #[test]
    fn a_blob_of_uncommitted_blocks_is_looked_at_through_the_listing() {
        let blocks = Blocks {
            uncommitted: vec![block(b"BLOCKID11112", 65_536)],
            ..Blocks::default()
        };
        let account = Scripted::of([
            ("c/b", Blob::uncommitted(blocks.clone())),
            ("c/b2", Blob::block("x")),
        ]);
        let (seen, found) = run(look(&account, &place())).unwrap();
        assert_eq!(seen.properties.etag, None);
        assert_eq!(seen.pending, Some(Pending::of(&blocks)));
        assert_eq!(found, Some(blocks));
    }

    #[test]
    fn what_is_gone_is_gone_also_where_nothing_may_be_listed() {
        let account = Scripted::of([("c/b2", Blob::block("x"))]);
        assert_eq!(run(look(&account, &place())).unwrap_err().cause, Cause::NotFound);
        let account = Scripted::of([("c/b2", Blob::block("x"))]).failing(|operation, target, _| {
            let denied = || fault(operation, target, Cause::NotAllowed, 403, "x");
            (operation == Operation::ListBlobs).then(denied)
        });
        assert_eq!(run(look(&account, &place())).unwrap_err().cause, Cause::NotFound);
    }
}
