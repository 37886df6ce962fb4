//! Every way through a small history, found by trying.
//!
//! A way is a full, at most one differential of it, and logs in the order of the log; each is tried, and what each reaches in LSNs and
//! in time is judged by the rules as they are written down for all, with what a planner may know: bounds, forks, GUIDs, times, and
//! fingerprints. Nothing here is clever, so that it can be held against something that is.

use bak::{LogAgreement, Lsn};
use chain::{Grade, Grain, Kind, Set, SetId};
use uuid::Uuid;

use crate::world::{Made, World};

/// What is minimised: steps of the worse grades (disputed, headers only, accepted, engine verified), steps, bytes.
pub(crate) type Cost = ([u32; 4], usize, u64);

/// One set of a way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leg {
    /// Index into the world's backups.
    pub(crate) made: usize,
    /// Where the database stood before it.
    at: Lsn,
    /// Where it is cut, for a forked log that begins within it.
    pub(crate) cut: Option<Lsn>,
}

/// A way: all its sets whole, but logs of a parent that are cut where a forked log begins.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) legs: Vec<Leg>,
    /// Where the database stands at its end, and on which fork.
    pub(crate) end: Lsn,
    pub(crate) fork: Uuid,
    pub(crate) cost: Cost,
    /// The moments that its last log serves, in milliseconds of UTC.
    pub(crate) moments: Option<(i64, i64)>,
    /// The moment of a data backup at its end, where its times are told exactly.
    pub(crate) nominal: Option<i64>,
    /// Before this moment nothing can be stopped at behind its end.
    low: i64,
    /// The first moment that the last log is not known to reach.
    upper: Option<i64>,
    /// The same of the way without its last set.
    before: (i64, Option<i64>),
    /// Up to here some would let it serve as well: empty logs behind a data backup or a bulk-logged log.
    pub(crate) perhaps: Option<(i64, i64)>,
}

/// All ways of a world.
#[derive(Debug)]
pub(crate) struct Brute<'w> {
    pub(crate) world: &'w World,
    accepted: &'w [SetId],
    pub(crate) ways: Vec<Way>,
    apart: Vec<Vec<bool>>,
}

/// More ways than this, and the history is left to the other checks.
const WAYS_MAX: usize = 20_000;

impl<'w> Brute<'w> {
    pub(crate) fn new(world: &'w World, accepted: &'w [SetId]) -> Self {
        let made = &world.made;
        let apart = made
            .iter()
            .map(|one| made.iter().map(|other| are_apart(one, other)).collect())
            .collect();
        let mut brute = Self {
            world,
            accepted,
            ways: Vec::new(),
            apart,
        };
        for (at, full) in made.iter().enumerate() {
            if full.set.kind == Kind::Full && brute.is_usable(&full.set) {
                brute.begin(at);
            }
        }
        brute
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.ways.len() < WAYS_MAX
    }

    pub(crate) fn is_usable(&self, set: &Set) -> bool {
        let is_accepted = set.grade == Grade::Disputed && self.accepted.contains(&set.id);
        let is_sure = !matches!(set.grade, Grade::Disputed | Grade::None);
        set.families.missing.is_empty() && (is_sure || is_accepted)
    }

    /// Whether two sets are known to be of two histories.
    pub(crate) fn known_apart(&self, one: usize, other: usize) -> bool {
        self.apart[one][other]
    }

    /// Whether what two sets hold of the log differs.
    pub(crate) fn do_differ(&self, one: usize, other: usize) -> bool {
        let log = |at: usize| self.world.made[at].set.log.as_ref();
        let fork = |at: usize| self.world.made[at].set.fork.id;
        let (Some(of), Some(with)) = (log(one), log(other)) else {
            return false;
        };
        fork(one) == fork(other) && matches!(of.compare(with), LogAgreement::Differs(_))
    }

