//! Answers to text.

use bak::Lsn;
use chain::{
    BranchId, Coverage, Grade, Hole, HoleReason, Plan, Reason, Refusal, Restorable, SetId, Stop, TimeSpan,
};
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use super::History;

impl History {
    pub(super) fn told(&self, plan: &Plan) -> String {
        let steps = plan.steps.iter().map(|step| {
            let mut told = self.name(step.set);
            if step.grade == Grade::Disputed {
                told.push('!');
            }
            match &step.stop {
                None => {}
                Some(Stop::At(time)) => told.push_str(&format!("@{}", self.told_time(*time))),
                Some(Stop::AtLsn(lsn)) => told.push_str(&format!("={}", told_lsn(*lsn))),
                Some(Stop::BeforeLsn(lsn)) => told.push_str(&format!("<{}", told_lsn(*lsn))),
                Some(Stop::AtMark { name, after: None }) => told.push_str(&format!("~{name}")),
                Some(Stop::AtMark {
                    name,
                    after: Some(after),
                }) => told.push_str(&format!("~{name}>{}", self.told_time(*after))),
            }
            told
        });
        steps.collect::<Vec<_>>().join(" ")
    }

    pub(super) fn told_all(&self, plans: &[Plan]) -> String {
        join(plans.iter().map(|plan| self.told(plan)))
    }

    pub(super) fn told_refusal(&self, refusal: &Refusal) -> String {
        let coverage = self.coverage();
        let near = |point: &Option<Restorable>| match point {
            None => "none".into(),
            Some(point) => self.told_point(&coverage, point),
        };
        format!(
            "no: {}; before {}; after {}",
            self.told_reason(&coverage, &refusal.reason),
            near(&refusal.before),
            near(&refusal.after)
        )
    }

    fn told_point(&self, coverage: &Coverage, point: &Restorable) -> String {
        let mut told = self.branch_name(coverage, point.branch);
        if let Some(lsn) = point.lsn {
            told.push_str(&format!(" {}", told_lsn(lsn)));
        }
        if let Some(at) = point.at {
            told.push_str(&format!(" @{}", self.told_moment(at)));
        }
        if let Some(within) = point.within {
            told.push_str(&format!(" {}", self.told_bracket(within)));
        }
        told
    }

    fn told_reason(&self, coverage: &Coverage, reason: &Reason) -> String {
        match reason {
            Reason::Nothing => "nothing".into(),
            Reason::TooEarly => "too early".into(),
            Reason::TooLate => "too late".into(),
            Reason::Hole(hole) => format!("hole {}", self.told_hole(coverage, hole)),
            Reason::Ambiguous(moments) => {
                let moments: Vec<String> = moments.iter().map(|at| self.told_moment(*at)).collect();
                format!("shown twice, {}", moments.join(" and "))
            }
            Reason::AmbiguousInLog(set) => format!("shown twice in {}", self.name(*set)),
            Reason::Skipped => "never shown".into(),
            Reason::OffsetUnknown => "offset unknown".into(),
            Reason::UnknownMark => "unknown mark".into(),
            Reason::SetUnusable(None) => "set unusable".into(),
            Reason::SetUnusable(Some(reason)) => format!("set unusable, {}", self.told_hole_reason(reason)),
            Reason::UnknownBranch => "unknown branch".into(),
        }
    }

    pub(super) fn told_spans(&self, coverage: &Coverage) -> String {
        join(coverage.spans.iter().map(|span| {
            let times = match (span.times, span.within) {
                (None, None) => "no time".into(),
                (None, Some(within)) => self.told_bracket(within),
                (Some(TimeSpan { from, to }), _) if from == to => format!("@{}", self.told_moment(from)),
                (Some(TimeSpan { from, to }), _) => {
                    format!("@{}-{}", self.told_moment(from), self.told_moment(to))
                }
            };
            let branch = self.branch_name(coverage, span.branch);
            format!("{branch}: {}..{} {times}", told_lsn(span.from), told_lsn(span.to))
        }))
    }

