//! Pages that are damaged on disk, met WITH CHECKSUM.

use bak::Verdict;
use simsql::value::Value;

use crate::support::{Place, SHOP, With, full, told, value};

const FILE: &str = "/sql/backup/d.bak";

/// Flips a byte in the last allocated data page of the database.
fn damage(place: &Place) -> u32 {
    let now = simsql::world::Clock::now(place.memory.clock.as_ref());
    let path = place.engine(SHOP, |engine| {
        engine.checkpoint(now).unwrap();
        engine.files()[0].physical_name.clone()
    });
    let bytes = place.bytes(&path);
    // Type 1, a data page of a user's table.
    let page = bytes
        .chunks(8192)
        .rposition(|page| page[0] == 1 && page[1] == 1)
        .unwrap();
    place
        .memory
        .disk
        .damage(&path, |bytes| bytes[page * 8192 + 5000] ^= 1);
    page as u32
}

#[test]
fn a_damaged_page_ends_the_backup_and_is_noted() {
    let place = Place::new();
    let page = damage(&place);
    let statement = full(FILE).with(|options| options.checksum = Some(true));
    let (outcome, _) = place.backup(&statement);
    let failure = outcome.unwrap_err();
    let path = place.engine(SHOP, |engine| engine.files()[0].physical_name.clone());
    assert_eq!(
        failure.messages[0].text,
        format!("BACKUP 'Shop' detected an error on page (1:{page}) in file '{path}'.")
    );
    assert_eq!(failure.messages[1].number, 3013);
    let suspects = place.msdb("suspect_pages");
    assert_eq!(suspects.len(), 1);
    assert_eq!(value(&suspects[0], "page_id"), &Value::Integer(i64::from(page)));
    assert_eq!(value(&suspects[0], "event_type"), &Value::Integer(2));
    assert_eq!(place.engine(SHOP, |engine| engine.boot().differential_base), None);
    // Met again it is counted, not listed twice.
    place.refused(&full("/sql/backup/e.bak").with(|options| options.checksum = Some(true)));
    let suspects = place.msdb("suspect_pages");
    assert_eq!(suspects.len(), 1);
    assert_eq!(value(&suspects[0], "error_count"), &Value::Integer(2));
}

#[test]
fn with_continue_after_error_it_goes_along_and_is_told() {
    let place = Place::new();
    let page = damage(&place);
    let answers = place.backup_ok(&full(FILE).with(|options| {
        options.checksum = Some(true);
        options.continue_after_error = true;
    }));
    assert_eq!(told(&answers), [4035, 4035, 3042, 3014]);
    let report = place.report(FILE);
    assert_eq!(report.verdict, Verdict::Damaged);
    assert!(
        report.damage.iter().all(|damage| damage.page_id == Some(page)),
        "{:?}",
        report.damage
    );
    let rows = place.msdb("backupset");
    assert_eq!(value(&rows[0], "is_damaged"), &Value::Bit(true));
    // 512, checksums 16, damaged 32.
    assert_eq!(value(&rows[0], "flags"), &Value::Integer(560));
}

#[test]
fn without_checksum_nobody_looks() {
    let place = Place::new();
    damage(&place);
    place.backup_ok(&full(FILE));
    assert_eq!(place.report(FILE).verdict, Verdict::Damaged);
}

#[test]
fn a_damaged_log_ends_the_backup_or_marks_it() {
    let place = Place::new();
    place.backup_ok(&full(FILE));
    place.add_rows(5);
    let (path, start) = place.engine(SHOP, |engine| {
        let first = engine.boot().last_log_backup_lsn.unwrap();
        let now = simsql::moment::Moment(0);
        let end = engine.close_log(now).unwrap();
        let piece = engine.log_pieces(first, end).unwrap()[0];
        (engine.files()[1].physical_name.clone(), piece.segment.start)
    });
    // The number of the first block.
    place
        .memory
        .disk
        .damage(&path, |bytes| bytes[start as usize + 16] ^= 1);
    let statement = crate::support::log("/sql/backup/d.trn");
    assert_eq!(place.refused(&statement), [3049, 3013]);
    let statement = statement.with(|options| {
        options.no_truncate = true;
        options.init = Some(true);
    });
    let answers = place.backup_ok(&statement);
    assert!(told(&answers).contains(&3042));
}
