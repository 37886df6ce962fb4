//! One blob on its way through the verifier: what has been fed, what can be fed next, and when to judge.
//!
//! A run is told what arrives and what is committed, and says what to do next. It holds no thread and reads nothing, so
//! every order of events can be tested. Three rules keep it honest:
//! - The verifier has seen exactly `fed`, in that order. At a commit, `fed` must be a beginning of the committed
//!   sequence, block for block (the same bytes, not only the same id); otherwise everything is thrown away and fed
//!   again from the store.
//! - A commit is judged when exactly its pieces have been fed, even when more have arrived meanwhile.
//! - One worker at a time. A worker that comes back after its work became worthless is told by its epoch.

use std::collections::{HashMap, VecDeque};

use super::budget::Kept;
use super::predict::{Arrival, Predictor};
use crate::limits;

/// A stored block as the run needs it. `B` names the bytes: two blocks are equal only when they are the same upload.
#[derive(Debug)]
pub(crate) struct Block<B> {
    /// The decoded id.
    pub(crate) id: Vec<u8>,
    /// Where the store has it.
    pub(crate) place: B,
    /// Its frames, when memory had room.
    pub(crate) kept: Option<Kept>,
}

/// What the verifier is to see next.
#[derive(Debug)]
pub(crate) enum Piece<B, C> {
    /// One block.
    Block(Block<B>),
    /// The whole blob of this commit, from its frames where memory had room, else from the store.
    Blob(Option<Kept>, C),
}

/// Which beginning of which run a piece of work belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch {
    run: u64,
    beginning: u64,
}

/// What a worker shall do.
#[derive(Debug)]
pub(crate) enum Step<B, C, V> {
    /// Feed the piece to the verifier and give it back with [`Run::fed`].
    Feed {
        /// What to feed.
        piece: Piece<B, C>,
        /// From which byte of it on; the verifier has seen what is before.
        from: u64,
        /// What has seen everything before it.
        verifier: V,
        /// Goes back to [`Run::fed`].
        epoch: Epoch,
    },
    /// The verifier has seen the commit whole. Counts as work until [`Run::judged`].
    Judge {
        /// Which commit.
        commit: C,
        /// What has seen it.
        verifier: V,
        /// Goes back to [`Run::judged`].
        epoch: Epoch,
    },
}

#[derive(Debug)]
struct Goal<C> {
    commit: C,
    pieces: usize,
}

/// The state of one blob. `B`: place of a block, `C`: identity of a commit, `V`: verifier.
#[derive(Debug)]
pub(crate) struct Run<B, C, V> {
    predictor: Predictor<Block<B>>,
    /// The prediction failed; nothing is fed before the next commit tells the order.
    spoiled: bool,
    /// What can be fed, and from which byte of it on: the first may have been fed in part.
    ready: VecDeque<(Piece<B, C>, u64)>,
    fed: Vec<(Vec<u8>, B)>,
    /// Pieces handed out since the last new beginning.
    pieces: usize,
    verifier: Option<V>,
    goal: Option<Goal<C>>,
    busy: bool,
    /// Busy with a judgement.
    judging: bool,
    epoch: Epoch,
    waiting_room: usize,
}

impl<B: Clone + Eq, C: Clone, V: Default + Clone> Run<B, C, V> {
    /// Nothing known yet. `id` is used by no other run.
    pub(crate) fn new(id: u64) -> Self {
        Run {
            predictor: Predictor::new(),
            spoiled: false,
            ready: VecDeque::new(),
            fed: Vec::new(),
            pieces: 0,
            verifier: None,
            goal: None,
            busy: false,
            judging: false,
            epoch: Epoch {
                run: id,
                beginning: 0,
            },
            waiting_room: 0,
        }
    }

