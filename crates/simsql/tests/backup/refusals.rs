//! Every error that refuses a BACKUP, raised by the condition that raises it.

use simsql::engine::{RecoveryModel, TransactionId};
use simsql::instance::server::{AvailabilityGroup, ReplicaRole};
use simsql::instance::{DatabaseState, Version};
use simsql::tsql::backup::{BackupStatement, Encryption};
use simsql::tsql::device::DeviceName;
use simsql::tsql::statement::Word;
use simsql::{backup, message::Message};
use uuid::Uuid;

use crate::support::{Place, SHOP, With, disk, full, log, numbers, settings, texts, told, word};

const FILE: &str = "/sql/backup/x.bak";

fn differential() -> BackupStatement {
    full(FILE).with(|options| options.differential = true)
}

fn copy_only(statement: BackupStatement) -> BackupStatement {
    statement.with(|options| options.copy_only = true)
}

#[test]
fn a_transaction_a_missing_database_and_missing_permissions() {
    let place = Place::new();
    let mut session = place.session();
    session.nesting = 1;
    session.transaction = Some((5, TransactionId(1)));
    let mut answers = simsql::answers::Transcript::default();
    let ran = place
        .memory
        .clock
        .run_one(backup::run(&mut session, &full(FILE), &mut answers));
    assert_eq!(numbers(&ran.unwrap_err()), [3021, 3013]);
    session.nesting = 0;
    session.transaction = None;
    let (outcome, _) = place.backup(&full(FILE).on("Nowhere"));
    let failure = outcome.unwrap_err();
    assert_eq!(numbers(&failure), [911, 3013]);
    assert_eq!(
        failure.messages[1].text,
        "BACKUP DATABASE is terminating abnormally."
    );
    let logged = place.instance.state().error_log.back().cloned().unwrap();
    assert_eq!(
        logged.1.text,
        "BACKUP failed to complete the command BACKUP DATABASE Nowhere. Check the backup application log for detailed messages."
    );
}

#[test]
fn who_may_not() {
    let place = Place::new();
    let mut session = place.session();
    session.login = "guest who is no login".to_owned();
    let mut answers = simsql::answers::Transcript::default();
    let mut run = |statement: &BackupStatement| {
        let ran = place
            .memory
            .clock
            .run_one(backup::run(&mut session, statement, &mut answers));
        numbers(&ran.unwrap_err())
    };
    assert_eq!(run(&full(FILE)), [916, 3013]);
    // Everyone may enter msdb, and that is no right to back it up.
    assert_eq!(run(&full(FILE).on("msdb")), [262, 3013]);
    assert_eq!(run(&log(FILE).on("msdb")), [262, 3013]);
}

#[test]
fn system_databases() {
    let place = Place::new();
    assert_eq!(place.refused(&full(FILE).on("tempdb")), [3147, 3013]);
    assert_eq!(place.refused(&differential().on("master")), [3024, 3013]);
    assert_eq!(place.refused(&log(FILE).on("master")), [4212, 3013]);
    let tail = log(FILE).on("model").with(|options| options.norecovery = true);
    assert_eq!(place.refused(&tail), [4220, 3013]);
    place.backup_ok(&full("/sql/backup/master.bak").on("master"));
    place.backup_ok(&full("/sql/backup/msdb.bak").on("MSDB"));
}

#[test]
fn states_of_a_database() {
    let place = Place::new();
    let set = |state| place.instance.state().database_mut(SHOP).unwrap().state = state;
    for (state, number) in [
        (DatabaseState::Restoring, 927),
        (DatabaseState::Recovering, 922),
        (DatabaseState::RecoveryPending, 945),
        (DatabaseState::Suspect, 926),
        (DatabaseState::Emergency, 3033),
        (DatabaseState::Offline, 942),
    ] {
        set(state);
        assert_eq!(place.refused(&full(FILE)), [number, 3013], "{state:?}");
    }
    set(DatabaseState::Online);
    place.instance.state().database_mut(SHOP).unwrap().standby = Some("/sql/undo".to_owned());
    assert_eq!(place.refused(&full(FILE)), [3036, 3013]);
}

