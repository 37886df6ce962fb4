//! What a policy means for one database: which of its types of backup SQL Server can make of it, and why the others are skipped.
//!
//! The rule for what cannot be made is that of Azure Backup: a *scheduled* backup of such a type is skipped, with a warning
//! beside the item; one that a user starts fails. Which replica of an availability group a backup runs on is none of this.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kind::BackupKind;
use crate::policy::Policy;

/// What a database is to SQL Server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// A user's database, or msdb or model, which allow the same.
    #[default]
    User,
    /// The instance's master.
    Master,
    /// tempdb.
    Tempdb,
    /// A database snapshot.
    Snapshot,
}

/// How much of its log a database keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are SQL Server's")]
pub enum RecoveryModel {
    Simple,
    #[default]
    Full,
    BulkLogged,
}

/// `state_desc` of sys.databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are SQL Server's")]
pub enum State {
    #[default]
    Online,
    Restoring,
    Recovering,
    RecoveryPending,
    Suspect,
    Emergency,
    Offline,
}

/// What decides which backups a database takes. The default is an online, writable user database in recovery model FULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// What it is to SQL Server.
    pub role: Role,
    /// Its recovery model.
    pub recovery_model: RecoveryModel,
    /// Its state.
    pub state: State,
    /// `is_read_only`.
    pub read_only: bool,
    /// `is_in_standby`: restored WITH STANDBY, readable and waiting for more logs.
    pub standby: bool,
    /// Whether it takes part in database mirroring, in either role.
    pub mirrored: bool,
}

/// Why a type of backup cannot be made of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unsupported {
    /// master takes fulls only (messages 3024 and 4212).
    MasterTakesFullsOnly,
    /// The recovery model SIMPLE keeps no log to back up (4208).
    SimpleRecovery,
    /// Of a read-only database nothing changes: fulls only. Its log cannot be backed up (4217), and the base of a differential is
    /// lost when it is restored or attached.
    ReadOnly,
    /// tempdb is made anew at each start (3147).
    Tempdb,
    /// A snapshot cannot be backed up, its source can (3002).
    Snapshot,
    /// Azure Backup does not take mirrored databases; the mirror refuses too (3059).
    Mirrored,
    /// A database in standby takes no backup (3036).
    Standby,
    /// It is not online now (927, 942, 926, 945).
    NotOnline,
}

impl Unsupported {
    /// Whether it passes without a change of settings or policy: the database is in a state, not of a kind. A slot that falls
    /// into such a state was missed; one of a type that is not possible at all was not.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::NotOnline | Self::Standby)
    }

    /// What to do about it, for people.
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::MasterTakesFullsOnly => {
                "Nothing needs to be done; a policy with fulls only removes the warning."
            }
            Self::SimpleRecovery => {
                "Change the recovery model to FULL or BULK_LOGGED, use a policy without log backups, or leave it as it is."
            }
            Self::ReadOnly => {
                "Nothing needs to be done while the database is read-only: each full holds all of it."
            }
            Self::Tempdb => "Remove it from the protected databases.",
            Self::Snapshot => "Protect the database that it is a snapshot of.",
            Self::Mirrored => "End database mirroring for this database, or stop its protection.",
            Self::Standby => "Protect the database that its logs come from, or recover it.",
            Self::NotOnline => "Bring the database online; backups go on by themselves then.",
        }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MasterTakesFullsOnly => "of master only full backups can be made",
            Self::SimpleRecovery => "the recovery model SIMPLE keeps no log to back up",
            Self::ReadOnly => "the database is read-only, so only full backups are made of it",
            Self::Tempdb => "tempdb cannot be backed up",
            Self::Snapshot => "a database snapshot cannot be backed up",
            Self::Mirrored => "the database takes part in database mirroring",
            Self::Standby => "the database is in standby and waits for logs",
            Self::NotOnline => "the database is not online",
        })
    }
}

/// Whether a backup of this type can be made of a database.
///
/// # Errors
/// Why not. What no setting changes comes before what a setting or a state changes.
pub fn supports(kind: BackupKind, facts: &Facts) -> Result<(), Unsupported> {
    match facts.role {
        Role::Tempdb => return Err(Unsupported::Tempdb),
        Role::Snapshot => return Err(Unsupported::Snapshot),
        Role::Master if !kind.is_full() => return Err(Unsupported::MasterTakesFullsOnly),
        Role::User | Role::Master => {}
    }
    if facts.mirrored {
        return Err(Unsupported::Mirrored);
    }
    if kind == BackupKind::Log && facts.recovery_model == RecoveryModel::Simple {
        return Err(Unsupported::SimpleRecovery);
    }
    if facts.standby {
        return Err(Unsupported::Standby);
    }
    if facts.read_only && !kind.is_full() {
        return Err(Unsupported::ReadOnly);
    }
    if facts.state != State::Online {
        return Err(Unsupported::NotOnline);
    }
    Ok(())
}

