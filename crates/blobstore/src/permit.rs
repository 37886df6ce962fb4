//! What a request brings along to be let through, and the order in which it is judged: seal, lease,
//! conditions.

use azblob::error::ErrorCode;
use azblob::etag::ETag;
use azblob::lease::{Lease, LeaseId};
use azblob::time::UnixMillis;

use crate::properties::BlobKind;
use crate::root::Root;

/// A condition on the blob's present state, from the request's headers; `None` where there is no committed
/// blob.
pub type Condition<'a> = &'a dyn Fn(Option<(ETag, UnixMillis)>) -> Result<(), ErrorCode>;

/// Lease id and conditions of a request. They are judged under the same lock as the change they allow.
#[derive(Clone, Copy)]
pub struct Permit<'a> {
    /// `x-ms-lease-id`.
    pub lease: Option<LeaseId>,
    /// The conditional headers.
    pub condition: Condition<'a>,
}

impl Permit<'_> {
    /// No lease id, no condition.
    pub const NONE: Permit<'static> = Permit::lease(None);

    /// A lease id and no condition.
    pub const fn lease(lease: Option<LeaseId>) -> Permit<'static> {
        Permit {
            lease,
            condition: &|_| Ok(()),
        }
    }

    /// Judges a write that makes the blob where there is none. Returns the lease to remember.
    pub(crate) fn check_create(&self, root: Option<&Root>, now: UnixMillis) -> Result<Lease, ErrorCode> {
        match root {
            Some(root) => self.check_change(root, now),
            None => {
                if self.lease.is_some() {
                    return Err(ErrorCode::LeaseNotPresentWithBlobOperation);
                }
                (self.condition)(None)?;
                Ok(Lease::Available)
            }
        }
    }

    /// Judges a write to a blob that is there. Returns the lease to remember.
    pub(crate) fn check_change(&self, root: &Root, now: UnixMillis) -> Result<Lease, ErrorCode> {
        check_open(root)?;
        let lease = root.lease.check_write(self.lease, now)?;
        (self.condition)(version(root))?;
        Ok(lease)
    }

    /// Judges a read.
    pub(crate) fn check_read(&self, root: &Root, now: UnixMillis) -> Result<(), ErrorCode> {
        root.lease.check_read(self.lease, now)?;
        (self.condition)(version(root))
    }
}

/// Refuses changes of a sealed blob.
pub(crate) fn check_open(root: &Root) -> Result<(), ErrorCode> {
    if root.sealed {
        return Err(ErrorCode::BlobImmutableDueToPolicy);
    }
    if root.copying {
        return Err(ErrorCode::PendingCopyOperation);
    }
    Ok(())
}

/// Refuses what a blob of this kind does not know.
pub(crate) fn check_kind(root: &Root, kind: BlobKind) -> Result<(), ErrorCode> {
    if root.kind == kind {
        Ok(())
    } else {
        Err(ErrorCode::InvalidBlobType)
    }
}

fn version(root: &Root) -> Option<(ETag, UnixMillis)> {
    root.committed.then(|| (root.etag(), root.last_modified))
}
