//! What may be taken of a database as it is now: rules as functions of facts, so that a table tests each.
//!
//! First whether a backup of that kind is possible at all ([`refusal`]), then whether it would continue the chain that the vault
//! has ([`broken`]), then what follows from a broken one ([`respond`]): a user's backup fails with its code, a scheduled one
//! becomes a full where healing is allowed now, and a log that can be taken is taken meanwhile, so that the server's log does not
//! grow.

use bak::Lsn;
use catalog::record::{ForeignOwner, HealingReason};
use faults::{Code, Fault};
use jiff::SignedDuration;
use schedule::database::{Facts, Unsupported, supports};
use schedule::{BackupKind, Days};
use uuid::Uuid;

/// Who wants the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The policy.
    Scheduled,
    /// A user.
    OnDemand,
    /// The vault, to put a chain right.
    Healing,
}

/// What decides whether a backup is possible at all.
#[derive(Debug, Clone)]
pub(super) struct Case<'a> {
    /// What was asked for.
    pub(super) kind: BackupKind,
    /// By whom.
    pub(super) wanted: Wanted,
    /// The policy leaves the chain to another tool.
    pub(super) is_shadow: bool,
    /// The database as it is.
    pub(super) facts: Facts,
    /// It belonged to an availability group when it was protected.
    pub(super) was_in_group: bool,
    /// It does now.
    pub(super) is_in_group: bool,
    /// The login may take this kind of backup.
    pub(super) is_permitted: bool,
    /// Who else takes its backups.
    pub(super) foreign: Option<&'a ForeignOwner>,
    /// It is the primary of a log-shipping pair.
    pub(super) is_log_shipped: bool,
    /// The user took log and base over.
    pub(super) is_taken_over: bool,
}

/// What a case comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Barred {
    /// Left out with a warning, since it was scheduled and never can be.
    Skipped(Fault),
    /// Failed.
    Failed(Fault),
}

/// Why a backup is not possible; none where it is.
pub(super) fn refusal(case: &Case<'_>) -> Option<Barred> {
    let failed = |code: Code, why: &str| Some(Barred::Failed(Fault::new(code).because(why)));
    if case.facts.mirrored {
        return failed(Code::UserErrorOperationNotAllowedDatabaseMirroringEnabled, "");
    }
    match (case.was_in_group, case.is_in_group) {
        (false, true) => return failed(Code::UserErrorBackupFailedStandaloneDatabaseMovedInToAG, ""),
        (true, false) => return failed(Code::UserErrorBackupFailedDatabaseMovedOutOfAG, ""),
        _ => {}
    }
    if let Err(reason) = supports(case.kind, &case.facts) {
        return Some(unsupported(case, reason));
    }
    if !case.is_permitted {
        return failed(
            Code::UserErrorSQLNoSysadminMembership,
            "the login may not take this backup",
        );
    }
    if case.is_shadow && case.kind != BackupKind::CopyOnlyFull {
        return failed(
            Code::Bac2ForeignChainOwner,
            "its policy is in shadow mode and takes copy-only fulls alone",
        );
    }
    if case.is_taken_over {
        return None;
    }
    match (case.kind, case.foreign) {
        (BackupKind::Log | BackupKind::Differential, Some(owner)) if owner.is_unknown => {
            failed(Code::Bac2NotReady, &owner.who)
        }
        (BackupKind::Log, Some(owner)) if owner.owns_log => failed(Code::Bac2ForeignChainOwner, &owner.who),
        (BackupKind::Differential, Some(owner)) if owner.owns_base => {
            failed(Code::Bac2ForeignChainOwner, &owner.who)
        }
        (BackupKind::Log, _) if case.is_log_shipped => {
            failed(Code::Bac2ForeignChainOwner, "log shipping takes its log backups")
        }
        _ => None,
    }
}

fn unsupported(case: &Case<'_>, reason: Unsupported) -> Barred {
    let why = format!("{}: {reason}", case.kind);
    if reason.is_passing() {
        return Barred::Failed(Fault::new(Code::Bac2DatabaseNotAvailable).because(&why));
    }
    match case.wanted {
        Wanted::Scheduled => Barred::Skipped(Fault::new(Code::BackupTypeUnsupported).because(&why)),
        Wanted::OnDemand | Wanted::Healing => {
            Barred::Failed(Fault::new(Code::UserErrorSQLPODoesNotSupportBackupType).because(&why))
        }
    }
}

