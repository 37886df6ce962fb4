//! What has to be done from time to time: purging the trash, dropping uncommitted blocks that nobody came back
//! for, giving back space, filling the reserve. The caller decides when; once an hour is plenty.

use std::sync::Arc;

use azblob::time::UnixMillis;

use crate::blob::Blob;
use crate::change::Mapping;
use crate::container::Container;
use crate::error::StoreError;
use crate::limits::UNCOMMITTED_KEPT_MS;
use crate::load::remove_tree;
use crate::put_block_list::give_back;
use crate::store::{Core, Store};

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Deleted containers whose files are gone now.
    pub containers_purged: usize,
    /// Uncommitted blobs that were dropped.
    pub blobs_dropped: usize,
    /// Committed blobs whose uncommitted blocks were dropped.
    pub uploads_dropped: usize,
}

impl Store {
    /// Sweeps once. `now` is passed in because it decides what is dropped. A blob under a lease that is held is
    /// left alone, however old its blocks are. A blob that cannot be swept is named in the log and keeps no other from
    /// being swept.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`].
    pub fn sweep(&self, now: UnixMillis) -> Result<Swept, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let mut swept = Swept::default();
        for entry in core.disk.list(&core.dir.trash()).unwrap_or_default() {
            remove_tree(&*core.disk, &core.dir.trash().join(entry.name));
            swept.containers_purged += 1;
        }
        for container in core.all_containers() {
            let blobs: Vec<Arc<Blob>> = container.blobs().values().map(Arc::clone).collect();
            for blob in blobs {
                match core.sweep_blob(&container, &blob, now, &mut swept) {
                    Ok(()) => {}
                    Err(error @ StoreError::ReadOnly { .. }) => return Err(error),
                    Err(error) => {
                        tracing::error!(blob = blob.name.as_str(), %error, "a blob could not be swept");
                    }
                }
                container.forget_if_absent(&blob);
            }
        }
        if let Some(reserve) = &core.reserve {
            reserve.refill(&*core.disk);
        }
        Ok(swept)
    }
}

impl Core {
    fn sweep_blob(
        &self,
        container: &Container,
        blob: &Arc<Blob>,
        now: UnixMillis,
        swept: &mut Swept,
    ) -> Result<(), StoreError> {
        let Ok(_gate) = container.enter() else {
            return Ok(());
        };
        {
            let mut state = blob.state();
            if let Some(file) = state.file.clone() {
                give_back(&mut state, &file, blob.pinned_below(&file));
            }
        }
        // What is left alone for long should open fast, and keep no space that nothing needs.
        let is_stale = {
            let state = blob.state();
            let quiet = state.file.as_ref().is_some_and(|file| file.arriving().is_empty());
            let pinned_below = state.file.as_ref().map_or(0, |file| blob.pinned_below(file));
            let log = state.log.as_ref();
            quiet && log.is_some_and(|log| !log.is_mapped(pinned_below))
        };
        if is_stale {
            self.map_content(blob, Mapping::Stale)?;
        }
        if !is_overdue(blob, now) {
            return Ok(());
        }
        let never_committed = {
            let _change = blob.begin_change();
            let never = blob.state().root.as_ref().is_some_and(|root| !root.committed);
            // Judged again, now that nobody can change it.
            if never && is_overdue(blob, now) {
                self.remove(blob)?;
                swept.blobs_dropped += 1;
            }
            never
        };
        if !never_committed && self.drop_uncommitted(blob)? {
            swept.uploads_dropped += 1;
        }
        Ok(())
    }

    /// Drops the uncommitted blocks of a committed blob. False when there were none.
    fn drop_uncommitted(&self, blob: &Arc<Blob>) -> Result<bool, StoreError> {
        let barrier = {
            let mut state = blob.state();
            let file = self.file(blob, &mut state)?;
            if state.uncommitted(blob, &self.opening())?.blocks.is_empty() || !file.arriving().is_empty() {
                return Ok(false);
            }
            state.last_block = None;
            file.end()
        };
        self.change_root(blob, |root, _| {
            root.barrier = barrier;
            root.arriving.clear();
            Ok(())
        })?;
        let mut state = blob.state();
        let Some(root) = state.root.clone() else {
            return Ok(false);
        };
        let gone = state
            .uncommitted
            .as_mut()
            .map(|uncommitted| uncommitted.drop_before_commit(|offset| root.holds_uncommitted(offset)));
        state.drop_spans(gone.unwrap_or_default());
        if let Some(file) = state.file.clone() {
            give_back(&mut state, &file, blob.pinned_below(&file));
        }
        Ok(true)
    }
}

/// Whether the last block came too long ago, and no lease says that somebody still means it.
fn is_overdue(blob: &Blob, now: UnixMillis) -> bool {
    let state = blob.state();
    let Some(root) = &state.root else {
        return false;
    };
    let unlocked = root.lease.view(now).status == azblob::lease::LeaseStatus::Unlocked;
    let quiet = state.file.as_ref().is_none_or(|file| file.arriving().is_empty());
    let old = state
        .last_block
        .is_some_and(|last| now.0.saturating_sub(last.0) > UNCOMMITTED_KEPT_MS);
    unlocked && quiet && old
}
