//! Histories of backups written as text, and questions to them whose answers are text, so that a test reads like a page of a book.
//!
//! One line is one set:
//!
//! ```text
//! F a 100..110 @10:00-10:05            a full backup named a, LSN 100 to 110, begun at 10:00, finished at 10:05
//! D b 120..125 @11:00 base=a           a differential of a
//! L c 100..120 @10:15 bulk             a log with bulk-logged changes
//! ```
//!
//! and after the times, in any order: `copy` (copy-only), `simple` or `bulk_logged` (the recovery model), `cp=105` (checkpoint),
//! `base=a` or `base=?105` (a base whose GUID the header lacks) or `base=!x@105` (a base that is not here), `fork=B from A at 150`
//! (later just `fork=B`; with `silent` behind it, the header does not say where the fork came from), `stripes 2 missing 2`,
//! `grade=disputed`, `bytes=500`, `restorable=10:14`, `began=100` (where the header says that the log chain began), `copy_of=a`
//! (another copy of one backup), `cut` (its times are cut to whole seconds, as a header's are), `log=x` (what its log blocks hold),
//! `offset=+60` or `offset=?`.
//!
//! An LSN is a block number of virtual log file 1, or all three parts as `21:153:37`. A time is `10:15`, `10:15:30`, `3/10:15` (on
//! the third of the month), or written out. Lines of other kinds: `day 2026-10-25` (the day that times are on, 2026-03-02 if not
//! said), `clock +120` or `clock ?` (how far servers' clocks are ahead of UTC, 0 if not said), `zone` with POSIX rules of the server's
//! time zone, `mark pay 125 @10:20` (a mark in the log). What follows `#` is for the reader.
//!
//! A plan is told as the names of its sets; the last may say where it stops: `c@10:20` at a moment, `c=125` at an LSN, `c<125` before
//! one, `c~pay` at a mark. `b!` is a disputed set. A refusal is told as `no: reason; before A 130 @10:30; after none`.

// Each test program uses a part of it.
#![allow(dead_code)]

mod read;
mod tell;
mod walk;

use std::collections::BTreeMap;

use bak::Lsn;
use chain::{BranchId, Coverage, Database, Mark, Moment, Plans, Refusal, Set, SetId, Target, Terms};
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use uuid::Uuid;

/// A history and the names in it.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) sets: Vec<Set>,
    marks: Vec<Mark>,
    names: BTreeMap<String, SetId>,
    forks: BTreeMap<Uuid, String>,
    zone: Option<TimeZone>,
    day: Date,
    /// How far the clock that answers are told on is ahead of UTC, in minutes.
    shown: i64,
    terms: Terms,
}

impl History {
    /// A history of sets that do not come from text.
    pub(crate) fn of(named: Vec<(String, Set)>, day: Date) -> Self {
        let mut history = read::empty(day);
        for (name, set) in named {
            history.names.insert(name, set.id);
            history.sets.push(set);
        }
        history
    }

    /// Calls a fork by this name.
    pub(crate) fn calling(mut self, fork: Uuid, name: &str) -> Self {
        self.forks.insert(fork, name.into());
        self
    }

    /// Tells moments on a clock so far ahead of UTC.
    pub(crate) fn shown(mut self, minutes: i64) -> Self {
        self.shown = minutes;
        self
    }

    /// The same history without these sets.
    pub(crate) fn without(&self, names: &str) -> Self {
        let gone = self.ids(names);
        let mut rest = self.clone();
        rest.sets.retain(|set| !gone.contains(&set.id));
        rest
    }

    /// The same question on terms that take these disputed sets.
    pub(crate) fn accepting(&self, names: &str) -> Self {
        let mut history = self.clone();
        history.terms.accept_damaged = self.ids(names);
        history
    }

    /// The same question about one branch, named as answers name it.
    pub(crate) fn on(&self, branch: &str) -> Self {
        let coverage = self.coverage();
        let found = coverage
            .branches
            .iter()
            .find(|candidate| self.branch_name(&coverage, candidate.id) == branch);
        let mut history = self.clone();
        history.terms.branch = Some(found.expect("a branch of that name").id);
        history
    }

    /// The same question about a branch of this number.
    pub(crate) fn on_number(&self, number: u32) -> Self {
        let mut history = self.clone();
        history.terms.branch = Some(BranchId(number));
        history
    }

    pub(crate) fn database(&self) -> Database {
        let database = Database::new(self.sets.clone()).with_marks(self.marks.clone());
        match &self.zone {
            Some(zone) => database.in_zone(zone.clone()),
            None => database,
        }
    }

