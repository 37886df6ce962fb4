//! The truth of one database: every log record that was ever written, on the line of history that holds it, and the backups that were
//! taken.
//!
//! A line only ever grows. A restore, and a host that is put back to a snapshot, begin a new line that shares its first records with
//! the old one: what a backup holds is a prefix (or a stretch) of one line, so that truth is compared record by record. Records carry
//! numbers that occur once in a world, on whatever line: two histories that reuse an LSN differ in content.

use bak::Lsn;
use chain::{Grain, Set, SetId};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use uuid::Uuid;

/// One log record.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) lsn: Lsn,
    /// Its number in the world.
    pub(crate) content: u32,
    /// When it was committed; records that commit nothing have no time.
    pub(crate) at: Option<Committed>,
    /// Logged as changed extents only.
    pub(crate) is_bulk: bool,
}

/// The clock of the server at a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Milliseconds of UTC, as the server had it.
    pub(crate) utc: i64,
    /// Milliseconds of its local time, as if that were UTC.
    pub(crate) local: i64,
}

/// Where a line came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parted {
    pub(crate) parent: usize,
    /// A host put back to a snapshot: the fork id stays.
    pub(crate) is_hidden: bool,
    /// Where the log that was not yet backed up began at the parting: no backup of the parent that ends here or before is in doubt.
    pub(crate) certain: Lsn,
}

/// A line of history.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) records: Vec<Record>,
    pub(crate) fork: Uuid,
    pub(crate) parted: Option<Parted>,
    /// Where its server's clock went back.
    pub(crate) set_back: Vec<SetBack>,
}

/// A clock that went back: some moments come twice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetBack {
    /// The first record behind it.
    pub(crate) at: usize,
    /// Milliseconds of UTC that the clock showed before and after.
    pub(crate) before: i64,
    pub(crate) after: i64,
}

impl Line {
    /// How many of its records lie before a position.
    pub(crate) fn count_before(&self, position: Lsn) -> usize {
        self.records.partition_point(|record| record.lsn < position)
    }
}

/// A backup that was taken, and what it truly holds.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// What the planner is told.
    pub(crate) set: Set,
    /// Copies have the number of the first.
    pub(crate) backup: u32,
    /// The line it was taken of.
    pub(crate) line: usize,
    /// For a log, the records of the line from here...
    pub(crate) from: usize,
    /// ...to here; for data, all before this.
    pub(crate) to: usize,
    /// For a differential, the backup it is relative to.
    pub(crate) base: Option<u32>,
    /// Milliseconds of UTC on the server's clock, as they are told.
    pub(crate) start: i64,
    pub(crate) finish: i64,
    pub(crate) last_restorable: Option<i64>,
}

impl Made {
    /// It had surely begun by then.
    pub(crate) fn begun(&self) -> i64 {
        self.start + self.set.clock.grain.milliseconds()
    }

    /// The last moment of which a log tells all: that before its start where this is cut, since it may have begun at its very first
    /// millisecond, before what was committed at the same one.
    pub(crate) fn reach(&self) -> i64 {
        self.last_restorable.unwrap_or(self.start - self.unsure())
    }

    /// By how much a log's reach lies before its start.
    pub(crate) fn unsure(&self) -> i64 {
        i64::from(self.last_restorable.is_none() && self.set.clock.grain == Grain::Second)
    }

    /// It was surely over by then.
    pub(crate) fn over(&self) -> i64 {
        self.finish + self.set.clock.grain.milliseconds()
    }

    /// The last millisecond that it may have been written in.
    pub(crate) fn last(&self) -> i64 {
        self.finish.max(self.over() - 1)
    }
}

/// A history.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) lines: Vec<Line>,
    pub(crate) made: Vec<Made>,
    /// What the planner is told of the server's zone.
    pub(crate) zone: Option<TimeZone>,
    /// Each offset is known and none changes, so that local and universal time say the same.
    pub(crate) has_plain_time: bool,
    pub(crate) features: Features,
    /// What happened, for people.
    pub(crate) story: Vec<String>,
}

impl World {
    pub(crate) fn sets(&self) -> Vec<Set> {
        self.made.iter().map(|made| made.set.clone()).collect()
    }

    pub(crate) fn index_of(&self, id: SetId) -> Option<usize> {
        self.made.iter().position(|made| made.set.id == id)
    }

    /// From the first line to `line`.
    pub(crate) fn ancestry(&self, line: usize) -> Vec<usize> {
        let mut all = vec![line];
        while let Some(parted) = self.lines[all[all.len() - 1]].parted {
            all.push(parted.parent);
        }
        all
    }
}

/// What a history contains, for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    Full,
    CopyOnly,
    CopyOnlyLog,
    Differential,
    LogDuringData,
    EmptyLog,
    Simple,
    BulkLogged,
    Fork,
    ForkOfFork,
    BothAlive,
    HiddenFork,
    HiddenForkSeen,
    ClockForward,
    ClockBack,
    SummerTime,
    NoOffset,
    SameSecond,
    Gap,
    StripeLost,
    Copy,
    Disputed,
    NoOutcome,
    MixedGrades,
    NoGuid,
    LastRestorable,
    NoFingerprint,
    Cut,
}

/// A set of features.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Features(u32);

impl Features {
    pub(crate) const ALL: [Feature; 28] = [
        Feature::Full,
        Feature::CopyOnly,
        Feature::CopyOnlyLog,
        Feature::Differential,
        Feature::LogDuringData,
        Feature::EmptyLog,
        Feature::Simple,
        Feature::BulkLogged,
        Feature::Fork,
        Feature::ForkOfFork,
        Feature::BothAlive,
        Feature::HiddenFork,
        Feature::HiddenForkSeen,
        Feature::ClockForward,
        Feature::ClockBack,
        Feature::SummerTime,
        Feature::NoOffset,
        Feature::SameSecond,
        Feature::Gap,
        Feature::StripeLost,
        Feature::Copy,
        Feature::Disputed,
        Feature::NoOutcome,
        Feature::MixedGrades,
        Feature::NoGuid,
        Feature::LastRestorable,
        Feature::NoFingerprint,
        Feature::Cut,
    ];

    pub(crate) fn add(&mut self, feature: Feature) {
        self.0 |= 1 << feature as u32;
    }

    pub(crate) fn has(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u32) != 0
    }
}

/// A point in time from milliseconds.
pub(crate) fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).expect("histories play in 2025 and 2026")
}

/// What a clock that is `milliseconds` as if they were UTC shows.
pub(crate) fn civil(milliseconds: i64) -> DateTime {
    Offset::UTC.to_datetime(timestamp(milliseconds))
}

/// The reverse of [`civil`].
pub(crate) fn from_civil(local: DateTime) -> i64 {
    Offset::UTC
        .to_timestamp(local)
        .expect("histories play in 2025 and 2026")
        .as_millisecond()
}
