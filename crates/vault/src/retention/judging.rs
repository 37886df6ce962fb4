//! Which points of one database are kept at a moment, and why.

use std::collections::{BTreeMap, BTreeSet};

use catalog::record::{DeletedFor, Point, Protection};
use chain::{Database, Kind, Set, SetId, Target};
use jiff::Timestamp;
use schedule::Policy;
use uuid::Uuid;

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
    /// What can be planned with, by FamilyGUID; numbered by place.
    families: BTreeMap<Option<Uuid>, Vec<Set>>,
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
        let mut families: BTreeMap<Option<Uuid>, Vec<Set>> = BTreeMap::new();
        let mut unplannable = BTreeSet::new();
        for (place, point) in points.iter().enumerate() {
            match set_of(point, SetId(place as u64)) {
                Ok(set) => families.entry(point.set.family_guid).or_default().push(set),
                Err(_) => {
                    unplannable.insert(place);
                }
            }
        }
        Self {
            points,
            families,
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
        let families = self.families_of(members);
        for place in self.newest_chain(&families) {
            hold(place, Reason::NewestChain);
        }
        for one in judged.values_mut() {
            one.reasons.retain(|reason| holds(reason, now));
        }
        for family in &families {
            let of_family = |places: &BTreeSet<usize>| -> BTreeSet<SetId> {
                let ids = family.iter().map(|set| set.id);
                ids.filter(|id| places.contains(&place_of(*id))).collect()
            };
            for (id, by) in needed(family, &of_family(&live), &of_family(&stay)) {
                let by = self.points[place_of(by)].id;
                let one = judged.get_mut(&place_of(id));
                one.into_iter()
                    .for_each(|one| one.reasons.push(Reason::Needed { by }));
            }
        }
        judged
    }

    fn families_of(&self, members: &BTreeSet<usize>) -> Vec<Vec<Set>> {
        let families = self.families.values().map(|family| {
            let sets = family.iter().filter(|set| members.contains(&place_of(set.id)));
            sets.cloned().collect::<Vec<Set>>()
        });
        families.filter(|family| !family.is_empty()).collect()
    }

    /// The chain that leads to the newest state which can be restored; where nothing sound leads anywhere, one with damaged sets.
    fn newest_chain(&self, families: &[Vec<Set>]) -> Vec<usize> {
        let sound = self.newest_of(families.iter().cloned());
        sound
            .or_else(|| self.newest_of(families.iter().map(|family| lenient(family))))
            .unwrap_or_default()
    }

    fn newest_of(&self, families: impl Iterator<Item = Vec<Set>>) -> Option<Vec<usize>> {
        let chains = families.filter_map(|family| {
            let database = Database::new(family);
            let plans = database.plan(&Target::Latest, &chain::Terms::default()).ok()?;
            let steps = plans.best.steps.iter().map(|step| place_of(step.set));
            let places: Vec<usize> = steps.collect();
            let ends = places.iter().map(|place| self.points[*place].ended).max()?;
            Some((ends, places))
        });
        chains.max_by_key(|(ends, _)| *ends).map(|(_, places)| places)
    }
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
