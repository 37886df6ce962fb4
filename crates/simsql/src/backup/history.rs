//! The history of a backup in msdb: the set, its media and its files, as rows of msdb's own tables.

use std::ops::ControlFlow;

use bak::{LocalTime, Lsn, RecoveryModel};

use super::conclusion::Conclusion;
use super::order::{After, Kind};
use crate::engine::{Engine, EngineError, TableFacts};
use crate::instance::State;
use crate::instance::waiting::{Waiting, wait_for};
use crate::media::Device;
use crate::message::Failure;
use crate::session::Session;
use crate::value::{DateTime, Decimal, Value};

const MSDB: u16 = 4;
const TABLES: [&str; 4] = ["backupmediaset", "backupmediafamily", "backupset", "backupfile"];
const VENDOR: i64 = 4608;
const SOFTWARE: &str = "Microsoft SQL Server";
/// `device_type`: a path, a URL.
const DISK: i64 = 2;
const URL: i64 = 9;
/// Code of the collation's sort order, code page, locale and comparison style, as in the backup's own header.
const SORT_ORDER: i64 = 52;
const LOCALE: i64 = 1033;
const COMPARISON_STYLE: i64 = 196_609;

/// A row by the names of its columns; the others are NULL.
type Row<'a> = Vec<(&'a str, Value)>;

/// Inserts the rows of a backup, in one transaction.
///
/// # Errors
/// Where msdb does not take them; the backup is none the worse for it.
pub(super) async fn write(session: &Session, about: &Conclusion<'_>) -> Result<(), Failure> {
    let waiting = Waiting {
        wait_type: "LCK_M_IX",
        resource: format!("DATABASE: {MSDB}"),
    };
    let written = wait_for(
        session,
        &waiting,
        |state| match writer(state, session.id) {
            Some(owner) => Err(owner),
            None => Ok(insert(session, state, about)),
        },
        || Failure::new(3009, &[]),
    );
    written.await?.map_err(|_| Failure::new(3009, &[]))
}

/// Who else writes to one of the tables.
fn writer(state: &State, session: u16) -> Option<u16> {
    let entry = state.databases.get(&MSDB)?;
    let engine = entry.engine.as_ref()?;
    TABLES
        .iter()
        .filter_map(|name| engine.find_table("dbo", name))
        .filter_map(|table| entry.locks.tables.get(&table.id))
        .find(|owner| **owner != session)
        .copied()
}

/// What msdb cannot take.
enum Refused {
    /// It is not open, or lacks a table.
    Absent,
    /// Its engine failed.
    Engine,
}

impl From<EngineError> for Refused {
    fn from(_: EngineError) -> Self {
        Self::Engine
    }
}

fn insert(session: &Session, state: &mut State, about: &Conclusion<'_>) -> Result<(), Refused> {
    let collation = session.instance.settings.collation.clone();
    let entry = state.databases.get_mut(&MSDB).ok_or(Refused::Absent)?;
    let engine = entry.engine.as_mut().ok_or(Refused::Absent)?;
    let transaction = engine.begin(about.finish)?;
    match insert_all(engine, transaction, about, &collation) {
        Ok(()) => {
            engine.commit(transaction, about.finish)?;
            Ok(())
        }
        Err(refused) => {
            drop(engine.rollback(transaction, about.finish));
            Err(refused)
        }
    }
}

fn insert_all(
    engine: &mut Engine,
    transaction: crate::engine::TransactionId,
    about: &Conclusion<'_>,
    collation: &str,
) -> Result<(), Refused> {
    let [media_sets, families, sets, files] = TABLES;
    let known = media_set_id(engine, about)?;
    let media_set = match known {
        Some(id) => id,
        None => {
            let table = table(engine, media_sets)?;
            let id = table.next_identity;
            put(engine, transaction, &table, media_set_row(id, about))?;
            let table = self::table(engine, families)?;
            for row in family_rows(id, about) {
                put(engine, transaction, &table, row)?;
            }
            id
        }
    };
    let table = table(engine, sets)?;
    let id = table.next_identity;
    put(
        engine,
        transaction,
        &table,
        set_row(id, media_set, about, collation),
    )?;
    let table = self::table(engine, files)?;
    for row in file_rows(id, about) {
        put(engine, transaction, &table, row)?;
    }
    Ok(())
}

