//! Plans that end at a moment.
//!
//! A log serves a moment as the last step where it is stopped by STOPAT and everything before it is surely older. A lone data backup
//! serves one, where no log does, only if it is known that nothing happened between its finish and the moment: its header tells but
//! a bracket of what it holds. The moment is looked for in each branch and era of its own.

use std::collections::BTreeSet;

use bak::Lsn;
use jiff::Timestamp;

use super::{Final, Found, Planner, point, refusal, whole_step};
use crate::clocks::Era;
use crate::coverage::{BranchId, Coverage, Hole, TimeSpan};
use crate::database::each;
use crate::graph::Way;
use crate::plan::{Plans, Reason, Refusal, Restorable, Stop};
use crate::set::SetId;
use crate::target::Moment;
use crate::time::{NoLiteral, Timeline, certain_neighbours, literal};
use crate::ways::Ways;

/// What was found for one branch and one reading of the moment.
struct Served {
    at: Timestamp,
    era: Option<Era>,
    found: Found,
}

impl Planner<'_> {
    pub(super) fn at_moment(&self, moment: Moment) -> Result<Plans, Box<Refusal>> {
        let mut served: Vec<Served> = Vec::new();
        let mut undecided: Vec<SetId> = Vec::new();
        let mut read: BTreeSet<Timestamp> = BTreeSet::new();
        let mut is_skipped = false;
        let mut is_unknown = false;
        for branch in &self.graph.branches.all {
            if let Some(wanted) = self.terms.branch
                && !self.graph.branches.is_within(wanted, branch.id)
            {
                continue;
            }
            let timeline = self.database.timeline(branch.fork);
            let Ok(readings) = timeline.readings(moment) else {
                is_unknown = true;
                continue;
            };
            let readings = each(readings);
            is_skipped |= readings.is_empty();
            read.extend(readings.iter().copied());
            for at in readings {
                self.serve(branch.id, at, &timeline, &mut served, &mut undecided);
            }
        }
        let readings: BTreeSet<Timestamp> = served.iter().map(|served| served.at).collect();
        let eras = |branch: BranchId| {
            let eras = served
                .iter()
                .filter_map(|served| served.era)
                .filter(move |era| era.branch == branch);
            eras.collect::<BTreeSet<Era>>().len()
        };
        let is_twice = readings.len() > 1 || self.graph.branches.all.iter().any(|branch| eras(branch.id) > 1);
        let reason = if is_twice || (!readings.is_empty() && !undecided.is_empty() && read.len() > 1) {
            Reason::Ambiguous(read.iter().copied().collect())
        } else {
            let found: Vec<Found> = served.into_iter().map(|served| served.found).collect();
            if let Some(plans) = self.choose(&found) {
                return Ok(plans);
            }
            match undecided.first() {
                Some(log) => Reason::AmbiguousInLog(*log),
                None if read.is_empty() && is_skipped => Reason::Skipped,
                None if read.is_empty() && is_unknown => Reason::OffsetUnknown,
                None => Reason::Nothing,
            }
        };
        Err(self.refuse_at_moment(moment, reason, &read))
    }

    /// Looks for `at` on one branch.
    fn serve(
        &self,
        branch: BranchId,
        at: Timestamp,
        timeline: &Timeline,
        served: &mut Vec<Served>,
        undecided: &mut Vec<SetId>,
    ) {
        let until = self
            .terms
            .branch
            .and_then(|wanted| self.graph.branches.shared_with(wanted, branch).flatten());
        let moment = at.as_millisecond();
        let before = served.len();
        for era in self.eras_that_reach(branch, moment) {
            let ways = self
                .graph
                .walk(&self.usable, |index| self.is_older(index, era, moment));
            let mut finals = Vec::new();
            let logs = (0..self.graph.sets.len()).filter(|index| self.can_stop(*index, moment));
            for log in logs.filter(|log| self.database.reading(*log).era == era) {
                if until.is_none_or(|until| self.graph.sets[log].last <= until) {
                    self.stop_in(log, at, timeline, &ways, &mut finals, undecided);
                }
            }
            if !finals.is_empty() {
                served.push(Served {
                    at,
                    era: Some(era),
                    found: Found { finals, ways },
                });
            }
        }
        if served.len() == before {
            let found = self.lone_data_backups(branch, moment, until);
            if !found.finals.is_empty() {
                served.push(Served { at, era: None, found });
            }
        }
    }

    /// Whether a set that is restored whole holds nothing later than the moment, as told by the clock of this era. Of a data backup no
    /// clock may tell so: SQL Server takes no stop before its finish (4335), whoever put a clock back since.
    fn is_older(&self, index: usize, era: Era, moment: i64) -> bool {
        let reading = self.database.reading(index);
        if !self.graph.sets[index].is_log() {
            return reading.bound <= moment;
        }
        if reading.era.branch != era.branch || reading.era.number < era.number {
            return true;
        }
        reading.era == era && reading.bound <= moment
    }

    /// Stops in `log` at the moment, where there is a literal for it.
    fn stop_in(
        &self,
        log: usize,
        at: Timestamp,
        timeline: &Timeline,
        ways: &Ways,
        finals: &mut Vec<Final>,
        undecided: &mut Vec<SetId>,
    ) {
        let set = &self.graph.sets[log];
        let into = self.graph.ways_into(log, None, &self.usable, ways);
        let into = into.into_iter().filter(|way| {
            // What comes from another branch or era, or is stopped at an LSN, says nothing of the time before the log; and it must not
            // hold anything later by this log's clock.
            match whole_step(way.before) {
                Some(before) => self.is_clear(before, log, at),
                None => at.as_millisecond() >= self.database.reading(log).start,
            }
        });
        let Some(way) = into.min_by(Way::preference) else {
            return;
        };
        let path = self.graph.path(log, way.before, ways);
        let stop = match self.literal_in(log, begun_behind(&path, path.len() - 1), at, timeline) {
            Ok(stop) => stop,
            Err(_) => match self.known_lsn(log, at) {
                Some(lsn) => Stop::AtLsn(lsn),
                None => {
                    undecided.push(set.id);
                    return;
                }
            },
        };
        let last = Final {
            last: log,
            at: Some(at),
            stop: Some(stop),
            way,
            branch: self.graph.branches.at_end(log),
            reaches: set.last,
        };
        match self.early_stops(&last, &path, timeline) {
            Some(_) => finals.push(last),
            None => undecided.push(set.id),
        }
    }

    /// Whether what comes before a log leaves no doubt about the moments in it.
    fn is_clear(&self, before: usize, log: usize, at: Timestamp) -> bool {
        let (other, reading) = (self.database.reading(before), self.database.reading(log));
        self.graph.is_beside(before, log, &other, &reading)
            || at.as_millisecond() >= reading.start.max(other.bound)
    }

    /// Whether `log`, applied behind the log `before`, holds nothing of the branch that its own left. A data backup that was finished later,
    /// by the clock, than what follows it shows that the clock was put back.
    fn begins_at_departure(&self, before: usize, log: usize) -> bool {
        let parent = self.graph.branches.all[self.graph.branches.at_end(log).0 as usize].parent;
        let set = &self.graph.sets[before];
        set.is_log() && parent.is_none_or(|(_, point)| set.last >= point)
    }

    fn literal_in(
        &self,
        log: usize,
        before: Option<usize>,
        at: Timestamp,
        timeline: &Timeline,
    ) -> Result<Stop, NoLiteral> {
        let times = |index: usize| timeline.times(self.graph.sets[index].id).copied();
        let log = times(log).ok_or(NoLiteral::OffsetUncertain)?;
        // What comes from another fork stands on that fork's timeline.
        let before = before.and_then(|before| {
            let set = &self.graph.sets[before];
            times(before).or_else(|| self.database.timeline(set.fork.id).times(set.id).copied())
        });
        literal(at, &log, before.as_ref(), self.database.zone()).map(Stop::At)
    }

    /// The LSN of a moment that somebody wrote down.
    fn known_lsn(&self, log: usize, at: Timestamp) -> Option<Lsn> {
        let set = &self.graph.sets[log];
        let mut marks = self.database.marks().iter();
        let mark = marks.find(|mark| {
            mark.at == Some(at) && mark.fork == set.fork.id && set.first <= mark.lsn && mark.lsn < set.last
        });
        mark.map(|mark| mark.lsn)
    }

    /// Logs before the last that were still being written at the moment: they may hold later records, so they stop at it too. So does
    /// every log behind the first that stops: once stopped, SQL Server goes on only with the same stop.
    ///
    /// None where such a stop cannot be written.
    pub(super) fn early_stops(
        &self,
        last: &Final,
        path: &[(usize, Option<Lsn>)],
        timeline: &Timeline,
    ) -> Option<Vec<(usize, Stop)>> {
        let Some(at) = last.at else {
            return Some(Vec::new());
        };
        let era = self.database.reading(last.last).era;
        let mut stops: Vec<(usize, Stop)> = Vec::new();
        for (place, (index, cut)) in path.iter().copied().enumerate().skip(1) {
            let (set, reading) = (&self.graph.sets[index], self.database.reading(index));
            let is_last = index == last.last;
            let is_open = reading.era == era && reading.finish >= at.as_millisecond();
            let is_whole = set.is_bulk_logged || reading.is_step;
            let must_stop = if is_last {
                matches!(last.stop, Some(Stop::At(_)))
            } else {
                !stops.is_empty() || (is_open && !is_whole)
            };
            if !set.is_log() || cut.is_some() || !must_stop {
                continue;
            }
            // A way into the log other than the one that the last stop was written for may leave it uncertain.
            let is_clear = match path[place - 1] {
                (before, None) => self.is_clear(before, index, at) || self.begins_at_departure(before, index),
                (_, Some(_)) => at.as_millisecond() >= reading.start,
            };
            let is_clear = is_clear && !is_whole;
            let stop = self.literal_in(index, begun_behind(path, place), at, timeline);
            let stop = stop.ok().filter(|_| is_clear)?;
            if is_last {
                last.stop.as_ref().filter(|written| **written == stop)?;
            } else {
                stops.push((index, stop));
            }
        }
        Some(stops)
    }

    /// The eras of a branch in which a log reaches this moment.
    fn eras_that_reach(&self, branch: BranchId, moment: i64) -> BTreeSet<Era> {
        let logs = (0..self.graph.sets.len()).filter(|index| self.can_stop(*index, moment));
        let eras = logs.map(|index| self.database.reading(index).era);
        eras.filter(|era| era.branch == branch).collect()
    }

    /// Whether a log can be stopped at this moment, where what comes before it allows that.
    fn can_stop(&self, index: usize, moment: i64) -> bool {
        let set = &self.graph.sets[index];
        let is_log = set.is_log() && !set.is_empty_log() && !set.is_bulk_logged;
        is_log && self.usable[index] && !self.database.reading(index).is_step && self.reaches[index] >= moment
    }

    /// Data backups whose state is that of the moment without any log.
    fn lone_data_backups(&self, branch: BranchId, moment: i64, until: Option<Lsn>) -> Found {
        let ways = self.sets_allowed();
        let mut finals = Vec::new();
        for (index, way) in ways.ends.iter().enumerate() {
            let reading = self.database.reading(index);
            let set = &self.graph.sets[index];
            let serves = !set.is_log()
                && self.graph.owner(index, set.last) == branch
                && (reading.bound..=self.reaches[index]).contains(&moment)
                && until.is_none_or(|until| set.last <= until);
            if let Some(way) = way.filter(|_| serves) {
                finals.push(self.whole(index, way, branch));
            }
        }
        Found { finals, ways }
    }

    fn refuse_at_moment(&self, moment: Moment, reason: Reason, read: &BTreeSet<Timestamp>) -> Box<Refusal> {
        let Some(at) = read.first().copied() else {
            return moment.refuse(reason);
        };
        let coverage = self.database.coverage();
        let wanted = |branch: BranchId, at: Lsn| self.wants(branch, at);
        let (before, after) = nearest(&coverage, wanted, at);
        let (before, after) = match reason {
            Reason::AmbiguousInLog(log) => self.certain_beside(log, read, before, after),
            _ => (before, after),
        };
        let reason = match reason {
            Reason::Nothing => why_not(&coverage, wanted, before, after),
            told => told,
        };
        Box::new(Refusal {
            before,
            after,
            moment: Some(moment),
            ..*refusal(reason)
        })
    }

    /// The nearest moments with a certain literal in the log that both readings lie in; beyond it, those given.
    fn certain_beside(
        &self,
        log: SetId,
        read: &BTreeSet<Timestamp>,
        before: Option<Restorable>,
        after: Option<Restorable>,
    ) -> (Option<Restorable>, Option<Restorable>) {
        let Some(index) = self.database.position(log) else {
            return (before, after);
        };
        let branch = self.graph.branches.at_end(index);
        let timeline = self.database.timeline(self.graph.sets[index].fork.id);
        let ways = self.sets_allowed();
        let previous = ways[index].and_then(|way| whole_step(way.before));
        let times = |index: usize| timeline.times(self.graph.sets[index].id);
        let (Some(log), Some(first), Some(last)) = (times(index), read.first(), read.last()) else {
            return (before, after);
        };
        let beside =
            |at: Timestamp| certain_neighbours(at, log, previous.and_then(times), self.database.zone());
        let at = |at: Timestamp| Restorable {
            branch,
            lsn: None,
            at: Some(at),
            within: None,
        };
        (
            beside(*first).0.map(at).or(before),
            beside(*last).1.map(at).or(after),
        )
    }
}

