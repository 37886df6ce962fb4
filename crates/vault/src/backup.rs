//! One backup, from the look at the database to the recovery point with its proof.
//!
//! ```text
//! ground -> deciding (preflight, replica) -> credential (entry) -> making (choice, names) -> running -> proof (grade) -> meeting -> keeping -> writing (record)
//!                                                      |  crash: asking  -^                    failing: what follows from a failure
//! ```
//!
//! Outcome is SQL Server's word: message 3014, or the row in `msdb`. Proof is the vault's: what the verifier found in the stream
//! while it arrived. Each step can be repeated: what was sent is written down before it is sent, and the point is written once
//! for a set. A log for which the store has next to no room goes into a file on the server (`overflow`), and comes from there later
//! (`bringing`).
//!
//! Deliberately absent: whether a backup is due (`scheduler`), when a healing one may begin (`healing`), and how long points live.

mod adopting;
mod advancing;
mod asking;
mod bringing;
mod clocks;
mod credential;
mod deciding;
mod disputing;
mod entry;
mod explaining;
mod facts;
mod failing;
mod grade;
mod ground;
mod keeping;
mod making;
mod matching;
mod meeting;
mod names;
mod overflow;
mod preflight;
mod proof;
pub mod record;
mod replica;
mod running;
mod server_file;
mod tail;
mod taking;
mod verifying;
mod writing;

use catalog::record::{BackupWork, Database, Item, ItemId, JobId, Outcome, Trigger, Work};
use faults::{Code, Fault};
use schedule::BackupKind;
use schedule::database::{Facts, RecoveryModel, Role, State};

pub(crate) use advancing::advance;
pub(crate) use credential::drop_made;
pub(crate) use entry::Entry;
pub(crate) use facts::civil;
#[cfg(test)]
pub(crate) use facts::{Header, of_header};
pub(crate) use grade::{Regrade, regrade};
pub(crate) use names::job_of_marker;
pub(crate) use taking::no_runner;

use crate::jobs::{Doing, Ending, Entered, NewJob};
use crate::shelf::ShelfError;
use crate::vault::Vault;

/// The longest that a user may want a backup kept, in days: 99 years, as Azure Backup.
pub const KEEP_DAYS_MAX: u32 = 36_135;

impl Vault {
    /// Takes a backup because a user wants one. `keep_days` is 1 to [`KEEP_DAYS_MAX`]; without it, a full is kept as its policy
    /// says of backups on demand, anything else as the scheduled ones are.
    ///
    /// # Errors
    /// The item is not protected, or one of that kind runs already.
    pub async fn back_up(
        &self,
        item: ItemId,
        kind: BackupKind,
        keep_days: Option<u32>,
    ) -> Result<JobId, Fault> {
        let item = self.get::<Item>(item).await?.record;
        ground::is_protected(&item).map_err(|fault| fault.at(&format!("item {}", item.id)))?;
        if keep_days.is_some_and(|days| !(1..=KEEP_DAYS_MAX).contains(&days)) {
            let why = format!("a backup is kept for 1 to {KEEP_DAYS_MAX} days");
            return Err(Fault::new(Code::Bac2InputInvalid).because(&why));
        }
        let work = BackupWork {
            keep_days,
            ..BackupWork::of(kind)
        };
        let new = NewJob {
            work: Work::Backup(work),
            trigger: Trigger::OnDemand,
            server: Some(item.server),
            item: Some(item.id),
            run_at: self.now(),
        };
        match self.enqueue(new).await? {
            Entered::Queued(job) => Ok(job),
            Entered::InTheWay { fault, .. } => Err(fault),
        }
    }

    /// Does a backup job; after a crash goes on where it was.
    pub(crate) async fn perform_backup(&self, doing: &mut Doing<'_>) -> Ending {
        match self.backup_steps(doing).await {
            Ok(ending) => ending,
            // It says nothing of the backups of now.
            Err(fault) if is_bringing(doing) => bringing::again(self.now(), fault),
            Err(fault) => self.backup_failed(doing, fault).await,
        }
    }

    async fn backup_steps(&self, doing: &mut Doing<'_>) -> Result<Ending, Fault> {
        let work = ground::work_of(doing)?;
        let mut ground = match self.ground(doing).await {
            // Its database was removed from the vault with everything that there was of it: nothing can be kept.
            Err(fault) if fault.code() == Code::Bac2NotFound && work.is_pending() => {
                return Ok(Ending::Failed(fault));
            }
            ground => ground?,
        };
        if let Some(log) = work.brings() {
            return self.bring_and_keep(doing, &ground, log).await;
        }
        let taken = match (work.outcome, work.sent) {
            (Some(Outcome::Succeeded), _) => taking::Taken::Succeeded(None),
            (_, Some(_)) => self.ask_what_became(doing, &ground).await?,
            (_, None) => match &work.tail {
                Some(tail) => self.take_tail(doing, &ground, tail).await?,
                None => self.take(doing, &mut ground).await?,
            },
        };
        match taken {
            taking::Taken::Succeeded(row) => match ground::work_of(doing)?.writes() {
                Some(path) => self.keep_on_server(doing, &ground, path, row).await,
                None => self.prove_and_keep(doing, &ground, row).await,
            },
            taking::Taken::Ended(ending) => Ok(ending),
            taking::Taken::Elsewhere(server) => Err(Fault::new(Code::Bac2InternalError).at(&server.name)),
        }
    }
}

/// Whether a job brings a log from a server's disk that is not here yet.
fn is_bringing(doing: &Doing<'_>) -> bool {
    ground::work_of(doing).is_ok_and(|work| work.brings().is_some() && !work.is_pending())
}

/// A database as policies judge it.
pub(crate) fn schedule_facts(database: &Database) -> Facts {
    let state = &database.state;
    Facts {
        role: role(&database.name, state.is_system, state.is_snapshot),
        recovery_model: match state.recovery_model.as_str() {
            "SIMPLE" => RecoveryModel::Simple,
            "BULK_LOGGED" => RecoveryModel::BulkLogged,
            _ => RecoveryModel::Full,
        },
        state: match state.state.as_str() {
            "ONLINE" => State::Online,
            "RESTORING" => State::Restoring,
            "RECOVERING" => State::Recovering,
            "RECOVERY_PENDING" => State::RecoveryPending,
            "SUSPECT" => State::Suspect,
            "EMERGENCY" => State::Emergency,
            _ => State::Offline,
        },
        read_only: state.is_read_only,
        standby: state.is_standby,
        mirrored: state.is_mirrored,
    }
}

fn role(name: &str, is_system: bool, is_snapshot: bool) -> Role {
    let is = |wanted: &str| is_system && name.eq_ignore_ascii_case(wanted);
    if is_snapshot {
        Role::Snapshot
    } else if is("master") {
        Role::Master
    } else if is("tempdb") {
        Role::Tempdb
    } else {
        Role::User
    }
}

/// What the store failed with, as people see it.
#[allow(clippy::needless_pass_by_value)] // It is what `map_err` gives.
pub(crate) fn shelf_fault(error: ShelfError) -> Fault {
    let code = match error {
        ShelfError::ReadOnly(_) => Code::Bac2StoreReadOnly,
        ShelfError::Full => Code::Bac2StoreDiskFull,
        _ => Code::Bac2InternalError,
    };
    Fault::new(code).because(&error.to_string())
}
