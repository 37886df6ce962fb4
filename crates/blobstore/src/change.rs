//! Changes of a blob that leave its content alone: lease, metadata, headers. Its seal: [`crate::seal`]; its
//! deletion: [`crate::delete`].

use std::sync::Arc;

use azblob::error::ErrorCode;
use azblob::lease::{LeaseAction, LeaseId, LeaseReply};
use azblob::metadata::Metadata;
use azblob::properties::HttpProperties;
use azblob::tags::Tags;
use azblob::time::UnixMillis;

use crate::blob::{Blob, BlobView, State, write_root};
use crate::blob_file::BlobFile;
use crate::content_log::Log;
use crate::disk::SyncPoint;
use crate::error::StoreError;
use crate::frame::Kind;
use crate::permit::{Condition, Permit};
use crate::properties::Properties;
use crate::root::{Held, Root};
use crate::store::{BlobPath, Core, Store};

/// When a change of the root of a page or append blob writes the map too. A root that makes the blob shorter always
/// does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// When many changes came since the last one, or much space waits to go back.
    Due,
    /// When any change came since the last one.
    Stale,
    /// When it costs little beside the changes that came since the last one.
    Cheap,
}

/// A map that was written and that no durable root points at yet.
#[derive(Clone, Copy)]
pub(crate) struct WrittenMap {
    /// Offset and length.
    pub(crate) frame: (u64, u64),
    /// Below it, everything that is not content may go once the root is durable.
    pub(crate) settled: u64,
}

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
                if root.copying {
                    return Err(ErrorCode::PendingCopyOperation.into());
                }
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
        self.set_properties(path, permit, |properties| {
            properties.http = http.clone();
            // It is no longer what the copy made.
            properties.copy = None;
        })
    }

    /// Replaces the tags of a committed blob. ETag and time of change stay.
    ///
    /// # Errors
    /// As [`Store::set_metadata`].
    pub fn set_tags(&self, path: &BlobPath, tags: &Tags, permit: &Permit<'_>) -> Result<(), StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        core.change_root(&blob, |root, now| {
            root.lease = permit.check_change(root, now)?;
            if !root.committed {
                return Err(ErrorCode::BlobNotFound.into());
            }
            let mut properties = (*blob.state().properties(&blob, &core.opening())?).clone();
            properties.tags = tags.clone();
            root.properties = Held::Inline(properties);
            Ok(())
        })
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
        self.change_root_with_map(blob, Mapping::Cheap, change)
    }

    /// As [`Self::change_root`]; of a page or append blob, the map may be written with it.
    pub(crate) fn change_root_with_map<T>(
        &self,
        blob: &Arc<Blob>,
        mapping: Mapping,
        change: impl FnOnce(&mut Root, UnixMillis) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let lock = blob.begin_change();
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
        let log = self.log_to_map(blob, &before, &root, mapping)?;
        if root == unchanged && log.is_none() {
            return Ok(result);
        }
        root.last_block = last_block;
        let file = {
            let mut state = blob.state();
            self.file(blob, &mut state)?
        };
        let map = match &log {
            Some(log) => write_map(&file, log, &mut root, mapping, now)?,
            None => None,
        };
        let properties = match &root.properties {
            Held::Inline(properties) => Some(Arc::new(properties.clone())),
            Held::At(_) => None,
        };
        if let Err(error) = write_root(&file, &mut root, Some(SyncPoint::Append), now) {
            if let (Some(log), Some(map)) = (&log, map) {
                log.free(&[map.frame]);
            }
            return Err(error);
        }
        let size = root.size;
        {
            let mut state = blob.state();
            state.publish(root);
            if let Some(properties) = properties {
                state.properties = Some(properties);
            }
        }
        if let (Some(log), Some(map)) = (&log, map) {
            let pinned_below = blob.pinned_below(&file);
            log.free(&file.take_passed());
            let unneeded = log.mapped(map.frame, size, pinned_below..map.settled);
            drop(lock);
            file.punch(&unneeded, pinned_below);
        }
        Ok(result)
    }

    /// The log whose map is to be written with a root.
    fn log_to_map(
        &self,
        blob: &Arc<Blob>,
        before: &Root,
        root: &Root,
        mapping: Mapping,
    ) -> Result<Option<Arc<Log>>, StoreError> {
        if root.log.is_none() {
            return Ok(None);
        }
        let mut state = blob.state();
        Ok(match mapping {
            // Changes behind an older map would reach past the new size.
            _ if root.size < before.size => Some(self.log(blob, &mut state)?),
            Mapping::Due => state.log.clone().filter(|log| log.wants_map()),
            Mapping::Stale => {
                let file = self.file(blob, &mut state)?;
                let log = self.log(blob, &mut state)?;
                (!log.is_mapped(blob.pinned_below(&file))).then_some(log)
            }
            Mapping::Cheap => state.log.clone().filter(|log| log.would_like_map()),
        })
    }

    /// Writes the map of a page or append blob. A full disk is no error: it is tried again later. Nor is content that
    /// is not known any more, which whoever reads it is told.
    pub(crate) fn map_content(&self, blob: &Arc<Blob>, mapping: Mapping) -> Result<(), StoreError> {
        match self.change_root_with_map(blob, mapping, |_, _| Ok(())) {
            Err(StoreError::DiskFull | StoreError::Damaged { .. }) => {
                if let Some(log) = &blob.state().log {
                    log.postpone_map();
                }
                Ok(())
            }
            done => done,
        }
    }

    /// As [`Self::view`] of a state that the caller holds, without headers and metadata where those are unreadable.
    pub(crate) fn view_as_far_as_readable(&self, blob: &Arc<Blob>, state: &mut State) -> Option<BlobView> {
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

/// Writes the map of the content as it will be with `root`, and makes `root` point at it. None where there is no
/// space for it and it can wait.
pub(crate) fn write_map(
    file: &BlobFile,
    log: &Log,
    root: &mut Root,
    mapping: Mapping,
    now: UnixMillis,
) -> Result<Option<WrittenMap>, StoreError> {
    let from = file.settled_below();
    let settled = from.min(file.durable_end());
    let payload = log.encode(root.size)?;
    let (header, ticket) = match file.append_frame(Kind::Map, &payload, now) {
        Err(StoreError::DiskFull) if mapping == Mapping::Cheap && !log.is_cut_by(root.size) => {
            return Ok(None);
        }
        appended => appended?,
    };
    file.wait(ticket, SyncPoint::Map)?;
    if let Some(record) = &mut root.log {
        record.map = Some(header.offset);
        record.through = root.commit.0;
        record.from = from;
    }
    Ok(Some(WrittenMap {
        frame: (header.offset, header.frame_len),
        settled,
    }))
}
