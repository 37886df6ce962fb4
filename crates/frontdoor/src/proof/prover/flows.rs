//! Page and append blobs: what requests tell of them, and what the threads do with them.
//!
//! Every change of such a blob makes another commit, is announced before the store makes it and told afterwards. A verdict
//! is begun when no change is under way, on a commit that the flow was told of (or on all bytes read anew), and stored
//! against that commit, which fails when there is a newer one.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::super::flow::{Flow, FlowStep};
use super::super::seen::Seen;
use super::super::shelf::{Finding, Shelf, Unreadable};
use super::jobs::BROKE_DOWN;
use super::{Shared, State};
use crate::limits;

/// How far a judgement came.
enum Reached {
    /// To this byte; there is more.
    Byte(u64),
    /// To the end of what was written.
    End,
}

impl<S: Shelf> State<S> {
    /// Finds the flows to which nothing was written for long.
    pub(super) fn wake_quiet_flows(&mut self, now: Instant) {
        if self.quiet_at.is_some_and(|at| now < at) {
            return;
        }
        let mut next: Option<Instant> = None;
        for (blob, flow) in &mut self.flows {
            match flow.want_if_quiet(now, self.quiet) {
                None => {
                    self.flowing.insert(blob.clone());
                }
                Some(due) => next = Some(next.map_or(due, |next| next.min(due))),
            }
        }
        self.quiet_at = Some(next.unwrap_or(now + self.quiet));
    }
}

impl<S: Shelf> Shared<S> {
    pub(super) fn pages_created(&self, blob: &S::Blob, commit: S::Commit) {
        let mut state = self.lock();
        state.sets.remove(blob);
        state.leased.remove(blob);
        let run = state.runs.remove(blob);
        let with_verifier = state.flows.values().filter(|flow| flow.streams()).count();
        let mut flow = Flow::new(Instant::now(), with_verifier < limits::PROOF_RUNS);
        flow.changed(&(0..0), commit, Instant::now());
        let before = state.flows.insert(blob.clone(), flow);
        // As with every note that takes away what was known.
        state.to_check.insert(blob.clone());
        drop(state);
        drop((run, before));
    }

    pub(super) fn pages_begin(&self, blob: &S::Blob) {
        *self.lock().writing.entry(blob.clone()).or_default() += 1;
    }

    pub(super) fn pages_end(&self, blob: &S::Blob, changed: Option<(Range<u64>, S::Commit)>) {
        let mut state = self.lock();
        let under_way = state.writing.get_mut(blob).map(|count| {
            *count = count.saturating_sub(1);
            *count
        });
        if under_way == Some(0) {
            state.writing.remove(blob);
        }
        let Some((bytes, commit)) = changed else {
            // A judgement may have waited for this.
            return self.look_again(&mut state, blob);
        };
        state.sets.remove(blob);
        let now = Instant::now();
        let flow = state
            .flows
            .entry(blob.clone())
            .or_insert_with(|| Flow::of_unknown(now));
        flow.changed(&bytes, commit, now);
        self.look_again(&mut state, blob);
    }

    fn look_again(&self, state: &mut State<S>, blob: &S::Blob) {
        if state.flows.get(blob).is_some_and(Flow::has_work) {
            state.flowing.insert(blob.clone());
            self.work.notify_one();
        }
    }

    /// A page or append blob has content without a verdict, and nothing is known of it.
    pub(super) fn flow_of_unknown(&self, blob: &S::Blob, at_once: bool) {
        let mut state = self.lock();
        let now = Instant::now();
        let flow = state
            .flows
            .entry(blob.clone())
            .or_insert_with(|| Flow::of_unknown(now));
        if at_once {
            flow.want();
        }
        self.look_again(&mut state, blob);
    }

    /// One slice of a flow.
    pub(super) fn flow(&self, blob: &S::Blob) {
        let step = {
            let mut state = self.lock();
            let quiet = !state.writing.contains_key(blob);
            state
                .flows
                .get_mut(blob)
                .and_then(|flow| flow.next_if(quiet).map(|step| (step, flow.version())))
        };
        match step {
            None => {}
            Some((FlowStep::Feed(bytes, seen), _)) => {
                let to = bytes.end;
                let fed = self.guarded(seen, |seen| self.feed_pages(blob, bytes, seen));
                self.after_flow(blob, fed.map(|(seen, ())| (seen, to)));
            }
            Some((FlowStep::Judge(from, seen), version)) => self.judge_flow(blob, from, seen, version),
        }
    }

