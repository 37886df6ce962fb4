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
