//! Batches that were written to break the instance: what must come back is an error, and the instance must go on.
//!
//! They run on a thread with the stack that the wire asks for, in an unoptimised build: where they fit here, they fit anywhere.

use std::sync::Arc;

use simsql::answers::Transcript;
use simsql::instance::{Instance, LoginRequest, Settings, Version};
use simsql::memory::Memory;
use simsql::session::Session;
use simsql::value::Value;
use simsql::world::Kind;

/// What threads that run batches have, in bytes.
const STACK: usize = simsql::tds::STACK;

/// Runs the batches one after the other in one session; the numbers of their errors.
fn errors(batches: Vec<String>) -> Vec<Vec<i32>> {
    let runs = move || {
        let memory = Memory::new(7);
        let mut settings = Settings::new(Version::V2022, "/sql");
        settings.sa_password = Some("x".to_owned());
        let instance: Arc<Instance> = Instance::start(memory.world.clone(), settings).expect("it starts");
        let mut session = instance.attach("sa").expect("sa");
        let mut numbers = Vec::new();
        for batch in &batches {
            let mut transcript = Transcript::default();
            memory
                .clock
                .run_one(session.batch(batch, &mut [], &mut transcript));
            numbers.push(transcript.errors().map(|error| error.number).collect());
        }
        numbers
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(runs);
    thread.expect("a thread").join().expect("no panic")
}

/// `SELECT 1` with `count` times `more` behind it.
fn chain(more: &str, count: usize) -> String {
    format!("SELECT 1{}", more.repeat(count))
}

#[test]
fn chains_as_long_as_a_batch() {
    let numbers = errors(vec![
        chain("+1", 200_000),
        chain(" UNION ALL SELECT 1", 100_000),
        format!("IF 1=1{} PRINT 'x'", " AND 1=1".repeat(100_000)),
        chain(" COLLATE Latin1_General_BIN", 100_000),
        chain(" IS NULL", 100_000),
        "SELECT @@SPID".to_owned(),
    ]);
    for refused in &numbers[..5] {
        assert_eq!(refused.len(), 1, "{numbers:?}");
    }
    assert!(numbers[5].is_empty(), "{numbers:?}");
}

#[test]
fn depth_of_every_kind() {
    let numbers = errors(vec![
        format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("SELECT {}1", " -".repeat(100_000)),
        format!("IF {} 1=1 PRINT 'x'", "NOT ".repeat(100_000)),
        format!(
            "SELECT {}1{}",
            "CASE WHEN 1=1 THEN ".repeat(50_000),
            " END".repeat(50_000)
        ),
        format!("{}PRINT 'x'{}", "BEGIN ".repeat(50_000), " END".repeat(50_000)),
        format!(
            "SELECT * FROM {}(SELECT 1 a) t{}",
            "(SELECT * FROM ".repeat(50_000),
            ") t".repeat(50_000)
        ),
        "SELECT @@SPID".to_owned(),
    ]);
    for refused in &numbers[..6] {
        assert_eq!(refused.len(), 1, "{numbers:?}");
    }
    assert!(numbers[6].is_empty(), "{numbers:?}");
}

#[test]
fn a_text_that_runs_itself() {
    let inner = "DECLARE @s nvarchar(max) = N''; EXEC sp_executesql @t, N'@t nvarchar(max)', @t = @t";
    let batch = format!(
        "DECLARE @t nvarchar(max) = N'{}'; EXEC sp_executesql @t, N'@t nvarchar(max)', @t = @t",
        inner.replace('\'', "''")
    );
    let numbers = errors(vec![batch, "SELECT @@SPID".to_owned()]);
    assert_eq!(numbers[0], [217]);
    assert!(numbers[1].is_empty());
}

#[test]
fn a_reset_in_the_middle() {
    let numbers = errors(vec![
        "BEGIN TRY EXEC sp_reset_connection; SELECT 1/0 END TRY BEGIN CATCH PRINT 'caught' END CATCH"
            .to_owned(),
        "EXEC('EXEC sp_reset_connection')".to_owned(),
        "SELECT STUFF('abc', CAST(-9223372036854775808 AS bigint), 1, 'x')".to_owned(),
    ]);
    assert!(numbers.iter().all(Vec::is_empty), "{numbers:?}");
}

#[test]
fn a_backup_does_not_write_into_the_instances_own_files() {
    let backup = |path: &str| format!("BACKUP DATABASE model TO DISK = '{path}' WITH FORMAT");
    let numbers = errors(vec![
        backup("/sql/data/master.mdf"),
        backup("/sql/./data//MASTER.mdf"),
        backup("/sql/instance.json"),
        backup("/sql/backup/model.bak"),
    ]);
    assert_eq!(
        numbers,
        [
            vec![3201, 3013],
            vec![3201, 3013],
            vec![3201, 3013],
            Vec::<i32>::new()
        ]
    );
}

#[test]
fn nobody_makes_himself_more_than_he_is() {
    let memory = Memory::new(7);
    let mut settings = Settings::new(Version::V2022, "/sql");
    settings.sa_password = Some("x".to_owned());
    let instance: Arc<Instance> = Instance::start(memory.world.clone(), settings).expect("it starts");
    let errors = |login: &str, batch: &str| -> Vec<i32> {
        let mut session = instance.attach(login).expect("a login");
        let mut transcript = Transcript::default();
        memory
            .clock
            .run_one(session.batch(batch, &mut [], &mut transcript));
        transcript.errors().map(|error| error.number).collect()
    };
    let made = errors(
        "sa",
        "CREATE LOGIN guard WITH PASSWORD = 'a'; CREATE LOGIN chief WITH PASSWORD = 'b'; CREATE LOGIN other WITH PASSWORD = 'c';
         ALTER SERVER ROLE securityadmin ADD MEMBER guard; ALTER SERVER ROLE sysadmin ADD MEMBER chief",
    );
    assert!(made.is_empty(), "{made:?}");
    assert_eq!(
        errors("guard", "ALTER SERVER ROLE sysadmin ADD MEMBER guard"),
        [15151]
    );
    assert_eq!(
        errors("guard", "EXEC sp_addsrvrolemember 'guard', 'sysadmin'"),
        [15151]
    );
    assert_eq!(errors("guard", "ALTER LOGIN chief WITH PASSWORD = 'd'"), [15151]);
    assert_eq!(errors("guard", "DROP LOGIN chief"), [15151]);
    // What securityadmin is there for.
    assert!(errors("guard", "ALTER LOGIN other WITH PASSWORD = 'd'").is_empty());
    assert!(errors("guard", "ALTER SERVER ROLE securityadmin ADD MEMBER other").is_empty());
}

#[test]
#[allow(clippy::disallowed_methods)] // The client's own time, while the server is busy.
fn a_query_that_nobody_waits_for_ends() {
    let memory = Memory::new(7);
    let mut settings = Settings::new(Version::V2022, "/sql");
    settings.sa_password = Some("x".to_owned());
    let instance: Arc<Instance> = Instance::start(memory.world.clone(), settings).expect("it starts");
    let mut session = instance.attach("sa").expect("sa");
    let numbers: Vec<String> = (0..2000).map(|number| format!("({number})")).collect();
    // 400,000 pairs with 2000 each: more than a statement may look at, so that it would end with 8623 after minutes.
    let batch = format!(
        "WITH v AS (SELECT x FROM (VALUES {}) t(x)) SELECT COUNT(*) FROM v a JOIN v b ON b.x < 200 JOIN v c ON a.x + c.x < 0",
        numbers.join(",")
    );
    let canceller = session.canceller.clone();
    let client = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        canceller.cancel();
    });
    let mut transcript = Transcript::default();
    memory
        .clock
        .run_one(session.batch(&batch, &mut [], &mut transcript));
    client.join().expect("it does not panic");
    assert_eq!(transcript, Transcript::default());
}

