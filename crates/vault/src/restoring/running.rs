//! The statements of a plan, one after the other, to the end.
//!
//! What is about to be sent is written down before; a session that is lost, or a vault that ended, asks the instance how far it came
//! (`resuming`) and goes on from there.

use std::collections::btree_map::Entry::Vacant;
use std::time::Duration;

use catalog::record::{RestoreStep, RestoreWork, Server, Work};
use faults::{Code, Fault, Operation};
use futures::future::{Either, select};
use mssql::databases::{Database, State};
use mssql::quoting::Identifier;
use mssql::run::{Patience, Report, Runner, Verdict};
use mssql::{Session, databases};

use super::lending::Entries;
use super::telling::{Gauge, Sizes};
use super::{statements, work_of};
use crate::backup::no_runner;
use crate::draining::holders;
use crate::jobs::{Doing, Ending};
use crate::registration::{Purpose, Stopwatch, failed, said};
use crate::vault::Vault;

/// How long a statement waits for what others hold.
const LOCKS: Duration = Duration::from_secs(30);
/// How long the end of a lost session is looked for at once; after that the job asks again.
const SEARCH: Duration = Duration::from_secs(30);
/// Sessions are drained so often before the first statement.
const DRAINS: u32 = 3;
/// The pause between two times.
const DRAIN_AGAIN: Duration = Duration::from_secs(5);

/// For people: `SERVER/DATABASE` of the target.
pub(super) fn target_of(work: &RestoreWork, server: &Server) -> String {
    format!("{}/{}", server.name, work.order.place.name)
}

/// The target's name.
///
/// # Errors
/// It is none.
pub(super) fn name_of(work: &RestoreWork) -> Result<Identifier, Fault> {
    Identifier::new(&work.order.place.name).map_err(|error| {
        Fault::new(Code::Bac2InputInvalid).because(&format!("the name of the database: {error}"))
    })
}

/// The target as it is now.
///
/// # Errors
/// The instance cannot be asked.
pub(super) async fn look(
    session: &mut Session,
    work: &RestoreWork,
    server: &Server,
) -> Result<Option<Database>, Fault> {
    databases::ask_named(session, &name_of(work)?)
        .await
        .map_err(|error| failed(Operation::Restore, &target_of(work, server), error))
}

/// Where a database that waits for more stands: `redo_start_lsn` of its first file.
pub(super) fn redo_of(seen: &Database) -> Option<bak::Lsn> {
    let first = seen.files.iter().find(|file| file.id == 1)?;
    first.redo_start_lsn.and_then(bak::Lsn::non_zero)
}

/// The end of a job that somebody wants to end.
pub(super) fn cancelled(doing: &Doing<'_>) -> Fault {
    Fault::new(Code::Bac2JobCancelled).at(&format!("job {}", doing.job.id))
}

impl Vault {
    /// A restore, from its plan to its end, from wherever an earlier attempt left it.
    ///
    /// # Errors
    /// Why it was not done, or not yet.
    pub(super) async fn restore_steps(&self, doing: &mut Doing<'_>) -> Result<Ending, Fault> {
        let work = work_of(doing)?;
        let server = self.get::<Server>(work.order.place.server).await?.record;
        if work.given_up.is_some() {
            return self.give_up_restore(doing, &server).await;
        }
        if work.reached.is_none() {
            if doing.is_cancelled() {
                return Err(cancelled(doing));
            }
            let target = self.target(&server, Purpose::Restore).await?;
            let clock = Stopwatch(self.world.clock.clone());
            let connector = self.world.connector.as_ref();
            let mut runner = Runner::open(connector, &target, &clock)
                .await
                .map_err(|error| no_runner(&server.name, error))?;
            runner.patience = Patience {
                locks: LOCKS,
                search: SEARCH,
                ..Patience::default()
            };
            doing.told.runs(runner.canceller());
            let ran = self.restore_by(doing, &mut runner, &server).await;
            doing.told.rests();
            runner.close().await;
            ran?;
        }
        self.leave_restored(doing, &server).await
    }

