//! A backup set as a planner sees it: LSNs, identities, times, and how whole it is.
//!
//! LSN bounds are as SQL Server prints them: `first` is the first record in the set, `last` the one after the last, so that the next
//! log of an unbroken run begins exactly at `last`. A data backup brings a database to `last` of its own; a log takes one that
//! stands anywhere from its `first` to its `last` on to its `last`.

use bak::{Lsn, RecoveryModel};
use jiff::civil::DateTime;
use uuid::Uuid;

use crate::grade::Grade;

/// The caller's own number for a set; unique in one [`crate::Database`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(pub u64);

/// The full backup that a differential is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DifferentialBase {
    /// BackupSetGUID of the full; decides. `None` where the header has none.
    pub guid: Option<Uuid>,
    /// CheckpointLSN of the full; decides only where there is no GUID.
    pub lsn: Lsn,
}

/// What a set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The whole database.
    Full,
    /// What changed since its base.
    Differential(DifferentialBase),
    /// Transaction log.
    Log,
}

/// Where a recovery fork came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ForkOrigin {
    /// The fork it left.
    pub parent: Uuid,
    /// ForkPointLSN: up to here, inclusive, the two are one.
    pub point: Lsn,
}

/// The recovery fork of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fork {
    /// RecoveryForkID: the fork at the end of the set.
    pub id: Uuid,
    /// FirstRecoveryForkID and ForkPointLSN, where they tell of another fork. A header repeats them in every set of the fork, whether
    /// or not the set itself reaches back across the point.
    pub origin: Option<ForkOrigin>,
}

/// How finely times are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    /// To the millisecond, and of what was read at its finish: a data backup told so holds what was committed up to then.
    Exact,
    /// Cut to whole seconds, as all dates in the header of a backup are: it happened then or less than a second later. In 43 backups
    /// by real servers, idle otherwise, the checkpoint that begins them logs a time from 0.0 to 1.0 s after the start date, all of
    /// that range alike: cut, and not rounded, or half of them would have been before it.
    ///
    /// A data backup told so stands for no moment: what it holds ends at some time between its start and the end of the second that
    /// its finish names.
    Second,
}

impl Grain {
    /// By how much the true moment may be later at the most, in milliseconds.
    #[must_use]
    pub fn milliseconds(self) -> i64 {
        match self {
            Self::Exact => 0,
            Self::Second => 1000,
        }
    }
}

/// The times of a set, on the clock of the server that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Clock {
    /// BackupStartDate.
    pub start: DateTime,
    /// BackupFinishDate.
    pub finish: DateTime,
    /// How finely these two are told.
    pub grain: Grain,
    /// Minutes that the server's clock was ahead of UTC when the backup began; `None` where it was not recorded. From -840 to 840.
    pub offset_minutes: Option<i16>,
    /// `last_valid_restore_time` of `msdb.dbo.backupset` (2022 and later), where known: the time of the last record in a log.
    pub last_restorable: Option<DateTime>,
}

/// The media families (stripes) that a set lies on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Families {
    /// How many there are, from 1.
    pub count: u16,
    /// Those of which no copy is at hand, ascending.
    pub missing: Box<[u16]>,
}

impl Families {
    /// One family, and it is there.
    #[must_use]
    pub fn single() -> Self {
        Self {
            count: 1,
            missing: Box::default(),
        }
    }
}

/// One backup set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// The caller's number.
    pub id: SetId,
    /// BackupSetGUID. Two sets of one GUID are copies of one backup.
    pub guid: Option<Uuid>,
    /// What it holds.
    pub kind: Kind,
    /// FirstLSN.
    pub first: Lsn,
    /// LastLSN: the record after the last.
    pub last: Lsn,
    /// CheckpointLSN.
    pub checkpoint: Lsn,
    /// The fork at its end.
    pub fork: Fork,
    /// Where the log chain that the database is in began, where the header says so.
    pub log_chain_began: Option<Lsn>,
    /// Its times.
    pub clock: Clock,
    /// How the database kept its log.
    pub model: RecoveryModel,
    /// HasBulkLoggedData: a log that can only be applied whole.
    pub is_bulk_logged: bool,
    /// IsCopyOnly: never the base of a differential.
    pub is_copy_only: bool,
    /// Which of its stripes are there.
    pub families: Families,
    /// Bytes to read for it.
    pub bytes: u64,
    /// How sure it is.
    pub grade: Grade,
    /// What the log in it looks like, where it was read: tells two histories apart that share LSNs and fork id.
    pub log: Option<Box<bak::LogFingerprint>>,
}

impl Set {
    /// Whether it is a log.
    #[must_use]
    pub fn is_log(&self) -> bool {
        self.kind == Kind::Log
    }

    /// A log without a record in it: it witnesses that nothing happened, and is never part of a plan.
    #[must_use]
    pub fn is_empty_log(&self) -> bool {
        self.is_log() && self.first >= self.last
    }
}
