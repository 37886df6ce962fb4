//! The stretches of LSN and time that plans reach: what each set adds, put together by branch.

use std::collections::BTreeMap;

use bak::Lsn;

use crate::clocks::{Era, Reading};
use crate::coverage::{BranchId, Span, TimeSpan};
use crate::graph::{Graph, Way};
use crate::moments::timestamp;

/// What one set adds to what can be restored.
#[derive(Debug, Clone, Copy)]
struct Addition {
    from: Lsn,
    to: Lsn,
    times: Option<(i64, i64)>,
}

/// What all usable sets together reach, by branch and LSN; and for each set whether a plan gets to its end.
pub(crate) fn reached(
    graph: &Graph<'_>,
    readings: &[Reading],
    usable: &[bool],
) -> (Vec<Span>, Vec<Option<Way>>) {
    let ways = graph.walk(usable, |_| true);
    let walk = Walk {
        graph,
        readings,
        usable,
        ways: &ways,
    };
    let low = walk.low();
    let mut logs: BTreeMap<BranchId, Vec<Addition>> = BTreeMap::new();
    let mut points: BTreeMap<BranchId, Vec<Addition>> = BTreeMap::new();
    for index in (0..graph.sets.len()).filter(|index| ways[*index].is_some()) {
        let set = &graph.sets[index];
        let branch = graph.branches.at_end(index);
        let at_end = |times| Addition {
            from: set.last,
            to: set.last,
            times,
        };
        if !set.is_log() {
            let serves = (readings[index].bound, readings[index].reach);
            points.entry(branch).or_default().push(at_end(Some(serves)));
        } else if set.is_bulk_logged {
            points.entry(branch).or_default().push(at_end(None));
        } else {
            let times = walk.times_in(index, &low);
            for (owner, from, to) in graph.branches.owners(branch, walk.entry(index), set.last) {
                // What a fork's log tells of its parent's time is the parent's to tell.
                let times = times.filter(|_| owner == branch);
                logs.entry(owner).or_default().push(Addition { from, to, times });
            }
        }
    }
    let mut spans = Vec::new();
    for branch in &graph.branches.all {
        let logs = logs.remove(&branch.id).unwrap_or_default();
        let points = points.remove(&branch.id).unwrap_or_default();
        spans.extend(put_together(branch.id, logs, points));
    }
    (spans, ways)
}

struct Walk<'a> {
    graph: &'a Graph<'a>,
    readings: &'a [Reading],
    usable: &'a [bool],
    ways: &'a [Option<Way>],
}

impl Walk<'_> {
    /// Where the earliest way into a log enters it.
    fn entry(&self, log: usize) -> Lsn {
        let set = &self.graph.sets[log];
        let whole = self
            .graph
            .before_log(log)
            .filter(|before| self.ways[*before].is_some());
        let whole = whole.map(|before| self.graph.sets[before].last).min();
        match whole {
            Some(at) if at == set.first => at,
            _ if self.is_entered_by_cut(log) => set.first,
            Some(at) => at,
            None => set.last,
        }
    }

    fn is_entered_by_cut(&self, log: usize) -> bool {
        let at = self.graph.sets[log].first;
        let mut cuts = self.graph.cut_before(log).filter(|other| self.usable[*other]);
        cuts.any(|other| {
            !self
                .graph
                .ways_into(other, Some(at), self.usable, self.ways)
                .is_empty()
        })
    }

    /// For each set the earliest moment that a plan which restores it whole can be stopped at.
    fn low(&self) -> Vec<i64> {
        let mut low = vec![i64::MAX; self.graph.sets.len()];
        for index in 0..low.len() {
            if self.ways[index].is_some() {
                let own = self.readings[index].bound;
                low[index] = if self.graph.sets[index].is_log() {
                    own.max(self.low_before(index, &low))
                } else {
                    own
                };
            }
        }
        low
    }

    /// The earliest moment at which a plan can stop in a log, by what comes before it; `i64::MIN` where another branch or era does.
    fn low_before(&self, log: usize, low: &[i64]) -> i64 {
        let era = self.readings[log].era;
        let befores = self
            .graph
            .before_log(log)
            .filter(|before| self.ways[*before].is_some());
        let lows = befores.map(|before| self.low_through(before, log, era, low));
        let cut = self.is_entered_by_cut(log).then_some(i64::MIN);
        lows.chain(cut).min().unwrap_or(i64::MIN)
    }

    fn low_through(&self, before: usize, log: usize, era: Era, low: &[i64]) -> i64 {
        let same = self.readings[before].era == era && !self.graph.crosses(log, self.graph.sets[before].last);
        if same { low[before] } else { i64::MIN }
    }

    /// The moments that a log serves as the last of a plan.
    fn times_in(&self, log: usize, low: &[i64]) -> Option<(i64, i64)> {
        let reading = &self.readings[log];
        if reading.is_step {
            return None;
        }
        let before = self.low_before(log, low);
        // Nobody knows when the fork came about: only from the log's own start on.
        let from = if before == i64::MIN { reading.bound } else { before };
        if from <= reading.reach {
            return Some((from, reading.reach));
        }
        // All of the log lies before the data backup below it was finished: only that very moment is served, by the data backup alone.
        let befores = self
            .graph
            .before_log(log)
            .filter(|before| self.ways[*before].is_some());
        let mut data = befores.filter(|before| !self.graph.sets[*before].is_log());
        data.any(|data| self.readings[data].bound == from)
            .then_some((from, from))
    }
}

/// Joins what touches in LSN and in time. Where time does not go on, a new span begins.
fn put_together(branch: BranchId, mut logs: Vec<Addition>, points: Vec<Addition>) -> Vec<Span> {
    logs.sort_by_key(|addition| (addition.to, addition.from));
    let mut spans: Vec<Addition> = Vec::new();
    for next in logs {
        let Some(current) = spans.last_mut().filter(|current| next.from <= current.to) else {
            spans.push(next);
            continue;
        };
        match (current.times, next.times) {
            (Some(a), Some(b)) if b.0 <= a.1 && a.0 <= b.1 => {
                current.times = Some((a.0.min(b.0), a.1.max(b.1)));
                current.to = current.to.max(next.to);
            }
            (None, None) => current.to = current.to.max(next.to),
            (_, None) if next.to <= current.to => {}
            _ => {
                let from = current.to.min(next.to);
                spans.push(Addition { from, ..next });
            }
        }
    }
    let mut alone: Vec<Addition> = Vec::new();
    for point in points {
        let at = point.from;
        let around = |span: &&Addition| span.from <= at && at <= span.to;
        let told = |span: &Addition| match (point.times, span.times) {
            (None, _) => true,
            (Some(point), Some(span)) => span.0 <= point.0 && point.1 <= span.1,
            (Some(_), None) => false,
        };
        if !spans.iter().filter(around).any(told) && !alone.iter().filter(around).any(told) {
            alone.push(point);
        }
    }
    spans.extend(alone);
    spans.sort_by_key(|span| (span.from, span.to));
    spans
        .into_iter()
        .map(|span| Span {
            branch,
            from: span.from,
            to: span.to,
            times: span.times.map(|(from, to)| TimeSpan {
                from: timestamp(from),
                to: timestamp(to),
            }),
        })
        .collect()
}