#[test]
fn a_declaration_in_a_loop_begins_anew_where_it_says_so() {
    let numbers = errors(vec![
        "DECLARE @i int = 0; WHILE @i < 2 BEGIN DECLARE @a int = NULL; IF @a IS NOT NULL RAISERROR('kept', 16, 1); SET @a = 1; SET @i += 1 END"
            .to_owned(),
    ]);
    assert_eq!(numbers, [Vec::<i32>::new()]);
}

/// An instance and its world.
struct Place {
    memory: Memory,
    instance: Arc<Instance>,
}

impl Place {
    fn new() -> Self {
        let memory = Memory::new(7);
        let instance = Instance::start(memory.world.clone(), settings("x")).expect("it starts");
        Self { memory, instance }
    }

    fn sa(&self) -> Session {
        self.instance.attach("sa").expect("sa")
    }

    fn run(&self, session: &mut Session, batch: &str) -> Transcript {
        let mut transcript = Transcript::default();
        let batch = session.batch(batch, &mut [], &mut transcript);
        self.memory.clock.run_one(batch);
        transcript
    }

    /// The numbers of a batch's errors.
    fn errors(&self, session: &mut Session, batch: &str) -> Vec<i32> {
        let transcript = self.run(session, batch);
        transcript.errors().map(|error| error.number).collect()
    }

