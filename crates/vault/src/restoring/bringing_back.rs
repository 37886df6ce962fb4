//! A restore that broke off: the target as it was, where no RESTORE has changed it, or plainly said to be restoring.
//!
//! What the tail left RESTORING is recovered, and who could enter can again. Each step looks first and can be done again. Nothing is
//! ever dropped: what a restore began to make under a new name is left as it is, and said.

use catalog::record::Outcome;
use catalog::record::{Job, RestoreWork, Server, Work};
use faults::{Fault, Operation};
use mssql::Session;
use mssql::databases::{Access, Database, State};
use mssql::statement::restore;

use super::confirming::state_of;
use super::running::{look, name_of, note, target_of};
use super::work_of;
use crate::jobs::Doing;
use crate::registration::{Purpose, failed};
use crate::vault::Vault;

/// What became of the target.
pub(super) enum Brought {
    /// It is as it was; how that came, for people.
    AsItWas(String),
    /// It waits for more; why.
    LeftRestoring(String),
    /// It is another database than it was and waits for nothing: somebody else had a hand in it.
    Changed(String),
}

impl Vault {
    /// Brings the target back.
    ///
    /// # Errors
    /// The instance does not answer.
    pub(super) async fn bring_back(&self, doing: &mut Doing<'_>, server: &Server) -> Result<Brought, Fault> {
        let mut session = self.session(server, Purpose::Restore).await?;
        let brought = self.bring_back_by(doing, &mut session, server).await;
        session.close().await;
        brought
    }

    async fn bring_back_by(
        &self,
        doing: &mut Doing<'_>,
        session: &mut Session,
        server: &Server,
    ) -> Result<Brought, Fault> {
        self.wait_until_over(doing, session, server).await?;
        let work = work_of(doing)?;
        let Some(seen) = look(session, &work, server).await? else {
            return Ok(Brought::AsItWas(match work.before {
                Some(_) => "the database is not there any more, and this restore did not drop it".to_owned(),
                None => "nothing of it is there".to_owned(),
            }));
        };
        let is_changed = self.is_changed(session, &work, &seen, server).await?;
        if is_changed {
            let how = format!(
                "it is {} after {} of {} steps",
                state_of(&seen),
                work.done,
                work.steps.len()
            );
            return Ok(match seen.state == State::Restoring || seen.is_in_standby {
                true => Brought::LeftRestoring(how),
                false => Brought::Changed(how),
            });
        }
        let mut how = "the target was not touched".to_owned();
        if seen.state == State::Restoring {
            let statement = restore::recover(&name_of(&work)?);
            doing.statement(&statement).await?;
            match session.execute(&statement).await {
                Ok(_) => "recovered after the tail of its log had been taken".clone_into(&mut how),
                Err(mssql::Error::Refused { messages }) => {
                    let said = crate::registration::said(&messages);
                    doing.said(&said).await?;
                    let why = Fault::of(Operation::Restore, &said);
                    return Ok(Brought::LeftRestoring(format!(
                        "it was left so by the backup of its tail, and cannot be recovered: {}",
                        why.happened()
                    )));
                }
                Err(error) => return Err(failed(Operation::Restore, &target_of(&work, server), error)),
            }
            self.relink_seen(doing, session, server).await?;
        }
        self.let_in_as_before(doing, session, server).await?;
        Ok(Brought::AsItWas(how))
    }

    /// Whether a RESTORE of this job changed the target.
    async fn is_changed(
        &self,
        session: &mut Session,
        work: &RestoreWork,
        seen: &Database,
        server: &Server,
    ) -> Result<bool, Fault> {
        if work.done > 0 {
            return Ok(true);
        }
        let is_restoring = seen.state == State::Restoring;
        let (Some(_), true) = (work.sent, is_restoring) else {
            // By the tail alone, if by anything of this job.
            return Ok(is_restoring && !self.is_tail_taken(work).await?);
        };
        if !self.is_tail_taken(work).await? {
            return Ok(true);
        }
        // The tail left it so, unless the first set came in. What was cut off in the middle cannot be recovered, and is told apart by
        // that.
        match work.steps.first() {
            Some(step) => self.is_step_done(session, work, step, Some(seen), server).await,
            None => Ok(false),
        }
    }

    /// Whether SQL Server may have taken the tail.
    async fn is_tail_taken(&self, work: &RestoreWork) -> Result<bool, Fault> {
        let Some(tail) = work.tail else {
            return Ok(false);
        };
        let job = self.find::<Job>(tail).await?;
        Ok(job.is_some_and(|job| match &job.record.work {
            Work::Backup(work) => work.outcome == Some(Outcome::Succeeded) || work.is_pending(),
            _ => false,
        }))
    }

    /// Who could enter the target can again.
    async fn let_in_as_before(
        &self,
        doing: &mut Doing<'_>,
        session: &mut Session,
        server: &Server,
    ) -> Result<(), Fault> {
        let work = work_of(doing)?;
        let (Some(seen), Some(before)) = (look(session, &work, server).await?, &work.before) else {
            return Ok(());
        };
        let now = match seen.access {
            Access::Multi => "MULTI_USER",
            Access::Single => "SINGLE_USER",
            Access::Restricted => "RESTRICTED_USER",
        };
        if seen.state == State::Online && now != before.access {
            let whom = match before.access.as_str() {
                "SINGLE_USER" => "SINGLE_USER",
                "RESTRICTED_USER" => "RESTRICTED_USER",
                _ => "MULTI_USER",
            };
            self.admit(doing, session, server, whom).await?;
        }
        note(doing, |work| work.drained = false).await
    }
}
