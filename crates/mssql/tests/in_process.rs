//! The seam: the same traits over a simulated instance in this process, without a socket and in simulated time.

#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mssql::activity::Progress;
use mssql::connection::{Cancel, Enough, Request, Sink};
use mssql::quoting::Identifier;
use mssql::run::{Evidence, Runner, Verdict, Watch};
use mssql::statement::backup::Kind;
use mssql::statement::{Backup, Devices};
use mssql::value::{Column, DateTime, Decimal, Moment};
use mssql::{
    Canceller, ConnectError, Connection, Connector, Fault, Message, Session, Target, Trust, Value, facts,
    media,
};
use simsql::answers::Answers;
use simsql::instance::{Instance, Settings, Version};
use simsql::memory::Memory;
use simsql::value as sim;

struct InProcess(Arc<Instance>);

#[async_trait]
impl Connector for InProcess {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, ConnectError> {
        let session = self.0.attach("sa").map_err(|_| ConnectError::Unsupported {
            reason: target.address.to_string(),
        })?;
        Ok(Box::new(Local(session)))
    }
}

struct Local(simsql::session::Session);

struct Cancels(simsql::session::Canceller);

impl Cancel for Cancels {
    fn cancel(&self) {
        self.0.cancel();
    }
}

#[async_trait]
impl Connection for Local {
    async fn batch(&mut self, request: &Request, sink: &mut dyn Sink) -> Result<(), Fault> {
        if self.0.ended {
            return Err(Fault::Lost {
                reason: "killed".to_owned(),
            });
        }
        let mut passing = Passing { sink, enough: false };
        self.0.batch(&request.text, &mut [], &mut passing).await;
        let enough = passing.enough;
        let cancelled = self.0.canceller.is_cancelled();
        self.0.canceller.reset();
        match () {
            () if self.0.ended => Err(Fault::Lost {
                reason: "killed".to_owned(),
            }),
            () if cancelled => Err(Fault::Cancelled),
            () if enough => Err(Fault::TooMuch),
            () => Ok(()),
        }
    }

    fn canceller(&self) -> Canceller {
        Canceller::new(Arc::new(Cancels(self.0.canceller.clone())))
    }

    async fn close(&mut self) {}
}

struct Passing<'a> {
    sink: &'a mut dyn Sink,
    enough: bool,
}

impl Answers for Passing<'_> {
    fn message(&mut self, said: simsql::message::Message) {
        self.sink.message(Message {
            number: said.number,
            state: said.state,
            class: said.class,
            line: said.line,
            procedure: said.procedure,
            text: said.text,
        });
    }

    fn columns(&mut self, columns: &[sim::Column]) {
        let name = |column: &sim::Column| Column {
            name: column.name.clone(),
        };
        self.sink.columns(columns.iter().map(name).collect());
    }

    fn row(&mut self, row: &[sim::Value]) {
        if !self.enough {
            self.enough = self.sink.row(row.iter().map(value).collect()) == Err(Enough);
        }
    }

    fn done(&mut self, count: Option<u64>) {
        self.sink.done(count);
    }

    fn database(&mut self, _: &str, _: &str) {}
}

fn moment(moment: sim::DateTime) -> DateTime {
    DateTime {
        days: moment.days,
        ticks: moment.ticks,
    }
}

fn value(value: &sim::Value) -> Value {
    match value {
        sim::Value::Null => Value::Null,
        sim::Value::Bit(bit) => Value::Bit(*bit),
        sim::Value::Integer(number) => Value::Integer(*number),
        sim::Value::Decimal(sim::Decimal { unscaled, scale }) => Value::Decimal(Decimal {
            unscaled: *unscaled,
            scale: *scale,
        }),
        sim::Value::Float(number) => Value::Float(*number),
        sim::Value::Text(text) => Value::Text(text.clone()),
        sim::Value::Bytes(bytes) => Value::Bytes(bytes.clone()),
        sim::Value::Guid(guid) => Value::Guid(*guid),
        sim::Value::Date(days) => Value::Date(*days),
        sim::Value::Time(ticks) => Value::Time(*ticks),
        sim::Value::DateTime(at) => Value::DateTime(moment(*at)),
        sim::Value::DateTimeOffset(at, offset) => Value::Moment(Moment {
            utc: moment(*at),
            offset_minutes: *offset,
        }),
    }
}

struct Simulated(Arc<simsql::memory::Clock>);

#[async_trait]
impl mssql::Clock for Simulated {
    fn elapsed(&self) -> Duration {
        simsql::world::Clock::uptime(&*self.0)
    }

    async fn sleep(&self, time: Duration) {
        simsql::world::Clock::sleep(&*self.0, time).await;
    }
}

#[derive(Default)]
struct Looks(Vec<f64>);

impl Watch for Looks {
    fn progress(&mut self, progress: &Progress) {
        self.0.push(progress.percent);
    }
}

