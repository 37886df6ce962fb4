//! What was committed when: the record that restored databases are held against.
//!
//! Everything here comes from the workload's own model of its table, nothing from the code under test.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// All rows: texts by number.
pub(super) type State = BTreeMap<i64, String>;

/// A log tells the time of a commit in units of a 300th of a second, and so does STOPAT.
const GRAIN: SignedDuration = SignedDuration::from_millis(4);

/// A committed state.
struct Commit {
    /// When its statement was sent, and when it was answered.
    began: Timestamp,
    at: Timestamp,
    /// When the next one was answered, or the clock jumped; none while it is the last.
    until: Option<Timestamp>,
    state: State,
}

/// The history of a database, oldest first, by its server's clock.
pub(super) struct Truth(Vec<Commit>);

impl Truth {
    /// A database that is empty from a moment on.
    pub(super) fn from(at: Timestamp) -> Self {
        let mut truth = Self(Vec::new());
        truth.commits(at, at, State::new());
        truth
    }

    /// A transaction was committed between two moments; or a restore, or a snapshot, made the database what it was at another.
    pub(super) fn commits(&mut self, began: Timestamp, at: Timestamp, state: State) {
        self.ends(at);
        self.0.push(Commit {
            began,
            at,
            until: None,
            state,
        });
    }

    /// The clock jumped from one moment to another. At moments that it left out nothing was changed.
    pub(super) fn jumps(&mut self, from: Timestamp, to: Timestamp) {
        let state = self.state().clone();
        self.ends(from.max(to));
        self.0.push(Commit {
            began: to,
            at: to,
            until: None,
            state,
        });
    }

    fn ends(&mut self, at: Timestamp) {
        if let Some(last) = self.0.last_mut() {
            last.until = Some(at);
        }
    }

    /// Every row is another one than it was.
    pub(super) fn falsify(&mut self) {
        for text in self.0.iter_mut().flat_map(|commit| commit.state.values_mut()) {
            text.push('!');
        }
    }

    /// How it is now.
    pub(super) fn state(&self) -> &State {
        &self.0[self.0.len() - 1].state
    }

    /// How many commits there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// When the commit of a number was answered.
    pub(super) fn at(&self, number: usize) -> Timestamp {
        self.0[number].at
    }

    /// Whether these rows are those of a moment between two: one at which this state may have been the newest.
    pub(super) fn was_between(&self, from: Timestamp, to: Timestamp, found: &State) -> bool {
        let may_be = |commit: &&Commit| {
            let is_over = commit.until.is_some_and(|until| until + GRAIN <= from);
            commit.began - GRAIN <= to && !is_over
        };
        self.0.iter().filter(may_be).any(|commit| commit.state == *found)
    }

    /// Behind which commits the rows were these.
    pub(super) fn when(&self, found: &State) -> Vec<String> {
        let alike = self.0.iter().filter(|commit| commit.state == *found);
        alike.map(|commit| commit.at.to_string()).collect()
    }
}
