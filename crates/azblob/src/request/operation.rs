//! What can be asked.

use crate::block::{BlockId, BlockListKind};
use crate::conditions::Conditions;
use crate::digest::{Crc64, Md5};
use crate::lease::{LeaseAction, LeaseId};
use crate::metadata::Metadata;
use crate::names::{BlobName, ContainerName};
use crate::properties::HttpProperties;
use crate::range::ByteRange;
use crate::snapshot::{DeleteSnapshots, SnapshotTime};
use crate::tags::Tags;

use super::{
    AppendBlock, AppendFromUrl, BlockFromUrl, ClearPages, CopyBlob, GetPageRanges, ListBlobs, ListContainers,
    PageChange, PageFromUrl, PutAppendBlob, PutFromUrl, PutPage, PutPageBlob, SealAppend,
};

/// An operation and what it is asked of.
#[allow(clippy::large_enum_variant)] // One a request, moved once or twice; a box would only scatter it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Of the account as a whole.
    Service(ServiceOperation),
    /// Of a container.
    Container(ContainerName, ContainerOperation),
    /// Of a blob.
    Blob(BlobPath, BlobOperation),
}

/// A blob within an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobPath {
    /// Its container.
    pub container: ContainerName,
    /// Its name.
    pub blob: BlobName,
}

/// Operations of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceOperation {
    /// List Containers.
    ListContainers(ListContainers),
    /// Get Blob Service Properties.
    GetProperties,
    /// Set Blob Service Properties; the body is a [`crate::service_properties::ServiceChange`].
    SetProperties(DocumentBody),
    /// Get Blob Service Stats.
    GetStats,
    /// Get Account Information.
    AccountInformation,
    /// Blob Batch; the body is a [`crate::batch::Batch`].
    Batch(BatchBody),
}

/// Operations of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerOperation {
    /// Create Container.
    Create {
        /// Its metadata.
        metadata: Metadata,
    },
    /// Delete Container.
    Delete {
        /// Needed while the container is leased.
        lease_id: Option<LeaseId>,
        /// Azure knows only the two time conditions here.
        conditions: Conditions,
    },
    /// Get Container Properties.
    GetProperties {
        /// Must match when given.
        lease_id: Option<LeaseId>,
    },
    /// Get Container Metadata.
    GetMetadata {
        /// Must match when given.
        lease_id: Option<LeaseId>,
    },
    /// Set Container Metadata: replaces all of it.
    SetMetadata {
        /// The new metadata.
        metadata: Metadata,
        /// Must match when given.
        lease_id: Option<LeaseId>,
        /// When to go ahead.
        conditions: Conditions,
    },
    /// Get Container ACL: the stored access policies.
    GetAcl {
        /// Must match when given.
        lease_id: Option<LeaseId>,
    },
    /// Set Container ACL: replaces all of them; the body is that of [`crate::access_policy::render`].
    SetAcl {
        /// None is no policies.
        body: DocumentBody,
        /// Must match when given.
        lease_id: Option<LeaseId>,
        /// When to go ahead.
        conditions: Conditions,
    },
    /// Lease Container.
    Lease {
        /// Which of the five.
        action: LeaseAction,
        /// When to go ahead.
        conditions: Conditions,
    },
    /// List Blobs.
    ListBlobs(ListBlobs),
    /// Get Account Information, asked at a container.
    AccountInformation,
    /// Blob Batch of blobs in this container; the body is a [`crate::batch::Batch`].
    Batch(BatchBody),
}

