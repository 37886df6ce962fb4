//! A bell: who waits for something new is woken, at once or by its next ring.
//!
//! A ring that nobody hears is kept for the next who waits, once. Needs no runtime.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    rings: u64,
    waiting: VecDeque<Waker>,
}

impl Bell {
    /// Wakes all who wait.
    pub(crate) fn ring(&self) {
        let woken = {
            let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            inner.rings += 1;
            std::mem::take(&mut inner.waiting)
        };
        for waker in woken {
            waker.wake();
        }
    }

    /// How often it rang so far: look first, then work, then wait for a ring after that look.
    pub(crate) fn rings(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).rings
    }

    /// Waits until it has rung more often than `heard`.
    pub(crate) fn after(&self, heard: u64) -> Ring<'_> {
        Ring { bell: self, heard }
    }
}

/// A wait for the next ring.
pub(crate) struct Ring<'b> {
    bell: &'b Bell,
    heard: u64,
}

impl Future for Ring<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.bell.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.rings > self.heard {
            return Poll::Ready(());
        }
        // A waiter that is polled again is there already; others' wakers stay.
        if !inner.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            inner.waiting.push_back(context.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::Bell;

    #[test]
    fn a_ring_between_look_and_wait_is_heard() {
        let bell = Bell::default();
        let heard = bell.rings();
        assert!(bell.after(heard).now_or_never().is_none());
        bell.ring();
        assert!(bell.after(heard).now_or_never().is_some());
        assert!(bell.after(bell.rings()).now_or_never().is_none());
    }
}