    fn begin(&mut self, full: usize) {
        let way = self.data_way(&[full]);
        self.logs(&way);
        self.ways.push(way);
        for at in 0..self.world.made.len() {
            let made = &self.world.made[at];
            let base = &self.world.made[full].set;
            if self.is_usable(&made.set)
                && is_base(self.world, base, &made.set)
                && base.last < made.set.last
                && !self.apart[full][at]
            {
                let way = self.data_way(&[full, at]);
                self.logs(&way);
                self.ways.push(way);
            }
        }
    }

    fn data_way(&self, sets: &[usize]) -> Way {
        let last = &self.world.made[sets[sets.len() - 1]];
        let end = last.set.last;
        Way {
            legs: sets
                .iter()
                .map(|made| Leg {
                    made: *made,
                    at: Lsn::ZERO,
                    cut: None,
                })
                .collect(),
            end,
            fork: fork_at(&last.set, end),
            cost: self.cost(sets.iter().copied()),
            moments: None,
            nominal: Some(last.finish).filter(|_| last.set.clock.grain == Grain::Exact),
            low: last.over(),
            upper: None,
            before: (last.over(), None),
            perhaps: self.quiet_after(last, end).map(|to| (last.over(), to)),
        }
    }

    fn cost(&self, sets: impl Iterator<Item = usize>) -> Cost {
        let mut cost = Cost::default();
        for at in sets {
            let set = &self.world.made[at].set;
            match set.grade {
                Grade::Proved => {}
                Grade::EngineVerified => cost.0[3] += 1,
                Grade::Accepted => cost.0[2] += 1,
                Grade::HeadersOnly => cost.0[1] += 1,
                Grade::Disputed | Grade::None => cost.0[0] += 1,
            }
            cost.1 += 1;
            cost.2 += set.bytes;
        }
        cost
    }

    /// Every log that can follow, whole; and, where a forked log begins within it, both.
    fn logs(&mut self, way: &Way) {
        for next in 0..self.world.made.len() {
            if self.ways.len() >= WAYS_MAX {
                return;
            }
            let set = &self.world.made[next].set;
            if !self.follows(way, way.end, way.fork, next) || way.end >= set.last {
                continue;
            }
            let longer = self.with(way, next);
            self.logs_behind(longer);
        }
    }

    /// A way, what follows it, and what follows its last log where that is cut.
    fn logs_behind(&mut self, way: Way) {
        self.logs(&way);
        let last = way.legs[way.legs.len() - 1].made;
        for forked in 0..self.world.made.len() {
            if let Some(cut) = self.cut(&way, last, forked) {
                self.logs_behind(self.with(&cut, forked));
            }
        }
        self.ways.push(way);
    }

    fn follows(&self, way: &Way, position: Lsn, fork: Uuid, next: usize) -> bool {
        let set = &self.world.made[next].set;
        set.is_log()
            && !set.is_empty_log()
            && self.is_usable(set)
            && set.first <= position
            && position <= set.last
            && fork_at(set, position) == fork
            && way.legs.iter().all(|leg| !self.apart[leg.made][next])
    }