/// Operations of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobOperation {
    /// Put Blob, of a block blob.
    Put(PutBlob),
    /// Put Blob, of a page blob.
    PutPageBlob(PutPageBlob),
    /// Put Page, update.
    PutPage(PutPage),
    /// Put Page, clear.
    ClearPages(ClearPages),
    /// Get Page Ranges.
    GetPageRanges(GetPageRanges),
    /// Put Blob, of an append blob.
    PutAppendBlob(PutAppendBlob),
    /// Append Block.
    AppendBlock(AppendBlock),
    /// Append Blob Seal.
    SealAppend(SealAppend),
    /// Put Block.
    PutBlock(PutBlock),
    /// Put Block List; the body is a [`crate::block::BlockList`].
    PutBlockList(PutBlockList),
    /// Get Block List.
    GetBlockList {
        /// Of which snapshot; of the blob without.
        snapshot: Option<SnapshotTime>,
        /// Which blocks.
        kind: BlockListKind,
        /// Must match when given.
        lease_id: Option<LeaseId>,
    },
    /// Get Blob.
    Get(GetBlob),
    /// Get Blob Properties.
    GetProperties {
        /// Of which snapshot; of the blob without.
        snapshot: Option<SnapshotTime>,
        /// Must match when given.
        lease_id: Option<LeaseId>,
        /// When to answer.
        conditions: Conditions,
    },
    /// Get Blob Metadata.
    GetMetadata {
        /// Of which snapshot; of the blob without.
        snapshot: Option<SnapshotTime>,
        /// Must match when given.
        lease_id: Option<LeaseId>,
        /// When to answer.
        conditions: Conditions,
    },
    /// Set Blob Metadata: replaces all of it.
    SetMetadata {
        /// The new metadata.
        metadata: Metadata,
        /// Needed while the blob is leased.
        lease_id: Option<LeaseId>,
        /// When to go ahead.
        conditions: Conditions,
    },
    /// Set Blob Properties: replaces all HTTP properties, or changes a page blob, or both.
    SetProperties {
        /// The new properties; `None` leaves them, where only the page blob is to be changed.
        properties: Option<HttpProperties>,
        /// The new size and sequence number of a page blob.
        page: PageChange,
        /// Needed while the blob is leased.
        lease_id: Option<LeaseId>,
        /// When to go ahead.
        conditions: Conditions,
    },
    /// Copy Blob and Copy Blob From URL.
    Copy(CopyBlob),
    /// Put Blob From URL.
    PutFromUrl(PutFromUrl),
    /// Put Block From URL.
    BlockFromUrl(BlockFromUrl),
    /// Put Page From URL.
    PageFromUrl(PageFromUrl),
    /// Append Block From URL.
    AppendFromUrl(AppendFromUrl),
    /// Abort Copy Blob.
    AbortCopy {
        /// Which copy.
        id: String,
        /// Needed while the blob is leased.
        lease_id: Option<LeaseId>,
    },
    /// Get Blob Tags.
    GetTags {
        /// Of which snapshot; of the blob without.
        snapshot: Option<SnapshotTime>,
        /// Must match when given.
        lease_id: Option<LeaseId>,
    },
    /// Set Blob Tags: replaces all of them; the body is [`crate::tags::Tags`].
    SetTags {
        /// Bytes of body.
        length: u64,
        /// Needed while the blob is leased.
        lease_id: Option<LeaseId>,
        /// What the body must sum up to.
        checksum: Option<Checksum>,
    },
    /// Set Blob Tier, to the only one there is.
    SetTier {
        /// Of which snapshot; of the blob without.
        snapshot: Option<SnapshotTime>,
        /// Must match when given.
        lease_id: Option<LeaseId>,
    },
    /// Snapshot Blob.
    Snapshot {
        /// The snapshot's own metadata; the blob's without.
        metadata: Option<Metadata>,
        /// Must match when given.
        lease_id: Option<LeaseId>,
        /// When to go ahead.
        conditions: Conditions,
    },
    /// Delete Blob, or a snapshot.
    Delete {
        /// Which snapshot; the blob without.
        snapshot: Option<SnapshotTime>,
        /// What becomes of the blob's snapshots.
        snapshots: DeleteSnapshots,
        /// Needed while the blob is leased.
        lease_id: Option<LeaseId>,
        /// When to go ahead.
        conditions: Conditions,
    },
    /// Lease Blob.
    Lease {
        /// Which of the five.
        action: LeaseAction,
        /// When to go ahead.
        conditions: Conditions,
    },
    /// Get Account Information, asked at a blob.
    AccountInformation,
}

/// A body that is a small document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentBody {
    /// Bytes of body.
    pub length: u64,
    /// What the body must sum up to.
    pub checksum: Option<Checksum>,
}

/// The body of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchBody {
    /// Bytes of body.
    pub length: u64,
    /// What stands between its parts, from `Content-Type: multipart/mixed; boundary=...`.
    pub boundary: String,
}

/// Put Blob of a block blob: the body is the whole blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutBlob {
    /// Bytes of body; 0 is how SQL Server begins.
    pub length: u64,
    /// HTTP properties of the blob.
    pub properties: HttpProperties,
    /// Metadata of the blob.
    pub metadata: Metadata,
    /// Tags of the blob.
    pub tags: Tags,
    /// Needed while the blob is leased.
    pub lease_id: Option<LeaseId>,
    /// When to go ahead.
    pub conditions: Conditions,
    /// What the body must sum up to.
    pub checksum: Option<Checksum>,
}

/// Put Block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutBlock {
    /// The block's id.
    pub id: BlockId,
    /// Bytes of body, at least 1.
    pub length: u64,
    /// Needed while the blob is leased.
    pub lease_id: Option<LeaseId>,
    /// What the body must sum up to.
    pub checksum: Option<Checksum>,
}

/// Put Block List. Properties and metadata are set anew by every commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutBlockList {
    /// Bytes of body.
    pub length: u64,
    /// HTTP properties of the blob.
    pub properties: HttpProperties,
    /// Metadata of the blob.
    pub metadata: Metadata,
    /// Tags of the blob.
    pub tags: Tags,
    /// Needed while the blob is leased.
    pub lease_id: Option<LeaseId>,
    /// When to go ahead.
    pub conditions: Conditions,
    /// What the body must sum up to; of the list, not of the blob.
    pub checksum: Option<Checksum>,
}

