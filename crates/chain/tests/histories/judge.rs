//! Holds the planner against truth and against brute force, for one history.

use std::collections::BTreeMap;

use bak::Lsn;
use chain::{
    BranchId, Coverage, Database, Kind, Moment, Plan, Plans, Reason, Refusal, Set, SetId, Stop, Target, Terms,
};
use uuid::Uuid;

use crate::brute::{Brute, Cost, Way, is_torn};
use crate::chance::Chance;
use crate::truth;
use crate::world::{Feature, World, civil, timestamp};

/// One history on trial.
pub(crate) struct Trial<'w> {
    pub(crate) world: &'w World,
    pub(crate) brute: Brute<'w>,
    pub(crate) database: Database,
    pub(crate) coverage: Coverage,
    pub(crate) chance: Chance,
    /// Two histories of one fork may be in play, so that what a planner makes of them is its judgement: it may refuse what brute force
    /// finds, but never mix what is known to be apart.
    pub(crate) is_torn: bool,
}

/// What is asked of a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ask {
    At(Lsn),
    Before(Lsn),
    Universal(i64),
    Local(i64),
    Latest,
    Set(SetId),
}

impl Ask {
    pub(crate) fn target(self) -> Target {
        match self {
            Self::At(x) => Target::Lsn(x),
            Self::Before(x) => Target::BeforeLsn(x),
            Self::Universal(at) => Target::Moment(Moment::Universal(timestamp(at))),
            Self::Local(at) => Target::Moment(Moment::Local(civil(at))),
            Self::Latest => Target::Latest,
            Self::Set(id) => Target::Set(id),
        }
    }
}

/// What was found wrong, in one line each.
pub(crate) type Faults = Vec<String>;

/// Begins what is said of a plan that does not do what was asked for.
pub(crate) const UNSOUND: &str = "unsound: ";

/// The database that a planner sees.
pub(crate) fn database(world: &World, sets: Vec<Set>) -> Database {
    let database = Database::new(sets);
    match &world.zone {
        Some(zone) => database.in_zone(zone.clone()),
        None => database,
    }
}

impl<'w> Trial<'w> {
    pub(crate) fn new(world: &'w World, terms: &'w Terms) -> Self {
        let brute = Brute::new(world, &terms.accept_damaged);
        let database = database(world, world.sets());
        let coverage = database.coverage();
        let is_hidden = world.features.has(Feature::HiddenFork);
        let is_torn = is_torn(world) || is_hidden && !world.has_plain_time;
        Self {
            world,
            database,
            coverage,
            chance: Chance::new(world.seed ^ 0xA5A5),
            is_torn,
            brute,
        }
    }

    /// Asks, and judges the answer.
    pub(crate) fn ask(&self, ask: Ask, terms: &Terms, faults: &mut Faults) {
        let answer = self.database.plan(&ask.target(), terms);
        let found = faults.len();
        match &answer {
            Ok(plans) => self.planned(ask, plans, terms, faults),
            Err(refusal) => self.refused(ask, refusal, terms, faults),
        }
        for fault in &mut faults[found..] {
            *fault = format!("{ask:?}, terms {terms:?}: {fault}");
        }
    }

    fn planned(&self, ask: Ask, plans: &Plans, terms: &Terms, faults: &mut Faults) {
        let all = [&plans.best]
            .into_iter()
            .chain(&plans.alternatives)
            .chain(&plans.other_branches);
        for plan in all {
            if let Err(fault) = self.sound(ask, plan, terms) {
                faults.push(format!("{UNSOUND}{fault}; plan: {}", told(plan)));
            }
        }
        for other in &plans.alternatives {
            let (best, cost) = (self.cost(&plans.best), self.cost(other));
            if (best.0, best.1) != (cost.0, cost.1)
                || *other == plans.best
                || other.branch != plans.best.branch
            {
                faults.push(format!(
                    "no alternative of the best: {} of {}",
                    told(other),
                    told(&plans.best)
                ));
            }
        }
        // Where a clock went back, more moments may be served than brute force dares.
        let is_daring = self.world.features.has(Feature::ClockBack) && matches!(ask, Ask::Universal(_));
        let is_comparable = !self.is_torn && !is_daring;
        if let Some(ways) = self.ways(ask).filter(|_| is_comparable) {
            self.compare(ask, &ways, plans, terms, faults);
        }
    }

