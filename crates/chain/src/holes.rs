//! Why what cannot be restored cannot: each gap between spans, by what is there and what is not.

use bak::{Lsn, RecoveryModel};

use crate::coverage::{BranchId, Hole, HoleReason, Span};
use crate::graph::Graph;
use crate::set::{Kind, Set};
use crate::ways::Ways;

/// Finds the reasons.
pub(crate) struct Explainer<'a> {
    pub(crate) graph: &'a Graph<'a>,
    pub(crate) usable: &'a [bool],
    pub(crate) ways: &'a Ways,
}

/// The logs of one branch, by FirstLSN, and for each the one that reaches furthest among it and those before.
struct Logs {
    by_first: Vec<usize>,
    furthest: Vec<usize>,
}

impl Logs {
    fn of(sets: &[Set], mut logs: Vec<usize>) -> Self {
        logs.sort_by_key(|index| (sets[*index].first, sets[*index].last));
        let mut furthest: Vec<usize> = Vec::with_capacity(logs.len());
        for index in &logs {
            let best = furthest
                .last()
                .filter(|best| sets[**best].last >= sets[*index].last);
            furthest.push(*best.unwrap_or(index));
        }
        Self {
            by_first: logs,
            furthest,
        }
    }

    /// The log that holds the record at `at` and reaches furthest.
    fn around(&self, sets: &[Set], at: Lsn) -> Option<usize> {
        let until = self.by_first.partition_point(|index| sets[*index].first <= at);
        let log = *self.furthest.get(until.checked_sub(1)?)?;
        (sets[log].last > at).then_some(log)
    }

    /// The first log that begins behind `at`.
    fn behind(&self, sets: &[Set], at: Lsn) -> Option<usize> {
        let from = self.by_first.partition_point(|index| sets[*index].first <= at);
        self.by_first.get(from).copied()
    }
}

