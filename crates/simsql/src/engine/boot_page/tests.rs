//! Boot pages, written and read back, and torn or foreign ones.

use super::*;
use crate::engine::boot::RestoredData;

fn boot() -> Boot {
    let time = |text: &str| text.parse().unwrap();
    let lsn = |vlf, block, slot| Lsn { vlf, block, slot };
    Boot {
        name: "Lager \u{fc}".into(),
        version: 904,
        created_version: 869,
        compatibility_level: 150,
        recovery_model: RecoveryModel::Full,
        page_verify: Protection::Checksum,
        created: time("2026-11-21T18:20:01"),
        family_guid: Uuid::from_u128(1),
        binding_id: Uuid::from_u128(2),
        recovery_fork: Uuid::from_u128(3),
        first_fork: Some((Uuid::from_u128(4), lsn(30, 16, 1))),
        checkpoint_lsn: lsn(37, 430, 37),
        database_backup_lsn: Some(lsn(36, 20, 2)),
        differential_base: Some((lsn(36, 20, 2), Uuid::from_u128(5), time("2026-11-20T01:02:03"))),
        log_chain_lsn: Some(lsn(31, 16, 1)),
        last_log_backup_lsn: Some(lsn(37, 16, 1)),
        log_backup_time: Some(time("2026-11-21T18:00:00")),
        redo_start: Some((lsn(37, 16, 1), Uuid::from_u128(3))),
        bulk_logged: Some(lsn(37, 20, 9)),
        restored: Some(RestoredData {
            base_end: lsn(36, 25, 1),
            finished: time("2026-11-20T01:03:04"),
        }),
        option_bits: 0x8000_0005,
    }
}

#[test]
fn what_was_written_is_read() {
    let mut page = [0; 8192];
    let catalog_iam = Some(PageId { file: 1, page: 16 });
    let full = BootPage {
        boot: boot(),
        catalog_iam,
    };
    full.encode(&mut page);
    assert_eq!(BootPage::decode(&page), Some(full));
    // Less is written over more.
    let bare = BootPage {
        boot: Boot {
            name: "b".into(),
            recovery_model: RecoveryModel::Simple,
            page_verify: Protection::Torn,
            first_fork: None,
            database_backup_lsn: None,
            differential_base: None,
            log_chain_lsn: None,
            last_log_backup_lsn: None,
            log_backup_time: None,
            redo_start: None,
            bulk_logged: None,
            restored: None,
            ..boot()
        },
        catalog_iam: None,
    };
    bare.encode(&mut page);
    assert_eq!(BootPage::decode(&page), Some(bare));
    assert_eq!(BootPage::decode(&[0; 8192]), None);
}

#[test]
fn a_block_that_is_damaged_is_none() {
    let mut page = [0; 8192];
    let catalog_iam = Some(PageId { file: 1, page: 16 });
    BootPage {
        boot: boot(),
        catalog_iam,
    }
    .encode(&mut page);
    page[HEADER + BLOCK + 91] ^= 1;
    let found = BootPage::decode(&page).unwrap();
    assert_eq!(found.catalog_iam, None);
    assert_eq!(found.boot.checkpoint_lsn, boot().checkpoint_lsn);
}
