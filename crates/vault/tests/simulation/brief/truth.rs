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
    /// When its statement was sent, and when it was answered. The clocks of these stories are right.
    began: Timestamp,
    at: Timestamp,
    state: State,
}

/// The history of a database, oldest first.
pub(super) struct Truth(Vec<Commit>);

impl Truth {
    /// A database that is empty from a moment on.
    pub(super) fn from(at: Timestamp) -> Self {
        let first = Commit {
            began: at,
            at,
            state: State::new(),
        };
        Self(vec![first])
    }

    /// A transaction was committed between two moments.
    pub(super) fn commits(&mut self, began: Timestamp, at: Timestamp, state: State) {
        self.0.push(Commit { began, at, state });
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

    /// Whether these rows are those of a moment between two: everything that was committed up to the first is in them, and nothing
    /// that began after the second.
    pub(super) fn was_between(&self, from: Timestamp, to: Timestamp, found: &State) -> bool {
        let least = self
            .0
            .iter()
            .filter(|commit| commit.at + GRAIN <= from)
            .count()
            .max(1);
        let most = self.0.iter().filter(|commit| commit.began - GRAIN <= to).count();
        let possible = &self.0[least - 1..most.max(least)];
        possible.iter().any(|commit| commit.state == *found)
    }

    /// Behind which commits the rows were these.
    pub(super) fn when(&self, found: &State) -> Vec<String> {
        let alike = self.0.iter().filter(|commit| commit.state == *found);
        alike.map(|commit| commit.at.to_string()).collect()
    }
}
