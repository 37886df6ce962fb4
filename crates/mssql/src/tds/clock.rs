//! The machine's clock.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::clock::Clock;

/// The machine's clock, which never goes back.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

#[allow(clippy::disallowed_methods)] // The one place where this crate meets the machine's clock.
impl SystemClock {
    /// Begins now.
    #[must_use]
    #[allow(clippy::new_without_default)] // A clock that starts is a deed, not a default.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

#[async_trait]
#[allow(clippy::disallowed_methods)] // See above.
impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