impl Explainer<'_> {
    /// The holes of a branch whose spans are `spans`, in the order of LSN.
    pub(crate) fn holes(&self, branch: BranchId, spans: &[Span]) -> Vec<Hole> {
        let sets = self.graph.sets;
        let members: Vec<usize> = (0..sets.len())
            .filter(|index| self.graph.branches.at_end(*index) == branch)
            .collect();
        let is_log = |index: &usize| sets[*index].is_log() && !sets[*index].is_empty_log();
        let of_children = (0..sets.len()).filter(is_log).filter(|index| {
            let end = self.graph.branches.at_end(*index);
            end != branch && self.graph.owner(*index, sets[*index].first) == branch
        });
        let logs: Vec<usize> = members
            .iter()
            .copied()
            .filter(is_log)
            .chain(of_children)
            .collect();
        let all = Logs::of(sets, logs.clone());
        let usable = Logs::of(
            sets,
            logs.iter().copied().filter(|index| self.usable[*index]).collect(),
        );
        let mut holes: Vec<Hole> = Vec::new();
        for (from, to) in self.gaps(branch, &members, spans) {
            // Between two gaps lies a point that can be restored to.
            let of_gap = holes.len();
            let mut at = from;
            while at < to {
                let (end, reason) = self.explain(branch, at, to, &all, &usable, &members);
                match holes[of_gap..].last_mut().filter(|hole| hole.reason == reason) {
                    Some(hole) => hole.to = end,
                    None => holes.push(Hole {
                        branch,
                        from: at,
                        to: end,
                        reason,
                    }),
                }
                at = end;
            }
        }
        holes.extend(
            members
                .iter()
                .filter_map(|index| self.lost_data_backup(branch, *index, spans)),
        );
        holes.sort_by_key(|hole| (hole.from, hole.to));
        holes
    }

    /// What lies between the spans, from the first LSN that any set tells of to the last.
    fn gaps(&self, branch: BranchId, members: &[usize], spans: &[Span]) -> Vec<(Lsn, Lsn)> {
        let sets = self.graph.sets;
        let own = self.graph.branches.all[branch.0 as usize]
            .parent
            .map(|(_, point)| point);
        let counts = |index: &&usize| sets[**index].is_log() || self.ways[**index].is_some();
        let begin = |index: &usize| {
            let set = &sets[*index];
            let first = if set.is_log() { set.first } else { set.last };
            own.map_or(first, |point| first.max(point))
        };
        let counted = members.iter().filter(counts);
        let Some(mut at) = counted.clone().map(begin).min() else {
            return Vec::new();
        };
        let end = counted.map(|index| sets[*index].last).max().unwrap_or(at);
        let mut gaps = Vec::new();
        for span in spans {
            if span.from > at {
                gaps.push((at, span.from));
            }
            at = at.max(span.to);
        }
        if end > at {
            gaps.push((at, end));
        }
        gaps
    }

    /// Why nothing from `at` on is reached, and up to where that is the reason, at most to `to`.
    fn explain(
        &self,
        branch: BranchId,
        at: Lsn,
        to: Lsn,
        all: &Logs,
        usable: &Logs,
        members: &[usize],
    ) -> (Lsn, HoleReason) {
        let sets = self.graph.sets;
        if let Some(log) = usable.around(sets, at) {
            let end = sets[log].last.min(to);
            return (end, self.unreached(branch, log));
        }
        let next_usable = usable.behind(sets, at).map_or(to, |log| sets[log].first.min(to));
        if let Some(log) = all.around(sets, at) {
            let reason = unusable(&sets[log]);
            return (sets[log].last.min(next_usable), reason);
        }
        let next = all.behind(sets, at);
        let end = next.map_or(to, |log| sets[log].first.min(to));
        let began_anew = next
            .and_then(|log| sets[log].log_chain_began)
            .is_some_and(|began| began > at);
        let in_simple = |index: &usize| {
            let set = &sets[*index];
            !set.is_log() && set.model == RecoveryModel::Simple && at <= set.last && set.last <= end
        };
        let reason = if began_anew || members.iter().any(in_simple) {
            HoleReason::SwitchedToSimple
        } else {
            HoleReason::MissingLog
        };
        (end, reason)
    }

    /// Why a usable log is not reached.
    fn unreached(&self, branch: BranchId, log: usize) -> HoleReason {
        let set = &self.graph.sets[log];
        if set.is_bulk_logged && self.ways[log].is_some() {
            return HoleReason::BulkLogged(set.id);
        }
        match self.graph.branches.all[branch.0 as usize].origin {
            Some(origin) if set.first <= origin.point => HoleReason::OtherFork(origin.parent),
            _ => HoleReason::NoFull,
        }
    }

    /// A data backup that does not serve: unusable, or a differential without its base.
    fn lost_data_backup(&self, branch: BranchId, index: usize, spans: &[Span]) -> Option<Hole> {
        let set = &self.graph.sets[index];
        let is_covered = spans
            .iter()
            .any(|span| span.from <= set.last && set.last <= span.to);
        if set.is_log() || self.ways[index].is_some() || is_covered {
            return None;
        }
        let reason = match set.kind {
            Kind::Differential(base) if self.usable[index] => HoleReason::BaseMissing(set.id, base.guid),
            _ => unusable(set),
        };
        // Not over a point that can be restored to.
        let within = spans.iter().map(|span| span.to).filter(|to| *to <= set.last);
        let from = within.max().map_or(set.first, |reached| set.first.max(reached));
        Some(Hole {
            branch,
            from: from.min(set.last),
            to: set.last,
            reason,
        })
    }
}

/// Why a set is of no use by itself.
pub(crate) fn unusable(set: &Set) -> HoleReason {
    if !set.families.missing.is_empty() {
        HoleReason::FamiliesMissing(set.id, set.families.missing.clone())
    } else if set.grade == crate::grade::Grade::Disputed {
        HoleReason::Damaged(set.id)
    } else {
        HoleReason::NotProved(set.id)
    }
}
