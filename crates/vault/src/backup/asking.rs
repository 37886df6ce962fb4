//! After a crash, or a session that was lost for good: what became of a statement that was sent.
//!
//! It is never sent again before that is known. First whether it still runs, then `msdb`: the row is written before the request
//! ends, so this order misses nothing.

use std::time::Duration;

use catalog::record::Outcome;
use faults::{Code, Fault, Operation};
use jiff::{SignedDuration, Timestamp};
use mssql::history::Set;
use mssql::quoting::Literal;
use mssql::{Session, activity, history};

use super::ground::{Ground, work_of};
use super::taking::{Taken, note_outcome};
use crate::jobs::Doing;
use crate::registration::{Purpose, failed};
use crate::vault::Vault;

/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long one attempt looks where nothing answers or nothing can be seen.
const PATIENCE: Duration = Duration::from_secs(300);
/// After this time nobody looks any more.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);

/// What one look told.
enum Became {
    Runs(i32),
    Succeeded(Box<Set>),
    Failed,
    /// The login does not see whether it runs.
    Unclear,
}

impl Vault {
    /// Finds out what became of a statement that was sent.
    ///
    /// # Errors
    /// It failed; the catalog cannot be written.
    pub(super) async fn ask_what_became(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        sent: Timestamp,
    ) -> Result<Taken, Fault> {
        doing.begin("Ask what became of it").await?;
        let marker = work_of(doing)?.marker.unwrap_or_default();
        let target = ground.target();
        let mut deadline = self.world.clock.uptime() + PATIENCE;
        loop {
            let why = match self.look_once(doing, ground, &marker).await {
                Ok(Became::Succeeded(set)) => {
                    note_outcome(doing, Outcome::Succeeded).await?;
                    return Ok(Taken::Succeeded(Some(set)));
                }
                Ok(Became::Failed) => {
                    note_outcome(doing, Outcome::Failed).await?;
                    return Err(Fault::new(Code::Bac2JobInterrupted)
                        .at(&target)
                        .because("SQL Server did not finish the backup"));
                }
                Ok(Became::Runs(_)) => {
                    deadline = self.world.clock.uptime() + PATIENCE;
                    "it still runs".to_owned()
                }
                Ok(Became::Unclear) => "the login does not see what runs".to_owned(),
                Err(fault) => fault.happened(),
            };
            if self.world.clock.uptime() >= deadline {
                note_outcome(doing, Outcome::Unknown).await?;
                if self.now().duration_since(sent) < GIVE_UP {
                    return Ok(Taken::Ended(self.unknown(&target, &why)));
                }
                let fault = Fault::new(Code::Bac2OutcomeUnknown).at(&target).because(&why);
                let asked = work_of(doing)?.asked;
                return Ok(Taken::Ended(self.give_up(doing, fault, asked).await));
            }
            self.world.clock.sleep(LOOK_EVERY).await;
        }
    }

    async fn look_once(&self, doing: &Doing<'_>, ground: &Ground, marker: &str) -> Result<Became, Fault> {
        let mut session = self.session(&ground.server, Purpose::Backup).await?;
        let became = look_over(&mut session, ground, marker).await;
        if let Ok(Became::Runs(id)) = &became
            && doing.is_cancelled()
        {
            // The statement is this job's own, by its marker; where the login may not end it, it ends by itself.
            drop(session.execute(&format!("KILL {id};")).await);
        }
        session.close().await;
        became
    }

    /// The row in `msdb` of a backup: by its id where that is known, else by its marker.
    ///
    /// # Errors
    /// The instance cannot be asked.
    pub(super) async fn row_of(
        &self,
        ground: &Ground,
        guid: Option<uuid::Uuid>,
        marker: &str,
    ) -> Result<Option<Set>, Fault> {
        let target = ground.target();
        let fault = |error| failed(Operation::Backup, &target, error);
        let mut session = self.session(&ground.server, Purpose::Backup).await?;
        let sets = match guid {
            Some(guid) => history::by_guid(&mut session, guid).await,
            None => history::by_description(&mut session, &literal(marker)?).await,
        };
        session.close().await;
        Ok(sets.map_err(fault)?.into_iter().next())
    }
}

async fn look_over(session: &mut Session, ground: &Ground, marker: &str) -> Result<Became, Fault> {
    let target = ground.target();
    let fault = |error| failed(Operation::Backup, &target, error);
    let sees_all = activity::sees_all(session).await.map_err(fault)?;
    for request in activity::running(session).await.map_err(fault)? {
        let is_here = request.database.as_deref() == Some(ground.database.name.as_str());
        let is_it = match &request.text {
            Some(text) => text.contains(marker),
            None => is_here && request.command.starts_with("BACKUP"),
        };
        if is_it {
            return Ok(Became::Runs(request.session_id));
        }
    }
    let sets = history::by_description(session, &literal(marker)?)
        .await
        .map_err(fault)?;
    if let Some(set) = sets.into_iter().next_back() {
        return Ok(Became::Succeeded(Box::new(set)));
    }
    Ok(if sees_all { Became::Failed } else { Became::Unclear })
}

fn literal(marker: &str) -> Result<Literal, Fault> {
    Literal::new(marker).map_err(|error| Fault::new(Code::Bac2InternalError).because(&error.to_string()))
}
