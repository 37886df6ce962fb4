//! The claim of an instance: one full at a time that nobody scheduled, be it a healing one or one that a scheduled log or
//! differential became.
//!
//! There is no record of it that could outlive its owner: who holds it is an open job whose work is such a full. Whoever wants it
//! looks and makes itself one in the same transaction.

use catalog::record::{Job, JobId, ServerId, Trigger, Work};
use catalog::{Query, Range, Scope, Slot, Transaction, page};
use schedule::BackupKind;

use crate::records::Trouble;
use crate::vault::Vault;

/// Open jobs that are read at a time.
const AT_ONCE: u32 = 32;

impl Vault {
    /// The open job that holds the claim of an instance, where it is another one than `own`.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn claimed_by(
        &self,
        tx: &mut dyn Transaction,
        server: ServerId,
        own: Option<JobId>,
    ) -> Result<Option<JobId>, Trouble> {
        let open = Range::members(&[&server.to_string(), "open"]);
        // The oldest first: whoever holds it was there before the logs of this slot.
        let mut query = Query::of(Scope::vault(&self.key), Slot::D, open).limit(AT_ONCE);
        loop {
            let found = page::<Job>(tx, &query).await?;
            let jobs = found.records.iter().map(|job| &job.record);
            if let Some(other) = jobs.filter(|job| Some(job.id) != own).find(|job| claims(job)) {
                return Ok(Some(other.id));
            }
            match found.next {
                Some(next) => query = query.after(next),
                None => return Ok(None),
            }
        }
    }
}

/// Whether an open job is a full that nobody scheduled and no user asked for.
fn claims(job: &Job) -> bool {
    let Work::Backup(work) = &job.work else {
        return false;
    };
    work.kind == BackupKind::Full
        && (work.asked != work.kind || matches!(job.trigger, Trigger::Healing { .. }))
}
