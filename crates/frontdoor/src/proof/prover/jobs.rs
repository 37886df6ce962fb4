//! What the threads do: read, feed, judge, settle, and judge stripe sets.
//!
//! The state's lock is never held over a call of the shelf, so everything may have changed when a call returns. What
//! follows from it is written so that it holds all the same: a verdict goes with the commit it judges, a lease is looked
//! at by the store in the step that makes a verdict final, and a set is judged by one thread at a time on what the store
//! says of its members.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use bak::Verdict;
use bak::stripes::{Company, Family};

use super::super::log::log_finding;
use super::super::run::{Epoch, Piece, Step};
use super::super::seen::Seen;
use super::super::sets::{Member, STRIPES_PLACE, SetId, reasons};
use super::super::shelf::{Finding, Recorded, Shelf, Standing, Unfinished, Unreadable};
use super::{Held, Shared, State, TURN};
use crate::limits;

/// Why there is no better verdict when the verifier panicked, which is a fault of ours and not of the backup.
pub(super) const BROKE_DOWN: &str = "the verifier broke down on this backup";

/// What a thread takes in hand.
pub(super) enum Job<S: Shelf> {
    /// Find what the last server left unfinished.
    Scan,
    /// A lease may have ended; it was held when the blob was judged at that moment.
    Settle(S::Blob, u64),
    /// A commit may have been left without a verdict.
    Check(S::Blob),
    /// A stripe set may be complete, or not any more.
    Regroup(SetId<S::Realm>),
    /// A flow has work.
    Flow(S::Blob),
    /// A run has work.
    Work(S::Blob),
    /// A commit was found without a verdict, and nothing else is to do.
    Verify(S::Blob),
}

/// A piece and where its feeding begins.
type Portion<S> = (Piece<<S as Shelf>::Place, <S as Shelf>::Commit>, u64);

impl<S: Shelf> Shared<S> {
    pub(super) fn work_on(&self, job: Job<S>) {
        match job {
            Job::Scan => self.scan(),
            Job::Settle(blob, since) => self.settle(&blob, since),
            Job::Check(blob) => self.check(&blob, false),
            Job::Verify(blob) => self.check(&blob, true),
            Job::Flow(blob) => self.flow(&blob),
            Job::Regroup(id) => self.regroup(&id),
            Job::Work(blob) => self.work_on_blob(&blob),
        }
    }

    fn scan(&self) {
        self.shelf.unfinished(&mut |found| {
            let mut state = self.lock();
            match found {
                Unfinished::Verify(blob) => state.cold.push_back(blob),
                Unfinished::Settle(blob) => state.watch_lease(&blob),
                Unfinished::Stripe(blob, commit, family) => {
                    let realm = self.shelf.realm(&blob);
                    state.sets.put_if_unknown(&blob, realm, commit, family);
                }
            }
        });
        self.lock().scanned = true;
        self.work.notify_all();
    }

    fn settle(&self, blob: &S::Blob, since: u64) {
        let done = self.shelf.settle(blob);
        let mut state = self.lock();
        if done {
            state.sets.touch(blob);
            // Unless it was judged anew meanwhile, and a lease held.
            if state.leased.get(blob) == Some(&since) {
                state.leased.remove(blob);
            }
            self.work.notify_one();
        }
    }

    /// Verifies the commit that a blob has now, if it has no verdict and none is on its way; otherwise sees to its lease
    /// and its stripe set again. `at_once`: a page blob too, whose verdict otherwise waits until nothing more is written.
    fn check(&self, blob: &S::Blob, at_once: bool) {
        let Some(commit) = self.shelf.current(blob) else {
            return;
        };
        if self.shelf.standing(blob, &commit).is_none() {
            return if self.shelf.is_paged(blob) {
                self.flow_of_unknown(blob, at_once);
            } else {
                self.verify(blob, commit);
            };
        }
        let family = self.shelf.family(blob, &commit);
        let realm = self.shelf.realm(blob);
        let mut state = self.lock();
        state.watch_lease(blob);
        if let Some(family) = family {
            state.sets.put_if_unknown(blob, realm, commit, family);
        }
    }

    fn verify(&self, blob: &S::Blob, commit: S::Commit) {
        self.change(blob, true, |run| {
            if !run.awaits_verdict() {
                run.replaced(commit, None);
            }
        });
    }