/// Where a chain stands: what the vault has, and what the server says.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    /// Age of the vault's newest full that others can stand on; none without one.
    pub(super) full_age: Option<SignedDuration>,
    /// How old it may be.
    pub(super) full_age_max: Days,
    /// LastLSN of the vault's newest log.
    pub(super) log_end: Option<Lsn>,
    /// The greatest LastLSN of the vault's fulls and differentials.
    pub(super) anchor: Option<Lsn>,
    /// BackupSetGUID of the vault's base.
    pub(super) base: Option<Uuid>,
    /// The server could be asked for the rest.
    pub(super) is_known: bool,
    /// `last_log_backup_lsn`: where the next log begins.
    pub(super) next_log: Option<Lsn>,
    /// `differential_base_guid`.
    pub(super) server_base: Option<Uuid>,
    /// It was restored over: another line of history than the vault knows.
    pub(super) is_overwritten: bool,
    /// The host was put back to a time before the vault's newest full.
    pub(super) is_put_back: bool,
}

/// How a chain is broken.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Broken {
    /// Why a backup must put it right.
    pub(super) reason: HealingReason,
    /// What it would fail with.
    pub(super) fault: Fault,
    /// The log can be taken all the same.
    pub(super) can_go_on: bool,
}

/// How the chain is broken that a backup of this kind would continue; none where it is not, or the kind begins one.
pub(super) fn broken(kind: BackupKind, chain: &Chain) -> Option<Broken> {
    if kind.is_full() || !chain.is_known {
        return None;
    }
    let can_go_on = kind == BackupKind::Log && chain.next_log.is_some();
    let is = |reason, code: Code, why: String| {
        let reason = if chain.is_overwritten && reason != HealingReason::FullTooOld {
            HealingReason::Overwritten
        } else {
            reason
        };
        Some(Broken {
            reason,
            fault: Fault::new(code).because(&why),
            can_go_on,
        })
    };
    let missing = Code::UserErrorParentFullBackupMissing;
    let mismatch = Code::UserErrorSQLLSNValidationFailure;
    let Some(age) = chain.full_age else {
        return is(
            HealingReason::FullMissing,
            missing,
            "the vault has no full of it".to_owned(),
        );
    };
    if kind == BackupKind::Log && chain.next_log.is_none() {
        return is(
            HealingReason::RecoveryModelChanged,
            missing,
            "SQL Server keeps no log since the recovery model was changed".to_owned(),
        );
    }
    if chain.is_overwritten {
        return is(
            HealingReason::Overwritten,
            mismatch,
            "the database was restored over".to_owned(),
        );
    }
    if chain.is_put_back {
        return is(
            HealingReason::SnapshotPutBack,
            mismatch,
            "the host was put back to a time before the vault's newest full, which SQL Server knows nothing of".to_owned(),
        );
    }
    match kind {
        BackupKind::Differential if chain.server_base.is_none() => {
            let why = "SQL Server knows no base of a differential".to_owned();
            return is(HealingReason::FullMissing, missing, why);
        }
        BackupKind::Differential => {
            if let Some(why) = base_differs(chain) {
                return is(HealingReason::LsnValidation, mismatch, why);
            }
        }
        _ => {
            if let Some((reason, why)) = log_differs(chain) {
                return is(reason, mismatch, why);
            }
        }
    }
    (age > days(chain.full_age_max)).then(|| Broken {
        reason: HealingReason::FullTooOld,
        fault: Fault::new(missing).because(&format!(
            "the newest full is {} days old; at most {} are allowed",
            age.as_hours() / 24,
            chain.full_age_max.0
        )),
        can_go_on,
    })
}

fn days(days: Days) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days.0))
}

fn base_differs(chain: &Chain) -> Option<String> {
    let server = chain.server_base?;
    let ours = match chain.base {
        Some(ours) if ours == server => return None,
        Some(ours) => ours.to_string(),
        None => "none".to_owned(),
    };
    Some(format!(
        "the base of differentials is {server}, the vault's is {ours}"
    ))
}

fn log_differs(chain: &Chain) -> Option<(HealingReason, String)> {
    let next = chain.next_log?;
    match (chain.log_end, chain.anchor) {
        (Some(end), _) if next < end => Some((
            HealingReason::SnapshotPutBack,
            format!(
                "the database was restored to an earlier moment, or its host put back to one: the next log begins at {next}, before {end} \
                 where the vault's newest ends"
            ),
        )),
        (Some(end), _) if next > end => Some((
            HealingReason::LsnValidation,
            format!("the next log begins at {next}, the vault's newest ends at {end}"),
        )),
        (None, Some(anchor)) if next > anchor => Some((
            HealingReason::LsnValidation,
            format!("the next log begins at {next}, behind the newest full that ends at {anchor}"),
        )),
        _ => None,
    }
}

