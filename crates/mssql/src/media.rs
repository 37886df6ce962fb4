//! What lies on a medium, as the instance itself reads it: RESTORE HEADERONLY and RESTORE FILELISTONLY.
//!
//! The lists of columns grow by version, so they are read by name, whatever the case of its letters: documents and servers differ in
//! `FileID` and `FileId`. What a version does not have is `None`. A set that breaks off has a row of its own without a
//! BackupSetGUID, which is a set that cannot be restored.
//!
//! Deliberately absent: LABELONLY, and any judgement of what was read.

use bak::Lsn;
use uuid::Uuid;

use crate::outcome::Row;
use crate::session::{Error, Session};
use crate::statement::Devices;
use crate::statement::restore::{Inspection, Look};
use crate::value::DateTime;

/// A backup set on a medium: a row of HEADERONLY.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// NAME.
    pub name: Option<String>,
    /// DESCRIPTION.
    pub description: Option<String>,
    /// 1 full, 2 log, 4 file, 5 differential, 6 differential of a file, 7 partial, 8 differential of a partial.
    pub kind: i32,
    /// Its number on the medium, from 1.
    pub position: i32,
    /// BackupSetGUID; `None` for a set that breaks off.
    pub guid: Option<Uuid>,
    /// The server that took it.
    pub server_name: Option<String>,
    /// The database as it was called.
    pub database_name: Option<String>,
    /// Internal version of the database (661: 2008 R2): an older instance cannot restore it.
    pub database_version: Option<i32>,
    /// Major, minor and build of the instance that took it.
    pub software: Option<(i32, i32, i32)>,
    /// The database: BindingID.
    pub database_guid: Option<Uuid>,
    /// Its family.
    pub family_guid: Option<Uuid>,
    /// LSNs, where they are not NULL or 0.
    pub first_lsn: Option<Lsn>,
    /// One past the last.
    pub last_lsn: Option<Lsn>,
    /// Where redo begins.
    pub checkpoint_lsn: Option<Lsn>,
    /// When it began, on the clock of the server that took it.
    pub started: Option<DateTime>,
    /// When it ended.
    pub finished: Option<DateTime>,
    /// FULL, BULK-LOGGED or SIMPLE.
    pub recovery_model: Option<String>,
    /// WITH CHECKSUM: only then RESTORE may ask for them.
    pub has_checksums: bool,
    /// Made over damage, with CONTINUE_AFTER_ERROR.
    pub is_damaged: bool,
    /// COPY_ONLY.
    pub is_copy_only: bool,
    /// AES_256, ... where it is encrypted (2014 and later).
    pub key_algorithm: Option<String>,
    /// Thumbprint of the certificate that it is encrypted for.
    pub encryptor_thumbprint: Option<Vec<u8>>,
}

/// A file of the database that a set is of: a row of FILELISTONLY.
#[derive(Clone, Debug, PartialEq)]
pub struct BackedFile {
    /// Its logical name, by which MOVE knows it.
    pub logical_name: String,
    /// Its path where it was backed up, and where it goes without MOVE.
    pub physical_name: String,
    /// D data, L log, F full text, S FILESTREAM or memory-optimised.
    pub kind: char,
    /// Its filegroup; `None` for a log.
    pub filegroup: Option<String>,
    /// Bytes that it takes on the target.
    pub size: u64,
    /// `file_id`.
    pub id: i32,
    /// It is in this set; a file that is not is restored from another one.
    pub is_present: bool,
    /// READ_ONLY.
    pub is_read_only: bool,
    /// Thumbprint of the certificate that its database is encrypted with (transparent data encryption).
    pub tde_thumbprint: Option<Vec<u8>>,
}

/// The backup sets of a medium, in their order.
///
/// # Errors
/// [`Error`]; [`Error::Refused`] where the medium cannot be opened or read, or the login may not create databases.
pub async fn headers(session: &mut Session, devices: Devices) -> Result<Vec<Header>, Error> {
    let text = look(Look::HeaderOnly, devices, 1);
    session
        .query(&text)
        .await?
        .iter()
        .map(|row| header(&row))
        .collect()
}

/// The files of the set at `position`, from 1; of blobs there is only one.
///
/// # Errors
/// As for [`headers`].
pub async fn files(session: &mut Session, devices: Devices, position: u16) -> Result<Vec<BackedFile>, Error> {
    let text = look(Look::FileListOnly, devices, position);
    session.query(&text).await?.iter().map(|row| file(&row)).collect()
}

fn look(look: Look, devices: Devices, position: u16) -> String {
    let inspection = Inspection {
        look,
        devices,
        position,
    };
    inspection.to_string()
}

fn header(row: &Row<'_>) -> Result<Header, Error> {
    let flag = |column| row.optional::<bool>(column).map(|flag| flag == Some(true));
    let lsn = |column| row.optional::<Lsn>(column).map(|lsn| lsn.and_then(Lsn::non_zero));
    let number = |column| row.optional::<i32>(column);
    let software = (
        number("SoftwareVersionMajor")?,
        number("SoftwareVersionMinor")?,
        number("SoftwareVersionBuild")?,
    );
    Ok(Header {
        name: row.optional("BackupName")?,
        description: row.optional("BackupDescription")?,
        kind: number("BackupType")?.unwrap_or_default(),
        position: row.get("Position")?,
        guid: row
            .optional::<Uuid>("BackupSetGUID")?
            .filter(|guid| !guid.is_nil()),
        server_name: row.optional("ServerName")?,
        database_name: row.optional("DatabaseName")?,
        database_version: number("DatabaseVersion")?,
        software: match software {
            (Some(major), Some(minor), Some(build)) => Some((major, minor, build)),
            _ => None,
        },
        database_guid: row.optional("BindingID")?,
        family_guid: row.optional("FamilyGUID")?,
        first_lsn: lsn("FirstLSN")?,
        last_lsn: lsn("LastLSN")?,
        checkpoint_lsn: lsn("CheckpointLSN")?,
        started: row.optional("BackupStartDate")?,
        finished: row.optional("BackupFinishDate")?,
        recovery_model: row.optional("RecoveryModel")?,
        has_checksums: flag("HasBackupChecksums")?,
        is_damaged: flag("IsDamaged")?,
        is_copy_only: flag("IsCopyOnly")?,
        key_algorithm: row.if_there("KeyAlgorithm")?,
        encryptor_thumbprint: row.if_there("EncryptorThumbprint")?,
    })
}

fn file(row: &Row<'_>) -> Result<BackedFile, Error> {
    let kind: String = row.get("Type")?;
    Ok(BackedFile {
        logical_name: row.get("LogicalName")?,
        physical_name: row.get("PhysicalName")?,
        kind: kind.chars().next().unwrap_or('?'),
        filegroup: row.optional("FileGroupName")?,
        size: row.get("Size")?,
        id: row.get("FileID")?,
        is_present: row.get("IsPresent")?,
        is_read_only: row.get("IsReadOnly")?,
        tde_thumbprint: row.optional("TDEThumbprint")?,
    })
}
