//! The statement under way: progress, cancel, and SQL Server's last word.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Job, JobId, Outcome};
use faults::{Code, Fault, Operation};
use futures::future::{Either, select};
use mssql::activity::Progress;
use mssql::run::{Evidence, Report, Runner, Verdict, Watch};

use super::ground::{self, Ground};
use super::making::Made;
use super::overflow::refused;
use super::taking::{Taken, note_outcome};
use crate::jobs::{Doing, Ending};
use crate::registration::said;
use crate::vault::Vault;

/// How often progress is written.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// The pause before an unknown outcome is looked for again.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(120);
/// SQL Server's message that its own history could not be written.
const HISTORY_NOT_WRITTEN: i32 = 3009;

/// Per cent as the runner hears of it; `f32` bits, NaN for none.
#[derive(Clone)]
struct Gauge(Arc<AtomicU32>);

impl Gauge {
    fn read(&self) -> Option<f32> {
        Some(f32::from_bits(self.0.load(Ordering::Relaxed))).filter(|percent| percent.is_finite())
    }
}

impl Watch for Gauge {
    #[allow(clippy::cast_possible_truncation)] // Per cent need no more digits.
    fn progress(&mut self, progress: &Progress) {
        self.0
            .store((progress.percent as f32).to_bits(), Ordering::Relaxed);
    }
}

impl Vault {
    /// Sends the statement and hears how it ended.
    ///
    /// # Errors
    /// It failed; the catalog cannot be written.
    pub(super) async fn run_backup(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        runner: &mut Runner<'_>,
        made: &Made,
        container: &ContainerName,
    ) -> Result<Taken, Fault> {
        let mut gauge = Gauge(Arc::new(AtomicU32::new(f32::NAN.to_bits())));
        let telling = Box::pin(self.tell_progress(doing.job.id, container, &made.blobs, gauge.clone()));
        let report = {
            let working = Box::pin(runner.backup(&made.backup, &mut gauge));
            match select(working, telling).await {
                Either::Left((report, _)) => report,
                Either::Right((never, _)) => match never {},
            }
        };
        self.hear(doing, ground, report).await
    }

    async fn hear(&self, doing: &mut Doing<'_>, ground: &Ground, report: Report) -> Result<Taken, Fault> {
        let words = said(&report.outcome.messages);
        doing.said(&words).await?;
        let target = ground.target();
        match report.verdict {
            Verdict::Succeeded(evidence) => {
                let has_history = report.outcome.find(HISTORY_NOT_WRITTEN).is_none();
                let seconds = report.took.as_secs_f64();
                doing
                    .write(|job| {
                        if !has_history {
                            job.warnings
                                .push(Fault::new(Code::Bac2HistoryNotWritten).at(&target));
                        }
                        note_speed(job, seconds);
                    })
                    .await?;
                note_outcome(doing, Outcome::Succeeded).await?;
                Ok(Taken::Succeeded(match evidence {
                    Evidence::Message => None,
                    Evidence::History(set) => Some(set),
                }))
            }
            Verdict::Failed => {
                note_outcome(doing, Outcome::Failed).await?;
                Err(match (&report.fault, words.iter().any(faults::Said::is_error)) {
                    (Some(fault), false) => Fault::new(Code::Bac2SessionLost)
                        .with_said(Operation::Backup, &words)
                        .at(&target)
                        .because(&fault.to_string()),
                    _ if ground::work_of(doing)?.writes().is_some() => refused(&words).at(&target),
                    _ => Fault::of(Operation::Backup, &words).at(&target),
                })
            }
            Verdict::Unknown => {
                note_outcome(doing, Outcome::Unknown).await?;
                Ok(Taken::Ended(self.unknown(&target, "the session was lost")))
            }
        }
    }

    /// The outcome is not known, and looked for again: nothing is sent meanwhile.
    pub(super) fn unknown(&self, target: &str, why: &str) -> Ending {
        let fault = Fault::new(Code::Bac2OutcomeUnknown).at(target).because(why);
        Ending::Again(fault, self.now() + LOOK_AGAIN)
    }

    /// Writes progress into the job, for ever. What fails here is tried again.
    async fn tell_progress(
        &self,
        job: JobId,
        container: &ContainerName,
        blobs: &[BlobName],
        gauge: Gauge,
    ) -> std::convert::Infallible {
        let began = self.world.clock.uptime();
        loop {
            self.world.clock.sleep(TELL_EVERY).await;
            let mut bytes = 0_u64;
            for blob in blobs {
                if let Ok(Some(blob)) = self.world.shelf.look(container, blob).await {
                    bytes = bytes.saturating_add(blob.arrived);
                }
            }
            let percent = gauge.read();
            let seconds = self.world.clock.uptime().saturating_sub(began).as_secs_f64();
            let written = self
                .change::<Job, _>(job, |job| {
                    job.bytes = bytes;
                    job.percent = percent.or(job.percent);
                    note_speed(job, seconds);
                    Ok(())
                })
                .await;
            drop(written);
        }
    }
}

/// Bytes a second of what arrived so far.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)] // A figure for people.
pub(super) fn note_speed(job: &mut Job, seconds: f64) {
    if seconds > 0.0 && job.bytes > 0 {
        job.bytes_per_second = Some((job.bytes as f64 / seconds) as u64);
    }
}
