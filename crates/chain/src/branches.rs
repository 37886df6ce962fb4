//! The branches of a database's history: recovery forks as SQL Server declares them, and hidden ones, which it does not.
//!
//! A fork that a restore makes is in the headers: a new RecoveryForkID, the fork it left and the point. A server put back to an older
//! snapshot is not: it writes the same LSNs again under the same fork id. [`histories`] tells such histories apart; each
//! (fork, history) is a branch. Positions up to the point where a branch left its parent are the parent's own, so that a position has
//! one name, [`Branches::canonical`], and two sets fit together exactly when they agree on it.

use std::collections::{BTreeMap, BTreeSet};

use bak::{LogAgreement, Lsn};
use uuid::Uuid;

use crate::coverage::{Branch, BranchId};
use crate::histories::{self, History};
use crate::moments::Span;
use crate::set::{ForkOrigin, Kind, Set};

/// A chain of forks longer than this is not followed: it would have to be a circle.
const DEPTH_MAX: usize = 1024;

/// Of the data backups that end within one log, so many have their blocks compared with it.
const COMPARED_MAX: usize = 64;

/// The branches, and on which each set lies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Branches {
    /// By number.
    pub(crate) all: Vec<Branch>,
    /// By the index of the set: the branch at its end.
    of: Vec<BranchId>,
}

impl Branches {
    /// Sorts `sets` (in log order) into branches; `spans` are their times.
    pub(crate) fn of(sets: &[Set], spans: &[Span]) -> Self {
        let mut forks: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
        for (index, set) in sets.iter().enumerate() {
            forks.entry(set.fork.id).or_default().push(index);
        }
        let mut found: Vec<(Uuid, History)> = Vec::new();
        for (fork, members) in forks {
            let histories = histories::tell_apart(sets, spans, &members);
            found.extend(histories.into_iter().map(|history| (fork, history)));
        }
        found.sort_by_key(|(fork, history)| (history.sets.first().copied(), *fork));
        let mut of = vec![BranchId(0); sets.len()];
        let mut all = Vec::with_capacity(found.len());
        let mut count: BTreeMap<Uuid, u32> = BTreeMap::new();
        for (index, (fork, history)) in found.iter().enumerate() {
            let id = BranchId(index as u32);
            for set in &history.sets {
                of[*set] = id;
            }
            let number = count.entry(*fork).or_default();
            *number += 1;
            all.push(Branch {
                id,
                fork: *fork,
                history: *number,
                parent: None,
                origin: origin(sets, &history.sets),
                evidence: history.evidence.clone(),
            });
        }
        let mut branches = Self { all, of };
        branches.find_parents(sets, spans, &found);
        branches
    }

    /// The branch at the end of the set with this index.
    pub(crate) fn at_end(&self, index: usize) -> BranchId {
        self.of[index]
    }

    /// Whether SQL Server itself says where a branch left its parent.
    pub(crate) fn is_declared(&self, branch: BranchId) -> bool {
        let branch = &self.all[branch.0 as usize];
        let point = branch.origin.map(|origin| origin.point);
        branch.parent.is_some_and(|(_, left)| Some(left) == point)
    }

    /// The branch that owns the position `at` of `branch`: an ancestor where `at` lies at or before the point of departure.
    pub(crate) fn canonical(&self, branch: BranchId, at: Lsn) -> BranchId {
        let mut branch = branch;
        for _ in 0..DEPTH_MAX {
            match self.all[branch.0 as usize].parent {
                Some((parent, point)) if at <= point => branch = parent,
                _ => break,
            }
        }
        branch
    }

    /// Whether `ancestor` is `branch` itself or one that it descends from.
    pub(crate) fn is_within(&self, branch: BranchId, ancestor: BranchId) -> bool {
        self.shared_with(branch, ancestor).is_some()
    }

