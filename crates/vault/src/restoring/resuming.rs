//! After a crash of the vault or of the instance, or a lost session: how far a restore came.
//!
//! First whether the statement still runs, then what the database and the history of restores say: a row of the history is written
//! when a set is restored, and `redo_start_lsn` tells where a database that waits for more stands. A full that was cut off is done
//! again from its beginning; a log, too, where the database did not get past it.

use std::time::Duration;

use catalog::record::{Point, RestoreStep, RestoreWork, Server};
use faults::{Fault, Operation};
use mssql::Session;
use mssql::activity::{self, Running};
use mssql::databases::{Database, State};

use super::running::{look, name_of, redo_of, target_of};
use super::{statements, work_of};
use crate::jobs::Doing;
use crate::registration::failed;
use crate::vault::Vault;

/// The pause between two looks at a statement that runs.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Vault {
    /// Finds out what became of the statement that was sent last.
    ///
    /// # Errors
    /// The instance does not answer.
    pub(super) async fn find_out(
        &self,
        doing: &mut Doing<'_>,
        session: &mut Session,
        server: &Server,
    ) -> Result<(), Fault> {
        doing.begin("Ask how far it came").await?;
        self.wait_until_over(doing, session, server).await?;
        let work = work_of(doing)?;
        if work.sent.is_none() {
            return Ok(());
        }
        let seen = look(session, &work, server).await?;
        if let Some(step) = work.steps.get(work.done as usize)
            && self
                .is_step_done(session, &work, step, seen.as_ref(), server)
                .await?
        {
            self.note_done(doing).await?;
            doing.end("the step was done").await?;
        }
        Ok(())
    }

    /// Waits until the statement of this job, which may have gone on without its session, is over. Where somebody wants the job to end,
    /// it is ended.
    ///
    /// # Errors
    /// The instance does not answer.
    pub(super) async fn wait_until_over(
        &self,
        doing: &Doing<'_>,
        session: &mut Session,
        server: &Server,
    ) -> Result<(), Fault> {
        let work = work_of(doing)?;
        let at = target_of(&work, server);
        let fault = |error| failed(Operation::Restore, &at, error);
        let step = work.steps.get(work.done as usize);
        let marks = match step {
            Some(step) => statements::marks(step, &work.order.place)?,
            None => statements::end(&work.order.place)?.into_iter().collect(),
        };
        if marks.is_empty() || !work.is_touched() {
            return Ok(());
        }
        if !activity::sees_all(session).await.map_err(fault)? {
            // Who does not see it is refused the next statement while it runs.
            return Ok(());
        }
        let own = session.id().await.map_err(fault)?;
        loop {
            let running = activity::running(session).await.map_err(fault)?;
            let is_it = |one: &Running| {
                let text = one.text.as_deref().unwrap_or_default();
                one.session_id != own && marks.iter().all(|mark| text.contains(mark))
            };
            let Some(found) = running.into_iter().find(is_it) else {
                return Ok(());
            };
            if doing.is_cancelled() || work.given_up.is_some() {
                // Where the login may not end it, it ends by itself.
                drop(session.execute(&format!("KILL {};", found.session_id)).await);
            }
            self.world.clock.sleep(LOOK_EVERY).await;
        }
    }

    /// Whether SQL Server has done a step.
    ///
    /// # Errors
    /// The instance does not answer.
    pub(super) async fn is_step_done(
        &self,
        session: &mut Session,
        work: &RestoreWork,
        step: &RestoreStep,
        seen: Option<&Database>,
        server: &Server,
    ) -> Result<bool, Fault> {
        let Some(seen) = seen else { return Ok(false) };
        if !(seen.state == State::Restoring || seen.is_in_standby) {
            return Ok(false);
        }
        let redo = redo_of(seen);
        let end: Option<bak::Lsn> = step.last_lsn.parse().ok();
        // Before a full the database may have stood beyond its end.
        if !step.kind.is_full() && redo.is_some() && redo >= end {
            return Ok(true);
        }
        match self.is_in_history(session, work, step, server).await? {
            Some(is_there) => Ok(is_there && redo.is_some()),
            None => Ok(redo.is_some() && redo == end),
        }
    }

    /// Whether the history of restores has a step since its statement was sent; none where it cannot be read.
    async fn is_in_history(
        &self,
        session: &mut Session,
        work: &RestoreWork,
        step: &RestoreStep,
        server: &Server,
    ) -> Result<Option<bool>, Fault> {
        let Some(before) = work.history else {
            return Ok(None);
        };
        let Some(point) = self.find::<Point>(step.point).await? else {
            return Ok(None);
        };
        let question = format!(
            "SELECT COUNT(*) AS count FROM msdb.dbo.restorehistory AS r JOIN msdb.dbo.backupset AS s ON s.backup_set_id = r.backup_set_id
 WHERE r.restore_history_id > {before} AND r.destination_database_name = {} AND s.backup_set_uuid = '{}';",
            name_of(work)?.literal(),
            point.record.set.guid
        );
        match session.query(&question).await {
            Ok(rows) => {
                let count = rows.only().and_then(|row| row.get::<i64>("count"));
                Ok(count.ok().map(|count| count > 0))
            }
            Err(mssql::Error::Refused { .. }) => Ok(None),
            Err(error) => Err(failed(Operation::Restore, &target_of(work, server), error)),
        }
    }
}
