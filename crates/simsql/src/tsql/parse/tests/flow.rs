//! Control of flow, variables, options, procedures.

use super::{all, error, one};
use crate::tsql::parse;
use crate::tsql::statement::{Statement, Transaction, Word};
use crate::value::{Length, SqlType};

fn kinds(text: &str) -> Vec<(u32, String)> {
    all(text)
        .into_iter()
        .map(|located| {
            let kind = format!("{:?}", located.statement);
            let end = kind
                .find(|letter: char| !letter.is_alphanumeric())
                .unwrap_or(kind.len());
            (located.line, kind[..end].to_owned())
        })
        .collect()
}

fn expect(text: &str, expected: &[(u32, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(line, kind)| (*line, (*kind).to_owned()))
        .collect();
    assert_eq!(kinds(text), expected, "{text}");
}

#[test]
fn statements_need_no_semicolons() {
    expect(
        "SELECT 1 SELECT 2 AS a\nPRINT 'x' SET NOCOUNT ON\nUSE master BACKUP DATABASE d TO DISK='a' RESTORE DATABASE d WITH RECOVERY\n\
         DECLARE @a int = 1, @b nvarchar(max) EXEC sp_who EXEC sp_help 'x', 1 KILL 52 CHECKPOINT\n\
         INSERT INTO t SELECT 1 UNION ALL SELECT 2 UPDATE t SET a = 1 WHERE b = 2 DELETE FROM t WHERE a = 1\n\
         INSERT t (a) VALUES (1), (2) DROP TABLE IF EXISTS t TRUNCATE TABLE u",
        &[
            (1, "Query"),
            (1, "Query"),
            (2, "Print"),
            (2, "Set"),
            (3, "Use"),
            (3, "Backup"),
            (3, "Restore"),
            (4, "Declare"),
            (4, "Execute"),
            (4, "Execute"),
            (4, "Kill"),
            (4, "Checkpoint"),
            (5, "Table"),
            (5, "Table"),
            (5, "Table"),
            (6, "Table"),
            (6, "Table"),
            (6, "Table"),
        ],
    );
}

#[test]
fn case_ends_nothing_but_itself() {
    expect(
        "IF 1 = 1 SELECT CASE WHEN 1 = 1 THEN 2 ELSE 3 END ELSE PRINT 'no'\nSELECT 1",
        &[(1, "If"), (2, "Query")],
    );
    expect(
        "BEGIN SELECT CASE a WHEN 1 THEN (SELECT 2) ELSE 3 END FROM t END PRINT 'x'",
        &[(1, "Block"), (1, "Print")],
    );
}

#[test]
fn common_table_expressions() {
    expect(
        "WITH a AS (SELECT 1 AS x), b AS (SELECT x FROM a) SELECT * FROM b SELECT 3;\nWITH c AS (SELECT 1 AS y) INSERT INTO t SELECT y FROM c",
        &[(1, "Query"), (1, "Query"), (2, "Query")],
    );
}

#[test]
fn branches_loops_and_attempts() {
    let Statement::If { then, otherwise, .. } =
        one("IF EXISTS (SELECT 1 FROM t) BEGIN PRINT 'a'; PRINT 'b'; END; ELSE PRINT 'c'")
    else {
        panic!("IF");
    };
    assert_eq!((then.len(), otherwise.len()), (2, 1));
    let Statement::While { body, .. } = one("WHILE @i < 3 BEGIN SET @i += 1 IF @i = 2 BREAK CONTINUE END")
    else {
        panic!("WHILE");
    };
    assert_eq!(body.len(), 3);
    let Statement::Try { body, handler } =
        one("BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH SELECT ERROR_NUMBER(); THROW; END CATCH")
    else {
        panic!("TRY");
    };
    assert_eq!((body.len(), handler.len()), (1, 2));
    assert_eq!(handler[1].statement, Statement::Rethrow);
    expect(
        "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION\nWAITFOR DELAY '00:00:05' RETURN",
        &[(1, "If"), (2, "WaitFor"), (2, "Return")],
    );
    expect(
        "IF @x = 1 THROW 50001, 'no', 1; ELSE RAISERROR('a %d', 16, 1, 5) WITH NOWAIT",
        &[(1, "If")],
    );
}

#[test]
fn transactions() {
    let transaction = |text: &str| match one(text) {
        Statement::Transaction(transaction) => transaction,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        transaction("BEGIN TRAN t WITH MARK 'before'"),
        Transaction::Begin {
            name: Some("t".to_owned()),
            mark: true
        }
    );
    assert_eq!(
        transaction("BEGIN TRANSACTION"),
        Transaction::Begin {
            name: None,
            mark: false
        }
    );
    assert_eq!(transaction("COMMIT WORK"), Transaction::Commit);
    assert_eq!(
        transaction("COMMIT TRAN x WITH (DELAYED_DURABILITY = ON)"),
        Transaction::Commit
    );
    assert_eq!(transaction("SAVE TRAN s"), Transaction::Save("s".to_owned()));
    assert_eq!(
        transaction("ROLLBACK TRAN s"),
        Transaction::Rollback(Some("s".to_owned()))
    );
    assert_eq!(transaction("ROLLBACK"), Transaction::Rollback(None));
}

#[test]
fn declarations_have_types() {
    let Statement::Declare(variables) = one(
        "DECLARE @a int = -1, @b AS nvarchar(max), @c [varchar](10) = 'x', @d decimal(25,0), @e datetime2, @f varbinary(20) = 0x01, \
         @g sysname, @h bit, @i uniqueidentifier = NULL, @j datetimeoffset(3), @k float, @l char, @m numeric(10), @n smalldatetime, \
         @o money, @p sql_variant, @q time, @r date, @s datetime, @t real, @u tinyint, @v smallint, @w bigint, @x nchar(5)",
    ) else {
        panic!("DECLARE");
    };
    let types: Vec<_> = variables.iter().map(|(_, sql_type, _)| *sql_type).collect();
    assert_eq!(
        types,
        [
            SqlType::Int,
            SqlType::NVarChar(Length::Max),
            SqlType::VarChar(Length::Of(10)),
            SqlType::Decimal {
                precision: 25,
                scale: 0
            },
            SqlType::DateTime2(7),
            SqlType::VarBinary(Length::Of(20)),
            SqlType::NVarChar(Length::Of(128)),
            SqlType::Bit,
            SqlType::UniqueIdentifier,
            SqlType::DateTimeOffset(3),
            SqlType::Float,
            SqlType::Char(1),
            SqlType::Decimal {
                precision: 10,
                scale: 0
            },
            SqlType::SmallDateTime,
            SqlType::Money,
            SqlType::Variant,
            SqlType::Time(7),
            SqlType::Date,
            SqlType::DateTime,
            SqlType::Real,
            SqlType::TinyInt,
            SqlType::SmallInt,
            SqlType::BigInt,
            SqlType::NChar(5),
        ]
    );
    assert!(variables[0].2.is_some() && variables[1].2.is_none());
    assert!(matches!(
        one("DECLARE @t TABLE (a int NOT NULL PRIMARY KEY, b varchar(10) NULL)"),
        Statement::Table(_)
    ));
    assert_eq!(error("DECLARE @a nvarchar(5000)").0, 131);
    assert_eq!(error("DECLARE @a decimal(40, 2)").0, 2750);
    assert_eq!(error("DECLARE @a nonsense").0, 243);
}

#[test]
fn options_of_the_session() {
    let set = |text: &str| match one(text) {
        Statement::Set(name, value) => (name, value),
        other => panic!("{other:?}"),
    };
    let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(set("set nocount on"), owned("NOCOUNT", "ON"));
    assert_eq!(
        set("SET ANSI_NULLS, QUOTED_IDENTIFIER ON;"),
        owned("ANSI_NULLS,QUOTED_IDENTIFIER", "ON")
    );
    assert_eq!(set("SET LOCK_TIMEOUT -1"), owned("LOCK_TIMEOUT", "-1"));
    assert_eq!(set("SET TEXTSIZE 2147483647"), owned("TEXTSIZE", "2147483647"));
    assert_eq!(
        set("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"),
        owned("TRANSACTION ISOLATION LEVEL", "READ COMMITTED")
    );
    assert_eq!(set("SET LANGUAGE us_english"), owned("LANGUAGE", "us_english"));
    assert_eq!(
        set("SET IDENTITY_INSERT dbo.t ON"),
        owned("IDENTITY_INSERT", "ON dbo.t")
    );
    assert_eq!(
        set("SET DEADLOCK_PRIORITY LOW"),
        owned("DEADLOCK_PRIORITY", "LOW")
    );
    assert_eq!(
        error("SELECT 1\nSET NONSENSE ON"),
        (195, "'NONSENSE' is not a recognized SET option.".to_owned(), 2)
    );
}

#[test]
fn procedures() {
    let Statement::Execute {
        result,
        procedure,
        arguments,
    } = one(
        "EXEC @r = master.dbo.xp_instance_regread N'HKEY', @path = @p OUTPUT, @n = -5, @w = word, @x = NULL",
    )
    else {
        panic!("EXEC");
    };
    assert_eq!(
        (result.as_deref(), procedure.as_str()),
        (Some("@r"), "master.dbo.xp_instance_regread")
    );
    let shown: Vec<_> = arguments
        .iter()
        .map(|argument| {
            (
                argument.name.clone(),
                argument.value.to_string(),
                argument.is_output,
            )
        })
        .collect();
    let named = |name: &str, value: &str, output| (Some(name.to_owned()), value.to_owned(), output);
    assert_eq!(
        shown,
        [
            (None, "N'HKEY'".to_owned(), false),
            named("@path", "@p", true),
            named("@n", "-5", false),
            named("@w", "'word'", false),
            named("@x", "NULL", false),
        ]
    );
    assert!(
        matches!(one("sp_configure 'show advanced options', 1"), Statement::Execute { procedure, .. } if procedure == "sp_configure")
    );
    assert!(matches!(one("EXEC ('SELECT ' + @a)"), Statement::ExecuteText(_)));
    assert!(
        matches!(one("EXEC master..sp_who"), Statement::Execute { procedure, .. } if procedure == "master..sp_who")
    );
    assert!(matches!(
        one("INSERT INTO #t (a, b) EXEC sp_who"),
        Statement::InsertExecute { .. }
    ));
}

#[test]
fn dbcc_and_the_server() {
    assert_eq!(
        one("DBCC CHECKDB ([my db], NOINDEX) WITH NO_INFOMSGS, ALL_ERRORMSGS, MAXDOP = 2"),
        Statement::Dbcc {
            name: "CHECKDB".to_owned(),
            arguments: vec![
                Word::Literal("my db".to_owned()),
                Word::Literal("NOINDEX".to_owned())
            ],
            options: ["NO_INFOMSGS", "ALL_ERRORMSGS", "MAXDOP = 2"]
                .map(str::to_owned)
                .to_vec(),
        }
    );
    assert_eq!(
        one("dbcc traceon(3604, -1)"),
        Statement::Dbcc {
            name: "TRACEON".to_owned(),
            arguments: vec![Word::Literal("3604".to_owned()), Word::Literal("-1".to_owned())],
            options: Vec::new(),
        }
    );
    assert_eq!(one("SHUTDOWN WITH NOWAIT"), Statement::Shutdown { nowait: true });
    assert_eq!(one("RECONFIGURE WITH OVERRIDE"), Statement::Reconfigure);
    assert_eq!(one("KILL 60"), Statement::Kill(60));
}

#[test]
fn errors_and_their_lines() {
    let cases: [(&str, i32, &str, u32); 10] = [
        (
            "SELECT 1\nSELECT FROM t",
            156,
            "Incorrect syntax near the keyword 'FROM'.",
            2,
        ),
        ("SELECT 1 +", 102, "Incorrect syntax near '+'.", 1),
        (
            "SELECT 1\n\nPRINT 'abc",
            105,
            "Unclosed quotation mark after the character string 'abc'.",
            3,
        ),
        ("SELECT 1 /* never", 113, "Missing end comment mark '*/'.", 1),
        ("BEGIN SELECT 1", 102, "Incorrect syntax near '1'.", 1),
        ("SELECT (1", 102, "Incorrect syntax near '1'.", 1),
        (
            "SELECT 1\nEND",
            156,
            "Incorrect syntax near the keyword 'END'.",
            2,
        ),
        (
            "BREAK",
            135,
            "Cannot use a BREAK statement outside the scope of a WHILE statement.",
            1,
        ),
        (
            "RETURN 5",
            178,
            "A RETURN statement with a return value cannot be used in this context.",
            1,
        ),
        ("SELECT 1\nIF 1 = 1\n", 102, "Incorrect syntax near '1'.", 2),
    ];
    for (text, number, message, line) in cases {
        assert_eq!(error(text), (number, message.to_owned(), line), "{text}");
    }
}

#[test]
fn no_error_shows_a_secret() {
    for text in [
        "CREATE CREDENTIAL c WITH IDENTITY = 'a', SECRET 'sig=abc'",
        "CREATE LOGIN l WITH PASSWORD = 'abc",
    ] {
        let shown = format!("{:?}", parse(text, true));
        assert!(!shown.contains("abc"), "{shown}");
    }
}

#[test]
fn limits() {
    let deep = format!("{}PRINT 'x'{}", "BEGIN ".repeat(33), " END".repeat(33));
    assert_eq!(error(&deep).0, 191);
    assert_eq!(
        error(&format!("SELECT {}1{}", "(".repeat(2000), ")".repeat(2000))).0,
        191
    );
}

#[test]
fn double_quotes_are_texts_where_quoted_identifier_is_off() {
    let parsed = parse("EXEC p \"a b\"", false).unwrap();
    assert!(
        matches!(&parsed[0].statement, Statement::Execute { arguments, .. } if arguments[0].value.to_string() == "'a b'")
    );
}