    pub(crate) fn coverage(&self) -> Coverage {
        self.database().coverage()
    }

    /// The plans for a target, each of them checked step by step.
    pub(crate) fn plans(&self, target: &Target) -> Result<Plans, Box<Refusal>> {
        let plans = self.database().plan(target, &self.terms)?;
        self.walk(&plans.best);
        for plan in plans.alternatives.iter().chain(&plans.other_branches) {
            self.walk(plan);
        }
        Ok(plans)
    }

    fn ask(&self, target: &Target) -> String {
        match self.plans(target) {
            Ok(plans) => self.told(&plans.best),
            Err(refusal) => self.told_refusal(&refusal),
        }
    }

    /// The plan that gets furthest.
    pub(crate) fn latest(&self) -> String {
        self.ask(&Target::Latest)
    }

    /// The plan for a moment on the server's clock.
    pub(crate) fn at(&self, time: &str) -> String {
        self.ask(&self.local(time))
    }

    /// The plan for a moment of UTC.
    pub(crate) fn utc(&self, time: &str) -> String {
        self.ask(&self.universal(time))
    }

    /// The plan that ends with this record.
    pub(crate) fn lsn(&self, lsn: &str) -> String {
        self.ask(&Target::Lsn(read::lsn(lsn)))
    }

    /// The plan that ends before this record.
    pub(crate) fn before_lsn(&self, lsn: &str) -> String {
        self.ask(&Target::BeforeLsn(read::lsn(lsn)))
    }

    /// The plan that ends with the end of this set.
    pub(crate) fn whole(&self, name: &str) -> String {
        self.ask(&Target::Set(self.id(name)))
    }

    /// The plan that ends with a mark.
    pub(crate) fn mark(&self, name: &str) -> String {
        let (name, after) = (name.into(), None);
        self.ask(&Target::Mark { name, after })
    }

    /// The plan that ends with the first mark of this name at or after a moment.
    pub(crate) fn mark_after(&self, name: &str, time: &str) -> String {
        let (name, after) = (name.into(), Some(Moment::Local(self.time(time))));
        self.ask(&Target::Mark { name, after })
    }

    /// Plans as good as the best.
    pub(crate) fn alternatives(&self, target: &Target) -> String {
        let plans = self.plans(target).expect("a plan");
        self.told_all(&plans.alternatives)
    }

    /// Plans of the same target on other branches.
    pub(crate) fn on_other_branches(&self, target: &Target) -> String {
        let plans = self.plans(target).expect("a plan");
        self.told_all(&plans.other_branches)
    }

    /// The branch that the best plan ends on.
    pub(crate) fn branch_of(&self, target: &Target) -> String {
        let plans = self.plans(target).expect("a plan");
        self.branch_name(&self.coverage(), plans.best.branch)
    }

    /// What can be restored, `A: 110..130 @10:01-10:30; ...`.
    pub(crate) fn spans(&self) -> String {
        self.told_spans(&self.coverage())
    }

    /// What cannot, `A: 120..130 missing log; ...`.
    pub(crate) fn holes(&self) -> String {
        self.told_holes(&self.coverage())
    }

    /// The branches, `A; B from A at 150; A/2 from A at 120`.
    pub(crate) fn branches(&self) -> String {
        self.told_branches(&self.coverage())
    }

    /// What could not be restored any more if these sets were deleted, as [`History::spans`] tells it.
    pub(crate) fn losing(&self, names: &str) -> String {
        self.told_spans(&self.database().loss(&self.ids(names)))
    }

    pub(crate) fn local(&self, time: &str) -> Target {
        Target::Moment(Moment::Local(self.time(time)))
    }

    pub(crate) fn universal(&self, time: &str) -> Target {
        let moment = Offset::UTC
            .to_timestamp(self.time(time))
            .expect("a time in range");
        Target::Moment(Moment::Universal(moment))
    }

    pub(crate) fn id(&self, name: &str) -> SetId {
        *self
            .names
            .get(name)
            .unwrap_or_else(|| panic!("no set is named {name}"))
    }

    fn ids(&self, names: &str) -> Vec<SetId> {
        names.split_whitespace().map(|name| self.id(name)).collect()
    }

    fn time(&self, text: &str) -> DateTime {
        read::time(text, self.day)
    }
}

/// The history that `text` tells.
pub(crate) fn history(text: &str) -> History {
    read::history(text)
}

/// An LSN as the notation writes it.
pub(crate) fn lsn(text: &str) -> Lsn {
    read::lsn(text)
}
