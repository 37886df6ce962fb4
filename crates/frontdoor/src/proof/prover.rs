//! The prover: dedicated threads that run blobs through the verifier while they arrive, and judge them at each commit.
//!
//! Requests only leave notes here (a short lock, no waiting); the threads do the rest, so proof never delays an answer.
//! Work that keeps up with an upload comes first; blobs that were found without a verdict at the start wait behind it.
//! A blob that is deleted or overwritten takes its run, and the memory of its blocks, with it at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use super::budget::{Budget, Kept};
use super::log::log_finding;
use super::run::{Block, Epoch, Piece, Run, Step};
use super::seen::Seen;
use super::shelf::{Finding, Recorded, Shelf, Unfinished, Unreadable};
use crate::limits;

type RunOf<S> = Run<<S as Shelf>::Place, <S as Shelf>::Commit, Seen>;

/// Why there is no better verdict when the verifier panicked, which is a fault of ours and not of the backup.
const BROKE_DOWN: &str = "the verifier broke down on this backup";

/// Pieces of one blob before another gets its turn.
const TURN: usize = 16;

struct Held<S: Shelf> {
    run: RunOf<S>,
    touched: u64,
}

struct State<S: Shelf> {
    runs: BTreeMap<S::Blob, Held<S>>,
    /// Blobs with work, in the order in which it came; a blob is in here once.
    hot: VecDeque<S::Blob>,
    queued: BTreeSet<S::Blob>,
    /// Blobs found at the start.
    cold: VecDeque<(S::Blob, S::Commit)>,
    /// Judged blobs whose lease was held.
    leased: BTreeSet<S::Blob>,
    /// Leases that may have ended.
    to_settle: VecDeque<S::Blob>,
    scan: bool,
    swept: Instant,
    tick: u64,
    stop: bool,
    /// Threads that have something in hand.
    active: usize,
}

