//! RESTORE HEADERONLY: one row for each backup set of the media.
//!
//! Columns, order and types are those of Microsoft's documentation for the version; the three that 2022 appends are in the order
//! in which tools list them. LastValidRestoreTime is not stored in a place that is known: it is told by what is certain, the
//! start of the backup.

use bak::content::SetHeader;
use bak::{BackupType, LocalTime, RecoveryModel};

use super::collation;
use super::family::{Family, SetFacts};
use super::sheet::{Row, datetime_or_null};
use crate::instance::Version;
use crate::instance::msdb::{BYTES, LSN};
use crate::value::{Decimal, Length, SqlType, Value};

/// Name of a set that its media do not hold to its end.
const INCOMPLETE: &str = "*** INCOMPLETE ***";
/// Bits of Flags (documentation of RESTORE HEADERONLY).
const BULK_LOGGED_DATA: u32 = 0x1;
const SNAPSHOT: u32 = 0x2;
const READ_ONLY: u32 = 0x4;
const SINGLE_USER: u32 = 0x8;
const CHECKSUMS: u32 = 0x10;
pub(super) const DAMAGED: u32 = 0x20;
const INCOMPLETE_METADATA: u32 = 0x80;
const TAIL_OF_LOG: u32 = 0x100;
/// Device types as HEADERONLY and msdb count: a file, a URL.
const FILE: i64 = 2;
const URL: i64 = 9;

/// DeviceType of a family.
pub(super) fn device_type(family: &Family) -> i64 {
    if family.is_url() { URL } else { FILE }
}

/// `numeric(20,0)`.
pub(super) fn bytes(count: u64) -> Value {
    Value::Decimal(Decimal {
        unscaled: i128::from(count),
        scale: 0,
    })
}

pub(super) fn text_or_null(text: &str) -> Value {
    if text.is_empty() {
        Value::Null
    } else {
        Value::from(text)
    }
}

/// The number of a kind of backup, and its name.
pub(super) fn kind(backup_type: BackupType) -> (i64, &'static str) {
    match backup_type {
        BackupType::Full | BackupType::Other => (1, "Database"),
        BackupType::Log => (2, "Transaction Log"),
        BackupType::File => (4, "File or Filegroup"),
        BackupType::Differential => (5, "Database Differential"),
        BackupType::DifferentialFile => (6, "File Differential"),
        BackupType::Partial => (7, "Partial"),
        BackupType::DifferentialPartial => (8, "Partial Differential"),
    }
}

/// The name of a recovery model as backups' headers print it.
pub(super) fn recovery_model(model: RecoveryModel) -> &'static str {
    match model {
        RecoveryModel::Full => "FULL",
        RecoveryModel::BulkLogged => "BULK-LOGGED",
        RecoveryModel::Simple => "SIMPLE",
    }
}

/// Whether a set begins a chain of log backups.
pub(super) fn begins_log_chain(header: &SetHeader) -> bool {
    let set = &header.set;
    set.backup_type == BackupType::Log
        && set
            .log_chain_lsn
            .is_some_and(|began| Some(began) >= set.first_lsn)
}

/// The row of a set, complete in all families or not. `compressed_size` is what it takes on the media.
pub(super) fn row(
    family: &Family,
    facts: &SetFacts,
    is_complete: bool,
    version: Version,
    compressed_size: Option<u64>,
) -> Row {
    let mut row = Row::default();
    let header = facts.header.as_deref();
    identity(&mut row, family, facts, is_complete);
    times_and_lsns(&mut row, header);
    origin(&mut row, header);
    flags(&mut row, header);
    lineage(&mut row, header);
    let compressed_size = compressed_size.or_else(|| header.map(|header| header.set.backup_size));
    row.put(
        "CompressedBackupSize",
        SqlType::BigInt,
        compressed_size
            .map(|size| Value::Integer(size.cast_signed()))
            .into(),
    );
    row.put("Containment", SqlType::TinyInt, Value::Integer(0));
    if version >= Version::V2014 {
        row.put("KeyAlgorithm", nvarchar(32), Value::Null);
        row.put(
            "EncryptorThumbprint",
            SqlType::VarBinary(Length::Of(20)),
            Value::Null,
        );
        row.put("EncryptorType", nvarchar(32), Value::Null);
    }
    if version >= Version::V2022 {
        let start = header.and_then(|header| header.set.backup_start_date);
        row.put("LastValidRestoreTime", SqlType::DateTime, datetime_or_null(start));
        let zone = header.and_then(|header| header.set.time_zone_offset_minutes);
        let quarters = zone.map_or(127, |minutes| minutes / 15).to_string();
        row.put("TimeZone", nvarchar(32), Value::Text(quarters));
        let algorithm = family.media.compressed.then_some("MS_XPRESS");
        row.put("CompressionAlgorithm", nvarchar(32), algorithm.into());
    }
    row
}