    fn with(&self, way: &Way, next: usize) -> Way {
        let made = &self.world.made[next];
        let set = &made.set;
        let mut legs = way.legs.clone();
        legs.push(Leg {
            made: next,
            at: way.end,
            cut: None,
        });
        let cost = self.cost(legs.iter().map(|leg| leg.made));
        let own = made.reach();
        let quiet = self.quiet_after(made, set.last);
        let upper = quiet.map_or(own, |quiet| quiet.max(own));
        let crosses = set
            .fork
            .origin
            .is_some_and(|origin| way.end <= origin.point && origin.point < set.last);
        let mut low = way.low;
        // How far the parent's logs reach in time is no matter to a log that crosses the fork point.
        if let Some(before) = way.upper.filter(|_| !crosses) {
            low = low.max(before);
        }
        let from = if crosses { low.max(made.begun()) } else { low };
        // A last record behind its own finish was written before the clock went back.
        let is_set_back = made.last_restorable.is_some_and(|at| made.last() < at);
        let went_back = is_set_back
            || !crosses && way.upper.is_some() && {
                let before = &self.world.made[way.legs[way.legs.len() - 1].made];
                upper + made.unsure() < before.start
            };
        let serves = !set.is_bulk_logged && !went_back && from <= upper;
        // Restored whole, a log that crosses a fork point is known to hold nothing behind its start only as far as it was begun.
        let crosses_at_all = set
            .fork
            .origin
            .is_some_and(|origin| set.first <= origin.point && origin.point < set.last);
        let bound = if crosses_at_all {
            upper.max(made.begun())
        } else {
            upper
        };
        Way {
            legs,
            end: set.last,
            fork: fork_at(set, set.last),
            cost,
            moments: serves.then_some((from, upper)),
            nominal: None,
            low: if set.is_bulk_logged {
                from.max(made.over())
            } else {
                from
            },
            upper: Some(bound),
            before: (way.low, way.upper),
            perhaps: quiet.map(|quiet| (made.finish.min(made.start), quiet)),
        }
    }

    /// The way with its last log, `parent`, restored only up to where `forked` begins.
    fn cut(&self, whole: &Way, parent: usize, forked: usize) -> Option<Way> {
        let (long, set) = (&self.world.made[parent].set, &self.world.made[forked].set);
        let origin = set.fork.origin?;
        let at = whole.legs[whole.legs.len() - 1].at;
        let is_inside = at < set.first && set.first < long.last && set.first <= origin.point;
        // Where the whole of it leads there as well, nothing is cut.
        let goes_on = long.last <= origin.point && fork_at(long, long.last) == origin.parent;
        if !is_inside || goes_on || long.is_bulk_logged {
            return None;
        }
        let mut cut = whole.clone();
        cut.legs.last_mut()?.cut = Some(set.first);
        cut.end = set.first;
        cut.fork = fork_at(long, set.first);
        // How far it reaches in time is no matter: the forked log serves moments from its own start on.
        (cut.low, cut.upper) = (whole.before.0, None);
        // A log that is cut can stop nowhere else, so that none before it may have to.
        for leg in &whole.legs[..whole.legs.len() - 1] {
            cut.low = cut.low.max(self.world.made[leg.made].over());
        }
        self.follows(&cut, cut.end, cut.fork, forked).then_some(cut)
    }

    /// Up to when the last empty log at `position` behind a set tells that nothing happened.
    fn quiet_after(&self, made: &Made, position: Lsn) -> Option<i64> {
        let fork = fork_at(&made.set, position);
        self.world
            .made
            .iter()
            .filter(|empty| {
                empty.set.is_empty_log()
                    && empty.set.last == position
                    && fork_at(&empty.set, position) == fork
                    && self.is_usable(&empty.set)
            })
            .map(|empty| empty.start - empty.unsure())
            .max()
    }

    /// The ways that end exactly at `x`, with the fork there.
    pub(crate) fn ending_at(&self, x: Lsn) -> impl Iterator<Item = (&Way, Uuid)> {
        self.ways
            .iter()
            .filter(move |way| way.end == x)
            .map(|way| (way, way.fork))
    }

    /// The ways whose last log can stop at `x`, inside, with the fork there.
    pub(crate) fn stopping_at(&self, x: Lsn) -> impl Iterator<Item = (&Way, Uuid)> {
        self.ways.iter().filter_map(move |way| {
            let leg = way.legs[way.legs.len() - 1];
            let set = &self.world.made[leg.made].set;
            let can = set.is_log() && !set.is_bulk_logged && leg.at <= x && x < set.last;
            can.then(|| (way, fork_at(set, x)))
        })
    }

