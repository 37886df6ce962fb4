//! Time, which comes from outside so that a simulation can repeat a run.

use std::time::Duration;

use async_trait::async_trait;

/// How time passes.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Time since a fixed moment before; never goes back. What has a time limit is measured by it.
    fn elapsed(&self) -> Duration;

    /// Waits.
    async fn sleep(&self, time: Duration);
}