    /// The only value of a query.
    fn value(&self, session: &mut Session, query: &str) -> Value {
        let transcript = self.run(session, query);
        let row = transcript.results.first().and_then(|result| result.rows.first());
        row.unwrap_or_else(|| panic!("{query}: {transcript:?}"))[0].clone()
    }

    fn login(&self, user: &str, password: &str, database: &str) -> Result<Session, i32> {
        let request = LoginRequest {
            user: user.to_owned(),
            password: password.to_owned(),
            database: database.to_owned(),
            program: "test".to_owned(),
            host: "here".to_owned(),
            process: 1,
        };
        let connected = self.instance.connect(&request);
        connected.map_err(|failure| failure.messages[0].number)
    }
}

fn settings(password: &str) -> Settings {
    let mut settings = Settings::new(Version::V2022, "/sql");
    settings.sa_password = Some(password.to_owned());
    settings
}

#[test]
fn a_session_holds_so_much_and_no_more() {
    let place = Place::new();
    let mut session = place.sa();
    let long = "REPLICATE(CAST('x' AS varchar(max)), 60000000)";
    let declare: Vec<String> = (0..5)
        .map(|n| format!("DECLARE @v{n} varchar(max) = {long}"))
        .collect();
    assert_eq!(place.errors(&mut session, &declare.join(";")), [701]);
    // What an execution around holds counts as well, and is free again with the batch.
    let nested = format!(
        "{}; EXEC sp_executesql N'DECLARE @w varchar(max) = {}'",
        declare[..4].join(";"),
        long.replace('\'', "''")
    );
    assert_eq!(place.errors(&mut session, &nested), [701]);
    assert!(place.errors(&mut session, &declare[..4].join(";")).is_empty());
}

#[test]
fn savepoints_and_temporary_tables_count() {
    let place = Place::new();
    let mut session = place.sa();
    let made = "CREATE TABLE #t (a varchar(max)); INSERT INTO #t SELECT REPLICATE(CAST('x' AS varchar(max)), 50000000)";
    assert!(place.errors(&mut session, made).is_empty());
    // Nothing changed: the rows are there once, whatever keeps them.
    let kept: Vec<String> = (0..50).map(|n| format!("SAVE TRAN s{n}")).collect();
    let kept = format!("BEGIN TRAN; {}; ROLLBACK", kept.join(";"));
    assert!(place.errors(&mut session, &kept).is_empty());
    let changed: Vec<String> = (0..6)
        .map(|n| format!("SAVE TRAN s{n}; UPDATE #t SET a = a + 'y'"))
        .collect();
    let numbers = place.errors(
        &mut session,
        &format!("BEGIN TRAN; {}; ROLLBACK", changed.join(";")),
    );
    assert!(
        !numbers.is_empty() && numbers.iter().all(|number| *number == 701),
        "{numbers:?}"
    );
    assert_eq!(
        place.value(&mut session, "SELECT LEN(a) FROM #t"),
        Value::Integer(50_000_000)
    );
    let copies = ["INSERT INTO @t EXEC('SELECT a FROM #t')"; 6].join(";");
    let numbers = place.errors(
        &mut session,
        &format!("DECLARE @t TABLE (a varchar(max)); {copies}"),
    );
    assert!(
        !numbers.is_empty() && numbers.iter().all(|number| *number == 701),
        "{numbers:?}"
    );
    let many: Vec<String> = (0..10_001).map(|n| format!("SAVE TRAN s{n}")).collect();
    let many = format!("DROP TABLE #t; BEGIN TRAN; {}; ROLLBACK", many.join(";"));
    assert_eq!(place.errors(&mut session, &many), [701]);
    // One name again and again takes the place of the last.
    let loops =
        "DECLARE @i int = 0; BEGIN TRAN; WHILE @i < 10100 BEGIN SAVE TRAN s; SET @i += 1 END; ROLLBACK";
    assert!(place.errors(&mut session, loops).is_empty());
}

