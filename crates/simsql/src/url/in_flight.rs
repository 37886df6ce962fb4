//! Writes in flight: several at once, their errors kept until the next write or the end asks for them.

use std::task::Poll;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use super::failure::Trouble;

/// Writes at once. SQL Server's number is not known; block writes were seen in parallel.
const AT_ONCE: usize = 8;
/// Bytes of them at once: fewer writes of 20 MB, which a MAXTRANSFERSIZE can have.
const BYTES_AT_ONCE: usize = 64 << 20;

/// The writes.
pub(super) struct InFlight {
    at_once: usize,
    running: FuturesUnordered<BoxFuture<'static, Result<(), Trouble>>>,
}

impl InFlight {
    /// For writes of at most `largest` bytes.
    pub(super) fn of(largest: u32) -> Self {
        let fit = BYTES_AT_ONCE / (largest as usize).max(1);
        Self {
            at_once: fit.clamp(1, AT_ONCE),
            running: FuturesUnordered::new(),
        }
    }

    /// Starts a write, once there is room for it: it is on its way when this returns.
    ///
    /// # Errors
    /// That of a write that ended; one found before there is room means that this one is not started.
    pub(super) async fn start(
        &mut self,
        write: BoxFuture<'static, Result<(), Trouble>>,
    ) -> Result<(), Trouble> {
        while self.running.len() >= self.at_once {
            self.next().await?;
        }
        self.running.push(write);
        // A future that nobody polls sends nothing.
        while let Poll::Ready(Some(ended)) = futures::poll!(self.running.next()) {
            ended?;
        }
        Ok(())
    }

    /// Waits for all writes.
    ///
    /// # Errors
    /// The first that failed.
    pub(super) async fn settle(&mut self) -> Result<(), Trouble> {
        while !self.running.is_empty() {
            self.next().await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<(), Trouble> {
        self.running.next().await.unwrap_or(Ok(()))
    }

    /// Forgets all writes: nobody waits for their answers any more.
    pub(super) fn forget(&mut self) {
        self.running.clear();
    }
}
