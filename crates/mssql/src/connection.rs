//! The seam: what this crate asks of a connection, and how it comes by one.
//!
//! Everything above works over [`Connection`] and [`Connector`] alone. The real ones are in [`tds`](crate::tds), over Microsoft's
//! client; a simulation implements both over sessions in its own process and its own time. A connection runs one batch at a time,
//! and says of it everything that the server said: rows and messages go to a [`Sink`] as they come.
//!
//! Invariant: [`Connection::batch`] returns `Ok` when the server finished the batch, whether its statements succeeded or not
//! (that is what messages are for), and a [`Fault`] when the connection could not bring it to its end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::address::Address;
use crate::authentication::Authentication;
use crate::message::Message;
use crate::trust::Trust;
use crate::value::{Column, Value};

/// A batch. Its text may hold a secret, so [`fmt::Debug`] shows the length alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// T-SQL.
    pub text: String,
    /// How long the server may take until it is cancelled; without, for ever. Real connections count in whole seconds, rounded up.
    pub within: Option<Duration>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format_args!("{} bytes", self.text.len());
        f.debug_struct("Request")
            .field("text", &text)
            .field("within", &self.within)
            .finish()
    }
}

/// Takes the answers of a batch in their order.
pub trait Sink: Send {
    /// Information or an error.
    fn message(&mut self, message: Message);
    /// A result begins.
    fn columns(&mut self, columns: Vec<Column>);
    /// A row of the result that began last.
    ///
    /// # Errors
    /// [`Enough`] where a limit is reached: the connection cancels the batch, which ends with [`Fault::TooMuch`].
    fn row(&mut self, row: Vec<Value>) -> Result<(), Enough>;
    /// A statement ended, having touched or returned `count` rows where it counts any.
    fn done(&mut self, count: Option<u64>);
}

/// No more rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enough;

/// A batch that the connection could not bring to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The connection is gone, and nothing runs on it again. What the batch did is not known.
    #[error("the connection to SQL Server was lost: {reason}")]
    Lost {
        /// Why, as far as it is known.
        reason: String,
    },
    /// The batch's time was over; it was cancelled. The connection can be used again.
    #[error("SQL Server did not finish the statement in its time")]
    TimedOut,
    /// Somebody cancelled it. The connection can be used again.
    #[error("the statement was cancelled")]
    Cancelled,
    /// The sink had [`Enough`]. The connection can be used again.
    #[error("SQL Server answered with more than was expected")]
    TooMuch,
    /// The batch itself could not be sent, or its answer not be read. The connection can be used again.
    #[error("the statement could not be run: {reason}")]
    Unusable {
        /// Why.
        reason: String,
    },
}

/// A connection that is logged in.
#[async_trait]
pub trait Connection: Send {
    /// Runs one batch to its end. Everything that the server says goes to `sink`, errors of statements included.
    /// A future that is dropped in the middle leaves a connection that is [lost](Fault::Lost): cancel, and wait for the end.
    ///
    /// # Errors
    /// See [`Fault`].
    async fn batch(&mut self, request: &Request, sink: &mut dyn Sink) -> Result<(), Fault>;

    /// What cancels the batch that runs, from another task. Where none runs, the next one ends before it begins, so that a cancel
    /// between two batches of one job is not lost.
    fn canceller(&self) -> Canceller;

    /// Says good-bye. Dropping a connection does as well, without waiting.
    async fn close(&mut self);
}

/// Cancels.
pub trait Cancel: Send + Sync {
    /// Asks for it, without waiting.
    fn cancel(&self);
}

/// Cancels what a connection runs, from anywhere.
#[derive(Clone)]
pub struct Canceller(Arc<dyn Cancel>);

impl Canceller {
    /// Over what really does it.
    #[must_use]
    pub fn new(cancel: Arc<dyn Cancel>) -> Self {
        Self(cancel)
    }

    /// Asks for it, without waiting. Asking twice is asking once.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

impl std::fmt::Debug for Canceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Canceller")
    }
}

/// Where to connect to, as whom, and how sure to be of who answers.
#[derive(Clone, Debug)]
pub struct Target {
    /// The instance.
    pub address: Address,
    /// The login.
    pub authentication: Authentication,
    /// How the server's certificate is judged.
    pub trust: Trust,
    /// The database to begin in.
    pub database: String,
    /// `program_name` in sys.dm_exec_sessions: who reads it sees who asks. At most 128 characters; the rest is cut off.
    pub program: String,
    /// How long everything may take, from the first packet to the end of the login.
    pub within: Duration,
}

impl Target {
    /// Into master, in 15 seconds (as SQL Server's own clients), under the name of this product.
    #[must_use]
    pub fn new(address: Address, authentication: Authentication, trust: Trust) -> Self {
        Self {
            address,
            authentication,
            trust,
            database: "master".to_owned(),
            program: "bac2".to_owned(),
            within: Duration::from_secs(15),
        }
    }
}

/// Makes connections.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Connects and logs in.
    ///
    /// # Errors
    /// See [`ConnectError`].
    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, ConnectError>;
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The host's name has no address, or nothing answers there.
    #[error("{address} cannot be reached: {reason}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// The SQL Server Browser of the host did not answer, or does not know the instance.
    #[error("the port of instance {instance} on {host} is not known: {reason}")]
    InstanceUnknown {
        /// The host.
        host: String,
        /// The instance.
        instance: String,
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("{address} did not answer in {seconds} s")]
    TimedOut {
        /// Where.
        address: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The server's certificate is not to be trusted by the rule given.
    #[error("{address} is not trusted: {reason}")]
    Untrusted {
        /// Where.
        address: String,
        /// Why.
        reason: String,
        /// SHA-256 of the certificate it showed, in lower-case hex, so that a user can compare and pin it; `None` where it is not
        /// known.
        fingerprint: Option<String>,
    },
    /// SQL Server refused the login (18456 and its like).
    #[error("{address} refused the login: {}", refusal(messages))]
    Refused {
        /// Where.
        address: String,
        /// All that it said.
        messages: Vec<Message>,
    },
    /// This way to log in does not work on this machine.
    #[error("this way to log in is not to be had: {reason}")]
    Unsupported {
        /// Why.
        reason: String,
    },
    /// What answered does not speak as SQL Server does.
    #[error("{address} does not answer as SQL Server does: {reason}")]
    Protocol {
        /// Where.
        address: String,
        /// What happened.
        reason: String,
    },
}

fn refusal(messages: &[Message]) -> String {
    crate::message::cause(messages).map_or_else(|| "no reason was given".to_owned(), ToString::to_string)
}
