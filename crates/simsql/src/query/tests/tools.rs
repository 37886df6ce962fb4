//! Queries of the kind that backup tools ask of msdb and the catalog.

use super::{TEXT, World, table};
use crate::value::SqlType;

fn history() -> World {
    let mut world = World::new();
    let lsn = SqlType::Decimal {
        precision: 25,
        scale: 0,
    };
    world.add(
        "backupset",
        table(
            &[
                ("backup_set_id", SqlType::Int),
                ("media_set_id", SqlType::Int),
                ("database_name", TEXT),
                ("type", SqlType::Char(1)),
                ("backup_start_date", SqlType::DateTime),
                ("backup_finish_date", SqlType::DateTime),
                (
                    "backup_size",
                    SqlType::Decimal {
                        precision: 20,
                        scale: 0,
                    },
                ),
                ("first_lsn", lsn),
                ("is_copy_only", SqlType::Bit),
            ],
            &[
                "1|1|Sales|D|2026-11-20 22:00|2026-11-20 22:10|1048576000|35000000012300037|0",
                "2|2|Sales|L|2026-11-20 23:00|2026-11-20 23:01|2097152|35000000012300037|0",
                "3|3|Stock|D|2026-11-20 22:15|2026-11-20 22:20|524288000|40000000000100001|0",
                "4|4|Sales|D|2026-11-21 12:00|2026-11-21 12:05|1048576000|36000000000100001|1",
                "5|5|Sales|I|2026-11-21 15:00|2026-11-21 15:02|10485760|37000000000100001|0",
                "6|6|Sales|L|2026-11-21 17:00|2026-11-21 17:01|1048576|37000000000200001|0",
            ],
        ),
    );
    world.add(
        "backupmediafamily",
        table(
            &[
                ("media_set_id", SqlType::Int),
                ("family_sequence_number", SqlType::TinyInt),
                ("physical_device_name", TEXT),
                ("device_type", SqlType::TinyInt),
            ],
            &[
                "1|1|https://v/a_1.bak|9",
                "1|2|https://v/a_2.bak|9",
                "2|1|/b/l.trn|2",
                "3|1|https://v/s.bak|9",
            ],
        ),
    );
    world.add(
        "databases",
        table(
            &[
                ("name", TEXT),
                ("database_id", SqlType::Int),
                ("state", SqlType::TinyInt),
                ("recovery_model_desc", TEXT),
                ("source_database_id", SqlType::Int),
            ],
            &[
                "master|1|0|SIMPLE|-",
                "tempdb|2|0|SIMPLE|-",
                "Sales|5|0|FULL|-",
                "Stock|6|0|FULL|-",
                "New|7|1|FULL|-",
            ],
        ),
    );
    world
}

#[test]
fn the_last_backup_of_each_kind() {
    let rows = history().rows(
        "WITH ranked AS (\
           SELECT bs.database_name, bs.type, bs.backup_finish_date, bs.first_lsn, \
             ROW_NUMBER() OVER (PARTITION BY bs.database_name, bs.type ORDER BY bs.backup_finish_date DESC) AS rn \
           FROM msdb.dbo.backupset AS bs WITH (NOLOCK) WHERE bs.is_copy_only = 0) \
         SELECT database_name, \
           CASE type WHEN 'D' THEN 'Full' WHEN 'I' THEN 'Differential' WHEN 'L' THEN 'Log' ELSE type END AS [kind], \
           CONVERT(varchar(19), backup_finish_date, 120), first_lsn \
         FROM ranked WHERE rn = 1 ORDER BY database_name, [kind]",
    );
    assert_eq!(
        rows,
        [
            "Sales|Differential|2026-11-21 15:02:00|37000000000100001",
            "Sales|Full|2026-11-20 22:10:00|35000000012300037",
            "Sales|Log|2026-11-21 17:01:00|37000000000200001",
            "Stock|Full|2026-11-20 22:20:00|40000000000100001",
        ]
    );
}

