//! The boot page, (1:9): [`Boot`] in bytes, at the offsets where SQL Server has it as far as they are known, the rest in a block
//! of our own.
//!
//! Offsets from the record, which begins at byte 96 of the page. Those marked are not in any document: they hold in 41 of 41 boot
//! pages of real backups (builds 9 to 17), compared with what the backups' headers say.
//!
//! | offset | |
//! |---|---|
//! | 4, 6 | u16 internal version, now and when created |
//! | 36 | u32 status: 4 BULK_LOGGED, 8 SIMPLE, 0x10 torn-page detection, 0x10000 checksums |
//! | 44 | datetime of creation (as `datetime`: u32 300ths of a second, i32 days since 1900) |
//! | 52 | name, 128 UTF-16 units, filled up with bytes 0x20 |
//! | 314 | u8 compatibility level |
//! | 324 | LSN where the log chain began |
//! | 336 | LSN: checkpoint of the last full backup, the differential base; 500 its BackupSetGUID |
//! | 348 | LSN of the last checkpoint |
//! | 408 | family GUID |
//! | 456 | GUID of the recovery fork |
//! | 472, 484 | LSN and GUID of the fork that it parted from |
//! | 2048 | the block of our own |

mod block;

use bak::writer::page::{HEADER, PageIdentity, PageType, Protection, put_slots, write_header};
use bak::{LocalTime, Lsn, RecoveryModel};
use uuid::Uuid;

use super::boot::Boot;
use super::pages::{Page, PageId};
use crate::value::DateTime;

/// Where it is.
pub(crate) const BOOT_PAGE: PageId = PageId { file: 1, page: 9 };

/// Bytes of the record of a page that we format: real ones end before 1,928 (build 17), then comes the block.
const RECORD: usize = 2048 + block::LONGEST;
const VERSION: usize = 4;
const CREATED_VERSION: usize = 6;
const STATUS: usize = 36;
const CREATED: usize = 44;
const NAME: usize = 52;
const NAME_UNITS: usize = 128;
const COMPATIBILITY: usize = 314;
const LOG_CHAIN: usize = 324;
const DATABASE_BACKUP: usize = 336;
const CHECKPOINT: usize = 348;
const FAMILY: usize = 408;
const FORK: usize = 456;
const FIRST_FORK_LSN: usize = 472;
const FIRST_FORK: usize = 484;
const DIFFERENTIAL_BASE: usize = 500;
const BLOCK: usize = 2048;

const BULK_LOGGED: u32 = 4;
const SIMPLE: u32 = 8;
const TORN: u32 = 0x10;
const CHECKSUM: u32 = 0x1_0000;

/// What the boot page holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BootPage {
    /// Facts of the database.
    pub(crate) boot: Boot,
    /// First IAM page of the simulation's catalog; `None` for a database that a real server made.
    pub(crate) catalog_iam: Option<PageId>,
}

impl BootPage {
    /// Writes itself onto the boot page. What is there and is not ours to know stays; a page of zeros is formatted. LSN and
    /// protection of the page are the caller's.
    pub(crate) fn encode(&self, page: &mut Page) {
        if page[1] != PageType::Boot as u8 {
            format(page);
        }
        let record = &mut page[HEADER..];
        let boot = &self.boot;
        put(record, VERSION, &boot.version.to_le_bytes());
        put(record, CREATED_VERSION, &boot.created_version.to_le_bytes());
        // What reads the same already stays to the bit: a real page holds more than is read of it.
        let before = known(record);
        let mut status = u32_at(record, STATUS);
        if before.recovery_model != boot.recovery_model {
            status = status & !(BULK_LOGGED | SIMPLE) | model_bits(boot.recovery_model);
        }
        if before.page_verify != boot.page_verify {
            status = status & !(TORN | CHECKSUM) | verify_bits(boot.page_verify);
        }
        put(record, STATUS, &status.to_le_bytes());
        if before.created != boot.created {
            put(record, CREATED, &datetime_bytes(boot.created));
        }
        put_name(record, &boot.name);
        record[COMPATIBILITY] = boot.compatibility_level;
        if before.recovery_model != boot.recovery_model || before.log_chain_lsn != boot.log_chain_lsn {
            put(record, LOG_CHAIN, &lsn_bytes(boot.log_chain_lsn));
        }
        put(record, DATABASE_BACKUP, &lsn_bytes(boot.database_backup_lsn));
        put(record, CHECKPOINT, &boot.checkpoint_lsn.to_bytes());
        put(record, FAMILY, &boot.family_guid.to_bytes_le());
        put(record, FORK, &boot.recovery_fork.to_bytes_le());
        let (fork, parted) = boot.first_fork.unwrap_or_default();
        put(record, FIRST_FORK_LSN, &parted.to_bytes());
        put(record, FIRST_FORK, &fork.to_bytes_le());
        let guid = |boot: &Boot| boot.differential_base.map_or(Uuid::nil(), |(_, guid, _)| guid);
        if guid(&before) != guid(boot) {
            put(record, DIFFERENTIAL_BASE, &guid(boot).to_bytes_le());
        }
        put(record, BLOCK, &block::encode(self));
    }

    /// Reads a boot page, ours or a real one's; `None` where it is none. What a real page is not known to tell: the binding id is
    /// on page 0 of the file and nil here; no option is set.
    pub(crate) fn decode(page: &Page) -> Option<Self> {
        if page[1] != PageType::Boot as u8 {
            return None;
        }
        let record = &page[HEADER..];
        let mut found = Self {
            boot: known(record),
            catalog_iam: None,
        };
        block::decode(&record[BLOCK..BLOCK + block::LONGEST], &mut found);
        Some(found)
    }
}

