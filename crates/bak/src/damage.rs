//! One finding of damage: what kind, where in the file, and a sentence.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What part of the format is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DamageKind {
    /// A page whose checksum, torn bits or header do not hold.
    Page,
    /// A page that is not the one that belongs in its slot.
    MisplacedPage,
    /// An extent out of order, twice, missing, or one that the database had not allocated.
    Extent,
    /// A transaction log block whose checksum or form does not hold.
    LogBlock,
    /// Log blocks that do not join, or do not meet the bounds in the set's header.
    LogChain,
    /// A descriptor block of the tape format.
    DescriptorBlock,
    /// A stream header.
    StreamHeader,
    /// A stream's content other than pages and log: map, padding, identity of the media.
    StreamContent,
    /// A stream checksum written by BACKUP ... WITH CHECKSUM.
    StreamChecksum,
    /// The configuration of the backup set.
    Configuration,
    /// The order of blocks and streams.
    Structure,
    /// A record of the compressed container.
    CompressedRecord,
}

impl DamageKind {
    /// The name in the JSON contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::MisplacedPage => "misplacedPage",
            Self::Extent => "extent",
            Self::LogBlock => "logBlock",
            Self::LogChain => "logChain",
            Self::DescriptorBlock => "descriptorBlock",
            Self::StreamHeader => "streamHeader",
            Self::StreamContent => "streamContent",
            Self::StreamChecksum => "streamChecksum",
            Self::Configuration => "configuration",
            Self::Structure => "structure",
            Self::CompressedRecord => "compressedRecord",
        }
    }
}

impl fmt::Display for DamageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One finding of damage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Damage {
    /// What is damaged.
    pub kind: DamageKind,
    /// Where: bytes from the start of the tape-format stream, which is the file itself unless it is a compressed container; for
    /// `compressedRecord`, bytes from the start of the file.
    pub offset: u64,
    /// Position of the backup set, from 1; `None` outside of sets.
    pub set: Option<u16>,
    /// File id of the database, for pages and extents.
    pub file_id: Option<u16>,
    /// Page id within that file, for pages and extents (its first page).
    pub page_id: Option<u32>,
    /// One sentence.
    pub detail: String,
}