    fn refused(&self, ask: Ask, refusal: &Refusal, terms: &Terms, faults: &mut Faults) {
        if let Some(ways) = self.ways(ask) {
            let must = ways.iter().find(|(fork, (way, _))| {
                let is_sure = !self.is_torn || terms.branch.is_none() && self.is_certain(way, ask);
                self.is_asked(**fork, terms) && is_sure
            });
            if let Some((fork, (way, cost))) = must {
                faults.push(format!(
                    "refused with {:?}, but fork {} is reached by {} at {cost:?}",
                    refusal.reason,
                    fork.as_u128(),
                    self.way_told(way)
                ));
            }
        }
        for offered in [refusal.before, refusal.after].into_iter().flatten() {
            self.offered(offered, terms, faults);
        }
    }

    /// A point that a refusal offers is one that can be had.
    fn offered(&self, offered: chain::Restorable, terms: &Terms, faults: &mut Faults) {
        let terms = Terms {
            branch: Some(offered.branch),
            ..terms.clone()
        };
        let mut targets = Vec::new();
        targets.extend(offered.lsn.map(Target::Lsn));
        if self.world.has_plain_time {
            targets.extend(offered.at.map(|at| Target::Moment(Moment::Universal(at))));
        }
        if offered.lsn.is_none() && offered.at.is_none() {
            faults.push(format!("an offer without a point: {offered:?}"));
        }
        for target in targets {
            if let Err(refusal) = self.database.plan(&target, &terms)
                && !self.may_come_twice(&refusal.reason)
            {
                faults.push(format!("offers {target:?} and refuses it: {:?}", refusal.reason));
            }
        }
    }

    /// Where a clock went back, or a host was put back and nothing tells, a moment came twice on one branch, and only an LSN tells
    /// which is meant.
    pub(crate) fn may_come_twice(&self, reason: &Reason) -> bool {
        let features = self.world.features;
        let is_twice = features.has(Feature::ClockBack) || features.has(Feature::HiddenFork);
        matches!(reason, Reason::Ambiguous(_)) && is_twice
    }

    /// Whether the terms let a plan end on a fork.
    fn is_asked(&self, fork: Uuid, terms: &Terms) -> bool {
        let Some(asked) = terms.branch else {
            return true;
        };
        self.coverage
            .branches
            .iter()
            .any(|branch| branch.id == asked && branch.fork == fork)
    }

    /// The cheapest way that brute force finds, by fork; none where the question is not one for brute force.
    fn ways(&self, ask: Ask) -> Option<BTreeMap<Uuid, (&Way, Cost)>> {
        if !self.brute.is_complete() {
            return None;
        }
        let found: Vec<(&Way, Uuid)> = match ask {
            Ask::At(x) | Ask::Before(x) => {
                let mut found: Vec<_> = self.brute.ending_at(x).collect();
                let forks: Vec<Uuid> = found.iter().map(|(_, fork)| *fork).collect();
                if matches!(ask, Ask::At(_)) && self.is_fork_point(x) && found.is_empty() {
                    return None;
                }
                // The end of a set is that set whole; only where a fork has none of them is it a stop inside another.
                let inside = self
                    .brute
                    .stopping_at(x)
                    .filter(|(_, fork)| !forks.contains(fork));
                found.extend(inside);
                found
            }
            Ask::Universal(at) if self.world.has_plain_time => {
                if self.brute.ways.iter().any(|way| self.brute.perhaps(at, way.fork)) {
                    return None;
                }
                self.brute.serving(at)
            }
            Ask::Latest => {
                let mut furthest = BTreeMap::new();
                for way in &self.brute.ways {
                    let end = furthest.entry(way.fork).or_insert(way.end);
                    *end = way.end.max(*end);
                }
                let is_furthest = |way: &&Way| furthest[&way.fork] == way.end;
                self.brute
                    .ways
                    .iter()
                    .filter(is_furthest)
                    .map(|way| (way, way.fork))
                    .collect()
            }
            Ask::Set(id) => {
                let at = self.world.index_of(id)?;
                if self.world.made[at].set.is_empty_log() {
                    return None;
                }
                let ends = |way: &&Way| way.legs[way.legs.len() - 1].made == at;
                let own = self.brute.ways.iter().filter(ends);
                let own: Vec<_> = own.map(|way| (way, way.fork)).collect();
                // A set that no way ends with may still end where others lead to; or not.
                if own.is_empty() {
                    return None;
                }
                own
            }
            Ask::Universal(_) | Ask::Local(_) => return None,
        };
        let mut cheapest: BTreeMap<Uuid, (&Way, Cost)> = BTreeMap::new();
        for (way, fork) in found {
            let best = cheapest.entry(fork).or_insert((way, way.cost));
            // Where histories are torn, the cheapest of those that must be found.
            let is_better = if self.is_torn && self.is_certain(way, ask) != self.is_certain(best.0, ask) {
                self.is_certain(way, ask)
            } else {
                way.cost < best.1
            };
            if is_better {
                *best = (way, way.cost);
            }
        }
        Some(cheapest)
    }

