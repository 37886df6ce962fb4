//! From a target to the cheapest plan: which last step gets there, by which way, and where to stop.
//!
//! Each kind of target has its own module; all end in [`Final`]s, last steps with the way that leads to them, of which the best on the
//! branch that was written last becomes the plan.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use bak::Lsn;
use jiff::Timestamp;

use crate::coverage::{BranchId, HoleReason};
use crate::database::Database;
use crate::graph::{Before, Cost, Graph, Way};
use crate::holes::unusable;
use crate::plan::{Plan, Plans, Reason, Refusal, Restorable, Step, Stop};
use crate::set::{Kind, SetId};
use crate::target::{Moment, Target, Terms};
use crate::time::Timeline;
use crate::ways::Ways;

mod at_lsn;
mod at_mark;
mod at_moment;
mod ties;

/// One way to the target: its last set, and how that ends.
#[derive(Debug, Clone)]
pub(crate) struct Final {
    last: usize,
    stop: Option<Stop>,
    way: Way,
    /// The branch whose state is reached.
    branch: BranchId,
    reaches: Lsn,
    /// The moment that it stops at, where it is one.
    at: Option<Timestamp>,
}

impl Final {
    fn preference(&self, other: &Self) -> Ordering {
        self.way.preference(&other.way).then(self.last.cmp(&other.last))
    }
}

/// Ways to the target that were found under one set of allowed sets.
pub(crate) struct Found {
    finals: Vec<Final>,
    ways: Ways,
}