#[test]
fn tables_and_columns_of_a_query_are_limited() {
    let from = |count: usize, between: &str| {
        let tables: Vec<String> = (0..count).map(|n| format!("(SELECT 1 a) t{n}")).collect();
        format!("SELECT COUNT(*) FROM {}", tables.join(between))
    };
    let columns = |count: usize| format!("SELECT {}", vec!["1"; count].join(","));
    // Within parentheses the left side goes on and on.
    let mut nested = "(SELECT 1 a) x0 JOIN (SELECT 1 a) y0 ON 1 = 1".to_owned();
    for n in 1..150 {
        nested = format!("({nested}) JOIN (SELECT 1 a) x{n} ON 1 = 1 JOIN (SELECT 1 a) y{n} ON 1 = 1");
    }
    let derived = (0..8).fold("SELECT 1 a".to_owned(), |inner, n| {
        let others: Vec<String> = (0..200).map(|m| format!("(SELECT 1 a) t{n}_{m}")).collect();
        format!("SELECT 1 a FROM ({inner}) u{n}, {}", others.join(","))
    });
    let doubled: Vec<String> = (1..24)
        .map(|n| format!("c{n} AS (SELECT 1 a FROM c{0} x, c{0} y)", n - 1))
        .collect();
    let doubled = format!(
        "WITH c0 AS (SELECT 1 a), {} SELECT COUNT(*) FROM c23",
        doubled.join(",")
    );
    let numbers = errors(vec![
        from(40_000, ","),
        from(257, " CROSS JOIN "),
        from(256, ","),
        format!("SELECT COUNT(*) FROM {nested}"),
        derived,
        doubled,
        columns(4097),
        columns(4096),
    ]);
    let expected: [&[i32]; 8] = [&[106], &[106], &[], &[106], &[8632], &[8623], &[1056], &[]];
    assert_eq!(numbers, expected);
}

#[test]
fn a_reset_goes_back_to_the_database_of_the_login() {
    let place = Place::new();
    let made = "CREATE DATABASE shop; CREATE DATABASE other; CREATE LOGIN app WITH PASSWORD = 'a', DEFAULT_DATABASE = other;
        ALTER SERVER ROLE sysadmin ADD MEMBER app";
    assert!(place.errors(&mut place.sa(), made).is_empty());
    let mut session = place.login("app", "a", "shop").expect("it logs in");
    assert!(place.errors(&mut session, "USE master").is_empty());
    session.reset();
    assert_eq!(session.database, "shop");
    let mut session = place.login("app", "a", "").expect("it logs in");
    assert!(
        place
            .errors(&mut session, "USE master; EXEC sp_reset_connection")
            .is_empty()
    );
    assert_eq!(session.database, "other");
}

