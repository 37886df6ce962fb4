//! A policy: which backups run when, how they are written, how long their recovery points are kept, and what is watched.
//!
//! One document, JSON or TOML (`format.rs`); every field but the version and the full has a default, and `docs/policies.md` lists
//! them all. What a type alone cannot tell, ranges and fields that exclude each other, is told by [`crate::validate()`].
//!
//! Deliberately absent: a switch for checksums (every backup has them), a second copy on the server's own disk (the data path has
//! no agent that could split the stream), and what belongs to a server and not to a policy: instances to include, paths to
//! restore to.

mod healing;
mod retention;
mod writing;

pub use healing::{Healing, Window};
pub use retention::{DailyRule, FullRetention, MonthDays, MonthlyRule, WeeklyRule, YearlyRule};
pub use writing::{Algorithm, Compression, Level, Stripes, Writing};

use serde::{Deserialize, Serialize};

use crate::calendar::Weekday;
use crate::kind::BackupKind;
use crate::local_time::LocalTime;
use crate::period::{Days, Period};
use crate::zone::Zone;

/// The version of the document that this library reads and writes.
pub const VERSION: u32 = 1;

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// The version of the document: [`VERSION`].
    pub version: u32,
    /// Its name. A file may leave it out where the command line names the policy.
    #[serde(default)]
    pub name: String,
    /// What people should know of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The zone that all local times and days of this policy are in. Default UTC.
    #[serde(default = "Zone::utc")]
    pub time_zone: Zone,
    /// Whether it owns the database's chain of backups.
    #[serde(default)]
    pub mode: Mode,
    /// The fulls.
    pub full: FullPolicy,
    /// The differentials, where there are to be any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differential: Option<DifferentialPolicy>,
    /// The log backups, where there are to be any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogPolicy>,
    /// What users start by hand.
    #[serde(default)]
    pub on_demand: OnDemand,
    /// How backups are written.
    #[serde(default)]
    pub writing: Writing,
    /// What the vault does of itself about a broken chain.
    #[serde(default)]
    pub healing: Healing,
    /// How starts are spread and how many run at once.
    #[serde(default)]
    pub running: Running,
    /// What counts as late or stuck.
    #[serde(default)]
    pub watching: Watching,
}

/// Whether a policy owns the chain of backups of its databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// It does: fulls, differentials and logs are the vault's.
    #[default]
    Standard,
    /// Another tool does, and the vault takes copy-only fulls beside it.
    Shadow,
}

/// How often fulls run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Frequency {
    /// Every day.
    Daily,
    /// On days of the week.
    Weekly,
}

/// The fulls of a policy; copy-only ones in [`Mode::Shadow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FullPolicy {
    /// When they run.
    pub schedule: FullSchedule,
    /// How long they are kept.
    pub retention: FullRetention,
}

/// When fulls run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FullSchedule {
    /// Every day, or on `days`.
    pub frequency: Frequency,
    /// The days of a weekly schedule; a daily one has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    /// The times of each of these days.
    pub times: Vec<LocalTime>,
}

impl FullSchedule {
    /// Whether a full runs on this day of the week.
    pub fn runs_on(&self, day: Weekday) -> bool {
        self.frequency == Frequency::Daily || self.days.contains(&day)
    }
}

/// The differentials of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DifferentialPolicy {
    /// The days of the week they run on.
    pub days: Vec<Weekday>,
    /// The times of each of these days.
    pub times: Vec<LocalTime>,
    /// How long they are kept. Default 30 days, as Azure Backup's default policy keeps its points.
    #[serde(default = "differential_retention")]
    pub retention: Days,
}

/// The log backups of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogPolicy {
    /// The time between two of them, whole minutes. Default 15 minutes, the shortest that Azure Backup offers.
    #[serde(default = "log_interval")]
    pub every: Period,
    /// When the first of a day begins, counted from the local midnight; less than `every`. Default none.
    #[serde(default)]
    pub offset: Period,
    /// How long they are kept, which is how far back every second can be restored. Default 15 days.
    #[serde(default = "log_retention")]
    pub retention: Days,
}

/// How long differentials are kept where nothing else is said.
pub(crate) const fn differential_retention() -> Days {
    Days(30)
}

/// How long logs are kept where nothing else is said.
pub(crate) const fn log_retention() -> Days {
    Days(15)
}

const fn log_interval() -> Period {
    Period::minutes(15)
}

/// Backups that users start by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OnDemand {
    /// How long fulls are kept where the user does not say. Default 45 days, as Azure Backup. Differentials and logs are kept as
    /// the scheduled ones are.
    pub retention: Days,
}

impl Default for OnDemand {
    fn default() -> Self {
        Self { retention: Days(45) }
    }
}

/// How starts are spread, and how many run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Running {
    /// Starts of many databases are spread over this time behind their slot, each database at its own place. Default 5 minutes.
    pub jitter: Period,
    /// How many backups of this policy run on one instance at once. Default 20, as Azure Backup's `DefaultBackupTasksThreshold`.
    pub concurrency_per_instance: u32,
    /// After this time a backup is cancelled. Default never: a full of 6 TB takes hours, and what is stuck is shown by
    /// `watching.stuckAfter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            jitter: Period::minutes(5),
            concurrency_per_instance: 20,
            timeout: None,
        }
    }
}

/// What counts as late or stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Watching {
    /// A job in progress for longer is shown as stuck. Default 4 hours, as operators of Azure Backup are told to.
    pub stuck_after: Period,
    /// How old the newest restorable moment may be. Default: see [`crate::objective`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpo_target: Option<Period>,
}

impl Default for Watching {
    fn default() -> Self {
        Self {
            stuck_after: Period::hours(4),
            rpo_target: None,
        }
    }
}

impl Policy {
    /// A policy of a full every day at one time, kept for so many days, and nothing else; all other fields have their defaults.
    pub fn daily(name: &str, at: LocalTime, keep: Days) -> Self {
        Self {
            version: VERSION,
            name: name.to_owned(),
            description: String::new(),
            time_zone: Zone::utc(),
            mode: Mode::Standard,
            full: FullPolicy {
                schedule: FullSchedule {
                    frequency: Frequency::Daily,
                    days: Vec::new(),
                    times: vec![at],
                },
                retention: FullRetention {
                    daily: Some(DailyRule { count: keep.0 }),
                    ..FullRetention::default()
                },
            },
            differential: None,
            log: None,
            on_demand: OnDemand::default(),
            writing: Writing::default(),
            healing: Healing::default(),
            running: Running::default(),
            watching: Watching::default(),
        }
    }

    /// The types of backup that this policy schedules, in the order of [`BackupKind`].
    pub fn kinds(&self) -> Vec<BackupKind> {
        if self.mode == Mode::Shadow {
            return vec![BackupKind::CopyOnlyFull];
        }
        let differential = self.differential.as_ref().map(|_| BackupKind::Differential);
        let log = self.log.as_ref().map(|_| BackupKind::Log);
        [Some(BackupKind::Full), differential, log]
            .into_iter()
            .flatten()
            .collect()
    }
}
