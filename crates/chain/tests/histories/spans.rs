//! Coverage, holes and loss, held against brute force, against the plans, and against what is in the sets.

use std::collections::BTreeSet;

use bak::Lsn;
use chain::{BranchId, Coverage, Database, Grade, Hole, HoleReason, Moment, SetId, Target, Terms};
use uuid::Uuid;

use crate::brute::{fork_at, is_torn};
use crate::engine::after;
use crate::judge::{Faults, Trial, database};
use crate::world::{Feature, civil, timestamp};

/// LSNs worth asking for: all bounds, and records inside, with the positions behind them.
pub(crate) fn lsns(trial: &Trial<'_>) -> Vec<Lsn> {
    let mut all = BTreeSet::new();
    for made in &trial.world.made {
        let set = &made.set;
        all.extend([
            set.first,
            set.checkpoint,
            set.last,
            after(set.first),
            after(set.last),
        ]);
        all.extend(set.fork.origin.map(|origin| origin.point));
        let records = &trial.world.lines[made.line].records[made.from..made.to];
        all.extend(
            records
                .iter()
                .map(|record| record.lsn)
                .filter(|lsn| set.first <= *lsn),
        );
    }
    all.into_iter().collect()
}

/// Moments worth asking for, in milliseconds of UTC: all bounds, and a little before and after.
pub(crate) fn moments(trial: &Trial<'_>) -> Vec<i64> {
    let mut all = BTreeSet::new();
    for made in &trial.world.made {
        for at in [Some(made.start), Some(made.finish), made.last_restorable]
            .into_iter()
            .flatten()
        {
            all.extend([at - 1000, at - 1, at, at + 1, at + 999, at + 1000, at + 60_000]);
        }
    }
    all.into_iter().collect()
}

fn fork_of(coverage: &Coverage, branch: BranchId) -> Option<Uuid> {
    coverage
        .branches
        .iter()
        .find(|found| found.id == branch)
        .map(|found| found.fork)
}

fn covers(coverage: &Coverage, fork: Uuid, x: Lsn) -> bool {
    coverage
        .spans
        .iter()
        .any(|span| fork_of(coverage, span.branch) == Some(fork) && span.from <= x && x <= span.to)
}

fn covers_moment(coverage: &Coverage, fork: Uuid, at: i64) -> bool {
    let at = timestamp(at);
    coverage.spans.iter().any(|span| {
        fork_of(coverage, span.branch) == Some(fork)
            && span.times.is_some_and(|times| times.from <= at && at <= times.to)
    })
}

/// The shape of a coverage, whatever it says.
pub(crate) fn shape(trial: &Trial<'_>, coverage: &Coverage, faults: &mut Faults) {
    for (number, branch) in coverage.branches.iter().enumerate() {
        if branch.id.0 as usize != number {
            faults.push(format!("branch {} in place {number}", branch.id.0));
        }
        if branch.parent.is_some_and(|(parent, _)| parent == branch.id) {
            faults.push(format!("branch {number} is its own parent"));
        }
    }
    for span in &coverage.spans {
        if span.from > span.to || span.times.is_some_and(|times| times.from > times.to) {
            faults.push(format!("backwards: {span:?}"));
        }
        if fork_of(coverage, span.branch).is_none() {
            faults.push(format!("of no branch: {span:?}"));
        }
    }
    order(coverage, faults);
    for hole in &coverage.holes {
        let overlaps =
            |span: &&chain::Span| span.branch == hole.branch && span.from < hole.to && hole.from < span.to;
        if hole.from > hole.to || fork_of(coverage, hole.branch).is_none() {
            faults.push(format!("no stretch of a branch: {hole:?}"));
        }
        if let Some(span) = coverage.spans.iter().find(overlaps) {
            faults.push(format!("a hole in what is covered: {hole:?}, {span:?}"));
        }
        if let Err(why) = is_true(trial, hole, fork_of(coverage, hole.branch)) {
            faults.push(format!("{why}: {hole:?}"));
        }
    }
}

