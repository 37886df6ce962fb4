//! Batches against a simulated instance over TDS: every kind of value, several results, failures in the middle, limits, and
//! what the log gets to see of it all.

#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)] // Real time and sockets here.

mod support;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mssql::statement::credential::{Standing, Wanted, found};
use mssql::value::{DateTime, Decimal, Moment};
use mssql::{Error, Fault, Secret, Trust, Value};
use simsql::instance::Version;
use support::{PASSWORD, Server, runtime};

#[test]
fn every_kind_of_value_comes_as_it_was_sent() {
    runtime().block_on(async {
        let server = Server::start(Version::V2022).await;
        let mut session = server.session().await;
        let rows = session
            .query(
                "SELECT CAST(1 AS bit) AS a, CAST(255 AS tinyint) AS b, CAST(-7 AS smallint) AS c, CAST(-2147483648 AS int) AS d,
 CAST(9223372036854775807 AS bigint) AS e, CAST(-123.4500 AS decimal(10,4)) AS f, CAST(0.5 AS float) AS g, N'Gęś 😀' AS h,
 0x00FF AS i, CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) AS j,
 CAST('2026-11-21T21:30:05.123' AS datetime) AS k, CAST('2026-11-21T21:30:05.1234567' AS datetime2) AS l,
 CAST('2026-11-21T23:30:00+02:00' AS datetimeoffset) AS m, CAST('2026-11-21' AS date) AS n, CAST(NULL AS int) AS o,
 CAST(12.5 AS money) AS p",
            )
            .await
            .unwrap();
        let row = rows.only().unwrap();
        let value = |column| row.value(column).unwrap().clone();
        assert_eq!(value("a"), Value::Bit(true));
        assert_eq!(value("b"), Value::Integer(255));
        assert_eq!(value("c"), Value::Integer(-7));
        assert_eq!(value("d"), Value::Integer(i32::MIN.into()));
        assert_eq!(value("e"), Value::Integer(i64::MAX));
        let decimal = |unscaled| Value::Decimal(Decimal { unscaled, scale: 4 });
        assert_eq!(value("f"), decimal(-1_234_500));
        assert_eq!(value("g"), Value::Float(0.5));
        assert_eq!(value("h"), Value::Text("Gęś 😀".to_owned()));
        assert_eq!(value("i"), Value::Bytes(vec![0, 255]));
        assert_eq!(row.get::<uuid::Uuid>("j").unwrap().to_string(), "6f9619ff-8b86-d011-b42d-00c04fc964ff");
        assert_eq!(row.get::<DateTime>("k").unwrap().to_string(), "2026-11-21T21:30:05.123");
        assert_eq!(row.get::<DateTime>("l").unwrap().to_string(), "2026-11-21T21:30:05.1234567");
        let moment: Moment = row.get("m").unwrap();
        assert_eq!((moment.utc.to_string().as_str(), moment.offset_minutes), ("2026-11-21T21:30:00", 120));
        assert_eq!(value("n"), Value::Date(moment.utc.days));
        assert_eq!(value("o"), Value::Null);
        assert_eq!(value("p"), decimal(125_000));
        assert!(matches!(row.get::<i64>("h"), Err(Error::Shape { .. })));
        assert!(matches!(row.get::<i64>("nothing"), Err(Error::Shape { .. })));
    });
}

#[test]
fn what_stands_behind_a_failure_still_comes() {
    runtime().block_on(async {
        let server = Server::start(Version::V2019).await;
        let mut session = server.session().await;
        let text = "PRINT 'first'; SELECT 1 AS one; RAISERROR('no', 16, 3); SELECT 2 AS two; PRINT 'last'";
        let ran = session.run(text, None).await;
        assert_eq!(ran.fault, None);
        let said: Vec<(&str, i32, u8)> = ran
            .outcome
            .messages
            .iter()
            .map(|one| (one.text.as_str(), one.number, one.state))
            .collect();
        assert_eq!(said, [("first", 0, 1), ("no", 50_000, 3), ("last", 0, 1)]);
        assert_eq!(ran.outcome.results.len(), 2);
        let refused = session.execute(text).await.unwrap_err();
        assert_eq!(refused.number(), Some(50_000));
        assert_eq!(session.query("SELECT 3 AS x").await.unwrap().len(), 1);
        assert!(matches!(
            session.query("PRINT 'x'").await,
            Err(Error::Shape { .. })
        ));
    });
}

