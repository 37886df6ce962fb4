//! Whether a database may be backed up as it is: the checks in SQL Server's order, the first that fails speaks.

use super::order::{After, Kind, Order};
use crate::engine::{Boot, Engine, RecoveryModel};
use crate::instance::server::ReplicaRole;
use crate::instance::state::{DatabaseEntry, DatabaseState, State, UserAccess};
use crate::instance::{Settings, Version};
use crate::instance::{access, permission};
use crate::message::{Failure, Message};
use crate::session::Session;

const MASTER: u16 = 1;
const TEMPDB: u16 = 2;
const MODEL: u16 = 3;

/// Whether the session may do it at all: no transaction, a database, the permission.
///
/// # Errors
/// 3021, 911, 916, 262, 3147.
pub(super) fn check_session(session: &Session, state: &State, order: &Order) -> Result<u16, Failure> {
    if session.nesting > 0 || session.transaction.is_some() {
        return Err(Failure::new(3021, &[]));
    }
    let name = &order.database;
    let entry = state.database(name).ok_or_else(|| Failure::new(911, &[name]))?;
    if !permission::may_enter(state, &session.login, entry.id) {
        return Err(Failure::new(916, &[&session.login, &entry.name]));
    }
    let needed = match order.kind {
        Kind::Log => "BACKUP LOG",
        Kind::Full | Kind::Differential => "BACKUP DATABASE",
    };
    if !permission::in_database(state, entry, &session.login, needed) {
        return Err(Failure::new(262, &[&needed, &entry.name]));
    }
    if entry.id == TEMPDB {
        return Err(Failure::new(3147, &[]));
    }
    Ok(entry.id)
}

/// Whether the database can be backed up as asked. Warnings are information for the client.
///
/// # Errors
/// Those of section 2.1 of the rules: 3036, 927, 942, 926, 3033, 945, 3024, 4212, 3059, 3062, 4208, 4220, 3104, 4214, 3035, 33111.
pub(super) fn check_database(
    session: &Session,
    state: &State,
    entry: &DatabaseEntry,
    order: &Order,
) -> Result<Vec<Message>, Failure> {
    let settings = &session.instance.settings;
    check_state(session, entry, order)?;
    check_system(entry, order)?;
    check_replica(state, entry, order, settings)?;
    let engine = open_engine(entry)?;
    let boot = engine.boot();
    if order.kind == Kind::Log {
        check_log(state, entry, order, boot)?;
    }
    if order.kind == Kind::Differential && boot.differential_base.is_none() {
        return Err(Failure::new(3035, &[&entry.name]));
    }
    check_certificate(state, entry)?;
    let repeats = order.kind == Kind::Log && entry.is_read_only && !order.copy_only;
    Ok(repeats.then(|| Message::new(4217, &[])).into_iter().collect())
}

/// The engine of a database that is open.
///
/// # Errors
/// 945.
pub(super) fn open_engine(entry: &DatabaseEntry) -> Result<&Engine, Failure> {
    entry
        .engine
        .as_ref()
        .ok_or_else(|| Failure::new(945, &[&entry.name]))
}

fn check_state(session: &Session, entry: &DatabaseEntry, order: &Order) -> Result<(), Failure> {
    let name = &entry.name;
    if entry.standby.is_some() {
        return Err(Failure::new(3036, &[name]));
    }
    let number = match entry.state {
        DatabaseState::Online => {
            let taken = entry.locks.users.iter().any(|user| *user != session.id);
            if entry.user_access == UserAccess::Single && taken {
                return Err(Failure::new(924, &[name]));
            }
            if entry.locks.exclusive.is_some_and(|owner| owner != session.id) {
                return Err(Failure::new(952, &[name]));
            }
            return Ok(());
        }
        // The tail of the log is what can be saved of a database that recovery gave up.
        DatabaseState::Suspect if order.kind == Kind::Log && order.continue_after_error => return Ok(()),
        DatabaseState::Suspect => 926,
        DatabaseState::Restoring => 927,
        DatabaseState::Recovering => 922,
        DatabaseState::RecoveryPending => 945,
        DatabaseState::Offline => 942,
        DatabaseState::Emergency => return Err(Failure::new(3033, &[])),
    };
    Err(Failure::new(number, &[name]))
}

fn check_system(entry: &DatabaseEntry, order: &Order) -> Result<(), Failure> {
    match (entry.id, order.kind) {
        (MASTER, Kind::Differential) => Err(Failure::new(3024, &[])),
        (MASTER, Kind::Log) => Err(Failure::new(4212, &[])),
        _ => Ok(()),
    }
}

/// On a mirror nothing, on a secondary replica what its version lets it.
fn check_replica(
    state: &State,
    entry: &DatabaseEntry,
    order: &Order,
    settings: &Settings,
) -> Result<(), Failure> {
    if entry.mirroring.is_some_and(|(_, is_principal)| !is_principal) {
        return Err(Failure::new(3059, &[]));
    }
    let group = access::group_of(state, entry);
    match group.map(|group| group.role) {
        Some(ReplicaRole::Resolving) => Err(Failure::new(3062, &[])),
        Some(ReplicaRole::Secondary) => {
            // A basic group's secondary takes no backups at all.
            let is_basic = group.is_some_and(|group| group.is_basic);
            let allowed = match order.kind {
                _ if is_basic => false,
                Kind::Log => !order.copy_only,
                Kind::Full => order.copy_only || settings.version >= Version::V2025,
                Kind::Differential => settings.version >= Version::V2025,
            };
            if allowed {
                Ok(())
            } else {
                Err(Failure::new(3059, &[]))
            }
        }
        Some(ReplicaRole::Primary) | None => Ok(()),
    }
}

/// The role of this replica for a database of an availability group.
fn check_log(state: &State, entry: &DatabaseEntry, order: &Order, boot: &Boot) -> Result<(), Failure> {
    if boot.recovery_model == RecoveryModel::Simple {
        return Err(Failure::new(4208, &[&"BACKUP LOG"]));
    }
    if order.after != After::Online {
        if entry.id == MODEL {
            return Err(Failure::new(4220, &[]));
        }
        if entry.mirroring.is_some() || access::group_of(state, entry).is_some() {
            return Err(Failure::new(3104, &[&entry.name]));
        }
    }
    if boot.last_log_backup_lsn.is_none() {
        return Err(Failure::new(4214, &[]));
    }
    Ok(())
}

/// An encrypted database needs the certificate that protects its key, by name or by thumbprint.
fn check_certificate(state: &State, entry: &DatabaseEntry) -> Result<(), Failure> {
    let Some(needed) = &entry.encryption_certificate else {
        return Ok(());
    };
    let thumbprint = needed.trim_start_matches("0x");
    let known = state.server.certificates.iter().any(|(name, certificate)| {
        name.eq_ignore_ascii_case(needed) || certificate.thumbprint.eq_ignore_ascii_case(thumbprint)
    });
    if known {
        return Ok(());
    }
    Err(Failure::new(
        33_111,
        &[&"certificate", &format!("0x{thumbprint}")],
    ))
}