/// By branch, then by LSN, and apart; but the moment of a data backup that no log serves may be a point within a longer span.
fn order(coverage: &Coverage, faults: &mut Faults) {
    let is_sorted = coverage.spans.is_sorted_by_key(|span| (span.branch, span.from));
    if !is_sorted {
        faults.push("spans are not in order".to_owned());
    }
    for (at, one) in coverage.spans.iter().enumerate() {
        for other in &coverage.spans[at + 1..] {
            let is_point = |span: &chain::Span| span.from == span.to && span.times.is_some();
            let is_twice =
                one == other || one.from == other.from && one.to == other.to && one.times == other.times;
            let overlap = one.from < other.to && other.from < one.to && !is_point(one) && !is_point(other);
            if one.branch == other.branch && (is_twice || overlap) {
                faults.push(format!("one over the other: {one:?}, {other:?}"));
            }
        }
    }
}

/// Whether a hole has the reason it names.
fn is_true(trial: &Trial<'_>, hole: &Hole, fork: Option<Uuid>) -> Result<(), String> {
    let set = |id: SetId| {
        let at = trial.world.index_of(id).ok_or_else(|| "of no set".to_owned())?;
        Ok::<_, String>(&trial.world.made[at].set)
    };
    let expect = |is_so: bool, otherwise: &str| is_so.then_some(()).ok_or_else(|| otherwise.to_owned());
    match &hole.reason {
        HoleReason::MissingLog => {
            let inside = |x: &Lsn| hole.from < *x && *x < hole.to;
            let covering = lsns(trial).into_iter().filter(inside).find(|x| {
                let covers = |set: &chain::Set| {
                    set.is_log() && set.first <= *x && *x < set.last && Some(fork_at(set, *x)) == fork
                };
                trial.world.made.iter().any(|made| covers(&made.set))
            });
            expect(covering.is_none() || trial.is_torn, "a log is there")
        }
        HoleReason::BulkLogged(id) => {
            let set = set(*id)?;
            expect(
                set.is_bulk_logged && set.first < hole.to && hole.from < set.last,
                "no bulk-logged log here",
            )
        }
        HoleReason::SwitchedToSimple => expect(
            trial.world.features.has(Feature::Simple),
            "there never was a switch to SIMPLE",
        ),
        HoleReason::OtherFork(other) => {
            let is_known = trial.world.lines.iter().any(|line| line.fork == *other);
            expect(is_known, "no such fork")
        }
        HoleReason::FamiliesMissing(id, missing) => {
            let set = set(*id)?;
            expect(
                !missing.is_empty() && set.families.missing == *missing,
                "the stripes are there",
            )
        }
        HoleReason::NotProved(id) => expect(set(*id)?.grade == Grade::None, "its success is known"),
        HoleReason::Damaged(id) => expect(set(*id)?.grade == Grade::Disputed, "it is not damaged"),
        HoleReason::BaseMissing(id, _) => {
            let differential = set(*id)?;
            let bases = || trial.world.made.iter().map(|made| &made.set);
            let mut bases = bases().filter(|base| trial.brute.is_usable(base));
            expect(
                trial.is_torn || !bases.any(|base| crate::brute::is_base(trial.world, base, differential)),
                "its base is there",
            )
        }
        HoleReason::NoFull => Ok(()),
    }
}

