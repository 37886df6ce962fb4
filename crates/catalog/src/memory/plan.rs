//! What goes wrong with a catalog in memory, decided step by step by the simulation.

use std::future::poll_fn;
use std::task::Poll;

use futures::future::BoxFuture;

use super::{MemoryStore, NAME, unreachable};
use crate::error::CatalogError;

/// What is about to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A transaction begins.
    Begin,
    /// A row, a page or a number is read.
    Read,
    /// A row is written into the transaction.
    Write,
    /// A transaction that wrote something is committed.
    Commit,
}

/// What happens then.
pub enum Event {
    /// What was asked for.
    Go,
    /// It is done after this future is ready. A commit whose future is dropped meanwhile is done or not, by the seed.
    Wait(BoxFuture<'static, ()>),
    /// There is no space.
    DiskFull,
    /// Another transaction was in the way.
    Conflict,
    /// The connection is lost; for a commit that is `CommitUnknown`, and the seed decides whether it was done.
    Lost,
}

/// Decides what happens.
pub trait Plan: Send {
    /// Asked once before each step, in order. Must not use the catalog.
    fn next(&mut self, step: Step) -> Event;
}

/// Nothing ever goes wrong.
pub struct NoTrouble;

impl Plan for NoTrouble {
    fn next(&mut self, _step: Step) -> Event {
        Event::Go
    }
}

impl<F: FnMut(Step) -> Event + Send> Plan for F {
    fn next(&mut self, step: Step) -> Event {
        self(step)
    }
}

/// A future that is ready at the poll after `times` that were not; it wakes its task each time.
pub fn pending(times: u32) -> BoxFuture<'static, ()> {
    let mut left = times;
    Box::pin(poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }))
}

/// Lets the plan have its way before a step that is no commit.
pub(super) async fn face(store: &MemoryStore, step: Step) -> Result<(), CatalogError> {
    let event = store.lock().plan.next(step);
    match event {
        Event::Go => Ok(()),
        Event::Wait(until) => {
            until.await;
            Ok(())
        }
        other => Err(other.error()),
    }
}

impl Event {
    /// The error that a step but a commit fails with.
    pub(super) fn error(&self) -> CatalogError {
        match self {
            Self::DiskFull => CatalogError::DiskFull { catalog: NAME.into() },
            Self::Conflict => CatalogError::Conflict {
                what: "the simulation planned it".into(),
            },
            Self::Lost | Self::Go | Self::Wait(_) => unreachable("the connection was lost"),
        }
    }
}