pub(super) fn nvarchar(length: u16) -> SqlType {
    SqlType::NVarChar(Length::Of(length))
}

fn of<T: Into<Value>>(header: Option<&SetHeader>, value: impl FnOnce(&SetHeader) -> T) -> Value {
    header.map_or(Value::Null, |header| value(header).into())
}

fn number(header: Option<&SetHeader>, value: impl FnOnce(&SetHeader) -> i64) -> Value {
    of(header, |header| Value::Integer(value(header)))
}

fn identity(row: &mut Row, family: &Family, facts: &SetFacts, is_complete: bool) {
    let header = facts.header.as_deref();
    let set = header.map(|header| &header.set);
    let name = if is_complete {
        set.map_or(Value::Null, |set| text_or_null(&set.backup_name))
    } else {
        Value::from(INCOMPLETE)
    };
    row.put("BackupName", nvarchar(128), name);
    let description = set.map_or(Value::Null, |set| text_or_null(&set.backup_description));
    row.put("BackupDescription", nvarchar(255), description);
    let kind = number(header, |header| kind(header.set.backup_type).0);
    row.put("BackupType", SqlType::SmallInt, kind);
    let expiration = header.and_then(|header| header.expiration);
    row.put("ExpirationDate", SqlType::DateTime, datetime_or_null(expiration));
    row.put("Compressed", SqlType::Bit, Value::Bit(family.media.compressed));
    row.put(
        "Position",
        SqlType::SmallInt,
        Value::Integer(i64::from(facts.position)),
    );
    row.put(
        "DeviceType",
        SqlType::TinyInt,
        Value::Integer(device_type(family)),
    );
    row.put(
        "UserName",
        nvarchar(128),
        of(header, |header| header.set.user_name.clone()),
    );
    row.put(
        "ServerName",
        nvarchar(128),
        of(header, |header| header.set.server_name.clone()),
    );
    row.put(
        "DatabaseName",
        nvarchar(128),
        of(header, |header| header.set.database_name.clone()),
    );
}

fn times_and_lsns(row: &mut Row, header: Option<&SetHeader>) {
    let set = header.map(|header| &header.set);
    let version = number(header, |header| i64::from(header.set.database_version));
    row.put("DatabaseVersion", SqlType::Int, version);
    let date = |date: fn(&bak::BackupSet) -> Option<LocalTime>| datetime_or_null(set.and_then(date));
    row.put(
        "DatabaseCreationDate",
        SqlType::DateTime,
        date(|set| set.database_creation_date),
    );
    row.put(
        "BackupSize",
        BYTES,
        of(header, |header| bytes(header.set.backup_size)),
    );
    let lsn = |lsn: fn(&bak::BackupSet) -> Option<bak::Lsn>| {
        set.map_or(Value::Null, |set| lsn(set).unwrap_or(bak::Lsn::ZERO).into())
    };
    row.put("FirstLSN", LSN, lsn(|set| set.first_lsn));
    row.put("LastLSN", LSN, lsn(|set| set.last_lsn));
    row.put("CheckpointLSN", LSN, lsn(|set| set.checkpoint_lsn));
    row.put("DatabaseBackupLSN", LSN, lsn(|set| set.database_backup_lsn));
    row.put(
        "BackupStartDate",
        SqlType::DateTime,
        date(|set| set.backup_start_date),
    );
    row.put(
        "BackupFinishDate",
        SqlType::DateTime,
        date(|set| set.backup_finish_date),
    );
}

