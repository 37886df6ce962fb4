//! The stretches of LSN and time that plans reach: what each set adds, put together by branch.

use std::collections::BTreeMap;

use bak::Lsn;

use crate::clocks::{self, Reading};
use crate::coverage::{BranchId, Span, TimeSpan};
use crate::graph::{Before, Graph};
use crate::moments::timestamp;
use crate::ways::Ways;

/// What one set adds to what can be restored.
#[derive(Debug, Clone, Copy)]
struct Addition {
    from: Lsn,
    to: Lsn,
    /// The moments in it, both ends included. Where the last is before the first: none yet, but what follows goes on from the first.
    times: Option<(i64, i64)>,
    /// Its state is that of some moment between these, where it has none of its own.
    within: Option<(i64, i64)>,
}

/// What all usable sets together reach, by branch and LSN; and for each set whether a plan gets to its end.
pub(crate) fn reached(graph: &Graph<'_>, readings: &[Reading], usable: &[bool]) -> (Vec<Span>, Ways) {
    let ways = graph.walk(usable, |_| true);
    let reaches = clocks::reaches(graph.sets, graph.branches, readings, usable);
    let walk = Walk {
        graph,
        readings,
        reaches: &reaches,
        usable,
        ways: &ways,
    };
    let grounds = walk.grounds();
    let low = walk.low(&grounds);
    let mut reached: BTreeMap<BranchId, Reached> = BTreeMap::new();
    for index in (0..graph.sets.len()).filter(|index| ways[*index].is_some()) {
        let set = &graph.sets[index];
        let branch = graph.branches.at_end(index);
        let at_end = |times| Addition {
            from: set.last,
            to: set.last,
            times,
            within: None,
        };
        if !set.is_log() {
            let reading = &readings[index];
            let serves = Some((reading.bound, reaches[index])).filter(|(from, to)| from <= to);
            reached
                .entry(graph.owner(index, set.last))
                .or_default()
                .points
                .push(Addition {
                    within: Some((reading.earliest, reading.bound)),
                    ..at_end(serves)
                });
        } else if set.is_bulk_logged {
            reached.entry(branch).or_default().untimed.push(at_end(None));
        } else {
            let times = walk.times_in(index, &low, &grounds);
            let within = times
                .filter(|(from, to)| to < from)
                .map(|_| walk.written_within(index));
            for (owner, from, to) in graph.branches.owners(branch, walk.entry(index), set.last) {
                let addition = Addition {
                    from,
                    to,
                    times,
                    within,
                };
                let reached = reached.entry(owner).or_default();
                if owner == branch {
                    reached.logs.push(addition);
                } else {
                    // What a fork's log tells of its parent's time is the parent's to tell.
                    reached.untimed.push(Addition {
                        times: None,
                        within: None,
                        ..addition
                    });
                }
            }
        }
    }
    let spans = graph.branches.all.iter().flat_map(|branch| {
        let reached = reached.remove(&branch.id).unwrap_or_default();
        reached.put_together(branch.id)
    });
    (spans.collect(), ways)
}

