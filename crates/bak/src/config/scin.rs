//! SCIN, the chunk that describes the backup set. Offsets are from its tag; each was proved on real backups of builds 9.0 to 17.0
//! unless it says otherwise.
//!
//! | bytes | field |
//! |---|---|
//! | 8..12 | flags as RESTORE HEADERONLY prints them: 0x10 checksums; 1 bulk-logged data, 0x400 copy-only (documented, no sample) |
//! | 24..28 | u16 build, u8 minor, u8 major |
//! | 32, 42, 52, 62 | FirstLSN, LastLSN, CheckpointLSN, DatabaseBackupLSN, 10 bytes each |
//! | 72, 77, 82 | creation, start, finish, 5 bytes each |
//! | 87 | type letter |
//! | 88, 89 | sort order, code page |
//! | 91 | compatibility level |
//! | 92..94 | database id |
//! | 94..96 | database version |
//! | 96..104 | backup size |
//! | 104, 108 | tape addresses of the database's and the server's name |
//! | 116..120, 120..124 | Windows locale, comparison style |
//! | 124..140 | BindingID |
//! | 156..172 | RecoveryForkID |
//! | 172..182, 184..200 | fork point LSN, first fork id (zero where the database never forked) |
//! | 216..220 | collation id |
//! | 224..240 | FamilyGUID |
//! | 244..248 | status bits: 4 BULK_LOGGED, 8 SIMPLE |
//! | 248..258 | LSN where the current log chain began, 0 under SIMPLE (documented nowhere; see [`crate::BackupSet::log_chain_lsn`]) |
//! | 260..270, 272..288 | differential base LSN and GUID |
//! | 392..396 | from 2012 on 0; of this project's own writer the tape address of a TDE thumbprint |
//!
//! The fixed part has 344 bytes in 2005, 364 in 2008, 400 from 2012 on; text follows.

use uuid::Uuid;

use super::chunk_text;
use crate::backup_set::{BackupType, RecoveryModel};
use crate::bytes::{array, guid_at, lsn_at, time_at, u16_at, u32_at, u64_at};
use crate::local_time::LocalTime;
use crate::lsn::Lsn;
use crate::software_version::SoftwareVersion;

const SHORTEST: usize = 344;
/// The fixed part from 2012 on.
const LONG: usize = 400;
/// Bytes of a certificate's thumbprint.
const THUMBPRINT: usize = 20;
const FLAG_BULK_LOGGED_DATA: u32 = 1;
const FLAG_CHECKSUMS: u32 = 0x10;
const FLAG_COPY_ONLY: u32 = 0x400;
const STATUS_BULK_LOGGED: u32 = 4;
const STATUS_SIMPLE: u32 = 8;

/// SCIN as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scin {
    pub(crate) flags: u32,
    pub(crate) version: SoftwareVersion,
    pub(crate) first_lsn: Lsn,
    pub(crate) last_lsn: Lsn,
    pub(crate) checkpoint_lsn: Lsn,
    pub(crate) database_backup_lsn: Lsn,
    pub(crate) created: Option<LocalTime>,
    pub(crate) started: Option<LocalTime>,
    pub(crate) finished: Option<LocalTime>,
    pub(crate) type_letter: u8,
    pub(crate) sort_order: u8,
    pub(crate) code_page: u8,
    pub(crate) compatibility_level: u8,
    pub(crate) database_id: u16,
    pub(crate) database_version: u16,
    pub(crate) backup_size: u64,
    pub(crate) database_name: String,
    pub(crate) server_name: String,
    pub(crate) locale: u32,
    pub(crate) comparison_style: u32,
    pub(crate) collation_id: u32,
    pub(crate) binding_id: Uuid,
    pub(crate) fork_id: Uuid,
    pub(crate) fork_point_lsn: Lsn,
    pub(crate) first_fork_id: Uuid,
    pub(crate) family_guid: Uuid,
    pub(crate) status: u32,
    pub(crate) log_chain_lsn: Lsn,
    pub(crate) differential_base_lsn: Lsn,
    pub(crate) differential_base_guid: Uuid,
    pub(crate) tde_thumbprint: Option<[u8; THUMBPRINT]>,
}

/// The thumbprint that 392 leads to, where the fixed part reaches that far: text follows it.
fn thumbprint(chunk: &[u8]) -> Option<[u8; THUMBPRINT]> {
    let is_long = usize::from(u16_at(chunk, 106)) >= LONG;
    let (size, start) = (usize::from(u16_at(chunk, 392)), usize::from(u16_at(chunk, 394)));
    let bytes = chunk.get(start..start + THUMBPRINT)?;
    (is_long && size == THUMBPRINT && start >= LONG).then(|| array(bytes, 0))
}

