//! Batches against an instance in memory, in simulated time: what a client sends, and what it must hear.
//!
//! Expected answers are those that SQL Server documents for the statements, and arithmetic by hand.

#![allow(missing_docs, clippy::unwrap_used)]

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use simsql::answers::Transcript;
use simsql::instance::{Instance, Settings, Version};
use simsql::memory::Memory;
use simsql::session::{Parameter, Session};
use simsql::value::{Length, SqlType, Value};
use simsql::world::Clock as _;

struct Bench {
    memory: Memory,
    instance: Arc<Instance>,
}

impl Bench {
    fn new() -> Self {
        let memory = Memory::new(7);
        let mut settings = Settings::new(Version::V2022, "/sql");
        settings.sa_password = Some("x".to_owned());
        let instance = Instance::start(memory.world.clone(), settings).expect("it starts");
        Self { memory, instance }
    }

    fn session(&self) -> Session {
        self.instance.attach("sa").expect("sa")
    }

    fn run(&self, session: &mut Session, text: &str) -> Transcript {
        let mut transcript = Transcript::default();
        self.memory
            .clock
            .run_one(session.batch(text, &mut [], &mut transcript));
        transcript
    }

    /// A session in a new database with the table `t (id int primary key, name nvarchar(20))`.
    fn with_table(&self) -> Session {
        let mut session = self.session();
        self.ok(&mut session, "CREATE DATABASE d");
        self.ok(&mut session, "USE d");
        self.ok(
            &mut session,
            "CREATE TABLE t (id int NOT NULL PRIMARY KEY, name nvarchar(20) NULL)",
        );
        session
    }

    /// Runs what must not fail.
    fn ok(&self, session: &mut Session, text: &str) -> Transcript {
        let transcript = self.run(session, text);
        let errors: Vec<_> = transcript.errors().collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
        transcript
    }

    /// The rows of the only result, printed.
    fn rows(&self, session: &mut Session, text: &str) -> Vec<String> {
        let transcript = self.ok(session, text);
        assert_eq!(transcript.results.len(), 1, "{text}: {transcript:?}");
        printed(&transcript.results[0].rows)
    }

    /// Number and line of the errors.
    fn errors(&self, session: &mut Session, text: &str) -> Vec<(i32, u32)> {
        let transcript = self.run(session, text);
        transcript
            .errors()
            .map(|error| (error.number, error.line))
            .collect()
    }
}

fn printed(rows: &[Vec<Value>]) -> Vec<String> {
    rows.iter()
        .map(|row| row.iter().map(show).collect::<Vec<_>>().join("|"))
        .collect()
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Decimal(number) => format!("{}e-{}", number.unscaled, number.scale),
        other => format!("{other:?}"),
    }
}

#[test]
fn rows_are_added_changed_and_removed() {
    let bench = Bench::new();
    let mut session = bench.with_table();
    let added = bench.ok(
        &mut session,
        "INSERT INTO t VALUES (1, N'a'), (2, N'b'), (3, NULL)",
    );
    assert_eq!(added.counts, [Some(3)]);
    assert_eq!(
        bench.rows(&mut session, "SELECT * FROM t ORDER BY id"),
        ["1|a", "2|b", "3|NULL"]
    );
    assert_eq!(
        bench
            .ok(&mut session, "UPDATE t SET name = N'c' WHERE id > 1")
            .counts,
        [Some(2)]
    );
    assert_eq!(bench.ok(&mut session, "DELETE t WHERE id = 2").counts, [Some(1)]);
    assert_eq!(
        bench.rows(&mut session, "SELECT name, id FROM d.dbo.t ORDER BY id"),
        ["a|1", "c|3"]
    );
    assert_eq!(bench.rows(&mut session, "SELECT @@ROWCOUNT"), ["2"]);
    bench.ok(&mut session, "INSERT INTO t (id) SELECT id + 10 FROM t");
    assert_eq!(
        bench.rows(&mut session, "SELECT COUNT(*) FROM t WHERE name IS NULL"),
        ["2"]
    );
    bench.ok(&mut session, "UPDATE TOP (1) t SET id = 100 WHERE id = 1");
    bench.ok(&mut session, "TRUNCATE TABLE t");
    assert_eq!(bench.rows(&mut session, "SELECT COUNT(*) FROM t"), ["0"]);
    bench.ok(&mut session, "DROP TABLE t");
    assert_eq!(bench.errors(&mut session, "SELECT * FROM t"), [(208, 1)]);
}

