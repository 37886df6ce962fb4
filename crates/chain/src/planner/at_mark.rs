//! Plans that end at a named mark.

use super::{Planner, refusal};
use crate::coverage::BranchId;
use crate::database::Mark;
use crate::plan::{Plans, Reason, Refusal, Stop};
use crate::target::Moment;

impl Planner<'_> {
    /// Up to the first mark of this name, at or after `after` where that is given.
    pub(super) fn at_mark(&self, name: &str, after: Option<Moment>) -> Result<Plans, Box<Refusal>> {
        let mut marks: Vec<&Mark> = self
            .database
            .marks()
            .iter()
            .filter(|mark| mark.name == name)
            .collect();
        marks.sort_by_key(|mark| mark.lsn);
        let is_late_enough = |mark: &Mark| match after {
            None => true,
            Some(moment) => self
                .database
                .readings_of(mark.fork, moment)
                .is_some_and(|readings| {
                    mark.at
                        .is_some_and(|at| readings.iter().all(|reading| at >= *reading))
                }),
        };
        let wanted = |mark: &Mark| match self.terms.branch {
            None => true,
            Some(branch) => self
                .owners(mark)
                .contains(&self.graph.branches.canonical(branch, mark.lsn)),
        };
        let Some(chosen) = marks.iter().find(|mark| is_late_enough(mark) && wanted(mark)) else {
            return Err(refusal(Reason::UnknownMark));
        };
        // A name that was used before would stop the restore at its first use, on whatever fork: a log that crosses the point where two
        // part holds marks of both.
        let is_only = marks.len() == 1;
        let stop = if is_only {
            Stop::AtMark {
                name: name.to_owned(),
                after: None,
            }
        } else {
            Stop::AtLsn(chosen.lsn)
        };
        self.inside_log(chosen.lsn, &stop, &self.owners(chosen))
    }

    /// The branches that hold the mark: those of its fork, or, up to where they left it, what they left. Another fork has other
    /// records at its LSN.
    fn owners(&self, mark: &Mark) -> Vec<BranchId> {
        let of_fork = self
            .graph
            .branches
            .all
            .iter()
            .filter(|branch| branch.fork == mark.fork);
        of_fork
            .map(|branch| self.graph.branches.canonical(branch.id, mark.lsn))
            .collect()
    }
}
