//! The backup sets of one database family, and what can be asked of them.

use std::collections::{BTreeMap, BTreeSet};

use bak::Lsn;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::branches::Branches;
use crate::clocks::{self, Reading};
use crate::coverage::{BranchId, Coverage};
use crate::graph::{Graph, Index};
use crate::holes::Explainer;
use crate::loss;
use crate::moments::Span;
use crate::plan::{Plans, Refusal};
use crate::planner::Planner;
use crate::set::{Kind, Set, SetId};
use crate::spans;
use crate::target::{Moment, Target, Terms};
use crate::time::{Readings, Timeline};

/// A named mark in the log (`msdb.dbo.logmarkhistory`), or a moment whose LSN is known (an empty name).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its name.
    pub name: String,
    /// The record that carries it.
    pub lsn: Lsn,
    /// When it was committed.
    pub at: Option<Timestamp>,
    /// The fork it is on.
    pub fork: Uuid,
}

/// The sets of one database family (one FamilyGUID), indexed: every question costs in proportion to these sets alone.
#[derive(Debug, Clone, Default)]
pub struct Database {
    /// In log order: by LastLSN; where equal, what is restored first.
    sets: Vec<Set>,
    marks: Vec<Mark>,
    zone: Option<TimeZone>,
    branches: Branches,
    readings: Vec<Reading>,
    index: Index,
    last_written: Vec<i64>,
    by_id: Vec<(SetId, u32)>,
}

impl Database {
    /// A database of these sets, in any order. Costs n log n for n sets.
    #[must_use]
    pub fn new(sets: Vec<Set>) -> Self {
        let mut database = Self::default();
        database.index(sets);
        database
    }

    /// The rules of the server's time zone: resolves times without an offset, and hours that occur twice.
    #[must_use]
    pub fn in_zone(mut self, zone: TimeZone) -> Self {
        self.zone = Some(zone);
        let sets = self.take_sets();
        self.index(sets);
        self
    }

    /// Marks whose LSN is known.
    #[must_use]
    pub fn with_marks(mut self, marks: Vec<Mark>) -> Self {
        self.marks = marks;
        self
    }

    /// The sets, in log order.
    #[must_use]
    pub fn sets(&self) -> &[Set] {
        &self.sets
    }

    /// A set.
    #[must_use]
    pub fn set(&self, id: SetId) -> Option<&Set> {
        self.position(id).map(|index| &self.sets[index])
    }

    /// The branch at the end of a set.
    #[must_use]
    pub fn branch_of(&self, id: SetId) -> Option<BranchId> {
        self.position(id).map(|index| self.branches.at_end(index))
    }

