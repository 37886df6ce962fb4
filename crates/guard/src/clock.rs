//! Time, which the guard takes from outside so that a simulation can repeat a run.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use azblob::time::UnixMillis;

/// Where time comes from and how it passes.
pub trait Clock: Sync {
    /// The present moment, for people and reports only: it may jump in either direction, so nothing is judged by it.
    fn now(&self) -> UnixMillis;

    /// How long this process has been watching. Never goes back; how long a blob was quiet is measured by it.
    fn watched(&self) -> Duration;

    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

#[allow(clippy::disallowed_methods)] // The one place where the guard meets the machine's clock.
impl SystemClock {
    /// Begins to watch now.
    #[allow(clippy::new_without_default)] // A clock that starts is a deed, not a default.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

#[allow(clippy::disallowed_methods)] // See above.
impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        UnixMillis(millis)
    }

    fn watched(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
