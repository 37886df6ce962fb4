//! From the look at the database to SQL Server's last word.

use azblob::names::ContainerName;
use catalog::record::{Outcome, Server, ServerId, Work};
use faults::{Code, Fault, Operation};
use mssql::history::Set;
use mssql::run::{Runner, RunnerError};
use schedule::BackupKind;

use super::credential::name_of;
use super::deciding::Decision;
use super::ground::{self, Ground, is_protected, look};
use super::making::{Made, Onto};
use super::preflight::Wanted;
use super::replica;
use crate::jobs::{Doing, Ending};
use crate::registration::{Purpose, Stopwatch, connecting, failed};
use crate::vault::Vault;

/// What came of taking a backup.
pub(super) enum Taken {
    /// SQL Server succeeded; with the row of `msdb`, where that is how it is known.
    Succeeded(Option<Box<Set>>),
    /// The job is over, or will be tried again.
    Ended(Ending),
    /// Another replica of the availability group takes it.
    Elsewhere(Box<Server>),
}

impl Vault {
    /// Takes a backup.
    ///
    /// # Errors
    /// Why it was not taken.
    pub(super) async fn take(&self, doing: &mut Doing<'_>, ground: &mut Ground) -> Result<Taken, Fault> {
        is_protected(&ground.item).map_err(|fault| fault.at(&ground.target()))?;
        self.clean_left(doing).await;
        doing.begin("Look at the database").await?;
        let clock = Stopwatch(self.world.clock.clone());
        // Replicas that do not answer, and what the first of them said.
        let (mut silent, mut silence) = (Vec::new(), None);
        let mut is_moved = false;
        loop {
            let target = self.target(&ground.server, Purpose::Backup).await?;
            let connector = self.world.connector.as_ref();
            let mut runner = match Runner::open(connector, &target, &clock).await {
                Ok(runner) => runner,
                Err(error) => {
                    let fault = no_runner(&ground.server.name, error);
                    silent.push(ground.server.id);
                    let Some(other) = self.another_replica(ground, &silent).await? else {
                        return Err(silence.unwrap_or(fault));
                    };
                    silence.get_or_insert(fault);
                    move_to(doing, ground, other).await?;
                    is_moved = false;
                    continue;
                }
            };
            doing.told.runs(runner.canceller());
            let taken = self.take_by(doing, ground, &mut runner, is_moved, &silent).await;
            doing.told.rests();
            runner.close().await;
            match taken? {
                Taken::Elsewhere(server) => {
                    move_to(doing, ground, *server).await?;
                    is_moved = true;
                }
                taken => return Ok(taken),
            }
        }
    }

