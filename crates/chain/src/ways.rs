//! The cheapest ways that one walk over the graph found: to the end of each set, and into logs that are stopped half-way.
//!
//! A log that is cut may itself be entered by a cut, and so on through as many forks as there are. Each cut is therefore found once, in
//! the order of where it is, and looked up after that: following them anew each time would double the work with every fork.

use std::collections::BTreeMap;
use std::ops::Index;

use bak::Lsn;

use crate::graph::Way;

/// What a walk found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ways {
    /// By the index of the set: to its end.
    pub(crate) ends: Vec<Option<Way>>,
    /// By where a log is stopped and its index: into it, before that.
    cuts: BTreeMap<(Lsn, u32), Way>,
}

impl Ways {
    /// No ways to so many sets.
    pub(crate) fn none(sets: usize) -> Self {
        Self {
            ends: vec![None; sets],
            cuts: BTreeMap::new(),
        }
    }

    /// The best way into `log`, which is then stopped at `at`.
    pub(crate) fn to_cut(&self, log: usize, at: Lsn) -> Option<Way> {
        self.cuts.get(&(at, log as u32)).copied()
    }

    pub(crate) fn found_cut(&mut self, log: usize, at: Lsn, way: Way) {
        self.cuts.insert((at, log as u32), way);
    }
}

impl Index<usize> for Ways {
    type Output = Option<Way>;

    fn index(&self, set: usize) -> &Self::Output {
        &self.ends[set]
    }
}