    /// Takes a stored block. `opens`: its first bytes are those of a backup.
    pub(crate) fn arrived(&mut self, mut block: Block<B>, opens: bool) {
        if self.spoiled {
            return;
        }
        let room = block.kept.as_ref().map_or(0, Kept::room);
        if !opens && !self.predictor.started() && self.waiting_room + room > limits::PROOF_WAITING {
            block.kept = None;
        }
        let id = block.id.clone();
        let room = block.kept.as_ref().map_or(0, Kept::room);
        match self.predictor.arrived(&id, block, opens) {
            Arrival::Ready(blocks) => {
                let waited = blocks
                    .iter()
                    .skip(1)
                    .filter_map(|(_, b)| b.kept.as_ref())
                    .map(Kept::room)
                    .sum();
                self.waiting_room = self.waiting_room.saturating_sub(waited);
                self.ready
                    .extend(blocks.into_iter().map(|(_, block)| (Piece::Block(block), 0)));
            }
            Arrival::Waits { replaced } => {
                let gone = replaced.and_then(|b| b.kept).map_or(0, |kept| kept.room());
                self.waiting_room = (self.waiting_room + room).saturating_sub(gone);
            }
            Arrival::SentAgain => {
                // A commit that waits for its verdict names its blocks by place: another upload of the id is none of it.
                if self.goal.is_none() {
                    self.start_over();
                }
                self.spoiled = true;
            }
        }
    }

    /// Takes a commit: the blocks of the blob in their order.
    pub(crate) fn committed(&mut self, commit: C, sequence: Vec<(Vec<u8>, B)>) {
        let mut kept: HashMap<Vec<u8>, Block<B>> = self.predictor.take_waiting();
        let in_part = self.fed_of_the_next(sequence.get(self.fed.len()));
        for (piece, _) in std::mem::take(&mut self.ready) {
            if let Piece::Block(block) = piece {
                kept.insert(block.id.clone(), block);
            }
        }
        if in_part.is_none() || self.fed.len() != self.pieces || !sequence.starts_with(&self.fed) {
            self.start_over();
        }
        self.spoiled = false;
        self.waiting_room = 0;
        self.predictor = Predictor::after(sequence.iter().map(|(id, _)| id.as_slice()));
        self.goal = Some(Goal {
            commit,
            pieces: sequence.len(),
        });
        self.ready = (sequence.into_iter().skip(self.fed.len()))
            .map(|(id, place)| {
                let same = kept.remove(&id).filter(|block| block.place == place);
                let block = same.unwrap_or(Block {
                    id,
                    place,
                    kept: None,
                });
                (Piece::Block(block), 0)
            })
            .collect();
        if let (Some(first), Some(from), Some(_)) = (self.ready.front_mut(), in_part, &self.verifier) {
            first.1 = from;
        }
    }

    /// How much of the next piece has been fed; `None` when some has been, and it is not `next`.
    fn fed_of_the_next(&self, next: Option<&(Vec<u8>, B)>) -> Option<u64> {
        match self.ready.front() {
            Some((Piece::Block(block), from)) if *from > 0 => next
                .filter(|(id, place)| *id == block.id && *place == block.place)
                .map(|_| *from),
            Some((Piece::Blob(..), from)) if *from > 0 => None,
            _ => Some(0),
        }
    }

    /// Takes a blob that came in one piece, or one of which only the whole is known.
    pub(crate) fn replaced(&mut self, commit: C, kept: Option<Kept>) {
        self.start_over();
        self.predictor = Predictor::new();
        self.spoiled = false;
        self.waiting_room = 0;
        self.goal = Some(Goal {
            commit: commit.clone(),
            pieces: 1,
        });
        self.ready.push_back((Piece::Blob(kept, commit), 0));
    }

    /// Forgets what was fed.
    fn start_over(&mut self) {
        self.epoch.beginning += 1;
        self.verifier = None;
        self.fed.clear();
        self.pieces = 0;
        self.ready.clear();
        self.goal = None;
        self.predictor = Predictor::new();
    }

    /// Whether [`Run::next`] has something to do.
    pub(crate) fn has_work(&self) -> bool {
        !self.busy && (self.goal_reached() || !self.ready.is_empty())
    }

    /// Whether nothing would be lost but work if the run were dropped: no commit waits for its verdict.
    pub(crate) fn is_idle(&self) -> bool {
        !self.busy && self.goal.is_none()
    }

    /// Whether a commit is known that waits for its verdict, which is on its way.
    pub(crate) fn awaits_verdict(&self) -> bool {
        self.goal.is_some() || self.judging
    }

