//! The root: the whole state of a blob but for its bytes, in one page.
//!
//! A root is appended at each change and points only at frames that were durable before it was written. The
//! newest whole root of a file is the blob's state. Its payload is JSON, so that a stranger can read it and
//! later versions can add to it; what does not fit (long metadata) lies in a frame of its own.

use azblob::etag::ETag;
use azblob::lease::Lease;
use azblob::snapshot::SnapshotTime;
use azblob::time::UnixMillis;
use bak::Verdict;
use serde::{Deserialize, Serialize};

use crate::properties::{BlobKind, Properties};

/// One state of the content of a blob: changes with every commit and overwrite, and with nothing else. Unique
/// within a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitId(pub u64);

/// The state of a blob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Root {
    /// The name again, unless it is too long: the birth frame may have rotted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) kind: BlobKind,
    /// False while there are only uncommitted blocks.
    pub(crate) committed: bool,
    /// Bytes of the committed content.
    pub(crate) size: u64,
    pub(crate) etag: u64,
    pub(crate) created: UnixMillis,
    pub(crate) last_modified: UnixMillis,
    #[serde(default)]
    pub(crate) lease: Lease,
    #[serde(default)]
    pub(crate) sealed: bool,
    pub(crate) properties: Held<Properties>,
    /// The state of the content.
    pub(crate) commit: CommitId,
    /// Offset of the frame of the block list; none for an empty blob.
    #[serde(default)]
    pub(crate) list: Option<u64>,
    #[serde(default)]
    pub(crate) proof: Option<ProofRecord>,
    /// Block frames from this offset on are uncommitted blocks.
    #[serde(default)]
    pub(crate) barrier: u64,
    /// Offsets below the barrier of blocks that were still arriving when the list was committed, and so are
    /// uncommitted blocks too, if they ever became complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) arriving: Vec<u64>,
    /// When the last block came, for the age limit of uncommitted blocks.
    #[serde(default)]
    pub(crate) last_block: Option<UnixMillis>,
    /// The line of blobs under this name between two deletions: an overwrite goes on with it. A snapshot
    /// belongs to a blob of its own line only. 0 in files of format 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) line: u64,
    /// The newest snapshot ever taken in this line, whether it is still there or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_snapshot: Option<SnapshotTime>,
    /// The blob is the empty destination of a copy that is under way. True only in the memory of the process that
    /// copies.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) copying: bool,
    /// This root is a snapshot too, if a file name says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) taken: Option<Taken>,
    /// Page and append blobs: where the content is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<LogRecord>,
}

/// What a snapshot has for its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Taken {
    pub(crate) at: SnapshotTime,
    /// Only where the snapshot has metadata of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) own: Option<OwnMetadata>,
}

/// A snapshot's own metadata, and with it tag and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnMetadata {
    pub(crate) etag: u64,
    pub(crate) last_modified: UnixMillis,
    /// Offset of the text frame with the snapshot's properties.
    pub(crate) properties: u64,
}

/// How the content of a page or append blob is found: its map, and the frames behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogRecord {
    /// Offset of the map frame; none while the map is empty.
    pub(crate) map: Option<u64>,
    /// Changes up to this number are in the map.
    pub(crate) through: u64,
    /// The frames of later changes begin at or after this offset.
    pub(crate) from: u64,
    /// Page blobs: the number that clients agree on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) sequence_number: u64,
    /// Append blobs: blocks appended so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) block_count: u32,
    /// Append blobs: nothing may be appended any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) append_sealed: bool,
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A part of the root, or where to find it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Held<T> {
    /// Here.
    Inline(T),
    /// Offset of a text frame.
    At(u64),
}

/// The verdict on one state of the content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProofRecord {
    pub(crate) commit: CommitId,
    pub(crate) verdict: Option<Verdict>,
    #[serde(rename = "final")]
    pub(crate) is_final: bool,
    /// Offset of the text frame with reasons and report.
    #[serde(default)]
    pub(crate) at: Option<u64>,
    /// Found damaged at rest after the verdict was given: what and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rotten: Option<String>,
}

impl Root {
    pub(crate) fn etag(&self) -> ETag {
        ETag(self.etag)
    }

    /// Whether a block frame at `offset` is an uncommitted block.
    pub(crate) fn holds_uncommitted(&self, offset: u64) -> bool {
        offset >= self.barrier || self.arriving.contains(&offset)
    }

    /// Goes on with the line of the blob that this one replaces.
    pub(crate) fn follow(&mut self, old: Option<&Self>) {
        if let Some(old) = old {
            self.line = old.line;
            self.last_snapshot = old.last_snapshot;
        }
    }

    /// Where to start looking for uncommitted blocks.
    pub(crate) fn scan_from(&self) -> u64 {
        self.arriving.iter().copied().fold(self.barrier, u64::min)
    }
}
