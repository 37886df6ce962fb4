//! A session: a login, a database, options, variables, a transaction; it runs batches.
//!
//! A batch is parsed whole and then run statement by statement (`run`); each statement is atomic, and outside of a transaction it
//! is one of its own. What must wait (a table that another session writes, WAITFOR, a backup) sleeps on the world's clock with no
//! mutex held.
//!
//! Deliberately absent: cursors, procedures and triggers of users, plans, isolation by row versions (SNAPSHOT reads as READ
//! COMMITTED does).

use std::sync::Arc;

use crate::answers::Answers;
use crate::engine::TransactionId;
use crate::instance::locks::SessionId;
use crate::instance::state::RequestFacts;
use crate::instance::waiting::is_killed;
use crate::instance::{Instance, access};
use crate::message::Failure;
use crate::tsql;
use crate::value::{SqlType, Value};

mod bulk;
mod canceller;
mod change;
pub mod configuration;
mod dbcc;
mod definition;
mod dispatch;
mod functions;
mod insert_execute;
mod into;
mod keys;
mod leaf;
mod lined;
mod locking;
mod memory;
mod names;
mod procedure;
mod raise;
mod row;
pub(crate) mod run;
mod set;
pub mod suspect;
mod target;
mod temporary;
mod transaction;
mod wait;
mod work;
mod writer;

pub use canceller::Canceller;
pub use keys::KeyCache;
use work::{Frame, Work};

/// What is shown for the text of a request that may hold a secret.
const HIDDEN: &str = "--*** holds a secret";

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
    /// Its engine's transaction and the database it is in: begun in the first database that the session changes.
    pub transaction: Option<(u16, TransactionId)>,
    /// `@@TRANCOUNT`.
    pub nesting: u32,
    /// `@@ROWCOUNT` of the last statement.
    pub row_count: u64,
    /// `@@ERROR` of the last statement.
    pub last_error: i32,
    /// Cancels it.
    pub canceller: Canceller,
    /// It was killed, or met an error of class 20 or more: the connection must be closed.
    pub ended: bool,
    /// Transactions that it began, ever: two that follow one another are told apart by it.
    pub begun: u64,
    /// The database that its login asked for, to which RESETCONNECTION goes back.
    pub(crate) home: String,
    /// What it remembers between statements.
    pub(crate) work: Work,
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
            ended: false,
            begun: 0,
            home: "master".to_owned(),
            work: Work::default(),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Nobody is there any more to hear that it failed; recovery undoes what a failed rollback left.
        drop(self.abandon());
        self.instance.disconnect(self.id);
    }
}

impl Session {
    /// Runs a text as `sp_executesql` does: a frame of its own, with whose end USE and SET end that it held, and its temporary
    /// tables. The rest as [`batch`](Self::batch).
    pub async fn execute(&mut self, text: &str, parameters: &mut [Parameter], answers: &mut dyn Answers) {
        let options = self.work.options.clone();
        let (database, lock_timeout) = (self.database.clone(), self.lock_timeout);
        self.batch(text, parameters, answers).await;
        self.work.options = options;
        self.lock_timeout = lock_timeout;
        for table in std::mem::take(&mut self.work.frame.made) {
            self.work.temporary.remove(&table);
        }
        if self.database != database && !self.ended {
            // Where it cannot be entered any more, the session stays where it is.
            drop(dispatch::enter(self, &database, answers));
        }
    }

    /// Runs a batch with parameters (none for plain text). Everything it has to say goes to `answers`, errors included; the
    /// values that output parameters have at the end are in `parameters`. Ends early where the session is cancelled or killed; a
    /// killed one is [`ended`](Self::ended) then.
    pub async fn batch(&mut self, text: &str, parameters: &mut [Parameter], answers: &mut dyn Answers) {
        if self.ended || is_killed(self) {
            self.end_killed(answers);
            return;
        }
        if self.nesting == 0 && self.transaction.is_some() {
            // A batch was dropped in the middle of a statement.
            drop(self.abandon());
        }
        self.show_request(text);
        self.work.frame = Frame::default();
        self.work.caught.clear();
        self.work.depth = 0;
        self.work.tries = 0;
        self.work.collects = false;
        self.work.ends_batch = false;
        self.work.around = 0;
        for parameter in parameters.iter() {
            let key = parameter.name.to_lowercase();
            self.work
                .frame
                .declare(key, parameter.value.clone(), parameter.sql_type);
        }
        let ran = run::text(self, text, answers).await;
        self.conclude(ran, answers);
        for parameter in parameters.iter_mut().filter(|parameter| parameter.is_output) {
            if let Some((value, _)) = self.work.frame.variables.get(&parameter.name.to_lowercase()) {
                parameter.value = value.clone();
            }
        }
        if let Some(facts) = self.instance.state().sessions.get_mut(&self.id) {
            facts.request = None;
        }
    }

