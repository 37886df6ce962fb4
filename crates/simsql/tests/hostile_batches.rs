//! Batches that were written to break the instance: what must come back is an error, and the instance must go on.
//!
//! They run on a thread with the stack that the wire asks for, in an unoptimised build: where they fit here, they fit anywhere.

use std::sync::Arc;

use simsql::answers::Transcript;
use simsql::instance::{Instance, Settings, Version};
use simsql::memory::Memory;

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
