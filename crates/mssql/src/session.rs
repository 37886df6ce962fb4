//! A session: a logged-in connection with what makes it pleasant: results in memory within limits, errors as errors.
//!
//! ```no_run
//! # async fn doc(mut session: mssql::Session) -> Result<(), mssql::Error> {
//! let rows = session.query("SELECT name, database_id FROM sys.databases").await?;
//! for row in rows.iter() {
//!     println!("{} {}", row.get::<i64>("database_id")?, row.get::<String>("name")?);
//! }
//! # Ok(()) }
//! ```
//!
//! Invariant: nothing that a server sends makes a session grow past its [`Limits`].

use std::time::Duration;

use crate::connection::{
    Canceller, ConnectError, Connection, Connector, Enough, Fault, Request, Sink, Target,
};
use crate::message::Message;
use crate::outcome::{Outcome, Rows};
use crate::value::{Column, Value};

/// How long a question to the catalog may take; a busy server needs its time.
const QUESTION: Duration = Duration::from_secs(60);

/// What the answers of one batch may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows of all results.
    pub rows: usize,
    /// Bytes of all values, messages and columns' names, about.
    pub bytes: usize,
    /// Messages that are kept. What comes later is counted, and kept only where it decides: errors of up to as many again, and
    /// 3014.
    pub messages: usize,
}

impl Default for Limits {
    /// 200,000 rows: a hundred files for each of 2,000 databases. 64 MiB. 10,000 messages.
    fn default() -> Self {
        Self {
            rows: 200_000,
            bytes: 64 << 20,
            messages: 10_000,
        }
    }
}

/// Why a batch has no good answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// SQL Server refused or failed a statement.
    #[error("{}", first(messages))]
    Refused {
        /// All that it said, information too. At least one error.
        messages: Vec<Message>,
    },
    /// The batch did not come to its end.
    #[error("{fault}")]
    Interrupted {
        /// Why.
        fault: Fault,
        /// What SQL Server had said until then.
        messages: Vec<Message>,
    },
    /// The answer is not what was asked for.
    #[error("SQL Server answered otherwise than expected: {reason}")]
    Shape {
        /// What is wrong with it.
        reason: String,
    },
}

fn first(messages: &[Message]) -> String {
    crate::message::cause(messages).map_or_else(|| "no error was given".to_owned(), ToString::to_string)
}

impl Error {
    /// The number of the error that explains it, where SQL Server gave one.
    #[must_use]
    pub fn number(&self) -> Option<i32> {
        match self {
            Self::Refused { messages } | Self::Interrupted { messages, .. } => {
                crate::message::cause(messages).map(|one| one.number)
            }
            Self::Shape { .. } => None,
        }
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(
            self,
            Self::Interrupted {
                fault: Fault::Lost { .. },
                ..
            }
        )
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// All that the server said until its end.
    pub outcome: Outcome,
    /// Why it did not come to its end, where it did not.
    pub fault: Option<Fault>,
}

/// A session.
pub struct Session {
    connection: Box<dyn Connection>,
    /// What the answers may be.
    pub limits: Limits,
    /// How long [`Self::query`] and [`Self::execute`] wait; `None` is for ever.
    pub within: Option<Duration>,
}

impl Session {
    /// Over a connection.
    #[must_use]
    pub fn new(connection: Box<dyn Connection>) -> Self {
        Self {
            connection,
            limits: Limits::default(),
            within: Some(QUESTION),
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`Connector::connect`].
    pub async fn open(connector: &dyn Connector, target: &Target) -> Result<Self, ConnectError> {
        connector.connect(target).await.map(Self::new)
    }

    /// Cancels what runs here, from anywhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.connection.canceller()
    }

    /// Runs a batch and keeps all that comes of it, whatever it is. `within` is the batch's own time.
    pub async fn run(&mut self, text: &str, within: Option<Duration>) -> Ran {
        let request = Request {
            text: text.to_owned(),
            within,
        };
        let mut keeper = Keeper {
            outcome: Outcome::default(),
            left: self.limits,
            errors_left: self.limits.messages,
            is_full: false,
        };
        let ended = self.connection.batch(&request, &mut keeper).await;
        Ran {
            outcome: keeper.outcome,
            fault: ended.err(),
        }
    }

    /// Runs statements that must all succeed.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Refused`] where any of them failed.
    pub async fn execute(&mut self, text: &str) -> Result<Outcome, Error> {
        let Ran { outcome, fault } = self.run(text, self.within).await;
        if let Some(fault) = fault {
            return Err(Error::Interrupted {
                fault,
                messages: outcome.messages,
            });
        }
        if outcome.messages.iter().any(Message::is_error) {
            return Err(Error::Refused {
                messages: outcome.messages,
            });
        }
        Ok(outcome)
    }