#[test]
fn constraints_hold_and_undo_the_statement_alone() {
    let bench = Bench::new();
    let mut session = bench.with_table();
    bench.ok(&mut session, "INSERT INTO t VALUES (1, N'a')");
    let transcript = bench.run(
        &mut session,
        "INSERT INTO t VALUES (2, N'b'), (1, N'c')\nSELECT COUNT(*) FROM t",
    );
    let error = transcript.errors().next().unwrap();
    assert_eq!((error.number, error.class, error.line), (2627, 14, 1));
    assert!(
        error.text.ends_with("The duplicate key value is (1)."),
        "{}",
        error.text
    );
    assert_eq!(
        printed(&transcript.results[0].rows),
        ["1"],
        "the batch goes on, the statement is undone"
    );
    assert_eq!(
        bench.errors(&mut session, "INSERT INTO t (name) VALUES (N'x')"),
        [(515, 1)]
    );
    assert_eq!(bench.errors(&mut session, "UPDATE t SET id = NULL"), [(515, 1)]);
    assert_eq!(
        bench.errors(&mut session, "INSERT INTO t VALUES (3, REPLICATE(N'x', 21))"),
        [(2628, 1)]
    );
    // Keys that are exchanged in one statement are no duplicates.
    bench.ok(
        &mut session,
        "INSERT INTO t VALUES (2, N'b') UPDATE t SET id = 3 - id",
    );
    assert_eq!(
        bench.rows(&mut session, "SELECT id, name FROM t ORDER BY id"),
        ["1|b", "2|a"]
    );
    // A deleted key is free again, in a transaction that is rolled back not.
    bench.ok(
        &mut session,
        "DELETE t WHERE id = 1 INSERT INTO t VALUES (1, N'new')",
    );
    bench.ok(&mut session, "BEGIN TRAN DELETE t ROLLBACK");
    assert_eq!(
        bench.errors(&mut session, "INSERT INTO t VALUES (1, N'x')"),
        [(2627, 1)]
    );
}

#[test]
fn identity_and_defaults() {
    let bench = Bench::new();
    let mut session = bench.with_table();
    bench.ok(
        &mut session,
        "CREATE TABLE n (id int IDENTITY(10, 5) NOT NULL PRIMARY KEY, a int NOT NULL DEFAULT (7), b nvarchar(10) DEFAULT N'x')",
    );
    bench.ok(
        &mut session,
        "INSERT INTO n DEFAULT VALUES INSERT INTO n (b) VALUES (NULL), (DEFAULT)",
    );
    assert_eq!(
        bench.rows(&mut session, "SELECT id, a, b FROM n ORDER BY id"),
        ["10|7|x", "15|7|NULL", "20|7|x"]
    );
    assert_eq!(
        bench.rows(&mut session, "SELECT @@IDENTITY, SCOPE_IDENTITY()"),
        ["20e-0|20e-0"]
    );
    assert_eq!(
        bench.errors(&mut session, "INSERT INTO n (id) VALUES (1)"),
        [(544, 1)]
    );
    bench.ok(
        &mut session,
        "SET IDENTITY_INSERT n ON INSERT INTO n (id) VALUES (100) SET IDENTITY_INSERT n OFF",
    );
    bench.ok(&mut session, "INSERT INTO n DEFAULT VALUES");
    assert_eq!(bench.rows(&mut session, "SELECT MAX(id) FROM n"), ["105"]);
    assert_eq!(
        bench.errors(&mut session, "UPDATE n SET id = 1 WHERE id = 10"),
        [(8102, 1)]
    );
}

