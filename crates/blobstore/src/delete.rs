//! Deletion of blobs and of their snapshots. Works on a full disk; those who are reading read on.
//!
//! A blob is gone when its own name is, durably: names of its snapshots that a crash leaves behind belong to a line
//! that has ended ([`crate::snapshot`]) and are cleared away at the next start.

use std::sync::Arc;

use azblob::error::ErrorCode;
use azblob::snapshot::{DeleteSnapshots, SnapshotTime};

use crate::blob::{Blob, State};
use crate::container::shard_of;
use crate::disk::SyncPoint;
use crate::error::StoreError;
use crate::permit::{Permit, check_open};
use crate::snapshot::find_snapshot;
use crate::store::{BlobPath, Core, Store};

impl Store {
    /// Deletes a committed blob that has no snapshots.
    ///
    /// # Errors
    /// The protocol's: [`ErrorCode::BlobNotFound`] (an uncommitted blob too), [`ErrorCode::SnapshotsPresent`],
    /// container, seal, lease, condition; those of changing anything.
    pub fn delete_blob(&self, path: &BlobPath, permit: &Permit<'_>) -> Result<(), StoreError> {
        self.delete_with_snapshots(path, DeleteSnapshots::Refuse, permit)
    }

    /// Deletes a committed blob with its snapshots, or those alone.
    ///
    /// # Errors
    /// As [`Store::delete_blob`].
    pub fn delete_with_snapshots(
        &self,
        path: &BlobPath,
        snapshots: DeleteSnapshots,
        permit: &Permit<'_>,
    ) -> Result<(), StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        {
            let _change = blob.begin_change();
            let root = blob.state().root.clone().filter(|root| root.committed);
            permit.check_change(&*root.ok_or(ErrorCode::BlobNotFound)?, core.now())?;
            match snapshots {
                DeleteSnapshots::Refuse if !blob.snapshots().is_empty() => {
                    return Err(ErrorCode::SnapshotsPresent.into());
                }
                DeleteSnapshots::Refuse | DeleteSnapshots::Include => {
                    core.remove(&blob)?;
                    // They end with the blob, whatever becomes of their names: no later blob of this name may show them.
                    let ended = std::mem::take(&mut *blob.snapshots());
                    core.remove_names(ended.into_values())?;
                }
                DeleteSnapshots::Only => {
                    core.remove_snapshots(&blob, None)?;
                    core.sync_dir(shard_of(&blob.path), SyncPoint::SnapshotGone)?;
                }
            }
        }
        container.forget_if_absent(&blob);
        Ok(())
    }

    /// Removes a committed blob with its snapshots for the server's owner, sealed or not: in one deed, so that no crash leaves it unsealed.
    /// A lease keeps it, since its holder may be reading it for a restore. Not reachable over the blob protocol.
    ///
    /// # Errors
    /// [`ErrorCode::BlobNotFound`] (an uncommitted blob too), [`ErrorCode::LeaseIdMissing`], container; those of changing anything.
    pub fn remove_sealed(&self, path: &BlobPath) -> Result<(), StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        {
            let _change = blob.begin_change();
            let root = blob.state().root.clone().filter(|root| root.committed);
            if root.ok_or(ErrorCode::BlobNotFound)?.is_locked(core.now()) {
                return Err(ErrorCode::LeaseIdMissing.into());
            }
            core.remove(&blob)?;
            let ended = std::mem::take(&mut *blob.snapshots());
            core.remove_names(ended.into_values())?;
        }
        container.forget_if_absent(&blob);
        Ok(())
    }

    /// Deletes one snapshot. It has no lease, so that a lease id given is one too many; of a sealed blob none is
    /// deleted.
    ///
    /// # Errors
    /// The protocol's: [`ErrorCode::BlobNotFound`], container, seal, lease, condition; those of changing
    /// anything.
    pub fn delete_snapshot(
        &self,
        path: &BlobPath,
        time: SnapshotTime,
        permit: &Permit<'_>,
    ) -> Result<(), StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        let _change = blob.begin_change();
        let root = blob.state().root.clone().ok_or(ErrorCode::BlobNotFound)?;
        let snapshot = find_snapshot(&container, &blob, time)?;
        let own = snapshot.state().root.clone().ok_or(ErrorCode::BlobNotFound)?;
        check_open(&root)?;
        permit.check_change(&own, core.now())?;
        core.remove_snapshots(&blob, Some(time))?;
        core.sync_dir(shard_of(&blob.path), SyncPoint::SnapshotGone)
    }
}

impl Core {
    /// Removes a blob durably. The caller holds its change lock.
    pub(crate) fn remove(&self, blob: &Blob) -> Result<(), StoreError> {
        self.with_reserve(|| self.changed("removal", &blob.path, self.disk.remove_file(&blob.path)))?;
        *blob.state() = State::default();
        self.sync_dir(shard_of(&blob.path), SyncPoint::BlobGone)?;
        if let Some(reserve) = &self.reserve {
            reserve.refill(&*self.disk);
        }
        Ok(())
    }

    /// Removes one snapshot, or all; the directory is the caller's to sync. The caller holds the
    /// blob's change lock.
    fn remove_snapshots(&self, blob: &Blob, only: Option<SnapshotTime>) -> Result<(), StoreError> {
        let wanted: Vec<(SnapshotTime, Arc<Blob>)> = blob
            .snapshots()
            .iter()
            .filter(|(time, _)| only.is_none_or(|only| only == **time))
            .map(|(time, snapshot)| (*time, Arc::clone(snapshot)))
            .collect();
        for (time, snapshot) in wanted {
            self.remove_names([snapshot])?;
            blob.snapshots().remove(&time);
        }
        Ok(())
    }

    fn remove_names(&self, snapshots: impl IntoIterator<Item = Arc<Blob>>) -> Result<(), StoreError> {
        for snapshot in snapshots {
            self.with_reserve(|| {
                self.changed("removal", &snapshot.path, self.disk.remove_file(&snapshot.path))
            })?;
            *snapshot.state() = State::default();
        }
        Ok(())
    }
}
