//! The seal of the server's owner: no request, key, SAS or lease changes or deletes a sealed blob until the owner lifts it.
//!
//! It is not reachable over the blob protocol. Whether a blob may be sealed is judged under the same lock as the change,
//! so that nothing unproved slips under a seal between the look and the deed.

use azblob::error::ErrorCode;
use azblob::lease::LeaseStatus;
use azblob::time::UnixMillis;
use bak::Verdict;

use crate::blob::BlobView;
use crate::error::StoreError;
use crate::root::Root;
use crate::store::{BlobPath, Store};

/// What a blob must be to be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealIf {
    /// Committed, not empty, and under no lease: nobody is in the middle of writing it.
    Quiet,
    /// That, and its verdict final and ok.
    Proved,
}

/// What became of the wish to seal a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// It is sealed now.
    Now,
    /// It was sealed before.
    Before,
    /// A lease is held: its holder may be writing.
    Leased,
    /// It has no content: SQL Server commits an empty blob first and fills it afterwards.
    Empty,
    /// Its verdict is not ok, or not final.
    NotProved,
}

impl Store {
    /// Seals a committed blob, or lifts its seal. A sealed blob refuses every change that comes over the
    /// protocol, whatever the lease; leases themselves can still be taken and ended.
    ///
    /// # Errors
    /// [`ErrorCode::BlobNotFound`]; those of changing anything.
    pub fn seal(&self, path: &BlobPath, sealed: bool) -> Result<BlobView, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        core.change_root(&blob, |root, _| {
            if !root.committed {
                return Err(ErrorCode::BlobNotFound.into());
            }
            root.sealed = sealed;
            Ok(())
        })?;
        core.view(&blob)
    }

    /// Seals a blob if it is what `wanted` asks for at this moment.
    ///
    /// # Errors
    /// [`ErrorCode::BlobNotFound`]; those of changing anything.
    pub fn seal_if(&self, path: &BlobPath, wanted: SealIf) -> Result<Sealed, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        core.change_root(&blob, |root, now| {
            if !root.committed {
                return Err(ErrorCode::BlobNotFound.into());
            }
            Ok(root.try_seal(wanted, now))
        })
    }
}

impl Root {
    /// Sets the seal if the blob is what `wanted` asks for.
    pub(crate) fn try_seal(&mut self, wanted: SealIf, now: UnixMillis) -> Sealed {
        if self.sealed {
            return Sealed::Before;
        }
        if !self.committed || self.size == 0 {
            return Sealed::Empty;
        }
        if wanted == SealIf::Proved && !self.is_proved() {
            return Sealed::NotProved;
        }
        if self.is_locked(now) {
            return Sealed::Leased;
        }
        self.sealed = true;
        Sealed::Now
    }

    /// Whether the verdict on the present content is ok and final.
    pub(crate) fn is_proved(&self) -> bool {
        self.proof.as_ref().is_some_and(|proof| {
            proof.commit == self.commit && proof.is_final && proof.verdict == Some(Verdict::Ok)
        })
    }

    /// Whether somebody holds a lease.
    pub(crate) fn is_locked(&self, now: UnixMillis) -> bool {
        self.lease.view(now).status == LeaseStatus::Locked
    }
}