    /// Up to where `branch` shares the log of `ancestor`: all of it where they are the same, else to the point of departure. None where
    /// it does not descend from it.
    pub(crate) fn shared_with(&self, branch: BranchId, ancestor: BranchId) -> Option<Option<Lsn>> {
        let (mut branch, mut until) = (branch, None);
        for _ in 0..DEPTH_MAX {
            if branch == ancestor {
                return Some(until);
            }
            let (parent, point) = self.all[branch.0 as usize].parent?;
            until = Some(until.map_or(point, |until: Lsn| until.min(point)));
            branch = parent;
        }
        None
    }

    /// Cuts the positions `from` to `to` of `branch` into the stretches that each ancestor owns, the nearest first.
    pub(crate) fn owners(&self, branch: BranchId, from: Lsn, to: Lsn) -> Vec<(BranchId, Lsn, Lsn)> {
        let (mut branch, mut to) = (branch, to);
        let mut out = Vec::new();
        for _ in 0..DEPTH_MAX {
            match self.all[branch.0 as usize].parent {
                Some((parent, point)) if from <= point => {
                    if to > point {
                        out.push((branch, point, to));
                    }
                    to = to.min(point);
                    branch = parent;
                }
                _ => {
                    out.push((branch, from, to));
                    break;
                }
            }
        }
        out
    }

    fn find_parents(&mut self, sets: &[Set], spans: &[Span], found: &[(Uuid, History)]) {
        for (index, (_, history)) in found.iter().enumerate() {
            let hidden = history.evidence.is_some();
            let parent = hidden
                .then(|| self.parent_history(sets, spans, index, history))
                .flatten();
            let parent = parent.or_else(|| self.parent_fork(sets, spans, index, history));
            // A circle of parents can come only from headers that contradict each other.
            let is_circle = parent.is_some_and(|(parent, _)| {
                let mut above = Some(parent);
                let mut steps = 0;
                while let Some(branch) = above {
                    if branch.0 as usize == index || steps > DEPTH_MAX {
                        return true;
                    }
                    steps += 1;
                    above = self.all[branch.0 as usize].parent.map(|(up, _)| up);
                }
                false
            });
            self.all[index].parent = parent.filter(|_| !is_circle);
        }
    }

    /// Where a hidden history left an earlier one of its fork: the furthest point that both are known to share. What shows it has to be
    /// older than the history: what the other wrote since is none of its past.
    fn parent_history(
        &self,
        sets: &[Set],
        spans: &[Span],
        index: usize,
        history: &History,
    ) -> Option<(BranchId, Lsn)> {
        let fork = self.all[index].fork;
        let born = history.sets.iter().map(|set| spans[*set].start_earliest).min()?;
        let shown = before_first_log(sets, history)
            .chain(agreeing_data(sets, history))
            .chain(bases(sets, history));
        let of_others = shown.filter(|(_, other)| {
            let branch = self.at_end(*other);
            branch.0 as usize != index && sets[*other].fork.id == fork && spans[*other].start_earliest <= born
        });
        let furthest = of_others.max_by_key(|(point, other)| (*point, std::cmp::Reverse(*other)));
        furthest.map(|(point, other)| (self.at_end(other), point))
    }

    /// The branch that a declared fork left. Where the parent fork has several histories, the one that a log of the child continues
    /// exactly, and which had written so far by then; where none can be told, none.
    fn parent_fork(
        &self,
        sets: &[Set],
        spans: &[Span],
        index: usize,
        history: &History,
    ) -> Option<(BranchId, Lsn)> {
        let origin = self.all[index].origin?;
        let candidates: Vec<BranchId> = self
            .all
            .iter()
            .filter(|branch| branch.fork == origin.parent)
            .map(|branch| branch.id)
            .collect();
        if let [only] = candidates.as_slice() {
            return Some((*only, origin.point));
        }
        let crossing = history
            .sets
            .iter()
            .copied()
            .filter(|set| sets[*set].is_log() && sets[*set].first <= origin.point);
        let mut linked: Vec<BranchId> = crossing
            .flat_map(|log| ends_at(sets, sets[log].first).map(move |(other, set)| (log, other, set)))
            .filter(|(_, _, set)| set.is_log() && set.fork.id == origin.parent)
            .filter(|(log, other, _)| spans[*other].start_earliest <= spans[*log].finish_latest)
            .map(|(_, other, _)| self.at_end(other))
            .collect();
        linked.sort();
        linked.dedup();
        match linked.as_slice() {
            [only] => Some((*only, origin.point)),
            _ => None,
        }
    }
}

