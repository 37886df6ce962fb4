//! The server's clock along each branch: where it went back, and which moments each log serves.
//!
//! Along the logs of a branch time runs forward. Where a log surely began before the one before it did, somebody set the clock back:
//! a new *era* begins. Moments are compared within one era only; the log in which the clock went back serves none, and those behind it
//! none before the finish of the data backup that they stand on, of whatever era (4335).

use std::collections::BTreeMap;

use crate::branches::{Branches, ends_at};
use crate::coverage::BranchId;
use crate::moments::Span;
use crate::set::{Grain, Set};

/// A branch's stretch of time in which the clock runs forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Era {
    pub(crate) branch: BranchId,
    pub(crate) number: u32,
}

/// What the clock says of one set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) era: Era,
    /// The clock went back in this log.
    pub(crate) is_step: bool,
    /// Up to this moment all is known once the set is restored whole: of a log see [`Span::reach`]. Of a data backup its start, unless
    /// its times are told exactly: then its finish. An empty log behind it may tell more, see [`reaches`].
    pub(crate) reach: i64,
    /// From this moment on the set, restored whole, holds nothing too new.
    pub(crate) bound: i64,
    /// A log that comes from another branch says nothing of its own branch before this moment, its start: nobody knows when the restore
    /// or the return to a snapshot happened.
    pub(crate) start: i64,
    /// The earliest that its start can have been.
    pub(crate) earliest: i64,
    /// The last moment at which it may still have been written.
    pub(crate) finish: i64,
}

/// The readings of all sets, by index.
pub(crate) fn read(sets: &[Set], spans: &[Span], branches: &Branches) -> Vec<Reading> {
    let mut readings: Vec<Reading> = (0..sets.len())
        .map(|index| Reading {
            era: Era {
                branch: branches.at_end(index),
                number: 0,
            },
            is_step: false,
            reach: match (sets[index].is_log(), sets[index].clock.grain) {
                (true, _) => spans[index].reach,
                (false, Grain::Exact) => spans[index].over,
                (false, Grain::Second) => spans[index].start_earliest,
            },
            bound: bound(&sets[index], &spans[index], false, false),
            start: spans[index].begun,
            earliest: spans[index].start_earliest,
            finish: spans[index].last,
        })
        .collect();
    let mut by_branch: BTreeMap<BranchId, Vec<usize>> = BTreeMap::new();
    for index in 0..sets.len() {
        by_branch.entry(branches.at_end(index)).or_default().push(index);
    }
    for members in by_branch.values() {
        number_eras(sets, spans, branches, members, &mut readings);
    }
    readings
}

/// What is restored with the set is no newer than this. Where a log cannot be stopped in, its finish.
fn bound(set: &Set, span: &Span, is_step: bool, crosses: bool) -> i64 {
    if !set.is_log() || set.is_bulk_logged || is_step {
        span.over
    } else if crosses {
        span.reach.max(span.begun)
    } else {
        span.reach
    }
}

fn number_eras(
    sets: &[Set],
    spans: &[Span],
    branches: &Branches,
    members: &[usize],
    readings: &mut [Reading],
) {
    let mut logs: Vec<usize> = members
        .iter()
        .copied()
        .filter(|index| sets[*index].is_log() && !sets[*index].is_empty_log())
        .collect();
    // Of logs that end at one LSN, one of them copy-only, the clock decides which came first.
    logs.sort_by_key(|index| (sets[*index].last, spans[*index].start_latest));
    for place in 0..logs.len() {
        let log = logs[place];
        let (number, is_step) = era_of_log(sets, spans, &logs[..=place], readings);
        let crosses = branches.canonical(branches.at_end(log), sets[log].first) != branches.at_end(log);
        readings[log].era.number = number;
        readings[log].is_step = is_step;
        readings[log].bound = bound(&sets[log], &spans[log], is_step, crosses);
    }
    // A data backup belongs to the era of the log around its end.
    let mut behind: Option<usize> = None;
    for index in members.iter().copied().rev() {
        if sets[index].is_log() {
            if !sets[index].is_empty_log() {
                behind = Some(index);
            }
            continue;
        }
        readings[index].era.number = match (behind, logs.last().copied()) {
            (Some(log), _)
                if readings[log].is_step && spans[index].start_earliest > spans[log].finish_latest =>
            {
                readings[log].era.number.saturating_sub(1)
            }
            (Some(log), _) => readings[log].era.number,
            (None, Some(last)) if spans[index].finish_latest < spans[last].start_earliest => {
                readings[last].era.number + 1
            }
            (None, last) => last.map_or(0, |last| readings[last].era.number),
        };
    }
}

/// The era of the last of these logs, those before it being done, and whether the clock went back in it.
fn era_of_log(sets: &[Set], spans: &[Span], logs: &[usize], readings: &[Reading]) -> (u32, bool) {
    let Some((log, before)) = logs.split_last() else {
        return (0, false);
    };
    // What was written while its records were: from the last log that had ended where it begins.
    let ended = before.partition_point(|other| sets[*other].last <= sets[*log].first);
    let beside = match ended.checked_sub(1) {
        Some(last) => {
            let last = sets[before[last]].last;
            &before[before.partition_point(|other| sets[*other].last < last)..]
        }
        None => before,
    };
    let went_back = |other: &usize| spans[*log].start_latest < spans[*other].start_earliest;
    let eras = beside
        .iter()
        .map(|other| readings[*other].era.number + u32::from(went_back(other)));
    let number = eras.max().unwrap_or(0);
    if beside.iter().any(went_back) {
        return (number, true);
    }
    // Its last record later than its finish: the clock went back while it was written. Where it did so in a log beside it too, that is
    // the same event.
    let is_step = spans[*log].reach > spans[*log].last;
    let is_known = beside
        .iter()
        .any(|other| readings[*other].is_step && sets[*other].last > sets[*log].first);
    (number + u32::from(is_step && !is_known), is_step)
}

/// Up to which moment all is known once each set is restored whole, with what usable empty logs tell: nothing happened until they began.
pub(crate) fn reaches(sets: &[Set], branches: &Branches, readings: &[Reading], usable: &[bool]) -> Vec<i64> {
    let mut reaches: Vec<i64> = readings.iter().map(|reading| reading.reach).collect();
    for witness in (0..sets.len()).filter(|index| usable[*index] && sets[*index].is_empty_log()) {
        for (index, set) in ends_at(sets, sets[witness].last) {
            let is_before = readings[witness].start >= readings[index].start
                && branches.at_end(index) == branches.at_end(witness);
            if is_before && !set.is_empty_log() {
                reaches[index] = reaches[index].max(readings[witness].reach);
            }
        }
    }
    reaches
}