/// What a policy means for a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// The types that will run, in the order of [`BackupKind`].
    pub runs: Vec<BackupKind>,
    /// The types of the policy that are skipped, and why.
    pub skipped: Vec<Skipped>,
}

/// A type of a policy that is skipped for a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// The type.
    pub kind: BackupKind,
    /// Why.
    pub reason: Unsupported,
}

impl Application {
    /// Which of a policy's types run for a database.
    pub fn of(policy: &Policy, facts: &Facts) -> Self {
        let (mut runs, mut skipped) = (Vec::new(), Vec::new());
        for kind in policy.kinds() {
            match supports(kind, facts) {
                Ok(()) => runs.push(kind),
                Err(reason) => skipped.push(Skipped { kind, reason }),
            }
        }
        Self { runs, skipped }
    }

    /// Whether Azure Backup's warning "Backup type unsupported" stands beside the item: a type is skipped for what the database
    /// is, and not for the state it is in.
    pub fn warns_of_type(&self) -> bool {
        self.skipped.iter().any(|skipped| !skipped.reason.is_passing())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::BackupKind::{CopyOnlyFull, Differential, Full, Log};

    /// Which types run, in the order full, copy-only, differential, log.
    fn allowed(facts: Facts) -> [Result<(), Unsupported>; 4] {
        [Full, CopyOnlyFull, Differential, Log].map(|kind| supports(kind, &facts))
    }

    #[test]
    fn what_sql_server_allows() {
        let user = Facts::default();
        assert_eq!(allowed(user), [Ok(()); 4]);
        let simple = Facts {
            recovery_model: RecoveryModel::Simple,
            ..user
        };
        assert_eq!(
            allowed(simple),
            [Ok(()), Ok(()), Ok(()), Err(Unsupported::SimpleRecovery)]
        );
        let bulk = Facts {
            recovery_model: RecoveryModel::BulkLogged,
            ..user
        };
        assert_eq!(allowed(bulk), [Ok(()); 4]);
        let master = Facts {
            role: Role::Master,
            recovery_model: RecoveryModel::Simple,
            ..user
        };
        let fulls_only = Err(Unsupported::MasterTakesFullsOnly);
        assert_eq!(allowed(master), [Ok(()), Ok(()), fulls_only, fulls_only]);
        let read_only = Facts {
            read_only: true,
            ..user
        };
        let never_changes = Err(Unsupported::ReadOnly);
        assert_eq!(allowed(read_only), [Ok(()), Ok(()), never_changes, never_changes]);
    }

    #[test]
    fn what_takes_no_backup_at_all() {
        let user = Facts::default();
        for (facts, reason, passing) in [
            (
                Facts {
                    role: Role::Tempdb,
                    ..user
                },
                Unsupported::Tempdb,
                false,
            ),
            (
                Facts {
                    role: Role::Snapshot,
                    ..user
                },
                Unsupported::Snapshot,
                false,
            ),
            (
                Facts {
                    mirrored: true,
                    ..user
                },
                Unsupported::Mirrored,
                false,
            ),
            (
                Facts {
                    standby: true,
                    read_only: true,
                    ..user
                },
                Unsupported::Standby,
                true,
            ),
            (
                Facts {
                    state: State::Offline,
                    ..user
                },
                Unsupported::NotOnline,
                true,
            ),
            (
                Facts {
                    state: State::Restoring,
                    ..user
                },
                Unsupported::NotOnline,
                true,
            ),
        ] {
            assert_eq!(allowed(facts), [Err(reason); 4]);
            assert_eq!(reason.is_passing(), passing);
        }
    }

    #[test]
    fn a_standard_policy_over_a_simple_database_goes_on_without_logs() {
        let text = r#"{"version": 1, "full": {"schedule": {"frequency": "weekly", "days": ["sunday"], "times": ["22:00"]},
            "retention": {"weekly": {"count": 4, "days": ["sunday"]}}},
            "differential": {"days": ["wednesday"], "times": ["22:00"]}, "log": {"every": "15m"}}"#;
        let policy = Policy::from_json(text).unwrap();
        let simple = Facts {
            recovery_model: RecoveryModel::Simple,
            ..Facts::default()
        };
        let application = Application::of(&policy, &simple);
        assert_eq!(application.runs, [Full, Differential]);
        assert_eq!(application.skipped.len(), 1);
        assert!(application.warns_of_type());
        let offline = Facts {
            state: State::Offline,
            ..Facts::default()
        };
        assert!(!Application::of(&policy, &offline).warns_of_type());
    }
}