/// Makes plans over one database.
pub(crate) struct Planner<'a> {
    database: &'a Database,
    graph: Graph<'a>,
    usable: Vec<bool>,
    /// Up to which moment all is known once each set is restored whole.
    reaches: Vec<i64>,
    terms: &'a Terms,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(database: &'a Database, terms: &'a Terms) -> Self {
        let named: BTreeSet<SetId> = terms.accept_damaged.iter().copied().collect();
        let usable = database.usable(&named);
        Self {
            graph: database.graph(),
            reaches: database.reaches(&usable),
            usable,
            database,
            terms,
        }
    }

    pub(crate) fn plan(&self, target: &Target) -> Result<Plans, Box<Refusal>> {
        if let Some(branch) = self.terms.branch
            && branch.0 as usize >= self.graph.branches.all.len()
        {
            return Err(refusal(Reason::UnknownBranch));
        }
        // Of one set there is more to say: why it is of no use.
        let is_of_one_set = matches!(target, Target::Set(_));
        if !is_of_one_set && self.usable.iter().all(|usable| !usable) {
            return Err(refusal(Reason::Nothing));
        }
        match target {
            Target::Lsn(lsn) => self.at_lsn_of(None, *lsn, &Stop::AtLsn(*lsn)),
            Target::BeforeLsn(lsn) => self.at_lsn_of(None, *lsn, &Stop::BeforeLsn(*lsn)),
            Target::Set(id) => self.at_set(*id),
            Target::Latest => self.latest(),
            Target::Mark { name, after } => self.at_mark(name, *after),
            Target::Moment(moment) => self.at_moment(*moment),
        }
    }

    fn sets_allowed(&self) -> Ways {
        self.graph.walk(&self.usable, |_| true)
    }

    /// Whether the position `at`, which `branch` owns, is in the past of the branch asked for; any is where none was.
    fn wants(&self, branch: BranchId, at: Lsn) -> bool {
        self.terms
            .branch
            .is_none_or(|wanted| self.graph.branches.canonical(wanted, at) == branch)
    }

    /// The best plan of those found, and those that equal it; `None` where nothing was found.
    fn choose(&self, found: &[Found]) -> Option<Plans> {
        let mut best_of_branch: Vec<(&Final, &Found)> = Vec::new();
        for found in found {
            for last in &found.finals {
                match best_of_branch
                    .iter_mut()
                    .find(|(best, _)| best.branch == last.branch)
                {
                    Some(best) if last.preference(best.0).is_lt() => *best = (last, found),
                    Some(_) => {}
                    None => best_of_branch.push((last, found)),
                }
            }
        }
        best_of_branch.sort_by_key(|(last, _)| std::cmp::Reverse(self.database.last_written(last.branch)));
        let (best, from) = *best_of_branch.first()?;
        Some(Plans {
            best: self.make(best, &from.ways),
            alternatives: self.alternatives(best, from),
            other_branches: best_of_branch[1..]
                .iter()
                .map(|(last, found)| self.make(last, &found.ways))
                .collect(),
        })
    }

    fn make(&self, last: &Final, ways: &Ways) -> Plan {
        let path = self.graph.path(last.last, last.way.before, ways);
        self.plan_of(last, &path, self.timeline_of(last).as_ref())
            .expect("what a way found needs to stop is written")
    }

    /// The sets in time that a plan which ends so is written by; none where it ends at no moment.
    fn timeline_of(&self, last: &Final) -> Option<Timeline> {
        let fork = self.graph.branches.all[last.branch.0 as usize].fork;
        last.at.map(|_| self.database.timeline(fork))
    }

    /// A plan from its sets, each with the LSN that it is stopped at. None where a stop that it needs cannot be written.
    fn plan_of(
        &self,
        last: &Final,
        path: &[(usize, Option<Lsn>)],
        timeline: Option<&Timeline>,
    ) -> Option<Plan> {
        let mut cost = Cost::default();
        let early = timeline.map_or(Some(Vec::new()), |timeline| {
            self.early_stops(last, path, timeline)
        })?;
        let mut may_have_stopped = false;
        let steps = path.iter().enumerate().map(|(number, (index, cut))| {
            let set = &self.graph.sets[*index];
            cost = cost.plus(Cost::of(set));
            let stop = if number + 1 == path.len() {
                last.stop.clone()
            } else {
                let early = early.iter().find(|(log, _)| log == index);
                cut.map(Stop::BeforeLsn).or(early.map(|(_, stop)| stop.clone()))
            };
            let only_from = Some(set.first).filter(|_| may_have_stopped && set.is_log());
            may_have_stopped |= matches!(stop, Some(Stop::At(_)));
            Step {
                set: set.id,
                kind: set.kind,
                grade: set.grade,
                stop,
                only_from,
            }
        });
        let steps = steps.collect();
        Some(Plan {
            steps,
            branch: last.branch,
            reaches: last.reaches,
            bytes: cost.bytes,
        })
    }

    /// The furthest that the branch which was written last can be restored to.
    fn latest(&self) -> Result<Plans, Box<Refusal>> {
        let ways = self.sets_allowed();
        let ends = (0..self.graph.sets.len()).filter_map(|index| Some((index, ways[index]?)));
        let ends = ends.filter(|(index, _)| {
            self.terms
                .branch
                .is_none_or(|branch| self.graph.branches.at_end(*index) == branch)
        });
        let furthest = |(index, way): &(usize, Way)| {
            let branch = self.graph.branches.at_end(*index);
            (
                self.database.last_written(branch),
                branch,
                self.graph.sets[*index].last,
                std::cmp::Reverse(way.cost),
            )
        };
        let mut best: Vec<Final> = Vec::new();
        let chosen = ends.clone().max_by_key(furthest).map(|(index, _)| index);
        if let Some(chosen) = chosen {
            let (branch, last) = (self.graph.branches.at_end(chosen), self.graph.sets[chosen].last);
            let there = ends.filter(|(index, _)| {
                self.graph.sets[*index].last == last && self.graph.branches.at_end(*index) == branch
            });
            best.extend(there.map(|(index, way)| self.whole(index, way, branch)));
        }
        let found = Found { finals: best, ways };
        self.choose(&[found])
            .ok_or_else(|| self.refuse_at_lsn(Reason::Nothing, None))
    }

    fn at_set(&self, id: SetId) -> Result<Plans, Box<Refusal>> {
        let Some(index) = self.database.position(id) else {
            return Err(refusal(Reason::SetUnusable(None)));
        };
        let set = &self.graph.sets[index];
        let (branch, owner) = (
            self.graph.branches.at_end(index),
            self.graph.owner(index, set.last),
        );
        if !self.wants(owner, set.last) {
            let why = HoleReason::OtherFork(set.fork.id);
            return Err(self.refuse_at_lsn(Reason::SetUnusable(Some(why)), Some(set.last)));
        }
        if !self.usable[index] {
            return Err(self.refuse_at_lsn(Reason::SetUnusable(Some(unusable(set))), Some(set.last)));
        }
        if set.is_empty_log() {
            return self.at_lsn_of(Some(owner), set.last, &Stop::BeforeLsn(set.last));
        }
        let ways = self.sets_allowed();
        let finals = ways[index]
            .map(|way| self.whole(index, way, branch))
            .into_iter()
            .collect();
        let found = Found { finals, ways };
        if let Some(plans) = self.choose(&[found]) {
            return Ok(plans);
        }
        // Another set may end where this one does, and be reached.
        if let Ok(plans) = self.at_lsn_of(Some(owner), set.last, &Stop::BeforeLsn(set.last)) {
            return Ok(plans);
        }
        let why = match set.kind {
            Kind::Differential(base) => Some(HoleReason::BaseMissing(set.id, base.guid)),
            _ => {
                let coverage = self.database.coverage();
                let holes = coverage.holes.into_iter().filter(|hole| hole.branch == branch);
                let around = holes.filter(|hole| hole.from < set.last && set.last <= hole.to);
                around.max_by_key(|hole| hole.from).map(|hole| hole.reason)
            }
        };
        Err(self.refuse_at_lsn(Reason::SetUnusable(why), Some(set.last)))
    }

    /// A set restored whole as the last step.
    fn whole(&self, index: usize, way: Way, branch: BranchId) -> Final {
        Final {
            last: index,
            stop: None,
            way,
            branch,
            reaches: self.graph.sets[index].last,
            at: None,
        }
    }
}

fn refusal(reason: Reason) -> Box<Refusal> {
    Box::new(Refusal {
        reason,
        before: None,
        after: None,
        moment: None,
    })
}

/// The end of a span as a point to offer.
fn point(span: &crate::coverage::Span, at_end: bool) -> Restorable {
    Restorable {
        branch: span.branch,
        lsn: Some(if at_end { span.to } else { span.from }),
        at: span.times.map(|times| if at_end { times.to } else { times.from }),
        within: span.within,
    }
}

impl Moment {
    fn refuse(self, reason: Reason) -> Box<Refusal> {
        Box::new(Refusal {
            moment: Some(self),
            ..*refusal(reason)
        })
    }
}

fn whole_step(before: Before) -> Option<usize> {
    match before {
        Before::Whole(index) => Some(index as usize),
        Before::Nothing | Before::Cut(_) => None,
    }
}