#[test]
fn transactions_and_savepoints() {
    let bench = Bench::new();
    let mut session = bench.with_table();
    bench.ok(
        &mut session,
        "BEGIN TRAN INSERT INTO t VALUES (1, N'a') SAVE TRAN s INSERT INTO t VALUES (2, N'b') ROLLBACK TRAN s \
         INSERT INTO t VALUES (3, N'c') COMMIT",
    );
    assert_eq!(
        bench.rows(&mut session, "SELECT id FROM t ORDER BY id"),
        ["1", "3"]
    );
    assert_eq!(
        bench.rows(
            &mut session,
            "BEGIN TRAN BEGIN TRAN DELETE t COMMIT SELECT @@TRANCOUNT"
        ),
        ["1"]
    );
    bench.ok(&mut session, "ROLLBACK");
    assert_eq!(
        bench.rows(&mut session, "SELECT COUNT(*), @@TRANCOUNT FROM t"),
        ["2|0"]
    );
    assert_eq!(
        bench.errors(&mut session, "BEGIN TRAN a ROLLBACK TRAN b"),
        [(6401, 1)]
    );
    bench.ok(&mut session, "ROLLBACK TRAN a");
    assert_eq!(bench.errors(&mut session, "COMMIT"), [(3902, 1)]);
    assert_eq!(bench.errors(&mut session, "ROLLBACK"), [(3903, 1)]);
    bench.ok(&mut session, "SET IMPLICIT_TRANSACTIONS ON DELETE t");
    assert_eq!(bench.rows(&mut session, "SELECT @@TRANCOUNT"), ["1"]);
    bench.ok(&mut session, "ROLLBACK SET IMPLICIT_TRANSACTIONS OFF");
    assert_eq!(bench.rows(&mut session, "SELECT COUNT(*) FROM t"), ["2"]);
}

#[test]
fn xact_abort_rolls_all_back() {
    let bench = Bench::new();
    let mut session = bench.with_table();
    let errors = bench.errors(
        &mut session,
        "SET XACT_ABORT ON BEGIN TRAN INSERT INTO t VALUES (1, N'a')\nINSERT INTO t VALUES (1, N'b')\nINSERT INTO t VALUES (2, N'c')",
    );
    assert_eq!(errors, [(2627, 2)], "the batch ends there");
    assert_eq!(
        bench.rows(&mut session, "SELECT COUNT(*), @@TRANCOUNT FROM t"),
        ["0|0"]
    );
}

#[test]
fn a_transaction_in_two_databases() {
    let bench = Bench::new();
    let mut session = bench.with_table();
    bench.ok(&mut session, "CREATE DATABASE e");
    bench.ok(&mut session, "USE e");
    bench.ok(
        &mut session,
        "CREATE TABLE u (a int) BEGIN TRAN INSERT u VALUES (1) INSERT d.dbo.t VALUES (1, N'a') ROLLBACK",
    );
    assert_eq!(
        bench.rows(
            &mut session,
            "SELECT (SELECT COUNT(*) FROM u) + (SELECT COUNT(*) FROM d.dbo.t)"
        ),
        ["0"]
    );
    bench.ok(
        &mut session,
        "BEGIN TRAN INSERT u VALUES (1) INSERT d.dbo.t VALUES (1, N'a') COMMIT",
    );
    assert_eq!(
        bench.rows(
            &mut session,
            "SELECT (SELECT COUNT(*) FROM u) + (SELECT COUNT(*) FROM d.dbo.t)"
        ),
        ["2"]
    );
}

#[test]
fn flow_and_variables() {
    let bench = Bench::new();
    let mut session = bench.session();
    assert_eq!(
        bench.rows(
            &mut session,
            "DECLARE @i int = 0, @s nvarchar(100) = N''\nWHILE 1 = 1 BEGIN\n SET @i += 1 IF @i = 3 CONTINUE IF @i > 5 BREAK\n \
             SELECT @s = @s + CAST(@i AS nvarchar(10))\nEND SELECT @s, @i",
        ),
        ["1245|6"]
    );
    assert_eq!(bench.errors(&mut session, "SELECT 1\nSET @x = 1"), [(137, 2)]);
    let transcript = bench.ok(
        &mut session,
        "PRINT N'a' RAISERROR('b %d', 10, 1, 5) RETURN PRINT 'c'",
    );
    let texts: Vec<_> = transcript
        .messages
        .iter()
        .map(|message| message.text.as_str())
        .collect();
    assert_eq!(texts, ["a", "b 5"]);
}