#[test]
fn databases_and_the_age_of_their_backups() {
    let rows = history().rows(
        "SELECT d.name, d.recovery_model_desc COLLATE DATABASE_DEFAULT AS model, \
           ISNULL(CONVERT(varchar(16), MAX(CASE WHEN b.type = 'D' THEN b.backup_finish_date END), 121), 'never'), \
           DATEDIFF(minute, MAX(CASE WHEN b.type = 'L' THEN b.backup_finish_date END), GETDATE()) AS log_age \
         FROM master.sys.databases d LEFT OUTER JOIN msdb..backupset b ON b.database_name = d.name AND b.is_copy_only = 0 \
         WHERE d.database_id <> 2 AND d.source_database_id IS NULL AND d.name NOT IN ('master', 'model') \
         GROUP BY d.name, d.recovery_model_desc ORDER BY d.name",
    );
    assert_eq!(
        rows,
        [
            "New|FULL|never|-",
            "Sales|FULL|2026-11-20 22:10|32",
            "Stock|FULL|2026-11-20 22:20|-",
        ]
    );
}

#[test]
fn stripes_of_a_backup() {
    let rows = history().rows(
        "SELECT s.backup_set_id, COUNT(*) AS stripes, MIN(f.physical_device_name), \
           CAST(MAX(s.backup_size) / 1048576.0 AS decimal(10, 2)) AS mb, \
           MAX(CASE WHEN f.device_type IN (9, 109) THEN 1 ELSE 0 END) \
         FROM msdb.dbo.backupset s INNER JOIN msdb.dbo.backupmediafamily f ON f.media_set_id = s.media_set_id \
         WHERE s.backup_finish_date >= DATEADD(day, -7, GETDATE()) AND s.[type] = 'd' \
         GROUP BY s.backup_set_id HAVING COUNT(*) > 0 ORDER BY stripes DESC, 1",
    );
    assert_eq!(
        rows,
        ["1|2|https://v/a_1.bak|1000.00|1", "3|1|https://v/s.bak|500.00|1"]
    );
}

#[test]
fn the_largest_gap_between_backups() {
    // 2026-11-20 22:10 to 2026-11-21 17:01 in steps: 23:01, 12:05, 15:02, 17:01; the largest is 784 minutes.
    let rows = history().rows(
        "SELECT TOP (1) g.database_name, g.minutes FROM (\
           SELECT database_name, DATEDIFF(MINUTE, LAG(backup_finish_date) OVER (PARTITION BY database_name \
             ORDER BY backup_finish_date), backup_finish_date) AS minutes FROM msdb.dbo.backupset) AS g \
         WHERE g.minutes IS NOT NULL ORDER BY g.minutes DESC",
    );
    assert_eq!(rows, ["Sales|784"]);
}

#[test]
fn properties_and_names_by_id() {
    let mut world = history();
    assert_eq!(
        world.rows("SELECT CAST(SERVERPROPERTY('Edition') AS nvarchar(30)), ISNULL(CONVERT(sysname, SERVERPROPERTY('x')), N'?')"),
        ["Enterprise|Enterprise"]
    );
    assert_eq!(
        world.rows("SELECT DB_NAME(database_id) FROM sys.databases WHERE DB_NAME(database_id) LIKE N'%[67]'"),
        ["db6", "db7"]
    );
    assert_eq!(
        world.rows("SELECT 1 WHERE SERVERPROPERTY('Edition') IN ('x', 'ENTERPRISE')"),
        ["1"]
    );
    assert_eq!(
        world.error("SELECT 1 WHERE SERVERPROPERTY('Edition') LIKE 'Ent%'"),
        8116
    );
    assert_eq!(
        world.rows("SELECT COUNT(DISTINCT NEWID()) FROM sys.databases"),
        ["5"]
    );
    assert_eq!(
        world.rows("SELECT CASE WHEN EXISTS (SELECT 1 FROM sys.databases WHERE name = 'new' AND state = 1) THEN 1 ELSE 0 END"),
        ["1"]
    );
}
