//! SFIN, the chunk that describes a database file. Offsets are from its tag, proved on real backups of builds 9.0 to 17.0.
//!
//! | bytes | field |
//! |---|---|
//! | 20..24 | file id |
//! | 32..36 | sector size of the volume it lay on |
//! | 36..40 | filegroup id; 0 is how a log file shows, the flags at 8 do not tell reliably |
//! | 40..48 | size in bytes |
//! | 48, 52 | tape addresses of the logical and the physical name |
//! | 86..94 | largest size in bytes |
//! | 94..98 | growth: a multiple of 65,536 is bytes, a number up to 100 a percentage (no flag that tells is known) |
//! | 158..168 | data files: CheckpointLSN of the differential base (a full backup's own, at its end) |
//! | 170..186 | in the commit record of a full backup: its BackupSetGUID (data files) |
//! | 186..202 | UniqueId |
//! | 250..258 | bytes of it in the backup, over all passes of data or log |

use uuid::Uuid;

use super::chunk_text;
use crate::bytes::{guid_at, lsn_at, u32_at, u64_at};
use crate::lsn::Lsn;

const SHORTEST: usize = 202;

/// A database file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileInfo {
    pub(crate) file_id: u32,
    pub(crate) group_id: u32,
    pub(crate) sector_size: u32,
    pub(crate) growth: u32,
    pub(crate) base_lsn: Lsn,
    /// Zero where the chunk is too short to tell.
    pub(crate) backup_bytes: u64,
    pub(crate) size: u64,
    pub(crate) max_size: u64,
    pub(crate) logical_name: String,
    pub(crate) physical_name: String,
    pub(crate) unique_id: Uuid,
    pub(crate) set_guid: Uuid,
}

impl FileInfo {
    /// Reads the chunk; the error is a sentence about what cannot be read.
    pub(crate) fn parse(chunk: &[u8]) -> Result<Self, String> {
        if chunk.len() < SHORTEST {
            return Err(format!("an SFIN chunk has only {} bytes", chunk.len()));
        }
        Ok(Self {
            file_id: u32_at(chunk, 20),
            group_id: u32_at(chunk, 36),
            sector_size: u32_at(chunk, 32),
            growth: u32_at(chunk, 94),
            base_lsn: lsn_at(chunk, 158),
            backup_bytes: u64_at(chunk, 250),
            size: u64_at(chunk, 40),
            max_size: u64_at(chunk, 86),
            logical_name: chunk_text(chunk, 48, "a file's logical name")?,
            physical_name: chunk_text(chunk, 52, "a file's physical name")?,
            unique_id: guid_at(chunk, 186),
            set_guid: guid_at(chunk, 170),
        })
    }

    pub(crate) fn is_log(&self) -> bool {
        self.group_id == 0
    }

    /// What cannot change while a backup runs; sizes can.
    pub(crate) fn identity(&self) -> (u32, u32, &str, &str, Uuid) {
        (
            self.file_id,
            self.group_id,
            &self.logical_name,
            &self.physical_name,
            self.unique_id,
        )
    }
}
