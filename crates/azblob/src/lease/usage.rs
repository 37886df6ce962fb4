//! Using what is leased: which reads and writes pass with which lease id.
//!
//! A blob's lease guards every write; a container's lease guards only the container's deletion, but an id
//! given with any container operation must match. A wrong id is 412 although one of Microsoft's tables
//! prints 409: the list of error codes and every client library say 412.

use super::{Lease, LeaseId, LeaseState};
use crate::error::ErrorCode;
use crate::time::UnixMillis;

/// Whether the id of an *expired* lease is refused when a write presents it. Both of Microsoft's documents
/// say 412; one user reports that real Azure lets such a write through, which no one here could check.
const EXPIRED_ID_IS_REFUSED_ON_WRITE: bool = true;

impl Lease {
    /// Judges a write to a blob (delete included) that carries `id`, and returns the lease to remember with
    /// it: an authorised write keeps the lease, a write to a broken or expired one makes it forgotten.
    ///
    /// # Errors
    /// [`ErrorCode::LeaseIdMissing`], [`ErrorCode::LeaseIdMismatchWithBlobOperation`] or
    /// [`ErrorCode::LeaseNotPresentWithBlobOperation`].
    pub fn check_write(&self, id: Option<LeaseId>, now: UnixMillis) -> Result<Self, ErrorCode> {
        let state = self.state(now);
        let own = id.is_some() && id == self.id();
        match (state, id) {
            (LeaseState::Leased | LeaseState::Breaking, None) => Err(ErrorCode::LeaseIdMissing),
            (LeaseState::Leased | LeaseState::Breaking, Some(_)) if own => Ok(*self),
            (LeaseState::Leased | LeaseState::Breaking, Some(_)) => {
                Err(ErrorCode::LeaseIdMismatchWithBlobOperation)
            }
            (LeaseState::Expired, Some(_)) if own && !EXPIRED_ID_IS_REFUSED_ON_WRITE => Ok(*self),
            (_, Some(_)) => Err(ErrorCode::LeaseNotPresentWithBlobOperation),
            (_, None) => Ok(Self::Available),
        }
    }

    /// Judges a read of a blob. Reads need no id; one that is given must be that of the lease held now.
    /// Making a snapshot follows the same rule.
    ///
    /// # Errors
    /// [`ErrorCode::LeaseIdMismatchWithBlobOperation`] or [`ErrorCode::LeaseNotPresentWithBlobOperation`].
    pub fn check_read(&self, id: Option<LeaseId>, now: UnixMillis) -> Result<(), ErrorCode> {
        self.check_given(
            id,
            now,
            ErrorCode::LeaseIdMismatchWithBlobOperation,
            ErrorCode::LeaseNotPresentWithBlobOperation,
        )
    }

    /// Judges the deletion of a container.
    ///
    /// # Errors
    /// [`ErrorCode::LeaseIdMissing`], [`ErrorCode::LeaseIdMismatchWithContainerOperation`] or
    /// [`ErrorCode::LeaseNotPresentWithContainerOperation`].
    pub fn check_container_delete(&self, id: Option<LeaseId>, now: UnixMillis) -> Result<(), ErrorCode> {
        if id.is_none() && matches!(self.state(now), LeaseState::Leased | LeaseState::Breaking) {
            return Err(ErrorCode::LeaseIdMissing);
        }
        self.check_container_use(id, now)
    }

    /// Judges any other operation on a container.
    ///
    /// # Errors
    /// [`ErrorCode::LeaseIdMismatchWithContainerOperation`] or
    /// [`ErrorCode::LeaseNotPresentWithContainerOperation`].
    pub fn check_container_use(&self, id: Option<LeaseId>, now: UnixMillis) -> Result<(), ErrorCode> {
        self.check_given(
            id,
            now,
            ErrorCode::LeaseIdMismatchWithContainerOperation,
            ErrorCode::LeaseNotPresentWithContainerOperation,
        )
    }

    fn check_given(
        &self,
        id: Option<LeaseId>,
        now: UnixMillis,
        mismatch: ErrorCode,
        not_present: ErrorCode,
    ) -> Result<(), ErrorCode> {
        let held = matches!(self.state(now), LeaseState::Leased | LeaseState::Breaking);
        match id {
            None => Ok(()),
            Some(_) if !held => Err(not_present),
            Some(_) if id == self.id() => Ok(()),
            Some(_) => Err(mismatch),
        }
    }
}
