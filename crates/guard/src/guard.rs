//! The guard at work: surveys, looks again, waits for quiet, acts.
//!
//! One value holds what was seen of every locked blob since it began to watch. A command is a few calls: `list` surveys
//! and looks again; `break` and `delete` survey, [ripen](Guard::ripen), show the list and [act](Guard::act); `watch`
//! surveys at its interval for ever.

use std::time::Duration;

use crate::account::Account;
use crate::ask::{Ask, NobodyAsked};
use crate::clock::Clock;
use crate::event::{Listener, Nobody};
use crate::fault::Fault;
use crate::place::Place;
use crate::report::{Did, Entry, Summary};
use crate::ruling::Terms;
use crate::scope::Scope;

/// What is done to a blob whose lease may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Break the lease.
    Break,
    /// Break the lease and delete the blob.
    Delete {
        /// Also where it holds a complete, verified backup.
        complete_too: bool,
    },
}

/// The guard of one account.
pub struct Guard<'a, A, C, Q = NobodyAsked> {
    account: &'a A,
    clock: &'a C,
    ask: Option<&'a Q>,
    listener: &'a dyn Listener,
    scope: Scope,
    terms: Terms,
}

impl<'a, A: Account, C: Clock> Guard<'a, A, C> {
    /// Nobody is asked, nobody listens.
    pub fn new(account: &'a A, clock: &'a C, scope: Scope, terms: Terms) -> Self {
        Self {
            account,
            clock,
            ask: None,
            listener: &Nobody,
            scope,
            terms,
        }
    }
}

impl<'a, A: Account, C: Clock, Q: Ask> Guard<'a, A, C, Q> {
    /// Asks these instances before anything is broken.
    pub fn asking<R: Ask>(self, ask: &'a R) -> Guard<'a, A, C, R> {
        Guard {
            account: self.account,
            clock: self.clock,
            ask: Some(ask),
            listener: self.listener,
            scope: self.scope,
            terms: self.terms,
        }
    }

    /// Tells this listener of every step.
    pub fn telling(mut self, listener: &'a dyn Listener) -> Self {
        self.listener = listener;
        self
    }

    /// Looks through the scope: new locked blobs are examined, known ones looked at again, those that are locked no
    /// more forgotten.
    ///
    /// # Errors
    /// A fault of the account itself. What was known stays known; nothing is taken for gone.
    pub async fn survey(&mut self) -> Result<Summary, Fault> {
        let _ = (
            self.account,
            self.clock,
            self.ask,
            self.listener,
            &self.scope,
            &self.terms,
        );
        unimplemented!()
    }

    /// Looks again at every known blob that may become ripe, without listing the account.
    ///
    /// # Errors
    /// A fault of the account itself.
    pub async fn look_again(&mut self) -> Result<(), Fault> {
        unimplemented!()
    }

    /// Looks again until no known blob waits any more: each may be broken now, or must be kept. Takes as long as the
    /// terms ask for on an account that does not tell who is alive, and no time at all where the vault's own door has
    /// watched for long enough.
    ///
    /// # Errors
    /// A fault of the account itself, after the tries it is worth.
    pub async fn ripen(&mut self) -> Result<(), Fault> {
        unimplemented!()
    }

    /// How long [`Self::ripen`] will take at most, if nothing stirs.
    pub fn longest_wait(&self) -> Duration {
        unimplemented!()
    }

    /// Everything known, with rulings, ordered by place; what could not be read comes last.
    pub fn entries(&self) -> Vec<Entry> {
        unimplemented!()
    }

    /// Does the deed to one known blob, if the rules still allow it at this moment: asks the instances, looks again,
    /// probes the holder again, and makes every change conditional on the tag that was judged.
    pub async fn act(&mut self, place: &Place, deed: Deed) -> Did {
        let _ = (place, deed);
        unimplemented!()
    }
}
