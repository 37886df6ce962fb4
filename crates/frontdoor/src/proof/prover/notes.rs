//! What requests leave with the prover: short, and without waiting for anything but its lock.

use std::collections::BTreeSet;

use super::super::budget::Kept;
use super::super::run::{Block, Run};
use super::super::shelf::Shelf;
use super::{Held, RunOf, Shared};

impl<S: Shelf> Shared<S> {
    pub(super) fn block_stored(
        &self,
        blob: &S::Blob,
        id: &[u8],
        place: S::Place,
        kept: Option<Kept>,
        opens: bool,
    ) {
        let id = id.to_vec();
        self.change(blob, false, |run| {
            run.arrived(Block { id, place, kept }, opens);
        });
    }

    pub(super) fn committed(&self, blob: &S::Blob, commit: S::Commit, sequence: Vec<(Vec<u8>, S::Place)>) {
        if self.shelf.blob_size(&commit) == 0 {
            return self.forget(blob);
        }
        self.replaced(blob);
        self.change(blob, false, |run| run.committed(commit, sequence));
    }

    pub(super) fn blob_stored(&self, blob: &S::Blob, commit: S::Commit, kept: Option<Kept>) {
        if self.shelf.blob_size(&commit) == 0 {
            return self.forget(blob);
        }
        self.replaced(blob);
        // A copy may be of any kind. The holes of a page blob are no bytes of a backup: a flow knows them.
        if kept.is_none() && self.shelf.is_paged(blob) {
            return self.flow_of_unknown(blob, true);
        }
        self.change(blob, false, |run| run.replaced(commit, kept));
    }

    /// What the blob was before is gone.
    fn replaced(&self, blob: &S::Blob) {
        let mut state = self.lock();
        state.sets.remove(blob);
        state.flows.remove(blob);
    }

    pub(super) fn forget_all(&self, gone: impl Fn(&S::Blob) -> bool) {
        let mut state = self.lock();
        let known = state
            .runs
            .keys()
            .chain(state.leased.keys())
            .chain(state.flows.keys());
        let mut blobs: BTreeSet<S::Blob> = known.filter(|blob| gone(blob)).cloned().collect();
        blobs.extend(state.sets.remove_all(&gone));
        for blob in blobs {
            state.leased.remove(&blob);
            state.runs.remove(&blob);
            state.flows.remove(&blob);
            // As in `forget`.
            state.to_check.insert(blob);
        }
        self.work.notify_all();
    }

    /// A blob is gone, or empty, which is no backup and needs no verdict.
    pub(super) fn forget(&self, blob: &S::Blob) {
        let mut state = self.lock();
        state.leased.remove(blob);
        state.sets.remove(blob);
        let (run, flow) = (state.runs.remove(blob), state.flows.remove(blob));
        // It may be there again by now, and have told of its commit before this note came.
        state.to_check.insert(blob.clone());
        self.work.notify_one();
        drop(state);
        drop((run, flow));
    }

    pub(super) fn lease_changed(&self, blob: &S::Blob) {
        let flows = self.lock().flows.contains_key(blob);
        let may_go_on = flows && self.shelf.is_leased(blob);
        let mut state = self.lock();
        if state.leased.contains_key(blob) {
            state.to_settle.insert(blob.clone());
            self.work.notify_one();
        }
        if let Some(flow) = state.flows.get_mut(blob).filter(|_| !may_go_on) {
            flow.want();
            state.flowing.insert(blob.clone());
            self.work.notify_one();
        }
    }

    /// Changes a blob's run, which is made where there is none. `background`: nobody is uploading it.
    pub(super) fn change(&self, blob: &S::Blob, background: bool, change: impl FnOnce(&mut RunOf<S>)) {
        let mut state = self.lock();
        state.tick += 1;
        let tick = state.tick;
        if !state.runs.contains_key(blob) {
            state.make_room();
            state.runs.insert(
                blob.clone(),
                Held {
                    run: Run::new(tick),
                    touched: tick,
                    background,
                },
            );
        }
        let held = state.runs.get_mut(blob).expect("it was just put there");
        held.touched = tick;
        held.background &= background;
        change(&mut held.run);
        let (has_work, background) = (held.run.has_work(), held.background);
        if has_work {
            state.queue(blob, background);
            if !background {
                state.promote(blob);
            }
            self.work.notify_one();
        }
    }
}
