//! Put Block List: making blocks the content of a blob. And Get Block List.
//!
//! The list is resolved at one moment. Blocks that were acknowledged before it and are not in it are dropped,
//! as Azure does; blocks still arriving at that moment stay uncommitted, because they will be acknowledged
//! after it. Then the list is made durable, and after it the root that points at it: a root is never seen
//! before what it points at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use azblob::block::{BlockId, BlockList, BlockSource};
use azblob::error::ErrorCode;
use azblob::limits::MAX_COMMITTED_BLOCKS;

use crate::blob::{Blob, Dropped, State, write_root};
use crate::blob_file::BlobFile;
use crate::block_list::{CommittedList, Entry, Span};
use crate::disk::SyncPoint;
use crate::error::StoreError;
use crate::frame::{Kind, PAGE, to_pages};
use crate::limits::ARRIVING_BLOCKS_MAX;
use crate::permit::{Permit, check_kind};
use crate::properties::{BlobKind, Properties};
use crate::put_blob::Committed;
use crate::put_block::BlockRef;
use crate::root::{CommitId, Held, Root};
use crate::snapshot::Which;
use crate::store::{BlobPath, Core, Store};
use crate::uncommitted::Uncommitted;

/// A block list that is durable, and what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedBlocks {
    /// The change.
    pub committed: Committed,
    /// The blocks in the order of the content, each as [`crate::BlockWriter::commit`] returned it.
    pub blocks: Vec<(BlockId, BlockRef)>,
}

/// The blocks of a blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// In the order of the content; id and bytes. Empty after a Put Blob with a body.
    pub committed: Vec<(BlockId, u64)>,
    /// In the order of their ids.
    pub uncommitted: Vec<(BlockId, u64)>,
}

/// A list resolved at one moment.
struct Resolved {
    list: CommittedList,
    /// Frames from here on came after the moment.
    barrier: u64,
    /// Frames before it that were still arriving.
    arriving: Vec<u64>,
}

impl Store {
    /// Makes blocks the content of the blob, in the order of the list.
    ///
    /// # Errors
    /// The protocol's: [`ErrorCode::BlobNotFound`] is none of them, a list without blocks makes an empty blob;
    /// [`ErrorCode::InvalidBlockList`] for an id that is not there, [`ErrorCode::BlockListTooLong`], container,
    /// seal, lease, condition; [`ErrorCode::ServerBusy`] while more than [`ARRIVING_BLOCKS_MAX`] blocks are
    /// arriving. [`StoreError::Damaged`] when a block that was acknowledged is no longer whole.
    pub fn put_block_list(
        &self,
        path: &BlobPath,
        list: &BlockList,
        properties: Properties,
        permit: &Permit<'_>,
    ) -> Result<CommittedBlocks, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        if list.0.len() > MAX_COMMITTED_BLOCKS {
            return Err(ErrorCode::BlockListTooLong.into());
        }
        let container = core.container(&path.account, &path.container)?;
        let _gate = container.enter()?;
        let blob = container.blob_or_entry(&path.blob)?;
        let result = core.commit_list(&container, &blob, list, properties, permit);
        if result.is_err() {
            container.forget_if_absent(&blob);
        }
        result
    }

    /// The committed and uncommitted blocks.
    ///
    /// # Errors
    /// [`ErrorCode::BlobNotFound`], lease and condition; [`StoreError::Damaged`].
    pub fn get_block_list<'a>(
        &self,
        blob: impl Into<Which<'a>>,
        permit: &Permit<'_>,
    ) -> Result<Blocks, StoreError> {
        let (_, blob) = self.core.which(blob.into())?;
        let mut state = blob.state();
        let root = state.root.clone().ok_or(ErrorCode::BlobNotFound)?;
        permit.check_read(&root, self.core.now())?;
        check_kind(&root, BlobKind::Block)?;
        self.core.file(&blob, &mut state)?;
        let list = state.list(&blob, &self.core.opening())?;
        let uncommitted = state.uncommitted(&blob, &self.core.opening())?;
        let with_id = |entry: &Entry| entry.id.clone().map(|id| (id, entry.span.len));
        Ok(Blocks {
            committed: list.entries.iter().filter_map(with_id).collect(),
            uncommitted: uncommitted
                .blocks
                .iter()
                .map(|(id, staged)| (id.clone(), staged.span.len))
                .collect(),
        })
    }
}

