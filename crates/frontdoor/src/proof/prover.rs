//! The prover: dedicated threads that run blobs through the verifier while they arrive, and judge them at each commit.
//!
//! Requests only leave notes here (a short lock, no waiting); the threads do the rest, so proof never delays an answer.
//! Work that keeps up with an upload comes first; blobs that were found without a verdict wait behind it, and what is large
//! is read in slices, so that none holds a thread for long. A blob that is deleted or overwritten takes its run, and the
//! memory of its blocks, with it at once.
//!
//! Notes of two requests may arrive in another order than their deeds were done in. So a note is never taken for the state
//! of the store: verdicts are stored against the commit they judge, and wherever a note may have pushed a newer one
//! aside, the store is asked ([`jobs`], `check`).

mod flows;
mod jobs;
mod notes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{Bound, Range};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use jobs::Job;

use super::budget::{Budget, Kept};
use super::flow::Flow;
use super::run::Run;
use super::seen::Seen;
use super::sets::Sets;
use super::shelf::Shelf;
use super::tally::{Census, Tally};
use crate::limits;

type RunOf<S> = Run<<S as Shelf>::Place, <S as Shelf>::Commit, Seen>;

/// Steps of one blob before another gets its turn. A step is one block, or [`limits::PROOF_SLICE`] bytes of something
/// larger.
const TURN: usize = 16;

/// Of so many jobs, one is taken from the background although there is work that keeps up with uploads.
const FAIR: u64 = 16;

/// Of so many sweeps, one looks at all stripe sets.
const REGROUP_SWEEPS: u64 = 20;

struct Held<S: Shelf> {
    run: RunOf<S>,
    touched: u64,
    /// Nobody is uploading it: it was found without a verdict.
    background: bool,
}

struct State<S: Shelf> {
    runs: BTreeMap<S::Blob, Held<S>>,
    /// Blobs with work, in the order in which it came; a blob is in here or in `background`, once.
    hot: VecDeque<S::Blob>,
    background: VecDeque<S::Blob>,
    queued: BTreeSet<S::Blob>,
    /// Blobs found at the start.
    cold: VecDeque<S::Blob>,
    /// Judged blobs whose lease was held, each with the moment of that judgement.
    leased: BTreeMap<S::Blob, u64>,
    /// Leases that may have ended.
    to_settle: BTreeSet<S::Blob>,
    /// Blobs whose notes came in an order that may have left their newest commit without a run.
    to_check: BTreeSet<S::Blob>,
    sets: Sets<S::Blob, S::Commit, S::Realm>,
    /// Page and append blobs that have changed since they were judged.
    flows: BTreeMap<S::Blob, Flow<Seen, S::Commit>>,
    /// Changes of page and append blobs under way.
    writing: BTreeMap<S::Blob, usize>,
    /// Flows with work.
    flowing: BTreeSet<S::Blob>,
    last_flow: Option<S::Blob>,
    /// How long a flow is quiet before it is judged.
    quiet: Duration,
    /// When a flow may be quiet next.
    quiet_at: Option<Instant>,
    scan: bool,
    /// The scan is done, so that all members of the sets are known.
    scanned: bool,
    swept: Instant,
    sweeps: u64,
    tick: u64,
    taken: u64,
    stop: bool,
    /// Threads that have something in hand.
    active: usize,
}

struct Shared<S: Shelf> {
    shelf: S,
    budget: Arc<Budget>,
    tally: Tally,
    state: Mutex<State<S>>,
    work: Condvar,
    /// Signalled when a thread puts something down.
    rest: Condvar,
}

/// The verifier threads of one server. Dropping it stops them after the piece they have in hand.
pub(crate) struct Prover<S: Shelf> {
    shared: Arc<Shared<S>>,
    threads: Vec<JoinHandle<()>>,
}

