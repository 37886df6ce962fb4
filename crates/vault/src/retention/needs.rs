//! What those who are kept stand on: the sets that must stay so that nothing is lost which the kept ones can be restored to.
//!
//! A differential needs its full, and a log the newest full before it that leads to it. A log holds a stretch of log and the moments
//! in it besides; each point of it that could be restored to with all sets must be one without those that go. What the planner would
//! take to get there stays, and is looked at again, until nothing is lost. Where even that does not help, nothing goes.
//!
//! The newest chain stays as well, but wants no more than itself: its first log may begin long before its full.
//!
//! The planner is asked twice where sets are disputed: as it plans by itself, and as if they were sound, since a user may name them:
//! what is kept may have no other way.

use std::collections::{BTreeMap, BTreeSet};

use bak::Lsn;
use chain::{BranchId, Coverage, Database, Grade, Kind, Moment, Set, SetId, Target, Terms};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::judging::bases;

/// A chain of forks longer than this is not followed.
const DEPTH_MAX: usize = 1024;

/// What of `sets` is needed beyond those that live, and those that stay anyway, each with the live one that needs it.
pub(super) fn needed(sets: &[Set], live: &BTreeSet<SetId>, stay: &BTreeSet<SetId>) -> BTreeMap<SetId, SetId> {
    if sets
        .iter()
        .all(|set| live.contains(&set.id) || stay.contains(&set.id))
    {
        return BTreeMap::new();
    }
    let mut needed = Needs::of(sets, live, stay);
    if sets.iter().any(|set| set.grade == Grade::Disputed) {
        for (id, by) in Needs::of(&lenient(sets), live, stay) {
            needed.entry(id).or_insert(by);
        }
    }
    needed
}

/// The sets, those with damage among the ones that a planner takes where it has no better.
pub(super) fn lenient(sets: &[Set]) -> Vec<Set> {
    let mut sets = sets.to_vec();
    for set in sets.iter_mut().filter(|set| set.grade == Grade::Disputed) {
        set.grade = Grade::HeadersOnly;
    }
    sets
}

/// What a live log holds.
struct Held {
    id: SetId,
    /// The moments that are its business; none where its clock cannot be told.
    window: Option<(Timestamp, Timestamp)>,
    /// What of it could be restored to, with all sets.
    before: Reach,
}

/// What of a log can be restored to.
#[derive(Default)]
struct Reach {
    lsns: Vec<(Lsn, Lsn)>,
    times: Vec<(Timestamp, Timestamp)>,
}

/// A search for what is needed.
struct Needs<'s> {
    sets: &'s [Set],
    live: &'s BTreeSet<SetId>,
    stay: &'s BTreeSet<SetId>,
    whole: Database,
    needed: BTreeMap<SetId, SetId>,
}

impl<'s> Needs<'s> {
    fn of(sets: &'s [Set], live: &'s BTreeSet<SetId>, stay: &'s BTreeSet<SetId>) -> BTreeMap<SetId, SetId> {
        let mut needs = Self {
            sets,
            live,
            stay,
            whole: Database::new(sets.to_vec()),
            needed: BTreeMap::new(),
        };
        for set in sets.iter().filter(|set| live.contains(&set.id)) {
            for base in bases(sets, set) {
                needs.need(base.id, set.id);
            }
        }
        let coverage = needs.whole.coverage();
        for (full, log) in needs.fulls_of_logs(&coverage) {
            needs.need(full, log);
        }
        let held = needs.held(&coverage);
        while let Some(hurt) = needs.hurt(&held) {
            let mut has_grown = false;
            for (id, target) in &hurt {
                has_grown |= needs.lead_to(*id, target);
            }
            if !has_grown && let Some((by, _)) = hurt.first() {
                for set in sets {
                    needs.need(set.id, *by);
                }
                break;
            }
        }
        needs.needed
    }

    fn need(&mut self, id: SetId, by: SetId) -> bool {
        let stays = self.live.contains(&id) || self.stay.contains(&id);
        !stays && self.needed.insert(id, by).is_none()
    }

    /// The newest full before each live log that leads to it on its own branch.
    fn fulls_of_logs(&self, coverage: &Coverage) -> Vec<(SetId, SetId)> {
        let mut newest: BTreeMap<BranchId, &Set> = BTreeMap::new();
        let mut found = Vec::new();
        for set in self.whole.sets() {
            let Some(branch) = self.whole.branch_of(set.id) else {
                continue;
            };
            if set.kind == Kind::Full && !set.is_copy_only && set.grade.is_usable() {
                newest.insert(branch, set);
            } else if set.is_log()
                && self.live.contains(&set.id)
                && let Some(full) = newest.get(&branch)
            {
                let mut spans = coverage.spans.iter().filter(|span| span.branch == branch);
                if spans.any(|span| span.from <= full.last && set.last <= span.to) {
                    found.push((full.id, set.id));
                }
            }
        }
        found
    }

    /// Keeps what the planner takes to get to a target on behalf of a live set.
    fn lead_to(&mut self, by: SetId, target: &Target) -> bool {
        let mut has_grown = false;
        let terms = Terms {
            branch: self.whole.branch_of(by),
            ..Terms::default()
        };
        let plans = self.whole.plan(target, &terms).ok();
        for step in plans.into_iter().flat_map(|plans| plans.best.steps) {
            has_grown |= self.need(step.set, by);
        }
        has_grown
    }

    /// What the live logs hold.
    fn held(&self, coverage: &Coverage) -> Vec<Held> {
        let in_order = self.whole.sets();
        let live = in_order
            .iter()
            .enumerate()
            .filter(|(_, set)| set.is_log() && self.live.contains(&set.id));
        let held = live.map(|(place, set)| {
            let window = window(&in_order[..place], set);
            Held {
                id: set.id,
                window,
                before: reach(&self.whole, coverage, set, window),
            }
        });
        held.filter(|held| !held.before.lsns.is_empty() || !held.before.times.is_empty())
            .collect()
    }

