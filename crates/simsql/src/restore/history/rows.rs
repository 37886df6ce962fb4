//! Rows of msdb's tables about a set that was restored.

use bak::content::SetHeader;
use bak::{BackupType, DatabaseFile as StoredFile, FileType};

use super::super::family::Family;
use super::super::header_only::{
    DAMAGED, begins_log_chain, bytes, device_type, recovery_model, text_or_null,
};
use super::super::media_set::MediaSet;
use super::super::order::Order;
use super::super::sheet::datetime_or_null;
use super::super::target::Target;
use super::{Row, recovers, stop_columns};
use crate::engine::DatabaseFile;
use crate::session::Session;
use crate::value::Value;

/// Bytes of a page.
const PAGE: u64 = 8192;

fn number(number: impl Into<i64>) -> Value {
    Value::Integer(number.into())
}

/// The letter of a kind of backup in msdb.
fn letter(backup_type: BackupType) -> &'static str {
    match backup_type {
        BackupType::Full | BackupType::Other => "D",
        BackupType::Differential => "I",
        BackupType::Log => "L",
        BackupType::File => "F",
        BackupType::DifferentialFile => "G",
        BackupType::Partial => "P",
        BackupType::DifferentialPartial => "Q",
    }
}

pub(super) fn restore(
    session: &Session,
    id: i64,
    set: i64,
    order: &Order,
    header: &SetHeader,
    target: &Target,
) -> Row {
    let clock = &session.instance.world.clock;
    let now = clock.now();
    let mut row = vec![
        ("restore_history_id", number(id)),
        (
            "restore_date",
            Value::DateTime(now.local(clock.offset_minutes(now))),
        ),
        ("destination_database_name", target.name.clone().into()),
        ("user_name", session.login.clone().into()),
        ("backup_set_id", number(set)),
        ("restore_type", letter(header.set.backup_type).into()),
        ("replace", order.replace.into()),
        ("recovery", recovers(order).into()),
        ("restart", false.into()),
        ("device_count", number(order.devices.len() as i64)),
    ];
    row.extend(stop_columns(session, order));
    row
}

pub(super) fn restored_file(id: i64, file: &DatabaseFile) -> Row {
    let path = &file.physical_name;
    let (drive, _) = path.split_once(['/', '\\']).unwrap_or_default();
    vec![
        ("restore_history_id", number(id)),
        ("file_number", bytes(u64::from(file.file_id))),
        ("destination_phys_drive", text_or_null(drive)),
        ("destination_phys_name", path.clone().into()),
    ]
}

pub(super) fn media_set(id: i64, family: &Family) -> Row {
    let header = &family.media;
    vec![
        ("media_set_id", number(id)),
        ("media_uuid", header.media.media_set_id.into()),
        ("media_family_count", number(header.media.family_count)),
        ("name", text_or_null(&header.name)),
        ("description", text_or_null(&header.description)),
        ("software_name", header.media.software_name.clone().into()),
        ("software_vendor_id", number(header.vendor)),
        ("MTF_major_version", number(header.format_version)),
        ("mirror_count", number(1)),
        ("is_password_protected", false.into()),
        ("is_compressed", header.compressed.into()),
        ("is_encrypted", false.into()),
    ]
}

pub(super) fn media_family(media_set: i64, family: &Family) -> Row {
    let media = &family.media.media;
    let id = uuid::Uuid::from_fields(family.media.family_id, 0, 0, &[0; 8]);
    vec![
        ("media_set_id", number(media_set)),
        ("family_sequence_number", number(media.family_number)),
        ("media_family_id", id.into()),
        ("media_count", number(1)),
        ("physical_device_name", family.device.name().into()),
        ("device_type", number(device_type(family))),
        ("physical_block_size", number(media.physical_block_size)),
        ("mirror", number(0)),
    ]
}

pub(super) fn backup_set(id: i64, media_set: i64, header: &SetHeader, media: &MediaSet) -> Row {
    let mut row = origin(id, media_set, header, media);
    row.extend(place(header, media));
    row.extend(flags(header));
    row
}

