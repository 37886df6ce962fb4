//! Get and Set Blob Tags, and Set Blob Tier.

use azblob::error::ErrorCode;
use azblob::lease::{LeaseId, LeaseStatus};
use azblob::request::Checksum;
use azblob::snapshot::SnapshotTime;
use azblob::tags::Tags;
use blobstore::{BlobKind, BlobPath, Permit};
use hyper::body::Incoming;

use super::{Answer, Door};
use crate::checks::BodyCheck;
use crate::reply;

impl Door {
    /// Get Blob Tags.
    pub(super) async fn get_tags(
        &self,
        path: BlobPath,
        snapshot: Option<SnapshotTime>,
        lease: Option<LeaseId>,
    ) -> Answer {
        self.call(move |store| {
            let view = store.blob_properties((&path, snapshot), &Permit::lease(lease))?;
            Ok(reply::document(view.properties.tags.render()))
        })
        .await
    }

    /// Set Blob Tags.
    pub(super) async fn set_tags(
        &self,
        path: BlobPath,
        (length, checksum): (u64, Option<Checksum>),
        lease: Option<LeaseId>,
        body: &mut Incoming,
    ) -> Answer {
        let document = self.document(body, length, BodyCheck::of(checksum)).await?;
        let tags = Tags::parse(document.bytes())?;
        self.call(move |store| {
            store.set_tags(&path, &tags, &Permit::lease(lease))?;
            Ok(reply::empty())
        })
        .await
    }

    /// Set Blob Tier, to the tier that every block blob is in.
    pub(super) async fn set_tier(
        &self,
        path: BlobPath,
        snapshot: Option<SnapshotTime>,
        lease: Option<LeaseId>,
    ) -> Answer {
        self.call(move |store| {
            let view = store.blob_properties((&path, snapshot), &Permit::lease(lease))?;
            if view.kind != BlobKind::Block {
                return Err(ErrorCode::InvalidBlobType.into());
            }
            // Nothing changes, but it counts as a write; a snapshot has no lease.
            if lease.is_none() && view.lease_view.status == LeaseStatus::Locked {
                return Err(ErrorCode::LeaseIdMissing.into());
            }
            Ok(reply::empty())
        })
        .await
    }
}
