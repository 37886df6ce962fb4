//! What follows from a backup that was not taken: another attempt, or the end with a notice.

use std::str::FromStr;

use catalog::record::{BackupWork, Container, HealingReason, Item, Job};
use catalog::{demand, scoped, update};
use faults::{Code, Fault, Heal};
use jiff::{SignedDuration, Timestamp};
use schedule::BackupKind;

use super::credential::name_of;
use super::ground::work_of;
use super::keeping::blob_names;
use super::running::LOOK_AGAIN;
use super::taking::unsend;
use crate::jobs::{Doing, Ending};
use crate::scheduler::about;
use crate::vault::Vault;

/// Attempts of one job.
const ATTEMPTS_MAX: u32 = 3;
/// Pauses before the second and the third attempt.
const PAUSES: [SignedDuration; 2] = [SignedDuration::from_secs(30), SignedDuration::from_secs(120)];
/// For how long a job stays open whose statement succeeded and whose point cannot be written.
const KEEP_TRYING: SignedDuration = SignedDuration::from_hours(24);

/// When to try again; none where the job is over. Never beyond the next slot of the kind, whose job would meet this one.
pub(super) fn next_attempt(
    code: Code,
    attempt: u32,
    now: Timestamp,
    next_slot: Option<Timestamp>,
) -> Option<Timestamp> {
    let heal = code.entry().heal;
    let waits_longer = matches!(heal, Heal::NextSchedule | Heal::RetryAfterDay);
    // Both were looked up before they came here: SQL Server did not finish.
    let was_interrupted = matches!(code, Code::Bac2SessionLost | Code::Bac2JobInterrupted);
    if attempt >= ATTEMPTS_MAX || !(was_interrupted || heal.retries() && !waits_longer) {
        return None;
    }
    let pause = PAUSES[usize::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(1)];
    let at = now.checked_add(pause).ok()?;
    next_slot.is_none_or(|slot| at < slot).then_some(at)
}

/// The codes that attempts of a job ended with so far, in order: they begin the results of its tasks.
pub(super) fn codes_of_attempts(job: &Job) -> impl Iterator<Item = Code> {
    job.tasks.iter().filter_map(|task| {
        let (code, _) = task.result.as_ref()?.split_once(':')?;
        Code::from_str(code).ok()
    })
}

impl Vault {
    /// Ends a job that failed, or has it tried again.
    pub(super) async fn backup_failed(&self, doing: &mut Doing<'_>, fault: Fault) -> Ending {
        let Ok(work) = work_of(doing) else {
            return Ending::Failed(fault);
        };
        let now = self.now();
        if let Some(sent) = work.sent
            && work.outcome != Some(catalog::record::Outcome::Failed)
        {
            // It may have succeeded: what is not known or not written yet is found again, and nothing is sent meanwhile.
            return match now.duration_since(sent) < KEEP_TRYING {
                true => Ending::Again(fault, now + LOOK_AGAIN),
                false => self.give_up(doing, fault, work.asked).await,
            };
        }
        let result = format!("{}: {}", fault.code(), fault.happened());
        let next_slot = match doing.job.item {
            Some(item) => self.next_slot(item, work.asked).await,
            None => None,
        };
        let again = next_attempt(fault.code(), doing.job.attempt, now, next_slot);
        let noted = async {
            doing.end(&result).await?;
            unsend(doing).await
        };
        // Without a catalog nothing can be noted; the job's end is written when it is back, and asks what became of it.
        if noted.await.is_err() {
            return Ending::Again(fault, now + LOOK_AGAIN);
        }
        self.clean_after(doing, &work).await;
        match again {
            Some(at) if !doing.is_cancelled() => Ending::Again(fault, at),
            _ => self.give_up(doing, fault, work.asked).await,
        }
    }

    /// What the attempt left in the store goes, if it can at once; the sweep finds the rest.
    async fn clean_after(&self, doing: &Doing<'_>, work: &BackupWork) {
        let Some(item) = doing.job.item else { return };
        let Ok(Some(item)) = self.find::<Item>(item).await else {
            return;
        };
        let Ok(Some(container)) = self.find::<Container>(item.record.container).await else {
            return;
        };
        let (Ok(container), Ok(blobs)) = (name_of(&container.record), blob_names(work)) else {
            return;
        };
        for blob in &blobs {
            // It may be leased, in use, or not there: then it is not for this job to remove.
            drop(self.clean_blob(&container, blob).await);
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

#[cfg(test)]
mod tests {
    use faults::Code;
    use jiff::Timestamp;

    use super::next_attempt;

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
