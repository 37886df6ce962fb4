//! Which set can be applied after which: the steps that RESTORE would take, as a graph over the sets of one database.
//!
//! Nodes are sets, by their index in log order. What a plan may use depends on the terms and on the target, so the graph is never
//! stored: [`Graph::walk`] goes once over the sets that are allowed and finds the cheapest way to the end of each.
//!
//! A log follows whatever ends at a position p with `first <= p < last` on the branch that owns p for both. A log of a fork whose
//! beginning the parent's log runs past is reached by stopping that log at the fork's first LSN, as SQL Server's own planner does.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use bak::{LogAgreement, Lsn};
use uuid::Uuid;

use crate::branches::{Branches, ends_at};
use crate::clocks::Reading;
use crate::coverage::BranchId;
use crate::grade::Grade;
use crate::set::{Kind, Set};
use crate::ways::Ways;

/// So many logs of a parent are tried for a cut at one point; more that run past it would be copies and overlaps without end.
const CUT_MAX: usize = 64;

/// What a way costs; the smaller the better: grades from the worst on, steps, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Cost {
    disputed: u32,
    headers_only: u32,
    accepted: u32,
    engine_verified: u32,
    pub(crate) steps: u32,
    pub(crate) bytes: u64,
}

impl Cost {
    /// The cost of one set.
    pub(crate) fn of(set: &Set) -> Self {
        let count = |grade| u32::from(set.grade == grade);
        Self {
            disputed: count(Grade::Disputed),
            headers_only: count(Grade::HeadersOnly),
            accepted: count(Grade::Accepted),
            engine_verified: count(Grade::EngineVerified),
            steps: 1,
            bytes: set.bytes,
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            disputed: self.disputed + other.disputed,
            headers_only: self.headers_only + other.headers_only,
            accepted: self.accepted + other.accepted,
            engine_verified: self.engine_verified + other.engine_verified,
            steps: self.steps + other.steps,
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// Whether two ways are equal but for the bytes.
    pub(crate) fn ties(self, other: Self) -> bool {
        Self { bytes: 0, ..self } == Self { bytes: 0, ..other }
    }
}

/// What comes before a set in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing: it is a full.
    Nothing,
    /// This set, whole.
    Whole(u32),
    /// This log, stopped at the set's first LSN.
    Cut(u32),
}

/// The cheapest way to the end of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) cost: Cost,
    /// LastLSN of the data backup that the logs go on from: of equal ways the newest.
    pub(crate) newest: Lsn,
    pub(crate) before: Before,
}

impl Way {
    /// Order of preference: better first.
    pub(crate) fn preference(&self, other: &Self) -> Ordering {
        self.cost.cmp(&other.cost).then(other.newest.cmp(&self.newest))
    }
}

/// What is looked up in the sets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    /// Fulls by BackupSetGUID.
    fulls: Vec<(Uuid, u32)>,
    /// Fulls by CheckpointLSN.
    checkpoints: Vec<(Lsn, u32)>,
    /// For each set the lowest FirstLSN of it and of the logs behind it: how far back a log can still reach.
    lowest_first: Vec<Lsn>,
}

impl Index {
    /// Of sets in log order.
    pub(crate) fn of(sets: &[Set]) -> Self {
        let fulls = || {
            sets.iter()
                .enumerate()
                .filter(|(_, set)| set.kind == Kind::Full && !set.is_copy_only)
        };
        let mut by_guid: Vec<(Uuid, u32)> = fulls()
            .filter_map(|(i, set)| Some((set.guid?, i as u32)))
            .collect();
        let mut checkpoints: Vec<(Lsn, u32)> = fulls().map(|(i, set)| (set.checkpoint, i as u32)).collect();
        by_guid.sort_unstable();
        checkpoints.sort_unstable();
        let mut lowest_first = vec![Lsn::ZERO; sets.len()];
        let mut lowest = None;
        for (index, set) in sets.iter().enumerate().rev() {
            let first = if set.is_log() { set.first } else { set.last };
            lowest = Some(lowest.map_or(first, |lowest: Lsn| lowest.min(first)));
            lowest_first[index] = lowest.unwrap_or(first);
        }
        Self {
            fulls: by_guid,
            checkpoints,
            lowest_first,
        }
    }
}

/// What the graph is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Graph<'a> {
    /// In log order.
    pub(crate) sets: &'a [Set],
    pub(crate) branches: &'a Branches,
    pub(crate) index: &'a Index,
}