#[test]
fn what_is_caught_is_not_sent() {
    let bench = Bench::new();
    let mut session = bench.with_table();
    assert_eq!(
        bench.rows(
            &mut session,
            "BEGIN TRY\n INSERT INTO t VALUES (1, NULL)\n INSERT INTO t VALUES (1, NULL)\n PRINT 'no'\nEND TRY\nBEGIN CATCH\n \
             SELECT ERROR_NUMBER(), ERROR_LINE(), ERROR_SEVERITY(), XACT_STATE()\nEND CATCH",
        ),
        ["2627|3|14|0"]
    );
    assert_eq!(
        bench.errors(
            &mut session,
            "BEGIN TRY\nTHROW 50001, N'mine', 3;\nEND TRY BEGIN CATCH THROW; END CATCH\nPRINT 'no'"
        ),
        [(50001, 2)]
    );
    assert_eq!(
        bench.errors(&mut session, "RAISERROR('x', 16, 1)\nRAISERROR('y', 16, 1)"),
        [(50000, 1), (50000, 2)],
        "RAISERROR ends nothing"
    );
    // A conversion that fails dooms the transaction within TRY.
    let transcript = bench.run(
        &mut session,
        "BEGIN TRAN BEGIN TRY INSERT INTO t VALUES (9, NULL) SELECT CAST('x' AS int) END TRY BEGIN CATCH SELECT XACT_STATE() END CATCH",
    );
    assert_eq!(printed(&transcript.results.last().unwrap().rows), ["-1"]);
    assert_eq!(
        transcript.errors().map(|error| error.number).collect::<Vec<_>>(),
        [3998]
    );
    assert_eq!(
        bench.rows(&mut session, "SELECT COUNT(*) FROM t WHERE id = 9"),
        ["0"]
    );
}

#[test]
fn executed_texts_and_parameters() {
    let bench = Bench::new();
    let mut session = bench.session();
    assert_eq!(
        bench.rows(
            &mut session,
            "DECLARE @out int, @r int EXEC @r = sp_executesql N'SET @b = @a * 2', N'@a int, @b int OUTPUT', @a = 21, @b = @out OUTPUT \
             SELECT @out, @r",
        ),
        ["42|0"]
    );
    assert_eq!(
        bench.rows(
            &mut session,
            "DECLARE @s nvarchar(50) = N'1' EXEC ('SELECT ' + @s + ' + 1')"
        ),
        ["2"]
    );
    assert_eq!(
        bench.errors(&mut session, "EXEC sp_nonsense\nSELECT 1/0"),
        [(2812, 1), (8134, 2)]
    );
    let mut parameters = [Parameter {
        name: "@p".to_owned(),
        sql_type: SqlType::NVarChar(Length::Of(10)),
        value: Value::Text("ab".to_owned()),
        is_output: true,
    }];
    let mut transcript = Transcript::default();
    let batch = session.batch("SET @p = @p + N'c'", &mut parameters, &mut transcript);
    bench.memory.clock.run_one(batch);
    assert_eq!(parameters[0].value, Value::Text("abc".to_owned()));
}

#[test]
fn temporary_tables() {
    let bench = Bench::new();
    let mut session = bench.session();
    assert_eq!(
        bench.rows(
            &mut session,
            "CREATE TABLE #t (a int, b nvarchar(10)) INSERT INTO #t VALUES (1, N'x'), (2, N'y') UPDATE #t SET a = a + 1 DELETE #t WHERE a = 2 \
             SELECT * FROM #t",
        ),
        ["3|y"]
    );
    assert_eq!(
        bench.rows(&mut session, "SELECT a FROM tempdb..#t"),
        ["3"],
        "it lives as long as the session"
    );
    assert_eq!(
        bench.rows(
            &mut session,
            "DECLARE @v TABLE (x int PRIMARY KEY) INSERT @v SELECT a FROM #t SELECT x FROM @v"
        ),
        ["3"]
    );
    assert_eq!(bench.errors(&mut session, "SELECT * FROM @v"), [(1087, 1)]);
    bench.ok(&mut session, "BEGIN TRAN DELETE #t ROLLBACK");
    assert_eq!(bench.rows(&mut session, "SELECT COUNT(*) FROM #t"), ["1"]);
    assert_eq!(
        bench.rows(&mut session, "SELECT a AS z INTO #u FROM #t SELECT z FROM #u"),
        ["3"]
    );
    assert_eq!(
        bench.rows(
            &mut session,
            "IF OBJECT_ID('tempdb..#u') IS NOT NULL DROP TABLE #u SELECT COUNT(*) FROM #t"
        ),
        ["1"]
    );
    let other = bench.errors(&mut bench.session(), "SELECT * FROM #t");
    assert_eq!(other, [(208, 1)], "nobody else sees it");
    assert_eq!(
        bench.rows(
            &mut session,
            "CREATE TABLE #e (name nvarchar(128), data nvarchar(4000)) \
             INSERT INTO #e EXEC master.dbo.xp_instance_regread N'HKEY_LOCAL_MACHINE', N'Software', N'BackupDirectory' SELECT data FROM #e",
        ),
        ["/sql/backup"]
    );
}