impl<S: Shelf> Prover<S> {
    /// Starts `threads` verifier threads, which first look for blobs without a final verdict. A page or append blob to
    /// which nothing is written for `quiet` is judged.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(crate) fn start(shelf: S, threads: usize, quiet: Duration) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(shelf));
        shared.lock().quiet = quiet;
        let threads = (0..threads.max(1))
            .map(|n| {
                let shared = Arc::clone(&shared);
                Builder::new()
                    .name(format!("proof-{n}"))
                    .spawn(move || shared.run())
            })
            .collect::<Result<_, _>>()?;
        Ok(Prover { shared, threads })
    }

    /// Room to keep a block of `bytes` for the verifier, when it would help and there is any.
    pub(crate) fn room(&self, blob: &S::Blob, bytes: u64) -> Option<Kept> {
        let wanted = self
            .shared
            .lock()
            .runs
            .get(blob)
            .is_none_or(|held| held.run.wants_bytes());
        if wanted {
            self.shared.budget.room(bytes)
        } else {
            None
        }
    }

    /// Room to keep a whole blob of `bytes`.
    pub(crate) fn room_for_blob(&self, bytes: u64) -> Option<Kept> {
        self.shared.budget.room(bytes)
    }

    /// A block is stored. `opens`: it begins like a backup.
    pub(crate) fn block_stored(
        &self,
        blob: &S::Blob,
        id: &[u8],
        place: S::Place,
        kept: Option<Kept>,
        opens: bool,
    ) {
        self.shared.block_stored(blob, id, place, kept, opens);
    }

    /// A block list is stored: `sequence` are the blob's blocks in order.
    pub(crate) fn committed(&self, blob: &S::Blob, commit: S::Commit, sequence: Vec<(Vec<u8>, S::Place)>) {
        self.shared.committed(blob, commit, sequence);
    }

    /// A blob was stored in one piece.
    pub(crate) fn blob_stored(&self, blob: &S::Blob, commit: S::Commit, kept: Option<Kept>) {
        self.shared.blob_stored(blob, commit, kept);
    }

    /// All blobs of which this holds are gone.
    pub(crate) fn forget_all(&self, gone: impl Fn(&S::Blob) -> bool) {
        self.shared.forget_all(gone);
    }

    /// A blob is gone.
    pub(crate) fn forget(&self, blob: &S::Blob) {
        self.shared.forget(blob);
    }

    /// A page or append blob was made, with nothing in it.
    pub(crate) fn pages_created(&self, blob: &S::Blob, commit: S::Commit) {
        self.shared.pages_created(blob, commit);
    }

    /// Bytes of a page or append blob are about to be changed.
    pub(crate) fn pages_begin(&self, blob: &S::Blob) {
        self.shared.pages_begin(blob);
    }

    /// These bytes were changed, which made this commit, or none after all.
    pub(crate) fn pages_end(&self, blob: &S::Blob, changed: Option<(Range<u64>, S::Commit)>) {
        self.shared.pages_end(blob, changed);
    }

    /// The lease of a blob was released, broken or may have ended in another way.
    pub(crate) fn lease_changed(&self, blob: &S::Blob) {
        self.shared.lease_changed(blob);
    }

    /// What it has done and has still to do.
    pub(crate) fn census(&self) -> Census {
        let state = self.shared.lock();
        let waiting = state.queued.len() + state.cold.len() + state.to_check.len() + state.active;
        drop(state);
        Census {
            waiting: waiting as u64,
            verdicts: self.shared.tally.counts(),
        }
    }

    /// Waits until nothing is left to do. For tests, and for a story told in order.
    pub(crate) fn wait_until_idle(&self) {
        let mut state = self.shared.lock();
        while state.active > 0 || state.has_work() {
            state = self
                .shared
                .rest
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<S: Shelf> Drop for Prover<S> {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            let _panicked = thread.join().is_err();
        }
    }
}

impl<S: Shelf> State<S> {
    fn new() -> Self {
        State {
            runs: BTreeMap::new(),
            hot: VecDeque::new(),
            background: VecDeque::new(),
            queued: BTreeSet::new(),
            cold: VecDeque::new(),
            leased: BTreeMap::new(),
            to_settle: BTreeSet::new(),
            to_check: BTreeSet::new(),
            sets: Sets::new(),
            flows: BTreeMap::new(),
            writing: BTreeMap::new(),
            flowing: BTreeSet::new(),
            last_flow: None,
            quiet: limits::PROOF_QUIET,
            quiet_at: None,
            scan: true,
            scanned: false,
            swept: Instant::now(),
            sweeps: 0,
            tick: 0,
            taken: 0,
            stop: false,
            active: 0,
        }
    }

    fn has_work(&self) -> bool {
        self.scan
            || !self.to_settle.is_empty()
            || !self.to_check.is_empty()
            || !self.hot.is_empty()
            || !self.background.is_empty()
            || !self.cold.is_empty()
            || self.sets.has_work()
            || !self.flowing.is_empty()
    }