    fn work_on_blob(&self, blob: &S::Blob) {
        for n in 0..TURN {
            let step = {
                let mut state = self.lock();
                if state.stop {
                    return;
                }
                let busy = !state.hot.is_empty() || !state.flowing.is_empty();
                state
                    .runs
                    .get_mut(blob)
                    .filter(|held| n == 0 || !(held.background && busy))
                    .and_then(|held| held.run.next())
            };
            match step {
                None => break,
                Some(Step::Feed {
                    piece,
                    from,
                    verifier,
                    epoch,
                }) => self.feed(blob, (piece, from), verifier, epoch),
                Some(Step::Judge {
                    commit,
                    verifier,
                    epoch,
                }) => self.judge(blob, &commit, verifier, epoch),
            }
        }
        let mut state = self.lock();
        if let Some(held) = state.runs.get(blob).filter(|held| held.run.has_work()) {
            let background = held.background;
            state.queue(blob, background);
        }
    }

    fn feed(&self, blob: &S::Blob, (piece, from): Portion<S>, mut seen: Seen, epoch: Epoch) {
        let fed = catch_unwind(AssertUnwindSafe(|| {
            self.feed_piece(blob, &piece, from, &mut seen, epoch)
        }));
        let finding = match fed {
            Ok(Ok(rest)) => {
                if let Some(held) = self.lock().runs.get_mut(blob) {
                    match rest {
                        Some(from) => held.run.fed_in_part(piece, from, seen, epoch),
                        None => held.run.fed(seen, epoch),
                    }
                }
                return;
            }
            Ok(Err(Unreadable::Gone)) => None,
            Ok(Err(Unreadable::Failed(why))) => {
                tracing::error!(?blob, %why, "a blob stays without a verdict until the next start");
                Some(None)
            }
            Ok(Err(Unreadable::Damaged(why))) => Some(Some(Finding::Damaged(why))),
            Err(_) => Some(Some(Finding::CannotVerify(BROKE_DOWN.to_owned()))),
        };
        drop(piece);
        let commit = {
            let mut state = self.lock();
            let failed = state.runs.get_mut(blob).and_then(|held| held.run.failed(epoch));
            if finding.is_none() {
                // Whatever took its place may have told of itself before. Only now, when the run awaits nothing.
                state.to_check.insert(blob.clone());
                self.work.notify_one();
            }
            failed
        };
        if let (Some(commit), Some(Some(finding))) = (commit, finding) {
            let recorded = self.record(blob, &commit, &finding, &Seen::default(), Instant::now());
            self.follow_up(&mut self.lock(), blob, &commit, &finding, recorded);
        }
    }

    /// Feeds a piece, or a slice of it: the byte to go on from, if it was not all.
    fn feed_piece(
        &self,
        blob: &S::Blob,
        piece: &Piece<S::Place, S::Commit>,
        from: u64,
        seen: &mut Seen,
        epoch: Epoch,
    ) -> Result<Option<u64>, Unreadable> {
        let (size, kept) = match piece {
            Piece::Block(block) => (self.shelf.block_size(&block.place), &block.kept),
            Piece::Blob(kept, commit) => (self.shelf.blob_size(commit), kept),
        };
        if let Some(kept) = kept {
            kept.frames().iter().for_each(|frame| seen.push(frame));
            return Ok(None);
        }
        let end = size.min(from.saturating_add(limits::PROOF_SLICE));
        let mut buffer = vec![0; limits::PROOF_READ.min(usize::try_from(end - from).unwrap_or(usize::MAX))];
        let mut offset = from;
        while offset < end && !seen.is_foreign() {
            if !self.still_wanted(blob, epoch) {
                return Err(Unreadable::Gone);
            }
            let length =
                usize::try_from((end - offset).min(limits::PROOF_READ as u64)).expect("a piece is small");
            let into = &mut buffer[..length];
            match piece {
                Piece::Block(block) => self.shelf.read_block(blob, &block.place, offset, into)?,
                Piece::Blob(_, commit) => self.shelf.read_blob(blob, commit, offset, into)?,
            }
            seen.push_read_back(into);
            offset += length as u64;
        }
        Ok((offset < size && !seen.is_foreign()).then_some(offset))
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
        let recorded = self.record(blob, commit, &finding, &facts, started);
        let mut state = self.lock();
        if let Some(held) = state.runs.get_mut(blob) {
            held.run.judged(epoch);
        }
        // Only now: what it asks to be checked is not taken for on its way.
        self.follow_up(&mut state, blob, commit, &finding, recorded);
        // Nobody holds a lease: another commit is unlikely, and one that comes is verified from the store.
        let leased = state.leased.contains_key(blob);
        let finished = |held: &Held<S>| {
            held.run.is_idle() && !held.run.has_work() && held.run.epoch() == epoch && !leased
        };
        if state.runs.get(blob).is_some_and(finished) {
            state.runs.remove(blob);
        }
    }

