//! Making little of jobs of which nobody will ask much: scheduled ones that completed without a warning. After some days they lose
//! steps, messages and statements, and those of logs go altogether, long before the others: their recovery points say the same.
//!
//! Each job is looked at once for either: how far that is done is in the vault's record.

use catalog::record::{Job, JobState, Tidied, Trigger, Vault as VaultRecord, Work, moment};
use catalog::{Query, Range, Scope, Slot, Versioned, delete, scoped, update};
use faults::Fault;
use jiff::Timestamp;
use schedule::BackupKind;

use super::pruning::days_before;
use crate::records::{Trouble, fault, readable};
use crate::vault::Vault;

/// Jobs that one sweep looks at, for either: a sweep is every ten minutes, in which 2,000 databases with logs every 15 minutes
/// make 1,300.
const LOOKED_AT_MAX: usize = 10_000;

/// Jobs that one transaction changes.
const AT_ONCE: u32 = 200;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Shorten,
    Forget,
}

impl Deed {
    fn concerns(self, job: &Job) -> bool {
        let is_plain = job.state == JobState::Completed
            && job.warnings.is_empty()
            && matches!(job.trigger, Trigger::Scheduled { .. });
        let is_due = match self {
            Self::Shorten => !is_short(job),
            Self::Forget => matches!(&job.work, Work::Backup(work)
                if work.asked == BackupKind::Log && work.kind == BackupKind::Log),
        };
        is_plain && is_due
    }
}

impl Vault {
    /// Goes on from where the last sweep stood.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn tidy_jobs(&self) -> Result<(), Fault> {
        let record = self.get::<VaultRecord>(self.id).await?.record;
        let (keeping, before, now) = (record.keeping, record.tidied, self.now());
        let old = days_before(now, keeping.detail_days);
        let older = days_before(now, keeping.log_days.min(keeping.days));
        let tidied = Tidied {
            shortened: Some(self.tidy(Deed::Shorten, before.shortened, old).await?),
            logs: Some(self.tidy(Deed::Forget, before.logs, older).await?),
        };
        if tidied != before {
            self.change::<VaultRecord, _>(self.id, |vault| {
                vault.tidied = tidied;
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Does it with the jobs that were made before `to`, from where it stood; says where it stands.
    async fn tidy(&self, deed: Deed, from: Option<Timestamp>, to: Timestamp) -> Result<Timestamp, Fault> {
        // Where a clock was ahead, what it went over is gone over again.
        let from = from.filter(|from| *from <= to).map(moment).unwrap_or_default();
        let range = Range::between(from, moment(to));
        let mut query = Query::of(Scope::vault(&self.key), Slot::C, range).limit(AT_ONCE);
        let mut looked_at = 0;
        loop {
            let found = {
                let mut tx = self.world.catalog.read().await.map_err(fault)?;
                readable::<Job>(tx.as_mut(), &query).await.map_err(fault)?
            };
            looked_at += found.records.len();
            let last = found.records.last().map(|job| job.record.created);
            let due: Vec<Versioned<Job>> = found
                .records
                .into_iter()
                .filter(|job| deed.concerns(&job.record))
                .collect();
            self.tidy_some(deed, &due).await?;
            match (found.next, last) {
                (Some(_), Some(last)) if looked_at >= LOOKED_AT_MAX => return Ok(last),
                (Some(next), _) => query = query.after(next),
                (None, _) => return Ok(to),
            }
        }
    }

    async fn tidy_some(&self, deed: Deed, jobs: &[Versioned<Job>]) -> Result<(), Fault> {
        if jobs.is_empty() {
            return Ok(());
        }
        self.transact(move |tx| {
            scoped(async move {
                for job in jobs {
                    match deed {
                        Deed::Forget => delete(tx, job).await?,
                        Deed::Shorten => {
                            let mut job = job.clone();
                            shorten(&mut job.record);
                            update(tx, job).await?;
                        }
                    }
                }
                Ok::<(), Trouble>(())
            })
        })
        .await
    }
}

fn is_short(job: &Job) -> bool {
    job.tasks.is_empty() && job.said.is_empty() && job.statements.is_empty()
}

/// Leaves outcome, times, bytes and the point: in that are the blobs, the set and its LSNs.
fn shorten(job: &mut Job) {
    job.tasks.clear();
    job.said.clear();
    job.statements.clear();
    job.percent = None;
    if let Work::Backup(work) = &mut job.work
        && job.point.is_some()
    {
        work.blobs.clear();
        work.marker = None;
        work.set = None;
        work.log_end_before = None;
    }
}