    fn next_job(&mut self) -> Option<Job<S>> {
        if std::mem::take(&mut self.scan) {
            return Some(Job::Scan);
        }
        while let Some(blob) = self.to_settle.pop_first() {
            if let Some(since) = self.leased.get(&blob) {
                return Some(Job::Settle(blob, *since));
            }
        }
        if let Some(blob) = self.to_check.pop_first() {
            return Some(Job::Check(blob));
        }
        if self.scanned
            && let Some(id) = self.sets.take()
        {
            return Some(Job::Regroup(id));
        }
        self.taken += 1;
        let fair = self.taken.is_multiple_of(FAIR);
        if fair {
            self.next_in_background().or_else(|| self.next_hot())
        } else {
            self.next_hot().or_else(|| self.next_in_background())
        }
    }

    fn next_hot(&mut self) -> Option<Job<S>> {
        // In turns with the others, and each for a slice at a time.
        if (self.hot.is_empty() || self.taken.is_multiple_of(2))
            && let Some(blob) = self.next_flow()
        {
            return Some(Job::Flow(blob));
        }
        let blob = self.hot.pop_front()?;
        self.queued.remove(&blob);
        Some(Job::Work(blob))
    }

    /// The flow after the one that was served last.
    fn next_flow(&mut self) -> Option<S::Blob> {
        let after = self.last_flow.take().and_then(|last| {
            let above = (Bound::Excluded(last), Bound::Unbounded);
            self.flowing.range(above).next().cloned()
        });
        let blob = after.or_else(|| self.flowing.first().cloned())?;
        self.flowing.remove(&blob);
        self.last_flow = Some(blob.clone());
        Some(blob)
    }

    /// Keeps an eye on the lease of a blob that was just judged.
    fn watch_lease(&mut self, blob: &S::Blob) {
        self.tick += 1;
        self.leased.insert(blob.clone(), self.tick);
        // A lease that ended while the verdict was being stored told nobody.
        self.to_settle.insert(blob.clone());
    }

    /// Goes on with what was begun before it begins anything.
    fn next_in_background(&mut self) -> Option<Job<S>> {
        if let Some(blob) = self.background.pop_front() {
            self.queued.remove(&blob);
            return Some(Job::Work(blob));
        }
        self.cold.pop_front().map(Job::Verify)
    }

    /// Puts a blob that has work in its queue.
    fn queue(&mut self, blob: &S::Blob, background: bool) {
        if self.queued.insert(blob.clone()) {
            if background {
                self.background.push_back(blob.clone());
            } else {
                self.hot.push_back(blob.clone());
            }
        }
    }

    /// Somebody is uploading this blob after all.
    fn promote(&mut self, blob: &S::Blob) {
        if let Some(at) = self.background.iter().position(|waiting| waiting == blob) {
            self.background.remove(at);
            self.hot.push_back(blob.clone());
        }
    }

    /// Makes room for one more run, if one can be spared.
    fn make_room(&mut self) {
        if self.runs.len() < limits::PROOF_RUNS {
            return;
        }
        let oldest = self
            .runs
            .iter()
            .filter(|(_, held)| held.run.is_idle())
            .min_by_key(|(_, held)| held.touched);
        if let Some(blob) = oldest.map(|(blob, _)| blob.clone()) {
            self.runs.remove(&blob);
        }
    }
}

impl<S: Shelf> Shared<S> {
    fn new(shelf: S) -> Self {
        Shared {
            shelf,
            budget: Budget::new(limits::PROOF_MEMORY),
            tally: Tally::default(),
            state: Mutex::new(State::new()),
            work: Condvar::new(),
            rest: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.lock();
        while !state.stop {
            if state.swept.elapsed() >= limits::PROOF_SWEEP {
                state.swept = Instant::now();
                let leased: Vec<S::Blob> = state.leased.keys().cloned().collect();
                state.to_settle.extend(leased);
                state.sweeps += 1;
                if state.sweeps.is_multiple_of(REGROUP_SWEEPS) {
                    // A family that was found damaged when it was read told nobody.
                    state.sets.touch_all();
                }
            }
            state.wake_quiet_flows(Instant::now());
            let Some(job) = state.next_job() else {
                let patience = state.quiet.min(limits::PROOF_SWEEP);
                let waited = self.work.wait_timeout(state, patience);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            };
            state.active += 1;
            drop(state);
            self.work_on(job);
            state = self.lock();
            state.active -= 1;
            self.rest.notify_all();
        }
    }
}

#[cfg(test)]
mod histories;
#[cfg(test)]
mod tests;