    pub(super) fn record(
        &self,
        blob: &S::Blob,
        commit: &S::Commit,
        finding: &Finding,
        seen: &Seen,
        started: Instant,
    ) -> Recorded {
        let recorded = self.shelf.record(blob, commit, finding);
        self.tally.count(finding, recorded);
        log_finding(blob, finding, recorded, seen, started.elapsed());
        recorded
    }

    /// Sees to what follows from a finding that was stored, or was not.
    pub(super) fn follow_up(
        &self,
        state: &mut State<S>,
        blob: &S::Blob,
        commit: &S::Commit,
        finding: &Finding,
        recorded: Recorded,
    ) {
        state.recorded(blob, recorded);
        if matches!(recorded, Recorded::Final | Recorded::Leased) {
            let family = match finding {
                Finding::Backup(report) => Family::of(report),
                _ => None,
            };
            match family {
                Some(family) => {
                    let realm = self.shelf.realm(blob);
                    state.sets.put(blob, realm, *commit, family);
                }
                None => state.sets.remove(blob),
            }
        }
        self.work.notify_all();
    }

    /// Judges the members of a stripe set by what the store says they are now.
    fn regroup(&self, id: &SetId<S::Realm>) {
        let mut present = Vec::new();
        let members = self.lock().sets.members(id);
        for mut member in members {
            match self.shelf.standing(&member.blob, &member.commit) {
                Some(standing) => {
                    // What was sound by itself and was found damaged at rest later is sound no more.
                    let judged_sound = matches!(standing.verdict, Some(Verdict::Ok | Verdict::Incomplete));
                    member.family.is_sound &= judged_sound;
                    present.push((member, standing));
                }
                None => {
                    let mut state = self.lock();
                    state.sets.remove_stale(&member.blob, &member.commit);
                    // A verdict on what it is now may have been noted before that on what it was.
                    state.to_check.insert(member.blob);
                }
            }
        }
        // A family that is still being written may become another one.
        let finished: Vec<&Family> = present
            .iter()
            .filter(|(_, standing)| standing.is_final)
            .map(|(member, _)| &member.family)
            .collect();
        let mut known: Vec<(&Family, Company)> = Vec::new();
        for (member, standing) in present.iter().filter(|(member, _)| member.family.is_sound) {
            let alike =
                |other: &Family| other.belongs_with(&member.family) && other.count == member.family.count;
            let company = match known.iter().find(|(other, _)| alike(other)) {
                Some((_, company)) => company.clone(),
                None => {
                    let company = Company::of(&member.family, finished.iter().copied());
                    known.push((&member.family, company.clone()));
                    company
                }
            };
            self.stand(member, *standing, &company);
        }
        self.lock().sets.put_down(id);
        self.work.notify_all();
    }

    /// Gives a member the verdict that its company makes of it, if that is another one.
    fn stand(&self, member: &Member<S::Blob, S::Commit>, standing: Standing, company: &Company) {
        let Member { blob, commit, family } = member;
        let judged = company.judge(family, STRIPES_PLACE);
        if standing.verdict == Some(judged.verdict) {
            return;
        }
        let reasons = reasons(family, &judged);
        tracing::info!(?blob, verdict = %judged.verdict, media_set = %family.media_set_id, family = family.number,
            of = family.count, reasons = reasons.join("; "), "verdict in its stripe set");
        let recorded = self.shelf.amend(blob, commit, judged.verdict, reasons);
        self.lock().recorded(blob, recorded);
    }
}

impl<S: Shelf> State<S> {
    /// Sees to what follows from a verdict that was stored, or was not.
    fn recorded(&mut self, blob: &S::Blob, recorded: Recorded) {
        match recorded {
            Recorded::Leased => self.watch_lease(blob),
            // An earlier commit may have left it there; not taken out, because a later one may have put it there.
            Recorded::Final if self.leased.contains_key(blob) => {
                self.to_settle.insert(blob.clone());
            }
            Recorded::Final | Recorded::Refused => {}
            // Two commits overtook each other on their way here; the newer one has the word.
            Recorded::Stale => {
                self.to_check.insert(blob.clone());
            }
        }
    }
}