    pub(crate) fn is_fork_point(&self, x: Lsn) -> bool {
        let points = |set: &Set| set.fork.origin.is_some_and(|origin| origin.point == x);
        self.world.made.iter().any(|made| points(&made.set))
    }

    fn compare(
        &self,
        ask: Ask,
        ways: &BTreeMap<Uuid, (&Way, Cost)>,
        plans: &Plans,
        terms: &Terms,
        faults: &mut Faults,
    ) {
        for plan in [&plans.best].into_iter().chain(&plans.other_branches) {
            let Some(branch) = self
                .coverage
                .branches
                .iter()
                .find(|branch| branch.id == plan.branch)
            else {
                faults.push(format!("a plan on a branch that is none: {}", told(plan)));
                continue;
            };
            // What a branch shares with its parent is asked for by the parent's name, where its own logs serve as well.
            if terms.branch.is_some_and(|asked| asked != plan.branch) {
                continue;
            }
            let cost = self.cost(plan);
            match ways.get(&branch.fork) {
                None => faults.push(format!(
                    "brute force finds no way on that fork; plan: {}",
                    told(plan)
                )),
                // What gets to the end of a set more cheaply than the set itself is as good.
                Some((_, least)) if matches!(ask, Ask::Set(_)) && cost <= *least => {}
                Some((way, least)) if cost != *least => faults.push(format!(
                    "costs {cost:?}, brute force {least:?} by {}; plan: {}",
                    self.way_told(way),
                    told(plan)
                )),
                Some(_) => {}
            }
        }
        let is_one_branch = matches!(ask, Ask::Latest);
        if terms.branch.is_none() && !is_one_branch {
            let planned = 1 + plans.other_branches.len();
            if planned != ways.len() {
                faults.push(format!(
                    "plans on {planned} branches, brute force finds {}",
                    ways.len()
                ));
            }
        }
    }

    /// Whether a way needs no judgement about hidden histories: all its sets are of one line of truth, and where that line was parted
    /// from another by putting its host back, what is taken of the other ends where that was already backed up at the parting.
    fn is_certain(&self, way: &Way, ask: Ask) -> bool {
        // Nobody knows when a host was put back, nor which of its histories a fork left.
        if matches!(ask, Ask::Universal(_)) || self.world.features.has(Feature::Fork) {
            return false;
        }
        // Of three histories it is not certain what is whose.
        let parted = self.world.lines.iter().filter_map(|line| line.parted);
        if parted.filter(|parted| parted.is_hidden).count() > 1 {
            return false;
        }
        // Without offsets the hour that comes twice looks as if the host was put back.
        if self.world.features.has(Feature::NoOffset) {
            return false;
        }
        if self.world.features.has(Feature::ClockBack) || self.world.features.has(Feature::NoGuid) {
            return false;
        }
        let made = |at: usize| &self.world.made[at];
        let last = made(way.legs[way.legs.len() - 1].made);
        let ancestry = self.world.ancestry(last.line);
        let legs = &way.legs;
        legs.iter().all(|leg| {
            let Some(depth) = ancestry.iter().position(|line| *line == made(leg.made).line) else {
                return false;
            };
            let parted = ancestry[..depth]
                .iter()
                .filter_map(|line| self.world.lines[*line].parted);
            let sure = parted
                .filter(|parted| parted.is_hidden)
                .all(|parted| made(leg.made).set.last <= parted.certain);
            sure && legs
                .iter()
                .all(|other| !self.brute.known_apart(leg.made, other.made))
        })
    }

