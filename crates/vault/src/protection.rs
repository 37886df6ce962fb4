//! Protection: which database follows which policy, from its first day to the last of its recovery points.
//!
//! `protecting` begins it, `stopping` ends, suspends and resumes it and deletes softly, `intents` protects what is found on an
//! instance, `containers` is where backups go, `budget` how much is configured in a day.
//!
//! Invariants: a database has one item at most; an item never moves to another database, not even of the same name; what was
//! deleted keeps the time that was in force when it was.

mod budget;
mod containers;
mod intents;
mod protecting;
mod stopping;
#[cfg(test)]
mod tests;

use catalog::record::Work;
use faults::{Code, Fault};

use crate::jobs::{Doing, Ending};
use crate::vault::Vault;

pub use stopping::Data;
pub(crate) use stopping::kept_until;

impl Vault {
    /// Does a job that protects a database or brings an item to its policy's version.
    pub(crate) async fn configure(&self, doing: &mut Doing<'_>) -> Ending {
        let Work::Configure {
            database,
            policy,
            intent,
        } = doing.job.work
        else {
            return Ending::Failed(Fault::new(Code::Bac2InternalError).because("a job of another kind"));
        };
        match doing.job.item {
            Some(item) => self.follow_policy(doing, item, policy).await,
            None => self.protect_by_job(doing, database, policy, intent).await,
        }
    }
}