    /// Runs the verifier where it may break down.
    fn guarded<T>(
        &self,
        mut seen: Seen,
        run: impl FnOnce(&mut Seen) -> Result<T, Unreadable>,
    ) -> Result<(Seen, T), Option<Unreadable>> {
        match catch_unwind(AssertUnwindSafe(|| run(&mut seen).map(|done| (seen, done)))) {
            Ok(done) => done.map_err(Some),
            Err(_) => Err(None),
        }
    }

    /// Puts a flow back that goes on at a byte, or lets go of one that cannot.
    fn after_flow(&self, blob: &S::Blob, fed: Result<(Seen, u64), Option<Unreadable>>) {
        let mut state = self.lock();
        let Some(flow) = state.flows.get_mut(blob) else {
            return;
        };
        match fed {
            Ok((seen, to)) => flow.fed(seen, to),
            Err(_) => {
                // The judgement will meet it again, and say what it is.
                *flow = Flow::of_unknown(Instant::now());
            }
        }
        self.look_again(&mut state, blob);
    }

    fn feed_pages(&self, blob: &S::Blob, bytes: Range<u64>, seen: &mut Seen) -> Result<(), Unreadable> {
        let mut buffer = vec![0; limits::PROOF_READ];
        let mut offset = bytes.start;
        while offset < bytes.end && !seen.is_past_it() {
            let length = usize::try_from((bytes.end - offset).min(limits::PROOF_READ as u64))
                .expect("it is no more than a read");
            self.shelf.read_pages(blob, offset, &mut buffer[..length])?;
            seen.push_padded(&buffer[..length]);
            offset += length as u64;
        }
        Ok(())
    }

    fn judge_flow(&self, blob: &S::Blob, from: u64, seen: Seen, version: u64) {
        let started = Instant::now();
        // The commit first: what is stored against it was read after it, and fails if it is not the last one any more.
        let Some(commit) = self.shelf.current(blob) else {
            self.lock().flows.remove(blob);
            return;
        };
        {
            let mut state = self.lock();
            let known = state.flows.get_mut(blob).map(|flow| flow.judges(from, commit));
            if known != Some(true) {
                return self.look_again(&mut state, blob);
            }
        }
        let facts = seen.clone();
        let read = self.guarded(seen, |seen| self.feed_written(blob, from, seen));
        let finding = match read {
            Ok((seen, Reached::Byte(to))) => return self.after_flow(blob, Ok((seen, to))),
            Ok((seen, Reached::End)) => {
                catch_unwind(AssertUnwindSafe(|| seen.finish_padded())).unwrap_or_else(|_| broke_down())
            }
            Err(Some(Unreadable::Gone)) => return self.after_flow(blob, Err(None)),
            Err(Some(Unreadable::Damaged(why))) => Finding::Damaged(why),
            Err(Some(Unreadable::Failed(why))) => {
                tracing::error!(?blob, %why, "a blob stays without a verdict until the next start");
                self.lock().flows.remove(blob);
                return;
            }
            Err(None) => broke_down(),
        };
        {
            let mut state = self.lock();
            let unchanged = state
                .flows
                .get(blob)
                .is_some_and(|flow| flow.version() == version);
            if !unchanged || state.writing.contains_key(blob) {
                if let Some(flow) = state.flows.get_mut(blob) {
                    *flow = Flow::of_unknown(Instant::now());
                }
                return;
            }
        }
        let recorded = self.record(blob, &commit, &finding, &facts, started);
        let mut state = self.lock();
        if state
            .flows
            .get(blob)
            .is_some_and(|flow| flow.version() == version)
        {
            state.flows.remove(blob);
        } else if let Some(flow) = state.flows.get_mut(blob) {
            *flow = Flow::of_unknown(Instant::now());
        }
        self.follow_up(&mut state, blob, &commit, &finding, recorded);
    }

    /// Feeds a slice of what was written from a byte on; holes are zeros that nobody reads.
    fn feed_written(&self, blob: &S::Blob, from: u64, seen: &mut Seen) -> Result<Reached, Unreadable> {
        let mut offset = from;
        while offset < from.saturating_add(limits::PROOF_SLICE) {
            if seen.is_past_it() {
                return Ok(Reached::End);
            }
            let Some(written) = self.shelf.written_from(blob, offset)? else {
                return Ok(Reached::End);
            };
            let start = written.start.max(offset);
            seen.hole(start - offset);
            let end = written.end.min(start.saturating_add(limits::PROOF_SLICE));
            self.feed_pages(blob, start..end, seen)?;
            offset = end;
        }
        Ok(Reached::Byte(offset))
    }
}

fn broke_down() -> Finding {
    Finding::CannotVerify(BROKE_DOWN.to_owned())
}
