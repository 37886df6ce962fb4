//! Plans that end at an LSN.

use bak::Lsn;

use super::{Final, Found, Planner, point, refusal};
use crate::coverage::BranchId;
use crate::graph::Way;
use crate::plan::{Plans, Reason, Refusal, Stop};
use crate::ways::Ways;

impl Planner<'_> {
    /// Up to `lsn`, of the branch `owner` where one is given: the end of a set whole, or a log stopped at it with `stop`.
    pub(super) fn at_lsn_of(
        &self,
        owner: Option<BranchId>,
        lsn: Lsn,
        stop: &Stop,
    ) -> Result<Plans, Box<Refusal>> {
        let ways = self.sets_allowed();
        let mut finals: Vec<Final> = Vec::new();
        for index in self.graph.ending_at(lsn) {
            let branch = self.graph.owner(index, lsn);
            if let Some(way) = ways[index].filter(|_| self.wants(branch, lsn)) {
                finals.push(self.whole(index, way, branch));
            }
        }
        self.stopped_at(lsn, stop, &ways, &mut finals);
        finals.retain(|last| owner.is_none_or(|owner| owner == last.branch));
        let found = Found { finals, ways };
        self.choose(&[found])
            .ok_or_else(|| self.refuse_at_lsn(Reason::Nothing, Some(lsn)))
    }

    /// Up to and including the record at `lsn` of one of the branches `owners`, whose log it must be: the end of a set before it will
    /// not do.
    pub(super) fn inside_log(
        &self,
        lsn: Lsn,
        stop: &Stop,
        owners: &[BranchId],
    ) -> Result<Plans, Box<Refusal>> {
        let ways = self.sets_allowed();
        let mut finals: Vec<Final> = Vec::new();
        self.stopped_at(lsn, stop, &ways, &mut finals);
        finals.retain(|last| owners.contains(&last.branch));
        let found = Found { finals, ways };
        self.choose(&[found])
            .ok_or_else(|| self.refuse_at_lsn(Reason::Nothing, Some(lsn)))
    }

    /// Adds the logs that can be stopped at `lsn`, for branches that have no final yet.
    fn stopped_at(&self, lsn: Lsn, stop: &Stop, ways: &Ways, finals: &mut Vec<Final>) {
        let served: Vec<BranchId> = finals.iter().map(|last| last.branch).collect();
        for log in self.logs_around(lsn) {
            let branch = self.graph.owner(log, lsn);
            if served.contains(&branch) || !self.wants(branch, lsn) {
                continue;
            }
            let into = self.graph.ways_into(log, Some(lsn), &self.usable, ways);
            finals.extend(into.into_iter().min_by(Way::preference).map(|way| Final {
                last: log,
                stop: Some(stop.clone()),
                way,
                branch,
                reaches: lsn,
                at: None,
            }));
        }
    }

    /// The usable logs that hold the record at `lsn` and can be stopped there.
    pub(super) fn logs_around(&self, lsn: Lsn) -> impl Iterator<Item = usize> + '_ {
        let sets = self.graph.sets;
        let from = sets.partition_point(|set| set.last <= lsn);
        let reach_back = (from..sets.len()).take_while(move |index| self.graph.may_reach_back(*index, lsn));
        reach_back.filter(move |index| {
            let set = &sets[*index];
            set.is_log() && set.first <= lsn && !set.is_bulk_logged && self.usable[*index]
        })
    }

    /// Why there is no plan to `lsn`, with the nearest points that there are. Without an LSN: `reason`.
    pub(super) fn refuse_at_lsn(&self, reason: Reason, lsn: Option<Lsn>) -> Box<Refusal> {
        let Some(lsn) = lsn else { return refusal(reason) };
        let coverage = self.database.coverage();
        let spans = || {
            coverage
                .spans
                .iter()
                .filter(|span| self.wants(span.branch, span.to))
        };
        let before = spans().filter(|span| span.to < lsn).max_by_key(|span| span.to);
        let after = spans()
            .filter(|span| span.from > lsn)
            .min_by_key(|span| span.from);
        let holes = coverage
            .holes
            .iter()
            .filter(|hole| self.wants(hole.branch, hole.from) && hole.from <= lsn && lsn <= hole.to);
        let hole = holes.max_by_key(|hole| hole.from).cloned();
        let reason = match (reason, hole, before, after) {
            (Reason::SetUnusable(why), ..) => Reason::SetUnusable(why),
            (_, Some(hole), ..) => Reason::Hole(hole),
            (_, None, None, Some(_)) => Reason::TooEarly,
            (_, None, Some(_), None) => Reason::TooLate,
            (reason, ..) => reason,
        };
        Box::new(Refusal {
            before: before.map(|span| point(span, true)),
            after: after.map(|span| point(span, false)),
            ..*refusal(reason)
        })
    }
}