    pub(super) fn told_holes(&self, coverage: &Coverage) -> String {
        join(coverage.holes.iter().map(|hole| self.told_hole(coverage, hole)))
    }

    fn told_hole(&self, coverage: &Coverage, hole: &Hole) -> String {
        let branch = self.branch_name(coverage, hole.branch);
        let reason = self.told_hole_reason(&hole.reason);
        format!(
            "{branch}: {}..{} {reason}",
            told_lsn(hole.from),
            told_lsn(hole.to)
        )
    }

    fn told_hole_reason(&self, reason: &HoleReason) -> String {
        match reason {
            HoleReason::NoFull => "no full".into(),
            HoleReason::MissingLog => "missing log".into(),
            HoleReason::BulkLogged(set) => format!("bulk-logged {}", self.name(*set)),
            HoleReason::SwitchedToSimple => "switched to simple".into(),
            HoleReason::OtherFork(fork) => format!("other fork {}", self.fork_name(*fork)),
            HoleReason::FamiliesMissing(set, missing) => {
                let missing: Vec<String> = missing.iter().map(u16::to_string).collect();
                format!("stripe {} of {} missing", missing.join(","), self.name(*set))
            }
            HoleReason::NotProved(set) => format!("{} not proved", self.name(*set)),
            HoleReason::Damaged(set) => format!("{} damaged", self.name(*set)),
            HoleReason::BaseMissing(set, _) => format!("base of {} missing", self.name(*set)),
        }
    }

    pub(super) fn told_branches(&self, coverage: &Coverage) -> String {
        join(coverage.branches.iter().map(|branch| {
            let mut told = self.branch_name(coverage, branch.id);
            if let Some((parent, point)) = branch.parent {
                let parent = self.branch_name(coverage, parent);
                told.push_str(&format!(" from {parent} at {}", told_lsn(point)));
            }
            told
        }))
    }

    /// The fork's name, with the number of the history where it is not the first.
    pub(super) fn branch_name(&self, coverage: &Coverage, id: BranchId) -> String {
        let Some(branch) = coverage.branches.iter().find(|branch| branch.id == id) else {
            return format!("branch {}", id.0);
        };
        let fork = self.fork_name(branch.fork);
        match branch.history {
            1 => fork,
            history => format!("{fork}/{history}"),
        }
    }

    fn fork_name(&self, fork: Uuid) -> String {
        self.forks.get(&fork).cloned().unwrap_or_else(|| fork.to_string())
    }

    pub(super) fn name(&self, id: SetId) -> String {
        let found = self.names.iter().find(|(_, named)| **named == id);
        found.map_or_else(|| format!("set {}", id.0), |(name, _)| name.clone())
    }

    fn told_bracket(&self, within: TimeSpan) -> String {
        let (from, to) = (self.told_moment(within.from), self.told_moment(within.to));
        format!("within {from}-{to}")
    }

    fn told_moment(&self, at: Timestamp) -> String {
        self.told_time(Offset::UTC.to_datetime(at) + self.shown.minutes())
    }

    fn told_time(&self, time: DateTime) -> String {
        let (day, clock) = (time.date(), time.time());
        let mut told = match clock.second() {
            0 if clock.subsec_nanosecond() == 0 => format!("{:02}:{:02}", clock.hour(), clock.minute()),
            _ => clock.to_string(),
        };
        if day == self.day {
            return told;
        }
        if (day.year(), day.month()) == (self.day.year(), self.day.month()) {
            told.insert_str(0, &format!("{}/", day.day()));
            return told;
        }
        time.to_string()
    }
}

fn told_lsn(lsn: Lsn) -> String {
    match lsn {
        Lsn {
            vlf: 1,
            block,
            slot: 1,
        } => block.to_string(),
        Lsn { vlf, block, slot } => format!("{vlf}:{block}:{slot}"),
    }
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("; ")
}