#[test]
fn the_log_of_a_suspect_database_can_be_saved() {
    let place = Place::new();
    place.backup_ok(&full(FILE));
    place.instance.state().database_mut(SHOP).unwrap().state = DatabaseState::Suspect;
    assert_eq!(place.refused(&log("/sql/backup/t.trn")), [926, 3013]);
    place.backup_ok(&log("/sql/backup/t.trn").with(|options| options.no_truncate = true));
    // NO_TRUNCATE is COPY_ONLY and CONTINUE_AFTER_ERROR.
    assert!(place.report("/sql/backup/t.trn").sets[0].is_copy_only);
}

#[test]
fn recovery_models_chains_and_bases() {
    let place = Place::new();
    assert_eq!(place.refused(&log(FILE)), [4214, 3013]);
    assert_eq!(place.refused(&differential()), [3035, 3013]);
    place.engine(SHOP, |engine| {
        engine
            .change_boot(&mut |boot| boot.recovery_model = RecoveryModel::Simple)
            .unwrap();
    });
    let (outcome, _) = place.backup(&log(FILE));
    assert_eq!(
        outcome.unwrap_err().messages[0].text,
        "The statement BACKUP LOG is not allowed while the recovery model is SIMPLE. Use BACKUP DATABASE or change the recovery model using ALTER DATABASE."
    );
    // A copy-only full is no base.
    place.backup_ok(&copy_only(full("/sql/backup/copy.bak")));
    assert_eq!(place.refused(&differential()), [3035, 3013]);
}

#[test]
fn a_read_only_database_is_told_that_its_log_repeats() {
    let place = Place::new();
    place.backup_ok(&full(FILE));
    place.instance.state().database_mut(SHOP).unwrap().is_read_only = true;
    let first = place.engine(SHOP, |engine| engine.boot().last_log_backup_lsn);
    let answers = place.backup_ok(&log("/sql/backup/r.trn"));
    assert_eq!(told(&answers)[0], 4217);
    assert_eq!(
        place.engine(SHOP, |engine| engine.boot().last_log_backup_lsn),
        first
    );
}

#[test]
fn mirrors_and_secondaries() {
    let place = Place::new();
    place.backup_ok(&full("/sql/backup/base.bak"));
    place.instance.state().database_mut(SHOP).unwrap().mirroring = Some((Uuid::from_u128(1), false));
    assert_eq!(place.refused(&full(FILE)), [3059, 3013]);
    place.instance.state().database_mut(SHOP).unwrap().mirroring = None;
    let join = |role| {
        let group = AvailabilityGroup {
            role,
            databases: std::collections::BTreeMap::from([(SHOP.to_owned(), Uuid::from_u128(4))]),
            ..AvailabilityGroup::new("group", "SIM")
        };
        place
            .instance
            .state()
            .server
            .groups
            .insert("group".to_owned(), group);
    };
    join(ReplicaRole::Primary);
    let tail = log(FILE).with(|options| options.norecovery = true);
    assert_eq!(place.refused(&tail), [3104, 3013]);
    join(ReplicaRole::Resolving);
    assert_eq!(place.refused(&full(FILE)), [3062, 3013]);
    join(ReplicaRole::Secondary);
    assert_eq!(place.refused(&full(FILE)), [3059, 3013]);
    assert_eq!(place.refused(&differential()), [3059, 3013]);
    assert_eq!(place.refused(&copy_only(log(FILE))), [3059, 3013]);
    place.backup_ok(&copy_only(full("/sql/backup/c.bak")));
    place.backup_ok(&log("/sql/backup/l.trn"));
}

#[test]
fn a_lost_certificate() {
    let place = Place::new();
    let thumbprint = "0123456789ABCDEF0123456789ABCDEF01234567";
    place
        .instance
        .state()
        .database_mut(SHOP)
        .unwrap()
        .encryption_certificate = Some(thumbprint.to_owned());
    let (outcome, _) = place.backup(&full(FILE));
    assert_eq!(
        outcome.unwrap_err().messages[0].text,
        format!("Cannot find server certificate with thumbprint '0x{thumbprint}'.")
    );
}

