//! Those who came and have not logged in yet, oldest first.
//!
//! Each has a seat already, of which there are few. Where none is left, the oldest of them gives its seat to the newcomer: a
//! login takes milliseconds, so that it is one who came to sit there and say nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

#[derive(Default)]
struct Waiting {
    next: u64,
    by_number: BTreeMap<u64, oneshot::Sender<()>>,
}

/// All of them.
#[derive(Clone, Default)]
pub(super) struct Arrivals {
    waiting: Arc<Mutex<Waiting>>,
}

impl Arrivals {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another one.
    pub(super) fn enter(&self) -> Ticket {
        let (sender, displaced) = oneshot::channel();
        let mut waiting = self.waiting();
        let number = waiting.next;
        waiting.next += 1;
        waiting.by_number.insert(number, sender);
        drop(waiting);
        Ticket {
            number,
            arrivals: self.clone(),
            displaced,
        }
    }

    /// Tells the oldest to leave; `false` where all have logged in.
    pub(super) fn displace(&self) -> bool {
        let oldest = self.waiting().by_number.pop_first();
        oldest.is_some_and(|(_, sender)| sender.send(()).is_ok())
    }
}

/// One of them, until it is dropped: when it has logged in, or has left.
pub(super) struct Ticket {
    number: u64,
    arrivals: Arrivals,
    displaced: oneshot::Receiver<()>,
}

impl Ticket {
    /// Does something as long as nobody needs the seat; `None` where somebody did first.
    pub(super) async fn unless_displaced<T>(mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            _ = &mut self.displaced => None,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.arrivals.waiting().by_number.remove(&self.number);
    }
}