    /// Whether keeping another block in memory can help.
    pub(crate) fn wants_bytes(&self) -> bool {
        !self.spoiled && (self.predictor.started() || self.waiting_room < limits::PROOF_WAITING)
    }

    fn goal_reached(&self) -> bool {
        self.goal.as_ref().is_some_and(|goal| goal.pieces == self.pieces)
    }

    /// What to do next, if anything; the run is busy until the answer comes.
    pub(crate) fn next(&mut self) -> Option<Step<B, C, V>> {
        if self.busy {
            return None;
        }
        if self.goal_reached() {
            let goal = self.goal.take()?;
            self.busy = true;
            self.judging = true;
            let verifier = self.verifier.clone().unwrap_or_default();
            return Some(Step::Judge {
                commit: goal.commit,
                verifier,
                epoch: self.epoch,
            });
        }
        let (piece, from) = self.ready.pop_front()?;
        self.busy = true;
        self.pieces += 1;
        if let Piece::Block(block) = &piece {
            self.fed.push((block.id.clone(), block.place.clone()));
        }
        Some(Step::Feed {
            piece,
            from,
            verifier: self.verifier.take().unwrap_or_default(),
            epoch: self.epoch,
        })
    }

    /// The epoch that a worker's work must still have to be worth going on.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The worker is back. Whether its work still counts.
    fn back(&mut self, epoch: Epoch) -> bool {
        if epoch.run == self.epoch.run {
            self.busy = false;
            self.judging = false;
        }
        epoch == self.epoch
    }

    /// A piece has been fed.
    pub(crate) fn fed(&mut self, verifier: V, epoch: Epoch) {
        if self.back(epoch) {
            self.verifier = Some(verifier);
        }
    }

    /// A piece has been fed in part; it goes on at byte `from` of it.
    pub(crate) fn fed_in_part(&mut self, piece: Piece<B, C>, from: u64, verifier: V, epoch: Epoch) {
        if !self.back(epoch) {
            return;
        }
        self.verifier = Some(verifier);
        self.pieces -= 1;
        if matches!(piece, Piece::Block(_)) {
            self.fed.pop();
        }
        self.ready.push_front((piece, from));
    }

    /// A piece could not be read, or the verifier gave up on it. What the pending commit is, so that it can be judged
    /// anyway; `None` when the work had become worthless or no commit waits.
    pub(crate) fn failed(&mut self, epoch: Epoch) -> Option<C> {
        if !self.back(epoch) {
            return None;
        }
        let goal = self.goal.take();
        self.start_over();
        self.spoiled = true;
        goal.map(|goal| goal.commit)
    }

