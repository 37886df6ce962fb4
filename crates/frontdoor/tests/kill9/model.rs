//! What one blob must look like, as far as its answers tell, and what it looks like.
#![allow(unreachable_pub, missing_docs)]

use std::collections::BTreeMap;

/// Bytes that need no memory: a stream named by a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    pub seed: u64,
    pub len: usize,
}

impl Content {
    pub fn bytes(self) -> Vec<u8> {
        let mut state = self.seed | 1;
        let mut bytes = Vec::with_capacity(self.len + 8);
        while bytes.len() < self.len {
            // xorshift64*: enough to make every block unlike every other.
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
        }
        bytes.truncate(self.len);
        bytes
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseModel {
    Available,
    Leased(u128),
    Broken,
}

/// One blob, committed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobModel {
    /// The pieces of the committed content with the block's id; a Put Blob has one piece without an id. `None` while
    /// nothing was ever committed.
    pub committed: Option<Vec<(Option<String>, Content)>>,
    /// Blocks that no list has named.
    pub uncommitted: BTreeMap<String, Content>,
    pub lease: LeaseModel,
    pub metadata: Option<String>,
}

impl BlobModel {
    pub fn content(&self) -> Vec<u8> {
        self.committed
            .iter()
            .flatten()
            .flat_map(|(_, content)| content.bytes())
            .collect()
    }
}

/// What one operation does to the blob when it is carried out.
#[derive(Clone, Debug)]
pub enum Deed {
    PutBlob(Content),
    PutBlock(String, Content),
    /// The ids, in order.
    Commit(Vec<String>),
    SetMetadata(String),
    Acquire(u128),
    Change(u128),
    Release,
    Break,
    Delete,
}

impl Deed {
    /// A state between before and after in which an unanswered deed may be left. Put Block alone takes two durable
    /// steps: first the blob is there (uncommitted, empty) or the broken lease of an old one forgotten, then the block.
    /// Neither first step loses anything, and neither was acknowledged.
    pub fn half_done(&self, before: &Option<BlobModel>) -> Option<BlobModel> {
        let Deed::PutBlock(id, _) = self else { return None };
        let mut half = self.apply(before)?;
        match before.as_ref().and_then(|blob| blob.uncommitted.get(id)) {
            Some(old) => half.uncommitted.insert(id.clone(), *old),
            None => half.uncommitted.remove(id),
        };
        Some(half)
    }

    /// The blob afterwards.
    pub fn apply(&self, before: &Option<BlobModel>) -> Option<BlobModel> {
        let mut blob = before.clone().unwrap_or(BlobModel {
            committed: None,
            uncommitted: BTreeMap::new(),
            lease: LeaseModel::Available,
            metadata: None,
        });
        // A write to a broken lease makes it forgotten; none of the deeds writes without the id of a held one.
        let written = !matches!(
            self,
            Deed::Acquire(_) | Deed::Change(_) | Deed::Release | Deed::Break
        );
        if written && blob.lease == LeaseModel::Broken {
            blob.lease = LeaseModel::Available;
        }
        match self {
            Deed::PutBlob(content) => {
                blob.committed = Some(if content.len == 0 {
                    vec![]
                } else {
                    vec![(None, *content)]
                });
                blob.uncommitted.clear();
                blob.metadata = None;
            }
            Deed::PutBlock(id, content) => {
                blob.uncommitted.insert(id.clone(), *content);
            }
            Deed::Commit(ids) => {
                let old = blob.committed.unwrap_or_default();
                let find = |id: &String| {
                    let fresh = blob.uncommitted.get(id).copied();
                    fresh.or_else(|| {
                        old.iter()
                            .find(|(old, _)| old.as_ref() == Some(id))
                            .map(|(_, c)| *c)
                    })
                };
                let named = ids.iter().map(|id| {
                    (
                        Some(id.clone()),
                        find(id).expect("the workload names what is there"),
                    )
                });
                blob.committed = Some(named.collect());
                blob.uncommitted.clear();
                blob.metadata = None;
            }
            Deed::SetMetadata(value) => blob.metadata = Some(value.clone()),
            Deed::Acquire(id) | Deed::Change(id) => blob.lease = LeaseModel::Leased(*id),
            Deed::Release => blob.lease = LeaseModel::Available,
            Deed::Break => blob.lease = LeaseModel::Broken,
            Deed::Delete => return None,
        }
        Some(blob)
    }
}
