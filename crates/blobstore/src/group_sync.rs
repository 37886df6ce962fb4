//! One sync for all who wait on a file at that moment.
//!
//! Whoever finished writing draws a ticket and waits. The first to wait leads: it syncs for every ticket drawn
//! until then, while later ones gather for the next sync. No thread of its own is needed, and eight
//! connections that write to one blob share what eight syncs would cost.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Drawn after a write; see [`GroupSync::wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

#[derive(Debug, Default)]
pub(crate) struct GroupSync {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    drawn: u64,
    synced: u64,
    leading: bool,
    failed: bool,
}

impl GroupSync {
    /// A ticket for everything the caller has written up to now.
    pub(crate) fn draw(&self) -> Ticket {
        let mut state = self.lock();
        state.drawn += 1;
        Ticket(state.drawn)
    }

    /// Whether what the ticket stands for is on stable storage.
    pub(crate) fn is_synced(&self, ticket: Ticket) -> bool {
        self.lock().synced >= ticket.0
    }

    /// Returns once a sync that began after the ticket was drawn has ended well. `sync` is called by the one
    /// who leads.
    ///
    /// # Errors
    /// The error of the sync for its leader, an error of the same meaning for those who followed it and for
    /// everybody later: a failed sync is never tried over.
    pub(crate) fn wait(&self, ticket: Ticket, sync: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.lock();
        loop {
            if state.failed {
                return Err(io::Error::other("an earlier sync of this file failed"));
            }
            if state.synced >= ticket.0 {
                return Ok(());
            }
            if state.leading {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.leading = true;
            let covered = state.drawn;
            drop(state);
            let result = sync();
            state = self.lock();
            state.leading = false;
            match &result {
                Ok(()) => state.synced = covered,
                Err(_) => state.failed = true,
            }
            self.changed.notify_all();
            result?;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn one_sync_covers_all_tickets_drawn_before_it() {
        let group = GroupSync::default();
        let tickets: Vec<Ticket> = (0..5).map(|_| group.draw()).collect();
        let syncs = AtomicUsize::new(0);
        for ticket in tickets {
            let sync = || {
                syncs.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            group.wait(ticket, sync).unwrap();
        }
        assert_eq!(syncs.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_failed_sync_is_not_tried_over() {
        let group = GroupSync::default();
        let first = group.draw();
        assert!(group.wait(first, || Err(io::Error::other("broken"))).is_err());
        let later = group.draw();
        assert!(group.wait(later, || Ok(())).is_err());
        assert!(!group.is_synced(later));
    }
}