    /// A judgement has been recorded.
    pub(crate) fn judged(&mut self, epoch: Epoch) {
        self.back(epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use super::super::budget::Budget;

    /// Stands for the verifier: the places it has seen.
    type Seen = Vec<u32>;
    type TestRun = Run<u32, &'static str, Seen>;

    fn block(id: &str, place: u32) -> Block<u32> {
        Block {
            id: id.as_bytes().to_vec(),
            place,
            kept: None,
        }
    }

    fn sequence(blocks: &[(&str, u32)]) -> Vec<(Vec<u8>, u32)> {
        blocks
            .iter()
            .map(|(id, place)| (id.as_bytes().to_vec(), *place))
            .collect()
    }

    /// Works until nothing is left; the commits judged, with what the verifier had seen.
    fn work(run: &mut TestRun) -> Vec<(&'static str, Seen)> {
        let mut judged = Vec::new();
        while let Some(step) = run.next() {
            match step {
                Step::Feed {
                    piece,
                    mut verifier,
                    epoch,
                    ..
                } => {
                    match piece {
                        Piece::Block(block) => verifier.push(block.place),
                        Piece::Blob(..) => verifier.push(0),
                    }
                    run.fed(verifier, epoch);
                }
                Step::Judge {
                    commit,
                    verifier,
                    epoch,
                } => {
                    judged.push((commit, verifier));
                    run.judged(epoch);
                }
            }
        }
        judged
    }

    #[test]
    fn blocks_in_order_are_fed_before_the_commit_and_judged_at_it() {
        let mut run = TestRun::new(1);
        run.arrived(block("b1", 1), true);
        run.arrived(block("b2", 2), false);
        assert!(work(&mut run).is_empty());
        assert!(!run.has_work());
        run.committed("c", sequence(&[("b1", 1), ("b2", 2)]));
        assert!(matches!(run.next(), Some(Step::Judge { commit: "c", verifier, .. }) if verifier == [1, 2]));
    }

    #[test]
    fn a_growing_list_goes_on_where_it_was() {
        let mut run = TestRun::new(1);
        run.arrived(block("b1", 1), true);
        run.committed("c1", sequence(&[("b1", 1)]));
        // The next block arrives before the first commit is judged.
        run.arrived(block("b2", 2), false);
        assert_eq!(work(&mut run), [("c1", vec![1])]);
        run.committed("c2", sequence(&[("b1", 1), ("b2", 2)]));
        assert_eq!(run.epoch().beginning, 0, "nothing was fed twice");
        assert_eq!(work(&mut run), [("c2", vec![1, 2])]);
    }

    #[test]
    fn a_wrong_order_is_fed_again() {
        let mut run = TestRun::new(1);
        run.arrived(block("b1", 1), true);
        run.arrived(block("b2", 2), false);
        work(&mut run);
        run.committed("c", sequence(&[("b2", 2), ("b1", 1)]));
        assert_eq!(work(&mut run), [("c", vec![2, 1])]);
    }

    #[test]
    fn a_list_that_leaves_out_what_was_fed_is_fed_again() {
        let mut run = TestRun::new(1);
        run.arrived(block("b1", 1), true);
        run.arrived(block("b2", 2), false);
        work(&mut run);
        run.committed("c", sequence(&[("b1", 1)]));
        assert_eq!(work(&mut run), [("c", vec![1])]);
    }

    #[test]
    fn an_id_sent_again_spoils_the_run_until_the_commit() {
        let mut run = TestRun::new(1);
        run.arrived(block("b1", 1), true);
        work(&mut run);
        run.arrived(block("b1", 11), true);
        run.arrived(block("b2", 2), false);
        assert!(!run.has_work());
        assert!(!run.wants_bytes());
        run.committed("c", sequence(&[("b1", 11), ("b2", 2)]));
        assert_eq!(work(&mut run), [("c", vec![11, 2])]);
    }

    #[test]
    fn an_id_sent_again_takes_no_verdict_from_the_commit_before() {
        let mut run = TestRun::new(1);
        run.arrived(block("b1", 1), true);
        run.committed("c1", sequence(&[("b1", 1), ("b2", 2)]));
        // The next upload begins before the last one is judged.
        run.arrived(block("b1", 11), true);
        assert_eq!(work(&mut run), [("c1", vec![1, 2])]);
        run.committed("c2", sequence(&[("b1", 11)]));
        assert_eq!(work(&mut run), [("c2", vec![11])]);
    }

    #[test]
    fn a_piece_fed_in_part_goes_on_at_a_commit_that_names_it() {
        let mut run = TestRun::new(1);
        run.arrived(block("b1", 1), true);
        let Some(Step::Feed {
            piece,
            from: 0,
            epoch,
            ..
        }) = run.next()
        else {
            panic!("nothing to feed")
        };
        run.fed_in_part(piece, 100, vec![1], epoch);
        run.committed("c", sequence(&[("b1", 1), ("b2", 2)]));
        let Some(Step::Feed {
            from: 100,
            verifier,
            epoch,
            ..
        }) = run.next()
        else {
            panic!("it goes on where it was")
        };
        run.fed(verifier, epoch);
        assert_eq!(work(&mut run), [("c", vec![1, 2])]);
        // Named no more, or with other bytes, it is fed from the start of what is.
        let mut run = TestRun::new(2);
        run.arrived(block("b1", 1), true);
        let Some(Step::Feed { piece, epoch, .. }) = run.next() else {
            panic!("nothing to feed")
        };
        run.fed_in_part(piece, 100, vec![1], epoch);
        run.committed("c", sequence(&[("b1", 7)]));
        assert!(matches!(run.next(), Some(Step::Feed { from: 0, verifier, .. }) if verifier.is_empty()));
    }

    #[test]
    fn the_same_id_with_other_bytes_is_noticed_even_when_it_was_not_seen_arriving() {
        let mut run = TestRun::new(1);
        run.arrived(block("b1", 1), true);
        work(&mut run);
        run.committed("c", sequence(&[("b1", 99)]));
        assert_eq!(work(&mut run), [("c", vec![99])]);
    }

    #[test]
    fn ids_in_no_order_are_fed_after_the_commit() {
        let mut run = TestRun::new(1);
        run.arrived(block("x", 1), true);
        run.arrived(block("q", 2), false);
        run.arrived(block("a", 3), false);
        work(&mut run);
        run.committed("c", sequence(&[("x", 1), ("q", 2), ("a", 3)]));
        assert_eq!(run.epoch().beginning, 0);
        assert_eq!(work(&mut run), [("c", vec![1, 2, 3])]);
    }

    #[test]
    fn work_that_became_worthless_is_dropped() {
        let mut run = TestRun::new(1);
        run.arrived(block("b1", 1), true);
        let Some(Step::Feed { epoch, .. }) = run.next() else {
            panic!("nothing to feed")
        };
        run.committed("c", sequence(&[("b2", 2)]));
        assert!(!run.has_work(), "one worker at a time");
        run.fed(vec![1], epoch);
        assert_eq!(work(&mut run), [("c", vec![2])]);
    }

    #[test]
    fn work_for_another_run_of_the_same_name_is_dropped() {
        let mut old = TestRun::new(1);
        old.arrived(block("b1", 1), true);
        let Some(Step::Feed { epoch, .. }) = old.next() else {
            panic!("nothing to feed")
        };
        let mut new = TestRun::new(2);
        new.arrived(block("b1", 2), true);
        assert!(new.next().is_some());
        new.fed(vec![1], epoch);
        assert!(new.busy && new.verifier.is_none(), "its own worker is still out");
    }

    #[test]
    fn a_whole_blob_replaces_what_was_there_and_blocks_may_follow() {
        let mut run = TestRun::new(1);
        run.arrived(block("b1", 1), true);
        work(&mut run);
        run.replaced("c1", None);
        assert_eq!(work(&mut run), [("c1", vec![0])]);
        run.arrived(block("b1", 5), true);
        run.committed("c2", sequence(&[("b1", 5)]));
        assert_eq!(work(&mut run), [("c2", vec![5])]);
    }

    #[test]
    fn an_unreadable_piece_ends_the_run_until_the_next_commit() {
        let mut run = TestRun::new(1);
        run.committed("c1", sequence(&[("b1", 1), ("b2", 2)]));
        let Some(Step::Feed { epoch, .. }) = run.next() else {
            panic!("nothing to feed")
        };
        assert_eq!(run.failed(epoch), Some("c1"));
        assert!(!run.has_work());
        run.committed("c2", sequence(&[("b1", 1)]));
        assert_eq!(work(&mut run), [("c2", vec![1])]);
    }

    #[test]
    fn memory_is_given_back_before_the_start_is_known_and_used_at_the_commit() {
        let budget = Budget::new(1 << 30);
        let mut run = TestRun::new(1);
        let big = |id: &str, place, budget: &Arc<Budget>| Block {
            id: id.as_bytes().to_vec(),
            place,
            kept: budget.room(4 << 20),
        };
        for n in 0..8 {
            run.arrived(big(&format!("x{n}"), n, &budget), false);
        }
        assert_eq!(budget.free(), (1 << 30) - limits::PROOF_WAITING);
        assert!(!run.wants_bytes());
        run.committed("c", sequence(&[("x0", 0), ("x7", 7)]));
        assert_eq!(
            budget.free(),
            (1 << 30) - (4 << 20),
            "only what the commit names is kept"
        );
        let Some(Step::Feed {
            piece: Piece::Block(first),
            ..
        }) = run.next()
        else {
            panic!("nothing to feed")
        };
        assert!(first.kept.is_some());
    }
}