#[test]
fn facts_and_a_backup_without_a_socket_and_the_same_each_time() {
    let run = || {
        let memory = Memory::new(7);
        let instance = Instance::start(memory.world.clone(), Settings::new(Version::V2022, "/sql"))
            .unwrap_or_else(|failure| panic!("{failure:?}"));
        let (connector, clock) = (InProcess(instance), Simulated(Arc::clone(&memory.clock)));
        let authentication = mssql::Authentication::Windows { service: None };
        let target = Target::new("sim".parse().unwrap(), authentication, Trust::verified());
        memory.clock.run_one(async {
            let mut session = Session::open(&connector, &target).await.unwrap();
            let facts = facts::ask(&mut session).await.unwrap();
            assert_eq!(facts.build.year(), Some(2022));
            assert_eq!(facts.now.utc.date(), (2026, 1, 1));
            session.execute("CREATE DATABASE shop").await.unwrap();
            let mut runner = Runner::open(&connector, &target, &clock).await.unwrap();
            runner.patience.progress = Duration::from_millis(1);
            let devices = Devices::files(&["/sql/backup/1.bak"]).unwrap();
            let shop = Identifier::new("shop").unwrap();
            let backup = Backup::new(shop, Kind::Full, devices, "shop", "job 1").unwrap();
            let mut looks = Looks::default();
            let report = runner.backup(&backup, &mut looks).await;
            assert_eq!(
                report.verdict,
                Verdict::Succeeded(Evidence::Message),
                "{report:?}"
            );
            (report, looks.0)
        })
    };
    assert_eq!(run(), run());
}

#[test]
fn what_lies_on_a_medium_is_read_by_each_version() {
    for (version, year, has_keys) in [(Version::V2012, 2012, false), (Version::V2022, 2022, true)] {
        let memory = Memory::new(7);
        let instance = Instance::start(memory.world.clone(), Settings::new(version, "/sql"))
            .unwrap_or_else(|failure| panic!("{failure:?}"));
        let connector = InProcess(instance);
        let authentication = mssql::Authentication::Windows { service: None };
        let target = Target::new("sim".parse().unwrap(), authentication, Trust::verified());
        memory.clock.run_one(async {
            let mut session = Session::open(&connector, &target).await.unwrap();
            let devices = || Devices::files(&["/sql/backup/1.bak"]).unwrap();
            let nothing = media::headers(&mut session, devices()).await.unwrap_err();
            assert_eq!(nothing.number(), Some(3201), "there is no such file yet");
            for text in [
                "CREATE DATABASE shop",
                "BACKUP DATABASE shop TO DISK = '/sql/backup/1.bak' WITH NAME = 'one', CHECKSUM",
                "BACKUP LOG shop TO DISK = '/sql/backup/1.bak' WITH DESCRIPTION = 'two', NO_CHECKSUM",
            ] {
                session.execute(text).await.unwrap();
            }
            // The history is another reader of the same facts.
            let history = mssql::history::after(&mut session, 0).await.unwrap();
            let headers = media::headers(&mut session, devices()).await.unwrap();
            assert_eq!(headers.len(), 2);
            for (header, set) in headers.iter().zip(&history) {
                assert_eq!(header.guid, Some(set.guid));
                assert_eq!(
                    (header.first_lsn, header.last_lsn, header.checkpoint_lsn),
                    (set.first_lsn, set.last_lsn, set.checkpoint_lsn)
                );
                assert_eq!(header.has_checksums, set.has_checksums);
                assert_eq!((&header.name, &header.description), (&set.name, &set.description));
                assert_eq!(
                    (header.database_guid, header.family_guid),
                    (set.database_guid, set.family_guid)
                );
                assert_eq!(header.database_name.as_deref(), Some("shop"));
                assert_eq!(header.recovery_model.as_deref(), Some("FULL"));
                assert_eq!(
                    (header.started, header.finished),
                    (Some(set.started), Some(set.finished))
                );
                assert!(!header.is_damaged && !header.is_copy_only);
                assert_eq!(header.encryptor_thumbprint, None);
            }
            assert_eq!((headers[0].kind, headers[0].position), (1, 1));
            assert_eq!((headers[1].kind, headers[1].position), (2, 2));
            assert_eq!(
                headers.iter().map(|one| one.has_checksums).collect::<Vec<_>>(),
                [true, false]
            );
            let facts = facts::ask(&mut session).await.unwrap();
            assert_eq!(facts.build.year(), Some(year));
            let columns = session
                .query("RESTORE HEADERONLY FROM DISK = '/sql/backup/1.bak'")
                .await
                .unwrap();
            let algorithm: Result<Option<String>, _> = columns.first().unwrap().optional("KeyAlgorithm");
            assert_eq!(
                algorithm.is_ok(),
                has_keys,
                "a version without the column was read as well"
            );
            let files = media::files(&mut session, devices(), 1).await.unwrap();
            let shop = Identifier::new("shop").unwrap();
            let database = mssql::databases::ask_named(&mut session, &shop)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(files.len(), database.files.len());
            for (file, of_database) in files.iter().zip(&database.files) {
                assert_eq!(file.id, of_database.id);
                assert_eq!(file.logical_name, of_database.logical_name);
                assert_eq!(file.physical_name, of_database.physical_name);
                assert_eq!(file.kind, if of_database.kind == 1 { 'L' } else { 'D' });
                assert!(file.size > 0 && file.size % 8192 == 0 && file.is_present);
                assert_eq!(file.tde_thumbprint, None);
            }
            let beyond = media::files(&mut session, devices(), 3).await.unwrap_err();
            assert!(
                matches!(beyond, mssql::Error::Refused { .. }),
                "there is no third set: {beyond}"
            );
        });
    }
}
