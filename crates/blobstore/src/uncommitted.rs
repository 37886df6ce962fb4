//! The uncommitted blocks of a blob, found again by hopping over its file.

use std::collections::BTreeMap;

use azblob::block::BlockId;

use crate::blob_file::read_trailer;
use crate::block_list::Span;
use crate::disk::DiskFile;
use crate::frame::{Kind, Trailer};
use crate::root::Root;
use crate::survey::{Step, walk};

/// A block that was acknowledged and not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Staged {
    pub(crate) span: Span,
    /// Acknowledged, and no longer whole: it must not be replaced by an older block of the same id.
    pub(crate) damaged: bool,
}

/// All of them. The last one sent of each id counts, which is the one furthest in the file.
#[derive(Debug, Default)]
pub(crate) struct Uncommitted {
    pub(crate) blocks: BTreeMap<BlockId, Staged>,
    /// A stretch of the file cannot be read, so that blocks may be missing here.
    pub(crate) lost: Option<u64>,
    /// Blocks that a later one of the same id replaced.
    superseded: Vec<Span>,
}

impl Uncommitted {
    /// Reads them from a file whose frames up to `end` are durable.
    pub(crate) fn load(file: &dyn DiskFile, identity: u128, root: &Root, end: u64) -> std::io::Result<Self> {
        let mut found = Self::default();
        for step in walk(file, identity, root.scan_from(), end)? {
            match step {
                Step::Lost { from, .. } => found.lost = found.lost.or(Some(from)),
                Step::Frame(header)
                    if header.kind == Kind::Block && root.holds_uncommitted(header.offset) =>
                {
                    let Ok(id) = BlockId::from_bytes(&header.block_id) else {
                        continue;
                    };
                    let damaged = match read_trailer(file, &header)? {
                        Some(Trailer::Void) => continue,
                        Some(Trailer::Done(_) | Trailer::Changed(..)) => false,
                        None => true,
                    };
                    found.stage(
                        id,
                        Staged {
                            span: Span::of(&header),
                            damaged,
                        },
                    );
                }
                Step::Frame(_) => {}
            }
        }
        Ok(found)
    }

    /// Adds a block, unless a later one of that id is there.
    pub(crate) fn stage(&mut self, id: BlockId, staged: Staged) {
        match self.blocks.get_mut(&id) {
            Some(there) if there.span.offset > staged.span.offset => self.superseded.push(staged.span),
            Some(there) => self.superseded.push(std::mem::replace(there, staged).span),
            None => {
                self.blocks.insert(id, staged);
            }
        }
    }

    /// Drops all but the blocks whose offset `stays`; returns what went.
    pub(crate) fn drop_before_commit(&mut self, stays: impl Fn(u64) -> bool) -> Vec<Span> {
        let mut gone = Vec::new();
        self.blocks.retain(|_, staged| {
            let stay = stays(staged.span.offset);
            if !stay {
                gone.push(staged.span);
            }
            stay
        });
        self.superseded.retain(|span| {
            let stay = stays(span.offset);
            if !stay {
                gone.push(*span);
            }
            stay
        });
        self.lost = None;
        gone
    }
}
