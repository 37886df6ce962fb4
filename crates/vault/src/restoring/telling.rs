//! How far a restore is, for people: per cent, bytes and bytes a second over all of its steps.
//!
//! A step counts by the bytes that it has in the vault, and the one under way by what SQL Server says of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use catalog::record::{Job, JobId, RestoreWork};
use mssql::activity::Progress;
use mssql::run::Watch;

use crate::vault::Vault;

/// How often progress is written.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Per cent of one step as the runner hears of it, as the bits of an `f32`.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauge(Arc<AtomicU32>);

impl Watch for Gauge {
    #[allow(clippy::cast_possible_truncation)] // Per cent need no more digits.
    fn progress(&mut self, progress: &Progress) {
        let percent = progress.percent.clamp(0.0, 100.0) as f32;
        self.0.store(percent.to_bits(), Ordering::Relaxed);
    }
}

impl Gauge {
    fn percent(&self) -> f64 {
        f64::from(f32::from_bits(self.0.load(Ordering::Relaxed)))
    }
}

/// What the steps before the one under way come to, it, and all of them, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    before: u64,
    now: u64,
    all: u64,
}

impl Sizes {
    /// Of a job whose `done` first steps are done.
    pub(super) fn of(work: &RestoreWork, done: usize) -> Self {
        let sum = |steps: &[catalog::record::RestoreStep]| {
            let bytes = steps.iter().map(|step| step.bytes);
            bytes.fold(0, u64::saturating_add)
        };
        Self {
            before: sum(work.steps.get(..done).unwrap_or(&work.steps)),
            now: work.steps.get(done).map_or(0, |step| step.bytes),
            all: sum(&work.steps),
        }
    }

    /// Bytes so far, and per cent of all.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss
    )] // Figures for people.
    fn so_far(self, percent: f64) -> (u64, f32) {
        let bytes = self.before + (self.now as f64 * percent / 100.0) as u64;
        let all = self.all.max(1) as f64;
        (bytes, (bytes as f64 * 100.0 / all).min(100.0) as f32)
    }
}

impl Vault {
    /// Writes progress into the job, for ever. What fails here is tried again.
    pub(super) async fn tell(&self, job: JobId, sizes: Sizes, gauge: Gauge) -> std::convert::Infallible {
        let began = self.world.clock.uptime();
        loop {
            self.world.clock.sleep(TELL_EVERY).await;
            let (bytes, percent) = sizes.so_far(gauge.percent());
            let seconds = self.world.clock.uptime().saturating_sub(began).as_secs();
            let arrived = bytes.saturating_sub(sizes.before);
            let written = self
                .change::<Job, _>(job, |job| {
                    (job.bytes, job.percent) = (bytes, Some(percent));
                    job.bytes_per_second = arrived.checked_div(seconds).or(job.bytes_per_second);
                    Ok(())
                })
                .await;
            drop(written);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sizes;

    #[test]
    fn a_step_counts_by_its_bytes() {
        let sizes = Sizes {
            before: 300,
            now: 100,
            all: 800,
        };
        assert_eq!(sizes.so_far(0.0), (300, 37.5));
        assert_eq!(sizes.so_far(50.0), (350, 43.75));
        assert_eq!(sizes.so_far(100.0), (400, 50.0));
        let nothing = Sizes {
            before: 0,
            now: 0,
            all: 0,
        };
        assert_eq!(nothing.so_far(100.0), (0, 0.0));
    }
}
