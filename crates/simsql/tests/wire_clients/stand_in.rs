//! A stand-in for an instance: it takes one login and knows a few words, so that the wire is judged without an engine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bak::SoftwareVersion;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use simsql::answers::Answers;
use simsql::instance::LoginRequest;
use simsql::message::{Failure, Message};
use simsql::session::{Canceller, Parameter};
use simsql::tds::backend::{Backend, Greeting, Guest};
use simsql::value::{Column, DateTime, Decimal, Length, SqlType, Value};

pub(crate) const PASSWORD: &str = "Zażółć 9!";

/// What happened in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) logins: Vec<(String, String, String)>,
    pub(crate) texts: Vec<String>,
    pub(crate) rolled_back: u32,
    pub(crate) resets: u32,
    pub(crate) gone: u32,
}

#[derive(Default)]
pub(crate) struct StandIn {
    pub(crate) seen: Arc<Mutex<Seen>>,
}

impl Backend for StandIn {
    fn greeting(&self) -> Greeting {
        Greeting {
            server: "STANDIN".to_owned(),
            version: SoftwareVersion {
                major: 16,
                minor: 0,
                build: 4175,
            },
            collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
        }
    }

    fn connect(&self, login: &LoginRequest) -> Result<Box<dyn Guest>, Failure> {
        if (login.user.as_str(), login.password.as_str()) != ("sa", PASSWORD) {
            return Err(Failure::new(18456, &[&login.user]));
        }
        let facts = (login.database.clone(), login.program.clone(), login.host.clone());
        self.seen.lock().unwrap().logins.push(facts);
        Ok(Box::new(Visitor {
            seen: Arc::clone(&self.seen),
            canceller: Canceller::default(),
            database: "master".to_owned(),
            transactions: 0,
            begun: 0,
        }))
    }
}

struct Visitor {
    seen: Arc<Mutex<Seen>>,
    canceller: Canceller,
    database: String,
    transactions: u32,
    begun: u64,
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.seen.lock().unwrap().gone += 1;
    }
}

fn said(number: i32, class: u8, text: &str, line: u32) -> Message {
    Message {
        number,
        state: 3,
        class,
        text: text.to_owned(),
        line,
        procedure: String::new(),
    }
}

/// A column and a value of every type.
pub(crate) fn all_types() -> Vec<(SqlType, Value)> {
    let moment = DateTime {
        days: 739_575,
        ticks: 642_021_230_000,
    };
    let decimal = |unscaled, scale| Value::Decimal(Decimal { unscaled, scale });
    let long = "Zażółć gęślą jaźń 😀 ".repeat(2000);
    vec![
        (SqlType::Bit, Value::Bit(true)),
        (SqlType::TinyInt, Value::Integer(255)),
        (SqlType::SmallInt, Value::Integer(-32_768)),
        (SqlType::Int, Value::Integer(2_147_483_647)),
        (SqlType::BigInt, Value::Integer(i64::MIN)),
        (SqlType::Real, Value::Float(0.5)),
        (SqlType::Float, Value::Float(-1e300)),
        (
            SqlType::Decimal {
                precision: 25,
                scale: 0,
            },
            decimal(40_000_000_012_800_001, 0),
        ),
        (
            SqlType::Decimal {
                precision: 9,
                scale: 4,
            },
            decimal(-12_345, 4),
        ),
        (SqlType::Money, decimal(-10_001, 4)),
        (SqlType::Date, Value::Date(739_575)),
        (SqlType::Time(7), Value::Time(642_021_230_000)),
        (SqlType::DateTime, Value::DateTime(moment)),
        (
            SqlType::SmallDateTime,
            Value::DateTime(DateTime {
                ticks: 642_000_000_000,
                ..moment
            }),
        ),
        (SqlType::DateTime2(3), Value::DateTime(moment)),
        (SqlType::DateTimeOffset(7), Value::DateTimeOffset(moment, 60)),
        (SqlType::Char(5), Value::from("é€")),
        (SqlType::VarChar(Length::Of(20)), Value::from("naïve €")),
        (SqlType::NChar(4), Value::from("żół")),
        (SqlType::NVarChar(Length::Of(50)), Value::from("Gęś 😀")),
        (SqlType::Binary(4), Value::Bytes(vec![1, 2])),
        (SqlType::VarBinary(Length::Of(10)), Value::Bytes(vec![0, 255])),
        (SqlType::VarChar(Length::Max), Value::Text("x".repeat(9000))),
        (SqlType::NVarChar(Length::Max), Value::Text(long)),
        (SqlType::VarBinary(Length::Max), Value::Bytes(vec![7; 70_000])),
        (
            SqlType::UniqueIdentifier,
            Value::Guid(uuid::Uuid::from_u128(0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF)),
        ),
        (SqlType::Variant, Value::Integer(3)),
        (SqlType::Variant, Value::from("Enterprise")),
    ]
}

