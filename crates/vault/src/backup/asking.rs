//! After a crash, or a session that was lost for good: what became of a statement that was sent.
//!
//! It is never sent again before that is known. First whether it still runs, then `msdb`: the row is written before the request
//! ends, so this order misses nothing. Where the login does not see what runs, the door does: what uses no blob of the job for
//! long, and has no row, did not finish.
//!
//! An instance that cannot be reached is asked for as long as it takes. Only one that answers, and has told nothing for a day, is
//! given up, or one that cannot be reached where somebody wants the job to end.

use std::time::Duration;

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Outcome, Work};
use faults::{Code, Fault, Operation};
use mssql::history::Set;
use mssql::quoting::Literal;
use mssql::{Session, activity, history};

use super::ground::{Ground, work_of};
use super::keeping::blob_names;
use super::taking::{Taken, container_of, note_outcome};
use crate::jobs::Doing;
use crate::registration::{Purpose, failed};
use crate::vault::Vault;

/// The first pause between two looks; it doubles up to [`LOOK_EVERY_MAX`].
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LOOK_EVERY_MAX: Duration = Duration::from_secs(40);
/// How long one attempt looks where nothing can be seen.
const PATIENCE: Duration = Duration::from_secs(300);
/// So many attempts look in vain before nobody looks any more: with the pause after each, a day. They are counted, since a clock may
/// jump.
const LOOKS_MAX: u32 = 200;
/// So many attempts look before a statement that uses no blob of its job is over, by the door's word: it waits a minute at most for
/// another backup of the database before it makes its blob.
const LOOKS_UNUSED: u32 = 3;
/// A blob is in use until nobody has used it for so long: SQL Server gives a request up after minutes at most.
const UNUSED_AFTER: Duration = Duration::from_secs(15 * 60);

/// What one look told.
pub(super) enum Became {
    /// It runs, in this session; none where SQL Server does not show that the request is this job's.
    Runs(Option<i32>),
    /// The history has it.
    Succeeded(Box<Set>),
    /// It does not run, and the history does not have it.
    Failed,
    /// The instance answers, and does not tell.
    Unclear {
        /// Why.
        why: String,
        /// The history was read, and does not have it.
        is_not_there: bool,
    },
}