/// The set behind which the records begin that the log at this place of a path holds: a log that is stopped before it holds some of the
/// same.
fn begun_behind(path: &[(usize, Option<Lsn>)], place: usize) -> Option<usize> {
    let before = path[..place].iter().rev().find(|(_, cut)| cut.is_none());
    before.map(|(index, _)| *index)
}

/// Names the hole that a moment lies in: the one between the nearest restorable points.
fn why_not(
    coverage: &Coverage,
    wanted: impl Fn(BranchId, Lsn) -> bool,
    before: Option<Restorable>,
    after: Option<Restorable>,
) -> Reason {
    let Some(before) = before else {
        return if after.is_some() {
            Reason::TooEarly
        } else {
            Reason::Nothing
        };
    };
    let is_behind =
        |hole: &&Hole| wanted(hole.branch, hole.from) && before.lsn.is_none_or(|lsn| hole.from >= lsn);
    let ends = |hole: &&Hole| after.and_then(|point| point.lsn).is_none_or(|lsn| hole.to <= lsn);
    match coverage.holes.iter().find(|hole| is_behind(hole) && ends(hole)) {
        Some(hole) => Reason::Hole(hole.clone()),
        None if after.is_none() => Reason::TooLate,
        None => Reason::Nothing,
    }
}

/// The nearest restorable points on both sides. What a data backup alone holds counts as that of the latest moment it can be.
fn nearest(
    coverage: &Coverage,
    wanted: impl Fn(BranchId, Lsn) -> bool,
    at: Timestamp,
) -> (Option<Restorable>, Option<Restorable>) {
    let spans = || coverage.spans.iter().filter(|span| wanted(span.branch, span.to));
    let timed = || {
        spans().filter_map(|span| {
            let at_the_latest = span.within.map(|within| TimeSpan {
                from: within.to,
                ..within
            });
            Some((span, span.times.or(at_the_latest)?))
        })
    };
    let before = timed()
        .filter(|(span, times)| times.to < at || span.times.is_none() && times.to == at)
        .max_by_key(|(_, times)| times.to);
    let after = timed()
        .filter(|(_, times)| times.from > at)
        .min_by_key(|(_, times)| times.from);
    (
        before.map(|(span, _)| point(span, true)),
        after.map(|(span, _)| point(span, false)),
    )
}
