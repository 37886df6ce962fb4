//! What will be deleted when, as things stand.
//!
//! Time is let pass in thought: at each step what nothing keeps goes, as it will, and what is left is judged again at the next. Steps
//! are a day, as the vault looks, and a twentieth of the time from now where that is more.

use std::collections::{BTreeMap, BTreeSet};

use catalog::record::SoftDelete;
use jiff::{SignedDuration, Timestamp};

use super::Prospect;
use super::judging::{Judged, Stock, Terms};
use crate::protection::kept_until;

const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Stock<'_> {
    /// What becomes of all points, in the order of their ends.
    pub(super) fn foresee(&self, terms: &Terms<'_>, now: Timestamp, rule: SoftDelete) -> Vec<Prospect> {
        let is_there = |place: &usize| {
            let deletion = self.points[*place].deletion.as_ref();
            !deletion.is_some_and(|deletion| deletion.is_final)
        };
        let mut members: BTreeSet<usize> = (0..self.points.len()).filter(is_there).collect();
        let today = self.judge(terms, &members, now);
        let expires = self.pass(terms, &mut members, now, &today);
        let prospects = self.points.iter().enumerate().map(|(place, point)| {
            let deletion = point.deletion.clone();
            let reasons = today.get(&place).map_or_else(Vec::new, |one| one.reasons.clone());
            let since = deletion.as_ref().map(|deletion| deletion.since);
            let until = deletion.as_ref().map(|deletion| deletion.until);
            let is_kept = !reasons.is_empty();
            let expires = expires.get(&place).copied();
            Prospect {
                point: point.id,
                backup: point.kind,
                ended: point.ended,
                expires: since.filter(|_| !is_kept).or(expires),
                gone: until
                    .filter(|_| !is_kept)
                    .or_else(|| expires.map(|at| kept_until(at, rule))),
                reasons,
                deletion,
            }
        });
        prospects.collect()
    }

    /// Lets time pass; gives when each point goes that goes.
    fn pass(
        &self,
        terms: &Terms<'_>,
        members: &mut BTreeSet<usize>,
        now: Timestamp,
        today: &BTreeMap<usize, Judged>,
    ) -> BTreeMap<usize, Timestamp> {
        let mut expires = BTreeMap::new();
        let (mut before, mut at, mut judged) = (Timestamp::MAX, now, today.clone());
        loop {
            let there = members.len();
            for (place, one) in judged.iter().filter(|(_, one)| one.reasons.is_empty()) {
                // What nobody needed goes at its own time, between this step and the last.
                let own = one.until.filter(|until| *until > before);
                expires.insert(*place, own.unwrap_or(at));
                members.remove(place);
            }
            let ends = judged.iter().filter(|(place, _)| members.contains(place));
            let next = ends
                .filter_map(|(_, one)| one.until)
                .filter(|until| *until > at)
                .min();
            // What is left may need less than before.
            if next.is_none() && members.len() == there {
                return expires;
            }
            let step = DAY.max(SignedDuration::from_secs(at.duration_since(now).as_secs() / 20));
            let Ok(then) = at.checked_add(step) else {
                return expires;
            };
            before = at;
            at = next.map_or(then, |next| then.max(next));
            judged = self.judge(terms, members, at);
        }
    }
}
