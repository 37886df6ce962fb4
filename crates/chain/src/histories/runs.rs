//! Runs: logs that continue each other exactly, each beginning where the one before ended.

use std::collections::BTreeMap;

use bak::Lsn;

use super::ForkSets;

/// So many logs around one position are looked at; more would be copies and overlaps without end.
const AROUND_MAX: usize = 64;

/// The runs of one fork's logs. Empty logs are in none.
#[derive(Debug)]
pub(super) struct Runs {
    /// The run of each member.
    pub(super) of: Vec<Option<usize>>,
    /// The logs of each run, in log order.
    pub(super) logs: Vec<Vec<usize>>,
    /// Logs by where they end.
    by_last: BTreeMap<Lsn, Vec<usize>>,
}

impl Runs {
    /// A copy-only log continues nothing; and where two different logs begin or end at one LSN, LSNs alone do not say which continues
    /// which.
    pub(super) fn of(fork: &ForkSets<'_>) -> Self {
        let mut begins: BTreeMap<Lsn, Vec<usize>> = BTreeMap::new();
        let mut ends: BTreeMap<Lsn, Vec<usize>> = BTreeMap::new();
        let mut by_last: BTreeMap<Lsn, Vec<usize>> = BTreeMap::new();
        let logs = |member: &usize| fork.set(*member).is_log() && !fork.set(*member).is_empty_log();
        for member in (0..fork.members.len()).filter(logs) {
            let set = fork.set(member);
            by_last.entry(set.last).or_default().push(member);
            if !set.is_copy_only {
                begins.entry(set.first).or_default().push(member);
                ends.entry(set.last).or_default().push(member);
            }
        }
        let mut runs = Self {
            of: vec![None; fork.members.len()],
            logs: Vec::new(),
            by_last,
        };
        for member in (0..fork.members.len()).filter(logs) {
            let set = fork.set(member);
            let before = || {
                only(begins.get(&set.first)?)?;
                only(ends.get(&set.first)?)
            };
            let joined = if set.is_copy_only { None } else { before() };
            let run = joined.and_then(|other| runs.of[other]).unwrap_or_else(|| {
                runs.logs.push(Vec::new());
                runs.logs.len() - 1
            });
            runs.of[member] = Some(run);
            runs.logs[run].push(member);
        }
        runs
    }

    /// The logs that hold the record at which a set ends.
    pub(super) fn around(&self, fork: &ForkSets<'_>, member: usize) -> Vec<usize> {
        let at = fork.set(member).last;
        let behind = self
            .by_last
            .range(at..)
            .flat_map(|(_, logs)| logs)
            .copied()
            .take(AROUND_MAX);
        behind
            .filter(|log| fork.set(*log).first <= at && at < fork.set(*log).last)
            .collect()
    }

    /// The logs that end exactly there.
    pub(super) fn ending(&self, lsn: Lsn) -> &[usize] {
        let logs = self.by_last.get(&lsn).map_or(&[][..], Vec::as_slice);
        &logs[..logs.len().min(AROUND_MAX)]
    }

    /// The logs of the run of `log`, from it back, that may hold the same LSNs as a set that ends in it.
    pub(super) fn beside<'a>(
        &'a self,
        fork: &'a ForkSets<'_>,
        member: usize,
        log: usize,
    ) -> impl Iterator<Item = usize> + 'a {
        let run = self.of[log].map_or(&[][..], |run| self.logs[run].as_slice());
        let until = run.partition_point(|other| *other <= log);
        let back = run[..until].iter().rev().copied().take(AROUND_MAX);
        back.take_while(move |other| fork.set(*other).last > fork.set(member).first)
    }

    /// The log that `log` continues.
    pub(super) fn before(&self, fork: &ForkSets<'_>, log: usize) -> Option<usize> {
        let mut ending_there = self.ending(fork.set(log).first).iter().copied();
        ending_there.find(|other| self.of[*other] == self.of[log])
    }
}

/// The one log among these, where there is but one.
fn only(logs: &[usize]) -> Option<usize> {
    match logs {
        [one] => Some(*one),
        _ => None,
    }
}
