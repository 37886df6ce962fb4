//! The queries by which backup tools find their way, in their manner.

use simsql::instance::Version;
use simsql::value::Value;

use crate::server::{Server, start, text};

fn shop() -> Server {
    let server = start(Version::V2022);
    server.ask("CREATE DATABASE shop");
    server
}

#[test]
fn which_databases_are_there_and_in_what_state() {
    let found = shop().ask(
        "SELECT d.name, d.database_id, d.state_desc, d.recovery_model_desc, d.is_in_standby, d.user_access_desc,
            CASE WHEN d.source_database_id IS NULL THEN 0 ELSE 1 END AS is_snapshot, drs.last_log_backup_lsn, dm.mirroring_role_desc
        FROM sys.databases d
        LEFT OUTER JOIN sys.database_recovery_status drs ON d.database_id = drs.database_id
        LEFT OUTER JOIN sys.database_mirroring dm ON d.database_id = dm.database_id
        WHERE d.name <> N'tempdb' AND d.source_database_id IS NULL
        ORDER BY d.name ASC",
    );
    let names: Vec<_> = found.iter().map(|row| row[0].clone()).collect();
    assert_eq!(names, [text("master"), text("model"), text("msdb"), text("shop")]);
    assert_eq!(found[3][2..4], [text("ONLINE"), text("FULL")]);
    assert_eq!(found[3][7..], [Value::Null, Value::Null]);
}

#[test]
fn how_much_a_backup_will_take() {
    let server = shop();
    let mut session = server.session();
    let found = server.run(
        &mut session,
        "USE shop; SELECT (SELECT SUM(used_log_space_in_bytes) FROM sys.dm_db_log_space_usage)
            + (SELECT SUM(allocated_extent_page_count) * 8192 FROM sys.dm_db_file_space_usage)",
    );
    let Value::Integer(bytes) = found[0][0] else {
        panic!("{found:?}")
    };
    let file = 128 * 8192;
    assert!(bytes > 0 && bytes <= 2 * file, "{bytes}");
    let found = server.run(
        &mut session,
        "SELECT log_since_last_log_backup_mb, log_backup_time, log_truncation_holdup_reason FROM sys.dm_db_log_stats(DB_ID())",
    );
    assert_eq!(found.len(), 1);
    let found = server.run(
        &mut session,
        "SELECT total_page_count, allocated_extent_page_count + unallocated_extent_page_count FROM sys.dm_db_file_space_usage",
    );
    assert_eq!(found[0][0], found[0][1]);
}

#[test]
fn where_its_files_are_and_how_much_room_there_is() {
    let server = shop();
    let found = server.ask(
        "SELECT DB_NAME(mf.database_id), mf.name, mf.physical_name, vs.volume_mount_point, vs.available_bytes
        FROM sys.master_files mf CROSS APPLY sys.dm_os_volume_stats(mf.database_id, mf.file_id) vs
        WHERE mf.database_id = DB_ID('shop') ORDER BY mf.file_id",
    );
    assert_eq!(
        found[0][..4],
        [text("shop"), text("shop"), text("/sim/data/shop.mdf"), text("/")]
    );
    assert_eq!(found[1][2], text("/sim/data/shop_log.ldf"));
    let found = server
        .ask("SELECT file_or_directory_name FROM sys.dm_os_enumerate_filesystem('/sim/data', 'shop*.?df')");
    assert_eq!(found.len(), 2);
}

#[test]
fn what_the_instance_is() {
    let server = shop();
    let found = server.ask(
        "SELECT CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)), CAST(SERVERPROPERTY('EngineEdition') AS int),
            (SELECT value_in_use FROM sys.configurations WHERE name = 'backup compression default'), host_platform
        FROM sys.dm_os_host_info",
    );
    assert_eq!(
        found,
        [vec![
            text("BAC2SIM"),
            Value::Integer(3),
            Value::Integer(0),
            text("Linux")
        ]]
    );
    let old = server.ask("SELECT name FROM master..sysdatabases WHERE dbid = 1");
    assert_eq!(old, [vec![text("master")]]);
}

#[test]
fn who_runs_what() {
    let server = shop();
    let mut session = server.session();
    let query = "SELECT r.session_id, r.command, s.login_name, t.text FROM sys.dm_exec_requests r
        JOIN sys.dm_exec_sessions s ON s.session_id = r.session_id
        OUTER APPLY sys.dm_exec_sql_text(r.sql_handle) t WHERE r.session_id = @@SPID";
    let found = server.run(&mut session, query);
    let expected = [
        Value::Integer(i64::from(session.id)),
        text("SELECT"),
        text("sa"),
        text(query),
    ];
    assert_eq!(found, [expected.to_vec()]);
    let uses = "SELECT request_session_id, request_mode FROM sys.dm_tran_locks WHERE resource_type = 'DATABASE' AND resource_database_id = 1";
    let own = vec![Value::Integer(i64::from(session.id)), text("S")];
    assert!(server.run(&mut session, uses).contains(&own));
}

#[test]
fn the_wrong_use_of_a_name_is_an_error_with_its_number() {
    let server = shop();
    let mut session = server.session();
    for (text, number) in [
        ("SELECT * FROM sys.dm_db_log_stats", 216),
        ("SELECT * FROM sys.databases(1)", 215),
        ("SELECT * FROM sys.dm_os_volume_stats(1)", 313),
        ("SELECT * FROM sys.dm_db_log_stats(1, 2)", 8144),
        ("SELECT * FROM nowhere.sys.databases", 911),
        ("SELECT * FROM sys.nothing", 208),
        ("SELECT SERVERPROPERTY()", 174),
    ] {
        assert_eq!(server.error(&mut session, text), number, "{text}");
    }
}