/// Get Blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetBlob {
    /// Of which snapshot; of the blob without.
    pub snapshot: Option<SnapshotTime>,
    /// Which bytes; all without it.
    pub range: Option<ByteRange>,
    /// Must match when given.
    pub lease_id: Option<LeaseId>,
    /// When to answer.
    pub conditions: Conditions,
    /// The answer shall carry the MD5 of the range, which has at most 4 MiB.
    pub range_md5: bool,
    /// The answer shall carry the CRC-64 of the range, which has at most 4 MiB.
    pub range_crc64: bool,
}

/// What a client says its body sums up to. Never both: that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// `Content-MD5`
    Md5(Md5),
    /// `x-ms-content-crc64`
    Crc64(Crc64),
}

impl Operation {
    /// The name that Azure's storage logs give the operation.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Service(operation) => operation.name(),
            Self::Container(_, operation) => operation.name(),
            Self::Blob(_, operation) => operation.name(),
        }
    }
}

impl ServiceOperation {
    fn name(&self) -> &'static str {
        match self {
            Self::ListContainers(_) => "ListContainers",
            Self::GetProperties => "GetBlobServiceProperties",
            Self::SetProperties(_) => "SetBlobServiceProperties",
            Self::GetStats => "GetBlobServiceStats",
            Self::AccountInformation => "GetAccountInformation",
            Self::Batch(_) => "BlobBatch",
        }
    }
}

impl ContainerOperation {
    fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CreateContainer",
            Self::Delete { .. } => "DeleteContainer",
            Self::GetProperties { .. } => "GetContainerProperties",
            Self::GetMetadata { .. } => "GetContainerMetadata",
            Self::SetMetadata { .. } => "SetContainerMetadata",
            Self::GetAcl { .. } => "GetContainerACL",
            Self::SetAcl { .. } => "SetContainerACL",
            Self::ListBlobs(_) => "ListBlobs",
            Self::AccountInformation => "GetAccountInformation",
            Self::Batch(_) => "BlobBatch",
            Self::Lease { action, .. } => match action {
                LeaseAction::Acquire { .. } => "AcquireContainerLease",
                LeaseAction::Renew { .. } => "RenewContainerLease",
                LeaseAction::Change { .. } => "ChangeContainerLease",
                LeaseAction::Release { .. } => "ReleaseContainerLease",
                LeaseAction::Break { .. } => "BreakContainerLease",
            },
        }
    }
}

impl BlobOperation {
    fn name(&self) -> &'static str {
        match self {
            Self::Put(_) | Self::PutPageBlob(_) | Self::PutAppendBlob(_) => "PutBlob",
            Self::PutPage(_) => "PutPage",
            Self::ClearPages(_) => "ClearPage",
            Self::GetPageRanges(_) => "GetPageRegions",
            Self::AppendBlock(_) => "AppendBlock",
            Self::SealAppend(_) => "SealAppendBlob",
            Self::AccountInformation => "GetAccountInformation",
            Self::PutBlock(_) => "PutBlock",
            Self::PutBlockList(_) => "PutBlockList",
            Self::GetBlockList { .. } => "GetBlockList",
            Self::Get(_) => "GetBlob",
            Self::GetProperties { .. } => "GetBlobProperties",
            Self::GetMetadata { .. } => "GetBlobMetadata",
            Self::SetMetadata { .. } => "SetBlobMetadata",
            Self::SetProperties { .. } => "SetBlobProperties",
            Self::Copy(copy) if copy.at_once => "CopyBlobFromURL",
            Self::Copy(_) => "CopyBlob",
            Self::PutFromUrl(_) => "PutBlobFromURL",
            Self::BlockFromUrl(_) => "PutBlockFromURL",
            Self::PageFromUrl(_) => "PutPageFromURL",
            Self::AppendFromUrl(_) => "AppendBlockFromURL",
            Self::AbortCopy { .. } => "AbortCopyBlob",
            Self::GetTags { .. } => "GetBlobTags",
            Self::SetTags { .. } => "SetBlobTags",
            Self::SetTier { .. } => "SetBlobTier",
            Self::Snapshot { .. } => "SnapshotBlob",
            Self::Delete { .. } => "DeleteBlob",
            Self::Lease { action, .. } => match action {
                LeaseAction::Acquire { .. } => "AcquireBlobLease",
                LeaseAction::Renew { .. } => "RenewBlobLease",
                LeaseAction::Change { .. } => "ChangeBlobLease",
                LeaseAction::Release { .. } => "ReleaseBlobLease",
                LeaseAction::Break { .. } => "BreakBlobLease",
            },
        }
    }
}