    fn cost(&self, plan: &Plan) -> Cost {
        let mut cost = Cost::default();
        for step in &plan.steps {
            let grade = step.grade as usize;
            if grade > 0 {
                cost.0[4 - grade.min(4)] += 1;
            }
            cost.1 += 1;
        }
        cost.2 = plan.bytes;
        cost
    }

    /// Whether a plan is on a branch, or on one that it comes from, before the two parted.
    pub(crate) fn is_shared(&self, branch: BranchId, plan: &Plan) -> bool {
        let mut at = branch;
        let branches = &self.coverage.branches;
        while at != plan.branch {
            let found = branches.iter().find(|branch| branch.id == at);
            let Some((parent, _)) = found.and_then(|branch| branch.parent) else {
                return false;
            };
            at = parent;
        }
        true
    }

    /// A plan that does what was asked for, judged by what is then in the database.
    pub(crate) fn sound(&self, ask: Ask, plan: &Plan, terms: &Terms) -> Result<(), String> {
        let made = plan.steps.iter().filter_map(|step| self.world.index_of(step.set));
        let made: Vec<usize> = made.collect();
        let sets = || made.iter().map(|at| &self.world.made[*at].set);
        if sets().map(|set| set.bytes).sum::<u64>() != plan.bytes {
            return Err("the bytes do not add up".to_owned());
        }
        if let Some(set) = sets().find(|set| !self.brute.is_usable(set)) {
            return Err(format!("set {} cannot be used", set.id.0));
        }
        for (at, one) in made.iter().enumerate() {
            for other in &made[at + 1..] {
                if self.brute.do_differ(*one, *other) {
                    let id = |at: usize| self.world.made[at].set.id.0;
                    return Err(format!("the logs of sets {} and {} differ", id(*one), id(*other)));
                }
            }
        }
        if terms.branch.is_some_and(|branch| !self.is_shared(branch, plan)) {
            return Err("not the branch asked for".to_owned());
        }
        let branch = self
            .coverage
            .branches
            .iter()
            .find(|branch| branch.id == plan.branch);
        truth::holds(self, ask, plan, &made, branch.map(|branch| branch.fork))
    }

    fn way_told(&self, way: &Way) -> String {
        let ids: Vec<String> = way
            .legs
            .iter()
            .map(|leg| self.world.made[leg.made].set.id.0.to_string())
            .collect();
        ids.join(" ")
    }
}

/// A plan in one line.
pub(crate) fn told(plan: &Plan) -> String {
    let steps: Vec<String> = plan
        .steps
        .iter()
        .map(|step| {
            let kind = match step.kind {
                Kind::Full => "F",
                Kind::Differential(_) => "D",
                Kind::Log => "L",
            };
            let stop = match &step.stop {
                None => String::new(),
                Some(Stop::At(at)) => format!("@{at}"),
                Some(Stop::AtLsn(x)) => format!("={x}"),
                Some(Stop::BeforeLsn(x)) => format!("<{x}"),
                Some(other) => format!("{other:?}"),
            };
            format!("{kind}{}{stop}", step.set.0)
        })
        .collect();
    format!(
        "{} on branch {} to {}",
        steps.join(" "),
        plan.branch.0,
        plan.reaches
    )
}
