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
use uuid::Uuid;

use crate::moments::Span;
use crate::set::{Kind, Set};
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
    /// Fulls by BackupSetGUID.
    fulls: BTreeMap<Uuid, usize>,
}

/// Sorts the sets of one fork into histories, the first one first.
pub(crate) fn tell_apart(sets: &[Set], spans: &[Span], members: &[usize]) -> Vec<History> {
    let (members, copies) = apart_from_copies(sets, members);
    let fork = ForkSets {
        sets,
        spans,
        members: &members,
        fulls: fulls(sets, &members),
    };
    let runs = Runs::of(&fork);
    let mut drafts: Vec<Draft> = Vec::new();
    let rest = fork.place_runs(&runs, &mut drafts);
    fork.place_rest(rest, &mut drafts);
    let histories = drafts.into_iter().map(|draft| {
        let own = draft.members.iter().map(|member| members[*member]);
        let mut sets: Vec<usize> = own
            .flat_map(|set| [set].into_iter().chain(copies_of(&copies, set)))
            .collect();
        sets.sort_unstable();
        History {
            sets,
            evidence: draft.evidence,
        }
    });
    histories.collect()
}

/// The fulls among the members by BackupSetGUID.
fn fulls(sets: &[Set], members: &[usize]) -> BTreeMap<Uuid, usize> {
    let fulls = members
        .iter()
        .enumerate()
        .filter(|(_, index)| sets[**index].kind == Kind::Full);
    fulls
        .filter_map(|(member, index)| Some((sets[*index].guid?, member)))
        .collect()
}

/// One set of each backup, and of the other copies (the one, the copy).
fn apart_from_copies(sets: &[Set], members: &[usize]) -> (Vec<usize>, Vec<(usize, usize)>) {
    let mut ones: BTreeMap<(Uuid, Lsn), usize> = BTreeMap::new();
    let mut apart = Vec::with_capacity(members.len());
    let mut copies = Vec::new();
    for member in members {
        let set = &sets[*member];
        match set.guid.and_then(|guid| ones.get(&(guid, set.last)).copied()) {
            Some(one) => copies.push((one, *member)),
            None => {
                apart.push(*member);
                if let Some(guid) = set.guid {
                    ones.insert((guid, set.last), *member);
                }
            }
        }
    }
    copies.sort_unstable();
    (apart, copies)
}