impl Core {
    fn commit_list(
        self: &Arc<Self>,
        container: &crate::container::Container,
        blob: &Arc<Blob>,
        wanted: &BlockList,
        properties: Properties,
        permit: &Permit<'_>,
    ) -> Result<CommittedBlocks, StoreError> {
        if !blob.exists() {
            permit.check_create(None, self.now())?;
            if !wanted.0.is_empty() {
                return Err(ErrorCode::InvalidBlockList.into());
            }
            self.make_uncommitted(container, blob)?;
        }
        let _change = blob.begin_change();
        let now = self.now();
        let (file, old, resolved, lease) = {
            let mut state = blob.state();
            // Deleted since; the client may send its blocks again.
            let old = state.root.clone().ok_or(ErrorCode::InvalidBlockList)?;
            let lease = permit.check_create(Some(&old), now)?;
            check_kind(&old, BlobKind::Block)?;
            let file = self.file(blob, &mut state)?;
            let resolved = self.resolve(blob, &mut state, &file, wanted)?;
            (file, old, resolved, lease)
        };
        let number = self.number();
        let mut root = Root {
            committed: true,
            size: resolved.list.size(),
            etag: number,
            created: if old.committed { old.created } else { now },
            last_modified: now,
            lease,
            properties: Held::Inline(properties.clone()),
            commit: CommitId(number),
            list: None,
            proof: None,
            barrier: resolved.barrier,
            arriving: resolved.arriving.clone(),
            // Of blocks that are acknowledged later, their own headers tell.
            last_block: (!resolved.arriving.is_empty()).then_some(now),
            copying: false,
            taken: None,
            ..(*old).clone()
        };
        if !resolved.list.entries.is_empty() {
            let (header, ticket) = file.append_frame(Kind::List, &resolved.list.encode(), now)?;
            file.wait(ticket, SyncPoint::Append)?;
            root.list = Some(header.offset);
        }
        write_root(&file, &mut root, Some(SyncPoint::Append), now)?;
        Ok(self.publish(blob, &file, root, resolved, properties))
    }

    fn resolve(
        &self,
        blob: &Blob,
        state: &mut State,
        file: &BlobFile,
        wanted: &BlockList,
    ) -> Result<Resolved, StoreError> {
        let committed = state.list(blob, &self.opening())?;
        let uncommitted = state.uncommitted(blob, &self.opening())?;
        let by_id: BTreeMap<&BlockId, Span> = committed
            .entries
            .iter()
            .filter_map(|entry| Some((entry.id.as_ref()?, entry.span)))
            .collect();
        let mut entries = Vec::with_capacity(wanted.0.len());
        for (source, id) in &wanted.0 {
            let span = match source {
                BlockSource::Committed => by_id.get(id).copied(),
                BlockSource::Uncommitted => staged(uncommitted, id, blob)?,
                BlockSource::Latest => staged(uncommitted, id, blob)?.or_else(|| by_id.get(id).copied()),
            };
            entries.push(Entry {
                id: Some(id.clone()),
                span: span.ok_or(ErrorCode::InvalidBlockList)?,
            });
        }
        let arriving = file.arriving();
        if arriving.len() > ARRIVING_BLOCKS_MAX {
            return Err(ErrorCode::ServerBusy.into());
        }
        Ok(Resolved {
            list: CommittedList::new(entries),
            barrier: file.end(),
            arriving,
        })
    }

