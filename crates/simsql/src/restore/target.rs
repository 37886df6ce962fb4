//! The database that a restore makes, replaces or goes on with: whether it may, and that nobody else uses it meanwhile.

use bak::BackupType;
use bak::content::SetHeader;
use uuid::Uuid;

use super::order::{Finish, Order, StopAt};
use crate::engine::RecoveryModel;
use crate::instance::{DatabaseEntry, DatabaseState, State, exclusive, free_id, permission};
use crate::message::Failure;
use crate::session::Session;
use crate::tsql::statement::Termination;

/// `database_id` of the system databases.
const MASTER: &str = "master";
const TEMPDB: &str = "tempdb";
/// The last of them.
const LAST_SYSTEM: u16 = 4;

/// What the set is restored into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) id: u16,
    /// As the server spells it.
    pub(super) name: String,
    /// It was there before.
    pub(super) existed: bool,
    /// The binding id that it had then, where it could be opened.
    pub(super) binding: Option<Uuid>,
}

/// What can be said before the media are opened: the system's own databases, and permission.
///
/// # Errors
/// 3108 master, 3147 tempdb, 3102 the session is in it, 3110 permission.
pub(super) fn check_name(session: &Session, order: &Order) -> Result<(), Failure> {
    let name = &order.database;
    if name.eq_ignore_ascii_case(MASTER) {
        return Err(Failure::new(3108, &[]));
    }
    if name.eq_ignore_ascii_case(TEMPDB) {
        return Err(Failure::new(3147, &[]));
    }
    crate::instance::check_name(name)?;
    let state = session.instance.state();
    let owns = state
        .database(name)
        .is_some_and(|entry| entry.owner.eq_ignore_ascii_case(&session.login));
    if !owns && !permission::on_server(&state, &session.login, "CREATE ANY DATABASE") {
        return Err(Failure::new(3110, &[name]));
    }
    if session.database.eq_ignore_ascii_case(name) && state.database(name).is_some() {
        return Err(Failure::new(3102, &[name]));
    }
    Ok(())
}

/// Takes the target for the session alone, until [`exclusive::release`].
///
/// # Errors
/// 3118, 3117, 3104, 3101, 3154, 3141, 3159.
pub(super) async fn take(session: &Session, order: &Order, header: &SetHeader) -> Result<Target, Failure> {
    let is_full = header.set.backup_type == BackupType::Full;
    let found = {
        let state = session.instance.state();
        let found = state
            .database(&order.database)
            .map(|entry| (entry.id, entry.name.clone()));
        if let Some((id, _)) = found {
            refuse_mirrored(&state, &state.databases[&id])?;
        }
        found
    };
    let Some((id, name)) = found else {
        if !is_full {
            return Err(Failure::new(3118, &[&order.database]));
        }
        return Ok(Target {
            id: free_id(&session.instance.state()),
            name: order.database.clone(),
            existed: false,
            binding: None,
        });
    };
    exclusive::take(session, id, Termination::NoWait, || Failure::new(3101, &[])).await?;
    let (checked, binding) = {
        let state = session.instance.state();
        let engine = state.databases.get(&id).and_then(|entry| entry.engine.as_ref());
        let binding = engine.map(|engine| engine.boot().binding_id);
        (check(&state, id, order, header), binding)
    };
    if let Err(failure) = checked {
        exclusive::release(&mut session.instance.state(), id, session.id);
        return Err(failure);
    }
    Ok(Target {
        id,
        name,
        existed: true,
        binding,
    })
}

fn check(state: &State, id: u16, order: &Order, header: &SetHeader) -> Result<(), Failure> {
    let Some(entry) = state.databases.get(&id) else {
        return Err(Failure::new(911, &[&order.database]));
    };
    if header.set.backup_type == BackupType::Full {
        may_be_replaced(entry, order, header)
    } else {
        is_ready_to_roll_forward(entry, header)
    }
}

/// Whether a database is in a restore that can go on.
///
/// # Errors
/// 3117 where it is not, 3154 where it is another one than the set's.
fn is_ready_to_roll_forward(entry: &DatabaseEntry, header: &SetHeader) -> Result<(), Failure> {
    let is_restoring = entry.state == DatabaseState::Restoring || entry.standby.is_some();
    let Some(engine) = entry.engine.as_ref().filter(|_| is_restoring) else {
        return Err(Failure::new(3117, &[]));
    };
    if Some(engine.boot().family_guid) != header.set.family_guid {
        return Err(Failure::new(3154, &[&entry.name]));
    }
    Ok(())
}

/// Whether a full backup may go over a database.
fn may_be_replaced(entry: &DatabaseEntry, order: &Order, header: &SetHeader) -> Result<(), Failure> {
    if order.replace {
        return Ok(());
    }
    let name = &entry.name;
    let boot = entry.engine.as_ref().map(crate::engine::Engine::boot);
    let set = &header.set;
    // Of a database that cannot be opened, or whose restore was cut off, only the name is known.
    let known = boot.filter(|boot| !boot.family_guid.is_nil());
    let is_other = known.is_some_and(|boot| Some(boot.family_guid) != set.family_guid);
    if is_other {
        return Err(Failure::new(3154, &[name]));
    }
    if !set.database_name.eq_ignore_ascii_case(name)
        && boot.is_none_or(|boot| Some(boot.binding_id) != set.binding_id)
        && entry.state == DatabaseState::Online
    {
        return Err(Failure::new(3141, &[&set.database_name, name]));
    }
    let has_tail = entry.state == DatabaseState::Online
        && entry.standby.is_none()
        && !entry.is_read_only
        && boot.is_some_and(|boot| {
            boot.recovery_model != RecoveryModel::Simple && boot.last_log_backup_lsn.is_some()
        });
    if has_tail && order.stop.is_none() {
        return Err(Failure::new(3159, &[name]));
    }
    Ok(())
}