#[test]
fn databases_that_take_no_changes() {
    let bench = Bench::new();
    let mut session = bench.with_table();
    bench.ok(&mut session, "ALTER DATABASE d SET READ_ONLY");
    assert_eq!(
        bench.errors(&mut session, "INSERT INTO t VALUES (1, NULL)"),
        [(3906, 1)]
    );
    assert_eq!(bench.errors(&mut session, "CREATE TABLE x (a int)"), [(3906, 1)]);
    assert_eq!(bench.rows(&mut session, "SELECT COUNT(*) FROM t"), ["0"]);
    bench.ok(
        &mut session,
        "ALTER DATABASE d SET READ_WRITE USE master ALTER DATABASE d SET OFFLINE",
    );
    assert_eq!(bench.errors(&mut session, "SELECT * FROM d.dbo.t"), [(942, 1)]);
    assert_eq!(bench.errors(&mut session, "USE nowhere"), [(911, 1)]);
}

type Running<'a> = Pin<Box<dyn Future<Output = Transcript> + 'a>>;

/// A batch that begins after some time.
fn later<'a>(bench: &'a Bench, session: &'a mut Session, millis: u64, text: &'a str) -> Running<'a> {
    Box::pin(async move {
        bench.memory.clock.sleep(Duration::from_millis(millis)).await;
        let mut transcript = Transcript::default();
        session.batch(text, &mut [], &mut transcript).await;
        transcript
    })
}

#[test]
fn readers_and_writers_wait_for_a_writer() {
    let bench = Bench::new();
    let mut writer = bench.with_table();
    let mut reader = bench.session();
    let mut second = bench.session();
    bench.ok(&mut reader, "USE d");
    bench.ok(&mut second, "USE d");
    let start = bench.memory.clock.uptime();
    let done = bench.memory.clock.run(vec![
        later(
            &bench,
            &mut writer,
            0,
            "BEGIN TRAN INSERT INTO t VALUES (1, N'a') WAITFOR DELAY '00:00:05' COMMIT",
        ),
        later(&bench, &mut reader, 1000, "SELECT COUNT(*) FROM t"),
        later(&bench, &mut second, 1000, "INSERT INTO t VALUES (2, N'b')"),
    ]);
    assert!(
        done.iter().all(|transcript| transcript.errors().next().is_none()),
        "{done:?}"
    );
    assert_ne!(
        printed(&done[1].results[0].rows),
        ["0"],
        "the reader saw what was committed"
    );
    let passed = bench.memory.clock.uptime() - start;
    assert!((5000..5100).contains(&passed.as_millis()), "{passed:?}");
}

#[test]
fn lock_timeout_is_kept_to_the_millisecond() {
    let bench = Bench::new();
    let mut writer = bench.with_table();
    let mut reader = bench.session();
    bench.ok(&mut reader, "USE d SET LOCK_TIMEOUT 2500");
    bench.ok(&mut writer, "BEGIN TRAN INSERT INTO t VALUES (1, N'a')");
    let start = bench.memory.clock.uptime();
    assert_eq!(
        bench.errors(&mut reader, "SELECT 1 AS before\nSELECT * FROM t"),
        [(1222, 2)]
    );
    assert_eq!(bench.memory.clock.uptime() - start, Duration::from_millis(2500));
    assert_eq!(bench.errors(&mut reader, "DELETE t"), [(1222, 1)]);
    bench.ok(&mut reader, "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED");
    assert_eq!(
        bench.rows(&mut reader, "SELECT COUNT(*) FROM t"),
        ["1"],
        "dirty reads wait for nobody"
    );
}

