//! Values that follow from deeds.

use std::collections::BTreeMap;
use std::time::Duration;

use simsql::instance::Version;
use simsql::instance::server::{AvailabilityGroup, ReplicaRole};
use simsql::value::{DateTime, Decimal, Value};
use uuid::Uuid;

use crate::server::{start, text};

fn lsn(number: i128) -> Value {
    Value::Decimal(Decimal {
        unscaled: number,
        scale: 0,
    })
}

#[test]
fn system_databases_have_their_ids_and_models() {
    let found = start(Version::V2022).ask(
        "SELECT database_id, name, recovery_model_desc, state_desc, user_access_desc, page_verify_option_desc FROM sys.databases ORDER BY database_id",
    );
    let row = |id: i64, name: &str, model: &str| {
        vec![
            Value::Integer(id),
            text(name),
            text(model),
            text("ONLINE"),
            text("MULTI_USER"),
            text("CHECKSUM"),
        ]
    };
    let expected = [
        row(1, "master", "SIMPLE"),
        row(2, "tempdb", "SIMPLE"),
        row(3, "model", "FULL"),
        row(4, "msdb", "SIMPLE"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_databases_life_shows() {
    let server = start(Version::V2022);
    server.memory.clock.advance(Duration::from_secs(60));
    server.ask("CREATE DATABASE shop");
    let shop = |columns: &str| {
        server.ask(&format!(
            "SELECT {columns} FROM sys.databases WHERE name = 'shop'"
        ))[0]
            .clone()
    };
    // The clock of the memory starts at 2026-01-01 00:00 UTC, which is also the server's.
    let created = Value::DateTime(DateTime {
        days: DateTime::midnight(2026, 1, 1).days,
        ticks: 600_000_000,
    });
    assert_eq!(
        shop("database_id, create_date, compatibility_level, is_read_only"),
        [Value::Integer(5), created, Value::Integer(160), Value::Bit(false)]
    );
    server.ask("ALTER DATABASE shop SET RECOVERY BULK_LOGGED; ALTER DATABASE shop SET AUTO_CLOSE ON; ALTER DATABASE shop SET READ_ONLY WITH ROLLBACK IMMEDIATE");
    assert_eq!(
        shop("recovery_model, recovery_model_desc, is_auto_close_on, is_read_only"),
        [
            Value::Integer(2),
            text("BULK_LOGGED"),
            Value::Bit(true),
            Value::Bit(true)
        ]
    );
    server.ask("ALTER DATABASE shop SET OFFLINE WITH ROLLBACK IMMEDIATE");
    assert_eq!(
        shop("state, state_desc, collation_name, is_cleanly_shutdown, recovery_model_desc"),
        [
            Value::Integer(6),
            text("OFFLINE"),
            Value::Null,
            Value::Bit(true),
            text("BULK_LOGGED")
        ]
    );
    // Files of a database that is offline are known to the server; its LSNs and guids are not.
    let files =
        server.ask("SELECT file_id, type_desc, name, state_desc FROM sys.master_files WHERE database_id = 5");
    assert_eq!(
        files[0],
        [Value::Integer(1), text("ROWS"), text("shop"), text("OFFLINE")]
    );
    assert_eq!(files[1][1..3], [text("LOG"), text("shop_log")]);
    let status = server.ask(
        "SELECT database_guid, family_guid, last_log_backup_lsn FROM sys.database_recovery_status WHERE database_id = 5",
    );
    assert_eq!(status[0], [Value::Null, Value::Null, Value::Null]);
}

#[test]
fn the_state_of_backups_shows_in_recovery_status_and_files() {
    let server = start(Version::V2022);
    server.ask("CREATE DATABASE shop");
    let base = Uuid::from_u128(7);
    let of = |vlf, block| bak::Lsn { vlf, block, slot: 1 };
    let status = || {
        server.ask(
            "SELECT last_log_backup_lsn FROM sys.database_recovery_status WHERE database_id = DB_ID('shop')",
        )
    };
    // FULL without a full backup: no chain to go on.
    assert_eq!(status()[0], [Value::Null]);
    {
        let mut state = server.instance.state();
        let engine = state.database_mut("shop").unwrap().engine.as_mut().unwrap();
        let time = engine.boot().created;
        engine
            .change_boot(&mut |boot| {
                boot.last_log_backup_lsn = Some(of(53, 21973));
                boot.differential_base = Some((of(53, 21900), base, time));
                boot.database_backup_lsn = Some(of(53, 21900));
            })
            .unwrap();
    }
    // VLF x 10^15 + block x 10^5 + slot.
    assert_eq!(status()[0], [lsn(53_000_002_197_300_001)]);
    let files = server.ask(
        "SELECT type, differential_base_lsn, differential_base_guid, differential_base_time, redo_start_lsn FROM sys.master_files WHERE database_id = DB_ID('shop') ORDER BY file_id",
    );
    let midnight = Value::DateTime(DateTime::midnight(2026, 1, 1));
    assert_eq!(
        files[0],
        [
            Value::Integer(0),
            lsn(53_000_002_190_000_001),
            Value::Guid(base),
            midnight,
            Value::Null
        ]
    );
    assert_eq!(files[1][1..4], [Value::Null, Value::Null, Value::Null]);
}

#[test]
fn rows_are_counted() {
    let server = start(Version::V2022);
    let mut session = server.session();
    server.run(
        &mut session,
        "CREATE DATABASE shop; USE shop; CREATE TABLE sale (id int NOT NULL PRIMARY KEY); INSERT INTO sale VALUES (1), (2), (3); CREATE TABLE note (what nvarchar(10) NULL)",
    );
    let found = server.run(
        &mut session,
        "SELECT t.name, SUM(p.rows) FROM sys.tables t JOIN sys.partitions p ON p.object_id = t.object_id WHERE p.index_id IN (0, 1) GROUP BY t.name ORDER BY t.name",
    );
    assert_eq!(
        found,
        [
            vec![text("note"), Value::Integer(0)],
            vec![text("sale"), Value::Integer(3)]
        ]
    );
    let found = server.run(
        &mut session,
        "SELECT row_count FROM sys.dm_db_partition_stats WHERE object_id = OBJECT_ID('dbo.sale')",
    );
    assert_eq!(found, [vec![Value::Integer(3)]]);
    let found = server.run(&mut session, "SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'note'");
    assert_eq!(
        found,
        [vec![
            text("what"),
            text("nvarchar"),
            text("YES"),
            Value::Integer(10)
        ]]
    );
}

fn put_group(server: &crate::server::Server, role: ReplicaRole, preference: u8) {
    let mut state = server.instance.state();
    let group = AvailabilityGroup {
        replica_id: Uuid::from_u128(2),
        role,
        preference,
        replicas: BTreeMap::from([("OTHER".to_owned(), 50)]),
        databases: BTreeMap::from([("shop".to_owned(), Uuid::from_u128(3))]),
        ..AvailabilityGroup::new("ag", "SIM")
    };
    state.server.groups.insert("ag".to_owned(), group);
}

#[test]
fn a_group_shows_with_its_replicas_and_databases() {
    let server = start(Version::V2022);
    server.ask("CREATE DATABASE shop");
    put_group(&server, ReplicaRole::Primary, 2);
    let found = server.ask("SELECT ag.name, ag.automated_backup_preference_desc, ar.replica_server_name, rs.role_desc, rs.is_local, ar.backup_priority
        FROM sys.availability_groups ag JOIN sys.availability_replicas ar ON ar.group_id = ag.group_id
        JOIN sys.dm_hadr_availability_replica_states rs ON rs.replica_id = ar.replica_id ORDER BY rs.is_local DESC");
    let row = |server: &str, role: &str, local: bool| {
        vec![
            text("ag"),
            text("SECONDARY"),
            text(server),
            text(role),
            Value::Bit(local),
            Value::Integer(50),
        ]
    };
    assert_eq!(
        found,
        [row("BAC2SIM", "PRIMARY", true), row("OTHER", "SECONDARY", false)]
    );
    let found = server.ask("SELECT d.replica_id, d.group_database_id, s.synchronization_state_desc, s.is_primary_replica FROM sys.databases d
        JOIN sys.dm_hadr_database_replica_states s ON s.group_database_id = d.group_database_id AND s.is_local = 1");
    let expected = [
        Value::Guid(Uuid::from_u128(2)),
        Value::Guid(Uuid::from_u128(3)),
        text("SYNCHRONIZED"),
        Value::Bit(true),
    ];
    assert_eq!(found, [expected.to_vec()]);
    let preferred = || {
        server.ask("SELECT sys.fn_hadr_backup_is_preferred_replica('shop'), sys.fn_hadr_backup_is_preferred_replica('msdb')")[0].clone()
    };
    // Preference SECONDARY: the other one; msdb is in no group.
    assert_eq!(preferred(), [Value::Bit(false), Value::Bit(true)]);
    put_group(&server, ReplicaRole::Primary, 0);
    assert_eq!(preferred()[0], Value::Bit(true));
    assert_eq!(
        server.ask("SELECT SERVERPROPERTY('IsHadrEnabled')")[0],
        [Value::Integer(1)]
    );
}

#[test]
fn on_a_secondary_the_logs_facts_are_the_primarys() {
    let server = start(Version::V2022);
    server.ask("CREATE DATABASE shop");
    let stats = "SELECT recovery_model, log_backup_time, log_since_last_log_backup_mb, total_vlf_count FROM sys.dm_db_log_stats(DB_ID('shop'))";
    let never = Value::DateTime(DateTime::midnight(1900, 1, 1));
    let found = server.ask(stats);
    assert_eq!(found[0][..2], [text("FULL"), never.clone()]);
    assert_ne!(found[0][3], Value::Null);
    put_group(&server, ReplicaRole::Secondary, 2);
    assert_eq!(
        server.ask(stats)[0],
        [text("FULL"), never, Value::Null, Value::Null]
    );
}

#[test]
fn certificates_credentials_and_encryption() {
    let server = start(Version::V2022);
    server.ask("CREATE CREDENTIAL [https://vault.example/c] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 'sig=hidden'");
    let found = server.ask("SELECT name, credential_identity FROM sys.credentials");
    assert_eq!(
        found,
        [vec![
            text("https://vault.example/c"),
            text("SHARED ACCESS SIGNATURE")
        ]]
    );
    let all = format!("{:?}", server.ask("SELECT * FROM sys.credentials"));
    assert!(!all.contains("hidden"));
    server.ask("CREATE DATABASE shop; CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'p4ssW0rd!'; CREATE CERTIFICATE tde WITH SUBJECT = 'abc'");
    server.ask("USE shop; CREATE DATABASE ENCRYPTION KEY WITH ALGORITHM = AES_256 ENCRYPTION BY SERVER CERTIFICATE tde; ALTER DATABASE shop SET ENCRYPTION ON");
    let found = server.ask("SELECT DB_NAME(k.database_id), k.encryption_state, c.name, c.pvt_key_last_backup_date, CONVERT(varchar(42), c.thumbprint, 1)
        FROM sys.dm_database_encryption_keys k JOIN master.sys.certificates c ON c.thumbprint = k.encryptor_thumbprint");
    // SHA-1 of "abc", the first example of FIPS 180.
    let thumbprint = text("0xA9993E364706816ABA3E25717850C26C9CD0D89D");
    assert_eq!(
        found,
        [vec![
            text("shop"),
            Value::Integer(3),
            text("tde"),
            Value::Null,
            thumbprint
        ]]
    );
}
