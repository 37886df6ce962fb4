//! SERVERPROPERTY and its kin.

use simsql::instance::Version;
use simsql::value::Value;

use crate::server::{start, text};

fn property(version: Version, name: &str) -> Value {
    let found = start(version).ask(&format!("SELECT SERVERPROPERTY('{name}')"));
    found[0][0].clone()
}

#[test]
fn every_property_that_tools_ask_for() {
    let server = start(Version::V2022);
    let property = |name: &str| server.ask(&format!("SELECT SERVERPROPERTY(N'{name}')"))[0][0].clone();
    for (name, value) in [
        ("ServerName", text("BAC2SIM")),
        ("MachineName", text("BAC2SIM")),
        ("InstanceName", Value::Null),
        ("ComputerNamePhysicalNetBIOS", text("BAC2SIM")),
        ("ProductVersion", text("16.0.4175.0")),
        ("ProductMajorVersion", text("16")),
        ("ProductLevel", text("RTM")),
        ("ProductUpdateLevel", Value::Null),
        ("ProductUpdateType", Value::Null),
        ("Edition", text("Developer Edition (64-bit)")),
        ("EditionID", Value::Integer(-2_117_995_310)),
        ("EngineEdition", Value::Integer(3)),
        ("Collation", text("SQL_Latin1_General_CP1_CI_AS")),
        ("IsClustered", Value::Integer(0)),
        ("IsHadrEnabled", Value::Integer(0)),
        ("HadrManagerStatus", Value::Integer(2)),
        ("IsSingleUser", Value::Integer(0)),
        ("InstanceDefaultDataPath", text("/sim/data/")),
        ("InstanceDefaultLogPath", text("/sim/data/")),
        ("InstanceDefaultBackupPath", text("/sim/backup")),
        ("PathSeparator", text("/")),
        ("ErrorLogFileName", text("/sim/log/errorlog")),
        ("NoSuchProperty", Value::Null),
    ] {
        assert_eq!(property(name), value, "{name}");
    }
}

#[test]
fn properties_that_came_later_are_null_before() {
    assert_eq!(property(Version::V2017, "InstanceDefaultBackupPath"), Value::Null);
    assert_eq!(property(Version::V2016, "PathSeparator"), Value::Null);
    assert_ne!(property(Version::V2017, "PathSeparator"), Value::Null);
    for (version, product) in [
        (Version::V2012, "11.0.7001.0"),
        (Version::V2016, "13.0.6300.0"),
        (Version::V2025, "17.0.1000.0"),
    ] {
        assert_eq!(property(version, "ProductVersion"), text(product));
    }
}

#[test]
fn the_banner_is_parsed_as_sql_servers_and_says_what_it_is() {
    let found = start(Version::V2019)
        .ask("SELECT @@VERSION, @@SERVERNAME, @@SERVICENAME, @@MICROSOFTVERSION / 16777216");
    let Value::Text(banner) = &found[0][0] else {
        panic!("{found:?}")
    };
    assert!(
        banner.starts_with("Microsoft SQL Server 2019 (RTM) - 15.0.4415.0 (X64)"),
        "{banner}"
    );
    assert!(
        banner.contains("a simulation, not Microsoft SQL Server"),
        "{banner}"
    );
    assert_eq!(
        found[0][1..],
        [text("BAC2SIM"), text("MSSQLSERVER"), Value::Integer(15)]
    );
}

#[test]
fn names_and_ids_of_databases_objects_and_files() {
    let server = start(Version::V2022);
    let mut session = server.session();
    server.run(&mut session, "CREATE DATABASE shop; USE shop; CREATE TABLE dbo.sale (id int NOT NULL PRIMARY KEY, what nvarchar(20))");
    let found = server.run(
        &mut session,
        "SELECT DB_ID(), DB_NAME(), DB_ID('nowhere'), DB_NAME(4), OBJECT_NAME(OBJECT_ID('dbo.sale')), OBJECT_ID('nothing'),
            FILE_ID('shop_log'), FILE_NAME(1), SCHEMA_NAME(1), SCHEMA_ID('sys'), COL_LENGTH('dbo.sale', 'what'), TYPE_NAME(231)",
    );
    let expected = [
        Value::Integer(5),
        text("shop"),
        Value::Null,
        text("msdb"),
        text("sale"),
        Value::Null,
        Value::Integer(2),
        text("shop"),
        text("dbo"),
        Value::Integer(4),
        // Bytes: nvarchar(20) has two for each character.
        Value::Integer(40),
        text("nvarchar"),
    ];
    assert_eq!(found[0], expected);
    let found = server.run(&mut session, "SELECT DATABASEPROPERTYEX('shop', 'Recovery'), DATABASEPROPERTYEX('shop', 'Status'), DATABASEPROPERTYEX('shop', 'Updateability'), DATABASEPROPERTYEX('nowhere', 'Status'), DATABASEPROPERTYEX('master', 'Recovery')");
    let expected = [
        text("FULL"),
        text("ONLINE"),
        text("READ_WRITE"),
        Value::Null,
        text("SIMPLE"),
    ];
    assert_eq!(found[0], expected);
}

#[test]
fn clocks_show_the_servers_time_and_its_zone() {
    let server = start(Version::V2022);
    server.memory.clock.set_offset(120);
    let found = server.ask(
        "SELECT DATEDIFF(minute, GETUTCDATE(), GETDATE()), DATEDIFF(minute, SYSUTCDATETIME(), SYSDATETIME()), DATEPART(tzoffset, SYSDATETIMEOFFSET())",
    );
    assert_eq!(
        found[0],
        [Value::Integer(120), Value::Integer(120), Value::Integer(120)]
    );
}
