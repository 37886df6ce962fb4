//! SFGI, the chunk that describes a filegroup: 8..12 flags, 12..16 id, 16..20 tape address of the name (offsets from its tag).

use super::chunk_text;
use crate::bytes::u32_at;

const SHORTEST: usize = 20;

/// A filegroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileGroup {
    pub(crate) id: u32,
    pub(crate) name: String,
}

impl FileGroup {
    /// Reads the chunk; the error is a sentence about what cannot be read.
    pub(crate) fn parse(chunk: &[u8]) -> Result<Self, String> {
        if chunk.len() < SHORTEST {
            return Err(format!("an SFGI chunk has only {} bytes", chunk.len()));
        }
        Ok(Self {
            id: u32_at(chunk, 12),
            name: chunk_text(chunk, 16, "a filegroup's name")?,
        })
    }
}
