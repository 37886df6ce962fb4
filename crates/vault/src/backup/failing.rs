//! What follows from a backup that was not taken: another attempt, or the end with a notice.
//!
//! Nothing here ends a job whose statement may have succeeded: what SQL Server has backed up is looked for, and kept, however long
//! the instance, the store or the catalog is away. What a failed attempt left in the store is removed by the job itself as soon as
//! no connection uses it: its statement is over, so there is nothing to wait for.

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Container, HealingReason, Item, Job, Work};
use catalog::{demand, scoped, update};
use faults::{Code, Fault, Heal};
use jiff::{SignedDuration, Timestamp};
use schedule::BackupKind;

use super::credential::name_of;
use super::ground::work_of;
use super::running::LOOK_AGAIN;
use crate::jobs::{Doing, Ending, pause_after};
use crate::scheduler::about;
use crate::shelf::ShelfError;
use crate::vault::Vault;

/// The shortest and the longest pause of a job that waits for a full of its database.
const WAIT_MIN: SignedDuration = SignedDuration::from_secs(30);
const WAIT_MAX: SignedDuration = SignedDuration::from_mins(10);

/// When to try again after so many attempts failed, this one included; none where the job is over. Never beyond the next slot of the
/// kind, whose job would meet this one.
pub(super) fn next_attempt(
    code: Code,
    attempt: usize,
    now: Timestamp,
    next_slot: Option<Timestamp>,
) -> Option<Timestamp> {
    let heal = code.entry().heal;
    let waits_longer = matches!(heal, Heal::NextSchedule | Heal::RetryAfterDay);
    // Both were looked up before they came here: SQL Server did not finish.
    let was_interrupted = matches!(code, Code::Bac2SessionLost | Code::Bac2JobInterrupted);
    if !(was_interrupted || heal.retries() && !waits_longer) {
        return None;
    }
    let at = now.checked_add(pause_after(attempt)?).ok()?;
    next_slot.is_none_or(|slot| at < slot).then_some(at)
}

/// When a job looks again whether the full is over that it waits for: the longer it has waited, the later.
pub(super) fn look_again_for_full(created: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let waited = now.duration_since(created) / 4;
    now.checked_add(waited.clamp(WAIT_MIN, WAIT_MAX)).ok()
}

/// The codes that attempts of a job ended with so far, in order.
pub(super) fn codes_of_attempts(job: &Job) -> impl Iterator<Item = Code> {
    let failed = match &job.work {
        Work::Backup(work) => work.failed.as_slice(),
        _ => &[],
    };
    failed.iter().copied()
}

impl Vault {
    /// Ends a job that failed, or has it tried again.
    pub(super) async fn backup_failed(&self, doing: &mut Doing<'_>, fault: Fault) -> Ending {
        let Ok(work) = work_of(doing) else {
            return Ending::Failed(fault);
        };
        let now = self.now();
        if work.is_pending() {
            // What is not known or not written yet is found again, and nothing is sent meanwhile.
            return Ending::Again(fault, now + LOOK_AGAIN);
        }
        let (fault, is_helped) = self.explain(doing, fault).await;
        let result = format!("{}: {}", fault.code(), fault.happened());
        let next_slot = match doing.job.item {
            Some(item) => self.next_slot(item, work.asked).await,
            None => None,
        };
        // What stood in the way is being removed: then it is as if it passed by itself.
        let code = if is_helped {
            Code::Bac2JobInterrupted
        } else {
            fault.code()
        };
        let again = next_attempt(code, work.failed.len() + 1, now, next_slot);
        let noted = async {
            doing.end(&result).await?;
            note_failure(doing, fault.code()).await
        };
        // Without a catalog nothing can be noted; the job's end is written when it is back, and asks what became of it.
        if noted.await.is_err() {
            return Ending::Again(fault, now + LOOK_AGAIN);
        }
        self.clean_left(doing).await;
        if let Some(server) = doing.job.server.filter(|_| work.sent.is_some()) {
            // What it says of a URL may be of others' backups, too.
            self.error_logs.read_soon(server, self.world.clock.uptime());
        }
        match again {
            Some(at) if !doing.is_cancelled() => Ending::Again(fault, at),
            _ => self.give_up(doing, fault, work.asked).await,
        }
    }

    /// Removes what failed attempts left in the store. What a connection uses still, and what cannot be removed now, is kept in mind
    /// for the next time, and is the sweep's after that.
    pub(super) async fn clean_left(&self, doing: &mut Doing<'_>) {
        let Ok(work) = work_of(doing) else { return };
        if work.left.is_empty() {
            return;
        }
        let Some(container) = self.container_left(&doing.job).await else {
            return;
        };
        let mut there = work.left.clone();
        for name in work.left {
            let Ok(blob) = BlobName::new(name.clone()) else {
                continue;
            };
            if self.is_cleaned(&container, &blob).await {
                there.retain(|one| *one != name);
            }
        }
        let noted = doing.write(|job| {
            if let Work::Backup(work) = &mut job.work {
                work.left.clone_from(&there);
            }
        });
        // A name too many is a look too many.
        drop(noted.await);
    }

    /// The same of a job that is over before its next attempt. What a connection uses still is the sweep's.
    pub(crate) async fn clean_left_of(&self, job: &Job) {
        let Work::Backup(work) = &job.work else { return };
        if work.left.is_empty() {
            return;
        }
        let Some(container) = self.container_left(job).await else {
            return;
        };
        for blob in work
            .left
            .iter()
            .filter_map(|name| BlobName::new(name.clone()).ok())
        {
            self.is_cleaned(&container, &blob).await;
        }
    }