fn table(engine: &Engine, name: &str) -> Result<TableFacts, Refused> {
    engine.find_table("dbo", name).ok_or(Refused::Absent)
}

fn put(
    engine: &mut Engine,
    transaction: crate::engine::TransactionId,
    table: &TableFacts,
    row: Row<'_>,
) -> Result<(), Refused> {
    let columns = &table.definition.columns;
    let mut values = vec![Value::Null; columns.len()];
    for (name, value) in row {
        if let Some(index) = columns.iter().position(|column| column.name == name) {
            values[index] = value;
        }
    }
    engine.insert(transaction, table.id, &values)?;
    Ok(())
}

/// The media set, where an earlier backup on the same media made its row.
fn media_set_id(engine: &mut Engine, about: &Conclusion<'_>) -> Result<Option<i64>, Refused> {
    let table = table(engine, TABLES[0])?;
    let uuid = Value::Guid(about.media.id);
    let mut found = None;
    engine.scan(table.id, &mut |_, row| {
        if row.get(1) == Some(&uuid)
            && let Some(Value::Integer(id)) = row.first()
        {
            found = Some(*id);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn media_set_row(id: i64, about: &Conclusion<'_>) -> Row<'static> {
    let media = about.media;
    let families = about.order.mirrors[0].len() as i64;
    vec![
        ("media_set_id", Value::Integer(id)),
        ("media_uuid", Value::Guid(media.id)),
        ("media_family_count", Value::Integer(families)),
        ("name", text(&media.name)),
        ("description", text(&media.description)),
        ("software_name", SOFTWARE.into()),
        ("software_vendor_id", Value::Integer(VENDOR)),
        ("MTF_major_version", Value::Integer(1)),
        ("mirror_count", Value::Integer(about.order.mirrors.len() as i64)),
        ("is_password_protected", false.into()),
        ("is_compressed", media.compressed.into()),
        ("is_encrypted", false.into()),
    ]
}

fn family_rows(media_set: i64, about: &Conclusion<'_>) -> Vec<Row<'static>> {
    let block_size = about.media.block_size.bytes() as i64;
    let mut rows = Vec::new();
    for (mirror, devices) in about.order.mirrors.iter().enumerate() {
        for (index, device) in devices.iter().enumerate() {
            let kind = match device {
                Device::Url(_) => URL,
                Device::Disk(_) | Device::Nul => DISK,
            };
            rows.push(vec![
                ("media_set_id", Value::Integer(media_set)),
                ("family_sequence_number", Value::Integer(index as i64 + 1)),
                ("media_count", Value::Integer(1)),
                ("physical_device_name", device.name().into()),
                ("device_type", Value::Integer(kind)),
                ("physical_block_size", Value::Integer(block_size)),
                ("mirror", Value::Integer(mirror as i64)),
            ]);
        }
    }
    rows
}

fn set_row<'a>(id: i64, media_set: i64, about: &Conclusion<'_>, collation: &str) -> Row<'a> {
    let mut row = identity_columns(id, media_set, about);
    row.extend(bound_columns(about));
    row.extend(flag_columns(about));
    row.push(("collation_name", collation.into()));
    row
}

fn identity_columns<'a>(id: i64, media_set: i64, about: &Conclusion<'_>) -> Row<'a> {
    let set = &about.set;
    let families = Value::Integer(about.order.mirrors[0].len() as i64);
    let letter = match about.order.kind {
        Kind::Full => "D",
        Kind::Differential => "I",
        Kind::Log => "L",
    };
    let quarters = set
        .time_zone_offset_minutes
        .map_or(127, |minutes| i64::from(minutes / 15));
    vec![
        ("backup_set_id", Value::Integer(id)),
        ("backup_set_uuid", set.backup_set_guid.into()),
        ("media_set_id", Value::Integer(media_set)),
        ("first_family_number", Value::Integer(1)),
        ("first_media_number", Value::Integer(1)),
        ("last_family_number", families),
        ("last_media_number", Value::Integer(1)),
        ("catalog_family_number", Value::Integer(1)),
        ("catalog_media_number", Value::Integer(1)),
        ("position", Value::Integer(i64::from(about.media.position))),
        ("expiration_date", about.expiration.map(date).into()),
        ("software_vendor_id", Value::Integer(VENDOR)),
        ("name", text(&set.backup_name)),
        ("description", text(&set.backup_description)),
        ("user_name", text(&set.user_name)),
        ("software_major_version", number(set.software_version.major)),
        ("software_minor_version", number(set.software_version.minor)),
        ("software_build_version", number(set.software_version.build)),
        ("time_zone", Value::Integer(quarters)),
        ("mtf_minor_version", Value::Integer(0)),
        ("type", letter.into()),
        ("sort_order", Value::Integer(SORT_ORDER)),
        ("code_page", Value::Integer(0)),
        ("compatibility_level", number(set.compatibility_level)),
        ("database_version", number(set.database_version)),
        ("database_name", text(&set.database_name)),
        ("server_name", text(&set.server_name)),
        ("machine_name", text(&set.machine_name)),
        ("unicode_locale", Value::Integer(LOCALE)),
        ("unicode_compare_style", Value::Integer(COMPARISON_STYLE)),
    ]
}

fn bound_columns<'a>(about: &Conclusion<'_>) -> Row<'a> {
    let set = &about.set;
    let finish = set.backup_finish_date.map(date);
    // The time of the last transaction is not kept; the log up to the start of the backup is in it for certain.
    let restorable = (about.order.kind == Kind::Log)
        .then(|| set.backup_start_date.map(date))
        .flatten();
    let algorithm = about.media.compressed.then_some("MS_XPRESS");
    vec![
        ("first_lsn", lsn(set.first_lsn)),
        ("last_lsn", lsn(set.last_lsn)),
        ("checkpoint_lsn", lsn(set.checkpoint_lsn)),
        (
            "database_backup_lsn",
            set.database_backup_lsn.unwrap_or_default().into(),
        ),
        (
            "database_creation_date",
            set.database_creation_date.map(date).into(),
        ),
        ("backup_start_date", set.backup_start_date.map(date).into()),
        ("backup_finish_date", finish.into()),
        ("backup_size", bytes(set.backup_size)),
        (
            "compressed_backup_size",
            bytes(if about.media.compressed {
                about.sent
            } else {
                set.backup_size
            }),
        ),
        (
            "first_recovery_fork_guid",
            set.first_recovery_fork_id.or(set.recovery_fork_id).into(),
        ),
        ("last_recovery_fork_guid", set.recovery_fork_id.into()),
        ("fork_point_lsn", set.fork_point_lsn.map(Value::from).into()),
        ("database_guid", set.binding_id.into()),
        ("family_guid", set.family_guid.into()),
        ("differential_base_lsn", lsn(set.differential_base_lsn)),
        ("differential_base_guid", set.differential_base_guid.into()),
        ("last_valid_restore_time", restorable.into()),
        ("compression_algorithm", algorithm.into()),
    ]
}

