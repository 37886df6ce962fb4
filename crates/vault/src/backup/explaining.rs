//! What stands behind a failure, asked of the instance at once: what holds a log that is full, which backup is in the way, and of a
//! statement that was stopped whether its database is still there.
//!
//! A log that waits for a log backup gets one, once for each job that met it; whatever else holds a log is for people.

use catalog::record::{BackupWork, HealingReason, JobId, Trigger, Work};
use faults::{Code, Fault, Operation};
use mssql::{Session, activity};
use schedule::BackupKind;

use super::failing::codes_of_attempts;
use super::ground::{Ground, look};
use crate::jobs::{Doing, Entered, NewJob};
use crate::registration::Purpose;
use crate::vault::Vault;

const LOG_IS_FULL: Code = Code::UserErrorBackupFailedAsTransactionLogIsFull;
/// `log_reuse_wait_desc` of a log that a log backup would free.
const WAITS_FOR_LOG_BACKUP: &str = "LOG_BACKUP";

/// What was found out.
struct Found {
    /// For people.
    why: String,
    /// Something was begun that removes the cause.
    is_helped: bool,
}

impl Vault {
    /// Adds to a failure what the instance says of its cause; whether something was begun that removes it.
    pub(super) async fn explain(&self, doing: &Doing<'_>, fault: Fault) -> (Fault, bool) {
        let found = match fault.code() {
            LOG_IS_FULL => self.what_holds_the_log(doing).await,
            Code::UserErrorFileManipulationIsNotAllowedDuringBackup => self.what_is_in_the_way(doing).await,
            Code::Bac2CredentialRefused => {
                let why = self.what_its_clock_says(doing).await.ok().flatten();
                return (
                    why.map_or_else(|| fault.clone(), |why| fault.clone().because(&why)),
                    false,
                );
            }
            Code::Bac2StoppedOnServer => return (self.why_stopped(doing, fault).await, false),
            _ => return (fault, false),
        };
        match found {
            Ok(Some(found)) => (fault.because(&found.why), found.is_helped),
            // Who cannot be asked now leaves the failure as it is.
            Ok(None) | Err(_) => (fault, false),
        }
    }

    async fn what_holds_the_log(&self, doing: &Doing<'_>) -> Result<Option<Found>, Fault> {
        let ground = self.ground(doing).await?;
        let mut session = self.session(&ground.server, Purpose::Backup).await?;
        let seen = look(&mut session, &ground).await;
        session.close().await;
        let holder = seen?.log_reuse_wait;
        let asked = super::ground::work_of(doing)?.asked;
        let is_again = codes_of_attempts(&doing.job).any(|code| code == LOG_IS_FULL);
        if holder != WAITS_FOR_LOG_BACKUP || asked == BackupKind::Log || is_again {
            return Ok(Some(Found {
                why: format!("what holds the log is {holder} (log_reuse_wait_desc)"),
                is_helped: false,
            }));
        }
        let log = self.begin_log(&ground).await?;
        Ok(Some(Found {
            why: format!("the log waits for a log backup, and job {log} takes one"),
            is_helped: true,
        }))
    }

    /// A log backup, at once; the one that is open already where there is one.
    async fn begin_log(&self, ground: &Ground) -> Result<JobId, Fault> {
        let new = NewJob {
            work: Work::Backup(BackupWork::of(BackupKind::Log)),
            trigger: Trigger::Healing {
                reason: HealingReason::LogFull,
            },
            server: Some(ground.item.server),
            item: Some(ground.item.id),
            run_at: self.now(),
        };
        Ok(match self.enqueue(new).await? {
            Entered::Queued(job) => job,
            Entered::InTheWay { other, .. } => other,
        })
    }

    /// A database that was dropped takes its backup with it, and SQL Server says no more than that it was stopped.
    async fn why_stopped(&self, doing: &Doing<'_>, fault: Fault) -> Fault {
        let seen = async {
            let ground = self.ground(doing).await?;
            let mut session = self.session(&ground.server, Purpose::Backup).await?;
            let seen = look(&mut session, &ground).await;
            session.close().await;
            seen
        };
        match seen.await {
            Err(gone) if gone.code() == Code::UserErrorSQLPODoesNotExist => gone
                .with_said(Operation::Backup, fault.said())
                .because("it went while its backup ran"),
            _ => fault,
        }
    }

    async fn what_is_in_the_way(&self, doing: &Doing<'_>) -> Result<Option<Found>, Fault> {
        let ground = self.ground(doing).await?;
        let mut session = self.session(&ground.server, Purpose::Backup).await?;
        let found = running_backup(&mut session, &ground.database.name).await;
        session.close().await;
        Ok(found.map(|why| Found {
            why,
            is_helped: false,
        }))
    }
}

/// The backup of a database that runs, for people.
async fn running_backup(session: &mut Session, database: &str) -> Option<String> {
    if !activity::sees_all(session).await.ok()? {
        return None;
    }
    let running = activity::running(session).await.ok()?;
    let other = running
        .into_iter()
        .find(|one| one.database.as_deref() == Some(database))?;
    let unknown = || "unknown".to_owned();
    Some(format!(
        "session {} runs {}: login {}, program {}, host {}",
        other.session_id,
        other.command,
        other.login.unwrap_or_else(unknown),
        other.program.unwrap_or_else(unknown),
        other.host.unwrap_or_else(unknown),
    ))
}
