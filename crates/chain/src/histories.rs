//! Hidden forks: a server that was put back to an older snapshot writes the same LSNs again, under the same fork id.
//!
//! Nothing in a header says so. Two things give it away: log blocks that differ where two sets claim the same LSNs, and a backup that
//! began after another had finished and yet ends at a lower LSN. The second has an innocent explanation, a clock that was set
//! back; it is believed where the log itself shows one unbroken line (each log begins exactly where the one before ended), where the
//! blocks agree, or where a data backup lies between the logs around it in time as it does in LSN.
//!
//! Doubt splits: two histories taken for one would be restored into a database that never was, one history taken for two only hides
//! restorable moments, and says so.

use std::collections::BTreeMap;

use bak::{LogAgreement, Lsn};

use crate::moments::Span;
use crate::set::Set;
use draft::{Conflict, Draft};
use runs::Runs;

mod draft;
mod runs;

/// One history of a fork.
#[derive(Debug, Clone)]
pub(crate) struct History {
    /// Indices of its sets, in log order.
    pub(crate) sets: Vec<usize>,
    /// Why it is a history of its own; none for the one that was there first.
    pub(crate) evidence: Option<String>,
}

/// The sets of one fork: `members` are indices into `sets`, which are in log order.
struct ForkSets<'a> {
    sets: &'a [Set],
    spans: &'a [Span],
    members: &'a [usize],
}

/// Sorts the sets of one fork into histories, the first one first.
pub(crate) fn tell_apart(sets: &[Set], spans: &[Span], members: &[usize]) -> Vec<History> {
    let fork = ForkSets { sets, spans, members };
    let runs = Runs::of(&fork);
    let mut drafts: Vec<Draft> = Vec::new();
    let draft_of_run = fork.place_runs(&runs, &mut drafts);
    fork.place_the_rest(&runs, &draft_of_run, &mut drafts);
    let histories = drafts.into_iter().map(|draft| {
        let mut sets: Vec<usize> = draft.members.iter().map(|member| members[*member]).collect();
        sets.sort_unstable();
        History {
            sets,
            evidence: draft.evidence,
        }
    });
    histories.collect()
}

impl ForkSets<'_> {
    fn set(&self, member: usize) -> &Set {
        &self.sets[self.members[member]]
    }

    fn span(&self, member: usize) -> &Span {
        &self.spans[self.members[member]]
    }

    fn in_time(&self, mut members: Vec<usize>) -> Vec<usize> {
        members.sort_by_key(|m| {
            let span = self.span(*m);
            (span.start_earliest, span.finish_latest, self.set(*m).last, *m)
        });
        members
    }

    /// Puts each run of logs whole into the history that it does not contradict.
    fn place_runs(&self, runs: &Runs, drafts: &mut Vec<Draft>) -> Vec<usize> {
        let mut first_in_time: BTreeMap<(i64, usize), usize> = BTreeMap::new();
        for (run, logs) in runs.logs.iter().enumerate() {
            let first = logs
                .iter()
                .map(|log| (self.span(*log).start_earliest, *log))
                .min();
            first_in_time.insert(first.expect("a run has a log"), run);
        }
        let mut draft_of_run = vec![0; runs.logs.len()];
        for ((start, _), run) in first_in_time {
            let logs = &runs.logs[run];
            let conflicts = drafts
                .iter()
                .map(|draft| draft.conflict_with_run(self, logs))
                .collect();
            let draft = choose(drafts, conflicts, start);
            for log in logs {
                drafts[draft].put(self, *log);
            }
            draft_of_run[run] = draft;
        }
        draft_of_run
    }

    /// Data backups and empty logs: beside the logs around them, where those agree in time; else by what they do not contradict.
    fn place_the_rest(&self, runs: &Runs, draft_of_run: &[usize], drafts: &mut Vec<Draft>) {
        let rest = (0..self.members.len())
            .filter(|member| runs.of[*member].is_none())
            .collect();
        for member in self.in_time(rest) {
            let around = runs.around(self, member);
            // Of several, the log that came first after the set: a later one may be of a history that began before it.
            let fitting = around.iter().filter(|log| self.fits(runs, member, **log));
            let fitting = fitting.min_by_key(|log| (self.span(**log).start_earliest, **log));
            let agreeing = around.iter().find(|log| {
                self.compare(member, **log) == LogAgreement::Same
                    && self.differs_from(member, &around, **log).is_none()
            });
            let draft = match agreeing.or(fitting) {
                Some(log) => draft_of_run[runs.of[*log].expect("a log is in a run")],
                None => {
                    let conflicts = drafts
                        .iter()
                        .map(|draft| draft.conflict_with_set(self, member))
                        .collect();
                    choose(drafts, conflicts, self.span(member).start_earliest)
                }
            };
            drafts[draft].put(self, member);
        }
    }

    /// Whether a set lies in time where it lies in LSN: not over before the log before began, not begun after `log` was over.
    fn fits(&self, runs: &Runs, member: usize, log: usize) -> bool {
        let (set, around) = (self.span(member), self.span(log));
        let before = runs.before(self, log);
        !matches!(self.compare(member, log), LogAgreement::Differs(_))
            && set.start_earliest <= around.finish_latest
            && before.is_none_or(|before| self.span(before).start_earliest <= set.finish_latest)
    }

    fn differs_from(&self, member: usize, others: &[usize], but: usize) -> Option<Lsn> {
        let mut others = others.iter().filter(|other| **other == but);
        others.find_map(|other| match self.compare(member, *other) {
            LogAgreement::Differs(at) => Some(at),
            _ => None,
        })
    }

    /// Compares the log blocks of two sets.
    fn compare(&self, one: usize, other: usize) -> LogAgreement {
        match (&self.set(one).log, &self.set(other).log) {
            (Some(a), Some(b)) => a.compare(b),
            _ => LogAgreement::Unknown,
        }
    }
}

/// The history for something that began at `start`, where `conflicts` tells for each why it does not belong there. Where it could
/// belong to several that were written side by side, nobody can tell: it gets one of its own.
fn choose(drafts: &mut Vec<Draft>, conflicts: Vec<Option<Conflict>>, start: i64) -> usize {
    let possible: Vec<usize> = (0..drafts.len())
        .filter(|draft| conflicts[*draft].is_none())
        .collect();
    let born = possible
        .iter()
        .map(|draft| drafts[*draft].first_start)
        .filter(|born| *born <= start)
        .max();
    let alive: Vec<usize> = match (possible.as_slice(), born) {
        ([_], _) | (_, None) => possible,
        (_, Some(born)) => possible
            .into_iter()
            .filter(|draft| drafts[*draft].was_written_since(born))
            .collect(),
    };
    if let [only] = alive.as_slice() {
        return *only;
    }
    let why = match conflicts.into_iter().flatten().last() {
        _ if drafts.is_empty() => None,
        Some(conflict) if alive.is_empty() => Some(conflict.sentence()),
        _ => Some("nothing tells to which of several histories of its fork it belongs".to_owned()),
    };
    drafts.push(Draft::new(why));
    drafts.len() - 1
}