/// What the known offsets tell.
fn known(record: &[u8]) -> Boot {
    let status = u32_at(record, STATUS);
    let recovery_model = model_of(status);
    let backup = lsn_at(record, DATABASE_BACKUP).non_zero();
    let base = guid_at(record, DIFFERENTIAL_BASE);
    let created = datetime_at(record, CREATED);
    let fork = guid_at(record, FIRST_FORK);
    let chain = match recovery_model {
        RecoveryModel::Simple => None,
        _ => lsn_at(record, LOG_CHAIN).non_zero(),
    };
    Boot {
        name: name_at(record),
        version: u16_at(record, VERSION),
        created_version: u16_at(record, CREATED_VERSION),
        compatibility_level: record[COMPATIBILITY],
        recovery_model,
        page_verify: protection_of(status),
        created,
        family_guid: guid_at(record, FAMILY),
        binding_id: Uuid::nil(),
        recovery_fork: guid_at(record, FORK),
        first_fork: (!fork.is_nil()).then(|| (fork, lsn_at(record, FIRST_FORK_LSN))),
        checkpoint_lsn: lsn_at(record, CHECKPOINT),
        database_backup_lsn: backup,
        differential_base: backup.filter(|_| !base.is_nil()).map(|lsn| (lsn, base, created)),
        log_chain_lsn: chain,
        last_log_backup_lsn: chain,
        log_backup_time: None,
        redo_start: None,
        bulk_logged: None,
        restored: None,
        option_bits: 0,
    }
}

fn format(page: &mut Page) {
    page.fill(0);
    let identity = PageIdentity {
        file_id: BOOT_PAGE.file,
        page_id: BOOT_PAGE.page,
        page_type: PageType::Boot,
        object_id: 99,
        lsn: Lsn::ZERO,
    };
    write_header(page, &identity, 1, (HEADER + RECORD) as u16);
    put(&mut page[HEADER..], 2, &(RECORD as u16).to_le_bytes());
    put_slots(page, &[HEADER as u16]);
}

fn model_bits(model: RecoveryModel) -> u32 {
    match model {
        RecoveryModel::Full => 0,
        RecoveryModel::BulkLogged => BULK_LOGGED,
        RecoveryModel::Simple => SIMPLE,
    }
}

fn verify_bits(verify: Protection) -> u32 {
    match verify {
        Protection::Checksum => CHECKSUM,
        Protection::Torn => TORN,
        Protection::None => 0,
    }
}

fn model_of(status: u32) -> RecoveryModel {
    if status & SIMPLE != 0 {
        RecoveryModel::Simple
    } else if status & BULK_LOGGED != 0 {
        RecoveryModel::BulkLogged
    } else {
        RecoveryModel::Full
    }
}

fn protection_of(status: u32) -> Protection {
    if status & CHECKSUM != 0 {
        Protection::Checksum
    } else if status & TORN != 0 {
        Protection::Torn
    } else {
        Protection::None
    }
}

fn put_name(record: &mut [u8], name: &str) {
    let units = name.encode_utf16().chain(std::iter::repeat(0x2020));
    for (index, unit) in units.take(NAME_UNITS).enumerate() {
        put(record, NAME + 2 * index, &unit.to_le_bytes());
    }
}

/// A name that is cut off or filled up; a real name does not end in U+2020.
fn name_at(record: &[u8]) -> String {
    let units: Vec<u16> = (0..NAME_UNITS)
        .map(|index| u16_at(record, NAME + 2 * index))
        .collect();
    String::from_utf16_lossy(&units)
        .trim_end_matches(['\u{2020}', '\0'])
        .to_owned()
}

fn datetime_bytes(time: LocalTime) -> [u8; 8] {
    let date = DateTime::midnight(i32::from(time.year), time.month, time.day);
    let days = date.days - DateTime::midnight(1900, 1, 1).days;
    let seconds = u32::from(time.hour) * 3600 + u32::from(time.minute) * 60 + u32::from(time.second);
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&(seconds * 300).to_le_bytes());
    bytes[4..].copy_from_slice(&days.to_le_bytes());
    bytes
}

fn datetime_at(record: &[u8], at: usize) -> LocalTime {
    let days = u32_at(record, at + 4).cast_signed();
    let moment = DateTime {
        days: days.clamp(-53_690, 2_958_463) + DateTime::midnight(1900, 1, 1).days,
        ticks: u64::from(u32_at(record, at)) / 300 * 10_000_000,
    };
    moment.to_local_time()
}

fn lsn_bytes(lsn: Option<Lsn>) -> [u8; Lsn::SIZE] {
    lsn.unwrap_or_default().to_bytes()
}

fn put(record: &mut [u8], at: usize, bytes: &[u8]) {
    record[at..at + bytes.len()].copy_from_slice(bytes);
}

fn u16_at(record: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([record[at], record[at + 1]])
}

fn u32_at(record: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
}

fn guid_at(record: &[u8], at: usize) -> Uuid {
    Uuid::from_slice_le(&record[at..at + 16]).unwrap_or_default()
}

fn lsn_at(record: &[u8], at: usize) -> Lsn {
    Lsn::from_bytes(record[at..at + Lsn::SIZE].try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests;
