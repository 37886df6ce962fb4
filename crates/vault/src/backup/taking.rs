//! From the look at the database to SQL Server's last word.

use azblob::names::ContainerName;
use catalog::record::{Outcome, Work};
use faults::{Code, Fault, Operation};
use mssql::databases::Database;
use mssql::history::Set;
use mssql::run::{Runner, RunnerError};
use schedule::BackupKind;

use super::credential::name_of;
use super::ground::{self, Ground, facts_of, is_protected, look};
use super::making::Made;
use super::preflight::{Barred, Case, refusal};
use crate::jobs::{Doing, Ending};
use crate::registration::{Purpose, Stopwatch, connecting, failed};
use crate::vault::Vault;

/// What came of taking a backup.
pub(super) enum Taken {
    /// SQL Server succeeded; with the row of `msdb`, where that is how it is known.
    Succeeded(Option<Box<Set>>),
    /// The job is over, or will be tried again.
    Ended(Ending),
}

impl Vault {
    /// Takes a backup.
    ///
    /// # Errors
    /// Why it was not taken.
    pub(super) async fn take(&self, doing: &mut Doing<'_>, ground: &mut Ground) -> Result<Taken, Fault> {
        is_protected(&ground.item).map_err(|fault| fault.at(&ground.target()))?;
        doing.begin("Look at the database").await?;
        let target = self.target(&ground.server, Purpose::Backup).await?;
        let clock = Stopwatch(self.world.clock.clone());
        let connector = self.world.connector.as_ref();
        let mut runner = Runner::open(connector, &target, &clock)
            .await
            .map_err(|error| no_runner(&ground.server.name, error))?;
        doing.told.runs(runner.canceller());
        let taken = self.take_by(doing, ground, &mut runner).await;
        doing.told.rests();
        runner.close().await;
        taken
    }

    async fn take_by(
        &self,
        doing: &mut Doing<'_>,
        ground: &mut Ground,
        runner: &mut Runner<'_>,
    ) -> Result<Taken, Fault> {
        let asked = ground::work_of(doing)?.asked;
        let seen = look(runner.session(), ground).await?;
        let kind = match self.decide(ground, &seen, asked)? {
            Ok(kind) => kind,
            Err(ending) => return Ok(Taken::Ended(ending)),
        };
        if doing.is_cancelled() {
            return Ok(Taken::Ended(cancelled(doing)));
        }
        let is_refused =
            super::failing::codes_of_attempts(&doing.job).last() == Some(Code::Bac2CredentialRefused);
        let container = name_of(&ground.container)?;
        self.prepare_credential(&ground.container, &ground.server, runner.session(), is_refused)
            .await?;
        let made = self.make_backup(&doing.job, ground, &seen, kind, &container)?;
        self.note_what_is_sent(doing, &made, kind).await?;
        if doing.is_cancelled() {
            // Nothing was sent yet, and the next start must not look for it.
            unsend(doing).await?;
            return Ok(Taken::Ended(cancelled(doing)));
        }
        self.run_backup(doing, ground, runner, &made, &container).await
    }

    /// What is taken, or how the job ends without.
    fn decide(
        &self,
        ground: &Ground,
        seen: &Database,
        asked: BackupKind,
    ) -> Result<Result<BackupKind, Ending>, Fault> {
        let state = &ground.database.state;
        let case = Case {
            kind: asked,
            wanted: ground.wanted,
            is_shadow: ground.policy.mode == schedule::policy::Mode::Shadow,
            facts: facts_of(seen, &ground.database),
            was_in_group: ground.database.group.is_some(),
            is_in_group: seen.replica.is_some(),
            is_permitted: match asked {
                BackupKind::Log => seen.may_back_up_log,
                _ => seen.may_back_up,
            },
            foreign: ground.item.foreign_owner.as_ref(),
            is_log_shipped: state.is_log_shipped,
            is_taken_over: ground.item.took_over.is_some(),
        };
        match refusal(&case) {
            None => Ok(Ok(asked)),
            Some(Barred::Skipped(warning)) => Ok(Err(Ending::Done(vec![warning.at(&ground.target())]))),
            Some(Barred::Failed(fault)) => Err(fault.at(&ground.target())),
        }
    }

    /// Writes down what is about to be sent: from here on, what became of it must be asked for.
    async fn note_what_is_sent(
        &self,
        doing: &mut Doing<'_>,
        made: &Made,
        kind: BackupKind,
    ) -> Result<(), Fault> {
        let now = self.now();
        let names: Vec<String> = made.blobs.iter().map(ToString::to_string).collect();
        let notes = made.notes.join("; ");
        let statement = faults::scrub(&made.backup.to_string());
        doing
            .write(|job| {
                if let Work::Backup(work) = &mut job.work {
                    work.kind = kind;
                    work.blobs.clone_from(&names);
                    work.marker = Some(made.marker.clone());
                    work.sent = Some(now);
                    work.outcome = None;
                    work.set = None;
                }
                job.warnings.extend(made.warnings.iter().cloned());
                (job.bytes, job.percent) = (0, None);
                if let Some(last) = job.tasks.last_mut() {
                    last.result = Some(notes.clone()).filter(|notes| !notes.is_empty());
                }
            })
            .await?;
        doing.statement(&statement).await?;
        doing.begin("Back up").await
    }
}

/// Nothing was sent after all.
pub(super) async fn unsend(doing: &mut Doing<'_>) -> Result<(), Fault> {
    doing
        .write(|job| {
            if let Work::Backup(work) = &mut job.work {
                work.sent = None;
                work.outcome = None;
            }
        })
        .await
}

/// Writes down what SQL Server said in the end.
pub(super) async fn note_outcome(doing: &mut Doing<'_>, outcome: Outcome) -> Result<(), Fault> {
    doing
        .write(|job| {
            if let Work::Backup(work) = &mut job.work {
                work.outcome = Some(outcome);
            }
        })
        .await
}

pub(super) fn cancelled(doing: &Doing<'_>) -> Ending {
    Ending::Cancelled(Fault::new(Code::Bac2JobCancelled).at(&format!("job {}", doing.job.id)))
}

/// The container of a job.
pub(super) fn container_of(ground: &Ground) -> Result<ContainerName, Fault> {
    name_of(&ground.container)
}

fn no_runner(name: &str, error: RunnerError) -> Fault {
    match error {
        RunnerError::Connect(error) => connecting(name, error),
        RunnerError::Session(error) => failed(Operation::Connect, name, error),
    }
}