struct Shared<S: Shelf> {
    shelf: S,
    budget: Arc<Budget>,
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
    /// Starts `threads` verifier threads, which first look for blobs without a final verdict.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(crate) fn start(shelf: S, threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            shelf,
            budget: Budget::new(limits::PROOF_MEMORY),
            state: Mutex::new(State {
                runs: BTreeMap::new(),
                hot: VecDeque::new(),
                queued: BTreeSet::new(),
                cold: VecDeque::new(),
                leased: BTreeSet::new(),
                to_settle: VecDeque::new(),
                scan: true,
                swept: Instant::now(),
                tick: 0,
                stop: false,
                active: 0,
            }),
            work: Condvar::new(),
            rest: Condvar::new(),
        });
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
        let id = id.to_vec();
        self.shared
            .change(blob, |run| run.arrived(Block { id, place, kept }, opens));
    }

    /// A block list is stored: `sequence` are the blob's blocks in order.
    pub(crate) fn committed(&self, blob: &S::Blob, commit: S::Commit, sequence: Vec<(Vec<u8>, S::Place)>) {
        if self.shared.shelf.blob_size(&commit) == 0 {
            return self.forget(blob);
        }
        self.shared.change(blob, |run| run.committed(commit, sequence));
    }

    /// A blob was stored in one piece.
    pub(crate) fn blob_stored(&self, blob: &S::Blob, commit: S::Commit, kept: Option<Kept>) {
        if self.shared.shelf.blob_size(&commit) == 0 {
            return self.forget(blob);
        }
        self.shared.change(blob, |run| run.replaced(commit, kept));
    }

    /// All blobs of which this holds are gone.
    pub(crate) fn forget_all(&self, gone: impl Fn(&S::Blob) -> bool) {
        let mut state = self.shared.lock();
        state.leased.retain(|blob| !gone(blob));
        state.runs.retain(|blob, _| !gone(blob));
    }

    /// A blob is gone, or empty, which is no backup and needs no verdict.
    pub(crate) fn forget(&self, blob: &S::Blob) {
        let mut state = self.shared.lock();
        state.leased.remove(blob);
        let _memory_is_freed_after_the_lock = state.runs.remove(blob);
        drop(state);
    }

    /// The lease of a blob was released, broken or may have ended in another way.
    pub(crate) fn lease_changed(&self, blob: &S::Blob) {
        let mut state = self.shared.lock();
        if state.leased.contains(blob) {
            state.to_settle.push_back(blob.clone());
            self.shared.work.notify_one();
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

/// What a thread takes in hand.
enum Job<S: Shelf> {
    Scan,
    Settle(S::Blob),
    Work(S::Blob),
    Verify(S::Blob, S::Commit),
}

impl<S: Shelf> State<S> {
    fn has_work(&self) -> bool {
        self.scan || !self.to_settle.is_empty() || !self.hot.is_empty() || !self.cold.is_empty()
    }

    fn next_job(&mut self) -> Option<Job<S>> {
        if std::mem::take(&mut self.scan) {
            return Some(Job::Scan);
        }
        if let Some(blob) = self.to_settle.pop_front() {
            return Some(Job::Settle(blob));
        }
        if let Some(blob) = self.hot.pop_front() {
            self.queued.remove(&blob);
            return Some(Job::Work(blob));
        }
        self.cold
            .pop_front()
            .map(|(blob, commit)| Job::Verify(blob, commit))
    }

    fn queue(&mut self, blob: &S::Blob) {
        if self.queued.insert(blob.clone()) {
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
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, blob: &S::Blob, change: impl FnOnce(&mut RunOf<S>)) {
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
                },
            );
        }
        let held = state.runs.get_mut(blob).expect("it was just put there");
        held.touched = tick;
        change(&mut held.run);
        if held.run.has_work() {
            state.queue(blob);
            self.work.notify_one();
        }
    }

    fn run(&self) {
        let mut state = self.lock();
        while !state.stop {
            if state.swept.elapsed() >= limits::PROOF_SWEEP {
                state.swept = Instant::now();
                let leased: Vec<S::Blob> = state.leased.iter().cloned().collect();
                state.to_settle.extend(leased);
            }
            let Some(job) = state.next_job() else {
                let waited = self.work.wait_timeout(state, limits::PROOF_SWEEP);
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

    fn work_on(&self, job: Job<S>) {
        match job {
            Job::Scan => self.scan(),
            Job::Settle(blob) => {
                if self.shelf.settle(&blob) {
                    self.lock().leased.remove(&blob);
                }
            }
            Job::Verify(blob, commit) => {
                let seen = self.lock().runs.contains_key(&blob);
                if !seen && self.shelf.current(&blob).as_ref() == Some(&commit) {
                    self.change(&blob, |run| run.replaced(commit, None));
                }
            }
            Job::Work(blob) => self.work_on_blob(&blob),
        }
    }

    fn scan(&self) {
        let found = self.shelf.unfinished();
        let mut state = self.lock();
        for blob in found {
            match blob {
                Unfinished::Verify(blob, commit) => state.cold.push_back((blob, commit)),
                Unfinished::Settle(blob) => {
                    state.leased.insert(blob.clone());
                    state.to_settle.push_back(blob);
                }
            }
        }
        self.work.notify_all();
    }

    fn work_on_blob(&self, blob: &S::Blob) {
        for _ in 0..TURN {
            let step = {
                let mut state = self.lock();
                if state.stop {
                    return;
                }
                state.runs.get_mut(blob).and_then(|held| held.run.next())
            };
            match step {
                None => return,
                Some(Step::Feed {
                    piece,
                    verifier,
                    epoch,
                }) => self.feed(blob, piece, verifier, epoch),
                Some(Step::Judge {
                    commit,
                    verifier,
                    epoch,
                }) => self.judge(blob, &commit, verifier, epoch),
            }
        }
        let mut state = self.lock();
        if state.runs.get(blob).is_some_and(|held| held.run.has_work()) {
            state.queue(blob);
        }
    }

    fn feed(&self, blob: &S::Blob, piece: Piece<S::Place, S::Commit>, mut seen: Seen, epoch: Epoch) {
        let fed = catch_unwind(AssertUnwindSafe(|| {
            self.feed_piece(blob, &piece, &mut seen, epoch)
        }));
        drop(piece);
        let finding = match fed {
            Ok(Ok(())) => {
                if let Some(held) = self.lock().runs.get_mut(blob) {
                    held.run.fed(seen, epoch);
                }
                return;
            }
            Ok(Err(Unreadable::Gone)) => None,
            Ok(Err(Unreadable::Failed(why))) => {
                tracing::error!(?blob, %why, "a blob stays without a verdict until the next start");
                None
            }
            Ok(Err(Unreadable::Damaged(why))) => Some(Finding::Damaged(why)),
            Err(_) => Some(Finding::CannotVerify(BROKE_DOWN.to_owned())),
        };
        let commit = self
            .lock()
            .runs
            .get_mut(blob)
            .and_then(|held| held.run.failed(epoch));
        if let (Some(commit), Some(finding)) = (commit, finding) {
            let newer = self.conclude(blob, &commit, &finding, &Seen::default(), Instant::now());
            self.catch_up(blob, newer);
        }
    }

    fn feed_piece(
        &self,
        blob: &S::Blob,
        piece: &Piece<S::Place, S::Commit>,
        seen: &mut Seen,
        epoch: Epoch,
    ) -> Result<(), Unreadable> {
        let (size, kept) = match piece {
            Piece::Block(block) => (self.shelf.block_size(&block.place), &block.kept),
            Piece::Blob(kept, commit) => (self.shelf.blob_size(commit), kept),
        };
        if let Some(kept) = kept {
            kept.frames().iter().for_each(|frame| seen.push(frame));
            return Ok(());
        }
        let mut buffer = vec![0; limits::PROOF_READ.min(usize::try_from(size).unwrap_or(usize::MAX))];
        let mut offset = 0;
        while offset < size && !seen.is_foreign() {
            if !self.still_wanted(blob, epoch) {
                return Err(Unreadable::Gone);
            }
            let length =
                usize::try_from((size - offset).min(limits::PROOF_READ as u64)).expect("a piece is small");
            let into = &mut buffer[..length];
            match piece {
                Piece::Block(block) => self.shelf.read_block(blob, &block.place, offset, into)?,
                Piece::Blob(_, commit) => self.shelf.read_blob(blob, commit, offset, into)?,
            }
            seen.push_read_back(into);
            offset += length as u64;
        }
        Ok(())
    }

    fn still_wanted(&self, blob: &S::Blob, epoch: Epoch) -> bool {
        let state = self.lock();
        !state.stop && state.runs.get(blob).is_some_and(|held| held.run.epoch() == epoch)
    }

    fn judge(&self, blob: &S::Blob, commit: &S::Commit, seen: Seen, epoch: Epoch) {
        let started = Instant::now();
        let facts = seen.clone();
        let finding = catch_unwind(AssertUnwindSafe(|| seen.finish()))
            .unwrap_or_else(|_| Finding::CannotVerify(BROKE_DOWN.to_owned()));
        let newer = self.conclude(blob, commit, &finding, &facts, started);
        {
            let mut state = self.lock();
            let Some(held) = state.runs.get_mut(blob) else {
                return;
            };
            held.run.judged(epoch);
            // Nobody holds a lease: another commit is unlikely, and one that comes is verified from the store.
            let finished = held.run.is_idle() && held.run.epoch() == epoch && !state.leased.contains(blob);
            if finished {
                state.runs.remove(blob);
            }
        }
        self.catch_up(blob, newer);
    }

    /// Verifies `newer` from the store, unless a commit of this blob is on its way through the verifier.
    fn catch_up(&self, blob: &S::Blob, newer: Option<S::Commit>) {
        if let Some(newer) = newer {
            self.change(blob, |run| {
                if run.is_idle() {
                    run.replaced(newer, None);
                }
            });
        }
    }

    /// Records a finding. Returns the commit that took this one's place where the finding came too late.
    fn conclude(
        &self,
        blob: &S::Blob,
        commit: &S::Commit,
        finding: &Finding,
        seen: &Seen,
        started: Instant,
    ) -> Option<S::Commit> {
        let recorded = self.shelf.record(blob, commit, finding);
        log_finding(blob, finding, recorded, seen, started.elapsed());
        match recorded {
            Recorded::Leased => {
                let mut state = self.lock();
                state.leased.insert(blob.clone());
                // A lease that ended while the verdict was being stored told nobody.
                state.to_settle.push_back(blob.clone());
                None
            }
            Recorded::Final | Recorded::Refused => {
                self.lock().leased.remove(blob);
                None
            }
            // Two commits overtook each other on their way here; the newer one has the word.
            Recorded::Stale => self.shelf.current(blob).filter(|current| current != commit),
        }
    }
}

#[cfg(test)]
mod tests;
