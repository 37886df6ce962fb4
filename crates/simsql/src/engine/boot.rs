//! What a database knows of itself, on its boot page (1:9) and in its file header pages.

use bak::{LocalTime, Lsn};
use uuid::Uuid;

use super::DatabaseFile;
use super::boot_page::{BOOT_PAGE, BootPage};
use super::pages::PAGE;
use crate::world::{Disk, Open};

pub use bak::RecoveryModel;

/// How pages are protected: `page_verify_option`.
pub use bak::writer::page::Protection;

/// Facts that travel with the database's pages, and so with its backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// Name when it was last written (a restored database keeps the old one until it is recovered).
    pub name: String,
    /// Internal version, 904 is 2019 (facts of the format list them all).
    pub version: u16,
    /// Internal version of the server that made it.
    pub created_version: u16,
    /// 100 to 170.
    pub compatibility_level: u8,
    /// How the log is kept.
    pub recovery_model: RecoveryModel,
    /// How pages are protected.
    pub page_verify: Protection,
    /// When it was created, on the server's clock.
    pub created: LocalTime,
    /// Constant through restores and renames.
    pub family_guid: Uuid,
    /// New with each restore that makes a database: `database_guid`, BindingID of a backup.
    pub binding_id: Uuid,
    /// Fork that it is on.
    pub recovery_fork: Uuid,
    /// Fork it came from, and where they part; `None` where it never forked.
    pub first_fork: Option<(Uuid, Lsn)>,
    /// Last checkpoint.
    pub checkpoint_lsn: Lsn,
    /// CheckpointLSN of the last conventional full backup.
    pub database_backup_lsn: Option<Lsn>,
    /// CheckpointLSN, BackupSetGUID and time of the differential base.
    pub differential_base: Option<(Lsn, Uuid, LocalTime)>,
    /// Where the chain of log backups began; `None` under SIMPLE and until the first full backup.
    pub log_chain_lsn: Option<Lsn>,
    /// Where the next log backup begins; `None` as above (`pseudo-simple`).
    pub last_log_backup_lsn: Option<Lsn>,
    /// When the last log backup was.
    pub log_backup_time: Option<LocalTime>,
    /// Where a RESTORE LOG must go on while the database is restoring: LSN and fork.
    pub redo_start: Option<(Lsn, Uuid)>,
    /// The newest change that was minimally logged since the last log backup.
    pub bulk_logged: Option<Lsn>,
    /// The data that was restored last, while the database is restoring.
    pub restored: Option<RestoredData>,
    /// Every other option that a database carries, as it stands in ALTER DATABASE: bit per option of the instance's table.
    pub option_bits: u32,
}

/// What must be remembered of data backups until the end of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoredData {
    /// LastLSN of the full backup: where the database stands as long as nothing else was restored over it.
    pub base_end: Lsn,
    /// When the newest data backup was finished, on the server's clock: the pages are no older than that.
    pub finished: LocalTime,
}

impl Boot {
    /// The facts of a database that is not open, from the boot page in its file; `None` where that cannot be read. One page is
    /// read, nothing else.
    #[must_use]
    pub fn of_closed(disk: &dyn Disk, files: &[DatabaseFile]) -> Option<Self> {
        let primary = files.iter().find(|file| file.file_id == BOOT_PAGE.file)?;
        let file = disk.open(&primary.physical_name, Open::Read).ok()?;
        let mut page = Box::new([0; PAGE]);
        file.read_at(u64::from(BOOT_PAGE.page) * PAGE as u64, &mut page[..])
            .ok()?;
        BootPage::decode(&page).map(|found| found.boot)
    }
}
