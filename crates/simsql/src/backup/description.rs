//! What a backup set says about itself: the columns of HEADERONLY and FILELISTONLY, from the boot page and the statement.

use bak::writer::SetDetails;
use bak::{BackupSet, BackupType, LocalTime, Lsn};
use uuid::Uuid;

use super::order::{After, Kind, Order};
use crate::engine::{Boot, DatabaseFile};
use crate::instance::Settings;
use crate::instance::state::{DatabaseEntry, State, UserAccess};
use crate::moment::Moment;
use crate::world::Clock;

/// Bits of Flags as RESTORE HEADERONLY documents them.
const FLAG_READ_ONLY: u32 = 4;
const FLAG_SINGLE_USER: u32 = 8;
pub(super) const FLAG_DAMAGED: u32 = 0x20;
const FLAG_TAIL: u32 = 0x40;
const FLAG_NORECOVERY: u32 = 0x100;

/// Pages of 8 KiB.
const PAGE: u64 = 8192;
/// Largest sizes as FILELISTONLY shows them for files without a limit: 16 TB less one page's worth of rounding, and 2 TB for a log.
const DATA_MAX: u64 = 35_184_372_080_640;
const LOG_MAX: u64 = 2_199_023_255_552;

/// A set while it is made.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) set: BackupSet,
    pub(super) details: SetDetails,
    /// Files as the engine knows them.
    pub(super) files: Vec<DatabaseFile>,
}

impl Description {
    /// The differential base of the data files behind this backup: a conventional full one is its own.
    pub(super) fn base(&self, set: &BackupSet) -> Option<(Lsn, Uuid)> {
        let own = (set.backup_type == BackupType::Full && !set.is_copy_only)
            .then(|| set.checkpoint_lsn.zip(set.backup_set_guid))
            .flatten();
        own.or(self.details.last_full)
    }
}

/// The clock of the server, as backups store it.
pub(super) fn local(clock: &dyn Clock, moment: Moment) -> LocalTime {
    moment.local(clock.offset_minutes(moment)).to_local_time()
}

/// Where the log of a set begins and which checkpoint it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) first: Lsn,
    pub(super) last: Lsn,
    pub(super) checkpoint: Lsn,
}

/// What the statement and the session add.
pub(super) struct Circumstances<'a> {
    pub(super) order: &'a Order,
    pub(super) settings: &'a Settings,
    pub(super) user: &'a str,
    pub(super) guid: Uuid,
    pub(super) start: Moment,
    pub(super) clock: &'a dyn Clock,
    pub(super) expiration: Option<LocalTime>,
}

/// Thumbprint of the certificate of an encrypted database, which is known by name or by thumbprint.
fn tde_thumbprint(state: &State, entry: &DatabaseEntry) -> Option<[u8; 20]> {
    let known = entry.encryption_certificate.as_deref()?;
    let certificates = &state.server.certificates;
    let named = certificates
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(known))
        .map_or(known, |(_, certificate)| certificate.thumbprint.as_str());
    let digits = named.trim_start_matches("0x");
    let mut bytes = [0; 20];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// Describes a backup of the database `entry`, whose boot page says `boot`.
pub(super) fn describe(
    state: &State,
    entry: &DatabaseEntry,
    boot: &Boot,
    files: Vec<DatabaseFile>,
    bounds: Bounds,
    about: &Circumstances<'_>,
) -> Description {
    let order = about.order;
    let (settings, clock) = (about.settings, about.clock);
    let base = boot.differential_base.map(|(lsn, guid, _)| (lsn, guid));
    let is_differential = order.kind == Kind::Differential;
    let forked = boot.first_fork.filter(|(fork, point)| {
        order.kind == Kind::Log && *fork != boot.recovery_fork && bounds.first < *point
    });
    let set = BackupSet {
        position: 0,
        backup_type: match order.kind {
            Kind::Full => BackupType::Full,
            Kind::Differential => BackupType::Differential,
            Kind::Log => BackupType::Log,
        },
        backup_name: order.name.clone(),
        backup_description: order.description.clone(),
        user_name: about.user.to_owned(),
        machine_name: settings.machine.clone(),
        server_name: settings.server_name(),
        database_name: entry.name.clone(),
        software_version: settings.software(),
        database_version: boot.version,
        compatibility_level: boot.compatibility_level,
        recovery_model: boot.recovery_model,
        compressed: false,
        has_backup_checksums: order.checksum,
        is_copy_only: order.copy_only,
        first_lsn: Some(bounds.first),
        last_lsn: Some(bounds.last),
        checkpoint_lsn: Some(bounds.checkpoint),
        database_backup_lsn: boot.database_backup_lsn,
        differential_base_lsn: base.filter(|_| is_differential).map(|(lsn, _)| lsn),
        fork_point_lsn: forked.map(|(_, point)| point),
        backup_set_guid: Some(about.guid),
        binding_id: Some(boot.binding_id),
        family_guid: Some(boot.family_guid),
        recovery_fork_id: Some(boot.recovery_fork),
        first_recovery_fork_id: forked.map(|(fork, _)| fork),
        differential_base_guid: base.filter(|_| is_differential).map(|(_, guid)| guid),
        backup_start_date: Some(local(clock, about.start)),
        backup_finish_date: None,
        database_creation_date: Some(boot.created),
        time_zone_offset_minutes: Some(clock.offset_minutes(about.start)),
        backup_size: 0,
        complete: false,
        files: files.iter().map(file).collect(),
        has_bulk_logged_data: order.kind == Kind::Log && boot.bulk_logged.is_some(),
        log_chain_lsn: boot.log_chain_lsn,
    };
    let details = SetDetails {
        flags: flags(entry, order),
        database_id: Some(entry.id),
        expiration: about.expiration,
        last_full: base,
        growth: files
            .iter()
            .map(|file| (u32::from(file.file_id), file.growth.saturating_mul(PAGE as u32)))
            .collect(),
        log_bytes: 0,
        tde_thumbprint: tde_thumbprint(state, entry),
        bytes_elsewhere: 0,
    };
    Description { set, details, files }
}

fn flags(entry: &DatabaseEntry, order: &Order) -> u32 {
    let bits = [
        (entry.is_read_only, FLAG_READ_ONLY),
        (entry.user_access == UserAccess::Single, FLAG_SINGLE_USER),
        (order.is_tail(), FLAG_TAIL),
        (order.after != After::Online, FLAG_NORECOVERY),
    ];
    bits.iter()
        .filter(|(is_set, _)| *is_set)
        .fold(0, |flags, (_, bit)| flags | bit)
}

fn file(file: &DatabaseFile) -> bak::DatabaseFile {
    let is_data = file.file_type == bak::FileType::Data;
    let unlimited = if is_data { DATA_MAX } else { LOG_MAX };
    bak::DatabaseFile {
        file_id: u32::from(file.file_id),
        logical_name: file.logical_name.clone(),
        physical_name: file.physical_name.clone(),
        file_type: file.file_type,
        filegroup: is_data.then(|| "PRIMARY".to_owned()),
        size: u64::from(file.size) * PAGE,
        max_size: match file.max_size {
            u32::MAX => unlimited,
            pages => u64::from(pages) * PAGE,
        },
        unique_id: Some(file.unique_id),
    }
}