    async fn take_by(
        &self,
        doing: &mut Doing<'_>,
        ground: &mut Ground,
        runner: &mut Runner<'_>,
        is_moved: bool,
        silent: &[ServerId],
    ) -> Result<Taken, Fault> {
        let asked = ground::work_of(doing)?.asked;
        if let Some(ending) = self.skip_for_restore(ground).await? {
            return Ok(Taken::Ended(ending));
        }
        self.refuse_lost(&ground.server, runner.session()).await?;
        let seen = look(runner.session(), ground).await?;
        if seen.name != ground.database.name {
            let why = format!("it is [{}] now", seen.name);
            let warning = Fault::new(Code::Bac2DatabaseRenamed)
                .at(&ground.target())
                .because(&why);
            warn(doing, [Some(warning), None]).await?;
        }
        let mut is_secondary = false;
        if seen.replica.is_some() && ground.database.group.is_some() {
            let replicas = self.replicas_of(runner.session(), ground, &seen).await?;
            let chosen = self.chosen_replica(ground, &replicas, asked, silent).await?;
            if chosen.id != ground.server.id && !is_moved {
                return Ok(Taken::Elsewhere(Box::new(chosen)));
            }
            is_secondary = replica::is_secondary(&replicas);
        }
        let is_put_back = !is_secondary && self.is_put_back(runner.session(), ground, &seen).await?;
        let decision = self
            .decide(doing, ground, &seen, asked, is_secondary, is_put_back)
            .await?;
        let (kind, folder) = match decision {
            Decision::Take(kind) => (kind, None),
            Decision::TakeOntoServer(folder) => (BackupKind::Log, Some(folder)),
            Decision::End(ending) => return Ok(Taken::Ended(ending)),
        };
        if doing.is_cancelled() {
            return Ok(Taken::Ended(cancelled(doing)));
        }
        let container = name_of(&ground.container)?;
        let made = match &folder {
            Some(folder) => self.make_backup(&doing.job, ground, &seen, kind, &Onto::Server(folder))?,
            None => {
                let is_refused =
                    super::failing::codes_of_attempts(&doing.job).last() == Some(Code::Bac2CredentialRefused);
                let entry = self
                    .prepare_credential(&ground.container, &ground.server, runner.session(), is_refused)
                    .await?;
                self.make_backup(&doing.job, ground, &seen, kind, &Onto::Store(&entry))?
            }
        };
        self.note_what_is_sent(doing, ground, &made, kind).await?;
        if doing.is_cancelled() {
            // Nothing was sent yet, and the next start must not look for it.
            unsend(doing).await?;
            return Ok(Taken::Ended(cancelled(doing)));
        }
        self.run_backup(doing, ground, runner, &made, &container).await
    }

    /// The end of a backup of a database that a restore is under way for: one of the schedule is left out with a warning.
    ///
    /// # Errors
    /// A user wants it.
    async fn skip_for_restore(&self, ground: &Ground) -> Result<Option<Ending>, Fault> {
        let Some(job) = self.restore_over(ground.server.id, &ground.database.name).await? else {
            return Ok(None);
        };
        let fault = Fault::new(Code::OperationCancelledBecauseConflictingOperationRunningUserError)
            .at(&ground.target())
            .because(&format!("job {job} restores into it"));
        match ground.wanted {
            Wanted::OnDemand => Err(fault),
            Wanted::Scheduled | Wanted::Healing => Ok(Some(Ending::Done(vec![fault]))),
        }
    }

    /// Writes down what is about to be sent: from here on, what became of it must be asked for.
    pub(super) async fn note_what_is_sent(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
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
                    work.on_server.clone_from(&made.on_server);
                    work.marker = Some(made.marker.clone());
                    work.sent = Some(now);
                    work.outcome = None;
                    work.set = None;
                    work.log_end_before.clone_from(&ground.item.log_end);
                    work.looks = 0;
                }
                for warning in &made.warnings {
                    if !job.warnings.contains(warning) {
                        job.warnings.push(warning.clone());
                    }
                }
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

/// From here on the job is that instance's: after a crash it is asked there.
async fn move_to(doing: &mut Doing<'_>, ground: &mut Ground, server: Server) -> Result<(), Fault> {
    let id = server.id;
    doing.write(|job| job.server = Some(id)).await?;
    ground.server = server;
    Ok(())
}

/// Keeps warnings in the job, each once.
pub(super) async fn warn(doing: &mut Doing<'_>, warnings: [Option<Fault>; 2]) -> Result<(), Fault> {
    doing
        .write(|job| {
            for warning in warnings.iter().flatten() {
                if !job.warnings.contains(warning) {
                    job.warnings.push(warning.clone());
                }
            }
        })
        .await
}

/// Nothing was sent after all.
pub(super) async fn unsend(doing: &mut Doing<'_>) -> Result<(), Fault> {
    doing
        .write(|job| {
            if let Work::Backup(work) = &mut job.work {
                work.sent = None;
                work.outcome = None;
                work.blobs.clear();
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

pub(crate) fn no_runner(name: &str, error: RunnerError) -> Fault {
    match error {
        RunnerError::Connect(error) => connecting(name, error),
        RunnerError::Session(error) => failed(Operation::Connect, name, error),
    }
}