/// The logs that end, or begin, exactly where the first log of a history begins: its database knew the same log as its last one.
fn before_first_log<'a>(sets: &'a [Set], history: &History) -> impl Iterator<Item = (Lsn, usize)> + 'a {
    let logs = history
        .sets
        .iter()
        .map(|set| &sets[*set])
        .filter(|set| set.is_log());
    let first = logs.map(|log| log.first).min();
    first.into_iter().flat_map(move |first| {
        let ending = ends_at(sets, first).filter(|(_, set)| set.is_log());
        let beginning = sets.iter().enumerate().filter(move |(_, set)| {
            set.is_log() && !set.is_copy_only && !set.is_empty_log() && set.first == first
        });
        ending.chain(beginning).map(move |(other, _)| (first, other))
    })
}

/// Data backups that hold the same log blocks, up to their end, as a log of the history.
fn agreeing_data<'a>(sets: &'a [Set], history: &'a History) -> impl Iterator<Item = (Lsn, usize)> + 'a {
    let logs = history
        .sets
        .iter()
        .map(|set| &sets[*set])
        .filter(|set| set.is_log() && set.log.is_some());
    logs.flat_map(move |log| {
        let from = sets.partition_point(|set| set.last <= log.first);
        let held = sets
            .iter()
            .enumerate()
            .skip(from)
            .take_while(|(_, set)| set.last <= log.last);
        let agrees = |set: &Set| match (&set.log, &log.log) {
            (Some(own), Some(log)) => own.compare(log) == LogAgreement::Same,
            _ => false,
        };
        let data = held.filter(|(_, set)| !set.is_log()).take(COMPARED_MAX);
        data.filter(move |(_, set)| agrees(set))
            .map(|(other, set)| (set.last, other))
    })
}

/// The fulls that differentials of a history name as their bases.
fn bases<'a>(sets: &'a [Set], history: &History) -> impl Iterator<Item = (Lsn, usize)> + 'a {
    let named: BTreeSet<Uuid> = history
        .sets
        .iter()
        .filter_map(|set| match sets[*set].kind {
            Kind::Differential(base) => base.guid,
            _ => None,
        })
        .collect();
    let is_named =
        move |set: &Set| set.kind == Kind::Full && set.guid.is_some_and(|guid| named.contains(&guid));
    sets.iter()
        .enumerate()
        .filter(move |(_, set)| is_named(set))
        .map(|(other, set)| (set.last, other))
}

/// The sets that end exactly at `lsn`, with their indices; `sets` are in log order.
pub(crate) fn ends_at(sets: &[Set], lsn: Lsn) -> impl Iterator<Item = (usize, &Set)> {
    let start = sets.partition_point(|set| set.last < lsn);
    sets.iter()
        .enumerate()
        .skip(start)
        .take_while(move |(_, set)| set.last == lsn)
}

/// What the headers of these sets say of their fork's origin. Where they contradict each other, what most of them say.
fn origin(sets: &[Set], members: &[usize]) -> Option<ForkOrigin> {
    let mut said: BTreeMap<(Uuid, Lsn), usize> = BTreeMap::new();
    for origin in members.iter().filter_map(|index| sets[*index].fork.origin) {
        *said.entry((origin.parent, origin.point)).or_default() += 1;
    }
    let most = said.into_iter().max_by_key(|(_, count)| *count);
    most.map(|((parent, point), _)| ForkOrigin { parent, point })
}
