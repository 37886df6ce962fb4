//! Which points of one database are kept at a moment, and why.

use std::collections::{BTreeMap, BTreeSet};

use catalog::record::{DeletedFor, Point, Protection};
use chain::{Database, Kind, Set, SetId, Target};
use jiff::Timestamp;
use schedule::Policy;

use super::needs::{lenient, needed};
use super::{Reason, ages};
use crate::points::set_of;

/// By what points of a database are judged.
pub(super) struct Terms<'a> {
    policy: &'a Policy,
    /// Nothing ends, for this reason.
    rests: Option<Reason>,
}

impl<'a> Terms<'a> {
    /// The terms of an item. While its schedules are suspended its points age as the policy says; once protection is stopped and the
    /// data are retained, or deleted softly with all the rest, none of them ends by itself.
    pub(super) fn of(policy: &'a Policy, protection: &Protection) -> Self {
        let rests = match protection {
            Protection::Protected | Protection::Suspended { .. } => None,
            Protection::Stopped { .. } => Some(Reason::Stopped),
            Protection::SoftDeleted { .. } => Some(Reason::ItemDeleted),
        };
        Self { policy, rests }
    }
}

/// The points of one database, ready to be judged. They are called by their places.
pub(super) struct Stock<'p> {
    pub(super) points: &'p [Point],
    /// What can be planned with, numbered by place; all together, as a restore takes them.
    sets: Vec<Set>,
    unplannable: BTreeSet<usize>,
}

/// What is thought of a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    /// Why it is kept; empty where it is not.
    pub(super) reasons: Vec<Reason>,
    /// Until when it is kept by itself; none: nobody knows.
    pub(super) until: Option<Timestamp>,
}

impl<'p> Stock<'p> {
    pub(super) fn of(points: &'p [Point]) -> Self {
        let mut sets = Vec::with_capacity(points.len());
        let mut unplannable = BTreeSet::new();
        for (place, point) in points.iter().enumerate() {
            match set_of(point, SetId(place as u64)) {
                Ok(set) => sets.push(set),
                Err(_) => {
                    unplannable.insert(place);
                }
            }
        }
        Self {
            points,
            sets,
            unplannable,
        }
    }

    /// What is thought of each of these points at a moment, as if there were no others. Whether one is deleted softly makes no
    /// difference: what is needed again comes back. What is gone for good must not be among them.
    pub(super) fn judge(
        &self,
        terms: &Terms<'_>,
        members: &BTreeSet<usize>,
        now: Timestamp,
    ) -> BTreeMap<usize, Judged> {
        // What a user deleted is kept by no rule, and is no rule's choice.
        let is_wanted = |place: &usize| {
            let deletion = self.points[*place].deletion.as_ref();
            deletion.is_none_or(|deletion| deletion.why != DeletedFor::User)
        };
        let (wanted, unwanted): (Vec<usize>, Vec<usize>) = members.iter().partition(|place| is_wanted(place));
        let points: Vec<&Point> = wanted.iter().map(|place| &self.points[*place]).collect();
        let reasons = ages::reasons(terms.policy, &points);
        let none = unwanted.into_iter().map(|place| (place, Vec::new()));
        let mut judged: BTreeMap<usize, Judged> =
            wanted.into_iter().zip(reasons).chain(none).map(own).collect();
        if let Some(reason) = &terms.rests {
            for one in judged.values_mut() {
                one.reasons = vec![reason.clone()];
                one.until = None;
            }
            return judged;
        }
        let is_live = |one: &Judged| one.until.is_none_or(|until| now < until);
        let live: BTreeSet<usize> = judged
            .iter()
            .filter(|(_, one)| is_live(one))
            .map(|(place, _)| *place)
            .collect();
        let mut stay = BTreeSet::new();
        let mut hold = |place: usize, reason: Reason| {
            if let Some(one) = judged.get_mut(&place) {
                one.reasons.push(reason);
                one.until = None;
                stay.insert(place);
            }
        };
        for place in self.unplannable.intersection(members) {
            hold(*place, Reason::Unplannable);
        }
        let of_members = self.sets.iter().filter(|set| members.contains(&place_of(set.id)));
        let sets: Vec<Set> = of_members.cloned().collect();
        for place in newest_chain(&sets) {
            hold(place, Reason::NewestChain);
        }
        for one in judged.values_mut() {
            one.reasons.retain(|reason| holds(reason, now));
        }
        let ids = |places: BTreeSet<usize>| places.into_iter().map(|place| SetId(place as u64)).collect();
        for (id, by) in needed(&sets, &ids(live), &ids(stay)) {
            let by = self.points[place_of(by)].id;
            if let Some(one) = judged.get_mut(&place_of(id)) {
                one.reasons.push(Reason::Needed { by });
            }
        }
        judged
    }
}

/// The chain that leads to the newest state which can be restored; where nothing sound leads anywhere, one with damaged sets.
fn newest_chain(sets: &[Set]) -> Vec<usize> {
    let of = |sets: Vec<Set>| {
        let plans = Database::new(sets)
            .plan(&Target::Latest, &chain::Terms::default())
            .ok()?;
        let steps = plans.best.steps.iter().map(|step| place_of(step.set));
        Some(steps.collect::<Vec<usize>>())
    };
    of(sets.to_vec())
        .or_else(|| of(lenient(sets)))
        .unwrap_or_default()
}

fn holds(reason: &Reason, now: Timestamp) -> bool {
    match reason {
        Reason::Rule { until, .. } => until.is_none_or(|until| now < until),
        Reason::Wish { until } => now < *until,
        _ => true,
    }
}

fn own((place, reasons): (usize, Vec<Reason>)) -> (usize, Judged) {
    let until = ages::until(&reasons);
    (place, Judged { reasons, until })
}

/// The place of the point that a set is of.
pub(super) fn place_of(id: SetId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX)
}

/// The fulls that a differential may be of.
pub(super) fn bases<'s>(sets: &'s [Set], of: &Set) -> impl Iterator<Item = &'s Set> {
    let base = match of.kind {
        Kind::Differential(base) => Some(base),
        Kind::Full | Kind::Log => None,
    };
    sets.iter().filter(move |set| {
        set.kind == Kind::Full
            && !set.is_copy_only
            && base.is_some_and(|base| match base.guid {
                Some(guid) => set.guid == Some(guid),
                None => set.checkpoint == base.lsn,
            })
    })
}
