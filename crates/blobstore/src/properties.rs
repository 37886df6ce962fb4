//! What a blob carries beside its bytes.

use azblob::copy::CopyState;
use azblob::metadata::Metadata;
use azblob::properties::HttpProperties;
use azblob::tags::Tags;
use serde::{Deserialize, Serialize};

/// Which operations a blob has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BlobKind {
    /// Made of blocks, or of one body.
    Block,
    /// Pages of 512 bytes, rewritten in place.
    Page,
    /// Blocks added at the end.
    Append,
}

impl BlobKind {
    /// The word of `blob list`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Page => "page",
            Self::Append => "append",
        }
    }
}

/// The headers and metadata that a client gave with the content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Properties {
    /// `Content-Type` and its kin.
    pub http: HttpProperties,
    /// `x-ms-meta-*`.
    pub metadata: Metadata,
    /// The blob's tags.
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// The copy that made the blob, as it was noted; [`crate::BlobView::copy`] is how it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy: Option<CopyState>,
}
