//! Brute force itself on trial: what it finds, run as a plan, leads to what the database truly was. A judge that is wrong would make
//! the planner wrong.

use chain::{BranchId, Plan, Step, Stop};
use uuid::Uuid;

use crate::brute::Way;
use crate::judge::{Ask, Faults, Trial, told};
use crate::truth;
use crate::world::civil;

/// Tries the ways of a history: whole, stopped at a record, and at the moments that they serve.
pub(crate) fn judge(trial: &Trial<'_>, faults: &mut Faults) {
    for way in trial.brute.ways.iter().take(300) {
        let last = &trial.world.made[way.legs[way.legs.len() - 1].made].set;
        hold(trial, Ask::Set(last.id), way, None, faults);
        if trial
            .brute
            .stopping_at(last.first)
            .any(|(found, _)| std::ptr::eq(found, way))
        {
            hold(
                trial,
                Ask::At(last.first),
                way,
                Some(&Stop::AtLsn(last.first)),
                faults,
            );
        }
        let (Some((from, to)), true) = (way.moments, trial.world.has_plain_time) else {
            continue;
        };
        for at in [from, from + (to - from) / 2, to] {
            hold(trial, Ask::Universal(at), way, None, faults);
        }
    }
}

fn hold(trial: &Trial<'_>, ask: Ask, way: &Way, stop: Option<&Stop>, faults: &mut Faults) {
    let (plan, made, fork) = plan(trial, ask, way, stop);
    if let Err(fault) = truth::holds(trial, ask, &plan, &made, Some(fork)) {
        faults.push(format!("brute force, {ask:?}: {fault}: {}", told(&plan)));
    }
}

fn plan(trial: &Trial<'_>, ask: Ask, way: &Way, stop: Option<&Stop>) -> (Plan, Vec<usize>, Uuid) {
    let world = trial.world;
    let made: Vec<usize> = way.legs.iter().map(|leg| leg.made).collect();
    let mut steps: Vec<Step> = Vec::new();
    let mut may_hold_later = false;
    for (at, leg) in way.legs.iter().enumerate() {
        let set = &world.made[leg.made].set;
        let is_last = at + 1 == way.legs.len();
        let cut = leg.cut.map(Stop::BeforeLsn);
        let moment = match ask {
            Ask::Universal(moment) if set.is_log() && !set.is_bulk_logged => {
                let offset = i64::from(set.clock.offset_minutes.unwrap_or_default()) * 60_000;
                // A log may hold records behind its start; and where one was stopped, so are those that follow.
                may_hold_later |= is_last || world.made[leg.made].last() >= moment;
                may_hold_later.then(|| Stop::At(civil(moment + offset)))
            }
            _ => None,
        };
        steps.push(Step {
            set: set.id,
            kind: set.kind,
            grade: set.grade,
            stop: if is_last && stop.is_some() {
                stop.cloned()
            } else {
                cut.or(moment)
            },
            // A plan that reaches the target by another way than the planner's is judged by what it restores.
            only_from: None,
        });
    }
    let reaches = match stop {
        Some(Stop::AtLsn(x)) => *x,
        _ => way.end,
    };
    let fork = stop.map_or(way.fork, |_| {
        let last = &world.made[made[made.len() - 1]].set;
        crate::brute::fork_at(last, reaches)
    });
    let plan = Plan {
        steps,
        // The judge knows forks; numbers are the planner's.
        branch: BranchId(0),
        reaches,
        bytes: way.cost.2,
    };
    (plan, made, fork)
}