    /// What would be lost without what is neither live nor needed: on each branch the first point of the first log; none where
    /// nothing is.
    fn hurt(&self, held: &[Held]) -> Option<Vec<(SetId, Target)>> {
        let stays = |set: &&Set| {
            let id = &set.id;
            self.live.contains(id) || self.stay.contains(id) || self.needed.contains_key(id)
        };
        let left: Vec<Set> = self.sets.iter().filter(stays).cloned().collect();
        if left.len() == self.sets.len() {
            return None;
        }
        let left = Database::new(left);
        let coverage = left.coverage();
        let mut hurt: BTreeMap<Option<BranchId>, (SetId, Target)> = BTreeMap::new();
        for one in held {
            let branch = self.whole.branch_of(one.id);
            if hurt.contains_key(&branch) {
                continue;
            }
            let Some(set) = left.set(one.id) else { continue };
            let after = reach(&left, &coverage, set, one.window);
            if let Some(target) = lost(&one.before, &after) {
                hurt.insert(branch, (one.id, target));
            }
        }
        (!hurt.is_empty()).then(|| hurt.into_values().collect())
    }
}

/// A point that could be restored to before, and cannot after.
fn lost(before: &Reach, after: &Reach) -> Option<Target> {
    let lsn = before.lsns.iter().find_map(|piece| missing(*piece, &after.lsns));
    let at = || {
        before
            .times
            .iter()
            .find_map(|piece| missing(*piece, &after.times))
    };
    lsn.map(Target::Lsn)
        .or_else(|| at().map(|at| Target::Moment(Moment::Universal(at))))
}

/// A point of an interval that lies in none of the others; both ends are in it. Of a gap behind what is there, its end.
fn missing<T: Ord + Copy>(whole: (T, T), others: &[(T, T)]) -> Option<T> {
    let mut at = whole.0;
    if !others.iter().any(|(from, to)| *from <= at && at <= *to) {
        return Some(at);
    }
    loop {
        let reached = others
            .iter()
            .filter(|(from, _)| *from <= at)
            .map(|(_, to)| *to)
            .max()?;
        if reached >= whole.1 {
            return None;
        }
        if reached <= at {
            let next = others
                .iter()
                .map(|(from, _)| *from)
                .filter(|from| *from > at)
                .min();
            return Some(next.map_or(whole.1, |next| next.min(whole.1)));
        }
        at = reached;
    }
}

/// The branch of a set and those that it descends from, each with how far its positions count.
fn lineage(database: &Database, coverage: &Coverage, id: SetId) -> Vec<(BranchId, Option<Lsn>)> {
    let mut found = Vec::new();
    let mut next = database.branch_of(id).map(|branch| (branch, None));
    while let Some((branch, until)) = next.filter(|_| found.len() < DEPTH_MAX) {
        found.push((branch, until));
        let of = usize::try_from(branch.0)
            .ok()
            .and_then(|at| coverage.branches.get(at));
        next = of.and_then(|of| of.parent).map(|(parent, point)| {
            let until = until.map_or(point, |until: Lsn| until.min(point));
            (parent, Some(until))
        });
    }
    found
}

/// What of a log can be restored to, and which of the moments that are its business.
fn reach(
    database: &Database,
    coverage: &Coverage,
    set: &Set,
    window: Option<(Timestamp, Timestamp)>,
) -> Reach {
    let mut reach = Reach::default();
    for (branch, until) in lineage(database, coverage, set.id) {
        let from = coverage.spans.partition_point(|span| span.branch < branch);
        let to = coverage.spans.partition_point(|span| span.branch <= branch);
        for span in &coverage.spans[from..to] {
            let end = until.map_or(span.to, |until| until.min(span.to));
            let (first, last) = (span.from.max(set.first), end.min(set.last));
            // Where it begins, another one ends: that point is not its own.
            if first < last || first == last && last == set.last {
                reach.lsns.push((first, last));
            }
            if let (Some(times), Some(window)) = (span.times, window) {
                let (first, last) = (times.from.max(window.0), times.to.min(window.1));
                if first <= last {
                    reach.times.push((first, last));
                }
            }
        }
    }
    reach.lsns.sort_unstable();
    reach.times.sort_unstable();
    reach
}

/// The moments that are the business of a log: from when the log before it was read, up to when it was read itself, or to its last
/// record where that is known. Rather a little too many than too few.
fn window(before: &[Set], set: &Set) -> Option<(Timestamp, Timestamp)> {
    let offset = set.clock.offset_minutes?;
    let start = utc(set.clock.start, offset)?;
    let last = set.clock.last_restorable.and_then(|last| utc(last, offset));
    let until = last.map_or(start, |last| last.max(start));
    let parent = set.fork.origin.map(|origin| origin.parent);
    let previous = before.iter().rev().find(|other| {
        let is_of_line = other.fork.id == set.fork.id || Some(other.fork.id) == parent;
        other.is_log() && is_of_line && other.last <= set.first
    });
    let Some(previous) = previous else {
        return Some((Timestamp::MIN, until));
    };
    let from = match previous.last == set.first {
        true => previous.clock.start,
        false => previous.clock.finish,
    };
    Some((utc(from, previous.clock.offset_minutes?)?, until))
}

fn utc(time: DateTime, minutes: i16) -> Option<Timestamp> {
    let offset = Offset::from_seconds(i32::from(minutes) * 60).ok()?;
    offset.to_timestamp(time).ok()
}