    /// Makes a durable list the one that is served.
    fn publish(
        &self,
        blob: &Blob,
        file: &Arc<BlobFile>,
        root: Root,
        resolved: Resolved,
        properties: Properties,
    ) -> CommittedBlocks {
        let identity = file.identity();
        let blocks = resolved
            .list
            .entries
            .iter()
            .filter_map(|entry| {
                let span = entry.span;
                let start = 0;
                Some((
                    entry.id.clone()?,
                    BlockRef {
                        identity,
                        span,
                        start,
                    },
                ))
            })
            .collect();
        let committed = Committed {
            etag: root.etag(),
            last_modified: root.last_modified,
            commit: root.commit,
        };
        let mut state = blob.state();
        let list = Arc::new(resolved.list);
        let old_list = state.list.replace(Arc::clone(&list));
        let mut ranges = left_over(old_list.as_deref(), &list);
        if let Some(uncommitted) = &mut state.uncommitted {
            let kept = kept_offsets(&list);
            let gone = uncommitted.drop_before_commit(|offset| root.holds_uncommitted(offset));
            ranges.extend(
                gone.into_iter()
                    .filter(|span| !kept.contains(&span.offset))
                    .map(payload),
            );
        }
        state.dropped.push(Dropped {
            list: old_list,
            ranges,
        });
        if file.arriving().is_empty() && state.uncommitted.as_ref().is_none_or(|u| u.blocks.is_empty()) {
            state.last_block = None;
        }
        state.publish(root);
        state.properties = Some(Arc::new(properties));
        give_back(&mut state, file, blob.pinned_below(file));
        CommittedBlocks { committed, blocks }
    }
}

fn staged(uncommitted: &Uncommitted, id: &BlockId, blob: &Blob) -> Result<Option<Span>, StoreError> {
    match uncommitted.blocks.get(id) {
        Some(staged) if staged.damaged => Err(StoreError::Damaged {
            what: format!(
                "{}: uncommitted block at {}",
                blob.path.display(),
                staged.span.offset
            ),
        }),
        Some(staged) => Ok(Some(staged.span)),
        None => match uncommitted.lost {
            // It may be the one that cannot be read.
            Some(from) => Err(StoreError::Damaged {
                what: format!("{}: frames after {from}", blob.path.display()),
            }),
            None => Ok(None),
        },
    }
}

fn kept_offsets(list: &CommittedList) -> BTreeSet<u64> {
    list.entries.iter().map(|entry| entry.span.offset).collect()
}

/// The payloads that an old list has and a new one has not.
fn left_over(old: Option<&CommittedList>, new: &CommittedList) -> Vec<(u64, u64)> {
    let kept = kept_offsets(new);
    let old = old.map_or(&[][..], |list| &list.entries);
    let mut spans: Vec<Span> = old
        .iter()
        .map(|e| e.span)
        .filter(|s| !kept.contains(&s.offset))
        .collect();
    spans.sort_unstable();
    spans.dedup();
    spans.into_iter().map(payload).collect()
}

fn payload(span: Span) -> (u64, u64) {
    (span.offset + PAGE, to_pages(span.len))
}

/// Gives back the space of what left the content, except where a reader still has the list that shows it.
///
/// Nothing depends on it: a crash before it, or a file system without holes, keeps the bytes until the blob is
/// overwritten or deleted. What lies below `pinned_below` belongs to a snapshot, or lay beside it: it stays for as
/// long.
pub(crate) fn give_back(state: &mut State, file: &BlobFile, pinned_below: u64) {
    let mut still_read = Vec::new();
    for dropped in std::mem::take(&mut state.dropped) {
        if dropped
            .list
            .as_ref()
            .is_some_and(|list| Arc::strong_count(list) > 1)
        {
            still_read.push(dropped);
            continue;
        }
        file.punch(&dropped.ranges, pinned_below);
    }
    state.dropped = still_read;
}

impl State {
    /// Notes uncommitted blocks whose space is to be given back.
    pub(crate) fn drop_spans(&mut self, spans: Vec<Span>) {
        self.dropped.push(Dropped {
            list: None,
            ranges: spans.into_iter().map(payload).collect(),
        });
    }
}