struct Walk<'a> {
    graph: &'a Graph<'a>,
    readings: &'a [Reading],
    reaches: &'a [i64],
    usable: &'a [bool],
    ways: &'a Ways,
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
        let mut cuts = self.graph.cut_before(log, self.usable);
        cuts.any(|other| self.ways.to_cut(other, at).is_some())
    }

    /// For each set the earliest finish of a data backup that a plan to its end stands on: no plan of it stops before that.
    fn grounds(&self) -> Vec<i64> {
        let mut grounds = vec![i64::MAX; self.graph.sets.len()];
        for index in 0..grounds.len() {
            if self.ways[index].is_none() {
                continue;
            }
            grounds[index] = match self.graph.sets[index].is_log() {
                true => {
                    let before = self.before(index);
                    let before = before.map(|before| self.ground_of(before, index, &grounds));
                    before.min().unwrap_or(i64::MAX)
                }
                false => self.readings[index].bound,
            };
        }
        grounds
    }

    /// The same of what leads into a log: a set, whole, or the logs that are cut where it begins.
    fn ground_of(&self, before: Option<usize>, log: usize, grounds: &[i64]) -> i64 {
        if let Some(before) = before {
            return grounds[before];
        }
        let at = self.graph.sets[log].first;
        let data_of = |other: usize| {
            let path = self.graph.path(log, Before::Cut(other as u32), self.ways);
            let data = path.iter().map(|(index, _)| *index);
            let mut data = data.filter(|index| !self.graph.sets[*index].is_log());
            data.next_back().map(|data| self.readings[data].bound)
        };
        let cuts = self.graph.cut_before(log, self.usable);
        let cuts = cuts.filter(|other| self.ways.to_cut(*other, at).is_some());
        cuts.filter_map(data_of).min().unwrap_or(i64::MAX)
    }

    /// For each set the earliest moment that a plan which restores it whole can be stopped at.
    fn low(&self, grounds: &[i64]) -> Vec<i64> {
        let mut low = vec![i64::MAX; self.graph.sets.len()];
        for index in 0..low.len() {
            if self.ways[index].is_none() {
                continue;
            }
            let own = self.readings[index].bound;
            low[index] = if self.graph.sets[index].is_log() {
                let before = self.before(index).map(|before| match before {
                    Some(before) if self.is_beside(before, index) => low[before],
                    // What lies in another branch or era is compared with nothing here but the data below it.
                    before => self.ground_of(before, index, grounds),
                });
                own.max(before.min().unwrap_or(i64::MIN))
            } else {
                own
            };
        }
        low
    }

    /// The sets that lead into a log; none for a log that is stopped at its beginning.
    fn before(&self, log: usize) -> impl Iterator<Item = Option<usize>> + '_ {
        let befores = self
            .graph
            .before_log(log)
            .filter(|before| self.ways[*before].is_some());
        let cut = self.is_entered_by_cut(log).then_some(None);
        befores.map(Some).chain(cut)
    }

    /// Whether both lie on one branch and in one era.
    fn is_beside(&self, before: usize, log: usize) -> bool {
        self.graph
            .is_beside(before, log, &self.readings[before], &self.readings[log])
    }

    /// The moments that a log serves as the last of a plan.
    fn times_in(&self, log: usize, low: &[i64], grounds: &[i64]) -> Option<(i64, i64)> {
        let reading = &self.readings[log];
        if reading.is_step {
            return None;
        }
        let from = self.before(log).map(|before| match before {
            Some(before) if self.is_beside(before, log) => low[before],
            Some(whole) => {
                let bound = self.readings[whole].bound;
                reading.start.max(bound).max(self.ground_of(before, log, grounds))
            }
            None => reading.start.max(self.ground_of(before, log, grounds)),
        });
        let from = from.min()?;
        let reach = self.reaches[log];
        if from <= reach {
            return Some((from, reach));
        }
        // All of the log lies before the data backup below it was surely over. Where that stands for the moment by itself, this very
        // moment is served; else none is, and the next log goes on from there.
        let mut data = self
            .data_below(log)
            .filter(|data| self.readings[*data].bound == from);
        let Some(first) = data.next() else {
            // The logs below it lie before that moment, too.
            return Some((from, from.saturating_sub(1)));
        };
        let stands = std::iter::once(first)
            .chain(data)
            .any(|data| self.reaches[data] >= from);
        Some((from, if stands { from } else { from.saturating_sub(1) }))
    }

    /// The data backups that lead into a log.
    fn data_below(&self, log: usize) -> impl Iterator<Item = usize> + '_ {
        let befores = self.graph.before_log(log);
        befores.filter(|before| self.ways[*before].is_some() && !self.graph.sets[*before].is_log())
    }

    /// Between which moments a log and the data backups that lead into it were written.
    fn written_within(&self, log: usize) -> (i64, i64) {
        let reading = &self.readings[log];
        let begun = self
            .data_below(log)
            .map(|data| self.readings[data].earliest)
            .min();
        let begun = begun.map_or(reading.earliest, |begun| begun.min(reading.earliest));
        (begun, reading.finish.saturating_add(1))
    }
}