fn origin(row: &mut Row, header: Option<&SetHeader>) {
    let mut put = |name: &str, sql_type: SqlType, value: fn(&SetHeader) -> i64| {
        row.put(name, sql_type, number(header, value));
    };
    put("SortOrder", SqlType::SmallInt, |header| {
        i64::from(header.sort_order)
    });
    put("CodePage", SqlType::SmallInt, |header| {
        i64::from(header.code_page)
    });
    put("UnicodeLocaleId", SqlType::Int, |header| i64::from(header.locale));
    put("UnicodeComparisonStyle", SqlType::Int, |header| {
        i64::from(header.comparison_style)
    });
    put("CompatibilityLevel", SqlType::TinyInt, |header| {
        i64::from(header.set.compatibility_level)
    });
    put("SoftwareVendorId", SqlType::Int, |header| {
        i64::from(header.vendor)
    });
    put("SoftwareVersionMajor", SqlType::Int, |header| {
        i64::from(header.set.software_version.major)
    });
    put("SoftwareVersionMinor", SqlType::Int, |header| {
        i64::from(header.set.software_version.minor)
    });
    put("SoftwareVersionBuild", SqlType::Int, |header| {
        i64::from(header.set.software_version.build)
    });
    row.put(
        "MachineName",
        nvarchar(128),
        of(header, |header| header.set.machine_name.clone()),
    );
    let flags = number(header, |header| i64::from(header.flags));
    row.put("Flags", SqlType::Int, flags);
    let guid = |guid: fn(&bak::BackupSet) -> Option<uuid::Uuid>| {
        header.map_or(Value::Null, |header| guid(&header.set).into())
    };
    let guids = SqlType::UniqueIdentifier;
    row.put("BindingID", guids, guid(|set| set.binding_id));
    row.put("RecoveryForkID", guids, guid(|set| set.recovery_fork_id));
    let name = header.and_then(|header| collation::name(header.collation_id, header.sort_order));
    row.put("Collation", nvarchar(128), name.into());
    row.put("FamilyGUID", guids, guid(|set| set.family_guid));
}

fn flags(row: &mut Row, header: Option<&SetHeader>) {
    let mut put = |name: &str, value: &dyn Fn(&SetHeader) -> bool| {
        row.put(name, SqlType::Bit, of(header, value));
    };
    let flag = |bit: u32| move |header: &SetHeader| header.flags & bit != 0;
    put("HasBulkLoggedData", &flag(BULK_LOGGED_DATA));
    put("IsSnapshot", &flag(SNAPSHOT));
    put("IsReadOnly", &flag(READ_ONLY));
    put("IsSingleUser", &flag(SINGLE_USER));
    put("HasBackupChecksums", &flag(CHECKSUMS));
    put("IsDamaged", &flag(DAMAGED));
    put("BeginsLogChain", &begins_log_chain);
    put("HasIncompleteMetaData", &flag(INCOMPLETE_METADATA));
    put("IsForceOffline", &flag(TAIL_OF_LOG));
    put("IsCopyOnly", &|header| header.set.is_copy_only);
}

fn lineage(row: &mut Row, header: Option<&SetHeader>) {
    let set = header.map(|header| &header.set);
    let guids = SqlType::UniqueIdentifier;
    let first = set.and_then(|set| set.first_recovery_fork_id.or(set.recovery_fork_id));
    row.put("FirstRecoveryForkID", guids, first.into());
    row.put("ForkPointLSN", LSN, set.and_then(|set| set.fork_point_lsn).into());
    let model = of(header, |header| recovery_model(header.set.recovery_model));
    row.put("RecoveryModel", nvarchar(60), model);
    row.put(
        "DifferentialBaseLSN",
        LSN,
        set.and_then(|set| set.differential_base_lsn).into(),
    );
    row.put(
        "DifferentialBaseGUID",
        guids,
        set.and_then(|set| set.differential_base_guid).into(),
    );
    let description = of(header, |header| kind(header.set.backup_type).1);
    row.put("BackupTypeDescription", nvarchar(60), description);
    row.put(
        "BackupSetGUID",
        guids,
        set.and_then(|set| set.backup_set_guid).into(),
    );
}