#[test]
fn options_that_cannot_be() {
    let place = Place::new();
    let many: Vec<String> = (0..65).map(|n| format!("/sql/backup/{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = format!("/sql/backup/{}", "x".repeat(260));
    let mut url = full(FILE);
    url.devices
        .push(DeviceName::Url(Word::Literal("https://vault/c/b".to_owned())));
    let mut logical = full(FILE);
    logical.devices = vec![DeviceName::Logical("shelf".to_owned())];
    let mut mirrored = full(FILE);
    mirrored.mirrors = vec![vec![disk("/a"), disk("/b")]];
    let cases: Vec<(BackupStatement, i32)> = vec![
        (full("").to(&many), 3205),
        (full(&long), 3057),
        (full(""), 3044),
        (url, 3011),
        (logical, 3206),
        (mirrored, 3010),
        (full("/nowhere/x.bak"), 3201),
        (full(FILE).with(|o| o.block_size = Some(1000)), 3253),
        (full(FILE).with(|o| o.block_size = Some(131_072)), 3250),
        (full(FILE).with(|o| o.max_transfer_size = Some(1024)), 3250),
        (full(FILE).with(|o| o.max_transfer_size = Some(8 << 20)), 3250),
        (full(FILE).with(|o| o.buffer_count = Some(0)), 3217),
        (full(FILE).with(|o| o.buffer_count = Some(1 << 20)), 701),
        (full(FILE).with(|o| o.name = word(&"n".repeat(129))), 103),
        (full(FILE).with(|o| o.norecovery = true), 3032),
        (log(FILE).with(|o| o.differential = true), 3032),
        (
            log(FILE).with(|o| {
                o.norecovery = true;
                o.copy_only = true;
            }),
            3031,
        ),
        (
            full(FILE).with(|o| {
                o.expire_date = word("2030-01-01");
                o.retain_days = Some(3);
            }),
            3031,
        ),
        (full(FILE).with(|o| o.snapshot = true), 40_510),
        (
            full(FILE).with(|o| o.compression_algorithm = Some("ZSTD".to_owned())),
            40_510,
        ),
        (
            full(FILE).with(|o| {
                o.encryption = Some(Encryption {
                    algorithm: "AES_256".to_owned(),
                    encryptor: "lost".to_owned(),
                    is_key: false,
                });
            }),
            15_151,
        ),
    ];
    for (statement, number) in cases {
        assert_eq!(place.refused(&statement), [number, 3013], "{statement:?}");
    }
}

#[test]
fn express_does_not_compress_and_standard_does_not_mirror() {
    let mut express = settings(Version::V2022);
    express.edition = 4;
    let place = Place::of(express);
    let (outcome, _) = place.backup(&full(FILE).with(|options| options.compression = Some(true)));
    assert_eq!(
        outcome.unwrap_err().messages[0],
        Message::new(
            1844,
            &[&"BACKUP DATABASE WITH COMPRESSION", &"Express Edition (64-bit)"]
        )
    );
    let mut mirrored = full(FILE);
    mirrored.mirrors = vec![vec![disk("/sql/backup/m.bak")]];
    assert_eq!(place.refused(&mirrored), [3218, 3013]);
}

#[test]
fn the_server_decides_what_the_statement_leaves_open() {
    let place = Place::new();
    for option in ["backup compression default", "backup checksum default"] {
        place
            .instance
            .state()
            .server
            .configuration
            .insert(option.to_owned(), 1);
    }
    let answers = place.backup_ok(&full(FILE));
    let set = place.report(FILE).sets.remove(0);
    assert!(
        set.compressed && set.has_backup_checksums,
        "{:?}",
        texts(&answers)
    );
    let plain = full("/sql/backup/plain.bak").with(|options| {
        options.compression = Some(false);
        options.checksum = Some(false);
    });
    place.backup_ok(&plain);
    let set = place.report("/sql/backup/plain.bak").sets.remove(0);
    assert!(!set.compressed && !set.has_backup_checksums);
}