    async fn restore_by(
        &self,
        doing: &mut Doing<'_>,
        runner: &mut Runner<'_>,
        server: &Server,
    ) -> Result<(), Fault> {
        let entries = if work_of(doing)?.is_restoring() {
            self.find_out(doing, runner.session(), server).await?;
            self.ways_on(doing, runner.session(), server).await?
        } else {
            self.approach(doing, runner.session(), server).await?
        };
        doing.begin("Restore").await?;
        loop {
            let work = work_of(doing)?;
            let number = work.done as usize;
            let Some(step) = work.steps.get(number) else {
                break;
            };
            if doing.is_cancelled() {
                return Err(cancelled(doing));
            }
            if self.is_left_out(runner.session(), &work, step, server).await? {
                note(doing, |work| work.done += 1).await?;
                continue;
            }
            self.run_step(doing, runner, server, step, &entries).await?;
        }
        self.end_restore(doing, runner.session(), server).await
    }

    /// The ways to the containers of the steps that are still to be done.
    async fn ways_on(
        &self,
        doing: &mut Doing<'_>,
        session: &mut Session,
        server: &Server,
    ) -> Result<Entries, Fault> {
        let work = work_of(doing)?;
        let is_refused = doing.job.fault.as_ref().map(Fault::code) == Some(Code::Bac2CredentialRefused);
        let mut entries = Entries::new();
        for step in work.steps.iter().skip(work.done as usize) {
            if let Vacant(free) = entries.entry(step.container) {
                let lent = self
                    .lend(doing, step.container, server, session, is_refused)
                    .await?;
                free.insert(lent);
            }
        }
        Ok(entries)
    }

    /// Whether the log before this one stopped at the moment already.
    async fn is_left_out(
        &self,
        session: &mut Session,
        work: &RestoreWork,
        step: &RestoreStep,
        server: &Server,
    ) -> Result<bool, Fault> {
        let Some(from) = &step.only_from else {
            return Ok(false);
        };
        let from: bak::Lsn = from
            .parse()
            .map_err(|_| Fault::new(Code::Bac2InternalError).because("a step from an LSN that is none"))?;
        let seen = look(session, work, server).await?;
        let redo = seen.as_ref().and_then(redo_of);
        Ok(redo.is_some_and(|redo| redo < from))
    }

    /// Sends a step, and before the first one of a database that is open drains its sessions.
    async fn run_step(
        &self,
        doing: &mut Doing<'_>,
        runner: &mut Runner<'_>,
        server: &Server,
        step: &RestoreStep,
        entries: &Entries,
    ) -> Result<(), Fault> {
        let work = work_of(doing)?;
        let is_first = work.done == 0;
        let lent = entries.get(&step.container).ok_or_else(|| {
            Fault::new(Code::Bac2InternalError).because("a step of a container without a way")
        })?;
        let place = &work.order.place;
        // What bears the name may be given up only where it was there and looked at: what comes in between is not replaced.
        let replaces = is_first && place.overwrite && !place.continues && work.before.is_some();
        let statement = statements::statement(step, place, &lent.entry, replaces)?;
        let cannot = Code::UserErrorRestoreFailedDatabaseCannotBeOfflined;
        for drains in 1.. {
            match self.send_step(doing, runner, server, &statement, is_first).await {
                // Sessions came back in between.
                Err(fault) if is_first && drains < DRAINS && fault.code() == cannot => {
                    self.world.clock.sleep(DRAIN_AGAIN).await;
                }
                Err(fault) if fault.code() == cannot && fault.detail().is_empty() => {
                    let holders = holders(runner.session(), &name_of(&work)?).await;
                    return Err(fault.because(&holders));
                }
                sent => {
                    sent?;
                    break;
                }
            }
        }
        self.note_done(doing).await
    }

