//! The block of our own on the boot page: facts whose place on a real one is not known.
//!
//! | bytes | |
//! |---|---|
//! | 0..8 | `bac2sim1` |
//! | 8..12 | sum of the rest, by the rule of compressed records |
//! | 12..14 | version, 1 |
//! | 14..30 | binding id |
//! | 30..35 | when the differential base was |
//! | 35..45 | checkpoint of the differential base |
//! | 45..55 | where the next log backup begins |
//! | 55..60 | when the last log backup was |
//! | 60..70, 70..86 | LSN and fork where RESTORE LOG goes on |
//! | 86 | 1: bulk-logged data, 2: a differential base, 4: a redo start, 8: restored data |
//! | 87..91 | option bits |
//! | 91..97 | first IAM page of the catalog, page and file |
//! | 97..107 | the newest change that was minimally logged |
//! | 107..117, 117..122 | LastLSN of the restored full backup, and when the newest restored data backup was finished |

use bak::LocalTime;
use bak::checksum::record_sum;

use super::{BootPage, guid_at, lsn_at, lsn_bytes, put, u16_at, u32_at};
use crate::engine::boot::RestoredData;
use crate::engine::pages::PageId;

/// Bytes of the block; room for later versions included.
pub(super) const LONGEST: usize = 256;
const MAGIC: &[u8; 8] = b"bac2sim1";
const SUM: usize = 8;
const CONTENT: usize = 12;
const CURRENT: u16 = 1;

const BINDING: usize = 14;
const BASE_TIME: usize = 30;
const BASE_LSN: usize = 35;
const LOG_BACKUP: usize = 45;
const LOG_BACKUP_TIME: usize = 55;
const REDO_LSN: usize = 60;
const REDO_FORK: usize = 70;
const FLAGS: usize = 86;
const OPTIONS: usize = 87;
const CATALOG: usize = 91;
const BULK_LSN: usize = 97;
const BASE_END: usize = 107;
const FINISHED: usize = 117;

const BULK: u8 = 1;
const HAS_BASE: u8 = 2;
const HAS_REDO: u8 = 4;
const HAS_RESTORED: u8 = 8;

pub(super) fn encode(page: &BootPage) -> [u8; LONGEST] {
    let boot = &page.boot;
    let mut block = [0; LONGEST];
    put(&mut block, 0, MAGIC);
    put(&mut block, CONTENT, &CURRENT.to_le_bytes());
    put(&mut block, BINDING, &boot.binding_id.to_bytes_le());
    let mut flags = 0;
    if let Some(lsn) = boot.bulk_logged {
        flags |= BULK;
        put(&mut block, BULK_LSN, &lsn.to_bytes());
    }
    if let Some(restored) = boot.restored {
        flags |= HAS_RESTORED;
        put(&mut block, BASE_END, &restored.base_end.to_bytes());
        put(&mut block, FINISHED, &restored.finished.to_bytes());
    }
    if let Some((lsn, _, time)) = boot.differential_base {
        flags |= HAS_BASE;
        put(&mut block, BASE_TIME, &time.to_bytes());
        put(&mut block, BASE_LSN, &lsn.to_bytes());
    }
    put(&mut block, LOG_BACKUP, &lsn_bytes(boot.last_log_backup_lsn));
    put(&mut block, LOG_BACKUP_TIME, &time_bytes(boot.log_backup_time));
    if let Some((lsn, fork)) = boot.redo_start {
        flags |= HAS_REDO;
        put(&mut block, REDO_LSN, &lsn.to_bytes());
        put(&mut block, REDO_FORK, &fork.to_bytes_le());
    }
    block[FLAGS] = flags;
    put(&mut block, OPTIONS, &boot.option_bits.to_le_bytes());
    if let Some(iam) = page.catalog_iam {
        put(&mut block, CATALOG, &iam.page.to_le_bytes());
        put(&mut block, CATALOG + 4, &iam.file.to_le_bytes());
    }
    let sum = record_sum(&block[CONTENT..]);
    put(&mut block, SUM, &sum.to_le_bytes());
    block
}

/// Adds what the block tells to what the known offsets told; nothing where there is no such block.
pub(super) fn decode(block: &[u8], page: &mut BootPage) {
    let is_ours = &block[..8] == MAGIC
        && u32_at(block, SUM) == record_sum(&block[CONTENT..])
        && u16_at(block, CONTENT) == CURRENT;
    if !is_ours {
        return;
    }
    let (flags, boot) = (block[FLAGS], &mut page.boot);
    boot.binding_id = guid_at(block, BINDING);
    let base = boot.differential_base.filter(|_| flags & HAS_BASE != 0);
    boot.differential_base = base.map(|(_, guid, created)| {
        let time = time_at(block, BASE_TIME).unwrap_or(created);
        (lsn_at(block, BASE_LSN), guid, time)
    });
    boot.last_log_backup_lsn = lsn_at(block, LOG_BACKUP).non_zero();
    boot.log_backup_time = time_at(block, LOG_BACKUP_TIME);
    boot.redo_start = (flags & HAS_REDO != 0).then(|| (lsn_at(block, REDO_LSN), guid_at(block, REDO_FORK)));
    boot.bulk_logged = (flags & BULK != 0).then(|| lsn_at(block, BULK_LSN));
    let finished = time_at(block, FINISHED).filter(|_| flags & HAS_RESTORED != 0);
    boot.restored = finished.map(|finished| RestoredData {
        base_end: lsn_at(block, BASE_END),
        finished,
    });
    boot.option_bits = u32_at(block, OPTIONS);
    let iam = PageId {
        page: u32_at(block, CATALOG),
        file: u16_at(block, CATALOG + 4),
    };
    page.catalog_iam = (iam.file != 0).then_some(iam);
}

fn time_bytes(time: Option<LocalTime>) -> [u8; LocalTime::SIZE] {
    time.map_or([0; LocalTime::SIZE], LocalTime::to_bytes)
}

fn time_at(block: &[u8], at: usize) -> Option<LocalTime> {
    LocalTime::from_bytes(block[at..at + LocalTime::SIZE].try_into().ok()?)
}