/// What is reached on one branch.
#[derive(Debug, Default)]
struct Reached {
    /// By logs of the branch.
    logs: Vec<Addition>,
    /// The ends of data backups.
    points: Vec<Addition>,
    /// What has no moments of its own: ends of bulk-logged logs, and what logs of other branches hold of this one.
    untimed: Vec<Addition>,
}

impl Reached {
    /// Joins what touches in LSN and in time. Where time does not go on, a new span begins.
    fn put_together(mut self, branch: BranchId) -> Vec<Span> {
        self.logs.sort_by_key(|addition| (addition.to, addition.from));
        let mut spans: Vec<Addition> = Vec::new();
        for next in self.logs {
            join(&mut spans, next);
        }
        let mut alone: Vec<Addition> = Vec::new();
        for point in self.points {
            // Without moments of its own it adds nothing where its LSN is reached already.
            let is_told = |span: &Addition| {
                let around = span.from <= point.from && point.from <= span.to;
                let tells = |point: (i64, i64)| {
                    let of_span = span.times;
                    of_span.is_some_and(|span| span.0 <= point.0 && point.1 <= span.1)
                };
                around && point.times.is_none_or(tells)
            };
            if !spans.iter().chain(&alone).any(is_told) {
                alone.push(point);
            }
        }
        spans.extend(alone);
        spans.sort_by_key(|span| (span.from, span.to));
        self.untimed.sort_by_key(|addition| (addition.to, addition.from));
        for next in self.untimed {
            let rest = uncovered(&spans, next);
            spans.extend(rest);
            spans.sort_by_key(|span| (span.from, span.to));
        }
        spans.into_iter().map(|span| span.on(branch)).collect()
    }
}

impl Addition {
    fn on(self, branch: BranchId) -> Span {
        let span = |(from, to)| TimeSpan {
            from: timestamp(from),
            to: timestamp(to),
        };
        let times = self.times.filter(|(from, to)| from <= to);
        Span {
            branch,
            from: self.from,
            to: self.to,
            times: times.map(span),
            within: self.within.filter(|_| times.is_none()).map(span),
        }
    }

    fn touches_in_time(&self, other: &Self) -> bool {
        // Where there are no moments yet, the first that there may be counts.
        let last = |times: (i64, i64)| times.0.max(times.1);
        match (self.times, other.times) {
            (Some(a), Some(b)) => b.0 <= last(a) && a.0 <= last(b),
            (None, None) => true,
            _ => false,
        }
    }
}

/// Adds what a log reaches to spans in the order of LSN, of which none begins behind it.
fn join(spans: &mut Vec<Addition>, next: Addition) {
    let mut next = next;
    // What touches in both is taken up.
    while let Some(last) = spans
        .last()
        .copied()
        .filter(|last| next.from <= last.to && next.touches_in_time(last))
    {
        spans.pop();
        next = Addition {
            from: next.from.min(last.from),
            to: next.to.max(last.to),
            times: next
                .times
                .zip(last.times)
                .map(|(a, b)| (a.0.min(b.0), a.1.max(b.1))),
            within: next
                .within
                .zip(last.within)
                .map(|(a, b)| (a.0.min(b.0), a.1.max(b.1))),
        };
    }
    // The spans are disjoint, so they are in the order of their ends too.
    let from = spans.partition_point(|span| span.to < next.from);
    let pieces = uncovered(&spans[from..], next);
    let is_in_order =
        matches!(pieces.as_slice(), [piece] if spans.last().is_none_or(|last| last.to <= piece.from));
    spans.extend(pieces);
    if !is_in_order {
        spans.sort_by_key(|span| (span.from, span.to));
    }
}

/// The pieces of `next` that lie in none of the spans, which are in the order of where they begin.
fn uncovered(spans: &[Addition], next: Addition) -> Vec<Addition> {
    let mut pieces = Vec::new();
    let mut at = next.from;
    let mut is_touched = false;
    let overlapping = spans
        .iter()
        .filter(|span| span.from <= next.to && next.from <= span.to);
    for span in overlapping {
        if span.from > at {
            pieces.push(Addition {
                from: at,
                to: span.from,
                ..next
            });
        }
        is_touched = true;
        at = at.max(span.to);
    }
    if at < next.to || !is_touched {
        pieces.push(Addition { from: at, ..next });
    }
    pieces
}