    /// Runs a statement for its rows. Of a batch with several results, the last one.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Shape`] where there is no result at all.
    pub async fn query(&mut self, text: &str) -> Result<Rows, Error> {
        let mut outcome = self.execute(text).await?;
        outcome.results.pop().ok_or_else(|| Error::Shape {
            reason: "there is no result".to_owned(),
        })
    }

    /// `@@SPID`: by this number another session finds this one.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn id(&mut self) -> Result<i32, Error> {
        let rows = self.query("SELECT CAST(@@SPID AS int) AS id").await?;
        rows.only()?.get("id")
    }

    /// Says good-bye.
    pub async fn close(mut self) {
        self.connection.close().await;
    }
}

/// Longest text of a message for which there is no room, in bytes.
const SHORT: usize = 500;

fn truncate(text: &mut String) {
    let end = text.floor_char_boundary(SHORT);
    text.truncate(end);
}

/// Keeps answers within limits.
struct Keeper {
    outcome: Outcome,
    left: Limits,
    errors_left: usize,
    /// A result had no room any more.
    is_full: bool,
}

/// Bytes of a message or of a column beside its texts, about.
const FRAME: usize = 64;

impl Sink for Keeper {
    fn message(&mut self, mut message: Message) {
        let decides = message.number == crate::message::SUCCEEDED;
        let bytes = FRAME + message.text.len() + message.procedure.len();
        let has_room = self.left.bytes.checked_sub(bytes);
        self.left.bytes = has_room.unwrap_or(0);
        if has_room.is_none() {
            // What decides is kept all the same, and short.
            truncate(&mut message.text);
            truncate(&mut message.procedure);
        }
        if self.left.messages > 0 && has_room.is_some() {
            self.left.messages -= 1;
        } else if message.is_error() && self.errors_left > 0 {
            self.errors_left -= 1;
        } else if !decides
            || self
                .outcome
                .messages
                .iter()
                .any(|one| one.number == message.number)
        {
            self.outcome.messages_dropped += 1;
            return;
        }
        self.outcome.messages.push(message);
    }

    fn columns(&mut self, columns: Vec<Column>) {
        let bytes: usize = columns.iter().map(|column| FRAME + column.name.len()).sum();
        let Some(left) = self.left.bytes.checked_sub(FRAME + bytes) else {
            self.is_full = true;
            return;
        };
        self.left.bytes = left;
        self.outcome.results.push(Rows {
            columns,
            rows: Vec::new(),
        });
    }

    fn row(&mut self, row: Vec<Value>) -> Result<(), Enough> {
        if self.is_full {
            return Err(Enough);
        }
        let bytes: usize = row.iter().map(Value::weight).sum();
        let result = self.outcome.results.last_mut().ok_or(Enough)?;
        self.left.rows = self.left.rows.checked_sub(1).ok_or(Enough)?;
        self.left.bytes = self.left.bytes.checked_sub(bytes).ok_or(Enough)?;
        result.rows.push(row);
        Ok(())
    }

    fn done(&mut self, count: Option<u64>) {
        // As many as messages: a batch of ours has few statements, a loop on the server could have any number.
        if self.outcome.counts.len() < 10_000 {
            self.outcome.counts.push(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper(bytes: usize) -> Keeper {
        Keeper {
            outcome: Outcome::default(),
            left: Limits {
                bytes,
                ..Limits::default()
            },
            errors_left: 2,
            is_full: false,
        }
    }

    fn message(number: i32, class: u8, length: usize) -> Message {
        Message {
            number,
            state: 1,
            class,
            line: 1,
            procedure: String::new(),
            text: "é".repeat(length / 2),
        }
    }

    #[test]
    fn long_messages_and_empty_results_cost_what_they_take() {
        let mut keeper = keeper(10_000);
        for _ in 0..1_000 {
            keeper.message(message(0, 0, 3_000));
            keeper.columns(vec![Column {
                name: "c".repeat(1_000),
            }]);
        }
        assert!(keeper.outcome.messages.len() + keeper.outcome.results.len() < 20);
        assert!(keeper.outcome.messages_dropped > 900);
        assert_eq!(keeper.row(Vec::new()), Err(Enough));
        // What decides is heard all the same, cut.
        keeper.message(message(3201, 16, 60_000));
        keeper.message(message(crate::message::SUCCEEDED, 0, 60_000));
        for number in [3201, crate::message::SUCCEEDED] {
            let kept = keeper.outcome.find(number).unwrap();
            assert!((1..=SHORT).contains(&kept.text.len()), "{}", kept.text.len());
        }
    }

    #[test]
    fn the_debug_of_a_request_shows_no_text() {
        let request = Request {
            text: "CREATE CREDENTIAL [c] WITH IDENTITY = N'i', SECRET = N'hush'".to_owned(),
            within: None,
        };
        assert!(!format!("{request:?}").contains("hush"));
    }
}