/// Coverage says what brute force finds, and what the plans hold to.
pub(crate) fn agree(trial: &Trial<'_>, asked: &[Lsn], at: &[i64], faults: &mut Faults) {
    let coverage = &trial.coverage;
    for branch in &coverage.branches {
        let terms = Terms {
            branch: Some(branch.id),
            ..Terms::default()
        };
        let on_this = |span: &&chain::Span| span.branch == branch.id;
        for x in asked {
            if branch.parent.is_some_and(|(_, point)| *x <= point) || trial.is_fork_point(*x) {
                continue;
            }
            let is_covered = coverage
                .spans
                .iter()
                .filter(on_this)
                .any(|span| span.from <= *x && *x <= span.to);
            let answer = trial.database.plan(&Target::Lsn(*x), &terms);
            if is_covered != answer.is_ok() {
                faults.push(format!(
                    "branch {}: LSN {x} covered: {is_covered}, plan: {answer:?}",
                    branch.id.0
                ));
            }
            if !trial.is_torn && trial.brute.is_complete() {
                let found = found(trial, *x, branch.fork);
                if found != covers(coverage, branch.fork, *x) {
                    faults.push(format!(
                        "branch {}: LSN {x} covered: {is_covered}, brute force: {found}",
                        branch.id.0
                    ));
                }
            }
        }
        for at in at {
            let is_covered = coverage
                .spans
                .iter()
                .filter(on_this)
                .filter_map(|span| span.times)
                .any(|times| times.from <= timestamp(*at) && timestamp(*at) <= times.to);
            let answer = trial
                .database
                .plan(&Target::Moment(Moment::Universal(timestamp(*at))), &terms);
            // What a branch shares with its parent is listed there.
            let is_parents = answer.as_ref().is_ok_and(|plans| plans.best.branch != branch.id);
            let is_twice = answer
                .as_ref()
                .is_err_and(|refusal| trial.may_come_twice(&refusal.reason));
            let is_put_back = trial.world.features.has(Feature::HiddenFork);
            if is_covered != answer.is_ok()
                && !is_twice
                && !is_put_back
                && !is_parents
                && trial.world.has_plain_time
            {
                faults.push(format!(
                    "branch {}: {} covered: {is_covered}, plan: {answer:?}",
                    branch.id.0,
                    civil(*at)
                ));
            }
            if !trial.is_torn && trial.brute.is_complete() && trial.world.has_plain_time {
                let found = trial
                    .brute
                    .serving(*at)
                    .iter()
                    .any(|(_, fork)| *fork == branch.fork);
                let is_open = trial.brute.perhaps(*at, branch.fork);
                let is_daring = trial.world.features.has(Feature::ClockBack) && !found;
                if found != covers_moment(coverage, branch.fork, *at) && !is_open && !is_daring {
                    faults.push(format!(
                        "branch {}: {} covered: {is_covered}, brute force: {found}",
                        branch.id.0,
                        civil(*at)
                    ));
                }
            }
        }
    }
}

fn found(trial: &Trial<'_>, x: Lsn, fork: Uuid) -> bool {
    trial.brute.ending_at(x).any(|(_, on)| on == fork) || trial.brute.stopping_at(x).any(|(_, on)| on == fork)
}

/// What would be lost is what is covered now and would not be then, and nothing else.
pub(crate) fn loss(trial: &mut Trial<'_>, asked: &[Lsn], at: &[i64], faults: &mut Faults) {
    let all: Vec<SetId> = trial.world.made.iter().map(|made| made.set.id).collect();
    let count = trial.chance.range(1, 2) as usize;
    let gone: Vec<SetId> = (0..count).map(|_| trial.chance.pick(&all)).collect();
    let mut rest = trial.world.sets();
    rest.retain(|set| !gone.contains(&set.id));
    let rest: Database = database(trial.world, rest);
    let (before, then, lost) = (&trial.coverage, rest.coverage(), trial.database.loss(&gone));
    // Without the sets that tell them apart, two histories of a fork may look like one.
    let mut without = trial.world.clone();
    without.made.retain(|made| !gone.contains(&made.set.id));
    // Nor where what a fork's origin is known by goes, and bases are told by LSN.
    let is_guessed = trial.world.features.has(Feature::NoGuid) && trial.world.features.has(Feature::Fork);
    if trial.is_torn || is_guessed || is_torn(&without) {
        return;
    }
    let forks: BTreeSet<Uuid> = before.branches.iter().map(|branch| branch.fork).collect();
    let is_end = |x: Lsn| lost.spans.iter().any(|span| span.from == x || span.to == x);
    let is_moment_end = |at: i64| {
        let at = timestamp(at);
        let ends = |times: chain::TimeSpan| times.from == at || times.to == at;
        lost.spans.iter().filter_map(|span| span.times).any(ends)
    };
    for fork in forks {
        for x in asked {
            let is_lost = covers(before, fork, *x) && !covers(&then, fork, *x);
            let said = covers(&lost, fork, *x);
            if is_lost != said && !(said && is_end(*x)) && !trial.is_fork_point(*x) {
                faults.push(format!(
                    "loss of {gone:?}: LSN {x} lost: {is_lost}, said: {said}: {lost:?}"
                ));
            }
        }
        for at in at {
            let is_lost = covers_moment(before, fork, *at) && !covers_moment(&then, fork, *at);
            let said = covers_moment(&lost, fork, *at);
            if is_lost != said && !(said && is_moment_end(*at)) && trial.world.has_plain_time {
                faults.push(format!(
                    "loss of {gone:?}: {} lost: {is_lost}, said: {said}: {lost:?}",
                    civil(*at)
                ));
            }
        }
    }
}