impl Graph<'_> {
    /// Whether `log` is applicable at the position that `before` ends at, whole.
    fn follows(&self, before: usize, log: usize) -> bool {
        let at = self.sets[before].last;
        self.sets[log].first <= at
            && at < self.sets[log].last
            && self.owner(before, at) == self.owner(log, at)
            && !self.contradict(before, log)
    }

    /// Whether two sets hold different log blocks under the same LSNs. Branches keep such sets apart; this holds where they could not.
    fn contradict(&self, one: usize, other: usize) -> bool {
        match (&self.sets[one].log, &self.sets[other].log) {
            (Some(a), Some(b)) => matches!(a.compare(b), LogAgreement::Differs(_)),
            _ => false,
        }
    }

    /// The branch that owns the position `at` of the set's branch.
    pub(crate) fn owner(&self, index: usize, at: Lsn) -> BranchId {
        self.branches.canonical(self.branches.at_end(index), at)
    }

    /// Whether a log comes from another branch when applied at `at`.
    pub(crate) fn crosses(&self, log: usize, at: Lsn) -> bool {
        self.owner(log, at) != self.branches.at_end(log)
    }

    /// Whether a log and what comes before it, whose readings these are, lie on one branch and in one era, so that their moments compare.
    pub(crate) fn is_beside(&self, before: usize, log: usize, its: &Reading, of_log: &Reading) -> bool {
        its.era == of_log.era && !self.crosses(log, self.sets[before].last)
    }

    /// The sets that `log` can follow, whole.
    pub(crate) fn before_log(&self, log: usize) -> impl Iterator<Item = usize> + '_ {
        let (first, last) = (self.sets[log].first, self.sets[log].last);
        let from = self.sets.partition_point(|set| set.last < first);
        let until = self.sets.partition_point(|set| set.last < last);
        (from..until.max(from))
            .filter(move |before| !self.sets[*before].is_empty_log() && self.follows(*before, log))
    }

    /// The usable logs of a parent branch that run past the beginning of `log`, a log of a fork, and can be stopped there.
    pub(crate) fn cut_before<'a>(
        &'a self,
        log: usize,
        usable: &'a [bool],
    ) -> impl Iterator<Item = usize> + 'a {
        let at = self.sets[log].first;
        // A hidden history left its fork nobody knows where: nothing says that a log which runs past the point is shared up to there.
        let crosses = self.crosses(log, at) && self.branches.is_declared(self.branches.at_end(log));
        let from = if crosses {
            self.sets.partition_point(|set| set.last <= at)
        } else {
            self.sets.len()
        };
        let reach_back = (from..self.sets.len()).take_while(move |index| self.may_reach_back(*index, at));
        reach_back
            .filter(move |other| {
                let set = &self.sets[*other];
                usable[*other] && set.is_log() && !set.is_bulk_logged && set.first < at && *other != log
                && self.owner(*other, at) == self.owner(log, at)
                // Whole, it would do.
                && !self.follows(*other, log)
            })
            .take(CUT_MAX)
    }

    /// The fulls that a differential is relative to, where they are there.
    pub(crate) fn bases(&self, differential: usize) -> Vec<usize> {
        let Kind::Differential(base) = self.sets[differential].kind else {
            return Vec::new();
        };
        let last = self.sets[differential].last;
        let is_older = |full: &usize| self.sets[*full].last <= last;
        match base.guid {
            // Its base is what its header names, on whatever branch that lies.
            Some(guid) => same_key(&self.index.fulls, guid).filter(is_older).collect(),
            None => same_key(&self.index.checkpoints, base.lsn)
                .filter(is_older)
                .filter(|full| {
                    let at = self.sets[*full].last;
                    self.owner(*full, at) == self.owner(differential, at)
                })
                .collect(),
        }
    }

    /// The cheapest way to the end of each set. Whole sets must be `allowed`; of a log that is stopped half-way only its `usable`
    /// beginning counts.
    pub(crate) fn walk(&self, usable: &[bool], allowed: impl Fn(usize) -> bool) -> Ways {
        let mut ways = Ways::none(self.sets.len());
        let cuts = self.cuts(usable);
        let mut cuts = cuts.iter().peekable();
        for index in 0..self.sets.len() {
            // What leads into a log that is cut has to end before the cut.
            while let Some((at, log)) = cuts.next_if(|(at, _)| *at <= self.sets[index].last) {
                let into = self.ways_into(*log, Some(*at), usable, &ways);
                if let Some(way) = into.into_iter().min_by(Way::preference) {
                    ways.found_cut(*log, *at, way);
                }
            }
            if usable[index] && allowed(index) {
                ways.ends[index] = self.way_to(index, usable, &ways);
            }
        }
        ways
    }

    /// The cuts that lead into any usable log, in the order of where they are.
    fn cuts(&self, usable: &[bool]) -> BTreeSet<(Lsn, usize)> {
        let logs = (0..self.sets.len()).filter(|log| usable[*log] && self.sets[*log].is_log());
        logs.flat_map(|log| {
            let at = self.sets[log].first;
            self.cut_before(log, usable).map(move |other| (at, other))
        })
        .collect()
    }

    fn way_to(&self, index: usize, usable: &[bool], ways: &Ways) -> Option<Way> {
        let set = &self.sets[index];
        match set.kind {
            Kind::Full => Some(self.way_of(index, ways)),
            Kind::Differential(_) => self
                .ways_into_differential(index, usable)
                .into_iter()
                .min_by(Way::preference),
            Kind::Log => self
                .ways_into(index, None, usable, ways)
                .into_iter()
                .min_by(Way::preference),
        }
    }

    /// The ways to the end of a differential: by each copy of its base, whenever that was finished.
    pub(crate) fn ways_into_differential(&self, index: usize, usable: &[bool]) -> Vec<Way> {
        let set = &self.sets[index];
        let bases = self.bases(index).into_iter().filter(|base| usable[*base]);
        let ways = bases.map(|base| Way {
            cost: Cost::of(&self.sets[base]).plus(Cost::of(set)),
            newest: set.last,
            before: Before::Whole(base as u32),
        });
        ways.collect()
    }

    /// Whether a set at this index in log order, or a log behind it, begins at or before `at`.
    pub(crate) fn may_reach_back(&self, index: usize, at: Lsn) -> bool {
        self.index.lowest_first[index] <= at
    }

    /// All ways to the end of a log; with `until`, only those that enter it before this LSN.
    pub(crate) fn ways_into(&self, log: usize, until: Option<Lsn>, usable: &[bool], ways: &Ways) -> Vec<Way> {
        let cost = Cost::of(&self.sets[log]);
        let enters = |at: Lsn| until.is_none_or(|until| at < until);
        let mut found = Vec::new();
        for before in self
            .before_log(log)
            .filter(|before| enters(self.sets[*before].last))
        {
            if let Some(way) = ways[before] {
                found.push(Way {
                    cost: way.cost.plus(cost),
                    newest: way.newest,
                    before: Before::Whole(before as u32),
                });
            }
        }
        let at = self.sets[log].first;
        if enters(at) {
            for other in self.cut_before(log, usable) {
                if let Some(way) = ways.to_cut(other, at) {
                    found.push(Way {
                        cost: way.cost.plus(cost),
                        newest: way.newest,
                        before: Before::Cut(other as u32),
                    });
                }
            }
        }
        found
    }

    /// The way to the end of a set on a way. A full needs nothing, whenever it was finished.
    pub(crate) fn way_of(&self, index: usize, ways: &Ways) -> Way {
        let set = &self.sets[index];
        match set.kind {
            Kind::Full => Way {
                cost: Cost::of(set),
                newest: set.last,
                before: Before::Nothing,
            },
            _ => ways[index].expect("a way leads to each set on a way"),
        }
    }

    /// The sets before `last` on the way that ends with it, in the order of their restore, each with the LSN that it is stopped at.
    pub(crate) fn path(&self, last: usize, before: Before, ways: &Ways) -> Vec<(usize, Option<Lsn>)> {
        let mut path = vec![(last, None)];
        let mut before = before;
        loop {
            let after = path.last().expect("a path has an end").0;
            match before {
                Before::Nothing => break,
                Before::Whole(index) => {
                    path.push((index as usize, None));
                    before = self.way_of(index as usize, ways).before;
                }
                Before::Cut(index) => {
                    let at = self.sets[after].first;
                    path.push((index as usize, Some(at)));
                    let way = ways.to_cut(index as usize, at);
                    before = way.expect("a way leads into each log on a way").before;
                }
            }
        }
        path.reverse();
        path
    }

    /// The sets that end exactly at `lsn`.
    pub(crate) fn ending_at(&self, lsn: Lsn) -> impl Iterator<Item = usize> + '_ {
        ends_at(self.sets, lsn).map(|(index, _)| index)
    }
}

fn same_key<K: Ord + Copy>(sorted: &[(K, u32)], key: K) -> impl Iterator<Item = usize> + '_ {
    let from = sorted.partition_point(|(other, _)| *other < key);
    let until = sorted.partition_point(|(other, _)| *other <= key);
    sorted[from..until].iter().map(|(_, full)| *full as usize)
}
