//! What the wire needs of an instance: a narrow door, so that the wire can be tested without one.

use std::sync::Arc;

use bak::SoftwareVersion;
use futures::future::LocalBoxFuture;

use crate::answers::Answers;
use crate::instance::{Instance, LoginRequest};
use crate::message::Failure;
use crate::session::{Canceller, Parameter, Session};

/// What the server says of itself.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// `@@SERVERNAME`, shown in every message.
    pub server: String,
    /// Its version.
    pub version: SoftwareVersion,
    /// Name of its collation.
    pub collation: String,
}

/// Takes logins.
pub trait Backend: Send + Sync + 'static {
    /// What the server says of itself.
    fn greeting(&self) -> Greeting;
    /// Logs in. May block.
    ///
    /// # Errors
    /// What the client is told.
    fn connect(&self, login: &LoginRequest) -> Result<Box<dyn Guest>, Failure>;
}

/// Somebody who is logged in. Everything but [`Guest::is_over`] may block.
pub trait Guest: Send {
    /// `@@SPID`.
    fn id(&self) -> u16;
    /// Database it is in.
    fn database(&self) -> String;
    /// Open transactions: `@@TRANCOUNT`.
    fn transactions(&self) -> u32;
    /// Transactions that it began, ever, but for those within others: two that follow one another are told apart by it.
    fn begun(&self) -> u64;
    /// Cancels what runs.
    fn canceller(&self) -> Canceller;
    /// Runs a batch; what it says goes to `answers`, errors included.
    fn batch<'a>(
        &'a mut self,
        text: &'a str,
        parameters: &'a mut [Parameter],
        answers: &'a mut dyn Answers,
    ) -> LocalBoxFuture<'a, ()>;
    /// Runs a text with parameters as `sp_executesql` does: what it sets, uses and makes for itself ends with it.
    fn execute<'a>(
        &'a mut self,
        text: &'a str,
        parameters: &'a mut [Parameter],
        answers: &'a mut dyn Answers,
    ) -> LocalBoxFuture<'a, ()>;
    /// Begins a transaction.
    ///
    /// # Errors
    /// What the client is told; also of the two that follow.
    fn begin(&mut self) -> Result<(), Failure>;
    /// Commits.
    ///
    /// # Errors
    /// As above.
    fn commit(&mut self) -> Result<(), Failure>;
    /// Rolls all back.
    ///
    /// # Errors
    /// As above.
    fn rollback(&mut self) -> Result<(), Failure>;
    /// As if it had just logged in.
    fn reset(&mut self);
    /// Whether it was killed.
    fn is_over(&self) -> bool;
}

impl Backend for Arc<Instance> {
    fn greeting(&self) -> Greeting {
        Greeting {
            server: self.settings.server_name(),
            version: self.settings.software(),
            collation: self.settings.collation.clone(),
        }
    }

    fn connect(&self, login: &LoginRequest) -> Result<Box<dyn Guest>, Failure> {
        Ok(Box::new(Instance::connect(self, login)?))
    }
}

impl Guest for Session {
    fn id(&self) -> u16 {
        self.id
    }

    fn database(&self) -> String {
        self.database.clone()
    }

    fn transactions(&self) -> u32 {
        self.nesting
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
        Box::pin(Session::batch(self, text, parameters, answers))
    }

    fn execute<'a>(
        &'a mut self,
        text: &'a str,
        parameters: &'a mut [Parameter],
        answers: &'a mut dyn Answers,
    ) -> LocalBoxFuture<'a, ()> {
        Box::pin(Session::execute(self, text, parameters, answers))
    }

    fn begin(&mut self) -> Result<(), Failure> {
        Session::begin(self)
    }

    fn commit(&mut self) -> Result<(), Failure> {
        Session::commit(self)
    }

    fn rollback(&mut self) -> Result<(), Failure> {
        Session::rollback(self)
    }

    fn reset(&mut self) {
        Session::reset(self);
    }

    fn is_over(&self) -> bool {
        let state = self.instance.state();
        state.sessions.get(&self.id).is_none_or(|session| session.killed)
    }
}
