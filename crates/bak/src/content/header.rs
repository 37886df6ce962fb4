//! What the headers of media and sets hold beyond what a report tells: the rest of the columns of RESTORE HEADERONLY, FILELISTONLY
//! and LABELONLY. Plain values as stored; nothing here judges them.

use uuid::Uuid;

use crate::backup_set::{BackupSet, Media};
use crate::local_time::LocalTime;
use crate::lsn::Lsn;

/// The header of a media family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaHeader {
    /// Media set, family, block size.
    pub media: Media,
    /// Number of the family that its set maps repeat.
    pub family_id: u32,
    /// MEDIANAME; empty for none.
    pub name: String,
    /// MEDIADESCRIPTION; empty for none.
    pub description: String,
    /// When the media was formatted, on the server's clock.
    pub date: Option<LocalTime>,
    /// Vendor of the software, 4608 for Microsoft.
    pub vendor: u16,
    /// Major version of the tape format, 1.
    pub format_version: u8,
    /// The compressed container.
    pub compressed: bool,
}

/// The header of a backup set, as at its start or as its commit record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetHeader {
    /// What a report tells.
    pub set: BackupSet,
    /// Flags as RESTORE HEADERONLY prints them.
    pub flags: u32,
    /// Status bits of the database (1 AUTO_CLOSE, 4 bulk-logged, 8 SIMPLE, 0x10 torn-page protection, 0x10000 page checksums, ...).
    pub status: u32,
    /// EXPIREDATE; `None` where it never expires.
    pub expiration: Option<LocalTime>,
    /// Vendor of the software, 4608 for Microsoft.
    pub vendor: u16,
    /// Sort order of the server's collation, 0 for a Windows collation.
    pub sort_order: u8,
    /// Code page field; 1 in all real sets.
    pub code_page: u8,
    /// Windows locale.
    pub locale: u32,
    /// Comparison style.
    pub comparison_style: u32,
    /// Number of the collation.
    pub collation_id: u32,
    /// Number that the database had on its server.
    pub database_id: u16,
    /// Thumbprint of the certificate that protects the database's encryption key, as this project's own writer stores it; where SQL Server does is
    /// not known.
    pub tde_thumbprint: Option<[u8; 20]>,
    /// Of each of the set's files, in their order.
    pub files: Vec<FileHeader>,
}

/// What the configuration says of a database file beyond [`crate::DatabaseFile`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHeader {
    /// File id within the database, from 1.
    pub file_id: u32,
    /// Filegroup id; 0 for a log file.
    pub group_id: u32,
    /// Sector size of the volume the file lay on: SourceBlockSize of FILELISTONLY.
    pub sector_size: u32,
    /// Growth: a multiple of 65,536 is bytes, a number up to 100 a percentage.
    pub growth: u32,
    /// CheckpointLSN of the differential base.
    pub base_lsn: Option<Lsn>,
    /// BackupSetGUID of the differential base.
    pub base_guid: Option<Uuid>,
    /// Bytes of the file in the backup.
    pub backup_bytes: u64,
}