#[test]
fn limits_end_an_answer_and_the_session_goes_on() {
    runtime().block_on(async {
        let server = Server::start(Version::V2022).await;
        let mut session = server.session().await;
        let many = "SELECT a.object_id FROM msdb.sys.columns AS a CROSS JOIN msdb.sys.columns AS b";
        session.limits.rows = 100;
        let ran = session.run(many, None).await;
        assert_eq!(ran.fault, Some(Fault::TooMuch));
        assert_eq!(ran.outcome.results[0].len(), 100);
        session.limits.rows = 200_000;
        session.limits.bytes = 1000;
        assert_eq!(session.run(many, None).await.fault, Some(Fault::TooMuch));
        session.limits.messages = 3;
        let talks = "DECLARE @i int = 0; WHILE @i < 50 BEGIN PRINT @i; SET @i += 1 END";
        let ran = session.run(talks, None).await;
        assert_eq!(
            (ran.outcome.messages.len(), ran.outcome.messages_dropped),
            (3, 47)
        );
        let start = std::time::Instant::now();
        let slow = session
            .run("WAITFOR DELAY '00:00:30'", Some(Duration::from_millis(500)))
            .await;
        assert_eq!(slow.fault, Some(Fault::TimedOut));
        assert!(start.elapsed() < Duration::from_secs(25));
        assert!(session.id().await.is_ok());
    });
}

#[test]
fn a_batch_that_was_dropped_in_the_middle_gives_no_wrong_answer_later() {
    runtime().block_on(async {
        let server = Server::start(Version::V2022).await;
        let mut session = server.session().await;
        {
            let waiting = session.run("WAITFOR DELAY '00:01:00'", None);
            let gave_up = tokio::time::timeout(Duration::from_millis(200), waiting).await;
            assert!(gave_up.is_err());
        }
        assert!(session.id().await.unwrap_err().is_lost());
        assert!(session.id().await.unwrap_err().is_lost());
    });
}

/// Everything that any library logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_secret_reaches_a_log_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();
    runtime().block_on(async {
        let server = Server::start(Version::V2022).await;
        let mut session = server.try_with(&server.target(Trust::Anyone)).await.unwrap();
        let signature = Secret::new("?sv=2020&sig=TELLTALE".to_owned());
        let wanted = Wanted::for_container("https://vault.example/c1", &signature).unwrap();
        let rows = session.query(&wanted.query()).await.unwrap();
        assert_eq!(
            wanted.standing(found(&rows).unwrap().as_ref(), None),
            Standing::Absent
        );
        session.execute(wanted.create().reveal()).await.unwrap();
        let made = found(&session.query(&wanted.query()).await.unwrap()).unwrap();
        assert_eq!(wanted.standing(made.as_ref(), made.as_ref()), Standing::Ours);
        assert_eq!(wanted.standing(made.as_ref(), None), Standing::Foreign);
        session.execute(wanted.alter().reveal()).await.unwrap();
        let again = session.execute(wanted.create().reveal()).await.unwrap_err();
        assert!(!format!("{again:?} {again}").contains("TELLTALE"));
        session.execute(&wanted.drop()).await.unwrap();
        tracing::info!("somebody listens");
    });
    let bytes = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        text.contains("somebody listens"),
        "nothing was heard, so nothing was shown"
    );
    for secret in ["TELLTALE", PASSWORD, "CREATE CREDENTIAL"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