    /// The ways to a moment, with their forks: those that end with a log where there are any, else lone data backups.
    pub(crate) fn serving(&self, moment: i64) -> Vec<(&Way, Uuid)> {
        let serves = |way: &&Way| {
            way.moments
                .is_some_and(|(from, to)| from <= moment && moment <= to)
        };
        let mut found: Vec<_> = self
            .ways
            .iter()
            .filter(serves)
            .map(|way| (way, way.fork))
            .collect();
        for way in self.ways.iter().filter(|way| way.nominal == Some(moment)) {
            if !found
                .iter()
                .any(|(by, fork)| *fork == way.fork && by.nominal.is_none())
            {
                found.push((way, way.fork));
            }
        }
        found
    }

    /// Whether it is open to judgement that a moment is served.
    pub(crate) fn perhaps(&self, moment: i64, fork: Uuid) -> bool {
        let may = |way: &Way| {
            way.perhaps
                .is_some_and(|(from, to)| from <= moment && moment <= to)
        };
        self.ways.iter().any(|way| way.fork == fork && may(way))
    }
}

/// The fork of a set at an LSN, as its header tells it.
pub(crate) fn fork_at(set: &Set, x: Lsn) -> Uuid {
    match set.fork.origin {
        Some(origin) if x <= origin.point => origin.parent,
        _ => set.fork.id,
    }
}

/// Whether `differential` is relative to `base`.
pub(crate) fn is_base(world: &World, base: &Set, differential: &Set) -> bool {
    let Kind::Differential(relative) = differential.kind else {
        return false;
    };
    let is_it = match (relative.guid, base.guid) {
        (Some(one), Some(other)) => one == other,
        (Some(_), None) => false,
        // Two forks may have a checkpoint at one LSN.
        (None, _) => {
            let owner = |set: &Set| owner(world, set.fork.id, base.last);
            relative.lsn == base.checkpoint && owner(base) == owner(differential)
        }
    };
    base.kind == Kind::Full && !base.is_copy_only && is_it
}

/// The fork that holds an LSN of a fork's line, by what any set's header says of where forks came from.
fn owner(world: &World, fork: Uuid, x: Lsn) -> Uuid {
    let told = |made: &Made| made.set.fork.origin.filter(|_| made.set.fork.id == fork);
    match world.made.iter().find_map(told) {
        Some(origin) if x <= origin.point => owner(world, origin.parent, x),
        _ => fork,
    }
}

/// Whether what is known of two sets says that they are of two histories of one fork.
fn are_apart(one: &Made, other: &Made) -> bool {
    if one.set.fork.id != other.set.fork.id {
        return false;
    }
    if let (Some(log), Some(with)) = (&one.set.log, &other.set.log) {
        match log.compare(with) {
            LogAgreement::Differs(_) => return true,
            LogAgreement::Same => return false,
            LogAgreement::Unknown => {}
        }
    }
    is_put_back(one, other) || is_put_back(other, one)
}

/// Whether `later` was begun when `earlier` had finished, and yet ends at a lower LSN.
fn is_put_back(earlier: &Made, later: &Made) -> bool {
    let (old, new) = (&earlier.set, &later.set);
    let do_overlap = old.first < new.last && new.first < old.last;
    let is_data_inside = !new.is_log() && old.first < new.last && new.last <= old.last;
    earlier.finish < later.start && old.last > new.last && (do_overlap || is_data_inside)
}

/// Whether some two sets are known to be of two histories, or look so: one that was begun later ends at a lower LSN. Without an offset
/// a clock that is changed for winter looks like one that was set back.
pub(crate) fn is_torn(world: &World) -> bool {
    let has_offsets = world
        .made
        .iter()
        .all(|made| made.set.clock.offset_minutes.is_some());
    let is_lower = |one: &Made, other: &Made| {
        let is_before = if has_offsets {
            one.finish < other.start
        } else {
            one.set.clock.finish < other.set.clock.start
        };
        one.set.fork.id == other.set.fork.id && is_before && one.set.last > other.set.last
    };
    let is_pair = |one: &Made, other: &Made| are_apart(one, other) || is_lower(one, other);
    world
        .made
        .iter()
        .any(|one| world.made.iter().any(|other| is_pair(one, other)))
}
