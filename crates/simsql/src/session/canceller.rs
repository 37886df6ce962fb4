//! Cancelling what runs: an attention of the client, a closed connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::message::Failure;

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
