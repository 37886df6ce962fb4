//! A history while it is put together, and what contradicts it.

use std::collections::{BTreeMap, BTreeSet};

use bak::{LogAgreement, Lsn};

use super::ForkSets;

/// Of the sets that overlap one set, so many have their blocks compared.
const COMPARED_MAX: usize = 64;

/// Why a set does not belong to a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conflict {
    /// It began after one that had got further, and ends below it.
    Inverted { last: Lsn, earlier: Lsn },
    /// The same LSNs hold other log blocks.
    Blocks { at: Lsn },
}

impl Conflict {
    pub(super) fn sentence(self) -> String {
        match self {
            Self::Inverted { last, earlier } => format!(
                "a backup that began later ends at LSN {last}, below LSN {earlier} that an earlier one had reached: the server was put back \
                 to an older state"
            ),
            Self::Blocks { at } => format!(
                "from LSN {at} on, its log blocks differ from those of another backup with the same LSNs: the server was put back to an older \
                 state"
            ),
        }
    }
}

/// One history.
#[derive(Debug)]
pub(super) struct Draft {
    /// Members in the order they came.
    pub(super) members: Vec<usize>,
    /// Why it is one of its own.
    pub(super) evidence: Option<String>,
    /// When its first member began.
    pub(super) first_start: i64,
    last_start: i64,
    /// By finish, the highest LSN reached until then and the set that did: only where it rises.
    reached: BTreeMap<i64, (Lsn, usize)>,
    /// By start, the lowest LSN that a set ends at which began then or later, and that set: only where it rises.
    ahead: BTreeMap<i64, (Lsn, usize)>,
    by_last: BTreeSet<(Lsn, usize)>,
}

impl Draft {
    pub(super) fn new(evidence: Option<String>) -> Self {
        Self {
            members: Vec::new(),
            evidence,
            first_start: i64::MAX,
            last_start: i64::MIN,
            reached: BTreeMap::new(),
            ahead: BTreeMap::new(),
            by_last: BTreeSet::new(),
        }
    }

    pub(super) fn was_written_since(&self, moment: i64) -> bool {
        self.last_start >= moment
    }

    pub(super) fn put(&mut self, fork: &ForkSets<'_>, member: usize) {
        let (set, span) = (fork.set(member), fork.span(member));
        self.members.push(member);
        self.first_start = self.first_start.min(span.start_earliest);
        self.last_start = self.last_start.max(span.start_earliest);
        self.by_last.insert((set.last, member));
        if self
            .reached_before(span.finish_latest.saturating_add(1))
            .is_none_or(|(last, _)| last < set.last)
        {
            let covered: Vec<i64> = self
                .reached
                .range(span.finish_latest..)
                .take_while(|(_, (last, _))| *last <= set.last)
                .map(|(finish, _)| *finish)
                .collect();
            for finish in covered {
                self.reached.remove(&finish);
            }
            self.reached.insert(span.finish_latest, (set.last, member));
        }
        if self
            .ahead_after(span.start_earliest.saturating_sub(1))
            .is_none_or(|(last, _)| last > set.last)
        {
            let covered: Vec<i64> = self
                .ahead
                .range(..=span.start_earliest)
                .rev()
                .take_while(|(_, (last, _))| *last >= set.last)
                .map(|(start, _)| *start)
                .collect();
            for start in covered {
                self.ahead.remove(&start);
            }
            self.ahead.insert(span.start_earliest, (set.last, member));
        }
    }

    /// The highest LSN that a set which was over before `moment` ends at.
    fn reached_before(&self, moment: i64) -> Option<(Lsn, usize)> {
        self.reached
            .range(..moment)
            .next_back()
            .map(|(_, reached)| *reached)
    }

    /// The lowest LSN that a set which began after `moment` ends at.
    fn ahead_after(&self, moment: i64) -> Option<(Lsn, usize)> {
        self.ahead
            .range(moment.saturating_add(1)..)
            .next()
            .map(|(_, reached)| *reached)
    }

    /// Why sets that belong together do not belong here.
    pub(super) fn conflict(&self, fork: &ForkSets<'_>, members: &[usize]) -> Option<Conflict> {
        let differs = |member: &usize| {
            self.overlapping(fork, *member)
                .find_map(|other| match fork.compare(*member, other) {
                    LogAgreement::Differs(at) => Some(Conflict::Blocks { at }),
                    LogAgreement::Same | LogAgreement::Unknown => None,
                })
        };
        let inverted = |member: &usize| self.inverted(fork, *member);
        members
            .iter()
            .find_map(differs)
            .or_else(|| members.iter().find_map(inverted))
    }

    /// Where the two sets hold the same blocks it was the clock that was put back, not the server.
    fn inverted(&self, fork: &ForkSets<'_>, member: usize) -> Option<Conflict> {
        let (set, span) = (fork.set(member), fork.span(member));
        let is_innocent = |other: usize| fork.compare(member, other) == LogAgreement::Same;
        if let Some((earlier, witness)) = self.reached_before(span.start_earliest)
            && earlier > set.last
            && !is_innocent(witness)
        {
            return Some(Conflict::Inverted {
                last: set.last,
                earlier,
            });
        }
        let (later, witness) = self.ahead_after(span.finish_latest)?;
        (later < set.last && !is_innocent(witness)).then_some(Conflict::Inverted {
            last: later,
            earlier: set.last,
        })
    }

    /// Sets here that hold log blocks of the same LSNs, as far as such can be compared.
    fn overlapping<'a>(&'a self, fork: &'a ForkSets<'_>, member: usize) -> impl Iterator<Item = usize> + 'a {
        let set = fork.set(member);
        let behind = set
            .log
            .as_ref()
            .map(|_| self.by_last.range((set.first, usize::MAX)..));
        behind
            .into_iter()
            .flatten()
            .map(|(_, other)| *other)
            .take(COMPARED_MAX)
            .filter(move |other| fork.set(*other).first < set.last && fork.set(*other).log.is_some())
    }
}
