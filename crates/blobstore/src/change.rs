//! Changes of a blob that leave its content alone: lease, metadata, headers. Its seal: [`crate::seal`]; its
//! deletion: [`crate::delete`].

use std::sync::Arc;

use azblob::error::ErrorCode;
use azblob::lease::{LeaseAction, LeaseId, LeaseReply};
use azblob::metadata::Metadata;
use azblob::properties::HttpProperties;
use azblob::time::UnixMillis;

use crate::blob::{Blob, BlobView, State, write_root};
use crate::disk::SyncPoint;
use crate::error::StoreError;
use crate::permit::{Condition, Permit};
use crate::properties::Properties;
use crate::root::{Held, Root};
use crate::store::{BlobPath, Core, Store};

impl Store {
    /// Carries out a lease operation on a blob, committed or not. Durable before it returns; ETag and time of
    /// change stay. Works on a full disk, through the reserve.
    ///
    /// # Errors
    /// [`ErrorCode::BlobNotFound`]; the codes of the lease table; the condition's; those of changing anything.
    pub fn lease_blob(
        &self,
        path: &BlobPath,
        action: &LeaseAction,
        condition: Condition<'_>,
    ) -> Result<(LeaseReply, BlobView), StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        let fresh = LeaseId::from_u128(core.clock.random());
        let reply = core.with_reserve(|| {
            core.change_root(&blob, |root, now| {
                condition(root.committed.then(|| (root.etag(), root.last_modified)))?;
                let (lease, reply) = root.lease.apply(action, now, fresh)?;
                root.lease = lease;
                Ok(reply)
            })
        })?;
        Ok((reply, core.view(&blob)?))
    }

    /// Replaces the metadata of a committed blob.
    ///
    /// # Errors
    /// The protocol's: [`ErrorCode::BlobNotFound`], container, seal, lease, condition; those of changing
    /// anything.
    pub fn set_metadata(
        &self,
        path: &BlobPath,
        metadata: &Metadata,
        permit: &Permit<'_>,
    ) -> Result<BlobView, StoreError> {
        self.set_properties(path, permit, |properties| properties.metadata = metadata.clone())
    }

    /// Replaces the headers that readers of a committed blob get.
    ///
    /// # Errors
    /// As [`Store::set_metadata`].
    pub fn set_http_properties(
        &self,
        path: &BlobPath,
        http: &HttpProperties,
        permit: &Permit<'_>,
    ) -> Result<BlobView, StoreError> {
        self.set_properties(path, permit, |properties| properties.http = http.clone())
    }

    fn set_properties(
        &self,
        path: &BlobPath,
        permit: &Permit<'_>,
        change: impl FnOnce(&mut Properties),
    ) -> Result<BlobView, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        core.change_root(&blob, |root, now| {
            root.lease = permit.check_change(root, now)?;
            if !root.committed {
                return Err(ErrorCode::BlobNotFound.into());
            }
            // Read under the lock of the change: of two changes at once, neither may undo the other.
            let mut properties = (*blob.state().properties(&blob, &core.opening())?).clone();
            change(&mut properties);
            root.properties = Held::Inline(properties);
            root.etag = core.number();
            root.last_modified = now;
            Ok(())
        })?;
        core.view(&blob)
    }
}

impl Core {
    /// Changes a blob's root: copies it, lets `change` judge and alter the copy, makes it durable, and only
    /// then lets it be seen. A change that alters nothing writes nothing.
    pub(crate) fn change_root<T>(
        &self,
        blob: &Arc<Blob>,
        change: impl FnOnce(&mut Root, UnixMillis) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _change = blob.begin_change();
        let (before, last_block) = {
            let state = blob.state();
            (
                state.root.clone().ok_or(ErrorCode::BlobNotFound)?,
                state.last_block,
            )
        };
        let now = self.now();
        let mut root = (*before).clone();
        // Of the root before, should it be a snapshot too; not of the next one.
        root.taken = None;
        let unchanged = root.clone();
        let result = change(&mut root, now)?;
        if root == unchanged {
            return Ok(result);
        }
        root.last_block = last_block;
        let file = {
            let mut state = blob.state();
            self.file(blob, &mut state)?
        };
        let properties = match &root.properties {
            Held::Inline(properties) => Some(Arc::new(properties.clone())),
            Held::At(_) => None,
        };
        write_root(&file, &mut root, Some(SyncPoint::Append), now)?;
        let mut state = blob.state();
        state.publish(root);
        if let Some(properties) = properties {
            state.properties = Some(properties);
        }
        Ok(result)
    }

    /// As [`Self::view`], without headers and metadata where those are unreadable.
    pub(crate) fn view_as_far_as_readable(&self, blob: &Arc<Blob>) -> Option<BlobView> {
        let mut state = blob.state();
        if let Err(error) = state.properties(blob, &self.opening()) {
            tracing::error!(blob = blob.name.as_str(), %error, "headers and metadata are unreadable");
            return State {
                root: state.root.clone(),
                properties: Some(Arc::default()),
                ..State::default()
            }
            .view(blob, &self.opening(), self.now())
            .ok()?;
        }
        state.view(blob, &self.opening(), self.now()).ok()?
    }

    pub(crate) fn view(&self, blob: &Arc<Blob>) -> Result<BlobView, StoreError> {
        let view = blob.state().view(blob, &self.opening(), self.now())?;
        Ok(view.ok_or(ErrorCode::BlobNotFound)?)
    }
}