#[test]
fn a_deadlock_has_one_victim() {
    let bench = Bench::new();
    let mut one = bench.with_table();
    bench.ok(&mut one, "CREATE TABLE u (a int)");
    let mut other = bench.session();
    bench.ok(&mut other, "USE d");
    let done = bench.memory.clock.run(vec![
        later(&bench, &mut one, 0, "BEGIN TRAN INSERT INTO t VALUES (1, N'a') WAITFOR DELAY '00:00:01' INSERT INTO u VALUES (1) COMMIT"),
        later(&bench, &mut other, 500, "BEGIN TRAN INSERT INTO u VALUES (2) WAITFOR DELAY '00:00:01' INSERT INTO t VALUES (2, N'b') COMMIT"),
    ]);
    let errors: Vec<Vec<i32>> = done
        .iter()
        .map(|transcript| transcript.errors().map(|error| error.number).collect())
        .collect();
    assert_eq!(errors, [vec![], vec![1205]], "the one that closed the circle");
    assert_eq!(
        bench.rows(
            &mut one,
            "SELECT (SELECT COUNT(*) FROM t) + (SELECT COUNT(*) FROM u)"
        ),
        ["2"]
    );
    assert_eq!(bench.rows(&mut other, "SELECT @@TRANCOUNT"), ["0"]);
}

#[test]
fn a_cancelled_batch_says_nothing_and_its_session_lives() {
    let bench = Bench::new();
    let mut session = bench.session();
    let canceller = session.canceller.clone();
    let cancel: Running<'_> = Box::pin(async {
        bench.memory.clock.sleep(Duration::from_secs(3)).await;
        canceller.cancel();
        Transcript::default()
    });
    let start = bench.memory.clock.uptime();
    let done = bench.memory.clock.run(vec![
        later(
            &bench,
            &mut session,
            0,
            "PRINT 'a' WAITFOR DELAY '01:00:00' PRINT 'b'",
        ),
        cancel,
    ]);
    assert_eq!(done[0].messages.len(), 1);
    assert_eq!(bench.memory.clock.uptime() - start, Duration::from_secs(3));
    canceller.reset();
    assert_eq!(bench.rows(&mut session, "SELECT 1"), ["1"]);
}

#[test]
fn a_killed_session_rolls_back_and_ends() {
    let bench = Bench::new();
    let mut victim = bench.with_table();
    let mut killer = bench.session();
    bench.ok(&mut killer, "USE d");
    let kill = format!("KILL {}", victim.id);
    let done = bench.memory.clock.run(vec![
        later(
            &bench,
            &mut victim,
            0,
            "BEGIN TRAN INSERT INTO t VALUES (1, N'a') WAITFOR DELAY '01:00:00'",
        ),
        later(&bench, &mut killer, 2000, &kill),
    ]);
    let errors: Vec<_> = done[0]
        .errors()
        .map(|error| (error.number, error.class))
        .collect();
    assert_eq!(errors, [(596, 21)]);
    assert!(victim.ended);
    assert_eq!(bench.rows(&mut killer, "SELECT COUNT(*) FROM t"), ["0"]);
}

#[test]
fn what_a_session_runs_is_shown_without_secrets() {
    let bench = Bench::new();
    let mut session = bench.session();
    let state = |session: &Session| {
        let state = bench.instance.state();
        state.sessions[&session.id].request.clone()
    };
    assert!(state(&session).is_none());
    let text = "CREATE CREDENTIAL c WITH IDENTITY = 'a', SECRET = 'hush' WAITFOR DELAY '00:00:10'";
    let id = session.id;
    let look: Running<'_> = Box::pin(async {
        bench.memory.clock.sleep(Duration::from_secs(1)).await;
        let shown = bench.instance.state().sessions[&id]
            .request
            .clone()
            .expect("it runs");
        assert_eq!(shown.command, "WAITFOR");
        assert!(!shown.text.contains("hush"));
        Transcript::default()
    });
    let done = bench
        .memory
        .clock
        .run(vec![later(&bench, &mut session, 0, text), look]);
    assert_eq!(done[0].errors().count(), 0, "{:?}", done[0]);
}

#[test]
fn checkdb_says_that_all_is_well() {
    let bench = Bench::new();
    let mut session = bench.with_table();
    let transcript = bench.ok(&mut session, "DBCC CHECKDB");
    let numbers: Vec<_> = transcript.messages.iter().map(|message| message.number).collect();
    assert_eq!(numbers, [8989, 2528]);
    assert!(
        bench
            .ok(&mut session, "DBCC CHECKDB (d) WITH NO_INFOMSGS")
            .messages
            .is_empty()
    );
    assert_eq!(bench.errors(&mut session, "DBCC CHECKDB (nowhere)"), [(2520, 1)]);
    assert_eq!(bench.errors(&mut session, "DBCC NONSENSE"), [(2526, 1)]);
}

