//! Which requests are a use of a blob, and of which kind.

use azblob::lease::LOOK_HEADER;
use azblob::request::BlobOperation;
use http::HeaderMap;

/// What a request does with its blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It reads.
    Read,
    /// It changes content, properties or the lease.
    Write,
}

impl Kind {
    /// The kind of use that a request makes of its blob. None where it makes none: it is not about the blob, it asks for
    /// no more than properties and shows no lease, or it is a read by somebody who says that they only look. A backup
    /// that is tried again at an orphan asks whether the blob is there before it is refused, and every monitor does: that
    /// keeps no orphan alive. What concerns a snapshot counts for its blob.
    pub(crate) fn of(operation: &BlobOperation, headers: &HeaderMap) -> Option<Kind> {
        let kind = match operation {
            BlobOperation::AccountInformation
            | BlobOperation::GetProperties { lease_id: None, .. }
            | BlobOperation::GetMetadata { lease_id: None, .. }
            | BlobOperation::GetTags { lease_id: None, .. } => return None,
            BlobOperation::Get(_)
            | BlobOperation::GetProperties { .. }
            | BlobOperation::GetMetadata { .. }
            | BlobOperation::GetTags { .. }
            | BlobOperation::GetPageRanges(_)
            | BlobOperation::GetBlockList { .. }
            // It copies the blob and changes nothing of it.
            | BlobOperation::Snapshot { .. } => Kind::Read,
            BlobOperation::Put(_)
            | BlobOperation::PutPageBlob(_)
            | BlobOperation::PutAppendBlob(_)
            | BlobOperation::PutPage(_)
            | BlobOperation::ClearPages(_)
            | BlobOperation::AppendBlock(_)
            | BlobOperation::SealAppend(_)
            | BlobOperation::PutBlock(_)
            | BlobOperation::PutBlockList(_)
            | BlobOperation::SetMetadata { .. }
            | BlobOperation::SetProperties { .. }
            | BlobOperation::SetTags { .. }
            | BlobOperation::SetTier { .. }
            | BlobOperation::Copy(_)
            | BlobOperation::PutFromUrl(_)
            | BlobOperation::BlockFromUrl(_)
            | BlobOperation::PageFromUrl(_)
            | BlobOperation::AppendFromUrl(_)
            | BlobOperation::AbortCopy { .. }
            | BlobOperation::Delete { .. }
            | BlobOperation::Lease { .. } => Kind::Write,
        };
        (kind == Kind::Write || !headers.contains_key(LOOK_HEADER)).then_some(kind)
    }
}
