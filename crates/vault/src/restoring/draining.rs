//! A database that is open is taken from its sessions right before the first RESTORE: its transactions are rolled back, and nobody but
//! the session that restores gets in.
//!
//! That sessions are drained is written down before, so that who may enter is put back, whatever comes of it.

use catalog::record::{RestoreWork, Server};
use faults::{Code, Fault, Operation};
use mssql::Session;

use super::running::{is_open, look, name_of, note, target_of};
use super::work_of;
use crate::jobs::Doing;
use crate::registration::{failed, said};
use crate::vault::Vault;

impl Vault {
    /// Drains the target where it is open.
    ///
    /// # Errors
    /// Its sessions cannot be ended; the fault names them.
    pub(super) async fn drain(
        &self,
        doing: &mut Doing<'_>,
        session: &mut Session,
        server: &Server,
    ) -> Result<(), Fault> {
        let work = work_of(doing)?;
        let Some(seen) = look(session, &work, server).await? else {
            return Ok(());
        };
        if !is_open(&seen) {
            return Ok(());
        }
        note(doing, |work| work.drained = true).await?;
        let statement = format!(
            "ALTER DATABASE {} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;",
            name_of(&work)?
        );
        doing.statement(&statement).await?;
        let at = target_of(&work, server);
        let locks = "SET LOCK_TIMEOUT 30000;";
        let ran = session.execute(&format!("{locks}\n{statement}")).await;
        match ran {
            Ok(_) => Ok(()),
            Err(mssql::Error::Refused { messages }) => {
                let words = said(&messages);
                doing.said(&words).await?;
                let fault = Fault::of(Operation::Restore, &words);
                let holders = self.holders(session, &work).await;
                Err(match fault.code() {
                    // It waited for a lock in vain.
                    Code::UserErrorFileManipulationIsNotAllowedDuringBackup
                    | Code::Bac2UnexpectedSqlError
                    | Code::Bac2DatabaseNotAvailable => {
                        Fault::new(Code::UserErrorRestoreFailedDatabaseCannotBeOfflined)
                            .with_said(Operation::Restore, &words)
                    }
                    _ => fault,
                }
                .at(&at)
                .because(&holders))
            }
            Err(error) => Err(failed(Operation::Restore, &at, error)),
        }
    }

    /// The sessions that hold the target, for people.
    pub(super) async fn holders(&self, session: &mut Session, work: &RestoreWork) -> String {
        let Ok(name) = name_of(work) else {
            return String::new();
        };
        let question = format!(
            "SELECT session_id, login_name, host_name, program_name FROM sys.dm_exec_sessions
 WHERE database_id = DB_ID({}) AND session_id <> @@SPID ORDER BY session_id;",
            name.literal()
        );
        let Ok(rows) = session.query(&question).await else {
            return "who holds it cannot be asked".to_owned();
        };
        let mut holders = Vec::new();
        for row in rows.iter() {
            let text = |column| row.optional::<String>(column).ok().flatten();
            let parts = [text("login_name"), text("host_name"), text("program_name")];
            let parts: Vec<String> = parts
                .into_iter()
                .flatten()
                .filter(|one| !one.is_empty())
                .collect();
            let id: i32 = row.get("session_id").unwrap_or_default();
            holders.push(format!("session {id} ({})", parts.join(", ")));
        }
        match holders.is_empty() {
            true => "nobody is in it at this moment: sessions come back".to_owned(),
            false => holders.join("; "),
        }
    }
}
