//! What goes to sqlparser: queries as clients and tools write them.

use super::{all, one};
use crate::tsql::statement::Statement;

#[test]
fn what_clients_ask() {
    for text in [
        "SELECT @@VERSION",
        "SELECT TOP (5) name, CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS v FROM sys.databases WITH (NOLOCK) ORDER BY 1 DESC",
        "SELECT @a = 1, @b = name FROM sys.databases",
        "SELECT [x] = 1, y AS 'text' FROM master..t AS a LEFT OUTER JOIN [b c].dbo.u b ON a.id = b.id WHERE a.x LIKE N'%a' AND b.y IN (1, 2)",
        "SELECT CONVERT(varchar(10), GETDATE(), 120), DATEADD(day, -1, SYSDATETIME()), ISNULL(NULL, 0), COALESCE(1, 2), IIF(1 = 1, 2, 3)",
        "SELECT d.name FROM sys.databases d CROSS APPLY sys.dm_db_log_stats(d.database_id) s OPTION (RECOMPILE)",
        "SELECT COUNT(*), MAX(x) FROM t GROUP BY y HAVING COUNT(*) > 1",
        "SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) FROM t ORDER BY a OFFSET 5 ROWS FETCH NEXT 10 ROWS ONLY",
        "(SELECT 1) UNION (SELECT 2)",
        "SELECT 0x1F, N'a', 'b''c', -1.5, 1e3, $5",
        "SELECT DISTINCT a INTO #t FROM u",
    ] {
        assert!(matches!(one(text), Statement::Query(_)), "{text}");
    }
}

#[test]
fn changes_of_tables() {
    for text in [
        "INSERT INTO dbo.t DEFAULT VALUES",
        "INSERT t VALUES (1, N'x', NULL, DEFAULT)",
        "INSERT INTO t (a) OUTPUT inserted.id VALUES (1)",
        "UPDATE t SET a = a + 1, b = 'x' WHERE id = 1",
        "UPDATE TOP (10) t SET a = 1",
        "UPDATE a SET a.x = b.x FROM t a JOIN u b ON a.id = b.id",
        "DELETE t WHERE a = 1",
        "DELETE FROM t",
        "DELETE TOP (5) FROM t",
        "TRUNCATE TABLE dbo.t",
        "DROP TABLE IF EXISTS a, b",
        "CREATE TABLE dbo.t (id int IDENTITY(1,1) NOT NULL PRIMARY KEY, name nvarchar(50) NULL DEFAULT (N'x'), at datetime2(3) DEFAULT SYSDATETIME())",
        "CREATE TABLE [dbo].[t]([id] [int] IDENTITY(1,1) NOT NULL, [v] [nvarchar](max) NULL, CONSTRAINT [pk] PRIMARY KEY CLUSTERED ([id] ASC) \
         WITH (PAD_INDEX = OFF, IGNORE_DUP_KEY = OFF) ON [PRIMARY]) ON [PRIMARY] TEXTIMAGE_ON [PRIMARY]",
    ] {
        assert!(matches!(one(text), Statement::Table(_)), "{text}");
    }
}

#[test]
fn a_script_of_many_lines() {
    let script = "SET NOCOUNT ON\r\nDECLARE @n int\r\nSELECT @n = COUNT(*)\r\nFROM msdb.dbo.backupset -- a comment\r\n/* another /* nested */ */\r\nIF @n > 0\r\nBEGIN\r\n  PRINT 'some'\r\nEND\r\nELSE\r\n  PRINT 'none'\r\n";
    let lines: Vec<u32> = all(script).iter().map(|located| located.line).collect();
    assert_eq!(lines, [1, 2, 3, 6]);
}