    /// What is left when the statements are done: a failure that nobody handled, a transaction that cannot be committed.
    fn conclude(&mut self, ran: Result<run::Flow, Failure>, answers: &mut dyn Answers) {
        if let Err(failure) = ran {
            let line = 1;
            self.work.tries = 0;
            let was_cancelled = run::fail(self, failure, line, answers).is_err();
            if was_cancelled && is_killed(self) {
                self.end_killed(answers);
                return;
            }
            if was_cancelled && self.work.options.xact_abort && self.nesting > 0 {
                drop(self.rollback());
            }
        }
        if self.work.is_doomed && self.nesting > 0 {
            drop(self.rollback());
            answers.message(crate::message::Message::new(3998, &[]));
        }
    }

    fn end_killed(&mut self, answers: &mut dyn Answers) {
        drop(self.abandon());
        answers.message(crate::message::Message::new(596, &[]));
        self.ended = true;
        if let Some(facts) = self.instance.state().sessions.get_mut(&self.id) {
            facts.request = None;
        }
    }

    /// Rolls back whatever is open, in a transaction or not.
    fn abandon(&mut self) -> Result<(), Failure> {
        if self.transaction.is_some() && self.nesting == 0 {
            self.nesting = 1;
        }
        match self.nesting {
            0 => Ok(()),
            _ => self.rollback(),
        }
    }

    fn show_request(&self, text: &str) {
        let hidden = tsql::speaks_of_secrets(text);
        let start = self.instance.world.clock.now();
        let mut state = self.instance.state();
        let database = state.database(&self.database).map_or(0, |entry| entry.id);
        if let Some(facts) = state.sessions.get_mut(&self.id) {
            facts.request = Some(RequestFacts {
                start,
                command: "SELECT".to_owned(),
                text: if hidden {
                    HIDDEN.to_owned()
                } else {
                    text.to_owned()
                },
                database,
                percent_complete: 0.0,
                estimated_completion_ms: 0,
                wait_type: None,
                wait_resource: String::new(),
                wait_since: None,
                blocked_by: 0,
            });
        }
    }

    /// Hides the request's text where a text that it made itself speaks of secrets.
    pub(crate) fn hide_request(&self, text: &str) {
        if !tsql::speaks_of_secrets(text) {
            return;
        }
        let mut state = self.instance.state();
        let facts = state.sessions.get_mut(&self.id);
        if let Some(request) = facts.and_then(|facts| facts.request.as_mut()) {
            HIDDEN.clone_into(&mut request.text);
        }
    }

    /// What the request does now.
    pub(crate) fn show_command(&self, command: &str) {
        let mut state = self.instance.state();
        let request = state
            .sessions
            .get_mut(&self.id)
            .and_then(|facts| facts.request.as_mut());
        if let Some(request) = request {
            command.clone_into(&mut request.command);
            request.percent_complete = 0.0;
        }
    }

    /// RESETCONNECTION: rolls back, back to the options of a login and the database that it asked for.
    pub fn reset(&mut self) {
        drop(self.abandon());
        // Where a batch runs (sp_reset_connection), it goes on: how deep it is and what it handles are its own.
        let before = std::mem::take(&mut self.work);
        self.work = Work {
            frame: before.frame,
            around: before.around,
            depth: before.depth,
            tries: before.tries,
            caught: before.caught,
            collects: before.collects,
            ends_batch: before.ends_batch,
            ..Work::default()
        };
        self.lock_timeout = -1;
        self.row_count = 0;
        self.last_error = 0;
        // Where that database cannot be entered any more, the session stays where it is.
        let home = self.home.clone();
        drop(access::enter(self, &home));
    }
}