    async fn container_left(&self, job: &Job) -> Option<ContainerName> {
        let item = self.find::<Item>(job.item?).await.ok()??;
        let container = self.find::<Container>(item.record.container).await.ok()??;
        name_of(&container.record).ok()
    }

    /// Removes what is left of a blob where it can be; whether there is nothing left to remove.
    pub(super) async fn is_cleaned(&self, container: &ContainerName, blob: &BlobName) -> bool {
        match self.world.shelf.look(container, blob).await {
            Ok(None) | Err(ShelfError::Missing(_)) => true,
            // Somebody's complete backup: it stays, and the sweep tells people of it.
            Ok(Some(seen)) if seen.is_sealed || seen.is_committed => true,
            Ok(Some(seen)) => {
                let cleaned = self.world.shelf.clean(container, blob, &seen).await;
                matches!(cleaned, Ok(()) | Err(ShelfError::Missing(_)))
            }
            Err(_) => false,
        }
    }

    async fn next_slot(&self, item: catalog::record::ItemId, kind: BackupKind) -> Option<Timestamp> {
        let item = self.find::<Item>(item).await.ok()??;
        item.record.due.get(&kind).copied().filter(|at| *at > self.now())
    }

    /// The job failed for good: counted, and told.
    pub(super) async fn give_up(&self, doing: &Doing<'_>, fault: Fault, kind: BackupKind) -> Ending {
        if let Some(item) = doing.job.item
            && !doing.is_cancelled()
        {
            let (told, job) = (&fault, doing.job.id);
            let counted = self
                .transact(move |tx| {
                    scoped(async move {
                        let mut item = demand::<Item>(tx, &self.key, &item.to_string()).await?;
                        let failures = item.record.failures.entry(kind).or_default();
                        *failures = failures.saturating_add(1);
                        if let Work::Backup(work) = &doing.job.work {
                            self.put_healing_off(&mut item.record, work);
                        }
                        let mut about = about("failed", &item.record, kind);
                        about.job = Some(job);
                        self.raise_in(tx, &about, told).await?;
                        update(tx, item).await?;
                        Ok(())
                    })
                })
                .await;
            if fault.code() == Code::UserErrorParentFullBackupMissing
                && fault.operation().is_some()
                && matches!(doing.job.trigger, catalog::record::Trigger::Scheduled { .. })
            {
                // What nobody could look at before, SQL Server said: a full is needed.
                let wanted = HealingReason::FullMissing;
                drop(self.want_healing(item, BackupKind::Full, wanted).await);
            }
            // The job itself says what happened; a notice that could not be written is raised by the next failure.
            drop(counted);
        }
        Ending::Failed(fault)
    }
}

/// Writes down that an attempt failed: nothing is to be looked for any more, and its blobs are what it left.
async fn note_failure(doing: &mut Doing<'_>, code: Code) -> Result<(), Fault> {
    doing
        .write(|job| {
            if let Work::Backup(work) = &mut job.work {
                work.failed.push(code);
                work.left.append(&mut work.blobs);
                (work.sent, work.outcome) = (None, None);
            }
        })
        .await
}

#[cfg(test)]
mod tests {
    use faults::Code;
    use jiff::Timestamp;

    use super::{look_again_for_full, next_attempt};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn pauses_grow_and_attempts_are_three() {
        let transient = Code::UserErrorOpeningSQLConnection;
        assert_eq!(next_attempt(transient, 1, at(0), None), Some(at(30)));
        assert_eq!(next_attempt(transient, 2, at(0), None), Some(at(120)));
        assert_eq!(next_attempt(transient, 3, at(0), None), None);
    }

    #[test]
    fn who_waits_for_a_full_looks_the_more_seldom_the_longer_it_has_waited() {
        for (waited, pause) in [(0, 30), (100, 30), (400, 100), (3_600, 600), (100_000, 600)] {
            assert_eq!(
                look_again_for_full(at(0), at(waited)),
                Some(at(waited + pause)),
                "{waited}"
            );
        }
        // The clock went back.
        assert_eq!(look_again_for_full(at(1_000), at(0)), Some(at(30)));
    }

    #[test]
    fn no_attempt_is_beyond_the_next_slot() {
        let transient = Code::UserErrorFileManipulationIsNotAllowedDuringBackup;
        assert_eq!(next_attempt(transient, 1, at(0), Some(at(31))), Some(at(30)));
        assert_eq!(next_attempt(transient, 1, at(0), Some(at(30))), None);
    }

    #[test]
    fn what_people_or_days_heal_is_not_tried_again() {
        for code in [
            Code::UserErrorSQLPODoesNotExist,
            Code::UserErrorSQLNoSysadminMembership,
            Code::UserErrorSQLLSNValidationFailure,
            Code::Bac2ForeignCredential,
            Code::Bac2StoppedOnServer,
            Code::CloudDosAbsoluteLimitReachedWithRetry,
            Code::Bac2JobCancelled,
        ] {
            assert_eq!(next_attempt(code, 1, at(0), None), None, "{code}");
        }
        for code in [
            Code::Bac2SessionLost,
            Code::Bac2JobInterrupted,
            Code::Bac2CredentialRefused,
            Code::Bac2UrlBlockLimit,
            Code::Bac2UrlTaken,
            Code::Bac2UrlLeased,
        ] {
            assert!(next_attempt(code, 1, at(0), None).is_some(), "{code}");
        }
    }
}