fn types(answers: &mut dyn Answers) {
    let all = all_types();
    let columns: Vec<Column> = all
        .iter()
        .enumerate()
        .map(|(place, (sql_type, _))| Column::new(&format!("c{place}"), *sql_type))
        .collect();
    answers.columns(&columns);
    let values: Vec<Value> = all.into_iter().map(|(_, value)| value).collect();
    answers.row(&values);
    answers.row(&vec![Value::Null; columns.len()]);
    answers.done(Some(2));
}

fn rows(count: u32, answers: &mut dyn Answers) {
    answers.columns(&[
        Column::new("n", SqlType::Int),
        Column::new("text", SqlType::NVarChar(Length::Of(40))),
    ]);
    for n in 0..count {
        let text = if n % 3 == 0 {
            Value::Null
        } else {
            Value::Text(format!("row {n}"))
        };
        answers.row(&[Value::Integer(i64::from(n)), text]);
    }
    answers.done(Some(u64::from(count)));
}

/// Gives back the parameters as columns; output parameters are counted up.
fn echo(parameters: &mut [Parameter], answers: &mut dyn Answers) {
    let columns: Vec<Column> = parameters
        .iter()
        .map(|one| Column::new("", one.sql_type))
        .collect();
    let values: Vec<Value> = parameters.iter().map(|one| one.value.clone()).collect();
    answers.columns(&columns);
    answers.row(&values);
    answers.done(Some(1));
    for one in parameters.iter_mut().filter(|one| one.is_output) {
        if let Value::Integer(number) = &mut one.value {
            *number += 1;
        }
    }
}

impl Visitor {
    async fn run(&mut self, text: &str, parameters: &mut [Parameter], answers: &mut dyn Answers) {
        let mut words = text.split_whitespace();
        match words.next().unwrap_or_default() {
            "types" => types(answers),
            "rows" => rows(words.next().unwrap_or("1").parse().unwrap_or(1), answers),
            "echo" => echo(parameters, answers),
            "two" => {
                rows(1, answers);
                answers.message(said(0, 0, "between", 1));
                rows(2, answers);
            }
            "touch" => answers.done(Some(42)),
            "fail" => {
                answers.message(said(0, 0, "before", 1));
                answers.message(said(50_000, 16, "it does not work: żółw", 7));
                answers.done(None);
            }
            "die" => answers.message(said(50_000, 20, "the end", 1)),
            "progress" => {
                for percent in [10, 20, 30] {
                    answers.message(said(3211, 0, &format!("{percent} percent processed."), 1));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                answers.done(None);
            }
            "wait" => {
                answers.message(said(0, 0, "waiting", 1));
                let canceller = self.canceller.clone();
                let long = tokio::time::sleep(Duration::from_secs(60));
                if canceller.unless_cancelled(long).await.is_ok() {
                    answers.done(None);
                }
            }
            "use" => {
                let new = words.next().unwrap_or("master");
                let old = std::mem::replace(&mut self.database, new.to_owned());
                answers.database(&old, new);
                answers.done(None);
            }
            _ => answers.done(None),
        }
    }
}

impl Guest for Visitor {
    fn id(&self) -> u16 {
        51
    }

    fn database(&self) -> String {
        self.database.clone()
    }

    fn transactions(&self) -> u32 {
        self.transactions
    }

    fn begun(&self) -> u64 {
        self.begun
    }

    fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    fn batch<'a>(
        &'a mut self,
        text: &'a str,
        parameters: &'a mut [Parameter],
        answers: &'a mut dyn Answers,
    ) -> LocalBoxFuture<'a, ()> {
        self.seen.lock().unwrap().texts.push(text.to_owned());
        self.run(text, parameters, answers).boxed_local()
    }

    fn execute<'a>(
        &'a mut self,
        text: &'a str,
        parameters: &'a mut [Parameter],
        answers: &'a mut dyn Answers,
    ) -> LocalBoxFuture<'a, ()> {
        self.batch(text, parameters, answers)
    }

    fn begin(&mut self) -> Result<(), Failure> {
        self.begun += u64::from(self.transactions == 0);
        self.transactions += 1;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Failure> {
        self.transactions = self.transactions.saturating_sub(1);
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), Failure> {
        self.seen.lock().unwrap().rolled_back += 1;
        self.transactions = 0;
        Ok(())
    }

    fn reset(&mut self) {
        self.seen.lock().unwrap().resets += 1;
        self.database = "master".to_owned();
    }

    fn is_over(&self) -> bool {
        false
    }
}
