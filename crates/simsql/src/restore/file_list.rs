//! RESTORE FILELISTONLY: one row for each file of the database that was backed up.

use bak::content::{FileHeader, SetHeader};
use bak::{DatabaseFile, FileType, Lsn};

use super::header_only::{bytes, nvarchar, text_or_null};
use super::sheet::Row;
use crate::instance::Version;
use crate::instance::msdb::{BYTES, LSN};
use crate::value::{Length, SqlType, Value};

/// Bit of Flags: the database was read-only.
const READ_ONLY: u32 = 0x4;

/// The rows of a set; `thumbprint` of the certificate that protects its encryption key.
pub(super) fn rows(header: &SetHeader, thumbprint: Option<&[u8]>, version: Version) -> Vec<Row> {
    let file = |file: &DatabaseFile| {
        let details = header
            .files
            .iter()
            .find(|details| details.file_id == file.file_id);
        row(header, file, details, thumbprint, version)
    };
    header.set.files.iter().map(file).collect()
}

fn row(
    header: &SetHeader,
    file: &DatabaseFile,
    details: Option<&FileHeader>,
    thumbprint: Option<&[u8]>,
    version: Version,
) -> Row {
    let mut row = Row::default();
    let is_log = file.file_type == FileType::Log;
    let zero = || Value::from(Lsn::ZERO);
    let guids = SqlType::UniqueIdentifier;
    row.put("LogicalName", nvarchar(128), file.logical_name.clone().into());
    row.put("PhysicalName", nvarchar(260), file.physical_name.clone().into());
    row.put(
        "Type",
        SqlType::Char(1),
        Value::from(if is_log { "L" } else { "D" }),
    );
    let group = file.filegroup.as_deref().map_or(Value::Null, text_or_null);
    row.put("FileGroupName", nvarchar(128), group);
    row.put("Size", BYTES, bytes(file.size));
    row.put("MaxSize", BYTES, bytes(file.max_size));
    row.put("FileId", SqlType::BigInt, Value::Integer(i64::from(file.file_id)));
    row.put("CreateLSN", LSN, zero());
    row.put("DropLSN", LSN, zero());
    row.put("UniqueId", guids, file.unique_id.into());
    row.put("ReadOnlyLSN", LSN, zero());
    row.put("ReadWriteLSN", LSN, zero());
    let number = |value: fn(&FileHeader) -> u64| {
        Value::Integer(details.map_or(0, |details| value(details).cast_signed()))
    };
    // Of the log it tells 0, as SQL Server does: the log is no part of what a file brings.
    let size = if is_log {
        Value::Integer(0)
    } else {
        number(|details| details.backup_bytes)
    };
    row.put("BackupSizeInBytes", SqlType::BigInt, size);
    row.put(
        "SourceBlockSize",
        SqlType::Int,
        number(|details| u64::from(details.sector_size)),
    );
    row.put(
        "FileGroupId",
        SqlType::Int,
        number(|details| u64::from(details.group_id)),
    );
    row.put("LogGroupGUID", guids, Value::Null);
    let base_lsn = details.and_then(|details| details.base_lsn).unwrap_or(Lsn::ZERO);
    row.put("DifferentialBaseLSN", LSN, base_lsn.into());
    let base_guid = details.and_then(|details| details.base_guid).unwrap_or_default();
    row.put("DifferentialBaseGUID", guids, base_guid.into());
    let is_read_only = !is_log && header.flags & READ_ONLY != 0;
    row.put("IsReadOnly", SqlType::Bit, is_read_only.into());
    row.put("IsPresent", SqlType::Bit, true.into());
    let thumbprint = thumbprint.map_or(Value::Null, |bytes| Value::Bytes(bytes.to_vec()));
    row.put("TDEThumbprint", SqlType::VarBinary(Length::Of(32)), thumbprint);
    if version >= Version::V2016 {
        row.put("SnapshotUrl", nvarchar(360), Value::Null);
    }
    row
}
