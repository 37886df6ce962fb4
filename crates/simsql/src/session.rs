//! A session: a login, a database, options, variables, a transaction; it runs batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::answers::Answers;
use crate::engine::TransactionId;
use crate::instance::Instance;
use crate::instance::locks::SessionId;
use crate::message::Failure;
use crate::value::{SqlType, Value};

/// A parameter of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// With the sign: `@p1`.
    pub name: String,
    /// Type.
    pub sql_type: SqlType,
    /// Value.
    pub value: Value,
    /// Its value at the end goes back to the client.
    pub is_output: bool,
}

/// Cancels what a session runs, from another thread: an attention, a closed connection.
#[derive(Clone, Debug, Default)]
pub struct Canceller {
    asked: Arc<AtomicBool>,
    waker: Arc<futures::task::AtomicWaker>,
}

impl Canceller {
    /// Asks.
    pub fn cancel(&self) {
        self.asked.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Whether it was asked.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// For the next batch.
    pub fn reset(&self) {
        self.asked.store(false, Ordering::SeqCst);
    }

    /// Runs `work` until it ends or is cancelled.
    ///
    /// # Errors
    /// [`Failure::cancelled`].
    pub async fn unless_cancelled<T>(&self, work: impl Future<Output = T> + Send) -> Result<T, Failure> {
        let asked = futures::future::poll_fn(|context| {
            self.waker.register(context.waker());
            if self.is_cancelled() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        });
        match futures::future::select(std::pin::pin!(work), std::pin::pin!(asked)).await {
            futures::future::Either::Left((done, _)) => Ok(done),
            futures::future::Either::Right(_) => Err(Failure::cancelled()),
        }
    }
}

/// A session.
pub struct Session {
    /// Its instance.
    pub instance: Arc<Instance>,
    /// `@@SPID`.
    pub id: SessionId,
    /// Login, as `SUSER_SNAME()` gives it.
    pub login: String,
    /// Name of the database it is in.
    pub database: String,
    /// `SET LOCK_TIMEOUT`: milliseconds, -1 for ever.
    pub lock_timeout: i64,
    /// Its open transaction and the database it is in: BEGIN TRANSACTION opens it in the first database it changes.
    pub transaction: Option<(u16, TransactionId)>,
    /// `@@TRANCOUNT`.
    pub nesting: u32,
    /// `@@ROWCOUNT` of the last statement.
    pub row_count: u64,
    /// `@@ERROR` of the last statement.
    pub last_error: i32,
    /// Cancels it.
    pub canceller: Canceller,
}

impl Session {
    /// A session in master, as it is after login.
    pub(crate) fn new(instance: Arc<Instance>, id: SessionId, login: &str) -> Self {
        Self {
            instance,
            id,
            login: login.to_owned(),
            database: "master".to_owned(),
            lock_timeout: -1,
            transaction: None,
            nesting: 0,
            row_count: 0,
            last_error: 0,
            canceller: Canceller::default(),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Nobody is there any more to hear that it failed; recovery undoes what a failed rollback left.
        drop(self.rollback());
        self.instance.disconnect(self.id);
    }
}

#[allow(clippy::unimplemented, unused_variables)]
impl Session {
    /// Runs a batch with parameters (none for plain text). Everything it has to say goes to `answers`, errors included; the values
    /// that output parameters have at the end are in `parameters`. Ends early where the session is cancelled or killed.
    pub async fn batch(&mut self, text: &str, parameters: &mut [Parameter], answers: &mut dyn Answers) {
        unimplemented!()
    }

    /// The transaction manager's request BEGIN.
    ///
    /// # Errors
    /// Where the transaction cannot begin.
    pub fn begin(&mut self) -> Result<(), Failure> {
        unimplemented!()
    }

    /// COMMIT.
    ///
    /// # Errors
    /// 3902 where there is none.
    pub fn commit(&mut self) -> Result<(), Failure> {
        unimplemented!()
    }

    /// ROLLBACK of everything.
    ///
    /// # Errors
    /// 3903 where there is none.
    pub fn rollback(&mut self) -> Result<(), Failure> {
        unimplemented!()
    }

    /// RESETCONNECTION: rolls back, back to the login's database and options.
    pub fn reset(&mut self) {
        unimplemented!()
    }
}