impl Scin {
    /// Reads the chunk; the error is a sentence about what cannot be read.
    pub(crate) fn parse(chunk: &[u8]) -> Result<Self, String> {
        if chunk.len() < SHORTEST {
            return Err(format!(
                "the SCIN chunk has {} bytes; the shortest known has {SHORTEST}",
                chunk.len()
            ));
        }
        Ok(Self {
            flags: u32_at(chunk, 8),
            version: SoftwareVersion {
                major: chunk[27],
                minor: chunk[26],
                build: u16_at(chunk, 24),
            },
            first_lsn: lsn_at(chunk, 32),
            last_lsn: lsn_at(chunk, 42),
            checkpoint_lsn: lsn_at(chunk, 52),
            database_backup_lsn: lsn_at(chunk, 62),
            created: time_at(chunk, 72),
            started: time_at(chunk, 77),
            finished: time_at(chunk, 82),
            type_letter: chunk[87],
            sort_order: chunk[88],
            code_page: chunk[89],
            compatibility_level: chunk[91],
            database_id: u16_at(chunk, 92),
            database_version: u16_at(chunk, 94),
            backup_size: u64_at(chunk, 96),
            database_name: chunk_text(chunk, 104, "the database's name")?,
            server_name: chunk_text(chunk, 108, "the server's name")?,
            locale: u32_at(chunk, 116),
            comparison_style: u32_at(chunk, 120),
            collation_id: u32_at(chunk, 216),
            binding_id: guid_at(chunk, 124),
            fork_id: guid_at(chunk, 156),
            fork_point_lsn: lsn_at(chunk, 172),
            first_fork_id: guid_at(chunk, 184),
            family_guid: guid_at(chunk, 224),
            status: u32_at(chunk, 244),
            log_chain_lsn: lsn_at(chunk, 248),
            differential_base_lsn: lsn_at(chunk, 260),
            differential_base_guid: Uuid::from_bytes_le(array(chunk, 272)),
            tde_thumbprint: thumbprint(chunk),
        })
    }

    pub(crate) fn backup_type(&self) -> BackupType {
        match self.type_letter {
            b'D' => BackupType::Full,
            b'I' => BackupType::Differential,
            b'L' => BackupType::Log,
            b'F' => BackupType::File,
            b'G' => BackupType::DifferentialFile,
            b'P' => BackupType::Partial,
            b'Q' => BackupType::DifferentialPartial,
            _ => BackupType::Other,
        }
    }

    pub(crate) fn recovery_model(&self) -> RecoveryModel {
        if self.status & STATUS_SIMPLE != 0 {
            RecoveryModel::Simple
        } else if self.status & STATUS_BULK_LOGGED != 0 {
            RecoveryModel::BulkLogged
        } else {
            RecoveryModel::Full
        }
    }

    pub(crate) fn has_checksums(&self) -> bool {
        self.flags & FLAG_CHECKSUMS != 0
    }

    pub(crate) fn has_bulk_logged_data(&self) -> bool {
        self.flags & FLAG_BULK_LOGGED_DATA != 0
    }

    pub(crate) fn is_copy_only(&self) -> bool {
        self.flags & FLAG_COPY_ONLY != 0
    }

    /// See [`super::Config::identity_differs`]. LSNs, sizes, the finish date, the compatibility level and the status bits may change.
    pub(crate) fn identity_differs(&self, other: &Self) -> Option<&'static str> {
        let facts = [
            (self.version == other.version, "the software version"),
            (
                self.database_backup_lsn == other.database_backup_lsn,
                "the DatabaseBackupLSN",
            ),
            (self.created == other.created, "the database's creation date"),
            (self.started == other.started, "the start date"),
            (self.type_letter == other.type_letter, "the backup type"),
            (
                self.database_version == other.database_version,
                "the database version",
            ),
            (self.database_name == other.database_name, "the database's name"),
            (self.server_name == other.server_name, "the server's name"),
            (self.binding_id == other.binding_id, "the binding id"),
            (self.family_guid == other.family_guid, "the family GUID"),
            (
                self.differential_base_lsn == other.differential_base_lsn,
                "the differential base LSN",
            ),
            (
                self.differential_base_guid == other.differential_base_guid,
                "the differential base GUID",
            ),
        ];
        facts.iter().find(|(same, _)| !same).map(|(_, what)| *what)
    }
}