    /// The index of a set.
    pub(crate) fn position(&self, id: SetId) -> Option<usize> {
        let found = self.by_id.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.by_id[found].1 as usize)
    }

    /// What is restorable, and why the rest is not.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.coverage_of(&self.usable(&BTreeSet::new()))
    }

    /// The cheapest way to `target`.
    ///
    /// # Errors
    /// Why there is none, with the nearest restorable points.
    pub fn plan(&self, target: &Target, terms: &Terms) -> Result<Plans, Box<Refusal>> {
        Planner::new(self, terms).plan(target)
    }

    /// What of the coverage would be lost if these sets were deleted: the spans, cut to what no other plan reaches, and why nothing
    /// reaches it then.
    #[must_use]
    pub fn loss(&self, sets: &[SetId]) -> Coverage {
        let usable = self.usable(&BTreeSet::new());
        let left = self.without(&usable, sets);
        loss::between(&self.coverage_of(&usable), &self.coverage_of(&left))
    }

    /// The sets that could not be restored any more if all these were deleted: differentials of a full, logs that nothing else leads to.
    #[must_use]
    pub fn dependents(&self, sets: &[SetId]) -> Vec<SetId> {
        let usable = self.usable(&BTreeSet::new());
        let left = self.without(&usable, sets);
        let before = self.graph().walk(&usable, |_| true);
        let after = self.graph().walk(&left, |_| true);
        let ends = before.ends.iter().zip(&after.ends);
        let stays = ends.zip(left.iter().zip(&self.sets));
        stays
            .filter(|((before, after), (left, _))| before.is_some() && after.is_none() && **left)
            .map(|(_, (_, set))| set.id)
            .collect()
    }

    /// What is usable once these sets are gone.
    fn without(&self, usable: &[bool], sets: &[SetId]) -> Vec<bool> {
        let gone: BTreeSet<SetId> = sets.iter().copied().collect();
        let left = usable.iter().zip(&self.sets);
        left.map(|(usable, set)| *usable && !gone.contains(&set.id))
            .collect()
    }

    fn coverage_of(&self, usable: &[bool]) -> Coverage {
        let graph = self.graph();
        let (spans, ways) = spans::reached(&graph, &self.readings, usable);
        let explainer = Explainer {
            graph: &graph,
            usable,
            ways: &ways,
        };
        let holes = self.branches.all.iter().flat_map(|branch| {
            let of_branch = spans.partition_point(|span| span.branch < branch.id)
                ..spans.partition_point(|span| span.branch <= branch.id);
            explainer.holes(branch.id, &spans[of_branch])
        });
        Coverage {
            holes: holes.collect(),
            branches: self.branches.all.clone(),
            spans,
        }
    }

    /// Hands out the sets; the database is empty until it is indexed anew.
    pub(crate) fn take_sets(&mut self) -> Vec<Set> {
        std::mem::take(&mut self.sets)
    }

    /// Replaces the sets.
    pub(crate) fn index(&mut self, sets: Vec<Set>) {
        self.sets = sets;
        self.sets.sort_by_key(|set| {
            let rank = match set.kind {
                Kind::Full => 0,
                Kind::Differential(_) => 1,
                Kind::Log => 2,
            };
            (set.last, rank, set.first, set.clock.start, set.id)
        });
        self.by_id = self.sets.iter().map(|set| set.id).zip(0..).collect();
        self.by_id.sort_unstable();
        let spans = self.place_in_time();
        self.branches = Branches::of(&self.sets, &spans);
        self.readings = clocks::read(&self.sets, &spans, &self.branches);
        self.index = Index::of(&self.sets);
        self.last_written = vec![i64::MIN; self.branches.all.len()];
        for (index, span) in spans.iter().enumerate() {
            let written = &mut self.last_written[self.branches.at_end(index).0 as usize];
            *written = (*written).max(span.start_latest);
        }
    }

    fn place_in_time(&self) -> Vec<Span> {
        let mut forks: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
        for (index, set) in self.sets.iter().enumerate() {
            forks.entry(set.fork.id).or_default().push(index);
        }
        let mut spans = vec![Span::default(); self.sets.len()];
        for members in forks.values() {
            let sets: Vec<&Set> = members.iter().map(|index| &self.sets[*index]).collect();
            let timeline = Timeline::of(&sets, self.zone.as_ref());
            for (index, times) in members.iter().zip(timeline.all()) {
                spans[*index] = Span::of(times, &self.sets[*index].clock);
            }
        }
        spans
    }

    /// The sets of a fork in time. Made when it is asked for: it is larger than all the rest.
    pub(crate) fn timeline(&self, fork: Uuid) -> Timeline {
        let sets: Vec<&Set> = self.sets.iter().filter(|set| set.fork.id == fork).collect();
        Timeline::of(&sets, self.zone.as_ref())
    }

    /// The points in time that a moment can be on the clock of a fork's server; none where that cannot be told.
    pub(crate) fn readings_of(&self, fork: Uuid, moment: Moment) -> Option<Vec<Timestamp>> {
        self.timeline(fork).readings(moment).ok().map(each)
    }

    pub(crate) fn graph(&self) -> Graph<'_> {
        Graph {
            sets: &self.sets,
            branches: &self.branches,
            index: &self.index,
        }
    }

    /// Which sets a plan may use, where the user named these damaged ones.
    pub(crate) fn usable(&self, named: &BTreeSet<SetId>) -> Vec<bool> {
        let usable = self.sets.iter().map(|set| {
            let is_sure = set.grade.is_usable()
                || (set.grade == crate::grade::Grade::Disputed && named.contains(&set.id));
            is_sure && set.families.missing.is_empty()
        });
        usable.collect()
    }

    pub(crate) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    pub(crate) fn zone(&self) -> Option<&TimeZone> {
        self.zone.as_ref()
    }

    pub(crate) fn reading(&self, index: usize) -> Reading {
        self.readings[index]
    }

    /// When the branch was last written to.
    pub(crate) fn last_written(&self, branch: BranchId) -> i64 {
        self.last_written[branch.0 as usize]
    }

    /// Up to which moment all is known once each set is restored whole, by index.
    pub(crate) fn reaches(&self, usable: &[bool]) -> Vec<i64> {
        clocks::reaches(&self.sets, &self.branches, &self.readings, usable)
    }
}

/// Each of the readings of a moment.
pub(crate) fn each(readings: Readings) -> Vec<Timestamp> {
    match readings {
        Readings::Skipped => Vec::new(),
        Readings::One(at) => vec![at],
        Readings::Several(all) => all,
    }
}
