//! Whether a plan leads to what the database truly was.

use bak::Lsn;
use chain::{Grain, Plan, SetId, Stop};
use uuid::Uuid;

use crate::engine::{Engine, after};
use crate::judge::{Ask, Trial};
use crate::world::{Committed, Feature, Line, Made};

/// Runs a plan, and holds what it leads to against the lines of history.
pub(crate) fn holds(
    trial: &Trial<'_>,
    ask: Ask,
    plan: &Plan,
    made: &[usize],
    fork: Option<Uuid>,
) -> Result<(), String> {
    let world = trial.world;
    let engine = Engine::run(world, plan)?;
    let last = &world.made[made[made.len() - 1]];
    let lines: Vec<usize> = (0..world.lines.len())
        .filter(|line| is_prefix(&engine.content, &world.lines[*line]))
        .collect();
    if lines.is_empty() {
        return if is_excused(trial, made) {
            Ok(())
        } else {
            Err("two histories are mixed".to_owned())
        };
    }
    let count = engine.content.len();
    let is_there = |line: &usize| is_on(trial, *line, fork);
    match ask {
        Ask::At(_) | Ask::Before(_) | Ask::Latest | Ask::Set(_) => {
            let position = position(trial, ask, plan, last)?;
            let fits = |line: &usize| is_there(line) && world.lines[*line].count_before(position) == count;
            if !lines.iter().any(fits) && !is_excused(trial, made) {
                return Err(format!("not what the database held at {position}"));
            }
        }
        Ask::Universal(at) | Ask::Local(at) => {
            let is_data = !last.set.is_log() && plan.steps[plan.steps.len() - 1].stop.is_none();
            let clock = |committed: Committed| match ask {
                Ask::Local(_) => committed.local,
                _ => committed.utc,
            };
            if is_data && is_finish(trial, ask, last) {
                return Ok(());
            }
            let fits = |line: &usize| is_there(line) && is_moment(&world.lines[*line], count, at, clock);
            let is_twice = matches!(ask, Ask::Local(_)) && fits_a_reading(trial, at, count, &lines);
            if !lines.iter().any(fits) && !is_twice && !is_excused(trial, made) {
                return Err("not what the database held at that moment".to_owned());
            }
        }
    }
    Ok(())
}

fn is_prefix(content: &[u32], line: &Line) -> bool {
    content.len() <= line.records.len()
        && content
            .iter()
            .zip(&line.records)
            .all(|(held, record)| *held == record.content)
}

/// Whether a branch's fork is that of a line or of one it comes from.
fn is_on(trial: &Trial<'_>, line: usize, fork: Option<Uuid>) -> bool {
    let world = trial.world;
    world
        .ancestry(line)
        .iter()
        .any(|line| Some(world.lines[*line].fork) == fork)
}

/// The position that a plan for an LSN gets to.
fn position(trial: &Trial<'_>, ask: Ask, plan: &Plan, last: &Made) -> Result<Lsn, String> {
    let set = &last.set;
    let stop = plan.steps[plan.steps.len() - 1].stop.as_ref();
    let (position, reaches) = match (ask, stop) {
        (Ask::At(x) | Ask::Before(x), None) if x == set.last => (x, x),
        (Ask::At(x), Some(Stop::AtLsn(at))) if x == *at => (after(x), x),
        (Ask::Before(x), Some(Stop::BeforeLsn(at))) if x == *at => (x, x),
        (Ask::Set(id), Some(Stop::BeforeLsn(at))) if end_of(trial, id) == Some(*at) => (*at, *at),
        (Ask::Latest, None) => (set.last, set.last),
        (Ask::Set(id), None) if end_of(trial, id) == Some(set.last) => (set.last, set.last),
        _ => return Err("the last step does not end where it was asked to".to_owned()),
    };
    if plan.reaches != reaches {
        return Err(format!(
            "says that it reaches {}, and reaches {reaches}",
            plan.reaches
        ));
    }
    Ok(position)
}

/// Where a set ends: what ends there as well is as good.
fn end_of(trial: &Trial<'_>, id: SetId) -> Option<Lsn> {
    trial.world.index_of(id).map(|at| trial.world.made[at].set.last)
}

/// Whether a data backup is asked for the moment it finished at: what it holds is then its last record, whatever else was committed in
/// that second.
fn is_finish(trial: &Trial<'_>, ask: Ask, last: &Made) -> bool {
    match ask {
        // Of what it holds by then its header says nothing.
        _ if last.set.clock.grain == Grain::Second => false,
        Ask::Universal(at) => last.finish == at || !trial.world.has_plain_time,
        Ask::Local(at) => crate::world::from_civil(last.set.clock.finish) == at,
        _ => false,
    }
}

/// Whether the first `count` records of a line are all that were committed up to `moment`, and no others. Where the clock went back,
/// a moment that came more than once is any of those that it was.
fn is_moment(line: &Line, count: usize, moment: i64, clock: impl Fn(Committed) -> i64) -> bool {
    let times: Vec<Option<i64>> = line.records.iter().map(|record| record.at.map(&clock)).collect();
    let commits = |times: &[Option<i64>]| times.iter().flatten().count();
    let due = |times: &[Option<i64>]| times.iter().flatten().filter(|at| **at <= moment).count();
    // Between two steps of the clock its times ascend.
    let bounds: Vec<usize> = line.set_back.iter().map(|step| step.at).collect();
    let starts = [0].into_iter().chain(bounds.iter().copied());
    let ends = bounds.iter().copied().chain([times.len()]);
    starts.zip(ends).enumerate().any(|(number, (start, end))| {
        let shows = |is_first: bool| match number.checked_sub(usize::from(is_first)) {
            Some(step) if is_first => line.set_back[step].after <= moment,
            Some(step) => line.set_back.get(step).is_none_or(|step| moment <= step.before),
            None => true,
        };
        (line.set_back.is_empty() || shows(true) && shows(false))
            && commits(&times[..count]) == commits(&times[..start]) + due(&times[start..end])
    })
}

/// A local moment may be meant at any offset that the server had.
fn fits_a_reading(trial: &Trial<'_>, local: i64, count: usize, lines: &[usize]) -> bool {
    let world = trial.world;
    lines.iter().any(|line| {
        let line = &world.lines[*line];
        let offsets = line
            .records
            .iter()
            .filter_map(|record| record.at)
            .map(|at| at.local - at.utc);
        let mut offsets: Vec<i64> = offsets.collect();
        offsets.dedup();
        offsets
            .iter()
            .any(|offset| is_moment(line, count, local - offset, |at| at.utc))
    })
}

/// Whether a mixture is one that nothing known of the sets could tell: a host was put back, and no two sets of the plan are known to be
/// apart.
fn is_excused(trial: &Trial<'_>, made: &[usize]) -> bool {
    let world = trial.world;
    // Times without a sure offset tell nothing for sure; blocks of the log do.
    let is_apart = |one: &usize| {
        made.iter().any(|other| {
            let by_time = world.has_plain_time && trial.brute.known_apart(*one, *other);
            by_time || trial.brute.do_differ(*one, *other)
        })
    };
    world.features.has(Feature::HiddenFork) && !made.iter().any(is_apart)
}