#[test]
fn who_may_log_in() {
    let place = Place::new();
    let mut sa = place.sa();
    assert!(
        place
            .errors(&mut sa, "ALTER LOGIN sa WITH PASSWORD = 'new'")
            .is_empty()
    );
    assert_eq!(place.login("sa", "x", "").err(), Some(18_456));
    assert!(place.login("sa", "new", "").is_ok());
    for batch in [
        "ALTER SERVER ROLE sysadmin DROP MEMBER sa",
        "EXEC sp_dropsrvrolemember 'SA', 'sysadmin'",
    ] {
        assert_eq!(place.errors(&mut sa, batch), [15_405], "{batch}");
    }
    let made = "CREATE LOGIN app WITH PASSWORD = 'a'; DENY CONNECT SQL TO app";
    assert!(place.errors(&mut sa, made).is_empty());
    assert_eq!(place.login("app", "a", "").err(), Some(18_456));
    assert!(place.errors(&mut sa, "GRANT CONNECT SQL TO app").is_empty());
    assert!(place.login("app", "a", "").is_ok());
    // A start says anew what the password of sa is.
    drop(sa);
    place.instance.stop();
    let again = Place {
        instance: Instance::start(place.memory.world.clone(), settings("third")).expect("it starts"),
        memory: place.memory.clone(),
    };
    assert_eq!(again.login("sa", "new", "").err(), Some(18_456));
    assert!(again.login("sa", "third", "").is_ok());
}

#[test]
fn a_shutdown_lets_what_runs_end_and_nobody_in() {
    let place = Place::new();
    let (mut sa, mut busy) = (place.sa(), place.sa());
    let (mut of_sa, mut of_busy) = (Transcript::default(), Transcript::default());
    let clock = Arc::clone(&place.memory.clock);
    let waits = busy.batch("WAITFOR DELAY '00:00:03'; SELECT 1", &mut [], &mut of_busy);
    let asks = async {
        use simsql::world::Clock as _;
        clock.sleep(std::time::Duration::from_secs(1)).await;
        sa.batch("SHUTDOWN", &mut [], &mut of_sa).await;
    };
    assert!(!place.instance.is_shut_down());
    place.memory.clock.run(vec![Box::pin(waits), Box::pin(asks)]);
    assert!(busy.ended, "it was told to end, and heard it");
    assert!(place.instance.is_shut_down());
    assert_eq!(of_sa.errors().count(), 0, "{of_sa:?}");
    assert_eq!(place.login("sa", "x", "").err(), Some(6005));
}

#[test]
fn no_snapshot_under_an_open_transaction() {
    let place = Place::new();
    let (mut sa, mut other) = (place.sa(), place.sa());
    let made = "CREATE DATABASE shop; CREATE TABLE shop.dbo.t (a int); BEGIN TRAN; INSERT INTO shop.dbo.t VALUES (1)";
    assert!(place.errors(&mut other, made).is_empty());
    assert_eq!(place.errors(&mut sa, "EXEC sim_fault 'snapshot kept'"), [40_510]);
    assert!(place.errors(&mut other, "COMMIT").is_empty());
    assert!(place.errors(&mut sa, "EXEC sim_fault 'snapshot kept'").is_empty());
    assert!(
        place
            .errors(&mut other, "BEGIN TRAN; DELETE FROM shop.dbo.t")
            .is_empty()
    );
    assert_eq!(place.errors(&mut sa, "EXEC sim_fault 'rollback kept'"), [40_510]);
    assert!(place.errors(&mut other, "ROLLBACK").is_empty());
    assert_eq!(
        place.value(&mut sa, "SELECT COUNT(*) FROM shop.dbo.t"),
        Value::Integer(1)
    );
}

#[test]
fn a_secret_in_pieces_is_not_shown() {
    let place = Place::new();
    let mut session = place.sa();
    let shown = "SELECT t.text FROM sys.dm_exec_requests r CROSS APPLY sys.dm_exec_sql_text(r.sql_handle) t WHERE r.session_id = @@SPID";
    let plain = place.value(&mut session, shown);
    assert_eq!(plain, Value::from(shown));
    let hidden = Value::from("--*** holds a secret");
    let joined = format!("{shown} --'PASS' + N'WORD'");
    assert_eq!(place.value(&mut session, &joined), hidden);
    let built = format!(
        "DECLARE @a varchar(9) = 'PASS'; DECLARE @b varchar(9) = 'WORD'; DECLARE @t nvarchar(max) = N'{shown} --' + @a + @b; EXEC (@t)"
    );
    assert_eq!(place.value(&mut session, &built), hidden);
}