fn copies_of(copies: &[(usize, usize)], one: usize) -> impl Iterator<Item = usize> + '_ {
    let from = copies.partition_point(|(other, _)| *other < one);
    copies[from..]
        .iter()
        .take_while(move |(other, _)| *other == one)
        .map(|(_, copy)| *copy)
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

    /// Puts each run of logs, with the sets that lie in it, whole into the history that it does not contradict. Gives the sets that lie
    /// in no run.
    fn place_runs(&self, runs: &Runs, drafts: &mut Vec<Draft>) -> Vec<usize> {
        let mut lying_in: Vec<Vec<usize>> = vec![Vec::new(); runs.logs.len()];
        let mut rest = Vec::new();
        for member in (0..self.members.len()).filter(|member| runs.of[*member].is_none()) {
            match self.run_around(runs, member) {
                Some(run) => lying_in[run].push(member),
                None => rest.push(member),
            }
        }
        let mut together = runs.logs.clone();
        for (run, members) in lying_in.into_iter().enumerate() {
            // From the last in time back: one that contradicts a later one was there before the server was put back.
            let mut later = Draft::new(None);
            for member in self.in_time(members).into_iter().rev() {
                if later.conflict(self, &[member]).is_none() {
                    later.put(self, member);
                    together[run].push(member);
                } else {
                    rest.push(member);
                }
            }
        }
        let mut first_in_time: BTreeMap<(i64, usize), usize> = BTreeMap::new();
        for (run, members) in together.iter().enumerate() {
            let first = members
                .iter()
                .map(|member| (self.span(*member).start_earliest, *member))
                .min();
            first_in_time.insert(first.expect("a run has a log"), run);
        }
        for ((start, _), run) in first_in_time {
            self.place(&together[run], start, drafts);
        }
        rest
    }

    /// Data backups and empty logs that no log tells anything about: by what they do not contradict.
    fn place_rest(&self, rest: Vec<usize>, drafts: &mut Vec<Draft>) {
        for member in self.in_time(rest) {
            self.place(&[member], self.span(member).start_earliest, drafts);
        }
    }

    fn place(&self, members: &[usize], start: i64, drafts: &mut Vec<Draft>) {
        let conflicts = drafts.iter().map(|draft| draft.conflict(self, members)).collect();
        let draft = choose(drafts, conflicts, start);
        for member in members {
            drafts[draft].put(self, *member);
        }
    }

    /// The run that a data backup or an empty log lies in: among the logs that hold the record at its end, where time agrees with that.
    fn run_around(&self, runs: &Runs, member: usize) -> Option<usize> {
        if self.set(member).is_empty_log() {
            return self.run_at(runs, member);
        }
        let around = runs.around(self, member);
        // Of several, the log that came first after the set: a later one may be of a history that left before it.
        let in_time = |log: &&usize| (self.span(**log).start_earliest, **log);
        let fitting = around.iter().filter(|log| self.fits(runs, member, **log));
        let agrees = |log: &&usize| self.compare(member, **log) == LogAgreement::Same;
        let agreeing = || around.iter().filter(agrees).min_by_key(in_time);
        let log = fitting.min_by_key(in_time).or_else(agreeing)?;
        runs.of[*log]
    }

    /// The run that an empty log continues, or begins: where it lies a log ended, unless it is the first of its chain. Where that is so of
    /// several runs nobody can tell.
    fn run_at(&self, runs: &Runs, member: usize) -> Option<usize> {
        let (at, span) = (self.set(member).last, self.span(member));
        let ended = runs.ending(at).iter().copied();
        let before: Vec<usize> = ended
            .filter(|log| self.span(*log).start_earliest <= span.finish_latest)
            .collect();
        let beginning = || {
            let around = runs.around(self, member).into_iter();
            around.filter(|log| {
                self.set(*log).first == at && span.start_earliest <= self.span(*log).finish_latest
            })
        };
        let found = if before.is_empty() {
            beginning().collect()
        } else {
            before
        };
        let mut found = found.into_iter().filter_map(|log| runs.of[log]);
        let run = found.next()?;
        found.all(|other| other == run).then_some(run)
    }

    /// Whether a set lies in time where it lies in LSN: not over before the log before began, not begun after `log` was over.
    fn fits(&self, runs: &Runs, member: usize, log: usize) -> bool {
        let (set, around) = (self.span(member), self.span(log));
        let before = runs.before(self, log);
        // A differential is of the history that its base is of.
        let mut witnesses = [Some(member), self.base(member)].into_iter().flatten();
        let differs = |witness: usize| {
            let mut beside = runs.beside(self, witness, log);
            beside.any(|other| matches!(self.compare(witness, other), LogAgreement::Differs(_)))
        };
        !witnesses.any(differs)
            && set.start_earliest <= around.finish_latest
            && before.is_none_or(|before| self.span(before).start_earliest <= set.finish_latest)
    }

    /// The full that a differential names as its base.
    fn base(&self, member: usize) -> Option<usize> {
        match self.set(member).kind {
            Kind::Differential(base) => self.fulls.get(&base.guid?).copied(),
            Kind::Full | Kind::Log => None,
        }
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
    // One that began later is no home for what contradicts those that were there.
    let is_homeless = born.is_none() && conflicts.iter().any(Option::is_some);
    if let [only] = alive.as_slice()
        && !is_homeless
    {
        return *only;
    }
    let why = match conflicts.into_iter().flatten().last() {
        _ if drafts.is_empty() => None,
        Some(conflict) if alive.is_empty() || is_homeless => Some(conflict.sentence()),
        _ => Some("nothing tells to which of several histories of its fork it belongs".to_owned()),
    };
    drafts.push(Draft::new(why));
    drafts.len() - 1
}
