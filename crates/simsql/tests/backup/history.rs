//! What msdb and the error log keep of a backup.

use simsql::message::Message;
use simsql::value::Value;

use crate::support::{Place, With, full, log, told, value, word};

const FILE: &str = "/sql/backup/h.bak";

#[test]
fn a_backup_has_its_rows() {
    let place = Place::new();
    place.backup_ok(&full(FILE).with(|options| {
        options.name = word("nightly");
        options.checksum = Some(true);
        options.retain_days = Some(3);
    }));
    place.backup_ok(&log(FILE));
    let sets = place.msdb("backupset");
    let file = place.report(FILE);
    assert_eq!(sets.len(), 2);
    for (row, set) in sets.iter().zip(&file.sets) {
        assert_eq!(
            value(row, "backup_set_uuid"),
            &Value::Guid(set.backup_set_guid.unwrap())
        );
        assert_eq!(value(row, "first_lsn"), &Value::from(set.first_lsn.unwrap()));
        assert_eq!(value(row, "last_lsn"), &Value::from(set.last_lsn.unwrap()));
        assert_eq!(
            value(row, "checkpoint_lsn"),
            &Value::from(set.checkpoint_lsn.unwrap())
        );
        assert_eq!(value(row, "position"), &Value::Integer(i64::from(set.position)));
        assert_eq!(value(row, "media_set_id"), &Value::Integer(1));
        assert_eq!(value(row, "database_name"), &Value::from("Shop"));
    }
    // 512 always, 16 with checksums: 528, as real rows of such backups have it.
    assert_eq!(value(&sets[0], "flags"), &Value::Integer(528));
    assert_eq!(value(&sets[0], "type"), &Value::from("D"));
    assert_eq!(value(&sets[0], "name"), &Value::from("nightly"));
    assert_eq!(value(&sets[0], "software_vendor_id"), &Value::Integer(4608));
    assert_ne!(value(&sets[0], "expiration_date"), &Value::Null);
    assert_eq!(value(&sets[1], "type"), &Value::from("L"));
    assert_eq!(value(&sets[1], "begins_log_chain"), &Value::Bit(true));
    assert_eq!(value(&sets[1], "recovery_model"), &Value::from("FULL"));
    let families = place.msdb("backupmediafamily");
    assert_eq!(families.len(), 1);
    assert_eq!(value(&families[0], "physical_device_name"), &Value::from(FILE));
    assert_eq!(value(&families[0], "device_type"), &Value::Integer(2));
    let media = place.msdb("backupmediaset");
    assert_eq!(
        value(&media[0], "media_uuid"),
        &Value::Guid(file.media.unwrap().media_set_id)
    );
    let files = place.msdb("backupfile");
    assert_eq!(files.len(), 4);
    assert_eq!(value(&files[0], "logical_name"), &Value::from("Shop"));
    assert_eq!(
        value(&files[0], "differential_base_guid"),
        &Value::Guid(file.sets[0].backup_set_guid.unwrap())
    );
}

#[test]
fn a_backup_that_msdb_does_not_take_is_a_backup_all_the_same() {
    let place = Place::new();
    let msdb = place.instance.state().database_mut("msdb").unwrap().engine.take();
    let answers = place.backup_ok(&full(FILE));
    place.instance.state().database_mut("msdb").unwrap().engine = msdb;
    assert_eq!(told(&answers), [4035, 4035, 3009, 3014]);
    assert!(place.msdb("backupset").is_empty());
}

#[test]
fn the_error_log_tells_of_it_unless_it_is_told_not_to() {
    let place = Place::new();
    let lines = |place: &Place| -> Vec<Message> {
        let state = place.instance.state();
        let log = state.error_log.iter().map(|(_, message)| message.clone());
        log.filter(|message| message.number > 18_000 && message.number < 18_300)
            .collect()
    };
    place.backup_ok(&full(FILE).with(|options| options.media_name = word("shelf")));
    let set = place.report(FILE).sets.remove(0);
    let line = lines(&place).remove(0);
    assert_eq!(line.number, 18_264);
    let first = set.first_lsn.unwrap();
    let expected = format!(
        "first LSN: {}:{}:{}, last LSN: ",
        first.vlf, first.block, first.slot
    );
    assert!(line.text.contains(&expected), "{}", line.text);
    assert!(
        line.text.starts_with(
            "Database backed up. Database: Shop, creation date(time): 2026/01/01(00:00:00), pages dumped: "
        ),
        "{}",
        line.text
    );
    assert!(
        line.text.contains(
            "number of dump devices: 1, device information: (FILE=1, TYPE=DISK, MEDIANAME='shelf': {'/sql/backup/h.bak'})."
        ),
        "{}",
        line.text
    );
    place.backup_ok(&log("/sql/backup/h.trn"));
    place.backup_ok(&full("/sql/backup/h.dif").with(|options| options.differential = true));
    let numbers: Vec<i32> = lines(&place).iter().map(|line| line.number).collect();
    assert_eq!(numbers, [18_264, 18_265, 18_270]);
    place.instance.state().server.trace_flags.insert(3226);
    place.backup_ok(&log("/sql/backup/h.trn"));
    assert_eq!(lines(&place).len(), 3);
}