#[test]
fn what_an_executed_text_sets_ends_with_it() {
    let place = Place::new();
    let mut session = place.sa();
    let mut execute = |text: &str| {
        let mut transcript = Transcript::default();
        place
            .memory
            .clock
            .run_one(session.execute(text, &mut [], &mut transcript));
        assert_eq!(transcript.errors().count(), 0, "{transcript:?}");
    };
    execute(
        "USE msdb; SET XACT_ABORT ON; SET LOCK_TIMEOUT 5; CREATE TABLE #t (a int); INSERT INTO #t VALUES (1)",
    );
    execute("DECLARE @set int = 16384; IF @@OPTIONS & @set <> 0 RAISERROR('kept', 16, 1)");
    assert_eq!((session.database.as_str(), session.lock_timeout), ("master", -1));
    assert_eq!(place.errors(&mut session, "SELECT a FROM #t"), [208]);
    // A batch keeps what it makes.
    assert!(
        place
            .errors(&mut session, "CREATE TABLE #t (a int); USE msdb")
            .is_empty()
    );
    assert!(place.errors(&mut session, "SELECT a FROM #t").is_empty());
    assert_eq!(session.database, "msdb");
}

#[test]
fn a_throw_dooms_where_a_raiserror_does_not() {
    let place = Place::new();
    let mut session = place.sa();
    for (raises, state) in [("THROW 50000, 'x', 1", -1), ("RAISERROR('x', 16, 1)", 1)] {
        let batch = format!(
            "SET XACT_ABORT ON; BEGIN TRAN; BEGIN TRY {raises} END TRY BEGIN CATCH SELECT XACT_STATE(); ROLLBACK END CATCH"
        );
        assert_eq!(
            place.value(&mut session, &batch),
            Value::Integer(state),
            "{raises}"
        );
    }
}

#[test]
fn nobody_deletes_the_instances_own_files() {
    let place = Place::new();
    let mut session = place.sa();
    assert_eq!(
        place.errors(&mut session, "EXEC xp_delete_file 1, '/sql/data/./model.mdf'"),
        [22_049]
    );
    let device = "EXEC sp_addumpdevice 'disk', 'd', '/sql/data/model.mdf'; EXEC sp_dropdevice 'd', 'delfile'";
    assert!(place.errors(&mut session, device).is_empty());
    assert_eq!(
        place.memory.world.disk.look("/sql/data/model.mdf"),
        Some(Kind::File)
    );
    // Others may go.
    let backup =
        "BACKUP DATABASE model TO DISK = '/sql/backup/m.bak'; EXEC xp_delete_file 0, '/sql/backup/m.bak'";
    assert!(place.errors(&mut session, backup).is_empty());
    assert_eq!(place.memory.world.disk.look("/sql/backup/m.bak"), None);
}

#[test]
fn a_restore_does_not_write_into_the_instances_own_files() {
    let place = Place::new();
    let mut session = place.sa();
    let made = "CREATE DATABASE shop; BACKUP DATABASE shop TO DISK = '/sql/backup/shop.bak'";
    assert!(place.errors(&mut session, made).is_empty());
    let mut restore = |more: &str| {
        let batch = format!("RESTORE DATABASE copy FROM DISK = '/sql/backup/shop.bak' WITH REPLACE, {more}");
        place.errors(&mut session, &batch)
    };
    let moved = |data: &str| format!("MOVE 'shop' TO '{data}', MOVE 'shop_log' TO '/sql/data/copy.ldf'");
    assert_eq!(restore(&moved("/sql/instance.json")), [5123, 3156, 3119, 3013]);
    assert_eq!(restore(&moved("/sql/./data//SHOP.mdf")), [1834, 3156, 3119, 3013]);
    let standby = |path: &str| format!("{}, STANDBY = '{path}'", moved("/sql/data/copy.mdf"));
    assert_eq!(restore(&standby("/sql/instance.JSON"))[0], 5123);
    assert_eq!(restore(&standby("/sql/data/./shop.mdf"))[0], 5123);
    assert!(restore(&standby("/sql/data/copy.undo")).is_empty());
    assert!(
        place
            .errors(&mut session, "CREATE LOGIN a WITH PASSWORD = 'b'")
            .is_empty()
    );
}
