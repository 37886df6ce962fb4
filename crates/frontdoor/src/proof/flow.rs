//! One page or append blob on its way through the verifier.
//!
//! Its bytes have places, but they come in any order, may come twice, and nothing says which write is the last. So a flow
//! feeds what has arrived without a gap from byte 0 on, and is judged when its lease ends or nothing was written for
//! [`crate::limits::PROOF_QUIET`]: then the rest is read from the store, holes as zeros. A write below what was fed makes
//! that worthless; everything is read again, once, at the next judgement.
//!
//! Pure, like [`super::run`]: it is told what is written and says what to do next.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::limits;

/// Stretches that may wait for the one before them; beyond it they are found at the judgement.
const AHEAD: usize = 1024;

/// What a worker shall do. It gives the verifier back with [`Flow::fed`], or says that all is done with [`Flow::judged`].
#[derive(Debug)]
pub(crate) enum FlowStep<V> {
    /// Feed these bytes, which have arrived.
    Feed(Range<u64>, V),
    /// Feed what the store has from this byte on, and judge at its end.
    Judge(u64, V),
}

/// The state of one blob. `V`: the verifier, `C`: identity of a commit, of which the later is the greater.
#[derive(Debug)]
pub(crate) struct Flow<V, C> {
    /// What has seen everything before `fed`.
    verifier: Option<V>,
    fed: u64,
    /// Where the bytes end that a worker is reading.
    claimed: u64,
    /// Stretches that arrived after a gap, by their beginning.
    ahead: BTreeMap<u64, u64>,
    /// Something below `fed` is not what was fed.
    worthless: bool,
    /// Fed while it arrives; otherwise all is read at the judgement.
    streams: bool,
    wanted: bool,
    busy: bool,
    version: u64,
    /// The newest content that this has been told of, or has begun to read.
    known: Option<C>,
    changed_at: Instant,
}

impl<V: Default, C: Ord + Copy> Flow<V, C> {
    /// A blob of which nothing is written yet. `streams`: there is room for its verifier.
    pub(crate) fn new(now: Instant, streams: bool) -> Self {
        Flow {
            verifier: None,
            fed: 0,
            claimed: 0,
            ahead: BTreeMap::new(),
            worthless: false,
            streams,
            wanted: false,
            busy: false,
            version: 0,
            known: None,
            changed_at: now,
        }
    }

    /// A blob that has content of which nothing was fed.
    pub(crate) fn of_unknown(now: Instant) -> Self {
        Flow {
            worthless: true,
            ..Self::new(now, false)
        }
    }

    /// These bytes were written, cleared, cut off or added, which made this commit.
    pub(crate) fn changed(&mut self, bytes: &Range<u64>, commit: C, now: Instant) {
        self.known = self.known.max(Some(commit));
        self.version += 1;
        self.wanted = false;
        self.changed_at = now;
        if bytes.start < self.fed.max(self.claimed) {
            self.worthless = true;
        }
        if !self.worthless && self.streams && self.ahead.len() < AHEAD {
            let end = self.ahead.entry(bytes.start).or_insert(bytes.end);
            *end = bytes.end.max(*end);
        }
        if self.worthless && !self.busy {
            self.drop_verifier();
        }
    }

    fn drop_verifier(&mut self) {
        self.verifier = None;
        self.fed = 0;
        self.ahead.clear();
    }

    /// A judgement goes on at byte `from` of what is this commit now. False when what was fed is of another one of which
    /// nobody has told yet: then everything is read again.
    pub(crate) fn judges(&mut self, from: u64, commit: C) -> bool {
        if from == 0 {
            self.known = Some(commit);
        }
        if self.known == Some(commit) {
            return true;
        }
        self.put_down();
        self.worthless = true;
        false
    }

    /// Judge it now.
    pub(crate) fn want(&mut self) {
        self.wanted = true;
    }

    /// Judge it if nothing was written for long. When to ask again otherwise; `None` when it is to be judged.
    pub(crate) fn want_if_quiet(&mut self, now: Instant, quiet: Duration) -> Option<Instant> {
        let due = self.changed_at + quiet;
        if now >= due {
            self.wanted = true;
        }
        (!self.wanted).then_some(due)
    }

    /// Whether it holds a verifier, about 1 MiB.
    pub(crate) fn streams(&self) -> bool {
        self.streams
    }

    /// Rises with each change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether [`Flow::next`] has something to do.
    pub(crate) fn has_work(&self) -> bool {
        !self.busy && (self.wanted || self.arrived() > self.fed)
    }

    /// Where the bytes end that have arrived without a gap.
    fn arrived(&self) -> u64 {
        let mut end = self.fed;
        for (from, to) in &self.ahead {
            if *from > end {
                break;
            }
            end = end.max(*to);
        }
        end
    }

    /// As [`Flow::next`], but a judgement only if no change is under way.
    pub(crate) fn next_if(&mut self, quiet: bool) -> Option<FlowStep<V>> {
        if self.wanted && !quiet {
            return None;
        }
        self.next()
    }

