//! What the user asks for, in the words of one database: the target, the branch, the damaged sets that may be used.
//!
//! Whatever is named must be there: an unknown GUID is a wrong question, not an answer.

use bak::Lsn;
use chain::{BranchId, Coverage, Mark, Moment, SetId, Target, Terms};
use clap::Args;
use uuid::Uuid;

use super::clockface;
use super::library::Kin;
use crate::failure::Failure;

/// Where to get to. At most one of them.
#[derive(Debug, Clone, Args)]
#[group(id = "target", multiple = false)]
pub(super) struct Aim {
    /// Every transaction committed up to this moment; without an offset it is on the server's clock
    #[arg(long, value_name = "TIME", value_parser = clockface::moment)]
    at: Option<Moment>,

    /// Up to and including this log record, in the decimal form; the last LSN of a set means the end of that set
    #[arg(long, value_name = "LSN")]
    lsn: Option<Lsn>,

    /// Up to this log record, which is left out
    #[arg(long, value_name = "LSN")]
    before_lsn: Option<Lsn>,

    /// As far as the backups go
    #[arg(long)]
    latest: bool,

    /// The end of this backup set
    #[arg(long, value_name = "GUID")]
    set: Option<Uuid>,

    /// A named transaction (BEGIN TRANSACTION ... WITH MARK), included; backups do not say where it is, --mark-lsn does
    #[arg(long, value_name = "NAME", requires = "mark_lsn")]
    mark: Option<String>,
}

/// A branch of a database as a user names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ForkName {
    /// RecoveryForkID.
    Guid(Uuid),
    /// As the answer numbers it, from 1.
    Number(u32),
}

impl std::str::FromStr for ForkName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        Uuid::try_parse(text).map(Self::Guid).map_err(|_| {
            "expected a fork's number as bac2 chain shows it, or its recovery fork GUID".to_owned()
        })
    }
}

impl ForkName {
    /// The branches it means.
    fn branches(self, coverage: &Coverage) -> Vec<BranchId> {
        let branches = coverage.branches.iter();
        let meant = branches.filter(|branch| match self {
            Self::Guid(guid) => branch.fork == guid,
            Self::Number(number) => number == shown(branch.id),
        });
        meant.map(|branch| branch.id).collect()
    }
}

/// The number of a branch as people and JSON see it.
pub(super) fn shown(branch: BranchId) -> u32 {
    branch.0 + 1
}

impl Aim {
    /// The backup set that is the target, where it is one.
    pub(super) fn set(&self) -> Option<Uuid> {
        self.set
    }

    /// The target in `kin`; none where no target was given, or one that other databases have.
    pub(super) fn target(&self, kin: &Kin) -> Option<Target> {
        if let Some(moment) = self.at {
            return Some(Target::Moment(moment));
        }
        if let Some(lsn) = self.lsn {
            return Some(Target::Lsn(lsn));
        }
        if let Some(lsn) = self.before_lsn {
            return Some(Target::BeforeLsn(lsn));
        }
        if let Some(guid) = self.set {
            return by_guid(kin, guid).map(Target::Set);
        }
        if let Some(name) = &self.mark {
            return Some(Target::Mark {
                name: name.clone(),
                after: None,
            });
        }
        self.latest.then_some(Target::Latest)
    }

    /// The mark that was named, on every fork whose log has that record.
    pub(super) fn marks(&self, kin: &Kin, lsn: Option<Lsn>) -> Vec<Mark> {
        let Some((name, lsn)) = self.mark.as_ref().zip(lsn) else {
            return Vec::new();
        };
        let logs = kin.held.iter().map(|held| &held.set).filter(|set| set.is_log());
        let covering = logs.filter(|set| set.first <= lsn && lsn < set.last);
        let mut forks: Vec<Uuid> = covering
            .map(|set| match set.fork.origin {
                Some(origin) if lsn <= origin.point => origin.parent,
                _ => set.fork.id,
            })
            .collect();
        forks.sort_unstable();
        forks.dedup();
        let mark = |fork| Mark {
            name: name.clone(),
            lsn,
            at: None,
            fork,
        };
        forks.into_iter().map(mark).collect()
    }
}

/// The set of that GUID.
pub(super) fn by_guid(kin: &Kin, guid: Uuid) -> Option<SetId> {
    let held = kin.held.iter().find(|held| held.set.guid == Some(guid))?;
    Some(held.set.id)
}

/// On what terms a plan for `kin`, which was asked for by `name`, is made.
pub(super) fn terms(
    kin: &Kin,
    coverage: &Coverage,
    name: Option<&str>,
    fork: Option<ForkName>,
    accept_damaged: &[Uuid],
) -> Result<Terms, Failure> {
    let branch = match fork {
        None => name.and_then(|name| kin.branch_called(name)),
        Some(name) => match name.branches(coverage).as_slice() {
            // One that is not there: the planner refuses it as such.
            [] => Some(BranchId(u32::MAX)),
            [one] => Some(*one),
            several => {
                let numbers: Vec<String> = several.iter().map(|id| shown(*id).to_string()).collect();
                return Err(Failure::unusable(
                    "AmbiguousFork",
                    format!(
                        "the fork has several histories in {}: its server was put back and wrote the same LSNs again",
                        crate::paint::printable(&kin.name)
                    ),
                    format!("name one by its number: --fork {}", numbers.join(" or --fork ")),
                ));
            }
        },
    };
    Ok(Terms {
        accept_damaged: accept_damaged
            .iter()
            .filter_map(|guid| by_guid(kin, *guid))
            .collect(),
        branch,
    })
}