    /// Sends it once.
    async fn send_step(
        &self,
        doing: &mut Doing<'_>,
        runner: &mut Runner<'_>,
        server: &Server,
        statement: &mssql::statement::Restore,
        is_first: bool,
    ) -> Result<(), Fault> {
        if is_first {
            self.drain_target(doing, runner.session(), server).await?;
        }
        if doing.is_cancelled() {
            return Err(cancelled(doing));
        }
        let (now, history) = (self.now(), newest_restore(runner.session()).await);
        note(doing, |work| (work.sent, work.history) = (Some(now), history)).await?;
        doing.statement(&statement.to_string()).await?;
        let report = self.watched(doing, runner, statement).await?;
        heard(doing, &report, &target_of(&work_of(doing)?, server)).await
    }

    /// Runs a statement while its progress is written down.
    async fn watched(
        &self,
        doing: &Doing<'_>,
        runner: &mut Runner<'_>,
        statement: &mssql::statement::Restore,
    ) -> Result<Report, Fault> {
        let work = work_of(doing)?;
        let mut gauge = Gauge::default();
        let telling = self.tell(doing.job.id, Sizes::of(&work, work.done as usize), gauge.clone());
        let working = Box::pin(runner.restore(statement, &mut gauge));
        match select(working, Box::pin(telling)).await {
            Either::Left((report, _)) => Ok(report),
            Either::Right((never, _)) => match never {},
        }
    }

    /// One step more is done.
    pub(super) async fn note_done(&self, doing: &mut Doing<'_>) -> Result<(), Fault> {
        note(doing, |work| {
            work.done += 1;
            work.sent = None;
            work.tries = 0;
        })
        .await?;
        let work = work_of(doing)?;
        let bytes = work.steps.iter().take(work.done as usize).map(|step| step.bytes);
        let bytes = bytes.fold(0, u64::saturating_add);
        doing.write(|job| job.bytes = job.bytes.max(bytes)).await
    }
}

/// The newest row of the history of restores; none where it cannot be read.
async fn newest_restore(session: &mut Session) -> Option<i32> {
    let text = "SELECT COALESCE(MAX(restore_history_id), 0) AS newest FROM msdb.dbo.restorehistory;";
    let rows = session.query(text).await.ok()?;
    rows.first()?.get("newest").ok()
}

/// Whether a database is open, so that sessions may be in it.
pub(super) fn is_open(seen: &Database) -> bool {
    seen.state == State::Online
}

/// Keeps what SQL Server said.
///
/// # Errors
/// It did not succeed, or nobody can tell.
async fn heard(doing: &mut Doing<'_>, report: &Report, at: &str) -> Result<(), Fault> {
    let words = said(&report.outcome.messages);
    doing.said(&words).await?;
    match report.verdict {
        Verdict::Succeeded(_) => Ok(()),
        _ if doing.is_cancelled() => Err(cancelled(doing)),
        Verdict::Failed if words.iter().any(faults::Said::is_error) => {
            Err(Fault::of(Operation::Restore, &words).at(at))
        }
        // An error that ends the session too, such as one of the target's disk: it says more than that the session is gone.
        Verdict::Unknown if says_why(&words) => Err(Fault::of(Operation::Restore, &words).at(at)),
        Verdict::Failed | Verdict::Unknown => {
            let why = report.fault.as_ref().map_or_else(
                || "SQL Server said nothing of its end".to_owned(),
                ToString::to_string,
            );
            Err(Fault::new(Code::Bac2SessionLost)
                .with_said(Operation::Restore, &words)
                .at(at)
                .because(&why))
        }
    }
}

/// Whether SQL Server said why a statement ended whose session is gone, and more than that the session was ended.
fn says_why(words: &[faults::Said]) -> bool {
    let code = Fault::of(Operation::Restore, words).code();
    words.iter().any(faults::Said::is_error)
        && !matches!(code, Code::Bac2SessionLost | Code::Bac2UnexpectedSqlError)
}

/// Changes the work in the job's record.
pub(super) async fn note(
    doing: &mut Doing<'_>,
    change: impl Fn(&mut RestoreWork) + Send + Sync,
) -> Result<(), Fault> {
    doing
        .write(|job| {
            if let Work::Restore(work) = &mut job.work {
                change(work);
            }
        })
        .await
}