    /// What to do next, if anything; busy until the answer comes.
    pub(crate) fn next(&mut self) -> Option<FlowStep<V>> {
        if !self.has_work() {
            return None;
        }
        self.busy = true;
        if self.wanted {
            if self.worthless {
                self.drop_verifier();
                self.worthless = false;
            }
            // Whatever is written from here on makes it worthless, wherever it is.
            self.claimed = u64::MAX;
            return Some(FlowStep::Judge(
                self.fed,
                self.verifier.take().unwrap_or_default(),
            ));
        }
        let to = self.arrived().min(self.fed + limits::PROOF_SLICE);
        self.claimed = to;
        Some(FlowStep::Feed(
            self.fed..to,
            self.verifier.take().unwrap_or_default(),
        ))
    }

    /// The verifier has seen everything before `to`.
    pub(crate) fn fed(&mut self, verifier: V, to: u64) {
        self.put_down();
        if self.worthless {
            return self.drop_verifier();
        }
        self.verifier = Some(verifier);
        self.fed = to;
        self.ahead.retain(|_, end| *end > to);
    }

    /// The worker could not go on: whatever was fed is worthless.
    pub(crate) fn put_down(&mut self) {
        self.busy = false;
        self.claimed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestFlow = Flow<Vec<(u64, u64)>, u32>;

    fn flow() -> TestFlow {
        Flow::new(Instant::now(), true)
    }

    fn write(flow: &mut TestFlow, from: u64, to: u64) {
        flow.changed(&(from..to), 1, Instant::now());
    }

    /// Feeds what has arrived: from where to where, each time.
    fn feed(flow: &mut TestFlow) -> Vec<(u64, u64)> {
        let mut fed = Vec::new();
        while let Some(FlowStep::Feed(range, mut verifier)) = flow.next() {
            verifier.push((range.start, range.end));
            fed.push((range.start, range.end));
            flow.fed(verifier, range.end);
        }
        fed
    }

    #[test]
    fn pages_are_fed_in_order_whatever_order_they_come_in() {
        let mut flow = flow();
        write(&mut flow, 4096, 8192);
        assert!(feed(&mut flow).is_empty());
        write(&mut flow, 0, 4096);
        write(&mut flow, 8192, 8704);
        assert_eq!(feed(&mut flow), [(0, 8704)]);
        write(&mut flow, 1 << 20, 2 << 20);
        assert!(feed(&mut flow).is_empty(), "there is a gap");
        flow.want();
        assert!(matches!(flow.next(), Some(FlowStep::Judge(8704, seen)) if seen == [(0, 8704)]));
    }

    #[test]
    fn a_page_written_again_makes_it_start_over_at_the_judgement_and_not_before() {
        let mut flow = flow();
        write(&mut flow, 0, 8192);
        feed(&mut flow);
        write(&mut flow, 0, 512);
        write(&mut flow, 8192, 16384);
        assert!(!flow.has_work(), "no more than once");
        flow.want();
        assert!(matches!(flow.next(), Some(FlowStep::Judge(0, seen)) if seen.is_empty()));
    }

    #[test]
    fn what_was_fed_is_worth_nothing_for_content_that_nobody_told_of() {
        let mut flow = flow();
        write(&mut flow, 0, 8192);
        feed(&mut flow);
        flow.want();
        assert!(matches!(flow.next(), Some(FlowStep::Judge(8192, _))));
        assert!(!flow.judges(8192, 2), "the blob was made anew");
        assert!(matches!(flow.next(), Some(FlowStep::Judge(0, seen)) if seen.is_empty()));
        assert!(flow.judges(0, 2));
        flow.fed(Vec::new(), 4096);
        assert!(matches!(flow.next(), Some(FlowStep::Judge(4096, _))));
        assert!(flow.judges(4096, 2), "it goes on");
    }

    #[test]
    fn it_is_judged_when_nothing_was_written_for_long() {
        let mut flow = flow();
        let (written, quiet) = (Instant::now(), Duration::from_secs(60));
        flow.changed(&(4096..8192), 1, written);
        let due = flow.want_if_quiet(written + quiet / 2, quiet);
        assert_eq!(due, Some(written + quiet));
        assert!(!flow.has_work());
        assert_eq!(flow.want_if_quiet(written + quiet, quiet), None);
        assert!(flow.next_if(false).is_none(), "a change is under way");
        assert!(matches!(flow.next_if(true), Some(FlowStep::Judge(0, _))));
    }

    #[test]
    fn a_page_written_while_it_is_read_counts_as_written_again() {
        let mut flow = flow();
        write(&mut flow, 0, 8192);
        let Some(FlowStep::Feed(range, seen)) = flow.next() else {
            panic!("nothing to feed")
        };
        write(&mut flow, 4096, 4608);
        flow.fed(seen, range.end);
        flow.want();
        let Some(FlowStep::Judge(0, seen)) = flow.next() else {
            panic!("from the start")
        };
        // So does any page written during the judgement, which then waits for the next occasion.
        write(&mut flow, 1 << 30, 2 << 30);
        flow.fed(seen, 8192);
        assert!(!flow.has_work());
        flow.want();
        assert!(matches!(flow.next(), Some(FlowStep::Judge(0, _))));
    }
}