/// A check and, in the moment in which it has looked at some of the pages, something else. What the two said.
fn while_it_checks(bench: &Bench, session: &mut Session, other: impl FnOnce()) -> Transcript {
    let deed: Running<'_> = Box::pin(async {
        // The check's turn comes after the first of these, and again after the second.
        bench.memory.clock.sleep(Duration::ZERO).await;
        bench.memory.clock.sleep(Duration::ZERO).await;
        other();
        Transcript::default()
    });
    let check = later(bench, session, 0, "DBCC CHECKDB (d)");
    bench.memory.clock.run(vec![deed, check]).remove(1)
}

/// Pages of a file: several pieces of a check.
const SEVERAL_PIECES: u32 = 2048;

#[test]
fn a_check_lets_others_at_the_database() {
    let bench = Bench::new();
    let mut session = bench.session();
    let large = |bench: &Bench, session: &mut Session| {
        let size = SEVERAL_PIECES / 128;
        bench.ok(
            session,
            &format!("CREATE DATABASE d ON (NAME = 'd', FILENAME = '/sql/d.mdf', SIZE = {size}MB)"),
        );
        bench.ok(
            session,
            "CREATE TABLE d.dbo.t (id int NOT NULL PRIMARY KEY, name nvarchar(20) NULL)",
        );
    };
    large(&bench, &mut session);

    // What changes meanwhile is no damage.
    let mut writer = bench.session();
    let said = while_it_checks(&bench, &mut session, || {
        bench.ok(&mut writer, "CREATE TABLE d.dbo.u (id int NOT NULL PRIMARY KEY)");
        bench.ok(&mut writer, "INSERT INTO d.dbo.u VALUES (1), (2)");
        bench.ok(&mut writer, "DROP TABLE d.dbo.t");
    });
    let numbers: Vec<_> = said.messages.iter().map(|message| message.number).collect();
    assert_eq!(numbers, [8989, 2528]);

    // It is cancelled, and killed.
    let canceller = session.canceller.clone();
    let said = while_it_checks(&bench, &mut session, || canceller.cancel());
    assert!(said.messages.is_empty(), "{:?}", said.messages);
    canceller.reset();
    let mut victim = bench.session();
    let kill = format!("KILL {}", victim.id);
    let said = while_it_checks(&bench, &mut victim, || {
        bench.ok(&mut writer, &kill);
    });
    assert_eq!(said.errors().map(|error| error.number).collect::<Vec<_>>(), [596]);

    // The database goes, and another of its name and number comes.
    for again in [false, true] {
        let said = while_it_checks(&bench, &mut session, || {
            bench.ok(&mut writer, "DROP DATABASE d");
            if again {
                large(&bench, &mut writer);
            }
        });
        assert_eq!(
            said.errors().map(|error| error.number).collect::<Vec<_>>(),
            [2520]
        );
        if !again {
            large(&bench, &mut session);
        }
    }
}

#[test]
fn procedures_of_the_system() {
    let bench = Bench::new();
    let mut session = bench.session();
    bench.ok(
        &mut session,
        "EXEC sp_configure 'backup compression default', 1 RECONFIGURE",
    );
    assert_eq!(
        bench.rows(&mut session, "EXEC sp_configure 'backup compression default'"),
        ["backup compression default|0|1|1|1"]
    );
    assert_eq!(
        bench.errors(&mut session, "EXEC sp_configure 'nonsense', 1"),
        [(15123, 1)]
    );
    bench.ok(
        &mut session,
        "EXEC sp_addumpdevice 'disk', 'dev', '/sql/backup/dev.bak'",
    );
    assert_eq!(
        bench.instance.state().server.devices["dev"],
        "/sql/backup/dev.bak"
    );
    bench.ok(&mut session, "EXEC sp_dropdevice 'dev'");
    assert_eq!(
        bench.rows(&mut session, "EXEC xp_fileexist '/sql/backup'"),
        ["0|1|1"]
    );
    bench.ok(
        &mut session,
        "EXEC master.dbo.xp_create_subdir N'/sql/backup/new'",
    );
    assert_eq!(
        bench.rows(&mut session, "EXEC xp_dirtree '/sql/backup', 1, 1"),
        ["new|1|0"]
    );
    assert_eq!(bench.rows(&mut session, "EXEC sp_databases").len(), 4);
    assert_eq!(bench.rows(&mut session, "EXEC sp_who").len(), 1);
}