/// # Errors
/// 3104 where the database is mirrored or in an availability group.
pub(super) fn refuse_mirrored(state: &State, entry: &DatabaseEntry) -> Result<(), Failure> {
    let in_group = state.server.groups.values().any(|group| {
        group
            .databases
            .keys()
            .any(|name| name.eq_ignore_ascii_case(&entry.name))
    });
    if entry.mirroring.is_some() || in_group {
        return Err(Failure::new(3104, &[&entry.name]));
    }
    Ok(())
}

/// What the set itself must be for this server and this statement.
///
/// # Errors
/// 33111, 3135, 3168, 3169, 3180, 3182, 3187, 3145, 4338, 40510.
pub(super) fn check_set(session: &Session, order: &Order, header: &SetHeader) -> Result<(), Failure> {
    check_kind(order, header)?;
    let set = &header.set;
    let ours = session.instance.settings.version;
    let is_system = session
        .instance
        .state()
        .database(&order.database)
        .is_some_and(|entry| entry.id <= LAST_SYSTEM);
    let device = order.devices.first().map_or("", |device| device.name());
    if is_system && set.software_version.major != ours.software().major {
        let (theirs, ours) = (printed(set.software_version), printed(ours.software()));
        return Err(Failure::new(3168, &[&device, &theirs, &ours]));
    }
    if set.database_version > ours.database_version() {
        let (theirs, ours) = (printed(set.software_version), printed(ours.software()));
        return Err(Failure::new(3169, &[&theirs, &ours]));
    }
    if set.database_version < ours.database_version() && matches!(order.finish, Finish::Standby(_)) {
        return Err(Failure::new(3180, &[]));
    }
    if header.flags & super::header_only::DAMAGED != 0 && !order.continue_after_error {
        return Err(Failure::new(3182, &[]));
    }
    if order.checksum == Some(true) && !set.has_backup_checksums {
        return Err(Failure::new(3187, &[]));
    }
    if let Some(thumbprint) = header.tde_thumbprint {
        certificate(&session.instance.state(), thumbprint)?;
    }
    check_stop(session, order, header)
}

/// The name of the certificate with a thumbprint.
///
/// # Errors
/// 33111 where the server has none.
pub(super) fn certificate(state: &State, thumbprint: [u8; 20]) -> Result<String, Failure> {
    let digits: String = thumbprint.iter().map(|byte| format!("{byte:02X}")).collect();
    let certificates = &state.server.certificates;
    let found = certificates
        .iter()
        .find(|(_, certificate)| certificate.thumbprint.eq_ignore_ascii_case(&digits));
    match found {
        Some((name, _)) => Ok(name.clone()),
        None => Err(Failure::new(33_111, &[&"certificate", &format!("0x{digits}")])),
    }
}

fn check_kind(order: &Order, header: &SetHeader) -> Result<(), Failure> {
    use crate::tsql::restore::RestoreWhat;
    let made_by = match (order.what, header.set.backup_type) {
        (RestoreWhat::Database, BackupType::Full | BackupType::Differential)
        | (RestoreWhat::Log, BackupType::Log) => return Ok(()),
        (_, BackupType::Log) => "BACKUP LOG",
        (RestoreWhat::Log, BackupType::Differential) => "BACKUP DATABASE WITH DIFFERENTIAL",
        (RestoreWhat::Log, BackupType::Full) => "BACKUP DATABASE",
        _ => {
            return Err(Failure::new(
                40_510,
                &[&"restores of file, filegroup and partial backups"],
            ));
        }
    };
    let device = order.devices.first().map_or("", |device| device.name());
    Err(Failure::new(3135, &[&device, &made_by]))
}

/// Whether a stop can be reached at all with the set.
fn check_stop(session: &Session, order: &Order, header: &SetHeader) -> Result<(), Failure> {
    let Some(stop) = order.stop else { return Ok(()) };
    let set = &header.set;
    if set.recovery_model == RecoveryModel::Simple {
        return Err(Failure::new(3145, &[]));
    }
    if set.backup_type == BackupType::Log {
        let number = if set.has_bulk_logged_data {
            4341
        } else {
            return Ok(());
        };
        return Err(Failure::new(number, &[]));
    }
    let too_early = match stop {
        StopAt::Time(moment) => set
            .backup_finish_date
            .is_some_and(|finish| moment < super::moment_of(session, finish)),
        StopAt::Including(lsn) | StopAt::Before(lsn) => set.last_lsn.is_some_and(|last| lsn < last),
    };
    if too_early {
        return Err(Failure::new(4338, &[]));
    }
    Ok(())
}

/// A version as messages print it: `15.00.2000`.
fn printed(version: bak::SoftwareVersion) -> String {
    format!("{:02}.{:02}.{:04}", version.major, version.minor, version.build)
}