fn origin(id: i64, media_set: i64, header: &SetHeader, media: &MediaSet) -> Row {
    let set = &header.set;
    let families = media.families.len() as i64;
    let zone = set
        .time_zone_offset_minutes
        .map_or(127, |minutes| i64::from(minutes / 15));
    vec![
        ("backup_set_id", number(id)),
        ("backup_set_uuid", set.backup_set_guid.into()),
        ("media_set_id", number(media_set)),
        ("first_family_number", number(1)),
        ("first_media_number", number(1)),
        ("last_family_number", number(families)),
        ("last_media_number", number(1)),
        ("catalog_family_number", number(1)),
        ("catalog_media_number", number(1)),
        ("position", number(set.position)),
        ("expiration_date", datetime_or_null(header.expiration)),
        ("software_vendor_id", number(header.vendor)),
        ("name", text_or_null(&set.backup_name)),
        ("description", text_or_null(&set.backup_description)),
        ("user_name", text_or_null(&set.user_name)),
        ("software_major_version", number(set.software_version.major)),
        ("software_minor_version", number(set.software_version.minor)),
        ("software_build_version", number(set.software_version.build)),
        ("time_zone", number(zone)),
        ("mtf_minor_version", number(0)),
        ("type", letter(set.backup_type).into()),
        ("sort_order", number(header.sort_order)),
        ("code_page", number(header.code_page)),
        ("compatibility_level", number(set.compatibility_level)),
        ("database_version", number(set.database_version)),
        ("database_name", text_or_null(&set.database_name)),
        ("server_name", text_or_null(&set.server_name)),
        ("machine_name", text_or_null(&set.machine_name)),
        ("unicode_locale", number(header.locale)),
        ("unicode_compare_style", number(header.comparison_style)),
    ]
}

fn place(header: &SetHeader, media: &MediaSet) -> Row {
    let set = &header.set;
    let is_compressed = media
        .families
        .first()
        .is_some_and(|family| family.media.compressed);
    let on_media = if is_compressed {
        media.bytes()
    } else {
        set.backup_size
    };
    vec![
        ("first_lsn", set.first_lsn.into()),
        ("last_lsn", set.last_lsn.into()),
        ("checkpoint_lsn", set.checkpoint_lsn.into()),
        (
            "database_backup_lsn",
            set.database_backup_lsn.unwrap_or_default().into(),
        ),
        (
            "database_creation_date",
            datetime_or_null(set.database_creation_date),
        ),
        ("backup_start_date", datetime_or_null(set.backup_start_date)),
        ("backup_finish_date", datetime_or_null(set.backup_finish_date)),
        ("backup_size", bytes(set.backup_size)),
        ("compressed_backup_size", bytes(on_media)),
        (
            "first_recovery_fork_guid",
            set.first_recovery_fork_id.or(set.recovery_fork_id).into(),
        ),
        ("last_recovery_fork_guid", set.recovery_fork_id.into()),
        ("fork_point_lsn", set.fork_point_lsn.into()),
        ("database_guid", set.binding_id.into()),
        ("family_guid", set.family_guid.into()),
        ("differential_base_lsn", set.differential_base_lsn.into()),
        ("differential_base_guid", set.differential_base_guid.into()),
    ]
}

fn flags(header: &SetHeader) -> Row {
    let set = &header.set;
    let has = |bit: u32| Value::Bit(header.flags & bit != 0);
    vec![
        ("flags", number(header.flags)),
        ("is_password_protected", false.into()),
        ("recovery_model", recovery_model(set.recovery_model).into()),
        ("has_bulk_logged_data", set.has_bulk_logged_data.into()),
        ("is_snapshot", has(2)),
        ("is_readonly", has(4)),
        ("is_single_user", has(8)),
        ("has_backup_checksums", set.has_backup_checksums.into()),
        ("is_damaged", has(DAMAGED)),
        ("begins_log_chain", begins_log_chain(header).into()),
        ("has_incomplete_metadata", has(0x80)),
        ("is_force_offline", has(0x100)),
        ("is_copy_only", set.is_copy_only.into()),
    ]
}

pub(super) fn backup_file(set: i64, header: &SetHeader, file: &StoredFile) -> Row {
    let details = header
        .files
        .iter()
        .find(|details| details.file_id == file.file_id);
    let is_data = file.file_type == FileType::Data;
    let size = details.map_or(0, |details| details.backup_bytes);
    let sector = details.map_or(0, |details| u64::from(details.sector_size));
    vec![
        ("backup_set_id", number(set)),
        ("first_family_number", number(1)),
        ("first_media_number", number(1)),
        (
            "filegroup_name",
            file.filegroup.as_deref().map_or(Value::Null, text_or_null),
        ),
        ("page_size", number(PAGE.cast_signed())),
        ("file_number", bytes(u64::from(file.file_id))),
        ("backed_up_page_count", bytes(size / PAGE)),
        ("file_type", if is_data { "D" } else { "L" }.into()),
        ("source_file_block_size", bytes(sector)),
        ("file_size", bytes(file.size)),
        ("logical_name", file.logical_name.clone().into()),
        ("physical_name", file.physical_name.clone().into()),
        ("state", number(0)),
        ("state_desc", "ONLINE".into()),
        ("file_guid", file.unique_id.into()),
        (
            "differential_base_lsn",
            details.and_then(|details| details.base_lsn).into(),
        ),
        (
            "differential_base_guid",
            details.and_then(|details| details.base_guid).into(),
        ),
        ("backup_size", bytes(size)),
        ("is_present", true.into()),
    ]
}