/// Whether and when the vault may heal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Healing {
    /// At once.
    Now,
    /// Later: the full is wanted, and does not begin with this job.
    Later(String),
    /// Not for this database.
    Off,
}

/// What is done about a broken chain.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Response {
    /// A full is taken in its place.
    Convert,
    /// The log is taken with this warning, and a full is wanted where healing is on.
    GoOn(Fault, bool),
    /// It fails, and a full is wanted where healing is on.
    Fail(Fault, bool),
}

/// What follows from a broken chain.
pub(super) fn respond(broken: &Broken, wanted: Wanted, healing: &Healing) -> Response {
    let fault = broken.fault.clone();
    match (wanted, healing) {
        (Wanted::OnDemand, _) => Response::Fail(fault, false),
        (Wanted::Scheduled, Healing::Now) => Response::Convert,
        // Only a full heals this: it is wanted, and begins when window, day and instance allow it.
        (Wanted::Healing, _) => match broken.can_go_on {
            true => Response::GoOn(fault, true),
            false => Response::Fail(fault, true),
        },
        (Wanted::Scheduled, Healing::Later(why)) => {
            let detail = format!("{}; a full is wanted, but {why}", fault.detail());
            let fault = fault.because(&detail);
            match broken.can_go_on {
                true => Response::GoOn(fault, true),
                false => Response::Fail(fault, true),
            }
        }
        (Wanted::Scheduled, Healing::Off) => {
            let fault = Fault::new(Code::Bac2HealingDisabled).because(fault.detail());
            match broken.can_go_on {
                true => Response::GoOn(fault, false),
                false => Response::Fail(fault, false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bak::Lsn;
    use catalog::record::{ForeignOwner, HealingReason};
    use faults::Code;
    use jiff::SignedDuration;
    use schedule::database::{Facts, RecoveryModel, Role, State};
    use schedule::{BackupKind, Days};
    use uuid::Uuid;

    use super::*;
    use BackupKind::{CopyOnlyFull, Differential, Full, Log};

    fn case<'a>(kind: BackupKind, facts: Facts) -> Case<'a> {
        Case {
            kind,
            wanted: Wanted::OnDemand,
            is_shadow: false,
            facts,
            was_in_group: false,
            is_in_group: false,
            is_permitted: true,
            foreign: None,
            is_log_shipped: false,
            is_taken_over: false,
        }
    }

    fn code(case: &Case<'_>) -> Option<Code> {
        refusal(case).map(|barred| match barred {
            Barred::Failed(fault) | Barred::Skipped(fault) => fault.code(),
        })
    }

    /// The codes for full, copy-only full, differential, log.
    fn row(facts: Facts) -> [Option<Code>; 4] {
        [Full, CopyOnlyFull, Differential, Log].map(|kind| code(&case(kind, facts)))
    }

    #[test]
    fn which_backups_a_database_takes() {
        let user = Facts::default();
        let unsupported = Some(Code::UserErrorSQLPODoesNotSupportBackupType);
        let unavailable = Some(Code::Bac2DatabaseNotAvailable);
        let mirrored = Some(Code::UserErrorOperationNotAllowedDatabaseMirroringEnabled);
        let of_role = |role| Facts { role, ..user };
        let of_model = |recovery_model| Facts {
            recovery_model,
            ..user
        };
        for (facts, expected) in [
            (user, [None; 4]),
            (of_model(RecoveryModel::BulkLogged), [None; 4]),
            (of_model(RecoveryModel::Simple), [None, None, None, unsupported]),
            (of_role(Role::Master), [None, None, unsupported, unsupported]),
            (of_role(Role::Tempdb), [unsupported; 4]),
            (of_role(Role::Snapshot), [unsupported; 4]),
            (
                Facts {
                    read_only: true,
                    ..user
                },
                [None, None, unsupported, unsupported],
            ),
            (
                Facts {
                    standby: true,
                    ..user
                },
                [unavailable; 4],
            ),
            (
                Facts {
                    mirrored: true,
                    ..user
                },
                [mirrored; 4],
            ),
        ] {
            assert_eq!(row(facts), expected, "{facts:?}");
        }
        for state in [
            State::Restoring,
            State::Recovering,
            State::RecoveryPending,
            State::Suspect,
            State::Emergency,
            State::Offline,
        ] {
            assert_eq!(row(Facts { state, ..user }), [unavailable; 4], "{state:?}");
        }
    }

    #[test]
    fn a_scheduled_type_that_never_can_be_is_skipped_and_one_that_can_not_now_fails() {
        let simple = Facts {
            recovery_model: RecoveryModel::Simple,
            ..Facts::default()
        };
        let scheduled = Case {
            wanted: Wanted::Scheduled,
            ..case(Log, simple)
        };
        let Some(Barred::Skipped(warning)) = refusal(&scheduled) else {
            panic!("{:?}", refusal(&scheduled))
        };
        assert_eq!(warning.code(), Code::BackupTypeUnsupported);
        let offline = Facts {
            state: State::Offline,
            ..Facts::default()
        };
        let scheduled = Case {
            wanted: Wanted::Scheduled,
            ..case(Log, offline)
        };
        assert!(matches!(refusal(&scheduled), Some(Barred::Failed(_))));
    }

    #[test]
    fn groups_rights_shadows_and_other_owners() {
        let plain = |kind| case(kind, Facts::default());
        let joined = Case {
            is_in_group: true,
            ..plain(Full)
        };
        assert_eq!(
            code(&joined),
            Some(Code::UserErrorBackupFailedStandaloneDatabaseMovedInToAG)
        );
        let left = Case {
            was_in_group: true,
            ..plain(Full)
        };
        assert_eq!(code(&left), Some(Code::UserErrorBackupFailedDatabaseMovedOutOfAG));
        let denied = Case {
            is_permitted: false,
            ..plain(Full)
        };
        assert_eq!(code(&denied), Some(Code::UserErrorSQLNoSysadminMembership));
        let owned = Some(Code::Bac2ForeignChainOwner);
        let shadow = |kind| Case {
            is_shadow: true,
            ..plain(kind)
        };
        assert_eq!(
            [Full, CopyOnlyFull, Differential, Log].map(|kind| code(&shadow(kind))),
            [owned, None, owned, owned]
        );
        let owner = |owns_log, owns_base| ForeignOwner {
            owns_log,
            owns_base,
            who: "another tool".to_owned(),
            is_log_shipping: false,
            is_unknown: false,
        };
        for (owner, expected) in [
            (owner(true, false), [None, None, None, owned]),
            (owner(false, true), [None, None, owned, None]),
            (owner(true, true), [None, None, owned, owned]),
        ] {
            let codes = [Full, CopyOnlyFull, Differential, Log].map(|kind| {
                code(&Case {
                    foreign: Some(&owner),
                    ..plain(kind)
                })
            });
            assert_eq!(codes, expected);
            let taken_over = Case {
                foreign: Some(&owner),
                is_taken_over: true,
                ..plain(Log)
            };
            assert_eq!(code(&taken_over), None);
        }
        let unknown = ForeignOwner {
            is_unknown: true,
            ..owner(true, true)
        };
        let codes = [Full, CopyOnlyFull, Differential, Log].map(|kind| {
            code(&Case {
                foreign: Some(&unknown),
                ..plain(kind)
            })
        });
        let waits = Some(Code::Bac2NotReady);
        assert_eq!(codes, [None, None, waits, waits], "until somebody knows");
        let shipped = Case {
            is_log_shipped: true,
            ..plain(Log)
        };
        assert_eq!(code(&shipped), owned);
    }

    fn lsn(decimal: u128) -> Option<Lsn> {
        Lsn::from_decimal(decimal)
    }

    const OURS: Uuid = Uuid::from_u128(1);
    const THEIRS: Uuid = Uuid::from_u128(2);

    /// A sound chain: a full a day old, the newest log ends where the server's next begins.
    fn sound() -> Chain {
        Chain {
            full_age: Some(SignedDuration::from_hours(24)),
            full_age_max: Days(15),
            log_end: lsn(5_000_000_001_000_001),
            anchor: lsn(4_000_000_001_000_001),
            base: Some(OURS),
            is_known: true,
            next_log: lsn(5_000_000_001_000_001),
            server_base: Some(OURS),
            is_overwritten: false,
            is_put_back: false,
        }
    }

    fn found(kind: BackupKind, chain: &Chain) -> Option<(HealingReason, Code, bool)> {
        broken(kind, chain).map(|broken| (broken.reason, broken.fault.code(), broken.can_go_on))
    }

    #[test]
    fn how_chains_break() {
        let missing = Code::UserErrorParentFullBackupMissing;
        let mismatch = Code::UserErrorSQLLSNValidationFailure;
        for kind in [Full, CopyOnlyFull, Differential, Log] {
            assert_eq!(found(kind, &sound()), None, "{kind}");
        }
        let none = Chain {
            full_age: None,
            base: None,
            log_end: None,
            anchor: None,
            server_base: None,
            next_log: None,
            ..sound()
        };
        assert_eq!(
            found(Differential, &none),
            Some((HealingReason::FullMissing, missing, false))
        );
        assert_eq!(
            found(Log, &none),
            Some((HealingReason::FullMissing, missing, false))
        );
        assert_eq!(found(Full, &none), None);
        let no_log = Chain {
            next_log: None,
            ..sound()
        };
        assert_eq!(
            found(Log, &no_log),
            Some((HealingReason::RecoveryModelChanged, missing, false))
        );
        assert_eq!(found(Differential, &no_log), None);
        let ahead = Chain {
            next_log: lsn(6_000_000_001_000_001),
            ..sound()
        };
        assert_eq!(
            found(Log, &ahead),
            Some((HealingReason::LsnValidation, mismatch, true))
        );
        let behind = Chain {
            next_log: lsn(4_400_000_001_000_001),
            ..sound()
        };
        assert_eq!(
            found(Log, &behind),
            Some((HealingReason::SnapshotPutBack, mismatch, true))
        );
        let base = Chain {
            server_base: Some(THEIRS),
            ..sound()
        };
        assert_eq!(
            found(Differential, &base),
            Some((HealingReason::LsnValidation, mismatch, false))
        );
        assert_eq!(found(Log, &base), None);
        let no_base = Chain {
            server_base: None,
            ..sound()
        };
        assert_eq!(
            found(Differential, &no_base),
            Some((HealingReason::FullMissing, missing, false))
        );
        let old = Chain {
            full_age: Some(SignedDuration::from_hours(15 * 24 + 1)),
            ..sound()
        };
        assert_eq!(found(Log, &old), Some((HealingReason::FullTooOld, missing, true)));
        let over = Chain {
            is_overwritten: true,
            ..sound()
        };
        assert_eq!(
            found(Log, &over),
            Some((HealingReason::Overwritten, mismatch, true))
        );
        let unknown = Chain {
            is_known: false,
            next_log: None,
            ..sound()
        };
        assert_eq!(
            found(Log, &unknown),
            None,
            "a database that sleeps is asked when it wakes"
        );
    }

    #[test]
    fn the_first_log_must_begin_within_the_full() {
        let after_full = |next| Chain {
            log_end: None,
            next_log: lsn(next),
            ..sound()
        };
        assert_eq!(found(Log, &after_full(4_000_000_001_000_001)), None);
        assert_eq!(found(Log, &after_full(3_000_000_001_000_001)), None);
        let gap = found(Log, &after_full(4_000_000_001_000_002));
        assert!(
            matches!(gap, Some((HealingReason::LsnValidation, _, true))),
            "{gap:?}"
        );
    }

    #[test]
    fn what_follows_from_a_broken_chain() {
        let broken = |can_go_on| Broken {
            reason: HealingReason::LsnValidation,
            fault: Fault::new(Code::UserErrorSQLLSNValidationFailure).because("1 is not 2"),
            can_go_on,
        };
        let later = Healing::Later("the last one is less than a day old".to_owned());
        for healing in [Healing::Now, later.clone(), Healing::Off] {
            let response = respond(&broken(true), Wanted::OnDemand, &healing);
            assert!(matches!(response, Response::Fail(_, false)), "{response:?}");
            // A full that heals waits for its turn, also where it is a healing backup that finds out.
            let response = respond(&broken(false), Wanted::Healing, &healing);
            assert!(matches!(response, Response::Fail(_, true)), "{response:?}");
            let response = respond(&broken(true), Wanted::Healing, &healing);
            assert!(matches!(response, Response::GoOn(_, true)), "{response:?}");
        }
        assert_eq!(
            respond(&broken(false), Wanted::Scheduled, &Healing::Now),
            Response::Convert
        );
        let Response::GoOn(warning, true) = respond(&broken(true), Wanted::Scheduled, &later) else {
            panic!("a log that can be taken is taken")
        };
        assert!(warning.detail().contains("less than a day"), "{warning}");
        let Response::Fail(fault, true) = respond(&broken(false), Wanted::Scheduled, &later) else {
            panic!("nothing can be taken")
        };
        assert_eq!(fault.code(), Code::UserErrorSQLLSNValidationFailure);
        let Response::Fail(fault, false) = respond(&broken(false), Wanted::Scheduled, &Healing::Off) else {
            panic!("nothing can be taken")
        };
        assert_eq!(fault.code(), Code::Bac2HealingDisabled);
    }
}