fn flag_columns<'a>(about: &Conclusion<'_>) -> Row<'a> {
    let set = &about.set;
    let model = match set.recovery_model {
        RecoveryModel::Full => "FULL",
        RecoveryModel::BulkLogged => "BULK-LOGGED",
        RecoveryModel::Simple => "SIMPLE",
    };
    let has = |bit: u32| Value::Bit(about.flags & bit != 0);
    vec![
        ("flags", Value::Integer(i64::from(about.flags))),
        ("is_password_protected", false.into()),
        ("recovery_model", model.into()),
        ("has_bulk_logged_data", set.has_bulk_logged_data.into()),
        ("is_snapshot", false.into()),
        ("is_readonly", has(4)),
        ("is_single_user", has(8)),
        ("has_backup_checksums", set.has_backup_checksums.into()),
        ("is_damaged", about.damaged.into()),
        ("begins_log_chain", about.begins_log_chain.into()),
        ("has_incomplete_metadata", false.into()),
        ("is_force_offline", (about.order.after != After::Online).into()),
        ("is_copy_only", set.is_copy_only.into()),
    ]
}

fn file_rows(set: i64, about: &Conclusion<'_>) -> Vec<Row<'static>> {
    let files = about.files.iter().zip(&about.set.files);
    files
        .map(|(file, told)| file_row(set, about, file, told))
        .collect()
}

fn file_row(
    set: i64,
    about: &Conclusion<'_>,
    file: &crate::engine::DatabaseFile,
    told: &bak::DatabaseFile,
) -> Row<'static> {
    let is_data = file.file_type == bak::FileType::Data;
    let pages = about.pages.iter().find(|(id, _)| *id == file.file_id);
    let pages = pages.map_or(0, |(_, pages)| *pages);
    let size = if is_data { pages * 8192 } else { about.log_bytes };
    let base = about.base.filter(|_| is_data);
    let drive = file.physical_name.get(..2).filter(|start| start.ends_with(':'));
    vec![
        ("backup_set_id", Value::Integer(set)),
        ("first_family_number", Value::Integer(1)),
        ("first_media_number", Value::Integer(1)),
        ("filegroup_name", told.filegroup.clone().into()),
        ("page_size", Value::Integer(8192)),
        ("file_number", bytes(u64::from(file.file_id))),
        ("backed_up_page_count", bytes(if is_data { pages } else { 0 })),
        ("file_type", if is_data { "D" } else { "L" }.into()),
        ("source_file_block_size", bytes(4096)),
        ("file_size", bytes(told.size)),
        ("logical_name", text(&file.logical_name)),
        ("physical_drive", drive.into()),
        ("physical_name", text(&file.physical_name)),
        ("state", Value::Integer(0)),
        ("state_desc", "ONLINE".into()),
        ("create_lsn", file.create_lsn.unwrap_or_default().into()),
        ("drop_lsn", Lsn::ZERO.into()),
        ("file_guid", Value::Guid(file.unique_id)),
        ("read_only_lsn", Lsn::ZERO.into()),
        ("read_write_lsn", Lsn::ZERO.into()),
        ("differential_base_lsn", lsn(base.map(|(lsn, _)| lsn))),
        ("differential_base_guid", base.map(|(_, guid)| guid).into()),
        ("backup_size", bytes(size)),
        ("is_readonly", false.into()),
        ("is_present", true.into()),
    ]
}

fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

fn number(number: impl Into<i64>) -> Value {
    Value::Integer(number.into())
}

fn lsn(lsn: Option<Lsn>) -> Value {
    lsn.map(Value::from).unwrap_or(Value::Null)
}

/// `numeric(20,0)`.
fn bytes(bytes: u64) -> Value {
    Value::Decimal(Decimal {
        unscaled: i128::from(bytes),
        scale: 0,
    })
}

fn date(time: LocalTime) -> Value {
    let midnight = DateTime::midnight(i32::from(time.year), time.month, time.day);
    let seconds = u64::from(time.hour) * 3600 + u64::from(time.minute) * 60 + u64::from(time.second);
    Value::DateTime(DateTime {
        ticks: seconds * 10_000_000,
        ..midnight
    })
}
