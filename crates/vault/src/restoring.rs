//! A restore, from a moment that somebody names to a database that stands at it.
//!
//! ```text
//! ordering -> planning (chain) -> checks on the target -> lending -> headers -> tail -> steps -> end -> confirming
//!                                                                                   ^- crash: resuming
//! ```
//!
//! Everything that can be checked is checked before the target is touched. The plan is written down before the first statement,
//! and each statement before it is sent, so that a restore goes on after a crash where it was, by what the instance says of the
//! database, never by what the vault hoped.
//!
//! Deliberately absent: which moments can be restored (`chain`), and how long points live.

mod approaching;
mod bringing_back;
mod checks;
mod confirming;
mod draining;
mod explaining;
mod exporting;
mod failing;
mod files;
mod headers;
mod lending;
mod mapping;
mod ordering;
mod paths;
mod planning;
mod preparing;
mod relinking;
mod resuming;
mod running;
mod showing;
mod standing;
mod statements;
mod tail;
mod target;
mod telling;
mod thumbprints;
mod timing;

use catalog::record::{RestoreWork, Work};
use faults::{Code, Fault};

pub use checks::Room;
pub use exporting::{ExportedFile, FilesPlan, PIECE_MAX};
pub use files::SourceFile;
pub(crate) use lending::Lending;
pub use mapping::{LIST_MAX, MAPPING_MAX, list_bytes, mapping};
pub use paths::{PATH_MAX, PlacedFile};
pub use showing::RestorePlan;
pub(crate) use standing::Restores;

use crate::jobs::{Doing, Ending};
use crate::vault::Vault;

/// What a restore job is to do.
///
/// # Errors
/// It is another kind of job.
fn work_of(doing: &Doing<'_>) -> Result<RestoreWork, Fault> {
    match &doing.job.work {
        Work::Restore(work) => Ok(RestoreWork::clone(work)),
        _ => Err(Fault::new(Code::Bac2InternalError).because("a job that is no restore")),
    }
}

impl Vault {
    /// Does a restore job; after a crash goes on where it was.
    pub(crate) async fn perform_restore(&self, doing: &mut Doing<'_>) -> Ending {
        if let Ok(work) = work_of(doing) {
            let place = &work.order.place;
            self.restores.begin(doing.job.id, place.server, &place.name);
        }
        let ending = match self.restore_steps(doing).await {
            Ok(ending) => ending,
            Err(fault) => self.restore_failed(doing, fault).await,
        };
        if !matches!(ending, Ending::Again(..)) {
            self.restores.end(doing.job.id);
        }
        ending
    }
}
