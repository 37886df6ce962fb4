//! What a backup set says about itself: the columns of RESTORE HEADERONLY and RESTORE FILELISTONLY under the names of the JSON contract.
//!
//! Plain values read from the file; nothing here judges them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::local_time::LocalTime;
use crate::lsn::Lsn;
use crate::software_version::SoftwareVersion;

/// The media that one file is: a family (stripe) of a media set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Media {
    /// Shared by all families of the media set.
    pub media_set_id: Uuid,
    /// This file's family, from 1.
    pub family_number: u16,
    /// How many families (stripes) the media set has.
    pub family_count: u16,
    /// The BLOCKSIZE the file was written with, in bytes.
    pub physical_block_size: u32,
    /// `Microsoft SQL Server`.
    pub software_name: String,
}

/// What kind of backup a set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BackupType {
    /// A whole database (`D`).
    Full,
    /// What changed since a full backup (`I`).
    Differential,
    /// Transaction log (`L`).
    Log,
    /// Files or filegroups (`F`).
    File,
    /// Differential of files or filegroups (`G`).
    DifferentialFile,
    /// The writable filegroups (`P`).
    Partial,
    /// Differential of a partial backup (`Q`).
    DifferentialPartial,
    /// A letter no document names.
    Other,
}

/// How the database kept its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RecoveryModel {
    /// Everything is logged.
    #[serde(rename = "FULL")]
    Full,
    /// Bulk operations are logged as changed extents.
    #[serde(rename = "BULK_LOGGED")]
    BulkLogged,
    /// The log is truncated at checkpoints.
    #[serde(rename = "SIMPLE")]
    Simple,
}

/// What a database file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FileType {
    /// Pages.
    #[serde(rename = "D")]
    Data,
    /// Transaction log.
    #[serde(rename = "L")]
    Log,
}

/// One file of the database that was backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseFile {
    /// File id within the database, from 1.
    pub file_id: u32,
    /// Name in T-SQL.
    pub logical_name: String,
    /// Path on the server that wrote the backup.
    pub physical_name: String,
    /// Pages or log.
    #[serde(rename = "type")]
    pub file_type: FileType,
    /// Name of the filegroup; `None` for a log file.
    pub filegroup: Option<String>,
    /// Size on the server, in bytes.
    pub size: u64,
    /// Largest size it may grow to, in bytes.
    pub max_size: u64,
    /// Identity of the file; `None` where it is zero.
    pub unique_id: Option<Uuid>,
}

/// One backup set of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupSet {
    /// Position in the file, from 1.
    pub position: u16,
    /// Full, differential, log, ...
    pub backup_type: BackupType,
    /// The NAME option of the BACKUP statement.
    pub backup_name: String,
    /// The DESCRIPTION option of the BACKUP statement.
    pub backup_description: String,
    /// Who ran the BACKUP statement.
    pub user_name: String,
    /// The machine that ran it.
    pub machine_name: String,
    /// The SQL Server instance.
    pub server_name: String,
    /// The database.
    pub database_name: String,
    /// The build that wrote the set.
    pub software_version: SoftwareVersion,
    /// Internal version of the database, 661 is 2008 R2.
    pub database_version: u16,
    /// 80 to 170.
    pub compatibility_level: u8,
    /// How the database kept its log.
    pub recovery_model: RecoveryModel,
    /// The file is a compressed container.
    pub compressed: bool,
    /// Written WITH CHECKSUM.
    pub has_backup_checksums: bool,
    /// Written WITH COPY_ONLY (the bit is documented, no real file has shown it).
    pub is_copy_only: bool,
    /// First LSN in the set.
    pub first_lsn: Option<Lsn>,
    /// The LSN after the last one in the set.
    pub last_lsn: Option<Lsn>,
    /// Last checkpoint when the backup began.
    pub checkpoint_lsn: Option<Lsn>,
    /// CheckpointLSN of the full backup before this one.
    pub database_backup_lsn: Option<Lsn>,
    /// CheckpointLSN of the full backup that a differential is relative to.
    pub differential_base_lsn: Option<Lsn>,
    /// Where the recovery fork began.
    pub fork_point_lsn: Option<Lsn>,
    /// Identity of the set; shared by its stripes.
    pub backup_set_guid: Option<Uuid>,
    /// Binding id of the database.
    pub binding_id: Option<Uuid>,
    /// Identity of the database since its creation.
    pub family_guid: Option<Uuid>,
    /// Recovery fork at the end of the set.
    pub recovery_fork_id: Option<Uuid>,
    /// Recovery fork at the start of the set; `None` where the database never forked.
    pub first_recovery_fork_id: Option<Uuid>,
    /// BackupSetGUID of the full backup that a differential is relative to.
    pub differential_base_guid: Option<Uuid>,
    /// When the backup began, on the server's clock.
    pub backup_start_date: Option<LocalTime>,
    /// When the backup ended, on the server's clock; `None` until the commit record was read.
    pub backup_finish_date: Option<LocalTime>,
    /// When the database was created, on the server's clock.
    pub database_creation_date: Option<LocalTime>,
    /// Offset of the server's clock from UTC, where it is stored.
    pub time_zone_offset_minutes: Option<i16>,
    /// Size of the whole set over all stripes, before compression, in bytes.
    pub backup_size: u64,
    /// The set was read to its commit record and trailer.
    pub complete: bool,
    /// The files of the database.
    pub files: Vec<DatabaseFile>,
    /// A log backup that holds changes of a bulk-logged operation, so that it can only be restored whole (the bit is documented, no
    /// real file has shown it).
    #[serde(default)]
    pub has_bulk_logged_data: bool,
    /// Where the log chain began that the database is in. No document names the field; in 86 real sets it is never behind FirstLSN,
    /// every log backup has it and no backup under SIMPLE does. Two full backups of a 2005 database under FULL have none either, so
    /// that `None` does not prove that there is no chain.
    #[serde(default)]
    pub log_chain_lsn: Option<Lsn>,
}
