//! The machine's clock.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::world::Clock;

/// The machine's clock, and tokio's sleep. To be used inside a runtime with time.
#[derive(Debug, Clone, Copy)]
pub struct MachineClock {
    began: Instant,
}

#[allow(clippy::disallowed_methods)] // The one place where the vault meets the machine's clock.
impl MachineClock {
    /// Its uptime begins now.
    #[must_use]
    #[allow(clippy::new_without_default)] // A clock that starts is a deed, not a default.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
        }
    }
}

#[async_trait]
impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        if time.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(time).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Clock, MachineClock};

    #[test]
    fn time_passes_by_the_uptime() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let clock = MachineClock::new();
            let before = clock.uptime();
            clock.sleep(Duration::ZERO).await;
            clock.sleep(Duration::from_millis(5)).await;
            assert!(clock.uptime() - before >= Duration::from_millis(5));
            assert!(clock.now().as_second() > 1_700_000_000);
        });
    }
}
