//! The statements of a plan, one after the other, to the end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::Vacant;

use catalog::record::{Container, ContainerId, RestoreWork, Server, Work};
use faults::{Code, Fault, Operation};
use mssql::run::{NobodyWatches, Report, Runner};

use super::{statements, work_of};
use crate::backup::{Entry, no_runner};
use crate::jobs::{Doing, Ending};
use crate::registration::{Purpose, Stopwatch, said};
use crate::vault::Vault;

impl Vault {
    /// A restore, from its plan to its end.
    ///
    /// # Errors
    /// Why it was not done.
    pub(super) async fn restore_steps(&self, doing: &mut Doing<'_>) -> Result<Ending, Fault> {
        doing.begin("Plan").await?;
        let work = work_of(doing)?;
        let server = self.get::<Server>(work.order.place.server).await?.record;
        let target = self.target(&server, Purpose::Restore).await?;
        let clock = Stopwatch(self.world.clock.clone());
        let connector = self.world.connector.as_ref();
        let mut runner = Runner::open(connector, &target, &clock)
            .await
            .map_err(|error| no_runner(&server.name, error))?;
        doing.told.runs(runner.canceller());
        let ran = self.prepared_and_run(doing, &mut runner, &server).await;
        doing.told.rests();
        runner.close().await;
        ran
    }

    async fn prepared_and_run(
        &self,
        doing: &mut Doing<'_>,
        runner: &mut Runner<'_>,
        server: &Server,
    ) -> Result<Ending, Fault> {
        let work = work_of(doing)?;
        let prepared = self.prepare(&work.order, server, runner.session()).await?;
        let (steps, before) = (prepared.way.steps.clone(), prepared.judged.before.clone());
        note(doing, |work| {
            work.steps.clone_from(&steps);
            work.before.clone_from(&before);
        })
        .await?;
        let warnings = prepared.judged.warnings.clone();
        doing
            .write(|job| job.warnings.extend(warnings.iter().cloned()))
            .await?;
        self.run_steps(doing, runner, server).await
    }

    async fn run_steps(
        &self,
        doing: &mut Doing<'_>,
        runner: &mut Runner<'_>,
        server: &Server,
    ) -> Result<Ending, Fault> {
        doing.begin("Restore").await?;
        let work = work_of(doing)?;
        let place = &work.order.place;
        let mut entries: BTreeMap<ContainerId, Entry> = BTreeMap::new();
        let at = format!("{}/{}", server.name, place.name);
        for (number, step) in work.steps.iter().enumerate() {
            if let Vacant(free) = entries.entry(step.container) {
                let container = self.get::<Container>(step.container).await?.record;
                let entry = self
                    .prepare_credential(&container, server, runner.session(), false)
                    .await?;
                free.insert(entry);
            }
            let statement = statements::statement(step, place, &entries[&step.container], number == 0)?;
            let now = self.now();
            note(doing, |work| work.sent = Some(now)).await?;
            doing.statement(&statement.to_string()).await?;
            let report = runner.restore(&statement, &mut NobodyWatches).await;
            heard(doing, &report, &at).await?;
            note(doing, |work| {
                work.done += 1;
                work.sent = None;
            })
            .await?;
        }
        if let Some(end) = statements::end(place)? {
            doing.statement(&end).await?;
            let outcome = runner.session().execute(&end).await;
            outcome.map_err(|error| crate::registration::failed(Operation::Restore, &at, error))?;
        }
        Ok(Ending::Done(Vec::new()))
    }
}

/// Keeps what SQL Server said.
///
/// # Errors
/// It did not succeed.
async fn heard(doing: &mut Doing<'_>, report: &Report, at: &str) -> Result<(), Fault> {
    let words = said(&report.outcome.messages);
    doing.said(&words).await?;
    if report.is_success() {
        return Ok(());
    }
    Err(match &report.fault {
        Some(fault) if !words.iter().any(faults::Said::is_error) => Fault::new(Code::Bac2SessionLost)
            .with_said(Operation::Restore, &words)
            .at(at)
            .because(&fault.to_string()),
        _ => Fault::of(Operation::Restore, &words).at(at),
    })
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