/// The same, where the history was not read.
fn unread(why: String) -> Became {
    Became::Unclear {
        why,
        is_not_there: false,
    }
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
    ) -> Result<Taken, Fault> {
        doing.begin("Ask what became of it").await?;
        let target = ground.target();
        let interrupted = || Fault::new(Code::Bac2JobInterrupted).at(&target);
        let mut deadline = self.world.clock.uptime() + PATIENCE;
        let mut pause = LOOK_EVERY;
        loop {
            let mut is_not_there = false;
            let why = match self.look_once(doing, ground).await {
                Ok(Became::Succeeded(set)) => {
                    note_outcome(doing, Outcome::Succeeded).await?;
                    return Ok(Taken::Succeeded(Some(set)));
                }
                Ok(Became::Failed) => {
                    note_outcome(doing, Outcome::Failed).await?;
                    return Err(interrupted().because("SQL Server did not finish the backup"));
                }
                Ok(Became::Runs(_)) => {
                    deadline = self.world.clock.uptime() + PATIENCE;
                    "it still runs".to_owned()
                }
                Ok(Became::Unclear {
                    why,
                    is_not_there: is_so,
                }) => {
                    is_not_there = is_so;
                    why
                }
                // Who cannot be reached is asked later, and holds no seat meanwhile.
                Err(fault) => return self.not_told(doing, ground, &fault.happened(), false).await,
            };
            if self.world.clock.uptime() >= deadline {
                let looks = work_of(doing)?.looks + 1;
                // A blob that is complete may be a backup that succeeded: only the history tells then.
                let is_over = looks >= LOOKS_UNUSED && !self.are_used(doing, ground).await?;
                if is_over && (is_not_there || !self.are_complete(doing, ground).await?) {
                    note_outcome(doing, Outcome::Failed).await?;
                    return Err(interrupted().because("nothing writes it any more, and it was not finished"));
                }
                return self.not_told(doing, ground, &why, true).await;
            }
            self.world.clock.sleep(pause).await;
            pause = (pause * 2).min(LOOK_EVERY_MAX);
        }
    }

    /// Nobody could say what became of it: looked for again, or given up.
    async fn not_told(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        why: &str,
        is_reached: bool,
    ) -> Result<Taken, Fault> {
        doing
            .write(|job| {
                if let Work::Backup(work) = &mut job.work {
                    work.outcome = Some(Outcome::Unknown);
                    work.looks = work.looks.saturating_add(1);
                }
            })
            .await?;
        let (target, work) = (ground.target(), work_of(doing)?);
        if work.looks < LOOKS_MAX || !(is_reached || doing.is_cancelled()) {
            return Ok(Taken::Ended(self.unknown(&target, why)));
        }
        let fault = Fault::new(Code::Bac2OutcomeUnknown).at(&target).because(why);
        self.remember_unknown(ground.item.id, doing.job.id).await?;
        Ok(Taken::Ended(self.give_up(doing, fault, work.asked).await))
    }

    /// # Errors
    /// The instance cannot be reached.
    async fn look_once(&self, doing: &Doing<'_>, ground: &Ground) -> Result<Became, Fault> {
        let marker = work_of(doing)?.marker.unwrap_or_default();
        let are_used = self.are_used(doing, ground).await.unwrap_or(true);
        let mut session = self.session(&ground.server, Purpose::Backup).await?;
        let database = are_used.then_some(ground.database.name.as_str());
        let became = look_over(&mut session, database, &marker).await;
        if let Ok(Became::Runs(Some(id))) = &became
            && doing.is_cancelled()
        {
            // The statement is this job's own, by its marker; where the login may not end it, it ends by itself.
            drop(session.execute(&format!("KILL {id};")).await);
        }
        session.close().await;
        match became {
            Err(error) if error.is_lost() => Err(failed(Operation::Backup, &ground.target(), error)),
            Err(error) => Ok(unread(error.to_string())),
            Ok(became) => Ok(became),
        }
    }

    /// Whether a connection uses a blob of the job, or did a while ago, by the front door.
    async fn are_used(&self, doing: &Doing<'_>, ground: &Ground) -> Result<bool, Fault> {
        let work = work_of(doing)?;
        if work.writes().is_some() {
            // The door sees nothing of a file on the server: only the instance itself can tell.
            return Ok(true);
        }
        let (container, blobs) = (container_of(ground)?, blob_names(&work)?);
        for blob in &blobs {
            if self.is_used(&container, blob).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether all blobs of the job are complete in the store.
    async fn are_complete(&self, doing: &Doing<'_>, ground: &Ground) -> Result<bool, Fault> {
        let (container, blobs) = (container_of(ground)?, blob_names(&work_of(doing)?)?);
        for blob in &blobs {
            match self.world.shelf.look(&container, blob).await {
                Ok(Some(seen)) if seen.is_committed => {}
                Ok(_) | Err(crate::shelf::ShelfError::Missing(_)) => return Ok(false),
                Err(error) => return Err(super::shelf_fault(error)),
            }
        }
        Ok(true)
    }

    async fn is_used(&self, container: &ContainerName, blob: &BlobName) -> Result<bool, Fault> {
        let seen = self.world.shelf.look(container, blob).await;
        let lease = match seen {
            Ok(seen) => seen.and_then(|seen| seen.lease),
            Err(crate::shelf::ShelfError::Missing(_)) => None,
            Err(error) => return Err(super::shelf_fault(error)),
        };
        Ok(lease.is_some_and(|lease| lease.connections > 0 || lease.quiet < UNUSED_AFTER))
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

/// Looks for a statement by its marker: whether it runs, and whether the history has it. `database`: where a blob of it is in use, its
/// database, in which a request whose text is not shown may be it.
pub(super) async fn look_over(
    session: &mut Session,
    database: Option<&str>,
    marker: &str,
) -> Result<Became, mssql::Error> {
    let sees_all = activity::sees_all(session).await?;
    // Who does not see the requests of others is refused their texts.
    let running = match sees_all {
        true => activity::running(session).await?,
        false => Vec::new(),
    };
    for request in running {
        match &request.text {
            Some(text) if text.contains(marker) => return Ok(Became::Runs(Some(request.session_id))),
            Some(_) => {}
            // Perhaps this one, and perhaps another tool's: that one uses no blob of this job.
            None => {
                let is_here = database.is_some() && request.database.as_deref() == database;
                if is_here && request.command.starts_with("BACKUP") {
                    return Ok(Became::Runs(None));
                }
            }
        }
    }
    let Ok(marker) = Literal::new(marker) else {
        return Ok(unread("its mark cannot be asked for".to_owned()));
    };
    let sets = history::by_description(session, &marker).await?;
    Ok(match sets.into_iter().next_back() {
        Some(set) => Became::Succeeded(Box::new(set)),
        None if sees_all => Became::Failed,
        None => Became::Unclear {
            why: "the login does not see what runs, and msdb does not have it".to_owned(),
            is_not_there: true,
        },
    })
}

fn literal(marker: &str) -> Result<Literal, Fault> {
    Literal::new(marker).map_err(|error| Fault::new(Code::Bac2InternalError).because(&error.to_string()))
}
